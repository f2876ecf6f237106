"""What a dataset says of its part in a star schema: a dimension, or a fact that refers to dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lakewright.spec.base import Spec

__all__ = ["DateDimension", "Dimension", "Fact", "LocationDimension", "Lookup"]

Scalar = str | int | float | bool


class DateDimension(Spec, frozen=True, kw_only=True):
    """A dimension of days, made from these settings alone; ``from_`` and ``to`` are ISO dates, both included.

    The fiscal year starts with the month ``fiscal_year_starts`` and has the number of the calendar year
    in which it ends. ``holidays`` is an ISO 3166 country, with a subdivision where wanted: ``DE``, ``US-CA``.
    ``language`` is that of the holidays' names, as far as the holidays' library knows it.
    """

    from_: str = "2000-01-01"
    to: str = "2049-12-31"
    fiscal_year_starts: int = 1
    holidays: str | None = None
    language: str | None = None


class LocationDimension(Spec, frozen=True, kw_only=True):
    """A dimension of places. Without ``from_`` a list of ISO 3166: countries, or with ``level`` their subdivisions.

    With it, the places that the dataset ``from_`` mentions in its columns ``country``, ``region`` and ``city``, as they are
    spelled there, with the country and the subdivision that each means.
    """

    from_: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    level: Literal["country", "subdivision"] = "country"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the natural key."""
        if self.from_ is None:
            return ("country_code",) if self.level == "country" else ("subdivision_code",)
        return tuple(one for one in ("country", "region", "city") if getattr(self, one) is not None)


class Dimension(Spec, frozen=True, kw_only=True):
    """Makes a dataset a dimension: its rows are members with a surrogate key, beside the ones for no member.

    ``key`` names the surrogate key, by default the dataset's name without ``dim_`` and with ``_key``.
    History is the write mode: ``merge`` overwrites a member (type 1), ``scd2`` keeps its versions
    (type 2). ``unknown`` and ``not_applicable`` give values of the two members that stand for none,
    by column.
    """

    key: str | None = None
    unknown: dict[str, Scalar] = {}
    not_applicable: dict[str, Scalar] = {}
    date: DateDimension | None = None
    location: LocationDimension | None = None

    @property
    def generated(self) -> bool:
        """Whether its rows are made by a query that follows from its settings."""
        return self.date is not None or self.location is not None

    @property
    def complete(self) -> bool:
        """Whether it has all members that there can be, so that facts add none."""
        return self.date is not None or (self.location is not None and self.location.from_ is None)


class Lookup(Spec, frozen=True, kw_only=True):
    """How a fact finds its member in ``dimension``.

    ``on`` maps columns of the fact to the natural key of the dimension; without it they have the same
    names. ``at`` is the column with the time for which a version is looked up, by default the
    fact's. A member that is not there yet is added (``infer``) to be completed when it comes, or
    the fact refers to the unknown one until then (``unknown``).
    """

    dimension: str
    on: dict[str, str] = {}
    at: str | None = None
    missing: Literal["infer", "unknown"] = "infer"

    def columns(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the natural *keys* of the dimension, each with the column of the fact that holds it."""
        here = {there: name for name, there in self.on.items()}
        return {key: here.get(key, key) for key in keys}


class Fact(Spec, frozen=True, kw_only=True):
    """Makes a dataset a fact: each of ``dimensions`` is a column with the surrogate key of a member.

    ``at`` is the column with the time of the event, by which a version of a member is chosen.
    """

    dimensions: dict[str, str | Lookup]
    at: str | None = None

    @property
    def lookups(self) -> dict[str, Lookup]:
        """``dimensions`` with every look-up in its long form."""
        return {
            name: Lookup(dimension=one) if isinstance(one, str) else one
            for name, one in self.dimensions.items()
        }
