"""The platform's own memory: one SQL database that holds runs, manifests, results and versions."""

from lakewright.state.db import State, metadata, now

__all__ = ["State", "metadata", "now"]
