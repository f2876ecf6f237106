"""What would be built and why: reasons, modes and estimates, from states alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakewright.plan.fingerprint import fingerprint
from lakewright.plan.graph import Graph, Node
from lakewright.plan.tasks import (
    Batch,
    DatasetState,
    Estimate,
    Found,
    Position,
    Request,
    TaskPlan,
    UpstreamState,
    Work,
    decide,
    plan_tasks,
    write_mode,
)
from lakewright.spec.dataset import Column, Dataset, DatasetFile, Incremental, Retry, Write
from lakewright.spec.expectations import Condition, RowCount
from lakewright.spec.project import Project, ProjectFile
from lakewright.spec.sources import FileDataset, FileSource
from lakewright.spec.steps import Aggregate, Drop, PythonStep, Select


def dataset(id: str, *, sql: str | None = None, python: str | None = None, **options: object) -> Dataset:
    zone, name = id.split(".")
    file = DatasetFile(**options)  # type: ignore[arg-type]
    return Dataset(zone=zone, name=name, file=file, path=f"{id}.yaml", sql=sql, python=python)


ORDERS = dataset("processed.orders", from_="raw.orders", columns={"id": Column(key=True)})
SALES = dataset("curated.sales", sql="select * from processed.orders")
GRAPH = Graph.build(
    [
        Node("raw.orders", "raw"),
        Node("processed.orders", "table", ("raw.orders",)),
        Node("curated.sales", "table", ("processed.orders",)),
    ]
)
PROJECT = Project(
    root=str(Path.cwd()),
    target="dev",
    file=ProjectFile(name="shop"),
    sources={"shop": FileSource(path="data", datasets={"orders": FileDataset(files="o.csv")})},
    source_paths={},
    datasets={ORDERS.id: ORDERS, SALES.id: SALES},
)
PRINTS = {"processed.orders": "1:a", "curated.sales": "1:b"}
RAW = UpstreamState(3, 60, 6, 600, tuple(Batch(n, 10 * n, n, 100 * n) for n in (1, 2, 3)))
BUILT = {
    "processed.orders": DatasetState(4, {"raw.orders": Position(3)}, "1:a"),
    "curated.sales": DatasetState(9, {"processed.orders": Position(4)}, "1:b"),
}
STATES = {"raw.orders": RAW, "processed.orders": UpstreamState(4, 60), "curated.sales": UpstreamState(9, 5)}


def plan(
    selected: tuple[str, ...] = tuple(GRAPH.nodes),
    *,
    built: dict[str, DatasetState] = BUILT,
    upstreams: dict[str, UpstreamState] = STATES,
    found: dict[str, Found] | None = None,
    request: Request | None = None,
) -> dict[str, TaskPlan]:
    tasks = plan_tasks(
        GRAPH,
        PROJECT,
        selected,
        fingerprints=PRINTS,
        built=built,
        upstreams=upstreams,
        found={"raw.orders": Found()} if found is None else found,
        request=request or Request(),
    )
    return {one.id: one for one in tasks}


def shown(tasks: dict[str, TaskPlan]) -> list[tuple[str, str, str]]:
    return [(one.action, one.work.mode, one.reason) for one in tasks.values()]


def test_nothing_new_is_nothing_to_do() -> None:
    assert shown(plan()) == [
        ("skip", "take", "nothing new"),
        ("skip", "incremental", "nothing new"),
        ("skip", "incremental", "nothing new"),
    ]


def test_a_first_run_builds_all_of_it() -> None:
    tasks = plan(built={}, upstreams={}, found={"raw.orders": Found(new=2, bytes=500)})
    assert shown(tasks) == [
        ("build", "take", "2 new files"),
        ("build", "full", "first build"),
        ("build", "full", "first build"),
    ]
    assert [one.upstream for one in tasks.values()] == [(), ("raw.orders",), ("processed.orders",)]
    assert tasks["raw.orders"].estimate == Estimate(None, 2, 500)
    assert tasks["processed.orders"].estimate == Estimate(None, 2, 500)


def test_new_files_carry_through() -> None:
    tasks = plan(found={"raw.orders": Found(new=1, changed=2, missing=1, bytes=70)})
    assert shown(tasks) == [
        ("build", "take", "1 new and 2 changed files, 1 file gone"),
        ("build", "incremental", "new: 3 files in raw.orders"),
        ("build", "full", "processed.orders is built"),
    ]
    assert tasks["processed.orders"].work.since == {"raw.orders": Position(3)}
    assert tasks["processed.orders"].estimate == Estimate(None, 3, 70)


def test_files_taken_before_but_not_built_are_named() -> None:
    behind = {**BUILT, "processed.orders": DatasetState(2, {"raw.orders": Position(1)}, "1:a")}
    task = plan(("processed.orders",), built=behind)["processed.orders"]
    assert (task.reason, task.work.mode) == ("new: 5 files in raw.orders", "incremental")
    assert task.estimate == Estimate(50, 5, 500)


def test_batches_of_a_table_not_yet_read_are_named() -> None:
    behind = {**BUILT, "curated.sales": DatasetState(9, {"processed.orders": Position(3)}, "1:b")}
    task = plan(("curated.sales",), built=behind)["curated.sales"]
    assert task.reason == "upstream processed.orders has batch 4, seen 3"
    assert task.estimate == Estimate(60, None, None)


def test_nobody_looked_yet() -> None:
    tasks = plan(found={})
    assert tasks["raw.orders"].reason == "look for new files"
    assert tasks["processed.orders"].reason == "what is new in raw.orders, if anything"


def test_what_is_asked_for_is_done() -> None:
    assert shown(plan(request=Request(full_refresh=True)))[1:] == [
        ("build", "full", "full refresh asked"),
        ("build", "full", "full refresh asked"),
    ]


def test_a_range_is_built_again_where_rows_have_a_date() -> None:
    """Up to where the dataset had read before: what is new is left to the next run."""
    month = Request(backfill=("2024-01-01", "2024-01-31"))
    states: Any = {"fingerprint": "1:a", "upstreams": STATES, "request": month}
    dated = dataset("processed.orders", from_="raw.orders", write=Write(partition_by=("id", "month(day)")))
    node, built = GRAPH.nodes["processed.orders"], BUILT["processed.orders"]
    task = decide(node, dated, built=built, **states)
    assert task.reason == "backfill 2024-01-01..2024-01-31"
    assert task.work == Work("backfill", {"raw.orders": Position(3)}, month.backfill, again=True)
    assert decide(node, dated, built=None, **states).reason == "first build"
    assert decide(node, ORDERS, built=built, **states).reason == "nothing new"
    history = dataset(
        "processed.orders", from_="raw.orders", write=Write(mode="scd2", partition_by=("year(day)",))
    )
    assert decide(node, history, built=built, **states).reason == "nothing new"


def test_a_changed_definition_builds_anew_and_what_reads_it_too() -> None:
    changed = {**BUILT, "processed.orders": replace(BUILT["processed.orders"], fingerprint="1:old")}
    assert shown(plan(built=changed))[1:] == [
        ("build", "full", "definition changed"),
        ("build", "full", "processed.orders is built"),
    ]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (replace(RAW, position=5, rebuilt=5), "upstream raw.orders was rebuilt in batch 5, seen 3"),
        (replace(RAW, position=1), "raw.orders went back to batch 1, seen 3"),
    ],
)
def test_an_upstream_that_was_made_anew_is_read_anew(state: UpstreamState, reason: str) -> None:
    task = plan(("processed.orders",), upstreams={"raw.orders": state})["processed.orders"]
    assert (task.action, task.work.mode, task.reason, task.work.since) == ("build", "full", reason, {})


def test_a_new_upstream_is_read_from_its_start() -> None:
    built = {**BUILT, "processed.orders": DatasetState(4, {}, "1:a")}
    assert (
        plan(("processed.orders",), built=built)["processed.orders"].reason == "reads raw.orders from now on"
    )


def test_what_cannot_be_built_says_what_is_lacking() -> None:
    tasks = plan(built={}, upstreams={})
    assert [(one.action, one.blocked, one.reason) for one in tasks.values()] == [
        ("skip", False, "no files yet"),
        ("skip", True, "raw.orders has no files yet"),
        ("skip", True, "processed.orders was never built"),
    ]
    alone = plan(("curated.sales",), built={}, upstreams={})["curated.sales"]
    assert alone.reason == "processed.orders was never built: select +curated.sales"


def test_the_history_of_a_query_that_appends_is_kept() -> None:
    keeps = dataset("curated.sales", sql="select 1", write=Write(mode="append"))
    node, states = GRAPH.nodes["curated.sales"], {"processed.orders": UpstreamState(7, rebuilt=7)}
    for print, state in (("1:new", STATES), ("1:b", states)):
        task = decide(node, keeps, fingerprint=print, built=BUILT["curated.sales"], upstreams=state)
        assert (task.action, task.work.mode) == ("build", "incremental")
    request = Request(full_refresh=True)
    task = decide(
        node, keeps, fingerprint="1:b", built=BUILT["curated.sales"], upstreams=STATES, request=request
    )
    assert task.work.mode == "full"


def test_what_is_not_incremental_reads_everything() -> None:
    whole = dataset("processed.orders", from_="raw.orders", incremental=Incremental(enabled=False))
    node = GRAPH.nodes["processed.orders"]
    built = DatasetState(2, {"raw.orders": Position(2)}, "1:a")
    task = decide(node, whole, fingerprint="1:a", built=built, upstreams=STATES)
    assert task.estimate == Estimate(60, 6, 600)


@pytest.mark.parametrize(
    ("made", "mode"),
    [
        (dataset("p.a", from_="raw.a"), "append"),
        (dataset("p.a", from_="raw.a", columns={"id": Column(key=True)}), "merge"),
        (dataset("p.a", from_="raw.a", write=Write(keys=("id",))), "merge"),
        (dataset("p.a", from_="raw.a", steps=(Aggregate(by=("d",), columns={"n": "count(*)"}),)), "replace"),
        (dataset("p.a", sql="select 1"), "replace"),
        (dataset("p.a", sql="select 1", write=Write(mode="scd2")), "scd2"),
        (dataset("p.a", python="def build(): ..."), "replace"),
    ],
)
def test_how_rows_reach_the_table(made: Dataset, mode: str) -> None:
    assert write_mode(made) == mode


def test_the_plan_is_data() -> None:
    text = msgspec.json.encode(list(plan().values()))
    assert msgspec.json.decode(text)[0]["reason"] == "nothing new"


def test_a_fingerprint_changes_with_what_decides_rows_only(tmp_path: Path) -> None:
    base = dataset("p.a", from_="raw.a", steps=(Drop(columns=("x",)),), columns={"id": Column(type="bigint")})

    def changed(**options: object) -> str:
        return fingerprint(msgspec.structs.replace(base, file=msgspec.structs.replace(base.file, **options)))

    first = fingerprint(base)
    same = (
        {
            "description": "words",
            "owner": "me",
            "tags": ("x",),
            "retention": "1d",
            "timeout": "5s",
            "pool": "db",
        },
        {"retry": Retry(attempts=9), "priority": 3, "quality_threshold": 0.1, "compatibility": "full"},
        {"columns": {"id": Column(type="bigint", description="words", pii="email", tags=("x",))}},
        {"expect": (RowCount(min=1),)},
        {"on_violation": "quarantine"},
    )
    for options in same:
        assert changed(**options) == first, options
    others = (
        {"steps": (Select(columns=("x",)),)},
        {"steps": ()},
        {"columns": {"id": Column(type="integer")}},
        {"columns": {"id": Column(type="bigint", min=0)}},
        {"write": Write(mode="append")},
        {"on_violation": "fail"},
        {"expect": (Condition(sql="id > 0"),)},
        {"from_": "raw.b"},
    )
    prints = {changed(**options) for options in others}
    assert len(prints) == len(others)
    assert first not in prints
    assert fingerprint(base, on_violation="warn") != first
    query = dataset("p.a", sql="select 1\nfrom x")
    assert fingerprint(query) == fingerprint(msgspec.structs.replace(query, sql="select 1  \nfrom x\n\n"))
    assert fingerprint(query) != fingerprint(msgspec.structs.replace(query, sql="select 2\nfrom x"))
    python = dataset("p.a", from_="raw.a", steps=(PythonStep(function="jobs.clean:run"),))
    missing = fingerprint(python, root=tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/clean.py").write_text("def run(t): return t\n")
    there = fingerprint(python, root=tmp_path)
    assert there != missing
    (tmp_path / "jobs/clean.py").write_text("def run(t): return t.slice(1)\n")
    assert fingerprint(python, root=tmp_path) not in (there, missing)
