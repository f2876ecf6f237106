"""`ingest`: rows handed over from Python become a batch of a raw dataset."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from lakewright.app.platform import Platform
from lakewright.errors import NotFoundError, RunError, UsageError, nearest
from lakewright.run.lease import Leases
from lakewright.sources.frame import take_frame
from lakewright.spec.sources import FileSource

__all__ = ["IngestReport", "ingest"]


@dataclass(frozen=True)
class IngestReport:
    """What was taken. ``batch`` is 0 when the same rows were there under the same key already."""

    dataset: str
    batch: int
    rows: int
    bytes: int


def ingest(
    platform: Platform,
    dataset: str,
    frame: object,
    *,
    key: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> IngestReport:
    """Take *frame* (Arrow, Polars, pandas, or a list of mappings) into the raw dataset *dataset*.

    The next run builds from it what is made of the dataset. With *key* the call can be repeated:
    the same rows under the same key are taken once. Raises LW901 for a raw dataset that no source
    declares, LW203 and LW204 for rows that do not fit, LW205 for one that is not made of files.
    """
    id = dataset if dataset.startswith("raw.") else f"raw.{dataset}"
    project = platform.project
    if id not in project.raw:
        raise NotFoundError("LW901", f"no raw dataset {id!r}{nearest(id, project.raw)}")
    services = platform.services
    name = id.partition(".")[2]
    source = project.raw[id]
    spec = project.sources[source]
    if not isinstance(spec, FileSource):
        raise UsageError(
            "LW205", f"{id} is filled by {project.source_paths[source]}, which is not made of files"
        )
    run = f"ingest-{secrets.token_hex(6)}"
    # a run that takes files of the same dataset now would give its batch the same number
    leases = Leases(services.state, run)
    holder = leases.take(f"{project.file.name}/{project.target}:{id}")
    if holder is not None:
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
                run_id=run,
            )
    finally:
        leases.close()
    return IngestReport(id, taken.batch, taken.rows, taken.bytes)
