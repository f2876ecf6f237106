"""The form in which values that identify somebody are compared, in Python and in SQL."""

from __future__ import annotations

import re

from sqlglot import exp

from lakewright.sql.names import literal

__all__ = ["normal", "normal_form"]

_WHOLE = r"[+-]?\d+(\.0+)?"
_whole = re.compile(_WHOLE, re.ASCII)


def normal(value: str, *, whole: bool, ignore_case: bool) -> str:
    """Return the form in which a value is compared: ``0042`` and ``42.0`` are 42 where *whole* numbers are meant."""
    text = value.strip(" ")
    if whole and _whole.fullmatch(text) and len(text) <= _DIGITS:
        return str(int(text.partition(".")[0]))
    return text.lower() if ignore_case else text


def normal_form(text: exp.Expr, *, whole: bool, ignore_case: bool) -> exp.Expr:
    """Return the expression of :func:`normal` over the expression *text*."""
    trimmed: exp.Expr = exp.Trim(this=text)
    other: exp.Expr = exp.Lower(this=trimmed.copy()) if ignore_case else trimmed.copy()
    if not whole:
        return other
    digits = exp.Anonymous(this="split_part", expressions=[trimmed.copy(), literal("."), literal(1)])
    number = exp.cast(exp.TryCast(this=digits, to=exp.DataType.build("HUGEINT"), safe=True), "VARCHAR")
    is_whole = exp.and_(
        exp.Anonymous(this="regexp_full_match", expressions=[trimmed.copy(), literal(_WHOLE)]),
        exp.LTE(this=exp.Length(this=trimmed.copy()), expression=literal(_DIGITS)),
    )
    return exp.Case().when(is_whole, exp.Coalesce(this=number, expressions=[other.copy()])).else_(other)


# longer numbers do not fit 128 bits and stay the texts that they are
_DIGITS = 38
