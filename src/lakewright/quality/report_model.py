"""What a report is made of: one run, and for each dataset its audit, trend, profile and samples."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lakewright.quality.anomaly import Anomaly
from lakewright.quality.profile_model import Profile
from lakewright.quality.results import Audit, Point
from lakewright.quality.samples import Sample

__all__ = ["DatasetReport", "Light", "RunReport"]

#: How a dataset stands: published with nothing to say, published but worth a look, not published.
Light = Literal["good", "look", "stop"]


@dataclass(frozen=True)
class DatasetReport:
    """One dataset in a report.

    ``flow`` says where the rows went: the first entry is how many were read, the others are where
    they are now and add up to it. ``pii`` are columns whose values must not be shown.
    ``error`` is why it was not built, when it failed for another reason than its quality.
    """

    dataset: str
    audit: Audit | None = None
    trend: tuple[Point, ...] = ()
    profile: Profile | None = None
    sample: Sample | None = None
    anomalies: tuple[Anomaly, ...] = ()
    flow: tuple[tuple[str, int], ...] = ()
    pii: Collection[str] = ()
    description: str = ""
    owner: str = ""
    error: str = ""

    @property
    def light(self) -> Light:
        """``stop`` when the gate refused or the build failed, ``look`` for any violation or anomaly."""
        if self.error or (self.audit is not None and not self.audit.verdict.passed):
            return "stop"
        if self.anomalies:
            return "look"
        if self.audit is not None and (self.audit.verdict.bad_rows or self.audit.verdict.failed):
            return "look"
        return "good"


@dataclass(frozen=True)
class RunReport:
    """A run: ``status`` is what the journal says of it (``succeeded``, ``failed``, …)."""

    project: str
    run_id: str
    started: datetime
    finished: datetime | None = None
    status: str = ""
    target: str = ""
    datasets: tuple[DatasetReport, ...] = field(default=())

    @property
    def light(self) -> Light:
        """The worst of its datasets."""
        lights = {one.light for one in self.datasets}
        return "stop" if "stop" in lights else "look" if "look" in lights else "good"
