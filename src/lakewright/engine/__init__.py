"""Sessions that run statements: DuckDB in process, with its extensions taken from their wheels."""

from lakewright.engine.errors import ConflictError, explain, is_conflict
from lakewright.engine.extensions import load
from lakewright.engine.session import Session

__all__ = ["ConflictError", "Session", "explain", "is_conflict", "load"]
