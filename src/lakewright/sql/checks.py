"""Compile a dataset's rules into checks, and the statements that run them in one pass.

``min``, ``max``, ``in``, ``pattern`` and the like leave nulls alone: whether a value must be there is
``required``'s business. A ``pattern`` is an RE2 regular expression that must be found somewhere in the
value; write ``^…$`` for the whole value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lakewright.errors import Problem, ProjectError
from lakewright.spec.base import Severity
from lakewright.spec.dataset import Dataset
from lakewright.sql.checks_audit import audit_query, quarantines, reasons, violation_columns
from lakewright.sql.checks_columns import column_checks, key_checks
from lakewright.sql.checks_expect import Relations, check_dependencies, expectation_checks
from lakewright.sql.checks_keys import surplus_query
from lakewright.sql.checks_model import Check
from lakewright.sql.names import table

__all__ = [
    "Check",
    "audit_query",
    "check_dependencies",
    "compile_checks",
    "quarantines",
    "reasons",
    "surplus_query",
    "violation_columns",
]


def compile_checks(
    dataset: Dataset,
    columns: Mapping[str, str],
    *,
    on_violation: Severity,
    casts: Collection[str] = (),
    relations: Relations = table,
    now: datetime,
    received: Sequence[str] | None = None,
) -> tuple[Check, ...]:
    """Return every check of *dataset*, with ids that are unique and stable between runs.

    *columns* are the columns to judge, name → DuckDB type (``""`` where unknown). *casts* are those
    whose failed conversions the hidden column ``_failed`` records; leave it out for a table that is
    already published. *relations* gives the table to read for a dataset's id. *now* (with a zone)
    is what freshness counts from. *received* are the input's columns, in order, for the
    expectation ``columns``; by default those of *columns*.

    Raises ProjectError with every rule that cannot apply: LW501 to LW504 and LW506.
    """
    problems: list[Problem] = []
    found: list[Check] = []
    found += column_checks(dataset, columns, on_violation=on_violation, casts=casts, problems=problems)
    found += key_checks(dataset, columns, on_violation=on_violation)
    found += expectation_checks(
        dataset,
        columns,
        on_violation=on_violation,
        relations=relations,
        now=now,
        received=tuple(columns) if received is None else received,
        problems=problems,
    )
    if problems:
        raise ProjectError(problems)
    personal = {name.lower() for name, rules in dataset.file.columns.items() if rules.pii or rules.mask}
    return _distinct([_guarded(check, personal) for check in found])


def _guarded(check: Check, personal: Collection[str]) -> Check:
    """Mark a check whose measure is a value of a personal column, such as its maximum."""
    shows = check.kind in ("statistic", "fresh") and any(name.lower() in personal for name in check.columns)
    return replace(check, private=True) if shows else check


def _distinct(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Drop what is said twice (a column's key and an expectation of the same), number ids that clash."""
    kept: list[Check] = []
    taken: set[str] = set()
    keys: set[frozenset[str]] = set()
    for check in checks:
        if check.scope == "key":
            if frozenset(check.columns) in keys:
                continue
            keys.add(frozenset(check.columns))
        name, number = check.id, 1
        while name in taken:
            number += 1
            name = f"{check.id}_{number}"
        taken.add(name)
        kept.append(check if name == check.id else replace(check, id=name))
    return tuple(kept)
