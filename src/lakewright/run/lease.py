"""Leases: one process at a time builds a dataset, and a dead one does not keep it.

A lease is a row with an expiry that its holder keeps moving. On the same machine a lease whose
process is gone is taken over at once; elsewhere after it expires.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from lakewright.errors import LakewrightError
from lakewright.run.process import Process, this_process
from lakewright.state import State, UtcTime, metadata, now

__all__ = ["LEASES", "TTL", "Holder", "Leases", "clock", "holder_of"]

#: How long a lease lives without a sign of life, in seconds.
TTL = 60.0

LEASES = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Column("taken", UtcTime, nullable=False),
    sa.Column("expires", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease: the run, its process, and since when."""

    name: str
    run: str
    process: Process
    taken: datetime
    expires: datetime

    def gone(self, at: datetime) -> bool:
        """Whether the lease may be taken over at the moment *at*."""
        return self.expires <= at or self.process.dead()

    def __str__(self) -> str:
        return f"run {self.run} ({self.process}, since {self.taken:%Y-%m-%d %H:%M:%S} UTC)"


class Leases:
    """The leases of one run. A thread renews them all every third of *ttl* seconds until :meth:`close`.

    *on_lost* is called, from that thread, with the name of a lease that another process took over
    because ours could not be renewed in time (a machine that slept, a state database out of reach).
    """

    def __init__(
        self, state: State, run: str, *, ttl: float = TTL, on_lost: Callable[[str], None] | None = None
    ) -> None:
        self._state = state
        self._run = run
        self._ttl = ttl
        self.on_lost = on_lost
        self._token = secrets.token_hex(8)
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def take(self, name: str) -> Holder | None:
        """Take the lease *name*. Returns None when it is ours now, else who has it."""
        with self._state.begin(LEASES, durable=False) as connection:
            return self.take_within(connection, name)

    def take_within(self, connection: sa.Connection, name: str) -> Holder | None:
        """As :meth:`take`, as part of the caller's transaction, which must have made :data:`LEASES`."""
        at = clock(connection)
        me = this_process()
        values = {
            "token": self._token,
            "holder": self._run,
            "host": me.host,
            "pid": me.pid,
            "mark": me.mark,
            "taken": at,
            "expires": at + timedelta(seconds=self._ttl),
        }
        while not _insert(connection, {"name": name, **values}):
            row = connection.execute(LEASES.select().where(LEASES.c.name == name).with_for_update()).first()
            if row is None:
                continue  # given back a moment ago
            if row.token != self._token and not (holder := holder_of(row)).gone(at):
                return holder
            connection.execute(LEASES.update().where(LEASES.c.name == name).values(values))
            break
        with self._lock:
            self._held.add(name)
        self._keep_alive()
        return None

    def release(self, names: Iterable[str]) -> None:
        """Give back those of *names* that are ours."""
        with self._lock:
            ours = self._held & set(names)
            self._held -= ours
        if ours:
            with self._state.begin(LEASES, durable=False) as connection:
                self._delete(connection, ours)
        if self._closing and not self._held:
            self._stop.set()

    def release_within(self, connection: sa.Connection, names: Iterable[str]) -> None:
        """As :meth:`release`, as part of the caller's transaction."""
        with self._lock:
            ours = self._held & set(names)
            self._held -= ours
        self._delete(connection, ours)

    def holds(self, name: str) -> bool:
        """Whether *name* is ours as far as this process knows."""
        with self._lock:
            return name in self._held

    def renew(self) -> None:
        """Move the expiry of all that we hold, and find out what we lost."""
        with self._lock:
            held = set(self._held)
        if not held:
            return
        with self._state.begin(LEASES, durable=False) as connection:
            at = clock(connection)
            ours = (LEASES.c.token == self._token) & LEASES.c.name.in_(held)
            connection.execute(LEASES.update().where(ours).values(expires=at + timedelta(seconds=self._ttl)))
            kept = set(connection.scalars(sa.select(LEASES.c.name).where(ours)))
        with self._lock:
            lost = (held - kept) & self._held
            self._held -= lost
        for name in sorted(lost):
            if self.on_lost is not None:
                self.on_lost(name)

    def close(self, *, keep: Iterable[str] = ()) -> None:
        """Give back all leases but *keep*, whose work could not be stopped: they go with :meth:`release`."""
        kept = set(keep)
        with self._lock:
            self._closing = True
            ours = self._held - kept
        self.release(ours)
        if not self._held:
            self._stop.set()

    def _keep_alive(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_forever, name="leases", daemon=True)
                self._thread.start()

    def _renew_forever(self) -> None:
        pause = self._ttl / 3
        while not self._stop.wait(pause):
            try:
                self.renew()
                pause = self._ttl / 3
            except (LakewrightError, sa.exc.SQLAlchemyError):
                # the state is out of reach for now: the lease outlives a few tries
                pause = self._ttl / 12

    def _delete(self, connection: sa.Connection, names: set[str]) -> None:
        if names:
            connection.execute(LEASES.delete().where(LEASES.c.name.in_(names), LEASES.c.token == self._token))


def clock(connection: sa.Connection) -> datetime:
    """The time by which leases are judged: the database server's, where several hosts share one."""
    if connection.dialect.name == "postgresql":
        at: datetime = connection.execute(sa.select(sa.func.clock_timestamp(type_=UtcTime))).scalar_one()
        return at
    return now()


def holder_of(row: sa.Row[tuple[object, ...]]) -> Holder:
    one = row._mapping
    process = Process(one["host"], one["pid"], one["mark"])
    return Holder(one["name"], one["holder"], process, one["taken"], one["expires"])


def _insert(connection: sa.Connection, values: dict[str, object]) -> bool:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        statement = postgres_insert(LEASES).values(values).on_conflict_do_nothing()
        return connection.execute(statement).rowcount == 1
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return connection.execute(sqlite_insert(LEASES).values(values).on_conflict_do_nothing()).rowcount == 1
