"""Find rows that repeat a key: passes over key columns and row numbers only, never over whole rows.

Measured on ten million rows: a window over whole rows runs out of memory. One over keys and row
numbers costs as much as the grouping below where few keys repeat, and two to three times as much
where most do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from lakewright.sql.checks_columns import sql_type
from lakewright.sql.checks_model import Check
from lakewright.sql.names import column, identifier, literal

__all__ = ["ROWID", "blocks_query", "complete_keys", "is_integer", "surplus_query"]

#: The column of the query's result: the stage's row numbers.
ROWID = "rid"

_INTEGERS = frozenset(exp.DataType.SIGNED_INTEGER_TYPES)
#: Key values in one bitmap: 2^5, so that a signed BIGINT holds it.
_SHIFT = 5
#: Added to the row number of rows that come after all others of their key.
_LAST = 1 << 62


def surplus_query(
    check: Check,
    stage: exp.Table,
    target: exp.Table | None = None,
    *,
    where: exp.Expr | None = None,
    worse: exp.Expr | None = None,
    columns: Mapping[str, str] | None = None,
) -> exp.Select:
    """Return a query of the ``rowid`` (as ``rid``) of every row that a unique key is one too many for.

    All rows of a key but the first one read are surplus; with *target*, so is every row whose key
    is already there (for ``append``). Rows with a null in the key are never surplus. *where* keeps
    rows out of the comparison altogether, such as the losers of a deduplication. Rows for which
    *worse* is true (``quarantines(checks)``) come after the others of their key, so that a good row
    is not refused in favour of a bad one. The number of rows is the number of violations.
    *columns*, name → type, lets a key of whole numbers be searched with bitmaps, several times quicker.
    """
    kept = complete_keys(check.columns)
    if where is not None:
        kept = exp.and_(kept, where.copy(), copy=False)
    compared = kept.copy()
    if is_integer(check, columns):
        # only blocks in which some value occurs twice need a closer look
        doubled = blocks_query(check, stage, kept).having(
            exp.GT(
                this=exp.Count(this=exp.Star()),
                expression=exp.BitwiseCount(this=exp.BitwiseOrAgg(this=_offset(check))),
            ),
            copy=False,
        )
        doubled.set("expressions", [_block(check)])
        compared = exp.and_(
            compared, exp.In(this=_block(check), query=doubled.subquery(copy=False)), copy=False
        )
    rows = _numbered(check, stage, compared, worse)
    names = [f"_key_{place}" for place in range(len(check.columns))]
    firsts = (
        exp.select(*names, exp.alias_(exp.Min(this=exp.column("_place")), "_place"))
        .from_(rows.copy().subquery("_all", copy=False))
        .group_by(*names)
        .having(exp.GT(this=exp.Count(this=exp.Star()), expression=literal(1)))
    )
    same = [
        exp.EQ(this=exp.column(name, table="_rows"), expression=exp.column(name, table="_firsts"))
        for name in names
    ]
    later = exp.NEQ(
        this=exp.column("_place", table="_rows"), expression=exp.column("_place", table="_firsts")
    )
    surplus = (
        exp.select(exp.column(ROWID, table="_rows"))
        .from_(rows.subquery("_rows", copy=False))
        .join(firsts.subquery("_firsts", copy=False), on=exp.and_(*same, copy=False), copy=False)
        .where(later)
    )
    if target is None:
        return surplus
    both = exp.union(surplus, _already_there(check, stage, target, kept), distinct=True, copy=False)
    return exp.select(ROWID).from_(both.subquery("_surplus", copy=False))


def complete_keys(names: Sequence[str]) -> exp.Expr:
    """Return the condition that none of *names* is null: only such rows can repeat a key."""
    return exp.and_(*(exp.Is(this=column(name), expression=exp.Null()).not_() for name in names), copy=False)


def blocks_query(check: Check, relation: exp.Table, where: exp.Expr) -> exp.Select:
    """Return the key's blocks of 32 neighbouring values: ``_present``, a bitmap of those that occur, and rows ``_n``.

    The groups of a dense key fit the cache; those of a sparse one cost no more than the values themselves.
    """
    return (
        exp.select(
            exp.alias_(exp.BitwiseOrAgg(this=_offset(check)), "_present"),
            exp.alias_(exp.Count(this=exp.Star()), "_n"),
        )
        .from_(relation.copy())
        .where(where.copy())
        .group_by(_block(check))
    )


def is_integer(check: Check, columns: Mapping[str, str] | None) -> bool:
    """Whether the key is one column of whole numbers that a BIGINT holds; *columns* gives the types."""
    if len(check.columns) != 1 or not columns:
        return False
    kind = sql_type(columns.get(check.columns[0], ""))
    return kind is not None and kind.this in _INTEGERS


def _numbered(check: Check, stage: exp.Table, where: exp.Expr, worse: exp.Expr | None) -> exp.Select:
    place: exp.Expr = exp.column("rowid")
    if worse is not None:
        late = exp.Case().when(worse.copy(), literal(_LAST), copy=False).else_(literal(0), copy=False)
        place = exp.Add(this=place, expression=late)
    keys = [exp.alias_(column(name), f"_key_{place}") for place, name in enumerate(check.columns)]
    return (
        exp.select(exp.alias_(exp.column("rowid"), ROWID), exp.alias_(place, "_place"), *keys)
        .from_(stage.copy())
        .where(where.copy())
    )


def _already_there(check: Check, stage: exp.Table, target: exp.Table, kept: exp.Expr) -> exp.Select:
    alias = identifier("_published")
    there = exp.select(*(exp.column(identifier(name), table=alias) for name in check.columns)).from_(
        exp.alias_(target.copy(), alias, table=True)
    )
    keys: list[exp.Expr] = [column(name) for name in check.columns]
    this = keys[0] if len(keys) == 1 else exp.Tuple(expressions=keys)
    known = exp.In(this=this, query=there.subquery(copy=False))
    return (
        exp.select(exp.alias_(exp.column("rowid"), ROWID))
        .from_(stage.copy())
        .where(exp.and_(kept.copy(), known, copy=False))
    )


def _big(check: Check) -> exp.Expr:
    return exp.cast(column(check.columns[0]), "BIGINT")


def _block(check: Check) -> exp.Expr:
    return exp.BitwiseRightShift(this=_big(check), expression=literal(_SHIFT))


def _offset(check: Check) -> exp.Expr:
    within = exp.BitwiseAnd(this=_big(check), expression=literal((1 << _SHIFT) - 1))
    return exp.BitwiseLeftShift(this=exp.cast(literal(1), "BIGINT"), expression=exp.paren(within))
