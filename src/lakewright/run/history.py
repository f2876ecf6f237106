"""Ask the journal: which runs there were, how their tasks went, what they logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lakewright.errors import NotFoundError, nearest
from lakewright.observe import LogLine
from lakewright.run.events import Event
from lakewright.run.outcome import RunResult, TaskOutcome, TaskResult
from lakewright.run.tables import ATTEMPTS, EVENTS, JOURNAL, LOGS, RUNS, TASKS
from lakewright.state import State

__all__ = ["LATEST", "LEVELS", "Attempt", "History", "RunInfo", "TaskInfo"]

#: Stands for the id of the newest run (upkeep of the lake does not count).
LATEST = "last"

#: Levels of log lines, the least grave first.
LEVELS = ("debug", "info", "warning", "error", "critical")

_LEFT_TO_DO = ("failed", "skipped", "cancelled", "interrupted", "pending", "running")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as the list of runs shows it; ``counts`` has the number of tasks by how they ended.

    ``kind`` is ``run`` or ``upkeep``; of upkeep, ``parameters`` tell ``what``.
    """

    id: str
    kind: str
    project: str
    target: str
    status: str
    started: datetime
    ended: datetime | None
    selection: tuple[str, ...]
    parameters: Mapping[str, object]
    counts: Mapping[str, int]
    user: str
    host: str
    pid: int
    version: str
    parent: str | None
    key: str | None
    message: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended - self.started).total_seconds() if self.ended else None


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task of a run: why it was planned, and how it ended."""

    run: str
    plan: str
    result: TaskResult


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a task."""

    task: str
    attempt: int
    status: str
    started: datetime
    ended: datetime | None
    code: str | None
    message: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended - self.started).total_seconds() if self.ended else None


class History:
    """Questions to the journal in *state*. A run is named by its id, a beginning of it, or ``last``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def runs(
        self,
        *,
        limit: int = 20,
        status: str | None = None,
        project: str | None = None,
        target: str | None = None,
    ) -> tuple[RunInfo, ...]:
        """The last runs, newest first."""
        query = RUNS.select().order_by(RUNS.c.started.desc(), RUNS.c.id.desc()).limit(limit)
        for column, value in ((RUNS.c.status, status), (RUNS.c.project, project), (RUNS.c.target, target)):
            if value is not None:
                query = query.where(column == value)
        with self._state.read(*JOURNAL) as connection:
            return tuple(_run(row) for row in connection.execute(query))

    def run(self, name: str = LATEST) -> RunInfo:
        """The run called *name*. Raises NotFoundError LW616."""
        with self._state.read(*JOURNAL) as connection:
            id = self._id(connection, name)
            return _run(connection.execute(RUNS.select().where(RUNS.c.id == id)).one())

    def tasks(self, name: str = LATEST) -> tuple[TaskInfo, ...]:
        """The tasks of a run, in the order in which they were planned."""
        with self._state.read(*JOURNAL) as connection:
            id = self._id(connection, name)
            query = TASKS.select().where(TASKS.c.run_id == id).order_by(TASKS.c.place)
            return tuple(_task(row) for row in connection.execute(query))

    def result(self, name: str = LATEST) -> RunResult:
        """How a run ended, as the run itself returned it."""
        run = self.run(name)
        tasks = {one.result.task: one.result for one in self.tasks(run.id)}
        return RunResult(run.id, run.status, tasks, run.started, run.ended)  # type: ignore[arg-type]

    def attempts(self, name: str = LATEST, task: str | None = None) -> tuple[Attempt, ...]:
        """The attempts of a run, or of one task of it, in order."""
        with self._state.read(*JOURNAL) as connection:
            query = ATTEMPTS.select().where(ATTEMPTS.c.run_id == self._id(connection, name))
            if task is not None:
                query = query.where(ATTEMPTS.c.task == task)
            rows = connection.execute(query.order_by(ATTEMPTS.c.started, ATTEMPTS.c.task, ATTEMPTS.c.attempt))
            return tuple(
                Attempt(row.task, row.attempt, row.status, row.started, row.ended, row.code, row.message)
                for row in rows
            )

    def events(self, name: str = LATEST, *, after: int = 0) -> tuple[tuple[int, Event], ...]:
        """The events of a run after number *after*, each with its number."""
        with self._state.read(*JOURNAL) as connection:
            query = EVENTS.select().where(
                EVENTS.c.run_id == self._id(connection, name), EVENTS.c.number > after
            )
            return tuple(
                (row.number, Event(row.kind, row.run_id, row.task, row.attempt, row.at, row.data))
                for row in connection.execute(query.order_by(EVENTS.c.number))
            )

    def logs(
        self,
        name: str = LATEST,
        *,
        task: str | None = None,
        level: str = "debug",
        after: int = 0,
        limit: int | None = None,
    ) -> tuple[tuple[int, LogLine], ...]:
        """The log of a run from *level* up, after line number *after*, each line with its number."""
        with self._state.read(*JOURNAL) as connection:
            query = LOGS.select().where(LOGS.c.run_id == self._id(connection, name), LOGS.c.number > after)
            if task is not None:
                query = query.where(LOGS.c.task == task)
            if level in LEVELS:
                query = query.where(LOGS.c.level.in_(LEVELS[LEVELS.index(level) :]))
            rows = connection.execute(query.order_by(LOGS.c.number).limit(limit))
            return tuple(
                (
                    row.number,
                    LogLine(row.at, row.level, row.run_id, row.task, row.attempt, row.message, row.fields),
                )
                for row in rows
            )

    def of_task(self, task: str, *, limit: int = 20) -> tuple[TaskInfo, ...]:
        """The last times that *task* was carried out (not merely found up to date), newest first."""
        query = (
            TASKS.select()
            .join(RUNS, RUNS.c.id == TASKS.c.run_id)
            .where(TASKS.c.task == task, TASKS.c.attempts > 0)
            .order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
            .limit(limit)
        )
        with self._state.read(*JOURNAL) as connection:
            return tuple(_task(row) for row in connection.execute(query))

    def left_to_do(self, name: str = LATEST) -> tuple[str, ...]:
        """The tasks of a run that did not end well: failed, skipped, cancelled or interrupted, in order."""
        return tuple(one.result.task for one in self.tasks(name) if one.result.status in _LEFT_TO_DO)

    def _id(self, connection: sa.Connection, name: str) -> str:
        newest = sa.select(RUNS.c.id).order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
        if name == LATEST:
            id: str | None = connection.scalar(newest.where(RUNS.c.kind == "run").limit(1))
            if id is None:
                raise NotFoundError("LW616", "there is no run yet", remedy="start one with `lakewright run`")
            return id
        found = list(connection.scalars(newest.where(RUNS.c.id.startswith(name, autoescape=True)).limit(3)))
        if name in found or len(found) == 1:
            return name if name in found else found[0]
        if found:
            raise NotFoundError("LW616", f"{name!r} may be run {found[0]}, {found[1]} or another one")
        known = connection.scalars(newest.limit(200)).all()
        raise NotFoundError("LW616", f"there is no run {name!r}{nearest(name, known)}")


def _run(row: sa.Row[tuple[object, ...]]) -> RunInfo:
    one = row._mapping
    return RunInfo(
        id=one["id"],
        kind=one["kind"],
        project=one["project"],
        target=one["target"],
        status=one["status"],
        started=one["started"],
        ended=one["ended"],
        selection=tuple(one["selection"]),
        parameters=one["parameters"],
        counts=one["counts"],
        user=one["os_user"],
        host=one["host"],
        pid=one["pid"],
        version=one["version"],
        parent=one["parent"],
        key=one["key"],
        message=one["message"],
    )


def _task(row: sa.Row[tuple[object, ...]]) -> TaskInfo:
    one = row._mapping
    outcome = TaskOutcome(
        status=one["status"] if one["status"] in ("unchanged", "skipped") else "built",
        rows=one["rows"],
        quarantined=one["quarantined"],
        bytes=one["bytes"],
        score=one["score"],
        reason=one["reason"] or "",
        details=one["details"],
    )
    result = TaskResult(
        task=one["task"],
        status=one["status"],
        attempts=one["attempts"],
        started=one["started"],
        ended=one["ended"],
        outcome=outcome,
        reason=one["reason"] or "",
        code=one["code"] or "",
        message=one["message"] or "",
    )
    return TaskInfo(one["run_id"], one["plan"] or "", result)
