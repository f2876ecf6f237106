"""What the keys of a project file must hold beyond what their Python types say, as tables by field.

A *text rule* gets the text and returns what was expected instead, or "" when it is fine.
"""

from __future__ import annotations

import codecs
import datetime
import re
from collections.abc import Callable
from typing import Any

from lakewright.project import rules_access, rules_rest
from lakewright.project.sqltypes import type_problem
from lakewright.spec.base import ZONES, Spec
from lakewright.spec.databases import Capture, DatabaseDataset, DatabaseSource
from lakewright.spec.dataset import Column, Compact, Dataset, DatasetFile, Incremental, Retry, Write
from lakewright.spec.dlt import DltSource
from lakewright.spec.durations import parse_duration, parse_size
from lakewright.spec.expectations import (
    Across,
    ColumnCount,
    ColumnSet,
    ColumnType,
    Combinations,
    Compare,
    Completeness,
    Condition,
    DistinctCount,
    DistinctValues,
    Fresh,
    Measure,
    MostCommon,
    Outliers,
    Query,
    References,
    RowCount,
    Suite,
    Unique,
    Values,
)
from lakewright.spec.mask import Band, Hash, Mask, Token
from lakewright.spec.project import (
    Defaults,
    Engine,
    Lake,
    ProjectFile,
    QueryCache,
    Target,
    UnitTest,
    Zone,
)
from lakewright.spec.rest import Auth, Paginator, Parent, RateLimit, RestDataset, RestIncremental, RestSource
from lakewright.spec.sources import AGED, FileDataset, FileSource, PythonSource, ReadOptions
from lakewright.spec.star import DateDimension, Dimension, Fact, LocationDimension, Lookup
from lakewright.spec.steps import Aggregate, Cast, PythonStep
from lakewright.spec.warehouse import Warehouse, WarehouseTable, WarehouseView

__all__ = [
    "FIELD_TYPES",
    "HIDDEN",
    "KEY_RULES",
    "LITERAL_ROWS",
    "MAY_BE_EMPTY",
    "PATTERNS",
    "RANGES",
    "TEXT_RULES",
    "WORDS",
    "CastTo",
    "name_problem",
    "partition_column",
    "regex_problem",
]

Field = tuple[type, str]
TextRule = Callable[[str], str]

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_DATASET = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_COLUMN = r'(?:[A-Za-z_]\w*|"(?:[^"]|"")+")'
_PARTITION = re.compile(
    rf"\s*(?:(?:year|month|day|hour|identity)\(\s*(?P<part>{_COLUMN})\s*\)"
    rf"|bucket\(\s*[1-9]\d{{0,4}}\s*,\s*(?P<bucket>{_COLUMN})\s*\)|(?P<bare>{_COLUMN}))\s*\Z"
)

_SESSION_NAMES = ("main", "information_schema", "pg_catalog", "system", "temp", "memory", "ops")

#: Schemas and catalogs that exist already in every session, and our own.
RESERVED = frozenset((*_SESSION_NAMES, "raw", "quarantine", "lakewright", "lake", "warehouse"))


def name_problem(name: str) -> str:
    """What a source, dataset, zone or test name must look like, "" when it does."""
    if _NAME.match(name) and len(name) <= 63:
        return ""
    return "a name in snake_case: small letters, digits and _, a letter first, at most 63"


def _zone(name: str) -> str:
    if name in ZONES:
        return ""
    if name in RESERVED:
        return f"another name than {name!r}, which is reserved"
    return name_problem(name)


def _column(name: str) -> str:
    if not name or name.startswith("_"):
        return "a column name that does not start with _; those names are the audit columns'"
    return ""


def _dataset(text: str) -> str:
    return "" if _DATASET.match(text) else "a dataset as zone.name, such as processed.orders"


def _dataset_column(text: str) -> str:
    parts = text.split(".", 2)
    if len(parts) == 3 and parts[2] and _DATASET.match(f"{parts[0]}.{parts[1]}"):
        return ""
    return "a column as zone.dataset.column, such as processed.customers.customer_id"


_LENGTH = r"(?:\s*\d+(?:\.\d+)?\s*(?:ms|min|s|m|h|d|w|y))+\s*"


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except (ValueError, OverflowError):
        return "a length of time such as 30s, 12h or 90d"
    return ""


def _retention(text: str) -> str:
    return "" if text == "forever" else _duration(text).replace("or 90d", "90d or forever")


def partition_column(text: str) -> str | None:
    """The column of ``year(c)``, ``bucket(4, c)`` or ``c``; None when *text* is no partition transform."""
    match = _PARTITION.match(text)
    if match is None:
        return None
    column = match["part"] or match["bucket"] or match["bare"]
    return column[1:-1].replace('""', '"') if column.startswith('"') else column


def _partition(text: str) -> str:
    if partition_column(text) is not None:
        return ""
    return "a column, year(c), month(c), day(c), hour(c) or bucket(n, c)"


def _day(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return "a date as YYYY-MM-DD"
    return ""


_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")


def _function(text: str) -> str:
    return "" if _FUNCTION.match(text) else "a function as module:function"


_MEMORY = r"^(?:\d+(?:\.\d+)?\s*(?:[KMGT]i?B|[kmgt]i?b|B|b)|\d{1,3}(?:\.\d+)?%)$"


def _memory(text: str) -> str:
    return "" if re.match(_MEMORY, text) else "an amount of memory such as 2GB or 512MiB"


def _size(text: str) -> str:
    try:
        parse_size(text)
    except ValueError:
        return "an amount such as 10MB or 1GiB"
    return ""


def _store(text: str) -> str:
    return "" if re.match(r"(sqlite:.|rediss?://.)", text) else "sqlite:<file> or redis://host:port/number"


def _state(text: str) -> str:
    if re.match(r"(sqlite:.|postgresql://.|postgres://.)", text):
        return ""
    return "sqlite:<file> or postgresql://…"


def _connection(text: str) -> str:
    if re.match(r"(postgresql://|postgres://|mysql://|mariadb://|sqlite:).", text):
        return ""
    return "postgresql://…, mysql://… or sqlite:<file>"


def _lookback(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text) or not _duration(text):
        return ""
    return "a length of time such as 1h, or a number where the cursor is one"


def _warehouse(text: str) -> str:
    if re.match(r"(duckdb:.|postgres(ql)?://.|(mysql|mariadb)://.|\$\{secret:)", text):
        return ""
    return "duckdb:<file>, postgresql://… or mysql://…"


def _encoding(text: str) -> str:
    try:
        codecs.lookup(text)
    except (LookupError, ValueError):
        return "an encoding such as utf-8, utf-16, latin-1 or windows-1252"
    return ""


def _one_character(text: str) -> str:
    return "" if len(text) <= 1 else "one character"


def _delimiter(text: str) -> str:
    return "" if 1 <= len(text) <= 4 else "one to four characters"


def _records(text: str) -> str:
    return "" if text.startswith("$") else "a path such as $.data.items"


def _date_format(text: str) -> str:
    return "" if "%" in text else "a date format such as %d/%m/%Y"


def _filled(text: str) -> str:
    return "" if text.strip() else "a text that is not empty"


# RE2, which DuckDB uses, and Python agree on these; what only one of them knows is left to the engine.
_REFUSED = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "nothing to repeat",
    "multiple repeat",
    "bad character range",
    "bad escape (end of pattern)",
    "min repeat greater than max repeat",
)
_NOT_IN_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>)|(?<!\\)(?:\\\\)*\\[1-9]")
_ONLY_RE2 = ((r"\\z", r"\\Z"), (r"\\[pP](?:\{\^?\w+\}|\w)", r"\\w"), (r"\(\?<(?=\w)", "(?P<"))
_CLASS = re.compile(r"\[:\^?\w+:\]")


def regex_problem(text: str) -> str:
    """What a regular expression must be, "" when it is one that RE2 knows."""
    if _NOT_IN_RE2.search(text):
        return "a regular expression without look-around and back-references, which the engine does not know"
    for pattern, replacement in _ONLY_RE2:
        text = re.sub(pattern, replacement, text)
    try:
        re.compile(_CLASS.sub("a", text))
    except re.error as error:
        if error.msg.startswith(_REFUSED):
            return f"a regular expression, got one with an error: {error.msg}"
    except (OverflowError, RecursionError):
        return "a regular expression that is not so large"
    return ""


# --- the tables ---------------------------------------------------------------------------------


class CastTo(Spec, frozen=True, kw_only=True):
    """The long form of one cast: the type and the format of a date that arrives as text."""

    type: str
    format: str | None = None


#: Fields whose annotation is wider than what YAML may say.
FIELD_TYPES: dict[Field, Any] = {
    (Cast, "columns"): dict[str, str | CastTo],
    (Column, "mask"): Mask,  # `mask: null` is a rule, not the lack of one
}

#: Rules for every text of a field, also inside its lists and mappings.
TEXT_RULES: dict[Field, TextRule] = {
    (Column, "type"): type_problem,
    (Column, "pattern"): regex_problem,
    (Column, "format"): _date_format,
    (CastTo, "type"): type_problem,
    (CastTo, "format"): _date_format,
    (Cast, "columns"): type_problem,
    (Retry, "wait"): _duration,
    (Defaults, "timeout"): _duration,
    (DatasetFile, "timeout"): _duration,
    (DatasetFile, "retention"): _retention,
    (Compact, "monthly_after"): _duration,
    (Compact, "yearly_after"): _duration,
    (Zone, "retention"): _retention,
    **{(one, "retention"): _retention for one in AGED},
    (Fresh, "within"): _duration,
    (Incremental, "lookback"): _duration,
    (Write, "partition_by"): _partition,
    (Write, "delete_when"): _filled,
    (DatasetFile, "from_"): _dataset,
    (DatasetFile, "depends_on"): _dataset,
    (References, "columns"): _dataset_column,
    (UnitTest, "dataset"): _dataset,
    (UnitTest, "name"): _filled,
    (Condition, "sql"): _filled,
    (Query, "sql"): _filled,
    (Query, "name_of_this"): _filled,
    (Suite, "file"): _filled,
    (ColumnType, "types"): type_problem,
    (Values, "patterns"): regex_problem,
    (Values, "not_patterns"): regex_problem,
    (Values, "date_format"): _date_format,
    **{
        (struct, "where"): _filled
        for struct in (
            Across,
            Combinations,
            Compare,
            Condition,
            DistinctValues,
            Measure,
            MostCommon,
            Outliers,
            RowCount,
            Unique,
            Values,
        )
    },
    (PythonStep, "function"): _function,
    (Engine, "memory_limit"): _memory,
    (QueryCache, "lifetime"): _duration,
    (QueryCache, "max_result"): _size,
    (QueryCache, "max_size"): _size,
    (QueryCache, "store"): _store,
    (ProjectFile, "state"): _state,
    (Target, "state"): _state,
    (ProjectFile, "name"): _filled,
    (Lake, "path"): _filled,
    (Lake, "catalog"): _filled,
    (FileSource, "path"): _filled,
    (FileDataset, "files"): _filled,
    (DatabaseSource, "connection"): _connection,
    (Capture, "publication"): _filled,
    (DatabaseDataset, "table"): _filled,
    (DatabaseDataset, "query"): _filled,
    (DatabaseDataset, "where"): _filled,
    (DatabaseDataset, "lookback"): _lookback,
    (RestSource, "base_url"): rules_rest.base_url,
    (RestSource, "timeout"): _duration,
    (RestSource, "retry_wait"): _duration,
    (RestSource, "max_wait"): _duration,
    (RateLimit, "per"): _duration,
    (Auth, "token_url"): rules_rest.base_url,
    (DltSource, "source"): rules_rest.dotted,
    (RestIncremental, "cursor"): _filled,
    (RestIncremental, "param"): _filled,
    (RestIncremental, "lookback"): _lookback,
    (RestDataset, "records"): _records,
    (Paginator, "total"): _records,
    (Paginator, "more"): _records,
    (Paginator, "next"): _records,
    (ReadOptions, "encoding"): _encoding,
    (ReadOptions, "delimiter"): _delimiter,
    (ReadOptions, "quote"): _one_character,
    (ReadOptions, "escape"): _one_character,
    (ReadOptions, "comment"): _one_character,
    (ReadOptions, "records"): _records,
    (DateDimension, "from_"): _day,
    (DateDimension, "to"): _day,
    (Fact, "dimensions"): _dataset,
    (Lookup, "dimension"): _dataset,
    (Dimension, "key"): _column,
    (LocationDimension, "from_"): _dataset,
    (Warehouse, "tables"): _dataset,
    (WarehouseTable, "dataset"): _dataset,
    (WarehouseView, "sql"): _filled,
    (WarehouseTable, "sql"): _filled,
    (Warehouse, "schema"): name_problem,
    (Warehouse, "connection"): _warehouse,
    (Hash, "key"): name_problem,
    (Token, "key"): name_problem,
    (Token, "domain"): name_problem,
    **rules_access.TEXT_RULES,
}

#: Rules for the keys of a mapping.
KEY_RULES: dict[Field, TextRule] = {
    (FileSource, "datasets"): name_problem,
    (DatabaseSource, "datasets"): name_problem,
    (RestSource, "datasets"): name_problem,
    (PythonSource, "datasets"): name_problem,
    (DltSource, "datasets"): name_problem,
    (RestSource, "on_status"): rules_rest.status,
    (RestDataset, "on_status"): rules_rest.status,
    (Parent, "include"): _column,
    (DatasetFile, "columns"): _column,
    (ProjectFile, "zones"): _zone,
    (Engine, "pools"): name_problem,
    (ProjectFile, "targets"): name_problem,
    (ProjectFile, "keys"): name_problem,
    (ProjectFile, "subjects"): name_problem,
    (UnitTest, "given"): _dataset,
    (Fact, "dimensions"): _column,
    (Warehouse, "tables"): name_problem,
    (Warehouse, "views"): name_problem,
    **rules_access.KEY_RULES,
}

#: Least and greatest number of a field, inclusive.
RANGES: dict[Field, tuple[float, float | None]] = {
    **rules_rest.RANGES,
    (Column, "min_length"): (0, None),
    (Column, "max_length"): (0, None),
    (Retry, "attempts"): (1, 100),
    (Retry, "backoff"): (1, 100),
    (DatasetFile, "quality_threshold"): (0, 1),
    (Defaults, "quality_threshold"): (0, 1),
    (Completeness, "columns"): (0, 1),
    **{
        (struct, "mostly"): (0, 1)
        for struct in (Across, Combinations, Compare, Condition, Outliers, Unique, Values)
    },
    (Values, "at_most"): (0, None),
    (Values, "min_length"): (0, None),
    (Values, "max_length"): (0, None),
    (Unique, "at_most"): (0, None),
    (Measure, "at"): (0, 1),
    (Outliers, "deviations"): (0, None),
    (ColumnCount, "min"): (0, None),
    (ColumnCount, "max"): (0, None),
    (ColumnSet, "position"): (1, None),
    (RowCount, "min"): (0, None),
    (RowCount, "max"): (0, None),
    (DistinctCount, "min"): (0, None),
    (DistinctCount, "max"): (0, None),
    (Engine, "threads"): (1, 4096),
    (Engine, "workers"): (1, 1024),
    (Engine, "pools"): (1, 1024),
    (DatasetFile, "priority"): (-1000, 1000),
    (ReadOptions, "skip"): (0, None),
    (DatabaseDataset, "slices"): (1, 64),
    (DateDimension, "fiscal_year_starts"): (1, 12),
    (Band, "width"): (1e-9, None),
}

#: The same as a text rule, for the JSON Schema: what editors can check.
PATTERNS: dict[TextRule, str] = {
    _duration: f"^{_LENGTH}$",
    _retention: f"^(?:forever|{_LENGTH})$",
    _dataset: r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$",
    _dataset_column: r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\..+$",
    _memory: _MEMORY,
    _function: r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
}

#: What a text with a rule is called in the reference.
WORDS: dict[TextRule, str] = {
    type_problem: "SQL type",
    regex_problem: "regular expression",
    _duration: "length of time",
    _retention: "length of time, or `forever`",
    _dataset: "dataset, as `zone.name`",
    _dataset_column: "column, as `zone.dataset.column`",
    _partition: "column or transform",
    _memory: "amount of memory",
    _function: "`module:function`",
    _one_character: "one character",
}

#: Lists and mappings that are required but may be empty; other required ones may not.
MAY_BE_EMPTY: frozenset[Field] = frozenset({(UnitTest, "expect"), (UnitTest, "given"), (Aggregate, "by")})

#: Fields that the loader fills, never the file.
HIDDEN: frozenset[Field] = frozenset({(UnitTest, "path"), (Dataset, "path")})

#: Text taken as it is, without references: the rows of a test are data.
LITERAL_ROWS: frozenset[type] = frozenset({UnitTest})
