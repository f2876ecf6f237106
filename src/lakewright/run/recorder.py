"""Write down one run as it goes: tasks, attempts, events and logs, gathered into few transactions.

What is not yet written when the process dies is lost to the history, never to the lake: what a
task has published is known from the lake itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lakewright.errors import LakewrightError
from lakewright.observe import LogLine, Redactor, RunLog, TaskLog, task_scope
from lakewright.run.events import Event
from lakewright.run.lease import LEASES, Leases
from lakewright.run.outcome import RunResult, RunStatus, TaskResult
from lakewright.run.tables import ATTEMPTS, EVENTS, JOURNAL, LOGS, RUNS, TASKS
from lakewright.state import State, now

__all__ = ["Recorder"]

# How old unwritten records get, in seconds.
_PATIENCE = 0.25

_Row = dict[str, object]


class Recorder:
    """The record of run ``id`` while it goes on; made by :meth:`Journal.start_run`.

    A context manager: what is logged inside belongs to the run, and leaving it ends the run (as
    failed where an error leaves it, as cancelled where Ctrl-C does) unless :meth:`finish` was called.
    Safe to use from several threads.
    """

    def __init__(
        self,
        state: State,
        *,
        id: str,
        project: str,
        target: str,
        started: datetime,
        leases: Leases,
        redactor: Redactor,
        log_file: Path | None,
        log_level: str,
    ) -> None:
        self.id = id
        self.project = project
        self.target = target
        self.started = started
        self.leases = leases
        self.redactor = redactor
        self.log_file = log_file
        self.result: RunResult | None = None
        self._state = state
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._tasks: dict[str, _Row] = {}
        self._attempts: dict[tuple[str, int], _Row] = {}
        self._events: list[_Row] = []
        self._logs: list[_Row] = []
        self._new: list[_Row] = []
        self._written = time.monotonic()
        self._log = RunLog(id, file=log_file, sink=self.log, level=log_level, redactor=redactor)

    def __enter__(self) -> Recorder:
        self._log.__enter__()
        self._scope = task_scope(self.id)
        self._scope.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if self.result is None:
                if error is not None and not isinstance(error, KeyboardInterrupt):
                    TaskLog().error("the run ended with an error", error=error)
                status: RunStatus = "failed" if error else "succeeded"
                if isinstance(error, KeyboardInterrupt):
                    status = "cancelled"
                self.finish(RunResult(self.id, status, {}, self.started, now()), message=str(error or ""))
        finally:
            self._scope.__exit__(None, None, None)
            self._log.__exit__()

    def planned(self, tasks: Iterable[TaskResult], reasons: Mapping[str, str]) -> None:
        """Write the run's tasks, in order: ``pending``, or already ended where nothing is to be done."""
        with self._lock:
            for place, one in enumerate(tasks):
                row = self._result_row(one)
                row |= {"run_id": self.id, "task": one.task, "place": place}
                row["plan"] = self._text(reasons.get(one.task, ""))
                self._new.append(row)

    def attempt_started(self, task: str, attempt: int, at: datetime) -> None:
        """Note that an attempt of *task* begins."""
        with self._lock:
            self._attempts[task, attempt] = {"status": "running", "started": at}
            row = self._tasks.setdefault(task, {})
            row |= {"status": "running", "attempts": attempt}
            if attempt == 1:
                row["started"] = at

    def attempt_ended(
        self, task: str, attempt: int, status: str, at: datetime, code: str, message: str
    ) -> None:
        """Note how an attempt ended."""
        ended = {"status": status, "ended": at, "code": code or None, "message": self._text(message)}
        with self._lock:
            self._attempts.setdefault((task, attempt), {}).update(ended)

    def task_ended(self, result: TaskResult) -> None:
        """Note how a task ended."""
        with self._lock:
            self._tasks.setdefault(result.task, {}).update(self._result_row(result))

    def event(self, event: Event) -> None:
        """Note an event; a second one of the same run, task, attempt and kind is not written."""
        with self._lock:
            self._events.append(
                {
                    "run_id": self.id,
                    "task": event.task,
                    "attempt": event.attempt,
                    "kind": event.kind,
                    "at": event.at,
                    "data": self._json(event.data),
                }
            )

    def log(self, line: LogLine) -> None:
        """Note a line of the log; it comes without secrets."""
        with self._lock:
            self._logs.append(
                {
                    "run_id": self.id,
                    "task": line.task,
                    "attempt": line.attempt,
                    "at": line.at,
                    "level": line.level,
                    "message": line.message,
                    "fields": self._json(line.fields),
                }
            )

    def tick(self) -> None:
        """Write what has waited long enough. A state that is out of reach is tried again later."""
        if time.monotonic() - self._written >= _PATIENCE:
            try:
                self.flush()
            except (LakewrightError, sa.exc.SQLAlchemyError):
                self._written = time.monotonic()

    def flush(self) -> None:
        """Write all that is noted, in one transaction."""
        with self._writing:
            taken = self._take()
            if any(taken):
                try:
                    with self._state.begin(*JOURNAL, durable=False) as connection:
                        self._write(connection, *taken)
                except BaseException:
                    self._put_back(*taken)
                    raise
            self._written = time.monotonic()

    def finish(self, result: RunResult, *, message: str = "", keep: Iterable[str] = ()) -> RunResult:
        """End the run: write the rest, give the leases back (but *keep*), and return *result*."""
        counts: dict[str, int] = {}
        for one in result.tasks.values():
            counts[one.status] = counts.get(one.status, 0) + 1
        values: _Row = {
            "status": result.status,
            "ended": result.ended or now(),
            "counts": counts,
            "message": self._text(message) or None,
        }
        if result.status != "succeeded":
            values["key_taken"] = None  # only work that was done is not to be done again
        with self._writing:
            taken = self._take()
            with self._state.begin(*JOURNAL, LEASES) as connection:
                self._write(connection, *taken)
                connection.execute(RUNS.update().where(RUNS.c.id == self.id).values(values))
        self.result = result
        self.leases.close(keep=keep)
        return result

    def _take(self) -> tuple[list[_Row], list[_Row], list[_Row], list[_Row], list[_Row]]:
        with self._lock:
            tasks = [{"run_id": self.id, "task": task, **row} for task, row in self._tasks.items()]
            attempts = [
                {"run_id": self.id, "task": task, "attempt": attempt, **row}
                for (task, attempt), row in self._attempts.items()
            ]
            taken = (self._new, tasks, attempts, self._events, self._logs)
            self._new, self._events, self._logs = [], [], []
            self._tasks, self._attempts = {}, {}
            return taken

    def _put_back(
        self, new: list[_Row], tasks: list[_Row], attempts: list[_Row], events: list[_Row], logs: list[_Row]
    ) -> None:
        def without(row: _Row) -> _Row:
            return {name: value for name, value in row.items() if name not in ("run_id", "task", "attempt")}

        with self._lock:
            self._new, self._events, self._logs = new + self._new, events + self._events, logs + self._logs
            for row in tasks:
                task = str(row["task"])
                self._tasks[task] = without(row) | {"attempts": row["attempts"]} | self._tasks.get(task, {})
            for row in attempts:
                key = (str(row["task"]), int(str(row["attempt"])))
                self._attempts[key] = without(row) | self._attempts.get(key, {})

    def _write(
        self,
        connection: sa.Connection,
        new: list[_Row],
        tasks: list[_Row],
        attempts: list[_Row],
        events: list[_Row],
        logs: list[_Row],
    ) -> None:
        if new:
            connection.execute(TASKS.insert(), new)
        for row in tasks:
            mine = (TASKS.c.run_id == self.id) & (TASKS.c.task == row["task"])
            connection.execute(TASKS.update().where(mine).values(row))
        for row in attempts:
            mine = (
                (ATTEMPTS.c.run_id == self.id)
                & (ATTEMPTS.c.task == row["task"])
                & (ATTEMPTS.c.attempt == row["attempt"])
            )
            if not connection.execute(ATTEMPTS.update().where(mine).values(row)).rowcount:
                connection.execute(ATTEMPTS.insert().values(row))
        if events:
            connection.execute(_insert_once(connection), events)
        if logs:
            connection.execute(LOGS.insert(), logs)

    def _result_row(self, result: TaskResult) -> _Row:
        outcome = result.outcome
        return {
            "status": result.status,
            "attempts": result.attempts,
            "started": result.started,
            "ended": result.ended,
            "rows": outcome.rows,
            "quarantined": outcome.quarantined,
            "bytes": outcome.bytes,
            "score": outcome.score,
            "reason": self._text(result.reason),
            "code": result.code or None,
            "message": self._text(result.message) or None,
            "details": self._json(outcome.details),
        }

    def _text(self, text: str) -> str:
        return self.redactor.text(text)

    def _json(self, value: Mapping[str, object]) -> object:
        return self.redactor.value(msgspec.to_builtins(value, str_keys=True, enc_hook=str))


def _insert_once(connection: sa.Connection) -> sa.Insert:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        return postgres_insert(EVENTS).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(EVENTS).on_conflict_do_nothing()
