"""From the audit's one row to results in words: what each check found, and the share of good rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from lakewright.spec.base import Severity
from lakewright.sql.checks import Check
from lakewright.sql.checks_audit import AUDIT_BAD, AUDIT_ROWS, audit_column, judged_column

__all__ = ["MASK", "CheckResult", "results", "score"]

#: What stands in place of a personal value.
MASK = "•••"


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    ``evaluated`` rows were judged and ``violations`` of them break it; ``percent`` is the share that
    does not, 0 to 100 (100 for no rows). A check of the whole dataset has ``observed``, the value
    measured, as text, and breaks all or nothing unless it counts rows.
    """

    check_id: str
    kind: str
    columns: tuple[str, ...]
    severity: Severity
    sentence: str
    scope: str
    evaluated: int
    violations: int
    percent: float
    observed: str
    passed: bool


def score(rows: int, bad: int) -> float:
    """Return the share of *rows* that are not *bad*, 0 to 1; 1 when there are none to judge."""
    if rows <= 0:
        return 1.0
    return min(1.0, max(0.0, (rows - bad) / rows))


def results(checks: Sequence[Check], audit: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    """Return the result of each check, in order, from the *audit*'s row by column name."""
    rows = int(audit[AUDIT_ROWS])
    return tuple(
        _result(check, int(audit.get(judged_column(index), rows) or 0), audit[audit_column(index)])
        for index, check in enumerate(checks)
    )


def counts(audit: Mapping[str, Any]) -> tuple[int, int]:
    """Return the rows that were judged and how many of them may not be published."""
    return int(audit[AUDIT_ROWS]), int(audit[AUDIT_BAD])


def _result(check: Check, rows: int, value: Any) -> CheckResult:
    if check.scope in ("row", "key"):
        violations = int(value or 0)
        return _made(check, rows, violations, _percent(rows, violations), "", violations == 0)
    if check.mostly is not None:
        violations = int(value or 0)
        percent = _percent(rows, violations)
        # compared as counts: 0.95 of 20 rows is 19, whatever the division of floats says
        slack = 1e-9 * max(rows, 1)
        least = check.mostly * rows
        good = rows - violations
        passed = not rows or (good > least + slack if check.open_low else good >= least - slack)
        return _made(check, rows, violations, percent, f"{percent:.2f} %", passed)
    passed = _within(check, rows, value)
    return _made(check, rows, 0 if passed else rows, 100.0 if passed else 0.0, _text(check, value), passed)


def _made(
    check: Check, rows: int, violations: int, percent: float, observed: str, passed: bool
) -> CheckResult:
    return CheckResult(
        check.id, check.kind, check.columns, check.severity, check.sentence, check.scope, rows, violations,
        percent, observed, passed,
    )  # fmt: skip


def _percent(rows: int, violations: int) -> float:
    """Return the share of good rows; 100 only when all are good."""
    return 100.0 if rows <= 0 or violations == 0 else 100.0 * (rows - violations) / rows


def _within(check: Check, rows: int, value: Any) -> bool:
    if value is None:
        # an aggregate over rows that holds nothing is no proof; without rows there is nothing to prove
        return rows == 0
    if check.kind == "fresh":
        return isinstance(check.minimum, datetime) and _no_older(value, check.minimum)
    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, int | float | Decimal | str | date | time):
        return False
    if value != value:  # not a number lies in no range
        return False
    low, high = _bound(check.minimum, value), _bound(check.maximum, value)
    try:
        return not (
            (low is not None and (value < low or (check.open_low and value == low)))
            or (high is not None and (value > high or (check.open_high and value == high)))
        )
    except TypeError:  # a number against a text, a date against a number
        return False


def _bound(bound: Any, value: Any) -> Any:
    """Return *bound* as something that *value* can be compared with; times of dates without a zone count as UTC."""
    if isinstance(value, Decimal) and isinstance(bound, int | float):
        # 0.1 is written in a project as a decimal, and its nearest binary number lies above it
        return Decimal(repr(bound))
    if isinstance(value, date | time) and isinstance(bound, str):
        read = type(value).fromisoformat(bound)
        if isinstance(read, datetime) and isinstance(value, datetime) and value.tzinfo and not read.tzinfo:
            return read.replace(tzinfo=UTC)
        return read
    return bound


def _no_older(newest: Any, limit: datetime) -> bool:
    if isinstance(newest, datetime):
        aware = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
        return aware >= limit
    if isinstance(newest, date):
        # a date stands for its whole day
        return datetime.combine(newest, time.max, tzinfo=UTC) >= limit
    return False


def _text(check: Check, value: Any) -> str:
    if value is None:
        return "no value"
    if check.private:
        return MASK
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)
