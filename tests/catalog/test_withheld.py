"""Lineage of which a part is hidden: no name of it is left, and what is linked stays linked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakewright.catalog.graph import Edge, LineageGraph
from lakewright.catalog.withheld import VIA_HIDDEN, visible_part

NODES = [f"z.d{number}" for number in range(7)]


def reachable(edges: tuple[Edge, ...], start: str) -> set[str]:
    """The nodes that a way leads to from *start*."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        here = ahead.pop()
        for one in edges:
            if one.source == here and one.target not in found:
                found.add(one.target)
                ahead.append(one.target)
    return found


@given(
    st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=20),
    st.sets(st.sampled_from(NODES[1:])),
)
def test_what_is_seen_is_linked_as_before_and_the_rest_has_no_name(
    links: list[tuple[str, str]], hidden: set[str]
) -> None:
    edges = tuple(Edge(a, "", b, "") for a, b in dict.fromkeys(links) if a != b)
    graph = LineageGraph(NODES[0], (), edges)
    seen = visible_part(graph, lambda dataset, _: dataset not in hidden)
    assert not hidden & set(seen.nodes)
    assert not any(
        one in form for one in hidden for form in (seen.tree(), seen.dot(), seen.mermaid(), str(seen.data))
    )
    assert seen.hidden == len(hidden & set(graph.nodes))
    for one in set(graph.nodes) - hidden:
        assert reachable(seen.edges, one) - {one} == reachable(edges, one) - hidden - {one}
    direct = {(one.source, one.target) for one in seen.edges if one.transformation != VIA_HIDDEN}
    assert direct == {(one.source, one.target) for one in edges if not {one.source, one.target} & hidden}


def test_columns_and_the_choice_of_rows() -> None:
    graph = LineageGraph(
        "a.t",
        (
            Edge("a.s", "k", "a.t", "*", "FILTER"),
            Edge("a.s", "secret", "a.t", "*", "FILTER"),
            Edge("a.r", "x", "a.s", "secret", "IDENTITY"),
            Edge("a.s", "secret", "a.t", "x", "TRANSFORMATION", True),
        ),
        (),
        ("a.t.x", "a.t.gone"),
    )
    seen = visible_part(graph, lambda _, column: column not in ("secret", "gone"))
    assert [(one.source, one.target, one.transformation) for one in seen.up] == [
        ("a.s.k", "a.t", "FILTER"),
        ("a.r.x", "a.t", VIA_HIDDEN),
        ("a.r.x", "a.t.x", VIA_HIDDEN),
    ]
    assert (seen.starts, seen.hidden) == (("a.t.x",), 1)
    assert seen.data["hidden"] == 1
    assert seen.tree().endswith("and 1 that may not be seen")
    assert "via hidden" in seen.mermaid()
