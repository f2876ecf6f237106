"""Connect to a warehouse by its address."""

from __future__ import annotations

from pathlib import Path

from lakewright.errors import UsageError
from lakewright.warehouse.model import Target

__all__ = ["open_target"]


def open_target(connection: str, schema: str, *, root: Path) -> Target:
    """Connect to the warehouse at *connection*, secrets resolved; *root* is where relative files lie.

    Raises WarehouseError LW851 when it cannot be reached, LW852 when its driver is not installed.
    """
    kind, _, rest = connection.partition(":")
    if kind == "duckdb":
        from lakewright.warehouse.duckdb_file import DuckDBFile

        return DuckDBFile(root / rest, schema)
    if kind in ("postgres", "postgresql"):
        from lakewright.warehouse.postgres import Postgres

        return Postgres(connection, schema)
    if kind in ("mysql", "mariadb"):
        from lakewright.warehouse.mysql import MySQL

        return MySQL(connection)
    raise UsageError("LW856", f"a warehouse cannot be at {kind!r}")
