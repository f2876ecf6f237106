"""`run`: build what is new."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakewright.app.plan import make_plan, request_of
from lakewright.app.platform import Platform
from lakewright.app.text import lines_of
from lakewright.catalog.openlineage import Kind
from lakewright.errors import CODES, RunError
from lakewright.plan.select import select as choose
from lakewright.run.execute import tasks_of
from lakewright.run.outcome import RunResult, TaskOutcome, TaskResult
from lakewright.run.report import write_report
from lakewright.run.runner import run_graph
from lakewright.run.tell import tell_run
from lakewright.sql.names import quarantine_id

if TYPE_CHECKING:
    from lakewright.run.events import Event

__all__ = ["RunReport", "TaskReport", "run"]


#: Seconds to wait for another run that builds the same dataset: runs started by the clock may overlap.
LEASE_WAIT = 600.0


@dataclass(frozen=True)
class TaskReport:
    """How one task ended: ``read`` = ``rows`` + ``quarantined`` + ``removed`` where all are known."""

    task: str
    status: str
    reason: str
    attempts: int
    read: int | None
    rows: int | None
    quarantined: int | None
    removed: int | None
    score: float | None
    bytes: int | None
    seconds: float | None
    quarantine: str
    notes: tuple[str, ...]
    code: str
    error: str


@dataclass(frozen=True, repr=False)
class RunReport:
    """How a run ended. ``report`` is the path of the HTML report, empty when nothing was built."""

    id: str
    status: str
    exit_code: int
    seconds: float | None
    tasks: tuple[TaskReport, ...]
    report: str = ""
    repeated: bool = False

    def __getitem__(self, task: str) -> TaskReport:
        """Return the report of one task, by id. Raises KeyError when the run had none of that id."""
        for one in self.tasks:
            if one.task == task:
                return one
        raise KeyError(task)

    def __repr__(self) -> str:
        names = ("task", "status", "read", "rows", "quarantined", "score", "error")
        lines = [
            (
                one.task,
                one.status,
                *("" if value is None else value for value in (one.read, one.rows, one.quarantined)),
                "" if one.score is None else f"{one.score:.4f}",
                one.error.partition("\n")[0],
            )
            for one in self.tasks
        ]
        return f"run {self.id}: {self.status}\n{lines_of(names, lines)}"

    def raise_for_status(self) -> RunReport:
        """Raise RunError when the run did not succeed, else return the report itself."""
        for one in self.tasks:
            if one.error:
                raise RunError(one.code if one.code in CODES else "LW610", f"{one.task}: {one.error}")
        if self.status != "succeeded":
            raise RunError("LW610", f"run {self.id} ended {self.status}")
        return self


def run(
    platform: Platform,
    select: Sequence[str] = (),
    *,
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    backfill: str | None = None,
    accept_gaps: bool = False,
    from_failed: bool = False,
    idempotency_key: str | None = None,
    on_event: Callable[[Event], None] | None = None,
    cancel: threading.Event | None = None,
) -> RunReport:
    """Build what is new among what *select* chooses, and say how it went.

    Tasks whose upstream ended well run side by side. *from_failed* takes up what the last run left
    undone. *accept_gaps* makes tables anew though raw files are expired (else RunError LW440 in the report):
    their rows stay where rows are appended or merged. Setting *cancel* stops the run; what was committed stays, nothing else is visible.
    """
    request = request_of(full_refresh, backfill, accept_gaps=accept_gaps)
    services, journal = platform.services, platform.journal
    parent: str | None = None
    if from_failed:
        last = journal.run()
        parent = last.id
        known = set(platform.graph.nodes)
        ids: tuple[str, ...] = platform.graph.order(
            [one for one in journal.left_to_do(last.id) if one in known]
        )
    else:
        ids = choose(platform.graph, platform.project, select, exclude=exclude)
    started = journal.start_run(
        project=platform.project.file.name,
        target=platform.project.target,
        selection=select,
        parameters={
            "full_refresh": full_refresh,
            "backfill": backfill,
            "accept_gaps": accept_gaps,
            "exclude": list(exclude),
        },
        key=idempotency_key,
        parent=parent,
    )
    if isinstance(started, RunResult):
        return _report(platform, started, "")
    with started as recorder:
        plans, _ = make_plan(platform, ids, request)
        tasks = tasks_of(services, platform.graph, plans, request)
        settled = {
            one.id: TaskOutcome("skipped" if one.blocked else "unchanged", reason=one.reason)
            for one in plans
            if one.id not in tasks
        }
        tell_run(services, "START", recorder.id)
        result = run_graph(
            tasks,
            {one.id: one.upstream for one in plans},
            recorder,
            after={one.id: one.after for one in plans},
            settled=settled,
            workers=platform.project.file.engine.workers,
            pools=platform.project.file.engine.pools,
            cancel=cancel,
            on_event=on_event,
            lease_wait=LEASE_WAIT,
        )
        ended: dict[str, Kind] = {"succeeded": "COMPLETE", "cancelled": "ABORT"}
        tell_run(services, ended.get(result.status, "FAIL"), result.id)
        path = (
            write_report(services, result)
            if any(one.status != "unchanged" for one in result.tasks.values())
            else ""
        )
    return _report(platform, result, path)


def _report(platform: Platform, result: RunResult, path: str) -> RunReport:
    return RunReport(
        id=result.id,
        status=result.status,
        exit_code=result.exit_code,
        seconds=result.seconds,
        tasks=tuple(_task(one) for one in result.tasks.values()),
        report=path,
        repeated=result.repeated,
    )


def _task(one: TaskResult) -> TaskReport:
    details = one.outcome.details
    notes = details.get("notes") or ()
    return TaskReport(
        task=one.task,
        status=one.status,
        reason=one.reason or one.outcome.reason,
        attempts=one.attempts,
        read=_number(details.get("read")),
        rows=one.outcome.rows,
        quarantined=one.outcome.quarantined,
        removed=_number(details.get("removed")),
        score=one.outcome.score,
        bytes=one.outcome.bytes,
        seconds=one.seconds,
        quarantine=quarantine_id(one.task) if one.outcome.quarantined else "",
        notes=tuple(str(line) for line in notes) if isinstance(notes, list | tuple) else (),
        code=one.code,
        error=one.message,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
