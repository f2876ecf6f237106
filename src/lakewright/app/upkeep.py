"""`snapshots`, `restore`, `compact`: the lake's history and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from lakewright.app.lifecycle import refuse_held
from lakewright.app.platform import Platform
from lakewright.app.query import snapshot_of
from lakewright.errors import UsageError
from lakewright.lake import Snapshot
from lakewright.lake.ageing import Age, Ageing, merge_old
from lakewright.lake.protocol import Compaction
from lakewright.project.dated import date_partition
from lakewright.spec.dataset import Compact
from lakewright.spec.durations import parse_duration
from lakewright.state import now

if TYPE_CHECKING:
    import duckdb

__all__ = ["CompactReport", "Compacted", "Restored", "compact", "restore", "snapshots"]


@dataclass(frozen=True)
class Restored:
    """A dataset that was put back: the rows that it has now."""

    dataset: str
    rows: int
    version: str


@dataclass(frozen=True)
class Compacted:
    """What compaction did to one dataset."""

    dataset: str
    files_before: int
    files_after: int
    bytes_after: int | None


@dataclass(frozen=True)
class CompactReport:
    """What compaction did, and what else was tidied."""

    datasets: tuple[Compacted, ...]
    expired: int
    notes: tuple[str, ...]


def snapshots(platform: Platform, dataset: str | None = None, limit: int | None = 20) -> list[Snapshot]:
    """Return the lake's snapshots, or those that changed *dataset*, newest first."""
    services = platform.services
    with services.session.cursor() as cursor:
        return services.lake.snapshots(cursor, platform.dataset_id(dataset) if dataset else None, limit)


def restore(platform: Platform, datasets: Sequence[str], to: str | int | datetime) -> tuple[Restored, ...]:
    """Put *datasets* (all when empty) back to snapshot or time *to*, as one new commit.

    The next run reads what the restored datasets are made of again where their checkpoints went back.
    """
    version, moment = snapshot_of(to)
    services = platform.services
    ids = [platform.dataset_id(one) for one in datasets] or None
    if ids and any(one.startswith("raw.") for one in ids):
        raise UsageError("LW904", "raw keeps every version of its files; there is nothing to restore")
    with platform.journal.upkeep(f"restore to {to}"), services.session.cursor() as cursor:
        rows = services.lake.restore(cursor, ids, version=version, timestamp=moment)
    services.refresh()
    return tuple(Restored(id, count, str(to)) for id, count in rows.items())


def compact(platform: Platform, datasets: Sequence[str] = (), expire: str | None = None) -> CompactReport:
    """Merge small files of *datasets* (all when empty); forget snapshots older than *expire* (``30d``).

    Where a dataset's ``compact`` says so, the files of old months and years are put together, too.
    """
    services = platform.services
    age = _age(expire) if expire else None
    if age is not None:
        refuse_held(platform)
    ids = [platform.dataset_id(one) for one in datasets] or None
    notes: list[str] = []
    with services.session.cursor() as cursor:
        done = services.lake.compact(cursor, ids)
        for place, one in enumerate(done):
            given = _ageing(platform, cursor, one.id)
            if given is not None and not services.lake.capabilities.change_partitions:
                notes.append(
                    f"{one.id}: a lake of kind {services.lake.kind!r} keeps old days in their own files"
                )
            elif given is not None and merge_old(services.lake, cursor, given):
                done[place] = Compaction(one.id, one.before, len(services.lake.files(cursor, one.id)))
        forgotten = services.lake.expire(cursor, now() - age) if age is not None else 0
        sizes = {one.id: one.bytes for one in services.lake.tables(cursor)}
    if age is not None:
        notes.append(f"{forgotten} snapshots older than {expire} forgotten")
    return CompactReport(
        tuple(Compacted(one.id, one.before, one.after, sizes.get(one.id)) for one in done),
        forgotten,
        tuple(notes),
    )


def _ageing(platform: Platform, cursor: duckdb.DuckDBPyConnection, id: str) -> Ageing | None:
    """How the table of *id* ages by what its file says; None where it says nothing, or the table has no such date."""
    spec = platform.project.datasets.get(id)
    if spec is None or spec.file.compact == Compact():
        return None
    columns = platform.services.lake.columns(cursor, id) or {}
    spelled = {one.lower(): one for one in columns}
    by = spelled.get((date_partition(spec.file.write.partition_by, spec.file.columns) or "").lower())
    if by is None or not columns[by].upper().startswith(("DATE", "TIMESTAMP")):
        return None
    ages: list[Age] = []
    first: date | None = None
    if spec.file.compact.yearly_after:
        first = (now() - parse_duration(spec.file.compact.yearly_after)).date().replace(month=1, day=1)
        ages.append(Age("year", None, first))
    if spec.file.compact.monthly_after:
        before = (now() - parse_duration(spec.file.compact.monthly_after)).date().replace(day=1)
        ages.append(Age("month", first, before))
    return Ageing(id, by, spec.file.write.partition_by, spec.file.write.sort_by, tuple(ages))


def _age(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError("LW904", f"{text!r} is no age: {error}", remedy="write it like 30d") from None
