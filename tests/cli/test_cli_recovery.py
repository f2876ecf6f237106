"""Backup, recovery and verification from the command line: what people see, what programs read, exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import SHOP, run_cli, write


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop that was built and compacted, so that its rows are in files."""
    root = tmp_path / "shop"
    write(root, SHOP)
    assert run_cli("run", cwd=root).code == 0
    assert run_cli("compact", cwd=root).code == 0
    return root


def test_the_way_there_and_back(shop: Path) -> None:
    assert "nothing was built yet" in run_cli("verify", cwd=_empty(shop)).out
    none = run_cli("backup", "list", "--from", "../backups", cwd=shop)
    assert (none.code, "LW431" in none.err) == (4, True)
    assert "LW430" in run_cli("backup", "create", cwd=shop).err
    made = run_cli("backup", "create", "--to", "../backups", "--json", cwd=shop).json
    assert made["new_files"] == made["files"] > 5
    assert f"backup {made['id'][:9]}" in run_cli("backup", "create", "--to", "../backups", cwd=shop).out
    listed = run_cli("backup", "list", "--from", "../backups", "--json", cwd=shop).json
    assert [one["id"] for one in listed][1:] == [made["id"]]
    shown = run_cli("backup", "show", made["id"][:20], "--from", "../backups", "--json", cwd=shop).json
    assert {one["kind"] for one in shown["manifest"]["entries"]} == {
        "project",
        "catalog",
        "state",
        "tables",
        "raw",
    }
    assert "lake from snapshot 0" in run_cli("backup", "show", "--from", "../backups", cwd=shop).out
    assert "sha256" in run_cli("backup", "show", "--files", "--from", "../backups", cwd=shop).out
    pruned = run_cli("backup", "prune", "--keep", "1", "--from", "../backups", cwd=shop)
    assert f"gone: {made['id']}" in pruned.out

    (file,) = (shop / "lake/tables/processed/events").glob("*.parquet")
    file.unlink()
    found = run_cli("verify", "--json", cwd=shop)
    assert found.code == 1
    assert [(one["what"], one["dataset"], one["heal"]) for one in found.json["problems"]] == [
        ("data files", "processed.events", "lakewright recover --files")
    ]
    planned = run_cli("recover", "--files", "--dry-run", "--from", "../backups", cwd=shop)
    assert ("would be put back" in planned.out, file.exists()) == (True, False)
    assert run_cli("recover", "--files", "--from", "../backups", cwd=shop).code == 0
    assert "all whole" in run_cli("verify", "--deep", cwd=shop).out
    back = run_cli("recover", "--dataset", "events", "--from", "../backups", "--json", cwd=shop)
    assert [(one["dataset"], one["rows"]) for one in back.json] == [("processed.events", 2)]

    # nothing is left but the backups: the project's own files come back, too
    place = shop.parent / "backups"
    shutil.rmtree(shop)
    shop.mkdir()
    assert run_cli("backup", "verify", "--from", str(place), cwd=shop).code == 0
    planned = run_cli("recover", "--from", str(place), "--dry-run", "--json", cwd=shop)
    assert (planned.code, list(shop.iterdir())) == (0, [])
    assert planned.json["put"] > 5
    done = run_cli("recover", "--from", str(place), "--yes", cwd=shop)
    assert done.code == 0, done.err
    assert "it is the newest" in done.out
    assert run_cli("query", "select count(*) from processed.orders", cwd=shop).out.split()[-1] == "3"
    blob = max((one for one in place.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
    blob.write_bytes(b"")
    wrong = run_cli("backup", "verify", "--from", str(place), "--json", cwd=shop)
    assert (wrong.code, len(wrong.json["wrong"])) == (1, 1)
    refused = run_cli("recover", "--from", str(place), "--yes", cwd=shop)
    assert (refused.code, "LW434" in refused.err, "Traceback" in refused.err) == (1, True, False)


def _empty(shop: Path) -> Path:
    root = shop.parent / "empty"
    write(root, {"lakewright.yaml": "name: empty\n"})
    return root


@pytest.mark.parametrize(
    "call",
    [
        ("recover", "--files", "--at", "2026-01-01"),
        ("recover", "--dataset", "orders", "--into", "x"),
        ("recover", "--at", "yesterday"),
        ("recover", "--at", "12"),
        ("verify", "--quick", "--deep"),
        ("backup", "prune", "--keep", "0"),
        ("backup", "create", "--to", "ftp://somewhere"),
        ("backup", "create", "--to", "../backups", "--passphrase-from", "env:NOT_THERE"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused(call: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path / "shop", {"lakewright.yaml": "name: shop\nbackup: {to: ../b}\n"})
    write(tmp_path / "b", {"lakewright-backups.json": '{"project": "shop"}'})
    ran = run_cli(*call, cwd=tmp_path / "shop")
    assert (ran.code, ran.out) == (2, "")
    assert "LW" in ran.err
