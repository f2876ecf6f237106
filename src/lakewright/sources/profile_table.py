"""Describe one table of a survey: types, nulls, uniqueness, ranges, few values, personal data, keys."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lakewright.project.draft import DraftColumn, DraftTable
from lakewright.sources.grouping import Group
from lakewright.sources.guess_pii import guess_pii
from lakewright.sources.guess_types import NULL_WORDS, Facts, Guess, facts_of, guess
from lakewright.sources.read import Reading
from lakewright.sql.names import identifier, literal, standard_names

if TYPE_CHECKING:
    import duckdb

__all__ = ["Draft", "Survey", "describe_table", "link_tables"]

#: Rows that are looked at in full; of larger tables the first ones, with exact counts over all rows after that.
_SAMPLE = 1_000_000
_VALUES = 20
_SEEN = 500

_RANGED = re.compile(
    r"u?(tiny|small|big|huge)?int(eger)?|decimal(\(.*\))?|double|float|real|date|timestamp.*(?<!\])"
)
_KEY_NAME = re.compile(r"(?:.*_)?(?:id|key|no|nr|number|code|uuid|guid|sku|isbn|ean|symbol)\Z|.*id\Z")


@dataclass(slots=True)
class Draft:
    """A described table, and the temporary table that holds its rows (``whole`` when it holds all of them)."""

    table: DraftTable
    relation: str
    whole: bool


@dataclass(slots=True)
class Survey:
    """The tables of a folder, ordered by name, and the files left out with the reason for each."""

    drafts: list[Draft]
    skipped: list[tuple[str, str]]
    tables: list[DraftTable] = field(default_factory=list)


def describe_table(
    group: Group,
    read: Reading,
    format: str,
    relation: str,
    cursor: duckdb.DuckDBPyConnection,
    *,
    rejected: int = 0,
) -> Draft:
    """Return the draft of *group*, whose rows *read* gives. They are kept in the temporary table *relation*."""
    source = read.query.sql("duckdb")
    chosen = ", ".join(_q(name) for name in read.columns)
    cursor.execute(f"CREATE TEMP TABLE {relation} AS SELECT {chosen} FROM ({source}) LIMIT {_SAMPLE}")  # noqa: S608
    whole = read.rows <= _SAMPLE
    # A number of JSON says as little about its type as text does: 0.99 is no binary fraction.
    loose = ("VARCHAR", "DOUBLE") if format in ("json", "ndjson") else ("VARCHAR",)
    texts = [name for name, kind in read.columns.items() if kind in loose]
    facts = facts_of(relation, texts, cursor)
    guesses = {
        name: guess(name, facts[name]) if name in facts else Guess(kind.lower() if "(" not in kind else kind)
        for name, kind in read.columns.items()
    }
    nulls = _null_words(relation, facts, guesses, cursor)
    everything = relation if whole else f"({source})"
    figures = _figures(everything, guesses, facts, nulls, cursor)
    new = standard_names(read.columns)
    columns = []
    notes = [f"{rejected:,} lines cannot be read; they will be in quarantine"] if rejected else []
    for name, found in guesses.items():
        filled, distinct, low, high = figures[name]
        values = _few(relation, name, distinct, filled, cursor) if found.type == "varchar" else ()
        pii = guess_pii(name, group.name, _some(relation, name, cursor), found.type)[0]
        if pii in ("phone", "card") and read.columns[name] == "VARCHAR":
            found = Guess("varchar")  # digits that nobody adds up
        columns.append(
            DraftColumn(
                name=new[name],
                type=found.type,
                original=name if new[name] != name else "",
                nulls=read.rows - filled,
                distinct=distinct,
                unique=bool(read.rows) and filled == read.rows and distinct == read.rows,
                min=None if pii else low,
                max=None if pii else high,
                values=() if pii else values,
                format=found.format,
                pii=pii or None,
            )
        )
        if found.note:
            notes.append(f"{new[name]}: {found.note}")
        if found.unconverted:
            notes.append(
                f"{new[name]}: {found.unconverted:,} values are no {found.type}; they will be in quarantine"
            )
    table = DraftTable(
        name=group.name,
        files=group.files,
        columns=tuple(columns),
        format="auto",
        options={"nulls": list(nulls)} if nulls else {},
        rows=read.rows,
        file_count=len(group.paths),
        notes=tuple(notes),
    )
    return Draft(replace(table, key=_pair(table, relation, new, whole, cursor)), relation, whole)


def link_tables(survey: Survey, cursor: duckdb.DuckDBPyConnection) -> None:
    """Find columns whose every value is a key of another table, where names agree, and note them."""
    keys = {
        draft.table.name: column
        for draft in survey.drafts
        if draft.whole
        for column in draft.table.columns
        if column.unique and _KEY_NAME.match(column.name)
    }
    for draft in survey.drafts:
        found: dict[str, str] = {}
        for column in draft.table.columns:
            for other in survey.drafts:
                target = keys.get(other.table.name)
                if (
                    target is None
                    or other is draft
                    or not _named_alike(column.name, target.name, other.table.name)
                ):
                    continue
                if _contained(draft, column, other, target, cursor):
                    found[column.name] = f"{other.table.name}.{target.name}"
        if found:
            draft.table = replace(draft.table, references=found)


def _figures(
    relation: str,
    guesses: dict[str, Guess],
    facts: dict[str, Facts],
    nulls: tuple[str, ...],
    cursor: duckdb.DuckDBPyConnection,
) -> dict[str, tuple[int, int, Any, Any]]:
    """Filled, distinct, least and greatest of every column over all rows, fifty columns to a statement."""
    result: dict[str, tuple[int, int, Any, Any]] = {}
    names = list(guesses)
    for start in range(0, len(names), 50):
        parts: list[str] = []
        some = names[start : start + 50]
        for name in some:
            value = _value(name, guesses[name], name in facts, nulls)
            kind = guesses[name].type.lower()
            ranged = _RANGED.fullmatch(kind)
            nested = kind == "json" or kind.endswith("]") or kind.startswith(("struct", "map", "union"))
            parts += [
                f"count({value})",
                f"count(DISTINCT {value})" if not nested else f"count(DISTINCT hash({value}))",
                f"min({value})" if ranged else "NULL",
                f"max({value})" if ranged else "NULL",
            ]
        row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
        for place, name in enumerate(some):
            filled, distinct, low, high = row[place * 4 : place * 4 + 4]
            result[name] = (filled, distinct, _scalar(low), _scalar(high))
    return result


def _value(name: str, found: Guess, text: bool, nulls: tuple[str, ...]) -> str:
    column = _q(name)
    if not text:
        return column
    if nulls:
        words = ", ".join(literal(word).sql("duckdb") for word in nulls)
        column = f"CASE WHEN {column} NOT IN ({words}) THEN {column} END"
    if found.type == "varchar":
        return column
    column = f"CAST({column} AS VARCHAR)"
    if found.format:
        return f"try_strptime(trim({column}), {literal(found.format).sql('duckdb')})"
    return f"try_cast(trim({column}) AS {found.type})"


def _null_words(
    relation: str, facts: dict[str, Facts], guesses: dict[str, Guess], cursor: duckdb.DuckDBPyConnection
) -> tuple[str, ...]:
    """The texts that stand for a missing value in columns that otherwise have a type of their own."""
    typed = [name for name, one in facts.items() if one.words and guesses[name].type != "varchar"]
    if not typed:
        return ()
    words = ", ".join(literal(word).sql("duckdb") for word in NULL_WORDS)
    query = " UNION ".join(
        f"SELECT DISTINCT {_q(name)} AS word FROM {relation} WHERE lower(trim({_q(name)})) IN ({words})"  # noqa: S608
        for name in typed
    )
    return tuple(sorted(row[0] for row in cursor.execute(query).fetchall()))


def _few(
    relation: str, name: str, distinct: int, filled: int, cursor: duckdb.DuckDBPyConnection
) -> tuple[str, ...]:
    if not 2 <= distinct <= _VALUES or filled < 2 * distinct:
        return ()
    column = _q(name)
    rows = cursor.execute(
        f"SELECT DISTINCT {column} FROM {relation} WHERE {column} IS NOT NULL ORDER BY 1"  # noqa: S608
    ).fetchall()
    return tuple(row[0] for row in rows) if len(rows) == distinct else ()


def _some(relation: str, name: str, cursor: duckdb.DuckDBPyConnection) -> list[str]:
    column = _q(name)
    rows = cursor.execute(
        f"SELECT DISTINCT CAST({column} AS VARCHAR) FROM (SELECT {column} FROM {relation} "  # noqa: S608
        f"WHERE {column} IS NOT NULL LIMIT 5000) LIMIT {_SEEN}"
    ).fetchall()
    return [row[0] for row in rows]


def _pair(
    table: DraftTable,
    relation: str,
    names: dict[str, str],
    whole: bool,
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[str, ...]:
    """Two columns that are unique together, where no single one is; only those named like keys are tried."""
    if not whole or not table.rows or table.rows < 2:
        return ()
    if any(column.unique and _KEY_NAME.match(column.name) for column in table.columns):
        return ()
    back = {new: old for old, new in names.items()}
    likely = [one.name for one in table.columns if not one.nulls and _KEY_NAME.match(one.name)][:6]
    pairs = list(itertools.combinations(likely, 2))
    if not pairs:
        return ()
    counts = ", ".join(f"count(DISTINCT ({_q(back[a])}, {_q(back[b])}))" for a, b in pairs)
    row = cursor.execute(f"SELECT {counts} FROM {relation}").fetchall()[0]  # noqa: S608
    return next((pair for pair, count in zip(pairs, row, strict=True) if count == table.rows), ())


def _named_alike(column: str, key: str, table: str) -> bool:
    thing = re.sub(r"^(?:raw|stg|src|tbl|dim|fact)_", "", table)
    singular = [thing, thing.removesuffix("s"), thing.removesuffix("es"), re.sub(r"ies$", "y", thing)]
    wanted = {f"{one}_id" for one in singular} | {f"{one}id" for one in singular}
    if key != "id":
        wanted.add(key)
    return column in wanted


def _contained(
    draft: Draft, column: DraftColumn, other: Draft, target: DraftColumn, cursor: duckdb.DuckDBPyConnection
) -> bool:
    mine, theirs = _q(column.original or column.name), _q(target.original or target.name)
    (lost, held) = cursor.execute(
        f"SELECT count(*) FILTER (k.v IS NULL), count(*) FROM (SELECT DISTINCT CAST({mine} AS VARCHAR) AS v "  # noqa: S608
        f"FROM {draft.relation} WHERE {mine} IS NOT NULL) AS m "
        f"LEFT JOIN (SELECT DISTINCT CAST({theirs} AS VARCHAR) AS v FROM {other.relation}) AS k ON m.v = k.v"
    ).fetchall()[0]
    return bool(held) and not lost


def _scalar(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return float(value)


def _q(name: str) -> str:
    return identifier(name).sql("duckdb")
