"""Make a backup while runs go on.

The catalog is copied first, then the state, then files: what is built is written in the opposite order
(raw files, their manifest, data files, the catalog), so whatever the copy of the catalog names is in the copies that
follow. Files never change once they have a name; one that goes meanwhile (compaction, expiry) makes the
copy start again with the newest catalog. The manifest is written last.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec

from lakewright.errors import LakewrightError, RunError
from lakewright.lake.raw import RawStore, Stored, open_raw
from lakewright.recovery import copies, seal
from lakewright.recovery.checksums import Checksums
from lakewright.recovery.contents import REJECTS, LakeFile, RawFile, files_of, raw_files_of, span_of
from lakewright.recovery.history import recoveries
from lakewright.recovery.model import Entry, Kind, Manifest
from lakewright.recovery.place import Place, sha256_of
from lakewright.security.keys import Keys
from lakewright.spec.project import Project
from lakewright.state import State

__all__ = ["Made", "Source", "create"]

_CHUNK = 1 << 20
_ATTEMPTS = 3
#: So many damaged files are named one by one.
_SHOWN = 5

#: What the project's own files end in; other files beside them are data, and their sources'.
_PROJECT_FILES = (".yaml", ".yml", ".sql", ".py", ".json", ".md", ".toml", ".txt", ".gitignore")
_LARGEST = 5_000_000
_NOT_OURS = ("__pycache__", "node_modules", "venv")


@dataclass(frozen=True)
class Source:
    """What is backed up: a project with its state and keys opened; nothing of it is changed but checksums in the state."""

    project: Project
    state: State
    keys: Keys
    resolve: Callable[[str], str]

    @property
    def root(self) -> Path:
        """The project's folder."""
        return Path(self.project.root)

    def store(self, kind: str) -> RawStore:
        """The folder or prefix of the lake's ``tables``, ``raw`` or ``archive``."""
        return open_raw(self.project.file.lake, self.root, self.resolve, kind)

    @property
    def catalog(self) -> copies.Database:
        """The database of the lake's catalog."""
        return copies.catalog_of(self.project.file.lake, self.root, self.keys, self.resolve)

    @property
    def database(self) -> copies.Database:
        """The database of the state."""
        return copies.state_of(self.project.file.state, self.root, self.resolve)

    def raw_files(self) -> dict[str, RawFile]:
        """Return the files of the raw zone that the manifest names now, by path."""
        with (
            tempfile.TemporaryDirectory() as name,
            copies.reading(copies.copy(self.database, Path(name))) as ask,
        ):
            return raw_files_of(ask, self.project)


@dataclass(frozen=True)
class Made:
    """A backup that was made: files in it, those that were new to the place, and what people should know."""

    id: str
    place: str
    created: datetime
    snapshot: int
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    keys: str
    notes: tuple[str, ...]


@dataclass
class _Work:
    source: Source
    place: Place
    staging: Path
    blobs: dict[str, int]
    before: dict[tuple[str, str], Entry]
    full: bool
    checksums: Checksums
    entries: list[Entry] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    new_files: int = 0
    new_bytes: int = 0


class _Gone(Exception):
    """A file went while it was to be copied."""


def create(source: Source, place: Place, *, phrase: str | None, full: bool = False) -> Made:
    """Back up the whole of *source* into *place* and return what was made.

    Files that the place has are neither read nor sent again; with *full* all are read, and compared
    with what is known of them. A damaged file is taken from the backup before; LW432, and no new backup,
    when none has it. *phrase* seals the keys; without it they are left out.
    """
    if source.project.file.lake.kind != "ducklake":
        raise RunError(
            "LW413",
            "backups are of DuckLakes; an Iceberg catalog keeps its tables by itself",
            remedy="use the catalog's own backup, and the bucket's versions",
        )
    if source.project.file.lake.encryption is not None and source.catalog.kind == "postgresql":
        raise RunError(
            "LW834",
            "the lake is encrypted, and a copy of its catalog in PostgreSQL would lie beside the files with their keys",
            remedy="copy the database with your server's own tools to another place than the files",
        )
    with place.locked():
        place.claim(source.project.file.name)
        ids = place.ids()
        before = _known(place, ids)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with place.staging() as staging:
                    work = _Work(
                        source, place, staging, place.blobs(), before, full, Checksums.read(source.state)
                    )
                    return _create(work, phrase)
            except _Gone as gone:
                if attempt == _ATTEMPTS:
                    raise RunError(
                        "LW432",
                        f"{gone} went while it was copied, {_ATTEMPTS} times in a row",
                        remedy="run the backup again when compaction has ended",
                    ) from None
    raise AssertionError("unreachable")


def _known(place: Place, ids: Iterable[str]) -> dict[tuple[str, str], Entry]:
    """The newest entry of each file in the backups before, as far as their manifests can be read."""
    found: dict[tuple[str, str], Entry] = {}
    for id in ids:
        try:
            manifest = place.manifest(id)
        except LakewrightError:
            continue
        for one in manifest.of("tables", "raw", "archive"):
            found.setdefault((one.kind, one.path), one)
    return found


def _create(work: _Work, phrase: str | None) -> Made:
    source = work.source
    catalog = copies.copy(source.catalog, work.staging)
    created = datetime.now(UTC)
    state = copies.copy(source.database, work.staging)
    with copies.reading(catalog, source.catalog) as ask:
        span, files = span_of(ask), files_of(ask)
    with copies.reading(state) as ask:
        # what lies in the archive goes with the rest of it
        raw = {path: one for path, one in raw_files_of(ask, source.project).items() if one.kind == "raw"}
    _project_files(work)
    _lake_files(work, files)
    _raw(work, raw)
    _archive(work)
    if work.damaged:
        raise _damaged(work.damaged)
    _pack(work, "catalog", catalog)
    _pack(work, "state", state)
    keys, notes = _keys(work, phrase)
    notes += _notes(work)
    manifest = Manifest(
        project=source.project.file.name,
        target=source.project.target,
        version=version("lakewright"),
        created=created,
        catalog=source.catalog.kind,
        state=source.database.kind,
        lake_path=source.project.file.lake.path,
        span=span,
        keys=keys,
        history=recoveries(source.state),
        entries=tuple(work.entries),
    )
    id = work.place.finish(manifest)
    work.checksums.save(source.state, work.entries)
    return Made(
        id,
        work.place.address,
        created,
        span.last,
        len(work.entries),
        manifest.size,
        work.new_files,
        work.new_bytes,
        keys,
        tuple(notes),
    )


# --- one file -------------------------------------------------------------------------------------


def _take(work: _Work, entry: Entry, local: Path) -> Entry:
    """Move *local*, whose checksum is in *entry*, to the place unless it is there; note the entry."""
    if work.blobs.get(entry.stored) == local.stat().st_size:
        local.unlink()
    else:
        with local.open("rb") as stream:
            os.fsync(stream.fileno())
        size = local.stat().st_size
        work.place.put(local, entry.stored)
        work.blobs[entry.stored] = size
        work.new_files += 1
        work.new_bytes += size
    work.entries.append(entry)
    return entry


def _copy(work: _Work, store: RawStore, entry: Entry, expected: str = "") -> None:
    """Copy a file of the lake, whose *entry* lacks the checksum. One that is not as *expected* is damaged."""
    local = work.staging / "file"
    try:
        with store.open(entry.path) as stream, local.open("wb") as out:
            digest, size = sha256_of(stream, out)
    except FileNotFoundError:
        raise _Gone(f"{entry.kind}/{entry.path}") from None
    except OSError as error:
        _keep(work, entry, f"cannot be read: {error.strerror or type(error).__name__}")
        return
    known = expected or _recorded(work, entry)
    if size != entry.size or (known and digest != known):
        local.unlink()
        _keep(work, entry, "is not what was written: its SHA-256 differs")
        return
    _take(work, _changed(entry, sha256=digest), local)


def _keep(work: _Work, entry: Entry, why: str) -> None:
    """Stand in for a damaged file with the one of an earlier backup, if there is one."""
    old = work.before.get((entry.kind, entry.path))
    known = _recorded(work, entry)
    if old is not None and old.size == entry.size and old.stored in work.blobs and known in ("", old.sha256):
        work.kept.append(f"{entry.kind}/{entry.path}")
        work.entries.append(_changed(old, dataset=entry.dataset, rows=entry.rows))
        return
    work.damaged.append(f"{entry.kind}/{entry.path} {why}")


def _recorded(work: _Work, entry: Entry) -> str:
    return work.checksums.of(entry.kind, entry.path)


def _changed(entry: Entry, **changes: object) -> Entry:
    """Return *entry* with some fields changed."""
    return msgspec.structs.replace(entry, **changes)


# --- parts ----------------------------------------------------------------------------------------


def _lake_files(work: _Work, files: list[LakeFile]) -> None:
    store = work.source.store("tables")
    there = {one.path: one for one in store.list()}
    for file in files:
        entry = Entry("tables", file.path, file.size, "", dataset=file.dataset, rows=file.rows)
        found = there.get(file.path)
        old = work.before.get(("tables", file.path))
        if found is None:
            if not store.exists(file.path) and not _has(work, old):
                # written after the listing, or gone since the catalog was copied, or lost
                raise _Gone(f"tables/{file.path}") if _moved_on(work) else _lost(file.path)
            if not store.exists(file.path):
                _keep(work, entry, "is gone")
                continue
        elif found.size != file.size:
            _keep(work, entry, f"has {found.size:,} bytes instead of {file.size:,}")
            continue
        if not work.full and old is not None and old.size == file.size and _has(work, old):
            work.entries.append(_changed(old, dataset=file.dataset, rows=file.rows))
            continue
        _copy(work, store, entry)


def _has(work: _Work, old: Entry | None) -> bool:
    return old is not None and old.stored in work.blobs


def _moved_on(work: _Work) -> bool:
    """Whether the lake has a newer catalog than the copy, so that another look is worth it."""
    catalog = work.source.catalog
    copied = work.staging / catalog.packed
    again = work.staging / "again"
    again.mkdir(exist_ok=True)
    with (
        copies.reading(copied, catalog) as ask,
        copies.reading(copies.copy(catalog, again), catalog) as now,
    ):
        return {one.path for one in files_of(ask)} != {one.path for one in files_of(now)}


def _lost(path: str) -> LakewrightError:
    return _damaged([f"tables/{path} is gone"])


def _damaged(files: list[str]) -> LakewrightError:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return RunError(
        "LW432",
        f"the lake is damaged, so there is no new backup: {'; '.join(files[:_SHOWN])}{more}",
        remedy="`lakewright verify --deep` tells all that is wrong and the command that heals it",
    )


def _raw(work: _Work, raw: dict[str, RawFile]) -> None:
    store = work.source.store("raw")
    there = {one.path: one for one in store.list()}
    # what cannot be read of a file lies beside the manifest, per batch
    wanted = raw | {one: RawFile(one) for one in there if one.startswith(REJECTS)}
    for path, file in sorted(wanted.items()):
        found = there.get(path)
        if found is None:
            if store.exists(path):
                raise _Gone(f"raw/{path}")  # it came after the listing
            _keep(work, work.before.get(("raw", path)) or Entry("raw", path, -1, ""), "is gone")
            continue
        _file(work, store, "raw", found, file.sha256)


def _archive(work: _Work) -> None:
    store = work.source.store("archive")
    for found in store.list():
        _file(work, store, "archive", found, "")


def _file(work: _Work, store: RawStore, kind: Kind, found: Stored, expected: str) -> None:
    """Copy a file of the raw zone or the archive, unless it is the one of the backup before."""
    old = work.before.get((kind, found.path))
    modified = found.modified.timestamp()
    entry = Entry(kind, found.path, found.size, "", modified=modified)
    if (
        not work.full
        and old is not None
        and (old.size, old.modified) == (found.size, modified)
        and expected in ("", old.sha256)
        and _has(work, old)
    ):
        work.entries.append(old)
        return
    _copy(work, store, entry, expected)


def _project_files(work: _Work) -> None:
    root = work.source.root
    lake = (root / work.source.project.file.lake.path).resolve()
    place = Path(work.place.store.root)
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            one
            for one in sorted(folders)
            if not one.startswith(".")
            and one not in _NOT_OURS
            and (here / one).resolve() not in (lake, place)
        ]
        for name in sorted(names):
            file = here / name
            if not name.endswith(_PROJECT_FILES) or file.is_symlink() or not file.is_file():
                continue
            if file.stat().st_size <= _LARGEST:
                _project_file(work, file)
    # records of erasures are proof of what was done; nothing makes them again
    for file in sorted((root / ".lakewright" / "erasures").glob("*.json")):
        _project_file(work, file)


def _project_file(work: _Work, file: Path) -> None:
    local = work.staging / "file"
    with file.open("rb") as stream, local.open("wb") as out:
        digest, size = sha256_of(stream, out)
    path = file.relative_to(work.source.root).as_posix()
    _take(work, Entry("project", path, size, digest), local)


def _pack(work: _Work, kind: Kind, file: Path) -> None:
    with file.open("rb") as stream:
        content, size = sha256_of(stream)
    packed = file
    if file.suffix != ".zip":
        import pyarrow as pa

        packed = file.with_suffix(".zst")
        with file.open("rb") as stream, pa.output_stream(str(packed), compression="zstd") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
        with packed.open("rb") as stream:
            blob, _ = sha256_of(stream)
        _take(work, Entry(kind, file.name, size, content, blob=blob), packed)
        return
    _take(work, Entry(kind, file.name, size, content), packed)


def _keys(work: _Work, phrase: str | None) -> tuple[Literal["sealed", "left out", "none"], list[str]]:
    found = seal.collect(work.source.keys, work.source.root / ".lakewright" / "keys")
    if found is None:
        return "none", []
    if phrase is None:
        return "left out", [
            "THE KEYS ARE NOT IN THIS BACKUP: without them tokens cannot be revealed and masks cannot be repeated; "
            "give --passphrase-from, or keep a copy of .lakewright/keys elsewhere"
        ]
    local = work.staging / "keys"
    local.write_bytes(seal.seal(found, phrase))
    with local.open("rb") as stream:
        blob, size = sha256_of(stream)
    _take(work, Entry("keys", "keys.sealed", size, blob), local)
    return "sealed", []


def _notes(work: _Work) -> list[str]:
    if not work.kept:
        return []
    shown = ", ".join(work.kept[:_SHOWN]) + (" …" if len(work.kept) > _SHOWN else "")
    return [
        f"{len(work.kept)} files are damaged in the lake and were kept as they are in the backup before: {shown}; "
        "heal them: lakewright recover --files"
    ]
