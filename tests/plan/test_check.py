"""Columns across a whole project: what nobody produces is told with its line; what may be there is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from lakewright.errors import Problem
from lakewright.plan import check_columns
from lakewright.plan.check import MEMORY_FILE, check_queries
from lakewright.project import load
from lakewright.spec.project import Project

SOURCE = """
kind: files
path: data
datasets:
  orders: {files: orders.csv}
  customers: {files: customers.csv}
"""
KNOWN = {
    "raw.orders": {"id": "BIGINT", "cid": "BIGINT", "qty": "BIGINT", "price": "DOUBLE", "at": "DATE"},
    "raw.customers": {"id": "BIGINT", "name": "VARCHAR", "country": "VARCHAR"},
}


class Files:
    """Writes a small project; keys are paths."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").mkdir()
        (root / "lakewright.yaml").write_text("name: shop\n")
        self.add("sources/shop.yaml", SOURCE)

    def add(self, path: str, text: str) -> Files:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"))
        return self

    def project(self) -> Project:
        return load(self.root, env={})

    def check(self, known: Mapping[str, Mapping[str, str]] | None = None) -> list[str]:
        return [_short(one) for one in check_queries(self.project(), known)]


def _short(problem: Problem) -> str:
    return f"{problem.where} {problem.code} {problem.message}"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_column_of_the_contract_that_the_query_does_not_produce(files: Files) -> None:
    files.add(
        "datasets/curated/daily.sql",
        "select at as day, sum(qty * price) as revenue from raw.orders group by all",
    )
    files.add(
        "datasets/curated/daily.yaml",
        """
        description: Sales by day.
        columns:
          day: {type: date, key: true}
          revenu: {type: "decimal(12,2)"}
        write: {partition_by: [year(dag)]}
        expect:
          - fresh: {column: days, within: 2d}
        """,
    )
    assert files.check() == [
        "datasets/curated/daily.yaml:4 LW306 curated.daily: datasets/curated/daily.sql produces no column 'revenu'"
        "; did you mean 'revenue'?",
        "datasets/curated/daily.yaml:5 LW306 curated.daily: datasets/curated/daily.sql produces no column 'dag'; did you mean 'day'?",
        "datasets/curated/daily.yaml:7 LW306 curated.daily: datasets/curated/daily.sql produces no column 'days'"
        "; did you mean 'day'?",
    ]  # fmt: skip


def test_a_column_that_the_dataset_read_does_not_have(files: Files) -> None:
    files.add("datasets/processed/o.sql", "select id, qty * price as total, at from raw.orders")
    files.add("datasets/curated/a.sql", "select id,\n  totl\nfrom processed.o\nwhere o.qty > 1")
    files.add("datasets/curated/b.sql", "with x as (from processed.o)\nselect total, nope from x")
    assert files.check() == [
        "datasets/curated/a.sql:2 LW305 processed.o has no column 'totl'; did you mean 'total'?",
        "datasets/curated/a.sql:4 LW305 processed.o has no column 'qty'",
        "datasets/curated/b.sql:2 LW305 there is no column 'nope' here",
    ]


def test_steps_conditions_cursors_and_references(files: Files) -> None:
    files.add("datasets/processed/o.sql", "select id, cid, qty * price as total, at from raw.orders")
    files.add("datasets/processed/c.sql", "select id, name from raw.customers")
    files.add(
        "datasets/curated/x.yaml",
        """
        from: processed.o
        steps:
          - rename: {total: amount}
          - derive:
              half: total / 2
              third: amount / 3
          - filter: amont > 0
          - drop: [nope]
        incremental: {column: att}
        write: {mode: merge, keys: [idd], sort_by: [amount desc, a]}
        expect:
          - condition: half < third and total > 0
          - statistic: {sql: avg(amount2), min: 1}
          - references: {cid: processed.c.idd}
          - condition: cid in (select cid from processed.c where nme is not null)
          - unique: [id, cidd]
        """,
    )
    assert files.check() == [
        "datasets/curated/x.yaml:5 LW305 there is no column 'total' here",
        "datasets/curated/x.yaml:7 LW305 there is no column 'amont' here; did you mean 'amount'?",
        "datasets/curated/x.yaml:8 LW305 there is no column 'nope' here",
        "datasets/curated/x.yaml:10 LW306 curated.x: the steps produce no column 'idd'; did you mean 'id'?",
        "datasets/curated/x.yaml:10 LW306 curated.x: the steps produce no column 'a'; did you mean 'at'?",
        "datasets/curated/x.yaml:16 LW306 curated.x: the steps produce no column 'cidd'; did you mean 'cid'?",
        "datasets/curated/x.yaml:12 LW305 curated.x has no column 'total'",
        "datasets/curated/x.yaml:13 LW305 curated.x has no column 'amount2'; did you mean 'amount'?",
        "datasets/curated/x.yaml:15 LW305 there is no column 'nme' here; did you mean 'name'?",
        "datasets/curated/x.yaml:14 LW305 processed.c has no column 'idd'; did you mean 'id'?",
        "datasets/curated/x.yaml:9 LW305 processed.o has no column 'att'; did you mean 'at'?",
    ]


def test_nothing_is_said_of_what_may_be_there(files: Files) -> None:
    files.add(
        "datasets/processed/o.yaml",
        """
        from: raw.orders
        steps: [standardize_names, {derive: {total: a * b}}]
        columns: {order_id: {type: bigint, key: true}, total: {type: double}}
        write: {mode: merge, partition_by: [year(day)], sort_by: [x]}
        incremental: {column: updated_at}
        expect: [{condition: any_column > 0}, {unique: [this, that]}, {references: {p: processed.p.q}}]
    """,
    )
    files.add(
        "datasets/processed/p.py",
        """
        def build(orders):
            return orders
    """,
    )
    files.add("datasets/processed/p.yaml", "depends_on: [raw.orders]\ncolumns: {k: {type: bigint}}\n")
    files.add(
        "datasets/curated/a.sql",
        """
        with r as (select *, row_number() over (partition by what order by ever) as n from processed.o o)
        select r.anything, p.q, r.n from r join processed.p p on r.k = p.k where r.n = 1 and more > 0
    """,
    )
    files.add(
        "datasets/curated/b.sql",
        "select o._batch_id, o._ingested_at, q.reasons from processed.o, quarantine.processed_o q",
    )
    files.add(
        "datasets/curated/c.sql", "from (pivot processed.o on day using sum(total)) select new_york, paris"
    )
    files.add(
        "datasets/curated/d.sql",
        "select s.city, s.geo.lat, l[1] as first, columns('^x') from (select struct as s, l from raw.orders)",
    )
    assert files.check() == []  # fmt: skip


def test_columns_known_from_elsewhere_close_what_the_files_leave_open(files: Files) -> None:
    files.add(
        "datasets/processed/o.yaml",
        "from: raw.orders\ncolumns:\n  id: {type: bigint}\n  quantity: {type: bigint}\n",
    )
    files.add("datasets/curated/a.sql", "select idd from processed.o")
    assert files.check() == []
    assert files.check(KNOWN) == [
        "datasets/curated/a.sql:1 LW305 processed.o has no column 'idd'; did you mean 'id'?",
        "datasets/processed/o.yaml:4 LW306 processed.o: raw.orders gives no column 'quantity'",
    ]


def test_history_has_columns_of_its_own(files: Files) -> None:
    files.add("datasets/processed/h.sql", "select id, name from raw.customers")
    files.add(
        "datasets/processed/h.yaml",
        "columns: {id: {type: bigint, key: true}}\nwrite: {mode: scd2, partition_by: [is_current]}\n",
    )
    files.add(
        "datasets/curated/a.sql",
        "select id, valid_from, valid_to from processed.h where is_current and iscurrent",
    )
    assert files.check() == ["datasets/curated/a.sql:1 LW305 processed.h has no column 'iscurrent'; did you mean 'is_current'?"]  # fmt: skip


def test_queries_that_are_refused_are_told_and_leave_their_readers_alone(files: Files) -> None:
    files.add("datasets/processed/o.sql", "select id\nfrom read_csv('x.csv')")
    files.add("datasets/curated/a.sql", "select anything from processed.o")
    files.add("datasets/curated/b.yaml", "from: processed.o\nsteps:\n  - filter: a >\n")
    found = files.check()
    assert [one.split()[:2] for one in found] == [
        ["datasets/curated/b.yaml:3", "LW301"],
        ["datasets/processed/o.sql:2", "LW303"],
    ]


def test_circles_and_unknown_datasets_are_left_to_the_graph(files: Files) -> None:
    files.add("datasets/processed/a.sql", "select x from processed.b")
    files.add("datasets/processed/b.sql", "select x from processed.a join processed.nowhere n on n.y = a.x")
    assert files.check() == []


def test_what_reading_the_files_says_is_not_said_twice(files: Files) -> None:
    files.add(
        "datasets/processed/o.yaml",
        "from: raw.orders\nsteps:\n  - select: [id, qty]\n  - filter: price > 1\n",
    )
    problems = check_queries(_unchecked(files.root))
    assert [(p.code, p.where.line if p.where else 0) for p in problems] in ([], [("LW305", 4)])


def _unchecked(root: Path) -> Project:
    from lakewright.project.loader import read_project

    return read_project(root, env={}).project


def test_many_datasets(files: Files) -> None:
    for number in range(60):
        files.add(
            f"datasets/processed/d{number}.sql", f"select id, qty * price as v{number}, at from raw.orders"
        )
        files.add(
            f"datasets/curated/e{number}.sql",
            f"select at, sum(v{number}) as s, sum(v{number + 1}) as t from processed.d{number} group by all",
        )
    found = files.check()
    assert len(found) == 60
    assert all("LW305" in one for one in found)


def test_a_project_found_good_is_not_looked_at_again_until_it_changes(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.add("datasets/processed/o.sql", "select id from raw.orders")
    asked: list[int] = []

    def ask(*_: object) -> list[Problem]:
        asked.append(1)
        return []

    monkeypatch.setattr(check_columns, "column_problems", ask)
    for _ in range(3):
        assert files.check() == []
    assert len(asked) == 1
    files.add("datasets/processed/o.yaml", "columns: {id: {type: bigint}}\n")
    files.check()
    files.add("datasets/processed/o.sql", "select id, qty from raw.orders")
    files.check()
    files.check(KNOWN)
    assert len(asked) == 4
    (files.root / MEMORY_FILE).write_bytes(b"\xff")
    files.check()
    assert len(asked) == 5


def test_problems_are_not_remembered(files: Files) -> None:
    files.add("datasets/processed/o.sql", "select id from raw.orders")
    files.add("datasets/curated/a.sql", "select nope from processed.o")
    assert files.check() == files.check() != []
    files.add("datasets/processed/o.sql", "select id as nope from raw.orders")
    assert files.check() == []
    files.add("datasets/processed/o.sql", "select id from raw.orders")
    assert files.check() != []


def test_the_memory_needs_no_folder(files: Files) -> None:
    files.add("datasets/processed/o.sql", "select id from raw.orders")
    (files.root / ".lakewright").write_text("in the way")
    assert files.check() == files.check() == []
