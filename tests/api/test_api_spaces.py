"""The parts of a handle: backups, people, holds, sources; and what is done with a project that is not open."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path

import pytest

import lakewright
from lakewright.errors import LakewrightError, ProjectError
from lakewright.run.events import Event

FILES = {
    "lakewright.yaml": (
        "name: shop\nsubjects: {buyer: {identifier: id, datasets: "
        "{raw.orders: {id: id}, processed.orders: {id: id}}}}\n"
    ),
    "sources/files.yaml": "kind: files\npath: in\ndatasets: {orders: {files: '*.csv', format: csv}}\n",
    "datasets/processed/orders.yaml": (
        "from: raw.orders\ncolumns:\n  id: {type: bigint, key: true}\n  day: {type: date}\n"
        "  email: {type: varchar, pii: email, mask: token}\nwrite: {mode: merge, partition_by: [month(day)]}\n"
    ),
    "datasets/curated/days.sql": "select day, count(*) as orders from processed.orders group by day\n",
    "tests/orders.yaml": (
        "name: orders\ndataset: processed.orders\ngiven: {raw.orders: [{id: '1', day: '2024-01-01', email: a@b.org}]}\n"
        "expect: [{id: 1}]\n"
    ),
    "in/a.csv": "id,day,email\n1,2024-01-01,ann@example.org\n2,2024-01-02,bob@example.org\n",
}


def code(of: object, *arguments: object, **named: object) -> str:
    """The code of the error that a call raises."""
    assert callable(of)
    with pytest.raises(LakewrightError) as caught:
        of(*arguments, **named)
    return caught.value.code


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project that was not run yet."""
    for name, text in FILES.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "shop"


def test_a_life_of_a_project(shop: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    events: list[Event] = []
    stop = threading.Event()
    stop.set()
    with lakewright.open(shop) as lw:
        assert lw.run(cancel=stop).status == "cancelled"
        lw.run(on_event=events.append).raise_for_status()
        built = {"raw.orders", "processed.orders", "curated.days"}
        assert {one.task for one in events if one.kind == "built"} == built
        assert lw.plan(statements=True).statements.keys() == {"curated.days"}
        detail = lw.run_detail()
        assert {one.task for one in detail.tasks} == built
        assert lw.quality("orders", run=detail.run.id) == lw.quality("orders")
        assert {one.dataset for one in lw.profile()} == built - {"raw.orders"}

        # rows into files, in every form, whole or not at all
        rows = lw.sql("select id, day from processed.orders order by id")
        assert rows.write(tmp_path / "rows.csv").read_text().split() == [
            '"id","day"',
            "1,2024-01-01",
            "2,2024-01-02",
        ]
        assert json.loads(rows.write(tmp_path / "rows.txt", "json").read_text())[0] == {
            "id": 1,
            "day": "2024-01-01",
        }
        assert lw.sql(
            "select count(*) from read_parquet(?)", [str(rows.write(tmp_path / "r.parquet"))]
        ).fetchone() == (2,)
        assert code(rows.write, tmp_path / "rows.txt") == "LW904"
        assert code(rows.write, tmp_path / "no" / "rows.csv") == "LW904"

        assert (
            code(rows.write, tmp_path / "rows.csv", "xml")
            == code(lw.lineage, "orders", direction="in")
            == "LW904"
        )
        assert code(lw.verify, level="all") == code(lw.people.forget, "buyer=2", shared="all") == "LW904"

        # holds
        held = lw.holds.add("orders", "case 7", first="2024-01-01", last=date(2024, 1, 31))
        assert [one.id for one in lw.holds.list()] == [held.id]
        assert code(lw.holds.add, "orders", "x", first="January") == "LW904"
        assert code(lw.people.forget, "buyer=2") == "LW813"
        assert lw.holds.release(held.id).released_at is not None
        assert (lw.holds.list(), len(lw.holds.list(released=True))) == ([], 1)
        assert code(lw.holds.release, 99) == "LW420"

        # sources
        assert [(one.source, one.kind, one.dataset) for one in lw.sources.list()] == [
            ("files", "files", "raw.orders")
        ]
        assert code(lw.sources.resnapshot, "files") == "LW246"
        assert code(lw.sources.remove, "fils") == "LW901"

        # backups
        assert code(lw.backups.create) == "LW430"
        first = lw.backups.create(place)
        assert lw.backups.list(place)[0].id == first.id == lw.backups.show(place=place).id
        assert lw.backups.show(first.id[:8], place=place).manifest.project == "shop"
        assert lw.backups.verify(place=place).whole
        assert code(lw.backups.recover, place=place) == "LW904"
        (gone,) = (shop / "lake/raw").rglob("*.csv")
        gone.unlink()
        assert not lw.verify(level="quick").whole
        assert [one.healed for one in lw.backups.recover_files(place=place, dry_run=True)] == [True]
        assert not gone.exists()
        lw.backups.recover_files(place=place)
        assert lw.verify("orders", level="deep").whole
        assert [(one.dataset, one.rows) for one in lw.backups.recover("orders", place=place)] == [
            ("processed.orders", 2)
        ]

        # people
        with pytest.raises(FrozenInstanceError):
            first.files = 0  # type: ignore[misc]
        assert lw.people.forget("buyer=2", dry_run=True).record == ""
        assert lw.people.forget("buyer=2", confirm=lambda plan: plan.rows == 0).record == ""
        export = lw.people.export("buyer=2", to=tmp_path / "all.zip", reason="asked")
        assert {one.place for one in export.parts} >= {"table", "raw files"}
        assert "overview.md" in zipfile.ZipFile(tmp_path / "all.zip").namelist()
        done = lw.people.forget("buyer=2", reason="request 17")
        assert done.complete and lw.table("orders").fetchall()[0][0] == 1
        assert [one.reason for one in lw.people.erasures()] == ["request 17"]
        assert lw.people.verify(done.record, "buyer=2").complete
        assert code(lw.people.verify, done.record, "buyer=1") == "LW815"
        assert code(lw.people.forget, "seller=2") == "LW811"
        assert lw.people.resume() == []
        (shop / "in" / "b.csv").write_text(FILES["in/a.csv"])
        lw.run().raise_for_status()
        assert lw.table("orders").count() == 1
        assert [one.people for one in lw.people.forget_returned(dry_run=True)] == [1]
        assert lw.people.readmit("buyer=2") == 1

        # keys and the log
        token = lw.sql("select email from processed.orders").fetchall()[0][0]
        assert lw.reveal([token], reason="test") == {token: "ann@example.org"}
        assert lw.rotate_key().version == 2
        verdict = lw.verify_audit()
        assert verdict.problems == () and lw.verify_audit(verdict.head).problems == ()
        later = lw.backups.create(place, full=True)
        assert lw.backups.prune(1, place=place, dry_run=True).backups == (first.id,)
        assert lw.backups.prune(1, place=place).kept == (later.id,)


def test_a_project_that_cannot_be_opened(shop: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    assert lakewright.check(shop).datasets == 2
    assert lakewright.test(shop).passed == lakewright.test(shop, "orders").passed == 1
    assert code(lakewright.test, shop, "oders") == "LW901"
    assert all(one.status != "bad" for one in lakewright.doctor(shop))
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        made = lw.backups.create(place)
    (shop / "lakewright.yaml").write_text("name: [")
    shutil.rmtree(shop / "lake")
    with pytest.raises(ProjectError):
        lakewright.open(shop)
    with pytest.raises(ProjectError):
        lakewright.check(shop)
    assert any(one.status == "bad" for one in lakewright.doctor(shop))
    backups = lakewright.backups(place)
    assert [one.id for one in backups.list()] == [made.id] == [backups.show().id]
    assert backups.verify().whole and backups.verify(made.id).whole
    assert code(lakewright.backups(tmp_path / "nowhere").list) == code(
        lakewright.recover, shop, place=tmp_path / "no"
    )
    assert code(lakewright.recover, shop, place=place, at="yesterday") == "LW902"
    assert code(lakewright.recover, shop, place=place, at="17") == "LW904"
    planned = lakewright.recover(shop, place=place, into=tmp_path / "again", dry_run=True)
    assert planned.put > 0 and not (tmp_path / "again" / "lakewright.yaml").exists()
    done = lakewright.recover(shop, place=str(place), into=str(tmp_path / "again"))
    assert done.backup == made.id
    with lakewright.open(tmp_path / "again") as lw:
        assert lw.table("orders").count() == 2 and lw.verify().whole


def test_without_any_project(tmp_path: Path) -> None:
    made = lakewright.init(tmp_path / "empty", template="empty")
    assert (made.name, "lakewright.yaml" in made.files) == ("empty", True)
    assert code(lakewright.init, tmp_path / "empty") == "LW905"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "orders.csv").write_text(FILES["in/a.csv"])
    assert lakewright.init(tmp_path / "found", source=tmp_path / "in").files
    with lakewright.open(tmp_path / "found") as lw:
        contract = lw.contract("processed.orders")
    (tmp_path / "orders.odcs.yaml").write_text(json.dumps(contract))
    assert lakewright.import_contract(tmp_path / "orders.odcs.yaml", made_of="raw.orders").columns == 3
    assert set(lakewright.schemas("project")) == {"lakewright.yaml"} < set(lakewright.schemas())
    assert lakewright.explain("lw101").title
    assert code(lakewright.explain, "LW9999") == "LW901"
    with pytest.raises(AttributeError):
        lakewright.nothing  # noqa: B018
