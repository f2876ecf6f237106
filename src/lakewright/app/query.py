"""`query`: SQL over every zone, and tables by name. Read only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from lakewright.app.platform import Platform
from lakewright.engine.errors import explain
from lakewright.engine.extensions import load as load_extension
from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.run.inputs import raw_relation
from lakewright.sql.names import identifier, split_id

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

__all__ = ["Result", "query", "snapshot_of", "write_result"]

_ZONES = ("processed", "curated", "archive", "quarantine", "lakewright")


class Result:
    """The rows of a query, read as they are needed; valid while its ``with`` block lasts."""

    def __init__(self, relation: duckdb.DuckDBPyConnection, hide: frozenset[str]) -> None:
        self._relation = relation
        self._hide = hide
        description = relation.description or []
        self.columns = [str(one[0]) for one in description]
        self.types = [str(one[1]) for one in description]

    @property
    def numeric(self) -> list[str]:
        """The columns that hold numbers."""
        words = ("INT", "DECIMAL", "DOUBLE", "FLOAT", "NUMBER")
        return [
            n for n, t in zip(self.columns, self.types, strict=True) if any(w in t.upper() for w in words)
        ]

    def first(self, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Return up to *limit* rows (all when 0) and whether there are more."""
        if limit <= 0:
            return self.fetchall(), False
        rows = self._relation.fetchmany(limit + 1)
        return rows[:limit], len(rows) > limit

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows as tuples."""
        return self._relation.fetchall()

    def to_arrow(self) -> pa.Table:
        """Return all rows as a pyarrow Table."""
        return self._relation.to_arrow_table()

    def to_polars(self) -> polars.DataFrame:
        """Return all rows as a Polars DataFrame."""
        return self._relation.pl()

    def to_pandas(self) -> pandas.DataFrame:
        """Return all rows as a pandas DataFrame."""
        return self._relation.df()

    def batches(self, rows: int = 100_000) -> pa.RecordBatchReader:
        """Return the rows as Arrow record batches of *rows* rows, read as they are taken."""
        return self._relation.to_arrow_reader(rows)


@contextmanager
def query(
    platform: Platform,
    sql: str,
    *,
    params: list[Any] | None = None,
    as_of: str | int | datetime | None = None,
) -> Iterator[Result]:
    """Run one SELECT (or DESCRIBE, SUMMARIZE, EXPLAIN) over the zones.

    ``zone.name`` names a dataset, ``raw.x`` its files as read, ``quarantine.zone_name`` its bad rows and
    ``ops.x`` the state database. *params* fill ``?`` placeholders. *as_of* shows the lake's tables as
    they were at a snapshot number or a time. Raises LW903 for anything that is not a query.
    """
    services = platform.services
    cursor = services.session.cursor()
    try:
        statement = _only_query(cursor, sql)
        version, moment = snapshot_of(as_of)
        for zone, name in _tables(cursor, statement):
            _expose(platform, cursor, zone, name, version, moment)
        try:
            yield Result(
                cursor.execute(statement, params) if params else cursor.execute(statement),
                services.session.hidden,
            )
        except duckdb.Error as error:
            raise explain(error, hide=set(services.session.hidden)) from None
    finally:
        cursor.close()


def snapshot_of(as_of: str | int | datetime | None) -> tuple[int | None, datetime | None]:
    """Return (snapshot number, None) or (None, time) from what a user wrote; (None, None) for None."""
    if as_of is None or isinstance(as_of, datetime):
        return None, as_of
    text = str(as_of).strip()
    if text.isdigit():
        return int(text), None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "LW902", f"{text!r} is neither a snapshot number nor a time such as 2026-01-31T12:00"
        ) from None
    return None, moment if moment.tzinfo else moment.astimezone()


def _only_query(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise explain(error) from None
    if len(statements) != 1:
        raise UsageError("LW903", f"{len(statements)} statements where one query is expected")
    kind = statements[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise UsageError("LW903", f"{kind.name} is not a query; `query` only reads")
    return statements[0].query


def _tables(cursor: duckdb.DuckDBPyConnection, statement: str) -> set[tuple[str, str]]:
    # DuckDB's own parser names the tables; what it cannot serialise (DESCRIBE, EXPLAIN) is looked at inside.
    word = statement.strip().split(None, 1)
    if len(word) == 2 and word[0].lower() in ("describe", "summarize", "explain", "desc"):
        inner = word[1].strip()
        text = (
            inner
            if inner.lower().startswith(("select", "with", "from"))
            else f"SELECT * FROM {inner.rstrip(';')}"
        )
        return _tables(cursor, text)
    row = cursor.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
    found: set[tuple[str, str]] = set()
    _walk(json.loads(row[0]) if row else {}, found)
    return found


def _walk(node: Any, found: set[tuple[str, str]]) -> None:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
            if node.get("catalog_name"):
                return
            found.add((node["schema_name"], node["table_name"]))
        for value in node.values():
            _walk(value, found)
    elif isinstance(node, list):
        for value in node:
            _walk(value, found)


def _expose(
    platform: Platform,
    cursor: duckdb.DuckDBPyConnection,
    zone: str,
    name: str,
    version: int | None,
    moment: datetime | None,
) -> None:
    """Make ``zone.name`` answer in the session's own catalog."""
    services = platform.services
    lowered = zone.lower()
    schema = identifier(zone).sql("duckdb")
    table = identifier(name).sql("duckdb")
    if lowered == "ops":
        _expose_state(platform, cursor)
        return
    if lowered == "raw":
        body = raw_relation(services, cursor, f"raw.{name}").query.sql("duckdb")
    elif lowered in _ZONES:
        dataset = f"{lowered}.{name}"
        if services.lake.columns(cursor, dataset) is None:
            raise NotFoundError("LW901", _missing(platform, cursor, dataset))
        body = f"SELECT * FROM {services.lake.at(dataset, version, moment).sql('duckdb')}"
    elif lowered in ("information_schema", "pg_catalog", "main"):
        return
    else:
        raise NotFoundError("LW901", f"no zone {zone!r}{nearest(zone, ['raw', *_ZONES, 'ops'])}")
    try:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS memory.{schema}")
        cursor.execute(f"CREATE OR REPLACE VIEW memory.{schema}.{table} AS {body}")
    except duckdb.Error as error:
        raise explain(error, hide=set(services.session.hidden)) from None


def _missing(platform: Platform, cursor: duckdb.DuckDBPyConnection, dataset: str) -> str:
    if dataset in platform.project.datasets:
        return f"{dataset} has not been built yet; `lakewright run {split_id(dataset)[1]}` builds it"
    known = [one.id for one in platform.services.lake.tables(cursor)]
    return f"no dataset {dataset!r}{nearest(dataset, [*known, *platform.project.raw])}"


def _expose_state(platform: Platform, cursor: duckdb.DuckDBPyConnection) -> None:
    path = platform.state.path
    if path is None:
        raise UsageError("LW904", "ops is not attached: the state is in PostgreSQL; query it there")
    attached = cursor.execute("SELECT 1 FROM duckdb_databases() WHERE database_name = 'ops'").fetchone()
    if not attached:
        load_extension(cursor, "sqlite_scanner")
        location = str(path).replace("'", "''")
        cursor.execute(f"ATTACH '{location}' AS ops (TYPE sqlite, READ_ONLY)")


def write_result(result: Result, form: str, file: Path | None) -> None:
    """Write the rows as csv, json, ndjson or parquet to *file*, or to stdout when None (not for Parquet on a terminal)."""
    if form == "parquet":
        import pyarrow.parquet as pq

        if file is None and sys.stdout.isatty():
            raise UsageError(
                "LW904", "Parquet is not shown on a terminal", remedy="add --file out.parquet or a pipe"
            )
        reader = result.batches()
        sink: Any = str(file) if file else sys.stdout.buffer
        with pq.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    if form == "csv":
        import pyarrow.csv as pc

        reader = result.batches()
        sink = str(file) if file else sys.stdout.buffer
        texts = _as_text(reader.schema)
        with pc.CSVWriter(sink, texts) as writer:
            for batch in reader:
                writer.write_batch(batch.cast(texts) if batch.schema != texts else batch)
        return
    _write_json(result, form, file)


def _as_text(schema: pa.Schema) -> pa.Schema:
    # CSV has no nested values; they are written as their JSON-like text
    import pyarrow as pa

    return pa.schema([pa.field(f.name, pa.string()) if pa.types.is_nested(f.type) else f for f in schema])


def _write_json(result: Result, form: str, file: Path | None) -> None:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
    out = file.open("wb") if file else sys.stdout.buffer
    try:
        first = True
        out.write(b"[" if form == "json" else b"")
        for batch in result.batches():
            rows = [encoder.encode(row) for row in batch.to_pylist()]
            if not rows:
                continue
            if form == "json":
                out.write((b"\n" if first else b",\n") + b",\n".join(rows))
            else:
                out.write(b"\n".join(rows) + b"\n")
            first = False
        out.write(b"]\n" if form == "json" and first else b"\n]\n" if form == "json" else b"")
    finally:
        if file:
            out.close()
        else:
            out.flush()
