"""`source list`, `source resnapshot`, `source remove`: what is captured from databases, and the end of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakewright.app.platform import Platform
from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.spec.databases import DatabaseSource

if TYPE_CHECKING:
    from lakewright.sources.capture.manage import CaptureStatus
    from lakewright.sources.database.load import Load

__all__ = ["RemovedCapture", "SourceRow", "captures", "remove_source", "resnapshot", "sources"]


@dataclass(frozen=True)
class SourceRow:
    """A raw dataset and where it comes from. ``lag`` and ``retained`` are bytes of the server's log: not read, and kept."""

    source: str
    kind: str
    dataset: str
    load: str
    position: str
    lag: int | None
    retained: int | None
    note: str


@dataclass(frozen=True)
class RemovedCapture:
    """What ended with a capture: on the server, and of what was remembered."""

    source: str
    dropped: tuple[str, ...]
    forgotten: tuple[str, ...]


def sources(platform: Platform) -> tuple[SourceRow, ...]:
    """Return all raw datasets by source, and for captured ones how far they are read and what the server keeps for them."""
    found = []
    status = {one.source: one for one in captures(platform)}
    for name, source in platform.project.sources.items():
        captured = status.get(name)
        for dataset, spec in source.datasets.items():
            load = spec.load if isinstance(source, DatabaseSource) else ""  # type: ignore[union-attr]
            mine = captured if load == "changes" else None
            found.append(
                SourceRow(
                    name,
                    source.__struct_config__.tag if isinstance(source.__struct_config__.tag, str) else "",
                    f"raw.{dataset}",
                    load,
                    mine.places.get(f"raw.{dataset}", "") if mine else "",
                    mine.lag if mine else None,
                    mine.retained if mine else None,
                    mine.problem if mine else "",
                )
            )
    return tuple(found)


def captures(platform: Platform) -> list[CaptureStatus]:
    """Return how each capture stands, those of sources that the project no longer has among them."""
    from lakewright.sources.capture.manage import status, unknown
    from lakewright.sources.capture.positions import known_captures

    found = []
    for name, capture in known_captures(platform.state).items():
        source = platform.project.sources.get(name)
        if not isinstance(source, DatabaseSource):
            found.append(unknown(capture))
            continue
        with _loading(platform, name, source) as load:
            found.append(status(load, capture))
    return found


def resnapshot(platform: Platform, name: str, datasets: Sequence[str] = ()) -> tuple[str, ...]:
    """Have the next run read the tables of *name* (or only *datasets*) again; return the datasets' ids.

    What differs from raw is taken then, rows that are gone among it. Raises LW246 for a source that captures nothing.
    """
    from lakewright.sources.capture.manage import again

    source = _source(platform, name)
    captured = [f"raw.{one}" for one, spec in source.datasets.items() if spec.load == "changes"]
    if not captured:
        raise UsageError("LW246", f"no dataset of {name} is captured")
    wanted = [f"raw.{one.removeprefix('raw.')}" for one in datasets] or captured
    for one in wanted:
        if one not in captured:
            raise UsageError("LW246", f"{one} is not captured from {name}{nearest(one, captured)}")
    with platform.journal.upkeep(f"resnapshot {name}"), _loading(platform, name, source) as load:
        again(load, wanted)
    return tuple(wanted)


def remove_source(platform: Platform, name: str, *, dry_run: bool = False) -> RemovedCapture:
    """Drop the slot and the publication of *name*, and forget how far its tables were read. Raw data stays.

    Raises LW246 for a source of which nothing is captured.
    """
    from lakewright.sources.capture.manage import remove
    from lakewright.sources.capture.positions import capture_of, places_of

    source = _source(platform, name)
    capture = capture_of(platform.state, name)
    if capture is None:
        raise UsageError("LW246", f"nothing is captured from {name}")
    ids = tuple(places_of(platform.state, name))
    with platform.journal.upkeep(f"remove source {name}"), _loading(platform, name, source) as load:
        return RemovedCapture(name, tuple(remove(load, capture, dry_run=dry_run)), ids)


def _source(platform: Platform, name: str) -> DatabaseSource:
    found = platform.project.sources.get(name)
    if found is None:
        raise NotFoundError(
            "LW901",
            f"there is no source {name!r}{nearest(name, list(platform.project.sources))}",
        )
    if not isinstance(found, DatabaseSource):
        raise UsageError("LW246", f"{name} is no database, and nothing is captured from it")
    return found


@contextmanager
def _loading(platform: Platform, name: str, source: DatabaseSource) -> Iterator[Load]:
    from lakewright.sources.database.load import Load
    from lakewright.sources.database.model import Interrupts

    services = platform.services
    with closing(services.session.cursor()) as cursor:
        yield Load(
            name,
            next(iter(source.datasets)),
            source,
            root=services.root,
            store=services.store,
            state=services.state,
            cursor=cursor,
            interrupts=Interrupts(),
            resolve=services.resolve,
        )
