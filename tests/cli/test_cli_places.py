"""Where a project lies and what state it is in: odd folders, no rights, damage, signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import SHOP, run_cli, write

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and rights")
COMMAND = [sys.executable, "-m", "lakewright.cli.main"]
Started = Callable[..., subprocess.Popen[str]]


def test_outside_a_project(tmp_path: Path) -> None:
    for command in ("check", "plan", "run", "quality", "catalog", "runs", "logs", "snapshots", "test"):
        ran = run_cli(command, cwd=tmp_path)
        assert (ran.code, ran.out) == (2, ""), command
        assert "LW101" in ran.err
        assert "lakewright init" in ran.err
    assert list(tmp_path.iterdir()) == []
    doctor = run_cli("doctor", cwd=tmp_path)
    assert doctor.code == 1
    assert "bad   project" in doctor.out


def test_from_a_folder_inside_and_from_elsewhere(built: Path, tmp_path: Path) -> None:
    assert run_cli("check", cwd=built / "datasets" / "curated").code == 0
    assert run_cli("check", "--project", str(built), cwd=tmp_path).code == 0
    assert run_cli("check", cwd=tmp_path, env={"LAKEWRIGHT_PROJECT": str(built)}).code == 0


@pytest.mark.parametrize(
    "name",
    [
        "with spaces",
        "Übung ✓",
        'it\'s "quoted"',
        "a#b%20c",
        "semi;colon [x]",
        "braces {y}",
    ],
)
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name / "shop"
    write(root, SHOP)
    ran = run_cli("run", cwd=root)
    assert ran.code == 0, ran.err
    assert run_cli("query", "select sum(orders) as n from curated.daily", "--json", cwd=root).json == [
        {"n": 3}
    ]
    assert run_cli("query", "select count(*) as n from raw.orders", "--json", cwd=root).json == [{"n": 5}]
    assert run_cli("query", "select count(*) as n from ops.runs", "--json", cwd=root).json == [{"n": 1}]


def test_a_project_may_be_moved(shop: Path) -> None:
    moved = shop.with_name("moved")
    shop.rename(moved)
    assert run_cli("query", "select count(*) as n from raw.orders", "--json", cwd=moved).json == [{"n": 5}]
    again = run_cli("run", "--json", cwd=moved).json
    assert {one["status"] for one in again["tasks"]} == {"unchanged"}


@pytest.mark.parametrize(
    "name", ['o\'rders "x".csv', "orders ü ✓.csv", "orders%20;$(x)`y`.csv", "orders\nline.csv"]
)
def test_files_of_any_name(new: Path, name: str) -> None:
    (new / "in" / "orders-1.csv").unlink()
    (new / "in" / name).write_text("order_id,day,amount,buyer\n1,2024-01-01,1.00,Ann\n")
    source = new / "sources" / "files.yaml"
    source.write_text(source.read_text().replace("orders*.csv", "*.csv"))
    ran = run_cli("run", cwd=new)
    assert ran.code == 0, ran.err
    rows = run_cli("query", "select _source_file as f from processed.orders", "--json", cwd=new).json
    assert rows == [{"f": name}]


def test_a_landing_folder_that_is_gone(shop: Path) -> None:
    shutil.rmtree(shop / "in")
    planned = run_cli("plan", cwd=shop)
    assert planned.code == 0
    assert "does not exist" in planned.out
    ran = run_cli("run", cwd=shop)
    assert ran.code == 1
    assert "LW201" in ran.err
    # what was taken before is still there
    assert run_cli("query", "select count(*) as n from raw.orders", "--json", cwd=shop).json == [{"n": 5}]


def test_no_files_yet(new: Path) -> None:
    for file in (new / "in").iterdir():
        file.unlink()
    planned = run_cli("plan", cwd=new)
    assert "no files yet" in planned.out
    assert "blocked" in planned.err
    ran = run_cli("run", cwd=new)
    assert ran.code == 0
    assert "skipped processed.orders: raw.orders has no files yet" in ran.out


def test_init_overwrites_nothing(built: Path, tmp_path: Path) -> None:
    for folder in (built, tmp_path):
        (tmp_path / "here").touch()
        ran = run_cli("init", str(folder), cwd=tmp_path)
        assert (ran.code, "LW905" in ran.err) == (2, True)
    assert run_cli("init", str(tmp_path / "here"), cwd=tmp_path).code == 2
    assert run_cli("init", "x", "--template", "quickstat", cwd=tmp_path).code == 4
    (tmp_path / "files").mkdir()
    empty = run_cli("init", "x", "--from", str(tmp_path / "files"), cwd=tmp_path)
    assert (empty.code, "LW906" in empty.err) == (2, True)
    lost = run_cli("init", "x", "--from", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert (lost.code, "LW201" in lost.err) == (4, True)
    assert not (tmp_path / "x").exists()


def test_a_damaged_state_is_said(shop: Path) -> None:
    for one in (shop / ".lakewright").glob("state.db*"):
        one.unlink()
    (shop / ".lakewright" / "state.db").write_bytes(b"this is no database" * 500)
    for command in (("run",), ("plan",), ("runs",), ("quality",)):
        ran = run_cli(*command, cwd=shop)
        assert (ran.code, ran.out) == (1, ""), command
        assert "LW651" in ran.err
        assert "Traceback" not in ran.err
    doctor = run_cli("doctor", cwd=shop)
    assert doctor.code == 1
    assert "bad   state" in doctor.out


def test_a_damaged_catalog_is_said(shop: Path) -> None:
    for one in (shop / ".lakewright").glob("catalog.sqlite*"):
        one.unlink()
    (shop / ".lakewright" / "catalog.sqlite").write_bytes(b"this is no database" * 500)
    ran = run_cli("query", "from processed.orders", cwd=shop)
    assert ran.code == 1
    assert "LW4" in ran.err
    assert "Traceback" not in ran.err
    assert run_cli("doctor", cwd=shop).code == 1


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A built project that a user without rights may read but not write."""
    top = Path(tempfile.mkdtemp())
    root = top / "shop"
    write(root, SHOP)
    assert run_cli("run", cwd=root).code == 0
    folders = [top, *(one for one in top.rglob("*") if one.is_dir())]
    for one in top.rglob("*"):
        if one.is_file():
            one.chmod(0o444)
    for one in folders:
        one.chmod(0o555)
    yield root
    for one in folders:
        one.chmod(0o755)
    shutil.rmtree(top)


@POSIX
def test_a_folder_that_cannot_be_written(unwritable: Path) -> None:
    user = {"user": 65534, "group": 65534, "extra_groups": ()} if os.geteuid() == 0 else {}
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [*COMMAND, *arguments],
            cwd=unwritable,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **user,
        )

    try:
        readable = "ok" in run("check").stdout
    except PermissionError:
        readable = False
    if not readable:
        pytest.skip("another user cannot read this installation")
    ran = run("run")
    assert ran.returncode == 1
    assert "LW" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "bad   disk" in run("doctor").stdout


def test_doctor_finds_files_of_the_lake_that_are_cut_off_or_gone(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 3}\n" for n in range(1000))  # fewer stay in the catalog
    write(
        tmp_path,
        {
            "lakewright.yaml": "name: x\n",
            "sources/f.yaml": "kind: files\npath: in\ndatasets: {a: {files: a.csv}}\n",
            "datasets/processed/a.yaml": "from: raw.a\ncolumns: {id: {type: bigint}}\nwrite: {mode: append}\n",
            "datasets/processed/b.yaml": "from: raw.a\ncolumns: {id: {type: bigint}}\nwrite: {mode: append}\n",
            "in/a.csv": f"id,kind\n{rows}",
        },
    )
    assert run_cli("run", cwd=tmp_path).code == 0
    assert run_cli("doctor", cwd=tmp_path).code == 0
    (short,) = (tmp_path / "lake/tables/processed/a").rglob("*.parquet")
    (gone,) = (tmp_path / "lake/tables/processed/b").rglob("*.parquet")
    os.truncate(short, short.stat().st_size - 1)
    gone.unlink()
    doctor = run_cli("doctor", cwd=tmp_path)
    assert doctor.code == 1
    size = short.stat().st_size
    assert (
        f"bad   lake: processed.a: processed/a/{short.name} has {size:,} bytes instead of {size + 1:,}"
        in doctor.out
    )
    assert f"bad   lake: processed.b: processed/b/{gone.name} is gone" in doctor.out


@pytest.fixture
def started() -> Iterator[Started]:
    """A function that starts a command; none outlives its test."""
    commands: list[subprocess.Popen[str]] = []

    def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        commands.append(
            subprocess.Popen([*COMMAND, *arguments], cwd=cwd, stdout=pipe, stderr=pipe, text=True)
        )
        return commands[-1]

    yield start
    for command in commands:
        command.kill()
        command.communicate()


@POSIX
def test_ctrl_c_ends_a_run_with_130_and_it_can_be_taken_up(new: Path, started: Started) -> None:
    slow = "select sum(a.range * b.range) as n from range(10000000) a, range(10000000) b, processed.orders\n"
    write(new, {"datasets/curated/slow.sql": slow})
    running = started("run", cwd=new)
    lines = []
    assert running.stderr is not None
    for line in running.stderr:
        lines.append(line)
        if "curated.daily" in line:
            break
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (lines, out, err)
    assert "cancelled" in out
    assert "Traceback" not in err
    write(new, {"datasets/curated/slow.sql": "select count(*) as n from processed.orders\n"})
    rest = run_cli("run", "--from-failed", "--json", cwd=new)
    assert (rest.code, [one["task"] for one in rest.json["tasks"]]) == (0, ["curated.slow"])


@POSIX
def test_ctrl_c_ends_a_query_with_130(built: Path, started: Started) -> None:
    running = started(
        "query", "select sum(a.range * b.range) from range(10000000) a, range(10000000) b", cwd=built
    )
    _until_used(running.pid, 6.0)  # starting takes less
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert "Traceback" not in err


def _until_used(process: int, seconds: float) -> None:
    """Wait until *process* has used that much CPU time, or as long where that is not told."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        time.sleep(seconds)
        return
    for _ in range(6000):
        fields = stat.read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") >= seconds:
            return
        time.sleep(0.02)
