"""A project made from a database runs at once and holds what the database held."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from made_project import keys, references

import lakewright
from lakewright.app.init import init_from
from lakewright.errors import UsageError
from lakewright.spec.databases import DatabaseSource


def _load(address: str, *scripts: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for one in scripts:
            connection.execute(one.encode())


def test_northwind(tmp_path: Path, postgres_database: str, shared_data: Path) -> None:
    _load(postgres_database, (shared_data / "northwind" / "northwind.sql").read_text("utf-8"))
    wanted = ["public.order*", "public.customers", "public.products"]
    made = init_from(tmp_path / "shop", postgres_database, tables=wanted)
    assert "sources/" + postgres_database.rpartition("/")[2] + ".yaml" in made.files
    with lakewright.open(tmp_path / "shop") as lw:
        names = {one.partition(".")[2] for one in lw.tables() if one.startswith("raw.")}
        assert names == {"orders", "order_details", "customers", "products"}
        assert keys(lw, "order_details") == ("order_id", "product_id")
        assert references(lw, "orders")["customer_id"] == "customers.customer_id"
        report = lw.run().raise_for_status()
        assert {one.task: (one.rows, one.quarantined) for one in report.tasks if "order" in one.task} == {
            "raw.orders": (830, 0),
            "raw.order_details": (2155, 0),
            "processed.orders": (830, 0),
            "processed.order_details": (2155, 0),
        }


def test_chinook_in_sqlite(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "chinook" / "Chinook_Sqlite.sqlite"
    init_from(tmp_path / "shop", str(file), tables=["Invoice*", "Customer"])
    with lakewright.open(tmp_path / "shop") as lw:
        assert lw.tables()[:3] == ["raw.customer", "raw.invoice", "raw.invoice_line"]
        lw.run().raise_for_status()
        total = lw.sql("select count(*), sum(total) from processed.invoice").fetchall()
        assert total == [(412, Decimal("2328.60"))]


def test_a_password_is_not_written(tmp_path: Path, postgres_database: str) -> None:
    _load(
        postgres_database,
        "CREATE SCHEMA a; CREATE SCHEMA b",
        'CREATE TABLE a.t (id int PRIMARY KEY, updated_at timestamptz); CREATE TABLE b.t (id int); CREATE TABLE a."T.x" (i int)',
        "INSERT INTO a.t VALUES (1, now())",
    )
    address = postgres_database.replace("postgres@", "postgres:s3cret%2Fword@")
    made = init_from(tmp_path / "shop", address, tables=["a.*", "b.*"])
    secret = postgres_database.rpartition("/")[2].upper() + "_PASSWORD"
    assert any(secret in note for note in made.notes)
    for path in (tmp_path / "shop").rglob("*.*"):
        assert not path.is_file() or "s3cret" not in path.read_text("utf-8")
    (tmp_path / "shop" / ".secrets").mkdir()
    (tmp_path / "shop" / ".secrets" / secret).write_text("s3cret/word\n")
    with lakewright.open(tmp_path / "shop") as lw:
        (source,) = lw.project.sources.values()
        assert isinstance(source, DatabaseSource)
        assert {name: (one.table, one.keys) for name, one in source.datasets.items()} == {
            "t_x": ('a."T.x"', ()),
            "a_t": ("a.t", ("id",)),
            "b_t": ("b.t", ()),
        }
        lw.run("raw.*").raise_for_status()


def test_mistakes(tmp_path: Path, postgres_database: str) -> None:
    with pytest.raises(UsageError, match="LW906"):
        init_from(tmp_path / "shop", postgres_database)
    with pytest.raises(lakewright.errors.LakewrightError, match="LW220"):
        init_from(tmp_path / "shop", "postgresql://127.0.0.1:1/none")
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="LW904"):
        init_from(tmp_path / "shop", str(tmp_path / "in"), tables=["a"])
    assert not (tmp_path / "shop").exists()
