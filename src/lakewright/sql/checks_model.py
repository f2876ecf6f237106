"""What a compiled check is: one rule of a dataset as trees that an engine can run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlglot import exp

from lakewright.errors import Problem, Where
from lakewright.spec.base import Severity

__all__ = ["BITS", "THIS", "Check", "Scope", "bits_of", "problem", "row_checks", "stops"]

#: Row checks in one BIGINT: the sign bit stays free and so do a few for rounding errors of other engines.
BITS = 60

#: The table that a check's ``query`` reads: the rows that are judged.
THIS = "_this"

Scope = Literal["row", "key", "dataset"]


@dataclass(frozen=True)
class Check:
    """One compiled check.

    ``id`` is unique within the dataset and stable between runs (``quantity.min``); ``sentence``
    says in words what must hold. By ``scope``:

    * ``row``: a row for which ``violated`` is TRUE breaks the check; NULL and FALSE are fine.
    * ``key``: ``columns`` together must be unique among rows where none of them is null.
    * ``dataset``: ``measure`` is an aggregate over the rows, judged by ``minimum`` and ``maximum``
      (inclusive, unless ``open_low`` or ``open_high``); or, with ``mostly``, ``violated`` is counted and at
      least that share of the rows for which ``judged`` is TRUE (all by default) must not break it. What no
      single aggregate can tell is a ``query`` over the table :data:`THIS`: one row with ``_n``, the measure
      or the number of violations, and ``_of``, the number of rows judged.

    ``private``: the measure may be a personal value, so it is judged but not shown or kept.
    """

    id: str
    kind: str
    columns: tuple[str, ...]
    severity: Severity
    sentence: str
    scope: Scope
    violated: exp.Expr | None = None
    measure: exp.Expr | None = None
    query: exp.Select | None = None
    judged: exp.Expr | None = None
    minimum: float | int | str | datetime | None = None
    maximum: float | int | str | None = None
    open_low: bool = False
    open_high: bool = False
    mostly: float | None = None
    private: bool = False


def row_checks(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return the checks of single rows, in the order of their bits."""
    return tuple(check for check in checks if check.scope == "row")


def bits_of(checks: tuple[Check, ...]) -> dict[str, tuple[int, int]]:
    """Return for each row check's id the number of its bitmask column and its bit in there."""
    return {check.id: divmod(index, BITS) for index, check in enumerate(row_checks(checks))}


def stops(check: Check) -> bool:
    """Whether a violation keeps a row from being published, or fails the dataset."""
    return check.severity != "warn"


def problem(code: str, message: str, place: str | tuple[str, int], remedy: str = "") -> Problem:
    """Return a problem at a file, or a file and line."""
    where = Where(place) if isinstance(place, str) else Where(*place)
    return Problem(code, message, where, remedy=remedy)
