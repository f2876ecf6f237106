"""The statements of a star schema: members without rows of their own, look-ups of facts, and their repair.

A dimension holds, beside its members, one for facts whose member is not known and one for facts that
have none, and members *inferred* from facts that came first: their natural key and nothing else, until
a row of theirs comes. Facts find the version of a member that held at the time of the event: the one
that had last begun, or the first when the event lies before all. Columns of a fact keep the
natural key, so that a change of the dimension can set the surrogate keys right.

Kimball and Ross, *The Data Warehouse Toolkit*, 3rd edition, chapters 2, 5 and 19.
"""

# ruff: noqa: S608 - the text holds names that SQLGlot has quoted, nothing else from outside

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from lakewright.sql.cast_types import family
from lakewright.sql.fill import fill
from lakewright.sql.names import hidden, literal
from lakewright.sql.scd2_text import listed, quoted, same
from lakewright.sql.surrogate import INFERRED, NOT_APPLICABLE, UNKNOWN, surrogate

__all__ = [
    "FIRST_DAY",
    "Found",
    "Members",
    "doubled",
    "fact_rows",
    "infer",
    "keyed_rows",
    "known_keys",
    "lost_members",
    "members",
    "outdated",
    "repair",
    "replace_inferred",
]

#: When the members that stand for none, and inferred ones, are valid from.
FIRST_DAY = "1900-01-01"

_END = "9999-12-31"
_NAMES = {UNKNOWN: "Unknown", NOT_APPLICABLE: "Not applicable"}


@dataclass(frozen=True)
class Members:
    """A dimension's table: its surrogate ``key``, its natural ``keys``, and its ``columns``, name → DuckDB type.

    ``versions``: it keeps the history of its members. ``complete``: it has all members that there
    can be, such as days, and nothing is added.
    """

    id: str
    table: exp.Table
    key: str
    keys: tuple[str, ...]
    columns: Mapping[str, str]
    versions: bool = False
    complete: bool = False


@dataclass(frozen=True)
class Found:
    """One look-up of a fact: its ``name`` is the column that gets the key; ``on`` maps natural keys to columns.

    ``at`` is the column with the time of the event, "" where the dimension has no versions.
    """

    name: str
    members: Members
    on: Mapping[str, str]
    at: str = ""


# --- dimensions


def keyed_rows(
    rows: exp.Select, columns: Mapping[str, str], name: str, keys: Sequence[str]
) -> tuple[exp.Select, dict[str, str]]:
    """Return *rows* with the surrogate key *name* before their columns and ``is_inferred`` after, and the columns."""
    shown = [one for one in columns if not hidden(one)]
    more = [one for one in columns if hidden(one)]
    key = surrogate(name, keys, "_m")
    text = (
        f"SELECT {key} AS {quoted(name)}, {listed(shown)}, FALSE AS {INFERRED}"
        f"{''.join(f', {quoted(one)}' for one in more)} FROM __rows__ AS _m"
    )
    made: dict[str, str] = {name: "BIGINT", **{one: columns[one] for one in shown}, INFERRED: "BOOLEAN"}
    return _select(text, {"__rows__": rows}), {**made, **{one: columns[one] for one in more}}


def members(
    of: Members, batch: int, at: str, given: Mapping[int, Mapping[str, str | int | float | bool]]
) -> exp.Expr:
    """Return the statement that adds the members for none where they are missing.

    *given* has values of their columns by key; text columns are "Unknown" and "Not applicable" without.
    """
    selects = []
    for key, name in _NAMES.items():
        values = given.get(key, {})
        cells = {}
        for one, kind in of.columns.items():
            cell = _fixed(of, one, kind, batch, at, str(key))
            if one in values:
                cell = f"CAST({literal(values[one]).sql('duckdb')} AS {kind})"
            elif cell is None:
                named = one not in of.keys and family(kind) == "text" and not hidden(one)
                cell = f"'{name}'" if named else f"CAST(NULL AS {kind})"
            cells[one] = cell
        chosen = ", ".join(f"{cell} AS {quoted(one)}" for one, cell in cells.items())
        there = f"SELECT 1 FROM __members__ AS _t WHERE _t.{quoted(of.key)} = {key}"
        selects.append(f"SELECT {chosen} WHERE NOT EXISTS ({there})")
    text = f"INSERT INTO __members__ ({listed(of.columns)}) {' UNION ALL '.join(selects)}"
    return fill(text, {"__members__": of.table})


def known_keys(of: Members, name: str) -> exp.Expr:
    """Return the statement that keeps the natural keys of all members in the temporary table *name*."""
    text = (
        f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS SELECT DISTINCT {listed(of.keys)} FROM __members__ AS _t"
        f" WHERE _t.{quoted(of.key)} >= 0"
    )
    return fill(text, {"__members__": of.table})


def lost_members(of: Members, name: str, batch: int, at: str) -> exp.Expr:
    """Return the statement that adds, as inferred, the members that only the temporary table *name* has."""
    return _add_inferred(of, exp.to_table(name, quoted=True), {one: one for one in of.keys}, batch, at)


def replace_inferred(of: Members, rows: exp.Select) -> exp.Expr:
    """Return the statement that takes away the inferred members that *rows* bring versions of."""
    text = (
        f"DELETE FROM __members__ AS _t WHERE _t.{INFERRED}"
        f" AND EXISTS (SELECT 1 FROM __rows__ AS _r WHERE {same(of.keys, '_r', '_t')})"
    )
    return fill(text, {"__members__": of.table, "__rows__": rows})


def doubled(of: Members, batch: int) -> exp.Expr:
    """Return a query of the surrogate keys that rows of *batch* share with another row."""
    key = quoted(of.key)
    text = (
        f"SELECT {key} FROM __members__ AS _t WHERE {key} IN"
        f" (SELECT {key} FROM __members__ AS _n WHERE _n._batch_id = {batch}) GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 1"
    )
    return fill(text, {"__members__": of.table})


# --- facts


def infer(found: Found, rows: exp.Select, batch: int, at: str) -> exp.Expr:
    """Return the statement that adds the members that *rows* refer to and that are not there."""
    return _add_inferred(found.members, rows, found.on, batch, at)


def fact_rows(
    rows: exp.Select, columns: Mapping[str, str], lookups: Sequence[Found]
) -> tuple[exp.Select, dict[str, str]]:
    """Return *rows* with the surrogate keys of *lookups* before their columns, and the columns."""
    chosen, joins = [], []
    relations: dict[str, exp.Table | exp.Query] = {"__rows__": rows}
    for number, one in enumerate(lookups):
        alias = f"_d{number}"
        relations[f"__d{number}__"] = _held(one)
        joins.append(f" LEFT JOIN __d{number}__ AS {alias} ON {_matches(one, '_f', alias)}")
        chosen.append(f"{_chosen(one, '_f', alias)} AS {quoted(one.name)}")
    own = listed(columns, "_f")
    text = f"SELECT {', '.join(chosen)}, {own} FROM __rows__ AS _f{''.join(joins)}"
    return _select(text, relations), {**{one.name: "BIGINT" for one in lookups}, **columns}


def outdated(found: Found, fact: exp.Table, batch: int | None) -> exp.Expr:
    """Return a query that counts the rows of *fact* whose key is not what the look-up gives now.

    *batch* limits it to members that the batch of the dimension touched; None: all.
    """
    relations: dict[str, exp.Table | exp.Query] = {"__fact__": fact, "__held__": _held(found, batch)}
    text = f"SELECT COUNT(*) FROM __fact__ AS _f JOIN __held__ AS _d ON {_matches(found, '_f', '_d')}"
    return fill(f"{text} WHERE {_differs(found)}", relations)


def repair(found: Found, fact: exp.Table, batch: int | None) -> exp.Expr:
    """Return the statement that sets the keys right that :func:`outdated` counts."""
    relations: dict[str, exp.Table | exp.Query] = {"__fact__": fact, "__held__": _held(found, batch)}
    text = (
        f"UPDATE __fact__ AS _f SET {quoted(found.name)} = _d._key FROM __held__ AS _d"
        f" WHERE {_matches(found, '_f', '_d')} AND {_differs(found)}"
    )
    return fill(text, relations)


def _differs(found: Found) -> str:
    text = f"_f.{quoted(found.name)} IS DISTINCT FROM _d._key"
    if not found.members.versions:
        # the key follows from the natural key: only one that was not found can have become another
        text += f" AND _f.{quoted(found.name)} < 0"
    return text


def _held(found: Found, batch: int | None = None) -> exp.Query:
    """The members as a fact sees them: natural keys, surrogate key ``_key``, and from when until when."""
    of = found.members
    keys = ", ".join(f"{quoted(one)} AS _k{number}" for number, one in enumerate(of.keys))
    real = f"{quoted(of.key)} >= 0"
    if batch is not None:
        touched = (
            f"SELECT 1 FROM __members__ AS _b WHERE _b._batch_id = {batch} AND {same(of.keys, '_b', '_t')}"
        )
        real += f" AND EXISTS ({touched})"
    if not of.versions:
        text = f"SELECT {keys}, {quoted(of.key)} AS _key FROM __members__ AS _t WHERE {real}"
        return _select(text, {"__members__": of.table})
    kind = of.columns["valid_from"]
    window = f"OVER (PARTITION BY {listed(of.keys)} ORDER BY valid_from)"
    text = (
        f"SELECT {keys}, {quoted(of.key)} AS _key,"
        f" CASE WHEN LAG(valid_from) {window} IS NULL THEN CAST('0001-01-01' AS {kind}) ELSE valid_from END AS _since,"
        f" COALESCE(LEAD(valid_from) {window}, CAST('{_END} 23:59:59' AS {kind})) AS _until"
        f" FROM __members__ AS _t WHERE {real}"
    )
    return _select(text, {"__members__": of.table})


def _matches(found: Found, row: str, held: str) -> str:
    of = found.members
    several = len(of.keys) > 1
    parts = []
    for number, one in enumerate(of.keys):
        value = _typed(row, found.on[one], of.columns[one])
        # of several columns some may be null and say something by that
        equal = "IS NOT DISTINCT FROM" if several else "="
        parts.append(f"{value} {equal} {held}._k{number}")
    if of.versions:
        kind = of.columns["valid_from"]
        at = f"CAST({row}.{quoted(found.at)} AS {kind})"
        at = f"GREATEST(LEAST(COALESCE({at}, CAST('{_END}' AS {kind})), CAST('{_END}' AS {kind})), CAST('0001-01-01' AS {kind}))"
        parts += [f"{at} >= {held}._since", f"{at} < {held}._until"]
    return " AND ".join(parts)


def _chosen(found: Found, row: str, held: str) -> str:
    none = " AND ".join(f"{row}.{quoted(one)} IS NULL" for one in found.on.values())
    return f"CASE WHEN {none} THEN {NOT_APPLICABLE} ELSE COALESCE({held}._key, {UNKNOWN}) END"


def _add_inferred(
    of: Members, rows: exp.Table | exp.Query, on: Mapping[str, str], batch: int, at: str
) -> exp.Expr:
    given = ", ".join(f"{_typed('_f', on[one], of.columns[one])} AS {quoted(one)}" for one in of.keys)
    known = " AND ".join(f"_g.{quoted(one)} IS NOT NULL" for one in of.keys)
    cells = {}
    for one, kind in of.columns.items():
        cell = _fixed(of, one, kind, batch, at, surrogate(of.key, of.keys, "_g"))
        if one in of.keys:
            cell = f"_g.{quoted(one)}"
        elif one == INFERRED:
            cell = "TRUE"
        cells[one] = cell or f"CAST(NULL AS {kind})"
    chosen = ", ".join(f"{cell} AS {quoted(one)}" for one, cell in cells.items())
    there = f"SELECT 1 FROM __members__ AS _t WHERE {same(of.keys, '_t', '_g')} AND _t.{quoted(of.key)} >= 0"
    text = (
        f"INSERT INTO __members__ ({listed(of.columns)}) SELECT {chosen}"
        f" FROM (SELECT DISTINCT {given} FROM __given__ AS _f) AS _g WHERE {known} AND NOT EXISTS ({there})"
    )
    return fill(text, {"__members__": of.table, "__given__": rows})


def _fixed(of: Members, name: str, kind: str, batch: int, at: str, key: str) -> str | None:
    """The value that a member without a row has in a column whatever it stands for; None for other columns."""
    if name == of.key:
        return key
    match name:
        case "_batch_id":
            return f"CAST({batch} AS {kind})"
        case "_ingested_at":
            return f"CAST('{at}' AS {kind})"
        case _ if name == INFERRED:
            return "FALSE"
    if not of.versions:
        return None
    match name:
        case "valid_from":
            return f"CAST('{FIRST_DAY}' AS {kind})"
        case "is_current":
            return "TRUE"
        case "_seen_at":
            return f"CAST([] AS {kind})"
    return None


def _typed(row: str, name: str, kind: str) -> str:
    return f"TRY_CAST({row}.{quoted(name)} AS {kind})"


def _select(text: str, relations: Mapping[str, exp.Table | exp.Query]) -> exp.Select:
    tree = fill(text, relations)
    assert isinstance(tree, exp.Select)
    return tree
