"""The history that follows from rows without times of change: what differs from now changes now."""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from lakewright.sql.scd2_text import History, differs, listed, quoted, same, with_

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
        return with_(ctes, f"SELECT {stored}, {_open(history.now)} FROM _incoming")
    ctes["_now"] = (
        f"SELECT {listed(history.stored, '_t')}, _t.valid_from FROM __target__ AS _t WHERE _t.is_current"
    )
    # versions never start twice at one time, nor before the one they follow, whatever the clock does
    ctes["_changed"] = (
        f"SELECT {listed(history.stored, '_i')}, CASE WHEN _n.valid_from >= {history.now} THEN _n.valid_from"
        f" + INTERVAL '1' MICROSECOND ELSE {history.now} END AS _h_at"
        f" FROM _incoming AS _i LEFT JOIN _now AS _n ON {same(history.keys, '_n', '_i')}"
        f" WHERE _n.valid_from IS NULL OR {differs(history.tracked, '_n', '_i')}"
    )
    parts = [
        f"SELECT {stored}, _h_at AS valid_from, CAST(NULL AS {history.kind}) AS valid_to, TRUE AS is_current FROM _changed",
        f"SELECT {_carried(history, '_t', '_c')}, _t.valid_from, _c._h_at AS valid_to, FALSE AS is_current"
        f" FROM __target__ AS _t JOIN _changed AS _c ON {same(history.keys, '_c', '_t')} WHERE _t.is_current",
    ]
    if history.others:
        # columns that are not tracked have their latest value everywhere
        parts.append(
            f"SELECT {_carried(history, '_t', '_i')}, _t.valid_from, _t.valid_to, _t.is_current"
            f" FROM __target__ AS _t JOIN _incoming AS _i ON {same(history.keys, '_i', '_t')}"
            f" WHERE {differs(history.others, '_t', '_i')} AND NOT (_t.is_current AND {differs(history.tracked, '_t', '_i')})"
        )
    if history.detect_deletes:
        batch = {"_batch_id": "COALESCE((SELECT MAX(_batch_id) FROM _incoming), _t._batch_id)"}
        values = ", ".join(batch.get(name, f"_t.{quoted(name)}") for name in history.stored)
        parts.append(
            f"SELECT {values}, _t.valid_from, CASE WHEN _t.valid_from >= {history.now} THEN _t.valid_from"
            f" + INTERVAL '1' MICROSECOND ELSE {history.now} END AS valid_to, FALSE AS is_current"
            f" FROM __target__ AS _t WHERE _t.is_current"
            f" AND NOT EXISTS (SELECT 1 FROM _incoming AS _i WHERE {same(history.keys, '_i', '_t')})"
        )
    return with_(ctes, " UNION ALL ".join(parts))


def _open(now: str) -> str:
    return f"{now} AS valid_from, CAST(NULL AS TIMESTAMPTZ) AS valid_to, TRUE AS is_current"


def _carried(history: History, stored: str, new: str) -> str:
    """Columns of a stored version, with the new row's batch and the values that are not tracked."""
    fresh = {*history.others, "_batch_id"}
    return ", ".join(f"{new if name in fresh else stored}.{quoted(name)}" for name in history.stored)
