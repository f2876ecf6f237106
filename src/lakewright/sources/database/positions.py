"""How far the tables of databases are read: the last value of each dataset's cursor."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from lakewright.state import State, metadata

__all__ = ["CursorPosition", "database_positions", "position_of", "put_position"]


@dataclass(frozen=True)
class CursorPosition:
    """The greatest ``cursor`` in raw, as text of DuckDB's ``type``; None when there is none yet.

    ``settings`` stand for what the dataset declared then: with others its position says nothing.
    """

    dataset: str
    batch: int
    cursor: str | None
    type: str
    settings: str


database_positions = sa.Table(
    "database_positions",
    metadata,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("cursor", sa.Text),
    sa.Column("type", sa.String, nullable=False),
    sa.Column("settings", sa.String, nullable=False),
)


def position_of(state: State, dataset: str) -> CursorPosition | None:
    """Return the position of *dataset* (``raw.orders``), None before its first load."""
    table = database_positions
    with state.begin(table) as connection:
        row = connection.execute(sa.select(table).where(table.c.dataset == dataset)).mappings().first()
    return CursorPosition(**row) if row is not None else None


def put_position(connection: sa.Connection, position: CursorPosition) -> None:
    """Write *position* in the transaction of *connection*."""
    table = database_positions
    connection.execute(table.delete().where(table.c.dataset == position.dataset))
    connection.execute(table.insert().values(**vars(position)))
