"""The usual case of a history, without the machinery for the others: each key has one change, later than all before it.

Such a change ends the current version of its key and starts one, or confirms it when the values are
equal; a key that was never there gets its first version. That is what :mod:`lakewright.sql.scd2_changes`
makes of it too, which sorts and compares all versions of a key; here one join with the current
versions tells it, and what is left goes there. Versions that change are deleted and written again: lakes
write whole rows either way, and an update looks each of them up once more.
"""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from collections.abc import Sequence

from lakewright.sql.scd2_text import SEEN, History, differs, equal, listed, quoted, same
from lakewright.sql.surrogate import INFERRED, surrogate

__all__ = ["IN_ORDER", "ended", "first_versions", "in_order", "later_versions", "others", "written"]

#: The temporary table of the changes that come in order, each with the version that it follows.
IN_ORDER = "_scd2_in_order"

_OLD = "_h_old_"


def several(history: History) -> str:
    """Return the query of the keys that more than one of ``__rows__`` has, with ``_h_several``.

    Keys with a null and those of rows without a time are among them: they are rare, and need more care.
    """
    nulls = "".join(f" OR {quoted(name)} IS NULL" for name in history.keys)
    return (
        f"SELECT {listed(history.keys)}, TRUE AS _h_several FROM __rows__ AS _d GROUP BY {listed(history.keys)}"
        f" HAVING COUNT(*) > 1 OR COUNT({quoted(history.changed_at or '')}) = 0{nulls}"
    )


def first_versions(history: History, columns: Sequence[str]) -> str:
    """Return the query of the versions, with *columns* of the table, of rows that are alone in an empty history."""
    values = _of_new(history, "_r", _time(history, "_r"), "TRUE")
    shown = ", ".join(f"{values[name]} AS {quoted(name)}" for name in columns)
    return f"SELECT {shown} FROM {_counted(history)} WHERE _n._h_several IS NULL"


def later_versions(history: History) -> str:
    """Return the query of the rows that :func:`first_versions` leaves."""
    return f"SELECT {listed(history.stored, '_r')} FROM {_counted(history)} WHERE _n._h_several"


def _counted(history: History) -> str:
    return f"__rows__ AS _r LEFT JOIN ({several(history)}) AS _n ON {same(history.keys, '_n', '_r')}"


def in_order(history: History) -> str:
    """Return the statement that sets the changes that come in order aside, in :data:`IN_ORDER`."""
    old = [*history.stored, "valid_from", SEEN, *([history.surrogate] if history.surrogate else [])]
    at = _time(history, "_r")
    current = f"SELECT {listed(old)} FROM __stored__ AS _t WHERE _t.is_current"
    # a key whose versions have all ended goes on after a gap
    past = (
        f"SELECT {listed(history.keys)}, TRUE AS _h_past FROM __stored__ AS _t WHERE NOT _t.is_current"
        f" GROUP BY {listed(history.keys)}"
    )
    later = f"_o.valid_from < {at} AND COALESCE(LIST_MAX(_o.{SEEN}) < {at}, TRUE)"
    later += "".join(f" AND {same([name], '_o', '_r')}" for name in history.others)
    return (
        f"CREATE OR REPLACE TEMP TABLE {IN_ORDER} AS SELECT {listed(history.stored, '_r')}, {at} AS _h_at,"
        f" _o.valid_from IS NULL AS _h_new, {differs(history.tracked, '_o', '_r')} AS _h_differs,"
        f" {', '.join(f'_o.{quoted(name)} AS {quoted(_OLD + name)}' for name in old)}"
        f" FROM {_counted(history)} LEFT JOIN ({current}) AS _o ON {equal(history.keys, '_o', '_r')}"
        f" LEFT JOIN ({past}) AS _e ON {equal(history.keys, '_e', '_r')} WHERE _n._h_several IS NULL"
        f" AND CASE WHEN _o.valid_from IS NULL THEN _e._h_past IS NULL ELSE {later} END"
    )


def others(history: History) -> str:
    """Return the query of the rows that are left for the machinery."""
    return (
        f"SELECT {listed(history.stored, '_r')} FROM __rows__ AS _r"
        f" LEFT JOIN {IN_ORDER} AS _i ON {equal(history.keys, '_i', '_r')} WHERE _i._h_at IS NULL"
    )


def ended(history: History) -> str:
    """Return the statement that deletes the versions which :func:`written` has."""
    old = f"SELECT {listed(history.keys)}, {quoted(_OLD + 'valid_from')} FROM {IN_ORDER} WHERE NOT _h_new"
    return (
        f"MERGE INTO __target__ AS _old USING ({old}) AS _i ON {equal(history.keys, '_i', '_old')}"
        f" AND _i.{quoted(_OLD + 'valid_from')} = _old.valid_from WHEN MATCHED THEN DELETE"
    )


def written(history: History, columns: Sequence[str]) -> str:
    """Return the query of the versions, with *columns* of the table, that changed or are new."""
    was = {name: f"_i.{quoted(_OLD + name)}" for name in (*history.stored, "valid_from")}
    until = "CASE WHEN _i._h_differs THEN _i._h_at END"
    changed = was | {
        "valid_to": f"CAST({until} AS {history.kind})",
        "is_current": "NOT _i._h_differs",
        SEEN: f"CASE WHEN _i._h_differs THEN _i.{quoted(_OLD + SEEN)}"
        f" ELSE LIST_APPEND(_i.{quoted(_OLD + SEEN)}, _i._h_at) END",
    }
    if "_batch_id" in history.hidden:
        changed["_batch_id"] = "_i._batch_id"  # a version that this batch changes belongs to it
    if history.surrogate:
        changed |= {history.surrogate: f"_i.{quoted(_OLD + history.surrogate)}", INFERRED: "FALSE"}
    new = _of_new(history, "_i", "_i._h_at", "_i._h_new")
    parts = (
        f"SELECT {', '.join(f'{values[name]} AS {quoted(name)}' for name in columns)} FROM {IN_ORDER} AS _i WHERE {which}"
        for values, which in ((changed, "NOT _i._h_new"), (new, "_i._h_new OR _i._h_differs"))
    )
    return " UNION ALL ".join(parts)


def _time(history: History, row: str) -> str:
    return f"CAST({row}.{quoted(history.changed_at or '')} AS {history.kind})"


def _of_new(history: History, row: str, at: str, first: str) -> dict[str, str]:
    """The values of the version that a row starts; *first*: whether it is the first of its key."""
    values = {name: f"{row}.{quoted(name)}" for name in history.stored} | {
        "valid_from": at,
        "valid_to": f"CAST(NULL AS {history.kind})",
        "is_current": "TRUE",
        SEEN: f"CAST([] AS {history.kind}[])",
    }
    if history.surrogate:
        name, keys = history.surrogate, history.keys
        of_key = surrogate(name, keys, row)
        later = f"CASE WHEN {first} THEN {of_key} ELSE {surrogate(name, keys, row, since=at)} END"
        values |= {name: of_key if first == "TRUE" else later, INFERRED: "FALSE"}
    return values
