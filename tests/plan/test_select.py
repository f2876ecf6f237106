"""Selection: every way to choose datasets, and the laws that choosing obeys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.errors import NotFoundError, UsageError
from lakewright.plan.graph import Graph, Node
from lakewright.plan.select import select
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.project import Defaults, Project, ProjectFile
from lakewright.spec.sources import FileDataset, FileSource


def _dataset(id: str, **options: object) -> Dataset:
    zone, name = id.split(".")
    return Dataset(zone=zone, name=name, file=DatasetFile(**options), path=f"{id}.yaml")  # type: ignore[arg-type]


PROJECT = Project(
    root=str(Path.cwd()),
    target="dev",
    file=ProjectFile(name="shop", defaults=Defaults(owner="everyone")),
    sources={
        "shop": FileSource(
            path="data",
            tags=("input",),
            owner="Shop Team",
            datasets={
                "orders": FileDataset(files="o.csv", tags=("daily",)),
                "items": FileDataset(files="i.csv", owner="ann"),
            },
        )
    },
    source_paths={},
    datasets={
        one.id: one
        for one in (
            _dataset("processed.orders", tags=("daily",)),
            _dataset("processed.items"),
            _dataset("curated.sales", tags=("daily", "finance"), owner="finance"),
            _dataset("curated.dim_item"),
            _dataset("curated.report", tags=("finance",)),
        )
    },
)
GRAPH = Graph.build(
    [
        Node("raw.orders", "raw"),
        Node("raw.items", "raw"),
        Node("processed.orders", "table", ("raw.orders",)),
        Node("processed.items", "table", ("raw.items",)),
        Node("curated.dim_item", "table", ("processed.items",)),
        Node("curated.sales", "table", ("processed.orders",), ("processed.items",)),
        Node("curated.report", "table", ("curated.sales", "curated.dim_item")),
    ]
)
ALL = set(GRAPH.nodes)


def chosen(*expressions: str, exclude: tuple[str, ...] = ()) -> set[str]:
    return set(select(GRAPH, PROJECT, expressions, exclude=exclude))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("curated.sales", "curated.sales"),
        ("sales", "curated.sales"),
        ("SALES", "curated.sales"),
        ("orders", "raw.orders processed.orders"),
        ("+sales", "raw.orders raw.items processed.orders processed.items curated.sales"),
        ("1+sales", "processed.orders processed.items curated.sales"),
        ("0+sales", "curated.sales"),
        ("raw.orders+", "raw.orders processed.orders curated.sales curated.report"),
        ("raw.orders+1", "raw.orders processed.orders"),
        ("1+dim_item+1", "processed.items curated.dim_item curated.report"),
        ("raw.*", "raw.orders raw.items"),
        ("curated.dim_*", "curated.dim_item"),
        ("dim_*", "curated.dim_item"),
        ("*.items", "raw.items processed.items"),
        ("raw.*+1", "raw.orders raw.items processed.orders processed.items"),
        ("tag:daily", "raw.orders processed.orders curated.sales"),
        ("tag:input", "raw.orders raw.items"),
        ("tag:daily+1", "raw.orders processed.orders curated.sales curated.report"),
        ("zone:processed", "processed.orders processed.items"),
        ("processed", "processed.orders processed.items"),
        ("owner:ann", "raw.items"),
        ("owner:shop team", "raw.orders"),
        ("owner:everyone", "processed.orders processed.items curated.dim_item curated.report"),
        ("source:shop", "raw.orders raw.items"),
        ("tag:daily,zone:curated", "curated.sales"),
        ("tag:daily, !raw.*", "processed.orders curated.sales"),
        ("tag:finance,owner:ann", ""),
    ],
)
def test_ways_to_choose(expression: str, expected: str) -> None:
    assert chosen(expression) == set(expected.split())


def test_several_add_up_and_excluded_ones_go() -> None:
    assert chosen("raw.orders", "tag:finance") == {"raw.orders", "curated.sales", "curated.report"}
    assert chosen("tag:finance", "!sales") == chosen("!sales", "tag:finance") == {"curated.report"}
    assert chosen("+sales", exclude=("raw.*", "items")) == {"processed.orders", "curated.sales"}
    assert chosen("!+sales") == {"curated.dim_item", "curated.report"}
    assert chosen() == ALL


def test_the_result_is_in_the_order_of_the_graph() -> None:
    assert select(GRAPH, PROJECT, ["report", "+sales"]) == (
        "raw.items", "raw.orders", "processed.items", "processed.orders", "curated.sales", "curated.report",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sale", "no dataset is called 'sale'; did you mean 'sales'?"),
        ("curated.salse", "did you mean 'curated.sales'?"),
        ("+nothing_like_it", "no dataset is called 'nothing_like_it'"),
        ("gold.*", "no dataset is called 'gold.*'"),
        ("tag:dayly", "no dataset has the tag 'dayly'; did you mean 'daily'?"),
        ("tag:x", "there are daily, finance, input"),
        ("zone:archive", "the zone 'archive' has no datasets"),
        ("zone:cured", "did you mean 'curated'?"),
        ("owner:", "no dataset has the owner ''"),
        ("!sale", "did you mean 'sales'?"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_name(expression: str, message: str) -> None:
    with pytest.raises(NotFoundError) as error:
        chosen(expression)
    assert message in str(error.value)
    assert error.value.exit_code == 4


@pytest.mark.parametrize("expression", ["", "+", "a++b", "a+b", "tags:x", "a,", "x+sales", "2sales+x", "!"])
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises((UsageError, NotFoundError)) as error:
        chosen(expression)
    assert error.value.code in ("LW325", "LW901")


expressions = st.one_of(
    st.sampled_from(sorted(ALL)),
    st.sampled_from(["tag:daily", "tag:finance", "zone:curated", "raw.*", "source:shop", "orders", "*_item"]),
).flatmap(
    lambda core: st.sampled_from([core, f"+{core}", f"{core}+", f"1+{core}", f"{core}+1", f"2+{core}+2"])
)


@given(expressions, expressions, expressions)
def test_the_laws_of_choosing(a: str, b: str, c: str) -> None:
    assert chosen(a, b) == chosen(b, a) == chosen(a) | chosen(b)
    assert chosen(a, a) == chosen(a) == chosen(f"{a},{a}")
    assert chosen(f"{a},{b}") == chosen(f"{b},{a}") == chosen(a) & chosen(b)
    assert chosen(f"{a},{b},{c}") == chosen(a) & chosen(b) & chosen(c)
    assert chosen(a, f"!{b}") == chosen(a, exclude=(b,)) == chosen(f"{a},!{b}") == chosen(a) - chosen(b)
    assert chosen(a, f"!{a}") == set()
    assert chosen(f"!{a}") == ALL - chosen(a)
    assert list(select(GRAPH, PROJECT, [a])) == [id for id in GRAPH.order() if id in chosen(a)]


@given(st.sampled_from(sorted(ALL)), st.integers(0, 4))
def test_the_laws_of_neighbourhood(id: str, levels: int) -> None:
    assert chosen(f"+{id}") == GRAPH.ancestors(id) | {id}
    assert chosen(f"{id}+") == GRAPH.descendants(id) | {id}
    assert chosen(f"+{id}+") == chosen(f"+{id}") | chosen(f"{id}+")
    assert chosen(f"{levels}+{id}") <= chosen(f"{levels + 1}+{id}") <= chosen(f"+{id}")
    assert all(chosen(f"+{one}") <= chosen(f"+{id}") for one in chosen(f"+{id}"))
