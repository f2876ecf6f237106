"""Take rows handed over from Python into raw: Arrow, Polars, pandas or a list of records, as a Parquet file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from lakewright.errors import UsageError
from lakewright.lake.raw import RawStore
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.dialect import clean_names
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.files import Taken, staging
from lakewright.sources.manifest import Part, RawFile, current_files, last_batch, record, settings_of
from lakewright.sources.outcome import reject_table
from lakewright.spec.sources import FileDataset
from lakewright.state import State, now

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PREFIX", "as_arrow", "take_frame"]

#: Paths in the manifest of what came from Python; no file of a source begins so.
PREFIX = "@python/"


def take_frame(
    frame: object,
    source_name: str,
    name: str,
    dataset: FileDataset,
    *,
    store: RawStore,
    state: State,
    cursor: duckdb.DuckDBPyConnection,
    key: str | None = None,
    metadata: Mapping[str, str] | None = None,
    run_id: str = "",
    at: datetime | None = None,
) -> Taken:
    """Take the rows of *frame* into the raw dataset *name* as one batch; return what was done.

    *frame* is an Arrow table, batch or reader, a Polars or pandas frame, anything with
    ``__arrow_c_stream__``, or a list of mappings. With a *key* the call can be repeated: the same rows under
    the same key are taken once, other rows replace them as a new version. *metadata* is written
    into the Parquet file; when and by which run the rows came is in the manifest.

    Raises LW204 for something that is no table, LW203 when columns changed and ``on_drift`` is fail.
    """
    import pyarrow.parquet as pq

    table = as_arrow(frame)
    at = at or now()
    known = current_files(state, f"raw.{name}")
    kept = {**(table.schema.metadata or {}), b"lakewright.source": source_name.encode()}
    kept |= {name.encode(): value.encode() for name, value in (metadata or {}).items()}
    with staging(store) as folder:
        local = folder / "frame.parquet"
        try:
            pq.write_table(table.replace_schema_metadata(kept), local, compression="zstd")
        except Exception as error:
            raise UsageError("LW204", f"these rows cannot be written as Parquet: {error}") from None
        with local.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        label = _label(key) if key is not None else f"{at:%Y%m%dT%H%M%S%f}-{digest[:8]}"
        path = f"{PREFIX}{label}.parquet"
        old = known.get(path)
        if old is not None and old.hash == digest:
            return Taken(f"raw.{name}", 0, (), reject_table(()), unchanged=1)
        fields, rows = parquet_fields(str(local), cursor)
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
            settings=settings_of(dataset),
        )
        changes = drift(schema_of(known.values(), dataset, cursor), [file], cursor)
        if changes and dataset.on_drift == "fail":
            raise refuse(f"raw.{name}", changes)
        store.publish(local, raw_path)
        record(state, [file], f"raw.{name}")
    return Taken(f"raw.{name}", file.batch, (file,), reject_table(()), tuple(changes))


def as_arrow(frame: object) -> pa.Table:
    """Return *frame* as an Arrow table with usable column names. Raises LW204 when it is no table."""
    import pyarrow as pa

    try:
        table = _table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError("LW204", f"{type(frame).__name__} cannot be taken as a table: {error}") from None
    if not table.num_columns:
        raise UsageError("LW204", f"{type(frame).__name__} has no columns")
    return table.rename_columns(list(clean_names(table.column_names)))


def _table(frame: Any) -> pa.Table:
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, pa.RecordBatchReader):
        return frame.read_all()
    if type(frame).__module__.partition(".")[0] == "pandas":
        # its stream would carry the index along as a column
        return pa.Table.from_pandas(frame, preserve_index=False)
    if hasattr(frame, "collect") and type(frame).__module__.partition(".")[0] == "polars":
        frame = frame.collect()
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame).read_all()
    if isinstance(frame, Mapping):
        return pa.table(dict(frame))
    if isinstance(frame, list | tuple) and frame and all(isinstance(row, Mapping) for row in frame):
        names = list(dict.fromkeys(name for row in frame for name in row))
        return pa.table({name: [row.get(name) for row in frame] for name in names})
    raise TypeError("it is neither a frame nor a list of records")


def _label(key: str) -> str:
    plain = re.sub(r"[^0-9A-Za-z_.-]+", "_", key).strip("._") or "key"
    # Two keys that differ in other characters only must not meet.
    return plain if plain == key else f"{plain}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
