"""Count what a survey states about columns, over all rows: values that convert, different ones, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.sources.guess_types import NULL_WORDS, Facts, Guess
from lakewright.sql.cast import conversion
from lakewright.sql.names import column, identifier, literal

if TYPE_CHECKING:
    import duckdb

__all__ = ["FLOATS", "KEY_NAME", "Figures", "figures_of", "null_words", "quoted", "sampled", "some_values"]

#: What columns that identify something are called.
KEY_NAME = re.compile(r"(?:.*_)?(?:id|key|no|nr|number|code|uuid|guid|sku|isbn|ean|symbol)\Z|.*id\Z")
#: DuckDB's types of binary fractions.
FLOATS = ("FLOAT", "DOUBLE")

_RANGED = re.compile(
    r"u?(tiny|small|big|huge)?int(eger)?|decimal(\(.*\))?|double|float|real|date|timestamp.*(?<!\])"
)
_VALUES = 20
_SEEN = 500
#: Columns per statement.
_WIDTH = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of one column: values ``given``, those of them that convert (``filled``), different ones
    (None: not counted), the range, and all values of a column with few.
    """  # fmt: skip

    given: int
    filled: int
    distinct: int | None
    low: Any
    high: Any
    values: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Values that do not convert."""
        return self.given - self.filled


def sampled(
    relation: str, guesses: Mapping[str, Guess], cursor: duckdb.DuckDBPyConnection
) -> dict[str, tuple[int, int]]:
    """Return how many values, and how many different ones, each column of the sample has."""
    result: dict[str, tuple[int, int]] = {}
    for some in _batches(guesses):
        parts = [
            part
            for name in some
            for part in (f"count({quoted(name)})", _different(quoted(name), guesses[name].type))
        ]
        row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
        result |= {name: (row[2 * place], row[2 * place + 1]) for place, name in enumerate(some)}
    return result


def figures_of(
    relation: str,
    guesses: Mapping[str, Guess],
    kinds: Mapping[str, str],
    nulls: Sequence[str],
    sample: Mapping[str, tuple[int, int]],
    cursor: duckdb.DuckDBPyConnection,
    *,
    whole: bool,
) -> dict[str, Figures]:
    """Return the figures of the columns of *guesses* over all rows of *relation*.

    *kinds* are the types they come with. Values are converted exactly as a run converts them.
    Different values are counted where they can matter: for a key, or a small set; in a table that
    is as small as its sample (*whole*), always.
    """
    result: dict[str, Figures] = {}
    for some in _batches(guesses):
        parts: list[str] = []
        for name in some:
            found = guesses[name]
            given, value = _values(name, found, kinds[name], nulls)
            filled, distinct = sample[name]
            likely = filled == distinct or (KEY_NAME.match(name.lower()) and distinct >= 0.95 * filled)
            few = found.type == "varchar" and 2 <= distinct <= _VALUES and filled >= 2 * distinct
            ranged = _RANGED.fullmatch(found.type.lower())
            parts += [
                f"count({given})",
                f"count({value})",
                _different(value, found.type) if whole or likely else "NULL",
                f"min({value})" if ranged else "NULL",
                f"max({value})" if ranged else "NULL",
                f"list_sort(list(DISTINCT {value}))" if few else "NULL",
            ]
        row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
        for place, name in enumerate(some):
            given_count, filled, different, low, high, values = row[place * 6 : place * 6 + 6]
            listed = tuple(one for one in values or () if one is not None)
            result[name] = Figures(
                given_count,
                filled,
                len(listed) if listed and different is None else different,
                low,
                high,
                listed if len(listed) <= _VALUES else (),
            )
    return result


def null_words(
    relation: str,
    facts: Mapping[str, Facts],
    guesses: Mapping[str, Guess],
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[str, ...]:
    """Return the texts that stand for a missing value in columns that otherwise have a type of their own."""
    typed = [name for name, one in facts.items() if one.words and guesses[name].type != "varchar"]
    if not typed:
        return ()
    words = ", ".join(literal(word).sql("duckdb") for word in NULL_WORDS)
    query = " UNION ".join(
        f"SELECT DISTINCT {quoted(name)} AS word FROM {relation} WHERE lower(trim({quoted(name)})) IN ({words})"  # noqa: S608
        for name in typed
    )
    return tuple(sorted(row[0] for row in cursor.execute(query).fetchall()))


def some_values(
    relation: str, names: Iterable[str], cursor: duckdb.DuckDBPyConnection
) -> dict[str, list[str]]:
    """Return some different values of each column, as text, none of them very long."""
    result: dict[str, list[str]] = {}
    for some in _batches(names):
        parts = ", ".join(f"list(DISTINCT left(CAST({quoted(name)} AS VARCHAR), 500))" for name in some)
        row = cursor.execute(f"SELECT {parts} FROM (SELECT * FROM {relation} LIMIT 5000)").fetchall()[0]  # noqa: S608
        for name, values in zip(some, row, strict=True):
            result[name] = [one for one in values or () if one is not None][:_SEEN]
    return result


def quoted(name: str) -> str:
    """Return *name* as an identifier in SQL text."""
    return identifier(name).sql("duckdb")


def _values(name: str, found: Guess, kind: str, nulls: Sequence[str]) -> tuple[str, str]:
    """The value as it comes, null where it is missing, and converted; both as SQL text."""
    given: exp.Expr = column(name)
    text = kind == "VARCHAR"
    if text and nulls:
        words = exp.In(this=given.copy(), expressions=[literal(word) for word in nulls])
        given = exp.Case().when(exp.not_(words), given)
    if text and found.type != "varchar":
        blank = exp.Trim(this=given.copy())
        given = exp.Case().when(exp.NEQ(this=blank, expression=literal("")), given)
    value = given
    if (text and found.type != "varchar") or (kind in FLOATS and found.type.startswith("decimal")):
        how = conversion(name, kind, found.type, format=found.format)
        if how is not None:
            value = how.inlined({name: given})
    converted = value.sql("duckdb")
    if kind in FLOATS and found.type.startswith("decimal"):
        # a run rounds a number with a type of its own; a decimal that would is the wrong guess
        converted = f"CASE WHEN CAST({converted} AS {kind}) = {quoted(name)} THEN {converted} END"
    return given.sql("duckdb"), converted


def _different(value: str, kind: str) -> str:
    return f"count(DISTINCT hash({value}))" if _nested(kind) else f"count(DISTINCT {value})"


def _nested(kind: str) -> bool:
    lower = kind.lower()
    return lower == "json" or lower.endswith("]") or lower.startswith(("struct", "map", "union"))


def _batches(names: Iterable[str]) -> Iterable[list[str]]:
    listed = list(names)
    for start in range(0, len(listed), _WIDTH):
        yield listed[start : start + _WIDTH]
