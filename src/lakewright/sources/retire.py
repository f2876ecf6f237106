"""Move old raw files to the archive, delete them, and bring them back; each file is at one place at any moment.

Archived files keep their bytes: text is packed with zstd, as DuckDB reads it, everything else is packed by itself.
The order makes it safe to be killed: what is begun is noted, then copied and read again, then noted as archived, then
removed where it was. What a killed call left on either side is removed by the next one.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from lakewright.errors import RunError
from lakewright.lake.raw import RawStore
from lakewright.lake.raw_zone import ARCHIVED, PACKED
from lakewright.sources.files import rejects_path, source_of, staging
from lakewright.sources.kinds import compression_of
from lakewright.sources.manifest import RawFile, files_of, raw_files
from lakewright.sources.retired import (
    Moved,
    Retired,
    bring_back,
    ended,
    retire,
    retired_files,
    retired_of,
)
from lakewright.sources.staging import HEAD
from lakewright.state import State

__all__ = [
    "archive_files",
    "expire_files",
    "manifest_path",
    "objects_of",
    "pack",
    "restore_files",
    "sweep",
    "tell",
]

_CHUNK = 1 << 20
_TEXT = ("csv", "json", "ndjson")


class _DamagedError(Exception):
    """A file is not what it has to be; the text says which and how."""


#: Called with a connection and, for each file, where its objects were and are: what else follows them in one transaction.
Also = Callable[[sa.Connection, Sequence[Retired]], None]


def objects_of(file: RawFile) -> list[str]:
    """Return the paths in the store that *file* may have: the original, and what is read of it."""
    inside = [part.path for part in file.parts]
    folder = any(one.startswith(f"{file.raw_path}/") for one in inside)
    return list(dict.fromkeys(inside if folder else [file.raw_path, *inside]))


def archive_files(
    state: State,
    store: RawStore,
    files: Sequence[RawFile],
    known: Mapping[str, str],
    id: str,
    *,
    storage_class: str = "",
    plain: bool = True,
    also: Also = lambda _connection, _found: None,
) -> tuple[list[Retired], list[str]]:
    """Move *files* of one dataset to the archive in the call *id*; return what was moved, and why others were not.

    *known* has the paths that have to be there with their SHA-256 ("" where nobody wrote it down): a file that is
    gone or damaged stays as it is. With *plain* the originals are files of a source, whose text may be packed.
    """
    at = datetime.now(UTC)
    found, problems = [], []
    begun = [_begun(file, id, at) for file in files]
    with state.begin(raw_files, retired_files) as connection:
        retire(connection, begun)
    with staging(store) as folder:
        for file in files:
            text = {file.raw_path: file.format if plain else ""}
            text |= {part.path: part.format for part in file.parts}
            try:
                moved = [
                    _move(
                        store,
                        path,
                        known[path],
                        folder,
                        text=text[path] in _TEXT,
                        storage_class=storage_class,
                    )
                    for path in objects_of(file)
                    if path in known  # others were deleted when people were erased
                ]
            except _DamagedError as error:
                problems.append(str(error))
                continue
            found.append(
                Retired(file.dataset, file.path, file.version, "archived", id, at, file.rows, tuple(moved))
            )
    moved_ones = {(one.path, one.version) for one in found}
    done = [one for one in begun if (one.path, one.version) in moved_ones]
    with state.begin(raw_files, retired_files) as connection:
        ended(connection, done)
        retire(connection, found)
        also(connection, found)
    sweep(state, store, [*found, *(one for one in begun if one not in done)])
    return found, problems


def _begun(file: RawFile, id: str, at: datetime) -> Retired:
    """What is noted before a file is copied: whatever of it is in the archive is not to stay there."""
    copies = [Moved(path, ARCHIVED + path + end, 0, "") for path in objects_of(file) for end in ("", PACKED)]
    return Retired(file.dataset, file.path, file.version, "restored", id, at, file.rows, tuple(copies))


def expire_files(state: State, store: RawStore, files: Sequence[RawFile], id: str) -> list[Retired]:
    """Delete *files* of one dataset; the manifest keeps their hashes, so that they are not taken again."""
    at = datetime.now(UTC)
    found = [
        Retired(
            file.dataset,
            file.path,
            file.version,
            "expired",
            id,
            at,
            file.rows,
            tuple(Moved(path, "", 0, "") for path in objects_of(file)),
        )
        for file in files
    ]
    with state.begin(raw_files, retired_files) as connection:
        retire(connection, found)
    sweep(state, store, found)
    return found


def sweep(state: State, store: RawStore, found: Iterable[Retired]) -> int:
    """Remove what files left where they were before, and lines of theirs that could not be read; return how many files."""
    left = [one for one in found if not one.done]
    for one in left:
        for each in one.objects:
            store.delete(each.path if one.kind == "restored" else each.was)
    if any(one.kind == "expired" for one in left):
        for dataset in {one.dataset for one in left}:
            _delete_rejects(state, store, dataset)
    if left:
        with state.begin(retired_files) as connection:
            ended(connection, left)
    return len(left)


def restore_files(
    state: State,
    store: RawStore,
    found: Sequence[Retired],
    also: Also = lambda _connection, _found: None,
) -> None:
    """Bring archived files back to where they were, checked; RunError LW422 when one is not what was archived.

    What is in the archive goes last.
    """
    back = []
    with staging(store) as folder:
        for one in found:
            objects = []
            for each in one.objects:
                local = folder / "file"
                digest = _fetch(store, each.path, local)
                if digest != each.sha256:
                    raise RunError(
                        "LW422", f"{_shown(each.path)} is not what was archived: its SHA-256 differs"
                    )
                if each.path.endswith(PACKED):
                    local = _unpack(local)
                size, whole = local.stat().st_size, _sha256(local)
                store.publish(local, each.was)
                objects.append(Moved(each.path, each.was, size, whole))
            back.append(msgspec.structs.replace(one, objects=tuple(objects)))
    with state.begin(retired_files) as connection:
        bring_back(connection, found)
        also(connection, back)
    sweep(state, store, [msgspec.structs.replace(one, kind="restored", done=False) for one in found])


def manifest_path(dataset: str, id: str) -> str:
    """Return where the archive tells of the files that the call *id* moved."""
    return f"{ARCHIVED}_manifests/{dataset.partition('.')[2]}/{id}.json"


def tell(state: State, store: RawStore, dataset: str, ids: Iterable[str]) -> None:
    """Write the manifests of calls that archived files of a dataset: each file with rows, columns and SHA-256.

    They are for whoever finds the archive without the state; a call all of whose files were restored loses its own.
    """
    files = {(one.path, one.version): one for one in files_of(state, dataset, current=False)}
    retired = [one for one in retired_of(state, dataset) if one.kind == "archived"]
    for id in ids:
        mine = [one for one in retired if one.archive == id]
        if not mine:
            store.delete(manifest_path(dataset, id))
            continue
        body = {
            "format": 1,
            "dataset": dataset,
            "files": [_entry(files[one.path, one.version], one) for one in mine],
        }
        store.put(msgspec.json.format(msgspec.json.encode(body), indent=1), manifest_path(dataset, id))


def _entry(file: RawFile, one: Retired) -> dict[str, Any]:
    return {
        "path": file.path,
        "version": file.version,
        "taken": file.taken_at.isoformat(),
        "bytes": file.size,
        "hash": file.hash,
        "rows": file.rows,
        "columns": {field.name: field.type for part in file.parts for field in part.columns},
        "objects": [
            {
                "name": each.path.removeprefix(ARCHIVED),
                "bytes": each.size,
                "sha256": each.sha256,
                "packed": "zstd" if each.path.endswith(PACKED) else "none",
            }
            for each in one.objects
        ],
    }


# --- single files --------------------------------------------------------------------------------


def _move(store: RawStore, path: str, known: str, folder: Path, *, text: bool, storage_class: str) -> Moved:
    """Copy one file to the archive and read it again from there."""
    local = folder / "file"
    try:
        digest = _fetch(store, path, local)
    except FileNotFoundError:
        raise _DamagedError(f"raw/{path} is gone: see `lakewright verify`") from None
    if known and digest != known:
        raise _DamagedError(f"raw/{path} is damaged: see `lakewright verify --deep`")
    target = ARCHIVED + path
    if text and _packable(local, path):
        local, target = pack(local, folder / "packed"), target + PACKED
    size, packed = local.stat().st_size, _sha256(local)
    if storage_class:
        store.put_as(local, target, storage_class)
    else:
        store.put(local, target)
    if _fetch(store, target, folder / "again") != packed or (
        target.endswith(PACKED) and _sha256(_unpack(folder / "again")) != digest
    ):
        raise RunError("LW422", f"{_shown(target)} is not what was written; nothing was moved")
    return Moved(path, target, size, packed)


def _packable(local: Path, path: str) -> bool:
    with local.open("rb") as stream:
        return compression_of(stream.read(HEAD), Path(path), local) == "none"


def _fetch(store: RawStore, path: str, local: Path) -> str:
    digest = hashlib.sha256()
    with store.open(path) as stream, local.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def pack(local: Path, target: Path) -> Path:
    """Write *local*, packed with zstd as files of the archive are, to *target* and return that."""
    import pyarrow as pa

    with local.open("rb") as stream, pa.output_stream(str(target), compression="zstd") as out:
        _pour(stream, out)
    return target


def _unpack(local: Path) -> Path:
    import pyarrow as pa

    plain = local.with_name("plain")
    with pa.input_stream(str(local), compression="zstd") as stream, plain.open("wb") as out:
        _pour(stream, out)
    return plain


def _pour(source: Any, target: Any) -> None:
    shutil.copyfileobj(source, target, _CHUNK)


def _sha256(local: Path) -> str:
    with local.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _shown(path: str) -> str:
    return f"archive/raw/{path.removeprefix(ARCHIVED)}"


def _delete_rejects(state: State, store: RawStore, dataset: str) -> None:
    """Delete the lines that could not be read of batches that have no file any more."""
    files = [one for one in files_of(state, dataset, current=False) if one.rejected]
    alive = {(source_of(one), one.batch) for one in files if one.gone != "expired"}
    for source, batch in {(source_of(one), one.batch) for one in files} - alive:
        store.delete(rejects_path(source, dataset.partition(".")[2], batch))
