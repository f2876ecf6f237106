"""Take rows handed over from Python into raw: Arrow, Polars, pandas or a list of records, as a Parquet file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lakewright.errors import LakewrightError, UsageError
from lakewright.lake.raw import RawStore
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.files import Taken, staging
from lakewright.sources.manifest import Field, Part, RawFile, current_files, last_batch, record, settings_of
from lakewright.sources.outcome import reject_table
from lakewright.sources.rows import batches_of
from lakewright.spec.sources import FileDataset, PythonDataset
from lakewright.state import State, now

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PREFIX", "take_frame", "write_parquet"]

#: Paths in the manifest of what came from Python; no file of a source begins so.
PREFIX = "@python/"

_ROW_GROUP = 100_000


def take_frame(
    frame: object,
    source_name: str,
    name: str,
    dataset: FileDataset | PythonDataset,
    *,
    store: RawStore,
    state: State,
    cursor: duckdb.DuckDBPyConnection,
    key: str | None = None,
    metadata: Mapping[str, str] | None = None,
    schema: pa.Schema | None = None,
    run_id: str = "",
    at: datetime | None = None,
) -> Taken:
    """Take the rows of *frame* into the raw dataset *name* as one batch; return what was done.

    *frame* is anything that :func:`~lakewright.sources.rows.batches_of` takes; it is written as it is read, batch
    by batch. With a *key* the call can be repeated: the same rows under the same key are taken once, other rows
    replace them as a new version. *metadata* is written into the Parquet file; when and by which run the rows came
    is in the manifest.

    Raises LW204 for something that is no table, LW203 when columns changed and ``on_drift`` is fail.
    """
    import pyarrow as pa

    at = at or now()
    known = current_files(state, f"raw.{name}")
    columns, batches = batches_of(frame, schema)
    kept = {**(columns.metadata or {}), b"lakewright.source": source_name.encode()}
    kept |= {name.encode(): value.encode() for name, value in (metadata or {}).items()}
    with staging(store) as folder:
        local = folder / "frame.parquet"
        write_parquet(local, columns.with_metadata(kept), batches)
        with local.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        label = _label(key) if key is not None else f"{at:%Y%m%dT%H%M%S%f}-{digest[:8]}"
        path = f"{PREFIX}{label}.parquet"
        old = known.get(path)
        if old is not None and old.hash == digest:
            return Taken(f"raw.{name}", 0, (old,), reject_table(()), unchanged=1)
        found, rows = parquet_fields(str(local), cursor)
        # a column without any value has no type yet, though Parquet gives it one
        empty = {field.name for field in columns if pa.types.is_null(field.type)}
        fields = tuple(Field(one.name, "NULL", one.source) if one.name in empty else one for one in found)
        version = old.version + 1 if old else 1
        day = f"year={at.year}/month={at.month}/day={at.day}"
        raw_path = f"{source_name}/{name}/{day}" + (f"/_v{version}" if version > 1 else "") + f"/{path}"
        file = RawFile(
            dataset=f"raw.{name}",
            batch=last_batch(state, f"raw.{name}") + 1,
            path=path,
            version=version,
            size=local.stat().st_size,
            hash=digest,
            modified=at,
            rows=rows,
            rejected=0,
            raw_path=raw_path,
            format="parquet",
            parts=(Part(raw_path, "parquet", fields, rows),),
            change="changed" if old else "new",
            taken_at=at,
            run_id=run_id,
            settings=settings_of(dataset) if isinstance(dataset, FileDataset) else "",
        )
        changes = drift(schema_of(known.values(), dataset, cursor), [file], cursor)
        if changes and dataset.on_drift == "fail":
            raise refuse(f"raw.{name}", changes)
        store.publish(local, raw_path)
        record(state, [file], f"raw.{name}")
    return Taken(f"raw.{name}", file.batch, (file,), reject_table(()), tuple(changes))


def write_parquet(local: Path, columns: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write *batches* to *local*. Raises LW204 for what Parquet cannot hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetWriter(local, columns, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in batches:
                waiting.append(batch)
                # many small batches would make many small row groups
                if sum(one.num_rows for one in waiting) >= _ROW_GROUP:
                    writer.write_table(pa.Table.from_batches(waiting).cast(columns))
                    waiting = []
            writer.write_table(pa.Table.from_batches(waiting, None if waiting else columns).cast(columns))
    except LakewrightError:
        raise
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UsageError("LW204", f"these rows cannot be written as Parquet: {error}") from None


def _label(key: str) -> str:
    plain = re.sub(r"[^0-9A-Za-z_.-]+", "_", key).strip("._") or "key"
    # Two keys that differ in other characters only must not meet.
    return plain if plain == key else f"{plain}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
