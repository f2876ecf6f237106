"""Take what was done to a table: its rows as they are at one moment first, then every change, none twice."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime

import msgspec

from lakewright.plan.tasks import Found
from lakewright.sources.capture.moment import begin, read_moment
from lakewright.sources.capture.positions import Place, capture_of, places_of, put_place
from lakewright.sources.capture.server import Server
from lakewright.sources.capture.setup import check_table, lock_name, prepare
from lakewright.sources.capture.stream import stream
from lakewright.sources.database.load import Load, require_driver, settings_of_load
from lakewright.sources.files import Taken
from lakewright.sources.manifest import files_of
from lakewright.sources.outcome import reject_table
from lakewright.state import now

__all__ = ["look_at_changes", "take_changes"]


def look_at_changes(load: Load) -> Found:
    """Return what a run is going to read."""
    known = capture_of(load.state, load.source_name)
    place = places_of(load.state, load.source_name).get(load.id)
    if known is None or place is None or place.stage == "pending":
        return Found(reason=f"read {load.dataset.table}, and from then on its changes")
    if place.stage == "again":
        return Found(reason=f"read {load.dataset.table} again and compare, then its changes")
    with closing(_server(load)) as server:
        slot = server.slot(known.slot)
    if slot is None:
        return Found(reason=f"the slot {known.slot} is gone")
    return Found(reason=f"read the changes of {load.dataset.table}: {slot.lag:,} bytes of log are new")


def take_changes(load: Load, at: datetime | None = None) -> Taken:
    """Take into raw what was done to the table of *load* since the last call, and to the source's other ones.

    Each batch's manifest and place in the log are written in one transaction, after the files; the server is
    told after that. So a crash at any point leaves every change to be taken once. Raises LW220 to LW229
    and LW240 to LW245 for what the database, its user or the table do not allow, LW203 when columns changed
    and ``on_drift`` is fail.
    """
    at = at or now()
    with closing(_server(load)) as server:
        with server.lock(lock_name(load)):
            capture = prepare(load, server)
            table = check_table(load, server)
            place = _place(load, table.oid, at)
            moment = None
            if place.stage != "ready":
                place, moment = begin(load, server, place)
        if moment is not None:
            with closing(moment):
                read_moment(load, table, place, moment, at)
        with server.lock(lock_name(load)):
            stream(load, server, capture)
    return _told(load)


def _place(load: Load, oid: int, at: datetime) -> Place:
    """The place to go on from; a new one where the dataset was declared otherwise, or its table is another."""
    settings = settings_of_load(load)
    found = places_of(load.state, load.source_name).get(load.id)
    if found is None or found.settings != settings:
        told = found.told if found is not None else 0
        return Place(load.id, load.source_name, oid, 0, "pending", settings, told, "[]", at)
    return replace(found, oid=oid) if found.stage == "again" else found


def _server(load: Load) -> Server:
    require_driver(load.address)
    return Server(load.address, load.interrupts)


def _told(load: Load) -> Taken:
    """What was taken of the dataset since a run told of it last, by whichever task."""
    place = places_of(load.state, load.source_name)[load.id]
    files = tuple(files_of(load.state, load.id, after=place.told, current=False))
    notes = tuple(msgspec.json.decode(place.notes))
    if not files and not notes:
        return Taken(load.id, 0, (), reject_table(()), unchanged=1)
    put_place(
        load.state, replace(place, told=max((one.batch for one in files), default=place.told), notes="[]")
    )
    rows = sum(one.rows for one in files)
    summary = f"{rows:,} changes" if files else ""
    batch = files[-1].batch if files else 0
    return Taken(load.id, batch, files, reject_table(()), notes=notes, summary=summary)
