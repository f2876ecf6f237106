"""Look for people where nobody declared them: every text column of every other table of the lake."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.erase.people import Wanted
from lakewright.lake.protocol import BOOKKEEPING
from lakewright.sql.names import hidden, table

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["elsewhere"]


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
