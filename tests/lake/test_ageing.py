"""Files of old months and years are put together; nobody who reads sees anything else than the same rows."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import lakewright
from lakes import Opened, OpenLake
from lakewright.errors import ProjectError
from lakewright.lake.ageing import Age, Ageing, merge_old

PARTITIONS = ("year(at)", "month(at)", "day(at)", "region")


def _make(lake: Opened, kind: str) -> None:
    """A row a day and region for 2023 until March 2024, in two batches; one row without a date."""
    columns = {"id": "BIGINT", "at": kind, "region": "VARCHAR"}
    lake.lake.create_table(
        lake.cursor, "processed.t", columns, partition_by=PARTITIONS, sort_by=("id",), comment=""
    )
    for batch in range(2):
        lake.rows(
            f"INSERT INTO lake.processed.t SELECT 2 * g + {batch}, TIMESTAMP '2023-11-01' + (g % 150) * INTERVAL 1 DAY, "
            "CASE WHEN g % 2 = 0 THEN 'n' ELSE 's' END FROM range(300) r(g)"
        )
    lake.rows("INSERT INTO lake.processed.t VALUES (9999, NULL, 'n')")


def _ageing(year: date, month: date) -> Ageing:
    ages = (Age("year", None, year), Age("month", year, month))
    return Ageing("processed.t", "at", PARTITIONS, ("id",), ages)


def _files(lake: Opened) -> dict[str, int]:
    """Number of files by month."""
    rows = lake.rows(
        "SELECT strftime(\"at\", '%Y-%m'), count(DISTINCT filename) FROM lake.processed.t GROUP BY 1 ORDER BY 1"
    )
    return dict(rows)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("ducklake-sqlite", "TIMESTAMP WITH TIME ZONE"),
        pytest.param("ducklake-postgres", "DATE", marks=pytest.mark.postgres),
    ],
)
def test_old_periods_are_few_files_and_the_same_rows(open_test_lake: OpenLake, where: str, kind: str) -> None:
    lake = open_test_lake(where)
    _make(lake, kind)
    lake.lake.compact(lake.cursor, ["processed.t"])
    everything = 'SELECT count(*), sum(id), count(DISTINCT (id, "at", region)) FROM lake.processed.t'
    before, version = lake.rows(everything), lake.lake.snapshots(lake.cursor, "processed.t")[0].id
    assert _files(lake)["2023-12"] == 31
    given = _ageing(date(2024, 1, 1), date(2024, 3, 1))
    assert merge_old(lake.lake, lake.cursor, given) == 3
    # by region too, as the table is partitioned: a year's two, each month's two, and days as they were
    assert _files(lake) == {None: 1, "2023-11": 2, "2023-12": 2, "2024-01": 2, "2024-02": 2, "2024-03": 29}
    assert lake.rows(everything) == before
    [(least,)] = lake.rows(
        "SELECT count(DISTINCT filename) FROM lake.processed.t WHERE \"at\" < '2024-01-01'"
    )
    assert least == 2
    # rows lie in order, so that a file's parts can be skipped
    assert lake.rows(
        "SELECT bool_and(id > l) FROM (SELECT id, lag(id, 1, -1) OVER (PARTITION BY filename ORDER BY file_row_number) l "
        "FROM lake.processed.t WHERE \"at\" < '2024-03-01')"
    ) == [(True,)]
    # nothing is left to do, earlier versions are there, and new rows go to their day
    assert merge_old(lake.lake, lake.cursor, given) == 0
    then = lake.lake.at("processed.t", version=version).sql("duckdb")
    assert lake.rows(everything.replace("lake.processed.t", then)) == before
    lake.rows(
        "INSERT INTO lake.processed.t SELECT 20000 + g, TIMESTAMP '2024-03-01' + (g % 3) * INTERVAL 1 DAY, 'n' FROM range(60) r(g)"
    )
    assert _files(lake)["2024-03"] == 29 + 3
    # a late row makes its month due again
    lake.rows(
        "INSERT INTO lake.processed.t SELECT 30000 + g, TIMESTAMP '2024-01-05', 'n' FROM range(60) r(g)"
    )
    assert merge_old(lake.lake, lake.cursor, given) == 1
    assert _files(lake)["2024-01"] == 2


PROJECT = {
    "lakewright.yaml": "name: shop\n",
    "sources/s.yaml": "kind: files\npath: in\ndatasets:\n  t: {files: '*.csv', format: csv}\n",
    "datasets/processed/t.yaml": """
        from: raw.t
        columns:
          id: {type: bigint, key: true}
          day: {type: date}
        write: {mode: merge, partition_by: [year(day), month(day), day(day)]}
        compact: {monthly_after: 60d, yearly_after: 300d}
        """,
}


def _project(root: Path) -> None:
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    (root / "in").mkdir()
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=one * 7) for one in range(70)]
    (root / "in" / "a.csv").write_text("id,day\n" + "".join(f"{n},{day}\n" for n, day in enumerate(days)))


def test_compact_does_what_a_dataset_says_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    _project(tmp_path)
    with lakewright.open(tmp_path) as lw:
        lw.run().raise_for_status()
        rows = lw.sql("SELECT id, day FROM processed.t ORDER BY id").fetchall()
        before = len(lw._platform.services.lake.files(lw._platform.services.session.cursor(), "processed.t"))
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with lakewright.open(tmp_path) as lw:
        assert lw.sql("SELECT id, day FROM processed.t ORDER BY id").fetchall() == rows
        report = lw.compact()
        done = next(one for one in report.datasets if one.dataset == "processed.t")
        assert done.files_after < 30 < done.files_before <= before
        assert lw.sql("SELECT id, day FROM processed.t ORDER BY id").fetchall() == rows
        assert lw.run().tasks[-1].status == "unchanged"  # how files lie is nothing that a build goes by
        (tmp_path / "in" / "b.csv").write_text(f"id,day\n3,{datetime.now(UTC).date()}\n")
        lw.run().raise_for_status()
        assert lw.sql("SELECT count(*) FROM processed.t").fetchall() == [(len(rows),)]


#: Dies in the middle of the second period.
KILLED = """
import os, signal, sys
import lakewright
from lakewright.lake import ageing
merge, seen = ageing._coarser, []
def dying(given, unit):
    seen.append(unit)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return merge(given, unit)
ageing._coarser = dying
with lakewright.open(sys.argv[1]) as lw:
    lw.compact()
"""


def test_what_compact_cannot_go_by_is_told(tmp_path: Path) -> None:
    _project(tmp_path)
    file = tmp_path / "datasets/processed/t.yaml"
    text = file.read_text()
    file.write_text(text.replace("year(day), month(day), day(day)", "id").replace("60d", "900d"))
    with pytest.raises(ProjectError) as raised:
        lakewright.open(tmp_path)
    told = " ".join(one.message for one in raised.value.problems)
    assert "names, and there is none" in told and "longer than" in told
