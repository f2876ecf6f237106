"""Put files of backups back into the lake: those that are gone or damaged, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lakewright.errors import LakewrightError
from lakewright.lake.raw import RawStore
from lakewright.recovery.checksums import Checksums
from lakewright.recovery.contents import RawFile
from lakewright.recovery.model import Entry, Kind, Manifest
from lakewright.recovery.place import Place, sha256_of

__all__ = ["FileState", "Stores", "Wanted", "fetch_database", "look", "newest_entries", "put", "wanted_raw"]

#: A file in the lake compared with what it has to be.
FileState = Literal["right", "gone", "damaged"]


@dataclass(frozen=True)
class Wanted:
    """A file that the lake needs: ``size`` None and ``sha256`` "" where they are not known."""

    kind: Kind
    path: str
    size: int | None
    sha256: str = ""
    dataset: str = ""


def wanted_raw(one: RawFile, checksums: Checksums) -> Wanted:
    """Return what is known of a file of the raw zone: the manifest's SHA-256, or the one that was noted of it."""
    known = one.sha256 or checksums.of(one.kind, one.inside)
    return Wanted(one.kind, one.inside, one.size, known, one.dataset)


@dataclass
class Stores:
    """The lake's folders by kind, and one beside them for what has to make room; listed once."""

    open: Callable[[str], RawStore]
    _opened: dict[str, RawStore] = field(default_factory=dict)
    _sizes: dict[str, dict[str, int]] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> RawStore:
        """The folder ``tables``, ``raw``, ``archive`` or another of the lake's path."""
        if kind not in self._opened:
            self._opened[kind] = self.open(kind)
        return self._opened[kind]

    def sizes(self, kind: str) -> dict[str, int]:
        """The size of every file of a folder, by path, as of the first time that this is asked."""
        if kind not in self._sizes:
            self._sizes[kind] = {one.path: one.size for one in self[kind].list()}
        return self._sizes[kind]


def look(stores: Stores, wanted: Wanted, *, deep: bool) -> tuple[FileState, str]:
    """Compare a file with what it has to be; return how it is, and its SHA-256 when it was read (*deep*)."""
    size = stores.sizes(wanted.kind).get(wanted.path)
    if size is None:
        return "gone", ""
    if wanted.size is not None and size != wanted.size:
        return "damaged", ""
    if not deep:
        return "right", ""
    try:
        with stores[wanted.kind].open(wanted.path) as stream:
            digest, _ = sha256_of(stream)
    except FileNotFoundError:
        return "gone", ""
    except OSError:
        return "damaged", ""
    return ("damaged" if wanted.sha256 and digest != wanted.sha256 else "right"), digest


def newest_entries(manifests: Iterable[Manifest]) -> dict[tuple[str, str, str], Entry]:
    """Return the entries of the lake's files by kind, path and SHA-256, and the newest by kind, path and ""."""
    found: dict[tuple[str, str, str], Entry] = {}
    for manifest in manifests:
        for one in manifest.of("tables", "raw", "archive"):
            found.setdefault((one.kind, one.path, ""), one)
            found.setdefault((one.kind, one.path, one.sha256), one)
    return found


def put(place: Place, entry: Entry, stores: Stores, state: FileState, aside: str) -> None:
    """Put the file of *entry* into the lake; one that is there and differs goes to the folder *aside* first.

    Killed at any moment, the file is the old one, missing, or the new one; never a part.
    """
    store = stores[entry.kind]
    staging = store.staging()
    try:
        local = staging / "file"
        place.fetch(entry, local)
        if state == "damaged":
            try:
                with store.open(entry.path) as old:
                    stores[aside].put(old, f"{entry.kind}/{entry.path}")
            except OSError:  # it cannot be read at all: there is nothing to keep
                pass
        store.publish(local, entry.path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def fetch_database(place: Place, entries: Sequence[Entry], folder: Path) -> Path:
    """Fetch the one copy of a database that *entries* are, checked; return the file."""
    entry = entries[0]
    file = folder / Path(entry.path).name
    place.fetch(entry, file)
    with file.open("rb") as stream:
        if sha256_of(stream)[0] != entry.sha256:
            raise LakewrightError("LW434", f"the {entry.kind} of the backup is damaged")
    return file
