"""What is known of captures between runs: each source's slot and publication, each dataset's place in the log."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lakewright.state import State, UtcTime, metadata, now

__all__ = [
    "Capture",
    "Place",
    "capture_of",
    "capture_places",
    "captures",
    "forget",
    "forget_places",
    "known_captures",
    "new_capture",
    "places_of",
    "put_place",
    "put_places",
    "read_again",
]


@dataclass(frozen=True)
class Capture:
    """A source's capture. ``server`` tells the database, ``own`` whether the publication is ours to change and drop."""

    source: str
    slot: str
    publication: str
    own: bool
    server: str
    created_at: datetime


@dataclass(frozen=True)
class Place:
    """How far a dataset's table is read.

    ``place`` is where in the log the next transaction may begin. ``stage`` is ``pending`` while the table is
    read for the first time, ``again`` while it is to be read again and compared, else ``ready``. ``told`` is the
    last batch that a run spoke of, ``notes`` (a list as JSON) what is to be said since; ``settings`` stand for what the
    dataset declared, ``oid`` for the table.
    """

    dataset: str
    source: str
    oid: int
    place: int
    stage: str
    settings: str
    told: int
    notes: str
    at: datetime


captures = sa.Table(
    "captures",
    metadata,
    sa.Column("source", sa.String(255), primary_key=True),
    sa.Column("slot", sa.String(64), nullable=False),
    sa.Column("publication", sa.String(64), nullable=False),
    sa.Column("own", sa.Boolean, nullable=False),
    sa.Column("server", sa.String(255), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

capture_places = sa.Table(
    "capture_places",
    metadata,
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("oid", sa.BigInteger, nullable=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("settings", sa.String(64), nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)


def capture_of(state: State, source: str) -> Capture | None:
    """Return the capture of a source, None before its first run."""
    found = known_captures(state)
    return found.get(source)


def known_captures(state: State) -> dict[str, Capture]:
    """Return all captures, by source."""
    with state.read(captures) as connection:
        rows = connection.execute(sa.select(captures)).mappings().all()
    return {str(row["source"]): Capture(**row) for row in rows}


def new_capture(state: State, project: str, source: str, publication: str | None, server: str) -> Capture:
    """Write down a capture of *source* before anything of it is made on the server, and return it.

    Its slot has a name that nobody else chose: another project, or another target of this one, has its own.
    """
    mark = uuid.uuid4().hex[:8]
    plain = "".join(one if one.isascii() and one.isalnum() else "_" for one in f"{project}_{source}".lower())
    name = f"lakewright_{plain[:42]}_{mark}"
    found = Capture(source, name, publication or name, publication is None, server, now())
    with state.begin(captures, capture_places) as connection:
        connection.execute(captures.delete().where(captures.c.source == source))
        connection.execute(captures.insert().values(**vars(found)))
        connection.execute(
            capture_places.update().where(capture_places.c.source == source).values(stage="again", place=0)
        )
    return found


def places_of(state: State, source: str) -> dict[str, Place]:
    """Return the places of a source's datasets, by id (``raw.orders``)."""
    with state.read(capture_places) as connection:
        rows = connection.execute(
            sa.select(capture_places).where(capture_places.c.source == source)
        ).mappings()
        return {str(row["dataset"]): Place(**row) for row in rows}


def put_place(state: State, place: Place) -> None:
    """Write the place of one dataset."""
    with state.begin(capture_places) as connection:
        put_places(connection, [place])


def put_places(connection: sa.Connection, places: Sequence[Place]) -> None:
    """Write places in the transaction of *connection*."""
    for one in places:
        connection.execute(capture_places.delete().where(capture_places.c.dataset == one.dataset))
        connection.execute(capture_places.insert().values(**vars(one)))


def read_again(state: State, source: str, datasets: Sequence[str]) -> None:
    """Have the tables of *datasets* read again and compared with raw by the next run."""
    with state.begin(capture_places) as connection:
        connection.execute(
            capture_places.update()
            .where(capture_places.c.source == source, capture_places.c.dataset.in_(list(datasets)))
            .values(stage="again", place=0)
        )


def forget_places(state: State, datasets: Sequence[str]) -> None:
    """Forget how far *datasets* are read."""
    with state.begin(capture_places) as connection:
        connection.execute(capture_places.delete().where(capture_places.c.dataset.in_(list(datasets))))


def forget(state: State, source: str) -> None:
    """Forget the capture of *source* and the places of its datasets."""
    with state.begin(captures, capture_places) as connection:
        connection.execute(captures.delete().where(captures.c.source == source))
        connection.execute(capture_places.delete().where(capture_places.c.source == source))
