"""The platform's own memory: one SQL database that holds runs, manifests, results and versions."""

from lakewright.state.db import SCHEMA_VERSION, State, metadata, now
from lakewright.state.types import UtcTime

__all__ = ["SCHEMA_VERSION", "State", "UtcTime", "metadata", "now"]
