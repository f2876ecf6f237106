"""How far a source has been read: one row per batch and dataset, written with the manifest in one transaction."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import sqlalchemy as sa

from lakewright.state import State, metadata

__all__ = ["add_position", "positions_of", "source_positions"]

T = TypeVar("T", bound=msgspec.Struct)

#: Rows are only added. ``number`` counts from 1; ``batch`` is the batch that ``position`` was reached with, 0 for none.
source_positions = sa.Table(
    "source_positions",
    metadata,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("position", sa.Text, nullable=False),
)


def positions_of(state: State, dataset: str, kind: type[T]) -> list[tuple[int, T]]:
    """Return the positions of a dataset (``raw.orders``) with the batches that reached them, oldest first."""
    table = source_positions
    query = (
        sa.select(table.c.batch, table.c.position).where(table.c.dataset == dataset).order_by(table.c.number)
    )
    with state.begin(table) as connection:
        rows = connection.execute(query).all()
    return [(int(batch), msgspec.json.decode(position, type=kind)) for batch, position in rows]


def add_position(connection: sa.Connection, dataset: str, batch: int, position: msgspec.Struct) -> None:
    """Write the newest position of a dataset; the caller's transaction holds the manifest's rows too."""
    table = source_positions
    last = connection.execute(
        sa.select(sa.func.max(table.c.number)).where(table.c.dataset == dataset)
    ).scalar()
    text = msgspec.json.encode(position).decode()
    connection.execute(
        table.insert().values(dataset=dataset, number=int(last or 0) + 1, batch=batch, position=text)
    )
