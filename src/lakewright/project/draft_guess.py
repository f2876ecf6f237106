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

__all__ = [
    "DraftColumn",
    "DraftTable",
    "Guess",
    "base_name",
    "column_rules",
    "event_date",
    "guess",
    "is_amount",
    "near_keys",
]

Scalar = str | int | float

#: Fewer rows than this need no partitions: a query reads them all in no time.
PARTITION_ROWS = 100_000
#: Rows that a partition should hold on average; smaller ones make many small files.
ROWS_PER_PARTITION = 5_000
#: Fewer rows than this do not show that a column always has a value.
REQUIRED_ROWS = 20
#: Values of a column that are so few, and seen so often each, that they are likely to be all there are.
MOST_VALUES = 12
ROWS_PER_VALUE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftColumn:
    """What is known about a column of raw files. It holds figures, and values only where they are few.

    ``name`` is the name that the table shall have, ``original`` the one in the files when it differs.
    ``type`` is a DuckDB type, "" for one that is not to be declared. ``unique``: no value occurs twice
    and none is null, counted exactly. ``repeats``: rows that repeat a value of a column that would
    be unique without them, 0 for any other column. ``nulls`` are missing values, ``unconverted`` those that are
    not of the type. ``values``: all different values of a column with few of them.
    ``format`` is the strptime format of dates that arrive as text. ``pii_reason`` says what made it personal data.
    """

    name: str
    type: str
    original: str = ""
    nulls: int = 0
    unconverted: int = 0
    distinct: int | None = None
    unique: bool = False
    repeats: int = 0
    min: Scalar | None = None
    max: Scalar | None = None
    values: tuple[str, ...] = ()
    format: str | None = None
    pii: str | None = None
    pii_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftTable:
    """What is known about raw files that make up one dataset.

    ``files`` are patterns relative to the source's path, ``file_count`` the files that they match,
    ``options`` the fields of :class:`lakewright.spec.sources.ReadOptions` that sniffing alone would miss.
    ``key`` is a combination of columns that is unique where no single column is; ``references`` are
    column → ``table.column`` pairs of which the data was seen to hold. ``copies`` are rows that repeat another one
    in every column. ``notes`` become comments.
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
    copies: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """What was decided about a table, with the reasons for its comments."""

    key: tuple[str, ...]
    key_reason: str
    repeats: int
    latest_by: str | None
    partition_by: tuple[str, ...]
    partition_reason: str


KEY_TYPES = re.compile(r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248]|varchar|text|uuid)\Z")
_NUMERIC = re.compile(
    r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248]|double|float|real|decimal.*)\Z"
)
INTEGER = re.compile(r"(?i)(?:u?(?:tiny|small|big|huge)?int(?:eger)?|int[1248])\Z")
KEY_NAME = re.compile(r"(?:.*_)?(?:id|key|no|nr|number|code|uuid|guid|sku|isbn|ean|symbol)\Z")
_CHANGED = re.compile(
    r"(?:.*_)?(?:updated|modified|changed|last_update|last_modified)(?:_(?:at|on|date|time|ts))?\Z"
)
_AMOUNT = re.compile(
    r"(?:.*_)?(?:price|amount|total|quantity|qty|cost|count|age|weight|height|width|length|size|milliseconds"
    r"|seconds|minutes|bytes|duration|tax|freight|discount|stock|units?|population|distance|area|subtotal|fee)"
    r"(?:_.*)?\Z"
)
_SUMMED = re.compile(
    r"(?:.*_)?(?:total|amount|revenue|sales|payment|paid|cost|fee|freight|tax|subtotal)(?:_.*)?\Z"
)
# People, places and things are named anew every day: those seen are never all there are.
_OPEN = re.compile(
    r"(?:.*_)?(?:name|city|town|country|nation|region|province|county|street|address|title|company|brand|product"
    r"|author|artist|composer|description|comment|note|notes|text|url|path|file|host)(?:_.*)?\Z"
)
_EVENT = re.compile(
    r"(?:.*_)?(?:order|sale|sold|invoice|event|trans\w*|payment|paid|created|placed|posted|ship\w*)(?:_.*)?\Z"
)
_NOT_EVENT = re.compile(
    r".*(?:birth|update|modif|change|expir|valid|due|load|ingest|end|delet|hire|required).*"
)


def guess(table: DraftTable) -> Guess:
    """Decide about the key, the way to deduplicate, and the partitions of *table*."""
    newest = _newest(table)
    key, reason, repeats = _key(table, newest)
    partition_by, why = _partitions(table)
    return Guess(key, reason, repeats, newest if key else None, partition_by, why)


def event_date(table: DraftTable) -> DraftColumn | None:
    """The date or time at which what a row tells of happened, where there is one."""
    return next(iter(_events(table)), None)


def _events(table: DraftTable) -> list[DraftColumn]:
    found = [
        one
        for one in table.columns
        if _temporal(one) and not one.nulls and not one.pii and not _NOT_EVENT.match(one.name)
    ]
    # An event's own date before others; the sort keeps the order of the columns otherwise.
    return sorted(found, key=lambda one: not _EVENT.match(one.name))


def _newest(table: DraftTable) -> str | None:
    return next(
        (
            one.name
            for one in table.columns
            if _temporal(one) and not one.nulls and not one.unconverted and _CHANGED.match(one.name)
        ),
        None,
    )


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


def _key(table: DraftTable, newest: str | None) -> tuple[tuple[str, ...], str, int]:
    """The key, why it is one, and how many rows repeat a value of it (which deduplicating removes)."""
    rows = table.rows or 0
    best: tuple[int, DraftColumn] | None = None
    for index, column in enumerate(table.columns):
        score = _key_score(table, column, index, newest)
        if score and (best is None or score > best[0]):
            best = (score, column)
    names = {one.name for one in table.columns}
    if best is not None and rows:
        score, column = best
        links = tuple(one.name for one in table.columns if one.name in table.references and not one.nulls)
        if score == _NAMED and column.name in links and len(links) > 1 and not column.repeats:
            # each value occurs once by chance: what is told is which things belong together
            return links, f"the table says which {' and '.join(links)} belong together", 0
        if column.repeats:
            return (column.name,), _why_repeated(column, rows, table.copies, newest), column.repeats
        return (column.name,), f"no value occurs twice in {rows:,} rows", 0
    if table.key and set(table.key) <= names:
        return table.key, f"no combination of {' and '.join(table.key)} occurs twice in {rows:,} rows", 0
    return (), "", 0


def _why_repeated(column: DraftColumn, rows: int, copies: int, newest: str | None) -> str:
    if column.repeats == copies:
        return f"but for {copies:,} exact copies, no value occurs twice in {rows:,} rows"
    return f"{column.repeats:,} of {rows:,} rows repeat a value, and {newest} tells the newest"


#: The score of a column that is named like some key, not like this table's.
_NAMED = 3


def _key_score(table: DraftTable, column: DraftColumn, index: int, newest: str | None) -> int:
    """How much a column looks like the key; 0 for not at all. Uniqueness alone says little of a small table."""
    if column.nulls or column.unconverted or column.pii or not KEY_TYPES.match(column.type):
        return 0
    if not column.unique and not (column.repeats and (column.repeats == table.copies or newest)):
        return 0
    base, rows = base_name(table.name), table.rows or 0
    if column.name in (f"{base}_id", f"{table.name}_id", f"{base}id"):
        return 5
    if column.name == "id":
        return 4
    if KEY_NAME.match(column.name) and (column.unique or index == 0):
        return _NAMED
    if not column.unique:
        return 0
    if index == 0 and rows >= 20:
        return 2
    return 1 if rows >= 1_000 and not column.type.lower().startswith(("varchar", "text")) else 0


def near_keys(table: DraftTable, key: Sequence[str]) -> list[str]:
    """Notes on columns that would be the key but for some rows, where none was found."""
    if key:
        return []
    return [
        f"{one.name}: {one.repeats:,} of {table.rows:,} rows repeat a value; if it is the key, say `key: true`, "
        "and what repeats it goes to quarantine"
        for one in table.columns
        if one.repeats
    ]


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
    for column in _events(table):
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
    elif rows >= REQUIRED_ROWS and not column.nulls and column.pii not in ("phone", "address"):
        yield "required", True, ""
    if _few_values(table, column) and column.name not in key:
        yield "in", sorted(column.values), f"the only values in {rows:,} rows"
    elif _never_negative(table, column, key):
        yield "min", 0, "never negative"
    if column.pii:
        yield "pii", column.pii, column.pii_reason or "by its name or its values"


def is_amount(column: DraftColumn) -> bool:
    """Whether a column holds exact amounts that make sense to add up."""
    return column.type.lower().startswith("decimal") and _SUMMED.match(column.name) is not None


def _few_values(table: DraftTable, column: DraftColumn) -> bool:
    rows = (table.rows or 0) - column.nulls
    return (
        column.type.lower() == "varchar"
        and not column.pii
        and not _OPEN.match(column.name)
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
