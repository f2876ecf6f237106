"""Checks from a dataset's ``expect`` list: conditions, references, counts, freshness, statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from lakewright.errors import Problem, ProjectError
from lakewright.spec.base import Severity
from lakewright.spec.dataset import Dataset
from lakewright.spec.durations import parse_duration
from lakewright.spec.expectations import (
    Across,
    ColumnCount,
    ColumnSet,
    Combinations,
    Compare,
    Completeness,
    Condition,
    DistinctCount,
    Expectation,
    Fresh,
    Query,
    References,
    RowCount,
    Statistic,
    Suite,
    Unique,
    Values,
)
from lakewright.sql.checks_columns import unique_check
from lakewright.sql.checks_model import Check, problem
from lakewright.sql.checks_parse import (
    Refused,
    Relations,
    Scene,
    columns_of,
    count_if,
    known,
    labelled,
    outer,
    parsed,
    percent,
    slug,
    spelled_range,
)
from lakewright.sql.checks_rows import judged, row_expectation
from lakewright.sql.checks_sets import set_expectation
from lakewright.sql.names import column, literal, split_id
from lakewright.sql.query import dependencies, parse_query

__all__ = ["Relations", "check_dependencies", "expectation_checks", "expressions_of"]


def expectation_checks(
    dataset: Dataset,
    columns: Mapping[str, str],
    *,
    on_violation: Severity,
    relations: Relations,
    now: datetime,
    received: Sequence[str],
    problems: list[Problem],
) -> Iterator[Check]:
    """Yield the checks of ``expect``; what cannot be compiled goes to *problems*.

    *received* are the columns of the input in order, for the expectation ``columns``.
    """
    for number, one in enumerate(dataset.file.expect):
        severity = one.severity or on_violation
        place = dataset.places.get(f"expect.{number}", (dataset.path, 0))
        try:
            yield from _compile(one, severity, columns, dataset.path, relations, now, received)
        except Refused as error:
            problems.append(problem(error.code, f"{one.name}: {error.message}", place, error.remedy))
        except ProjectError as error:
            problems += [problem(p.code, f"{one.name}: {p.message}", place, p.remedy) for p in error.problems]


def expressions_of(one: Expectation) -> tuple[str, ...]:
    """Return the SQL expressions over the columns of a row that an expectation holds."""
    where = getattr(one, "where", None)
    own = (one.sql,) if isinstance(one, Condition | Statistic) else ()
    return (*own, where) if where else own


def check_dependencies(dataset: Dataset) -> tuple[str, ...]:
    """Return the ids of other datasets that the checks of *dataset* read, in order of first use.

    Expectations that do not parse are left out; compiling them reports what is wrong.
    """
    found: dict[str, None] = {}
    for one in dataset.file.expect:
        try:
            if isinstance(one, References):
                for target in one.columns.values():
                    found[_target(target)[0]] = None
            if isinstance(one, Query):
                query = parse_query(one.sql, path=dataset.path, own=one.name_of_this)
                found.update(dict.fromkeys(dependencies(query)))
            for sql in expressions_of(one):
                query = parse_query(f"SELECT {sql}", path=dataset.path)
                found.update(dict.fromkeys(dependencies(query)))
        except (Refused, ProjectError):
            continue
    return tuple(found)


def _compile(
    one: Expectation,
    severity: Severity,
    columns: Mapping[str, str],
    path: str,
    relations: Relations,
    now: datetime,
    received: Sequence[str],
) -> Iterator[Check]:
    scene = Scene(columns, path, relations, severity)
    match one:
        case RowCount():
            words = f"the batch must have {spelled_range(one.min, one.max)} rows"
            words += f" where {one.where}" if one.where else ""
            some = scene.where(one.where)
            yield Check(
                one.label or "row_count", "row_count", (), severity, words, "dataset",
                measure=None if some is None else count_if(some), minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case Fresh():
            yield _fresh(one, severity, columns, now)
        case References():
            for name, target in one.columns.items():
                yield _reference(one, severity, known(name, columns), target, relations)
        case Unique() if (
            one.mostly is None and one.at_most is None and one.where is None and one.ignore == "any"
        ):
            names = tuple(known(name, columns) for name in one.columns)
            yield unique_check(names, severity, one.label)
        case Completeness():
            for written, share in one.columns.items():
                name = known(written, columns)
                yield Check(
                    labelled(one, f"{name}.completeness", name, len(one.columns)), "completeness", (name,),
                    severity, f"{name} must be present in at least {percent(share)} of the rows", "dataset",
                    violated=exp.Is(this=column(name), expression=exp.Null()), mostly=share,
                )  # fmt: skip
        case Condition():
            yield _condition(one, scene)
        case Statistic():
            tree = parsed(one.sql, columns, path, relations)
            if not outer(tree, exp.AggFunc):
                raise Refused(
                    "LW503",
                    f"{one.sql!r} is no aggregate, such as avg(total)",
                    "use condition for a rule on rows",
                )
            yield Check(
                one.label or f"statistic.{slug(one.sql)}", "statistic", columns_of(tree), severity,
                f"{one.sql} must be {spelled_range(one.min, one.max)}", "dataset",
                measure=tree, minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case DistinctCount():
            name = known(one.column, columns)
            yield Check(
                one.label or f"{name}.distinct_count", "distinct_count", (name,), severity,
                f"{name} must have {spelled_range(one.min, one.max)} different values", "dataset",
                measure=exp.Count(this=exp.Distinct(expressions=[column(name)])),
                minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case ColumnSet():
            yield _column_set(one, severity, received if one.of == "input" else tuple(columns))
        case ColumnCount():
            yield _column_count(one, severity, received if one.of == "input" else tuple(columns))
        case Suite():
            return  # its expectations stand behind those of the file
        case Values() | Compare() | Across() | Combinations():
            yield row_expectation(one, scene)
        case _:
            yield set_expectation(one, scene)


def _fresh(one: Fresh, severity: Severity, columns: Mapping[str, str], now: datetime) -> Check:
    name = known(one.column, columns)
    try:
        within = parse_duration(one.within)
    except ValueError as error:
        raise Refused("LW501", f"within {one.within!r}: {error}") from None
    kind = columns[name].upper()
    if kind and not kind.startswith(("DATE", "TIMESTAMP")):
        raise Refused("LW501", f"column {name!r} is {kind}, and freshness needs a date or timestamp")
    return Check(
        one.label or f"{name}.fresh", "fresh", (name,), severity,
        f"the newest {name} must be no older than {one.within}", "dataset",
        measure=exp.Max(this=column(name)), minimum=now - within,
    )  # fmt: skip


def _reference(one: References, severity: Severity, name: str, target: str, relations: Relations) -> Check:
    dataset, other = _target(target)
    # A null on the other side would make NOT IN unknown for every row.
    keys = (
        exp.select(column(other))
        .from_(relations(dataset).copy())
        .where(exp.Is(this=column(other), expression=exp.Null()).not_())
    )
    found = exp.In(this=column(name), query=keys.subquery(copy=False))
    present = exp.Is(this=column(name), expression=exp.Null()).not_()
    return Check(
        labelled(one, f"{name}.references", name, len(one.columns)), "references", (name,), severity,
        f"{name} must exist as {other} in {dataset}", "row",
        violated=exp.and_(present, exp.not_(found), copy=False),
    )  # fmt: skip


def _target(text: str) -> tuple[str, str]:
    dataset, dot, name = text.rpartition(".")
    try:
        split_id(dataset)
    except ValueError:
        dot = ""
    if not dot or not name:
        raise Refused("LW506", f"{text!r} is not zone.dataset.column")
    return dataset, name


def _condition(one: Condition, scene: Scene) -> Check:
    tree = scene.condition(one.sql)
    label = one.label or f"condition.{slug(one.sql)}"
    violated = exp.not_(exp.paren(tree, copy=False), copy=False)
    words = f"{one.sql} must hold" + (f" where {one.where}" if one.where else "")
    return judged(
        Check(label, "condition", columns_of(tree), scene.severity, words, "row", violated),
        where=scene.where(one.where), mostly=one.mostly,
    )  # fmt: skip


def _column_count(one: ColumnCount, severity: Severity, received: Sequence[str]) -> Check:
    count = sum(not name.startswith("_") for name in received)
    return Check(
        one.label or "column_count", "column_count", (), severity,
        f"the {one.of} must have {spelled_range(one.min, one.max)} columns", "dataset",
        measure=literal(count), minimum=one.min, maximum=one.max,
    )  # fmt: skip


def _column_set(one: ColumnSet, severity: Severity, received: Sequence[str]) -> Check:
    """Judge the columns here: what the input has is known before any row is read."""
    have = [name for name in received if not name.startswith("_")]
    lowered = [name.lower() for name in have]
    wanted = [name.lower() for name in one.names]
    faults = [f"{name} is missing" for name in one.names if name.lower() not in lowered]
    if one.exact:
        faults += [f"{name} is not expected" for name in have if name.lower() not in wanted]
    common = [name for name in lowered if name in wanted]
    if one.ordered and common != [name for name in wanted if name in lowered]:
        faults.append(f"the order is {', '.join(name for name in have if name.lower() in wanted)}")
    first = one.names[0].lower()
    if one.position is not None and first in lowered and lowered.index(first) + 1 != one.position:
        faults.append(f"{one.names[0]} stands at place {lowered.index(first) + 1}, not {one.position}")
    words = f"the {one.of} must have {'exactly ' if one.exact else ''}the columns {', '.join(one.names)}"
    words += " in this order" if one.ordered else ""
    words += f" ({'; '.join(faults)})" if faults else ""
    return Check(
        one.label or "columns", "columns", tuple(one.names), severity, words, "dataset",
        measure=literal(len(faults)), maximum=0,
    )  # fmt: skip
