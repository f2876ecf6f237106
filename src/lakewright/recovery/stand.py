"""The mark that a recovery leaves while it is under way, so that nobody takes half of one for a lake."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path

import msgspec

from lakewright.errors import RunError

__all__ = ["Mark", "finish", "read", "refuse", "start"]

_FILE = Path(".lakewright") / "recovery.json"


class Mark(msgspec.Struct, frozen=True):
    """A recovery under way: its ``id``, the backup, and the time to go back to, None for the backup's own."""

    id: str
    backup: str
    place: str
    at: datetime | None


def read(root: Path) -> Mark | None:
    """Return the mark in a project's folder, None when no recovery is under way there."""
    try:
        content = (root / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Mark)
    except msgspec.MsgspecError:
        raise RunError(
            "LW438", f"{root / _FILE} cannot be read", remedy="remove it, and recover again"
        ) from None


def refuse(root: Path) -> None:
    """Raise LW438 while a recovery is under way in a project's folder."""
    if (mark := read(root)) is not None:
        raise RunError(
            "LW438",
            f"the recovery {mark.id} of this project was begun and has not ended",
            remedy=f"wait for it; if it was interrupted: lakewright recover --from {mark.place}",
        )


def start(root: Path, mark: Mark) -> None:
    """Leave the mark; it is on disk when this returns."""
    file = root / _FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with part.open("wb") as out:
        out.write(msgspec.json.encode(mark))
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def finish(root: Path) -> None:
    """Take the mark away: the recovery has ended."""
    with contextlib.suppress(FileNotFoundError):
        (root / _FILE).unlink()
