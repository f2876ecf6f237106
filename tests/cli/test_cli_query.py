"""`lakewright query`: what it prints, in every form, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import run_cli

VALUES = """
select 1 as id, 'Zoë "Z", Ltd' as name, null as nothing, '' as empty, 12345678901234567.89::decimal(20,2) as amount,
  timestamp '2024-01-02 03:04:05.5' as at, date '2024-02-29' as day, [1, null, 3] as list,
  {'city': 'Århus', 'tags': ['a']} as place, true as yes, 0.1::double as tenth, 'two
lines' as text
"""


def test_csv_is_read_back_as_it_was(built: Path) -> None:
    ran = run_cli("query", VALUES, "--output", "csv", cwd=built)
    assert ran.code == 0, ran.err
    [row] = csv.DictReader(io.StringIO(ran.out))
    assert row == {
        "id": "1",
        "name": 'Zoë "Z", Ltd',
        "nothing": "",
        "empty": "",
        "amount": "12345678901234567.89",
        "at": "2024-01-02 03:04:05.5",
        "day": "2024-02-29",
        "list": "[1,null,3]",
        "place": '{"city":"Århus","tags":["a"]}',
        "yes": "true",
        "tenth": "0.1",
        "text": "two\nlines",
    }
    # null and empty text are told apart by the quotes
    assert ',,"",' in ran.out


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_keeps_nested_values_and_digits(built: Path, form: str) -> None:
    ran = run_cli("query", VALUES, "-o", form, cwd=built)
    parsed = json.loads(ran.out, parse_float=Decimal)
    row = parsed[0] if form == "json" else parsed
    assert row["amount"] == Decimal("12345678901234567.89")
    assert row["list"] == [1, None, 3]
    assert row["place"] == {"city": "Århus", "tags": ["a"]}
    assert (row["nothing"], row["empty"], row["yes"]) == (None, "", True)
    assert row["at"] == "2024-01-02T03:04:05.500000"
    assert row["text"] == "two\nlines"


def test_json_of_no_rows_and_of_names_that_repeat(built: Path) -> None:
    assert run_cli("query", "select 1 as a where false", "--json", cwd=built).json == []
    assert run_cli("query", "select 1 as a where false", "-o", "ndjson", cwd=built).out == ""
    assert run_cli("query", "select 1 as a, 2 as a", "--json", cwd=built).json == [{"a": 1, "a_1": 2}]


def test_many_rows_are_whole(built: Path) -> None:
    rows = run_cli("query", "select range as n from range(12345)", "--json", cwd=built).json
    assert [row["n"] for row in rows] == list(range(12345))


def test_parquet_goes_to_a_file_or_a_pipe(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "out ü.parquet"
    assert run_cli("query", VALUES, "--file", str(file), cwd=built).code == 0
    found = pq.read_table(file).to_pylist()[0]
    assert (found["amount"], found["place"]) == (
        Decimal("12345678901234567.89"),
        {"city": "Århus", "tags": ["a"]},
    )
    piped = run_cli("query", VALUES, "-o", "parquet", cwd=built)
    assert pq.read_table(io.BytesIO(piped.raw)).num_rows == 1
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_file_tells_the_format_by_its_name(built: Path, tmp_path: Path) -> None:
    assert run_cli("query", "select 1 as a", "-f", str(tmp_path / "x.csv"), cwd=built).code == 0
    assert (tmp_path / "x.csv").read_text() == '"a"\n1\n'
    ran = run_cli("query", "select 1 as a", "-f", str(tmp_path / "x.xyz"), cwd=built)
    assert ran.code == 2
    assert "does not tell the format" in ran.err
    lost = run_cli("query", "select 1 as a", "-f", str(tmp_path / "no" / "x.csv"), cwd=built)
    assert lost.code == 2
    assert "cannot be written" in lost.err


def test_a_query_that_fails_half_way_leaves_no_file(built: Path, tmp_path: Path) -> None:
    text = "select case when range > 30000 then error('no') else 'x' end as a from range(40000)"
    assert run_cli("query", text, "-f", str(tmp_path / "x.csv"), cwd=built).code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_table_shows_values_as_they_are(built: Path) -> None:
    ran = run_cli(
        "query", "select 1000001 as id, null as n, '[bold]\x1b[31m' as t, 0.123456789 as d", cwd=built
    )
    assert ran.code == 0
    line = ran.out.splitlines()[2].split()
    assert line == ["1000001", "NULL", "[bold]\\x1b[31m", "0.123456789"]
    assert ran.err == "1 row\n"


def test_a_very_wide_table_is_not_folded(built: Path) -> None:
    names = [f"column_number_{number}" for number in range(300)]
    ran = run_cli("query", "select " + ", ".join(f"'{n}' as {n}" for n in names), cwd=built)
    assert ran.out.splitlines()[0].split() == ran.out.splitlines()[2].split() == names


def test_the_limit_says_that_there_is_more(built: Path) -> None:
    ran = run_cli("query", "from range(5)", "--limit", "3", cwd=built)
    assert len(ran.out.splitlines()) == 5
    assert "there are more" in ran.err
    assert "there are more" not in run_cli("query", "from range(5)", "--limit", "0", cwd=built).err


def test_sql_may_come_from_stdin(built: Path) -> None:
    ran = run_cli("query", "-", "--json", cwd=built, stdin="select count(*) as n from processed.orders;\n")
    assert ran.json == [{"n": 3}]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select count(*) from raw.orders", [(5,)]),
        ("select count(*) from quarantine.raw_orders", [(1,)]),
        ("SELECT count(*) FROM Processed.Orders", [(3,)]),
        ('select count(*) from "processed"."orders"', [(3,)]),
        ("with orders as (select 1 as a) select count(*) from orders", [(1,)]),
        ("select count(*) from processed.orders o join curated.daily d using (day)", [(3,)]),
        ("select (select count(*) from curated.daily) as a", [(2,)]),
        ("select count(*) from ops.runs where status = 'succeeded'", [(1,)]),
        ("select count(*) from lakewright.checkpoints where dataset = 'curated.daily'", [(1,)]),
    ],
)
def test_every_zone_answers(built: Path, sql: str, rows: list[tuple[object, ...]]) -> None:
    found = run_cli("query", sql, "--json", cwd=built).json
    assert [tuple(row.values()) for row in found] == rows


@pytest.mark.parametrize(
    "sql",
    [
        "describe processed.orders",
        "summarize processed.orders",
        "explain select * from processed.orders",
        "explain analyze select * from processed.orders",
        "pivot processed.orders on day using count(*)",
        "/* a comment */ from processed.orders",
        "select * from processed.orders; ",
    ],
)
def test_what_only_looks_is_a_query(built: Path, sql: str) -> None:
    ran = run_cli("query", sql, cwd=built)
    assert ran.code == 0, ran.err
    assert ran.out


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "select 1; select 2",
        "drop table lake.processed.orders",
        "delete from lake.processed.orders",
        "create table x as select 1",
        "copy (select 1) to '/tmp/x.csv'",
        "attach 'x.db'",
        "set threads = 1",
        "explain delete from lake.processed.orders",
        "explain analyze insert into lake.processed.orders select * from lake.processed.orders",
        "select * from ducklake_expire_snapshots('lake', older_than => now())",
        "select * from ducklake_merge_adjacent_files('lake')",
        "select * from query('select 1')",
    ],
)
def test_what_writes_is_refused(built: Path, sql: str) -> None:
    before = run_cli("snapshots", "--json", cwd=built).raw
    ran = run_cli("query", sql, cwd=built)
    assert (ran.code, ran.raw) == (2, b"")
    assert "LW903" in ran.err
    assert run_cli("snapshots", "--json", cwd=built).raw == before


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("selec", 2, "LW907"),
        ("select nope from processed.orders", 2, '"nope" not found'),
        ("select 'x'::date", 1, "LW406"),
        ("from processed.ordrs", 4, "did you mean 'processed.orders'?"),
        ("from raw.order", 4, "did you mean 'raw.orders'?"),
        ("from procesed.orders", 4, "did you mean 'processed'?"),
        ("from daily", 4, "did you mean 'curated.daily'?"),
        ("from quarantine.curated_daily", 4, "no row of curated.daily was ever put into quarantine"),
    ],
)
def test_what_is_wrong_is_said(built: Path, sql: str, code: int, said: str) -> None:
    ran = run_cli("query", sql, cwd=built)
    assert (ran.code, ran.raw) == (code, b"")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_as_of_takes_a_snapshot_or_a_time(built: Path) -> None:
    newest, *_, oldest = run_cli("snapshots", "--limit", "1000", "--json", cwd=built).json
    now = run_cli("query", "from processed.orders", "--json", "--as-of", str(newest["id"]), cwd=built)
    assert len(now.json) == 3
    early = run_cli("query", "from curated.daily", "--as-of", str(oldest["id"]), cwd=built)
    assert (early.code, "did not exist at snapshot" in early.err) == (4, True)
    for when, code in (("99999", 4), ("2001-01-01", 4), ("yesterday", 2)):
        assert run_cli("query", "from processed.orders", "--as-of", when, cwd=built).code == code
    direct = run_cli("query", "from lake.processed.orders", "--as-of", "1", cwd=built)
    assert (direct.code, "write processed.orders" in direct.err) == (2, True)


@pytest.mark.skipif(sys.platform == "win32", reason="no head")
@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_a_reader_that_leaves_is_no_error(built: Path, form: str) -> None:
    command = (
        f'"{sys.executable}" -m lakewright.cli.main query "from range(300000)" --limit 0 -o {form} | head -2'
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=built, capture_output=True, text=True, timeout=120, check=False
    )
    assert len(done.stdout.splitlines()) == 2
    assert "rror" not in done.stderr
    assert "Traceback" not in done.stderr
