"""`backup create | list | show | verify | prune`: copies of the whole project, and what becomes of them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakewright.app.platform import Platform
from lakewright.errors import RunError, UsageError
from lakewright.project import resolve_secret
from lakewright.recovery import create as making
from lakewright.recovery import keep, seal
from lakewright.recovery.create import Made, Source
from lakewright.recovery.keep import Pruned, Summary, Wrong
from lakewright.recovery.model import Manifest
from lakewright.recovery.place import LATEST, Place
from lakewright.run.lease import Leases
from lakewright.spec.project import S3

__all__ = ["Checked", "Shown", "backups", "create", "open_place", "prune", "show", "verify"]

#: The lease that whoever changes backups takes, so that nothing is removed that another one counts on.
_LEASE = "backups"


@dataclass(frozen=True)
class Shown:
    """One backup: its id, and what it holds."""

    id: str
    manifest: Manifest


@dataclass(frozen=True)
class Checked:
    """Backups that were read whole, by id, and the files of them that are not what they were."""

    backups: tuple[str, ...]
    wrong: tuple[Wrong, ...]

    @property
    def whole(self) -> bool:
        """Whether every file is as it was."""
        return not self.wrong


def open_place(platform: Platform | None, address: str | None) -> Place:
    """Return the place for backups at *address*, else the one that the project names.

    Without a project only an address helps; a bucket is then opened with the machine's own credentials.
    """
    if platform is None:
        if address is None:
            raise UsageError("LW430", "say where the backups are: --from FOLDER or s3://bucket/prefix")
        here = Path.cwd()
        return Place.open(address, here, S3(), lambda text: resolve_secret(text, here, os.environ))
    spec = platform.project.file.backup
    chosen = address or (platform.resolve(spec.to) if spec.to else None)
    if chosen is None:
        raise UsageError(
            "LW430",
            "no place for backups is known",
            remedy="give one on the command line, or set `backup: {to: …}` in lakewright.yaml",
        )
    s3 = spec.s3 or platform.project.file.lake.s3 or S3()
    # an address on the command line is relative to where the command was given
    base = Path.cwd() if address else platform.root
    return Place.open(chosen, base, s3, platform.resolve)


def create(
    platform: Platform, to: str | None = None, *, full: bool = False, passphrase_from: str | None = None
) -> Made:
    """Make a backup while runs go on. See :func:`lakewright.recovery.create.create`.

    *passphrase_from* (``env:NAME``, ``file:PATH`` or ``${secret:NAME}``; else the project's own setting)
    seals the keys. Raises LW437 while another process changes the backups.
    """
    place = open_place(platform, to)
    said = passphrase_from or platform.project.file.backup.passphrase
    phrase = platform.redactor.add(found) if (found := _phrase(platform, said)) else None
    source = Source(platform.project, platform.state, platform.keys, platform.resolve)
    with _alone(platform):
        return making.create(source, place, phrase=phrase, full=full)


def _phrase(platform: Platform, said: str | None) -> str | None:
    return seal.passphrase(said, os.environ, platform.resolve)


def backups(platform: Platform | None, place: str | None = None) -> list[Summary]:
    """Return the backups in a place, newest first."""
    opened = open_place(platform, place)
    opened.require()
    return keep.summaries(opened)


def show(platform: Platform | None, place: str | None = None, backup: str = LATEST) -> Shown:
    """Return what one backup holds. Raises LW431 when there is none of that name."""
    opened = open_place(platform, place)
    opened.require()
    id = opened.find(backup)
    return Shown(id, opened.manifest(id))


def verify(
    platform: Platform | None,
    place: str | None = None,
    backup: str | None = None,
    *,
    seen: Callable[[int], object] = lambda count: None,
) -> Checked:
    """Read every blob of a backup, or of all; return the backups that were looked at and what is wrong."""
    opened = open_place(platform, place)
    opened.require()
    ids = [opened.find(backup)] if backup else opened.ids()
    return Checked(tuple(ids), tuple(keep.check(opened, ids, seen=seen)))


def prune(
    platform: Platform,
    place: str | None = None,
    *,
    keep_last: int,
    daily: int = 0,
    weekly: int = 0,
    dry_run: bool = False,
) -> Pruned:
    """Let old backups go, and the blobs that no other one needs. Raises as :func:`create`."""
    opened = open_place(platform, place)
    opened.require()
    opened.claim(platform.project.file.name)
    with _alone(platform):
        return keep.prune(opened, keep=keep_last, daily=daily, weekly=weekly, dry_run=dry_run)


@contextlib.contextmanager
def _alone(platform: Platform) -> Iterator[None]:
    leases = Leases(platform.state, f"backup-{secrets.token_hex(3)}")
    try:
        if (holder := leases.take(_LEASE)) is not None:
            raise RunError("LW437", f"another process is at the backups of this project: {holder.process}")
        yield
    finally:
        leases.close()
