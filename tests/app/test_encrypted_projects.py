"""An encrypted lake: nothing of the data is readable in its files, only its key opens it, and one process has it."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lake_shops import csv
from processes import start
from shop_folder import Folder

import lakewright
from lakes import lake_settings
from lakewright.app.backup import create
from lakewright.app.platform import Platform
from lakewright.app.recover import recover
from lakewright.app.verify import verify
from lakewright.engine.errors import is_conflict
from lakewright.errors import LakewrightError
from lakewright.lake import sealed
from lakewright.security.keys import MaskKey

PLANTED = "Zanzibar-7718"
OLD = datetime.now(UTC).date() - timedelta(days=900)
YOUNG = datetime.now(UTC).date() - timedelta(days=9)

PROJECT = """
name: shop
lake: {encryption: {}}
engine: {threads: 2, workers: 2, memory_limit: 1GB}
backup: {to: ../shop-backups}
"""
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
  name: {type: varchar}
write: {mode: merge, partition_by: [year(day)]}
retention: 1y
quality_threshold: 0
"""
HISTORY = """
from: processed.sales
columns:
  id: {type: bigint, key: true}
  name: {type: varchar}
write: {mode: scd2, keys: [id]}
"""


def rows(first: int, count: int, day: object, name: str) -> str:
    return csv("id,day,name", *(f"{n},{day},{name}-{n}" for n in range(first, first + count)))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encrypted project that was built twice: many rows, and a few."""
    folder = Folder(tmp_path_factory.mktemp("encrypted") / "shop")
    folder.write("lakewright.yaml", PROJECT)
    folder.write("sources/files.yaml", SOURCE)
    folder.write("datasets/processed/sales.yaml", DATASET)
    folder.write("datasets/curated/people.yaml", HISTORY)
    folder.write("in/sales-1.csv", rows(1, 600, OLD, PLANTED) + rows(601, 600, YOUNG, PLANTED)[12:])
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        folder.write("in/sales-2.csv", rows(1201, 3, YOUNG, PLANTED))
        lw.run().raise_for_status()
    return folder.root


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Folder:
    """A copy of the project, in a folder of its own."""
    shutil.copytree(built, tmp_path / "shop")
    return Folder(tmp_path / "shop")


def holding(root: Path, value: str) -> set[str]:
    """The files under *root* in which *value* is found, as it is or in hexadecimal digits."""
    found = set()
    for file in root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            if value.encode() in content or value.encode().hex().encode() in content:
                found.add(file.relative_to(root).as_posix())
    return found


def contents(lw: lakewright.Lakewright) -> list[list[tuple[object, ...]]]:
    return [
        lw.sql(f"select * exclude (_ingested_at) from {one} order by all").fetchall()
        for one in ("processed.sales", "curated.people")
    ]


#: What the page on encryption says is in the clear.
CLEAR = ("in/", "lake/raw/", ".lakewright/state.db", ".lakewright/reports/")


def test_nothing_is_readable_but_what_is_said_to_be(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        assert lw.sql("select count(*) from processed.sales").fetchone() == (1203,)
        before = contents(lw)
        shown = (
            lw.sql("select * from duckdb_databases()").fetchall(),
            lw.sql("from duckdb_secrets()").fetchall(),
        )
        lw.lifecycle()
        (archive,) = [one for one in lw.archives() if one.dataset == "processed.sales"]
        assert archive.rows == 600
        assert lw.sql("select count(*) from processed.sales").fetchone() == (603,)
        assert lw.rotate_key("lake") == (2, 0, True)
        # an archive stays under the version that it was made with
        assert lw.restore_archive("processed.sales").rows == 600
        assert contents(lw) == before
        lw.compact()
    with Platform.open(shop.root) as platform:
        assert verify(platform, level="deep").problems == []
        files = [
            one for one in shop.root.rglob("*.parquet") if "tables" in one.parts or "archive" in one.parts
        ]
    assert files
    # no folder is named after a value, not even after compaction
    assert not list((shop / "lake/tables").rglob("*=*"))
    assert {one.read_bytes()[:4] for one in files} == {
        b"PARE"
    }  # the mark of Parquet whose footer is encrypted
    assert not [one for one in holding(shop.root, PLANTED) if not one.startswith(CLEAR)]
    for version in (1, 2):
        key = (shop / f".lakewright/keys/lake.{version}.key").read_text().strip()
        told = base64.b64encode(
            sealed.derived(MaskKey("lake", version, bytes.fromhex(key)), "catalog")
        ).decode()
        assert holding(shop.root, key) == {f".lakewright/keys/lake.{version}.key"}
        assert not holding(shop.root, told)
        assert told not in repr(shown)


def test_only_its_key_opens_it_and_it_says_what_is_wrong(shop: Folder) -> None:
    key = shop / ".lakewright/keys/lake.1.key"
    right = key.read_text()

    def refused(code: str) -> str:
        with lakewright.open(shop.root) as lw, pytest.raises(LakewrightError) as caught:
            lw.sql("select 1 from processed.sales").fetchall()
        assert caught.value.code == code
        assert right.strip() not in str(caught.value)
        return str(caught.value)

    key.write_text("ab" * 32)
    refused("LW803")
    # the state is gone as well: then the catalog itself tells
    (shop / ".lakewright/state.db").rename(shop / "state.bak")
    assert "lake" in refused("LW832")
    (shop / ".lakewright/state.db").unlink()
    (shop / "state.bak").rename(shop / ".lakewright/state.db")
    key.unlink()
    assert str(key) in refused("LW802")
    key.write_text(right)
    # the setting is gone: the lake is not begun anew in the clear
    shop.write("lakewright.yaml", PROJECT.replace("lake: {encryption: {}}", ""))
    refused("LW833")
    assert not (shop / ".lakewright/catalog.sqlite").exists()


def test_a_lake_in_the_clear_is_not_half_encrypted(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "clear")
    folder.write("lakewright.yaml", "name: shop")
    with lakewright.open(folder.root) as lw:
        lw.tables()
        lw.snapshots()
    folder.write("lakewright.yaml", PROJECT)
    with lakewright.open(folder.root) as lw, pytest.raises(LakewrightError, match="LW833"):
        lw.snapshots()
    assert not list((folder / ".lakewright").glob("*.duckdb"))


def test_one_process_has_it_and_others_wait_for_a_time(shop: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "PATIENCE", 0.3)
    first = lakewright.open(shop.root)
    assert first.sql("select count(*) from processed.sales").fetchone() == (1203,)
    with (
        lakewright.open(shop.root) as second,
        pytest.raises(LakewrightError, match=f"LW831 .*pid {os.getpid()}"),
    ):
        second.sql("select 1 from processed.sales").fetchall()
    # another process waits, and has it as soon as it is free
    waiting = start(shop.root, "query", "select count(*) as n from processed.sales", "--output", "csv")
    assert not waiting.until(lambda text: "1203" in text, 1.5)
    first.close()
    assert waiting.wait() == 0
    assert "1203" in waiting.text


def test_a_rotation_killed_at_any_moment_leaves_a_lake(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        before = contents(lw)
    for step in ("_copy", "_sync", "_turn", "register"):
        killed = start(shop.root, "keys", "rotate", "lake", prepare=(die_in_rotation, step))
        assert killed.wait() == -signal.SIGKILL, killed.text
        with lakewright.open(shop.root) as lw:
            assert contents(lw) == before
            assert lw.rotate_key("lake").lake
            assert contents(lw) == before
            assert {one.status for one in lw._platform.keys.listed()} == {"ok"}
            there = lw._platform.services.lake.sealed.current()  # type: ignore[attr-defined]
            assert (there.key, there.version) == ("lake", lw._platform.keys.newest()["lake"])
        assert [one.name for one in (shop / ".lakewright").glob("catalog.*duckdb*") if one != there.path] == [
            "catalog.duckdb.open"
        ]


def die_in_rotation(step: str) -> None:
    """Kill the process right before the step of that name."""
    from lakewright.lake.encrypted import EncryptedDuckLake
    from lakewright.security.keys import Keys

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for owner in (sealed, EncryptedDuckLake, Keys):
        if hasattr(owner, step):
            setattr(owner, step, die)


def test_queries_go_on_while_the_key_changes(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        services = lw._platform.services
        stop, counts, failures = threading.Event(), [], []

        def ask() -> None:
            with services.session.cursor() as cursor:
                while not stop.is_set():
                    try:
                        counts.append(
                            cursor.execute("SELECT count(*) FROM lake.processed.sales").fetchall()[0][0]
                        )
                    except Exception as error:
                        if not is_conflict(error):
                            failures.append(error)

        readers = [threading.Thread(target=ask) for _ in range(2)]
        for one in readers:
            one.start()
        for _ in range(5):
            lw.rotate_key("lake")
        shop.write("in/sales-3.csv", rows(2001, 1, YOUNG, "late"))
        lw.run().raise_for_status()
        stop.set()
        for one in readers:
            one.join()
        assert failures == []
        assert set(counts) <= {1203, 1204}
        assert lw.sql("select count(*) from processed.sales").fetchone() == (1204,)


def test_it_comes_back_from_a_backup_with_its_key_alone(
    shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHRASE", "a long passphrase")
    with lakewright.open(shop.root) as lw:
        before = contents(lw)
        lw.rotate_key("lake")
    place = shop.root.with_name("shop-backups")
    with Platform.open(shop.root) as platform:
        create(platform, passphrase_from="env:PHRASE")
    raw = {one.read_bytes() for one in (shop / "lake/raw").rglob("*") if one.is_file()}
    leaks = [one for one in holding(place, PLANTED) if (place / one).read_bytes() not in raw]
    assert leaks == []
    for one in shop.root.iterdir():
        if one.name != "in":
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    with pytest.raises(LakewrightError, match="LW802"):
        recover(shop.root, place=str(place))
    recover(shop.root, place=str(place), passphrase_from="env:PHRASE")
    with lakewright.open(shop.root) as lw:
        assert contents(lw) == before
        lw.run().raise_for_status()
        assert contents(lw) == before
    with Platform.open(shop.root) as platform:
        assert verify(platform, level="deep").problems == []
        damaged = next((shop / "lake/tables/processed").rglob("*.parquet"))
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        found = verify(platform, level="deep")
        assert [one.where for one in found.problems if one.dataset == "processed.sales"]


@pytest.mark.postgres
def test_on_a_catalog_in_postgresql_the_files_are_encrypted(
    shop: Folder, request: pytest.FixtureRequest
) -> None:
    catalog = lake_settings("ducklake-postgres", request).catalog
    shutil.rmtree(shop / ".lakewright")
    shutil.rmtree(shop / "lake/tables")
    settings = PROJECT.replace("{encryption: {}}", f"{{encryption: {{}}, catalog: '{catalog}'}}")
    shop.write("lakewright.yaml", settings)
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        assert lw.sql("select count(*) from processed.sales").fetchone() == (1203,)
        lw.lifecycle()
        assert lw.restore_archive("processed.sales").rows == 600
        assert lw.rotate_key("lake") == (2, 0, False)  # for archives to come: there is no file of a catalog
        lw.compact()
    with Platform.open(shop.root) as platform:
        assert verify(platform, level="deep").problems == []
        with pytest.raises(LakewrightError, match="LW834"):
            create(platform)
    assert not [one for one in holding(shop.root, PLANTED) if not one.startswith(CLEAR)]
    shop.write("lakewright.yaml", settings.replace("encryption: {}, ", ""))
    with lakewright.open(shop.root) as lw, pytest.raises(LakewrightError, match="LW833"):
        lw.snapshots()


def test_a_key_that_is_a_secret_is_changed_for_another_name(shop: Folder) -> None:
    shop.write(".secrets/SECOND", "cd" * 32)
    shop.write(
        "lakewright.yaml",
        PROJECT.replace("{encryption: {}}", "{encryption: {key: second}}")
        + 'keys: {second: {store: secret, secret: "${secret:SECOND}"}}',
    )
    with lakewright.open(shop.root) as lw:
        before = contents(lw)
        assert lw.rotate_key("second") == (1, 0, True)
        (shop / ".lakewright/keys/lake.1.key").unlink()
        assert contents(lw) == before
    with lakewright.open(shop.root) as lw:
        assert contents(lw) == before
