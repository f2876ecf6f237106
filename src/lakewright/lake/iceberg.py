"""Iceberg tables through a REST catalog, AWS S3 Tables or AWS Glue.

Iceberg keeps versions per table, and one commit may leave several in a table. A row in
``lakewright.commits`` opens each commit of the lake and numbers it by its time in milliseconds: a
version of the lake is everything up to the next such row, so a half of a commit is never shown.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake import checkpoints, iceberg_meta, iceberg_upkeep, schema
from lakewright.lake.attached import AttachedLake
from lakewright.lake.iceberg_rest import RestTables
from lakewright.lake.locks import CommitLock
from lakewright.lake.protocol import BOOKKEEPING, CATALOG, Capabilities, Compaction, Snapshot, TableInfo
from lakewright.lake.restore import restore
from lakewright.lake.storage import Resolve, open_storage
from lakewright.lake.upkeep import GRACE, ORPHAN_AGE, chosen_tables
from lakewright.spec.base import ZONES
from lakewright.spec.project import Lake as LakeSpec
from lakewright.sql.names import QUARANTINE_ZONE, identifier, literal, split_id, table

__all__ = ["IcebergLake"]

_AUTHOR = "lakewright"

#: Catalogs that keep their tables in order without anybody's help, and what DuckDB calls them.
_SELF_MAINTAINED = {"s3tables": "s3_tables", "glue": "glue"}

_KEPT_BY_THE_CATALOG = "S3 Tables and Glue do it by themselves: turn the catalog's own maintenance on"

_CAPABILITIES = Capabilities(
    change_feed=False,
    partition_folders=True,
    transactional_ddl=False,
    # DuckDB's extension keeps one list of tables per instance without a lock: a thread that looks one
    # up while another one commits finds it gone, or crashes the process
    threads=False,
    change_partitions=False,
    orders_inserts=False,
    notes={
        "change_partitions": "keep the table's partitions, or build the dataset under a new name",
        "change_feed": "read by _batch_id instead",
    },
)


class IcebergLake(AttachedLake):
    """An Iceberg catalog attached as ``lake``."""

    kind = "iceberg"
    types = schema.ICEBERG_TYPES
    capabilities = _CAPABILITIES

    def __init__(self, session: Session, lock: CommitLock, *, read_only: bool) -> None:
        super().__init__(session, lock, read_only=read_only)
        self._last_commit = 0
        self._guard = threading.Lock()
        self._rest: RestTables | None = None

    @classmethod
    def open(
        cls,
        spec: LakeSpec,
        root: Path,
        session: Session,
        *,
        read_only: bool,
        resolve: Resolve,
        zones: Iterable[str] = (),
    ) -> IcebergLake:
        """Attach the catalog that *spec* describes, with *zones* made in it when it may be written."""
        # Commits of this machine queue up: a refused one writes its files in vain.
        lock = CommitLock(f"{spec.catalog} {spec.warehouse}", root / ".lakewright" / "iceberg.lock")
        lake = cls(session, lock, read_only=read_only)
        open_storage(session, spec, resolve)
        lake._attach(spec, resolve)
        if spec.catalog in _SELF_MAINTAINED:
            lake.capabilities = _without_upkeep(_KEPT_BY_THE_CATALOG)
        elif find_spec("pyiceberg") is None:
            lake.capabilities = _without_upkeep("pip install 'lakewright[iceberg]'")
        else:
            lake._rest = RestTables(spec, resolve, lambda: session.hidden)
        if not read_only:
            with lake._lock():
                lake._prepare({*ZONES, QUARANTINE_ZONE, BOOKKEEPING, *zones} - {"raw"})
        return lake

    def _attach(self, spec: LakeSpec, resolve: Resolve) -> None:
        cursor = self.session.cursor()
        load(cursor, "iceberg", "aws")
        options = ["TYPE iceberg"]
        if spec.catalog in _SELF_MAINTAINED:
            options.append(f"ENDPOINT_TYPE '{_SELF_MAINTAINED[spec.catalog]}'")
        elif spec.catalog.startswith(("http://", "https://")):
            address = resolve(spec.catalog).rstrip("/")
            options.append(f"ENDPOINT {_text(address)}")
            options.append(self._authorization(cursor, address, resolve(spec.token or "")))
        else:
            raise LakewrightError(
                "LW417",
                "lake.catalog of an Iceberg lake is neither the address of a REST catalog, nor s3tables, nor glue",
            )
        if self.read_only:
            options.append("READ_ONLY")
        try:
            cursor.execute(
                f"ATTACH {_text(resolve(spec.warehouse or ''))} AS {CATALOG} ({', '.join(options)})"
            )
        except duckdb.Error as error:
            text = explain(error, hide=self.session.hidden).problem.message
            raise LakewrightError("LW410", f"the Iceberg catalog cannot be opened: {text}") from None

    def _authorization(self, cursor: duckdb.DuckDBPyConnection, address: str, token: str) -> str:
        if not token:
            return "AUTHORIZATION_TYPE 'none'"
        client, colon, password = token.partition(":")
        self.session.hide(token, password)
        if colon:  # client credentials, exchanged for a token at the catalog itself
            values = {"CLIENT_ID": client, "CLIENT_SECRET": password}
            values["OAUTH2_SERVER_URI"] = f"{address}/v1/oauth/tokens"
        else:
            values = {"TOKEN": token}
        listed = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
        self.run(cursor, f"CREATE OR REPLACE SECRET lakewright_catalog (TYPE iceberg, {listed})")
        return "SECRET lakewright_catalog"

    def _prepare(self, zones: Iterable[str]) -> None:
        cursor = self.session.cursor()
        self._zones = iceberg_meta.zones(self, cursor)
        for zone in sorted(zones):
            self._ensure_zone(cursor, zone)
        for id, columns in (
            (checkpoints.TABLE, checkpoints.COLUMNS),
            (iceberg_meta.COMMITS, iceberg_meta.COLUMNS),
        ):
            if self.columns(cursor, id) is None:
                self.create_table(cursor, id, columns)

    def _ensure_zone(self, cursor: duckdb.DuckDBPyConnection, zone: str) -> None:
        # A namespace made inside a transaction does not exist for that transaction's tables.
        if zone not in self._zones:
            super()._ensure_zone(self.session.cursor(), zone)
            self._zones.add(zone)

    def _create(
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        definitions: str,
        partitions: Sequence[str],
        order: Sequence[str],
    ) -> None:
        name = table(id, CATALOG).sql("duckdb")
        parts = f" PARTITIONED BY ({', '.join(partitions)})" if partitions else ""
        self.run(cursor, f"CREATE TABLE IF NOT EXISTS {name} ({definitions}){parts}")

    def _describe_commit(
        self, cursor: duckdb.DuckDBPyConnection, message: str, info: Mapping[str, object]
    ) -> None:
        if not message and not info:
            return
        with self._guard:
            self._last_commit = max(time.time_ns() // 1_000_000, self._last_commit + 1)
            number = self._last_commit
        extra = json.dumps(dict(info), default=str, ensure_ascii=False)
        into = exp.Schema(
            this=table(iceberg_meta.COMMITS, CATALOG),
            expressions=[identifier(name) for name in iceberg_meta.COLUMNS],
        )
        row = exp.Tuple(expressions=[exp.Placeholder() for _ in iceberg_meta.COLUMNS])
        self.run(
            cursor,
            exp.Insert(this=into, expression=exp.Values(expressions=[row])),
            [number, _moment(number), _AUTHOR, message, extra],
        )

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
        """See :meth:`lakewright.lake.protocol.Lake.create_table`; ``sort_by`` is the order that :meth:`compact` writes."""
        new = sort_by and self.columns(cursor, id) is None
        super().create_table(cursor, id, columns, partition_by=partition_by, sort_by=sort_by, comment=comment)
        if new:
            self.set_property(cursor, id, iceberg_meta.SORT_BY, json.dumps(list(sort_by), ensure_ascii=False))

    def columns(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str] | None:
        """See :meth:`lakewright.lake.protocol.Lake.columns`."""
        zone = split_id(id)[0]
        # A namespace that was once looked up in vain stays missing for the whole session: look in the list.
        if zone not in self._zones:
            self._zones = iceberg_meta.zones(self, self.session.cursor())
        return super().columns(cursor, id) if zone in self._zones else None

    def drop_column(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.drop_column`.

        Raises LW413 when the table would be left as it once was: DuckDB's Iceberg writer then numbers
        the next schema like one that exists and could never change the table again.
        """
        self._writable()
        if iceberg_meta.returns_to_earlier(self, cursor, id, without=name):
            raise LakewrightError(
                "LW413",
                f"dropping column {name!r} would bring back an earlier form of {id}, which could not be changed again",
                remedy="leave the column in place: new rows have null in it",
            )
        super().drop_column(cursor, id, name)

    def rename_column(self, cursor: duckdb.DuckDBPyConnection, id: str, old: str, new: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.rename_column`. Raises LW413 as :meth:`drop_column` does."""
        self._writable()
        if iceberg_meta.returns_to_earlier(self, cursor, id, rename=(old, new)):
            raise LakewrightError(
                "LW413",
                f"renaming column {old!r} would bring back an earlier form of {id}, which could not be changed again",
                remedy="choose another name",
            )
        super().rename_column(cursor, id, old, new)

    def set_comment(self, cursor: duckdb.DuckDBPyConnection, id: str, comment: str) -> None:
        """See :meth:`lakewright.lake.protocol.Lake.set_comment`: kept as the table's property ``comment``."""
        self._writable()
        self.set_property(cursor, id, "comment", comment)

    def set_property(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, value: str) -> None:
        """Set one of the table's properties, in a commit of its own unless a transaction is under way."""
        properties = f"{{{_text(name)}: {_text(value)}}}"
        self.run(cursor, f"CALL set_iceberg_table_properties({iceberg_meta.name_of(id)}, {properties})")

    def tables(self, cursor: duckdb.DuckDBPyConnection, only: str | None = None) -> list[TableInfo]:
        """See :meth:`lakewright.lake.protocol.Lake.tables`."""
        wanted = sorted(id for id in self.ids(cursor) if only in (None, id))
        return [iceberg_meta.info(self, cursor, id) for id in wanted]

    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]:
        """Return the ids of the tables that exist now, or held something at *version*."""
        known = iceberg_meta.ids(self, cursor)
        if version is None:
            return known
        until = self._until(cursor, version)
        return {
            id
            for id in known
            if any(one.at < until for one in iceberg_meta.table_snapshots(self, cursor, id))
        }

    def partitions(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``partition_by`` of the table, which never changes."""
        return iceberg_meta.partitions(iceberg_meta.metadata(self, cursor, id))

    def sort_keys(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``sort_by`` of the table, which never changes."""
        return iceberg_meta.sort_keys(iceberg_meta.metadata(self, cursor, id))

    def files(self, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]:
        """See :meth:`lakewright.lake.protocol.Lake.files`."""
        return iceberg_meta.files(self, cursor, id)

    # --- versions

    def newest(self, cursor: duckdb.DuckDBPyConnection) -> int | None:
        """See :meth:`lakewright.lake.protocol.Lake.newest`."""
        return None

    def snapshots(
        self, cursor: duckdb.DuckDBPyConnection, id: str | None = None, limit: int | None = None
    ) -> list[Snapshot]:
        """See :meth:`lakewright.lake.protocol.Lake.snapshots`."""
        return iceberg_meta.snapshots(self, cursor, id, limit)

    def version_at(
        self, cursor: duckdb.DuckDBPyConnection, version: int | None, timestamp: datetime | None
    ) -> int | None:
        """Return *version* when it exists, or the version current at *timestamp*; None when there is none."""
        return iceberg_meta.version_at(self, cursor, version, timestamp)

    def at(self, id: str, version: int | None = None, timestamp: datetime | None = None) -> exp.Table:
        """See :meth:`lakewright.lake.protocol.Lake.at`."""
        if version is None and timestamp is None:
            return super().at(id)
        cursor = self.session.cursor()
        super().at(id, version, timestamp)  # checks the arguments
        found = self.version_at(cursor, version, timestamp)
        if found is None:
            raise iceberg_meta.no_version(version, timestamp)
        return super().at(id, timestamp=self._until(cursor, found) - timedelta(milliseconds=1))

    def _until(self, cursor: duckdb.DuckDBPyConnection, version: int) -> datetime:
        following = iceberg_meta.next_commit(self, cursor, version)
        return datetime.now(UTC) + timedelta(milliseconds=1) if following is None else _moment(following)

    def restore(
        self,
        cursor: duckdb.DuckDBPyConnection,
        ids: Iterable[str] | None = None,
        *,
        version: int | None = None,
        timestamp: datetime | None = None,
    ) -> dict[str, int]:
        """See :meth:`lakewright.lake.protocol.Lake.restore`.

        Columns that would bring back an earlier form of a table when dropped stay, with null in them.
        """
        return restore(self, cursor, ids, version=version, timestamp=timestamp)

    # --- upkeep

    def compact(
        self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str] | None = None
    ) -> list[Compaction]:
        """See :meth:`lakewright.lake.protocol.Lake.compact`; a table is written anew in the order of its ``sort_by``.

        Raises LW413 where the catalog does that itself (S3 Tables, Glue), and without pyiceberg.
        """
        rest = self._maintained("compaction")
        return [self._rewritten(cursor, rest, id) for id in chosen_tables(self.ids(cursor), ids)]

    def _rewritten(
        self, cursor: duckdb.DuckDBPyConnection, rest: RestTables, id: str, *, always: bool = False
    ) -> Compaction:
        def once() -> Compaction:
            with self._lock():
                return iceberg_upkeep.rewrite(self, cursor, rest, id, always=always)

        return self._patiently(once)

    def purge(self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.purge`: all versions of the lake but the newest are forgotten."""
        rest = self._maintained("expiry")
        known = self.ids(cursor)
        for id in ids:
            if id in known:
                self._rewritten(cursor, rest, id, always=True)
        forgotten = self._forget_before(cursor, rest, iceberg_upkeep.first_kept(self, cursor))
        moment = datetime.now(UTC) + timedelta(days=1)  # the store's clock may be ahead; nothing else writes
        for id in sorted(known):
            iceberg_upkeep.sweep(rest, id, freed_before=moment, made_before=moment, history=False)
        return forgotten

    def expire(
        self,
        cursor: duckdb.DuckDBPyConnection,
        older_than: datetime,
        *,
        grace: timedelta = GRACE,
        orphan_age: timedelta = ORPHAN_AGE,
    ) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.expire`.

        A file is deleted when no version has needed it for *grace* and it was written more than *orphan_age* ago.
        """
        rest = self._maintained("expiry")
        forgotten = self._forget_before(cursor, rest, iceberg_upkeep.first_kept(self, cursor, older_than))
        now = datetime.now(UTC)
        for id in sorted(self.ids(cursor)):
            iceberg_upkeep.sweep(rest, id, freed_before=now - grace, made_before=now - orphan_age)
        return forgotten

    def _forget_before(self, cursor: duckdb.DuckDBPyConnection, rest: RestTables, first: int | None) -> int:
        if first is None:
            return 0

        def once() -> int:
            with self._lock():
                return iceberg_upkeep.forget_before(self, cursor, rest, first)

        return self._patiently(once)

    def _maintained(self, what: str) -> RestTables:
        self._writable()
        self.capabilities.require(what, self.kind)
        assert self._rest is not None
        return self._rest


def _without_upkeep(instead: str) -> Capabilities:
    return replace(
        _CAPABILITIES,
        compaction=False,
        expiry=False,
        orphan_cleanup=False,
        sorted_tables=False,
        notes={**_CAPABILITIES.notes, "compaction": instead, "expiry": instead},
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(value: str) -> str:
    return literal(value).sql("duckdb")
