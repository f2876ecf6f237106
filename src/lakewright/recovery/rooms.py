"""The rooms that keep something in the state database: their tables are known once they are imported."""

from __future__ import annotations

from importlib import import_module

__all__ = ["MODULES", "table_names"]

#: Every module that defines a table of the state; a test compares it with the sources.
MODULES = (
    "lakewright.catalog.entries",
    "lakewright.catalog.graph",
    "lakewright.catalog.outbox",
    "lakewright.catalog.schemas",
    "lakewright.erase.journal",
    "lakewright.erase.raw",
    "lakewright.lake.archive",
    "lakewright.lake.holds",
    "lakewright.quality.results",
    "lakewright.recovery.checksums",
    "lakewright.recovery.history",
    "lakewright.run.lease",
    "lakewright.run.loads",
    "lakewright.run.record",
    "lakewright.run.tables",
    "lakewright.security.audit",
    "lakewright.security.forgotten",
    "lakewright.security.keys",
    "lakewright.security.vault",
    "lakewright.sources.capture.positions",
    "lakewright.sources.database.positions",
    "lakewright.sources.manifest",
    "lakewright.sources.positions",
    "lakewright.sources.retired",
    "lakewright.state.db",
)


def table_names() -> list[str]:
    """Return the names of all tables that the state may have."""
    from lakewright.state import metadata

    for one in MODULES:
        import_module(one)
    return sorted(metadata.tables)
