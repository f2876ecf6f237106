"""Raw files that grew old: which were moved to the archive, and which are gone.

The manifest keeps what was taken, as it was taken. A row here says where a version of a file is now; readers of
the manifest see the two together. So a file is known for ever, and is not taken again when it comes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from lakewright.lake.raw_zone import PACKED
from lakewright.state import State, UtcTime, metadata

if TYPE_CHECKING:
    from lakewright.sources.manifest import RawFile

__all__ = [
    "Gone",
    "Moved",
    "Retired",
    "as_it_is",
    "bring_back",
    "ended",
    "retire",
    "retired_files",
    "retired_of",
    "rewrote",
    "with_what_became",
]

#: What became of an old file. One that was ``restored``, or is only on its way to the archive, is where it was, and
#: what the archive has of it is to go.
Gone = Literal["archived", "expired", "restored"]

#: One row per version of a file that is in the archive or gone. ``done`` tells that what it left behind was
#: removed; ``rows`` are those that it had.
retired_files = sa.Table(
    "raw_retired",
    metadata,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("archive", sa.String, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("objects", sa.Text, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)


class Moved(msgspec.Struct, frozen=True):
    """A file of the raw zone that went: where it was, where it is ("": nowhere), and its bytes there."""

    was: str
    path: str
    size: int
    sha256: str


class Retired(msgspec.Struct, frozen=True):
    """What became of one version of one file of a dataset. ``archive`` names the call that did it."""

    dataset: str
    path: str
    version: int
    kind: Gone
    archive: str
    at: datetime
    rows: int
    objects: tuple[Moved, ...]
    done: bool = False


_objects = msgspec.json.Decoder(tuple[Moved, ...])


def with_what_became(files: sa.Table) -> sa.Join:
    """Join the manifest's table *files* with what became of each version; most have nothing here."""
    same = [files.c[name] == retired_files.c[name] for name in ("dataset", "path", "version")]
    return files.outerjoin(retired_files, sa.and_(*same))


def as_it_is(file: RawFile, kind: str | None, objects: str | None) -> RawFile:
    """Return what can be read of *file* now, from the columns of its row here; None for both without one."""
    if kind not in ("archived", "expired"):
        return file
    replace = msgspec.structs.replace
    if kind == "expired":
        # its columns stay those of the dataset
        parts = tuple(replace(part, rows=0) for part in file.parts)
        return replace(file, rows=0, parts=parts, gone="expired")
    now = {one.was: one.path for one in _objects.decode(objects or "[]")}
    read = []
    for part in file.parts:
        path = now.get(part.path, part.path)
        options = {**part.options, "compression": "zstd"} if path.endswith(PACKED) else part.options
        read.append(replace(part, path=path, options=options))
    raw_path = now.get(file.raw_path, file.raw_path)
    if raw_path == file.raw_path and any(path.startswith(f"{raw_path}/") for path in now):
        # a folder of slices has moved as a whole
        raw_path = next(iter(now.values())).rpartition("/")[0]
    return replace(file, raw_path=raw_path, parts=tuple(read), gone="archived")


def retired_of(state: State, dataset: str | None = None) -> list[Retired]:
    """Return what became of files, of all datasets or one, oldest first."""
    table = retired_files
    query = sa.select(table).order_by(table.c.at, table.c.dataset, table.c.path, table.c.version)
    if dataset is not None:
        query = query.where(table.c.dataset == dataset)
    with state.read(table) as connection:
        rows = connection.execute(query).mappings().all()
    return [Retired(**{**row, "objects": _objects.decode(row["objects"])}) for row in rows]


def retire(connection: sa.Connection, found: Iterable[Retired]) -> None:
    """Write what becomes of files; from now on readers follow it."""
    rows = [
        {**msgspec.structs.asdict(one), "objects": msgspec.json.encode(one.objects).decode()} for one in found
    ]
    if rows:
        connection.execute(retired_files.insert(), rows)


def ended(connection: sa.Connection, found: Iterable[Retired]) -> None:
    """Note that what these files left behind was removed; of a restored one nothing is left to be noted."""
    for one in found:
        if one.kind == "restored":
            connection.execute(retired_files.delete().where(*_same(one)))
        else:
            connection.execute(retired_files.update().where(*_same(one)).values(done=True))


def bring_back(connection: sa.Connection, found: Iterable[Retired]) -> None:
    """Note that archived files lie in the raw zone again."""
    for one in found:
        connection.execute(retired_files.update().where(*_same(one)).values(kind="restored", done=False))


def rewrote(
    connection: sa.Connection,
    dataset: str,
    path: str,
    version: int,
    written: Mapping[str, tuple[int, str]],
    *,
    gone: str = "",
) -> None:
    """Note the size and SHA-256 of files of the archive that were *written* anew, by their path in the manifest, and which is *gone*."""
    table = retired_files
    same = (table.c.dataset == dataset, table.c.path == path, table.c.version == version)
    text = connection.execute(sa.select(table.c.objects).where(*same)).scalar()
    if text is None:
        return
    objects = [
        Moved(one.was, one.path, *written.get(one.path, (one.size, one.sha256)))
        for one in _objects.decode(text)
        if one.path != gone
    ]
    connection.execute(table.update().where(*same).values(objects=msgspec.json.encode(objects).decode()))


def _same(one: Retired) -> Sequence[sa.ColumnElement[bool]]:
    table = retired_files
    return (table.c.dataset == one.dataset, table.c.path == one.path, table.c.version == one.version)
