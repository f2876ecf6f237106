"""How good rows reach a table: the statements of each write mode, to be run in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from lakewright.errors import LakewrightError, nearest
from lakewright.spec.dataset import Write
from lakewright.sql.cast_model import is_null
from lakewright.sql.names import column, hidden, identifier
from lakewright.sql.partition import parse_partition, partition_value
from lakewright.sql.scd2 import history_of, scd2_columns, scd2_statements
from lakewright.sql.surrogate import INFERRED

__all__ = ["output_columns", "publish_statements"]

_NEW, _OLD = "_new", "_old"


def output_columns(
    write: Write, columns: Mapping[str, str], *, surrogate: str | None = None
) -> dict[str, str]:
    """Return the columns of the table that rows with *columns* are written to, in order.

    They are the same but for ``scd2``, which adds the columns of its history, and for a dimension, which
    has its *surrogate* key and tells which of its members were inferred.
    """
    if write.mode == "scd2":
        return scd2_columns(write, columns, surrogate=surrogate)
    if surrogate is None:
        return dict(columns)
    shown = {name: type for name, type in columns.items() if not hidden(name)}
    more = {name: type for name, type in columns.items() if hidden(name)}
    return {surrogate: "BIGINT", **shown, INFERRED: "BOOLEAN", **more}


def publish_statements(
    write: Write,
    keys: Sequence[str],
    target: exp.Table,
    rows: exp.Select,
    columns: Mapping[str, str],
    *,
    first: bool,
    at: datetime,
    newer_by: str | None = None,
    surrogate: str | None = None,
    anew: bool = False,
) -> tuple[exp.Expr, ...]:
    """Return the statements that publish *rows* to *target*.

    *rows* selects exactly *columns* (name → DuckDB type), audit columns included. *target* exists
    with :func:`output_columns`; *first* says that it is empty. *at* is the build's time. ``merge``
    wants rows with unique *keys*, and so does ``scd2`` without ``changed_at``; with *newer_by*, a row
    whose value there is less than that of the published row of its key does not replace it. A history
    gives each of its versions the *surrogate* key of a dimension. *anew* says that ``merge`` may write rows
    of known keys anew, for the table has no other columns: lakes do that in half the time of an update.
    Raises LakewrightError LW314 for a mode that its columns do not allow.
    """
    match write.mode:
        case "append" | None:
            return (_insert(target, rows, columns),)
        case "replace":
            empty = () if first else (exp.Delete(this=target.copy()),)
            return (*empty, _insert(target, rows, columns))
        case "overwrite":
            empty = () if first else (_make_room(write, target, rows, columns),)
            return (*empty, _insert(target, rows, columns))
        case "merge":
            names = _known(keys, columns, "keys")
            if not names:
                raise LakewrightError(
                    "LW314",
                    "write mode merge needs keys",
                    remedy="mark a column `key: true`, or give write.keys",
                )
            if first:
                return (_insert(target, rows, columns),)
            if anew and newer_by is None:
                return (_take_out(target, rows, names), _insert(target, rows, columns))
            return (_merge(target, rows, names, columns, newer_by),)
        case "scd2":
            history = history_of(write, _known(keys, columns, "keys"), columns, at, surrogate=surrogate)
            return scd2_statements(history, target, rows, first=first)


def _insert(target: exp.Table, rows: exp.Select, columns: Mapping[str, str]) -> exp.Insert:
    into = exp.Schema(this=target.copy(), expressions=[identifier(name) for name in columns])
    return exp.Insert(this=into, expression=rows.copy())


def _make_room(write: Write, target: exp.Table, rows: exp.Select, columns: Mapping[str, str]) -> exp.Delete:
    """Delete the partitions that *rows* touch; all rows of a table that has none."""
    parts = [parse_partition(text) for text in write.partition_by]
    _known([part.column for part in parts], columns, "partition_by")
    pairs = []
    for part in parts:
        there, here = partition_value(part, _OLD), partition_value(part)
        if there is not None and here is not None:
            pairs.append((there, here))
    if not pairs:
        if parts:
            raise LakewrightError(
                "LW314",
                "write mode overwrite replaces partitions, and buckets alone are none: they mix unrelated keys",
                remedy="partition by a column or a date too, or use mode merge",
            )
        return exp.Delete(this=target.copy())
    touched = exp.select(
        *(exp.alias_(here, f"_p{number}") for number, (_, here) in enumerate(pairs)), copy=False
    )
    touched = touched.from_(rows.subquery("_rows")).distinct()
    same = [
        exp.NullSafeEQ(this=there, expression=exp.column(f"_p{number}", table="_touched"))
        for number, (there, _) in enumerate(pairs)
    ]
    found = exp.select(exp.Literal.number(1)).from_(touched.subquery("_touched", copy=False)).where(*same)
    return exp.Delete(this=_aliased(target, _OLD), where=exp.Where(this=exp.Exists(this=found)))


def _take_out(target: exp.Table, rows: exp.Select, keys: Sequence[str]) -> exp.Merge:
    """Delete the rows whose keys *rows* have, to be followed by an insert of those."""
    listed = exp.select(*(column(key) for key in keys), copy=False).from_(rows.subquery("_rows"))
    whens = [exp.When(matched=True, then=exp.var("DELETE"))]
    return exp.Merge(
        this=_aliased(target, _OLD),
        using=listed.subquery(_NEW, copy=False),
        on=_same_keys(keys),
        whens=exp.Whens(expressions=whens),
    )


def _same_keys(keys: Sequence[str]) -> exp.Expr:
    pairs = (exp.NullSafeEQ(this=column(key, _OLD), expression=column(key, _NEW)) for key in keys)
    return exp.and_(*pairs, copy=False)


def _merge(
    target: exp.Table,
    rows: exp.Select,
    keys: Sequence[str],
    columns: Mapping[str, str],
    newer_by: str | None,
) -> exp.Merge:
    whens: list[exp.When] = []
    values = [name for name in columns if name not in keys]
    if values:
        update = exp.Update(
            expressions=[
                exp.EQ(this=exp.column(identifier(one)), expression=column(one, _NEW)) for one in values
            ]
        )
        whens.append(exp.When(matched=True, condition=_not_older(newer_by), then=update))
    insert = exp.Insert(
        this=exp.Tuple(expressions=[identifier(one) for one in columns]),
        expression=exp.Tuple(expressions=[column(one, _NEW) for one in columns]),
    )
    whens.append(exp.When(matched=False, then=insert))
    return exp.Merge(
        this=_aliased(target, _OLD),
        using=rows.subquery(_NEW),
        on=_same_keys(keys),
        whens=exp.Whens(expressions=whens),
    )


def _not_older(name: str | None) -> exp.Expr | None:
    """The condition that a row may replace the published one; null is older than any value."""
    if name is None:
        return None
    new, old = column(name, _NEW), column(name, _OLD)
    unknown = exp.and_(is_null(new), is_null(old).not_(), copy=False)
    older = exp.Coalesce(this=exp.LT(this=new.copy(), expression=old.copy()), expressions=[unknown])
    return exp.not_(older, copy=False)


def _aliased(target: exp.Table, alias: str) -> exp.Expr:
    return exp.alias_(target.copy(), alias, table=True)


def _known(names: Sequence[str], columns: Mapping[str, str], what: str) -> list[str]:
    """Return *names* as *columns* spell them; LW314 for one that is not there."""
    spelled = {name.lower(): name for name in columns}
    for name in names:
        if name.lower() not in spelled:
            raise LakewrightError(
                "LW314",
                f"{what}: there is no column {name!r}{nearest(name, columns)}",
                remedy=f"the columns are {', '.join(columns)}",
            )
    return [spelled[name.lower()] for name in names]
