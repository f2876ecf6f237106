"""DuckDB types of raw columns: keep text as text in JSON, and find one type for two files."""

from __future__ import annotations

import duckdb

__all__ = ["text_times", "unite"]

_TIMES = frozenset(
    ("date", "time", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone",
     "time with time zone", "interval", "uuid")
)  # fmt: skip
_NUMBERS = frozenset(
    ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
     "uhugeint", "float", "double", "decimal")
)  # fmt: skip
_DATES = frozenset(("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"))
_NESTED = frozenset(("struct", "list", "map", "array", "union"))


def text_times(kind: str, cursor: duckdb.DuckDBPyConnection) -> str:
    """Return *kind* with every date, time and UUID inside it, at any depth, as text: raw is not interpreted."""
    return str(_texts(cursor.type(kind), cursor))


def unite(first: str, second: str, cursor: duckdb.DuckDBPyConnection) -> str:
    """Return the type that holds values of both types without loss: the wider one, JSON or text.

    Numbers widen; structs take the fields of both; a nested type beside anything else is JSON;
    all other pairs are text.
    """
    if first == second:
        return first
    one, two = cursor.type(first), cursor.type(second)
    if _is_null(first):
        return second
    if _is_null(second):
        return first
    ids = {_id(one), _id(two)}
    if "json" in (first.lower(), second.lower()) or ids & _NESTED:
        merged = _merge(one, two, cursor)
        return "JSON" if merged is None else str(merged)
    if ids <= _NUMBERS or ids <= _DATES:
        return str(_wider(first, second, cursor))
    return "VARCHAR"


def _texts(kind: object, cursor: duckdb.DuckDBPyConnection) -> object:
    name = kind.id  # type: ignore[attr-defined]
    if name in _TIMES:
        return cursor.type("VARCHAR")
    if name == "struct":
        return cursor.struct_type({field: _texts(one, cursor) for field, one in kind.children})  # type: ignore[attr-defined, misc]
    if name == "list":
        return cursor.list_type(_texts(kind.children[0][1], cursor))  # type: ignore[attr-defined, arg-type]
    if name == "map":
        (_, key), (_, value) = kind.children  # type: ignore[attr-defined]
        return cursor.map_type(_texts(key, cursor), _texts(value, cursor))  # type: ignore[arg-type]
    return kind


def _merge(one: object, two: object, cursor: duckdb.DuckDBPyConnection) -> object | None:
    """One type for two nested types, None when only JSON holds both."""
    if str(one) == str(two):
        return one
    names = (_id(one), _id(two))
    if names == ("struct", "struct"):
        fields = dict(one.children)  # type: ignore[attr-defined]
        lower = {name.lower(): name for name in fields}
        for name, kind in two.children:  # type: ignore[attr-defined]
            known = lower.get(name.lower())
            fields[known or name] = (
                cursor.type(unite(str(fields[known]), str(kind), cursor)) if known else kind
            )
        return cursor.struct_type(fields)
    if names == ("list", "list"):
        inner = unite(str(one.children[0][1]), str(two.children[0][1]), cursor)  # type: ignore[attr-defined]
        return cursor.list_type(cursor.type(inner))
    return None


def _wider(first: str, second: str, cursor: duckdb.DuckDBPyConnection) -> str:
    return str(
        cursor.execute(
            f"DESCRIBE (SELECT CAST(NULL AS {first}) AS x UNION ALL SELECT CAST(NULL AS {second}))"
        ).fetchall()[0][1]
    )


def _id(kind: object) -> str:
    return str(kind.id)  # type: ignore[attr-defined]


def _is_null(kind: str) -> bool:
    return kind.strip('"').upper() == "NULL"
