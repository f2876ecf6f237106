"""Recovery: parts of a lake are destroyed at random, brought back, and hold what an undisturbed one holds."""

from __future__ import annotations

import random
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from backup_shops import KINDS, back_up, destroy, kept, next_round, shop_of, values
from processes import Moment, start, watch
from shop_folder import Folder
from shop_rounds import assert_same

import lakewright
from lakewright.app.platform import Platform
from lakewright.app.recover import recover, recover_datasets
from lakewright.app.verify import verify
from lakewright.errors import LakewrightError


def test_a_lost_project_comes_back_as_it_was_at_a_time(
    backed_up: Folder, undisturbed: dict[str, list[str]]
) -> None:
    shop = backed_up
    moment = datetime.now(UTC)
    then = kept(shop.root)
    next_round(shop, 3)
    back_up(shop)
    lost = kept(shop.root)
    shutil.rmtree(shop / ".lakewright")
    shutil.rmtree(shop / "lake")
    report = recover(shop.root)
    assert report.put > 0
    assert_same(kept(shop.root), lost)
    # the time between two backups: the snapshots of the later one
    assert recover(shop.root, at=moment).reached <= moment
    back = kept(shop.root)
    data = [id for id in then if "." in id]
    assert {id: back[id] for id in data} == {id: then[id] for id in data}
    # and what came after is built from what was taken into raw
    next_round(shop, 4)
    assert values(shop) == undisturbed


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_lost_project_comes_back_elsewhere(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shop = shop_of(tmp_path / "shop", kind, request)
    next_round(shop, 0)
    with lakewright.open(shop.root) as lw:
        lw.compact("processed.order_log")
    back_up(shop)
    lost = kept(shop.root)
    next_round(shop, 1)
    # over a lake that is there: what it holds is set aside, or lost, and comes again
    recover(shop.root)
    assert_same(kept(shop.root), lost)
    _lose(shop, kind, request)
    recover(shop.root)
    assert_same(kept(shop.root), lost)
    with lakewright.open(shop.root) as lw, lw._platform.services.session.cursor() as cursor:
        then = sorted(lw.sql("FROM processed.order_log").fetchall(), key=repr)
        cursor.execute("DELETE FROM lake.processed.order_log")
    with Platform.open(shop.root) as platform:
        recover_datasets(platform, ["order_log"])
        assert verify(platform, level="deep").problems == []
    with lakewright.open(shop.root) as lw:
        assert sorted(lw.sql("FROM processed.order_log").fetchall(), key=repr) == then
        assert lw.run().raise_for_status()["processed.orders"].status == "built"


def _lose(shop: Folder, kind: str, request: pytest.FixtureRequest) -> None:
    """Lose the lake, its catalog and the state."""
    shutil.rmtree(shop / ".lakewright")
    if kind == "s3":
        double = request.getfixturevalue("ministack")
        with Platform.open(shop.root) as platform:
            bucket = platform.project.file.lake.path.removeprefix("s3://").partition("/")[0]
        client = double.client("s3")
        for one in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=one["Key"])
        return
    shutil.rmtree(shop / "lake")
    with Platform.open(shop.root) as platform:
        file = platform.project.file
    for address in (file.lake.catalog.removeprefix("postgres:"), file.state):
        with psycopg.connect(address) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_destroyed_at_random(backed_up: Folder, undisturbed: dict[str, list[str]]) -> None:
    dice, shop = random.Random(11), backed_up
    for number in (3, 4):
        # rounds after the last backup are lost, and taken again from where they came
        next_round(shop, number)
        done = destroy(shop.root, dice)
        recover(shop.root)
        with lakewright.open(shop.root) as lw:
            lw.run().raise_for_status()
        back_up(shop)
    assert values(shop) == undisturbed, done
    with Platform.open(shop.root) as platform:
        assert verify(platform, level="deep").whole


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_while_it_recovers(backed_up: Folder) -> None:
    dice = random.Random(5)
    shop = backed_up
    wanted = kept(shop.root)
    destroy(shop.root, dice)
    began = time.monotonic()
    assert start(shop.root, "recover", "--yes").wait() == 0
    takes = time.monotonic() - began
    kills = 0
    for number in range(12):
        if kills == 2:
            break
        destroy(shop.root, dice)
        if number % 3 == 2:
            prepare = (watch, Moment(dice.randint(1, 8), only=dice.choice(["raw file", "state", "commit"])))
            killed = start(shop.root, "recover", "--yes", prepare=prepare).wait() == -9
        else:
            killed = start(shop.root, "recover", "--yes").kill_after(dice.uniform(0.1, takes))
        kills += killed
        if (shop / ".lakewright/recovery.json").exists():
            # half of a recovery is no lake
            for attempt in (lambda lw: lw.run(), lambda lw: lw.runs()):
                with lakewright.open(shop.root) as lw, pytest.raises(LakewrightError, match="LW438"):
                    attempt(lw)
        recover(shop.root)
        assert_same(kept(shop.root), wanted)
    assert kills == 2


def test_what_is_in_the_way_is_kept_and_shared_lakes_are_not_touched(
    backed_up: Folder, tmp_path: Path
) -> None:
    shop = backed_up
    next_round(shop, 3)
    later = kept(shop.root)
    shop.write("datasets/curated/by_city.sql", "select 1 as one from processed.orders\n")
    report = recover(shop.root, dry_run=True)
    assert kept(shop.root) == later
    assert "by_city.sql" in report.notes[0]
    aside = {Path(one).name: Path(one) for one in recover(shop.root).aside}
    assert aside.keys() >= {"catalog.sqlite", "state.db"}
    assert kept(shop.root)["manifest"] != later["manifest"]
    # what was set aside is the lake that was there
    for name, file in aside.items():
        shutil.copy(file, shop / ".lakewright" / name)
    for left in (shop / ".lakewright").glob("*-wal"):
        left.unlink()
    assert kept(shop.root) == later
    shop.write(
        "lakewright.yaml",
        f"name: shop\nlake: {{catalog: 'sqlite:{shop.root}/.lakewright/catalog.sqlite'}}\nbackup: {{to: ../backups}}\n",
    )
    back_up(shop)
    with pytest.raises(LakewrightError, match=r"LW435.*would share them"):
        recover(shop.root, into=tmp_path / "drill")


def test_it_waits_for_no_run(backed_up: Folder) -> None:
    shop = backed_up
    with (
        Platform.open(shop.root) as platform,
        platform.journal.upkeep("test"),
        pytest.raises(LakewrightError, match="LW612"),
    ):
        recover(shop.root)
    assert not (shop / ".lakewright/recovery.json").exists()
    recover(shop.root)
