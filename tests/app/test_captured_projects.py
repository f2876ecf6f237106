"""Change capture through a whole project: the tables are the source's, killed at any moment too; and its end."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from processes import start
from shop_folder import Folder

import lakewright

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from command_line import run_cli

ORDERS = """
    from: raw.orders
    columns:
      id: {type: bigint, key: true}
      amount: {type: "decimal(10,2)", required: true, min: 0}
      note: {type: varchar}
    write: {mode: merge, delete_when: "change_op = 'delete'"}
    quality_threshold: 0.5
    """

HISTORY = """
    from: raw.orders
    steps:
      - derive: {gone: "change_op = 'delete'"}
    columns:
      id: {type: bigint}
      amount: {type: "decimal(10,2)"}
      gone: {type: boolean}
      change_at: {type: timestamptz}
    """


class Shop:
    """A project that captures ``orders`` and ``lines``; ``sql`` runs in the database."""

    def __init__(self, root: Path, address: str) -> None:
        self.folder = Folder(root)
        self.address = address
        self.folder.write("lakewright.yaml", "name: shop")
        self.folder.write(
            "sources/erp.yaml",
            f"""
            kind: database
            connection: {address}
            datasets:
              orders: {{table: public.orders, load: changes}}
              lines: {{table: public.lines, load: changes}}
            """,
        )
        self.folder.write("datasets/processed/orders.yaml", ORDERS)
        self.folder.write("datasets/processed/history.yaml", HISTORY)
        self.folder.write(
            "datasets/processed/lines.yaml", ORDERS.replace("raw.orders", "raw.lines").replace("note", "item")
        )
        self.sql(
            "CREATE TABLE orders (id int PRIMARY KEY, amount numeric(10,2), note text)",
            "CREATE TABLE lines (id int PRIMARY KEY, amount numeric(10,2), item text)",
            "INSERT INTO orders SELECT g, g, 'n' || g FROM generate_series(1, 50) g",
            "INSERT INTO lines SELECT g, g, 'n' || g FROM generate_series(1, 50) g",
        )

    @property
    def root(self) -> Path:
        return self.folder.root

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.address, autocommit=True) as connection:
            for one in statements:
                done = connection.execute(one.encode())
                rows = done.fetchall() if done.description else []
        return rows

    def slots(self) -> list[str]:
        found = self.sql("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
        return [str(name) for (name,) in found]

    def same(self) -> None:
        """The tables of the lake are those of the database."""
        with lakewright.open(self.root) as lw:
            for name, text in (("orders", "note"), ("lines", "item")):
                rows = f"SELECT id, amount, {text} FROM {{}}.{name} ORDER BY id"
                assert lw.sql(rows.format("processed")).fetchall() == self.sql(rows.format("public"))


@pytest.fixture
def shop(tmp_path: Path, postgres_database: str) -> Iterator[Shop]:
    found = Shop(tmp_path / "shop", postgres_database)
    yield found
    for name in found.slots():
        found.sql(
            f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{name}' AND active"
        )
        found.sql(f"SELECT pg_drop_replication_slot('{name}')")


def test_changes_reach_the_tables_and_every_one_a_history(shop: Shop) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
    shop.same()
    shop.sql(
        "UPDATE orders SET amount = 70 WHERE id = 7",
        "UPDATE orders SET amount = 71 WHERE id = 7",
        "DELETE FROM orders WHERE id IN (8, 9)",
        "INSERT INTO orders VALUES (9, 99, 'again'), (100, 1, 'new')",
        "UPDATE orders SET id = 101 WHERE id = 100",
        "UPDATE orders SET amount = -5 WHERE id = 10",
        "TRUNCATE lines",
    )
    with lakewright.open(shop.root) as lw:
        report = lw.run()
        report.raise_for_status()
        assert report["raw.orders"].rows == 9
        # a bad change is in quarantine, and the row stays as it was
        assert report["processed.orders"].quarantined == 1
        seen = lw.sql("SELECT amount, gone FROM processed.history WHERE id = 7 ORDER BY change_at").fetchall()
        assert [(float(amount), gone) for amount, gone in seen] == [(7, False), (70, False), (71, False)]
        found = lw.sql(
            "SELECT id, amount FROM processed.orders WHERE id IN (7, 8, 9, 10, 100, 101) ORDER BY 1"
        )
        assert [(id, float(amount)) for id, amount in found.fetchall()] == [
            (7, 71),
            (9, 99),
            (10, 10),
            (101, 1),
        ]
        assert lw.sql("SELECT count(*) FROM processed.lines").fetchall() == [(0,)]
    shop.sql("UPDATE orders SET amount = 5 WHERE id = 10")
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.same()
        lw.run("processed.orders", full_refresh=True).raise_for_status()
    shop.same()


def test_a_capture_is_listed_looked_after_and_removed(shop: Shop) -> None:
    assert run_cli("run", cwd=shop.root).code == 0
    shop.sql("INSERT INTO orders SELECT g, 1, '' FROM generate_series(200, 300) g")
    rows = {one["dataset"]: one for one in run_cli("source", "list", "--json", cwd=shop.root).json}
    assert rows["raw.orders"]["lag"] > 1000 and rows["raw.orders"]["note"] == ""
    assert "not read" in run_cli("source", "list", cwd=shop.root).out
    assert "bytes of log are new" in run_cli("plan", cwd=shop.root).out
    found = {one["what"]: one for one in run_cli("doctor", "--json", cwd=shop.root).json}
    assert found["capture erp"]["status"] == "ok"
    # rows that were changed behind the log's back are found when the table is read again
    assert (
        run_cli("source", "resnapshot", "erp", "orders", cwd=shop.root).out
        == "the next run reads raw.orders again\n"
    )
    assert run_cli("run", cwd=shop.root).code == 0
    shop.same()
    # a slot that is gone is told with what to do, and that helps
    (name,) = shop.slots()
    shop.sql(f"SELECT pg_drop_replication_slot('{name}')", "DELETE FROM orders WHERE id < 5")
    lost = run_cli("run", cwd=shop.root)
    assert lost.code == 1 and "LW240" in lost.err and "source resnapshot" in lost.err
    assert "is gone" in run_cli("doctor", cwd=shop.root).out
    assert run_cli("source", "resnapshot", "erp", cwd=shop.root).code == 0
    assert run_cli("run", cwd=shop.root).code == 0
    shop.same()
    # an older one that nobody knows is noticed
    (name,) = shop.slots()
    stray = name[:-8] + "deadbeef"
    shop.sql(f"SELECT pg_create_logical_replication_slot('{stray}', 'pgoutput')")
    assert stray in run_cli("doctor", cwd=shop.root).out
    shop.sql(f"SELECT pg_drop_replication_slot('{stray}')")
    dry = run_cli("source", "remove", "erp", "--dry-run", cwd=shop.root)
    assert dry.out.startswith(
        f"would drop slot {name}\nwould drop publication {name}\n"
    ) and shop.slots() == [name]
    assert run_cli("source", "remove", "erp", "--json", cwd=shop.root).json["dropped"] == [
        f"slot {name}", f"publication {name}",
    ]  # fmt: skip
    assert shop.slots() == [] and shop.sql("SELECT 1 FROM pg_publication") == []
    again = run_cli("source", "remove", "erp", cwd=shop.root)
    assert again.code == 2 and "LW246" in again.err
    assert run_cli("source", "remove", "nosuch", cwd=shop.root).code == 4
    shop.same()  # raw and tables stay
    assert run_cli("run", cwd=shop.root).code == 0
    shop.same()


@pytest.mark.slow
def test_killed_at_any_moment_no_change_is_lost_or_doubled(shop: Shop) -> None:
    """Runs are killed while the database is written to; in the end the tables are the same."""
    chance = random.Random(7)
    killed = 0
    for turn in range(7):
        one = start(shop.root, "run")
        for _ in range(3):
            id = chance.randint(1, 60)
            shop.sql(
                f"INSERT INTO orders VALUES ({id}, {turn}, 'k') ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 1",
                f"DELETE FROM lines WHERE id = {id}",
                f"UPDATE orders SET id = id + 1000 WHERE id = {id} AND NOT EXISTS (SELECT FROM orders WHERE id = {id + 1000})",
            )
        killed += one.kill_after(chance.uniform(0.05, 2.0))
    assert killed > 1
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        # every change is in the history once: a transaction's row is told by its place in the log
        doubled = lw.sql(
            "SELECT count(*) - count(DISTINCT (change_lsn, change_seq, id)) FROM raw.orders"
        ).fetchall()
        assert doubled == [(0,)]
    shop.same()
    assert len(shop.slots()) == 1


def test_what_does_not_fit_is_told_before_anything_runs(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("lakewright.yaml", "name: shop")
    folder.write(
        "sources/erp.yaml",
        """
        kind: database
        connection: sqlite:a.db
        datasets:
          a: {table: a, load: changes}
          b: {query: "select 1", load: changes, cursor: at, deletes: by_key}
        """,
    )
    folder.write(
        "sources/other.yaml",
        "kind: database\nconnection: sqlite:b.db\ncapture: {on_lost: snapshot}\ndatasets:\n  c: {table: c}\n",
    )
    told = run_cli("check", cwd=tmp_path)
    assert told.code == 2
    for words in (
        "is for PostgreSQL",
        "needs `table`",
        "`query` is not for",
        "`cursor` is not for",
        "the log tells what was deleted",
        "`capture` is for",
    ):
        assert words in told.err + told.out, words
