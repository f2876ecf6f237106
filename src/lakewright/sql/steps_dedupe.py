"""One row per key: as a filter of a query, or as a narrow pass over staged rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from lakewright.sql.cast_model import is_null
from lakewright.sql.names import column, hidden, literal

__all__ = ["Dedupe", "deduplicated", "losers_query", "numbered"]

_ORDER = "_order"
_PLACE = "_place"


@dataclass(frozen=True)
class Dedupe:
    """Which rows are the same, and which of them stays.

    Rows with equal ``keys`` (null equals null; no keys: all columns) are the same. The one with the
    greatest ``latest_by`` stays, null being the least; among equals, the one read last. Rows whose
    only keys are null have no key and all stay.
    """

    keys: tuple[str, ...]
    latest_by: str | None
    whole: bool = False


def losers_query(dedupe: Dedupe, stage: exp.Table, columns: Mapping[str, str] | Sequence[str]) -> exp.Select:
    """Return a query of the ``rowid`` (as ``rid``) of each row of *stage* that *dedupe* leaves out.

    *columns* are the columns compared when the deduplication names none. It reads the keys and
    ``latest_by`` only; ranks are computed for keys that repeat.
    """
    keys = [column(name) for name in dedupe.keys or [one for one in columns if not hidden(one)]]
    mark = exp.Anonymous(this="HASH", expressions=[key.copy() for key in keys])
    more_than_one = exp.GT(this=exp.Count(this=exp.Star()), expression=literal(1))
    repeated = exp.select(exp.alias_(mark, "_hash")).from_(stage.copy())
    repeated = repeated.group_by(exp.column("_hash")).having(more_than_one)
    place = _place(keys, dedupe.latest_by, exp.column("rowid"))
    ranked = exp.select(exp.alias_(exp.column("rowid"), "rid"), exp.alias_(place, _PLACE)).from_(stage.copy())
    ranked = ranked.where(exp.In(this=mark.copy(), query=repeated.subquery(copy=False)))
    if not dedupe.whole and dedupe.keys:
        has_key = exp.not_(_keyless(keys))
        repeated.where(has_key, copy=False)
        ranked.where(has_key.copy(), copy=False)
    beaten = exp.GT(this=exp.column(_PLACE), expression=literal(1))
    return exp.select("rid").from_(ranked.subquery("_ranked", copy=False)).where(beaten)


def deduplicated(query: exp.Query, names: Sequence[str], dedupe: Dedupe) -> exp.Select:
    """Return *query*, which gives the columns *names*, with one row per key, in reading order."""
    keys = [column(name) for name in dedupe.keys or [one for one in names if not hidden(one)]]
    kept = [column(name) for name in names]
    place = exp.alias_(_place(keys, dedupe.latest_by, exp.column(_ORDER)), _PLACE)
    ranked = exp.select(*kept, exp.column(_ORDER), place).from_(
        numbered(query, names).subquery("_rows", copy=False)
    )
    stays: exp.Expr = exp.EQ(this=exp.column(_PLACE), expression=literal(1))
    if not dedupe.whole and dedupe.keys:
        stays = exp.or_(stays, _keyless(keys))
    result = exp.select(*(one.copy() for one in kept)).from_(ranked.subquery("_ranked", copy=False))
    return result.where(stays).order_by(exp.column(_ORDER))


def numbered(query: exp.Query, names: Sequence[str]) -> exp.Select:
    """Return *query* with ``_order``, the place of a row in reading order."""
    order = exp.Window(this=exp.RowNumber())
    listed = [*(column(name) for name in names), exp.alias_(order, _ORDER)]
    return exp.select(*listed).from_(query.subquery("_rows", copy=False))


def _place(keys: Sequence[exp.Expr], latest_by: str | None, order: exp.Expr) -> exp.Window:
    by = [exp.Ordered(this=order, desc=True, nulls_first=False)]
    if latest_by:
        by.insert(0, exp.Ordered(this=column(latest_by), desc=True, nulls_first=False))
    return exp.Window(
        this=exp.RowNumber(), partition_by=[key.copy() for key in keys], order=exp.Order(expressions=by)
    )


def _keyless(keys: Sequence[exp.Expr]) -> exp.Expr:
    return exp.paren(exp.and_(*(is_null(key.copy()) for key in keys), copy=False), copy=False)
