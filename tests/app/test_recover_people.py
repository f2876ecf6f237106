"""Recovery beside archives and erasures: archives are healed, and nobody who was erased comes back unnoticed."""

from __future__ import annotations

from pathlib import Path

from backup_shops import back_up
from processes import start
from shop_folder import Folder

import lakewright
from lakewright.app.platform import Platform
from lakewright.app.recover import recover, recover_files
from lakewright.app.verify import verify


def people(root: Path) -> Folder:
    """A project with two customers, one of whom is old enough for the archive."""
    folder = Folder(root)
    folder.write(
        "lakewright.yaml",
        """
        name: people
        backup: {to: ../backups}
        subjects:
          customer:
            identifier: id
            datasets: {raw.customers: {id: id}, processed.customers: {id: id}}
        """,
    )
    folder.write("sources/f.yaml", "kind: files\npath: in\ndatasets:\n  customers: {files: customers.csv}\n")
    folder.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        columns: {id: {type: bigint, key: true}, name: {type: varchar}, day: {type: date}}
        write: {mode: merge, partition_by: [month(day)]}
        retention: 1y
        """,
    )
    folder.write("in/customers.csv", "id,name,day\n41,Bob Baker,2020-01-05\n42,Ann Archer,2126-01-06\n")
    with lakewright.open(root) as lw:
        lw.run().raise_for_status()
        lw.lifecycle()
    return folder


def holding(folder: Folder, words: bytes) -> list[Path]:
    files = [one for one in (folder / "lake").rglob("*") if one.is_file() and "before-" not in str(one)]
    return [one for one in files if words in one.read_bytes()]


def test_archives_are_healed_and_erased_people_stay_away(tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    first = back_up(folder)
    (data,) = (folder / "lake/archive").rglob("*.parquet")
    for damaged in (data, data.with_name("manifest.json")):
        damaged.write_bytes(b"x")
        with Platform.open(folder.root) as platform:
            assert [one.what for one in verify(platform).problems] == ["archives"]
            assert all(one.healed for one in recover_files(platform))
            assert verify(platform, level="deep").problems == []
    assert holding(folder, b"Ann Archer")
    command = start(folder.root, "forget", "--subject", "customer=42", "--reason", "asked", "--yes")
    assert command.wait() == 0, command.text
    assert holding(folder, b"Ann Archer") == []
    with Platform.open(folder.root) as platform:
        # what was rewritten is as it has to be, and is not taken for damaged
        assert verify(platform, level="deep").problems == []
        assert recover_files(platform) == []
    assert holding(folder, b"Ann Archer") == []
    record = next((folder / ".lakewright/erasures").glob("*.json")).stem
    (note,) = [one for one in recover(folder.root, backup=first.id).notes if "ERASED" in one]
    assert record in note
    assert holding(folder, b"Ann Archer")
