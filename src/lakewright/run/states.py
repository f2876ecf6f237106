"""What is there now, in the form that planning wants: raw datasets, tables, definitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lakewright.plan.fingerprint import fingerprint
from lakewright.plan.tasks import Batch, DatasetState, UpstreamState
from lakewright.run.build import dataset_state, upstream_state
from lakewright.run.loads import loaded_states, warehouse_fingerprint
from lakewright.sources.manifest import raw_files
from lakewright.sources.retired import retired_files, with_what_became
from lakewright.spec.mask import Hash

if TYPE_CHECKING:
    from lakewright.run.services import Services
    from lakewright.spec.dataset import Dataset
    from lakewright.state import State

__all__ = ["built_states", "fingerprints", "raw_states", "upstream_states"]


def raw_states(state: State) -> dict[str, UpstreamState]:
    """Return what the manifest holds of each raw dataset, from one query."""
    table, gone = raw_files, retired_files
    expired = gone.c.kind == "expired"

    def there(value: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((expired, 0), else_=value))

    current = sa.and_(expired, table.c.superseded_in.is_(None))
    query = (
        sa.select(
            table.c.dataset,
            table.c.batch,
            there(table.c.rows),
            there(sa.literal(1)),
            there(table.c.size),
            sa.func.sum(sa.case((current, 1), else_=0)),
        )
        .select_from(with_what_became(table))
        .group_by(table.c.dataset, table.c.batch)
    )
    with state.begin(table, gone) as connection:
        rows = connection.execute(query.order_by(table.c.dataset, table.c.batch)).all()
    batches: dict[str, list[Batch]] = {}
    lost: dict[str, int] = {}
    for dataset, number, count, files, size, missing in rows:
        batches.setdefault(dataset, []).append(Batch(int(number), int(count), int(files), int(size)))
        lost[dataset] = lost.get(dataset, 0) + int(missing)
    return {
        id: UpstreamState(
            position=found[-1].number,
            rows=sum(one.rows or 0 for one in found),
            files=sum(one.files or 0 for one in found),
            bytes=sum(one.bytes or 0 for one in found),
            batches=tuple(found),
            expired=lost[id],
        )
        for id, found in batches.items()
    }


def upstream_states(services: Services) -> dict[str, UpstreamState]:
    """Return what each raw dataset and each table holds now."""
    tables = {id: upstream_state(one) for id, one in services.checkpoints.items()}
    return {**tables, **raw_states(services.state)}


def built_states(services: Services) -> dict[str, DatasetState]:
    """Return the last build of each dataset that was ever built, and the last load of each warehouse."""
    found = {id: dataset_state(one) for id, one in services.checkpoints.items()}
    built = {id: one for id, one in found.items() if one is not None}
    return built | loaded_states(services.state) if services.project.warehouses else built


def fingerprints(services: Services, ids: Iterable[str]) -> dict[str, str]:
    """Return the fingerprint of each of *ids* that is a table or a warehouse."""
    project = services.project
    default = project.file.defaults.on_violation
    found = {
        id: fingerprint(project.datasets[id], on_violation=default, root=services.root)
        for id in ids
        if id in project.datasets
    }
    found = {id: one + _rotations(services, project.datasets[id]) for id, one in found.items()}
    return found | {id: warehouse_fingerprint(project, id) for id in ids if id in project.warehouses}


def _rotations(services: Services, dataset: Dataset) -> str:
    """What a definition's name ends in once a key of its hashes was rotated: its rows are to be hashed anew."""
    used = {
        mask.key
        for mask in dataset.masks.values()
        if isinstance(mask, Hash) and mask.algorithm == "hmac-sha256"
    }
    if not used:
        return ""
    newest = services.keys.newest()
    return "".join(f"+{name}:{newest[name]}" for name in sorted(used) if newest.get(name, 1) > 1)
