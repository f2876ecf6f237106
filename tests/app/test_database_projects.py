"""Databases through a whole project: to curated tables, with deletes, killed at any moment, and when they are away."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from processes import Moment, start, watch
from shop_folder import Folder

import lakewright
from lakewright.errors import RunError, UsageError
from servers import Postgres


def _project(folder: Folder, connection: str, datasets: str) -> None:
    folder.write("lakewright.yaml", "name: shop")
    folder.write("sources/db.yaml", f"kind: database\nconnection: {connection}\ndatasets:\n{datasets}")


ORDERS = """
    from: raw.orders
    columns:
      id: {type: bigint, key: true}
      amount: {type: "decimal(10,2)", required: true, min: 0}
      at: {type: timestamptz, required: true}
      change_op: {type: varchar}
    write: {mode: merge, delete_when: "change_op = 'delete'"}
    """


def test_rows_that_are_gone_leave_the_tables(tmp_path: Path, postgres_database: str) -> None:
    folder = Folder(tmp_path)
    _project(
        folder,
        postgres_database,
        "  orders: {table: public.orders, load: incremental, cursor: at, keys: [id], deletes: by_key}\n",
    )
    folder.write("datasets/processed/orders.yaml", ORDERS)
    folder.write(
        "datasets/curated/total.sql", "SELECT count(*) AS n, sum(amount) AS total FROM processed.orders"
    )

    def sql(*statements: str) -> None:
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            for one in statements:
                connection.execute(one)

    sql(
        "CREATE TABLE orders (id int PRIMARY KEY, amount numeric(10,2), at timestamptz DEFAULT clock_timestamp())",
        "INSERT INTO orders SELECT g, g FROM generate_series(1, 5) g",
    )
    with lakewright.open(tmp_path) as lw:
        lw.run().raise_for_status()
        assert lw.sql("SELECT n, total FROM curated.total").fetchall() == [(5, Decimal(15))]
        sql(
            "DELETE FROM orders WHERE id < 3",
            "UPDATE orders SET amount = 30, at = clock_timestamp() WHERE id = 3",
        )
        report = lw.run()
        report.raise_for_status()
        assert [one.quarantined for one in report.tasks] == [0, 0, 0]
        assert lw.sql("SELECT n, total FROM curated.total").fetchall() == [(3, Decimal(39))]
        # one that comes back, and one that comes and goes between two builds
        sql("INSERT INTO orders VALUES (1, 1)", "INSERT INTO orders VALUES (9, 9)")
        lw.run("raw.orders").raise_for_status()
        sql("DELETE FROM orders WHERE id = 9")
        lw.run("raw.orders").raise_for_status()
        lw.run().raise_for_status()
        assert lw.sql("SELECT id FROM processed.orders ORDER BY id").fetchall() == [(1,), (3,), (4,), (5,)]
        lw.run("processed.orders", full_refresh=True).raise_for_status()
        assert lw.sql("SELECT id FROM processed.orders ORDER BY id").fetchall() == [(1,), (3,), (4,), (5,)]


def test_a_full_load_takes_away_what_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"

    def sql(statement: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            connection.commit()

    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    sql("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    folder = Folder(tmp_path / "project")
    _project(folder, f"sqlite:{file}", "  t: {table: t}\n")
    folder.write(
        "datasets/processed/t.yaml",
        "from: raw.t\ncolumns:\n  id: {type: bigint, key: true}\n  v: {type: varchar}\n",
    )
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        sql("DELETE FROM t WHERE id = 1")
        lw.run().raise_for_status()
        assert lw.sql("SELECT id, v FROM processed.t").fetchall() == [(2, "b")]


def test_northwind_adds_up(tmp_path: Path, postgres_database: str, shared_data: Path) -> None:
    dump = (shared_data / "northwind" / "northwind.sql").read_text("utf-8")
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(dump.encode())
        connection.execute("SET search_path TO public")
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() for (name,) in tables}
        total = connection.execute(
            "SELECT sum(unit_price::numeric * quantity)::numeric(12,2) FROM order_details"
        ).fetchone()
    folder = Folder(tmp_path)
    _project(folder, postgres_database, "".join(f"  {name}: {{table: public.{name}}}\n" for name in counts))
    folder.write(
        "datasets/curated/sales.sql",
        "SELECT sum(CAST(unit_price AS DECIMAL(10,2)) * quantity) AS total FROM raw.order_details",
    )
    with lakewright.open(tmp_path) as lw:
        report = lw.run()
        report.raise_for_status()
        rows = {
            one.task.partition(".")[2]: (one.rows,) for one in report.tasks if one.task.startswith("raw.")
        }
        assert rows == counts
        assert counts["orders"] == (830,)
        assert lw.sql("SELECT total FROM curated.sales").fetchall() == [total]


def test_slices_are_one_moment_while_others_write(tmp_path: Path, postgres_database: str) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE account (id int PRIMARY KEY, balance bigint)")
        connection.execute("INSERT INTO account SELECT g, 100 FROM generate_series(1, 20000) g")
    folder = Folder(tmp_path)
    _project(folder, postgres_database, "  account: {table: public.account, slices: 4}\n")
    folder.write("datasets/curated/sum.sql", "SELECT count(*) AS n, sum(balance) AS total FROM raw.account")
    stop = threading.Event()

    def transfer() -> None:
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute(
                    "WITH p AS (SELECT (1 + random() * 19998)::int AS a)"
                    " UPDATE account SET balance = balance + CASE WHEN id = a THEN 7 ELSE -7 END"
                    " FROM p WHERE id IN (a, a + 1)"
                )

    writers = [threading.Thread(target=transfer) for _ in range(2)]
    for one in writers:
        one.start()
    try:
        with lakewright.open(tmp_path) as lw:
            for _ in range(3):
                lw.run().raise_for_status()
                assert lw.sql("SELECT n, total FROM curated.sum").fetchall() == [(20000, 2000000)]
    finally:
        stop.set()
        for one in writers:
            one.join()


@pytest.mark.parametrize(("what", "number"), [("raw file", 2), ("state", 9), ("state", 12)])
def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path, what: str, number: int) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(one, one // 3) for one in range(1, 101)])
        connection.commit()
    folder = Folder(tmp_path / "project")
    _project(folder, f"sqlite:{file}", "  t: {table: t, load: incremental, cursor: at}\n")
    folder.write(
        "datasets/processed/t.yaml", "from: raw.t\ncolumns:\n  id: {type: bigint}\n  at: {type: bigint}\n"
    )
    start(folder.root, "run", prepare=(watch, Moment(number, only=what))).wait()
    with closing(sqlite3.connect(file)) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(one, 33) for one in range(101, 121)])
        connection.commit()
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        found = lw.sql("SELECT count(*), count(DISTINCT id), max(id) FROM processed.t").fetchall()
        assert found == [(120, 120, 120)]


def test_errors_name_the_database_and_never_its_password(
    tmp_path: Path, postgres: Postgres, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "p@ss:w/ord#1")
    place = re.sub(r"//\w+@", "//", postgres_database).partition("//")[2]
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE closed (id int)")
        name = "guest" + place.rpartition("/")[2]
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p@ss:w/ord#1'")
    cases = [
        (f"postgresql://{name}:${{secret:DB_PASSWORD}}@{place}", "LW221", "permission denied"),
        (f"postgresql://nobody:${{secret:DB_PASSWORD}}@{place}", "LW221", "nobody"),
        (f"postgresql://{name}:${{secret:DB_PASSWORD}}@127.0.0.1:1/shop", "LW220", "127.0.0.1:1/shop"),
        (f"postgresql://{name}:${{secret:DB_PASSWORD}}@127.0.0.1:{postgres.port}/nosuch", "LW222", "nosuch"),
        (f"mysql://{name}:${{secret:DB_PASSWORD}}@127.0.0.1:1/shop", "LW220", "127.0.0.1:1/shop"),
        ("sqlite:nosuch.db", "LW222", "nosuch.db"),
    ]
    folder = Folder(tmp_path)
    for connection_, code, words in cases:
        _project(folder, connection_, "  closed: {table: public.closed}\n")
        with lakewright.open(tmp_path) as lw:
            report = lw.run()
            task = report.tasks[0]
            assert (task.status, task.code) == ("failed", code), task
            assert words in task.error
            assert task.attempts == (3 if code == "LW220" else 1)
            with pytest.raises(RunError):
                report.raise_for_status()
    everything = b"".join(one.read_bytes() for one in (tmp_path / ".lakewright").rglob("*") if one.is_file())
    assert b"p@ss" not in everything


def test_rows_cannot_be_handed_over_to_a_table_of_a_database(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    _project(folder, "sqlite:a.db", "  t: {table: t}\n")
    with lakewright.open(tmp_path) as lw, pytest.raises(UsageError, match="LW205"):
        lw.ingest("t", [{"a": 1}])
