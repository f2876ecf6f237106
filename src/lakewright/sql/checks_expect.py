"""Checks from a dataset's ``expect`` list: conditions, references, counts, freshness, statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from lakewright.errors import Problem, ProjectError, nearest
from lakewright.spec.base import Severity
from lakewright.spec.dataset import Dataset
from lakewright.spec.durations import parse_duration
from lakewright.spec.expectations import (
    ColumnSet,
    Completeness,
    Condition,
    DistinctCount,
    Expectation,
    Fresh,
    References,
    RowCount,
    Statistic,
    Unique,
)
from lakewright.sql.checks_columns import unique_check
from lakewright.sql.checks_model import Check, problem
from lakewright.sql.names import column, identifier, literal, split_id
from lakewright.sql.query import bind, dependencies, parse_query

__all__ = ["check_dependencies", "expectation_checks"]

Relations = Callable[[str], exp.Table]

_SET = exp.AggFunc | exp.Window


class _Refused(Exception):
    """An expectation that cannot be compiled; carries what is shown."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


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
    for one in dataset.file.expect:
        severity = one.severity or on_violation
        try:
            yield from _compile(one, severity, columns, dataset.path, relations, now, received)
        except _Refused as error:
            problems.append(problem(error.code, f"{one.name}: {error.message}", dataset.path, error.remedy))
        except ProjectError as error:
            problems += [
                problem(p.code, f"{one.name}: {p.message}", dataset.path, p.remedy) for p in error.problems
            ]


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
            elif isinstance(one, Condition | Statistic):
                query = parse_query(f"SELECT {one.sql}", path=dataset.path)
                found.update(dict.fromkeys(dependencies(query)))
        except (_Refused, ProjectError):
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
    match one:
        case RowCount():
            words = f"the batch must have {_range(one.min, one.max)} rows"
            yield Check(
                one.label or "row_count", "row_count", (), severity, words, "dataset",
                measure=exp.Count(this=exp.Star()), minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case Fresh():
            yield _fresh(one, severity, columns, now)
        case References():
            for name, target in one.columns.items():
                yield _reference(one, severity, _known(name, columns), target, relations)
        case Unique():
            names = tuple(_known(name, columns) for name in one.columns)
            yield unique_check(names, severity, one.label)
        case Completeness():
            for written, share in one.columns.items():
                name = _known(written, columns)
                yield Check(
                    _labelled(one, f"{name}.completeness", name, len(one.columns)), "completeness", (name,),
                    severity, f"{name} must be present in at least {_percent(share)} of the rows", "dataset",
                    violated=exp.Is(this=column(name), expression=exp.Null()), mostly=share,
                )  # fmt: skip
        case Condition():
            yield _condition(one, severity, columns, path, relations)
        case Statistic():
            tree = _parsed(one.sql, columns, path, relations)
            if not _outer(tree, exp.AggFunc):
                raise _Refused(
                    "LW503",
                    f"{one.sql!r} is no aggregate, such as avg(total)",
                    "use condition for a rule on rows",
                )
            yield Check(
                one.label or f"statistic.{_slug(one.sql)}", "statistic", _columns_of(tree), severity,
                f"{one.sql} must be {_range(one.min, one.max)}", "dataset",
                measure=tree, minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case DistinctCount():
            name = _known(one.column, columns)
            yield Check(
                one.label or f"{name}.distinct_count", "distinct_count", (name,), severity,
                f"{name} must have {_range(one.min, one.max)} different values", "dataset",
                measure=exp.Count(this=exp.Distinct(expressions=[column(name)])),
                minimum=one.min, maximum=one.max,
            )  # fmt: skip
        case ColumnSet():
            yield _column_set(one, severity, received)
        case _:
            raise _Refused("LW503", "this expectation is not known")


def _fresh(one: Fresh, severity: Severity, columns: Mapping[str, str], now: datetime) -> Check:
    name = _known(one.column, columns)
    try:
        within = parse_duration(one.within)
    except ValueError as error:
        raise _Refused("LW501", f"within {one.within!r}: {error}") from None
    kind = columns[name].upper()
    if kind and not kind.startswith(("DATE", "TIMESTAMP")):
        raise _Refused("LW501", f"column {name!r} is {kind}, and freshness needs a date or timestamp")
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
        _labelled(one, f"{name}.references", name, len(one.columns)), "references", (name,), severity,
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
        raise _Refused("LW506", f"{text!r} is not zone.dataset.column")
    return dataset, name


def _condition(
    one: Condition, severity: Severity, columns: Mapping[str, str], path: str, relations: Relations
) -> Check:
    tree = _parsed(one.sql, columns, path, relations)
    for node in _outer(tree, _SET):
        what = "a window function" if isinstance(node, exp.Window) else "an aggregate"
        raise _Refused(
            "LW503",
            f"{one.sql!r} holds {what}, and a condition is about one row",
            "use statistic for aggregates",
        )
    label = one.label or f"condition.{_slug(one.sql)}"
    violated = exp.not_(exp.paren(tree, copy=False), copy=False)
    names = _columns_of(tree)
    if one.mostly is None:
        return Check(label, "condition", names, severity, f"{one.sql} must hold", "row", violated)
    words = f"{one.sql} must hold for at least {_percent(one.mostly)} of the rows"
    return Check(label, "condition", names, severity, words, "dataset", violated=violated, mostly=one.mostly)


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
    words = f"the input must have {'exactly ' if one.exact else ''}the columns {', '.join(one.names)}"
    words += " in this order" if one.ordered else ""
    words += f" ({'; '.join(faults)})" if faults else ""
    return Check(
        one.label or "columns", "columns", tuple(one.names), severity, words, "dataset",
        measure=literal(len(faults)), maximum=0,
    )  # fmt: skip


def _parsed(sql: str, columns: Mapping[str, str], path: str, relations: Relations) -> exp.Expr:
    """Return *sql* as one expression over *columns*: names checked and quoted, other datasets bound."""
    query = parse_query(f"SELECT {sql}", path=path)
    extras = [
        key for key, value in query.args.items() if value and key not in ("expressions", "kind", "hint")
    ]
    if not isinstance(query, exp.Select) or extras or len(query.expressions) != 1:
        raise _Refused("LW503", f"{sql!r} is not one expression")
    query = bind(query, {name: relations(name) for name in dependencies(query)})
    tree: exp.Expr = query.expressions[0]
    if isinstance(tree, exp.Alias | exp.Star) or (isinstance(tree, exp.Column) and tree.is_star):
        raise _Refused("LW503", f"{sql!r} is not a plain expression")
    known = {name.lower(): name for name in columns}
    for node in _outer(tree, exp.Column):
        _resolve(node, known)
    return tree.copy()


def _resolve(node: exp.Expr, known: Mapping[str, str]) -> None:
    parameters = {
        name.name.lower()
        for lam in _ancestors(node)
        if isinstance(lam, exp.Lambda)
        for name in lam.expressions
    }
    # `address.city` is a field of a struct: the first part is the column
    parts = node.parts if isinstance(node, exp.Column) else []
    first = parts[0]
    if first.name.lower() in parameters or isinstance(first, exp.Star):
        return
    if first.name.lower() not in known:
        raise _Refused(
            "LW502", f"no column {first.name!r}{nearest(first.name.lower(), known)}",
            f"the columns are {', '.join(known.values())}",
        )  # fmt: skip
    first.replace(identifier(known[first.name.lower()]))


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _outer(tree: exp.Expr, kind: object) -> list[exp.Expr]:
    """Return the nodes of *kind* that belong to the row itself, not to a subquery."""
    found = tree.walk(bfs=False, prune=lambda node: isinstance(node, exp.Query))
    return [node for node in found if isinstance(node, kind)]  # type: ignore[arg-type]


def _columns_of(tree: exp.Expr) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.parts[0].name for node in _outer(tree, exp.Column)))  # type: ignore[attr-defined]


def _known(written: str, columns: Mapping[str, str]) -> str:
    known = {name.lower(): name for name in columns}
    if written.lower() not in known:
        raise _Refused("LW502", f"no column {written!r}{nearest(written.lower(), known)}",
                       f"the columns are {', '.join(columns)}")  # fmt: skip
    return known[written.lower()]


def _labelled(one: Expectation, otherwise: str, name: str, count: int) -> str:
    if not one.label:
        return otherwise
    return one.label if count == 1 else f"{one.label}.{name}"


def _slug(sql: str, limit: int = 48) -> str:
    text = re.sub(r"[^0-9a-z]+", "_", sql.lower()).strip("_")
    return text[:limit].rstrip("_") or "sql"


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _range(low: float | int | None, high: float | int | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}" if low != high else f"exactly {low}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "any number of"
