"""What every lake offers, whatever its table format: values, capabilities and the protocol itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.lake.sealed import Cipher

__all__ = [
    "BOOKKEEPING",
    "CATALOG",
    "Capabilities",
    "Checkpoint",
    "Compaction",
    "Lake",
    "Runs",
    "Snapshot",
    "TableInfo",
]

T = TypeVar("T")

#: The name under which the lake is attached to every session.
CATALOG = "lake"

#: The schema of the lake that holds Lakewright's own tables.
BOOKKEEPING = "lakewright"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of lake can do. ``notes`` says, by capability, what to do where it cannot."""

    time_travel: bool = True
    lake_versions: bool = True  # one version number for the whole lake, not one per table
    change_feed: bool = True
    commit_message: bool = True
    partition_folders: bool = True  # data files lie in folders such as year=2024/month=1
    multi_table_commit: bool = True
    transactional_ddl: bool = True  # a table made in a transaction that is rolled back never was
    concurrent_commits: bool = False  # transactions of one process on different tables commit side by side
    threads: bool = (
        True  # several threads of a process may use the lake at the same time, each its own cursor
    )
    comments: bool = True
    rename_columns: bool = True
    change_partitions: bool = True
    sorted_tables: bool = True
    orders_inserts: bool = True  # rows that are inserted are put in the table's order by the lake itself
    drop_table: bool = True
    restore: bool = True
    compaction: bool = True
    expiry: bool = True
    orphan_cleanup: bool = True
    notes: Mapping[str, str] = field(default_factory=dict)

    def require(self, name: str, kind: str) -> None:
        """Raise LW413 unless the capability *name* is there; *kind* names the lake in the message."""
        if not getattr(self, name):
            raise self.refusal(name, kind)

    def refusal(self, name: str, kind: str) -> LakewrightError:
        """Return the error that says that a lake of *kind* lacks the capability *name*."""
        what = name.replace("_", " ")
        return LakewrightError(
            "LW413", f"a lake of kind {kind!r} has no {what}", remedy=self.notes.get(name, "")
        )

    def as_dict(self) -> dict[str, bool]:
        """Return every capability by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "notes"}


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table: live ``rows``, ``bytes`` and ``files`` of its current version (None when not known cheaply)."""

    id: str
    rows: int | None
    bytes: int | None
    files: int | None
    comment: str
    partition_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One committed version. ``changes`` maps what was done to the datasets that it was done to."""

    id: int
    at: datetime
    author: str
    message: str
    info: Mapping[str, object]
    changes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a dataset had consumed when a version of it was committed.

    ``batch`` counts the dataset's publishes from 1. ``positions`` is JSON text that only the build
    reads. ``kind`` is ``build``, ``repair`` when another dataset's publish changed some of its rows, or
    ``restore`` for a version put back; ``base`` is then the batch of that version. Rows of batches
    after ``base`` and before ``batch`` are gone.
    """

    dataset: str
    batch: int
    run_id: str
    positions: str
    fingerprint: str
    rows: int
    at: datetime
    kind: Literal["build", "restore", "repair"] = "build"
    base: int = 0


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compaction did to one table: data files ``before`` and ``after``."""

    id: str
    before: int
    after: int


class Runs(Protocol):
    """What takes statements."""

    def run(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statement: exp.Expression | str,
        params: Sequence[object] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Run one statement; its errors come out coded and without secrets."""
        ...


class Lake(Runs, Protocol):
    """Tables in zones, committed together, with history. Attached to every cursor of a session as ``lake``.

    Datasets are named ``zone.name``. A *cursor* is the caller's: what it does inside
    :meth:`transaction` is committed together.
    """

    kind: str
    capabilities: Capabilities
    #: For files of the lake that are no tables, None when they are in the clear.
    cipher: Cipher | None

    def transaction(
        self,
        cursor: duckdb.DuckDBPyConnection,
        *,
        message: str = "",
        info: Mapping[str, object] | None = None,
    ) -> AbstractContextManager[None]:
        """BEGIN … COMMIT under the process's commit lock; anything raised inside rolls all of it back.

        Raises :class:`~lakewright.engine.errors.ConflictError` when another process was quicker.
        """
        ...

    def commit(
        self,
        cursor: duckdb.DuckDBPyConnection,
        work: Callable[[], T],
        *,
        message: str = "",
        info: Mapping[str, object] | None = None,
    ) -> T:
        """Run *work* in a transaction; run it again, after a wait, when another writer was quicker."""
        ...

    def create_table(
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        columns: Mapping[str, str],
        *,
        partition_by: Sequence[str] = (),
        sort_by: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        """Make the table, and its zone when it is the first; a table that exists is left alone.

        *columns* are DuckDB types by name; they are stored as :meth:`storable` says.
        """
        ...

    def prepare_table(
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        columns: Mapping[str, str],
        *,
        partition_by: Sequence[str] = (),
        sort_by: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        """Make an empty table before the transaction that fills it, where the lake cannot do both in one.

        To be called outside a transaction. The transaction calls :meth:`create_table` all the same.
        """
        ...

    def storable(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Return *columns* with each type replaced by the one that this lake stores it as."""
        ...

    def columns(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str] | None:
        """Return the table's columns and types in order, None when there is no such table."""
        ...

    def add_column(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, type: str) -> None:
        """Add a column; rows that exist have null in it."""
        ...

    def drop_column(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str) -> None:
        """Drop a column; older versions keep it."""
        ...

    def rename_column(self, cursor: duckdb.DuckDBPyConnection, id: str, old: str, new: str) -> None:
        """Rename a column."""
        ...

    def alter_type(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, type: str) -> None:
        """Widen a column's type, or convert the table's rows where the format cannot widen to *type*."""
        ...

    def partitions(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``partition_by`` of the table now, or at *version*, as a project writes it."""
        ...

    def set_partitions(self, cursor: duckdb.DuckDBPyConnection, id: str, partition_by: Sequence[str]) -> None:
        """Partition rows written from now on by *partition_by*; files that exist stay as they are."""
        ...

    def set_comment(self, cursor: duckdb.DuckDBPyConnection, id: str, comment: str) -> None:
        """Describe the table, where the lake has comments; else nothing happens."""
        ...

    def drop_table(self, cursor: duckdb.DuckDBPyConnection, id: str) -> None:
        """Drop the table; one that does not exist is no error."""
        ...

    def tables(self, cursor: duckdb.DuckDBPyConnection, only: str | None = None) -> list[TableInfo]:
        """Return every table, ordered by id, or *only* the one with that id."""
        ...

    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]:
        """Return the ids of the tables that exist now, or existed at *version*."""
        ...

    def newest(self, cursor: duckdb.DuckDBPyConnection) -> int | None:
        """Return the number of the newest version of the whole lake, None where only tables have versions.

        Asked before every query whose result may be kept, so it costs next to nothing.
        """

    def snapshots(
        self, cursor: duckdb.DuckDBPyConnection, id: str | None = None, limit: int | None = None
    ) -> list[Snapshot]:
        """Return the versions of the lake, or those that touched *id*, newest first."""
        ...

    def at(self, id: str, version: int | None = None, timestamp: datetime | None = None) -> exp.Table:
        """Return the table as a relation, as it was at *version* or *timestamp* when one is given."""
        ...

    def restore(
        self,
        cursor: duckdb.DuckDBPyConnection,
        ids: Iterable[str] | None = None,
        *,
        version: int | None = None,
        timestamp: datetime | None = None,
    ) -> dict[str, int]:
        """Put datasets (all when None) back to what they were, as one new commit; returns rows by dataset."""
        ...

    def compact(
        self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str] | None = None
    ) -> list[Compaction]:
        """Merge small files and apply deletes, without changing any row."""
        ...

    def expire(
        self,
        cursor: duckdb.DuckDBPyConnection,
        older_than: datetime,
        *,
        grace: timedelta = timedelta(hours=1),
        orphan_age: timedelta = timedelta(days=1),
    ) -> int:
        """Forget versions committed before *older_than*, with the files only they use; returns how many.

        A file that no version needs is deleted once it is so for *grace*, and a file that a crash
        left behind once it is older than *orphan_age*, so that running readers and writers keep theirs.
        """
        ...

    def purge(self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> int:
        """Make rows that were deleted from *ids* unfindable, in older versions and statistics too.

        Nothing else may write meanwhile. Returns how many versions of the lake were forgotten for it; raises
        LW413 where the lake cannot forget versions.
        """
        ...

    def files(self, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]:
        """Return the paths of the data files of the table's current version."""
        ...

    def add_checkpoint(self, cursor: duckdb.DuckDBPyConnection, checkpoint: Checkpoint) -> None:
        """Append *checkpoint*, inside the transaction that publishes its rows."""
        ...

    def latest_checkpoints(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, Checkpoint]:
        """Return the last checkpoint of every dataset, in one query."""
        ...

    def last_batch(self, cursor: duckdb.DuckDBPyConnection, id: str) -> int:
        """Return the number of the last batch of *id*, 0 when there is none."""
        ...

    def restored_since(self, cursor: duckdb.DuckDBPyConnection, id: str, batch: int) -> bool:
        """True when rows of *id* up to *batch* went away by a restore: who has read that far must read it whole."""
        ...
