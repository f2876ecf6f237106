"""The history that follows from changes with times of their own, as one query.

The versions that are stored say which changes were seen: one at ``valid_from``, one at each time in
``_seen_at``, and an end where ``valid_to`` is not the start of the next version. Together with
the new changes, all versions of the keys concerned are built anew; the query gives those that differ.
"""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from collections.abc import Sequence

from lakewright.sql.scd2_text import SEEN, History, listed, quoted, same, with_
from lakewright.sql.surrogate import surrogate

__all__ = ["SEEN", "changes"]


def changes(history: History, *, first: bool) -> str:
    """Return the query of the versions to write, with the columns of the table; *first*: it is empty."""
    stored = listed(history.stored)
    changed = quoted(history.changed_at or "")
    at = f"COALESCE(CAST({changed} AS {history.kind}), {history.now})"
    ctes = {
        "_given": f"SELECT {stored}, {at} AS _h_at FROM __rows__ AS _r",
        "_incoming": _first_of("_given", history, (*history.keys, "_h_at"), [*_greatest(history), changed]),
    }
    events = [f"SELECT {stored}, _h_at, FALSE AS _h_gone, 1 AS _h_new FROM _fresh"]
    if first:
        ctes["_fresh"] = f"SELECT {stored}, _h_at FROM _incoming"
    else:
        ctes |= _known(history)
        events += _known_events(history)
    ctes["_events"] = " UNION ALL ".join(events)
    # a row counts more than an end at the same time, and what is stored more than the same again
    ctes["_settled"] = _first_of(
        "_events",
        history,
        (*history.keys, "_h_at"),
        ["_h_gone", *_greatest(history), "_h_new"],
        also="_h_gone",
    )
    ctes |= _versions(history)
    if first:
        return with_(ctes, "SELECT * FROM _rebuilt")
    return with_(ctes, _different(history))


def _greatest(history: History) -> list[str]:
    return [f"{quoted(name)} DESC NULLS LAST" for name in history.content]


def _first_of(
    relation: str, history: History, by: Sequence[str], order: Sequence[str], *, also: str = ""
) -> str:
    """Return a query of one row of *relation* for each value of *by*."""
    columns = f"{listed(history.stored)}, _h_at{f', {also}' if also else ''}"
    place = f"ROW_NUMBER() OVER (PARTITION BY {listed(by)} ORDER BY {', '.join(order)})"
    return f"SELECT {columns} FROM (SELECT {columns}, {place} AS _h_place FROM {relation}) AS _p WHERE _h_place = 1"


def _known(history: History) -> dict[str, str]:
    """Stored versions of the keys for which *_incoming* says something new."""
    keys, stored = listed(history.keys), listed(history.stored)
    everything = f"{listed(history.stored, '_t')}, _t.valid_from, _t.valid_to, _t.is_current, _t.{SEEN}"
    if history.surrogate:
        everything += f", _t.{quoted(history.surrogate)}"
    ctes = {
        "_old": f"SELECT {everything} FROM __stored__ AS _t WHERE EXISTS"
        f" (SELECT 1 FROM _incoming AS _i WHERE {same(history.keys, '_i', '_t')})",
    }
    confirmed = f"_o.valid_from = _i._h_at OR LIST_CONTAINS(_o.{SEEN}, _i._h_at)"
    # a row without a time of its own is news only when it differs from what holds now
    confirmed += f" OR (_i.{quoted(history.changed_at or '')} IS NULL AND _o.is_current)"
    fresh = (
        f"SELECT {listed(history.stored, '_i')}, _i._h_at FROM _incoming AS _i WHERE NOT EXISTS"
        f" (SELECT 1 FROM _old AS _o WHERE {same(history.keys, '_o', '_i')} AND ({confirmed})"
        f" AND {same(history.content, '_o', '_i')})"
    )
    if history.detect_deletes:
        # a complete batch holds it, so a key that had ended goes on, though its row is an old one
        ended = (
            f"SELECT {keys}, MAX(valid_to) AS _h_ended FROM _old GROUP BY {keys}"
            " HAVING MAX(CASE WHEN is_current THEN 1 ELSE 0 END) = 0"
        )
        last = _first_of("_incoming", history, history.keys, ["_h_at DESC"])
        fresh += (
            f" UNION ALL SELECT {listed(history.stored, '_i')}, {history.now} AS _h_at FROM ({last}) AS _i"
            f" JOIN ({ended}) AS _o ON {same(history.keys, '_o', '_i')} WHERE _i._h_at <= _o._h_ended"
        )
        ctes["_absent"] = (
            f"SELECT {everything} FROM __stored__ AS _t WHERE _t.is_current AND _t.valid_from < {history.now}"
            f" AND NOT EXISTS (SELECT 1 FROM _given AS _i WHERE {same(history.keys, '_i', '_t')})"
        )
    ctes["_fresh"] = fresh
    touched = f"SELECT * FROM _old AS _o WHERE EXISTS (SELECT 1 FROM _fresh AS _f WHERE {same(history.keys, '_f', '_o')})"
    if history.detect_deletes:
        touched += f" UNION ALL {_absent_versions(history, everything)}"
    ctes["_touched"] = touched
    ctes["_confirmed_before"] = (
        f"SELECT {stored}, UNNEST({SEEN}) AS _h_at FROM _touched WHERE LEN({SEEN}) > 0"
    )
    ctes["_ended"] = (
        f"SELECT {stored}, valid_to AS _h_at FROM (SELECT {stored}, valid_to, LEAD(valid_from) OVER"
        f" (PARTITION BY {keys} ORDER BY valid_from) AS _h_next FROM _touched) AS _t"
        " WHERE valid_to IS NOT NULL AND valid_to IS DISTINCT FROM _h_next"
    )
    return ctes


def _absent_versions(history: History, everything: str) -> str:
    """Stored versions of the keys that end: the last ones, or all where a surrogate key tells the first from others."""
    if history.surrogate is None:
        return "SELECT * FROM _absent"
    return (
        f"SELECT {everything} FROM __stored__ AS _t"
        f" WHERE EXISTS (SELECT 1 FROM _absent AS _a WHERE {same(history.keys, '_a', '_t')})"
    )


def _known_events(history: History) -> list[str]:
    stored = listed(history.stored)
    changed = history.changed_at or ""
    own_time = ", ".join(
        f"CAST(_h_at AS {history.changed_kind or history.kind}) AS {quoted(name)}"
        if name == changed
        else quoted(name)
        for name in history.stored
    )
    events = [
        f"SELECT {stored}, valid_from AS _h_at, FALSE AS _h_gone, 0 AS _h_new FROM _touched",
        f"SELECT {own_time}, _h_at, FALSE AS _h_gone, 0 AS _h_new FROM _confirmed_before",
        f"SELECT {stored}, _h_at, TRUE AS _h_gone, 0 AS _h_new FROM _ended",
    ]
    if history.detect_deletes:
        events.append(f"SELECT {stored}, {history.now} AS _h_at, TRUE AS _h_gone, 1 AS _h_new FROM _absent")
    return events


def _versions(history: History) -> dict[str, str]:
    """From one event per key and time to versions: equal neighbours are one."""
    keys, stored = listed(history.keys), listed(history.stored)
    before = "".join(f", LAG({quoted(name)}) OVER _w AS _h_l{n}" for n, name in enumerate(history.tracked))
    changed = " OR ".join(
        f"{quoted(name)} IS DISTINCT FROM _h_l{n}" for n, name in enumerate(history.tracked)
    )
    starts = f"_h_was_gone IS NULL OR _h_gone <> _h_was_gone OR (NOT _h_gone AND ({changed or 'FALSE'}))"
    ctes = {
        "_lagged": f"SELECT {stored}, _h_at, _h_gone, LAG(_h_gone) OVER _w AS _h_was_gone{before} FROM _settled"
        f" WINDOW _w AS (PARTITION BY {keys} ORDER BY _h_at)",
        "_marked": f"SELECT {stored}, _h_at, _h_gone, CASE WHEN {starts} THEN 1 ELSE 0 END AS _h_starts FROM _lagged",
        "_numbered": f"SELECT {stored}, _h_at, _h_gone, _h_starts, SUM(_h_starts) OVER (PARTITION BY {keys} ORDER BY _h_at"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS _h_version FROM _marked",
        "_spans": f"SELECT {stored}, _h_at, _h_gone, _h_version, LEAD(_h_at) OVER (PARTITION BY {keys} ORDER BY _h_at) AS _h_until"
        " FROM _numbered WHERE _h_starts = 1",
        "_confirmed": f"SELECT {keys}, _h_version, LIST_SORT(ARRAY_AGG(_h_at)) AS _h_times FROM _numbered"
        f" WHERE _h_starts = 0 AND NOT _h_gone GROUP BY {keys}, _h_version",
    }
    values = {name: f"_s.{quoted(name)}" for name in history.stored}
    joins = f" LEFT JOIN _confirmed AS _c ON {same((*history.keys, '_h_version'), '_c', '_s')}"
    if history.others:
        order = "ORDER BY _h_at DESC"
        ctes["_latest"] = (
            f"SELECT {listed((*history.keys, *history.others))} FROM (SELECT {stored}, ROW_NUMBER() OVER"
            f" (PARTITION BY {keys} {order}) AS _h_place FROM _settled WHERE NOT _h_gone) AS _p WHERE _h_place = 1"
        )
        joins += f" JOIN _latest AS _u ON {same(history.keys, '_u', '_s')}"
        values |= {name: f"_u.{quoted(name)}" for name in history.others}
    if "_batch_id" in history.hidden:
        # a version that this batch changes belongs to it
        values["_batch_id"] = "COALESCE((SELECT MAX(_batch_id) FROM _given), _s._batch_id)"
    shown = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
    if history.surrogate:
        # the first version of a key has the same surrogate key whenever it starts
        start = f"MIN(_s._h_at) OVER (PARTITION BY {listed(history.keys, '_s')})"
        name, keys_ = history.surrogate, history.keys
        shown += (
            f", CASE WHEN _s._h_at = {start} THEN {surrogate(name, keys_, '_s')}"
            f" ELSE {surrogate(name, keys_, '_s', since='_s._h_at')} END AS {quoted(name)}"
        )
    none = f"CAST([] AS {history.kind}[])"
    ctes["_rebuilt"] = (
        f"SELECT {shown}, _s._h_at AS valid_from, _s._h_until AS valid_to, _s._h_until IS NULL AS is_current,"
        f" COALESCE(_c._h_times, {none}) AS {SEEN} FROM _spans AS _s{joins} WHERE NOT _s._h_gone"
    )
    return ctes


def _different(history: History) -> str:
    """The rebuilt versions that are not stored just so."""
    compared = [*history.keys, *history.content, "valid_from", "valid_to", SEEN]
    if history.surrogate:
        compared.append(history.surrogate)
    return (
        "SELECT * FROM _rebuilt AS _r WHERE NOT EXISTS"
        f" (SELECT 1 FROM _touched AS _t WHERE {same(compared, '_t', '_r')})"
    )
