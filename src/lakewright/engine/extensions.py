"""Load DuckDB's extensions by path from their wheels: nothing is downloaded when a project runs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from lakewright.errors import LakewrightError

__all__ = ["load", "path_of"]

#: What an extension needs loaded before itself.
_NEEDS = {"iceberg": ("avro", "httpfs"), "aws": ("httpfs",)}


def path_of(name: str) -> Path:
    """Return the file of the extension *name* for the DuckDB that runs.

    Raises LW401 when its wheel is missing or was made for another version of DuckDB.
    """
    package = f"duckdb_extension_{name}"
    wheel = find_spec(package)
    if wheel is None or not wheel.submodule_search_locations:
        raise LakewrightError(
            "LW401", f"DuckDB's extension {name!r} is not installed", tried=[f"module {package}"]
        )
    folder = Path(next(iter(wheel.submodule_search_locations))) / "extensions" / f"v{duckdb.__version__}"
    found = sorted(folder.glob("*.duckdb_extension")) if folder.is_dir() else []
    if not found:
        raise LakewrightError(
            "LW401",
            f"DuckDB's extension {name!r} is installed for another version than DuckDB {duckdb.__version__}",
            tried=[str(folder)],
        )
    return found[0]


def load(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Load the extensions *names*, and what they need, into the connection's instance.

    Loading one twice does nothing. Names are those of the wheels: ``ducklake``, ``sqlite_scanner``,
    ``postgres_scanner``, ``mysql_scanner``, ``iceberg``, ``httpfs``, ``aws``, ``avro``, ``excel``.
    """
    for name in names:
        load(connection, *_NEEDS.get(name, ()))
        quoted = str(path_of(name)).replace("'", "''")
        connection.execute(f"LOAD '{quoted}'")
