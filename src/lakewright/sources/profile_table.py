"""Describe one table of a survey: types, nulls, uniqueness, ranges, few values, personal data, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lakewright.project.draft import DraftColumn, DraftTable
from lakewright.sources.grouping import Group
from lakewright.sources.guess_pii import Personal, find_pii, mask_for
from lakewright.sources.guess_types import (
    SHARE,
    Facts,
    Guess,
    facts_of,
    guess,
    guess_float,
    is_code,
    is_money,
)
from lakewright.sources.profile_figures import (
    FLOATS,
    KEY_NAME,
    Figures,
    figures_of,
    null_words,
    quoted,
    sampled,
    some_values,
)
from lakewright.sources.profile_keys import combined_key, copies_of
from lakewright.sources.read import Reading
from lakewright.sql.names import standard_names

if TYPE_CHECKING:
    import duckdb

__all__ = ["Draft", "Survey", "describe_table"]

#: Larger tables are sampled to guess types; what the project states of them is then counted over all rows.
_SAMPLE = 200_000
#: A column in which so many values occur once only may be a key, and the others mistakes.
_NEARLY = 0.95


@dataclass(slots=True)
class Draft:
    """A described table. ``everything`` is a relation of all its rows, as SQL text."""

    table: DraftTable
    everything: str


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
    """Return the draft of *group*, whose rows *read* gives. Some of them are kept in the temporary table *relation*."""
    source = read.query.sql("duckdb")
    whole = read.rows <= _SAMPLE
    chosen = ", ".join(quoted(name) for name in read.columns)
    part = "" if whole else f" USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (1)"
    cursor.execute(f"CREATE TEMP TABLE {relation} AS SELECT {chosen} FROM ({source}){part}")  # noqa: S608
    everything = relation if whole else f"({source})"
    new = standard_names(read.columns)
    guesses, facts = _guesses(relation, read.columns, new, format, cursor)
    seen = some_values(relation, read.columns, cursor)
    pii = {name: find_pii(name, group.name, seen[name], one.type) for name, one in guesses.items()}
    for name in facts:
        kind = read.columns[name]
        if kind == "VARCHAR" and (
            _kind(pii[name]) in ("phone", "card", "ssn", "national_id", "address")
            or is_code(new[name], guesses[name])
        ):
            guesses[name] = Guess("varchar")  # digits that nobody adds up
    nulls = null_words(relation, facts, guesses, cursor)
    sample = sampled(relation, guesses, cursor)
    figures = figures_of(everything, guesses, read.columns, nulls, sample, cursor, whole=whole)
    wrong = _reconsider(guesses, figures, read.columns)
    if wrong:
        guesses |= wrong
        figures |= figures_of(everything, wrong, read.columns, nulls, sample, cursor, whole=whole)
    columns = []
    notes = [f"{rejected:,} lines cannot be read; they will be in quarantine"] if rejected else []
    notes += _null_notes(facts, guesses, new, nulls)
    for name, found in guesses.items():
        figure = figures[name]
        personal = pii[name]
        what = _kind(personal)
        repeats = _repeats(new[name], figure, read.rows)
        columns.append(
            DraftColumn(
                name=new[name],
                type=found.type,
                original=name if new[name] != name else "",
                nulls=read.rows - figure.given,
                unconverted=figure.lost,
                distinct=figure.distinct,
                unique=bool(read.rows) and figure.filled == read.rows == figure.distinct,
                repeats=repeats,
                min=None if what else _scalar(figure.low),
                max=None if what else _scalar(figure.high),
                values=() if what else figure.values,
                format=found.format,
                pii=what or None,
                pii_reason=_reason(personal, found.type),
            )
        )
        if found.note:
            notes.append(f"{new[name]}: {found.note}")
        if figure.lost:
            notes.append(
                f"{new[name]}: {figure.lost:,} values are no {found.type}; they will be in quarantine"
            )
    copies = copies_of(everything, read.columns, cursor) if any(one.repeats for one in columns) else 0
    table = DraftTable(
        name=group.name,
        files=group.files,
        columns=tuple(columns),
        options={"nulls": list(nulls)} if nulls else {},
        rows=read.rows,
        file_count=len(group.paths),
        copies=copies,
        notes=tuple(notes),
    )
    back = {after: before for before, after in new.items()}
    return Draft(replace(table, key=combined_key(table, relation, everything, back, cursor)), everything)


def _kind(found: Personal | None) -> str:
    return found.kind if found is not None else ""


def _reason(found: Personal | None, type: str) -> str:
    if found is None:
        return ""
    return f"{found.evidence}; to hide it: mask: {mask_for(found.kind, type)}"


def _guesses(
    relation: str,
    kinds: Mapping[str, str],
    new: Mapping[str, str],
    format: str,
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, Guess], dict[str, Facts]]:
    """Types of all columns, and the facts of those whose own type says little: text, and money as a fraction."""
    loose = [
        name
        for name, kind in kinds.items()
        if kind == "VARCHAR" or (kind in FLOATS and (is_money(new[name]) or format in ("json", "ndjson")))
    ]
    facts = facts_of(relation, loose, cursor)
    guesses = {}
    for name, kind in kinds.items():
        own = Guess(kind if "(" in kind else kind.lower())
        if name not in facts:
            guesses[name] = own
        elif kind in FLOATS:
            guesses[name] = guess_float(new[name], facts[name]) or own
        else:
            guesses[name] = guess(new[name], facts[name])
    return guesses, facts


def _reconsider(
    guesses: Mapping[str, Guess], figures: Mapping[str, Figures], kinds: Mapping[str, str]
) -> dict[str, Guess]:
    """Guesses made on a sample that all rows prove wrong, with what to take instead."""
    wrong = {}
    for name, figure in figures.items():
        if kinds[name] in FLOATS and figure.lost:
            wrong[name] = Guess(kinds[name].lower())
        elif figure.lost > (1 - SHARE) * figure.given:
            found = guesses[name].type
            wrong[name] = Guess("varchar", note=f"{figure.lost:,} of {figure.given:,} values are no {found}")
    return wrong


def _repeats(name: str, figure: Figures, rows: int) -> int:
    """Rows that repeat a value of what is likely meant to be a key; 0 when there are none, or it is none."""
    distinct = figure.distinct or 0
    if (
        not KEY_NAME.match(name)
        or figure.filled != rows
        or not _NEARLY * rows <= distinct < rows
        or rows < 20
    ):
        return 0
    return rows - distinct


def _null_notes(
    facts: Mapping[str, Facts],
    guesses: Mapping[str, Guess],
    new: Mapping[str, str],
    nulls: tuple[str, ...],
) -> list[str]:
    """What the words for a missing value do to columns of text, which may mean them."""
    texts = [new[name] for name, one in facts.items() if one.words and guesses[name].type == "varchar"]
    if not nulls or not texts:
        return []
    words = ", ".join(repr(one) for one in nulls)
    return [f"{words} may be in {', '.join(texts)} too, where it becomes null as well"]


def _scalar(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    # a moment that Python has no value for, such as one before the year 1, comes as text
    return None if isinstance(value, str) else float(value)
