"""`runs` and `logs`: the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lakewright.app.platform import Platform
from lakewright.observe import LogLine
from lakewright.run.history import RunInfo

__all__ = ["RunDetail", "RunLine", "TaskLine", "logs", "run_detail", "runs"]


@dataclass(frozen=True)
class RunLine:
    """One run in the list of runs."""

    id: str
    status: str
    started: datetime
    seconds: float | None
    built: int
    unchanged: int
    failed: int
    selection: tuple[str, ...]
    user: str
    parent: str | None


@dataclass(frozen=True)
class TaskLine:
    """One task of a run. ``plan`` says why it was to be run."""

    task: str
    status: str
    attempts: int
    rows: int | None
    quarantined: int | None
    seconds: float | None
    plan: str
    code: str
    message: str


@dataclass(frozen=True)
class RunDetail:
    """A run with its tasks, in the order in which they were planned."""

    run: RunLine
    tasks: tuple[TaskLine, ...]


def runs(platform: Platform, limit: int = 20) -> tuple[RunLine, ...]:
    """Return the last runs, newest first."""
    return tuple(_line(one) for one in platform.journal.runs(limit=limit))


def run_detail(platform: Platform, run: str = "last") -> RunDetail:
    """Return one run, by id, a beginning of it, or ``last``. Raises LW616 when there is none."""
    info = platform.journal.run(run)
    tasks = tuple(
        TaskLine(
            one.result.task,
            one.result.status,
            one.result.attempts,
            one.result.outcome.rows,
            one.result.outcome.quarantined,
            one.result.seconds,
            one.plan,
            one.result.code,
            (one.result.message or one.result.reason).split("\n")[0],
        )
        for one in platform.journal.tasks(info.id)
    )
    return RunDetail(_line(info), tasks)


def logs(
    platform: Platform, run: str = "last", *, task: str | None = None, level: str = "info"
) -> tuple[LogLine, ...]:
    """Return what a run logged, all tasks or one, from *level* on."""
    wanted = platform.dataset_id(task) if task else None
    return tuple(line for _, line in platform.journal.logs(run, task=wanted, level=level))


def _line(one: RunInfo) -> RunLine:
    return RunLine(
        one.id,
        one.status,
        one.started,
        one.seconds,
        one.counts.get("built", 0),
        one.counts.get("unchanged", 0),
        one.counts.get("failed", 0),
        one.selection,
        one.user,
        one.parent,
    )
