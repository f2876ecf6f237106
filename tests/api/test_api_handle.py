"""The Python door: what a notebook does with a project."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import lakewright
from lakewright.errors import NotFoundError, ProjectError, RunError, UsageError

FILES = {
    "lakewright.yaml": "name: shop\ndefaults: {quality_threshold: 0.5}\n",
    "sources/files.yaml": "kind: files\npath: in\ndatasets: {orders: {files: '*.csv', format: csv}}\n",
    "datasets/processed/orders.yaml": (
        "from: raw.orders\ncolumns:\n  id: {type: bigint, key: true}\n  day: {type: date}\n"
        '  amount: {type: "decimal(10,2)", min: 0}\nwrite: {mode: merge}\n'
    ),
    "datasets/curated/daily.sql": "select day, sum(amount) as amount from processed.orders group by day\n",
    "in/a.csv": "id,day,amount\n1,2024-01-01,1.50\n2,2024-01-01,2.50\n3,2024-01-02,-1\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project that was not run yet."""
    for name, text in FILES.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "shop"


@pytest.fixture
def lw(shop: Path) -> Iterator[lakewright.Lakewright]:
    """The project, run once and open."""
    with lakewright.open(shop) as opened:
        opened.run().raise_for_status()
        yield opened


def test_a_name_of_a_zone_runs_it_and_what_follows(shop: Path) -> None:
    lw = lakewright.open(str(shop))
    assert [one.dataset for one in lw.plan("processed+").tasks] == ["processed.orders", "curated.daily"]
    lw.run("raw+")
    assert lw.table("curated.daily").count() == 1
    assert [one.dataset for one in lw.plan(exclude="raw").tasks] == ["processed.orders", "curated.daily"]
    lw.close()


def test_rows_in_every_form(lw: lakewright.Lakewright) -> None:
    rows = lw.sql("select id, day, amount from processed.orders order by id")
    first = (1, dt.date(2024, 1, 1), Decimal("1.50"))
    assert rows.columns == ["id", "day", "amount"]
    assert rows.count() == 2
    assert rows.fetchone() == rows.fetchall()[0] == next(iter(rows)) == first
    assert rows.to_dicts()[0] == {"id": 1, "day": dt.date(2024, 1, 1), "amount": Decimal("1.50")}
    assert rows.to_arrow().num_rows == 2
    assert rows.to_polars()["id"].to_list() == [1, 2]
    assert list(rows.to_pandas()["id"]) == [1, 2]
    assert lw.sql("select 1 where false").fetchone() is None


def test_parameters_are_values_never_sql(lw: lakewright.Lakewright) -> None:
    hostile = "1'; drop table processed.orders; --"
    assert lw.sql("select ? as a", [hostile]).fetchall() == [(hostile,)]
    found = lw.sql("select id from processed.orders where amount > $least", {"least": Decimal("2")})
    assert found.fetchall() == [(2,)]
    assert found.count() == 1


def test_tables_by_name_and_as_of(lw: lakewright.Lakewright, shop: Path) -> None:
    before = lw.snapshots("processed.orders")[0].id
    (shop / "in" / "b.csv").write_text("id,day,amount\n9,2024-01-03,9.00\n")
    lw.run().raise_for_status()
    orders = lw.table("orders")
    assert orders.id == "processed.orders"
    assert (orders.count(), orders.as_of(before).count()) == (3, 2)
    assert lw.sql("select count(*) from processed.orders", as_of=before).fetchall() == [(2,)]
    assert lw.table("quarantine.processed_orders").to_dicts()[0]["_violations"] == ["amount.min"]
    assert orders.entry.rows == 3


def test_threads_that_ask_for_different_times_do_not_meet(lw: lakewright.Lakewright, shop: Path) -> None:
    expected = {}
    for number in range(2, 6):
        (shop / "in" / f"{number}.csv").write_text(f"id,day,amount\n{number * 10},2024-01-03,1.00\n")
        lw.run("+processed.orders").raise_for_status()
        expected[lw.snapshots("processed.orders")[0].id] = number + 1
    wrong: list[object] = []

    def ask(version: int, count: int) -> None:
        try:
            for _ in range(3):
                found = lw.table("processed.orders", as_of=version).count()
                if found != count:
                    wrong.append((version, found, count))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=one) for one in list(expected.items()) * 3]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_threads_that_are_first_share_one_session(shop: Path) -> None:
    with lakewright.open(shop) as lw:
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(lw._platform.services)) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len({id(one) for one in found}) == 1


def test_what_is_wrong_is_raised(lw: lakewright.Lakewright, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="LW101"):
        lakewright.open(tmp_path)
    with pytest.raises(NotFoundError, match=r"did you mean 'curated\.daily'"):
        lw.table("curated.dayly")
    with pytest.raises(NotFoundError, match="LW901"):
        lw.sql("from processed.nothing").fetchall()
    with pytest.raises(UsageError, match="LW907"):
        lw.sql("select nope from processed.orders").fetchall()
    with pytest.raises(UsageError, match="LW903"):
        lw.sql("delete from lake.processed.orders").fetchall()
    with pytest.raises(KeyError):
        lw.run()["processed.nothing"]


def test_a_run_that_fails_raises_only_when_asked(shop: Path) -> None:
    (shop / "datasets" / "curated" / "bad.sql").write_text("select error('no') as a from processed.orders\n")
    with lakewright.open(shop) as lw:
        report = lw.run()
        assert (report.status, report.exit_code) == ("failed", 1)
        with pytest.raises(RunError, match=r"curated\.bad"):
            report.raise_for_status()


def test_closed_means_closed(shop: Path) -> None:
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
    lw.close()
    with pytest.raises(UsageError, match="was closed"):
        lw.table("curated.daily").count()
    with pytest.raises(UsageError, match="was closed"):
        lw.runs()


def test_what_a_notebook_shows(lw: lakewright.Lakewright) -> None:
    assert repr(lw).startswith("<Lakewright project 'shop'")
    assert "curated.daily    │ skip" in repr(lw.plan())
    assert "unchanged" in repr(lw.run())
    assert repr(lw.sql("select 1 as a, null as b")) == "a │ b\n──┼─────\n1 │ NULL"
    assert repr(lw.sql("select range as n from range(20)")).endswith("…")
    page = lw.sql("select '<b>' as \"<i>\"")._repr_html_()
    assert "&lt;b&gt;" in page and "&lt;i&gt;" in page


def test_the_other_verbs(lw: lakewright.Lakewright) -> None:
    assert lw.tables() == ["raw.orders", "curated.daily", "processed.orders"]
    assert lw.quality("orders")[0].bad == 1
    assert lw.audit("orders")[0].bad == 0
    assert lw.profile("orders")[0].rows == 2
    assert lw.report().exists()
    assert {one.dataset for one in lw.catalog("daily")} == {"curated.daily"}
    assert "processed.orders" in lw.lineage("curated.daily").nodes
    assert lw.runs()[0].status == "succeeded"
    assert lw.logs()
    assert lw.compact().datasets
