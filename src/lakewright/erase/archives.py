"""Erase people from archives: their files are written anew under other names, and the manifest names those.

An archive is what its manifest says at any moment. Killed before it was replaced, the new files are leftovers;
killed after, the old ones are. A second call removes whichever it finds.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from lakewright.erase.holders import Holder, told
from lakewright.erase.people import Wanted
from lakewright.lake import archive
from lakewright.lake.archive import ARCHIVES, Archive
from lakewright.lake.raw import RawStore
from lakewright.sql.names import column, identifier, literal, table

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["ArchiveRows", "count", "erase", "rows_in"]

_MANIFEST = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ArchiveRows:
    """Rows about people in one archive."""

    archive: Archive
    rows: int


def count(
    services: Services, cursor: duckdb.DuckDBPyConnection, holder: Holder, wanted: Wanted, store: RawStore
) -> list[ArchiveRows]:
    """Return the archives of a dataset, each with how many rows are about the people."""
    staging = store.staging()
    try:
        found = []
        for one in _archives(services, cursor, holder.dataset):
            rows, manifest = 0, _manifest(store, one)
            key = archive.key_of(services.lake, one.path, manifest)
            for file in manifest["files"]:
                local = _fetch(store, f"{one.path}/{file['name']}", staging / f"{one.id}-{file['name']}")
                reader = _reader(local, key)
                condition = _condition(services, cursor, holder, wanted, reader)
                if condition is not None:
                    row = services.lake.run(
                        cursor, f"SELECT count(*) FROM {reader} WHERE {condition}"
                    ).fetchone()
                    rows += int(row[0]) if row else 0
                local.unlink()
            found.append(ArchiveRows(one, rows))
        return found
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def rows_in(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    holder: Holder,
    wanted: Wanted,
    store: RawStore,
    folder: Path,
) -> exp.Query | None:
    """Return the query of the people's rows in a dataset's archives, brought to *folder*; None without any."""
    parts = []
    for one in _archives(services, cursor, holder.dataset):
        manifest = _manifest(store, one)
        key = archive.key_of(services.lake, one.path, manifest)
        for file in manifest["files"]:
            local = _fetch(store, f"{one.path}/{file['name']}", folder / f".{one.id}-{file['name']}")
            reader = _reader(local, key)
            condition = _condition(services, cursor, holder, wanted, reader)
            if condition is not None and _holds(services, cursor, reader, condition):
                parts.append(f"SELECT * FROM {reader} WHERE {condition}")
    if not parts:
        return None
    query = parse_one(" UNION ALL BY NAME ".join(parts), dialect="duckdb")
    assert isinstance(query, exp.Query)
    return query


def erase(
    services: Services, cursor: duckdb.DuckDBPyConnection, holder: Holder, wanted: Wanted, store: RawStore
) -> None:
    """Write the archives of a dataset without the people. Calling it again changes nothing more."""
    for one in _archives(services, cursor, holder.dataset):
        staging = store.staging()
        try:
            rows = _erase(services, cursor, holder, wanted, store, one, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if rows != one.rows:
            _note(services, cursor, one, rows)


def _erase(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    holder: Holder,
    wanted: Wanted,
    store: RawStore,
    one: Archive,
    staging: Path,
) -> int:
    manifest = _manifest(store, one)
    key = archive.key_of(services.lake, one.path, manifest)
    files: list[dict[str, Any]] = []
    changed = False
    for file in manifest["files"]:
        local = _fetch(store, f"{one.path}/{file['name']}", staging / file["name"])
        reader = _reader(local, key)
        condition = _condition(services, cursor, holder, wanted, reader)
        if condition is None or not _holds(services, cursor, reader, condition):
            files.append(file)
            continue
        changed = True
        cut = staging / _next_name(file["name"])
        services.lake.run(
            cursor,
            f"COPY ({_kept(holder, reader, condition)}) TO {literal(str(cut)).sql('duckdb')} "
            f"{archive.written(key)}",
        )
        row = services.lake.run(cursor, f"SELECT count(*) FROM {_reader(cut, key)}").fetchone()
        with cut.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        store.put(cut, f"{one.path}/{cut.name}")
        files.append(
            {
                "name": cut.name,
                "rows": int(row[0]) if row else 0,
                "bytes": cut.stat().st_size,
                "sha256": digest,
            }
        )
    rows = sum(int(file["rows"]) for file in files)
    if changed:
        store.put(
            json.dumps({**manifest, "rows": rows, "files": files}, indent=1).encode(),
            f"{one.path}/{_MANIFEST}",
        )
    named = {_MANIFEST, *(str(file["name"]) for file in files)}
    for stored in list(store.list(one.path)):
        if stored.path.rpartition("/")[2] not in named:
            store.delete(stored.path)
    return rows


def _archives(services: Services, cursor: duckdb.DuckDBPyConnection, dataset: str) -> list[Archive]:
    found = archive.archives(services.lake, cursor, dataset)
    return [one for one in found if one.kind == "archived"]


def _manifest(store: RawStore, one: Archive) -> dict[str, Any]:
    with store.open(f"{one.path}/{_MANIFEST}") as stream:
        manifest: dict[str, Any] = json.loads(stream.read())
    return manifest


def _fetch(store: RawStore, path: str, local: Path) -> Path:
    with store.open(path) as stream, local.open("wb") as out:
        shutil.copyfileobj(stream, out, _CHUNK)
    return local


def _condition(
    services: Services, cursor: duckdb.DuckDBPyConnection, holder: Holder, wanted: Wanted, reader: str
) -> str | None:
    """The condition over an archive's file, which may lack columns that the table has by now."""
    there = {str(row[0]).lower() for row in services.lake.run(cursor, f"DESCRIBE FROM {reader}").fetchall()}
    keys = {key: one for key, one in holder.keys.items() if key.lower() in there}
    if not keys:
        return None
    text = told(
        wanted, Holder(holder.place, holder.dataset, holder.id, holder.query, holder.columns, keys)
    ).sql("duckdb")
    here = [name for name in holder.redact if name.lower() in there]
    if holder.redact:
        values = [exp.not_(column(name).is_(exp.null())) for name in here]
        text = f"({text}) AND ({exp.or_(*values, copy=False).sql('duckdb') if values else 'false'})"
    return text


def _holds(services: Services, cursor: duckdb.DuckDBPyConnection, reader: str, condition: str) -> bool:
    row = services.lake.run(cursor, f"SELECT count(*) FROM {reader} WHERE {condition}").fetchone()
    return bool(row and row[0])


def _kept(holder: Holder, reader: str, condition: str) -> str:
    if not holder.redact:
        return f"SELECT * FROM {reader} WHERE NOT ({condition})"
    emptied: Mapping[str, str] = {
        name: f"CASE WHEN {condition} THEN NULL ELSE {identifier(name).sql('duckdb')} END"
        for name in holder.redact
    }
    listed = ", ".join(f"{value} AS {identifier(name).sql('duckdb')}" for name, value in emptied.items())
    return f"SELECT * REPLACE ({listed}) FROM {reader}"


def _reader(file: Path, key: bytes | None) -> str:
    return f"{archive.reader([file], key)} t"


def _next_name(name: str) -> str:
    """``year=2024.parquet`` is followed by ``year=2024~1.parquet``, that by ``~2``."""
    stem = name.removesuffix(".parquet")
    match = re.fullmatch(r"(.*)~(\d+)", stem)
    base, number = (match[1], int(match[2])) if match else (stem, 0)
    return f"{base}~{number + 1}.parquet"


def _note(services: Services, cursor: duckdb.DuckDBPyConnection, one: Archive, rows: int) -> None:
    statement = exp.update(
        table(ARCHIVES), {"rows": literal(rows)}, where=column("id").eq(literal(one.id)), dialect="duckdb"
    )

    def work() -> None:
        services.session.execute(statement.sql("duckdb"), cursor=cursor)

    services.lake.commit(cursor, work, message="people erased from an archive", info={"archive": one.id})
