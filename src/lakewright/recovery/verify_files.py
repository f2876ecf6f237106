"""Are the files there and what they were: databases, data files, raw files, archives; and which belong to nobody."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lakewright.errors import LakewrightError
from lakewright.lake.sealed import opened_by
from lakewright.recovery import copies
from lakewright.recovery.checksums import Checksums
from lakewright.recovery.contents import REJECTS, LakeFile, files_of
from lakewright.recovery.create import Source
from lakewright.recovery.files import Stores, Wanted, look, wanted_raw
from lakewright.recovery.findings import FILES, PAST, WHOLE, Findings
from lakewright.recovery.heal import archive_files
from lakewright.recovery.model import Entry, Kind
from lakewright.sql.names import literal

if TYPE_CHECKING:
    import duckdb

__all__ = ["archives", "data_files", "databases", "raw_files"]

#: A file that nobody names is left over only when it is older than what may be under way.
_UNDER_WAY = timedelta(hours=1)

#: What the archive tells of raw files.
_MANIFESTS = "raw/_manifests/"

Chosen = Callable[[str], bool]


def databases(source: Source, found: Findings) -> bool:
    """Look whether catalog and state are whole; return whether the rest can be looked at."""
    for database in (source.catalog, source.database):
        found.saw("databases")
        file = database.file
        if file is None or database.sealed is not None:
            try:
                with tempfile.TemporaryDirectory() as name:
                    copies.copy(database, Path(name))
            except LakewrightError as error:
                found.bad("databases", "", database.what, error.problem.message, WHOLE)
            continue
        if not file.is_file():
            found.bad("databases", "", str(file), "is gone", WHOLE)
            continue
        pragma = "quick_check" if found.level == "quick" else "integrity_check"
        try:
            address = f"file:{quote(str(file))}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as connection:
                answer = str(connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0])
        except sqlite3.Error as error:
            answer = str(error)
        if answer != "ok":
            found.bad("databases", "", str(file), f"is damaged: {answer}", WHOLE)
    return found.whole


def data_files(source: Source, cursor: duckdb.DuckDBPyConnection, chosen: Chosen, found: Findings) -> None:
    """Compare the data files of all versions of the lake with its catalog."""
    with (
        tempfile.TemporaryDirectory() as name,
        copies.reading(copies.copy(source.catalog, Path(name)), source.catalog) as ask,
    ):
        files = files_of(ask)
        scheduled = {str(row[0]) for row in ask("SELECT path FROM ducklake_files_scheduled_for_deletion")}
    checksums, stores = Checksums.read(source.state), Stores(source.store)
    read: list[Entry] = []
    for one in files:
        if not chosen(one.dataset):
            continue
        found.saw("data files")
        heal = FILES if one.current else PAST
        wanted = Wanted("tables", one.path, one.size, checksums.of("tables", one.path), one.dataset)
        state, digest = look(stores, wanted, deep=found.level == "deep")
        if state != "right":
            there = stores.sizes("tables").get(one.path)
            found.bad("data files", one.dataset, one.path, _how(state, there, wanted), heal)
            continue
        if digest:
            read.append(Entry("tables", one.path, one.size, digest))
        if found.level != "quick" and (wrong := _parquet(stores, one, cursor, found.level == "deep")):
            found.bad("data files", one.dataset, one.path, wrong, heal)
            read = [entry for entry in read if entry.path != one.path]
    checksums.save(source.state, read)
    _orphans(stores, "tables", {one.path for one in files}, scheduled, found)


def _parquet(stores: Stores, one: LakeFile, cursor: duckdb.DuckDBPyConnection, deep: bool) -> str:
    """What is wrong with a Parquet file of the right size: its footer, its rows and, when *deep*, its pages."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    if one.key:
        return _encrypted(stores["tables"].uri(one.path), one, cursor, deep)
    try:
        with stores["tables"].open(one.path) as stream:
            rows = pq.read_metadata(stream).num_rows
    except (pa.ArrowException, OSError) as error:
        return f"its footer cannot be read: {str(error).splitlines()[0]}"
    if rows != one.rows:
        return f"holds {rows:,} rows, the catalog says {one.rows:,}"
    if deep:
        try:
            cursor.execute(
                "SELECT bit_xor(hash(t)) FROM read_parquet(?, hive_partitioning => false) t",
                [stores["tables"].uri(one.path)],
            ).fetchone()
        except duckdb.Error as error:
            return f"cannot be decoded: {str(error).splitlines()[0]}"
    return ""


def _encrypted(address: str, one: LakeFile, cursor: duckdb.DuckDBPyConnection, deep: bool) -> str:
    """The same of a file that is encrypted: every page of it bears a seal."""
    import duckdb

    asked = "count(*), bit_xor(hash(t))" if deep else "count(*), NULL"
    reader = f"read_parquet({literal(address).sql('duckdb')}, hive_partitioning => false, {opened_by(base64.b64decode(one.key))})"
    try:
        row = cursor.execute(f"SELECT {asked} FROM {reader} t").fetchone()
    except duckdb.Error as error:
        return f"cannot be opened with its key: {str(error).splitlines()[0]}"
    rows = int(row[0]) if row else 0
    return "" if rows == one.rows else f"holds {rows:,} rows, the catalog says {one.rows:,}"


def raw_files(source: Source, chosen: Chosen, found: Findings, doubted: Mapping[str, str]) -> None:
    """Compare the files of the raw zone with their manifest; *doubted* are those known to be wrong, and why."""
    files = source.raw_files()
    checksums, stores = Checksums.read(source.state), Stores(source.store)
    read: list[Entry] = []
    for one in files.values():
        if not chosen(one.dataset):
            continue
        found.saw("raw files")
        wanted = wanted_raw(one, checksums)
        state, digest = look(stores, wanted, deep=found.level == "deep")
        if state != "right" or one.path in doubted:
            there = stores.sizes(one.kind).get(one.inside)
            how = _how(state, there, wanted) if state != "right" else doubted[one.path]
            where = one.inside if one.kind == "raw" else f"archive/{one.inside}"
            found.bad("raw files", one.dataset, where, how, FILES)
        elif digest and one.kind == "raw":
            read.append(Entry("raw", one.path, stores.sizes("raw")[one.path], digest))
    checksums.save(source.state, read)
    rejects = {path for path in stores.sizes("raw") if path.startswith(REJECTS)}
    _orphans(stores, "raw", files.keys() | rejects, (), found)
    _orphans(stores, "archive", {one.inside for one in files.values()}, (), found, prefix="raw/")


def archives(source: Source, folders: Sequence[tuple[str, str]], found: Findings) -> None:
    """Compare archives, dataset and folder of each, with their own manifests."""
    stores = Stores(source.store)
    sizes = stores.sizes("archive") if folders else {}
    for dataset, folder in folders:
        found.saw("archives")
        files = archive_files(stores["archive"], f"{folder}/manifest.json")
        if not files:
            found.bad("archives", dataset, f"{folder}/manifest.json", "cannot be read", FILES)
        for path, size, digest in files:
            wanted = Wanted("archive", path, size, digest, dataset)
            state, _ = look(stores, wanted, deep=found.level == "deep")
            if state != "right":
                found.bad("archives", dataset, path, _how(state, sizes.get(path), wanted), FILES)


def _how(state: str, there: int | None, wanted: Wanted) -> str:
    if state == "gone":
        return "is gone"
    if wanted.size is not None and there != wanted.size:
        return f"has {there or 0:,} bytes instead of {wanted.size:,}"
    return "is damaged: its SHA-256 differs"


def _orphans(
    stores: Stores,
    kind: Kind,
    known: Collection[str],
    names: Collection[str],
    found: Findings,
    *,
    prefix: str = "",
) -> None:
    """Name files that nothing refers to. Those whose removal is due already are not told; *names* are their ends."""
    ends = {name.rpartition("/")[2] for name in names}
    late = datetime.now(UTC) - _UNDER_WAY
    for one in stores[kind].list(prefix):
        if one.path.startswith(_MANIFESTS):
            continue  # for people
        if one.path in known or one.path.rpartition("/")[2] in ends or one.modified > late:
            continue
        heal = "lakewright compact --expire AGE" if kind == "tables" else ""
        found.warn("orphans", "", f"{kind}/{one.path}", "belongs to nothing: a crash left it behind", heal)
