"""Read the log on from where it was confirmed, for all tables of a source at once, in whole transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lakewright.errors import LakewrightError
from lakewright.sources.capture.land import land
from lakewright.sources.capture.messages import Decoder
from lakewright.sources.capture.positions import Capture, Place, capture_places, places_of, put_places
from lakewright.sources.capture.previous import complete, emptied
from lakewright.sources.capture.server import Server
from lakewright.sources.capture.setup import captured, check_table, keys_of
from lakewright.sources.capture.sink import Emptied, Sink
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.database.load import Load, settings_of_load
from lakewright.sources.drift import schema_of
from lakewright.sources.files import staging
from lakewright.sources.manifest import current_files
from lakewright.sources.read import reading

__all__ = ["stream"]

#: Bytes of text that a file is made of.
PART_BYTES = 64 << 20

#: Messages that one batch has, when no transaction is larger.
BATCH = 500_000


@dataclass
class _Table:
    """A dataset whose changes are read: its place, and where its rows go. ``key`` names the table in the log."""

    load: Load
    place: Place
    key: tuple[str, str]
    keys: tuple[str, ...]
    failed: LakewrightError | None = None


def stream(load: Load, server: Server, capture: Capture) -> None:
    """Take what was committed until now, of every dataset of the source that was read once. The lock is to be held.

    The slot confirms what all of them have. A dataset that cannot go on does not hold up the others; the error
    of *load* itself is raised at the end.
    """
    tables = _ready(load, server)
    upto = server.flushed()
    size = BATCH
    while True:
        confirmed = _confirm(load, server, capture)
        going = [one for one in tables if one.failed is None and one.place.place < upto]
        if not going:
            break
        if _batch(load, server, capture, going, upto, size):
            break
        # a dataset that lags behind holds the slot: the next batch then has to reach beyond this one
        size = BATCH if _confirm(load, server, capture) > confirmed else size * 2
    _confirm(load, server, capture)
    for one in tables:
        if one.failed is not None and one.load.id == load.id:
            raise one.failed


def _ready(load: Load, server: Server) -> list[_Table]:
    places = places_of(load.state, load.source_name)
    found = []
    for id, own in captured(load).items():
        place = places.get(id)
        if place is None or place.stage != "ready" or place.settings != settings_of_load(own):
            continue
        try:
            table = check_table(own, server)
        except DatabaseFault:
            if id == load.id:
                raise
            continue
        if table.oid == place.oid:
            found.append(_Table(own, place, (table.schema, table.table), keys_of(own, table)))
    return found


def _confirm(load: Load, server: Server, capture: Capture) -> int:
    """Let the server forget what every dataset has; return the place."""
    places = [one.place for one in places_of(load.state, load.source_name).values() if one.place]
    slot = server.slot(capture.slot)
    if slot is None:
        raise DatabaseFault("LW240", f"{load.address}: the slot {capture.slot} is gone")
    least = min(places, default=slot.confirmed)
    if least > slot.confirmed:
        server.advance(capture.slot, least)
    return max(least, slot.confirmed)


def _batch(load: Load, server: Server, capture: Capture, going: list[_Table], upto: int, size: int) -> bool:
    """Take one batch; return whether there is no more up to *upto*."""
    with staging(load.store) as folder:
        decoder = Decoder({one.key: one.place.place for one in going})
        sinks = {one.key: _sink(one, server, folder / str(number)) for number, one in enumerate(going)}
        by_key = {one.key: one for one in going}
        with server.peek(capture.slot, capture.publication, upto, size) as batches:
            for messages in batches:
                for piece in decoder.decode(messages):
                    key = (piece.relation.schema, piece.relation.table)
                    if by_key[key].failed is None:
                        with _kept_apart(by_key[key]):
                            sinks[key].add(piece)
        exhausted = decoder.messages < size
        # whatever is committed later begins behind the place that was looked at
        reached = max(upto, decoder.end or 0) if exhausted else decoder.end or upto
        idle = []
        for one in going:
            if one.failed is not None:
                continue
            place = replace(one.place, place=max(reached, one.place.place))
            with _kept_apart(one):
                parts, notes = _finish(one, sinks[one.key])
                if parts or notes:
                    one.place = land(one.load, parts, place, notes)
                else:
                    one.place = place
                    idle.append(place)
        with load.state.begin(capture_places) as connection:
            put_places(connection, idle)
    return exhausted


@contextmanager
def _kept_apart(table: _Table) -> Iterator[None]:
    """Note an error as the table's own: it does not hold up the others."""
    try:
        yield
    except LakewrightError as error:
        table.failed = error


def _sink(table: _Table, server: Server, folder: Path) -> Sink:
    folder.mkdir()
    return Sink(folder, table.load.cursor, server.columns, table.keys, table.load.dataset.columns, PART_BYTES)


def _finish(table: _Table, sink: Sink) -> tuple[list[Path], list[str]]:
    """Complete the parts of one table with what only earlier rows tell; return them, and what is to be said."""
    sink.flush()
    if not sink.parts:
        return [], []
    load, before = table.load, None
    notes = [
        f"{name}: {count:,} values that no type holds taken as null" for name, count in sink.notes.items()
    ]
    if sink.incomplete or any(isinstance(one, Emptied) for one in sink.parts):
        files = list(current_files(load.state, load.id).values())
        if any(one.rows for one in files):
            schema = schema_of(files, load.dataset, load.cursor)
            before = reading(files, load.dataset, store=load.store, cursor=load.cursor, schema=schema)
    parts: list[Path] = []
    for number, one in enumerate(sink.parts):
        if isinstance(one, Path):
            parts.append(one)
            continue
        file = sink.folder / f"part-{number:05}.parquet"
        gone = emptied(load.cursor, one, table.keys, before, parts, file)
        notes.append(f"the table was emptied (TRUNCATE): {gone:,} rows are gone")
        if gone:
            parts.append(file)
    if sink.incomplete:
        complete(load.cursor, table.keys, before, parts)
    return parts, notes
