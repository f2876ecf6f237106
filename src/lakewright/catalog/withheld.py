"""Lineage for someone who may not see all of it: what is hidden has no name, and links through it stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from lakewright.catalog.graph import ROWS, Edge, LineageGraph

__all__ = ["VIA_HIDDEN", "visible_part"]

#: The transformation of a link that stands for one or more ways through hidden nodes.
VIA_HIDDEN = "VIA HIDDEN"

#: Whether a dataset (``""`` as the column) or one of its columns may be seen.
Shows = Callable[[str, str], bool]


def visible_part(graph: LineageGraph, shows: Shows) -> LineageGraph:
    """Return *graph* with only those nodes that *shows* lets through, and how many there are besides.

    Two nodes that are seen and that hidden ones connect are linked by :data:`VIA_HIDDEN`. The root has to be seen.
    """
    everything = {end for one in graph.edges for end in _ends(one)}
    hidden = {end for end in everything if not shows(*end)}
    starts = {f"{dataset}.{column}" for dataset, column in everything - hidden if column}
    return replace(
        graph,
        up=_part(graph.up, hidden),
        down=_part(graph.down, hidden),
        starts=tuple(one for one in graph.starts if one in starts or one == graph.root),
        hidden=len(hidden),
    )


def _ends(one: Edge) -> tuple[tuple[str, str], tuple[str, str]]:
    """Both ends of a link; the choice of a dataset's rows is the dataset."""
    column = "" if one.downstream_column == ROWS else one.downstream_column
    return (one.upstream, one.upstream_column), (one.downstream, column)


def _part(edges: Iterable[Edge], hidden: set[tuple[str, str]]) -> tuple[Edge, ...]:
    kept: dict[Edge, None] = {}
    onward: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    entries: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for one in edges:
        source, target = _ends(one)
        if source in hidden:
            onward[source].add(target)
        elif target in hidden:
            entries[source].add(target)
        else:
            kept[one] = None
    linked = {_ends(one) for one in kept}
    for source, first in entries.items():
        for target in sorted(_reached(first, onward, hidden) - {source}):
            if (source, target) not in linked:
                kept[Edge(*source, *target, VIA_HIDDEN)] = None
    return tuple(kept)


def _reached(
    first: Iterable[tuple[str, str]],
    onward: dict[tuple[str, str], set[tuple[str, str]]],
    hidden: set[tuple[str, str]],
) -> set[tuple[str, str]]:
    """The nodes that are seen and to which a way leads from *first* through hidden ones alone."""
    found: set[tuple[str, str]] = set()
    passed: set[tuple[str, str]] = set()
    ahead = list(first)
    while ahead:
        here = ahead.pop()
        if here not in hidden:
            found.add(here)
        elif here not in passed:
            passed.add(here)
            ahead += onward.get(here, ())
    return found
