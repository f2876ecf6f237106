"""Constants of steps, as values of a column's type."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from lakewright.sql.cast_types import Family, family, parse_type
from lakewright.sql.names import literal

__all__ = ["Constant", "common_type", "constant"]

Constant = str | int | float | bool | None


def constant(value: Constant, kind: str) -> exp.Expr:
    """Return *value* as a constant of the DuckDB type *kind*; ValueError when it is none."""
    if value is None:
        return exp.Null()
    want = family(kind)
    if want == "unknown":
        return literal(value)
    if want == "text":
        return literal(_word(value))
    if not _fits(value, want):
        raise ValueError(f"{value!r} is not a value of type {kind}")
    if want in ("integer", "float") and not isinstance(value, str):
        return literal(value)
    if want == "boolean":
        return literal(str(value).strip().lower() in ("true", "1"))
    return exp.cast(literal(_word(value)), parse_type(kind))


def common_type(values: Iterable[Constant], also: str | None) -> str:
    """Return the type that holds all of *values*, and those of type *also* when given."""
    found = [value for value in values if value is not None]
    if also is not None and all(_fits(value, family(also)) for value in found):
        return also
    kinds = {_kind(value) for value in found}
    if also is not None or len(kinds) != 1:
        return "DOUBLE" if also is None and kinds == {"BIGINT", "DOUBLE"} else "VARCHAR"
    return kinds.pop()


def _kind(value: Constant) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    return "BIGINT" if isinstance(value, int) else "DOUBLE" if isinstance(value, float) else "VARCHAR"


def _word(value: Constant) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _fits(value: Constant, want: Family) -> bool:
    if want in ("text", "unknown", "other"):
        return want != "text" or isinstance(value, str)
    if want == "boolean":
        return isinstance(value, bool) or str(value).strip().lower() in ("true", "false", "0", "1")
    if isinstance(value, bool):
        return False
    text = str(value).strip()
    try:
        if want in ("integer", "decimal", "float"):
            number = Decimal(text)
            return number.is_finite() and (want != "integer" or number == number.to_integral_value())
        if want == "date":
            date.fromisoformat(text)
        elif want == "time":
            time.fromisoformat(text)
        else:
            datetime.fromisoformat(text)
    except (ValueError, InvalidOperation):
        return False
    return True
