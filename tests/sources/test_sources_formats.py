"""Parquet, Avro, ORC and Excel: typed columns, sound or refused."""

from __future__ import annotations

import bz2
import datetime
import io
import lzma
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from raw_zone import Zone

from lakewright.engine.extensions import load

TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "name": ["Ann", None, "Zoë"],
        "day": pa.array([19_000, None, 19_001], pa.date32()),
        "tags": [["x"], [], None],
    }
)


def test_parquet_knows_its_rows(zone: Zone) -> None:
    pq.write_table(TABLE, zone.landing / "a.parquet")
    pq.write_table(TABLE.slice(1, 1), zone.landing / "b.parquet")
    zone.take()
    read = zone.reading()
    assert read.columns == {"id": "INTEGER", "name": "VARCHAR", "day": "DATE", "tags": "VARCHAR[]"}
    found = zone.cursor.execute(
        f"SELECT id, _source_file, _source_row FROM ({read.query.sql('duckdb')})"
    ).fetchall()
    assert found == [(1, "a.parquet", 1), (2, "a.parquet", 2), (3, "a.parquet", 3), (2, "b.parquet", 1)]


def test_parquet_types_widen(zone: Zone) -> None:
    pq.write_table(
        pa.table({"n": pa.array([1], pa.int32()), "t": pa.array([1], pa.int64())}), zone.landing / "a.parquet"
    )
    pq.write_table(pa.table({"n": pa.array([2.5]), "t": ["x"]}), zone.landing / "b.parquet")
    taken = zone.take()
    assert [str(one) for one in taken.drift] == [
        "b.parquet: column 'n' was INTEGER, is DOUBLE",
        "b.parquet: column 't' was BIGINT, is VARCHAR",
    ]
    assert zone.reading().columns == {"n": "DOUBLE", "t": "VARCHAR"}
    assert zone.rows() == [(1.0, "1"), (2.5, "x")]


def test_compressed_parquet_is_unpacked(zone: Zone) -> None:
    out = io.BytesIO()
    pq.write_table(TABLE, out)
    zone.write("a.parquet.bz2", bz2.compress(out.getvalue()))
    zone.take()
    assert [row[0] for row in zone.rows()] == [1, 2, 3]


def test_broken_parquet_never_ends_the_process(zone: Zone, tmp_path: Path) -> None:
    """Bytes of sound files changed at random: refused or read, in a process of its own that must not die."""
    out = io.BytesIO()
    table = pa.concat_tables([TABLE] * 50)
    pq.write_table(table, out, row_group_size=40, data_page_size=64, write_page_checksum=False)
    data = out.getvalue()
    change = random.Random(7)
    for number in range(60):
        broken = bytearray(data)
        for _ in range(change.choice((1, 3, 20))):
            broken[change.randrange(len(broken))] = change.randrange(256)
        zone.write(f"{number:02}.parquet", bytes(broken[: len(broken) - change.choice((0, 0, 0, 50))]))
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from raw_zone import Zone
from lakewright.engine.session import Session
from lakewright.lake.raw import LocalStore
from lakewright.spec.project import Engine
from lakewright.state import State
root = Path({str(zone.root)!r})
with Session.open(Engine(threads=2, memory_limit="1GB"), root=root) as session:
    zone = Zone(root, LocalStore(root / "lake/raw"), State("sqlite:state.db", root), session.cursor(), root / "landing")
    taken = zone.take()
    print(len(taken.files), len([one for one in taken.files if one.unreadable]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    files, refused = map(int, done.stdout.split())
    assert files == 60
    assert refused > 20


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_avro_codecs(zone: Zone, codec: str) -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"]}],
    }
    out = io.BytesIO()
    rows = [{"id": n, "name": None if n % 7 == 0 else f"n{n}"} for n in range(1000)]
    fastavro.writer(out, schema, rows, codec=codec, sync_interval=500)
    zone.write("a.avro", out.getvalue())
    zone.write("cut.avro", out.getvalue()[:-5])
    taken = zone.take()
    assert {file.path: file.unreadable for file in taken.files} == {
        "a.avro": "",
        "cut.avro": "the Avro file is cut off",
    }
    assert zone.rows() == [(row["id"], row["name"]) for row in rows]
    assert lzma  # the xz codec is the standard library's


def test_orc_becomes_parquet(zone: Zone) -> None:
    orc.write_table(TABLE, str(zone.landing / "a.orc"))
    taken = zone.take()
    assert taken.files[0].parts[0].path.startswith("_readable/s/d/")
    assert zone.rows(source_file=True)[0] == (1, "Ann", datetime.date(2022, 1, 8), ["x"], "a.orc")


def _workbook(path: Path, query: str, sheet: str = "Sheet1") -> None:
    with duckdb.connect() as connection:
        load(connection, "excel")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT xlsx, HEADER true, SHEET '{sheet}')")


def test_excel(zone: Zone) -> None:
    _workbook(
        zone.landing / "a.xlsx",
        "SELECT 1 AS id, 'Ann' AS name, 2.5 AS price, DATE '2024-01-31' AS day, true AS ok, 'x' AS mixed "
        "UNION ALL SELECT 2, NULL, 3.125, DATE '2024-02-29', false, NULL ORDER BY id",
        "Orders",
    )
    taken = zone.take()
    assert zone.reading().columns == {
        "id": "BIGINT",
        "name": "VARCHAR",
        "price": "DOUBLE",
        "day": "DATE",
        "ok": "BOOLEAN",
        "mixed": "VARCHAR",
    }
    assert zone.rows() == [
        (1, "Ann", 2.5, datetime.date(2024, 1, 31), True, "x"),
        (2, None, 3.125, datetime.date(2024, 2, 29), False, None),
    ]
    assert taken.files[0].format == "excel"


def test_excel_sheets(zone: Zone) -> None:
    _workbook(zone.landing / "a.xlsx", "SELECT 1 AS id", "Orders")
    taken = zone.take(options={"sheet": "Order"})
    assert taken.files[0].unreadable == "there is no sheet 'Order'; did you mean 'Orders'?; there are Orders"


def test_a_broken_workbook_is_refused(zone: Zone) -> None:
    _workbook(zone.landing / "a.xlsx", "SELECT 1 AS id")
    data = (zone.landing / "a.xlsx").read_bytes()
    zone.write("a.xlsx", data[: len(data) // 2])
    taken = zone.take()
    assert taken.files[0].unreadable
