"""Figures that stand out from a dataset's own history: robust z-scores by median and MAD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["LIMIT", "MINIMUM_POINTS", "Anomaly", "anomalies", "robust_z"]

#: With fewer earlier runs nothing is called unusual.
MINIMUM_POINTS = 5

# For a normal distribution the median absolute deviation is this share of the standard deviation
# (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
_MAD_TO_SIGMA = 0.6745

# Their rule of thumb for what to look at.
LIMIT = 3.5

# A figure that hardly moves has no spread of its own; a change within this share of it is no news,
# nor is one of this size in a share, whose scale is 0 to 1.
_SMALLEST_CHANGE = 0.05
_SMALLEST_SHARE = 0.005


@dataclass(frozen=True)
class Anomaly:
    """A metric whose ``value`` lies ``z`` robust deviations from ``expected``, the median of ``points`` runs."""

    metric: str
    value: float
    expected: float
    z: float
    points: int

    @property
    def sentence(self) -> str:
        """What a reader is told."""
        way = "more" if self.z > 0 else "less"
        return f"{self.metric} is {_shown(self.value)}, far {way} than the {_shown(self.expected)} of recent runs"


def robust_z(history: Sequence[float], value: float, *, least: float = 0.0) -> float:
    """Return ``0.6745 (value − median) / MAD`` over *history*.

    Where more than half of the history is one same value, the MAD is 0. So it is taken to be at
    least what makes a change by *least*, or by a twentieth of the median, just unusual.
    """
    middle = median(history)
    spread = median(abs(one - middle) for one in history)
    smallest = max(_SMALLEST_CHANGE * abs(middle), least)
    return _MAD_TO_SIGMA * (value - middle) / max(spread, _MAD_TO_SIGMA * smallest / LIMIT, 1e-12)


def anomalies(
    history: Mapping[str, Sequence[float]], current: Mapping[str, float], *, limit: float = LIMIT
) -> tuple[Anomaly, ...]:
    """Return the metrics of *current* that stand out from *history* (values of earlier runs), worst first."""
    found = []
    for metric, value in current.items():
        earlier = [one for one in history.get(metric, ()) if math.isfinite(one)]
        if len(earlier) < MINIMUM_POINTS or not math.isfinite(value):
            continue
        z = robust_z(earlier, value, least=_SMALLEST_SHARE if metric.endswith("share") else 0.0)
        if abs(z) > limit:
            found.append(Anomaly(metric, value, median(earlier), z, len(earlier)))
    return tuple(sorted(found, key=lambda one: -abs(one.z)))


def _shown(value: float) -> str:
    return f"{round(value):,}" if abs(value) >= 1000 else f"{value:.4g}"
