"""What a query names: its one statement, the tables in it, and the functions that it must not call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb

from lakewright.errors import UsageError

__all__ = ["Named", "explained", "named", "one_query"]

#: Functions of extensions that write, though they stand where a table stands.
_WRITERS = re.compile(
    r"^(ducklake_(?!(snapshots|current_snapshot|last_committed_snapshot|table_\w+|list_files|options|settings)$)|\w+_(execute|attach)$|query$)"
)

#: What only explains, comments before it included: the statement that follows is the one to look at.
_EXPLAIN = re.compile(
    r"(\s|--[^\n]*(\n|$)|/\*.*?\*/)*explain(\s+analyze\b|\s*\([^)]*\))*\s+", re.IGNORECASE | re.DOTALL
)

_PART = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_DOTTED = re.compile(rf"(?<![.\w])({_PART})\s*\.\s*({_PART})(?!\s*\.)")


@dataclass
class Named:
    """Tables as (zone, name); ``sure`` is False when they were found by reading, not by the parser.

    ``functions`` are those that stand where a table stands, ``called`` the others; ``words`` are names alone,
    which may be functions without brackets; ``columns`` are the last parts of names, ``star`` tells of ``*``; ``ctes`` are defined by the query itself; ``sampled`` tells that
    it takes some of the rows at random.
    """

    tables: set[tuple[str, str]] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)
    versioned: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    star: bool = False
    functions: set[str] = field(default_factory=set)
    catalogs: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    ctes: set[str] = field(default_factory=set)
    sampled: bool = False
    sure: bool = True


def one_query(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the one statement in *sql*. Raises LW903 for anything but one query, LW907 when it does not parse."""
    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError("LW907", str(error).strip()) from None
    kinds = [one.type for one in statements]
    select, create, explain = (
        duckdb.StatementType.SELECT,
        duckdb.StatementType.CREATE,
        duckdb.StatementType.EXPLAIN,
    )
    # PIVOT is one statement to its author and two to DuckDB: a type for the values, then the query.
    if kinds == [create, select] and re.match(r"^\s*(pivot|from|select|with)\b", sql, re.IGNORECASE):
        return sql.rstrip().rstrip(";")
    if len(kinds) != 1:
        raise UsageError("LW903", f"{len(kinds)} statements where one query is expected")
    text = str(statements[0].query).strip()
    if kinds == [explain]:
        inner = explained(text)
        if inner == text:
            raise UsageError("LW903", "EXPLAIN stands in a place where it is not understood")
        one_query(cursor, inner)
    elif kinds != [select] or re.match(r"^pragma\b", text, re.IGNORECASE):
        raise UsageError("LW903", f"{text.split(None, 1)[0].upper()} is not a query; `query` only reads")
    return text


def explained(statement: str) -> str:
    """Return what an EXPLAIN is about, and any other statement as it is."""
    found = _EXPLAIN.match(statement)
    return statement[found.end() :] if found else statement


def named(cursor: duckdb.DuckDBPyConnection, statement: str, zones: Iterable[str]) -> Named:
    """Return what *statement* names. Raises LW903 when it calls a function that writes."""
    row = cursor.execute("SELECT json_serialize_sql(?)", [explained(statement)]).fetchone()
    tree = json.loads(row[0]) if row else {}
    found = Named()
    if tree.get("error", True):
        # DuckDB cannot show the tree of a PIVOT; a zone, a dot and a name are looked for in its text
        known = {one.lower() for one in zones}
        pairs = ((_bare(a), _bare(b)) for a, b in _DOTTED.findall(statement))
        found.tables = {(zone, name) for zone, name in pairs if zone.lower() in known}
        found.functions = {one.lower() for one in re.findall(r"([A-Za-z_]\w*)\s*\(", statement)}
        found.sure = False
    else:
        _walk(tree, found)
    for function in sorted(found.functions):
        if _WRITERS.match(function):
            raise UsageError("LW903", f"{function}() may write; `query` only reads")
    return found


def _walk(node: Any, found: Named) -> None:
    if isinstance(node, dict):
        kind = node.get("type")
        if kind == "BASE_TABLE":
            _table(node, found)
        elif kind == "TABLE_FUNCTION":
            found.functions.add(str(node.get("function", {}).get("function_name", "")).lower())
        elif kind == "FUNCTION":
            found.called.add(str(node.get("function_name", "")).lower())
        elif kind == "COLUMN_REF" and (parts := node.get("column_names")):
            found.columns.add(str(parts[-1]).lower())
            if len(parts) == 1:
                found.words.add(str(parts[0]).lower())
        elif kind == "JOIN":
            found.columns.update(str(one).lower() for one in node.get("using_columns") or ())
            found.star = found.star or node.get("ref_type") == "NATURAL"
        elif kind == "STAR":
            found.star = True
        if node.get("sample"):
            found.sampled = True
        if isinstance(ctes := node.get("cte_map"), dict):
            found.ctes.update(str(one.get("key")) for one in ctes.get("map", ()))
        for value in node.values():
            _walk(value, found)
    elif isinstance(node, list):
        for value in node:
            _walk(value, found)


def _table(node: dict[str, Any], found: Named) -> None:
    zone, name = str(node.get("schema_name") or ""), str(node.get("table_name") or "")
    if node.get("catalog_name"):
        found.catalogs.add(f"{node['catalog_name']}.{zone}.{name}")
    elif not zone:
        found.bare.add(name)
    else:
        found.tables.add((zone, name))
        if node.get("at_clause"):
            found.versioned.add(f"{zone}.{name}")


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
