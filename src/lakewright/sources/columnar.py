"""Inspect Parquet, ORC, Avro and Excel files: decode all of it once, so that no reading fails later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from lakewright.engine.extensions import load
from lakewright.sources.avro_codec import plain_avro
from lakewright.sources.dialect import clean_names
from lakewright.sources.json_files import typed
from lakewright.sources.manifest import Field
from lakewright.sources.outcome import Outcome, Piece
from lakewright.sources.scan import table_function
from lakewright.sources.text import Unreadable
from lakewright.sources.workbook import read_sheet
from lakewright.spec.sources import ReadOptions
from lakewright.sql.names import identifier, literal

__all__ = ["inspect_columnar", "parquet_fields"]

#: Column chunks above this many bytes are left to DuckDB, which keeps to its memory limit.
_LARGE_CHUNK = 1 << 30

#: Files above this many bytes are decoded by several threads, if no row group, which is held whole, has more than that.
_WORTH_THREADS = 8 << 20
_SMALL_GROUP = 128 << 20

#: Larger values are refused: a lake keeps the least and greatest value of each file in its catalog.
_LARGEST_VALUE = 256 << 20


def inspect_columnar(
    piece: Piece, kind: str, declared: ReadOptions, cursor: duckdb.DuckDBPyConnection
) -> Outcome:
    """Return how *piece* is read; *kind* is ``parquet``, ``orc``, ``avro`` or ``excel``.

    ORC and Excel become a Parquet copy, and so does Parquet that only Arrow can read.
    """
    try:
        if piece.size == 0:
            raise Unreadable("the file is empty: not even a header is there")
        if kind == "parquet":
            return _parquet(piece, cursor)
        if kind == "orc":
            return _orc(piece, cursor)
        if kind == "avro":
            return _avro(piece, cursor)
        return _excel(piece, declared, cursor)
    except Unreadable as reason:
        return Outcome(kind, unreadable=str(reason))


def parquet_fields(file: str, cursor: duckdb.DuckDBPyConnection) -> tuple[tuple[Field, ...], int]:
    """Return the columns and the number of rows of a Parquet file, from its metadata."""
    return _described("read_parquet", file, cursor)


def _parquet(piece: Piece, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    try:
        arrow = _arrow_decodes(piece.local, cursor)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"not a sound Parquet file: {_first(error)}") from None
    try:
        fields, rows = parquet_fields(str(piece.local), cursor)
        if not arrow:
            # Arrow has no way to show this type of data; DuckDB then has to read all of it once.
            _decode("read_parquet", str(piece.local), fields, cursor)
        elif fields:
            _decode("read_parquet", str(piece.local), fields, cursor, nested_only=True)
        return Outcome("parquet", fields, rows)
    except duckdb.Error as error:
        if not arrow:
            raise Unreadable(f"not a sound Parquet file: {_first(error)}") from None
    import pyarrow.parquet as pq

    copy = piece.copy("parquet")
    try:
        with pq.ParquetFile(piece.local) as source:
            _write_parquet(source.schema_arrow, source.iter_batches(), copy, cursor)
    except Exception as error:
        raise Unreadable(f"not a sound Parquet file: {_first(error)}") from None
    return _from_copy(copy, cursor)


def _largest_chunk(file: Path, cursor: duckdb.DuckDBPyConnection) -> tuple[int, float, str]:
    """The bytes of the largest column of a row group, unpacked; the largest mean size of a value, and its column."""
    quoted = literal(str(file)).sql("duckdb")
    mean = "total_uncompressed_size / greatest(num_values, 1)"
    found = cursor.execute(
        f"SELECT max(total_uncompressed_size), max({mean}), arg_max(path_in_schema, {mean}) "  # noqa: S608
        f"FROM parquet_metadata({quoted})"
    ).fetchone()
    return (int(found[0] or 0), float(found[1] or 0), str(found[2])) if found else (0, 0.0, "")


def _arrow_decodes(file: Path, cursor: duckdb.DuckDBPyConnection) -> bool:
    """Decode the whole file, checksums and lengths included; False when Arrow lacks the type.

    Arrow refuses broken pages that DuckDB reads as if they were sound.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    with source:
        meta = source.metadata
        # asking Arrow for an encrypted column's own size ends the process, so the group's comes first
        large = [
            one for one in range(meta.num_row_groups) if meta.row_group(one).total_byte_size > _LARGE_CHUNK
        ]
        if large:
            size, value, column = _largest_chunk(file, cursor)
            if value > _LARGEST_VALUE:
                raise Unreadable(
                    f"column {column!r} has values of {value / 2**20:,.0f} MiB; at most 256 MiB are taken"
                )
            if size > _LARGE_CHUNK:
                return False
        groups = range(meta.num_row_groups)
        told = sum(meta.row_group(group).num_rows for group in groups)
        widest = max((meta.row_group(group).total_byte_size for group in groups), default=0)
        several = widest < _SMALL_GROUP and file.stat().st_size > _WORTH_THREADS
        workers = min(len(groups), os.cpu_count() or 1, 4) if several else 1
        # Arrow's own threads share the columns of one row group and wait for the longest; a thread each is quicker.
        shares = [list(groups[share::workers]) for share in range(workers)]
        try:
            with ThreadPoolExecutor(workers) as threads:
                rows = sum(threads.map(lambda share: _decoded(file, share, threaded=workers == 1), shares))
        except pa.ArrowNotImplementedError:
            return False
        if rows != told:
            raise Unreadable(f"its pages hold {rows:,} rows where its footer says {told:,}")
    return True


def _decoded(file: Path, groups: list[int], *, threaded: bool) -> int:
    """Decode row groups of a Parquet file, checksums and lengths included, and return how many rows they hold."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetFile(file, page_checksum_verification=True) as source:
        for batch in source.iter_batches(batch_size=65_536, row_groups=groups, use_threads=threaded):
            batch.validate()
            rows += batch.num_rows
    return rows


def _orc(piece: Piece, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    import pyarrow as pa
    from pyarrow import orc

    copy = piece.copy("parquet")
    try:
        source = orc.ORCFile(str(piece.local))
        if not len(source.schema):
            return Outcome("parquet")
        batches = (source.read_stripe(stripe) for stripe in range(source.nstripes))
        rows = _write_parquet(source.schema, batches, copy, cursor)
        if rows != source.nrows:
            raise Unreadable(f"its stripes hold {rows:,} rows where its footer says {source.nrows:,}")
    except pa.ArrowNotImplementedError as error:
        raise Unreadable(f"this kind of ORC file is not supported: {_first(error)}") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"not a sound ORC file: {_first(error)}") from None
    return _from_copy(copy, cursor)


def _avro(piece: Piece, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    load(cursor, "avro")
    # Blocks are walked once: DuckDB does not notice a file that is cut off between two of them.
    copy = piece.copy("avro")
    count, rewritten = plain_avro(piece.local, copy)
    file = copy if rewritten else piece.local
    try:
        fields, rows = _described("read_avro", str(file), cursor)
        _decode("read_avro", str(file), fields, cursor)
    except duckdb.BinderException:
        # DuckDB knows no union inside a struct; the records are written as JSON instead
        return _avro_as_json(piece, file, cursor)
    except duckdb.Error as error:
        raise Unreadable(f"not a sound Avro file: {_first(error)}") from None
    if rows != count:
        raise Unreadable(f"its blocks hold {rows:,} records where their heads say {count:,}")
    return Outcome("avro", fields, rows, local=copy if rewritten else None)


def _avro_as_json(piece: Piece, file: Path, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    import fastavro
    import msgspec

    encode = msgspec.json.Encoder(enc_hook=str).encode
    copy = piece.copy("records")
    try:
        with file.open("rb") as source, copy.open("wb") as out:
            for record in fastavro.reader(source):
                out.write(encode(record) + b"\n")
    except (ValueError, TypeError, EOFError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise Unreadable(f"not a sound Avro file: {error}") from None
    outcome = typed(copy, [], cursor)
    outcome.local = copy
    return outcome


def _excel(piece: Piece, declared: ReadOptions, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    import pyarrow.parquet as pq

    copy = piece.copy("parquet")
    pq.write_table(read_sheet(piece.local, declared), copy, compression="zstd")
    return _from_copy(copy, cursor)


def _from_copy(copy: Path, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    fields, rows = parquet_fields(str(copy), cursor)
    return Outcome("parquet", fields, rows, local=copy)


def _described(function: str, file: str, cursor: duckdb.DuckDBPyConnection) -> tuple[tuple[Field, ...], int]:
    scan = table_function(function, [file], {}).sql("duckdb")
    found = cursor.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()  # noqa: S608
    names = [row[0] for row in found]
    fields = tuple(
        Field(new, row[1], name if new != name else "")
        for new, name, row in zip(clean_names(names), names, found, strict=True)
    )
    (rows,) = cursor.execute(f"SELECT count(*) FROM {scan}").fetchall()[0]  # noqa: S608
    return fields, int(rows)


def _decode(
    function: str,
    file: str,
    fields: Sequence[Field],
    cursor: duckdb.DuckDBPyConnection,
    *,
    nested_only: bool = False,
) -> None:
    """Make DuckDB read every value of *file* once; it raises on what it cannot read.

    With *nested_only* a sample is enough: Arrow has decoded all of it.
    """
    sums = ", ".join(f"bit_xor(hash({identifier(one.source or one.name).sql('duckdb')}))" for one in fields)
    scan = table_function(function, [file], {}).sql("duckdb")
    limited = f"(SELECT * FROM {scan} LIMIT 1000)" if nested_only else scan  # noqa: S608
    if sums:
        cursor.execute(f"SELECT {sums} FROM {limited}").fetchall()  # noqa: S608


def _write_parquet(schema: Any, batches: Any, target: Path, cursor: duckdb.DuckDBPyConnection) -> int:
    """Write Arrow *batches* to *target* as Parquet; return the rows. DuckDB writes types that Arrow cannot."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    if not any(_has_union(one.type) for one in schema):
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in batches:
                batch.validate(full=True)
                rows += batch.num_rows
                writer.write_batch(batch)
        return rows
    table = pa.Table.from_batches(list(batches), schema)
    table.validate(full=True)
    cursor.register("_arrow_copy", table)
    try:
        chosen = ", ".join(
            f"to_json({name}) AS {name}" if _has_union(one.type) else name
            for one in schema
            for name in (identifier(one.name).sql("duckdb"),)
        )
        cursor.execute(
            f"COPY (SELECT {chosen} FROM _arrow_copy) TO {literal(str(target)).sql('duckdb')} (FORMAT parquet)"  # noqa: S608
        )
    except duckdb.Error as error:
        raise Unreadable(f"its types are not supported: {_first(error)}") from None
    finally:
        cursor.unregister("_arrow_copy")
    return int(table.num_rows)


def _has_union(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_union(kind):
        return True
    return any(_has_union(kind.field(place).type) for place in range(kind.num_fields))


def _first(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
