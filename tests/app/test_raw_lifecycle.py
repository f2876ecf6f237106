"""Old raw files go to the archive, where they are read as before, or are deleted; nothing is lost in silence."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aged_files import declare, grow_old, write
from lake_shops import make_project
from processes import Moment, start, watch
from shop_folder import Folder

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.app.lifecycle import hold, release
from lakewright.app.lifecycle import lifecycle as verb
from lakewright.app.platform import Platform
from lakewright.app.verify import verify
from lakewright.errors import LakewrightError

VISITS = "select id, name, _source_file from raw.visits order by id::int"


@pytest.fixture
def local(tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
    return make_project(tmp_path / "shop", "ducklake-sqlite", request)


@pytest.fixture
def shop(local: Folder) -> Iterator[tuple[Folder, Platform, Lakewright]]:
    write(local)
    with Platform.open(local.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        yield local, platform, lw


def content(folder: Path) -> dict[str, str]:
    files = [one for one in folder.rglob("*") if one.is_file() and ".staging" not in one.parts]
    return {one.relative_to(folder).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


def step(platform: Platform, dataset: str, **options: Any) -> tuple[str, int, int | None, str]:
    (done,) = verb(platform, [dataset], **options)
    return done.action, done.rows, done.files, done.why


def test_archived_files_are_read_as_before_and_come_back(shop: tuple[Folder, Platform, Lakewright]) -> None:
    folder, platform, lw = shop
    raw = folder / "lake/raw"
    before, visits = content(raw), lw.sql(VISITS).fetchall()
    table = lw.sql("select * exclude (_ingested_at, _batch_id) from processed.visits order by id").fetchall()
    assert [len(visits), visits[0][2], visits[7][2]] == [13, "visits-1.csv", "visits-4.zip/a.csv"]
    assert step(platform, "raw.visits") == ("keep", 0, 0, "")
    grow_old(platform)
    assert step(platform, "raw.visits", dry_run=True) == ("archive", 13, 6, "")
    assert content(raw) == before

    done = {one.dataset: one for one in lw.lifecycle()}
    assert [done[f"raw.{name}"].files for name in ("visits", "tickets")] == [6, 1]
    # the lines that could not be read are all that stays
    assert {one.split("/")[0] for one in content(raw)} == {"_rejects"}
    there = content(folder / "lake/archive")
    assert sum(one.endswith("csv~.zst") for one in there) >= 3
    (manifest,) = (folder / "lake/archive/raw/_manifests/visits").iterdir()
    told = json.loads(manifest.read_text())
    assert {one["path"]: one["rows"] for one in told["files"]}["visits-4.zip"] == 4
    objects = {each["name"]: each["sha256"] for one in told["files"] for each in one["objects"]}
    assert objects.items() <= {one.removeprefix("raw/"): digest for one, digest in there.items()}.items()

    assert lw.sql(VISITS).fetchall() == visits
    assert lw.run(full_refresh=True).raise_for_status()["processed.tickets"].rows == 2
    again = lw.sql("select * exclude (_ingested_at, _batch_id) from processed.visits order by id").fetchall()
    assert again == table
    assert verify(platform, level="deep").problems == []
    # what was taken is not taken again, and another version of it is
    assert lw.run()["raw.visits"].status == "unchanged"
    folder.write("in/visits-1.csv", "id,name\n1,Eve\n")
    lw.run().raise_for_status()
    assert lw.sql("select name from processed.visits where id < 3").fetchall() == [("Eve",)]
    assert {(one.dataset, one.kind, one.rows) for one in lw.archives()} == {
        ("raw.visits", "archived", 13),
        ("raw.tickets", "archived", 2),
    }
    assert lw.restore_archive("raw.visits").rows == 13
    assert lw.restore_archive("raw.tickets").rows == 2
    assert before.items() <= content(raw).items()
    assert content(folder / "lake/archive") == {}
    assert lw.archives() == []
    assert verify(platform, level="deep").problems == []


def test_deleted_files_leave_a_gap_that_nothing_hides(shop: tuple[Folder, Platform, Lakewright]) -> None:
    folder, platform, lw = shop
    declare(folder, "retention: 90d\narchive: false")
    folder.write("datasets/curated/names.sql", "select count(*) as names from raw.tickets\n")
    folder.write("in/visits-7.csv", "id,name\n14,Eve\n")
    old = ["visits-1.csv", "visits-2.csv.gz", "tickets-1.json"]
    grow_old(platform, old)
    with Platform.open(folder.root) as platform:
        lw = Lakewright(platform)
        # nobody read the tickets, and then somebody who reads all of them each time
        assert "curated.names has not read it yet" in step(platform, "raw.tickets")[3]
        lw.run().raise_for_status()
        assert "curated.names reads all of it each time" in step(platform, "raw.tickets")[3]
        assert content(folder / "lake/raw/_rejects") != {}
        held = hold(platform, "raw.visits", "case 7", first=datetime.now(UTC).date() - timedelta(days=365))
        assert "held: case 7" in step(platform, "raw.visits")[3]
        release(platform, held.id)

        assert step(platform, "raw.visits") == ("expire", 4, 2, "")
        assert step(platform, "raw.visits") == ("keep", 0, 0, "")
        assert content(folder / "lake/raw/_rejects") == {}
        assert len(lw.sql(VISITS).fetchall()) == 10
        assert verify(platform, level="deep").problems == []
        (gone,) = lw.archives("raw.visits")
        assert (gone.kind, gone.rows, gone.path) == ("expired", 4, "")
        with pytest.raises(LakewrightError, match=r"LW901 raw\.visits has no archive"):
            lw.restore_archive("raw.visits")
        # the same bytes are not loaded again, however they come
        for name in old[:2]:
            (folder / "in" / name).touch()
        assert lw.run()["raw.visits"].status == "unchanged"
        (folder / "in" / old[1]).unlink()
        assert lw.run().raise_for_status()["processed.visits"].status == "unchanged"

        planned = {one.dataset: one.reason for one in lw.plan(full_refresh=True).tasks}
        assert "2 files of raw.visits expired, so it would lose rows" in planned["processed.visits"]
        report = lw.run("processed.visits", full_refresh=True)
        assert report["processed.visits"].code == "LW440"
        assert "visits-1.csv, visits-2.csv.gz" in report["processed.visits"].error
        assert lw.sql("select count(*) from processed.visits").fetchall() == [(14,)]

    folder.write(
        "datasets/processed/visits.yaml",
        "from: raw.visits\nsteps: [{derive: {loud: upper(name)}}]\n"
        "columns: {id: {type: bigint}, name: {type: varchar}, loud: {type: varchar}}\n",
    )
    with lakewright.open(folder.root) as lw:
        assert lw.run()["processed.visits"].code == "LW440"
        report = lw.run(accept_gaps=True).raise_for_status()
        assert (
            "2 files of raw.visits expired, and their rows stay as they were"
            in report["processed.visits"].notes[0]
        )
        rows = lw.sql("select id, loud from processed.visits order by id").fetchall()
        assert [row[0] for row in rows] == list(range(1, 15))
        assert [row[1] for row in rows[:6]] == [None] * 4 + ["ANN 5", "BOB 6"]
        # whoever is built for the first time is told what it lacks
        folder.write("datasets/processed/late.yaml", "from: raw.visits\ncolumns: {id: {type: bigint}}\n")
    with lakewright.open(folder.root) as lw:
        report = lw.run("processed.late")
        assert report["processed.late"].rows == 10
        assert "expired and are not in it" in report["processed.late"].notes[0]


def test_what_is_not_right_stays_and_is_told(shop: tuple[Folder, Platform, Lakewright]) -> None:
    folder, platform, lw = shop
    grow_old(platform)
    (file,) = (folder / "lake/raw").rglob("visits-1.csv")
    file.write_bytes(b"x" * file.stat().st_size)
    action, _, files, why = step(platform, "raw.visits")
    assert (action, files) == ("archive", 5)
    assert "visits-1.csv is damaged" in why
    (packed,) = (folder / "lake/archive").rglob("visits-3.csv~.zst")
    packed.write_bytes(b"x")
    assert [one.where for one in verify(platform).problems] == [
        packed.relative_to(folder / "lake").as_posix()
    ]
    with pytest.raises(LakewrightError, match=r"LW422 .*visits-3.csv~.zst is not what was archived"):
        lw.restore_archive("raw.visits")


@pytest.mark.s3
def test_files_on_s3_in_a_cheaper_class(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = make_project(tmp_path / "shop", "ducklake-s3", request)
    settings = json.loads((shop.root / "lakewright.yaml").read_text())
    settings["zones"] = {"raw": {"storage_class": "STANDARD_IA"}}
    shop.write("lakewright.yaml", json.dumps(settings))
    write(shop)
    with Platform.open(shop.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        visits = lw.sql(VISITS).fetchall()
        grow_old(platform)
        assert step(platform, "raw.visits")[:3] == ("archive", 13, 6)
        assert lw.sql(VISITS).fetchall() == visits
        from lakewright.lake.raw import s3_client, split_s3

        lake = platform.project.file.lake
        assert lake.s3 is not None
        bucket, prefix = split_s3(lake.path)
        found = s3_client(lake.s3, platform.resolve).list_objects_v2(
            Bucket=bucket, Prefix=f"{prefix}/archive/raw/f/"
        )
        assert {one["StorageClass"] for one in found["Contents"]} == {"STANDARD_IA"}
        assert lw.restore_archive("raw.visits").rows == 13
        assert lw.sql(VISITS).fetchall() == visits


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["archive: true", "archive: false"])
def test_killed_at_every_kind_of_write_the_end_is_the_same(
    local: Folder, tmp_path: Path, policy: str
) -> None:
    write(local, f"retention: 90d\n{policy}")
    with Platform.open(local.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        grow_old(platform)
        expected = lw.sql(VISITS).fetchall()
    count = tmp_path / "moments"
    copy = tmp_path / "copy"

    def again(number: int, name: str = "") -> Folder:
        import shutil

        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(local.root, copy)
        command = start(copy, "lifecycle", prepare=(watch, Moment(number, count=name)))
        assert command.wait() == (-signal.SIGKILL if number else 0), command.text
        return Folder(copy)

    folder = again(0, str(count))
    end, archived = content(folder / "lake/raw"), content(folder / "lake/archive/raw").keys()
    moments = count.read_text().splitlines()
    for number in {name: number for number, name in enumerate(moments, 1)}.values():
        folder = again(number)
        with Platform.open(folder.root) as platform:
            lw = Lakewright(platform)
            rows = lw.sql(VISITS).fetchall()
            assert rows == expected or (not rows and "false" in policy), moments[number - 1]
            lw.lifecycle()
            assert content(folder / "lake/raw") == end, moments[number - 1]
            there = content(folder / "lake/archive/raw")
            assert len(there) == len(archived), moments[number - 1]
            assert lw.sql(VISITS).fetchall() == (expected if "true" in policy else [])
            assert verify(platform, level="deep").problems == []
