"""Cut people out of the raw zone: what came from sources, the readable copies, and lines that could not be read.

Everything is written beside first. Then an intent is noted, the files are put in their places, and the
manifest follows: killed between any two of them, a second call knows which files are the new ones.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlglot import exp

from lakewright.erase.cut_answers import cut_answers
from lakewright.erase.cut_files import CannotRewriteError, cut_original, cut_part
from lakewright.erase.cut_text import holds_words
from lakewright.erase.holders import Holder, raw_files_of, told
from lakewright.erase.people import Wanted
from lakewright.lake.raw_zone import PACKED
from lakewright.sources.files import rejects_path, source_of
from lakewright.sources.manifest import Part, RawFile, recount
from lakewright.sources.retire import tell
from lakewright.sources.retired import Retired, retired_files, retired_of, rewrote
from lakewright.spec.rest import RestDataset
from lakewright.spec.sources import FileDataset, RawDataset, ReadOptions
from lakewright.sql.names import column, literal
from lakewright.state import State, UtcTime, metadata, now

if TYPE_CHECKING:
    from lakewright.run.services import Services

__all__ = ["RawCut", "StagedRaw", "erased_files", "listed", "moved", "publish", "stage"]

#: Raw files that were rewritten without people: why they are shorter than the manifest's size says.
erased_files = sa.Table(
    "erased_files",
    metadata,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("erasure", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("objects", sa.Text, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)

_CHUNK = 1 << 20


class _Object(msgspec.Struct, frozen=True):
    """A file of the store after it was rewritten: SHA-256 before and after, the rows that a part has left, its size."""

    path: str
    before: str
    after: str
    rows: int | None = None
    size: int = 0


@dataclass
class RawCut:
    """One version of one file without the people. ``objects`` maps paths in the store to what lies ready for them."""

    file: RawFile
    removed: int
    objects: dict[str, Path] = field(default_factory=dict)
    hashes: dict[str, _Object] = field(default_factory=dict)
    dropped: bool = False
    problem: str = ""


@dataclass
class StagedRaw:
    """What is ready to be published for one raw dataset. ``rejects`` maps a batch's file to rows that stay and go."""

    dataset: str
    cuts: list[RawCut]
    rejects: dict[str, tuple[Path, int]] = field(default_factory=dict)
    rejected: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """Files that hold the people and cannot be rewritten."""
        return [f"{one.file.path}: {one.problem}" for one in self.cuts if one.problem and not one.dropped]


def stage(
    services: Services, holder: Holder, rejects: Holder | None, wanted: Wanted, folder: Path, *, drop: bool
) -> StagedRaw:
    """Write the files of a raw dataset that hold the people to *folder*, without them.

    With *drop* a file that nothing can rewrite goes as a whole; its readable copy stays.
    """
    files = raw_files_of(services, holder.dataset)
    names = _with_rows(holder, wanted)
    open_ones = _noted(services.state, holder.dataset, open_only=True)
    # the address of an answer without records may tell who it was asked for
    every = _spec(services, holder.dataset).__class__ is RestDataset
    found = StagedRaw(holder.dataset, [])
    for number, file in enumerate(files):
        key = (file.path, file.version)
        mine = {file.path, *(f"{file.path}/{part.member}" for part in file.parts if part.member)}
        if every or mine & names or file.rejected or file.unreadable or key in open_ones:
            cut = _Cutter(services, holder, wanted, folder / f"raw-{number}", drop).cut(
                file, open_ones.get(key, {})
            )
            if cut is not None:
                found.cuts.append(cut)
    _stage_rejects(services, files, rejects, wanted, folder, found)
    return found


def publish(services: Services, staged: StagedRaw, erasure: str) -> None:
    """Put the staged files in their places, and correct the manifest."""
    store, state = services.store, services.state
    before = _noted(state, staged.dataset)
    intents = []
    for one in staged.cuts:
        if one.hashes or one.dropped:
            # what an earlier erasure wrote anew and this one leaves alone is still not what the manifest says
            objects = {**before.get((one.file.path, one.file.version), {}), **one.hashes}
            if one.dropped:
                objects.pop(one.file.raw_path, None)
            intents.append(
                {
                    "dataset": staged.dataset,
                    "path": one.file.path,
                    "version": one.file.version,
                    "erasure": erasure,
                    "at": now(),
                    "objects": msgspec.json.encode(list(objects.values())).decode(),
                    "done": False,
                }
            )
    with state.begin(erased_files) as connection:
        for row in intents:
            _replace(connection, row)
    for cut in staged.cuts:
        for path, local in cut.objects.items():
            store.publish(local, path)
        if cut.dropped:
            store.delete(cut.file.raw_path)
    for path, (local, _) in staged.rejects.items():
        store.publish(local, path)
    with state.begin(erased_files, retired_files) as connection:
        for cut in staged.cuts:
            recount(connection, _recounted(cut, staged.rejected))
            if cut.file.gone == "archived":
                written = {one.path: (one.size, one.after) for one in cut.hashes.values()}
                gone = cut.file.raw_path if cut.dropped else ""
                rewrote(connection, cut.file.dataset, cut.file.path, cut.file.version, written, gone=gone)
        for row in intents:
            _replace(connection, {**row, "done": True})
    cut_out = {(one.file.path, one.file.version) for one in staged.cuts if one.file.gone == "archived"}
    calls = {one.archive for one in retired_of(state, staged.dataset) if (one.path, one.version) in cut_out}
    tell(state, store, staged.dataset, calls)


def listed(state: State, erasure: str) -> list[dict[str, object]]:
    """Return the files that an erasure rewrote: dataset, and each object's SHA-256 before and after."""
    table = erased_files
    with state.read(table) as connection:
        rows = connection.execute(
            sa.select(table).where(table.c.erasure == erasure).order_by(table.c.dataset)
        ).all()
    return [
        {"dataset": row.dataset, "before": one.before, "after": one.after}
        for row in rows
        for one in msgspec.json.decode(row.objects, type=list[_Object])
    ]


def moved(connection: sa.Connection, found: Sequence[Retired]) -> None:
    """Follow files of the raw zone that went to the archive, or came back from there."""
    # a connection has the tables that it was begun with, and most projects never erased anybody
    if not sa.inspect(connection).has_table(erased_files.name):
        return
    table = erased_files
    for one in found:
        same = [table.c[name] == getattr(one, name) for name in ("dataset", "path", "version")]
        text = connection.execute(sa.select(table.c.objects).where(*same)).scalar()
        if text is None:
            continue
        there = {each.was: each for each in one.objects}
        objects = [
            msgspec.structs.replace(each, path=there[each.path].path, after=there[each.path].sha256)
            if each.path in there
            else each
            for each in msgspec.json.decode(text, type=list[_Object])
        ]
        connection.execute(table.update().where(*same).values(objects=msgspec.json.encode(objects).decode()))


def _replace(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    table = erased_files
    same = [table.c[name] == row[name] for name in ("dataset", "path", "version")]
    connection.execute(table.delete().where(*same))
    connection.execute(table.insert(), [dict(row)])


def _recounted(cut: RawCut, rejected: Mapping[tuple[int, str], int]) -> RawFile:
    parts = tuple(
        msgspec.structs.replace(part, rows=rows)
        if (done := cut.hashes.get(part.path)) is not None and (rows := done.rows) is not None
        else part
        for part in cut.file.parts
    )
    left = rejected.get((cut.file.batch, cut.file.path), cut.file.rejected)
    return msgspec.structs.replace(cut.file, parts=parts, rows=sum(one.rows for one in parts), rejected=left)


def _noted(
    state: State, dataset: str, *, open_only: bool = False
) -> dict[tuple[str, int], dict[str, _Object]]:
    """Return what was, or with *open_only* by a killed call is to be, put in place: by file, then by path in the store."""
    table = erased_files
    query = sa.select(table).where(table.c.dataset == dataset)
    if open_only:
        query = query.where(table.c.done.is_(False))
    with state.read(table) as connection:
        rows = connection.execute(query).all()
    return {
        (row.path, row.version): {
            one.path: one for one in msgspec.json.decode(row.objects, type=list[_Object])
        }
        for row in rows
    }


def _with_rows(holder: Holder, wanted: Wanted) -> set[str]:
    query = (
        exp.select("_source_file")
        .distinct()
        .from_(holder.query.subquery("_rows"))
        .where(told(wanted, holder))
    )
    return {str(row[0]) for row in wanted.cursor.execute(query.sql("duckdb")).fetchall()}


def _spec(services: Services, dataset: str) -> RawDataset:
    found: RawDataset = services.project.sources[services.project.raw[dataset]].datasets[
        dataset.partition(".")[2]
    ]
    return found


class _Cutter:
    """Rewrites what the store keeps of one file."""

    def __init__(self, services: Services, holder: Holder, wanted: Wanted, folder: Path, drop: bool) -> None:
        self.store = services.store
        self.holder = holder
        self.wanted = wanted
        self.folder = folder
        self.drop = drop
        self.spec = _spec(services, holder.dataset)

    def cut(self, file: RawFile, intents: Mapping[str, _Object]) -> RawCut | None:
        """Return *file* without the people; None when it holds none of them and nothing was left half done."""
        self.folder.mkdir(parents=True)
        result = RawCut(file, 0)
        for number, part in enumerate(file.parts):
            self._part(result, part, number, intents)
        if all(part.path != file.raw_path for part in file.parts):
            self._original(result, intents)
        return result if result.hashes or result.problem else None

    def _part(self, result: RawCut, part: Part, number: int, intents: Mapping[str, _Object]) -> None:
        local, target = self.folder / f"part-{number}", self.folder / f"part-{number}.cut"
        if not self._fetch(part.path, local):
            return
        count = cut_part(local, target, part, self.holder.keys, self.wanted)
        if part.format in ("csv", "ndjson") and self._words_left(target, part):
            result.problem = "text that only they have stands outside of records that can be read"
        self._note(result, part.path, local, target, count, intents, part.rows)
        result.removed += count

    def _words_left(self, target: Path, part: Part) -> bool:
        from lakewright.sources.text import open_packed

        packed = str(part.options.get("compression", "none")).replace("uncompressed", "none")
        with open_packed(target, packed) as stream:
            return holds_words(stream, self.wanted.people)

    def _original(self, result: RawCut, intents: Mapping[str, _Object]) -> None:
        file = result.file
        local, target = self.folder / "original", self.folder / "original.cut"
        if not self._fetch(file.raw_path, local):
            return
        declared = self.spec.options if isinstance(self.spec, FileDataset) else ReadOptions()
        if file.raw_path.endswith(PACKED):
            declared = msgspec.structs.replace(declared, compression="zstd")
        format = self.spec.format if isinstance(self.spec, FileDataset) else file.format
        try:
            if isinstance(self.spec, RestDataset):
                fields = file.parts[0].columns if file.parts else ()
                count = cut_answers(local, target, self.spec, fields, self.holder.keys, self.wanted)
            elif isinstance(self.spec, FileDataset):
                count = cut_original(
                    local, target, file.path, file.parts, declared, format, self.holder.keys, self.wanted
                )
            else:
                raise CannotRewriteError(f"nothing writes what {file.raw_path} is")
        except CannotRewriteError as reason:
            if result.removed or result.hashes or self._holds(local):
                result.problem, result.dropped = str(reason), self.drop
            return
        self._note(result, file.raw_path, local, target, count, intents, None)

    def _holds(self, local: Path) -> bool:
        with local.open("rb") as stream:
            return holds_words(stream, self.wanted.people)

    def _fetch(self, path: str, local: Path) -> bool:
        try:
            with self.store.open(path) as stream, local.open("wb") as out:
                shutil.copyfileobj(stream, out, _CHUNK)
        except FileNotFoundError:  # it went when an erasure dropped it
            return False
        return True

    def _note(
        self,
        result: RawCut,
        path: str,
        local: Path,
        target: Path,
        count: int,
        intents: Mapping[str, _Object],
        rows: int | None,
    ) -> None:
        before = _sha256(local)
        earlier = intents.get(path)
        if earlier is not None and earlier.after == before:
            # a killed call has put it there; the manifest does not know yet
            rows = earlier.rows
        if count:
            result.objects[path] = target
        if count or earlier is not None:
            after = _sha256(target) if count else before
            size = (target if count else local).stat().st_size
            result.hashes[path] = _Object(path, before, after, None if rows is None else rows - count, size)


def _stage_rejects(
    services: Services,
    files: Sequence[RawFile],
    rejects: Holder | None,
    wanted: Wanted,
    folder: Path,
    found: StagedRaw,
) -> None:
    """Lines that could not be read are kept a second time, as a table per batch."""
    batches = {(source_of(one), one.batch) for one in files if one.rejected}
    name = found.dataset.partition(".")[2]
    for number, (source, batch) in enumerate(sorted(batches)):
        path = rejects_path(source, name, batch)
        local, target = folder / f"rejects-{number}", folder / f"rejects-{number}.cut"
        try:
            with services.store.open(path) as stream, local.open("wb") as out:
                shutil.copyfileobj(stream, out, _CHUNK)
        except FileNotFoundError:
            continue
        condition = told(wanted, rejects) if rejects is not None else exp.false()
        reader = f"read_parquet({literal(str(local)).sql('duckdb')}, hive_partitioning => false)"
        kept = f"SELECT * FROM {reader} WHERE NOT ({condition.sql('duckdb')})"
        before = _number(wanted, f"SELECT count(*) FROM {reader}")
        wanted.cursor.execute(
            f"COPY ({kept}) TO {literal(str(target)).sql('duckdb')} (FORMAT parquet, COMPRESSION zstd)"
        )
        counts = dict(
            wanted.cursor.execute(
                f"SELECT {column('path').sql('duckdb')}, count(*) FROM ({kept}) GROUP BY 1"
            ).fetchall()
        )
        left = sum(counts.values())
        for file in files:
            if file.batch == batch and file.rejected:
                found.rejected[batch, file.path] = int(counts.get(file.path, 0))
        if left != before:
            found.rejects[path] = (target, before - left)
            changed = {one.file.path for one in found.cuts if one.file.batch == batch}
            found.cuts += [
                RawCut(one, 0)
                for one in files
                if one.batch == batch
                and one.rejected
                and one.path not in changed
                and one.rejected != counts.get(one.path, 0)
            ]


def _number(wanted: Wanted, query: str) -> int:
    row = wanted.cursor.execute(query).fetchone()
    return int(row[0]) if row else 0


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
