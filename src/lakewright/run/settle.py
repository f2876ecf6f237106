"""Make up for what a run that died, or lost touch with the state, left undone after its commit.

Rows and checkpoint are committed together; the catalog is told afterwards, and the rejects of raw
files reach the quarantine after the manifest. What is owed is seen by comparing numbers: the batch
that the catalog knows with the one that was published, and the batch of the manifest that the
quarantine stands at with the last one that changed its rejects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from lakewright.catalog.entries import catalog_entries
from lakewright.plan.tasks import TaskPlan, Work
from lakewright.sources.manifest import raw_files
from lakewright.sql.names import quarantine_id

if TYPE_CHECKING:
    from lakewright.lake import Checkpoint
    from lakewright.run.services import Services

__all__ = ["owed", "owes_rejects", "told_batches", "with_settling"]


def owed(services: Services) -> dict[str, str]:
    """Return what is owed to which dataset, in words; costs two small queries of the state."""
    told = told_batches(services)
    found: dict[str, str] = {}
    for id, (last, rejects) in _raw_batches(services).items():
        if id not in services.project.raw:
            continue
        parts = []
        if rejects > _settled_rejects(services.seen(quarantine_id(id)), id):
            parts.append("lines that could not be read are not in quarantine yet")
        if told.get(id) != last:
            parts.append(f"the catalog does not know batch {last} yet")
        if parts:
            found[id] = "; ".join(parts)
    for id in services.project.datasets:
        seen = services.seen(id)
        if seen is not None and told.get(id) != seen.batch:
            found[id] = f"the catalog does not know batch {seen.batch} yet"
    return found


def told_batches(services: Services) -> dict[str, int]:
    """Return the batch that the catalog knows, by dataset."""
    query = sa.select(catalog_entries.c.dataset, catalog_entries.c.batch)
    with services.state.read(catalog_entries) as connection:
        return {id: int(batch) for id, batch in connection.execute(query) if batch is not None}


def owes_rejects(services: Services, id: str) -> bool:
    """Whether the manifest of the raw dataset *id* has rejects that its quarantine does not know of."""
    found = _raw_batches(services, id)
    return id in found and found[id][1] > _settled_rejects(services.seen(quarantine_id(id)), id)


def with_settling(plans: tuple[TaskPlan, ...], owed: Mapping[str, str]) -> tuple[TaskPlan, ...]:
    """Return *plans* with those that had nothing to do, but are owed something, turned into settling it."""
    return tuple(
        replace(one, action="build", reason=owed[one.id], work=Work("settle"))
        if one.action == "skip" and one.id in owed
        else one
        for one in plans
    )


def _raw_batches(services: Services, id: str | None = None) -> dict[str, tuple[int, int]]:
    """Return by raw dataset its last batch, and the last one that added or outdated rejects."""
    table = raw_files
    rejected = sa.case((table.c.rejected > 0, table.c.batch), else_=0)
    outdated = sa.case((table.c.rejected > 0, sa.func.coalesce(table.c.superseded_in, 0)), else_=0)
    query = sa.select(
        table.c.dataset, sa.func.max(table.c.batch), sa.func.max(rejected), sa.func.max(outdated)
    ).group_by(table.c.dataset)
    if id is not None:
        query = query.where(table.c.dataset == id)
    with services.state.read(table) as connection:
        rows = connection.execute(query).all()
    return {row[0]: (int(row[1]), max(int(row[2]), int(row[3]))) for row in rows}


def _settled_rejects(checkpoint: Checkpoint | None, id: str) -> int:
    if checkpoint is None:
        return 0
    inputs = msgspec.json.decode(checkpoint.positions or "{}").get("inputs", {})
    return int(inputs.get(id, {}).get("batch", 0))
