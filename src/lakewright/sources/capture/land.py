"""Bring the parts of one dataset into raw: files, manifest and place in the log, the last two in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lakewright.sources.capture.positions import Place, capture_places, put_places
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.database.load import Load, settings_of_load
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.manifest import Part, RawFile, current_files, last_batch, record
from lakewright.state import now

__all__ = ["land"]


def land(
    load: Load, parts: Sequence[Path], place: Place, notes: Sequence[str], *, whole: bool = False
) -> Place:
    """Take *parts* as one batch and move to *place*, which is returned; *whole* replaces all that raw holds.

    Raises LW203 when columns changed and ``on_drift`` is fail; then nothing is taken.
    """
    load.state.ensure(capture_places)
    files: tuple[RawFile, ...] = ()
    before = current_files(load.state, load.id)
    told = list(notes)
    if parts:
        files = (_entry(load, parts, now()),)
        found = drift(schema_of(before.values(), load.dataset, load.cursor), files, load.cursor)
        if found and load.dataset.on_drift == "fail":
            raise refuse(load.id, found)
        told += [str(one) for one in found]
        for local, part in zip(parts, files[0].parts, strict=True):
            load.store.publish(local, part.path)
    kept = [*msgspec.json.decode(place.notes), *told]
    moved = replace(place, notes=msgspec.json.encode(kept).decode(), at=now())

    def write(connection: sa.Connection) -> None:
        put_places(connection, [moved])

    record(load.state, files, load.id, replaced=list(before) if whole else (), also=write)
    return moved


def _entry(load: Load, parts: Sequence[Path], at: datetime) -> RawFile:
    batch = last_batch(load.state, load.id) + 1
    path = f"{load.name}-{batch:08}.parquet"
    folder = f"{load.source_name}/{load.name}/year={at.year}/month={at.month}/day={at.day}"
    made, digest, size = [], hashlib.sha256(), 0
    for number, file in enumerate(parts):
        fields, rows = parquet_fields(str(file), load.cursor)
        member = f"part-{number:05}.parquet" if len(parts) > 1 else ""
        made.append(
            Part(
                f"{folder}/{path}/{member}" if member else f"{folder}/{path}",
                "parquet",
                fields,
                rows,
                member=member,
            )
        )
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        size += file.stat().st_size
    return RawFile(
        dataset=load.id,
        batch=batch,
        path=path,
        version=1,
        size=size,
        hash=digest.hexdigest(),
        modified=at,
        rows=sum(one.rows for one in made),
        rejected=0,
        raw_path=f"{folder}/{path}",
        format="parquet",
        parts=tuple(made),
        change="new",
        taken_at=at,
        run_id=load.run_id,
        settings=settings_of_load(load),
    )
