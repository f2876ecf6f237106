"""Take files into raw: copy what is new or changed, count rows and rejects, write the manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import duckdb
import msgspec

from lakewright.errors import RunError
from lakewright.lake.raw import RawStore
from lakewright.lake.raw_zone import PACKED, home_path
from lakewright.sources.discover import Found, discover
from lakewright.sources.drift import Drift, drift, refuse, schema_of
from lakewright.sources.inspect import Inspected, inspect
from lakewright.sources.manifest import Change, Part, RawFile, current_files, last_batch, record, settings_of
from lakewright.sources.outcome import Outcome, Piece, Reject, in_threads, reject_table
from lakewright.sources.staging import Staged, copy
from lakewright.spec.project import S3
from lakewright.spec.sources import FileDataset, FileSource
from lakewright.state import State, now

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Taken",
    "discover",
    "keep_rejects",
    "manifest_entry",
    "original",
    "pending",
    "rejects_of",
    "rejects_path",
    "source_of",
    "staging",
    "take",
]

#: Endings of readable copies, by format; ``~`` keeps them apart from names that sources give.
_READABLE = {"csv": "~.csv", "ndjson": "~.ndjson", "parquet": "~.parquet", "avro": "~.avro"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one call of :func:`take` did. ``batch`` is 0 when nothing was new.

    ``rows`` can be read, ``rejected`` cannot, and ``read`` is their sum; ``quarantined`` holds the latter as an
    Arrow table (path, file, line, column, reason, content). ``missing`` files were taken once and are gone from the
    source (raw keeps them); ``busy`` ones changed while they were copied and wait for the next call. A source that
    is not made of files says in ``summary`` what was taken, and in ``notes`` what is worth telling.
    """

    dataset: str
    batch: int
    files: tuple[RawFile, ...]
    quarantined: pa.Table
    drift: tuple[Drift, ...] = ()
    unchanged: int = 0
    missing: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    summary: str = ""

    @property
    def rows(self) -> int:
        """Rows that a reading of the batch gives."""
        return sum(file.rows for file in self.files)

    @property
    def rejected(self) -> int:
        """Lines and files that cannot be read."""
        return sum(file.rejected for file in self.files)

    @property
    def read(self) -> int:
        """Everything that was looked at: good and rejected."""
        return self.rows + self.rejected

    @property
    def bytes(self) -> int:
        """Bytes of the files taken, as they lie in the source."""
        return sum(file.size for file in self.files)


@dataclass(slots=True)
class _Work:
    """One call's surroundings."""

    source: str
    name: str
    store: RawStore
    folder: Path
    at: datetime
    run_id: str
    batch: int
    known: Mapping[str, RawFile]
    settings: str
    used: set[str] = field(default_factory=set)

    @property
    def dataset(self) -> str:
        return f"raw.{self.name}"


def pending(
    found: Sequence[Found], known: Mapping[str, RawFile], dataset: FileDataset | None = None
) -> list[Found]:
    """Return the files of *found* that are not taken yet, or look changed by size or time.

    With *dataset*, those too that were taken with another format or other options than it declares now.
    """
    settings = settings_of(dataset) if dataset is not None else None
    return [
        one
        for one in found
        if (old := known.get(one.path)) is None
        or (old.size, old.modified) != (one.size, one.modified)
        # one that is expired is not wanted any more, however it would be read
        or (settings not in (None, old.settings) and old.gone != "expired")
    ]


def take(
    source_name: str,
    name: str,
    source: FileSource,
    *,
    root: Path,
    store: RawStore,
    state: State,
    cursor: duckdb.DuckDBPyConnection,
    run_id: str = "",
    s3: S3 | None = None,
    resolve: Callable[[str], str] = str,
    workers: int = 8,
    at: datetime | None = None,
) -> Taken:
    """Take what is new of dataset *name* of a source into raw, as one batch, and return what was done.

    Files are copied byte for byte to ``<source>/<dataset>/year=…/month=…/day=…/<path>`` of *store*
    (the date of *at*, now by default); a changed file is taken again as its next version, in a
    folder ``_v2``. Files whose size and time are those of the manifest are not opened. Calling it
    again, or after a crash at any point, gives the same manifest: it is written last, in one transaction.

    Raises LW201 (nothing at the source's path), LW202 (a file cannot be read and ``on_unreadable`` is fail) and
    LW203 (columns changed and ``on_drift`` is fail); then nothing is taken.
    """
    dataset = source.datasets[name]
    found = discover(source, name, root=root, s3=s3, resolve=resolve)
    known = current_files(state, f"raw.{name}")
    here = {one.path for one in found}
    missing = tuple(sorted(path for path in known if path not in here and not path.startswith("@")))
    todo = pending(found, known, dataset)
    todo = sorted([*todo, *_kept(known, missing, store, settings_of(dataset))], key=lambda one: one.path)
    if not todo:
        return Taken(f"raw.{name}", 0, (), reject_table(()), unchanged=len(found), missing=missing)
    with staging(store) as folder, ThreadPoolExecutor(workers) as threads:
        work = _Work(
            source=source_name,
            name=name,
            store=store,
            folder=folder,
            at=at or now(),
            run_id=run_id,
            batch=last_batch(state, f"raw.{name}") + 1,
            known=known,
            settings=settings_of(dataset),
        )
        staged = in_threads(threads, lambda at: _stage(work, at, todo[at]), range(len(todo)))
        busy = tuple(one.found.path for one in staged if not one.steady)
        steady = [one for one in staged if one.steady]
        touched = [one for one in steady if _same(one, work)]
        fresh = [one for one in steady if not _same(one, work)]
        inspected = inspect(fresh, dataset, folder, cursor, threads)
        if dataset.on_unreadable == "fail":
            _refuse_unreadable(work, inspected)
        files, rejects = [], []
        for one in inspected:
            file, lines = _describe(work, one)
            files.append(file)
            rejects += lines
        before = schema_of(known.values(), dataset, cursor)
        drifts = drift(before, files, cursor)
        if drifts and dataset.on_drift == "fail":
            raise refuse(work.dataset, drifts)
        in_threads(threads, lambda pair: _publish(work, *pair), list(zip(inspected, files, strict=True)))
        table = reject_table(rejects)
        if files and rejects:
            keep_rejects(work.store, work.source, work.name, work.batch, table)
        record(
            state,
            files,
            work.dataset,
            [(one.found.path, known[one.found.path].version, one.modified) for one in touched],
        )
    unchanged = len(found) - len(files) - len(busy)
    return Taken(
        work.dataset, work.batch if files else 0, tuple(files), table, tuple(drifts), unchanged, missing, busy
    )


def rejects_of(store: RawStore, files: Sequence[RawFile]) -> pa.Table:
    """Return the rejects of *files* (path, file, line, column, reason, content), as they were when they were taken.

    They are kept in raw beside the files, so that a crash between taking and publishing loses none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    tables = []
    for dataset, source, batch in dict.fromkeys(
        (one.dataset, source_of(one), one.batch) for one in files if one.rejected
    ):
        with store.open(rejects_path(source, dataset.partition(".")[2], batch)) as stream:
            table = pq.read_table(stream)
        wanted = [one.path for one in files if one.batch == batch and one.rejected]
        tables.append(table.filter(pc.is_in(table.column("path"), pa.array(wanted))))
    return pa.concat_tables(tables) if tables else reject_table(())


@contextmanager
def staging(store: RawStore) -> Iterator[Path]:
    """A folder for work in progress, removed at the end whatever happens."""
    folder = store.staging()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(work: _Work, number: int, found: Found) -> Staged:
    old = work.known.get(found.path)
    local = work.folder / f"file-{number}"
    for _ in range(2):
        staged = copy(found, local, old_size=old.size if old else None, old_hash=old.hash if old else None)
        if staged.steady:
            break
    return staged


def _kept(
    known: Mapping[str, RawFile], missing: Sequence[str], store: RawStore, settings: str
) -> list[Found]:
    """Files that are gone from the source and to be read with other settings: their bytes are in raw."""

    def found(file: RawFile) -> Found:
        return Found(
            file.path,
            file.size,
            file.modified,
            store.uri(file.raw_path),
            lambda: original(store, file),
            lambda: (file.size, file.modified),
        )

    return [
        found(known[path])
        for path in missing
        if known[path].settings != settings and known[path].gone != "expired"
    ]


def _same(staged: Staged, work: _Work) -> bool:
    old = work.known.get(staged.found.path)
    if old is None or (old.size, old.hash) != (staged.size, staged.hash):
        return False
    return old.settings == work.settings or old.gone == "expired"


def _describe(work: _Work, one: Inspected) -> tuple[RawFile, list[tuple[str, str, Reject]]]:
    """Return the manifest entry of an inspected file and its rejects (path, name for people, reject)."""
    path = one.staged.found.path
    old = work.known.get(path)
    version = old.version + 1 if old else 1
    day = f"year={work.at.year}/month={work.at.month}/day={work.at.day}"
    folder = f"{work.source}/{work.name}/{day}" + (f"/_v{version}" if version > 1 else "")
    raw_path = f"{folder}/{path}"
    entry = manifest_entry(work.dataset, one, lambda piece, outcome: _place(work, raw_path, piece, outcome))
    change: Change = "new"
    if old is not None:
        same = (old.size, old.hash) == (one.staged.size, one.staged.hash)
        change = "reread" if same else "grown" if one.staged.grown else "changed"
    entry = msgspec.structs.replace(
        entry,
        batch=work.batch,
        version=version,
        raw_path=raw_path,
        change=change,
        taken_at=work.at,
        run_id=work.run_id,
        settings=work.settings,
    )
    return entry, _rejects(one)


def manifest_entry(dataset: str, one: Inspected, place: Callable[[Piece, Outcome], str]) -> RawFile:
    """Return what the manifest says of an inspected file; *place* tells where each piece is read from."""
    staged = one.staged
    parts = []
    for piece, outcome in one.pieces if not one.unreadable else ():
        if outcome.unreadable:
            continue
        path = place(piece, outcome)
        options = dict(outcome.options)
        if piece.packed != "none" and outcome.local is None and not path.startswith("/"):
            options["compression"] = piece.packed
        parts.append(
            Part(
                path,
                outcome.format,
                outcome.columns,
                outcome.rows,
                options,
                len(outcome.rejects),
                piece.member,
            )
        )
    return RawFile(
        dataset=dataset,
        batch=0,
        path=staged.found.path,
        version=1,
        size=staged.size,
        hash=staged.hash,
        modified=staged.modified,
        rows=sum(part.rows for part in parts),
        rejected=len(_rejects(one)),
        raw_path=staged.found.path,
        format=one.format,
        parts=tuple(parts),
        change="new",
        taken_at=staged.modified,
        unreadable=one.unreadable,
    )


def _rejects(one: Inspected) -> list[tuple[str, str, Reject]]:
    path = one.staged.found.path
    if one.unreadable:
        return [(path, path, Reject(None, one.unreadable))]
    found = []
    for piece, outcome in one.pieces:
        lines = [Reject(None, outcome.unreadable)] if outcome.unreadable else outcome.rejects
        found += [(path, piece.name, line) for line in lines]
    return found


def _place(work: _Work, raw_path: str, piece: Piece, outcome: Outcome) -> str:
    """Return where in the store a piece is read: the original, or a readable copy beside it."""
    if outcome.local is None and (not piece.derived or piece.packed != "none"):
        return raw_path
    stem = f"_readable/{raw_path}" + (f"/{piece.member}" if piece.member else "")
    path, number = stem + _READABLE[outcome.format], 0
    while path in work.used:
        number += 1
        path = f"{stem}~{number}{_READABLE[outcome.format]}"
    work.used.add(path)
    return path


def _publish(work: _Work, one: Inspected, file: RawFile) -> None:
    """Move readable copies and then the original to their places."""
    paths = iter(part.path for part in file.parts)
    for piece, outcome in one.pieces if not one.unreadable else ():
        if outcome.unreadable:
            continue
        path = next(paths)
        if path != file.raw_path:
            work.store.publish(outcome.local or piece.local, path)
    work.store.publish(one.staged.local, file.raw_path)


def _refuse_unreadable(work: _Work, inspected: Sequence[Inspected]) -> None:
    broken = [
        f"{piece.name}: {outcome.unreadable}"
        for one in inspected
        for piece, outcome in one.pieces
        if outcome.unreadable and not one.unreadable
    ]
    broken += [f"{one.staged.found.path}: {one.unreadable}" for one in inspected if one.unreadable]
    if broken:
        raise RunError(
            "LW202",
            f"{work.dataset}: {len(broken)} {'file' if len(broken) == 1 else 'files'} cannot be read, "
            "and on_unreadable is fail; nothing was taken",
            tried=broken[:20],
        )


def keep_rejects(store: RawStore, source: str, name: str, batch: int, table: pa.Table) -> None:
    """Keep the rejects of a batch in raw beside its files, where :func:`rejects_of` finds them."""
    import io

    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    store.put(out.getvalue(), rejects_path(source, name, batch))


def rejects_path(source: str, name: str, batch: int) -> str:
    """Return where in the raw store the rejects of a batch are kept."""
    return f"_rejects/{source}/{name}/batch-{batch:08}.parquet"


def original(store: RawStore, file: RawFile) -> BinaryIO:
    """Return the bytes of *file* as the source gave them, from the archive too."""
    if not file.raw_path.endswith(PACKED):
        return store.open(file.raw_path)
    import pyarrow as pa

    packed = cast("Any", store.open(file.raw_path))
    return cast("BinaryIO", pa.CompressedInputStream(packed, "zstd"))


def source_of(file: RawFile) -> str:
    """Return the name of the source that *file* came from."""
    return home_path(file.raw_path).partition("/")[0]
