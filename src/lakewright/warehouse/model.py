"""What is loaded into a warehouse, as values, and what every kind of warehouse offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

if TYPE_CHECKING:
    import duckdb

__all__ = ["LOADS", "Load", "Reference", "Role", "Served", "Table", "Target", "View"]

#: The table of a warehouse that says what is served, and from which batches.
LOADS = "lakewright_loads"


@dataclass(frozen=True)
class Reference:
    """A foreign key: *column* of a table refers to *key* of *table*."""

    column: str
    table: str
    key: str


@dataclass(frozen=True)
class Table:
    """A table to load: rows of the lake (``rows``), or what ``sql`` makes of other tables of the warehouse.

    ``columns`` maps names to the DuckDB types that the rows arrive in. ``key`` is the primary key, empty
    for none. With ``upsert`` the rows are new ones, written by ``key`` into the table that is served.
    """

    name: str
    columns: Mapping[str, str]
    rows: exp.Query | None = None
    sql: exp.Query | None = None
    key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    upsert: bool = False
    dataset: str = ""
    batch: int = 0
    comment: str = ""


@dataclass(frozen=True)
class View:
    """A view to make; ``materialized`` keeps its rows."""

    name: str
    query: exp.Query
    materialized: bool = False
    comment: str = ""


@dataclass(frozen=True)
class Role:
    """What a role may read: tables and views by name, and of a table only the rows that fulfil a condition."""

    name: str
    reads: tuple[str, ...]
    rows: Mapping[str, exp.Expr] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """One load: everything that the warehouse serves after it, tables in an order in which each can be made.

    ``fingerprint`` is that of the warehouse's definition.
    """

    tables: Sequence[Table]
    views: Sequence[View]
    roles: Sequence[Role]
    run_id: str
    at: datetime
    fingerprint: str

    @property
    def names(self) -> list[str]:
        """The names of all tables and views."""
        return [*(one.name for one in self.tables), *(one.name for one in self.views)]

    @property
    def adds(self) -> bool:
        """Whether rows go into tables that are served, so that what is made of them must wait for the end."""
        return any(one.upsert for one in self.tables)


@dataclass(frozen=True)
class Served:
    """What a warehouse serves now: the batch of each table's dataset, the objects that are ours, the definition."""

    batches: Mapping[str, int] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""


class Target(Protocol):
    """A warehouse that is connected."""

    def served(self) -> Served:
        """Return what it serves."""

    def load(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """Publish *load*, whose rows *cursor* reads; return the rows sent by table.

        Readers see all of it or nothing, and what was served before until then. Raises WarehouseError.
        """

    def figures(self, name: str, wanted: Sequence[exp.Expr]) -> tuple[object, ...] | None:
        """Return the values of aggregates over the table or view *name*; None when there is none."""

    def rewrite(self) -> None:
        """Write what is served anew, where rows that were deleted could still be found in its files."""

    def cancel(self) -> None:
        """Stop a load that is going on, from another thread."""

    def close(self) -> None:
        """Let go of the connection."""
