"""A shop whose files arrive in rounds: every write mode, bad lines, late and changed files."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from shop_folder import Folder
from sqlalchemy import select

import lakewright
from lakewright.catalog.entries import entries
from lakewright.catalog.schemas import versions
from lakewright.sources.manifest import raw_files

#: What differs from run to run.
TIMES = ("_run_id", "_ingested_at", "_quarantined_at")


def make_shop(root: Path, settings: str = "") -> Folder:
    """Write the project: two sources, merge, append, overwrite, scd2, SQL and rows of tables on top, a star, a warehouse."""
    folder = Folder(root)
    folder.write(
        "lakewright.yaml", "name: shop\nengine: {threads: 2, workers: 2, memory_limit: 1GB}\n" + settings
    )
    folder.write(
        "sources/files.yaml",
        """
        kind: files
        path: in
        datasets:
          orders: {files: "orders-*.csv", format: csv, options: {delimiter: ",", header: true}}
          customers: {files: "customers-*.ndjson", format: ndjson}
        """,
    )
    folder.write(
        "datasets/processed/orders.yaml",
        """
        from: raw.orders
        steps:
          - deduplicate: {keys: [order_id], latest_by: updated_at}
        columns:
          order_id: {type: bigint, key: true}
          customer_id: {type: bigint, required: true}
          day: {type: date, required: true}
          store: {type: varchar, in: [north, south, web]}
          amount: {type: "decimal(10,2)", min: 0}
          updated_at: {type: timestamp, required: true}
        write: {mode: merge, partition_by: [year(day), month(day)]}
        quality_threshold: 0
        """,
    )
    folder.write(
        "datasets/processed/order_log.yaml",
        """
        from: raw.orders
        columns:
          order_id: {type: bigint, required: true}
          amount: {type: "decimal(10,2)"}
        write: {mode: append, partition_by: ["bucket(2, order_id)"]}
        quality_threshold: 0
        """,
    )
    folder.write(
        "datasets/processed/stores.yaml",
        """
        from: raw.orders
        columns:
          order_id: {type: bigint, required: true}
          store: {type: varchar, required: true}
          amount: {type: "decimal(10,2)", min: 0}
        write: {mode: overwrite, partition_by: [store]}
        quality_threshold: 0
        """,
    )
    folder.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        columns:
          customer_id: {type: bigint, key: true}
          name: {type: varchar, required: true}
          city: {type: varchar}
          changed_at: {type: timestamp, required: true}
        dimension: {}
        write: {mode: scd2, scd2: {changed_at: changed_at}}
        quality_threshold: 0
        """,
    )
    folder.write(
        "datasets/curated/by_city.sql",
        """
        select c.city, count(*) as orders, sum(o.amount) as amount
        from processed.orders o join processed.customers c using (customer_id)
        where c.is_current group by c.city
        """,
    )
    folder.write(
        "datasets/curated/large.yaml",
        """
        from: processed.order_log
        steps:
          - filter: amount > 50
        write: {mode: append}
        """,
    )
    folder.write(
        "datasets/curated/fact_orders.yaml",
        """
        from: processed.orders
        columns:
          order_id: {type: bigint, key: true}
        fact:
          at: updated_at
          dimensions: {customers_key: processed.customers}
        write: {mode: merge}
        """,
    )
    folder.write(
        "warehouses/bi.yaml",
        """
        connection: duckdb:bi.duckdb
        tables:
          dim_customer: processed.customers
          fact_orders: {dataset: curated.fact_orders, mode: upsert}
        views:
          by_name: select name, sum(amount) as amount from fact_orders join dim_customer using (customers_key) group by name
        """,
    )
    return folder


def add_round(folder: Folder, number: int) -> None:
    """Put the files of round *number* into the shop's folder; the same ones whatever shop it is."""
    dice = random.Random(number)
    moment = 1_700_000_000 + 60 * number

    def put(name: str, lines: list[str]) -> None:
        file = folder.write(f"in/{name}", "\n".join(lines) + "\n")
        os.utime(file, (moment, moment))

    def orders(count: int) -> list[str]:
        lines = ["order_id,customer_id,day,store,amount,updated_at"]
        for _ in range(count):
            day = f"2024-{dice.randint(1, 4):02}-{dice.randint(1, 28):02}"
            store = dice.choice(["north", "south", "web", "web", "moon"])
            amount = dice.choice([f"{dice.uniform(1, 90):.2f}", f"{dice.uniform(1, 90):.2f}", "-1", "much"])
            # no two versions of an order are alike in time
            seconds = dice.randint(0, 10**8)
            at = f"2024-05-{seconds % 28 + 1:02} {seconds % 24:02}:{seconds % 60:02}:{seconds % 59:02}.{number:03}{seconds % 1000:03}"
            lines.append(f"{dice.randint(1, 60)},{dice.randint(1, 9)},{day},{store},{amount},{at}")
        lines.insert(dice.randint(1, len(lines)), "9,9,too,many,fields,in,this,line,here")
        return lines

    put(f"orders-{number:02}.csv", orders(dice.randint(5, 25)))
    if number % 3 == 2:
        # a file of an earlier round is delivered again, with other rows
        put(f"orders-{number - 1:02}.csv", orders(7))
    if number % 2 == 0:
        changes = [
            msgspec.json.encode(
                {
                    "customer_id": dice.randint(1, 9),
                    "name": dice.choice(["Ada", "Bo", None]),
                    "city": dice.choice(["Oslo", "Rome"]),
                    "changed_at": f"2024-01-{dice.randint(1, 28):02}T{dice.randint(0, 23):02}:00:0{number % 10}",
                }
            ).decode()
            for _ in range(6)
        ]
        put(f"customers-{number:02}.ndjson", [*changes, '{"customer_id": 1, "name": "cut o'])


def contents(root: Path) -> dict[str, Any]:
    """Return all that a shop holds, without times and runs: tables, checkpoints, manifest, raw files, catalog."""
    with lakewright.open(root) as lw:
        platform = lw._platform
        services = platform.services
        found: dict[str, Any] = {}
        with services.session.cursor() as cursor:
            for one in services.lake.tables(cursor):
                names = [name for name in services.lake.columns(cursor, one.id) or {} if name not in TIMES]
                if one.id.startswith("lakewright."):
                    continue
                listed = ", ".join(f'"{name}"' for name in names)
                zone, _, name = one.id.partition(".")
                rows = cursor.execute(f'SELECT {listed} FROM lake."{zone}"."{name}"').fetchall()
                found[one.id] = (names, sorted(map(repr, rows)))
        found["checkpoints"] = {
            id: (one.batch, one.rows, one.positions, one.fingerprint)
            for id, one in services.checkpoints.items()
        }
        columns = (
            "dataset",
            "path",
            "version",
            "batch",
            "size",
            "hash",
            "rows",
            "rejected",
            "change",
            "superseded_in",
        )
        query = select(*(raw_files.c[name] for name in (*columns, "raw_path"))).order_by(
            *raw_files.primary_key.columns
        )
        with services.state.read(raw_files) as connection:
            manifest = [row._mapping for row in connection.execute(query)]
        found["manifest"] = [tuple(row[name] for name in columns) for row in manifest]
        stored = {
            row["raw_path"]: hashlib.sha256(services.store.open(row["raw_path"]).read()).hexdigest()
            for row in manifest
        }
        assert [stored[row["raw_path"]] for row in manifest] == [row["hash"] for row in manifest]
        found["catalog"] = [
            (e.dataset, e.batch, e.rows, e.score, e.schema_version, e.columns, e.upstream)
            for e in entries(services.state)
        ]
        found["schemas"] = {
            id: [(one.version, one.fields, one.changes) for one in versions(services.state, id)]
            for id in platform.project.datasets
        }
    with duckdb.connect(str(root / "bi.duckdb"), read_only=True) as warehouse:
        for name in ("dim_customer", "fact_orders", "by_name"):
            served = warehouse.sql(f"from {name}")
            places = [number for number, column in enumerate(served.columns) if column not in TIMES]
            rows = served.fetchall()
            found[f"bi.{name}"] = sorted(repr([row[place] for place in places]) for row in rows)
    return found


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare two contents, part by part, so that a difference is readable."""
    assert found.keys() == wanted.keys()
    for part, value in wanted.items():
        assert found[part] == value, part
