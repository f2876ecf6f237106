"""A readable copy of a raw file that is gone or damaged is made anew from the original, without a backup."""

from __future__ import annotations

from pathlib import Path

import pytest
from aged_files import grow_old, write
from lake_shops import make_project
from processes import start
from shop_folder import Folder

from lakewright.api.handle import Lakewright
from lakewright.app.platform import Platform
from lakewright.app.recover import recover_files
from lakewright.app.verify import verify
from lakewright.errors import LakewrightError


def copies(folder: Folder) -> dict[Path, bytes]:
    found = [one for one in (folder / "lake").glob("*/**/_readable/**/*") if one.is_file()]
    found += [one for one in (folder / "lake/raw/_readable").rglob("*") if one.is_file()]
    return {one: one.read_bytes() for one in found if "before-" not in str(one)}


def test_copies_are_made_anew(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = make_project(tmp_path / "shop", "ducklake-sqlite", request)
    write(folder)
    with Platform.open(folder.root) as platform:
        Lakewright(platform).run().raise_for_status()
    before = copies(folder)
    assert [one.name for one in sorted(before)] == [
        "tickets-1.json~.ndjson", "visits-3.csv~.csv", "a.csv~.csv", "b.csv~.csv",
    ]  # fmt: skip
    for one in sorted(before)[1:3]:
        one.unlink()
    command = start(folder.root, "recover", "--files")
    assert command.wait() == 0, command.text
    assert command.text.count("made anew from the original") == 2
    assert copies(folder) == before

    tickets = min(before)
    with Platform.open(folder.root) as platform:
        # nobody noted what its bytes were: it gives fewer rows than were taken
        tickets.write_bytes(tickets.read_bytes().splitlines(keepends=True)[0])
        (found,) = verify(platform, level="deep").problems
        assert (found.dataset, found.heal) == ("raw.tickets", "lakewright recover --files")
        assert [(one.was, one.healed, one.made) for one in recover_files(platform, dry_run=True)] == [
            ("damaged", True, True)
        ]
        assert copies(folder) != before
        assert len(recover_files(platform)) == 1
        assert copies(folder) == before
        assert list((folder / "lake").glob("before-*/raw/_readable/f/tickets/**/tickets-1.json~.ndjson"))
        # from now on its bytes are known
        assert verify(platform, level="deep").problems == []
        tickets.write_bytes(tickets.read_bytes().replace(b"Ann", b"Eve"))
        assert len(verify(platform, level="deep").problems) == 1
        assert [one.made for one in recover_files(platform)] == [True]
        assert copies(folder) == before

        grow_old(platform)
        Lakewright(platform).lifecycle()
        archived = copies(folder)
        for one in archived:
            one.unlink()
        assert len(verify(platform).problems) == len(archived) == 4
        assert all(one.made for one in recover_files(platform))
        assert copies(folder) == archived
        assert verify(platform, level="deep").problems == []
        # a copy is worth as much as its original
        (whole,) = (folder / "lake/archive/raw/f/tickets").rglob("tickets-1.json~.zst")
        whole.write_bytes(b"x")
        min(archived).unlink()
        with pytest.raises(LakewrightError, match="LW430"):
            recover_files(platform)
        sorted(archived)[1].unlink()
        done = {Path(one.file).name: (one.healed, one.problem) for one in recover_files(platform)}
        assert done["visits-3.csv~.csv~.zst"] == (True, "")
        assert done[whole.name] == done[min(archived).name] == (False, "no place for backups is known")
