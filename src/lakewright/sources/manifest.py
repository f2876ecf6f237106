"""The manifest: which files were taken into raw, in which batch, and how each of them is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from lakewright.sources.retired import as_it_is, retired_files, with_what_became
from lakewright.spec.sources import FileDataset
from lakewright.state import State, UtcTime, metadata

__all__ = [
    "Change",
    "Field",
    "Part",
    "RawFile",
    "current_files",
    "files_of",
    "last_batch",
    "raw_files",
    "record",
    "recount",
    "replaced_since",
    "settings_of",
]

#: Why a file was taken: not seen before, longer with the same beginning, different, or to be read otherwise.
Change = Literal["new", "grown", "changed", "reread"]


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A column of a part: its ``name`` in raw, its DuckDB ``type``, and its name in the file when that differs."""

    name: str
    type: str
    source: str = ""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that DuckDB reads in one go: a raw file itself, or the readable copy of one (or of one member).

    ``path`` is relative to the raw store, ``format`` one of csv, ndjson, parquet, avro. ``options`` are
    the resolved reading options. ``rows`` are the rows that a reading gives, ``rejected`` those it cannot.
    """

    path: str
    format: str
    columns: tuple[Field, ...]
    rows: int
    options: dict[str, Any] = {}
    rejected: int = 0
    member: str = ""


class RawFile(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one file, as the manifest keeps it.

    ``path`` is relative to the source's path and names the file in ``_source_file``. ``version``
    counts from 1; ``superseded_in`` is the batch that brought a newer version. A file that cannot
    be read has ``unreadable`` set to the reason, no parts, and counts as one rejected entry.
    ``settings`` tells the format and options that were declared when it was taken. Of a file that is
    ``gone`` into the archive ``raw_path`` and ``parts`` say where it lies there; one that is expired has no rows.
    """

    dataset: str
    batch: int
    path: str
    version: int
    size: int
    hash: str
    modified: datetime
    rows: int
    rejected: int
    raw_path: str
    format: str
    parts: tuple[Part, ...]
    change: Change
    taken_at: datetime
    run_id: str = ""
    settings: str = ""
    unreadable: str = ""
    superseded_in: int | None = None
    gone: Literal["", "archived", "expired"] = ""


raw_files = sa.Table(
    "raw_files",
    metadata,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("modified", UtcTime, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("raw_path", sa.String, nullable=False),
    sa.Column("format", sa.String, nullable=False),
    sa.Column("parts", sa.Text, nullable=False),
    sa.Column("change", sa.String, nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("settings", sa.String, nullable=False),
    sa.Column("unreadable", sa.Text, nullable=False),
    sa.Column("superseded_in", sa.BigInteger),
    sa.Index("raw_files_batch", "dataset", "batch"),
)

_decoder = msgspec.json.Decoder(tuple[Part, ...])


def files_of(
    state: State, dataset: str, *, after: int | None = None, upto: int | None = None, current: bool = True
) -> list[RawFile]:
    """Return the files of a dataset (``raw.orders``) in the order of batch and path.

    *after* leaves out batches up to it, for a reader that has seen them; *upto* leaves out later
    ones. With *current* only the newest version of each file is given, judged as of *upto*: this
    is what a full refresh reads, and what an incremental reader reads together with
    :func:`replaced_since`.
    """
    table, gone = raw_files, retired_files
    query = (
        sa.select(table, gone.c.kind.label("_kind"), gone.c.objects.label("_objects"))
        .select_from(with_what_became(table))
        .where(table.c.dataset == dataset)
    )
    if after is not None:
        query = query.where(table.c.batch > after)
    if upto is not None:
        query = query.where(table.c.batch <= upto)
    if current:
        newer = table.c.superseded_in
        query = query.where(newer.is_(None) if upto is None else sa.or_(newer.is_(None), newer > upto))
    with state.begin(table, gone) as connection:
        rows = connection.execute(query.order_by(table.c.batch, table.c.path)).mappings().all()
    return [_file(dict(row)) for row in rows]


def current_files(state: State, dataset: str) -> dict[str, RawFile]:
    """Return the newest version of every file of a dataset, by path."""
    return {file.path: file for file in files_of(state, dataset)}


def replaced_since(state: State, dataset: str, after: int, *, upto: int | None = None) -> tuple[str, ...]:
    """Return the ``_source_file`` values whose rows a reader that stands at batch *after* holds in an older version.

    Such a reader removes those rows in the transaction that adds the new version's; merging by key
    or rebuilding needs no removal. *upto* leaves out versions that came in later batches.
    """
    found: dict[str, None] = {}
    for file in files_of(state, dataset, upto=after):
        if file.superseded_in is not None and (upto is None or file.superseded_in <= upto):
            found |= dict.fromkeys([file.path, *(f"{file.path}/{p.member}" for p in file.parts if p.member)])
    return tuple(sorted(found))


def last_batch(state: State, dataset: str) -> int:
    """Return the number of the last batch taken, 0 when there is none."""
    with state.begin(raw_files) as connection:
        return _last(connection, dataset)


def record(
    state: State,
    files: Sequence[RawFile],
    dataset: str,
    touched: Iterable[tuple[str, int, datetime]] = (),
    *,
    replaced: Sequence[str] = (),
    also: Callable[[sa.Connection], None] = lambda _: None,
) -> None:
    """Write *files*, one batch of one dataset, in one transaction, and mark the versions that they replace.

    *touched* are (path, version, time) of files whose time changed while their bytes did not; *replaced*
    are other paths whose rows the batch holds anew. *also* writes more in the same transaction.
    """
    table = raw_files
    with state.begin(table) as connection:
        if files:
            batch = files[0].batch
            gone = [{"p": path} for path in (*replaced, *(one.path for one in files if one.version > 1))]
            if gone:
                connection.execute(
                    table.update()
                    .where(
                        table.c.dataset == dataset,
                        table.c.path == sa.bindparam("p"),
                        table.c.superseded_in.is_(None),
                    )
                    .values(superseded_in=batch),
                    gone,
                )
            connection.execute(table.insert(), [_row(file) for file in files])
        for path, version, modified in touched:
            connection.execute(
                table.update()
                .where(table.c.dataset == dataset, table.c.path == path, table.c.version == version)
                .values(modified=modified)
            )
        also(connection)


def recount(connection: sa.Connection, file: RawFile) -> None:
    """Write the rows, rejects and parts of *file* anew: records were cut out of what raw keeps of it.

    Size, hash and time stay those of the source's file, which is so known and not taken again.
    """
    table = raw_files
    same = (table.c.dataset == file.dataset, table.c.path == file.path, table.c.version == file.version)
    taken = _decoder.decode(connection.execute(sa.select(table.c.parts).where(*same)).scalar_one())
    # only the counts: where a part was taken to stays, wherever it lies by now
    parts = [
        msgspec.structs.replace(part, rows=now.rows) for part, now in zip(taken, file.parts, strict=True)
    ]
    connection.execute(
        table.update()
        .where(*same)
        .values(rows=file.rows, rejected=file.rejected, parts=msgspec.json.encode(parts).decode())
    )


def settings_of(dataset: FileDataset) -> str:
    """Return what stands for the declared format and options of *dataset*: with others, files are read anew."""
    declared = msgspec.json.encode((dataset.format, dataset.options), order="deterministic")
    return hashlib.sha256(declared).hexdigest()[:16]


def _last(connection: sa.Connection, dataset: str) -> int:
    query = sa.select(sa.func.max(raw_files.c.batch)).where(raw_files.c.dataset == dataset)
    return int(connection.execute(query).scalar() or 0)


def _row(file: RawFile) -> dict[str, Any]:
    row = {name: getattr(file, name) for name in file.__struct_fields__ if name != "gone"}
    row["parts"] = msgspec.json.encode(file.parts).decode()
    return row


def _file(values: dict[str, Any]) -> RawFile:
    kind, objects = values.pop("_kind"), values.pop("_objects")
    values["parts"] = _decoder.decode(values["parts"])
    return as_it_is(RawFile(**values), kind, objects)
