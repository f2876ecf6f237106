"""Look for people where nobody declared them: in text columns of all tables, and where lineage leads from identifiers."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlglot import exp

from lakewright.catalog.graph import ROWS, lineage_edges
from lakewright.erase.holders import Holder, told
from lakewright.erase.people import Wanted
from lakewright.lake.protocol import BOOKKEEPING
from lakewright.sql.names import hidden, table

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["derived", "elsewhere"]

#: Kinds of lineage after which a value still tells who it is.
_FOLLOWED = ("IDENTITY", "TRANSFORMATION")


def elsewhere(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    wanted: Wanted,
    known: Collection[str],
    *,
    identifying: bool = True,
) -> dict[str, int]:
    """Return how many rows of tables beside the *known* hold one of the people's telling values, by table.

    Only whole values are compared; a number of few digits tells nobody. With *identifying* a text counts only
    when it is an identifier or the contract calls it personal; any other may be somebody else's as well.
    """
    if not wanted.people.words():
        return {}
    found: dict[str, int] = {}
    for id in sorted(services.lake.ids(cursor)):
        if id in known or id.startswith(f"{BOOKKEEPING}."):
            continue
        columns = services.lake.columns(cursor, id) or {}
        texts = [name for name, kind in columns.items() if kind.upper() == "VARCHAR" and not hidden(name)]
        if not texts:
            continue
        condition = exp.or_(*(wanted.is_word(name, identifying=identifying) for name in texts), copy=False)
        query = exp.select(exp.Count(this=exp.Star())).from_(table(id)).where(condition)
        row = cursor.execute(query.sql("duckdb")).fetchone()
        if row and row[0]:
            found[id] = int(row[0])
    return found


def derived(
    services: Services, cursor: duckdb.DuckDBPyConnection, wanted: Wanted, where: Sequence[Holder]
) -> dict[str, int]:
    """Return the rows of theirs in columns that are made from identifiers and are none of the declared, by column.

    Rows that are theirs by a declared column do not count.
    """
    declared = {id: {one.lower() for one in columns} for id, columns in wanted.people.spec.datasets.items()}
    tables = {one.id: one for one in where if one.place == "table"}
    found: dict[str, int] = {}
    for (id, name), identifier in _reached(services, wanted.people.spec.datasets).items():
        columns = (
            {one.lower(): one for one in services.lake.columns(cursor, id) or {}}
            if not id.startswith("raw.")
            else {}
        )
        if name.lower() in declared.get(id, ()) or name.lower() not in columns:
            continue
        query = exp.select(exp.Count(this=exp.Star())).from_(table(id))
        query = query.where(wanted.told(identifier, columns[name.lower()]))
        if id in tables:
            query = query.where(exp.not_(exp.paren(told(wanted, tables[id]))))
        row = cursor.execute(query.sql("duckdb")).fetchone()
        if row and row[0]:
            found[f"{id}.{name}"] = int(row[0])
    return found


def _reached(services: Services, declared: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], str]:
    """The columns that identifiers go into, by lineage, each with the identifier."""
    edges: dict[tuple[str, str], list[tuple[str, str]]] = {}
    with services.state.read(lineage_edges) as connection:
        for row in connection.execute(sa.select(lineage_edges).where(lineage_edges.c.masking.is_(False))):
            if row.transformation in _FOLLOWED and row.downstream_column not in ("", ROWS):
                start = (row.upstream, row.upstream_column.lower())
                edges.setdefault(start, []).append((row.downstream, row.downstream_column))
    found = {(id, key): name for id, columns in declared.items() for key, name in columns.items()}
    waiting = deque(found)
    while waiting:
        id, key = waiting.popleft()
        for target in edges.get((id, key.lower()), ()):
            if target not in found:
                found[target] = found[id, key]
                waiting.append(target)
    return found
