"""Look after backups: tell what there is, read them whole, and let old ones go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lakewright.errors import LakewrightError, UsageError
from lakewright.recovery.model import Manifest
from lakewright.recovery.place import Place

__all__ = ["Pruned", "Summary", "Wrong", "check", "chosen", "prune", "summaries"]


@dataclass(frozen=True)
class Summary:
    """A backup in a line. ``wrong`` says why it cannot be used, "" when its manifest is whole."""

    id: str
    created: datetime | None
    snapshot: int
    files: int
    bytes: int
    keys: str
    wrong: str = ""


@dataclass(frozen=True)
class Wrong:
    """A blob that is not what it was: ``file`` is one of those that need it."""

    backup: str
    file: str
    blob: str
    problem: str


@dataclass(frozen=True)
class Pruned:
    """What was let go: backups by id, blobs that no backup needs, and their bytes."""

    backups: tuple[str, ...]
    kept: tuple[str, ...]
    blobs: int
    bytes: int


def summaries(place: Place) -> list[Summary]:
    """Return every backup, newest first, those with a damaged manifest too."""
    found = []
    for id in place.ids():
        try:
            one = place.manifest(id)
        except LakewrightError as error:
            found.append(Summary(id, None, 0, 0, 0, "", error.problem.message))
            continue
        found.append(Summary(id, one.created, one.span.last, len(one.entries), one.size, one.keys))
    return found


def check(
    place: Place, ids: Sequence[str], *, seen: Callable[[int], object] = lambda count: None
) -> list[Wrong]:
    """Read every blob that the backups *ids* need and return those that are gone or damaged."""
    needed: dict[str, tuple[str, str]] = {}
    wrong = []
    for id in ids:
        try:
            manifest = place.manifest(id)
        except LakewrightError as error:
            wrong.append(Wrong(id, "manifest", "", error.problem.message))
            continue
        for one in manifest.entries:
            needed.setdefault(one.stored, (id, f"{one.kind}/{one.path}"))
    for count, (blob, (id, file)) in enumerate(sorted(needed.items()), 1):
        if problem := place.check(blob):
            wrong.append(Wrong(id, file, blob, problem))
        seen(count)
    return wrong


def chosen(
    backups: Sequence[tuple[str, datetime]], *, keep: int, daily: int = 0, weekly: int = 0
) -> tuple[str, ...]:
    """Return the ids to keep of *backups*, newest first: the newest *keep*, and the last of each of so many days and weeks.

    Days and ISO weeks are those in UTC that have a backup.
    """
    kept = dict.fromkeys(id for id, _ in backups[:keep])
    for count, part in ((daily, _day), (weekly, _week)):
        last: dict[object, str] = {}
        for id, at in backups:
            last.setdefault(part(at.date()), id)
        kept |= dict.fromkeys(list(last.values())[:count])
    return tuple(id for id, _ in backups if id in kept)


def _day(day: date) -> object:
    return day


def _week(day: date) -> object:
    return day.isocalendar()[:2]


def prune(place: Place, *, keep: int, daily: int = 0, weekly: int = 0, dry_run: bool = False) -> Pruned:
    """Let backups go but those that :func:`chosen` keeps, then the blobs that none needs any more.

    Manifests go first: killed at any moment, what is left is whole, and the next call removes the rest.
    Raises LW434 when a manifest that is to stay cannot be read: what it needs is not known then.
    """
    if keep < 1:
        raise UsageError("LW904", "at least one backup is kept: --keep 1 or more")
    with place.locked():
        manifests: dict[str, Manifest] = {id: place.manifest(id) for id in place.ids()}
        known = [(id, one.created) for id, one in manifests.items()]
        kept = chosen(known, keep=keep, daily=daily, weekly=weekly)
        needed = {one.stored for id in kept for one in manifests[id].entries}
        blobs = place.blobs()
        gone = {blob: size for blob, size in blobs.items() if blob not in needed}
        left = tuple(id for id in manifests if id not in kept)
        if not dry_run:
            for id in left:
                place.forget(id)
            for blob in gone:
                place.remove(blob)
        return Pruned(left, kept, len(gone), sum(gone.values()))
