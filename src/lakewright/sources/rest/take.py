"""Take what is new of a REST dataset into raw: ask, keep the answers, write the manifest and the position last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from lakewright.errors import RunError, UsageError
from lakewright.lake.raw import RawStore
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.files import Taken, keep_rejects, staging
from lakewright.sources.json_files import typed
from lakewright.sources.manifest import Part, RawFile, current_files, last_batch, record
from lakewright.sources.outcome import reject_table
from lakewright.sources.positions import add_position, positions_of
from lakewright.sources.rest.cursor import Reached, greatest, is_before, start_of
from lakewright.sources.rest.load import Load
from lakewright.sources.rest.parents import Row, parent_rows
from lakewright.sources.rest.shape import shape
from lakewright.spec.rest import RestDataset, RestSource
from lakewright.state import State, now

if TYPE_CHECKING:
    from lakewright.sources.rest.pages import Ask, Page

__all__ = ["PREFIX", "take_rest"]

#: Paths in the manifest of what came from an API; no file of a source begins so.
PREFIX = "@rest/"

_ALL = f"{PREFIX}all.ndjson.zst"
_INCOMPLETE = f"{PREFIX}incomplete.ndjson.zst"


@dataclass(slots=True)
class _Work:
    """One call's surroundings."""

    source_name: str
    name: str
    source: RestSource
    store: RawStore
    state: State
    cursor: duckdb.DuckDBPyConnection
    run_id: str
    at: datetime
    folder: Path
    known: Mapping[str, RawFile]
    positions: list[tuple[int, Reached]]
    skipped: int = 0

    @property
    def id(self) -> str:
        return f"raw.{self.name}"

    @property
    def dataset(self) -> RestDataset:
        return self.source.datasets[self.name]

    @property
    def reached(self) -> Reached:
        """The newest position."""
        return self.positions[-1][1] if self.positions else Reached()

    @property
    def by_parent(self) -> bool:
        """Whether only new rows of the parent are asked for."""
        parent = self.dataset.parent
        if parent is None:
            return False
        above = self.source.datasets[parent.dataset]
        new = above.incremental is not None or (above.parent is not None and above.parent.rows == "new")
        return parent.rows == "new" or (parent.rows is None and new)

    @property
    def adds(self) -> bool:
        """Whether a load adds to what raw holds, and does not replace it."""
        return self.dataset.incremental is not None or self.by_parent


def take_rest(
    source_name: str,
    name: str,
    source: RestSource,
    *,
    root: Path,
    store: RawStore,
    state: State,
    cursor: duckdb.DuckDBPyConnection,
    run_id: str = "",
    resolve: Callable[[str], str] = str,
    check: Callable[[], None] = lambda: None,
    at: datetime | None = None,
) -> Taken:
    """Ask the API for dataset *name* of a source and take what is new into raw as one batch; return what was done.

    The answers of a load are one file ``<source>/<dataset>/year=…/month=…/day=…/@rest/….ndjson.zst`` of *store*,
    a line per answer; their records are read from a copy beside it. A dataset that is read in full replaces
    ``@rest/all.ndjson.zst`` by a new version when anything is different; an incremental one adds a file. An answer
    that is no JSON or has no records where they should be is a reject (``line`` is the number of the answer); then
    the position stays, and what was read in full before is not replaced. *check* is called before every request.

    Raises LW202 (an answer cannot be read and ``on_unreadable`` is fail), LW203 (columns changed and ``on_drift``
    is fail), LW230 to LW238 (what goes wrong with requests, paging, positions and parents); then nothing is taken.
    """
    known = current_files(state, f"raw.{name}")
    with staging(store) as folder:
        work = _Work(
            source_name, name, source, store, state, cursor, run_id, at or now(), folder, known,
            positions_of(state, f"raw.{name}", Reached),
        )  # fmt: skip
        parent_batch = last_batch(state, f"raw.{work.dataset.parent.dataset}") if work.dataset.parent else 0
        with Load(folder) as load:
            for row, page in _pages(work, root, resolve, check, parent_batch):
                load.add(page, row.params, row.include)
                work.skipped += page.skipped
        return _settle(work, load, parent_batch)


def _pages(
    work: _Work,
    root: Path,
    resolve: Callable[[str], str],
    check: Callable[[], None],
    parent_batch: int,
) -> Iterator[tuple[Row, Page]]:
    try:
        from lakewright.sources.rest.asking import asks, opened
    except ImportError:
        raise UsageError(
            "LW904",
            "dlt is not installed",
            remedy="pip install 'lakewright[rest]', which sources of kind rest need",
        ) from None
    dataset = work.dataset
    rows: Iterator[Row] = iter((Row(),))
    if dataset.parent is not None:
        after = work.reached.parent if work.by_parent else None
        rows = parent_rows(
            work.source, dataset.parent, work.id,
            state=work.state, store=work.store, cursor=work.cursor, after=after, upto=parent_batch,
        )  # fmt: skip
    start = start_of(dataset.incremental, work.reached.cursor, work.id) if dataset.incremental else None
    with opened(work.source, root, resolve, check) as api:
        for row in rows:
            ask: Ask = asks(work.source, dataset, api.resolve, row.params, start)
            for page in api.pages.of(ask):
                yield row, page


def _settle(work: _Work, load: Load, parent_batch: int) -> Taken:
    """Work out what is new of a finished load, and record it."""
    dataset = work.dataset
    if load.rejects and dataset.on_unreadable == "fail":
        raise RunError(
            "LW202",
            f"{work.id}: {len(load.rejects)} of {load.pages} answers cannot be read, and on_unreadable is fail; "
            "nothing was taken",
            tried=[f"answer {one.line}: {one.reason}" for one in load.rejects[:20]],
        )
    reached = _advance(work, load, parent_batch)
    settings = _settings(dataset)
    if any((old.hash, old.settings) == (load.digest, settings) for old in work.known.values()):
        return _nothing(work, reached)
    lines, rows = _shaped(work, load)
    if work.adds and not rows and not load.rejects:
        return _nothing(work, reached)
    path = _path(work, load, rows)
    file = _entry(work, load, lines, 0 if path == _INCOMPLETE else rows, path, settings)
    before = schema_of(work.known.values(), dataset, work.cursor)
    drifts = drift(before, [file], work.cursor)
    if drifts and dataset.on_drift == "fail":
        raise refuse(work.id, drifts)
    if file.parts:
        work.store.publish(lines, file.parts[0].path)
    work.store.publish(load.raw, file.raw_path)
    table = reject_table([(path, path, one) for one in load.rejects])
    if load.rejects:
        keep_rejects(work.store, work.source_name, work.name, file.batch, table)
    _record(work, [file], reached)
    return Taken(
        work.id,
        file.batch,
        (file,),
        table,
        tuple(drifts),
        notes=tuple(_notes(work, load, path)),
        summary=f"{load.pages} {'answer' if load.pages == 1 else 'answers'}",
    )


def _path(work: _Work, load: Load, rows: int) -> str:
    """Return the name in the manifest for a load: a version of everything, or one more file."""
    if not work.adds:
        old = work.known.get(_ALL)
        # what could not be read in full must not push out what was
        return _INCOMPLETE if load.rejects and old is not None and not old.rejected else _ALL
    if not rows:
        return _INCOMPLETE
    return f"{PREFIX}{work.at:%Y%m%dT%H%M%S%f}.ndjson.zst"


def _shaped(work: _Work, load: Load) -> tuple[Path, int]:
    """Return the file of the records to be read, and how many there are."""
    dataset = work.dataset
    earlier = _earlier(work, load) if dataset.incremental is not None else None
    if not load.records or not (dataset.keys or load.spans or earlier):
        return load.lines, load.records
    target = work.folder / "shaped.ndjson"
    count = shape(
        load.lines, target, work.cursor, keys=dataset.keys, spans=load.spans, earlier=earlier, dataset=work.id
    )  # fmt: skip
    return target, count


def _earlier(work: _Work, load: Load) -> list[str]:
    """Return the addresses of the records of earlier loads that an incremental load may bring again."""
    assert work.dataset.incremental is not None
    start = start_of(work.dataset.incremental, work.reached.cursor, work.id)
    far = {
        batch
        for batch, one in work.positions
        if start is not None and not one.open and one.top is not None and is_before(one.top, start, work.id)
    }
    parts = [
        part.path
        for file in work.known.values()
        if file.batch not in far and file.path.startswith(PREFIX) and file.gone != "expired"
        for part in file.parts
    ]
    return [work.store.uri(path) for path in parts]


def _advance(work: _Work, load: Load, parent_batch: int) -> Reached:
    """Return the position after a load; it stays where it was when an answer could not be read."""
    before = work.reached
    incremental = work.dataset.incremental
    if incremental is not None and load.records:
        cursor, top, without = greatest(
            load.lines, incremental.cursor, before.cursor, work.cursor, work.id
        )  # fmt: skip
        return Reached(before.cursor if load.rejects else cursor, 0, top, without)
    if work.by_parent and not load.rejects:
        return Reached(parent=parent_batch)
    return Reached(before.cursor, before.parent)


def _entry(work: _Work, load: Load, lines: Path, rows: int, path: str, settings: str) -> RawFile:
    old = work.known.get(path)
    version = old.version + 1 if old else 1
    day = f"year={work.at.year}/month={work.at.month}/day={work.at.day}"
    folder = f"{work.source_name}/{work.name}/{day}" + (f"/_v{version}" if version > 1 else "")
    raw_path = f"{folder}/{path}"
    parts: tuple[Part, ...] = ()
    if rows:
        found = typed(lines, [], work.cursor)
        parts = (Part(f"_readable/{raw_path}~.ndjson", "ndjson", found.columns, found.rows, found.options),)
    return RawFile(
        dataset=work.id,
        batch=last_batch(work.state, work.id) + 1,
        path=path,
        version=version,
        size=load.raw.stat().st_size,
        hash=load.digest,
        modified=work.at,
        rows=sum(part.rows for part in parts),
        rejected=len(load.rejects),
        raw_path=raw_path,
        format="ndjson",
        parts=parts,
        change="new" if old is None else "reread" if old.hash == load.digest else "changed",
        taken_at=work.at,
        run_id=work.run_id,
        settings=settings,
    )


def _record(work: _Work, files: list[RawFile], reached: Reached) -> None:
    batch = files[0].batch if files else 0
    record(
        work.state,
        files,
        work.id,
        also=lambda connection: (
            add_position(connection, work.id, batch, reached) if reached != work.reached else None
        ),
    )


def _nothing(work: _Work, reached: Reached) -> Taken:
    if (reached.cursor, reached.parent) != (work.reached.cursor, work.reached.parent):
        _record(work, [], reached)
    notes = (_skips(work),) if work.skipped else ()
    return Taken(work.id, 0, (), reject_table(()), unchanged=1, notes=notes)


def _notes(work: _Work, load: Load, path: str) -> Iterator[str]:
    if work.skipped:
        yield _skips(work)
    if load.rejects:
        first = load.rejects[0]
        yield f"{len(load.rejects)} of {load.pages} answers cannot be read; answer {first.line}: {first.reason}"
        if path == _INCOMPLETE:
            yield "what raw held before stays, for this load is not whole"
        elif work.dataset.incremental is not None:
            yield "the position stays, so the next run asks for the same again"


def _skips(work: _Work) -> str:
    return f"{work.skipped} requests were left out, as on_status says"


def _settings(dataset: RestDataset) -> str:
    """Return what stands for how records are found in answers: with others, the same answers are taken anew."""
    import hashlib

    include: Any = dataset.parent.include if dataset.parent is not None else None
    declared = msgspec.json.encode((dataset.records, dataset.keys, include), order="deterministic")
    return hashlib.sha256(declared).hexdigest()[:16]
