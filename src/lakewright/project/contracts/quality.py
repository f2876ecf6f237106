"""Quality rules of a contract as expectations: library metrics, SQL, our own and Great Expectations' engines."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem
from lakewright.project.context import BAD, Context
from lakewright.project.contracts.nodes import Entry
from lakewright.project.convert import convert
from lakewright.project.document import Document, parse, plain
from lakewright.project.environment import Environment
from lakewright.project.rules import regex_problem
from lakewright.project.suites.arguments import Arguments, NotSupported
from lakewright.project.suites.kinds import expectations_of
from lakewright.spec.base import Severity
from lakewright.spec.dataset import DatasetFile
from lakewright.spec.expectations import Expectation, Measure, Query, RowCount, Unique, Values

__all__ = ["ENGINE", "MARK", "Subject", "quality_of"]

#: The custom engine whose implementation is an expectation as our YAML spells it.
ENGINE = "lakewright"
#: The custom property that marks a rule which our exports made of a column's own key.
MARK = "lakewright.column"

_METRICS = {
    "nullValues": "nulls", "nullCheck": "nulls", "nullCount": "nulls", "missingValues": "missing",
    "invalidValues": "invalid", "validValues": "invalid", "duplicateValues": "duplicates",
    "duplicateCount": "duplicates", "duplicates": "duplicates", "uniqueCheck": "duplicates", "rowCount": "rows",
}  # fmt: skip
_SEVERITIES: dict[str, Severity] = {"warning": "warn", "warn": "warn", "info": "warn", "low": "warn"}
_OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeGreaterThanOrEqualTo",
    "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeLessThanOrEqualTo", "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
_PEOPLE = (
    "id", "authoritativeDefinitions", "businessImpact", "description", "dimension", "method", "schedule", "scheduler",
    "tags", "customProperties", "name",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\$?\{(object|table|model|schema|property|column|field)\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is about: an object with its names, and the column when the rule stands at a property."""

    names: tuple[str, ...]
    column: str | None = None
    known: Collection[str] = ()


class _Lacking(Exception):
    """The rule has no counterpart; the message says why."""


@dataclass(frozen=True, slots=True)
class _Range:
    """The numbers that an operator allows: bounds, each inclusive or not."""

    low: float | int | None = None
    high: float | int | None = None
    open_low: bool = False
    open_high: bool = False

    def bounds(self) -> dict[str, Any]:
        """As the keys ``min``, ``max``, ``above``, ``below``."""
        found: dict[str, Any] = {}
        if self.low is not None:
            found["above" if self.open_low else "min"] = self.low
        if self.high is not None:
            found["below" if self.open_high else "max"] = self.high
        return found

    def whole(self) -> dict[str, int]:
        """As ``min`` and ``max`` of a number that is counted."""
        found = {}
        if self.low is not None:
            found["min"] = max(math.floor(self.low) + 1 if self.open_low else math.ceil(self.low), 0)
        if self.high is not None:
            found["max"] = math.ceil(self.high) - 1 if self.open_high else math.floor(self.high)
        if found.get("max", 0) < 0:
            raise _Lacking("allows no number")
        return found

    def at_most(self) -> int:
        """The greatest number of bad rows, where fewer are fine too."""
        found = self.whole()
        if found.get("min", 0) > 0 or "max" not in found:
            raise _Lacking("asks for bad rows")
        return found["max"]


def quality_of(entry: Entry, subject: Subject) -> tuple[tuple[Expectation, ...], str | None]:
    """Return the expectations of one rule, and the column's key that it was made of by an export, if any.

    What has no counterpart is noted.
    """
    kind = entry.text("type") or "library"
    mark = _mark(entry)
    try:
        if kind == "text":
            raise _Lacking("it is a sentence for people")
        if kind == "sql":
            made: tuple[Expectation, ...] = (_sql(entry, subject),)
        elif kind == "custom":
            made = _custom(entry, subject)
        elif kind == "library":
            made = (_library(entry, subject),)
        else:
            raise _Lacking(f"the type {kind!r} is not known")
    except (_Lacking, NotSupported) as reason:
        what = entry.text("metric") or entry.text("rule") or entry.text("name") or entry.text("engine")
        entry.notes.lacks(f"quality rule {f'{kind} {what}'.strip()}: {reason}", entry.line)
        entry.known.update(entry.values)
        return (), None
    severity = _SEVERITIES.get(entry.text("severity").lower())
    if severity and entry.text("engine") != ENGINE:
        made = tuple(msgspec.structs.replace(one, severity=severity) for one in made)
    for key in _OPERATORS:
        entry.known.add(key)
    entry.finish(kept=_PEOPLE)
    return made, mark


def _mark(entry: Entry) -> str | None:
    value = entry.value("customProperties")
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and one.get("property") == MARK and isinstance(one.get("value"), str):
            return str(one["value"])
    return None


# --- operators -----------------------------------------------------------------------------------


def _range(entry: Entry) -> _Range:
    given = [key for key in _OPERATORS if entry.value(key) is not None]
    if len(given) != 1:
        raise _Lacking(
            "it has no comparison" if not given else f"it has several comparisons: {', '.join(given)}"
        )
    key, value = given[0], entry.value(given[0])
    if key in ("mustBeBetween", "mustNotBeBetween"):
        if not isinstance(value, list) or len(value) != 2 or not all(_is_number(one) for one in value):
            raise _Lacking(f"{key} is {value!r}")
        if key == "mustNotBeBetween":
            raise _Lacking("mustNotBeBetween is two ranges")
        return _Range(min(value), max(value))
    if key == "mustNotBe":
        raise _Lacking("mustNotBe is two ranges")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _Lacking(f"{key} is {value!r}, no number")
    match key:
        case "mustBe":
            return _Range(value, value)
        case "mustBeGreaterThan":
            return _Range(low=value, open_low=True)
        case "mustBeGreaterOrEqualTo" | "mustBeGreaterThanOrEqualTo":
            return _Range(low=value)
        case "mustBeLessThan":
            return _Range(high=value, open_high=True)
        case _:
            return _Range(high=value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- library -------------------------------------------------------------------------------------


def _library(entry: Entry, subject: Subject) -> Expectation:
    name = entry.text("metric") or entry.text("rule")
    metric = _METRICS.get(name)
    if metric is None:
        raise _Lacking("the metric is not one of the standard's")
    arguments = entry.value("arguments")
    given: dict[str, Any] = dict(arguments) if isinstance(arguments, dict) else {}
    for key in ("validValues", "pattern", "missingValues", "properties"):
        # where 3.0 puts them
        if entry.value(key) is not None:
            given.setdefault(key, entry.value(key))
    percent = _in_percent(entry)
    if metric == "rows":
        if percent:
            raise _Lacking("a number of rows in percent")
        return RowCount(**_range(entry).whole())  # type: ignore[arg-type]
    if metric == "duplicates":
        return _duplicates(entry, subject, given, percent)
    if subject.column is None:
        raise _Lacking("it stands at no property")
    if metric == "nulls" and not percent:
        allowed = _range(entry)
        try:
            most = allowed.at_most()
        except _Lacking:
            return Measure(column=subject.column, of="nulls", **allowed.bounds())
        return Values(column=subject.column, present=True, at_most=most or None)
    rules: dict[str, Any] = {"present": True} if metric in ("nulls", "missing") else _valid(given)
    if metric == "missing":
        values = given.get("missingValues")
        if not isinstance(values, list):
            raise _Lacking("arguments.missingValues is no list")
        rules["missing"] = tuple(one for one in values if one is not None)
    return Values(column=subject.column, **rules, **_allowed(entry, percent))


def _in_percent(entry: Entry) -> bool:
    unit = entry.text("unit").lower()
    if unit not in ("", "rows", "row", "count", "percent", "%", "percentage"):
        raise _Lacking(f"the unit {unit!r}")
    return unit in ("percent", "%", "percentage")


def _allowed(entry: Entry, percent: bool) -> dict[str, Any]:
    """How many bad rows are allowed: none, a number, or a share of all rows."""
    allowed = _range(entry)
    if not percent:
        return {"at_most": allowed.at_most() or None}
    if (allowed.low or 0) > 0 or allowed.open_low or allowed.high is None:
        raise _Lacking("asks for bad rows")
    share = allowed.high / 100
    if allowed.open_high and share <= 0:
        raise _Lacking("allows no number")
    if share <= 0:
        return {}
    # rounded, so that 5 percent is 0.95
    return {"mostly": round(max(1 - share, 0.0), 12), "strictly": allowed.open_high, "of": "rows"}


def _valid(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values, pattern = given.get("validValues"), given.get("pattern")
    if isinstance(values, list):
        if not all(one is None or isinstance(one, str | int | float | bool) for one in values):
            raise _Lacking("validValues holds something else than constants")
        found["in_"] = tuple(one for one in values if one is not None)
    if isinstance(pattern, str):
        if wrong := regex_problem(pattern):
            raise _Lacking(f"the pattern {pattern!r}: expected {wrong}")
        found["patterns"] = (pattern,)
    unknown = set(given) - {"validValues", "pattern"}
    if not found or unknown:
        raise _Lacking(f"the arguments {', '.join(sorted(unknown)) or 'say nothing'}")
    return found


def _duplicates(entry: Entry, subject: Subject, given: dict[str, Any], percent: bool) -> Expectation:
    columns = given.get("properties")
    if columns is None and subject.column is not None:
        columns = [subject.column]
    if not isinstance(columns, list) or not columns or not all(isinstance(one, str) for one in columns):
        raise _Lacking("it names no properties (arguments.properties)")
    allowed = _allowed(entry, percent)
    if "mostly" in allowed:
        raise _Lacking("duplicates in percent")
    return Unique(columns=tuple(columns), **allowed)


# --- SQL and engines -----------------------------------------------------------------------------


def _sql(entry: Entry, subject: Subject) -> Expectation:
    query = entry.text("query").strip().rstrip(";")
    if not query:
        raise _Lacking("it has no query")
    used: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        word = match[1].lower()
        used.add(word)
        if word in ("object", "table", "model", "schema"):
            return "this"
        if subject.column is None:
            raise _Lacking(f"{match[0]} stands at no property")
        return '"' + subject.column.replace('"', '""') + '"'

    sql = _PLACEHOLDER.sub(fill, query)
    own = "this"
    if not used & {"object", "table", "model", "schema"}:
        own = next(
            (one for one in subject.names if re.search(rf"\b{re.escape(one)}\b", sql, re.IGNORECASE)), "this"
        )
    _readable(sql, own, subject.known)
    made = Query(sql=sql, name_of_this=own, label=entry.text("name"), **_range(entry).bounds())
    return made


def _readable(sql: str, own: str, known: Collection[str]) -> None:
    """Refuse what is no query, or reads tables that the project does not have; the rest is checked later."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError:
        raise _Lacking("its SQL cannot be parsed") from None
    if not isinstance(tree, exp.Query):
        raise _Lacking("its SQL is no query")
    named = {one.alias.lower() for one in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        name = table.name.lower()
        full = f"{table.db}.{table.name}"
        if not table.db and (name == own.lower() or name in named):
            continue
        if not isinstance(table.this, exp.Identifier) or full not in known:
            raise _Lacking(f"its SQL reads {table.sql('duckdb')}, which is no dataset")


def _custom(entry: Entry, subject: Subject) -> tuple[Expectation, ...]:
    engine = entry.text("engine")
    node = entry.node("implementation")
    if engine == ENGINE and node is not None:
        return _ours(entry, node)
    if engine.replace("_", "").replace("-", "").lower() in ("greatexpectations", "gx") and node is not None:
        given = plain(node)
        if isinstance(given, str):
            document = parse(given.encode(), entry.notes.path)
            if isinstance(document, Problem):
                raise _Lacking("its implementation cannot be read")
            given = plain(document.root)
        if not isinstance(given, dict):
            raise _Lacking("its implementation is no mapping")
        kind = given.get("type", given.get("expectation_type"))
        kwargs = given.get("kwargs", {})
        if not isinstance(kind, str) or not isinstance(kwargs, dict):
            raise _Lacking("its implementation has no type and kwargs")
        named = {_snake(str(key)): value for key, value in kwargs.items()}
        if subject.column is not None and kind.startswith("expect_column_") and "column" not in named:
            named.setdefault("column", subject.column)
        return expectations_of(kind, Arguments(named))
    raise _Lacking(f"checks of the engine {engine!r}")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])(?=[a-z])", lambda match: f"_{match[1].lower()}", name)


def _ours(entry: Entry, node: Node) -> tuple[Expectation, ...]:
    line = node.start_mark
    listed = SequenceNode("", [node], line, node.end_mark)
    root = MappingNode("", [(ScalarNode("quoted", "expect", line, line), listed)], line, node.end_mark)
    context = Context(entry.notes.path, Environment({}), entry.notes.problems)
    found = convert(DatasetFile, Document(entry.notes.path, root), context)
    return () if found is BAD else tuple(found.expect)
