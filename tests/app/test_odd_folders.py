"""`init --from` on folders that nobody tidied: it works, or says why not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from made_project import built, make, run

import lakewright
from lakewright.app.init import init_from
from lakewright.errors import LakewrightError


def put(root: Path, files: dict[str, str]) -> Path:
    """Write *files*, path → text, under *root*."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def test_one_file_is_a_source(tmp_path: Path) -> None:
    folder = put(tmp_path / "in", {"x.csv": "a,b\n1,2\n", "y.csv": "c\n1\n"})
    with built(tmp_path / "made", folder / "x.csv") as lw:
        assert lw.tables() == ["raw.x", "processed.x"]
        assert lw.sql("select a, b from processed.x").fetchall() == [(1, 2)]


def test_a_folder_without_a_file_that_holds_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.bin").write_bytes(b"\x00\x01\x02")
    (tmp_path / "in/zero.csv").touch()
    for folder, tried in (
        ("empty", []),
        ("in", ["a.bin: not a kind of file that holds rows", "zero.csv: the file is empty"]),
    ):
        with pytest.raises(LakewrightError) as refused:
            init_from(tmp_path / "made", str(tmp_path / folder))
        assert refused.value.code == "LW906"
        assert list(refused.value.problem.tried) == tried
        assert not (tmp_path / "made").exists()
    with pytest.raises(LakewrightError) as missing:
        init_from(tmp_path / "made", str(tmp_path / "nowhere"))
    assert missing.value.code == "LW201"


def test_names_of_any_letters(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "we ird üñî'\"q",
        {
            "sales 'x' [1].csv": "ä b,select,ä-b\n1,2,3\n",
            "Ünï cödé.csv": "id,v\n1,2\n",
            "表.json": '[{"名": "a"}]',
        },
    )
    with built(tmp_path / "made", folder) as lw:
        names = [one.removeprefix("processed.") for one in lw.tables() if one.startswith("processed.")]
        assert len(names) == 3
        assert all(one.isascii() for one in names)
        assert sorted(lw.sql(f"select count(*) from processed.{one}").fetchall()[0][0] for one in names) == [
            1,
            1,
            1,
        ]


def test_the_same_name_in_two_formats_and_two_folders(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        {
            "a.csv": "a,b\n1,2\n",
            "a.json": json.dumps([{"a": 1, "c": 3}]),
            "sub/a.csv": "a,b\n3,4\n",
            "other/a.csv": "x,y,z\n3,4,5\n",
        },
    )
    with built(tmp_path / "made", folder) as lw:
        raw = [one for one in lw.tables() if one.startswith("raw.")]
        assert len(raw) == 4
        files = sorted(str(lw.sql(f"select _source_file from {one}").fetchall()[0][0]) for one in raw)
        assert files == ["a.csv", "a.json", "other/a.csv", "sub/a.csv"]


def test_what_is_hidden_unfinished_or_goes_in_circles_is_left_out(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "in",
        {
            "ok.csv": "a,b\n1,2\n",
            ".hidden.csv": "a\n1\n",
            ".git/x.csv": "a\n1\n",
            "new.csv.part": "a",
            "zero.csv": "",
        },
    )
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.csv").symlink_to(folder / "nowhere.csv")
    os.mkfifo(folder / "pipe.csv")
    made = init_from(tmp_path / "made", str(folder))
    with lakewright.open(tmp_path / "made") as lw:
        run(lw)
        assert lw.tables() == ["raw.ok", "processed.ok"]
    assert sorted(one for one in made.notes if one.startswith("left out")) == [
        "left out gone.csv: cannot be read: No such file or directory",
        "left out new.csv.part: not a kind of file that holds rows",
        "left out pipe.csv: neither a file nor a folder",
        "left out zero.csv: the file is empty",
    ]


def test_a_thousand_files_are_one_dataset(tmp_path: Path) -> None:
    folder = put(tmp_path / "in", {f"day_{n:04}.csv": f"id,v\n{n},{n % 7}\n" for n in range(1000)})
    with built(tmp_path / "made", folder) as lw:
        assert len(lw.tables()) == 2
        (name,) = (one for one in lw.tables() if one.startswith("processed."))
        assert lw.sql(f"select count(*), sum(id) from {name}").fetchall() == [(1000, 499_500)]


def test_a_hundred_and_twenty_columns(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(120)]
    rows = [",".join(str(row * n) for n in range(120)) for row in range(20)]
    folder = put(tmp_path / "in", {"wide.csv": "\n".join([",".join(names), *rows]) + "\n"})
    with make(tmp_path / "made", folder) as lw:
        run(lw)
        assert lw.sql("select count(*), sum(c119) from processed.wide").fetchall() == [(20, 119 * 190)]
