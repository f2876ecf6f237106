"""What a backup is: a manifest that names every file by path and checksum."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from lakewright.errors import LakewrightError

__all__ = ["Entry", "Kind", "Manifest", "Recovered", "Span", "decode", "encode", "name_of"]

#: Where a file belongs: the project's folder, the lake's catalog, the state database, the lake's
#: folders ``tables``, ``raw`` and ``archive``, or the sealed bundle of keys.
Kind = Literal["project", "catalog", "state", "tables", "raw", "archive", "keys"]

#: The layout of manifests. It grows when an older program could not read one.
FORMAT = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file: ``path`` relative to the folder of its ``kind``, ``size`` in bytes and SHA-256 of its content.

    ``blob`` is the SHA-256 of what is stored where that is not the content itself (packed or sealed).
    ``dataset`` and ``rows`` are those of a table's data file; ``modified`` is the file's own time, in seconds.
    """

    kind: Kind
    path: str
    size: int
    sha256: str
    blob: str = ""
    dataset: str = ""
    rows: int | None = None
    modified: float = 0.0

    @property
    def stored(self) -> str:
        """The name of the blob that holds it."""
        return self.blob or self.sha256


class Span(msgspec.Struct, frozen=True):
    """The lake's snapshots in a backup: numbers and times of the oldest and the newest."""

    first: int
    first_at: datetime
    last: int
    last_at: datetime


class Recovered(msgspec.Struct, frozen=True):
    """A recovery in the past of the lake: its id, the backup that it took, and when that was made."""

    id: str
    backup: str
    instant: datetime


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup. ``created`` is the time up to which it holds the lake; ``history`` are the recoveries before it.

    ``catalog`` and ``state`` are the kinds of the databases (``sqlite``, ``postgresql``, or ``duckdb`` for an encrypted
    catalog), ``lake_path`` and ``target`` what the project said. ``keys`` tells whether its keys are in it.
    """

    format: int = FORMAT
    project: str
    target: str
    version: str
    created: datetime
    catalog: Literal["sqlite", "postgresql", "duckdb"]
    state: Literal["sqlite", "postgresql", "duckdb"]
    lake_path: str
    span: Span
    keys: Literal["sealed", "left out", "none"]
    history: tuple[Recovered, ...] = ()
    entries: tuple[Entry, ...]

    def of(self, *kinds: Kind) -> list[Entry]:
        """Return the entries of some kinds."""
        return [one for one in self.entries if one.kind in kinds]

    @property
    def size(self) -> int:
        """The bytes of all files, as they are outside the backup."""
        return sum(one.size for one in self.entries)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Manifest)


def encode(manifest: Manifest) -> bytes:
    """Return the manifest as it is stored."""
    return _encoder.encode(manifest)


def name_of(manifest: Manifest, content: bytes) -> str:
    """Return the id of a backup: its time, and the beginning of the manifest's SHA-256, so that damage is noticed."""
    at = manifest.created
    # to the millisecond, so that ids are in the order of time
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z-{hashlib.sha256(content).hexdigest()[:12]}"


def decode(id: str, content: bytes) -> Manifest:
    """Return the manifest of backup *id*. Raises LW434 when it is damaged or of a newer layout."""
    if hashlib.sha256(content).hexdigest()[:12] != id.rpartition("-")[2]:
        raise LakewrightError("LW434", f"the manifest of backup {id} is damaged: its SHA-256 differs")
    try:
        layout = msgspec.json.decode(content).get("format")
        if layout != FORMAT:
            raise LakewrightError(
                "LW434",
                f"backup {id} has layout {layout}; this version of Lakewright knows {FORMAT}",
                remedy="use the version of Lakewright that made it, or a later one",
            )
        return _decoder.decode(content)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise LakewrightError("LW434", f"the manifest of backup {id} cannot be read: {error}") from None
