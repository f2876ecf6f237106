"""What a profile holds: figures about each column of a table, ready to be kept, trended and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

__all__ = ["Bin", "ColumnProfile", "Group", "Profile", "Value"]

Group = Literal["number", "time", "text", "boolean", "list", "nested", "binary", "other"]


@dataclass(frozen=True)
class Value:
    """One of the most frequent values, as text, and in how many rows it is."""

    value: str
    count: int


@dataclass(frozen=True)
class Bin:
    """Rows whose value is above ``low`` (from it on, in the first bin) up to ``high``; times in epoch seconds."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ColumnProfile:
    """Figures about one column; what makes no sense for its type, or was not to be had, is None or empty.

    ``nulls``, ``minimum``, ``maximum``, ``mean``, ``not_a_number``, ``infinite``, ``empty`` and the lengths
    (characters, bytes or elements) are exact and of all rows; ``mean`` leaves out not-a-number and infinities.
    ``distinct`` is approximate (HyperLogLog, within a few percent), never more than there are values.
    ``quantiles`` (5, 25, 50, 75, 95 percent) are approximate too (t-digest); those of times are
    epoch seconds. ``top`` and ``histogram`` count rows of the profile's sample.
    """

    name: str
    type: str
    group: Group
    rows: int
    nulls: int
    distinct: int
    minimum: str | None = None
    maximum: str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: dict[str, float] = field(default_factory=dict)
    top: tuple[Value, ...] = ()
    histogram: tuple[Bin, ...] = ()
    shortest: int | None = None
    longest: int | None = None
    mean_length: float | None = None
    not_a_number: int = 0
    infinite: int = 0
    empty: int = 0

    @property
    def null_share(self) -> float:
        """The share of rows without a value, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Profile:
    """A table's profile. ``sampled`` is how many of ``rows`` the quantiles, top values and histograms are of."""

    rows: int
    sampled: int
    columns: tuple[ColumnProfile, ...]

    def metrics(self) -> dict[str, float]:
        """Return the figures to watch from run to run, by name (``rows``, ``email.null_share``, ``total.mean``, …)."""
        return dict(self._metrics())

    def _metrics(self) -> Iterator[tuple[str, float]]:
        yield "rows", float(self.rows)
        for one in self.columns:
            yield f"{one.name}.null_share", one.null_share
            if one.mean is not None:
                yield f"{one.name}.mean", one.mean
            if one.deviation is not None:
                yield f"{one.name}.deviation", one.deviation
            if one.mean_length is not None:
                yield f"{one.name}.mean_length", one.mean_length

    def to_json(self) -> str:
        """Return the profile as JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes | Mapping[str, Any]) -> Profile:
        """Read what :meth:`to_json` wrote."""
        if isinstance(text, Mapping):
            return msgspec.convert(text, cls)
        return msgspec.json.decode(text, type=cls)
