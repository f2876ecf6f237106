"""Conversion of a column to its declared type, such that no value is changed in silence.

A value that does not convert becomes null and is reported; it never stops the statement. The rules:

* **text** converts only when the type can hold exactly what the text says. ``1.7`` is no integer and
  ``1.239`` no ``decimal(10,2)``, while ``1.0`` and ``1.2300`` are. ``2024-02-30`` is no date, nor is a
  text with a time of day other than midnight. A time with an offset other than UTC is no
  ``timestamp`` (declare ``timestamptz``). ``NaN`` and ``inf`` are no numbers, ``infinity`` no date.
  Blanks around a value do not matter; blank text is null. Years have four digits.
  A number with an exponent stands for the nearest double. Lists and structs convert when they are
  written as DuckDB writes them.
* **truth values** are true/false, t/f, yes/no, y/n, 1/0 in any case.
* **values that have a type already** convert as SQL does: a decimal is rounded to its scale, a
  timestamp gives its date. Only an integer must be whole.
* ``format`` says how text is to be read, see :mod:`lakewright.sql.cast_format`.

Every rule is one vectorised expression: DuckDB's own cast, and a check that costs little for values
in the usual spelling; only unusual ones take a regular expression.
"""

from __future__ import annotations

from sqlglot import exp

from lakewright.sql.cast_format import formatted
from lakewright.sql.cast_model import Conversion, case, is_null, try_cast
from lakewright.sql.cast_text import from_text
from lakewright.sql.cast_types import family, parse_type, same_type, type_name
from lakewright.sql.dialect import call
from lakewright.sql.names import column, literal

__all__ = ["Conversion", "conversion", "lost", "original"]

_NUMBERS = ("integer", "decimal", "float")
_MOMENTS = ("date", "timestamp", "timestamptz", "time")


def conversion(
    name: str,
    source: str,
    target: str,
    *,
    format: str | None = None,
    number: bool = False,
    prefix: str = "_c",
) -> Conversion | None:
    """Return how column *name* of type *source* becomes *target*; None when nothing is to be done.

    *source* may be empty when the type is not known; *number* then says that it is some number. *prefix* starts the names of helper columns.
    Raises ValueError for a type or format that makes no sense, and for types of which no value
    converts (a date to a number).
    """
    kind = parse_type(target)
    if same_type(source, target) and format is None:
        return None
    have, want = family(source), family(target)
    value = column(name)
    typed = have in _MOMENTS or (have == want and have != "text") or (have in _NUMBERS and want in _NUMBERS)
    if format is not None and not typed:
        return formatted(name, have, kind, format, prefix)
    if same_type(source, target):
        return None
    if have == "text":
        if want == "text":
            return None
        return from_text(name, kind, prefix)
    if want == "text":
        return Conversion((), exp.cast(value, kind.copy()), total=True)
    if (have in _NUMBERS and want in _MOMENTS) or (have in _MOMENTS and want in (*_NUMBERS, "boolean")):
        raise ValueError(f"no {source} becomes a {type_name(kind)}; say how with `derive` or `format`")
    if have == "unknown":
        return _of_unknown(name, kind, want, number, prefix)
    converted = try_cast(value, kind)
    if want == "integer" and have in ("decimal", "float"):
        return _whole(value, converted, source, prefix)
    if want == "boolean" and have in _NUMBERS:
        zero_or_one = exp.In(this=value.copy(), expressions=[literal(0), literal(1)])
        return Conversion((), exp.Case().when(zero_or_one, converted))
    return Conversion((), converted)


def lost(name: str, converted: exp.Expr) -> exp.Expr:
    """Return the condition that *converted* is null where column *name* is not."""
    return exp.and_(exp.not_(is_null(column(name))), is_null(converted.copy()), copy=False)


def original(name: str, source: str, converted: exp.Expr, *, text: bool) -> exp.Expr:
    """Return the text of column *name* of type *source* where *converted* lost it; blank *text* is no loss."""
    shown = column(name) if family(source) == "text" else exp.cast(column(name), "VARCHAR")
    condition = lost(name, converted)
    if text:
        condition = exp.and_(condition, call("matches", shown.copy(), literal(r"\S")), copy=False)
    return case((condition, shown))


def _whole(value: exp.Expr, converted: exp.Expr, source: str, prefix: str) -> Conversion:
    helper = f"{prefix}v"
    back = try_cast(column(helper), parse_type(source))
    exact = exp.EQ(this=back, expression=value.copy())
    return Conversion(({helper: converted},), exp.Case().when(exact, column(helper)))


def _of_unknown(name: str, kind: exp.DataType, want: str, number: bool, prefix: str) -> Conversion:
    """A computed value: text is read as text is, everything else converts as SQL does."""
    value = column(name)
    converted: exp.Expr = try_cast(value, kind)
    if want == "integer":
        exact = exp.EQ(this=exp.cast(converted.copy(), "DOUBLE"), expression=try_cast(value, "DOUBLE"))
        converted = exp.Case().when(exact, converted)
    if number:
        return Conversion((), converted)
    text = exp.cast(value.copy(), "VARCHAR")
    strict = from_text(name, kind, prefix).inlined({name: text})
    is_text = exp.EQ(
        this=exp.Anonymous(this="TYPEOF", expressions=[value.copy()]), expression=literal("VARCHAR")
    )
    return Conversion((), exp.Case().when(is_text, strict).else_(converted), text=True)
