"""Find rows that repeat a key: passes over key columns and row numbers only, never over whole rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from lakewright.sql.checks_model import Check
from lakewright.sql.names import column, identifier

__all__ = ["ROWID", "complete_keys", "surplus_query"]

#: The column of the query's result: the stage's row numbers.
ROWID = "rid"


def surplus_query(
    check: Check,
    stage: exp.Table,
    target: exp.Table | None = None,
    *,
    where: exp.Expr | None = None,
    worse: exp.Expr | None = None,
) -> exp.Select:
    """Return a query of the ``rowid`` (as ``rid``) of every row that a unique key is one too many for.

    All rows of a key but the first one read are surplus; with *target*, so is every row whose key
    is already there (for ``append``). Rows with a null in the key are never surplus. *where* keeps
    rows out of the comparison altogether, such as the losers of a deduplication. Rows for which
    *worse* is true (``quarantines(checks)``) come after the others of their key, so that a good row
    is not refused in favour of a bad one. The number of rows is the number of violations.
    """
    keys = [column(name) for name in check.columns]
    kept = complete_keys(check.columns)
    if where is not None:
        kept = exp.and_(kept, where.copy(), copy=False)
    # Few keys repeat: ranking only those keeps the sort small.
    repeated = (
        exp.select(*keys)
        .from_(stage.copy())
        .where(kept.copy())
        .group_by(*keys)
        .having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
    )
    order: list[exp.Expr] = [exp.column("rowid")]
    if worse is not None:
        order.insert(0, exp.Coalesce(this=worse.copy(), expressions=[exp.false()]))
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=[exp.Ordered(this=one) for one in order]),
    )
    ranked = (
        exp.select(exp.alias_(exp.column("rowid"), ROWID), exp.alias_(place, "_place"))
        .from_(stage.copy())
        .where(exp.and_(kept.copy(), _among(keys, repeated), copy=False))
    )
    surplus = (
        exp.select(ROWID)
        .from_(ranked.subquery("_ranked", copy=False))
        .where(exp.GT(this=exp.column("_place"), expression=exp.Literal.number(1)))
    )
    if target is None:
        return surplus
    alias = identifier("_published")
    there = exp.select(*(exp.column(identifier(name), table=alias) for name in check.columns)).from_(
        exp.alias_(target.copy(), alias, table=True)
    )
    known = (
        exp.select(exp.alias_(exp.column("rowid"), ROWID))
        .from_(stage.copy())
        .where(exp.and_(kept.copy(), _among(keys, there), copy=False))
    )
    both = exp.union(surplus, known, distinct=True, copy=False)
    return exp.select(ROWID).from_(both.subquery("_surplus", copy=False))


def complete_keys(names: Sequence[str]) -> exp.Expr:
    """Return the condition that none of *names* is null: only such rows can repeat a key."""
    return exp.and_(*(exp.Is(this=column(name), expression=exp.Null()).not_() for name in names), copy=False)


def _among(keys: Sequence[exp.Expr], query: exp.Select) -> exp.Expr:
    this = keys[0].copy() if len(keys) == 1 else exp.Tuple(expressions=[key.copy() for key in keys])
    return exp.In(this=this, query=query.subquery(copy=False))
