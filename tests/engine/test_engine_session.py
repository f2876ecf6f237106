"""Sessions: settings, cursors of their own, interruption, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp

from lakewright.engine import Session, load
from lakewright.errors import LakewrightError
from lakewright.spec.project import Engine


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(Engine(memory_limit="500MB", threads=2), root=tmp_path) as opened:
        yield opened


def setting(session: Session, name: str) -> object:
    row = session.execute("SELECT current_setting(?)", [name]).fetchone()
    assert row is not None
    return row[0]


def test_settings(session: Session, tmp_path: Path) -> None:
    assert setting(session, "TimeZone") == "UTC"
    assert setting(session, "threads") == 2
    assert setting(session, "memory_limit") == "476.8 MiB"
    assert setting(session, "preserve_insertion_order") is True
    assert str(setting(session, "temp_directory")).startswith(str(tmp_path / ".lakewright" / "tmp"))


def test_memory_has_a_limit_below_duckdbs_own_by_default(tmp_path: Path) -> None:
    with duckdb.connect() as plain, Session.open(Engine(), root=tmp_path) as session:
        row = plain.execute("SELECT current_setting('memory_limit')").fetchone()
        assert row is not None
        assert float(str(setting(session, "memory_limit")).split()[0]) < float(str(row[0]).split()[0])


@pytest.mark.parametrize("engine", [Engine(memory_limit="lots"), Engine(threads=-1)])
def test_a_setting_that_makes_no_sense_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(LakewrightError) as caught:
        Session.open(engine, root=tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("LW407", 2)


def test_cursors_have_their_own_temporary_tables_and_transactions(session: Session) -> None:
    one, other = session.cursor(), session.cursor()
    one.execute("CREATE TEMP TABLE stage AS SELECT 1 AS x")
    other.execute("CREATE TEMP TABLE stage AS SELECT 2 AS x")
    one.execute("BEGIN")
    assert one.execute("SELECT x FROM stage").fetchall() == [(1,)]
    assert other.execute("SELECT x FROM stage").fetchall() == [(2,)]
    one.execute("ROLLBACK")


def test_statements_are_trees_or_text(session: Session) -> None:
    tree = exp.select(exp.alias_(exp.Literal.number(1), "x", quoted=True))
    assert session.execute(tree).fetchall() == [(1,)]
    assert session.execute("SELECT ? + 1", [2]).fetchall() == [(3,)]


def test_a_name_never_means_a_variable_of_the_caller(session: Session) -> None:
    frame = {"x": [1]}
    with pytest.raises(LakewrightError, match="LW405"):
        session.execute("SELECT * FROM frame")
    assert frame


def test_interrupt_stops_every_cursor(session: Session) -> None:
    caught: list[LakewrightError] = []

    def endless() -> None:
        try:
            session.execute("SELECT count(*) FROM range(1000000000) a, range(1000000000) b").fetchall()
        except LakewrightError as error:
            caught.append(error)

    threads = [threading.Thread(target=endless) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        session.interrupt()
    assert [one.code for one in caught] == ["LW404", "LW404"]
    assert session.execute("SELECT 1").fetchall() == [(1,)]


def test_closing_removes_what_was_spilled(tmp_path: Path) -> None:
    session = Session.open(Engine(memory_limit="60MB", threads=1), root=tmp_path)
    folder = Path(str(setting(session, "temp_directory")))
    session.execute(
        "CREATE TEMP TABLE big AS SELECT range AS a, hash(range)::VARCHAR AS b FROM range(3000000)"
    )
    assert folder.exists()
    session.close()
    assert not folder.exists()
    session.close()


def test_what_a_killed_process_spilled_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    base = tmp_path / ".lakewright" / "tmp"
    for name in (f"{ended.pid}-abc", f"{os.getpid()}-abc", "something else"):
        (base / name).mkdir(parents=True)
        (base / name / "data.tmp").write_bytes(b"x")
    with Session.open(Engine(), root=tmp_path):
        assert sorted(one.name for one in base.iterdir()) == sorted([f"{os.getpid()}-abc", "something else"])


def test_extensions_come_from_their_wheels(session: Session) -> None:
    cursor = session.cursor()
    load(cursor, "iceberg", "ducklake")
    load(cursor, "iceberg")
    loaded = {
        row[0]
        for row in cursor.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()
    }
    assert {"iceberg", "avro", "httpfs", "ducklake"} <= loaded


def test_a_missing_extension_is_named(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LakewrightError, match="'nonsense' is not installed"):
        load(session.cursor(), "nonsense")
    monkeypatch.setattr("duckdb.__version__", "9.9.9")
    with pytest.raises(LakewrightError, match=r"another version than DuckDB 9\.9\.9") as caught:
        load(session.cursor(), "ducklake")
    assert caught.value.code == "LW401"


def test_running_out_of_memory_is_coded(tmp_path: Path) -> None:
    with Session.open(Engine(memory_limit="50MB", threads=1), root=tmp_path) as session:
        with pytest.raises(LakewrightError) as caught:
            session.execute("SELECT list(range::VARCHAR) FROM range(30000000)").fetchall()
        assert caught.value.code == "LW402"


def test_what_a_private_session_spills_is_encrypted(tmp_path: Path) -> None:
    with Session.open(Engine(memory_limit="120MB", threads=2), root=tmp_path, private=True) as session:
        cursor = session.cursor()
        cursor.execute("CREATE TEMP TABLE t AS SELECT 'person' || hash(i) AS e FROM range(4_000_000) r(i)")
        spilled = [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()]
        assert spilled
        assert all(b"person" not in one for one in spilled)
