"""Open the state database: SQLite (WAL) by default, PostgreSQL when several workers share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

__all__ = ["State", "metadata", "now"]

#: Every room defines its tables on this one; a table is created when a room first asks for it.
metadata = sa.MetaData()


def now() -> datetime:
    """The current time, in UTC, with its zone."""
    return datetime.now(UTC)


class State:
    """A handle on the state database. Safe to use from several threads.

    ``url`` is ``sqlite:<file>`` (relative to *root*) or a ``postgresql://`` address.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.path: Path | None = None
        if url.startswith("sqlite:"):
            self.path = root / url.removeprefix("sqlite:")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(f"sqlite:///{self.path}", connect_args={"timeout": 30})
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_immediate)
        else:
            address = url.replace("postgresql://", "postgresql+psycopg://", 1)
            self.engine = sa.create_engine(address, pool_pre_ping=True)
        self._created: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def begin(self, *tables: sa.Table) -> Iterator[sa.Connection]:
        """One transaction; *tables* are made first where they do not exist yet."""
        self.ensure(*tables)
        with self.engine.begin() as connection:
            yield connection

    def ensure(self, *tables: sa.Table) -> None:
        """Create *tables* where they are missing."""
        with self._lock:
            missing = [table for table in tables if table.name not in self._created]
            if missing:
                metadata.create_all(self.engine, tables=missing)
                self._created.update(table.name for table in missing)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _configure_sqlite(connection: object, _record: object) -> None:
    # Autocommit in the driver, so that our own BEGIN below decides when a transaction starts.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another one writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
