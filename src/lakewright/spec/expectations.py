"""Expectations of a whole dataset; the ones of a column are keys of the column itself.

In YAML an expectation is a mapping with one key that names it
(``- row_count: {min: 1}``); :data:`EXPECTATIONS` lists the names.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from lakewright.spec.base import Severity, Spec

__all__ = [
    "EXPECTATIONS",
    "ROW_EXPECTATIONS",
    "Across",
    "ColumnCount",
    "ColumnSet",
    "ColumnType",
    "Combinations",
    "Compare",
    "Completeness",
    "Condition",
    "DistinctCount",
    "DistinctValues",
    "Expectation",
    "Fresh",
    "Measure",
    "MostCommon",
    "Outliers",
    "Query",
    "References",
    "RowCount",
    "Statistic",
    "Suite",
    "Unique",
    "Values",
]

Number = int | float
Scalar = str | int | float | bool
#: Of rows with nulls, which are left out: those where every value is null, those where any is, or none.
Ignore = Literal["all", "any", "never"]


class Expectation(Spec, frozen=True, kw_only=True):
    """Base of all. ``severity`` overrides the dataset's ``on_violation``; ``label`` names the check."""

    name: ClassVar[str]
    shorthand: ClassVar[str] = ""
    severity: Severity | None = None
    label: str = ""


class RowCount(Expectation, frozen=True, kw_only=True):
    """``row_count: {min: 1, max: 1000}``: rows in the batch that is being built, or those of ``where``."""

    name = "row_count"
    min: int | None = None
    max: int | None = None
    where: str | None = None


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
    """``unique: [order_id, line]``: the combination occurs once.

    A row that repeats one is broken; the first is not. With ``mostly``, ``at_most`` or ``where`` the
    dataset is judged instead: by the share of rows whose combination no other row has, or by the
    number of rows that have a combination once more.
    """

    name = "unique"
    shorthand = "columns"
    columns: tuple[str, ...]
    mostly: float | None = None
    at_most: int | None = None
    ignore: Ignore = "any"
    where: str | None = None


class Completeness(Expectation, frozen=True, kw_only=True):
    """``completeness: {email: 0.95}``: at least this share is not null."""

    name = "completeness"
    shorthand = "columns"
    columns: dict[str, float]


class Condition(Expectation, frozen=True, kw_only=True):
    """``condition: total >= 0``: any SQL condition on a row; null counts as met.

    ``mostly`` is the share of rows that must meet it before it counts as broken (1 by default):
    with it, the rows stay and the dataset is judged. ``where`` says which rows are meant.
    """

    name = "condition"
    shorthand = "sql"
    sql: str
    mostly: float | None = None
    where: str | None = None


class Values(Expectation, frozen=True, kw_only=True):
    """``values: {column: status, in: [new, paid], mostly: 0.95}``: rules for the values of a column.

    A null breaks only ``present: true``, as do the values of ``missing``, which stand for one; ``present: false``
    is broken by every value that is there. ``above`` and ``below`` are bounds that do not belong to the
    range. Of several ``patterns`` (regular expressions) or ``like`` (SQL patterns) all must match, or with
    ``match: any`` one of them.

    A row that breaks a rule is bad. With ``mostly`` or ``at_most`` the rows stay and the dataset is
    judged: by the share of good ones among the values (nulls left out, unless ``present`` is the rule or
    ``of`` is ``rows``), or by the number of bad ones.
    """

    name = "values"
    column: str
    present: bool | None = None
    missing: tuple[Scalar, ...] = ()
    in_: tuple[Scalar, ...] | None = None
    not_in: tuple[Scalar, ...] | None = None
    min: Scalar | None = None
    max: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None
    multiple_of: Number | None = None
    min_length: int | None = None
    max_length: int | None = None
    patterns: tuple[str, ...] = ()
    not_patterns: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    not_like: tuple[str, ...] = ()
    match: Literal["all", "any"] = "all"
    date_format: str | None = None
    json: bool = False
    distinct_items: bool = False
    mostly: float | None = None
    strictly: bool = False
    at_most: int | None = None
    of: Literal["values", "rows"] = "values"
    where: str | None = None


class Compare(Expectation, frozen=True, kw_only=True):
    """``compare: {column: shipped_at, is: ">=", other: ordered_at}``: two columns of a row.

    Where one value is null the row is left out; ``ignore: all`` leaves out only rows where both are, ``never``
    none: a comparison with null is then broken (two nulls are equal).
    """

    name = "compare"
    column: str
    is_: Literal["=", "!=", ">", ">=", "<", "<="]
    other: str
    ignore: Ignore = "any"
    mostly: float | None = None
    where: str | None = None


class Across(Expectation, frozen=True, kw_only=True):
    """``across: {columns: [a, b, c], are: different}``: the values of several columns of one row.

    ``are`` is ``different`` (no value twice), ``equal``, or ``sum`` with the ``total`` that they add up to.
    """

    name = "across"
    columns: tuple[str, ...]
    are: Literal["different", "equal", "sum"]
    total: Number | None = None
    ignore: Ignore = "any"
    mostly: float | None = None
    where: str | None = None


class Combinations(Expectation, frozen=True, kw_only=True):
    """``combinations: {columns: [country, currency], in: [[DE, EUR], [US, USD]]}``: values that go together."""

    name = "combinations"
    columns: tuple[str, ...]
    in_: tuple[tuple[Scalar | None, ...], ...]
    ignore: Ignore = "any"
    mostly: float | None = None
    where: str | None = None


class Statistic(Expectation, frozen=True, kw_only=True):
    """``statistic: {sql: avg(total), min: 10, max: 90}``: any SQL aggregate lies in a range."""

    name = "statistic"
    sql: str
    min: Number | None = None
    max: Number | None = None


class Measure(Expectation, frozen=True, kw_only=True):
    """``measure: {column: total, of: mean, min: 10, below: 90}``: a figure of a column lies in a range.

    ``stdev`` is the sample's; ``quantile`` needs ``at`` (0 to 1) and is a value that occurs; ``distinct`` counts
    different values and ``distinct_share`` relates them to the values that are there, ``filled_share`` those
    to the rows. Without any value there is nothing to judge but ``filled_share``, ``distinct`` and ``nulls``.
    """

    name = "measure"
    column: str
    of: Literal[
        "min", "max", "mean", "median", "sum", "stdev", "quantile", "distinct", "distinct_share",
        "filled_share", "nulls",
    ]  # fmt: skip
    at: float | None = None
    min: Scalar | None = None
    max: Scalar | None = None
    above: Scalar | None = None
    below: Scalar | None = None
    where: str | None = None


class Query(Expectation, frozen=True, kw_only=True):
    """``query: {sql: SELECT count(*) FROM this WHERE …, max: 0}``: one number that a query over the rows gives.

    ``this`` names the rows that are judged (``name_of_this`` changes the word); other datasets are ``zone.name``.
    """

    name = "query"
    sql: str
    min: Number | None = None
    max: Number | None = None
    above: Number | None = None
    below: Number | None = None
    name_of_this: str = "this"


class DistinctValues(Expectation, frozen=True, kw_only=True):
    """``distinct_values: {column: status, in: […], contain: […]}``: the set of values that occur.

    Every value is among ``in``; every value of ``contain`` occurs. The same list in both means exactly these.
    """

    name = "distinct_values"
    column: str
    in_: tuple[Scalar, ...] | None = None
    contain: tuple[Scalar, ...] | None = None
    where: str | None = None


class MostCommon(Expectation, frozen=True, kw_only=True):
    """``most_common: {column: status, in: [paid]}``: the most frequent value; of several all count, or one with ``ties``."""

    name = "most_common"
    column: str
    in_: tuple[Scalar, ...]
    ties: bool = False
    where: str | None = None


class Outliers(Expectation, frozen=True, kw_only=True):
    """``outliers: {column: total, deviations: 3}``: values lie less than so many standard deviations from the mean.

    Values above the mean alone count with ``both_sides: false``.
    """

    name = "outliers"
    column: str
    deviations: float
    both_sides: bool = True
    mostly: float | None = None
    where: str | None = None


class ColumnType(Expectation, frozen=True, kw_only=True):
    """``column_type: {column: total, types: [decimal, double]}``: the type is one of these; sizes count where given."""

    name = "column_type"
    column: str
    types: tuple[str, ...]


class ColumnCount(Expectation, frozen=True, kw_only=True):
    """``column_count: {min: 3, max: 5}``: how many columns the input has, or the ``output`` after the steps."""

    name = "column_count"
    min: int | None = None
    max: int | None = None
    of: Literal["input", "output"] = "input"


class Suite(Expectation, frozen=True, kw_only=True):
    """``suite: suites/orders.json``: the expectations of a Great Expectations suite, as if they stood here."""

    name = "suite"
    shorthand = "file"
    file: str


class DistinctCount(Expectation, frozen=True, kw_only=True):
    """``distinct_count: {column: status, min: 2, max: 4}``; exact, never approximate."""

    name = "distinct_count"
    column: str
    min: int | None = None
    max: int | None = None


class ColumnSet(Expectation, frozen=True, kw_only=True):
    """``columns: {names: [a, b], exact: true, ordered: true}``: columns that the input must have.

    ``exact`` refuses further ones, ``ordered`` also checks the order, ``position`` (from 1) the place of the first.
    ``of: output`` means the columns that the dataset has after its steps.
    """

    name = "columns"
    shorthand = "names"
    names: tuple[str, ...]
    exact: bool = False
    ordered: bool = False
    position: int | None = None
    of: Literal["input", "output"] = "input"


#: Expectations that can be rules of single rows, and so decide which rows are published.
ROW_EXPECTATIONS = (Condition, Unique, Values, Compare, Across, Combinations)

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
        Values,
        Compare,
        Across,
        Combinations,
        Measure,
        Query,
        DistinctValues,
        MostCommon,
        Outliers,
        ColumnType,
        ColumnCount,
        Suite,
    )
}
