"""The dependency graph: links found in YAML, SQL and Python, and what is wrong with them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.errors import ProjectError
from lakewright.plan.graph import CACHE_FILE, Graph, Node, check_graph
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.expectations import References
from lakewright.spec.project import Project, ProjectFile
from lakewright.spec.sources import FileDataset, FileSource


def dataset(id: str, **options: object) -> Dataset:
    """A dataset; ``sql`` and ``python`` are texts, the rest are keys of its file."""
    zone, name = id.split(".")
    sql, python = options.pop("sql", None), options.pop("python", None)
    code = f"datasets/{zone}/{name}.{'sql' if sql is not None else 'py'}"
    return Dataset(
        zone=zone,
        name=name,
        file=DatasetFile(**options),  # type: ignore[arg-type]
        path=f"datasets/{zone}/{name}.yaml",
        sql=dedent(sql) if isinstance(sql, str) else None,
        python=dedent(python) if isinstance(python, str) else None,
        sql_path=code if sql is not None or python is not None else None,
    )


def project(root: Path, *datasets: Dataset, raw: tuple[str, ...] = ("orders", "customers")) -> Project:
    """A project with one source of *raw* datasets."""
    source = FileSource(path="data", datasets={name: FileDataset(files=f"{name}.csv") for name in raw})
    return Project(
        root=str(root),
        target="dev",
        file=ProjectFile(name="shop"),
        sources={"shop": source},
        source_paths={"shop": "sources/shop.yaml"},
        datasets={one.id: one for one in datasets},
    )


def said(root: Path, *datasets: Dataset) -> list[str]:
    with pytest.raises(ProjectError) as error:
        Graph.of(project(root, *datasets))
    return [f"{one.where} {one.code} {one.message}" for one in error.value.problems]


def test_links_come_from_from_queries_and_functions(tmp_path: Path) -> None:
    graph = Graph.of(
        project(
            tmp_path,
            dataset("processed.orders", from_="raw.orders"),
            dataset("processed.customers", from_="raw.customers"),
            dataset(
                "curated.sales",
                sql="""
                with big as (select * from processed.orders where total > 10)
                select c.name, sum(b.total) from big b join processed.customers c using (id) group by all
                """,
            ),
            dataset(
                "curated.scores",
                python="""
                import polars as pl
                def build(sales: pl.DataFrame, orders): ...
                """,
                depends_on=("curated.sales", "processed.orders", "raw.customers"),
            ),
        )
    )
    assert graph.nodes["curated.sales"].reads == ("processed.orders", "processed.customers")
    assert graph.nodes["curated.scores"].reads == ("curated.sales", "processed.orders")
    assert graph.nodes["curated.scores"].depends == ("raw.customers",)
    assert graph.downstream("processed.orders") == ("curated.sales", "curated.scores")
    assert graph.order() == (
        "raw.customers", "raw.orders", "processed.customers", "processed.orders", "curated.sales", "curated.scores",
    )  # fmt: skip
    assert graph.ancestors("curated.sales", 1) == {"processed.orders", "processed.customers"}
    assert graph.descendants("raw.orders") == {"processed.orders", "curated.sales", "curated.scores"}


def test_names_are_found_whatever_their_case_and_refused_rows_can_be_read(tmp_path: Path) -> None:
    graph = Graph.of(
        project(
            tmp_path,
            dataset("processed.orders", from_="raw.orders"),
            dataset("curated.bad", sql="select * from quarantine.processed_orders"),
            dataset("curated.good", sql="select * from Processed.ORDERS"),
        )
    )
    assert graph.upstream("curated.bad") == graph.upstream("curated.good") == ("processed.orders",)


def test_references_are_order_only_and_never_close_a_circle(tmp_path: Path) -> None:
    references = (References(columns={"customer_id": "processed.customers.id"}),)
    back = (References(columns={"last_order": "processed.orders.id", "self": "processed.customers.id"}),)
    graph = Graph.of(
        project(
            tmp_path,
            dataset("processed.customers", from_="raw.customers", expect=back),
            dataset("processed.orders", from_="raw.orders", expect=references),
        )
    )
    kept = {id: node.references for id, node in graph.nodes.items() if node.references}
    assert kept == {"processed.customers": ("processed.orders",)}
    assert graph.upstream("processed.customers") == ("raw.customers",)
    assert graph.order().index("processed.orders") < graph.order().index("processed.customers")
    needs, after = graph.links(["processed.orders", "processed.customers"])
    assert needs == {"processed.orders": frozenset(), "processed.customers": frozenset()}
    assert after["processed.customers"] == {"processed.orders"}


def test_links_among_some_go_through_what_is_left_out(tmp_path: Path) -> None:
    nodes = [Node("raw.a", "raw"), Node("p.b", "table", ("raw.a",)), Node("p.c", "table", ("p.b",))]
    graph = Graph.build([*nodes, Node("p.d", "table", ("p.c", "raw.a"))])
    needs, after = graph.links(["raw.a", "p.d", "p.b"])
    assert needs == {"raw.a": frozenset(), "p.b": {"raw.a"}, "p.d": {"raw.a"}}
    assert after == {"raw.a": frozenset(), "p.b": frozenset(), "p.d": {"p.b"}}


def test_unknown_datasets_are_all_told_with_line_and_nearest_name(tmp_path: Path) -> None:
    folder = tmp_path / "datasets/processed"
    folder.mkdir(parents=True)
    (folder / "orders.yaml").write_text("description: x\nfrom: raw.order\n")
    found = said(
        tmp_path,
        dataset("processed.orders", from_="raw.order"),
        dataset(
            "curated.sales",
            sql="-- processed.ordres\nselect *\nfrom processed.ordres\njoin curated.customers using (id)",
        ),
    )
    assert found == [
        "datasets/curated/sales.sql:3 LW321 there is no dataset 'processed.ordres'; did you mean 'processed.orders'?",
        "datasets/curated/sales.sql:4 LW321 there is no dataset 'curated.customers'; did you mean 'raw.customers'?",
        "datasets/processed/orders.yaml:2 LW321 there is no dataset 'raw.order'; did you mean 'raw.orders'?",
    ]


def test_circles_are_named_in_full_each_one(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        dataset("processed.a", sql="select *\nfrom processed.b"),
        dataset("processed.b", sql="select * from processed.c"),
        dataset("processed.c", from_="processed.a"),
        dataset("curated.x", sql="select * from curated.y, processed.a"),
        dataset("curated.y", sql="select * from curated.x"),
        dataset("curated.z", sql="select *\n\nfrom curated.z"),
    )
    assert found == [
        "datasets/curated/x.sql:1 LW322 datasets depend on each other in a circle: curated.x → curated.y → curated.x",
        "datasets/curated/z.sql:3 LW322 curated.z is made of itself",
        "datasets/processed/a.sql:2 LW322 datasets depend on each other in a circle: "
        "processed.a → processed.b → processed.c → processed.a",
    ]


def test_what_parsers_refuse_is_told_beside_the_rest(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        dataset("curated.a", sql="select from where"),
        dataset("curated.b", sql="drop table x"),
        dataset("curated.c", python="def build(:"),
        dataset("curated.d", from_="raw.orderz"),
    )
    assert [one.split()[1] for one in found] == ["LW301", "LW302", "LW323", "LW321"]


@pytest.mark.parametrize(
    ("python", "depends_on", "message"),
    [
        (
            "def built(orders): ...",
            ["raw.orders"],
            "no function 'build' at the top level; did you mean 'built'?",
        ),
        ("async def build(orders): ...", ["raw.orders"], "async"),
        ("def build(*tables): ...", ["raw.orders"], "inputs go by name"),
        ("def build(orders, /): ...", ["raw.orders"], "inputs go by name"),
        ("def build(orders: int): ...", ["raw.orders"], "wants int"),
        ("def build(order, b): ...", ["raw.orders"], "'order' is none of depends_on; did you mean 'orders'?"),
        (
            "def build(orders, b=1): ...",
            ["raw.orders", "processed.orders"],
            "may be raw.orders or processed.orders",
        ),
        ("\0", ["raw.orders"], "cannot be parsed"),
    ],
)
def test_functions_that_cannot_be_called_are_refused(
    tmp_path: Path, python: str, depends_on: list[str], message: str
) -> None:
    orders = dataset("processed.orders", from_="raw.orders")
    bad = dataset("curated.a", python=python, depends_on=tuple(depends_on))
    found = said(tmp_path, orders, bad)
    assert message in found[0]
    assert found[0].startswith("datasets/curated/a.py")


def test_the_checks_words_and_the_graphs_words_are_the_same(tmp_path: Path) -> None:
    from lakewright.project import check

    folder = tmp_path / "datasets/processed"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("from: raw.order\n")
    (folder / "b.yaml").write_text("from: processed.c\n")
    (folder / "c.yaml").write_text("from: processed.b\nexpect:\n  - references: {id: processed.d.id}\n")
    references = (References(columns={"id": "processed.d.id"}),)
    made = project(
        tmp_path,
        dataset("processed.a", from_="raw.order"),
        dataset("processed.b", from_="processed.c"),
        dataset("processed.c", from_="processed.b", expect=references),
    )
    graphs = check_graph(made)
    assert {one.code for one in graphs} == {"LW321", "LW322"}
    assert set(graphs) == {one for one in check(made) if one.code in ("LW321", "LW322")}


def test_queries_are_remembered_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(sql: str) -> tuple[str, ...]:
        orders = dataset("processed.orders", from_="raw.orders")
        return Graph.of(project(tmp_path, orders, dataset("curated.a", sql=sql))).upstream("curated.a")

    assert build("select * from processed.orders") == ("processed.orders",)
    cache = tmp_path / CACHE_FILE
    assert list(json.loads(cache.read_text())["reads"].values()) == [["processed.orders"]]
    with monkeypatch.context() as patch:
        patch.setattr("lakewright.sql.query.shared_query", lambda *_, **__: pytest.fail("parsed again"))
        assert build("select * from processed.orders") == ("processed.orders",)
    assert build("select * from raw.orders") == ("raw.orders",)
    assert len(json.loads(cache.read_text())["reads"]) == 1
    for damaged in ("", "not json", '{"made_by": "another version", "reads": {}}', '{"made_by": 1}'):
        cache.write_text(damaged)
        assert build("select * from raw.orders") == ("raw.orders",)
    cache.unlink()
    cache.mkdir()
    assert build("select * from raw.orders") == ("raw.orders",)


@st.composite
def random_nodes(draw: st.DrawFn) -> list[Node]:
    """Nodes whose hard links have no circle, with references in any direction."""
    ids = [f"z.n{number}" for number in range(draw(st.integers(1, 10)))]
    some = st.sets(st.sampled_from(ids))
    nodes = []
    for number, id in enumerate(ids):
        above = draw(st.sets(st.sampled_from(ids[:number]))) if number else set()
        references = draw(some) - {id}
        nodes.append(Node(id, "table", tuple(sorted(above)), (), tuple(sorted(references))))
    return draw(st.permutations(nodes))


@given(random_nodes(), st.data())
def test_the_order_of_any_graph(nodes: list[Node], data: st.DataObject) -> None:
    graph = Graph.build(nodes)
    order = graph.order()
    assert sorted(order) == sorted(graph.nodes)
    place = {id: number for number, id in enumerate(order)}
    for id, node in graph.nodes.items():
        assert all(place[one] < place[id] for one in (*node.upstream, *node.references))
        for one in graph.upstream(id):
            assert id in graph.downstream(one)
        assert graph.ancestors(id) == {one for one in order if id in graph.descendants(one)}
        levels = [graph.ancestors(id, number) for number in range(len(order) + 1)]
        assert levels[0] == frozenset()
        assert all(less <= more for less, more in pairwise(levels))
        assert levels[-1] == graph.ancestors(id)
    some = data.draw(st.sets(st.sampled_from(order)))
    needs, after = graph.links(some)
    assert set(needs) == set(after) == some
    for id in some:
        assert not needs[id] & after[id]
        assert needs[id] | after[id] <= some
        assert all(place[one] < place[id] for one in needs[id] | after[id])
        # whatever is above it, by whatever way, comes before it by these links alone
        reached, edge = set(), {id}
        while edge:
            edge = {other for one in edge for other in needs[one] | after[one]} - reached
            reached |= edge
        assert graph.ancestors(id) & some <= reached
