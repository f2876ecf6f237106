"""The standard steps of a dataset, each a small frozen value.

In YAML a step is its name (``- standardize_names``) or a mapping with one key
(``- deduplicate: {keys: [id]}``); ``Steps`` lists the name of each.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from lakewright.spec.base import Spec

__all__ = [
    "STEPS",
    "Aggregate",
    "Cast",
    "DateParts",
    "Deduplicate",
    "Derive",
    "Drop",
    "DropNulls",
    "FillNulls",
    "Filter",
    "Flatten",
    "MapValues",
    "NormalizeText",
    "PythonStep",
    "Rename",
    "Select",
    "StandardizeNames",
    "Step",
    "Unnest",
]


class Step(Spec, frozen=True, kw_only=True):
    """Base of all steps. ``shorthand`` is the field that a bare YAML value fills."""

    name: ClassVar[str]
    shorthand: ClassVar[str] = ""


class StandardizeNames(Step, frozen=True, kw_only=True):
    """Column names to ``snake_case`` ASCII: ``Order ID`` → ``order_id``; clashes get ``_2``."""

    name = "standardize_names"


class Rename(Step, frozen=True, kw_only=True):
    """``rename: {old: new}``."""

    name = "rename"
    shorthand = "columns"
    columns: dict[str, str]


class Select(Step, frozen=True, kw_only=True):
    """``select: [a, b]``: keep these columns, in this order."""

    name = "select"
    shorthand = "columns"
    columns: tuple[str, ...]


class Drop(Step, frozen=True, kw_only=True):
    """``drop: [a, b]``: leave these columns out."""

    name = "drop"
    shorthand = "columns"
    columns: tuple[str, ...]


class Cast(Step, frozen=True, kw_only=True):
    """``cast: {a: date}`` or ``cast: {a: {type: date, format: "%d/%m/%Y"}}``.

    A value that does not convert is a violation of the check ``<column>.type``.
    """

    name = "cast"
    shorthand = "columns"
    columns: dict[str, str | dict[str, str]]


class Derive(Step, frozen=True, kw_only=True):
    """``derive: {total: quantity * unit_price}``: new columns, or new values for old ones."""

    name = "derive"
    shorthand = "columns"
    columns: dict[str, str]


class DateParts(Step, frozen=True, kw_only=True):
    """``date_parts: {column: order_date, parts: [year, month]}`` → ``order_date_year``, …"""

    name = "date_parts"
    column: str
    parts: tuple[Literal["year", "quarter", "month", "week", "day", "weekday", "hour"], ...] = (
        "year",
        "month",
        "day",
    )
    prefix: str | None = None


class NormalizeText(Step, frozen=True, kw_only=True):
    """Trim, collapse white space, change case, strip accents; empty text becomes null on request."""

    name = "normalize_text"
    shorthand = "columns"
    columns: tuple[str, ...] = ()
    trim: bool = True
    collapse: bool = True
    case: Literal["keep", "lower", "upper", "title"] = "keep"
    strip_accents: bool = False
    empty_as_null: bool = True


class FillNulls(Step, frozen=True, kw_only=True):
    """``fill_nulls: {status: unknown, quantity: 0}``: constants put in place of null."""

    name = "fill_nulls"
    shorthand = "columns"
    columns: dict[str, str | int | float | bool]


class DropNulls(Step, frozen=True, kw_only=True):
    """``drop_nulls: [a, b]``: leave out rows where one of these is null."""

    name = "drop_nulls"
    shorthand = "columns"
    columns: tuple[str, ...]


class MapValues(Step, frozen=True, kw_only=True):
    """``map_values: {column: status, values: {N: new}, other: keep}``; *other* may be null or a constant."""

    name = "map_values"
    column: str
    values: dict[str, str | int | float | bool | None]
    other: Literal["keep", "null"] = "keep"


class Filter(Step, frozen=True, kw_only=True):
    """``filter: quantity > 0``: keep the rows for which the condition is true."""

    name = "filter"
    shorthand = "where"
    where: str


class Deduplicate(Step, frozen=True, kw_only=True):
    """One row per key: the latest by ``latest_by``, or the last one read.

    Without ``keys``, whole rows are compared.
    """

    name = "deduplicate"
    keys: tuple[str, ...] = ()
    latest_by: str | None = None


class Flatten(Step, frozen=True, kw_only=True):
    """``flatten: [address]``: fields of a struct become columns ``address_city``, …"""

    name = "flatten"
    shorthand = "columns"
    columns: tuple[str, ...]
    separator: str = "_"


class Unnest(Step, frozen=True, kw_only=True):
    """``unnest: lines``: one row per element of a list; rows whose list is empty are kept with null."""

    name = "unnest"
    shorthand = "column"
    column: str
    keep_empty: bool = True


class Aggregate(Step, frozen=True, kw_only=True):
    """``aggregate: {by: [day], columns: {total: sum(amount)}}``."""

    name = "aggregate"
    by: tuple[str, ...]
    columns: dict[str, str]


class PythonStep(Step, frozen=True, kw_only=True):
    """``python: module:function``: a function from the project's folder, Arrow in and Arrow out.

    The function takes one table (pyarrow, or Polars or pandas as its annotation says) and returns one.
    """

    name = "python"
    shorthand = "function"
    function: str


STEPS: dict[str, type[Step]] = {
    one.name: one
    for one in (
        StandardizeNames,
        Rename,
        Select,
        Drop,
        Cast,
        Derive,
        DateParts,
        NormalizeText,
        FillNulls,
        DropNulls,
        MapValues,
        Filter,
        Deduplicate,
        Flatten,
        Unnest,
        Aggregate,
        PythonStep,
    )
}
