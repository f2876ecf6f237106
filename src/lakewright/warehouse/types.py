"""Rows of the lake in types that every warehouse has, and the names of those types there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sqlglot import exp

from lakewright.sql.names import column

__all__ = ["loadable", "mysql_type", "postgres_type"]

# Types of DuckDB that warehouses have, too, or that lose nothing in another one.
_SAME = frozenset(
    [
        "BOOLEAN",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "DOUBLE",
        "FLOAT",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "BLOB",
        "VARCHAR",
    ]
) | {"TIMESTAMP WITH TIME ZONE"}
_WIDER = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
}
_POSTGRES = {"DOUBLE": "DOUBLE PRECISION", "FLOAT": "REAL", "BLOB": "BYTEA", "VARCHAR": "TEXT"}
_MYSQL = {
    "BOOLEAN": "BOOLEAN",
    "TIME": "TIME(6)",
    "TIMESTAMP": "DATETIME(6)",
    "TIMESTAMP WITH TIME ZONE": "DATETIME(6)",
    "BLOB": "LONGBLOB",
    "VARCHAR": "LONGTEXT",
}

#: The longest text in a key or index of MySQL, in characters.
_MYSQL_KEY = 255


def loadable(columns: Mapping[str, str], relation: str) -> tuple[list[exp.Expr], dict[str, str]]:
    """Return expressions that give *columns* of *relation* in types that warehouses have, and the types.

    Lists, structs and maps become JSON text; what has no type there (uuid, interval, enum, bit) becomes
    text; wide integers become decimals.
    """
    chosen, types = [], {}
    for name, kind in columns.items():
        value: exp.Expr = column(name, relation)
        type = kind
        if kind in _SAME or kind.startswith("DECIMAL"):
            pass
        elif kind in _WIDER:
            type = _WIDER[kind]
            value = exp.cast(value, type)
        else:
            type = "VARCHAR"
            nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
            value = exp.cast(exp.Anonymous(this="to_json", expressions=[value]) if nested else value, type)
        chosen.append(exp.alias_(value, name, quoted=True))
        types[name] = type
    return chosen, types


def postgres_type(kind: str) -> str:
    """Return PostgreSQL's name of a type that :func:`loadable` gives."""
    return _POSTGRES.get(kind) or kind.replace("DECIMAL", "NUMERIC")


def mysql_type(name: str, kind: str, indexed: Iterable[str]) -> str:
    """Return MySQL's name of the type of a column; text that is *indexed* has a length there."""
    if kind == "VARCHAR" and name in set(indexed):
        return f"VARCHAR({_MYSQL_KEY})"
    if match := re.match(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
        # MySQL has up to 30 digits after the point, DuckDB up to 38
        return f"DECIMAL({match[1]},{min(int(match[2]), 30)})"
    return _MYSQL.get(kind, kind)
