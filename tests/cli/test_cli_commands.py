"""Every command: its help, its JSON, its exit codes, and what goes to stderr."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from command_line import run_cli, write

from lakewright.cli.main import app

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

#: A call of each command that changes nothing that another test looks at.
JSON_CALLS = [
    ("check",),
    ("plan",),
    ("plan", "--sql", "curated.daily"),
    ("test",),
    ("schema",),
    ("schema", "dataset"),
    ("query", "select 1 as a"),
    ("quality",),
    ("quality", "orders", "--audit"),
    ("quality", "--profile"),
    ("quality", "--report"),
    ("quality", "--run", "last"),
    ("catalog",),
    ("catalog", "orders"),
    ("catalog", "--search", "order"),
    ("lineage", "curated.daily"),
    ("lineage", "curated.daily.amount"),
    ("lineage", "curated.daily", "--columns"),
    ("runs",),
    ("runs", "last"),
    ("logs",),
    ("snapshots",),
    ("snapshots", "orders"),
    ("doctor",),
    ("verify", "--deep"),
    ("explain", "lw101"),
    ("contract", "export", "curated.daily"),
    ("contract", "export", "raw.orders"),
    ("lifecycle", "--dry-run"),
    ("archives",),
    ("hold", "list"),
    ("source", "list"),
    ("keys", "list"),
    ("pii", "scan"),
    ("access", "list"),
    ("audit", "list"),
    ("audit", "verify"),
    ("erasures",),
]


def test_the_calls_name_every_command() -> None:
    assert set(COMMANDS) - {call[0] for call in JSON_CALLS} == {
        "init", "run", "restore", "compact", "cache", "forget", "export-subject", "backup", "recover",
    }  # fmt: skip


def test_the_cache_tells_how_often_it_answered(tmp_path: Path) -> None:
    write(tmp_path, {"lakewright.yaml": "name: shop\nquery_cache: {lifetime: 1h}\n"})
    for _ in range(2):
        assert run_cli("query", "select 1 as a", cwd=tmp_path).code == 0
    ran = run_cli("cache", "--json", cwd=tmp_path)
    assert {name: ran.json[name] for name in ("entries", "hits", "misses", "rate")} == {
        "entries": 1, "hits": 1, "misses": 1, "rate": 0.5,
    }  # fmt: skip
    assert run_cli("cache", "--clear", cwd=tmp_path).err.startswith("1 result dropped")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, tmp_path: Path) -> None:
    ran = run_cli(command, "--help", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert f"lakewright {command}" in ran.out
    # each option says what it does
    for line in re.findall(r"(?m)^  -.*$", ran.out):
        assert len(line.split("  ")) > 2 or len(line) > 24, line


@pytest.mark.parametrize("call", JSON_CALLS, ids=" ".join)
def test_json_is_alone_on_stdout(call: tuple[str, ...], built: Path) -> None:
    ran = run_cli(*call, "--json", cwd=built)
    assert ran.code == 0, ran.err
    assert ran.json is not None


@pytest.mark.parametrize("call", JSON_CALLS, ids=" ".join)
def test_the_same_for_people(call: tuple[str, ...], built: Path) -> None:
    ran = run_cli(*call, cwd=built)
    assert ran.code == 0, ran.err
    assert ran.out.strip()
    assert "Traceback" not in ran.err


def test_commands_that_change_speak_json_too(new: Path) -> None:
    first = run_cli("run", "--json", cwd=new)
    assert (first.code, first.err) == (0, "")
    assert {task["status"] for task in first.json["tasks"]} == {"built"}
    again = run_cli("run", "--json", cwd=new).json
    assert {task["status"] for task in again["tasks"]} == {"unchanged"}
    newest = run_cli("snapshots", "--json", cwd=new).json[0]["id"]
    back = run_cli("restore", "curated.daily", "--to", str(newest), "--yes", "--json", cwd=new)
    assert back.json[0]["dataset"] == "curated.daily"
    assert run_cli("compact", "--json", cwd=new).json["datasets"]
    made = run_cli("init", "fresh", "--template", "empty", "--json", cwd=new.parent)
    assert "lakewright.yaml" in made.json["files"]


def test_counts_add_up(built: Path) -> None:
    tasks = run_cli("runs", "last", "--json", cwd=built).json["tasks"]
    rows = {one["task"]: (one["rows"], one["quarantined"]) for one in tasks}
    assert rows == {
        "raw.orders": (5, 1),
        "raw.events": (2, 0),
        "processed.orders": (3, 2),
        "processed.events": (2, 0),
        "curated.daily": (2, 0),
    }


def test_progress_goes_to_stderr_and_the_summary_to_stdout(new: Path) -> None:
    ran = run_cli("run", cwd=new)
    assert "✓ processed.orders" in ran.err
    assert "✓" not in ran.out
    assert (
        "bad rows of processed.orders: lakewright query 'select * from quarantine.processed_orders'"
        in ran.out
    )
    again = run_cli("run", cwd=new)
    assert "nothing new: 5 datasets are up to date" in again.out
    assert again.err == ""


def test_exit_1_for_what_fails(new: Path) -> None:
    write(new, {"datasets/curated/broken.sql": "select error('no') as a from processed.orders\n"})
    ran = run_cli("run", cwd=new)
    assert ran.code == 1
    assert "✗ curated.broken" in ran.err
    assert "lakewright run --from-failed" in ran.err
    assert "curated.daily" in ran.out  # what does not depend on it was built
    write(new, {"datasets/curated/broken.sql": "select 1 as a from processed.orders\n"})
    mended = run_cli("run", "--from-failed", "--json", cwd=new)
    assert (mended.code, [one["task"] for one in mended.json["tasks"]]) == (0, ["curated.broken"])
    nothing = run_cli("run", "--from-failed", cwd=new)
    assert (nothing.code, "nothing to do" in nothing.out) == (0, True)


def test_exit_3_for_the_gate(new: Path) -> None:
    project = new / "lakewright.yaml"
    project.write_text(project.read_text().replace("0.5", "0.9"))
    ran = run_cli("run", cwd=new)
    assert ran.code == 3
    assert "LW505" in ran.err
    assert "skipped curated.daily" in ran.out


def test_exit_1_for_a_unit_test_that_fails(new: Path) -> None:
    file = new / "tests" / "daily.yaml"
    file.write_text(file.read_text().replace("4.00", "5.00"))
    ran = run_cli("test", cwd=new)
    assert ran.code == 1
    assert "FAIL amounts add up" in ran.out


def test_exit_2_lists_all_problems_with_their_lines(new: Path) -> None:
    write(
        new,
        {
            "lakewright.yaml": "name: shop\nlaek: x\n",
            "datasets/processed/orders.yaml": "from: raw.orders\nsteps:\n  - dedup: {keys: [a]}\non_violation: explode\n",
            "datasets/curated/bad.sql": "select * frm processed.orders\n",
            "datasets/curated/lost.sql": "select * from processed.events join raw.nothing using (id)\n",
        },
    )
    for command in ("check", "plan", "run"):
        ran = run_cli(command, cwd=new)
        assert (ran.code, ran.out) == (2, "")
        places = re.findall(r"(?m)^(\S+:\d+): (LW\d{3})", ran.err)
        assert places == [
            ("datasets/curated/bad.sql:1", "LW301"),
            ("datasets/processed/orders.yaml:3", "LW103"),
            ("datasets/processed/orders.yaml:4", "LW104"),
            ("lakewright.yaml:2", "LW103"),
        ]
        assert "did you mean 'lake'?" in ran.err
        assert "4 problems; nothing was run" in ran.err
    problems = run_cli("check", "--json", cwd=new)
    assert [one["code"] for one in problems.json["problems"]] == ["LW301", "LW103", "LW104", "LW103"]
    assert problems.json["problems"][0]["where"]["line"] == 1


def test_what_duckdb_cannot_parse_is_refused_before_anything_runs(new: Path) -> None:
    join = "select a.day,\n  1 as n\nfrom processed.orders as a\njoin processed.events as b on\n"
    write(new, {"datasets/curated/daily.sql": join})
    ran = run_cli("check", cwd=new)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("datasets/curated/daily.sql:4: LW301 curated.daily: the SQL cannot be parsed: ")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("run", "processed.order"), "did you mean 'processed.orders'?"),
        (("plan", "tag:dayly"), "did you mean 'daily'?"),
        (("quality", "orderz"), "did you mean"),
        (("catalog", "curated.dayly"), "did you mean 'curated.daily'?"),
        (("lineage", "curated.dayly"), "did you mean 'curated.daily'?"),
        (("runs", "20200101-000000-abcdef"), "LW616"),
        (("logs", "20200101-000000-abcdef"), "LW616"),
        (("snapshots", "curated.dayly"), "did you mean 'curated.daily'?"),
        (("restore", "orders", "--to", "99999", "--yes"), "LW415"),
        (("compact", "orderz"), "did you mean"),
        (("test", "amount adds up"), "did you mean 'amounts add up'?"),
        (("schema", "datasets"), "did you mean 'dataset'?"),
        (("explain", "LW1011"), "did you mean"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_exit_4_names_the_nearest(built: Path, call: tuple[str, ...], said: str) -> None:
    ran = run_cli(*call, cwd=built)
    assert (ran.code, ran.out) == (4, "")
    assert said in ran.err
    assert json.loads(run_cli(*call, "--json", cwd=built).out)["problems"][0]["code"]


@pytest.mark.parametrize(
    "call",
    [
        ("nonsense",),
        ("run", "--nope"),
        ("query",),
        ("query", "select 1", "--output", "xml"),
        ("run", "+++"),
        ("run", "--backfill", "2024"),
        ("run", "--backfill", "2024-02-01..2024-01-01"),
        ("run", "--full-refresh", "--backfill", "2024-01-01"),
        ("restore", "--to", "last week", "--yes"),
        ("compact", "--expire", "long"),
        ("check", "--target", "nowhere"),
    ],
    ids=" ".join,
)
def test_exit_2_for_what_makes_no_sense(built: Path, call: tuple[str, ...]) -> None:
    ran = run_cli(*call, cwd=built)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip()
    assert "Traceback" not in ran.err


def test_a_zone_is_a_selection(built: Path) -> None:
    planned = run_cli("plan", "processed+", "--json", cwd=built).json["tasks"]
    assert {one["dataset"] for one in planned} == {"processed.orders", "processed.events", "curated.daily"}


def test_completion_is_offered(tmp_path: Path) -> None:
    # where no shell is recognised, the script is asked for by the shell's name
    env = {"_LAKEWRIGHT_COMPLETE": "source_bash"}
    ran = run_cli(cwd=tmp_path, env=env)
    assert "_lakewright_completion" in ran.out
    helped = run_cli("--help", cwd=tmp_path).out
    assert "--install-completion" in helped
    assert "--show-completion" in helped


def test_version_and_no_arguments(tmp_path: Path) -> None:
    assert re.fullmatch(r"lakewright \d+\.\d+\.\d+\n", run_cli("--version", cwd=tmp_path).out)
    alone = run_cli(cwd=tmp_path)
    assert "Usage: lakewright" in alone.out + alone.err
