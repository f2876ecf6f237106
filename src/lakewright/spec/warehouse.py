"""What ``warehouses/<name>.yaml`` says: tables and views that a warehouse serves, published as one."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Spec

__all__ = ["Warehouse", "WarehouseRole", "WarehouseTable", "WarehouseView"]


class WarehouseTable(Spec, frozen=True, kw_only=True):
    """A table of the warehouse: the rows of ``dataset``, or what ``sql`` makes of other tables there.

    ``replace`` loads the whole table beside the one that is served and swaps the two; ``upsert`` sends
    the batches that are new and writes them by ``keys`` (the dataset's without). ``columns`` limits
    the columns. ``indexes`` are columns, or lists of columns, beside those of keys.
    """

    dataset: str | None = None
    sql: str | None = None
    mode: Literal["replace", "upsert"] = "replace"
    keys: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    indexes: tuple[str | tuple[str, ...], ...] = ()
    description: str = ""


class WarehouseView(Spec, frozen=True, kw_only=True):
    """A view over tables of the warehouse; ``materialized`` keeps its rows, made anew with each load."""

    sql: str
    materialized: bool = False
    description: str = ""


class WarehouseRole(Spec, frozen=True, kw_only=True):
    """What a role of the warehouse may read: ``tables`` and views (``*`` is all), and of a table only some ``rows``."""

    tables: tuple[str, ...]
    rows: dict[str, str] = {}


class Warehouse(Spec, frozen=True, kw_only=True):
    """A warehouse: ``duckdb:<file>``, ``postgresql://…`` or ``mysql://…``.

    ``schema`` holds everything that is published, and should hold nothing else; by default it has the
    warehouse's name in PostgreSQL, and is ``main`` in a DuckDB file. In MySQL it is the database of the
    address. SQL is written as in datasets and names tables without a schema.
    """

    connection: str
    tables: dict[str, str | WarehouseTable]
    schema: str | None = None
    views: dict[str, str | WarehouseView] = {}
    roles: dict[str, WarehouseRole] = {}
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["duckdb", "postgres", "mysql"] | None:
        """What ``connection`` leads to; None where it is a secret as a whole."""
        match self.connection.partition(":")[0]:
            case "duckdb":
                return "duckdb"
            case "postgres" | "postgresql":
                return "postgres"
            case "mysql" | "mariadb":
                return "mysql"
        return None

    @property
    def all_tables(self) -> dict[str, WarehouseTable]:
        """``tables`` with each in its long form."""
        return {
            name: WarehouseTable(dataset=one) if isinstance(one, str) else one
            for name, one in self.tables.items()
        }

    @property
    def all_views(self) -> dict[str, WarehouseView]:
        """``views`` with each in its long form."""
        return {
            name: WarehouseView(sql=one) if isinstance(one, str) else one for name, one in self.views.items()
        }

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it is filled from."""
        return tuple(dict.fromkeys(one.dataset for one in self.all_tables.values() if one.dataset))
