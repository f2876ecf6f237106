"""Old rows go to the archive, verified, and come back; holds keep them; kills change nothing in the end."""

from __future__ import annotations

import json
import signal
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lake_shops import KINDS, csv, make_project
from processes import Moment, start, watch
from shop_folder import Folder

import lakewright
from lakewright.app import lifecycle as verbs
from lakewright.app.platform import Platform
from lakewright.errors import LakewrightError
from lakewright.lake import archive

TODAY = datetime.now(UTC).date()
OLD, YOUNG = TODAY - timedelta(days=400), TODAY - timedelta(days=10)

SOURCE = """
kind: files
path: in
datasets:
  sales: {files: "sales-*.csv", format: csv, options: {delimiter: ",", header: true}}
"""
DATASET = """
from: raw.sales
columns:
  id: {type: bigint, key: true}
  day: {type: date}
  amount: {type: "decimal(10,2)"}
write: {mode: merge, partition_by: [month(day)]}
"""


def rows_of(days: list[date | str]) -> str:
    return csv("id,day,amount", *(f"{n},{day},{n}.50" for n, day in enumerate(days, 1)))


def make(folder: Folder, days: list[date | str], more: str = "retention: 1y\n") -> None:
    folder.write("sources/files.yaml", SOURCE)
    folder.write("in/sales-1.csv", rows_of(days))
    folder.write("datasets/processed/sales.yaml", DATASET + more)


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """A project on each kind of lake."""
    return make_project(tmp_path / "shop", str(request.param), request)


@pytest.fixture
def local(tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
    """A project on a lake in a folder."""
    return make_project(tmp_path / "local", "ducklake-sqlite", request)


def ids(lw: lakewright.Lakewright) -> list[int]:
    return [row[0] for row in lw.sql("select id from processed.sales order by id").fetchall()]


def test_old_rows_are_archived_and_come_back(shop: Folder) -> None:
    make(shop, [OLD, OLD - timedelta(days=400), YOUNG, "", TODAY])
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        before = lw.sql("select * exclude (_ingested_at) from processed.sales order by id").fetchall()
        (planned,) = lw.lifecycle("sales", dry_run=True)
        assert (planned.action, planned.age_by, planned.rows) == ("archive", "day", 2)
        assert ids(lw) == [1, 2, 3, 4, 5]
        assert lw.archives() == []

        (done,) = lw.lifecycle("sales")
        assert (done.action, done.rows, done.before) == ("archive", 2, TODAY - timedelta(days=365))
        assert ids(lw) == [3, 4, 5]  # a row without a date stays
        (kept,) = lw.archives("sales")
        assert (kept.kind, kept.rows, kept.first, kept.last) == (
            "archived",
            2,
            OLD - timedelta(days=400),
            OLD,
        )
        (again,) = lw.lifecycle("sales")
        assert (again.action, again.rows) == ("keep", 0)

        brought = lw.restore_archive("sales")
        assert (brought.archives, brought.rows) == (1, 2)
        assert lw.sql("select * exclude (_ingested_at) from processed.sales order by id").fetchall() == before
        assert lw.restore_archive("sales").rows == 0
        assert lw.run().raise_for_status().tasks  # the build goes on from where it was
        # what a full refresh builds again comes back once, and neither from two archives twice
        lw.lifecycle("sales")
        lw.run("processed.sales", full_refresh=True).raise_for_status()
        assert lw.restore_archive("sales").rows == 0
        lw.lifecycle("sales")
        assert [ids(lw), lw.restore_archive("sales").rows] == [[3, 4, 5], 2]
        assert ids(lw) == [1, 2, 3, 4, 5]


def test_the_archive_is_zstd_parquet_by_year_with_a_manifest(local: Folder) -> None:
    make(local, [OLD, OLD.replace(year=OLD.year - 1), YOUNG])
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        (done,) = lw.lifecycle("sales")
        folder = local.root / "lake" / "archive" / done.archive
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["dataset"], manifest["rows"]) == ("processed.sales", 2)
        assert [one["name"] for one in manifest["files"]] == [
            f"year={OLD.year - 1}.parquet",
            f"year={OLD.year}.parquet",
        ]
        assert set(manifest["columns"]) >= {"id", "day", "amount", "_batch_id"}
        codec = lw._platform.services.session.execute(
            f"select distinct compression from parquet_metadata('{folder}/*.parquet')"
        ).fetchall()
        assert codec == [("ZSTD",)]


def test_damage_is_found_before_anything_comes_back(local: Folder) -> None:
    make(local, [OLD, YOUNG])
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        (done,) = lw.lifecycle("sales")
        (file,) = (local.root / "lake" / "archive" / done.archive).glob("*.parquet")
        data = file.read_bytes()
        file.write_bytes(data[:-9] + b"x" + data[-8:])
        with pytest.raises(LakewrightError, match=r"LW422 .*SHA-256 differs"):
            lw.restore_archive("sales")
        file.unlink()
        with pytest.raises(LakewrightError, match=r"LW422 .*is gone"):
            lw.restore_archive("sales")
        assert ids(lw) == [2]


def test_a_failed_verification_deletes_nothing(local: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    make(local, [OLD, YOUNG])
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()

        def wrong(*_: Any) -> None:
            raise LakewrightError("LW422", "as if the disk had lied")

        monkeypatch.setattr("lakewright.lake.archive._verify", wrong)
        with pytest.raises(LakewrightError, match="LW422"):
            lw.lifecycle("sales")
        assert ids(lw) == [1, 2]
        assert lw.archives() == []
        monkeypatch.undo()
        assert lw.lifecycle("sales")[0].rows == 1
    # what the failed call had written is gone
    assert len(list((local.root / "lake" / "archive").rglob("manifest.json"))) == 1


def test_a_copy_with_other_values_deletes_nothing(local: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    make(local, [OLD, YOUNG])
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        real = archive.reader

        def other(*files: Any) -> str:
            return f"(SELECT * REPLACE (amount + 1 AS amount) FROM {real(*files)})"

        monkeypatch.setattr(archive, "reader", other)
        with pytest.raises(LakewrightError, match=r"LW422 .*does not hold the values"):
            lw.lifecycle("sales")
        assert ids(lw) == [1, 2]


@pytest.mark.parametrize(
    ("more", "action", "rows", "why"),
    [
        ("retention: forever\n", "keep", 0, "kept for ever"),
        ("retention: 30y\n", "keep", 0, ""),
        ("retention: 5000y\n", "keep", 0, "its retention reaches back before all dates"),
        ("retention: 1y\narchive: false\n", "expire", 1, ""),
        ("", "archive", 1, ""),  # a year is the default of `processed`
        ("retention: 1y\nage_by: _ingested_at\n", "keep", 0, ""),
    ],
)
def test_retention(local: Folder, more: str, action: str, rows: int, why: str) -> None:
    make(local, [OLD, YOUNG], more)
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        (done,) = lw.lifecycle("sales")
        assert (done.action, done.rows, done.why) == (action, rows, why)
        assert len(ids(lw)) == 2 - rows
        assert [one.kind for one in lw.archives()] == (
            ["archived" if done.archive else "expired"] if rows else []
        )


def test_without_a_date_everything_stays(local: Folder) -> None:
    make(local, [OLD])
    local.write("datasets/processed/sales.yaml", DATASET.replace("month(day)", "id"))
    with lakewright.open(local.root) as lw:
        assert lw.lifecycle("sales")[0].why == "no date tells the age of its rows: set age_by"


def test_a_history_keeps_its_current_rows(local: Folder) -> None:
    make(local, [OLD, YOUNG])
    history = DATASET.replace("merge, partition_by: [month(day)]", "scd2, scd2: {changed_at: day}")
    local.write("datasets/processed/sales.yaml", history + "retention: 1y\nage_by: day\n")
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        local.write("in/sales-2.csv", csv("id,day,amount", f"1,{TODAY},9.00"))
        lw.run().raise_for_status()
        assert lw.lifecycle("sales")[0].rows == 1
        assert lw.sql("select id, is_current from processed.sales order by id").fetchall() == [
            (1, True),
            (2, True),
        ]


def test_holds(local: Folder) -> None:
    days: list[date | str] = [OLD, OLD - timedelta(days=1), OLD - timedelta(days=2), YOUNG]
    make(local, days)
    with Platform.open(local.root) as platform:
        lw = lakewright.api.handle.Lakewright(platform)
        lw.run().raise_for_status()
        one = verbs.hold(
            platform, "sales", "case 7", first=OLD - timedelta(days=1), last=OLD - timedelta(days=1)
        )
        assert verbs.lifecycle(platform, ["sales"])[0].rows == 2
        assert ids(lw) == [2, 4]
        with pytest.raises(LakewrightError, match=r"LW420 .*processed\.sales \(hold 1: case 7\)"):
            lw.compact(expire="1d")
        lw.compact()
        two = verbs.hold(platform, "sales", "case 8")
        verbs.release(platform, one.id)
        assert verbs.lifecycle(platform, ["sales"])[0].why == "held: case 8"
        verbs.release(platform, two.id)
        with pytest.raises(LakewrightError, match="LW420"):
            verbs.release(platform, two.id)
        assert verbs.lifecycle(platform, ["sales"])[0].rows == 1
        assert [hold.reason for hold in verbs.hold_list(platform, released=True)] == ["case 7", "case 8"]
        lw.compact(expire="1d")
        with pytest.raises(LakewrightError, match="ends before it begins"):
            verbs.hold(platform, "sales", "x", first=TODAY, last=OLD)


@pytest.mark.s3
def test_a_cheaper_class_of_storage(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = make_project(tmp_path / "shop", "ducklake-s3", request)
    settings = json.loads((shop.root / "lakewright.yaml").read_text())
    settings["zones"] = {"processed": {"storage_class": "STANDARD_IA"}}
    shop.write("lakewright.yaml", json.dumps(settings))
    make(shop, [OLD, YOUNG])
    with Platform.open(shop.root) as platform:
        lw = lakewright.api.handle.Lakewright(platform)
        lw.run().raise_for_status()
        (done,) = lw.lifecycle("sales")
        from lakewright.lake.raw import s3_client, split_s3

        lake = platform.project.file.lake
        assert lake.s3 is not None
        bucket, prefix = split_s3(lake.path)
        key = f"{prefix}/archive/{done.archive}/year={OLD.year}.parquet"
        found = s3_client(lake.s3, platform.resolve).head_object(Bucket=bucket, Key=key)
        assert found["StorageClass"] == "STANDARD_IA"
        assert lw.restore_archive("sales").rows == 1


@pytest.mark.slow
def test_killed_at_every_kind_of_write_the_end_is_the_same(local: Folder, tmp_path: Path) -> None:
    days: list[date | str] = [OLD - timedelta(days=n % 900) for n in range(300)]
    make(local, [*days, YOUNG])
    with lakewright.open(local.root) as lw:
        lw.run().raise_for_status()
        expected = lw.sql("select * from processed.sales order by id").fetchall()
    count = tmp_path / "moments"
    assert start(local.root, "lifecycle", prepare=(watch, Moment(0, count=str(count)))).wait() == 0
    moments = count.read_text().splitlines()
    assert {"before end of the commit", "after commit", "after file", "before state"} <= set(moments)
    last = {name: number for number, name in enumerate(moments, 1)}
    for number in last.values():
        with lakewright.open(local.root) as lw:
            lw.restore_archive("sales")
            assert lw.sql("select * from processed.sales order by id").fetchall() == expected, moments[
                number - 2
            ]
        command = start(local.root, "lifecycle", prepare=(watch, Moment(number)))
        assert command.wait() == -signal.SIGKILL, command.text
        with lakewright.open(local.root) as lw:
            assert len(ids(lw)) in (1, 301)  # all of them went, or none
            lw.lifecycle("sales")
            assert ids(lw) == [301]
            kept = {one.path for one in lw.archives()}
        folder = local.root / "lake" / "archive"
        files = [file for file in folder.rglob("*.*") if ".staging" not in file.parts]
        assert {file.parent.relative_to(folder).as_posix() for file in files if file.is_file()} == kept
