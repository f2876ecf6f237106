"""The recoveries of a project: each begins another future, and a backup knows in which of them it was made."""

from __future__ import annotations

import sqlalchemy as sa

from lakewright.errors import UsageError
from lakewright.recovery.model import Manifest, Recovered
from lakewright.state import State, UtcTime, metadata

__all__ = ["add", "recoveries", "refuse_other_future"]

_recoveries = sa.Table(
    "recoveries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("backup", sa.String(64), nullable=False),
    sa.Column("instant", UtcTime, nullable=False),
)


def recoveries(state: State) -> tuple[Recovered, ...]:
    """Return the recoveries that led to what there is now, oldest first."""
    with state.read(_recoveries) as connection:
        rows = connection.execute(sa.select(_recoveries).order_by(_recoveries.c.number)).all()
    return tuple(Recovered(row.id, row.backup, row.instant) for row in rows)


def add(state: State, one: Recovered) -> None:
    """Note a recovery; noting it twice does nothing."""
    with state.begin(_recoveries) as connection:
        known = connection.scalar(sa.select(_recoveries.c.id).where(_recoveries.c.id == one.id))
        if known is None:
            connection.execute(_recoveries.insert().values(id=one.id, backup=one.backup, instant=one.instant))


def refuse_other_future(backup: str, manifest: Manifest, now: tuple[Recovered, ...]) -> None:
    """Raise LW436 when a backup holds what a later recovery gave up: its batches are not those of now."""
    common = 0
    while common < min(len(manifest.history), len(now)) and manifest.history[common].id == now[common].id:
        common += 1
    left = now[common:]
    if len(manifest.history) > common or (left and manifest.created > left[0].instant):
        other = left[0] if left else manifest.history[common]
        raise UsageError(
            "LW436",
            f"backup {backup} holds what was given up when the project was recovered from {other.backup}",
            remedy="take a backup from before that recovery or after it, or recover the whole project from this one",
        )
