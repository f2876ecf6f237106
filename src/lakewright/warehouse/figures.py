"""Figures of a table that the lake and every kind of warehouse tell alike, to compare one with the other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from lakewright.sql.names import column

__all__ = ["figures"]

_WHOLE = ("SMALLINT", "INTEGER", "BIGINT")
#: As many digits as a sum stays exact with in every warehouse.
_DIGITS = 30


def figures(columns: Mapping[str, str], *, deep: bool) -> dict[str, exp.Expr]:
    """Return expressions over a table by name: its rows and, when *deep*, per column how many values it has and what they add up to.

    *columns* maps names to the types that rows are loaded in. Numbers add up to their sum, days and moments to the sum of their
    parts, text to its length in characters; of floating numbers, whose sum depends on their order, of moments with a
    zone and of bytes the values are counted.
    """
    found: dict[str, exp.Expr] = {"rows": exp.Count(this=exp.Star())}
    for name, kind in columns.items() if deep else ():
        value = column(name)
        found[f"values of {name}"] = exp.Count(this=value)
        total = _total(value.copy(), kind)
        if total is not None:
            found[f"sum of {name}"] = exp.Sum(this=total)
    return found


def _total(value: exp.Expr, kind: str) -> exp.Expr | None:
    if kind == "VARCHAR":
        return exp.Length(this=value)
    if kind == "BOOLEAN":
        return exp.Case(ifs=[exp.If(this=value, true=exp.Literal.number(1))], default=exp.Literal.number(0))
    if kind in ("DATE", "TIMESTAMP"):
        weights = {"YEAR": 372, "MONTH": 31, "DAY": 1}
        parts: list[exp.Expr] = [
            exp.Mul(
                this=exp.Extract(this=exp.var(unit), expression=value.copy()),
                expression=exp.Literal.number(weight),
            )
            for unit, weight in weights.items()
        ]
        return exp.Add(this=exp.Add(this=parts[0], expression=parts[1]), expression=parts[2])
    decimal = re.match(r"DECIMAL\((\d+),\s*(\d+)\)", kind)
    if kind in _WHOLE or (decimal is not None and int(decimal[1]) <= _DIGITS):
        return value
    return None
