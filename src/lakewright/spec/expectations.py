"""Expectations of a whole dataset; the ones of a column are keys of the column itself.

In YAML an expectation is a mapping with one key that names it
(``- row_count: {min: 1}``); :data:`EXPECTATIONS` lists the names.
"""

from __future__ import annotations

from typing import ClassVar

from lakewright.spec.base import Severity, Spec

__all__ = [
    "EXPECTATIONS",
    "ColumnSet",
    "Completeness",
    "Condition",
    "DistinctCount",
    "Expectation",
    "Fresh",
    "References",
    "RowCount",
    "Statistic",
    "Unique",
]

Number = int | float


class Expectation(Spec, frozen=True, kw_only=True):
    """Base of all. ``severity`` overrides the dataset's ``on_violation``; ``label`` names the check."""

    name: ClassVar[str]
    shorthand: ClassVar[str] = ""
    severity: Severity | None = None
    label: str = ""


class RowCount(Expectation, frozen=True, kw_only=True):
    """``row_count: {min: 1, max: 1000}``: rows in the batch that is being built."""

    name = "row_count"
    min: int | None = None
    max: int | None = None


class Fresh(Expectation, frozen=True, kw_only=True):
    """``fresh: {column: order_date, within: 2d}``: the newest value is no older than that."""

    name = "fresh"
    column: str
    within: str


class References(Expectation, frozen=True, kw_only=True):
    """``references: {customer_id: processed.customers.customer_id}``: every value that is not null exists there."""

    name = "references"
    shorthand = "columns"
    columns: dict[str, str]


class Unique(Expectation, frozen=True, kw_only=True):
    """``unique: [order_id, line]``: the combination occurs once."""

    name = "unique"
    shorthand = "columns"
    columns: tuple[str, ...]


class Completeness(Expectation, frozen=True, kw_only=True):
    """``completeness: {email: 0.95}``: at least this share is not null."""

    name = "completeness"
    shorthand = "columns"
    columns: dict[str, float]


class Condition(Expectation, frozen=True, kw_only=True):
    """``condition: total >= 0``: any SQL condition on a row; null counts as met.

    ``mostly`` is the share of rows that must meet it before it counts as broken (1 by default):
    with it, the rows stay and the dataset is judged.
    """

    name = "condition"
    shorthand = "sql"
    sql: str
    mostly: float | None = None


class Statistic(Expectation, frozen=True, kw_only=True):
    """``statistic: {sql: avg(total), min: 10, max: 90}``: any SQL aggregate lies in a range."""

    name = "statistic"
    sql: str
    min: Number | None = None
    max: Number | None = None


class DistinctCount(Expectation, frozen=True, kw_only=True):
    """``distinct_count: {column: status, min: 2, max: 4}``; exact, never approximate."""

    name = "distinct_count"
    column: str
    min: int | None = None
    max: int | None = None


class ColumnSet(Expectation, frozen=True, kw_only=True):
    """``columns: {names: [a, b], exact: true, ordered: true}``: columns that the input must have.

    ``exact`` refuses further ones, ``ordered`` also checks the order.
    """

    name = "columns"
    shorthand = "names"
    names: tuple[str, ...]
    exact: bool = False
    ordered: bool = False


EXPECTATIONS: dict[str, type[Expectation]] = {
    one.name: one
    for one in (
        RowCount,
        Fresh,
        References,
        Unique,
        Completeness,
        Condition,
        Statistic,
        DistinctCount,
        ColumnSet,
    )
}
