"""Backups: each file once, complete or not there, made while others write, pruned without losing anything."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_shops import MASKED, back_up, kept, next_round
from hypothesis import given
from hypothesis import strategies as st
from processes import Moment, start, watch
from shop_folder import Folder
from shop_rounds import add_round, assert_same, make_shop

import lakewright
from lakewright.app.backup import backups, create, prune, show, verify
from lakewright.app.platform import Platform
from lakewright.app.recover import recover, recover_files
from lakewright.errors import LakewrightError
from lakewright.recovery.keep import chosen
from lakewright.recovery.rooms import MODULES


@pytest.fixture
def shop(backed_up: Folder) -> Folder:
    return backed_up


def blobs(folder: Folder) -> dict[str, bytes]:
    place = folder.root.parent / "backups" / "blobs"
    return {one.name: one.read_bytes() for one in place.rglob("*") if one.is_file()}


def test_a_backup_knows_every_table_of_the_state() -> None:
    sources = Path(lakewright.__file__).parent
    defining = {
        ".".join(["lakewright", *one.relative_to(sources).with_suffix("").parts])
        for one in sources.rglob("*.py")
        if "sa.Table(" in one.read_text("utf-8")
    }
    assert defining == set(MODULES)


def data_file(folder: Folder) -> Path:
    """A data file that the lake needs: compaction leaves others behind."""
    with Platform.open(folder.root) as platform:
        found = show(platform).manifest.of("tables")
    return folder / "lake/tables" / next(one.path for one in found if one.dataset == "processed.order_log")


def test_each_file_is_kept_once_and_damage_is_noticed(shop: Folder) -> None:
    first = back_up(shop)
    # the databases are others than in the backup before; files of the lake are not
    assert first.new_files <= 2 < first.files
    file = data_file(shop)
    raw = next((shop / "lake/raw/files/orders").rglob("*.csv"))
    content, text = file.read_bytes(), raw.read_bytes()
    file.unlink()
    raw.write_bytes(text.replace(b",", b";", 1))
    with Platform.open(shop.root) as platform:
        # what the lake lost, the backup before has
        made = create(platform, full=True)
        assert "2 files are damaged" in made.notes[-1]
        assert {(one.was, one.healed) for one in recover_files(platform)} == {
            ("gone", True),
            ("damaged", True),
        }
        assert (file.read_bytes(), raw.read_bytes()) == (content, text)
        assert recover_files(platform) == []
        assert create(platform, full=True).notes == ()
        assert first.id in [one.id for one in backups(platform)]
        # a blob that went bad is told, and stored anew from a lake that still has the file
        place = shop.root.parent / "backups" / "blobs"
        blob = max((one for one in place.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
        blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
        read = verify(platform)
        assert len(read.backups) == 4
        assert [one.problem for one in read.wrong] == ["is damaged: its SHA-256 differs"]
        # and a manifest that went bad is no backup
        manifest = shop.root.parent / "backups" / "backups" / f"{first.id}.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"orders", b"0rders", 1))
        with pytest.raises(LakewrightError, match="LW434"):
            show(platform, None, first.id)
        with pytest.raises(LakewrightError, match="LW434"):
            prune(platform, keep_last=1)
        assert sum(bool(one.wrong) for one in backups(platform)) == 1


def test_what_is_lost_before_the_first_backup_is_an_error(shop: Folder) -> None:
    file = data_file(shop)
    shutil.rmtree(shop.root.parent / "backups")
    file.unlink()
    with pytest.raises(LakewrightError, match=r"LW432.*order_log.* is gone"):
        back_up(shop)
    with Platform.open(shop.root) as platform:
        assert backups(platform) == []


def test_places_belong_to_one_project(shop: Folder, tmp_path: Path) -> None:
    back_up(shop)
    other = make_shop(tmp_path / "other", "backup: {to: ../backups}\n")
    other.write("lakewright.yaml", "name: other\nbackup: {to: ../backups}\n")
    next_round(other, 0)
    with pytest.raises(LakewrightError, match=r"LW430.*'shop', not of 'other'"):
        back_up(other)
    with pytest.raises(LakewrightError, match=r"LW435.*'other'.*'shop'"):
        recover(other.root, place=str(tmp_path / "backups"))
    with pytest.raises(LakewrightError, match="LW431"):
        recover(shop.root, place=str(tmp_path / "nothing"))
    with pytest.raises(LakewrightError, match=r"LW431.*reaches back"):
        recover(shop.root, at=datetime(2001, 1, 1, tzinfo=UTC))


def test_keys_leave_only_under_a_passphrase(shop: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("datasets/processed/masked.yaml", MASKED)
    add_round(shop, 2)
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
    key = (shop / ".lakewright/keys/default.1.key").read_text("ascii").strip()
    made = back_up(shop)
    assert made.keys == "left out"
    assert "THE KEYS ARE NOT IN THIS BACKUP" in made.notes[0]
    monkeypatch.setenv("PHRASE", "correct horse battery staple")
    sealed = back_up(shop, passphrase_from="env:PHRASE")
    assert sealed.keys == "sealed"
    assert not [name for name, content in blobs(shop).items() if key.encode() in content]
    before = kept(shop.root)
    (shop / ".lakewright").rename(shop.root.parent / "lost")
    monkeypatch.setenv("WRONG", "incorrect horse battery")
    with pytest.raises(LakewrightError, match="LW433"):
        recover(shop.root, passphrase_from="env:WRONG")
    assert not (shop / ".lakewright").exists() or not (shop / ".lakewright/catalog.sqlite").exists()
    recover(shop.root, passphrase_from="env:PHRASE")
    file = shop / ".lakewright/keys/default.1.key"
    assert file.read_text("ascii").strip() == key
    assert file.stat().st_mode & 0o077 == 0
    assert_same(kept(shop.root), before)
    for said in ("env:NOWHERE", "file:/nowhere", "hunter2hunter2"):
        with pytest.raises(LakewrightError, match="LW433"):
            back_up(shop, passphrase_from=said)


@given(
    hours=st.lists(st.integers(0, 24 * 60), min_size=1, max_size=40, unique=True),
    keep=st.integers(1, 5),
    daily=st.integers(0, 10),
    weekly=st.integers(0, 5),
)
def test_what_is_kept(hours: list[int], keep: int, daily: int, weekly: int) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    known = [(str(one), begin + timedelta(hours=one)) for one in sorted(hours, reverse=True)]
    kept = chosen(known, keep=keep, daily=daily, weekly=weekly)
    at = dict(known)
    assert list(kept) == sorted(kept, key=int, reverse=True)
    assert set(kept) >= {id for id, _ in known[:keep]}
    days = sorted({one.date() for one in at.values()}, reverse=True)
    for day in days[:daily]:
        assert max((int(id) for id, one in known if one.date() == day)) in {int(id) for id in kept}
    assert len(kept) <= keep + daily + weekly
    # keeping more never drops one
    assert set(kept) <= set(chosen(known, keep=keep + 1, daily=daily + 1, weekly=weekly + 1))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_while_it_is_made_or_pruned(shop: Folder) -> None:
    dice = random.Random(7)
    back_up(shop)
    for number in range(1, 5):
        add_round(shop, number)
        command = ("backup", "create") if number % 2 else ("backup", "prune", "--keep", "1")
        moment = Moment(dice.randint(1, 12), only="file" if number % 2 else "state")
        if number in (2, 4):
            killed = start(shop.root, *command).kill_after(dice.uniform(0.05, 0.3))
        else:
            killed = start(shop.root, *command, prepare=(watch, moment)).wait() == -9
        with Platform.open(shop.root) as platform:
            read = verify(platform)
            assert read.backups, (number, killed)
            assert read.whole
            made = create(platform).id
            assert prune(platform, keep_last=2).kept == (made, read.backups[0])
    needed = set()
    with Platform.open(shop.root) as platform:
        for one in backups(platform):
            needed |= {entry.stored for entry in show(platform, None, one.id).manifest.entries}
    # nothing is left of what was begun
    assert set(blobs(shop)) == needed


@pytest.mark.slow
def test_made_while_runs_write(shop: Folder, tmp_path: Path) -> None:
    for number in (3,):
        add_round(shop, number)
        command = start(shop.root, "run")
        command.until(lambda text: "✓ raw.orders" in text)
        made = back_up(shop)
        assert command.wait() == 0, command.text
        drill = tmp_path / f"drill{number}"
        recover(shop.root, backup=made.id, into=drill)
        # what was under way is built from the same files
        (drill / "in").symlink_to(shop / "in")
        with lakewright.open(drill) as lw:
            lw.run().raise_for_status()
        found, wanted = kept(drill), kept(shop.root)
        for one in (found, wanted):
            one.pop("schemas")
        assert_same(found, wanted)
