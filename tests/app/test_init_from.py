"""A project made from a folder of files runs at once, and says what a careful engineer would have written."""

from __future__ import annotations

import datetime
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from made_project import built, columns, dataset, keys, make, personal, references, run, types
from shared_tables import chinook, export, northwind

from lakewright.api.handle import Lakewright
from lakewright.sql.names import snake_case

FORMATS = (
    "csv",
    "parquet",
    "json",
    pytest.param("ndjson", marks=pytest.mark.slow),
    pytest.param("excel", marks=pytest.mark.slow),
)


# --- the jaffle shop: three CSV files


def test_jaffle_shop(tmp_path: Path, shared_data: Path) -> None:
    with make(tmp_path / "shop", shared_data / "jaffle-shop") as lw:
        assert lw.tables() == [
            "raw.customers",
            "raw.orders",
            "raw.payments",
            "processed.customers",
            "processed.orders",
            "processed.payments",
        ]
        report = run(lw)
        assert {one.task.partition(".")[2]: one.rows for one in report.tasks} == {
            "customers": 100,
            "orders": 99,
            "payments": 113,
        }
        assert [one.quarantined for one in report.tasks] == [0] * 6
        (total,) = lw.sql(
            "select sum(amount) from processed.payments join processed.orders o on order_id = o.id"
        ).fetchall()
        assert total == (167200,)
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        assert lw.plan().to_run == 0


def test_what_is_written_for_the_jaffle_shop(tmp_path: Path, shared_data: Path) -> None:
    with make(tmp_path / "shop", shared_data / "jaffle-shop"):
        pass
    shop = tmp_path / "shop"
    assert (shop / "sources/jaffle_shop.yaml").read_text() == (
        "kind: files\n"
        f"path: {shared_data / 'jaffle-shop'}\n"
        "datasets:\n"
        "  customers:\n"
        "    files: raw_customers.csv  # 1 file, 100 rows\n"
        "  orders:\n"
        "    files: raw_orders.csv  # 1 file, 99 rows\n"
        "  payments:\n"
        "    files: raw_payments.csv  # 1 file, 113 rows\n"
    )
    assert (shop / "datasets/processed/customers.yaml").read_text() == (
        "description: One row per id, cleaned.\n"
        "# owner: who answers for it, when it is not the project's owner\n"
        "tags: [pii]\n"
        "from: raw.customers\n"
        "columns:  # guessed: required, where none of 100 rows had a null\n"
        "  id:         {type: bigint, key: true}                   # guessed: no value occurs twice in 100 rows\n"
        "  first_name: {type: varchar, required: true, pii: name}  "
        "# guessed: by its name; 100% of 79 values have the form; to hide it: mask: token\n"
        "  last_name:  {type: varchar, required: true, pii: name}  "
        "# guessed: by its name; 100% of 19 values have the form; to hide it: mask: token\n"
        "write: {mode: merge}\n"
        "expect:\n"
        "  - row_count: {min: 1}\n"
    )
    orders = (shop / "datasets/processed/orders.yaml").read_text()
    assert "in: [completed, placed, return_pending, returned, shipped]}  # guessed: the only values" in orders
    assert "  # - fresh: {column: order_date, within: 2d}  # say so when rows come every day\n" in orders
    assert "partition_by" not in orders
    payments = (shop / "datasets/processed/payments.yaml").read_text()
    assert (
        "  - references: {order_id: processed.orders.id}  # guessed: every value was found there\n"
        in payments
    )
    readme = (shop / "README.md").read_text()
    for command in ("check", "plan", "run", "test", "query", "quality"):
        assert f"\nlakewright {command} " in readme
    assert "| customers | 100 | id | first_name, last_name |" in readme


# --- Chinook: 11 tables of a music shop


@pytest.mark.parametrize("format", FORMATS)
def test_chinook(tmp_path: Path, shared_data: Path, format: str) -> None:
    tables = chinook(shared_data)
    with built(tmp_path / "music", export(tables, tmp_path / "exports", format)) as lw:
        assert lw.sql("select count(*), sum(total) from processed.invoice").fetchall() == [
            (412, Decimal("2328.60"))
        ]
        assert lw.sql(
            "select count(*), sum(unit_price * quantity) from processed.invoice_line"
        ).fetchall() == [(2240, Decimal("2328.60"))]
        for name, table in tables.items():
            # the writer of the workbooks does not say that spaces at the end of a text belong to it
            _assert_same(lw, snake_case(name), table, stripped=format == "excel")
        _assert_chinook(lw, format)


def _assert_chinook(lw: Lakewright, format: str) -> None:
    # Excel has no decimals of its own and one type for days and moments
    assert types(lw, "invoice")["total"] == "decimal(10,2)"
    assert types(lw, "invoice")["invoice_date"] == ("date" if format == "excel" else "timestamp")
    assert types(lw, "track") == {
        "track_id": "bigint",
        "name": "varchar",
        "album_id": "bigint",
        "media_type_id": "bigint",
        "genre_id": "bigint",
        "composer": "varchar",
        "milliseconds": "integer" if format == "csv" else "bigint",
        "bytes": "bigint",
        "unit_price": "decimal(10,2)",
    }
    assert {name: keys(lw, name) for name in ("track", "invoice_line", "playlist_track", "genre")} == {
        "track": ("track_id",),
        "invoice_line": ("invoice_line_id",),
        "playlist_track": ("playlist_id", "track_id"),
        "genre": ("genre_id",),
    }
    assert references(lw, "track") == {
        "album_id": "album.album_id",
        "media_type_id": "media_type.media_type_id",
        "genre_id": "genre.genre_id",
    }
    assert references(lw, "playlist_track") == {
        "playlist_id": "playlist.playlist_id",
        "track_id": "track.track_id",
    }
    assert references(lw, "invoice_line") == {
        "invoice_id": "invoice.invoice_id",
        "track_id": "track.track_id",
    }
    assert references(lw, "invoice") == {"customer_id": "customer.customer_id"}
    person = {
        "last_name": "name",
        "first_name": "name",
        "address": "address",
        "postal_code": "address",
        "phone": "phone",
        "fax": "phone",
        "email": "email",
    }
    assert personal(lw, "customer") == person
    assert personal(lw, "employee") == person | {"birth_date": "birth_date"}
    assert personal(lw, "invoice") == {"billing_address": "address", "billing_postal_code": "address"}
    assert personal(lw, "artist") == personal(lw, "track") == {}
    assert not columns(lw, "customer")["phone"].required
    assert columns(lw, "customer")["email"].required


# --- Northwind: 14 tables of a trading company, two of them empty


@pytest.mark.parametrize("format", FORMATS)
def test_northwind(tmp_path: Path, shared_data: Path, format: str) -> None:
    tables = northwind(shared_data)
    if format in ("json", "ndjson"):  # an empty document has no columns
        tables = {name: table for name, table in tables.items() if table.num_rows}
    with built(tmp_path / "trade", export(tables, tmp_path / "exports", format)) as lw:
        assert lw.sql("select count(*), sum(freight) from processed.orders").fetchall() == [
            (830, Decimal("64942.69"))
        ]
        (lines,) = lw.sql(
            "select count(*), sum(unit_price * quantity), sum(quantity) from processed.order_details"
        ).fetchall()
        assert lines == (2155, Decimal("1354458.59"), 51317)
        for name, table in tables.items():
            _assert_same(lw, name, table)
        _assert_northwind(lw)


def _assert_northwind(lw: Lakewright) -> None:
    orders = types(lw, "orders")
    assert [orders[name] for name in ("order_date", "required_date", "shipped_date")] == ["date"] * 3
    assert orders["freight"] == types(lw, "products")["unit_price"] == "decimal(10,2)"
    assert orders["customer_id"] == "varchar"
    # 01581 is no number
    assert types(lw, "territories")["territory_id"] == types(lw, "customers")["postal_code"] == "varchar"
    assert types(lw, "employees")["birth_date"] == "date"
    assert keys(lw, "orders") == ("order_id",)
    assert keys(lw, "customers") == ("customer_id",)
    assert keys(lw, "order_details") == ("order_id", "product_id")
    # each territory has one employee, by chance: the table says who belongs where
    assert keys(lw, "employee_territories") == ("employee_id", "territory_id")
    assert references(lw, "order_details") == {
        "order_id": "orders.order_id",
        "product_id": "products.product_id",
    }
    assert references(lw, "orders") == {
        "customer_id": "customers.customer_id",
        "employee_id": "employees.employee_id",
    }
    assert references(lw, "products") == {
        "supplier_id": "suppliers.supplier_id",
        "category_id": "categories.category_id",
    }
    assert personal(lw, "customers") == {
        "contact_name": "name",
        "address": "address",
        "postal_code": "address",
        "phone": "phone",
        "fax": "phone",
    }
    assert personal(lw, "employees").keys() >= {"last_name", "first_name", "birth_date", "home_phone"}
    assert personal(lw, "products") == personal(lw, "region") == {}
    assert dataset(lw, "orders").write.partition_by == ()


def _assert_same(lw: Lakewright, name: str, table: pa.Table, stripped: bool = False) -> None:
    """The processed dataset holds exactly the rows of *table*."""
    chosen = ", ".join(f'"{snake_case(one)}"' for one in table.column_names)
    found = lw.sql(f"select {chosen} from processed.{name}").fetchall()
    wanted = zip(*(column.to_pylist() for column in table.columns), strict=True)
    if stripped:
        wanted = (tuple(one.strip(" ") if isinstance(one, str) else one for one in row) for row in wanted)
    assert Counter(map(_plain, found)) == Counter(map(_plain, wanted)), name


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_plain_value(one) for one in row)


def _plain_value(value: Any) -> Any:
    """The value whatever type its format gave it: 4-byte fractions, days as moments, empty text as nothing."""
    if isinstance(value, float | Decimal):
        return float(f"{value:.7g}")
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date()
    return None if value == "" else value
