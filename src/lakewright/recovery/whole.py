"""Recover a whole project into a folder: files first, then the databases, then the time asked for.

Whatever is there and differs is moved aside. From the first change to the last a mark stands in the folder:
killed at any moment, the same call goes on and ends as one that was not disturbed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lakewright.errors import UsageError
from lakewright.lake.storage import tables_path
from lakewright.recovery import copies, seal, stand
from lakewright.recovery.choose import Chosen
from lakewright.recovery.create import Source
from lakewright.recovery.files import FileState, Stores, Wanted, fetch_database, look, put
from lakewright.recovery.model import Entry
from lakewright.recovery.place import Place, sha256_of

__all__ = ["Report", "project_files", "recover", "sealed_with", "survey"]


@dataclass(frozen=True)
class Report:
    """What a recovery did, or would do: ``reached`` is the instant at which the lake is then.

    ``put`` files were gone, ``replaced`` ones differed from the backup and are kept in ``aside``, ``right`` ones stayed.
    """

    backup: str
    why: str
    reached: datetime
    root: str
    put: int
    replaced: int
    right: int
    bytes: int
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def project_files(place: Place, entries: list[Entry], root: Path, *, dry_run: bool) -> tuple[int, list[str]]:
    """Write the project's own files that *root* lacks; return how many, and those that are there and differ."""
    new, differ = 0, []
    for one in entries:
        file = root / one.path
        if not file.resolve().is_relative_to(root.resolve()):
            raise UsageError("LW434", f"the backup has a project file outside the project: {one.path}")
        if not file.exists():
            new += 1
            if not dry_run:
                place.fetch(one, file)
            continue
        with file.open("rb") as stream:
            if sha256_of(stream)[0] != one.sha256:
                differ.append(one.path)
    return new, differ


def survey(chosen: Chosen, stores: Stores) -> list[tuple[Entry, FileState]]:
    """Compare the lake's files with the backup's, reading each; return those to put, with how they are now."""
    found: list[tuple[Entry, FileState]] = []
    for one in chosen.manifest.of("tables", "raw", "archive"):
        state, _ = look(stores, Wanted(one.kind, one.path, one.size, one.sha256), deep=True)
        if state != "right":
            found.append((one, state))
    return found


def recover(
    source: Source,
    place: Place,
    chosen: Chosen,
    mark: stand.Mark,
    stores: Stores,
    todo: Sequence[tuple[Entry, FileState]],
    *,
    phrase: str | None,
    keep_key: Callable[[str, int, bytes], None],
) -> tuple[list[str], list[str]]:
    """Put files, keys, catalog and state of the backup in their places; return what was set aside, and notes.

    *todo* is what :func:`survey` of *stores* found.
    The databases hold what they held when the backup was made; the caller goes back to a time inside it.
    """
    manifest, root = chosen.manifest, source.root
    if (manifest.catalog, manifest.state) != (source.catalog.kind, source.database.kind):
        raise UsageError(
            "LW435",
            f"the backup is of a {manifest.catalog} catalog and a {manifest.state} state, "
            f"the project says {source.catalog.kind} and {source.database.kind}",
            remedy="choose a target of the same kinds with --target, or recover with --into FOLDER",
        )
    before = f"before-{mark.id}"
    notes = _keys(place, manifest.of("keys"), root, phrase, keep_key)
    _require_key(source, place, manifest.of("catalog"))
    for entry, state in todo:
        put(place, entry, stores, state, before)
    aside = root / ".lakewright" / before
    moved = [stores[before].root] if any(state == "damaged" for _, state in todo) else []
    with tempfile.TemporaryDirectory(prefix="recover-", dir=_inside(root)) as name:
        folder = Path(name)
        catalog = fetch_database(place, manifest.of("catalog"), folder)
        state_file = fetch_database(place, manifest.of("state"), folder)
        # the state before the catalog: what the catalog names is in the state, never the other way round
        for database, file in ((source.database, state_file), (source.catalog, catalog)):
            if kept := copies.put_back(database, file, aside):
                moved.append(kept)
        if (head := root / ".lakewright" / "audit.head").exists():
            # it names an entry of the log that was set aside
            aside.mkdir(parents=True, exist_ok=True)
            head.replace(aside / head.name)
        with copies.reading(state_file) as ask:
            notes += _forgotten_since(ask, root)
        copies.set_data_path(source.catalog, tables_path(source.project.file.lake, root))
    return moved, notes


def _require_key(source: Source, place: Place, entries: list[Entry]) -> None:
    """Raise LW802 or LW832 for an encrypted catalog without its key, before anything is moved."""
    if source.catalog.sealed is not None:
        with tempfile.TemporaryDirectory(prefix="recover-", dir=_inside(source.root)) as name:
            copies.require_key(source.catalog, fetch_database(place, entries, Path(name)))


def _forgotten_since(ask: copies.Ask, root: Path) -> list[str]:
    """Say which erasures are younger than the backup: what they erased is back."""
    known: set[str] = set()
    if ask("SELECT 1 FROM sqlite_master WHERE name = 'erasures'"):
        known = {str(row[0]) for row in ask("SELECT id FROM erasures")}
    records = sorted((root / ".lakewright" / "erasures").glob("*.json"))
    later = [one.stem for one in records if one.stem not in known]
    if not later:
        return []
    return [
        f"PEOPLE WERE ERASED AFTER THIS BACKUP, and are back with it: run `lakewright forget` again for {', '.join(later)}"
    ]


def _inside(root: Path) -> Path:
    folder = root / ".lakewright" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("recover-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a recovery that was killed
    return folder


def _keys(
    place: Place,
    entries: list[Entry],
    root: Path,
    phrase: str | None,
    keep_key: Callable[[str, int, bytes], None],
) -> list[str]:
    if not entries:
        return []
    if phrase is None:
        return [
            "the keys in the backup were not opened: without them tokens cannot be revealed; "
            "recover again with --passphrase-from, or put .lakewright/keys back yourself"
        ]
    with tempfile.TemporaryDirectory(dir=_inside(root)) as name:
        sealed = Path(name) / "keys"
        place.fetch(entries[0], sealed)
        content = seal.open_sealed(sealed.read_bytes(), phrase)
    differ = seal.put_back(content, root / ".lakewright" / "keys", keep_key)
    return [f"{one} is another key than the backup's and was left as it is" for one in differ]


def sealed_with(place: Place, chosen: Chosen, phrase: str | None) -> None:
    """Raise LW433 for a wrong passphrase, before anything is changed."""
    entries = chosen.manifest.of("keys")
    if phrase is None or not entries:
        return
    with tempfile.TemporaryDirectory() as name:
        sealed = Path(name) / "keys"
        place.fetch(entries[0], sealed)
        seal.open_sealed(sealed.read_bytes(), phrase)
