"""Make readable copies of raw files anew from the originals: they hold nothing that is not in those."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lakewright.errors import LakewrightError
from lakewright.lake.raw_zone import PACKED
from lakewright.recovery.checksums import Checksums
from lakewright.recovery.contents import RawFile as Known
from lakewright.recovery.create import Source
from lakewright.recovery.files import FileState, Stores, Wanted, look, wanted_raw
from lakewright.recovery.heal import Healed
from lakewright.sources.discover import Found
from lakewright.sources.files import original, staging
from lakewright.sources.inspect import inspect
from lakewright.sources.manifest import Part, RawFile, files_of, settings_of
from lakewright.sources.read import copied, reading
from lakewright.sources.retire import pack
from lakewright.sources.staging import copy
from lakewright.spec.sources import FileDataset

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["doubted", "remake"]


class _OtherError(Exception):
    """What can be made of the original is not what is missing; the text says how."""


@dataclass
class _Work:
    services: Services
    cursor: duckdb.DuckDBPyConnection
    stores: Stores
    known: dict[str, Known]
    checksums: Checksums
    aside: str

    def wanted(self, path: str) -> Wanted:
        """What is known of a file of the raw zone or the archive, by its path in the manifest."""
        return wanted_raw(self.known.get(path, Known(path)), self.checksums)


def remake(
    services: Services, source: Source, cursor: duckdb.DuckDBPyConnection, id: str, *, dry_run: bool = False
) -> list[Healed]:
    """Make the readable copies anew that are gone or damaged and whose original is whole; return those that were.

    A copy is put in its place when it has the rows and columns that the manifest names and, where its SHA-256 is
    known, the same bytes. What is damaged goes to the folder ``before-<id>`` of the lake. Others stay as they are, for
    a backup to heal.
    """
    work = _work(services, source, cursor, f"before-{id}")
    done = []
    for spec, file in _copied_files(services):
        bad = {}
        for part in file.parts:
            if copied(file, part) and (state := _state(work, spec, file, part)) != "right":
                bad[part.path] = state
        if bad:
            with contextlib.suppress(_OtherError, FileNotFoundError):
                for path in _remake(work, spec, file, bad, dry_run=dry_run):
                    one = work.wanted(path)
                    done.append(Healed(f"{one.kind}/{one.path}", file.dataset, bad[path], True, made=True))
    return done


def doubted(
    services: Services, source: Source, cursor: duckdb.DuckDBPyConnection, chosen: Callable[[str], bool]
) -> dict[str, str]:
    """Return the readable copies that do not give the rows that the manifest names, though nobody knows their SHA-256."""
    work = _work(services, source, cursor, "")
    return {
        part.path: "cannot be read, or does not give the rows that were taken"
        for spec, file in _copied_files(services)
        if chosen(file.dataset)
        for part in file.parts
        if copied(file, part) and not work.wanted(part.path).sha256 and not _reads(work, spec, file, part)
    }


def _work(services: Services, source: Source, cursor: duckdb.DuckDBPyConnection, aside: str) -> _Work:
    return _Work(
        services, cursor, Stores(source.store), source.raw_files(), Checksums.read(source.state), aside
    )


def _copied_files(services: Services) -> Iterator[tuple[FileDataset, RawFile]]:
    """The files of sources, with what is declared of them, that are read from a copy."""
    for id, name in services.project.raw.items():
        spec = services.project.sources[name].datasets[id.partition(".")[2]]
        if not isinstance(spec, FileDataset):
            continue
        for file in files_of(services.state, id, current=False):
            if file.gone != "expired" and any(copied(file, part) for part in file.parts):
                yield spec, file


def _state(work: _Work, spec: FileDataset, file: RawFile, part: Part) -> FileState:
    wanted = work.wanted(part.path)
    state, _ = look(work.stores, wanted, deep=True)
    if state == "right" and not wanted.sha256 and not _reads(work, spec, file, part):
        return "damaged"
    return state


def _reads(work: _Work, spec: FileDataset, file: RawFile, part: Part) -> bool:
    """Whether a copy gives as many rows as the manifest says; one that is gone is told elsewhere."""
    import duckdb

    services = work.services
    if not services.store.exists(part.path):
        return True
    alone = msgspec.structs.replace(file, parts=(part,))
    found = reading([alone], spec, store=services.store, cursor=work.cursor)
    try:
        row = work.cursor.execute(f"SELECT count(*) FROM ({found.query.sql('duckdb')})").fetchone()
    except duckdb.Error:
        return False
    return bool(row) and int((row or (0,))[0]) == part.rows


def _remake(
    work: _Work, spec: FileDataset, file: RawFile, bad: Mapping[str, FileState], *, dry_run: bool
) -> list[str]:
    """Put copies of one file into their places; return their paths."""
    if file.settings != settings_of(spec):
        raise _OtherError("it was read with other options")
    if look(work.stores, work.wanted(file.raw_path), deep=True)[0] != "right":
        raise _OtherError("the original is damaged")
    store = work.services.store
    with staging(store) as folder, ThreadPoolExecutor(2) as threads:
        found = Found(
            file.path,
            file.size,
            file.modified,
            store.uri(file.raw_path),
            lambda: original(store, file),
            lambda: (file.size, file.modified),
        )
        (one,) = inspect([copy(found, folder / "file")], spec, folder, work.cursor, threads)
        pieces = [pair for pair in one.pieces if not pair[1].unreadable]
        if one.unreadable or len(pieces) != len(file.parts):
            raise _OtherError("the original is read otherwise now")
        ready: dict[str, Path] = {}
        for (piece, outcome), part in zip(pieces, file.parts, strict=True):
            if part.path not in bad:
                continue
            if (outcome.format, outcome.columns, outcome.rows) != (part.format, part.columns, part.rows):
                raise _OtherError("the original gives other rows now")
            local = outcome.local or piece.local
            if part.path.endswith(PACKED):
                local = pack(local, folder / f"packed-{len(ready)}")
            known = work.wanted(part.path).sha256
            with local.open("rb") as stream:
                if known and hashlib.file_digest(stream, "sha256").hexdigest() != known:
                    raise _OtherError("the copy would have other bytes")
            ready[part.path] = local
        for path, local in ready.items() if not dry_run else ():
            if bad[path] == "damaged":
                _keep(work, path)
            store.publish(local, path)
        return list(ready)


def _keep(work: _Work, path: str) -> None:
    """Move what is damaged aside; what cannot be read at all is not worth keeping."""
    one = work.wanted(path)
    with contextlib.suppress(OSError, LakewrightError), work.stores[one.kind].open(one.path) as old:
        work.stores[work.aside].put(old, f"{one.kind}/{one.path}")
