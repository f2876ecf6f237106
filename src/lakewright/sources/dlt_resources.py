"""Take the resources of any dlt source into raw: rows as NDJSON, frames as Parquet, dlt's state among our positions."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lakewright.errors import LakewrightError, RunError, UsageError, nearest
from lakewright.lake.raw import RawStore
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.files import Taken, staging
from lakewright.sources.frame import write_parquet
from lakewright.sources.json_files import typed
from lakewright.sources.manifest import Part, RawFile, current_files, last_batch, record
from lakewright.sources.outcome import reject_table
from lakewright.sources.positions import add_position, positions_of
from lakewright.sources.rows import batches_of
from lakewright.spec.dlt import DltSource
from lakewright.state import State, now

__all__ = ["PREFIX", "take_resource"]

#: Paths in the manifest of what came from dlt; no file of a source begins so.
PREFIX = "@dlt/"


class _Left(msgspec.Struct, frozen=True):
    """The state that a resource left, as dlt writes it."""

    state: str


def take_resource(
    source_name: str,
    name: str,
    source: DltSource,
    *,
    root: Path,
    store: RawStore,
    state: State,
    cursor: duckdb.DuckDBPyConnection,
    run_id: str = "",
    resolve: Callable[[str], str] = str,
    check: Callable[[], None] = lambda: None,
    at: datetime | None = None,
) -> Taken:
    """Take what the resource of dataset *name* gives into raw as one batch; return what was done.

    Rows are written as NDJSON by dlt's own encoder, frames of Arrow, Polars and pandas as Parquet. The state of an
    incremental resource is written with the manifest, in one transaction. *check* is called before every item.

    Raises LW239 when the source or resource is not there or fails, LW203 when columns changed and ``on_drift`` is
    fail; then nothing is taken.
    """
    dataset = source.datasets[name]
    at = at or now()
    incremental = dataset.load == "incremental"
    left = positions_of(state, f"raw.{name}", _Left) if incremental else []
    before = left[-1][1] if left else None
    known = current_files(state, f"raw.{name}")
    with staging(store) as folder:
        written, after = _read(
            source, dataset.resource or name, before, folder, root=root, resolve=resolve, check=check
        )
        if written is None and (incremental or not known):
            _record(state, f"raw.{name}", [], before, after if incremental else None)
            return Taken(f"raw.{name}", 0, (), reject_table(()), unchanged=len(known))
        local = written or _empty(folder)
        with local.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        label = f"{at:%Y%m%dT%H%M%S%f}" if incremental else "all"
        path = f"{PREFIX}{label}{local.suffix}"
        old = known.get(path)
        if old is not None and old.hash == digest:
            return Taken(f"raw.{name}", 0, (), reject_table(()), unchanged=1)
        version = old.version + 1 if old else 1
        day = f"year={at.year}/month={at.month}/day={at.day}"
        raw_path = f"{source_name}/{name}/{day}" + (f"/_v{version}" if version > 1 else "") + f"/{path}"
        part = _part(local, raw_path, cursor)
        file = RawFile(
            dataset=f"raw.{name}",
            batch=last_batch(state, f"raw.{name}") + 1,
            path=path,
            version=version,
            size=local.stat().st_size,
            hash=digest,
            modified=at,
            rows=part.rows,
            rejected=0,
            raw_path=raw_path,
            format=part.format,
            parts=(part,) if part.rows else (),
            change="changed" if old else "new",
            taken_at=at,
            run_id=run_id,
        )
        changes = drift(schema_of(known.values(), dataset, cursor), [file], cursor)
        if changes and dataset.on_drift == "fail":
            raise refuse(f"raw.{name}", changes)
        store.publish(local, raw_path)
        _record(state, f"raw.{name}", [file], before, after if incremental else None)
    rows = f"{part.rows:,} {'row' if part.rows == 1 else 'rows'}"
    return Taken(f"raw.{name}", file.batch, (file,), reject_table(()), tuple(changes), summary=rows)


def _record(state: State, id: str, files: list[RawFile], before: _Left | None, after: _Left | None) -> None:
    batch = files[0].batch if files else 0
    if files or (after is not None and after != before):
        record(
            state,
            files,
            id,
            also=lambda connection: (
                add_position(connection, id, batch, after) if after is not None and after != before else None
            ),
        )


def _read(
    source: DltSource,
    resource: str,
    before: _Left | None,
    folder: Path,
    *,
    root: Path,
    resolve: Callable[[str], str],
    check: Callable[[], None],
) -> tuple[Path | None, _Left]:
    """Run a resource; return the file of what it gave, None for nothing, and the state that it left."""
    try:
        from dlt.common.configuration.container import Container
        from dlt.common.json import json
        from dlt.common.pipeline import StateInjectableContext
    except ImportError:
        raise UsageError(
            "LW904",
            "dlt is not installed",
            remedy="pip install 'lakewright[rest]', which sources of kind dlt need",
        ) from None
    from lakewright.sources.rest.client import Hider

    hider = Hider(resolve)
    state: Any = json.typed_loads(before.state) if before is not None else {}
    try:
        with Container().injectable_context(StateInjectableContext(state=state)):
            items = _checked(_resource(source, resource, root, hider.resolve), check)
            first = next(items, None)
            written = None if first is None else _write(chain([first], items), first, folder)
        return written, _Left(json.typed_dumps(state))
    except LakewrightError:
        raise
    except Exception as error:
        inner = error.__cause__ if error.__cause__ is not None else error
        told = hider.text(str(inner).strip().split("\n", 1)[0][:300])
        raise RunError("LW239", f"{source.source}, {resource}: {type(inner).__name__}: {told}") from error


def _checked(items: Any, check: Callable[[], None]) -> Iterator[Any]:
    for item in items:
        check()
        yield item


def _resource(source: DltSource, resource: str, root: Path, resolve: Callable[[str], str]) -> Any:
    """Call the function that *source* names and return one resource of what it gives."""
    from dlt.extract import DltResource
    from dlt.extract import DltSource as Found

    module_name, _, function_name = source.source.rpartition(".")
    if str(root) not in sys.path:
        sys.path.append(str(root))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise RunError("LW239", f"there is no module {error.name!r}, which {source.source} needs") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        names = [one for one, value in vars(module).items() if callable(value)]
        raise RunError(
            "LW239", f"{module_name} has no function {function_name!r}{nearest(function_name, names)}"
        )
    made = function(**{name: _filled(value, resolve) for name, value in source.args.items()})
    if isinstance(made, DltResource):
        found = {made.name: made}
    elif isinstance(made, Found):
        found = dict(made.resources)
    else:
        raise RunError("LW239", f"{source.source} gives {type(made).__name__}, which is no source of dlt")
    if resource not in found:
        raise RunError(
            "LW239",
            f"{source.source} has no resource {resource!r}{nearest(resource, found)}",
            tried=[f"its resources: {', '.join(found)}"],
        )
    return made if isinstance(made, DltResource) else made.with_resources(resource)


def _write(items: Iterator[Any], first: Any, folder: Path) -> Path:
    from dlt.common.json import json

    if not isinstance(first, Mapping):
        local = folder / "frame.parquet"
        columns, batches = batches_of(items)
        write_parquet(local, columns, batches)
        return local
    local = folder / "rows.ndjson"
    with local.open("wb") as out:
        for item in items:
            if not isinstance(item, Mapping):
                raise TypeError(f"it gives rows and {type(item).__name__} together")
            out.write(json.dumpb(item) + b"\n")
    return local


def _empty(folder: Path) -> Path:
    local = folder / "rows.ndjson"
    local.touch()
    return local


def _part(local: Path, raw_path: str, cursor: duckdb.DuckDBPyConnection) -> Part:
    if local.suffix == ".parquet":
        fields, rows = parquet_fields(str(local), cursor)
        return Part(raw_path, "parquet", fields, rows)
    found = typed(local, [], cursor)
    return Part(raw_path, "ndjson", found.columns, found.rows, found.options)


def _filled(value: Any, resolve: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return resolve(value)
    if isinstance(value, Mapping):
        return {key: _filled(one, resolve) for key, one in value.items()}
    return [_filled(one, resolve) for one in value] if isinstance(value, list | tuple) else value
