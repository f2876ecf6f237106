"""DuckDB's own parser, asked before anything runs: SQLGlot forgives what DuckDB does not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["syntax_error", "syntax_tree"]

_PLACE = re.compile(r"\n\s*LINE (\d+): ")


def syntax_error(text: str) -> tuple[str, int] | None:
    """Return what is wrong in *text*, SQL of any length, and the line (from 1); None when DuckDB can parse it."""
    import duckdb

    try:
        duckdb.extract_statements(text)
    except duckdb.Error as error:
        said = str(error)
        place = _PLACE.search(said)
        line = int(place[1]) if place else len(text.rstrip().splitlines()) or 1
        what = said.split("\n", 1)[0].removeprefix("Parser Error: ")
        return what, line
    return None


def syntax_tree(cursor: DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    """Return *query* as DuckDB's own parser understands it; None where DuckDB cannot show it, as for PIVOT."""
    row = cursor.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    return None if tree.get("error", True) else tree
