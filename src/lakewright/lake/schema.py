"""Types, partition and sort expressions of a table: from a project's text to what a lake stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
from sqlglot import TokenType, tokenize
from sqlglot.errors import SqlglotError

from lakewright.errors import LakewrightError
from lakewright.sql.names import column, identifier
from lakewright.sql.partition import parse_partition

__all__ = [
    "DUCKLAKE_TYPES",
    "ICEBERG_TYPES",
    "column_definition",
    "partition_expressions",
    "sort_expressions",
    "storable",
]

#: Types that DuckLake has no form for, and the type that keeps their values. 128-bit integers are
#: in the list because Parquet would hold them as DOUBLE, times with a zone because it drops the zone.
DUCKLAKE_TYPES: Mapping[str, str] = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "BIGNUM": "VARCHAR",
    "ENUM": "VARCHAR",
    "BIT": "VARCHAR",
    "UNION": "JSON",
    "TIME WITH TIME ZONE": "VARCHAR",
}

#: The same for Iceberg, which knows neither unsigned numbers nor many others.
ICEBERG_TYPES: Mapping[str, str] = {
    **DUCKLAKE_TYPES,
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "UTINYINT": "INTEGER",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "JSON": "VARCHAR",
    "UNION": "VARCHAR",
    "INTERVAL": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "GEOMETRY": "BLOB",
    "VARIANT": "VARCHAR",
}


def storable(columns: Mapping[str, str], replacements: Mapping[str, str]) -> dict[str, str]:
    """Return *columns* with every type, also inside lists, structs and maps, that needs it replaced.

    Types come out as DuckDB spells them itself, so they can be compared with what a table reports.
    Raises LW416 for what is no type.
    """
    return {name: _storable(_type(name, text), replacements) for name, text in columns.items()}


def _type(name: str, text: str) -> duckdb.sqltypes.DuckDBPyType:
    try:
        found = duckdb.sqltype(text)
        if str(found) == text or _is_whole(text):
            return found
    except (duckdb.Error, SqlglotError):
        pass
    raise LakewrightError("LW416", f"column {name!r}: {text!r} is not a type")


def _is_whole(text: str) -> bool:
    # DuckDB reads the first type of a text and leaves the rest alone: "INTEGER, b INTEGER" passes there.
    depth = 0
    for token in tokenize(text, read="duckdb"):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        beyond = depth == 0 and token.token_type in (TokenType.COMMA, TokenType.SEMICOLON)
        if depth < 0 or beyond or token.comments:
            return False
    return depth == 0


def _storable(kind: duckdb.sqltypes.DuckDBPyType, replacements: Mapping[str, str]) -> str:
    text = str(kind)
    new = replacements.get(text) or replacements.get(kind.id.upper())
    if new:
        return new
    if kind.id in ("list", "array"):  # one of fixed length is stored as a list
        return f"{_storable(_children(kind)[0][1], replacements)}[]"
    if kind.id == "map":
        key, value = (_storable(one, replacements) for _, one in _children(kind))
        return f"MAP({key}, {value})"
    if kind.id == "struct":
        fields = ", ".join(f"{_field(name)} {_storable(one, replacements)}" for name, one in _children(kind))
        return str(duckdb.sqltype(f"STRUCT({fields})"))
    return text


def _children(kind: duckdb.sqltypes.DuckDBPyType) -> list[tuple[str, duckdb.sqltypes.DuckDBPyType]]:
    return [(name, one) for name, one in kind.children if isinstance(one, duckdb.sqltypes.DuckDBPyType)]


def _field(name: str) -> str:
    return identifier(name).sql("duckdb")


def column_definition(name: str, type: str) -> str:
    """Return ``"name" TYPE`` for a CREATE or ALTER; LW416 when *type* is not one type."""
    return f"{identifier(name).sql('duckdb')} {_type(name, type)}"


def partition_expressions(partition_by: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return SQL of ``region``, ``year(order_date)``, ``bucket(4, id)`` with names quoted.

    LW314 for anything else, LW418 for a column that the table does not have.
    """
    return tuple(_partition(text, columns) for text in partition_by)


def _partition(text: str, columns: Mapping[str, str]) -> str:
    part = parse_partition(text)
    name = _column(part.column, columns, text)
    if part.transform == "identity":
        return name
    return f"bucket({part.buckets}, {name})" if part.transform == "bucket" else f"{part.transform}({name})"


def _column(name: str, columns: Mapping[str, str], text: str) -> str:
    known = {one.lower(): one for one in columns}
    if name.lower() not in known:
        raise LakewrightError("LW418", f"{text!r} names column {name!r}, which the table does not have")
    return column(known[name.lower()]).sql("duckdb")


def sort_expressions(
    sort_by: Sequence[str], columns: Mapping[str, str], *, missing_ok: bool = False
) -> tuple[str, ...]:
    """Return SQL of sort keys such as ``id`` or ``order_date desc``; LW418 for anything else.

    With *missing_ok* keys that name none of *columns* are left out.
    """
    result = []
    known = {one.lower() for one in columns}
    for text in sort_by:
        name, _, direction = text.strip().partition(" ")
        if missing_ok and name.lower() not in known:
            continue
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise LakewrightError("LW418", f"{text!r} is not a column, optionally with asc or desc")
        result.append(f"{_column(name, columns, text)} {direction.strip().upper()}".strip())
    return tuple(result)
