"""Files made by others to break readers, from `init --from` to a query: what is good arrives, the rest is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_project import make, run

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.app.init import init_from


def read(lw: Lakewright, table: str, file: str) -> list[dict[str, object]]:
    """The rows that *table* has from *file*; JSON has no way to say that a field is missing, so it is empty text."""
    found = lw.sql(f"select * exclude (_source_file) from {table} where _source_file = '{file}'")
    names = found.columns
    return [
        {name: "" if value is None else value for name, value in zip(names, row, strict=True)}
        for row in found.fetchall()
    ]


def test_csv_spectrum_arrives_as_its_json_says(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "csv-spectrum"
    with make(tmp_path / "spectrum", folder / "csvs") as lw:
        report = run(lw)
        assert [one.task for one in report.tasks if one.quarantined] == []
        files = {
            str(row[0]): table
            for table in lw.tables()
            if table.startswith("raw.")
            for row in lw.sql(f"select distinct _source_file from {table}").fetchall()
        }
        assert sorted(files) == sorted(one.name for one in (folder / "csvs").glob("*.csv"))
        wrong = [
            file
            for file, table in sorted(files.items())
            if read(lw, table, file)
            != json.loads((folder / "json" / f"{Path(file).stem}.json").read_text("utf-8"))
        ]
        # their JSON says another phone number, and a line break that the file does not have
        assert wrong == ["location_coordinates.csv", "newlines_crlf.csv"]
        assert lw.plan().to_run == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "datasets", "rows"),
    [("avro", 7, 6_039), ("orc", 36, 2_000_000), ("parquet-testing/data", 60, 90_000)],
)
def test_a_folder_of_test_files_makes_a_project_that_runs(
    tmp_path: Path, shared_data: Path, folder: str, datasets: int, rows: int
) -> None:
    made = init_from(tmp_path / "made", str(shared_data / folder))
    with lakewright.open(tmp_path / "made") as lw:
        report = run(lw)
        raw = [one for one in report.tasks if one.task.startswith("raw.")]
        assert len(raw) >= datasets
        assert sum(one.rows or 0 for one in raw) >= rows
        assert lw.plan().to_run == 0
    left = [line for line in made.notes if line.startswith("left out ")]
    assert left
    for line in left:
        file, _, reason = line.removeprefix("left out ").partition(": ")
        assert (shared_data / folder / file).is_file(), line
        assert len(reason) > 10, line


def test_bad_files_are_named_and_the_good_ones_taken(tmp_path: Path, shared_data: Path) -> None:
    parsing = shared_data / "jsontestsuite" / "test_parsing"
    bad = shared_data / "parquet-testing" / "bad_data"
    write(
        tmp_path,
        {
            "lakewright.yaml": "name: bad\n",
            "sources/json.yaml": f"kind: files\npath: {parsing}\n"
            + "datasets: {no: {files: n_*}, yes: {files: y_*}, maybe: {files: i_*}}\n",
            "sources/parquet.yaml": f"kind: files\npath: {bad}\ndatasets: {{pages: {{files: '*.parquet'}}}}\n",
        },
    )
    with lakewright.open(tmp_path) as lw:
        report = run(lw)
        assert report.exit_code == 0
        refused = {
            name: dict(
                lw.sql(
                    f"select _source_file, reason from quarantine.raw_{name} where line is null"
                ).fetchall()
            )
            for name in ("no", "maybe", "pages")
        }
        assert sorted(refused["no"]) == sorted(one.name for one in parsing.glob("n_*.json"))
        assert all(one.startswith(("not JSON: ", "the file is empty")) for one in refused["no"].values())
        # a page of this one decodes, to other values than were written
        assert {one.name for one in bad.glob("*.parquet")} - set(refused["pages"]) == {
            "ARROW-GH-43605.parquet"
        }
        assert all(len(one) > 20 for one in refused["pages"].values())
        assert report["raw.yes"].quarantined == 0
        assert lw.sql("select count(*) from raw.yes").fetchall() == [(report["raw.yes"].rows,)]
        assert len(list(parsing.glob("i_*.json"))) > len(refused["maybe"])


def test_naughty_strings_arrive_unchanged(tmp_path: Path, shared_data: Path) -> None:
    texts = json.loads((shared_data / "naughty-strings" / "blns.json").read_text("utf-8"))
    landing = tmp_path / "in"
    landing.mkdir()
    (landing / "a.ndjson").write_text(
        "".join(json.dumps({"n": n, "t": text}, ensure_ascii=False) + "\n" for n, text in enumerate(texts)),
        "utf-8",
    )
    quoted = ((n, text.replace('"', '""')) for n, text in enumerate(texts))
    (landing / "b.csv").write_text(
        "n,t\n" + "".join(f'{n},"{text}"\n' for n, text in quoted), "utf-8", newline=""
    )
    write(
        tmp_path,
        {
            "lakewright.yaml": "name: naughty\n",
            "sources/f.yaml": "kind: files\npath: in\ndatasets:\n  a: {files: a.ndjson}\n"
            "  b: {files: b.csv, format: csv, options: {delimiter: ',', header: true, quote: '\"'}}\n",
            **{
                f"datasets/processed/{name}.yaml": f"from: raw.{name}\n"
                "columns: {n: {type: bigint, key: true}, t: {type: varchar}}\nwrite: {mode: merge}\n"
                for name in "ab"
            },
        },
    )
    with lakewright.open(tmp_path) as lw:
        run(lw)
        for name in "ab":
            found = lw.sql(f"select t from processed.{name} order by n").fetchall()
            assert [row[0] or "" for row in found] == texts, name


def write(root: Path, files: dict[str, str]) -> None:
    """Write *files*, path → text, under *root*."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
