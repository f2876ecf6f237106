"""The journal: every run with its tasks, attempts, events and logs; what crashed, and what is left to do."""

from __future__ import annotations

import contextlib
import getpass
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from lakewright.errors import RunError
from lakewright.observe import Redactor
from lakewright.run.events import Event
from lakewright.run.history import History
from lakewright.run.lease import LEASES, TTL, Leases, clock, holder_of
from lakewright.run.outcome import RunResult
from lakewright.run.process import this_process
from lakewright.run.recorder import Recorder
from lakewright.run.tables import ATTEMPTS, EVENTS, JOURNAL, RUNS, TASKS
from lakewright.state import State

__all__ = ["Journal"]

_UNFINISHED = ("pending", "running")


class Journal(History):
    """The runs in *state*: starts them, and answers what happened (see :class:`History`).

    *redactor* keeps secrets out of all that is written. *logs* is the folder that gets a file
    ``<run>.ndjson`` per run (none when None), *level* the least grave level that is kept.
    """

    def __init__(
        self,
        state: State,
        *,
        redactor: Redactor | None = None,
        logs: Path | None = None,
        level: str = "info",
        ttl: float = TTL,
    ) -> None:
        super().__init__(state)
        self.redactor = redactor or Redactor()
        self._logs = logs
        self._level = level
        self._ttl = ttl

    def start_run(
        self,
        *,
        project: str,
        target: str,
        selection: Sequence[str] = (),
        parameters: Mapping[str, object] | None = None,
        key: str | None = None,
        parent: str | None = None,
    ) -> Recorder | RunResult:
        """Start a run, after marking as ``interrupted`` those whose process died.

        *parent* is the run that this one takes up. With *key*, a run of the same project, target and
        key that succeeded is not run again: its result is returned. Raises RunError LW615 when such a
        run still goes on, LW612 during the upkeep of the lake, LW617 when its log cannot be written.
        """
        taken = f"{project}/{target}/{key}" if key else None
        with self._state.begin(*JOURNAL, LEASES, durable=False) as connection:
            at = self._prepare(connection)
            before = (
                connection.execute(RUNS.select().where(RUNS.c.key_taken == taken)).first() if taken else None
            )
            if before is None:
                _refuse_beside(connection, RUNS.c.kind == "upkeep")
                values = {
                    "kind": "run",
                    "project": project,
                    "target": target,
                    "selection": self.redactor.value(list(selection)),
                    "parameters": self.redactor.value(dict(parameters or {})),
                    "parent": parent,
                    "key": key,
                    "key_taken": taken,
                }
                return self._begin(connection, at, values)
            if before.status == "running":
                raise RunError("LW615", f"run {before.id} with the key {key!r} has not ended yet")
        return replace(self.result(str(before.id)), repeated=True)

    def upkeep(self, what: str, *, project: str = "", target: str = "") -> Recorder:
        """Start work on the whole lake (a restore, say), to be used in a ``with`` statement.

        It is kept in the journal, and no run goes on beside it: raises RunError LW612 when one does.
        """
        with self._state.begin(*JOURNAL, LEASES, durable=False) as connection:
            at = self._prepare(connection)
            _refuse_beside(connection, sa.true())
            values = {
                "kind": "upkeep",
                "project": project,
                "target": target,
                "selection": [],
                "parameters": {"what": self.redactor.text(what)},
            }
            return self._begin(connection, at, values)

    def _prepare(self, connection: sa.Connection) -> datetime:
        if connection.dialect.name == "postgresql":
            # those who start take turns, as SQLite's writers do anyway
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("lakewright runs"))))
        at = clock(connection)
        self._recover(connection, at)
        return at

    def _begin(self, connection: sa.Connection, at: datetime, values: Mapping[str, object]) -> Recorder:
        id = f"{at:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        leases = Leases(self._state, id, ttl=self._ttl)
        recorder = Recorder(
            self._state,
            id=id,
            project=str(values["project"]),
            target=str(values["target"]),
            started=at,
            leases=leases,
            redactor=self.redactor,
            log_file=self._logs / f"{id}.ndjson" if self._logs else None,
            log_level=self._level,
        )
        me = this_process()
        connection.execute(
            RUNS.insert().values(
                id=id,
                status="running",
                started=at,
                os_user=_user(),
                host=me.host,
                pid=me.pid,
                version=version("lakewright"),
                counts={},
                **values,
            )
        )
        leases.take_within(connection, run_lease(id))
        return recorder

    def recover(self) -> tuple[str, ...]:
        """Mark runs whose process died as ``interrupted``, with their unfinished tasks; return their ids.

        Every start of a run does this by itself.
        """
        with self._state.begin(*JOURNAL, LEASES, durable=False) as connection:
            return self._recover(connection, clock(connection))

    def _recover(self, connection: sa.Connection, at: datetime) -> tuple[str, ...]:
        running = connection.scalars(sa.select(RUNS.c.id).where(RUNS.c.status == "running")).all()
        if not running:
            return ()
        rows = connection.execute(LEASES.select().where(LEASES.c.name.in_(map(run_lease, running))))
        alive = {holder.run for row in rows if not (holder := holder_of(row)).gone(at)}
        dead = tuple(id for id in running if id not in alive)
        for id in dead:
            for table in (TASKS, ATTEMPTS):
                unfinished = (table.c.run_id == id) & table.c.status.in_(_UNFINISHED)
                connection.execute(table.update().where(unfinished).values(status="interrupted", ended=at))
            values = {"status": "interrupted", "ended": at, "key_taken": None}
            values["counts"] = _counts(connection, id)
            values["message"] = "the process that ran it is gone"
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(values))
            event = Event("interrupted", id, "", 0, at)
            connection.execute(
                EVENTS.insert().values(
                    run_id=id, task=event.task, attempt=event.attempt, kind=event.kind, at=at, data={}
                )
            )
            connection.execute(LEASES.delete().where(LEASES.c.holder == id))
        return dead


def _refuse_beside(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> None:
    running = connection.execute(RUNS.select().where(RUNS.c.status == "running", condition)).first()
    if running is not None:
        what = running.parameters.get("what", "a run") if running.kind == "upkeep" else "a run"
        raise RunError(
            "LW612", f"{what} goes on in process {running.pid} on {running.host} (run {running.id})"
        )


def run_lease(id: str) -> str:
    """The name of the lease that shows that a run's process lives."""
    return f"run:{id}"


def _counts(connection: sa.Connection, id: str) -> dict[str, int]:
    query = sa.select(TASKS.c.status, sa.func.count()).where(TASKS.c.run_id == id).group_by(TASKS.c.status)
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _user() -> str:
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""
