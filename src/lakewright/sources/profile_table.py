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

#: Larger tables are sampled to guess types; what the project states of them is then counted over all rows.
_SAMPLE = 200_000
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
    whole = read.rows <= _SAMPLE
    chosen = ", ".join(_q(name) for name in read.columns)
    part = "" if whole else f" USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (1)"
    cursor.execute(f"CREATE TEMP TABLE {relation} AS SELECT {chosen} FROM ({source}){part}")  # noqa: S608
    # A number of JSON says as little about its type as text does: 0.99 is no binary fraction.
    loose = ("VARCHAR", "DOUBLE") if format in ("json", "ndjson") else ("VARCHAR",)
    texts = [name for name, kind in read.columns.items() if kind in loose]
    facts = facts_of(relation, texts, cursor)
    guesses = {
        name: guess(name, facts[name]) if name in facts else Guess(kind if "(" in kind else kind.lower())
        for name, kind in read.columns.items()
    }
    pii = {
        name: guess_pii(name, group.name, _some(relation, name, cursor), one.type)[0]
        for name, one in guesses.items()
    }
    for name, kind in pii.items():
        if kind in ("phone", "card") and name in facts:
            guesses[name] = Guess("varchar")  # digits that nobody adds up
    nulls = _null_words(relation, facts, guesses, cursor)
    sample = _sampled(relation, guesses, cursor)
    figures = _figures(relation if whole else f"({source})", read, guesses, facts, nulls, sample, cursor)
    new = standard_names(read.columns)
    columns = []
    notes = [f"{rejected:,} lines cannot be read; they will be in quarantine"] if rejected else []
    for name, found in guesses.items():
        figure = figures[name]
        columns.append(
            DraftColumn(
                name=new[name],
                type=found.type,
                original=name if new[name] != name else "",
                nulls=read.rows - figure.filled,
                distinct=figure.distinct,
                unique=bool(read.rows) and figure.filled == read.rows == figure.distinct,
                min=None if pii[name] else _scalar(figure.low),
                max=None if pii[name] else _scalar(figure.high),
                values=() if pii[name] else figure.values,
                format=found.format,
                pii=pii[name] or None,
            )
        )
        if found.note:
            notes.append(f"{new[name]}: {found.note}")
        if figure.lost:
            notes.append(
                f"{new[name]}: {figure.lost:,} values are no {found.type}; they will be in quarantine"
            )
    table = DraftTable(
        name=group.name,
        files=group.files,
        columns=tuple(columns),
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
        if not draft.whole:
            continue
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


@dataclass(frozen=True, slots=True)
class _Figures:
    """Exact over all rows: values that convert, those that do not, different ones (None: not counted), range."""

    filled: int
    lost: int
    distinct: int | None
    low: Any
    high: Any
    values: tuple[str, ...]


def _sampled(
    relation: str, guesses: dict[str, Guess], cursor: duckdb.DuckDBPyConnection
) -> dict[str, tuple[int, int]]:
    """Filled and different values of every column of the sample."""
    names = list(guesses)
    parts = [
        part
        for name in names
        for part in (
            f"count({_q(name)})",
            f"count(DISTINCT {f'hash({_q(name)})' if _nested(guesses[name].type) else _q(name)})",
        )
    ]
    row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
    return {name: (row[2 * place], row[2 * place + 1]) for place, name in enumerate(names)}


def _figures(
    relation: str,
    read: Reading,
    guesses: dict[str, Guess],
    facts: dict[str, Facts],
    nulls: tuple[str, ...],
    sample: dict[str, tuple[int, int]],
    cursor: duckdb.DuckDBPyConnection,
) -> dict[str, _Figures]:
    """Figures of every column over all rows of *relation*, fifty columns to a statement."""
    result: dict[str, _Figures] = {}
    names = list(guesses)
    for start in range(0, len(names), 50):
        parts: list[str] = []
        some = names[start : start + 50]
        for name in some:
            found = guesses[name]
            value = _value(name, found, name in facts, nulls)
            given = _value(name, Guess("varchar"), name in facts, nulls)
            filled, distinct = sample[name]
            nested = _nested(found.type)
            # Different values are counted where they can matter: a key, or a small set.
            counted = filled == distinct or read.rows <= _SAMPLE
            few = found.type == "varchar" and 2 <= distinct <= _VALUES and filled >= 2 * distinct
            ranged = _RANGED.fullmatch(found.type.lower())
            parts += [
                f"count({value})",
                f"count({given})",
                f"count(DISTINCT {f'hash({value})' if nested else value})" if counted else "NULL",
                f"min({value})" if ranged else "NULL",
                f"max({value})" if ranged else "NULL",
                f"list_sort(list(DISTINCT {value}))" if few else "NULL",
            ]
        row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
        for place, name in enumerate(some):
            filled, given_count, different, low, high, values = row[place * 6 : place * 6 + 6]
            listed = tuple(one for one in values or () if one is not None)
            result[name] = _Figures(
                filled,
                given_count - filled,
                len(listed) if listed and different is None else different,
                low,
                high,
                listed if len(listed) <= _VALUES else (),
            )
    return result


def _value(name: str, found: Guess, text: bool, nulls: tuple[str, ...]) -> str:
    column = _q(name)
    if not text:
        return column
    column = f"nullif(trim(CAST({column} AS VARCHAR)), '')" if found.type != "varchar" else column
    if nulls:
        words = ", ".join(literal(word).sql("duckdb") for word in nulls)
        column = f"CASE WHEN {column} NOT IN ({words}) THEN {column} END"
    if found.type == "varchar":
        return column
    if found.format:
        return f"try_strptime({column}, {literal(found.format).sql('duckdb')})"
    return f"try_cast({column} AS {found.type})"


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


def _nested(kind: str) -> bool:
    return kind.lower() == "json" or kind.endswith("]") or kind.lower().startswith(("struct", "map", "union"))


def _q(name: str) -> str:
    return identifier(name).sql("duckdb")
