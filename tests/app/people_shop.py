"""A shop whose data is about people, in files of every format, and a search through everything that it keeps."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
from shop_folder import Folder

__all__ = ["MARKERS", "Person", "buy", "contents", "holding", "in_bytes", "marked_shop", "people_of"]

#: Texts of the one who is to be erased, which nobody else has.
MARKERS = ("zora.marker@secret-mail.test", "Zora Markerová", "+49 4242 777001")

Person = tuple[int, str, str, str, str]  # id, email, name, phone, city


def people_of(count: int) -> list[Person]:
    """People of whom number 42 is the one with the markers."""
    rows = [
        (one, f"user{one}@ex.org", f"Näme, {one}", f"+49 30 {one:06}", f"City{one % 7}")
        for one in range(1, count + 1)
    ]
    rows[41] = (42, "Zora.Marker@secret-mail.test", MARKERS[1], MARKERS[2], "City3")
    return rows


def marked_shop(
    folder: Folder, *, warehouse: str = "duckdb:mart.duckdb", more: str = "", cache: str = ""
) -> Folder:
    """Write the project into *folder*; its sources are files in ``in``. *more* are lines of lakewright.yaml."""
    folder.write(
        "lakewright.yaml",
        f"""
        name: people
        {more}
        query_cache: {{{f'store: "{cache}"' if cache else ""}}}
        lineage: {{file: events.ndjson}}
        subjects:
          customer:
            identifier: customer_id
            ignore_case: [email]
            datasets:
              raw.customers: {{id: customer_id, email: email}}
              raw.orders: {{customer_id: customer_id}}
              raw.visits: {{email: email}}
              raw.tickets: {{mail: email}}
              raw.calls: {{phone: phone}}
              processed.customers: {{customer_id: customer_id, email: email, phone: phone}}
              processed.orders: {{customer_id: customer_id}}
              processed.visits: {{email: email}}
              processed.tickets: {{mail: email}}
              processed.calls: {{phone: phone}}
              curated.history: {{customer_id: customer_id}}
              curated.dim_customer: {{customer_id: customer_id, customer_key: customer_key}}
              curated.fact_orders: {{customer_key: customer_key}}
            redact:
              processed.orders: [customer_id, note]
              curated.fact_orders: [customer_key, customer_id, note]
        """,
    )
    folder.write(
        "sources/shop.yaml",
        """
        kind: files
        path: in
        datasets:
          customers: {files: "customers-*"}
          orders: {files: "orders-*"}
          visits: {files: "visits-*"}
          tickets: {files: "tickets-*", options: {records: $.data.items}}
          calls: {files: "calls-*"}
        """,
    )
    folder.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        steps: [{rename: {id: customer_id}}]
        columns:
          customer_id: {type: bigint, key: true}
          email: {type: varchar, pii: email}
          name: {type: varchar}
          phone: {type: varchar}
          city: {type: varchar, in: [City0, City1, City2, City4, City5, City6], severity: warn}
        write: {mode: merge}
        """,
    )
    folder.write(
        "datasets/processed/orders.yaml",
        """
        from: raw.orders
        columns:
          order_id: {type: bigint, key: true}
          customer_id: {type: bigint}
          amount: {type: "decimal(10,2)", max: 400}
          day: {type: date}
          note: {type: varchar}
        quality_threshold: 0.1
        write: {mode: merge}
        """,
    )
    folder.write(
        "datasets/processed/visits.yaml",
        """
        from: raw.visits
        columns:
          visit: {type: bigint}
          email: {type: varchar, mask: token, pii: email}
          page: {type: varchar}
        """,
    )
    folder.write(
        "datasets/processed/tickets.yaml",
        """
        from: raw.tickets
        columns:
          ticket: {type: bigint}
          mail: {type: varchar, mask: hash, pii: email}
          text: {type: varchar}
        """,
    )
    folder.write(
        "datasets/processed/calls.yaml",
        "from: raw.calls\ncolumns: {call: {type: bigint}, phone: {type: varchar}}\n",
    )
    folder.write(
        "datasets/curated/history.yaml",
        """
        from: processed.customers
        columns: {customer_id: {type: bigint, key: true}}
        write: {mode: scd2}
        """,
    )
    folder.write(
        "datasets/curated/dim_customer.yaml",
        """
        from: processed.customers
        dimension: {}
        columns: {customer_id: {type: bigint, key: true}}
        write: {mode: merge}
        """,
    )
    folder.write(
        "datasets/curated/fact_orders.yaml",
        """
        from: processed.orders
        columns: {order_id: {type: bigint, key: true}}
        fact:
          at: day
          dimensions: {customer_key: {dimension: curated.dim_customer, on: {customer_id: customer_id}}}
        """,
    )
    folder.write(
        "warehouses/mart.yaml",
        f"""
        connection: "{warehouse}"
        tables:
          customers: processed.customers
          history: {{dataset: curated.history, mode: upsert, keys: [customer_id, valid_from]}}
          dim_customer: curated.dim_customer
          fact_orders: curated.fact_orders
        """,
    )
    (folder / "in").mkdir(exist_ok=True)
    return folder


def buy(folder: Folder, people: list[Person], number: int = 1) -> None:
    """Deliver file *number* of everything: each dataset in several formats and compressions."""
    home = folder / "in"
    third = len(people) // 3
    _customers(home, people, number, third)
    _orders(home, people, number)
    _visits(home, people, number)
    items = [{"ticket": n, "mail": one[1], "text": f"help me\n{one[2]}"} for n, one in enumerate(people)]
    document = {"data": {"page": '[{"', "items": items}, "end": [1.10]}
    (home / f"tickets-{number}.json").write_text(json.dumps(document, indent=1), "utf-8")
    calls = [f"{n};{one[3]}" for n, one in enumerate(people)]
    (home / f"calls-{number}.csv").write_text("\n".join(["call;phone", *calls]) + "\n", "utf-16")


def _customers(home: Path, people: list[Person], number: int, third: int) -> None:
    def csv(rows: list[Person], end: str = "\n") -> str:
        lines = [f'{id},{email},"{name}","{phone}",{city}' for id, email, name, phone, city in rows]
        return end.join(["id,email,name,phone,city", *lines]) + end

    broken = f'42,{MARKERS[0]},"{MARKERS[1]}",{MARKERS[2]},x,y,z\n77,too,many,fields,here,and,there\n'
    (home / f"customers-a{number}.csv").write_text(csv(people[:third]) + broken, "utf-8")
    with zipfile.ZipFile(home / f"customers-b{number}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.csv", csv(people[third : 2 * third], "\r\n"))
        archive.writestr("two.csv", csv(people[2 * third :]))


def _orders(home: Path, people: list[Person], number: int) -> None:
    def order(at: int) -> dict[str, Any]:
        one = people[at % len(people)]
        note = f"for {one[2]}"
        return {
            "order_id": number * 10_000 + at, "customer_id": one[0], "amount": at, "day": "2024-05-01", "note": note,
        }  # fmt: skip

    texts = [json.dumps(order(at), ensure_ascii=at % 2 == 0) for at in range(300)]
    with gzip.open(home / f"orders-a{number}.ndjson.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(texts) + "\n")
    (home / f"orders-b{number}.ndjson.bz2").write_bytes(
        bz2.compress("\n".join(json.dumps(order(at)) for at in range(300, 400)).encode())
    )
    with pa.CompressedOutputStream(str(home / f"orders-c{number}.ndjson.zst"), "zstd") as out:
        out.write(("\n".join(json.dumps(order(at)) for at in range(400, 500)) + "\n").encode())


def _visits(home: Path, people: list[Person], number: int) -> None:
    def table(first: int, count: int) -> pa.Table:
        mails = [people[at % len(people)][1] for at in range(first, first + count)]
        return pa.table(
            {"visit": range(first, first + count), "email": mails, "page": ["/x"] * count},
            schema=pa.schema([("visit", pa.int64()), ("email", pa.string()), ("page", pa.string())]),
        )

    pq.write_table(table(0, 250), home / f"visits-a{number}.parquet", row_group_size=100)
    orc.write_table(table(250, 100), str(home / f"visits-b{number}.orc"), compression="zstd")
    schema = {
        "type": "record", "name": "visit",
        "fields": [{"name": "visit", "type": "long"}, {"name": "email", "type": "string"}, {"name": "page", "type": "string"}],
    }  # fmt: skip
    with (home / f"visits-c{number}.avro").open("wb") as out:
        fastavro.writer(out, schema, table(350, 100).to_pylist(), codec="deflate")


# --- the search ----------------------------------------------------------------------------------


def holding(root: Path, words: tuple[str, ...] = MARKERS) -> list[str]:
    """Return the files below *root*, the sources' aside, that hold one of *words*, whatever their form."""
    found = []
    for place, _, names in os.walk(root):
        for name in names:
            path = Path(place) / name
            if (root / "in") not in path.parents:
                found += [f"{path.relative_to(root)}: {word}" for word in words if _holds(path, word)]
    return found


def _holds(path: Path, word: str) -> bool:
    return any(in_bytes(data, word) for data in contents(path.read_bytes(), path))


def in_bytes(data: bytes, word: str) -> bool:
    """Whether *data* holds *word* in any spelling of its bytes."""
    lower = data.lower()
    forms = [
        word.encode(),
        word.encode("utf-16-le"),
        word.encode("utf-16-be"),
        json.dumps(word)[1:-1].encode(),
    ]
    return any(one.lower() in lower for one in forms)


def contents(data: bytes, path: Path | str) -> Iterator[bytes]:
    """The bytes of a file, and what they mean: unpacked, decoded, each value of a table as text."""
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif data.startswith(b"BZh"):
        yield bz2.decompress(data)
    elif data.startswith(b"\x28\xb5\x2f\xfd"):
        yield pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(one) for one in archive.namelist())
    elif data.startswith(b"PAR1"):
        yield _text(pq.read_table(io.BytesIO(data)).to_pylist())
    elif data.startswith(b"Obj\x01"):
        yield _text(list(fastavro.reader(io.BytesIO(data))))
    elif data.startswith(b"ORC"):
        yield _text(orc.ORCFile(pa.BufferReader(data)).read().to_pylist())
    elif data.startswith(b"SQLite format 3"):
        with sqlite3.connect(path) as database:
            names = [
                row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            yield _text([database.execute(f'SELECT * FROM "{name}"').fetchall() for name in names])
    elif str(path).endswith(".duckdb"):
        with duckdb.connect(path, read_only=True) as database:
            names = database.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            yield _text([database.execute(f'SELECT * FROM "{a}"."{b}"').fetchall() for a, b in names])


def _text(rows: Any) -> bytes:
    return repr(rows).encode()
