"""Full-text search over catalog entries, ranked by SQLite's FTS5 in memory.

The index is made for each search from the entries themselves: thousands take milliseconds, it can
never be out of date, and the answer is the same whichever database holds the state.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Protocol

__all__ = ["Searchable", "matched", "rank", "words"]

# How much a word counts by where it stands.
_WEIGHTS = {"name": 10.0, "columns": 5.0, "tags": 4.0, "owner": 3.0, "description": 2.0}
_PARTS = tuple(_WEIGHTS)


class _Column(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def pii(self) -> str: ...
    @property
    def classification(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


class Searchable(Protocol):
    """What can be searched: a catalog entry."""

    @property
    def dataset(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def columns(self) -> Sequence[_Column]: ...


def words(text: str) -> list[str]:
    """The words of a text: letters and digits in lower case; ``order_id`` is two words."""
    return re.findall(r"[^\W_]+", text.lower())


def rank(entries: Iterable[Searchable], wanted: Sequence[str], limit: int) -> list[tuple[str, float]]:
    """Return the datasets that hold, for each of *wanted*, a word that starts so; best first, with the rank."""
    texts = {one.dataset: _texts(one) for one in entries}
    if not wanted:
        return []
    found = (_with_index if _has_index() else _without_index)(texts, wanted)
    return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]


def matched(entry: Searchable, wanted: Sequence[str]) -> tuple[str, ...]:
    """Name the parts of *entry* where the words stand: ``name``, ``owner``, ``column email``, …"""
    found = [part for part, text in _texts(entry).items() if part != "columns" and _holds(text, wanted)]
    found += [f"column {one.name}" for one in entry.columns if _holds(_column_text(one), wanted)]
    return tuple(found)


def _holds(text: str, wanted: Sequence[str]) -> bool:
    return any(word.startswith(one) for word in words(text) for one in wanted)


def _texts(entry: Searchable) -> dict[str, str]:
    texts = {
        "name": entry.dataset,
        "columns": " ".join(map(_column_text, entry.columns)),
        "tags": " ".join(entry.tags),
        "owner": entry.owner,
        "description": entry.description,
    }
    # given in our words, so that the engine cuts them no other way
    return {part: " ".join(words(text)) for part, text in texts.items()}


def _column_text(column: _Column) -> str:
    return " ".join((column.name, column.description, column.pii, column.classification, *column.tags))


def _has_index() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        return _create(connection)


def _create(connection: sqlite3.Connection) -> bool:
    try:
        # accents stay, as in the words compared without an index
        connection.execute(
            f"CREATE VIRTUAL TABLE entries USING fts5(dataset UNINDEXED, {', '.join(_PARTS)}, "
            "tokenize = 'unicode61 remove_diacritics 0')"
        )
    except sqlite3.OperationalError:  # a build of SQLite without FTS5
        return False
    return True


def _with_index(texts: dict[str, dict[str, str]], wanted: Sequence[str]) -> list[tuple[str, float]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        _create(connection)
        marks = ", ".join("?" for _ in range(len(_PARTS) + 1))
        rows = [(dataset, *(parts[part] for part in _PARTS)) for dataset, parts in texts.items()]
        connection.executemany(f"INSERT INTO entries VALUES ({marks})", rows)  # noqa: S608 - question marks
        weights = ", ".join(str(_WEIGHTS[part]) for part in _PARTS)
        # words are letters and digits only, so quotes are enough around them
        query = " ".join(f'"{one}"*' for one in wanted)
        found = connection.execute(
            f"SELECT dataset, -bm25(entries, 0.0, {weights}) FROM entries WHERE entries MATCH ?",  # noqa: S608
            (query,),
        )
        return [(str(dataset), float(value)) for dataset, value in found]


def _without_index(texts: dict[str, dict[str, str]], wanted: Sequence[str]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for dataset, parts in texts.items():
        cut = {part: text.split() for part, text in parts.items()}
        ranks = [
            sum(_WEIGHTS[part] for part in _PARTS if any(word.startswith(one) for word in cut[part]))
            for one in wanted
        ]
        if all(ranks):
            found.append((dataset, sum(ranks)))
    return found
