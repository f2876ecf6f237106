"""`lineage`: where a dataset or a column comes from, and what is made of it."""

from __future__ import annotations

from typing import Literal, cast

from lakewright.app.platform import Platform, Restricted
from lakewright.catalog import entries as catalog
from lakewright.catalog.graph import LineageGraph, follow

__all__ = ["LineageGraph", "lineage"]


def lineage(
    platform: Platform,
    name: str,
    *,
    direction: str = "both",
    columns: bool = False,
    indirect: bool = False,
) -> LineageGraph:
    """Return the lineage of ``zone.name`` or ``zone.name.column``.

    With *columns*, that of every column of the dataset. With *indirect*, columns that only decide
    about rows (joins, filters) count too. Raises LW705 when nothing is known of it. A role sees what its catalog
    names; other nodes are counted, and links through them kept as such.
    """
    if isinstance(platform, Restricted):
        from lakewright.app.permitted import permitted_lineage

        return permitted_lineage(platform, name, direction=direction, columns=columns, indirect=indirect)
    reads = {id: node.reads for id, node in platform.graph.nodes.items()}
    catalog.sync(platform.state, platform.project, reads)
    parts = name.split(".", 2)
    column: str | None = "*" if columns else None
    if len(parts) == 3:
        dataset, column = platform.dataset_id(f"{parts[0]}.{parts[1]}"), parts[2]
    else:
        dataset = platform.dataset_id(name)
    way = cast(Literal["up", "down", "both"], direction)
    return follow(platform.state, dataset, column, direction=way, indirect=indirect)
