"""Results kept in the state: read back as saved, replaced by a second attempt, trended oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakewright.quality.gate import Verdict
from lakewright.quality.results import check_trend, latest, load, metrics_history, save, trend
from lakewright.quality.score import CheckResult
from lakewright.state import State

AT = datetime(2024, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)
CHECK = CheckResult(
    "a.min", "min", ("a", "ü"), "quarantine", "a must be at least 1", "row", 10, 2, 80.0, "", False
)
VERDICT = Verdict(0.8, 0.9, False, 10, 2, (CHECK, replace(CHECK, check_id="b", passed=True)), ("too few",))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State("sqlite:state.db", tmp_path)
    yield state
    state.close()


def test_what_is_saved_is_loaded(state: State) -> None:
    save(state, "r1", "processed.orders", VERDICT, batch=3, metrics={"rows": 10.0}, at=AT)
    [audit] = load(state, "r1")
    assert (audit.dataset, audit.batch, audit.at, audit.verdict) == ("processed.orders", 3, AT, VERDICT)
    assert audit.metrics == {"rows": 10.0}
    assert latest(state, "processed.orders") == audit
    assert load(state, "r2") == ()
    assert latest(state, "other") is None


def test_a_second_attempt_replaces_the_first(state: State) -> None:
    save(state, "r1", "d", VERDICT, at=AT)
    better = replace(VERDICT, score=1.0, passed=True, results=(CHECK,), reasons=())
    save(state, "r1", "d", better, at=AT)
    [audit] = load(state, "r1")
    assert audit.verdict == better
    assert len(trend(state, "d")) == 1


def test_a_trend_is_the_last_runs_oldest_first(state: State) -> None:
    for number in range(5):
        check = replace(CHECK, percent=float(number))
        verdict = replace(VERDICT, score=number / 10, results=(check,), passed=number != 2)
        save(
            state, f"r{number}", "d", verdict, metrics={"rows": float(number)}, at=AT + timedelta(days=number)
        )
    points = trend(state, "d", limit=3)
    assert [(one.run_id, one.score) for one in points] == [("r2", 0.2), ("r3", 0.3), ("r4", 0.4)]
    assert points[-1].at == AT + timedelta(days=4)
    assert [value for _, value in check_trend(state, "d", "a.min", limit=2)] == [3.0, 4.0]
    # a batch that was refused is no example of how a good one looks
    assert metrics_history(state, "d") == {"rows": (0.0, 1.0, 3.0, 4.0)}
