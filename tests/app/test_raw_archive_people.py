"""Archived raw files beside erasure, export, backups and recovery: they are part of the lake like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from aged_files import grow_old, write
from backup_shops import back_up
from processes import start
from shop_folder import Folder

from lakewright.api.handle import Lakewright
from lakewright.app.platform import Platform
from lakewright.app.recover import recover, recover_files
from lakewright.app.verify import verify

VISITS = "select id, name, _source_file from raw.visits order by id::int"


def people(root: Path, policy: str = "retention: 90d") -> Folder:
    """Visits and tickets of people who are told by their name."""
    folder = Folder(root)
    folder.write(
        "lakewright.yaml",
        """
        name: people
        backup: {to: ../backups}
        subjects:
          visitor:
            identifier: id
            datasets:
              raw.visits: {id: id}
              raw.tickets: {id: id}
              processed.visits: {id: id}
              processed.tickets: {id: id}
        """,
    )
    write(folder, policy)
    return folder


def holding(folder: Folder, words: str) -> list[Path]:
    """Files of the lake that hold *words*, packed with zstd, as UTF-16 or plain."""
    import pyarrow as pa

    found = []
    for one in (folder / "lake").rglob("*"):
        if one.is_file() and "before-" not in str(one):
            data = one.read_bytes()
            if one.suffix == ".zst":
                with pa.input_stream(str(one), compression="zstd") as stream:
                    data = stream.read()
            if words.encode() in data or words.encode("utf-16-le") in data:
                found.append(one)
    return found


def files_in(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = people(tmp_path / "people")
    with Platform.open(folder.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        grow_old(platform)
        lw.lifecycle()
    return folder


def test_archived_files_are_backed_up_and_people_cut_out_of_them(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "export"
    back_up(folder)
    files = [one for one in (folder / "lake/archive/raw").rglob("visits*") if one.is_file()]
    before = {one: one.read_bytes() for one in files}
    files[0].unlink()
    files[1].write_bytes(b"x")
    with Platform.open(folder.root) as platform:
        assert len(verify(platform).problems) == 2
        assert [one.healed for one in recover_files(platform)] == [True, True]
        assert {one: one.read_bytes() for one in files} == before
        assert verify(platform, level="deep").problems == []
    recover(folder.root, into=tmp_path / "other", place=str(tmp_path / "backups"))
    with Platform.open(tmp_path / "other") as platform:
        assert verify(platform, level="deep").problems == []
        assert len(Lakewright(platform).sql(VISITS).fetchall()) == 13
    for number, files in (("1", "visits-1.csv"), ("5", "visits-3.csv")):
        assert holding(folder, f"Ann {number}"), files
        command = start(
            folder.root,
            "export-subject",
            "--subject",
            f"visitor={number}",
            "--output",
            str(target / number),
            "--reason",
            "asked",
        )
        assert command.wait() == 0, command.text
        assert f"Ann {number}" in "".join(
            one.read_text() for one in (target / number).rglob("*.json") if "raw" in one.name
        )
        command = start(folder.root, "forget", "--subject", f"visitor={number}", "--reason", "asked", "--yes")
        assert command.wait() == 0, command.text
        assert holding(folder, f"Ann {number}\n") == []
        with Platform.open(folder.root) as platform:
            assert verify(platform, level="deep").problems == []
            assert recover_files(platform, dry_run=True) == []
    with Platform.open(folder.root) as platform:
        lw = Lakewright(platform)
        left = lw.sql(VISITS).fetchall()
        assert [row[0] for row in left] == ["2", "3", "4", "6", "7", "8", "9", "10", "11", "12", "13"]
        assert lw.restore_archive("raw.visits").rows == 11
        assert lw.sql(VISITS).fetchall() == left
        assert lw.restore_archive("raw.tickets").archives == 1
        assert not holding(folder, "Ann 5")
        assert verify(platform, level="deep").problems == []
        lw.lifecycle()
        assert lw.sql(VISITS).fetchall() == left
        assert verify(platform, level="deep").problems == []


def test_deleted_files_are_neither_missed_nor_brought_back(tmp_path: Path) -> None:
    folder = people(tmp_path / "people", "retention: 90d\narchive: false")
    with Platform.open(folder.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        first = back_up(folder)
        grow_old(platform)
        lw.lifecycle()
        assert files_in(folder / "lake/raw") == []
        assert verify(platform, level="deep").problems == []
        assert recover_files(platform) == []
        assert files_in(folder / "lake/raw") == []
    second = back_up(folder)
    assert second.files < first.files
    command = start(folder.root, "forget", "--subject", "visitor=1", "--reason", "asked", "--yes")
    assert command.wait() == 0, command.text
