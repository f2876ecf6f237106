"""`lifecycle`, `archives`, `hold`: old rows to the archive, back again, and what may not go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlglot import exp

from lakewright.app import raw_lifecycle
from lakewright.app.platform import Platform
from lakewright.errors import NotFoundError, UsageError
from lakewright.lake import archive, holds
from lakewright.lake.archive import Archive, Old
from lakewright.lake.holds import Hold
from lakewright.lake.raw import RawStore, open_raw
from lakewright.plan.tasks import write_mode
from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Dataset
from lakewright.spec.durations import FOREVER, parse_duration
from lakewright.spec.project import Zone
from lakewright.sql.names import column, literal
from lakewright.state import now

__all__ = [
    "RETENTIONS", "Brought", "Step", "archives", "hold", "hold_list", "lifecycle", "refuse_held", "release",
    "restore_archive",
]  # fmt: skip

#: How long the rows of a zone stay where neither project nor dataset says otherwise.
RETENTIONS = {"raw": raw_lifecycle.RETENTION, "processed": "1y", "curated": "7y", "archive": FOREVER}

Action = Literal["archive", "expire", "keep"]


@dataclass(frozen=True)
class Step:
    """What becomes of a dataset's old rows: those before ``before``, by ``age_by``; ``why`` where all or some are kept.

    Of a raw dataset whole files go, by the day on which they were taken.
    """

    dataset: str
    retention: str
    action: Action
    age_by: str
    before: date | None
    rows: int
    archive: str = ""
    why: str = ""
    files: int | None = None


@dataclass(frozen=True)
class Brought:
    """Rows that came back from a dataset's archives."""

    dataset: str
    archives: int
    rows: int


def lifecycle(platform: Platform, datasets: Sequence[str] = (), *, dry_run: bool = False) -> tuple[Step, ...]:
    """Move rows that are older than their retention to the archive, or delete them where it is turned off.

    A row's age is told by ``age_by``, or by the first date that the dataset is partitioned by; without
    either, and for rows without that date, all stay. A row goes when its whole day is older. Rows under a
    hold stay, as do the current rows of a history. Raw files go by the day on which they were taken, once every
    dataset that reads them has committed what it read; what is archived is read from there by whoever needs it
    again, and what is deleted is neither taken nor read again. No run goes on beside it (RunError LW612). With
    *dry_run* nothing is changed. Killed at any moment, a second call ends as one that was not disturbed.
    """
    asked = [platform.dataset_id(one) for one in datasets] or [
        *platform.project.datasets,
        *platform.project.raw,
    ]
    held = holds.active(platform.state)
    if dry_run:
        return tuple(_step(platform, id, held.get(id, ()), dry_run=True) for id in asked)
    with platform.journal.upkeep("lifecycle"):
        return tuple(_step(platform, id, held.get(id, ()), dry_run=False) for id in asked)


def archives(platform: Platform, dataset: str | None = None) -> list[Archive]:
    """Return what was archived or expired, oldest first, of all datasets or one."""
    services, id = platform.services, platform.dataset_id(dataset) if dataset else None
    with services.session.cursor() as cursor:
        found = archive.archives(services.lake, cursor, id)
    return sorted([*found, *raw_lifecycle.archives(platform, id)], key=lambda one: (one.at, one.id))


def restore_archive(platform: Platform, dataset: str, wanted: Sequence[str] = ()) -> Brought:
    """Bring the rows of a dataset's archives, all or those *wanted* by id, back into its table; of a raw dataset, its files.

    Files are verified first, and rows that are there already stay, so a second call adds nothing. The
    next :func:`lifecycle` moves them out again: hold them, or give the dataset a longer retention.
    """
    id = platform.dataset_id(dataset)
    services = platform.services
    with platform.journal.upkeep(f"restore {id} from the archive"), services.session.cursor() as cursor:
        known = [one for one in archives(platform, id) if one.kind == "archived"]
        chosen = [one for one in known if not wanted or one.id in wanted]
        missing = set(wanted) - {one.id for one in chosen}
        if missing or not chosen:
            what = f"no archive {', '.join(sorted(missing))}" if missing else "no archive"
            raise NotFoundError("LW901", f"{id} has {what}", remedy="`lakewright archives` lists them")
        if id in platform.project.raw:
            return Brought(id, *raw_lifecycle.restore(platform, id, wanted))
        spec = platform.project.datasets[id]
        # a full refresh may have built rows again that are in the archive
        keys = spec.natural_keys if write_mode(spec) == "merge" else ()
        rows = archive.restore(services.lake, cursor, chosen, _store(platform), keys=keys)
    services.refresh()
    return Brought(id, len(chosen), rows)


# --- holds ---------------------------------------------------------------------------------------


def hold(
    platform: Platform, dataset: str, reason: str, *, first: date | None = None, last: date | None = None
) -> Hold:
    """Hold a dataset, or its rows from *first* to *last*: they are not expired, archived or forgotten."""
    id = platform.dataset_id(dataset)
    if not reason.strip():
        raise UsageError("LW904", "a hold needs a reason")
    if first is not None and last is not None and first > last:
        raise UsageError("LW904", f"the range {first}..{last} ends before it begins")
    spec = platform.project.datasets.get(id)
    raw = id in platform.project.raw  # by the day on which a file was taken
    if (first or last) and not raw and (spec is None or not _age_column(spec)):
        raise UsageError(
            "LW904", f"{id} has no date that a range could be told by", remedy="hold all of it, or set age_by"
        )
    return holds.add(platform.state, id, first=first, last=last, reason=reason)


def hold_list(platform: Platform, *, released: bool = False) -> list[Hold]:
    """Return the holds that are on, or all that ever were."""
    return holds.listed(platform.state, released=released)


def release(platform: Platform, number: int) -> Hold:
    """Release a hold by its number. Raises LW420 when there is none."""
    return holds.release(platform.state, number)


def refuse_held(platform: Platform) -> None:
    """Raise LW420 when anything is held: old snapshots of the lake hold rows of every dataset."""
    found = holds.listed(platform.state)
    if found:
        shown = ", ".join(f"{one.dataset} (hold {one.id}: {one.reason})" for one in found[:5])
        raise UsageError("LW420", f"snapshots cannot be forgotten while data is held: {shown}")


# --- one dataset ---------------------------------------------------------------------------------


def _step(platform: Platform, id: str, held: Sequence[Hold], *, dry_run: bool) -> Step:
    if id in platform.project.raw:
        return _raw_step(platform, id, held, dry_run=dry_run)
    spec = platform.project.datasets[id]
    zone = platform.project.file.zones.get(spec.zone, Zone())
    retention = spec.file.retention or zone.retention or RETENTIONS.get(spec.zone, FOREVER)
    moves = zone.archive if spec.file.archive is None else spec.file.archive
    action: Action = "archive" if moves else "expire"
    if retention == FOREVER:
        return Step(id, retention, "keep", "", None, 0, why="kept for ever")
    if any(one.whole for one in held):
        return Step(id, retention, "keep", "", None, 0, why=f"held: {held[0].reason}")
    age = _age_column(spec)
    if not age:
        return Step(id, retention, "keep", "", None, 0, why="no date tells the age of its rows: set age_by")
    services = platform.services
    with services.session.cursor() as cursor:
        columns = services.lake.columns(cursor, id)
        name = next((one for one in columns or {} if one.lower() == age.lower()), None)
        if columns is None or name is None:
            why = "it was not built yet" if columns is None else f"it has no column {age}"
            return Step(id, retention, "keep", age, None, 0, why=why)
        if not columns[name].upper().startswith(("DATE", "TIMESTAMP")):
            return Step(id, retention, "keep", name, None, 0, why=f"{name} is {columns[name]}, no date")
        before = _cutoff(retention)
        if before is None:
            return Step(
                id, retention, "keep", name, None, 0, why="its retention reaches back before all dates"
            )
        old = Old(id, column(name), _condition(spec, name, columns[name], before, held))
        if dry_run:
            rows = archive.measure(services.lake, cursor, old)[0]
            return Step(id, retention, action if rows else "keep", name, before, rows)
        store = _store(platform) if moves else None
        made = archive.expire(
            services.lake, cursor, old, platform.state, store, storage_class=zone.storage_class or ""
        )
    if made is None:
        return Step(id, retention, "keep", name, before, 0)
    return Step(id, retention, action, name, before, made.rows, made.path)


def _raw_step(platform: Platform, id: str, held: Sequence[Hold], *, dry_run: bool) -> Step:
    retention, moves = raw_lifecycle.policy(platform, id)
    action: Action = "archive" if moves else "expire"
    before = None if retention == FOREVER else _cutoff(retention)
    if before is None:
        why = "kept for ever" if retention == FOREVER else "its retention reaches back before all dates"
        due = raw_lifecycle.Due()
    else:
        why, due = "", raw_lifecycle.due(platform, id, before, held, moves=moves)
    if dry_run:
        rows, files = sum(one.rows for one in due.files), len(due.files)
        kept = why or due.why
        return Step(id, retention, action if files else "keep", "taken", before, rows, why=kept, files=files)
    done = raw_lifecycle.age(platform, id, due, moves=moves)
    kept = why or done.why
    return Step(
        *(id, retention, action if done.files else "keep", "taken", before, done.rows, done.path),
        why=kept,
        files=done.files,
    )


def _age_column(spec: Dataset) -> str:
    """The column that tells a row's age: named, or the first date of the partitions; "" for none."""
    if spec.file.age_by:
        return spec.file.age_by
    for text in spec.file.write.partition_by:
        name = partition_column(text)
        if name is None:
            continue
        declared = next((one for key, one in spec.file.columns.items() if key.lower() == name.lower()), None)
        dated = declared is not None and (declared.type or "").lower().startswith(("date", "timestamp"))
        if dated or text.strip().lower().startswith(("year(", "month(", "day(", "hour(")):
            return name
    return ""


def _cutoff(retention: str) -> date | None:
    try:
        return (now() - parse_duration(retention)).date()
    except OverflowError:
        return None


def _condition(spec: Dataset, name: str, kind: str, before: date, held: Sequence[Hold]) -> exp.Expr:
    """Rows before a day, in UTC, that nobody holds; of a history those that are no longer current."""
    value = column(name)
    parts: list[exp.Expr] = [exp.LT(this=value, expression=_moment(before, kind))]
    if spec.file.write.mode == "scd2":
        current = exp.Coalesce(this=column("is_current"), expressions=[exp.true()])
        parts.append(exp.not_(current, copy=False))
    for one in held:
        inside: list[exp.Expr] = []
        if one.first is not None:
            inside.append(exp.GTE(this=value.copy(), expression=_moment(one.first, kind)))
        if one.last is not None:
            inside.append(exp.LT(this=value.copy(), expression=_moment(one.last + timedelta(days=1), kind)))
        parts.append(exp.not_(exp.paren(exp.and_(*inside, copy=False)), copy=False))
    return exp.and_(*parts, copy=False)


def _moment(day: date, kind: str) -> exp.Expr:
    """The beginning of a day, UTC, as the column's type compares with it."""
    if kind.upper() == "DATE":
        return exp.cast(literal(day.isoformat()), "DATE")
    text = datetime.combine(day, time()).isoformat(sep=" ")
    zoned = "ZONE" in kind.upper() or kind.upper() == "TIMESTAMPTZ"
    return exp.cast(literal(f"{text}+00:00" if zoned else text), "TIMESTAMPTZ" if zoned else "TIMESTAMP")


def _store(platform: Platform) -> RawStore:
    return open_raw(platform.project.file.lake, platform.root, platform.resolve, "archive")
