"""Find what identifies rows and what points where: keys of several columns, copies of rows, references."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lakewright.project.draft import DraftColumn, DraftTable
from lakewright.sources.profile_figures import KEY_NAME, quoted

if TYPE_CHECKING:
    import duckdb

    from lakewright.sources.profile_table import Draft

__all__ = ["combined_key", "copies_of", "link_tables"]

#: A day, or a place in a sequence, identifies a row together with something else.
_BESIDE = re.compile(r"(?:.*_)?(?:line|position|pos|seq|sequence|rank|version|year|month|week|day|item)\Z")
_INTEGER = re.compile(r"u?(?:tiny|small|big|huge)?int(?:eger)?\Z")
#: Fewer rows than this do not show that days or positions identify anything.
_ROWS = 50
_TRIED = 8


def combined_key(
    table: DraftTable,
    sample: str,
    everything: str,
    back: Mapping[str, str],
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[str, ...]:
    """Return the two or three columns that are unique together, where no column alone is a key.

    Columns named like keys are tried first, then days and positions beside them. *back* gives the
    column in the relations of a column of *table*.
    """
    rows = table.rows or 0
    if rows < 2 or any(one.unique and KEY_NAME.match(one.name) for one in table.columns):
        return ()
    full = [one for one in table.columns if not one.nulls and not one.unconverted and not one.pii]
    named = [one.name for one in full if KEY_NAME.match(one.name)][:_TRIED]
    beside = [one.name for one in full if one.type == "date" or _BESIDE.match(one.name)]
    beside = [one for one in beside if one not in named][:_TRIED] if rows >= _ROWS else []
    tried: list[list[tuple[str, ...]]] = [
        list(itertools.combinations(named, 2)),
        [(a, b) for a in named for b in beside],
        list(itertools.combinations(named, 3)) if rows >= _ROWS else [],
        [(*pair, b) for pair in itertools.combinations(named[:4], 2) for b in beside],
    ]
    for combinations in tried:
        for key in _unique_in(sample, combinations, back, cursor):
            if sample == everything or not _repeats(everything, key, back, cursor):
                return key
    return ()


def copies_of(relation: str, names: Iterable[str], cursor: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows are exact copies of another one."""
    row = f"hash({', '.join(quoted(name) for name in names)})"
    (copies,) = cursor.execute(f"SELECT count(*) - count(DISTINCT {row}) FROM {relation}").fetchall()[0]  # noqa: S608
    return int(copies)


def link_tables(drafts: Sequence[Draft], cursor: duckdb.DuckDBPyConnection) -> None:
    """Find columns whose every value is a key of another table, where names agree, and note them."""
    targets: dict[str, list[tuple[Draft, DraftColumn]]] = {}
    for draft in drafts:
        things = _things(draft.table.name)
        for column in draft.table.columns:
            if not column.unique or not KEY_NAME.match(column.name):
                continue
            own = {f"{one}{join}id" for one in things for join in ("_", "")}
            if column.name == "id" or column.name in own:
                # the thing's own table comes before others that have the same key
                for name in own:
                    targets.setdefault(name, []).insert(0, (draft, column))
            else:
                targets.setdefault(column.name, []).append((draft, column))
    for draft in drafts:
        found: dict[str, str] = {}
        things = _things(draft.table.name)
        for column in draft.table.columns:
            if column.unique and column.name in {f"{one}{join}id" for one in things for join in ("_", "")}:
                continue  # its own key points nowhere
            for other, target in targets.get(column.name, ()):
                if other is not draft and _contained(draft, column, other, target, cursor):
                    found[column.name] = f"{other.table.name}.{target.name}"
                    break
        if found:
            draft.table = replace(draft.table, references=found)


def _things(table: str) -> tuple[str, ...]:
    """What a table's name speaks of: ``raw_customers`` → ``customers``, ``customer``."""
    thing = re.sub(r"^(?:raw|stg|src|tbl|dim|fact|fct)_", "", table)
    return tuple(
        dict.fromkeys((thing, thing.removesuffix("s"), thing.removesuffix("es"), re.sub(r"ies$", "y", thing)))
    )


def _unique_in(
    relation: str,
    combinations: Sequence[tuple[str, ...]],
    back: Mapping[str, str],
    cursor: duckdb.DuckDBPyConnection,
) -> list[tuple[str, ...]]:
    if not combinations:
        return []
    counts = ", ".join(
        f"count(DISTINCT hash({', '.join(quoted(back[name]) for name in key)}))" for key in combinations
    )
    rows, *found = cursor.execute(f"SELECT count(*), {counts} FROM {relation}").fetchall()[0]  # noqa: S608
    return [key for key, count in zip(combinations, found, strict=True) if count == rows]


def _repeats(
    relation: str, key: Sequence[str], back: Mapping[str, str], cursor: duckdb.DuckDBPyConnection
) -> bool:
    columns = ", ".join(quoted(back[name]) for name in key)
    query = f"SELECT 1 FROM {relation} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
    return bool(cursor.execute(query).fetchall())


def _contained(
    draft: Draft, column: DraftColumn, other: Draft, target: DraftColumn, cursor: duckdb.DuckDBPyConnection
) -> bool:
    if bool(_INTEGER.match(column.type)) != bool(_INTEGER.match(target.type)):
        return False
    mine, theirs = quoted(column.original or column.name), quoted(target.original or target.name)
    (lost, held) = cursor.execute(
        f"SELECT count(*) FILTER (k.v IS NULL), count(*) FROM (SELECT DISTINCT CAST({mine} AS VARCHAR) AS v "  # noqa: S608
        f"FROM {draft.everything} WHERE {mine} IS NOT NULL) AS m "
        f"LEFT JOIN (SELECT DISTINCT CAST({theirs} AS VARCHAR) AS v FROM {other.everything}) AS k ON m.v = k.v"
    ).fetchall()[0]
    return bool(held) and not lost
