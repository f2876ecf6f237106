"""Guess what a careful engineer would decide about a table: its key, its partitions, its rules.

A guess is made only where the figures and the names agree; each comes with the reason that the
project's comments give.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from lakewright.project.sqltypes import type_problem

__all__ = ["DraftColumn", "DraftTable", "Guess", "Reference", "guess", "references"]

Scalar = str | int | float

#: Fewer rows than this need no partitions: a query reads them all in no time.
PARTITION_ROWS = 100_000
#: Rows that a partition should hold on average; smaller ones make many small files.
ROWS_PER_PARTITION = 5_000
#: Values of a column that are so few, and seen so often each, that they are likely to be all there are.
MOST_VALUES = 12
ROWS_PER_VALUE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftColumn:
    """What is known about a column of raw files. It holds figures, and values only where they are few.

    ``name`` is the name that the table shall have, ``original`` the one in the files when it differs.
    ``type`` is a DuckDB type, "" for one that is not to be declared. ``unique``: no value occurs twice
    and none is null, counted exactly. ``values``: all different values of a column with few of them.
    ``format`` is the strptime format of dates that arrive as text.
    """

    name: str
    type: str
    original: str = ""
    nulls: int = 0
    distinct: int | None = None
    unique: bool = False
    min: Scalar | None = None
    max: Scalar | None = None
    values: tuple[str, ...] = ()
    format: str | None = None
    pii: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftTable:
    """What is known about raw files that make up one dataset.

    ``files`` are patterns relative to the source's path, ``file_count`` the files that they match,
    ``options`` the fields of :class:`lakewright.spec.sources.ReadOptions` that sniffing alone would miss.
    ``key`` is a combination of columns that is unique where no single column is; ``references`` are
    column → ``table.column`` pairs of which the data was seen to hold. ``notes`` become comments.
    """

    name: str
    files: tuple[str, ...]
    columns: tuple[DraftColumn, ...]
    format: str = "auto"
    options: Mapping[str, object] = field(default_factory=dict)
    rows: int | None = None
    file_count: int = 1
    key: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose values are keys of another table; ``seen`` when the data was looked at."""

    column: str
    table: str
    key: str
    seen: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """What was decided about a table, with the reasons for its comments."""

    key: tuple[str, ...]
    key_reason: str
    latest_by: str | None
    partition_by: tuple[str, ...]
    partition_reason: str


_KEY_TYPES = re.compile(r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248]|varchar|text|uuid)\Z")
_NUMERIC = re.compile(
    r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248]|double|float|real|decimal.*)\Z"
)
_INTEGER = re.compile(r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248])\Z")
_KEY_NAME = re.compile(r"(?:.*_)?(?:id|key|no|nr|number|code|uuid|guid|sku|isbn|ean|symbol)\Z")
_CHANGED = re.compile(
    r"(?:.*_)?(?:updated|modified|changed|last_update|last_modified)(?:_(?:at|on|date|time|ts))?\Z"
)
_AMOUNT = re.compile(
    r"(?:.*_)?(?:price|amount|total|quantity|qty|cost|count|age|weight|height|width|length|size|milliseconds"
    r"|seconds|minutes|bytes|duration|tax|freight|discount|stock|units?|population|distance|area|subtotal|fee)"
    r"(?:_.*)?\Z"
)
_EVENT = re.compile(
    r"(?:.*_)?(?:order|sale|sold|invoice|event|trans\w*|payment|paid|created|placed|posted|ship\w*)(?:_.*)?\Z"
)
_NOT_EVENT = re.compile(
    r".*(?:birth|update|modif|change|expir|valid|due|load|ingest|end|delet|hire|required).*"
)


def guess(table: DraftTable) -> Guess:
    """Decide about the key, the way to deduplicate, and the partitions of *table*."""
    key, reason = _key(table)
    latest = next(
        (
            one.name
            for one in table.columns
            if key and _temporal(one) and not one.nulls and _CHANGED.match(one.name)
        ),
        None,
    )
    partition_by, why = _partitions(table)
    return Guess(key, reason, latest, partition_by, why)


# --- keys ---------------------------------------------------------------------------------------


def base_name(table: str) -> str:
    """The thing that a table's name speaks of: ``raw_customers`` → ``customer``."""
    name = re.sub(r"^(?:raw|stg|src|tbl|dim|fact|fct)_", "", table)
    if name.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if re.search(r"(?:ss|us|is)\Z", name):
        return name
    if re.search(r"(?:s|x|z|ch|sh)es\Z", name):
        return name[:-2]
    return name.removesuffix("s")


def _key(table: DraftTable) -> tuple[tuple[str, ...], str]:
    rows = table.rows or 0
    best: tuple[int, str] | None = None
    for index, column in enumerate(table.columns):
        score = _key_score(table, column, index)
        if score and (best is None or score > best[0]):
            best = (score, column.name)
    if best is not None and rows:
        return (best[1],), f"no value occurs twice in {rows:,} rows"
    names = {one.name for one in table.columns}
    if table.key and set(table.key) <= names:
        return table.key, f"no combination of {' and '.join(table.key)} occurs twice in {rows:,} rows"
    return (), ""


def _key_score(table: DraftTable, column: DraftColumn, index: int) -> int:
    """How much a column looks like the key; 0 for not at all. Uniqueness alone says little of a small table."""
    if not column.unique or column.nulls or column.pii or not _KEY_TYPES.match(column.type):
        return 0
    base, rows = base_name(table.name), table.rows or 0
    if column.name in (f"{base}_id", f"{table.name}_id", f"{base}id"):
        return 5
    if column.name == "id":
        return 4
    if _KEY_NAME.match(column.name):
        return 3
    if index == 0 and rows >= 20:
        return 2
    return 1 if rows >= 1_000 and not column.type.lower().startswith(("varchar", "text")) else 0


# --- partitions ---------------------------------------------------------------------------------


def _temporal(column: DraftColumn) -> bool:
    return column.type.lower().startswith(("date", "timestamp"))


def _day(value: Scalar | None) -> date | None:
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        return None


def _partitions(table: DraftTable) -> tuple[tuple[str, ...], str]:
    rows = table.rows or 0
    if rows < PARTITION_ROWS:
        return (), ""
    candidates = [
        one
        for one in table.columns
        if _temporal(one) and not one.nulls and not one.pii and not _NOT_EVENT.match(one.name)
    ]
    # An event's own date before others; the sort keeps the order of the columns otherwise.
    for column in sorted(candidates, key=lambda one: not _EVENT.match(one.name)):
        first, last = _day(column.min), _day(column.max)
        if first is None or last is None:
            continue
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        span = f"{rows:,} rows from {first} to {last}"
        name = column.name
        if months >= 2 and rows / months >= ROWS_PER_PARTITION:
            return (f"year({name})", f"month({name})"), span
        if last.year > first.year and rows / (last.year - first.year + 1) >= ROWS_PER_PARTITION:
            return (f"year({name})",), span
    return (), ""


# --- rules of columns ---------------------------------------------------------------------------


def column_rules(
    table: DraftTable, column: DraftColumn, key: Sequence[str]
) -> Iterator[tuple[str, object, str]]:
    """(key, value, reason) of each rule for a column's contract; the reason is "" where it needs none."""
    rows = table.rows or 0
    if column.type and not type_problem(column.type):
        yield "type", column.type.lower(), ""
        if column.format and _temporal(column):
            yield "format", column.format, ""
    if column.name in key:
        yield "key", True, ""
    elif rows and not column.nulls:
        yield "required", True, ""
    if _few_values(table, column) and column.name not in key:
        yield "in", sorted(column.values), f"the only values in {rows:,} rows"
    elif _never_negative(table, column, key):
        yield "min", 0, "never negative"
    if column.pii:
        yield "pii", column.pii, ""


def _few_values(table: DraftTable, column: DraftColumn) -> bool:
    rows = (table.rows or 0) - column.nulls
    return (
        column.type.lower() == "varchar"
        and not column.pii
        and 2 <= len(column.values) <= MOST_VALUES
        and column.distinct in (None, len(column.values))
        and rows >= ROWS_PER_VALUE * len(column.values)
        and all(0 < len(one) <= 40 for one in column.values)
    )


def _never_negative(table: DraftTable, column: DraftColumn, key: Sequence[str]) -> bool:
    return (
        bool(_NUMERIC.match(column.type))
        and column.name not in key
        and (table.rows or 0) >= 20
        and isinstance(column.min, int | float)
        and not isinstance(column.min, bool)
        and column.min >= 0
        and _AMOUNT.match(column.name) is not None
    )


# --- references between tables ------------------------------------------------------------------


def references(
    table: DraftTable, tables: Sequence[DraftTable], keys: Mapping[str, tuple[str, ...]]
) -> list[Reference]:
    """Columns of *table* that hold keys of others: those seen in the data, then those whose names say so."""
    result: list[Reference] = []
    for column in table.columns:
        seen = table.references.get(column.name)
        if seen is not None:
            other, _, key = seen.partition(".")
            result.append(Reference(column.name, other, key, True))
            continue
        if keys.get(table.name) == (column.name,) or not _KEY_TYPES.match(column.type):
            continue
        found = [
            one
            for one in tables
            if one.name != table.name and _points_to(column, one, keys.get(one.name, ()))
        ]
        if len(found) == 1:
            result.append(Reference(column.name, found[0].name, keys[found[0].name][0], False))
    return result


def _points_to(column: DraftColumn, other: DraftTable, key: tuple[str, ...]) -> bool:
    if len(key) != 1:
        return False
    target = next(one for one in other.columns if one.name == key[0])
    if bool(_INTEGER.match(column.type)) != bool(_INTEGER.match(target.type)):
        return False
    base = base_name(other.name)
    if column.name == f"{base}_id" or (column.name == key[0] and key[0] != "id" and _KEY_NAME.match(key[0])):
        return key[0] in ("id", f"{base}_id", column.name)
    return False
