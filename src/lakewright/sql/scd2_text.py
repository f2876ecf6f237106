"""The columns of a history by their part in it, and the pieces of SQL text that its statements share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lakewright.sql.names import identifier

__all__ = ["SEEN", "History", "differs", "equal", "listed", "quoted", "same", "with_"]

#: Times of the changes that confirmed a version after its first.
SEEN = "_seen_at"


@dataclass(frozen=True)
class History:
    """What a history is made of: names of columns by their part in it.

    ``others`` are the columns that are not tracked; ``changed_at`` is in none of the other lists.
    ``kind`` is the type of ``valid_from`` and ``now`` the build's time as SQL of that type. ``surrogate``
    is the surrogate key of a dimension.
    """

    keys: tuple[str, ...]
    tracked: tuple[str, ...]
    others: tuple[str, ...]
    hidden: tuple[str, ...]
    changed_at: str | None
    changed_kind: str
    kind: str
    now: str
    detect_deletes: bool
    surrogate: str | None = None

    @property
    def content(self) -> tuple[str, ...]:
        """The columns whose values a version has, beside its key."""
        return (*self.tracked, *self.others)

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of rows as they come."""
        changed = (self.changed_at,) if self.changed_at else ()
        return (*self.keys, *self.content, *changed, *self.hidden)


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return identifier(name).sql("duckdb")


def listed(names: Iterable[str], table: str = "") -> str:
    """Return names as SQL, separated by commas, each of *table* when given."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{quoted(name)}" for name in names)


def same(names: Iterable[str], one: str, other: str) -> str:
    """Return the condition that two relations have equal values in *names*; null equals null."""
    pairs = [f"{one}.{quoted(name)} IS NOT DISTINCT FROM {other}.{quoted(name)}" for name in names]
    return " AND ".join(pairs) or "TRUE"


def equal(names: Iterable[str], one: str, other: str) -> str:
    """Return the condition that two relations have equal values in *names*, none of them null.

    Engines join by it quicker than by :func:`same`, and skip files and row groups by their bounds.
    """
    return " AND ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in names)


def differs(names: Iterable[str], one: str, other: str) -> str:
    """Return the condition that two relations differ in one of *names*."""
    pairs = [f"{one}.{quoted(name)} IS DISTINCT FROM {other}.{quoted(name)}" for name in names]
    return f"({' OR '.join(pairs)})" if pairs else "FALSE"


def with_(ctes: Mapping[str, str], query: str) -> str:
    """Return *query* with its common table expressions before it."""
    return f"WITH {', '.join(f'{name} AS ({text})' for name, text in ctes.items())} {query}"
