"""How captures stand, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from lakewright.errors import LakewrightError
from lakewright.sources.capture.positions import Capture, capture_of, forget, places_of, read_again
from lakewright.sources.capture.server import Server, lsn_text
from lakewright.sources.capture.setup import captured, drop, lock_name, lost
from lakewright.sources.database.load import Load, require_driver

__all__ = ["CaptureStatus", "again", "remove", "status", "unknown"]


@dataclass(frozen=True)
class CaptureStatus:
    """How a capture stands. ``places`` gives the place in the log of each dataset, ``lag`` the bytes that were not
    read, ``retained`` those that the server keeps for it; ``strays`` are slots like ours that nobody knows of, and
    the bytes that they keep."""

    source: str
    slot: str
    places: dict[str, str]
    lag: int | None
    retained: int | None
    problem: str
    strays: dict[str, int]


def status(load: Load, capture: Capture) -> CaptureStatus:
    """Return how a capture stands; that its server cannot be asked is its problem."""
    places = {
        id: lsn_text(one.place)
        if one.stage == "ready"
        else "to be read again"
        if one.stage == "again"
        else "begun"
        for id, one in places_of(load.state, load.source_name).items()
    }
    try:
        with closing(_server(load)) as server:
            slot = server.slot(capture.slot)
            ours = capture.slot.rpartition("_")[0].replace("_", r"\_")
            strays = {
                name: size
                for name, size in server.slots_like(f"{ours}\\_________").items()
                if name != capture.slot
            }
            problem = _problem(load, server, capture)
    except LakewrightError as error:
        return CaptureStatus(load.source_name, capture.slot, places, None, None, error.problem.message, {})
    lag, retained = (slot.lag, slot.retained) if slot else (None, None)
    return CaptureStatus(load.source_name, capture.slot, places, lag, retained, problem, strays)


def unknown(capture: Capture) -> CaptureStatus:
    """Return the status of a capture whose source the project no longer has."""
    problem = (
        f"no source is called {capture.source} any more, and the slot {capture.slot} still keeps the server's log: "
        "put its file back and run `lakewright source remove`"
    )
    return CaptureStatus(capture.source, capture.slot, {}, None, None, problem, {})


def again(load: Load, datasets: Sequence[str]) -> None:
    """Have the tables of *datasets* read again by the next run. Where changes were lost, everything on the server is
    made anew, and all tables are read again."""
    with closing(_server(load)) as server, server.lock(lock_name(load)):
        capture = capture_of(load.state, load.source_name)
        read_again(load.state, load.source_name, datasets)
        if capture is None:
            return
        here = server.identity()
        lost_ones = []
        for one in captured(load).values():
            with suppress(LakewrightError):  # a table that cannot be captured is told of by its own task
                lost_ones.append(lost(one, server, capture, here))
        if any(lost_ones):
            drop(server, capture, here)
            read_again(load.state, load.source_name, list(captured(load)))


def remove(load: Load, capture: Capture, *, dry_run: bool = False) -> list[str]:
    """Drop slot and publication, and forget the places. Returns what was dropped, or would be."""
    with closing(_server(load)) as server, server.lock(lock_name(load)):
        if dry_run:
            found = [f"slot {capture.slot}"] if server.slot(capture.slot) else []
            if capture.own and server.published(capture.publication) is not None:
                found.append(f"publication {capture.publication}")
            return found
        # the server first: what is forgotten could not be found again
        done = drop(server, capture, server.identity())
        forget(load.state, load.source_name)
        return done


def _problem(load: Load, server: Server, capture: Capture) -> str:
    here = server.identity()
    for one in captured(load).values():
        try:
            found = lost(one, server, capture, here)
        except LakewrightError as error:
            found = error.problem.message
        if found:
            return found
    return ""


def _server(load: Load) -> Server:
    require_driver(load.address)
    return Server(load.address, load.interrupts)
