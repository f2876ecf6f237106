"""The rows of a parent dataset that a REST dataset is asked for, one request each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.errors import RunError, nearest
from lakewright.lake.raw import RawStore
from lakewright.sources.drift import schema_of
from lakewright.sources.manifest import files_of
from lakewright.sources.read import reading
from lakewright.spec.rest import Parent, RestSource
from lakewright.sql.names import column
from lakewright.state import State

__all__ = ["Row", "parent_rows"]


@dataclass(frozen=True)
class Row:
    """The values of one row of the parent: for the path, and for the records."""

    params: Mapping[str, Any] = field(default_factory=dict)
    include: Mapping[str, Any] = field(default_factory=dict)


def parent_rows(
    source: RestSource,
    parent: Parent,
    id: str,
    *,
    state: State,
    store: RawStore,
    cursor: duckdb.DuckDBPyConnection,
    after: int | None,
    upto: int,
) -> Iterator[Row]:
    """Yield the rows of *parent* that differ in what is asked for, of batches after *after* up to *upto*.

    Rows that lack a value for the path are left out: there is nothing to ask for. Raises LW238 when the parent has
    no such column.
    """
    spec = source.datasets[parent.dataset]
    files = files_of(state, f"raw.{parent.dataset}", after=after, upto=upto)
    everything = files_of(state, f"raw.{parent.dataset}", upto=upto)
    schema = schema_of(everything, spec, cursor)
    if not any(part.rows for file in files for part in file.parts):
        return
    wanted = list(dict.fromkeys([*parent.params.values(), *parent.include.values()]))
    for name in wanted:
        if name not in schema:
            raise RunError(
                "LW238", f"{id}: raw.{parent.dataset} has no column {name!r}{nearest(name, schema)}"
            )
    found = reading(files, spec, store=store, cursor=cursor, schema=schema)
    query = (
        exp.select(*(column(name) for name in wanted))
        .distinct()
        .from_(found.query.subquery("parent"))
        .where(
            *(
                exp.Not(this=exp.Is(this=column(name), expression=exp.Null()))
                for name in parent.params.values()
            )
        )
        .order_by(*(column(name) for name in wanted))
    )
    # a cursor of its own: the caller's is used while rows are fetched
    with cursor.cursor() as own:
        rows = own.execute(query.sql("duckdb")).to_arrow_reader(10_000)
        for batch in rows:
            for values in batch.to_pylist():
                yield Row(
                    {name: values[one] for name, one in parent.params.items()},
                    {name: values[one] for name, one in parent.include.items()},
                )
