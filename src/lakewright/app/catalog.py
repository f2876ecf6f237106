"""`catalog`: what there is, and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lakewright.app.platform import Platform, Restricted
from lakewright.catalog import entries as catalog
from lakewright.catalog.entries import Entry

if TYPE_CHECKING:
    from lakewright.app.caller import Caller

__all__ = ["column_rows", "entries", "entry", "facts", "search"]


def entries(platform: Platform) -> list[Entry]:
    """Return an entry for each dataset of the project, by zone and name; for a role, as much as it may know."""
    if isinstance(platform, Restricted):
        caller = platform.caller
        return [_known_to(caller, one) for one in entries(platform.owner) if caller.rights.reads(one.dataset)]
    _sync(platform)
    return catalog.entries(platform.state)


def entry(platform: Platform, dataset: str) -> Entry:
    """Return the entry of one dataset. Raises LW901 or LW705 when there is none."""
    id = platform.dataset_id(dataset)
    if isinstance(platform, Restricted):
        return _known_to(platform.caller, entry(platform.owner, id))
    _sync(platform)
    return catalog.entry(platform.state, id)


def search(platform: Platform, text: str) -> list[Entry]:
    """Return the entries that hold the words of *text* in names, columns, tags, owners or descriptions, best first."""
    if isinstance(platform, Restricted):
        # by what the role knows: what is hidden must not be found by guessing
        return [hit.entry for hit in catalog.found_among(entries(platform), text)]
    _sync(platform)
    return [one.entry for one in catalog.search(platform.state, text)]


def _known_to(caller: Caller, one: Entry) -> Entry:
    """*one* without hidden columns, without figures of rows that the caller may not see, and without places of files."""
    seen = caller.sees(one.dataset, [column.name for column in one.columns])
    limited = bool(caller.rights.conditions(one.dataset))
    return replace(
        one,
        columns=tuple(column for column in one.columns if seen[column.name] != "hidden"),
        partition_by=tuple(text for text in one.partition_by if _mentions_only(text, seen)),
        sort_by=tuple(text for text in one.sort_by if _mentions_only(text, seen)),
        location="",
        score=None if limited else one.score,
        rows=None if limited else one.rows,
        bytes=None if limited else one.bytes,
        files=None if limited else one.files,
        upstream=tuple(id for id in one.upstream if caller.rights.reads(id)),
        downstream=tuple(id for id in one.downstream if caller.rights.reads(id)),
    )


def _mentions_only(text: str, seen: Mapping[str, str]) -> bool:
    """Whether a partition or order names no column that is hidden."""
    words = {one.lower() for one in re.findall(r"\w+", text)}
    return not words & {name.lower() for name, how in seen.items() if how == "hidden"}


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
