"""What a role's query asks for, by the tree that DuckDB's own parser makes of it; what is not known is refused.

This is the first of two walls. The second is the session that runs the query: it holds the rows and columns
that the role may see, and nothing else can be reached from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError

from lakewright.errors import UsageError, nearest
from lakewright.security.functions import ALLOWED, TABLE_FUNCTIONS

__all__ = ["Asked", "examine", "examine_pivot"]

#: Kinds of nodes that a query may be made of. Each is a closed family of DuckDB's parser; another one is refused.
_KINDS = re.compile(
    r"(SELECT|SET_OPERATION|RECURSIVE_CTE|CTE)_NODE"
    r"|(ORDER|LIMIT|LIMIT_PERCENT|DISTINCT)_MODIFIER|ORDER_DEFAULT|ASCENDING|DESCENDING|ORDERS_DEFAULT"
    r"|BASE_TABLE|SUBQUERY|JOIN|TABLE_FUNCTION|EXPRESSION_LIST|EMPTY|PIVOT|SHOW_REF"
    r"|COMPARE_\w+|CONJUNCTION_(AND|OR)|OPERATOR_\w+|WINDOW_\w+|VALUE_(CONSTANT|PARAMETER|NULL)"
    r"|ARRAY_(EXTRACT|SLICE|CONSTRUCTOR)|STRUCT_EXTRACT|ARROW|GROUPING_FUNCTION|FUNCTION|COLUMN_REF|STAR|CASE_EXPR|CAST|COLLATE|LAMBDA|POSITIONAL_REFERENCE"
    r"|\w+_TYPE_INFO"
)


@dataclass(slots=True)
class Asked:
    """What a query names.

    ``tables`` are (zone, name) in lower case. ``words`` are all names that may be columns. ``whole`` tells that
    the columns that it needs cannot be told by their names: a star, a join by all common names, a
    whole row as a value.
    """

    tables: set[tuple[str, str]] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    whole: bool = False

    @property
    def ids(self) -> list[str]:
        """The tables as ``zone.name``, sorted."""
        return sorted(f"{zone}.{name}" for zone, name in self.tables)


def examine(tree: Mapping[str, Any]) -> Asked:
    """Return what the query of *tree* asks for. Raises UsageError LW822 for everything that is not allowed."""
    found = Asked()
    bare: set[str] = set()
    ctes: set[str] = set()
    rows: set[str] = set()
    last: set[str] = set()
    open_: list[Any] = [tree.get("statements")]
    while open_:
        node = open_.pop()
        if isinstance(node, list):
            open_ += node
        elif isinstance(node, dict):
            _node(node, found, bare, rows, last)
            if isinstance(map_ := node.get("cte_map"), dict):
                ctes.update(str(one.get("key")).lower() for one in map_.get("map", ()))
            if node.get("type") == "RECURSIVE_CTE_NODE":
                ctes.add(str(node.get("cte_name")).lower())
            open_ += node.values()
    _bare(bare - ctes)
    # the name of a table as a value is its whole row
    found.whole = found.whole or bool(last & (rows | ctes | {name for _, name in found.tables}))
    return found


def examine_pivot(text: str) -> Asked:
    """The same for a PIVOT, whose tree DuckDB does not show: by SQLGlot's. Functions that both do not call alike are refused."""
    try:
        trees = DuckDB().parse(text)
    except (SqlglotError, RecursionError):
        trees = []
    if len(trees) != 1 or trees[0] is None:
        raise refused("this form of a query", "write it as FROM (PIVOT … ON x IN (…) USING …)")
    found, bare, ctes = Asked(whole=True), set(), set()
    for node in trees[0].walk():
        if isinstance(node, exp.CTE):
            ctes.add(node.alias.lower())
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            if node.catalog or node.args.get("version") or node.args.get("when"):
                raise refused(node.sql("duckdb"), "write tables as zone.name")
            if node.db:
                found.tables.add((node.db.lower(), node.name.lower()))
            else:
                bare.add(node.name.lower())
        elif isinstance(node, exp.Func) and not isinstance(
            node, exp.Connector | exp.Cast | exp.Case | exp.If | exp.Exists
        ):
            name = re.match(r"\w+", node.sql("duckdb"))
            called = name[0].lower() if name else node.sql_name().lower()
            if called not in ALLOWED:
                raise _function(called)
        elif isinstance(
            node, exp.Command | exp.DDL | exp.DML | exp.Describe | exp.Show | exp.Summarize
        ) and not isinstance(node, exp.Query):
            raise refused(node.key.upper())
    _bare(bare - ctes)
    return found


def refused(what: str, remedy: str = "") -> UsageError:
    """Return the error for something that a role's query must not hold."""
    return UsageError("LW822", f"{what} is not allowed in a role's query", remedy=remedy)


def _node(node: dict[str, Any], found: Asked, bare: set[str], rows: set[str], last: set[str]) -> None:
    kind = node.get("type")
    if not isinstance(kind, str):
        return
    if not _KINDS.fullmatch(kind):
        raise refused(f"{kind.replace('_', ' ')}")
    if node.get("class") in ("FUNCTION", "WINDOW"):
        _call(node)
    match kind:
        case "BASE_TABLE":
            _table(node, found, bare)
        case "TABLE_FUNCTION":
            name = str((node.get("function") or {}).get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise _function(name)
        case "COLUMN_REF":
            names = [str(one).lower() for one in node.get("column_names") or ()]
            found.words.update(names)
            last.update(names[-1:])
        case "JOIN":
            found.words.update(str(one).lower() for one in node.get("using_columns") or ())
            found.whole = found.whole or node.get("ref_type") not in ("REGULAR", "CROSS", "ASOF", "DEPENDENT")
        case "SHOW_REF":
            found.whole = True
            if not node.get("query"):
                raise refused(
                    f"SHOW {str(node.get('table_name') or '').strip(chr(34))}".strip(),
                    "`lakewright catalog` lists what there is",
                )
        case "STAR" | "PIVOT" | "POSITIONAL_REFERENCE":
            found.whole = True
    if kind in ("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "PIVOT") and node.get("alias"):
        rows.add(str(node["alias"]).lower())


def _call(node: Mapping[str, Any]) -> None:
    name = str(node.get("function_name") or "").lower()
    if name not in ALLOWED:
        raise _function(name)
    if node.get("catalog") or str(node.get("schema") or "main") != "main":
        raise refused(f"{node.get('schema')}.{name}()", "call functions by their name alone")


def _table(node: Mapping[str, Any], found: Asked, bare: set[str]) -> None:
    catalog, zone, name = (str(node.get(f"{one}_name") or "") for one in ("catalog", "schema", "table"))
    if catalog:
        raise refused(f"{catalog}.{zone}.{name}", "write tables as zone.name")
    if node.get("at_clause"):
        raise refused(f"{zone}.{name} AT (…)", "use --as-of, or as_of= in Python")
    if node.get("column_name_alias"):
        found.whole = True  # names by position
    if zone:
        found.tables.add((zone.lower(), name.lower()))
    else:
        bare.add(name.lower())


def _bare(names: set[str]) -> None:
    for name in sorted(names):
        raise UsageError("LW821", f"there is no table {name!r}", remedy="write tables as zone.name")


def _function(name: str) -> UsageError:
    return UsageError(
        "LW822", f"{name}() is not among the functions of a role's query{nearest(name, _near(name))}"
    )


def _near(name: str) -> Iterator[str]:
    return (one for one in ALLOWED if one[:1] == name[:1] and one.isidentifier())
