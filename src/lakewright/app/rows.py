"""The rows of a query: taken as Python values or frames, or written as CSV, JSON, NDJSON or Parquet."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lakewright.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Kept", "Result", "form_of", "keepable", "write_result"]

_NUMBER = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(.*\)|BIGNUM)$")

#: Rows that are held at once while rows are written one by one.
_CHUNK = 5_000


class Result:
    """The rows of a query, read as they are needed; valid while its ``with`` block lasts."""

    def __init__(self, relation: DuckDBPyConnection) -> None:
        self._relation = relation
        description = relation.description or []
        self.columns = [str(one[0]) for one in description]
        self.types = [str(one[1]) for one in description]

    @property
    def numeric(self) -> list[str]:
        """The columns that hold numbers."""
        return [n for n, t in zip(self.columns, self.types, strict=True) if _NUMBER.match(t.upper())]

    def first(self, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Return up to *limit* rows (all when 0) and whether there are more."""
        if limit <= 0:
            return self.fetchall(), False
        rows = self._relation.fetchmany(limit + 1)
        return rows[:limit], len(rows) > limit

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows as tuples."""
        return self._relation.fetchall()

    def chunks(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Give the rows as tuples, some thousand at a time."""
        while rows := self._relation.fetchmany(_CHUNK):
            yield rows

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


class Kept(Result):
    """The rows of a query as they were kept: an Arrow table, and DuckDB's names of its types."""

    def __init__(self, table: pa.Table, types: Sequence[str]) -> None:
        self._table = table
        self._place = 0
        self.columns = list(table.column_names)
        self.types = list(types)

    @classmethod
    def of(cls, schema: pa.Schema, batches: Sequence[pa.RecordBatch], types: Sequence[str]) -> Kept:
        """Return the rows of *batches*."""
        import pyarrow as pa

        return cls(pa.Table.from_batches(batches, schema), types)

    @classmethod
    def load(cls, body: bytes) -> Kept:
        """Return what :meth:`dump` made bytes of."""
        import pyarrow as pa

        table = pa.ipc.open_stream(body).read_all()
        types = json.loads((table.schema.metadata or {})[_TYPES])
        return cls(table.replace_schema_metadata(None), types)

    def dump(self) -> bytes:
        """Return the rows as an Arrow stream, compressed."""
        import pyarrow as pa

        table = self._table.replace_schema_metadata({_TYPES: json.dumps(self.types).encode()})
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    @property
    def size(self) -> int:
        """Bytes of the rows in memory."""
        return int(self._table.nbytes)

    def first(self, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """See :meth:`Result.first`."""
        if limit <= 0:
            return self.fetchall(), False
        return _tuples(self._table.slice(0, limit)), self._table.num_rows > limit

    def fetchall(self) -> list[tuple[Any, ...]]:
        """See :meth:`Result.fetchall`."""
        return _tuples(self._table)

    def chunks(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        """See :meth:`Result.chunks`."""
        for start in range(0, self._table.num_rows, _CHUNK):
            yield _tuples(self._table.slice(start, _CHUNK))

    def to_arrow(self) -> pa.Table:
        """See :meth:`Result.to_arrow`."""
        return self._table

    def to_polars(self) -> polars.DataFrame:
        """See :meth:`Result.to_polars`."""
        return self._relation_again().pl()

    def to_pandas(self) -> pandas.DataFrame:
        """See :meth:`Result.to_pandas`."""
        return self._relation_again().df()

    def _relation_again(self) -> duckdb.DuckDBPyRelation:
        # frames are made in the same way as those of a query that runs
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        return connection.from_arrow(self._table)

    def batches(self, rows: int = 100_000) -> pa.RecordBatchReader:
        """See :meth:`Result.batches`."""
        return self._table.to_reader(rows)


_TYPES = b"duckdb"
_KEEPABLE = re.compile(
    r"^(BOOLEAN|(U?(TINY|SMALL|BIG)INT)|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIME|TIMESTAMP"
    r"|TIMESTAMP WITH TIME ZONE|BLOB)$"
)


def keepable(kind: str) -> bool:
    """Whether values of a DuckDB type come back from Arrow as DuckDB itself gives them."""
    return _KEEPABLE.match(kind) is not None


def _tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    if not table.num_columns:
        return [()] * table.num_rows
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def form_of(file: Path) -> str:
    """Return the form that the name of *file* tells: csv, json, ndjson or parquet. Raises LW904 when it tells none."""
    found = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".csv": "csv"}
    if file.suffix.lower() not in found:
        raise UsageError(
            "LW904",
            f"the name {file.name!r} does not tell the format",
            remedy="say csv, json, ndjson or parquet, or write to a file whose name ends so",
        )
    return found[file.suffix.lower()]


def write_result(result: Result, form: str, file: Path | None) -> None:
    """Write the rows as csv, json, ndjson or parquet to *file*, or to stdout when None.

    Raises LW904 for Parquet on a terminal and for a file that cannot be written.
    """
    if form == "parquet" and file is None and sys.stdout.isatty():
        raise UsageError(
            "LW904", "Parquet is not shown on a terminal", remedy="add --file out.parquet or a pipe"
        )
    with _sink(file) as sink:
        if form == "parquet":
            _write_parquet(result, sink)
        elif form == "csv":
            _write_csv(result, sink)
        else:
            _write_json(result, sink, lines=form == "ndjson")


@contextmanager
def _sink(file: Path | None) -> Iterator[IO[bytes]]:
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Under another name until it is whole: a query that fails half way leaves no half a file.
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as sink:
            yield sink
        part.replace(file)
    except OSError as error:
        raise UsageError("LW904", f"{file} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def _write_parquet(result: Result, sink: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = result.batches()
    try:
        with pq.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise UsageError(
            "LW904", f"Parquet has no form for one of the columns: {error}", remedy="cast it in the query"
        ) from None


def _write_csv(result: Result, sink: IO[bytes]) -> None:
    import pyarrow.csv as pc

    reader = result.batches()
    with pc.CSVWriter(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _write_json(result: Result, sink: IO[bytes], *, lines: bool) -> None:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
    names = _distinct(result.columns)
    before = b"[\n"
    for chunk in result.chunks():
        rows = [encoder.encode(dict(zip(names, row, strict=True))) for row in chunk]
        if lines:
            sink.write(b"\n".join(rows) + b"\n")
        else:
            sink.write(before + b",\n".join(rows))
            before = b",\n"
    if not lines:
        sink.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _distinct(names: Sequence[str]) -> list[str]:
    """Give the second ``a`` the name ``a_1``: one name may stand once in a JSON object."""
    found: dict[str, None] = {}
    for name in names:
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found[candidate] = None
    return list(found)
