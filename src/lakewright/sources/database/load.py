"""Load a dataset from a database into raw: all of it, or what its cursor says is new, and what is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb
import msgspec
import sqlalchemy as sa
from sqlglot import exp

from lakewright.engine.errors import redact
from lakewright.errors import nearest
from lakewright.lake.raw import RawStore
from lakewright.plan.tasks import Found
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.database.address import Address, address_of
from lakewright.sources.database.changes import OP, Changes, changed_rows
from lakewright.sources.database.cursor import beyond, check_cursor, greatest, start_of
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.database.model import Column, Database, Interrupts, condition, relation
from lakewright.sources.database.positions import (
    CursorPosition,
    database_positions,
    position_of,
    put_position,
)
from lakewright.sources.drift import drift, refuse, schema_of
from lakewright.sources.files import Taken, staging
from lakewright.sources.manifest import Part, RawFile, current_files, files_of, last_batch, record
from lakewright.sources.outcome import reject_table
from lakewright.sources.read import reading
from lakewright.spec.databases import DatabaseDataset, DatabaseSource
from lakewright.state import State, now

__all__ = ["Load", "Reader", "chosen", "look", "open_database", "require_driver", "settings_of_load", "take"]


@dataclass(frozen=True)
class Load:
    """One call's surroundings: which dataset of which source, and what it takes to read it."""

    source_name: str
    name: str
    source: DatabaseSource
    root: Path
    store: RawStore
    state: State
    cursor: duckdb.DuckDBPyConnection
    interrupts: Interrupts
    resolve: Callable[[str], str] = str
    run_id: str = ""

    @property
    def id(self) -> str:
        """``raw.<name>``."""
        return f"raw.{self.name}"

    @property
    def dataset(self) -> DatabaseDataset:
        """What the source says of the dataset."""
        return self.source.datasets[self.name]

    @property
    def address(self) -> Address:
        """Where the database is."""
        return address_of(self.source.connection, root=self.root, resolve=self.resolve)


@dataclass(frozen=True)
class _Landed:
    """Parquet files of one load, not yet in raw. ``whole`` replaces all that raw holds of the dataset."""

    files: tuple[Path, ...]
    whole: bool
    position: CursorPosition | None = None
    notes: tuple[str, ...] = ()
    changes: Changes | None = None


@contextmanager
def open_database(
    address: Address, cursor: duckdb.DuckDBPyConnection, interrupts: Interrupts
) -> Iterator[Database]:
    """One moment of the database at *address*. Raises LW220 and LW221 where nobody answers or lets us in."""
    kind: type[Database]
    require_driver(address)
    if address.kind == "postgresql":
        from lakewright.sources.database.postgres import PostgresDatabase as kind
    elif address.kind == "mysql":
        from lakewright.sources.database.mysql import MysqlDatabase as kind
    else:
        from lakewright.sources.database.sqlite import SqliteDatabase as kind
    database = kind(address, cursor, interrupts)
    try:
        yield database
    finally:
        database.close()


#: What each kind of database is read with, and the extra that brings it.
_DRIVERS = {
    "postgresql": (("psycopg", "adbc_driver_postgresql"), "postgres"),
    "mysql": (("pymysql",), "mysql"),
}


def require_driver(address: Address) -> None:
    """Raise LW226 unless what *address* is read with is installed."""
    modules, extra = _DRIVERS.get(address.kind, ((), ""))
    missing = [one for one in modules if find_spec(one) is None]
    if missing:
        raise DatabaseFault(
            "LW226",
            f"{address}: {' and '.join(missing)} is not installed",
            remedy=f"pip install 'lakewright[{extra}]'",
        )


def look(load: Load) -> Found:
    """Return what a load is going to read, as far as the database knows without reading."""
    dataset, position = load.dataset, _position(load)
    with open_database(load.address, load.cursor, load.interrupts) as database:
        what = relation(dataset, database.dialect, load.address)
        rows = database.estimate(what) if dataset.where is None else None
    if position is not None and position.cursor is not None:
        return Found(reason=f"read what is new by {dataset.cursor} since {position.cursor}")
    read = f"read {dataset.table}" if dataset.table else "run its query"
    return Found(reason=f"{read}, about {rows:,} rows" if rows is not None else read, rows=rows)


def take(load: Load, at: datetime | None = None) -> Taken:
    """Read the dataset of *load* and take what is new into raw as one batch; return what was done.

    Manifest and cursor are written last, in one transaction: after a crash at any point the next call
    reads the same rows again. Raises LW220 to LW225 for what the database or the dataset's settings do
    not allow, LW203 when columns changed and ``on_drift`` is fail; then nothing is taken.
    """
    at = at or now()
    with staging(load.store) as folder:
        with open_database(load.address, load.cursor, load.interrupts) as database:
            landed = _land(load, database, folder)
        files = _entries(load, landed, at)
        before = current_files(load.state, load.id)
        found = drift(schema_of(before.values(), load.dataset, load.cursor), files, load.cursor)
        if found and load.dataset.on_drift == "fail":
            raise refuse(load.id, found)
        if _nothing_new(landed, files, before):
            return Taken(load.id, 0, (), reject_table(()), unchanged=1, notes=landed.notes)
        for local, part in zip(landed.files, files[0].parts, strict=True):
            load.store.publish(local, part.path)
        replaced = [path for path in before if landed.whole and path != files[0].path]
        _record(load, files, replaced, landed.position)
    summary = _summary(files[0], landed)
    return Taken(
        load.id, files[0].batch, files, reject_table(()), tuple(found), notes=landed.notes, summary=summary
    )


def _record(
    load: Load, files: Sequence[RawFile], replaced: Sequence[str], position: CursorPosition | None
) -> None:
    def write(connection: sa.Connection) -> None:
        if position is not None:
            put_position(connection, position)

    load.state.ensure(database_positions)
    record(load.state, files, load.id, replaced=replaced, also=write)


def _land(load: Load, database: Database, folder: Path) -> _Landed:
    dataset = load.dataset
    what = relation(dataset, database.dialect, load.address)
    columns = chosen(load, database.columns(what))
    limit = condition(dataset.where, database.dialect, load.address) if dataset.where else None
    if dataset.deletes == "by_key" and any(one.name.lower() == OP for one in columns):
        raise DatabaseFault(
            "LW225", f"{load.id}: `deletes: by_key` adds a column {OP!r}, and there is one already"
        )
    reader = Reader(load, database, what, columns, limit)
    if dataset.load == "full":
        return _Landed(tuple(reader.slices(folder, dataset.slices)), True, notes=tuple(reader.notes))
    cursor = check_cursor(dataset, columns, database.dialect, load.id)
    position = _position(load)
    if position is not None and position.type != cursor.type:
        position = None
    files = list(current_files(load.state, load.id).values())
    if position is None or not files:
        parts = reader.slices(folder, dataset.slices)
        last, deleted, rows = None, None, parts
        if dataset.deletes == "by_key":
            rows = [_marked(load, one) for one in parts]
    else:
        since = start_of(load.cursor, position, dataset.lookback)
        given = [beyond(cursor, since, database.dialect)] if since is not None else []
        fetched = reader.read(folder / "fetched.parquet", given)
        keys = reader.keys(folder / "keys.parquet") if dataset.deletes == "by_key" else None
        schema = schema_of(files, dataset, load.cursor)
        before = reading(files, dataset, store=load.store, cursor=load.cursor, schema=schema)
        last = greatest(load.cursor, [fetched], cursor, position.cursor)
        deleted = changed_rows(
            load.cursor, dataset, fetched, keys, before, cursor, since, last, folder / "changed.parquet"
        )
        rows = [deleted.file]
    newest = greatest(load.cursor, rows, cursor, last)
    found = CursorPosition(load.id, 0, newest, cursor.type, settings_of_load(load))
    return _Landed(tuple(rows), position is None or not files, found, tuple(reader.notes), deleted)


def _marked(load: Load, file: Path) -> Path:
    """Add to the rows of a first load what was done to them, as to those of later ones."""
    marked = file.with_name(f"marked-{file.name}")
    query = exp.select("*", exp.alias_(exp.Literal.string("upsert"), OP, quoted=True)).from_(_parquet(file))
    target = exp.Literal.string(str(marked)).sql("duckdb")
    load.cursor.execute(f"COPY ({query.sql('duckdb')}) TO {target} (FORMAT parquet)")
    return marked


def _parquet(file: Path) -> exp.Table:
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[exp.Literal.string(str(file))]))


class Reader:
    """Reads rows of one relation into Parquet files; ``notes`` tell of values that no type could hold."""

    def __init__(
        self,
        load: Load,
        database: Database,
        what: exp.Expr,
        columns: Sequence[Column],
        limit: exp.Expr | None,
    ) -> None:
        self.load = load
        self.database = database
        self.what = what
        self.columns = columns
        self.limit = [limit] if limit is not None else []
        self.notes: list[str] = []

    def slices(self, folder: Path, count: int) -> list[Path]:
        """Read all rows, in up to *count* parts at the same time; return the parts' files."""
        conditions: list[list[exp.Expr]] = [[one] for one in self.database.slices(self.what, count)] or [[]]
        files = [folder / f"slice-{number:02}.parquet" for number in range(len(conditions))]

        def read(lenient: bool) -> None:
            with ThreadPoolExecutor(len(files)) as threads:
                done = [
                    threads.submit(self._read, file, given, self.columns, lenient)
                    for file, given in zip(files, conditions, strict=True)
                ]
                for one in done:
                    one.result()

        self._twice(read, [])
        return files

    def read(self, file: Path, given: Sequence[exp.Expr]) -> Path:
        """Read the rows that meet *given*."""
        self._twice(lambda lenient: self._read(file, given, self.columns, lenient), given)
        return file

    def keys(self, file: Path) -> Path:
        """Read the keys of all rows."""
        wanted = [one for one in self.columns if one.name in self.load.dataset.keys]
        self._read(file, [], wanted, False)
        return file

    def _twice(self, read: Callable[[bool], None], given: Sequence[exp.Expr]) -> None:
        """Read; where a value is none of its type, count such values and read again with null in their place."""
        try:
            read(False)
            return
        except duckdb.ConversionException as error:
            doubtful = [one for one in self.columns if one.refused is not None]
            if not doubtful:
                raise self._unreadable(error) from None
        sums = [exp.Sum(this=exp.Case().when(one.refused or exp.false(), 1).else_(0)) for one in doubtful]
        query = exp.select(*sums).from_(self.what.copy()).where(*self.limit, *given)
        try:
            read(True)
        except duckdb.ConversionException as error:
            raise self._unreadable(error) from None
        for one, number in zip(doubtful, self.database.count(query), strict=True):
            if number:
                many = "value that no {} holds was" if number == 1 else "values that no {} holds were"
                self.notes.append(f"{one.name}: {number:,} {many.format(one.type)} taken as null")

    def _unreadable(self, error: duckdb.Error) -> DatabaseFault:
        said = redact(str(error)).splitlines()[0]
        return DatabaseFault("LW223", f"{self.database.address}: reading {self.load.id}: {said}")

    def _read(self, file: Path, given: Sequence[exp.Expr], columns: Sequence[Column], lenient: bool) -> None:
        chosen = [exp.alias_(one.fetch.copy(), f"c{number}") for number, one in enumerate(columns)]
        query = exp.select(*chosen).from_(self.what.copy()).where(*self.limit, *given)
        self.database.land(query, columns, file, lenient=lenient)


def chosen(load: Load, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns that the dataset asks for; raises LW222 for one that is not there."""
    dataset = load.dataset
    known = [one.name for one in columns]
    asked = [*dataset.columns, *dataset.keys, *([dataset.cursor] if dataset.cursor else [])]
    for name in asked:
        if name not in known:
            what = dataset.table or "the query"
            raise DatabaseFault(
                "LW222", f"{load.address}: {what} has no column {name!r}{nearest(name, known)}"
            )
    by_name = {one.name: one for one in columns}
    return tuple(by_name[name] for name in dataset.columns) or columns


def _entries(load: Load, landed: _Landed, at: datetime) -> tuple[RawFile, ...]:
    """What the manifest says of the load: one entry, with a part for each slice."""
    batch = last_batch(load.state, load.id) + 1
    path = f"{load.name}.parquet" if load.dataset.load == "full" else f"{load.name}-{batch:08}.parquet"
    versions = [one.version for one in files_of(load.state, load.id, current=False) if one.path == path]
    version = max(versions, default=0) + 1
    day = f"year={at.year}/month={at.month}/day={at.day}"
    folder = f"{load.source_name}/{load.name}/{day}" + (f"/_v{version}" if version > 1 else "")
    parts = []
    for number, file in enumerate(landed.files):
        fields, rows = parquet_fields(str(file), load.cursor)
        member = f"slice-{number:02}.parquet" if len(landed.files) > 1 else ""
        place = f"{folder}/{path}/{member}" if member else f"{folder}/{path}"
        parts.append(Part(place, "parquet", fields, rows, member=member))
    entry = RawFile(
        dataset=load.id,
        batch=batch,
        path=path,
        version=version,
        size=sum(one.stat().st_size for one in landed.files),
        hash=_digest(load, landed.files),
        modified=at,
        rows=sum(one.rows for one in parts),
        rejected=0,
        raw_path=f"{folder}/{path}",
        format="parquet",
        parts=tuple(parts),
        change="changed" if version > 1 else "new",
        taken_at=at,
        run_id=load.run_id,
        settings=settings_of_load(load),
    )
    return (entry,)


def _digest(load: Load, files: Sequence[Path]) -> str:
    """What stands for the rows of *files*, whatever their order."""
    texts = [exp.Literal.string(str(one)) for one in files]
    scan = exp.Anonymous(this="read_parquet", expressions=[exp.Array(expressions=texts)])
    given = exp.Table(this=scan, alias=exp.TableAlias(this=exp.to_identifier("t")))
    rows = exp.select(exp.func("count", exp.Star()), "sum(hash(t))").from_(given)
    row = load.cursor.execute(rows.sql("duckdb")).fetchone() or (0, None)
    return f"rows:{row[0]}:{row[1] or 0:x}"


def _nothing_new(landed: _Landed, files: Sequence[RawFile], before: dict[str, RawFile]) -> bool:
    new = files[0]
    if not landed.whole:
        return new.rows == 0
    old = before.get(new.path)
    columns = [part.columns for part in new.parts]
    return (
        old is not None
        and (old.hash, old.settings) == (new.hash, new.settings)
        and old.parts[0].columns == columns[0]
    )


def _position(load: Load) -> CursorPosition | None:
    """The position of an incremental load, unless the dataset was declared otherwise when it was written."""
    found = position_of(load.state, load.id) if load.dataset.load == "incremental" else None
    return found if found is not None and found.settings == settings_of_load(load) else None


def settings_of_load(load: Load) -> str:
    """What stands for what the dataset reads: with another table, query, condition or cursor raw is loaded anew."""
    one = load.dataset
    address = load.address
    place = (address.kind, address.host, address.port, address.database)
    declared = (one.table, one.query, one.load, one.cursor, one.keys, one.deletes, one.where, one.columns)
    return hashlib.sha256(msgspec.json.encode((place, declared))).hexdigest()[:16]


def _summary(file: RawFile, landed: _Landed) -> str:
    if landed.whole:
        return f"{file.rows:,} rows, all there are"
    if landed.changes is None or not landed.changes.deleted:
        return f"{file.rows:,} new rows"
    return f"{file.rows - landed.changes.deleted:,} new rows, {landed.changes.deleted:,} gone"
