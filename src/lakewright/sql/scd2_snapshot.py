"""The history that follows from rows without times of change: what differs from now changes now."""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from lakewright.sql.scd2_text import History, differs, listed, quoted, same, with_
from lakewright.sql.surrogate import surrogate

__all__ = ["snapshot"]


def snapshot(history: History, *, first: bool) -> str:
    """Return the query of the versions to write, with the columns of the table; *first*: it is empty."""
    stored, keys = listed(history.stored), listed(history.keys)
    greatest = ", ".join(f"{quoted(name)} DESC NULLS LAST" for name in history.content) or keys
    ctes = {
        "_incoming": f"SELECT {stored} FROM (SELECT {stored}, ROW_NUMBER() OVER (PARTITION BY {keys}"
        f" ORDER BY {greatest}) AS _h_place FROM __rows__ AS _r) AS _p WHERE _h_place = 1",
    }
    if first:
        own = ""
        if history.surrogate:
            own = f", {surrogate(history.surrogate, history.keys, '_i')} AS {quoted(history.surrogate)}"
        return with_(ctes, f"SELECT {stored}, {_open(history.now)}{own} FROM _incoming AS _i")
    ctes["_now"] = (
        f"SELECT {listed(history.stored, '_t')}, _t.valid_from FROM __stored__ AS _t WHERE _t.is_current"
    )
    new = old = first_of_key = ""
    if history.surrogate:
        name = quoted(history.surrogate)
        old = f", _t.{name}"
        new = f", {_key(history, '_c')} AS {name}"
        first_of_key = ", _n.valid_from IS NULL"
        if history.detect_deletes:
            # a key that had ended has versions, though none is current
            first_of_key += (
                f" AND NOT EXISTS (SELECT 1 FROM __stored__ AS _e WHERE {same(history.keys, '_e', '_i')})"
            )
        first_of_key += " AS _h_first"
    # versions never start twice at one time, nor before the one they follow, whatever the clock does
    ctes["_changed"] = (
        f"SELECT {listed(history.stored, '_i')}, CASE WHEN _n.valid_from >= {history.now} THEN _n.valid_from"
        f" + INTERVAL '1' MICROSECOND ELSE {history.now} END AS _h_at{first_of_key}"
        f" FROM _incoming AS _i LEFT JOIN _now AS _n ON {same(history.keys, '_n', '_i')}"
        f" WHERE _n.valid_from IS NULL OR {differs(history.tracked, '_n', '_i')}"
    )
    parts = [
        f"SELECT {stored}, _h_at AS valid_from, CAST(NULL AS {history.kind}) AS valid_to, TRUE AS is_current{new}"
        " FROM _changed AS _c",
        f"SELECT {_carried(history, '_t', '_c')}, _t.valid_from, _c._h_at AS valid_to, FALSE AS is_current{old}"
        f" FROM __stored__ AS _t JOIN _changed AS _c ON {same(history.keys, '_c', '_t')} WHERE _t.is_current",
    ]
    if history.others:
        # columns that are not tracked have their latest value everywhere
        parts.append(
            f"SELECT {_carried(history, '_t', '_i')}, _t.valid_from, _t.valid_to, _t.is_current{old}"
            f" FROM __stored__ AS _t JOIN _incoming AS _i ON {same(history.keys, '_i', '_t')}"
            f" WHERE {differs(history.others, '_t', '_i')} AND NOT (_t.is_current AND {differs(history.tracked, '_t', '_i')})"
        )
    if history.detect_deletes:
        batch = {"_batch_id": "COALESCE((SELECT MAX(_batch_id) FROM _incoming), _t._batch_id)"}
        values = ", ".join(batch.get(name, f"_t.{quoted(name)}") for name in history.stored)
        parts.append(
            f"SELECT {values}, _t.valid_from, CASE WHEN _t.valid_from >= {history.now} THEN _t.valid_from"
            f" + INTERVAL '1' MICROSECOND ELSE {history.now} END AS valid_to, FALSE AS is_current{old}"
            f" FROM __stored__ AS _t WHERE _t.is_current"
            f" AND NOT EXISTS (SELECT 1 FROM _incoming AS _i WHERE {same(history.keys, '_i', '_t')})"
        )
    return with_(ctes, " UNION ALL ".join(parts))


def _key(history: History, row: str) -> str:
    """The surrogate key of a new version: that of its natural key for the first, of its start too for others."""
    name = history.surrogate or ""
    later = surrogate(name, history.keys, row, since=f"{row}._h_at")
    return f"CASE WHEN {row}._h_first THEN {surrogate(name, history.keys, row)} ELSE {later} END"


def _open(now: str) -> str:
    return f"{now} AS valid_from, CAST(NULL AS TIMESTAMPTZ) AS valid_to, TRUE AS is_current"


def _carried(history: History, stored: str, new: str) -> str:
    """Columns of a stored version, with the new row's batch and the values that are not tracked."""
    fresh = {*history.others, "_batch_id"}
    return ", ".join(f"{new if name in fresh else stored}.{quoted(name)}" for name in history.stored)
