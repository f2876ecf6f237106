"""Delete people's rows from tables of the lake, or take the values away that tell who they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.erase.holders import Holder, told
from lakewright.erase.people import Wanted
from lakewright.lake.protocol import CATALOG
from lakewright.spec.mask import Token
from lakewright.sql.names import column, identifier, literal, split_id, table
from lakewright.sql.surrogate import UNKNOWN

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["erase_rows", "rows_ever", "tokens_of"]


def erase_rows(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    wanted: Wanted,
    where: Sequence[Holder],
    erasure: str,
) -> None:
    """Erase in all tables of *where*, in one commit of the lake. Calling it again changes nothing."""
    statements = [_statement(services, wanted, one) for one in where if one.place != "raw"]

    def work() -> None:
        for one in statements:
            services.session.execute(one.sql("duckdb"), cursor=cursor)

    if statements:
        services.lake.commit(cursor, work, message="people erased", info={"erasure": erasure})


def _statement(services: Services, wanted: Wanted, holder: Holder) -> exp.Expr:
    condition = told(wanted, holder)
    if not holder.redact:
        return exp.delete(table(holder.id)).where(condition)
    dataset = services.project.datasets.get(holder.dataset)
    fact = dataset.file.fact if dataset is not None else None
    spelled = {one.lower(): one for one in holder.columns}
    values: dict[str, object] = {}
    for name in holder.redact:
        if name.lower() in spelled:
            here = spelled[name.lower()]
            # a fact always refers to a member: from now on to the one that stands for nobody
            member = fact is not None and name in fact.dimensions
            nothing: exp.Expr = exp.Literal.number(UNKNOWN) if member else exp.null()
            values[identifier(here).sql("duckdb")] = exp.cast(nothing, holder.columns[here], dialect="duckdb")
    return exp.update(table(holder.id), values, where=condition, dialect="duckdb")


def rows_ever(services: Services, cursor: duckdb.DuckDBPyConnection, wanted: Wanted, holder: Holder) -> int:
    """Return how many rows about the people any version of the table that the lake still has was given.

    0 where the lake has no feed of changes.
    """
    lake = services.lake
    newest = lake.newest(cursor) if lake.capabilities.change_feed else None
    if newest is None or holder.place == "raw":
        return 0
    zone, name = split_id(holder.id)
    values = [literal(CATALOG), literal(zone), literal(name), literal(0), literal(newest)]
    inserted = exp.Table(this=exp.Anonymous(this="ducklake_table_insertions", expressions=values))
    query = exp.select(exp.Count(this=exp.Star())).from_(inserted).where(told(wanted, holder))
    row = services.session.execute(query.sql("duckdb"), cursor=cursor).fetchone()
    return int(row[0]) if row else 0


def tokens_of(
    services: Services, cursor: duckdb.DuckDBPyConnection, wanted: Wanted, holder: Holder
) -> dict[str, set[str]]:
    """Return the tokens of the people's rows that no other row of the table has, by domain of the vault."""
    dataset = services.project.datasets.get(holder.dataset)
    masks = {name.lower(): mask for name, mask in dataset.masks.items()} if dataset is not None else {}
    found: dict[str, set[str]] = {}
    condition = told(wanted, holder)
    for name in holder.columns:
        mask = masks.get(name.lower())
        if not isinstance(mask, Token):
            continue
        others = exp.select(column(name)).from_(table(holder.id)).where(exp.not_(condition.copy()))
        others = others.where(exp.not_(column(name).is_(exp.null())))
        query = exp.select(column(name)).distinct().from_(table(holder.id)).where(condition.copy())
        query = query.where(exp.not_(exp.In(this=column(name), query=others.subquery(copy=False))))
        rows = cursor.execute(query.sql("duckdb")).fetchall()
        found.setdefault(mask.domain, set()).update(row[0] for row in rows if row[0] is not None)
    return found
