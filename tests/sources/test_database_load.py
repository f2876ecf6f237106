"""Full and incremental loads: what is taken, what is not taken twice, what is noticed to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from database_folder import Project, Source, mysql_source, postgres_source, sqlite_source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakewright.errors import LakewrightError, RunError
from lakewright.sources.database.address import address_of
from lakewright.spec.databases import DatabaseDataset

KINDS = ("postgres", "mysql", "sqlite")


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """A database of each kind with a table ``t`` of three rows; two have the same cursor."""
    if request.param == "postgres":
        found = postgres_source(request.getfixturevalue("postgres_database"))
    elif request.param == "mysql":
        found = mysql_source(request.getfixturevalue("mariadb"), request.getfixturevalue("mariadb_database"))
    else:
        found = sqlite_source(tmp_path / "a.db")
    found.run(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(20), at int)",
        "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 20)",
    )
    return found


@pytest.fixture
def project(tmp_path: Path, source: Source) -> Iterator[Project]:
    found = Project(tmp_path, source)
    yield found
    found.close()


def _rows(project: Project, columns: str = 'id, v, "at"') -> list[tuple[Any, ...]]:
    return project.raw(query=f"SELECT {columns} FROM raw ORDER BY ALL")


def test_a_full_load_replaces_the_one_before(project: Project) -> None:
    project.declare(f"t: {{table: {project.source.table}}}")
    assert project.take().summary == "3 rows, all there are"
    assert project.take().batch == 0
    project.source.run("UPDATE t SET v = 'B' WHERE id = 2", "DELETE FROM t WHERE id = 1")
    assert project.take().summary == "2 rows, all there are"
    assert _rows(project) == [(2, "B", 20), (3, "c", 20)]
    project.source.run("DELETE FROM t")
    assert project.take().summary == "0 rows, all there are"
    assert _rows(project) == []
    assert list(project.types()) == ["id", "v", "at"]


def test_ties_at_the_boundary_are_neither_lost_nor_doubled(project: Project) -> None:
    project.declare(f"t: {{table: {project.source.table}, load: incremental, cursor: at}}")
    assert project.take().rows == 3
    assert project.take().batch == 0
    project.source.run("INSERT INTO t VALUES (4, 'd', 20), (5, 'e', 30), (6, 'late', 5)")
    assert project.take().summary == "2 new rows"
    assert project.take().batch == 0
    assert [row[0] for row in _rows(project)] == [1, 2, 3, 4, 5]  # 6 lies before what was read


def test_a_lookback_finds_what_came_late(project: Project) -> None:
    table = project.source.table
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at, lookback: '15', keys: [id]}}")
    project.take()
    project.source.run("INSERT INTO t VALUES (6, 'late', 5)", "UPDATE t SET v = 'A' WHERE id = 1")
    assert project.take().rows == 2
    assert project.take().batch == 0
    assert [row[:2] for row in _rows(project)] == [(1, "A"), (1, "a"), (2, "b"), (3, "c"), (6, "late")]


def test_rows_without_a_cursor_are_taken_once(project: Project) -> None:
    project.declare(f"t: {{table: {project.source.table}, load: incremental, cursor: at}}")
    project.source.run("INSERT INTO t VALUES (7, 'x', NULL)")
    assert project.take().rows == 4
    project.source.run("INSERT INTO t VALUES (8, 'y', NULL)")
    assert project.take().rows == 1
    assert project.take().batch == 0


def test_rows_that_are_gone_are_noticed(project: Project) -> None:
    table = project.source.table
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at, keys: [id], deletes: by_key}}")
    project.take()
    project.source.run("DELETE FROM t WHERE id IN (1, 3)", "INSERT INTO t VALUES (4, 'd', 30)")
    assert project.take().summary == "1 new rows, 2 gone"
    assert project.take().batch == 0
    project.source.run("INSERT INTO t VALUES (3, 'c', 40)")
    assert project.take().summary == "1 new rows"
    gone = project.raw(query="SELECT id, v, change_op FROM raw WHERE change_op = 'delete' ORDER BY id")
    assert gone == [(1, None, "delete"), (3, None, "delete")]
    project.source.run("DELETE FROM t")
    assert project.take().summary == "0 new rows, 3 gone"
    assert project.take().batch == 0


def test_a_row_that_comes_back_as_it_was_is_taken_again(project: Project) -> None:
    table = project.source.table
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at, keys: [id], deletes: by_key}}")
    project.take()
    project.source.run("DELETE FROM t WHERE id = 3")
    project.take()
    project.source.run("INSERT INTO t VALUES (3, 'c', 20)")
    assert project.take().summary == "1 new rows"


def test_another_declaration_loads_anew(project: Project) -> None:
    table = project.source.table
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at}}")
    project.take()
    project.declare(f't: {{table: {table}, load: incremental, cursor: at, where: "at >= 20"}}')
    assert project.take().summary == "2 rows, all there are"
    assert [row[0] for row in _rows(project)] == [2, 3]
    project.declare(f"t: {{table: {table}}}")
    project.take()
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at}}")
    project.take()
    project.declare(f"t: {{table: {table}}}")
    assert project.take().summary == "3 rows, all there are"
    assert [row[0] for row in _rows(project)] == [1, 2, 3]


def test_a_query_and_its_columns(project: Project) -> None:
    project.declare(
        """
        t:
          query: SELECT id AS nr, upper(v) AS v, at + 1 AS at FROM t WHERE id <> 1
          load: incremental
          cursor: at
          columns: [nr, at]
        """
    )
    assert project.take().rows == 2
    assert project.take().batch == 0
    assert project.raw(query="FROM raw ORDER BY ALL") == [(2, 21), (3, 21)]


def test_columns_of_the_table_change(project: Project) -> None:
    table = project.source.table
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at}}")
    project.take()
    project.source.run("ALTER TABLE t ADD COLUMN w varchar(5)", "INSERT INTO t VALUES (9, 'n', 50, 'new')")
    assert [str(one) for one in project.take().drift] == ["t-00000002.parquet: column 'w' is new"]
    assert project.raw(query="SELECT id, w FROM raw ORDER BY id") == [
        (1, None),
        (2, None),
        (3, None),
        (9, "new"),
    ]
    project.declare(f"t: {{table: {table}, load: incremental, cursor: at, on_drift: fail}}")
    project.source.run("ALTER TABLE t DROP COLUMN v", "INSERT INTO t VALUES (10, 60, 'new')")
    with pytest.raises(RunError, match="LW203"):
        project.take()


def test_a_table_without_rows(project: Project) -> None:
    project.source.run("DELETE FROM t")
    project.declare(f"t: {{table: {project.source.table}, load: incremental, cursor: at}}")
    assert project.take().rows == 0
    assert list(project.types()) == ["id", "v", "at"]
    assert project.take().batch == 0
    project.source.run("INSERT INTO t VALUES (1, 'a', 10)")
    assert project.take().rows == 1


@pytest.mark.parametrize("source", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("dataset", "code", "words"),
    [
        ("{table: nosuch}", "LW222", "nosuch"),
        ("{table: t, columns: [vv]}", "LW222", "has no column 'vv'; did you mean 'v'?"),
        ("{table: t, load: incremental, cursor: v, keys: [id], lookback: '3'}", "LW225", "cursor"),
        ("{table: t, load: incremental, cursor: at, lookback: 1h}", "LW225", "does not fit the cursor"),
        ("{query: DELETE FROM t}", "LW224", "one SELECT"),
        ("{query: 'SELECT 1; DROP TABLE t'}", "LW224", "one SELECT"),
        ("{table: t, where: '1 = 1 UNION SELECT * FROM t'}", "LW224", "where"),
        ("{table: t, where: 'nonsense = 1'}", "LW22[23]", "nonsense"),
        (
            "{query: SELECT id AS change_op FROM t, load: incremental, cursor: change_op, keys: [change_op],"
            " deletes: by_key}",
            "LW225",
            "there is one already",
        ),
    ],
)
def test_mistakes(project: Project, dataset: str, code: str, words: str) -> None:
    project.declare(f"t: {dataset}")
    with pytest.raises(LakewrightError, match=code) as error:
        project.take()
    assert words in str(error.value)
    assert [row[0] for row in project.source.run("SELECT id FROM t")] == [1, 2, 3]


@pytest.mark.parametrize("source", ["mysql", "sqlite"], indirect=True)
def test_what_is_not_there(project: Project) -> None:
    for dataset, words in (
        ("{table: nosuch}", "nosuch"),
        ("{table: t, columns: [vv]}", "did you mean 'v'?"),
        ("{table: t, where: 'nonsense = 1'}", "nonsense"),
    ):
        project.declare(f"t: {dataset}")
        with pytest.raises(LakewrightError, match="LW222") as error:
            project.take()
        assert words in str(error.value)


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lakewright.sources.database.load.find_spec", lambda _: None)
    project = Project(tmp_path, Source("mysql", "mysql://127.0.0.1/none", lambda: None))
    project.declare("t: {table: t}")
    with pytest.raises(LakewrightError, match="LW226") as error:
        project.take()
    assert "lakewright[mysql]" in str(error.value)
    project.close()


@pytest.mark.parametrize(
    ("connection", "shown", "password"),
    [
        ("postgresql://u:${secret:P}@h:5433/d?sslmode=require", "postgresql://u@h:5433/d", "a@b:c/d#e%41"),
        ("postgres://h/d", "postgresql://h/d", ""),
        ("mariadb://u:x%40y@[::1]:3307/d", "mysql://u@::1:3307/d", "x@y"),
        ("${secret:ALL}", "postgresql://u@h/d", "p@w"),
        ("sqlite:/tmp/x.db", "sqlite:/tmp/x.db", ""),
    ],
)
def test_addresses(connection: str, shown: str, password: str, tmp_path: Path) -> None:
    secrets = {"${secret:P}": "a@b:c/d#e%41", "${secret:ALL}": "postgresql://u:p%40w@h/d"}
    found = address_of(connection, root=tmp_path, resolve=lambda text: secrets.get(text, text))
    assert (str(found), found.password) == (shown, password)
    assert password == "" or password not in repr(found)


# --- any interleaving


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4), st.integers(0, 2)),
        st.tuples(st.just("delete"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS, slow=st.integers(0, 3), deletes=st.booleans())
def test_any_interleaving_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int, int]], slow: int, deletes: bool
) -> None:
    """Rows are written up to *slow* behind the clock, which the lookback covers; each version is taken once."""
    declared = DatabaseDataset(
        table="t",
        load="incremental",
        cursor="at",
        lookback=str(slow),
        keys=("id",),
        deletes="by_key" if deletes else "ignore",
    )
    root = tmp_path_factory.mktemp("interleaved")
    source = sqlite_source(root / "a.db")
    source.run("CREATE TABLE t (id INTEGER, v INTEGER, at INTEGER)")
    project = Project(root, source)
    project.datasets = {"t": declared}
    clock, versions = 10, set()
    latest: dict[int, tuple[int, int, int] | None] = {}
    for number, (action, id, late) in enumerate([*actions, ("take", 0, 0)]):
        if action == "take":
            project.take()
            now = {row[0]: row for row in source.run("SELECT id, v, at FROM t")}
            versions |= set(now.values())
            latest = {one: now.get(one) for one in {*latest, *now}}
            continue
        source.run(f"DELETE FROM t WHERE id = {id}")
        if action == "write":
            clock += late  # several writes may have the same time
            source.run(f"INSERT INTO t VALUES ({id}, {number}, {clock - min(late, slow)})")
    rows = project.raw()
    marked = [row if deletes else (*row[:3], "upsert", *row[3:]) for row in rows]
    upserts = [row[:3] for row in marked if row[3] == "upsert"]
    assert sorted(upserts) == sorted(versions)
    if deletes:
        last = {row[0]: row for row in marked}
        alive = {id: row[:3] for id, row in last.items() if row[3] == "upsert"}
        assert alive == {id: row for id, row in latest.items() if row is not None}
    project.close()
