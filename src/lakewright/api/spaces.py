"""The parts of an opened project that have several verbs each: backups, people, holds, sources.

Each is a property of :class:`~lakewright.Lakewright`, as in ``lw.backups.create()``. All of them are the owner's: for a role
every call raises LW823.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lakewright.api.rows import one_of
from lakewright.app import backup as _backup
from lakewright.app import forget as _forget
from lakewright.app import lifecycle as _lifecycle
from lakewright.app import recover as _recover
from lakewright.app import sources as _sources
from lakewright.app.export_subject import Export, export_subject
from lakewright.app.platform import Platform, Restricted
from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.app.backup import Checked, Shown
    from lakewright.app.erasing import Forgotten
    from lakewright.app.sources import RemovedCapture, SourceRow
    from lakewright.erase.journal import Erasure
    from lakewright.lake.holds import Hold
    from lakewright.recovery.create import Made
    from lakewright.recovery.dataset import Reloaded
    from lakewright.recovery.heal import Healed
    from lakewright.recovery.keep import Pruned, Summary

__all__ = ["Backups", "Holds", "People", "Place", "Sources"]


class _Space:
    """Verbs on a project. They are its owner's; a role is refused before anything is looked at."""

    def __init__(self, platform: Platform) -> None:
        self._opened = platform

    @property
    def _platform(self) -> Platform:
        if isinstance(self._opened, Restricted):
            raise UsageError("LW823", f"{self._opened.caller.name} may not do this")
        return self._opened


class Place:
    """The backups at an address, looked at without a project: what :func:`lakewright.backups` returns."""

    def __init__(self, address: str) -> None:
        self._address = address

    def list(self) -> list[Summary]:
        """Return the backups, newest first."""
        return _backup.backups(None, self._address)

    def show(self, backup: str = "latest") -> Shown:
        """Return what one backup holds; *backup* is its id or the beginning of it. Raises LW431 when there is none."""
        return _backup.show(None, self._address, backup)

    def verify(self, backup: str | None = None) -> Checked:
        """Read one backup, or all, and compare every file with its checksum; ``.whole`` tells how it went."""
        return _backup.verify(None, self._address, backup)


class Backups(_Space):
    """Copies of the whole project, and what comes back from them.

    *place* is a folder or ``s3://bucket/prefix``; without it, the one that ``backup.to`` of lakewright.yaml names.
    """

    def create(
        self, to: str | Path | None = None, *, full: bool = False, passphrase_from: str | None = None
    ) -> Made:
        """Make a backup while runs go on; files that an earlier one holds are not copied again.

        *full* reads every file again and compares it. *passphrase_from* (``env:NAME``, ``file:PATH``,
        ``${secret:NAME}``) seals the keys; without one they are left out. Stopped at any moment, there is no half
        backup. Raises LW430 without a place, LW437 while another process changes the backups.
        """
        return _backup.create(self._platform, _address(to), full=full, passphrase_from=passphrase_from)

    def show(self, backup: str = "latest", *, place: str | Path | None = None) -> Shown:
        """Return what one backup holds; *backup* is its id or the beginning of it. Raises LW431 when there is none."""
        return _backup.show(self._platform, _address(place), backup)

    def verify(self, backup: str | None = None, *, place: str | Path | None = None) -> Checked:
        """Read one backup, or all, and compare every file with its checksum; ``.whole`` tells how it went."""
        return _backup.verify(self._platform, _address(place), backup)

    def prune(
        self,
        keep: int,
        *,
        daily: int = 0,
        weekly: int = 0,
        dry_run: bool = False,
        place: str | Path | None = None,
    ) -> Pruned:
        """Let old backups go: keep the newest *keep*, and the last of each of so many days and weeks."""
        return _backup.prune(
            self._platform, _address(place), keep_last=keep, daily=daily, weekly=weekly, dry_run=dry_run
        )

    def recover(
        self,
        *datasets: str,
        place: str | Path | None = None,
        backup: str = "latest",
        at: str | datetime | None = None,
    ) -> list[Reloaded]:
        """Bring datasets back from a backup, as of the time *at* when given; each is a new commit of the lake that goes on.

        The next run builds what came after. Raises LW415 when the backup does not have one. A whole project comes
        back by :func:`lakewright.recover`.
        """
        if not datasets:
            raise UsageError(
                "LW904", "no dataset is named", remedy="name one, or use lakewright.recover for everything"
            )
        return _recover.recover_datasets(
            self._platform, datasets, place=_address(place), backup=backup, at=_recover.moment_of(at)
        )

    def recover_files(self, *, place: str | Path | None = None, dry_run: bool = False) -> list[Healed]:
        """Put back the files of the lake that are gone or damaged, from whatever backup has them whole.

        Returns every file that was not right; ``healed`` is false for one that no backup has.
        """
        return _recover.recover_files(self._platform, place=_address(place), dry_run=dry_run)

    def list(self, place: str | Path | None = None) -> list[Summary]:
        """Return the backups, newest first."""
        return _backup.backups(self._platform, _address(place))


class People(_Space):
    """People in the data: who asks to be forgotten, and what is kept of them.

    *who* names them as the command line does: ``customer=42``, or ``customer.email=ana@example.com``. *shared* says what a value
    that several people share means: ``keep`` leaves the others alone, ``same`` means all of them; without it LW812 is raised.
    """

    def forget(
        self,
        *who: str,
        reason: str = "",
        dry_run: bool = False,
        shared: Literal["keep", "same"] | None = None,
        partial: bool = False,
        drop_originals: bool = False,
        confirm: Callable[[Forgotten], bool] | None = None,
    ) -> Forgotten:
        """Erase people wherever the project keeps them, look again, and sign a record; it cannot be undone.

        *dry_run* only tells what would be done. *confirm* is shown the same, and says whether to go on. *partial*
        goes on though something must stay; *drop_originals* deletes raw files that nothing can write without
        the person. Stopped at any moment, the same call or :meth:`resume` goes on. Raises LW811 for nobody or an
        unknown kind, LW612 while a run goes on, LW813 where something must stay, LW814 when they are still found.
        """
        platform = self._platform
        options = _forget.Options(dry_run, partial, _sharing(shared), drop_originals, reason)
        return _forget.forget(
            platform, _forget.named_people(platform, who), options, confirm=confirm or (lambda _: True)
        )

    def resume(
        self,
        *,
        shared: Literal["keep", "same"] | None = None,
        partial: bool = False,
        drop_originals: bool = False,
    ) -> list[Forgotten]:
        """Go on with erasures that were interrupted; none is an empty list."""
        options = _forget.Options(partial=partial, sharing=_sharing(shared), drop_originals=drop_originals)
        return _forget.resume(self._platform, options)

    def forget_returned(
        self,
        *,
        reason: str = "",
        dry_run: bool = False,
        shared: Literal["keep", "same"] | None = None,
        partial: bool = False,
        drop_originals: bool = False,
    ) -> list[Forgotten]:
        """Erase again those who were forgotten and whom a source has delivered anew; one result per kind of person."""
        platform = self._platform
        options = _forget.Options(dry_run, partial, _sharing(shared), drop_originals, reason)
        return [_forget.forget(platform, group, options) for group in _forget.returned(platform)]

    def readmit(self, *who: str, reason: str = "") -> int:
        """Let people who were forgotten come in again with new data; return how many values left the list."""
        platform = self._platform
        return _forget.readmit(platform, _forget.named_people(platform, who), reason)

    def erasures(self) -> list[Erasure]:
        """Return all erasures, oldest first; nothing in them tells who it was."""
        return _forget.erasures(self._platform)

    def verify(self, record: str | Path, *who: str) -> Forgotten:
        """Check the signature of a record of an erasure, and look again for *who*, its people.

        Raises LW815 for a record that is not genuine or is about others.
        """
        return _forget.verify(self._platform, Path(record), who)

    def export(
        self, *who: str, to: str | Path, reason: str, shared: Literal["keep", "same"] | None = None
    ) -> Export:
        """Write all that is kept about people to *to*, a new folder or a ``.zip`` file that only its owner can read.

        *reason* goes into the audit log first.
        """
        platform = self._platform
        named = _forget.named_people(platform, who)
        return export_subject(platform, named, Path(to), reason=reason, sharing=_sharing(shared))


class Holds(_Space):
    """Legal holds: what may not be expired, archived or forgotten."""

    def add(
        self, dataset: str, reason: str, *, first: str | date | None = None, last: str | date | None = None
    ) -> Hold:
        """Hold a dataset, or its rows from the day *first* to the day *last*, both included."""
        return _lifecycle.hold(self._platform, dataset, reason, first=_day(first), last=_day(last))

    def list(self, *, released: bool = False) -> list[Hold]:
        """Return the holds that are on; with *released*, all that ever were."""
        return _lifecycle.hold_list(self._platform, released=released)

    def release(self, number: int) -> Hold:
        """Release a hold by its number. Raises LW420 when there is none."""
        return _lifecycle.release(self._platform, number)


class Sources(_Space):
    """Where raw data comes from, and what is captured from databases."""

    def list(self) -> tuple[SourceRow, ...]:
        """Return all raw datasets by source; for captured ones, what is not read and what the server keeps, in bytes."""
        return _sources.sources(self._platform)

    def resnapshot(self, source: str, *datasets: str) -> tuple[str, ...]:
        """Have the next run read captured tables again, all of *source* or only *datasets*; return their ids.

        Raises LW246 for what is not captured.
        """
        return _sources.resnapshot(self._platform, source, datasets)

    def remove(self, source: str, *, dry_run: bool = False) -> RemovedCapture:
        """End the capture of a source: drop its slot and publication, forget its positions. Raw data stays."""
        return _sources.remove_source(self._platform, source, dry_run=dry_run)


def _sharing(given: Literal["keep", "same"] | None) -> Literal["keep", "same"] | None:
    if given is not None:
        one_of("shared", given, ("keep", "same"))
    return given


def _address(place: str | Path | None) -> str | None:
    return None if place is None else str(place)


def _day(given: str | date | None) -> date | None:
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise UsageError("LW904", f"{given!r} is no date", remedy="write it like 2024-12-31") from None
