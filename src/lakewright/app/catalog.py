"""`catalog`: what there is, and what is known of it."""

from __future__ import annotations

from typing import Any

from lakewright.app.platform import Platform
from lakewright.catalog import entries as catalog
from lakewright.catalog.entries import Entry

__all__ = ["column_rows", "entries", "entry", "facts", "search"]


def entries(platform: Platform) -> list[Entry]:
    """Return an entry for each dataset of the project, by zone and name."""
    _sync(platform)
    return catalog.entries(platform.state)


def entry(platform: Platform, dataset: str) -> Entry:
    """Return the entry of one dataset. Raises LW901 or LW705 when there is none."""
    _sync(platform)
    return catalog.entry(platform.state, platform.dataset_id(dataset))


def search(platform: Platform, text: str) -> list[Entry]:
    """Return the entries that hold the words of *text* in names, columns, tags, owners or descriptions, best first."""
    _sync(platform)
    return [one.entry for one in catalog.search(platform.state, text)]


def facts(entry: Entry) -> list[tuple[str, Any]]:
    """Return what is known of *entry*, as names and values for people; what is not known is left out."""
    found: list[tuple[str, Any]] = [
        ("dataset", entry.dataset),
        ("description", entry.description),
        ("owner", entry.owner),
        ("tags", ", ".join(entry.tags)),
        ("location", entry.location),
        ("format", entry.format),
        ("partitions", ", ".join(entry.partition_by)),
        ("rows", f"{entry.rows:,}" if entry.rows is not None else ""),
        ("bytes", f"{entry.bytes:,}" if entry.bytes is not None else ""),
        ("files", f"{entry.files:,}" if entry.files is not None else ""),
        ("score", f"{100 * entry.score:.2f} %" if entry.score is not None else ""),
        ("schema version", entry.schema_version or ""),
        ("batch", entry.batch or ""),
        ("run", entry.run_id),
        ("updated", entry.updated.isoformat(sep=" ", timespec="seconds") if entry.updated else ""),
        ("upstream", ", ".join(entry.upstream)),
        ("downstream", ", ".join(entry.downstream)),
    ]
    return [(name, value) for name, value in found if value != ""]


def column_rows(entry: Entry) -> list[tuple[str, str, str, str, str]]:
    """Return the columns of *entry* as lines: name, type, description, what is personal, tags."""
    return [
        (one.name + (" (key)" if one.key else ""), one.type, one.description, one.pii, ", ".join(one.tags))
        for one in entry.columns
    ]


def _sync(platform: Platform) -> None:
    reads = {id: node.reads for id, node in platform.graph.nodes.items()}
    catalog.sync(platform.state, platform.project, reads)
