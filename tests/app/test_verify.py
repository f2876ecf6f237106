"""`verify` tells every damage and the command that heals it; healed, it tells none."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backup_shops import back_up, damage, kept, next_round, values
from shop_folder import Folder
from shop_rounds import assert_same, make_shop

import lakewright
from lakewright.app.backup import create, show
from lakewright.app.platform import Platform
from lakewright.app.recover import recover, recover_datasets, recover_files
from lakewright.app.verify import verify
from lakewright.errors import LakewrightError
from lakewright.recovery.findings import Findings, Level


def look(folder: Folder, level: Level = "normal", *select: str) -> Findings:
    with Platform.open(folder.root) as platform:
        return verify(platform, select, level=level)


def wrong(found: Findings) -> set[tuple[str, str]]:
    return {(one.what, one.where) for one in found.problems if one.status == "bad"}


@pytest.fixture
def shop(backed_up: Folder) -> Folder:
    return backed_up


@pytest.mark.slow
def test_every_damage_is_told_and_healed(shop: Folder) -> None:
    dice = random.Random(3)
    wanted = kept(shop.root)
    for level in ("quick", "normal", "deep"):
        assert look(shop, level).problems == []
    with Platform.open(shop.root) as platform:
        files = [shop / f"lake/{one.kind}/{one.path}" for one in show(platform).manifest.of("tables", "raw")]
    files = [one for one in files if "_rejects" not in str(one)]
    for _ in range(2):
        struck = dice.sample(files, 4)
        done = [damage(dice, one) for one in struck]
        found = look(shop, "deep")
        names = {one.name for one in struck}
        told = {Path(where).name for what, where in wrong(found) if "files" in what}
        assert told == names, done
        # sizes alone tell less, and what is gone stops nothing
        assert {Path(where).name for what, where in wrong(look(shop)) if "files" in what} <= names
        assert {one.heal.partition(",")[0] for one in found.problems if "files" in one.what} == {
            "lakewright recover --files"
        }
        with Platform.open(shop.root) as platform:
            assert all(one.healed for one in recover_files(platform))
        assert look(shop, "deep").problems == []
    assert_same(kept(shop.root), wanted)


def test_databases_that_are_damaged_or_do_not_fit(shop: Folder, tmp_path: Path) -> None:
    empty = make_shop(tmp_path / "empty")
    assert look(empty).notes == ["nothing was built yet"]
    state, catalog = (shop / ".lakewright" / name for name in ("state.db", "catalog.sqlite"))
    catalog.write_bytes(b"no database" * 1000)
    catalog.with_name("catalog.sqlite-wal").unlink(missing_ok=True)
    found = look(shop)
    assert wrong(found) == {("databases", str(catalog))}
    assert found.problems[0].heal == "lakewright recover"
    catalog.unlink()
    assert [one.problem for one in look(shop).problems] == ["is gone"]
    recover(shop.root)
    # a state from before: the lake has read what its manifest does not know
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("DELETE FROM raw_files WHERE batch > 1 AND dataset = 'raw.orders'")
    found = look(shop, "normal", "processed.orders")
    assert ("checkpoints", "raw.orders") in wrong(found)
    recover(shop.root)
    assert look(shop, "deep").problems == []


def test_rules_between_tables(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw, lw._platform.services.session.cursor() as cursor:
        cursor.execute("INSERT INTO lake.processed.ruled SELECT * FROM lake.processed.ruled LIMIT 2")
        cursor.execute("UPDATE lake.processed.customers SET customer_id = 1000 + customer_id")
        cursor.execute("UPDATE lake.processed.order_log SET _batch_id = 99")
    found = look(shop)
    assert wrong(found) == {
        ("keys", "order_id"),
        ("references", "customer_id → processed.customers.customer_id"),
        ("checkpoints", "processed.order_log"),
    }
    assert wrong(look(shop, "normal", "curated.*")) == set()


def test_a_dataset_comes_back(shop: Folder, undisturbed: dict[str, list[str]]) -> None:
    moment = datetime.now(UTC)
    with lakewright.open(shop.root) as lw:
        then = sorted(lw.sql("FROM processed.order_log").fetchall(), key=repr)
    next_round(shop, 3)
    back_up(shop)
    with lakewright.open(shop.root) as lw, lw._platform.services.session.cursor() as cursor:
        cursor.execute("DROP TABLE lake.processed.order_log")
    shutil.rmtree(shop / "lake/tables/processed/customers")
    with Platform.open(shop.root) as platform:
        with pytest.raises(LakewrightError, match="LW904"):
            recover_datasets(platform, ["raw.orders"])
        (one,) = recover_datasets(platform, ["order_log"], at=moment)
        assert (one.rows, one.reached <= moment) == (len(then), True)
        recover_datasets(platform, ["processed.customers"])
    with lakewright.open(shop.root) as lw:
        assert sorted(lw.sql("FROM processed.order_log").fetchall(), key=repr) == then
    next_round(shop, 4)
    assert {one.dataset for one in look(shop).problems} <= {"processed.customers"}
    assert values(shop) == undisturbed


def test_a_backup_of_what_was_given_up_is_refused(shop: Folder) -> None:
    with Platform.open(shop.root) as platform:
        first = create(platform).id
    next_round(shop, 3)
    with Platform.open(shop.root) as platform:
        second = create(platform).id
    recover(shop.root, backup=first)
    with Platform.open(shop.root) as platform:
        with pytest.raises(LakewrightError, match="LW436"):
            recover_datasets(platform, ["processed.orders"], backup=second)
        recover_datasets(platform, ["processed.orders"], backup=first)


def test_what_no_backup_has_is_made_anew(shop: Folder) -> None:
    tables = ("processed.order_log", "processed.customers", "quarantine.processed_order_log")
    rows = {
        "processed.order_log": "select * exclude (_batch_id, _ingested_at) from {} order by all",
        # members that stand in for others went with the files; the facts' next rows bring theirs again
        "processed.customers": "select * exclude (_batch_id, _ingested_at) from {} where not is_inferred order by all",
    }
    with lakewright.open(shop.root) as lw:
        before = {id: lw.sql(sql.format(id)).fetchall() for id, sql in rows.items()}
    for id in tables:
        shutil.rmtree(shop / "lake/tables" / id.replace(".", "/"), ignore_errors=True)
    assert {one.dataset for one in look(shop).problems} >= set(rows)
    with lakewright.open(shop.root) as lw:
        # what is new cannot be put to what is gone
        lw.run("processed.order_log", "processed.customers", full_refresh=True).raise_for_status()
        assert {id: lw.sql(sql.format(id)).fetchall() for id, sql in rows.items()} == before
        lw.run().raise_for_status()
    assert {one.what for one in look(shop).problems} <= {"data files"}
