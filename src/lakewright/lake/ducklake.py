"""DuckLake: Parquet files with a catalog in SQLite (one machine) or PostgreSQL (many writers)."""

from __future__ import annotations

import contextlib
import json
import random
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import duckdb

from lakewright.engine.errors import explain, is_conflict
from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake import checkpoints, ducklake_meta, purge, schema, upkeep
from lakewright.lake.attached import AttachedLake
from lakewright.lake.locks import CommitLock
from lakewright.lake.protocol import CATALOG, Capabilities, Compaction, Snapshot, TableInfo
from lakewright.lake.restore import restore
from lakewright.lake.storage import Resolve, is_remote, open_storage, tables_path
from lakewright.spec.project import Lake as LakeSpec
from lakewright.sql.names import literal, split_id, table

__all__ = ["ENCRYPTED", "Catalog", "DuckLake", "mismatch"]

_AUTHOR = "lakewright"

#: How often a lake is opened anew when another process makes it at the same time.
_OPENINGS = 5

#: A few rows are kept in a table of the catalog, which takes 2,000 columns in SQLite, 1,600 in PostgreSQL, three its own.
_MOST_COLUMNS = {"ducklake-sqlite": 1_997, "ducklake-postgres": 1_597, "ducklake-encrypted": 100_000}


#: Few rows go to files, too: DuckLake 1.0 takes rows out of an encrypted catalog into folders that are named after
#: values, and cannot bring such files together with others.
ENCRYPTED = "ENCRYPTED true, DATA_INLINING_ROW_LIMIT 0"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog database: how DuckDB attaches it, and the file it is (none on a server)."""

    kind: str
    address: str
    options: str
    extension: str
    file: Path | None


class DuckLake(AttachedLake):
    """A DuckLake attached as ``lake``."""

    types = schema.DUCKLAKE_TYPES

    def __init__(self, session: Session, lock: CommitLock, *, kind: str, read_only: bool) -> None:
        super().__init__(session, lock, read_only=read_only)
        self.kind = kind
        self._file: Path | None = None
        self._address = ""
        self.capabilities = Capabilities(concurrent_commits=kind == "ducklake-postgres")

    @classmethod
    def open(
        cls, spec: LakeSpec, root: Path, session: Session, *, read_only: bool, resolve: Resolve
    ) -> DuckLake:
        """Attach the lake that *spec* describes; make it first when it does not exist and may be written."""
        catalog = _catalog(spec, root, resolve)
        if catalog.file is None:
            session.hide(catalog.address)
        elif not catalog.file.exists():
            _refuse_encrypted(catalog.file)
        lock = CommitLock(
            catalog.address, catalog.file and catalog.file.with_name(f"{catalog.file.name}.lock")
        )
        lake = cls(session, lock, kind=catalog.kind, read_only=read_only)
        lake._file, lake._address = catalog.file, catalog.address
        open_storage(session, spec, resolve)
        lake._attach(catalog, tables_path(spec, root))
        return lake

    def _attach(self, catalog: Catalog, data_path: str) -> None:
        cursor = self.session.cursor()
        load(cursor, "ducklake", catalog.extension)
        # Writers on other tables only make each other try again: soon, rather than after 0.1 s.
        cursor.execute("SET GLOBAL ducklake_retry_wait_ms = 20")
        cursor.execute("SET GLOBAL ducklake_max_retry_count = 12")
        if catalog.extension == "sqlite_scanner":
            # The catalog's tables are small: starting threads to scan them costs a fifth of a commit.
            cursor.execute("SET GLOBAL sqlite_disable_multithreaded_scans = true")
        if catalog.file is not None:
            if self.read_only and not catalog.file.exists():
                raise LakewrightError("LW410", "the lake does not exist yet", tried=[str(catalog.file)])
            catalog.file.parent.mkdir(parents=True, exist_ok=True)
        if not is_remote(data_path) and not self.read_only:
            Path(data_path).mkdir(parents=True, exist_ok=True)
        address = literal(f"ducklake:{catalog.address}").sql("duckdb")
        options = [f"DATA_PATH {literal(data_path).sql('duckdb')}", catalog.options]
        if self.read_only:
            options.append("READ_ONLY")
        statement = f"ATTACH {address} AS {CATALOG}"
        wait = 0.05
        for attempt in range(_OPENINGS):
            try:
                # Two processes that make the same catalog at once would both try to create its tables.
                with self._lock():
                    self._attach_or_move(cursor, statement, [one for one in options if one], data_path)
                    if not self.read_only:
                        self._prepare(cursor)
                return
            except (duckdb.Error, LakewrightError) as error:
                text = explain(error, hide=self.session.hidden).problem.message
                with contextlib.suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                with contextlib.suppress(duckdb.Error):
                    cursor.execute(f"DETACH {CATALOG}")
                # On PostgreSQL no lock keeps other machines out: one of them was quicker.
                again = is_conflict(error) or re.search(r"already exists|duplicate key|does not exist", text)
                if not again or attempt == _OPENINGS - 1:
                    raise self._unopened(text) from None
            time.sleep(wait * (0.5 + random.random()))  # noqa: S311 - not for security
            wait *= 2

    def _unopened(self, text: str) -> LakewrightError:
        """The coded form of *text*, with which the catalog refused to be opened."""
        if match := re.search(r"the database is (not )?encrypted but", text):
            return mismatch("its data files", encrypted=match[1] is None)
        return LakewrightError("LW410", f"the lake's catalog cannot be opened: {text}")

    def _attach_or_move(
        self, cursor: duckdb.DuckDBPyConnection, statement: str, options: list[str], data_path: str
    ) -> None:
        try:
            cursor.execute(f"{statement} ({', '.join(options)})")
        except duckdb.Error as error:
            # The catalog remembers an absolute folder. A project that was moved or copied as a whole
            # brought its data along: then the folder of now is right.
            moved = (
                "OVERRIDE_DATA_PATH" in str(error)
                and not is_remote(data_path)
                and any(Path(data_path).iterdir())
            )
            if not moved:
                raise
            cursor.execute(f"{statement} ({', '.join([*options, 'OVERRIDE_DATA_PATH true'])})")

    def _prepare(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self.columns(cursor, checkpoints.TABLE) is None:
            cursor.execute("BEGIN TRANSACTION")
            self.create_table(cursor, checkpoints.TABLE, checkpoints.COLUMNS)
            self._describe_commit(cursor, "lake made", {})
            cursor.execute("COMMIT")

    def _commit_lock(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.capabilities.concurrent_commits else self._lock()

    def _describe_commit(
        self, cursor: duckdb.DuckDBPyConnection, message: str, info: Mapping[str, object]
    ) -> None:
        if message or info:
            extra = json.dumps(dict(info), default=str, ensure_ascii=False)
            said, told = (literal(one).sql("duckdb") for one in (message, extra))
            self.run(
                cursor,
                f"CALL ducklake_set_commit_message('{CATALOG}', '{_AUTHOR}', {said}, extra_info => {told})",
            )

    def _create(
        self,
        cursor: duckdb.DuckDBPyConnection,
        id: str,
        definitions: str,
        partitions: Sequence[str],
        order: Sequence[str],
    ) -> None:
        name = table(id, CATALOG).sql("duckdb")
        existed = self.columns(cursor, id) is not None
        self.run(cursor, f"CREATE TABLE IF NOT EXISTS {name} ({definitions})")
        if not existed and partitions:
            self.run(cursor, f"ALTER TABLE {name} SET PARTITIONED BY ({', '.join(partitions)})")
        if not existed and order:
            self.run(cursor, f"ALTER TABLE {name} SET SORTED BY ({', '.join(order)})")

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
        """See :meth:`lakewright.lake.protocol.Lake.create_table`; raises LW413 for more columns than the catalog takes."""
        most = _MOST_COLUMNS[self.kind]
        if len(columns) > most:
            raise LakewrightError(
                "LW413",
                f"{id} has {len(columns):,} columns; a table of {self.kind} has at most {most:,}",
                remedy="name the columns that are needed in a `select` step, or split the dataset",
            )
        super().create_table(cursor, id, columns, partition_by=partition_by, sort_by=sort_by, comment=comment)

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
        """Make the table in commits of its own.

        DuckLake keeps what it knows of schemas in a cache, for as long as a statement runs. A table
        made by a transaction points into it until the commit; when two threads have filled the
        cache at once, or memory was short, it points to freed memory by then, and the process dies
        (duckdb/ducklake issue 1248, in DuckDB 1.5.3 to 1.5.5). A statement that commits itself is safe.
        """
        self._writable()
        with self._commit_lock():
            if self.columns(cursor, id) is None:
                self._patiently(
                    lambda: self.create_table(
                        cursor, id, columns, partition_by=partition_by, sort_by=sort_by, comment=comment
                    )
                )

    def tables(self, cursor: duckdb.DuckDBPyConnection, only: str | None = None) -> list[TableInfo]:
        """See :meth:`lakewright.lake.protocol.Lake.tables`."""
        return ducklake_meta.tables(self, cursor, only)

    def newest(self, cursor: duckdb.DuckDBPyConnection) -> int | None:
        """See :meth:`lakewright.lake.protocol.Lake.newest`."""
        if self._file is not None and self.kind == "ducklake-sqlite":
            # a hundred times quicker than by way of DuckDB
            with contextlib.closing(
                sqlite3.connect(f"file:{quote(str(self._file))}?mode=ro", uri=True)
            ) as catalog:
                row = catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()
        else:
            row = self.run(cursor, "SELECT id FROM ducklake_current_snapshot('lake')").fetchone()
        return int(row[0]) if row and row[0] is not None else None

    def snapshots(
        self, cursor: duckdb.DuckDBPyConnection, id: str | None = None, limit: int | None = None
    ) -> list[Snapshot]:
        """See :meth:`lakewright.lake.protocol.Lake.snapshots`."""
        return ducklake_meta.snapshots(self, cursor, id, limit)

    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]:
        """Return the ids of the tables that exist now, or existed at *version*."""
        return set(ducklake_meta.alive(self, cursor, version))

    def version_at(
        self, cursor: duckdb.DuckDBPyConnection, version: int | None, timestamp: datetime | None
    ) -> int | None:
        """Return *version* when it exists, or the version current at *timestamp*; None when there is none."""
        return ducklake_meta.version_at(self, cursor, version, timestamp)

    def partitions(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``partition_by`` of the table now, or at *version*."""
        return ducklake_meta.partitions(self, cursor, version).get(id, ())

    def sort_keys(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]:
        """Return ``sort_by`` of the table now, or at *version*."""
        return ducklake_meta.sorts(self, cursor, id, version)

    def restore(
        self,
        cursor: duckdb.DuckDBPyConnection,
        ids: Iterable[str] | None = None,
        *,
        version: int | None = None,
        timestamp: datetime | None = None,
    ) -> dict[str, int]:
        """See :meth:`lakewright.lake.protocol.Lake.restore`."""
        return restore(self, cursor, ids, version=version, timestamp=timestamp)

    def compact(
        self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str] | None = None
    ) -> list[Compaction]:
        """See :meth:`lakewright.lake.protocol.Lake.compact`."""
        self._writable()
        with self._commit_lock():
            return upkeep.compact(self, cursor, ids)

    def expire(
        self,
        cursor: duckdb.DuckDBPyConnection,
        older_than: datetime,
        *,
        grace: timedelta = upkeep.GRACE,
        orphan_age: timedelta = upkeep.ORPHAN_AGE,
    ) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.expire`."""
        self._writable()
        with self._commit_lock():
            return upkeep.expire(self, cursor, older_than, grace=grace, orphan_age=orphan_age)

    def purge(self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.purge`."""
        self._writable()
        with self._lock():
            forgotten = purge.purge(self, cursor, ids)
            purge.rewrite_catalog(self._file, self._address)
        return forgotten

    def files(self, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]:
        """See :meth:`lakewright.lake.protocol.Lake.files`."""
        zone, name = split_id(id)
        listed = "SELECT data_file FROM ducklake_list_files('lake', ?, schema => ?)"
        return [row[0] for row in self.run(cursor, listed, [name, zone]).fetchall()]


def mismatch(what: str, *, encrypted: bool) -> LakewrightError:
    """What a lake is refused with when it is *encrypted* and the project does not say so, or the other way round."""
    if encrypted:
        return LakewrightError(
            "LW833",
            f"the lake is encrypted ({what}), and lakewright.yaml does not say so",
            remedy="put `encryption` back under `lake`; to have it in the clear, build it anew elsewhere",
        )
    return LakewrightError(
        "LW833", f"the lake exists in the clear ({what}) and is not encrypted by being asked to"
    )


def _refuse_encrypted(file: Path) -> None:
    """Raise LW833 where an encrypted catalog lies in the place of the clear one that is asked for."""
    found = sorted(file.parent.glob(f"{file.stem}.*.duckdb"))
    if found:
        raise mismatch(str(found[-1]), encrypted=True)


def _catalog(spec: LakeSpec, root: Path, resolve: Resolve) -> Catalog:
    kind, _, rest = spec.catalog.partition(":")
    if kind == "sqlite" and rest:
        file = (root / resolve(rest)).resolve()
        # WAL and a long wait: without them two writers, even two threads, lock each other out.
        options = "META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 20000"
        return Catalog("ducklake-sqlite", f"sqlite:{file}", options, "sqlite_scanner", file)
    if kind in ("postgres", "postgresql") and rest:
        address = resolve(rest)
        if address.startswith("//"):
            address = f"postgresql:{address}"
        options = ENCRYPTED if spec.encryption else "ENCRYPTED false"
        return Catalog("ducklake-postgres", f"postgres:{address}", options, "postgres_scanner", None)
    raise LakewrightError(
        "LW417",
        "lake.catalog is neither sqlite:<file> nor postgres:<connection string>",
        remedy="write for example sqlite:.lakewright/catalog.sqlite",
    )
