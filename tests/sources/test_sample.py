"""The sample shop: same arguments, same content; every planted mistake is where it was counted."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from lakewright.sources.sample import events, write_shop
from lakewright.sources.sample_sql import DIRT


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".xlsx"  # a workbook carries the time it was made
    }


def data_lines(folder: Path, pattern: str) -> int:
    return sum(file.read_bytes().count(b"\n") - 1 for file in folder.glob(pattern))


def test_same_arguments_same_content(tmp_path: Path) -> None:
    first = write_shop(tmp_path / "a", days=4, orders_per_day=60, dirt=0.1)
    second = write_shop(tmp_path / "b", days=4, orders_per_day=60, dirt=0.1)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert (first.rows, first.planted) == (second.rows, second.planted)
    write_shop(tmp_path / "c", seed=8, days=4, orders_per_day=60, dirt=0.1)
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_later_days_do_not_change_earlier_ones(tmp_path: Path) -> None:
    """A longer run of the same shop adds files, as a real landing folder does."""
    write_shop(tmp_path / "a", days=3, orders_per_day=40, customers=90)
    write_shop(tmp_path / "b", days=6, orders_per_day=40, customers=90)
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert {k: v for k, v in b.items() if k in a and "customers" not in k and "orders/" not in k} == {
        k: v for k, v in a.items() if "customers" not in k and "orders/" not in k
    }


def test_clean_data_is_clean_and_refers_to_itself(tmp_path: Path) -> None:
    sample = write_shop(tmp_path, days=5, orders_per_day=80, dirt=0)
    assert all(count == 0 for kinds in sample.planted.values() for count in kinds.values())
    con = duckdb.connect()
    con.execute(f"create view orders as from read_csv('{tmp_path}/orders/*.csv', auto_detect=true)")
    con.execute(f"create view lines as from '{tmp_path}/order_lines/*.parquet'")
    con.execute(f"create view payments as from read_json('{tmp_path}/payments/*.gz')")
    con.execute(
        f"create view customers as from read_csv('{tmp_path}/customers/*.csv', delim=';', encoding='latin-1')"
    )
    known = con.execute('select count(distinct "Customer ID") from customers').fetchone()
    assert known is not None and known[0] >= 40
    for query in (
        "select * from lines where order_id not in (select order_id from orders)",
        "select * from payments where order_id not in (select order_id from orders)",
        'select * from orders where customer_id not in (select "Customer ID" from customers)',
        "select order_id, status from orders group by all having count(*) > 1",
        "select order_id, line_no from lines group by all having count(*) > 1",
        "select * from orders where ordered_at > updated_at",
    ):
        assert con.execute(query).fetchall() == [], query
    totals = con.execute(
        "select count(*) from payments join (select order_id, round(sum(quantity * unit_price) "
        "* (100 - any_value(discount_percent)) / 100.0, 2) as total from lines "
        "join (select distinct order_id, discount_percent from orders) using (order_id) group by order_id) "
        "using (order_id) where amount <> total"
    ).fetchone()
    assert totals == (0,)


def test_rows_and_planted_mistakes_are_what_the_files_hold(tmp_path: Path) -> None:
    sample = write_shop(tmp_path, days=6, orders_per_day=150, dirt=0.2)
    assert {name: set(kinds) for name, kinds in sample.planted.items() if kinds} == {
        name: set(kinds) for name, kinds in DIRT.items()
    }
    assert data_lines(tmp_path, "orders/*.csv") == sample.rows["orders"]
    assert data_lines(tmp_path, "customers/*.csv") == sample.rows["customers"]
    orders = b"".join(file.read_bytes() for file in (tmp_path / "orders").glob("*.csv"))
    assert orders.count(b"caf\xe9") == sample.planted["orders"]["bad_encoding"] > 0
    lines = [line for line in orders.decode("latin-1").splitlines() if not line.startswith("order_id")]
    assert sum(line.count(",") == 4 for line in lines) == sample.planted["orders"]["short_line"] > 0
    assert sum(line.endswith(",?") for line in lines) == sample.planted["orders"]["long_line"] > 0
    doubled = len(lines) - len(set(lines))
    assert doubled == sample.planted["orders"]["duplicate"] > 0
    payments = [
        line
        for file in sorted((tmp_path / "payments").glob("*.gz"))
        for line in gzip.decompress(file.read_bytes()).decode().splitlines()
    ]
    assert len(payments) == sample.rows["payments"]
    assert sum(not line.endswith("}") for line in payments) == sample.planted["payments"]["broken_json"] > 0
    for file in (tmp_path / "customers").glob("*.csv"):
        file.read_bytes().decode("windows-1252")


def test_orders_move_through_their_life(tmp_path: Path) -> None:
    write_shop(tmp_path, days=10, orders_per_day=100, dirt=0)
    found = dict(
        duckdb.execute(f"select status, count(*) from '{tmp_path}/orders/*.csv' group by status").fetchall()
    )
    assert set(found) == {"new", "paid", "shipped", "delivered", "cancelled", "refunded"}


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"orders_per_day": 0}, {"dirt": 1.5}, {"dirt": -0.1}], ids=str
)
def test_nonsense_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1|share between"):
        write_shop(tmp_path, **wrong)


def test_one_small_order_a_day(tmp_path: Path) -> None:
    sample = write_shop(tmp_path, days=1, orders_per_day=1, dirt=0, start=date(2023, 12, 31))
    assert sample.rows["orders"] == 1
    assert (tmp_path / "orders" / "orders_2023-12-31.csv").is_file()


def test_events_come_in_batches_and_repeat_with_the_seed() -> None:
    batches = list(events(2_500, batch=1_000, dirt=0.05, start=datetime(2024, 5, 1)))
    rows = [row for one in batches for row in one.to_pylist()]
    assert [len({r["event_id"] for r in one.to_pylist()}) for one in batches] == [1_000, 1_000, 500]
    assert len(rows) == 2_500 + sum(r["kind"] == "duplicate" for r in rows) // 2
    # The size of a batch does not change what is in it.
    again = [
        row
        for one in events(2_500, batch=700, dirt=0.05, start=datetime(2024, 5, 1))
        for row in one.to_pylist()
    ]
    assert again == rows
    for row in rows:
        if row["kind"] == "broken_json":
            with pytest.raises(json.JSONDecodeError):
                json.loads(row["payload"])
        else:
            sent = json.loads(row["payload"])
            assert (sent["event_id"], sent["customer_id"]) == (row["event_id"], row["customer_id"])


def test_events_never_end_unless_told() -> None:
    stream = events(batch=10, dirt=0)
    seen = [next(stream)["event_id"].to_pylist() for _ in range(5)]
    assert len({one for batch in seen for one in batch}) == 50
    stream.close()
