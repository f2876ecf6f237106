"""Judge one raw dataset: whether its settings fit each other."""

from __future__ import annotations

from collections.abc import Iterator

from lakewright.spec.databases import Capture, DatabaseDataset, DatabaseSource
from lakewright.spec.sources import FileDataset, RawDataset, Source

__all__ = ["problems", "source_problems"]

_TEXT = ("encoding", "compression")
_LINES = ("delimiter", "quote", "escape", "comment", "skip")

#: The options that mean something for a format; ``auto`` may turn out to be any of them.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "csv": (*_LINES, "header", "nulls", "names", *_TEXT),
    "json": ("records", *_TEXT),
    "ndjson": ("records", *_TEXT),
    "parquet": (),
    "avro": (),
    "orc": (),
    "excel": ("sheet", "header", "names", "skip", "nulls"),
}


def problems(dataset: RawDataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(message, keys) of each thing that the settings of one raw dataset contradict each other in."""
    if len(set(dataset.columns)) < len(dataset.columns):
        yield "a column is listed twice", ("columns",)
    match dataset:
        case FileDataset():
            yield from _files(dataset)
        case DatabaseDataset():
            yield from _database(dataset)


def source_problems(source: Source) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(message, keys) of each thing that the settings of a source as a whole contradict each other in."""
    if not isinstance(source, DatabaseSource):
        return
    kind = source.connection.partition(":")[0]
    captured = [name for name, one in source.datasets.items() if one.load == "changes"]
    # the whole address may be a secret
    if kind not in ("postgresql", "postgres") and not kind.startswith("$"):
        for name in captured:
            yield "`load: changes` is for PostgreSQL", ("datasets", name, "load")
    if source.capture != Capture() and not captured:
        yield "`capture` is for datasets with `load: changes`", ("capture",)


def _files(dataset: FileDataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The options that the declared format does not know."""
    allowed = _OPTIONS.get(dataset.format)
    if allowed is not None:
        for name in dataset.options.__struct_fields__:
            if getattr(dataset.options, name) in (None, ()) or name in allowed:
                continue
            known = f"; it knows {', '.join(allowed)}" if allowed else ""
            yield f"the format {dataset.format} has no option {name!r}{known}", ("options", name)
    if dataset.options.header and dataset.options.names:
        yield "`names` are for files without a header; here `header` is true", ("options", "names")


def _database(dataset: DatabaseDataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is read, and what of it each time, must follow from the settings."""
    if dataset.load == "changes":
        yield from _changes(dataset)
        return
    if (dataset.table is None) == (dataset.query is None):
        yield "one of `table` and `query` says what is read", ("query",) if dataset.query else ()
    if dataset.load == "incremental" and dataset.cursor is None:
        yield "`load: incremental` needs `cursor`, a column that grows with every change", ("load",)
    if dataset.load == "full":
        for name in ("cursor", "lookback"):
            if getattr(dataset, name) is not None:
                yield f"`{name}` is for `load: incremental`", (name,)
        if dataset.deletes == "by_key":
            yield "`deletes` is for `load: incremental`: a full load leaves out what is gone", ("deletes",)
    if dataset.deletes == "by_key" and not dataset.keys:
        yield "`deletes: by_key` needs `keys`", ("deletes",)
    for name in ("keys", "cursor"):
        asked = dataset.keys if name == "keys" else [dataset.cursor] if dataset.cursor else []
        for one in asked:
            if dataset.columns and one not in dataset.columns:
                yield f"{one!r} is not among `columns`", (name,)
    if dataset.query is not None and dataset.slices > 1:
        yield "`slices` is for a table; the database runs a query as it is", ("slices",)


def _changes(dataset: DatabaseDataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The log tells of tables, of all their rows, and what was deleted."""
    if dataset.table is None:
        yield "`load: changes` needs `table`: the server's log tells of tables", ("load",)
    for name in ("query", "where", "cursor", "lookback"):
        if getattr(dataset, name) is not None:
            yield f"`{name}` is not for `load: changes`, which takes all that is done to a table", (name,)
    if dataset.deletes == "by_key":
        yield "`deletes` is not for `load: changes`: the log tells what was deleted", ("deletes",)
    for one in dataset.keys:
        if dataset.columns and one not in dataset.columns:
            yield f"{one!r} is not among `columns`", ("keys",)
