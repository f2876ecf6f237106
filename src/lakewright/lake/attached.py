"""What DuckLake and Iceberg have in common once attached: transactions, tables, columns, checkpoints."""

from __future__ import annotations

import contextlib
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import duckdb
from sqlglot import exp

from lakewright.engine.errors import ConflictError, explain, is_conflict
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError, NotFoundError, RunError, UsageError
from lakewright.lake import checkpoints, schema
from lakewright.lake.locks import CommitLock
from lakewright.lake.protocol import CATALOG, Capabilities, Checkpoint
from lakewright.lake.sealed import Cipher
from lakewright.sql.names import column, identifier, literal, split_id, table

__all__ = ["AttachedLake"]

T = TypeVar("T")

_ATTEMPTS = 12
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 2.0


class AttachedLake(ABC):
    """A lake attached to a session's instance under the name ``lake``."""

    kind: str
    capabilities: Capabilities
    types: Mapping[str, str]

    def __init__(self, session: Session, lock: CommitLock, *, read_only: bool) -> None:
        self.session = session
        self.read_only = read_only
        self._lock = lock
        self._zones: set[str] = set()
        self.cipher: Cipher | None = None

    # --- transactions

    @contextmanager
    def transaction(
        self,
        cursor: duckdb.DuckDBPyConnection,
        *,
        message: str = "",
        info: Mapping[str, object] | None = None,
    ) -> Iterator[None]:
        """See :meth:`lakewright.lake.protocol.Lake.transaction`."""
        self._writable()
        with self._commit_lock(), self.within_lock(cursor, message, info or {}):
            yield

    @contextmanager
    def within_lock(
        self, cursor: duckdb.DuckDBPyConnection, message: str = "", info: Mapping[str, object] | None = None
    ) -> Iterator[None]:
        """BEGIN … COMMIT by who holds the commit lock already."""
        try:
            cursor.execute("BEGIN TRANSACTION")
            yield
            self._describe_commit(cursor, message, info or {})
            cursor.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            if isinstance(error, duckdb.Error):
                raise explain(error, hide=self.session.hidden) from None
            raise

    def commit(
        self,
        cursor: duckdb.DuckDBPyConnection,
        work: Callable[[], T],
        *,
        message: str = "",
        info: Mapping[str, object] | None = None,
    ) -> T:
        """See :meth:`lakewright.lake.protocol.Lake.commit`."""

        def once() -> T:
            with self.transaction(cursor, message=message, info=info):
                return work()

        return self._patiently(once)

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do *work*, again when it meets another writer."""
        wait = _FIRST_WAIT
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return work()
            except (ConflictError, duckdb.Error) as error:
                if not is_conflict(error) or attempt == _ATTEMPTS:
                    raise
            # Spread the writers, or they meet again.
            time.sleep(wait * (0.5 + random.random()))  # noqa: S311 - not for security
            wait = min(wait * 2, _LONGEST_WAIT)
        raise AssertionError("unreachable")

    def _commit_lock(self) -> contextlib.AbstractContextManager[None]:
        return self._lock()

    @abstractmethod
    def _describe_commit(
        self, cursor: duckdb.DuckDBPyConnection, message: str, info: Mapping[str, object]
    ) -> None:
        """Put *message* and *info* on the commit under way, where the format has a place for them."""

    # --- tables

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
        """See :meth:`lakewright.lake.protocol.Lake.create_table`."""
        self._writable()
        stored = self.storable(columns)
        parts = schema.partition_expressions(partition_by, stored)
        order = schema.sort_expressions(sort_by, stored)
        definitions = ", ".join(schema.column_definition(name, kind) for name, kind in stored.items())
        self._ensure_zone(cursor, split_id(id)[0])
        self._create(cursor, id, definitions, parts, order)
        if comment:
            self.set_comment(cursor, id, comment)

    def prepare_table(  # noqa: B027 - most lakes have nothing to do here
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        columns: Mapping[str, str],
        *,
        partition_by: Sequence[str] = (),
        sort_by: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.prepare_table`."""

    def _ensure_zone(self, cursor: duckdb.DuckDBPyConnection, zone: str) -> None:
        self.run(cursor, f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{_quoted(zone)}")

    @abstractmethod
    def _create(
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        definitions: str,
        partitions: Sequence[str],
        order: Sequence[str],
    ) -> None:
        """Run the statements that make a table."""

    def storable(self, columns: Mapping[str, str]) -> dict[str, str]:
        """See :meth:`lakewright.lake.protocol.Lake.storable`."""
        return schema.storable(columns, self.types)

    def columns(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str] | None:
        """See :meth:`lakewright.lake.protocol.Lake.columns`."""
        try:
            rows = cursor.execute(f"DESCRIBE {_table(id)}").fetchall()
        except duckdb.CatalogException:
            return None
        except duckdb.Error as error:
            # a table that is not there and is called `json` or `csv` is taken for a file of that kind
            if isinstance(error, duckdb.IOException) and id not in self.ids(cursor):
                return None
            raise explain(error, hide=self.session.hidden) from None
        return {str(row[0]): str(row[1]) for row in rows}

    def describe(self, cursor: duckdb.DuckDBPyConnection, relation: exp.Table) -> dict[str, str]:
        """Return the columns and types of a relation, such as a table as it was at a version."""
        query = exp.select("*").from_(relation)
        rows = self.run(cursor, f"DESCRIBE {query.sql('duckdb')}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    @abstractmethod
    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]:
        """Return the ids of the tables that exist now, or existed at *version*."""

    @abstractmethod
    def version_at(
        self, cursor: duckdb.DuckDBPyConnection, version: int | None, timestamp: datetime | None
    ) -> int | None:
        """Return *version* when it exists, or the version current at *timestamp*; None when there is none."""

    @abstractmethod
    def partitions(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``partition_by`` of the table now, or at *version*, as a project writes it."""

    @abstractmethod
    def sort_keys(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``sort_by`` of the table now, or at *version*, as a project writes it."""

    def add_column(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, type: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.add_column`."""
        definition = schema.column_definition(name, self.storable({name: type})[name])
        self._alter(cursor, id, f"ADD COLUMN {definition}")

    def drop_column(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.drop_column`."""
        self._alter(cursor, id, f"DROP COLUMN {_quoted(name)}")

    def rename_column(self, cursor: duckdb.DuckDBPyConnection, id: str, old: str, new: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.rename_column`."""
        self.capabilities.require("rename_columns", self.kind)
        self._alter(cursor, id, f"RENAME COLUMN {_quoted(old)} TO {_quoted(new)}")

    def alter_type(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, type: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.alter_type`."""
        kind = self.storable({name: type})[name]
        definition = schema.column_definition(name, kind)
        try:
            self._alter(cursor, id, f"ALTER COLUMN {definition.replace(' ', ' SET DATA TYPE ', 1)}")
        except RunError as error:
            if error.code != "LW405":
                raise
            self._convert(cursor, id, name, kind)

    def _convert(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, kind: str) -> None:
        # Formats only widen types in place. Anything else goes through a column beside the old one.
        known = self._existing(cursor, id)
        beside = "_converted"
        while beside in known:
            beside += "_"
        self.add_column(cursor, id, beside, kind)
        value = exp.cast(column(name), kind, dialect="duckdb")
        self.run(cursor, exp.update(table(id, CATALOG), {_quoted(beside): value}, dialect="duckdb"))
        self.drop_column(cursor, id, name)
        self.rename_column(cursor, id, beside, name)

    def set_partitions(self, cursor: duckdb.DuckDBPyConnection, id: str, partition_by: Sequence[str]) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.set_partitions`."""
        self.capabilities.require("change_partitions", self.kind)
        parts = schema.partition_expressions(partition_by, self._existing(cursor, id))
        change = f"SET PARTITIONED BY ({', '.join(parts)})" if parts else "RESET PARTITIONED BY"
        self._alter(cursor, id, change)

    def set_comment(self, cursor: duckdb.DuckDBPyConnection, id: str, comment: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.set_comment`."""
        self._writable()
        if self.capabilities.comments:
            self.run(cursor, f"COMMENT ON TABLE {_table(id)} IS {literal(comment).sql('duckdb')}")

    def drop_table(self, cursor: duckdb.DuckDBPyConnection, id: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.drop_table`."""
        self._writable()
        self.capabilities.require("drop_table", self.kind)
        self.run(cursor, f"DROP TABLE IF EXISTS {_table(id)}")

    def at(self, id: str, version: int | None = None, timestamp: datetime | None = None) -> exp.Table:
        """See :meth:`lakewright.lake.protocol.Lake.at`."""
        relation = table(id, CATALOG)
        if version is None and timestamp is None:
            return relation
        if version is not None and timestamp is not None:
            raise UsageError("LW415", "give a version or a time, not both")
        self.capabilities.require("time_travel", self.kind)
        kind, value = (
            ("VERSION", literal(version)) if timestamp is None else ("TIMESTAMP", _instant(timestamp))
        )
        relation.set("when", exp.HistoricalData(this="AT", kind=kind, expression=value))
        return relation

    # --- checkpoints

    def add_checkpoint(self, cursor: duckdb.DuckDBPyConnection, checkpoint: Checkpoint) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.add_checkpoint`."""
        self._writable()
        checkpoints.add(self, cursor, checkpoint)

    def latest_checkpoints(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, Checkpoint]:
        """See :meth:`lakewright.lake.protocol.Lake.latest_checkpoints`."""
        return checkpoints.latest(self, cursor)

    def last_batch(self, cursor: duckdb.DuckDBPyConnection, id: str) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.last_batch`."""
        return checkpoints.last_batch(self, cursor, id)

    def restored_since(self, cursor: duckdb.DuckDBPyConnection, id: str, batch: int) -> bool:
        """See :meth:`lakewright.lake.protocol.Lake.restored_since`."""
        return checkpoints.restored_since(self, cursor, id, batch)

    # --- for the lake's own modules

    def run(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statement: exp.Expression | str,
        params: Sequence[object] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Run one statement; its errors come out coded."""
        return self.session.execute(statement, params, cursor)

    def _alter(self, cursor: duckdb.DuckDBPyConnection, id: str, change: str) -> None:
        self._writable()
        self.run(cursor, f"ALTER TABLE {_table(id)} {change}")

    def _existing(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str]:
        found = self.columns(cursor, id)
        if found is None:
            raise NotFoundError("LW414", f"the lake has no table {id!r}")
        return found

    def _writable(self) -> None:
        if self.read_only:
            raise LakewrightError("LW412", "the lake was opened for reading only")


def _quoted(name: str) -> str:
    return identifier(name).sql("duckdb")


def _table(id: str) -> str:
    return table(id, CATALOG).sql("duckdb")


def _instant(moment: datetime) -> exp.Expression:
    return exp.cast(
        literal(moment.isoformat()), "TIMESTAMPTZ" if moment.tzinfo else "TIMESTAMP", dialect="duckdb"
    )
