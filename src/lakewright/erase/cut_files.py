"""Rewrite one raw file without people: unpack, decode, cut, and pack it as it was."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lakewright.erase.cut_text import Keys, cut_csv, cut_document, cut_lines, holds_words
from lakewright.erase.people import Wanted
from lakewright.sources.inspect import member_path
from lakewright.sources.kinds import compression_of, format_of, inner_name
from lakewright.sources.manifest import Field, Part
from lakewright.sources.staging import HEAD, TextScan
from lakewright.sources.text import Unreadable, encoding_of, open_packed
from lakewright.spec.sources import ReadOptions
from lakewright.sql.names import identifier, literal

__all__ = ["CannotRewriteError", "cut_original", "cut_part"]

_CHUNK = 1 << 20


class CannotRewriteError(Exception):
    """A file holds the people and nothing writes its format faithfully; the text is the reason."""


@dataclass(frozen=True)
class _Text:
    """How the text of a file, or of a member of an archive, is read."""

    kind: str
    options: Mapping[str, Any]
    fields: Sequence[Field]


def cut_part(local: Path, target: Path, part: Part, keys: Keys, wanted: Wanted) -> int:
    """Write what DuckDB reads of a raw file, *local*, to *target* without the people; return how many records went."""
    if part.format == "parquet":
        return _cut_parquet(local, target, part.columns, keys, wanted)
    if part.format == "avro":
        return _cut_avro(local, target, part.columns, keys, wanted)
    packed = str(part.options.get("compression", "none")).replace("uncompressed", "none")
    return _repack(local, target, packed, lambda s, t: _cut_text(s, t, _text_of(part), keys, wanted))


def cut_original(
    local: Path,
    target: Path,
    name: str,
    parts: Sequence[Part],
    declared: ReadOptions,
    format: str,
    keys: Keys,
    wanted: Wanted,
) -> int:
    """Write the file *local* as it came, *name*, to *target* without the people; return how many records went.

    Raises :class:`CannotRewriteError` when it may hold them still.
    """
    with local.open("rb") as stream:
        head = stream.read(HEAD)
    packed = declared.compression or compression_of(head, Path(name), local)
    if packed == "zip":
        return _cut_zip(local, target, parts, declared, format, keys, wanted)
    part = parts[0] if parts else None

    def cut(source: IO[bytes], out: IO[bytes]) -> int:
        return _cut_any(source, out, inner_name(name), part, declared, format, keys, wanted)

    return _repack(local, target, packed, cut)


def _cut_any(
    source: IO[bytes],
    target: IO[bytes],
    name: str,
    part: Part | None,
    declared: ReadOptions,
    format: str,
    keys: Keys,
    wanted: Wanted,
) -> int:
    """Cut a file that is not packed any more, whatever its format."""
    data = source.read()
    kind = format_of(data[:HEAD], name, format)
    if kind in ("parquet", "avro", "orc"):
        return _through_files(data, target, kind, part, keys, wanted)
    if kind not in ("csv", "json", "ndjson"):
        raise CannotRewriteError(f"nothing writes {kind} files as they were")
    encoding = _encoding(data, declared)
    text = (
        data
        if encoding == "utf-8"
        else data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    )
    out = io.BytesIO()
    if part is None:
        count = 0
        out.write(text)
    elif kind == "csv":
        count = cut_csv(
            io.BytesIO(text), out, {**part.options, "compression": "none"}, part.columns, keys, wanted
        )
    elif kind == "json" and not _as_lines(text, declared):
        cut, count = cut_document(text, declared.records, part.columns, keys, wanted)
        out.write(cut)
    else:
        count = cut_lines(io.BytesIO(text), out, part.columns, keys, wanted)
    if holds_words(io.BytesIO(out.getvalue()), wanted.people):
        raise CannotRewriteError("text that only they have stands outside of records that can be read")
    left = out.getvalue()
    target.write(
        data
        if not count
        else left
        if encoding == "utf-8"
        else left.decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass")
    )
    return count


def _cut_text(source: IO[bytes], target: IO[bytes], text: _Text, keys: Keys, wanted: Wanted) -> int:
    if text.kind == "csv":
        return cut_csv(source, target, text.options, text.fields, keys, wanted)
    return cut_lines(source, target, text.fields, keys, wanted)


def _text_of(part: Part) -> _Text:
    return _Text(part.format, part.options, part.columns)


def _as_lines(text: bytes, declared: ReadOptions) -> bool:
    from lakewright.sources.json_files import syntax_problem

    if declared.records is not None:
        return False
    first, feed, rest = text.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").partition(b"\n")
    return bool(feed and rest.strip() and first.strip()) and syntax_problem(first.strip()) == ""


def _encoding(data: bytes, declared: ReadOptions) -> str:
    scan = TextScan()
    scan.feed(data)
    scan.close()
    try:
        return encoding_of(data[:HEAD], scan, declared.encoding)
    except Unreadable as reason:
        raise CannotRewriteError(str(reason)) from None


def _cut_zip(
    local: Path,
    target: Path,
    parts: Sequence[Part],
    declared: ReadOptions,
    format: str,
    keys: Keys,
    wanted: Wanted,
) -> int:
    by_member = {part.member: part for part in parts}
    count = 0
    with zipfile.ZipFile(local) as source, zipfile.ZipFile(target, "w") as out:
        out.comment = source.comment
        for info in source.infolist():
            data = source.read(info)
            if not info.is_dir():
                part = by_member.get(member_path(info.filename))
                cut = io.BytesIO()
                count += _cut_any(io.BytesIO(data), cut, info.filename, part, declared, format, keys, wanted)
                data = cut.getvalue()
            out.writestr(info, data, compress_type=info.compress_type)
    return count


# --- formats that are written whole --------------------------------------------------------------


def _through_files(
    data: bytes, target: IO[bytes], kind: str, part: Part | None, keys: Keys, wanted: Wanted
) -> int:
    import tempfile

    fields = part.columns if part is not None else ()
    with tempfile.TemporaryDirectory(prefix="lakewright-") as folder:
        source, out = Path(folder) / f"source.{kind}", Path(folder) / f"target.{kind}"
        source.write_bytes(data)
        cut = {"parquet": _cut_parquet, "avro": _cut_avro, "orc": _cut_orc}[kind]
        count = cut(source, out, fields, keys, wanted)
        target.write(out.read_bytes() if count else data)
    return count


def _cut_parquet(local: Path, target: Path, fields: Sequence[Field], keys: Keys, wanted: Wanted) -> int:
    """Rewrite Parquet group by group, with the schema and the compression that it has."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    quoted = literal(str(local)).sql("duckdb")
    reader = f"read_parquet({quoted}, file_row_number => true, hive_partitioning => false)"
    gone = _numbers(f"SELECT *, file_row_number AS _number FROM {reader}", fields, keys, wanted)
    if not gone:
        shutil.copyfile(local, target)
        return 0
    mask = np.array(sorted(gone), dtype=np.int64)
    try:
        with pq.ParquetFile(local) as source:
            meta = source.metadata
            codec = meta.row_group(0).column(0).compression.lower() if meta.num_row_groups else "zstd"
            packing: Any = codec if codec in ("zstd", "snappy", "gzip", "brotli", "lz4") else "none"
            with pq.ParquetWriter(target, source.schema_arrow, compression=packing) as writer:
                start = 0
                for group in range(meta.num_row_groups):
                    table = source.read_row_group(group)
                    keep = np.ones(table.num_rows, dtype=bool)
                    keep[mask[(mask >= start) & (mask < start + table.num_rows)] - start] = False
                    writer.write_table(table.filter(pa.array(keep)))
                    start += table.num_rows
    except (pa.ArrowException, OSError, NotImplementedError):
        wanted.cursor.register("_gone", pa.table({"number": pa.array(mask)}))
        wanted.cursor.execute(
            f"COPY (SELECT * EXCLUDE (file_row_number) FROM {reader} "
            f"WHERE file_row_number NOT IN (SELECT number FROM _gone)) TO {literal(str(target)).sql('duckdb')} (FORMAT parquet)"
        )
        wanted.cursor.unregister("_gone")
    return len(gone)


def _cut_avro(local: Path, target: Path, fields: Sequence[Field], keys: Keys, wanted: Wanted) -> int:
    """Rewrite Avro with its own schema, codec and metadata; the library knows records alone."""
    import itertools

    import fastavro
    import pyarrow as pa

    spelled = {one.name.lower(): one.source or one.name for one in fields}
    with local.open("rb") as stream:
        reader = fastavro.reader(stream)
        records: list[Any] = list(reader)
        schema, codec = reader.writer_schema, reader.codec
        extra = {name: value for name, value in reader.metadata.items() if not name.startswith("avro.")}
    here = [key for key in keys if key.lower() in spelled]
    columns: dict[str, Any] = {"_number": pa.array(range(len(records)), pa.int64())}
    for key in here:
        values = [one.get(spelled[key.lower()]) for one in records]
        columns[key] = pa.array([None if one is None else str(one) for one in values], pa.string())
    wanted.cursor.register("_records", pa.table(columns))
    gone = _numbers("SELECT * FROM _records", [Field(key, "VARCHAR") for key in here], keys, wanted)
    wanted.cursor.unregister("_records")
    kept = itertools.compress(records, (at not in gone for at in range(len(records))))
    with target.open("wb") as out:
        fastavro.writer(out, schema, kept, codec=codec, metadata=extra)
    return len(gone)


def _cut_orc(local: Path, target: Path, fields: Sequence[Field], keys: Keys, wanted: Wanted) -> int:
    import pyarrow as pa
    from pyarrow import orc

    source = orc.ORCFile(str(local))
    table = source.read()
    numbered = table.append_column("_number", pa.array(range(table.num_rows), pa.int64()))
    wanted.cursor.register("_records", numbered)
    gone = _numbers("SELECT * FROM _records", fields, keys, wanted)
    wanted.cursor.unregister("_records")
    keep = pa.array([at not in gone for at in range(table.num_rows)])
    packing: Any = str(source.compression).lower()
    orc.write_table(table.filter(keep), str(target), compression=packing)
    return len(gone)


def _numbers(query: str, fields: Sequence[Field], keys: Keys, wanted: Wanted) -> set[int]:
    """Return the ``_number`` of each row of *query* that is the people's."""
    spelled = {one.name.lower(): one.source or one.name for one in fields}
    here = {key: one for key, one in keys.items() if key.lower() in spelled}
    if not here:
        return set()
    listed = ", ".join(
        f"{identifier(spelled[key.lower()]).sql('duckdb')} AS {identifier(key).sql('duckdb')}" for key in here
    )
    condition = " OR ".join(wanted.told(name, key, mask).sql("duckdb") for key, (name, mask) in here.items())
    rows = wanted.cursor.execute(
        f"SELECT _number FROM (SELECT _number, {listed} FROM ({query})) WHERE {condition}"
    ).fetchall()
    return {int(row[0]) for row in rows}


# --- packed files --------------------------------------------------------------------------------


def _repack(local: Path, target: Path, packed: str, cut: Any) -> int:
    with open_packed(local, packed) as source, _packing(target, packed) as out:
        count = int(cut(source, out))
    if not count:
        shutil.copyfile(local, target)
    return count


@contextmanager
def _packing(target: Path, packed: str) -> Iterator[IO[bytes]]:
    """A stream that packs what is written to it; the same content always gives the same bytes."""
    with target.open("wb") as raw:
        if packed == "gzip":
            import gzip

            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as out:
                yield out  # type: ignore[misc]
        elif packed == "bzip2":
            import bz2

            with bz2.BZ2File(raw, "wb") as out2:
                yield out2
        elif packed == "zstd":
            import pyarrow as pa

            with pa.CompressedOutputStream(raw, "zstd") as out3:
                yield out3  # type: ignore[misc]
        else:
            yield raw
