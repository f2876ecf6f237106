"""`ingest`: rows handed over from Python become a batch of a raw dataset."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lakewright.app.platform import Platform
from lakewright.errors import NotFoundError, RunError, UsageError, nearest
from lakewright.run.lease import Leases
from lakewright.sources.frame import take_frame
from lakewright.spec.sources import FileSource, PythonSource

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["IngestReport", "ingest"]

#: How long to wait for another one that takes rows of the same dataset, and how often to look, in seconds.
_PATIENCE = 10.0
_BEAT = 0.02


@dataclass(frozen=True)
class IngestReport:
    """What was taken. ``batch`` is 0 when the same rows were there under the same key already.

    ``source_file`` is what the rows have in ``_source_file``, ``at`` when they came and ``run`` what they are
    recorded under; ``drift`` says how their columns differ from those before.
    """

    dataset: str
    batch: int
    rows: int
    bytes: int
    source_file: str
    at: datetime
    run: str
    drift: tuple[str, ...] = ()


def ingest(
    platform: Platform,
    dataset: str,
    frame: object,
    *,
    key: str | None = None,
    metadata: Mapping[str, str] | None = None,
    schema: pa.Schema | None = None,
) -> IngestReport:
    """Take *frame* into the raw dataset *dataset*: a frame, an event, events, or an iterator of any of these.

    The next run builds from it what is made of the dataset. With *key* the call can be repeated:
    the same rows under the same key are taken once, and other rows replace them. *metadata* is kept with the rows;
    *schema* says which columns and types they have, where the first of them do not tell. Raises LW901 for a raw
    dataset that no source declares, LW203 and LW204 for rows that do not fit, LW205 for one that is filled by a
    database or an API.
    """
    id = dataset if dataset.startswith("raw.") else f"raw.{dataset}"
    project = platform.project
    if id not in project.raw:
        raise NotFoundError("LW901", f"no raw dataset {id!r}{nearest(id, project.raw)}")
    services = platform.services
    name = id.partition(".")[2]
    source = project.raw[id]
    spec = project.sources[source]
    if not isinstance(spec, FileSource | PythonSource):
        raise UsageError("LW205", f"{id} is filled by {project.source_paths[source]}, and not from Python")
    run = f"ingest-{secrets.token_hex(6)}"
    # a run that takes files of the same dataset now would give its batch the same number
    leases = Leases(services.state, run)
    until = time.monotonic() + _PATIENCE
    while (holder := leases.take(f"{project.file.name}/{project.target}:{id}")) is not None:
        if time.monotonic() < until:
            time.sleep(_BEAT)
            continue
        leases.close()
        raise RunError("LW612", f"{id} is being taken by {holder}")
    try:
        with services.session.cursor() as cursor:
            taken = take_frame(
                frame,
                source,
                name,
                spec.datasets[name],
                store=services.store,
                state=services.state,
                cursor=cursor,
                key=key,
                metadata=metadata,
                schema=schema,
                run_id=run,
            )
    finally:
        leases.close()
    file = taken.files[0]
    return IngestReport(
        id,
        taken.batch,
        taken.rows if taken.batch else 0,
        taken.bytes if taken.batch else 0,
        file.path,
        file.taken_at,
        file.run_id,
        tuple(str(one) for one in taken.drift),
    )
