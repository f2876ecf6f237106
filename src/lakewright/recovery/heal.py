"""Heal single files of the lake from backups, without touching anything else."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lakewright.errors import LakewrightError
from lakewright.lake.raw import RawStore
from lakewright.recovery import copies
from lakewright.recovery.checksums import Checksums
from lakewright.recovery.contents import files_of
from lakewright.recovery.create import Source
from lakewright.recovery.files import Stores, Wanted, look, newest_entries, put, wanted_raw
from lakewright.recovery.model import Entry, Manifest
from lakewright.recovery.place import Place

__all__ = ["Healed", "archive_files", "heal", "heal_archives", "needed", "unhealed"]


@dataclass(frozen=True)
class Healed:
    """What became of a file that was gone or damaged: ``problem`` says why it was not healed.

    ``made`` tells that it was made anew from the original beside it, rather than taken from a backup.
    """

    file: str
    dataset: str
    was: str
    healed: bool
    problem: str = ""
    made: bool = False


def needed(source: Source) -> list[Wanted]:
    """Return every file that the lake's catalog and the raw manifest name now, with what is known of it."""
    checksums = Checksums.read(source.state)
    with (
        tempfile.TemporaryDirectory() as name,
        copies.reading(copies.copy(source.catalog, Path(name)), source.catalog) as ask,
    ):
        tables = files_of(ask)
    found = [
        Wanted("tables", one.path, one.size, checksums.of("tables", one.path), one.dataset) for one in tables
    ]
    return found + [wanted_raw(one, checksums) for one in source.raw_files().values()]


def heal(
    source: Source,
    place: Place,
    id: str,
    wanted: Sequence[Wanted],
    *,
    dry_run: bool = False,
) -> list[Healed]:
    """Read files that the lake needs, those *wanted*, and put back those that are gone or damaged; return them.

    What is damaged goes to the folder ``before-<id>`` of the lake.
    """
    entries = _entries(place)
    stores = Stores(source.store)
    done = []
    for one in wanted:
        entry = _entry(entries, one)
        if entry is not None and not one.sha256:
            # nobody wrote down what it has to be; the backup did
            one = Wanted(one.kind, one.path, entry.size, entry.sha256, one.dataset)
        state, _ = look(stores, one, deep=True)
        if state == "right":
            continue
        problem = "" if entry is not None else "no backup has it"
        if entry is not None and not dry_run:
            try:
                put(place, entry, stores, state, f"before-{id}")
            except LakewrightError as error:
                problem = error.problem.message
        done.append(Healed(f"{one.kind}/{one.path}", one.dataset, state, not problem, problem))
    return done


def unhealed(source: Source, healed: Sequence[Healed], why: str) -> list[Healed]:
    """Return the other files that are gone or damaged, which nothing heals because of *why*."""
    stores, known = Stores(source.store), {one.file for one in healed}
    found = []
    for one in needed(source):
        name = f"{one.kind}/{one.path}"
        if name not in known and (state := look(stores, one, deep=True)[0]) != "right":
            found.append(Healed(name, one.dataset, state, False, why))
    return found


def heal_archives(
    source: Source, place: Place, id: str, folders: Sequence[str], *, dry_run: bool = False
) -> list[Healed]:
    """Put back files of archives, by their *folders*: first the manifest of each, then what it names."""
    store, found = source.store("archive"), []
    manifests = [Wanted("archive", f"{one}/manifest.json", None) for one in folders]
    # a manifest that is there is the right one: it changes when people are erased
    broken = [one for one in manifests if not archive_files(store, one.path)]
    found += heal(source, place, id, broken, dry_run=dry_run)
    wanted = [
        Wanted("archive", path, size, digest)
        for one in manifests
        for path, size, digest in archive_files(store, one.path)
    ]
    return found + heal(source, place, id, wanted, dry_run=dry_run)


def archive_files(store: RawStore, manifest: str) -> list[tuple[str, int, str]]:
    """Return path, size and SHA-256 of the files that an archive's manifest names; none when it cannot be read."""
    folder = manifest.rpartition("/")[0]
    try:
        with store.open(manifest) as stream:
            files = json.loads(stream.read())["files"]
        return [(f"{folder}/{one['name']}", int(one["bytes"]), str(one["sha256"])) for one in files]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _entries(place: Place) -> dict[tuple[str, str, str], Entry]:
    manifests: list[Manifest] = []
    for name in place.ids():
        with contextlib.suppress(LakewrightError):
            manifests.append(place.manifest(name))
    return newest_entries(manifests)


def _entry(entries: dict[tuple[str, str, str], Entry], one: Wanted) -> Entry | None:
    found = entries.get((one.kind, one.path, one.sha256))
    return found if found is not None and one.size in (None, found.size) else None
