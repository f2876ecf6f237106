"""Judge the limits of a column: whether they fit its type and each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from lakewright.spec.dataset import Column

__all__ = ["kind_of", "limit_problems"]

Scalar = str | int | float | bool

_SPELLINGS = """
    tinyint smallint integer int bigint hugeint utinyint usmallint uinteger ubigint uhugeint int1 int2 int4 int8
    signed short long float float4 float8 real double decimal numeric dec
"""
_NUMERIC = frozenset(_SPELLINGS.split())
_TEXT = frozenset(("varchar", "char", "bpchar", "text", "string", "nvarchar"))
_INSTANTS = frozenset(("timestamp", "datetime", "timestamptz", "timestamp_s", "timestamp_ms", "timestamp_ns"))


def limit_problems(column: Column) -> Iterator[tuple[str, str, str]]:
    """(code, message, key) of each limit that does not fit the type or the other limit."""
    kind = kind_of(column.type or "")
    good = True
    for key in ("min", "max"):
        value: Scalar | None = getattr(column, key)
        if value is not None:
            wrong = _unfit(value, kind)
            if wrong:
                good = False
                yield "LW129", f"{key} {value!r} does not fit the type {column.type}: {wrong}", key
    if good and column.min is not None and column.max is not None:
        low, high = _comparable(column.min, kind), _comparable(column.max, kind)
        if type(low) is not type(high):
            yield "LW129", f"min {column.min!r} and max {column.max!r} are of different types", "max"
        elif low > high:  # type: ignore[operator]
            yield "LW129", f"min {column.min!r} lies above max {column.max!r}, so no value passes", "min"
    if column.in_ is not None and not column.in_:
        yield "LW129", "`in` lists nothing, so no value passes", "in"
    if (
        column.min_length is not None
        and column.max_length is not None
        and column.min_length > column.max_length
    ):
        message = f"min_length {column.min_length} lies above max_length {column.max_length}"
        yield "LW129", message, "min_length"
    if column.format is not None:
        if column.type is None:
            yield "LW127", "`format` needs a `type`: date, time or timestamp", "format"
        elif kind not in ("date", "instant", "time"):
            yield "LW127", f"`format` is for dates and times, not for the type {column.type}", "format"


def kind_of(type: str) -> str:
    """Return ``number``, ``text``, ``date``, ``instant``, ``time``, ``boolean`` or ``bool``; "" for any other type."""
    base = type.lower().split("(")[0].split(" with")[0].strip()
    if "[" in type:
        return ""
    if base in _NUMERIC:
        return "number"
    if base in _TEXT:
        return "text"
    if base in _INSTANTS:
        return "instant"
    return base if base in ("date", "time", "boolean", "bool") else ""


def _unfit(value: Scalar, kind: str) -> str:
    """Why *value* is no limit for a column of this kind, "" when it is."""
    match kind:
        case "number":
            if isinstance(value, bool) or (isinstance(value, str) and _float(value) is None):
                return "write a number"
        case "text":
            if not isinstance(value, str):
                return "write the limit in quotes, or use min_length and max_length"
        case "date" | "instant" | "time":
            if not isinstance(value, str) or _parsed(value, kind) is None:
                example = {"date": "2024-12-31", "instant": "2024-12-31 18:00:00", "time": "18:00:00"}[kind]
                return f"write it as {example}"
        case "boolean" | "bool":
            return "a truth value has no limits; use `in`"
    return ""


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parsed(text: str, kind: str) -> date | time | None:
    try:
        if kind == "date":
            return date.fromisoformat(text)
        if kind == "time":
            return time.fromisoformat(text)
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _comparable(value: Scalar, kind: str) -> float | str | date | time:
    if kind == "number" or not isinstance(value, str):
        return float(value)
    return _parsed(value, kind) or value if kind in ("date", "instant", "time") else value
