"""Open the state database: SQLite (WAL) by default, PostgreSQL when several workers share it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from lakewright.errors import RunError, UsageError
from lakewright.state.faults import explain
from lakewright.state.types import UtcTime

__all__ = ["SCHEMA_VERSION", "State", "metadata", "now"]

#: The layout of our tables. It grows when a table changes in a way that older programs cannot read.
SCHEMA_VERSION = 1

#: Every room defines its tables on this one; a table is created when a room first asks for it.
metadata = sa.MetaData()

_versions = sa.Table(
    "state_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
)

_BUSY_SECONDS = 30
_POSTGRES = ("postgresql://", "postgres://")

# Two workers that make the same table at once collide in PostgreSQL's catalog: they take turns on this number.
_POSTGRES_LOCK = 5_259_331_002

_READING = "lakewright_reading"
_DURABLE = "lakewright_durable"


def now() -> datetime:
    """The current time, in UTC, with its zone."""
    return datetime.now(UTC)


class State:
    """A handle on the state database. Safe to use from several threads and several processes.

    ``url`` is ``sqlite:<file>`` (relative to *root*) or a ``postgresql://`` address. Failures of
    the database itself come as RunError: LW651 damaged, LW652 locked for too long, LW653 written by
    a newer version, LW654 not to be opened or written. UsageError LW655 when *url* makes no sense.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.path: Path | None = None
        if url.startswith("sqlite:"):
            self.path = root / url.removeprefix("sqlite:")
            self.name = str(self.path)
            self.engine = _sqlite_engine(self.path)
        elif url.startswith(_POSTGRES):
            self.engine = _postgres_engine(url)
            self.name = self.engine.url.render_as_string(hide_password=True).replace("+psycopg", "", 1)
        else:
            kind = url.partition(":")[0]
            raise UsageError(
                "LW655", f"the state cannot be kept in {kind!r}: it is sqlite:<file> or postgresql://…"
            )
        self._created: set[str] = set()
        self._checked = False
        self._lock = threading.Lock()

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def begin(self, *tables: sa.Table, durable: bool = True) -> Iterator[sa.Connection]:
        """One transaction that writes; *tables* are made first where they do not exist yet.

        With ``durable=False`` it may be lost when the machine loses its power (never when only the
        process dies), and costs no wait for the disk.
        """
        with self._transaction(tables, {_DURABLE: durable}) as connection:
            yield connection

    @contextmanager
    def read(self, *tables: sa.Table) -> Iterator[sa.Connection]:
        """One transaction that only reads: it sees one moment and neither waits for writers nor holds them up."""
        with self._transaction(tables, {_READING: True}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, tables: tuple[sa.Table, ...], options: dict[str, bool]) -> Iterator[sa.Connection]:
        self.ensure(*tables)
        postgres = self.dialect == "postgresql"
        with self._explained(), self.engine.connect() as connection:
            connection.execution_options(**options)
            if postgres and options.get(_READING):
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                if postgres and options.get(_DURABLE) is False:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield connection

    def ensure(self, *tables: sa.Table) -> None:
        """Create *tables* where they are missing; the first call checks who wrote the database."""
        with self._lock:
            missing = [table for table in tables if table.name not in self._created]
            if not missing and self._checked:
                return
            with self._explained():
                self._make(missing)
            self._created.update(table.name for table in missing)
            self._checked = True

    def _make(self, tables: list[sa.Table]) -> None:
        with self.engine.connect() as connection:
            connection.execution_options(**{_READING: True})
            there = set(sa.inspect(connection).get_table_names())
            if _versions.name in there:
                self._check_version(connection)
                if all(table.name in there for table in tables):
                    return
        with self.engine.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
            metadata.create_all(connection, tables=[_versions, *tables], checkfirst=True)
            if not self._check_version(connection):
                connection.execute(_versions.insert().values(version=SCHEMA_VERSION, at=now()))

    def _check_version(self, connection: sa.Connection) -> int | None:
        found: int | None = connection.scalar(sa.select(sa.func.max(_versions.c.version)))
        if found is not None and found > SCHEMA_VERSION:
            raise RunError(
                "LW653",
                f"the state database {self.name} has layout {found}; this version of Lakewright knows up to {SCHEMA_VERSION}",
            )
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            coded = explain(error, self.name)
            if coded is None:
                raise
            raise coded from error

    def rewrite(self) -> None:
        """Write the database anew, so that none of its pages holds what was deleted. Waits for others to be done."""
        if self.path is not None:
            try:
                with contextlib.closing(
                    sqlite3.connect(self.path, isolation_level=None, timeout=_BUSY_SECONDS)
                ) as file:
                    file.execute("VACUUM")
                    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise RunError("LW654", f"{self.name} cannot be written anew: {error}") from None
            return
        with self._explained(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables)):
                connection.exec_driver_sql(f'VACUUM (FULL) "{name}"')

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _sqlite_engine(path: Path) -> sa.Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            "LW654", f"the folder of the state database {path} cannot be made: {error.strerror}"
        ) from error
    address = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(address, connect_args={"timeout": _BUSY_SECONDS})
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres_engine(url: str) -> sa.Engine:
    for prefix in _POSTGRES:
        url = url.replace(prefix, "postgresql+psycopg://", 1) if url.startswith(prefix) else url
    try:
        return sa.create_engine(url, pool_pre_ping=True)
    except ImportError as error:
        raise RunError("LW656", "the driver of PostgreSQL is not installed") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        # the error's own text would show the address with its password
        raise UsageError("LW655", "the address of the state database cannot be understood") from error


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Autocommit in the driver, so that our own BEGIN below decides when a transaction starts.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # KiB. SQLite's own 2 MiB are too few for the pages that a large transaction touches.
        cursor.execute("PRAGMA cache_size=-65536")
    finally:
        cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    # SQLite does not wait for its busy timeout here, so processes that open a new state together would fail.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_READING):
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql("PRAGMA query_only=OFF")
    level = "FULL" if options.get(_DURABLE, True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    # A deferred transaction that turns into a writer fails at once when another one writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
