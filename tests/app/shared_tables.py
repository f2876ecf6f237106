"""Tables of databases that others made, and files of every format written from them."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lakewright.engine.extensions import load

__all__ = ["FORMATS", "chinook", "export", "northwind"]

#: Names of formats that :func:`export` writes, with the endings of their files.
FORMATS = {"csv": ".csv", "json": ".json", "ndjson": ".ndjson", "parquet": ".parquet", "excel": ".xlsx"}


def chinook(shared: Path) -> dict[str, pa.Table]:
    """The 11 tables of the music shop, with the types that its schema declares."""
    file = shared / "chinook" / "Chinook_Sqlite.sqlite"
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        return {name: _sqlite_table(connection, name) for name in names}


def northwind(shared: Path) -> dict[str, pa.Table]:
    """The 14 tables of the trading company, without photos; its prices are binary fractions of 4 bytes."""
    text = (shared / "northwind" / "northwind.sql").read_text("utf-8")
    with duckdb.connect() as connection:
        for statement in re.findall(r"^(?:CREATE TABLE|INSERT INTO).*?;$", text, re.MULTILINE | re.DOTALL):
            # photos are bytes in PostgreSQL's spelling; every one is empty
            connection.execute(statement.replace(" bytea", " text").replace(r"'\x'", "''"))
        names = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
        return {name: connection.execute(f'FROM "{name}"').to_arrow_table() for name in names}


def export(tables: Mapping[str, pa.Table], folder: Path, format: str) -> Path:
    """Write each table to a file of *format* in *folder*, as common tools write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        file = folder / f"{name}{FORMATS[format]}"
        if format == "parquet":
            pq.write_table(table, file)
        elif format == "excel":
            _excel(table, file)
        elif format == "csv":
            with file.open("w", encoding="utf-8", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(table.column_names)
                writer.writerows(list(row.values()) for row in _rows(table))
        else:
            rows = [json.dumps(row, default=_json_value, ensure_ascii=False) for row in _rows(table)]
            text = "\n".join(rows) + "\n" if format == "ndjson" else "[" + ",\n ".join(rows) + "]\n"
            file.write_text(text, "utf-8")
    return folder


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, with binary fractions of 4 bytes as short as databases print them."""
    single = {field.name for field in table.schema if pa.types.is_float32(field.type)}
    rows = table.to_pylist()
    for row in rows:
        row |= {name: float(f"{row[name]:.7g}") for name in single if row[name] is not None}
    return rows


def _sqlite_table(connection: sqlite3.Connection, name: str) -> pa.Table:
    columns = connection.execute(f"PRAGMA table_info([{name}])").fetchall()
    fields = [pa.field(column[1], _arrow_type(column[2])) for column in columns]
    rows = connection.execute(f"SELECT * FROM [{name}] ORDER BY 1").fetchall()
    arrays = [
        pa.array([_value(row[place], field.type) for row in rows], field.type)
        for place, field in enumerate(fields)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _arrow_type(declared: str) -> pa.DataType:
    if declared.startswith("NUMERIC"):
        return pa.decimal128(10, 2)
    return {"INTEGER": pa.int64(), "DATETIME": pa.timestamp("us")}.get(declared, pa.string())


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return Decimal(str(value)).quantize(Decimal("0.01"))
    return datetime.fromisoformat(value) if pa.types.is_timestamp(kind) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _excel(table: pa.Table, file: Path) -> None:
    with duckdb.connect() as connection:
        load(connection, "excel")
        connection.register("the_table", table)
        connection.execute(f"COPY (FROM the_table) TO '{file}' (FORMAT xlsx, HEADER true)")
