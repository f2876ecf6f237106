"""Rows handed over from Python, whatever they are in, as a stream of Arrow batches."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakewright.errors import UsageError
from lakewright.sources.dialect import clean_names

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["batches_of"]

#: Rows of one batch, where they come one by one.
_MANY = 10_000


def batches_of(frame: object, schema: pa.Schema | None = None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the columns of *frame*, with usable names, and its rows, which are read as they are asked for.

    *frame* is an Arrow table, batch or reader, a Polars or pandas frame, anything with ``__arrow_c_stream__``, a
    mapping of names to lists, one event (a mapping of names to values), a list of events, or an iterator of any of
    these. The first batch of an iterator gives the columns of all, unless *schema* does. Named levels of a pandas
    index become columns; an index without a name is left out.

    Raises LW204 for what is no table, or has a column without one type; while they are read also for rows that
    do not fit the columns.
    """
    import pyarrow as pa

    name = type(frame).__name__
    try:
        tables = _tables(frame, schema)
        first = next(tables, None)
    except UsageError:
        raise
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UsageError("LW204", f"{name} cannot be taken as a table: {_said(error)}") from None
    if first is None:
        raise UsageError("LW204", f"{name} has no rows")
    given = schema if schema is not None else first.schema
    if not given.names:
        raise UsageError("LW204", f"{name} has no columns")
    _refuse_twins(given.names)
    _refuse_durations(given)
    metadata: Any = given.metadata
    target = pa.schema(
        [field.with_name(new) for field, new in zip(given, clean_names(given.names), strict=True)],
        metadata,
    )
    return target, _fitting(itertools.chain([first], tables), given, target, name)


def _fitting(
    tables: Iterator[pa.Table], given: pa.Schema, target: pa.Schema, name: str
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of *tables* with the columns of *target*, by name; *given* has them under their old names."""
    import pyarrow as pa

    start = 0
    while True:
        try:
            table = next(tables, None)
        except UsageError:
            raise
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise UsageError("LW204", f"{name}, from row {start + 1} on: {_said(error)}") from None
        if table is None:
            return
        yield from _cast(
            table, given, target, f"{name}, rows {start + 1} to {start + table.num_rows}"
        ).to_batches()
        start += table.num_rows


def _cast(table: pa.Table, given: pa.Schema, target: pa.Schema, where: str) -> pa.Table:
    import pyarrow as pa

    if table.schema.equals(given):
        return pa.Table.from_arrays(table.columns, schema=target)
    strange = [one for one in table.column_names if one not in given.names]
    if strange:
        raise UsageError(
            "LW204",
            f"{where}: the column {strange[0]!r} is not among those of the first rows",
            remedy="hand over `schema`, with all columns and their types",
        )
    columns = []
    for field in given:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        try:
            columns.append(table.column(field.name).cast(field.type))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise UsageError(
                "LW204",
                f"{where}: column {field.name!r} is {table.schema.field(field.name).type} and cannot be taken as "
                f"{field.type}: {_said(error)}",
                remedy="hand over `schema`, with all columns and their types",
            ) from None
    return pa.Table.from_arrays(columns, schema=target)


def _tables(frame: Any, schema: pa.Schema | None) -> Iterator[pa.Table]:
    """Yield *frame* as tables; nothing is copied that is Arrow already."""
    import pyarrow as pa

    module = type(frame).__module__.partition(".")[0]
    if isinstance(frame, pa.Table):
        yield frame
    elif isinstance(frame, pa.RecordBatch):
        yield pa.Table.from_batches([frame])
    elif module == "pandas":
        yield _pandas(frame)
    elif module == "polars":
        yield from _polars(frame)
    elif isinstance(frame, pa.RecordBatchReader) or hasattr(frame, "__arrow_c_stream__"):
        reader = frame if isinstance(frame, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(frame)
        yield pa.Table.from_batches([], reader.schema)
        for batch in reader:
            yield pa.Table.from_batches([batch])
    elif isinstance(frame, Mapping):
        yield _columns(frame) if _is_columns(frame) else _events([frame], schema)
    elif isinstance(frame, Iterable) and not isinstance(frame, str | bytes | set | frozenset):
        yield from _iterated(iter(frame), schema)
    else:
        raise TypeError("it is neither a frame nor events")


def _iterated(items: Iterator[Any], schema: pa.Schema | None) -> Iterator[pa.Table]:
    """Yield what an iterator gives: events are put together to batches, frames are taken one by one."""
    for item in items:
        if not isinstance(item, Mapping):
            if not _is_frame(item):
                raise TypeError(f"it gives {type(item).__name__}, which is neither a frame nor an event")
            yield from _tables(item, schema)
            continue
        many = [item, *itertools.islice(items, _MANY - 1)]
        wrong = next((one for one in many if not isinstance(one, Mapping)), None)
        if wrong is not None:
            raise TypeError(f"it gives events and {type(wrong).__name__} together")
        yield _events(many, schema)


def _is_frame(item: Any) -> bool:
    listed = isinstance(item, list | tuple) and bool(item) and isinstance(item[0], Mapping)
    return (
        listed or hasattr(item, "__arrow_c_stream__") or type(item).__module__.partition(".")[0] == "pandas"
    )


def _is_columns(frame: Mapping[str, Any]) -> bool:
    """Whether a mapping holds columns: all values are lists or arrays. Anything else is one event."""
    return bool(frame) and all(
        (isinstance(one, Sequence) and not isinstance(one, str | bytes)) or hasattr(one, "__array__")
        for one in frame.values()
    )


def _columns(frame: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    arrays = {name: _array(values, f"column {name!r}") for name, values in frame.items()}
    return pa.table(arrays)


def _events(events: Sequence[Mapping[str, Any]], schema: pa.Schema | None) -> pa.Table:
    """Return events as a table with every key of any of them, in the order in which they come."""
    import pyarrow as pa

    plain = [one if type(one) is dict else dict(one) for one in events]
    if schema is not None:
        known = set(schema.names)
        strange = next((key for one in plain for key in one if key not in known), None)
        if strange is not None:
            raise TypeError(f"the key {strange!r} is not in the schema")
    try:
        rows: Any = pa.array(plain, pa.struct(schema) if schema is not None else None)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        wrong = _culprit(plain)
        if wrong or schema is not None:
            raise TypeError(wrong or _said(error)) from None
        # some types, such as UUID, are columns but no members of a struct
        return pa.table({name: [one.get(name) for one in plain] for name in _keys(plain)})
    if not pa.types.is_struct(rows.type) or not rows.type.num_fields:
        raise TypeError("the events have no values")
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(rows)])


def _array(values: Any, what: str) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{what}: {_mixed(values) or _said(error)}") from None


def _culprit(events: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with the first key whose values have no common type, for the message of an error."""
    import pyarrow as pa

    for name in _keys(events):
        if not isinstance(name, str):
            return f"the key {name!r} is no text"
        values = [one.get(name) for one in events]
        try:
            pa.array(values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            return f"column {name!r}: {_mixed(values) or _said(error)}"
    return ""


def _keys(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for one in events for key in one))


def _mixed(values: Iterable[Any]) -> str:
    kinds = Counter(type(one).__name__ for one in values if one is not None)
    if len(kinds) < 2:
        kind = next(iter(kinds), "")
        return f"values of type {kind} have no column type" if kind not in ("", "int", "list", "dict") else ""
    return "values of different types: " + ", ".join(
        f"{kind} ({count} ×)" for kind, count in kinds.most_common()
    )


def _pandas(frame: Any) -> pa.Table:
    import pyarrow as pa

    named = [one for one in frame.index.names if one is not None] if hasattr(frame, "index") else []
    if hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    if named:
        frame = frame.reset_index(level=named)
    _refuse_twins([str(one) for one in frame.columns])
    try:
        # an index without a name would come along as a column
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        for place, name in enumerate(frame.columns):
            _array(frame.iloc[:, place].tolist(), f"column {str(name)!r}")
        raise


def _polars(frame: Any) -> Iterator[pa.Table]:
    import pyarrow as pa

    if hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    lazy = hasattr(frame, "collect")
    schema = frame.collect_schema() if lazy else frame.schema
    for name, kind in schema.items():
        if "Object" in str(kind):
            # Polars hands over the addresses of Python's objects
            raise TypeError(f"column {name!r} holds Python objects, which have no column type")
    for part in frame.collect_batches() if lazy else [frame]:
        yield pa.table(part)


def _refuse_twins(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError("LW204", f"the column {twice[0]!r} is there twice", remedy="rename one of the two")


def _refuse_durations(schema: pa.Schema) -> None:
    import pyarrow as pa

    for field in schema:
        if pa.types.is_duration(field.type) or pa.types.is_interval(field.type):
            raise UsageError(
                "LW204",
                f"the column {field.name!r} holds lengths of time, which Parquet has no type for",
                remedy="hand them over as numbers, of seconds for example",
            )


def _said(error: BaseException) -> str:
    text = " ".join(str(one) for one in error.args) if len(error.args) > 1 else str(error)
    return text.strip().split("\n", 1)[0][:300] or type(error).__name__
