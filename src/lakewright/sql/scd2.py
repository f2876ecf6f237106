"""History of every key (slowly changing dimension, type 2).

Each version of a key is a row with ``valid_from`` (inclusive), ``valid_to`` (exclusive, null while
it lasts) and ``is_current``. What a version is follows from the set of changes alone:

* a change is a key, a time (``changed_at``) and the values of the tracked columns; of two different
  changes of one key at one time the greater values win, whichever came first;
* consecutive changes with equal values are one version, which starts with the first of them. Their
  times are kept in ``_seen_at``, so that a late change between them can still part them;
* columns that are not tracked have their latest value in all versions of a key;
* a key that is missing from a complete batch (``detect_deletes``) ends at the build's time, and a
  gap shows it.

So the table is the same for any order and batching of the same changes, and changes that it knows
already change nothing. Without ``changed_at`` the time of a change is the build's, and a row that is
equal to the current version changes nothing.

The statements are written as text over quoted names and parsed: they are too long to read as trees.
"""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlglot import exp, parse_one

from lakewright.errors import LakewrightError, nearest
from lakewright.spec.dataset import Write
from lakewright.sql.cast_types import family
from lakewright.sql.fill import fill
from lakewright.sql.names import hidden
from lakewright.sql.scd2_changes import SEEN, changes
from lakewright.sql.scd2_in_order import (
    IN_ORDER,
    ended,
    first_versions,
    in_order,
    later_versions,
    others,
    written,
)
from lakewright.sql.scd2_snapshot import snapshot
from lakewright.sql.scd2_text import History, listed, quoted, same
from lakewright.sql.surrogate import INFERRED

__all__ = ["REMOVES", "SEEN", "History", "history_of", "scd2_columns", "scd2_statements"]

#: What the ``meta`` of a MERGE says that takes rows away for good, as a DELETE does.
REMOVES = "removes"

_VALID_FROM, _VALID_TO, _IS_CURRENT = "valid_from", "valid_to", "is_current"
_VERSIONS = "_scd2_versions"
_ZONED = "TIMESTAMP WITH TIME ZONE"


def history_of(
    write: Write,
    keys: Sequence[str],
    columns: Mapping[str, str],
    at: datetime,
    *,
    surrogate: str | None = None,
) -> History:
    """Return the history that *write* asks for over *columns*; LW314 for one that cannot be kept.

    *surrogate* names the column of a dimension's surrogate key, which tells its versions apart.
    """
    if not keys:
        raise LakewrightError(
            "LW314", "write mode scd2 needs keys", remedy="mark a column `key: true`, or give write.keys"
        )
    changed_at = _spelled(write.scd2.changed_at, columns) if write.scd2.changed_at else None
    if changed_at in keys:
        raise LakewrightError("LW314", f"scd2.changed_at: {changed_at!r} is a key; its values must change")
    own = [one for one in columns if not hidden(one) and one not in keys and one != changed_at]
    named = [_spelled(one, columns, "scd2.track") for one in write.scd2.track]
    tracked = [one for one in own if one in named] if named else own
    kind = _kind(write, columns)
    moment = at.astimezone(UTC)
    text = moment.isoformat(sep=" ") if kind == _ZONED else moment.replace(tzinfo=None).isoformat(sep=" ")
    return History(
        keys=tuple(keys),
        tracked=tuple(tracked),
        others=tuple(one for one in own if one not in tracked),
        hidden=tuple(one for one in columns if hidden(one)),
        changed_at=changed_at,
        changed_kind=columns[changed_at] if changed_at else "",
        kind=kind,
        now=f"CAST('{text}' AS {kind})",
        detect_deletes=write.scd2.detect_deletes,
        surrogate=surrogate,
    )


def scd2_columns(write: Write, columns: Mapping[str, str], *, surrogate: str | None = None) -> dict[str, str]:
    """Return the columns of a history of rows with *columns*: theirs, and those that say when they hold.

    A dimension has its *surrogate* key before them, and whether a member was inferred. LW314 when *columns* has one of these already, or ``changed_at`` is not a date or timestamp.
    """
    for name in (_VALID_FROM, _VALID_TO, _IS_CURRENT, SEEN):
        if any(one.lower() == name for one in columns):
            raise LakewrightError(
                "LW314", f"the column {name!r} is one that scd2 adds", remedy=f"rename {name!r} in a step"
            )
    kind = _kind(write, columns)
    shown = {name: type for name, type in columns.items() if not hidden(name)}
    own = {_VALID_FROM: kind, _VALID_TO: kind, _IS_CURRENT: "BOOLEAN"}
    seen = {SEEN: f"{kind}[]"} if write.scd2.changed_at else {}
    if surrogate:
        shown, own = {surrogate: "BIGINT", **shown}, {**own, INFERRED: "BOOLEAN"}
    return {**shown, **own, **{name: type for name, type in columns.items() if hidden(name)}, **seen}


def scd2_statements(
    history: History, target: exp.Table, rows: exp.Select, *, first: bool
) -> tuple[exp.Expr, ...]:
    """Return the statements that bring *rows* into the history in *target*; *first*: it is empty."""
    quick = history.changed_at is not None and not history.detect_deletes
    make = changes if history.changed_at else snapshot
    source = make(history, first=first)
    columns = [*history.stored, _VALID_FROM, _VALID_TO, _IS_CURRENT, *([SEEN] if history.changed_at else [])]
    relations: dict[str, exp.Table | exp.Query] = {
        "__target__": target,
        "__stored__": _members(target, history),
        "__rows__": rows,
    }
    if history.surrogate:
        columns = [history.surrogate, *columns, INFERRED]
        source = f"SELECT *, FALSE AS {INFERRED} FROM ({source}) AS _versions"
    insert = f"INSERT INTO __target__ ({listed(columns)})"
    if first:
        text = f"{insert} SELECT {listed(columns)} FROM ({source}) AS _new"
        if not quick:
            return (fill(text, relations),)
        left = _query(later_versions(history), relations)
        both = f"{insert} {first_versions(history, columns)} UNION ALL SELECT {listed(columns)} FROM __made__ AS _new"
        return (fill(both, {**relations, "__made__": _query(source, {**relations, "__rows__": left})}),)
    settled = (*history.keys, _VALID_FROM)
    values = [one for one in columns if one not in settled]
    statements = [
        # a MERGE whose source holds a materialised CTE fails on DuckLake ("Out of buffer")
        f"CREATE OR REPLACE TEMP TABLE {_VERSIONS} AS {source}",
        f"MERGE INTO __target__ AS _old USING {_VERSIONS} AS _new"
        f" ON {same(settled, '_old', '_new')}"
        f" WHEN MATCHED THEN UPDATE SET {', '.join(f'{quoted(one)} = _new.{quoted(one)}' for one in values)}"
        f" WHEN NOT MATCHED THEN INSERT ({listed(columns)}) VALUES ({listed(columns, '_new')})",
    ]
    made = []
    if quick:
        made.append(fill(in_order(history), relations))
        relations["__rows__"] = _query(others(history), relations)
    made += [fill(text, relations) for text in statements]
    if history.changed_at:
        made.append(fill(_swallowed(history), relations))
        made[-1].meta[REMOVES] = True
    if quick:
        made += [fill(text, relations) for text in (ended(history), f"{insert} {written(history, columns)}")]
        made.append(_drop(IN_ORDER))
    return (*made, _drop(_VERSIONS))


def _query(text: str, relations: Mapping[str, exp.Table | exp.Query]) -> exp.Query:
    query = fill(text, relations)
    assert isinstance(query, exp.Query)
    return query


def _drop(name: str) -> exp.Expr:
    drop = parse_one(f"DROP TABLE {name}", dialect="duckdb")
    drop.meta["temporary"] = True
    return drop


def _members(target: exp.Table, history: History) -> exp.Table | exp.Query:
    """The rows that are versions of a key: not those of a dimension that stand for none, or wait for theirs."""
    if history.surrogate is None:
        return target
    known = exp.column(history.surrogate, quoted=True) >= exp.Literal.number(0)
    return exp.select("*").from_(target.copy()).where(known, exp.column(INFERRED).not_())


def _swallowed(history: History) -> str:
    """Delete the versions whose start has become a confirmation of an earlier version, which was written just now."""
    confirmed = f"SELECT DISTINCT {listed(history.keys)}, UNNEST({SEEN}) AS _h_at FROM {_VERSIONS} WHERE LEN({SEEN}) > 0"
    # a join that is over at once when nothing was confirmed; DELETE would look at the whole table
    return (
        f"MERGE INTO __target__ AS _old USING ({confirmed}) AS _whole"
        f" ON {same(history.keys, '_old', '_whole')} AND _old.valid_from = _whole._h_at WHEN MATCHED THEN DELETE"
    )


def _kind(write: Write, columns: Mapping[str, str]) -> str:
    if write.scd2.changed_at is None:
        return _ZONED
    name = _spelled(write.scd2.changed_at, columns)
    match family(columns[name]):
        case "timestamptz":
            return _ZONED
        case "timestamp" | "date" | "unknown":
            return "TIMESTAMP"
    raise LakewrightError(
        "LW314",
        f"scd2.changed_at: {name!r} is {columns[name]}, not a date or timestamp",
        remedy="give it a type under `columns`",
    )


def _spelled(name: str, columns: Mapping[str, str], what: str = "scd2.changed_at") -> str:
    found = next((one for one in columns if one.lower() == name.lower()), None)
    if found is None:
        raise LakewrightError(
            "LW314",
            f"{what}: there is no column {name!r}{nearest(name, columns)}",
            remedy=f"the columns are {', '.join(columns)}",
        )
    return found
