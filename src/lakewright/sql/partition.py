"""Partitions as a project writes them: ``region``, ``year(order_date)``, ``bucket(4, id)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from lakewright.errors import LakewrightError
from lakewright.sql.names import column, literal

__all__ = ["Partition", "parse_partition", "partition_value"]

Transform = Literal["identity", "year", "month", "day", "hour", "bucket"]

_TIMES: tuple[tuple[type[exp.Expr], Transform], ...] = (
    (exp.Year, "year"),
    (exp.Month, "month"),
    (exp.Day, "day"),
    (exp.Hour, "hour"),
)


@dataclass(frozen=True)
class Partition:
    """One part of ``partition_by``: a transform of a column; ``buckets`` is the number of buckets."""

    transform: Transform
    column: str
    buckets: int = 0


def parse_partition(text: str) -> Partition:
    """Return what *text* says: a column, or year, month, day, hour of one, or ``bucket(n, column)``.

    Names with other characters than letters, digits and ``_`` are written in double quotes. LW314
    for anything else.
    """
    try:
        tree: exp.Expr = parse_one(text, dialect="duckdb")
    except SqlglotError:
        raise _refused(text) from None
    if isinstance(tree, exp.Column):
        return Partition("identity", _name(tree, text))
    for kind, transform in _TIMES:
        if isinstance(tree, kind):
            return Partition(transform, _name(tree.this, text))
    if isinstance(tree, exp.Anonymous) and tree.name.lower() == "bucket" and len(tree.expressions) == 2:
        count, inner = tree.expressions
        if isinstance(count, exp.Literal) and count.is_int and int(count.this) > 0:
            return Partition("bucket", _name(inner, text), int(count.this))
    raise _refused(text)


def partition_value(part: Partition, table: str | None = None) -> exp.Expr | None:
    """Return the expression of the partition that a row is in; None for buckets.

    The parts of a date count with their year (``month`` is one month of one year), whatever the
    folders of a lake are named. Buckets spread unrelated keys over files and mean nothing else.
    """
    value = column(part.column, table)
    if part.transform == "identity":
        return value
    if part.transform == "bucket":
        return None
    return exp.TimestampTrunc(this=value, unit=literal(part.transform.upper()))


def _name(node: exp.Expr, text: str) -> str:
    while isinstance(node, exp.TsOrDsToDate | exp.Paren):
        node = node.this
    if not isinstance(node, exp.Column) or node.table or isinstance(node.this, exp.Star):
        raise _refused(text)
    return node.name


def _refused(text: str) -> LakewrightError:
    return LakewrightError(
        "LW314",
        f"partition_by: {text!r} is neither a column nor a known transform of one",
        remedy="write a column, year(c), month(c), day(c), hour(c) or bucket(n, c)",
    )
