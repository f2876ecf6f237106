"""Move old rows of a table to the archive, verified before they are deleted, and bring them back.

An archive is a folder ``archive/<zone>/<dataset>/<id>/`` of the lake's path: one zstd Parquet file per year of the
rows' dates, in their order, and ``manifest.json`` with rows, SHA-256 and columns. It counts when its row
stands in the lake's table of archives, which is written by the transaction that deletes the rows: killed
before, the folder is a leftover, which the state remembers and the next call removes; killed after, all is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlglot import exp

from lakewright.errors import RunError
from lakewright.lake.protocol import BOOKKEEPING, CATALOG, Lake
from lakewright.lake.raw import RawStore
from lakewright.lake.sealed import opened_by, written_under
from lakewright.sql.names import column, identifier, literal, table
from lakewright.state import State, UtcTime, metadata

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "ARCHIVES",
    "Archive",
    "Old",
    "archives",
    "expire",
    "key_of",
    "measure",
    "reader",
    "restore",
    "written",
]

#: The id of the lake's table of archives: append-only, one row per archive or expiry.
ARCHIVES = f"{BOOKKEEPING}.archives"

_COLUMNS: dict[str, str] = {
    "id": "VARCHAR",
    "dataset": "VARCHAR",
    "kind": "VARCHAR",
    "path": "VARCHAR",
    "rows": "BIGINT",
    "first": "DATE",
    "last": "DATE",
    "at": "TIMESTAMP WITH TIME ZONE",
}
#: Folders that were begun; those that the lake does not know in the end are leftovers of a crash.
_begun = sa.Table(
    "archives_begun",
    metadata,
    sa.Column("path", sa.String(512), primary_key=True),
    sa.Column("dataset", sa.String(255), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)

_MANIFEST = "manifest.json"
_FORMAT = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Old:
    """The rows of *dataset* that are to go: those for which ``condition`` is true; ``age`` gives their date."""

    dataset: str
    age: exp.Expr
    condition: exp.Expr


@dataclass(frozen=True, slots=True)
class Archive:
    """What became of old rows: ``archived`` in the folder ``path``, or ``expired`` without. Dates are the rows'."""

    id: str
    dataset: str
    kind: str
    path: str
    rows: int
    first: date | None
    last: date | None
    at: datetime


def measure(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, old: Old
) -> tuple[int, date | None, date | None, str]:
    """Return how many rows are to go, their first and last date, and a checksum of their values in any order."""
    columns = lake.columns(cursor, old.dataset) or {}
    whole = exp.Anonymous(this="HASH", expressions=[column(name) for name in columns])
    day = exp.cast(old.age.copy(), "DATE")
    query = (
        exp.select(
            exp.Count(this=exp.Star()),
            exp.Min(this=day),
            exp.Max(this=day.copy()),
            exp.cast(exp.Sum(this=exp.cast(whole, "HUGEINT")), "VARCHAR"),
        )
        .from_(table(old.dataset, CATALOG))
        .where(old.condition.copy())
    )
    row = cursor.execute(query.sql("duckdb")).fetchone() or (0, None, None, None)
    return int(row[0]), row[1], row[2], str(row[3])


def expire(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    old: Old,
    state: State,
    store: RawStore | None,
    *,
    storage_class: str = "",
) -> Archive | None:
    """Delete the rows of *old*, after they are in an archive of *store* that was read again; None without rows.

    What a killed call left behind is removed first. Without a *store* they are deleted only. Rows that come
    or go meanwhile are noticed, as is a value that the files do not hold as the table does: nothing is
    deleted then (RunError LW421, LW422).
    """
    if store is not None:
        _remove_leftovers(lake, cursor, old.dataset, state, store)
    rows, first, last, checksum = measure(lake, cursor, old)
    if not rows:
        return None
    id = f"{(last or date.min).isoformat()}-{uuid.uuid4().hex[:12]}"
    path = f"{old.dataset.replace('.', '/', 1)}/{id}" if store is not None else ""
    if store is not None:
        with state.begin(_begun) as connection:
            connection.execute(_begun.insert().values(path=path, dataset=old.dataset, at=datetime.now(UTC)))
        _write(lake, cursor, old, store, path, (rows, checksum), storage_class)
    kind = "archived" if store is not None else "expired"
    made = Archive(id, old.dataset, kind, path, rows, first, last, datetime.now(UTC))
    lake.prepare_table(cursor, ARCHIVES, _COLUMNS)

    def work() -> None:
        # what was archived is what is deleted, to the last value
        if measure(lake, cursor, old) != (rows, first, last, checksum):
            raise RunError(
                "LW421", f"{old.dataset} changed while its old rows were archived; nothing was deleted"
            )
        gone = exp.delete(table(old.dataset, CATALOG)).where(old.condition.copy())
        cursor.execute(gone.sql("duckdb"))
        _note(lake, cursor, made)

    words = f"lifecycle: {rows:,} rows of {old.dataset} {kind}"
    lake.commit(cursor, work, message=words, info={"archive": id, "dataset": old.dataset, "rows": rows})
    return made


def archives(lake: Lake, cursor: duckdb.DuckDBPyConnection, dataset: str | None = None) -> list[Archive]:
    """Return what the lake knows of archives and expiries, oldest first."""
    if lake.columns(cursor, ARCHIVES) is None:
        return []
    query = exp.select(*(column(name) for name in _COLUMNS)).from_(table(ARCHIVES, CATALOG))
    if dataset is not None:
        query = query.where(exp.EQ(this=column("dataset"), expression=literal(dataset)))
    # text, for times with a zone need a library of their own to come out
    at = exp.cast(column("at"), "VARCHAR")
    query.set("expressions", [*(column(name) for name in list(_COLUMNS)[:-1]), exp.alias_(at, "at")])
    rows = cursor.execute(query.sql("duckdb")).fetchall()
    found = [
        Archive(id, of, kind, path, count, first, last, datetime.fromisoformat(when).astimezone(UTC))
        for id, of, kind, path, count, first, last, when in rows
    ]
    return sorted(found, key=lambda one: (one.at, one.id))


def restore(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    found: Sequence[Archive],
    store: RawStore,
    *,
    keys: Sequence[str] = (),
) -> int:
    """Put the rows of archives of one dataset back into its table, in one commit; return how many came back.

    The files are verified against their manifests first. Rows that are there already stay as they are, so
    a second call adds nothing; with *keys*, which the table has once each, so does a key that was built again
    meanwhile, and of one that is in several archives the newest row comes back. Columns that the table has lost
    are an error (RunError LW422).
    """
    staging = store.staging()
    try:
        readers = [_brought(lake, one, store, staging) for one in found]
        dataset = found[0].dataset
        columns = lake.columns(cursor, dataset) or {}
        have = {
            str(row[0]).lower(): str(row[0])
            for one in readers
            for row in lake.run(cursor, f"DESCRIBE FROM {one} t").fetchall()
        }
        lost = [name for low, name in have.items() if low not in {one.lower() for one in columns}]
        if lost:
            raise RunError("LW422", f"{dataset} has no column {', '.join(lost)}, which the archive has")
        picked = ", ".join(identifier(name).sql("duckdb") for name in columns if name.lower() in have)
        target = table(dataset, CATALOG).sql("duckdb")
        # row by row what is missing: a dataset may have been put back to an earlier version meanwhile
        missing = (
            f"SELECT {picked} FROM ({_together(readers, picked)}) EXCEPT ALL SELECT {picked} FROM {target}"  # noqa: S608 - quoted names and literals of the tree
        )
        if keys:
            missing = _once(missing, picked, target, keys)

        def work() -> int:
            done = lake.run(cursor, f"INSERT INTO {target} ({picked}) {missing}").fetchone()
            return int(done[0]) if done else 0

        message = f"restore {dataset} from {len(found)} archives"
        return lake.commit(cursor, work, message=message, info={"archives": [one.id for one in found]})
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _once(rows: str, picked: str, target: str, keys: Sequence[str]) -> str:
    """Return *rows* without those whose key *target* has, and of each key the row of the last batch."""
    names = [identifier(name).sql("duckdb") for name in keys]
    same = " AND ".join(f"_there.{name} IS NOT DISTINCT FROM _old.{name}" for name in names)
    return (
        f"SELECT {picked} FROM ({rows}) AS _old "  # noqa: S608 - as above
        f"WHERE NOT EXISTS (SELECT 1 FROM {target} AS _there WHERE {same}) "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY _batch_id DESC) = 1"
    )


def reader(files: Sequence[Path], key: bytes | None = None) -> str:
    """Return what stands after FROM to read the *files* of an archive, encrypted under *key* if there is one."""
    if key is None:
        listed = exp.Array(expressions=[literal(str(file)) for file in files])
        return f"read_parquet({listed.sql('duckdb')}, union_by_name => true, hive_partitioning => false)"
    # one by one: DuckDB 1.5 cannot bring encrypted files together by name
    parts = (
        f"FROM read_parquet({literal(str(file)).sql('duckdb')}, hive_partitioning => false, {opened_by(key)})"
        for file in files
    )
    return f"({' UNION ALL BY NAME '.join(parts)})"


def written(key: bytes | None) -> str:
    """Return the options with which COPY writes a file of an archive, encrypted under *key* if there is one."""
    sealed = f", {written_under(key)}" if key is not None else ""
    return f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 9{sealed})"


def key_of(lake: Lake, path: str, manifest: Mapping[str, object]) -> bytes | None:
    """Return the key of the archive in the folder *path*, None for one in the clear. Raises LW802 for a lost key."""
    said = manifest.get("encryption")
    if said is None:
        return None
    if lake.cipher is None or not isinstance(said, Mapping):
        raise RunError(
            "LW833", f"the archive {path} is encrypted, and lakewright.yaml does not say that the lake is"
        )
    key: bytes = lake.cipher.key(str(said["key"]), int(str(said["version"])), f"archive {path}")
    return key


def _together(readers: Sequence[str], picked: str) -> str:
    """Return the query of the rows of several archives, those that are in more than one of them once.

    Rows that came back and were archived again are in two. A row counts as often as in the archive that
    has it most often.
    """
    if len(readers) == 1:
        return f"SELECT {picked} FROM {readers[0]} t"  # noqa: S608 - quoted names and literals of the tree
    parts = " UNION ALL BY NAME ".join(
        f"SELECT *, {number} AS _archive FROM {one} t"  # noqa: S608 - as above
        for number, one in enumerate(readers)
    )
    counted = f"SELECT {picked}, count(*) AS _copies FROM ({parts}) GROUP BY {picked}, _archive"  # noqa: S608
    return f"SELECT {picked}, unnest(range(max(_copies))) AS _copy FROM ({counted}) GROUP BY {picked}"  # noqa: S608


# --- files ---------------------------------------------------------------------------------------


def _write(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    old: Old,
    store: RawStore,
    path: str,
    expected: tuple[int, str],
    storage_class: str,
) -> None:
    """Write the files and then the manifest, and read them again from where they are.

    *expected* are the rows and the checksum of their values, which the files must have too.
    """
    columns = lake.columns(cursor, old.dataset) or {}
    staging = store.staging()
    named = lake.cipher.newest() if lake.cipher is not None else None
    key = lake.cipher.key(*named, f"archive {path}") if lake.cipher is not None and named else None
    try:
        files = []
        year = exp.Extract(this=exp.var("YEAR"), expression=old.age.copy())
        base = exp.select(*(column(name) for name in columns)).from_(table(old.dataset, CATALOG))
        years = (
            exp.select(exp.alias_(year, "y")).from_(table(old.dataset, CATALOG)).where(old.condition.copy())
        )
        for (number,) in sorted(cursor.execute(years.distinct().sql("duckdb")).fetchall()):
            same = exp.EQ(this=year.copy(), expression=literal(int(number)))
            query = base.where(old.condition.copy()).where(same).order_by(old.age.copy())
            file = staging / f"year={number}.parquet"
            lake.run(
                cursor, f"COPY ({query.sql('duckdb')}) TO {literal(str(file)).sql('duckdb')} {written(key)}"
            )
            read = f"SELECT count(*) FROM {reader([file], key)} t"  # noqa: S608 - a literal
            count = int((lake.run(cursor, read).fetchone() or (0,))[0])
            with file.open("rb") as stream:
                digest = _sha256(stream)
            files.append({"name": file.name, "rows": count, "bytes": file.stat().st_size, "sha256": digest})
            _put(store, file, f"{path}/{file.name}", storage_class)
        _compare(lake, cursor, old.dataset, reader(sorted(staging.glob("*.parquet")), key), columns, expected)
        manifest = {
            "format": _FORMAT,
            "dataset": old.dataset,
            "rows": expected[0],
            "columns": columns,
            "condition": old.condition.sql("duckdb"),
            "made": datetime.now(UTC).isoformat(),
            "files": files,
            **({"encryption": {"key": named[0], "version": named[1]}} if named else {}),
        }
        store.put(json.dumps(manifest, indent=1).encode(), f"{path}/{_MANIFEST}")
        _verify(store, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _compare(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    files: str,
    columns: Mapping[str, str],
    expected: tuple[int, str],
) -> None:
    """Refuse files whose values are not the table's: Parquet has no form for every type."""
    # the types as DuckDB itself spells them, those of extensions too
    values = ", ".join(f"CAST({identifier(name).sql('duckdb')} AS {kind})" for name, kind in columns.items())
    total = f"CAST(SUM(CAST(HASH({values}) AS HUGEINT)) AS VARCHAR)"
    found = lake.run(cursor, f"SELECT count(*), {total} FROM {files} t").fetchone()  # noqa: S608
    rows, checksum = found or (0, None)
    if int(rows) != expected[0]:
        raise RunError("LW421", f"{dataset} changed while its old rows were archived; nothing was deleted")
    if str(checksum) != expected[1]:
        raise RunError(
            "LW422", f"Parquet does not hold the values of {dataset} as they are; nothing was deleted"
        )


def _verify(store: RawStore, path: str) -> Mapping[str, Any]:
    """Read an archive as it lies in the store and return its manifest; RunError LW422 for what is not as that says."""
    try:
        with store.open(f"{path}/{_MANIFEST}") as stream:
            manifest: dict[str, Any] = json.loads(stream.read())
        for one in manifest["files"]:
            with store.open(f"{path}/{one['name']}") as stream:
                if _sha256(stream) != one["sha256"]:
                    raise RunError(
                        "LW422", f"{path}/{one['name']} is not what was archived: its SHA-256 differs"
                    )
    except FileNotFoundError as error:
        raise RunError(
            "LW422", f"the archive {path} is not complete: {error.filename or error} is gone"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise RunError("LW422", f"the manifest of {path} cannot be read") from None
    return manifest


def _brought(lake: Lake, one: Archive, store: RawStore, staging: Path) -> str:
    """Bring verified files of an archive here and return what reads them."""
    fetched = []
    manifest = _verify(store, one.path)
    for file in manifest["files"]:
        local = staging / f"{one.id}-{file['name']}"
        with store.open(f"{one.path}/{file['name']}") as stream, local.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
        fetched.append(local)
    return reader(fetched, key_of(lake, one.path, manifest))


def _put(store: RawStore, file: Path, path: str, storage_class: str) -> None:
    if storage_class:
        store.put_as(file, path, storage_class)
    else:
        store.put(file, path)


def _sha256(stream: object) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):  # type: ignore[attr-defined]
        digest.update(chunk)
    return digest.hexdigest()


def _remove_leftovers(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, dataset: str, state: State, store: RawStore
) -> None:
    """Remove folders that were begun and never became archives: their writer was killed.

    Only such folders: a lake that was made anew knows of no archive, and theirs must stay.
    """
    with state.begin(_begun) as connection:
        begun = [
            row[0] for row in connection.execute(sa.select(_begun.c.path).where(_begun.c.dataset == dataset))
        ]
    if not begun:
        return
    kept = {one.path for one in archives(lake, cursor, dataset)}
    for path in begun:
        for stored in list(store.list(path)) if path not in kept else ():
            store.delete(stored.path)
        with state.begin(_begun) as connection:
            connection.execute(_begun.delete().where(_begun.c.path == path))


def _note(lake: Lake, cursor: duckdb.DuckDBPyConnection, made: Archive) -> None:
    lake.create_table(cursor, ARCHIVES, _COLUMNS)
    row = exp.Tuple(expressions=[exp.Placeholder() for _ in _COLUMNS])
    into = exp.Schema(this=table(ARCHIVES, CATALOG), expressions=[identifier(name) for name in _COLUMNS])
    insert = exp.Insert(this=into, expression=exp.Values(expressions=[row])).sql("duckdb")
    cursor.execute(insert, [getattr(made, name) for name in _COLUMNS])
