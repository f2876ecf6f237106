"""Which backup a recovery takes, and which instant it reaches with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lakewright.errors import LakewrightError, NotFoundError
from lakewright.recovery.model import Manifest
from lakewright.recovery.place import LATEST, Place

__all__ = ["Chosen", "choose"]


@dataclass(frozen=True)
class Chosen:
    """A backup, the time inside it to go back to (None: all of it), and why it is this one."""

    id: str
    manifest: Manifest
    at: datetime | None
    why: str


def choose(place: Place, backup: str = LATEST, at: datetime | None = None) -> Chosen:
    """Return the backup to recover from.

    Without a time it is *backup*. For a time it is the newest backup that was made at or after it and
    whose lake still has the snapshots of then; between backups the lake's snapshots are the finest
    grain. When none was made after it, it is the last one before. Raises LW431 when none reaches back so far.
    """
    if at is None or backup != LATEST:
        id = place.find(backup)
        manifest = place.manifest(id)
        if at is not None and not manifest.span.first_at <= at <= manifest.created:
            raise NotFoundError(
                "LW431",
                f"backup {id} holds the lake from {manifest.span.first_at.isoformat()} to {manifest.created.isoformat()}, "
                f"not at {at.isoformat()}",
            )
        return Chosen(id, manifest, at, "it was named" if backup != LATEST else "it is the newest")
    readable: list[tuple[str, Manifest]] = []
    skipped = 0
    for id in place.ids():
        try:
            readable.append((id, place.manifest(id)))
        except LakewrightError:
            skipped += 1
    damaged = f"; {skipped} with damaged manifests were passed over" if skipped else ""
    for id, manifest in readable:
        if manifest.created >= at >= manifest.span.first_at:
            return Chosen(id, manifest, at, f"it is the newest that holds the lake as it was then{damaged}")
    for id, manifest in readable:
        if manifest.created <= at:
            why = f"no backup was made after that time: this is the last one before it{damaged}"
            return Chosen(id, manifest, None, why)
    raise NotFoundError("LW431", f"no backup in {place.address} reaches back to {at.isoformat()}{damaged}")
