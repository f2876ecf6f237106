"""Legal holds: what may not be expired, moved to the archive or forgotten until somebody releases it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from lakewright.errors import NotFoundError
from lakewright.state import State, UtcTime, metadata, now

__all__ = ["Hold", "active", "add", "holds", "listed", "release"]

#: One row per hold; a released one stays, with its time.
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("dataset", sa.String(255), nullable=False),
    sa.Column("first", sa.Date),
    sa.Column("last", sa.Date),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("released_at", UtcTime),
)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on *dataset*: all of it, or the rows whose date lies from ``first`` to ``last``, both included."""

    id: int
    dataset: str
    first: date | None
    last: date | None
    reason: str
    at: datetime
    released_at: datetime | None

    @property
    def whole(self) -> bool:
        """Whether the whole dataset is held."""
        return self.first is None and self.last is None


def add(
    state: State, dataset: str, *, first: date | None = None, last: date | None = None, reason: str
) -> Hold:
    """Hold *dataset*, or its rows from *first* to *last*; the reason is kept."""
    with state.begin(holds) as connection:
        values = {"dataset": dataset, "first": first, "last": last, "reason": reason, "at": now()}
        made = connection.execute(holds.insert().values(**values).returning(*holds.c)).one()
        return Hold(*made)


def release(state: State, id: int) -> Hold:
    """Release a hold; NotFoundError LW420 when there is none of that number that is still on."""
    with state.begin(holds) as connection:
        query = (
            holds.update()
            .where(holds.c.id == id, holds.c.released_at.is_(None))
            .values(released_at=now())
            .returning(*holds.c)
        )
        found = connection.execute(query).first()
    if found is None:
        raise NotFoundError("LW420", f"there is no hold {id} that is still on")
    return Hold(*found)


def listed(state: State, *, released: bool = False) -> list[Hold]:
    """Return the holds that are on, or with *released* all that ever were, oldest first."""
    query = sa.select(holds).order_by(holds.c.id)
    if not released:
        query = query.where(holds.c.released_at.is_(None))
    with state.begin(holds) as connection:
        return [Hold(*row) for row in connection.execute(query)]


def active(state: State, datasets: Iterable[str] | None = None) -> dict[str, tuple[Hold, ...]]:
    """Return the holds that are on by dataset, of all or of *datasets*."""
    wanted = None if datasets is None else set(datasets)
    found: dict[str, tuple[Hold, ...]] = {}
    for one in listed(state):
        if wanted is None or one.dataset in wanted:
            found[one.dataset] = (*found.get(one.dataset, ()), one)
    return found
