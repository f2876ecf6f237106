"""Catalog entries, search over them, and the graph of their lineage."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.catalog import ranking
from lakewright.catalog.entries import ColumnEntry, Entry, Facts, entries, entry, publish, search, sync
from lakewright.catalog.graph import follow
from lakewright.errors import NotFoundError
from lakewright.spec.dataset import Column, Dataset, DatasetFile, Write
from lakewright.spec.project import Defaults, Project, ProjectFile
from lakewright.spec.sources import FileDataset, FileSource
from lakewright.sql.lineage import Lineage, Origin, lineage
from lakewright.state import State

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def dataset(id: str, sql: str, **file: Any) -> Dataset:
    zone, _, name = id.partition(".")
    return Dataset(
        zone=zone, name=name, file=DatasetFile(**file), path=f"datasets/{zone}/{name}.yaml", sql=sql
    )


ORDERS = dataset(
    "processed.orders", "select id, cid, qty * price as total, md5(mail) as mail from raw.orders where qty > 0",
    description="One row per order, cleaned.", tags=("sales", "gold"),
    columns={"id": Column(type="bigint", key=True, description="The number of the order."),
             "mail": Column(type="varchar", pii="email", tags=("contact",), classification="restricted")},
    write=Write(mode="merge", partition_by=("year(at)",), sort_by=("id",)),
)  # fmt: skip
DAILY = dataset(
    "curated.daily", "select c.name as customer, sum(total) as revenue from processed.orders o "
    "join processed.customers c on c.id = o.cid group by all",
    description="Revenue by customer.", owner="finance",
)  # fmt: skip
CUSTOMERS = dataset("processed.customers", "select id, name from raw.customers", description="Who buys.")
SHOP = FileSource(
    path="data", owner="shop-team", tags=("shop",),
    datasets={"orders": FileDataset(files="o.csv", columns=("id", "cid")), "customers": FileDataset(files="c.csv")},
)  # fmt: skip
SCHEMA = {
    "raw.orders": {"id": "BIGINT", "cid": "BIGINT", "qty": "INTEGER", "price": "DOUBLE", "mail": "VARCHAR"},
    "raw.customers": {"id": "BIGINT", "name": "VARCHAR"},
    "processed.orders": {"id": "BIGINT", "cid": "BIGINT", "total": "DOUBLE", "mail": "VARCHAR"},
    "processed.customers": {"id": "BIGINT", "name": "VARCHAR"},
}
INPUTS = {
    "processed.orders": ["raw.orders"], "processed.customers": ["raw.customers"],
    "curated.daily": ["processed.orders", "processed.customers"],
}  # fmt: skip


def project(*datasets: Dataset) -> Project:
    return Project(
        root="/p", target="dev", file=ProjectFile(name="shop", defaults=Defaults(owner="data-team")),
        sources={"shop": SHOP}, source_paths={}, datasets={one.id: one for one in datasets},
    )  # fmt: skip


ALL = project(ORDERS, CUSTOMERS, DAILY)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State("sqlite:state.db", tmp_path)
    yield state
    state.close()


@pytest.fixture
def built(state: State) -> State:
    build_all(state)
    return state


def build_all(state: State) -> None:
    sync(state, ALL, INPUTS)
    for one in ALL.datasets.values():
        facts = Facts(columns=SCHEMA.get(one.id), rows=10, run_id="r1", updated=AT)
        publish(state, ALL, one.id, facts, inputs=INPUTS[one.id], lineage=lineage(one, SCHEMA))


def test_the_same_on_postgresql(built: State, postgres_database: str, tmp_path: Path) -> None:
    other = State(postgres_database, tmp_path)
    build_all(other)
    assert entries(other) == entries(built)
    assert search(other, "email customer") == search(built, "email customer")
    assert follow(other, "curated.daily", "revenue") == follow(built, "curated.daily", "revenue")
    sync(other, project(ORDERS), {})
    assert {one.dataset for one in entries(other)} == {"raw.orders", "raw.customers", "processed.orders"}
    branches_publish(other)
    other.close()


def test_an_entry_has_what_files_and_builds_say(state: State) -> None:
    sync(state, ALL, INPUTS)
    facts = Facts(
        columns={"id": "BIGINT", "total": "DOUBLE", "mail": "VARCHAR"}, location="s3://lake/processed/orders",
        format="ducklake", score=0.97, rows=97, bytes=12345, files=3, schema_version=2, batch=7, run_id="r1", updated=AT,
    )  # fmt: skip
    publish(state, ALL, "processed.orders", facts, inputs=["raw.orders"], lineage=lineage(ORDERS, SCHEMA))
    assert entry(state, "Processed.Orders") == Entry(
        dataset="processed.orders", kind="table", description="One row per order, cleaned.", owner="data-team",
        tags=("sales", "gold"), partition_by=("year(at)",), sort_by=("id",), location="s3://lake/processed/orders",
        columns=(
            ColumnEntry("id", "BIGINT", "The number of the order.", key=True, required=True),
            ColumnEntry("total", "DOUBLE"),
            ColumnEntry("mail", "VARCHAR", pii="email", classification="restricted", tags=("contact",)),
        ),
        format="ducklake", score=0.97, rows=97, bytes=12345, files=3, schema_version=2, batch=7, run_id="r1",
        updated=AT, upstream=("raw.orders",), downstream=("curated.daily",),
    )  # fmt: skip
    raw = entry(state, "raw.orders")
    assert (raw.kind, raw.owner, raw.tags) == ("raw", "shop-team", ("shop",))
    assert raw.columns == (ColumnEntry("id"), ColumnEntry("cid"))
    assert raw.downstream == ("processed.orders",)


def test_a_build_leaves_out_what_it_does_not_know(state: State) -> None:
    publish(state, ALL, "processed.orders", Facts(columns={"id": "BIGINT"}, rows=5, score=1.0))
    publish(state, ALL, "processed.orders", Facts(rows=6))
    found = entry(state, "processed.orders")
    assert (found.rows, found.score, found.columns[0].type) == (6, 1.0, "BIGINT")


def test_sync_follows_the_files_and_keeps_the_facts(built: State) -> None:
    again = dataset("processed.orders", ORDERS.sql or "", description="New words.")
    sync(
        built,
        project(again, DAILY),
        {"processed.orders": ["raw.orders"], "curated.daily": ["processed.orders"]},
    )
    found = entry(built, "processed.orders")
    assert (found.description, found.rows, found.tags) == ("New words.", 10, ())
    assert entry(built, "curated.daily").upstream == ("processed.orders",)
    with pytest.raises(NotFoundError) as caught:
        entry(built, "processed.customers")
    assert caught.value.code == "LW705"
    assert follow(built, "processed.orders", "total").up


def test_a_name_that_is_not_there_is_met_with_the_nearest(built: State) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean 'processed\.orders'"):
        entry(built, "processed.order")
    with pytest.raises(NotFoundError, match=r"did you mean 'curated\.daily\.revenue'"):
        follow(built, "curated.daily", "revenu")


def test_entries_are_listed_by_zone(built: State) -> None:
    assert [one.dataset for one in entries(built)] == [
        "raw.customers", "raw.orders", "processed.customers", "processed.orders", "curated.daily",
    ]  # fmt: skip
    assert [one.dataset for one in entries(built, zone="curated")] == ["curated.daily"]
    assert [one.dataset for one in entries(built, tag="contact")] == ["processed.orders"]
    assert [one.dataset for one in entries(built, owner="finance")] == ["curated.daily"]
    assert entries(built)[4].upstream == ("processed.customers", "processed.orders")


@pytest.mark.parametrize(
    "text, found",
    [
        ("orders", ["processed.orders", "raw.orders"]),
        ("order", ["processed.orders", "raw.orders"]),
        ("customer", ["processed.customers", "raw.customers", "curated.daily"]),
        ("EMAIL", ["processed.orders"]),
        ("revenue customer", ["curated.daily"]),
        ("finance", ["curated.daily"]),
        ("gold", ["processed.orders"]),
        ("processed.orders", ["processed.orders"]),
        ("total", ["processed.orders"]),
        ("nothing like it", []),
        ("", []),
        ('" OR 1=1; drop table --', []),
        ("%", []),
    ],
)
@pytest.mark.parametrize("index", [True, False])
def test_search(
    built: State, text: str, found: list[str], index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not index:
        monkeypatch.setattr(ranking, "_has_index", lambda: False)
    hits = search(built, text)
    assert sorted(one.entry.dataset for one in hits) == sorted(found)
    assert all(one.matched for one in hits)


def test_search_tells_where_the_words_are(built: State) -> None:
    assert search(built, "email")[0].matched == ("column mail",)
    assert (
        search(built, "revenue")[0].matched == ("description", "column revenue")
        or "description" in search(built, "revenue")[0].matched
    )
    assert len(search(built, "r", limit=2)) <= 2


@given(st.text(max_size=20))
def test_any_text_can_be_searched(text: str) -> None:
    one = Entry("raw.größe", description=text, tags=(text,))
    wanted = ranking.words(text)
    assert [id for id, _ in ranking.rank([one], wanted, 5)] == (["raw.größe"] if wanted else [])


# --- lineage


def test_lineage_of_datasets(built: State) -> None:
    graph = follow(built, "processed.orders")
    assert [(one.source, one.target) for one in graph.edges] == [
        ("raw.orders", "processed.orders"), ("processed.orders", "curated.daily"),
    ]  # fmt: skip
    assert graph.edges[0].run_id == "r1"
    assert graph.edges[0].at == AT
    assert follow(built, "curated.daily").render("text") == (
        "curated.daily\n"
        "└─ from\n"
        "   ├─ processed.customers\n"
        "   │  └─ raw.customers\n"
        "   └─ processed.orders\n"
        "      └─ raw.orders"
    )
    assert [one.source for one in follow(built, "curated.daily", direction="up", depth=1).edges] == [
        "processed.customers", "processed.orders",
    ]  # fmt: skip
    assert follow(built, "curated.daily", direction="down").edges == ()


def test_lineage_of_a_column(built: State) -> None:
    graph = follow(built, "curated.daily", "revenue")
    assert graph.render("text") == (
        "curated.daily.revenue\n"
        "└─ from\n"
        "   └─ processed.orders.total  aggregation\n"
        "      ├─ raw.orders.price  transformation\n"
        "      └─ raw.orders.qty  transformation"
    )
    assert [one.target for one in follow(built, "raw.orders", "qty").down] == [
        "processed.orders.total", "curated.daily.revenue",
    ]  # fmt: skip
    assert "processed.orders" in follow(built, "raw.orders", "qty", indirect=True).nodes
    assert "raw.orders.mail  transformation (masked)" in follow(built, "processed.orders", "mail").tree()
    json.dumps(graph.data)
    assert graph.data["edges"][0] == {
        "from": "processed.orders.total", "to": "curated.daily.revenue", "transformation": "AGGREGATION",
        "masking": False, "run": "r1", "at": AT.isoformat(),
    }  # fmt: skip


def test_lineage_of_all_columns(built: State) -> None:
    graph = follow(built, "processed.customers", "*")
    assert graph.starts == ("processed.customers.id", "processed.customers.name")
    assert graph.tree().splitlines()[0] == "processed.customers.id"
    assert "curated.daily.customer" in graph.nodes


def test_drawings(built: State) -> None:
    graph = follow(built, "curated.daily", "revenue")
    assert graph.render("dot") == (
        "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n"
        '  "curated.daily.revenue" [style=bold];\n  "processed.orders.total";\n  "raw.orders.price";\n  "raw.orders.qty";\n'
        '  "processed.orders.total" -> "curated.daily.revenue" [label="aggregation"];\n'
        '  "raw.orders.price" -> "processed.orders.total" [label="transformation"];\n'
        '  "raw.orders.qty" -> "processed.orders.total" [label="transformation"];\n}'
    )
    drawn = follow(built, "curated.daily").render("mermaid")
    assert drawn.startswith("flowchart LR\n")
    assert len(re.findall(r"n\d --> n\d", drawn)) == 4


def test_names_cannot_break_out_of_a_drawing(state: State) -> None:
    strange = Lineage({'a"];b <#': (Origin("raw.x", 'c\\"d'),)}, ())
    publish(state, ALL, "processed.orders", Facts(), inputs=["raw.x"], lineage=strange)
    graph = follow(state, "processed.orders", 'a"];b <#')
    assert '"processed.orders.a\\"];b <#"' in graph.dot()
    assert '["processed.orders.a#quot;];b #lt;#35;"]' in graph.mermaid()


def test_circles_do_not_hang(state: State) -> None:
    for one, other in (
        ("processed.orders", "processed.customers"),
        ("processed.customers", "processed.orders"),
    ):
        publish(state, ALL, one, Facts(), inputs=[other])
    graph = follow(state, "processed.orders")
    assert len(graph.edges) == 2
    assert "…" in graph.tree()


def test_a_new_build_replaces_the_lineage_of_the_last(built: State) -> None:
    publish(built, ALL, "curated.daily", Facts(), inputs=["processed.orders"],
            lineage=Lineage({"revenue": (Origin("processed.orders", "id"),)}, ()))  # fmt: skip
    assert follow(built, "curated.daily").nodes == ("curated.daily", "processed.orders", "raw.orders")
    assert follow(built, "curated.daily", "revenue", depth=1).edges[0].source == "processed.orders.id"


def test_branches_can_publish_at_the_same_time(state: State) -> None:
    branches_publish(state)


def branches_publish(state: State) -> None:
    sync(state, ALL, INPUTS)
    failed: list[BaseException] = []

    def build(one: Dataset) -> None:
        try:
            for number in range(5):
                facts = Facts(rows=number, run_id=f"r{number}")
                publish(state, ALL, one.id, facts, inputs=INPUTS[one.id], lineage=lineage(one, SCHEMA))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=build, args=(one,)) for one in ALL.datasets.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [one.rows for one in entries(state) if one.kind == "table"] == [4, 4, 4]
