"""Score, results and gate: what passes, what is refused, and in which words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.errors import GateError
from lakewright.quality.gate import judge, refuse
from lakewright.quality.score import results, score
from lakewright.spec.base import Severity
from lakewright.sql.checks import Check


def check(scope: Any = "row", severity: Severity = "quarantine", **more: Any) -> Check:
    return Check(
        more.pop("id", "c"), more.pop("kind", scope), ("a",), severity, "a must be good", scope, **more
    )


def audit(rows: int, bad: int, *values: Any) -> dict[str, Any]:
    return {"rows": rows, "bad_rows": bad, **{f"check_{place}": value for place, value in enumerate(values)}}


def test_a_batch_above_its_threshold_passes() -> None:
    verdict = judge([check()], audit(100, 5, 5), 0.95)
    assert (verdict.passed, verdict.score, verdict.good_rows) == (True, 0.95, 95)
    [result] = verdict.results
    assert (result.violations, result.evaluated, result.percent, result.passed) == (5, 100, 95.0, False)
    assert verdict.failed == (result,)


def test_a_batch_below_its_threshold_is_refused_in_words_that_do_not_round_it_up() -> None:
    verdict = judge([check()], audit(1_000_000, 50_001, 50_001), 0.95)
    assert not verdict.passed
    assert verdict.reasons == (
        "94.9999 % of the rows are good, and the threshold is 95 % (50,001 of 1,000,000 rows break checks)",
    )
    error = refuse("processed.orders", verdict)
    assert isinstance(error, GateError)
    assert (error.code, error.exit_code) == ("LW505", 3)
    assert error.problem.tried == ("c: 50,001 of 1,000,000 rows break it",)


@pytest.mark.parametrize(
    ("scope", "severity", "passes"),
    [
        ("row", "warn", True), ("row", "quarantine", True), ("row", "fail", False),
        ("key", "quarantine", True), ("key", "fail", False),
        ("dataset", "warn", True), ("dataset", "quarantine", False), ("dataset", "fail", False),
    ],
)  # fmt: skip
def test_what_a_broken_check_does_follows_from_scope_and_severity(
    scope: str, severity: Severity, passes: bool
) -> None:
    broken = check(scope, severity, minimum=1 if scope == "dataset" else None)
    verdict = judge([broken], audit(100, 0, 0 if scope == "dataset" else 3), 0.5)
    assert verdict.passed is passes
    assert bool(verdict.reasons) is not passes
    assert len(verdict.failed) == 1


def test_no_rows_are_all_good() -> None:
    verdict = judge([check(), check("dataset", measure=None, minimum=5)], audit(0, 0, 0, None), 1.0)
    assert (verdict.passed, verdict.score) == (True, 1.0)


@pytest.mark.parametrize(
    ("value", "low", "high", "passed"),
    [
        (5, 1, 10, True), (1, 1, None, True), (0, 1, None, False), (11, None, 10, False),
        (Decimal("0.10"), 0.1, None, True), (float("nan"), 0, 1, False), (float("inf"), 0, None, True),
        (None, 0, None, False), (True, 1, 1, True), ("text", 0, 1, False), (2**70, None, 2**69, False),
    ],
)  # fmt: skip
def test_a_measure_lies_in_its_range(value: Any, low: Any, high: Any, passed: bool) -> None:
    [result] = results([check("dataset", kind="statistic", minimum=low, maximum=high)], audit(3, 0, value))
    assert result.passed is passed
    assert result.percent == (100.0 if passed else 0.0)


LIMIT = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("newest", "passed"),
    [
        (date(2024, 6, 1), True),  # a date stands for its whole day
        (date(2024, 5, 31), False),
        (datetime(2024, 6, 1, 12), True),
        (datetime(2024, 6, 1, 11, 59), False),
        (datetime(2024, 6, 1, 14, 30, tzinfo=timezone(timedelta(hours=2))), True),
        (datetime(2024, 6, 1, 13, 30, tzinfo=timezone(timedelta(hours=2))), False),
        ("2024-06-02", False),
        (None, False),
    ],
)
def test_freshness_knows_dates_and_zones(newest: Any, passed: bool) -> None:
    [result] = results([check("dataset", kind="fresh", minimum=LIMIT)], audit(3, 0, newest))
    assert result.passed is passed


@pytest.mark.parametrize(("violations", "passed"), [(0, True), (1, True), (2, False)])
def test_mostly_is_compared_as_counts(violations: int, passed: bool) -> None:
    # 0.95 × 20 is 19 rows, although 0.95 has no exact binary form
    [result] = results([check("dataset", kind="completeness", mostly=0.95)], audit(20, 0, violations))
    assert (result.passed, result.violations) == (passed, violations)
    assert result.observed == f"{100 - 5 * violations:.2f} %"


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_score_is_a_share(rows: int, bad: int) -> None:
    value = score(rows, bad)
    assert 0.0 <= value <= 1.0
    assert value < 1.0 or bad == 0 or rows == 0 or bad / rows < 1e-15


@given(st.integers(1, 10**12).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows))))
def test_percentages_of_holding_and_violating_add_up(counted: tuple[int, int]) -> None:
    rows, violations = counted
    [result] = results([check()], audit(rows, 0, violations))
    assert result.percent + 100 * violations / rows == pytest.approx(100)
    assert (result.percent == 100) is (violations == 0)
    assert 0 <= result.percent <= 100


def test_a_personal_measure_is_judged_but_not_told() -> None:
    broken = check("dataset", kind="statistic", minimum=100, private=True)
    verdict = judge([broken], audit(3, 0, 61), 0.5)
    assert not verdict.passed
    assert "61" not in repr(verdict) + str(refuse("a.b", verdict))
    assert verdict.results[0].observed == "•••"
