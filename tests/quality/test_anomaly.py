"""Figures that stand out are found, and ordinary ones are left alone."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lakewright.quality.anomaly import LIMIT, MINIMUM_POINTS, anomalies, robust_z

HISTORY = [1000.0, 1010.0, 990.0, 1005.0, 995.0, 1002.0]


def test_a_figure_far_from_its_history_is_told() -> None:
    [found] = anomalies({"rows": HISTORY, "x.mean": [5.0] * 6}, {"rows": 400.0, "x.mean": 5.1, "new": 1.0})
    assert (found.metric, found.value, found.expected, found.points) == ("rows", 400.0, 1001.0, 6)
    assert found.z < -LIMIT
    assert found.sentence == "rows is 400, far less than the 1,001 of recent runs"


def test_few_points_prove_nothing() -> None:
    assert anomalies({"rows": HISTORY[: MINIMUM_POINTS - 1]}, {"rows": 0.0}) == ()
    assert anomalies({"rows": HISTORY[:MINIMUM_POINTS]}, {"rows": 0.0}) != ()


def test_a_figure_that_never_moved_is_told_once_it_moves_visibly() -> None:
    assert anomalies({"rows": [100.0] * 6}, {"rows": 104.0}) == ()
    assert anomalies({"rows": [100.0] * 6}, {"rows": 106.0}) != ()
    assert anomalies({"a.null_share": [0.0] * 6}, {"a.null_share": 0.004}) == ()
    assert anomalies({"a.null_share": [0.0] * 6}, {"a.null_share": 0.02}) != ()


def test_what_is_no_number_is_left_out() -> None:
    history = {"x": [*HISTORY, math.nan, math.inf]}
    assert anomalies(history, {"x": math.nan}) == ()
    [found] = anomalies(history, {"x": 0.0})
    assert found.points == 6


@given(st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=20))
def test_the_median_itself_is_never_unusual(history: list[float]) -> None:
    middle = sorted(history)[len(history) // 2]
    if len(history) % 2:
        assert robust_z(history, middle) == 0.0


@given(st.lists(st.floats(1, 1e6), min_size=5, max_size=20), st.floats(1e-3, 1e3), st.floats(1, 1e6))
def test_the_unit_does_not_matter(history: list[float], unit: float, value: float) -> None:
    plain = robust_z(history, value)
    scaled = robust_z([one * unit for one in history], value * unit)
    assert math.isclose(plain, scaled, rel_tol=1e-6, abs_tol=1e-6)
