"""Survey a database for ``init --from``: which tables there are, and what each column holds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.lake.raw import LocalStore
from lakewright.project.draft_database import TableSource
from lakewright.project.draft_guess import DraftTable
from lakewright.sources.columnar import parquet_fields
from lakewright.sources.database.address import address_of
from lakewright.sources.database.load import open_database
from lakewright.sources.database.model import Database, Interrupts, relation
from lakewright.sources.drift import schema_of
from lakewright.sources.grouping import Group
from lakewright.sources.manifest import Part, RawFile
from lakewright.sources.profile_keys import link_tables
from lakewright.sources.profile_table import Survey, describe_table
from lakewright.sources.read import reading
from lakewright.spec.databases import DatabaseDataset
from lakewright.sql.names import snake_case
from lakewright.state import now

__all__ = ["SAMPLE", "Surveyed", "survey_database"]

#: How many rows of a table are looked at; in those of a larger one, what looks like a rule may be chance.
SAMPLE = 100_000


@dataclass(frozen=True)
class Surveyed:
    """The tables of a database as drafts, how each is read, and those left out, with reasons."""

    tables: tuple[DraftTable, ...]
    sources: tuple[TableSource, ...]
    skipped: tuple[tuple[str, str], ...]


def survey_database(
    connection: str,
    *,
    tables: Sequence[str] = (),
    exclude: Sequence[str] = (),
    root: Path,
    resolve: Callable[[str], str] = str,
) -> Surveyed:
    """Look at the tables of the database at *connection* whose ``schema.table`` fits one of the patterns *tables*.

    Without patterns they are all taken; those that fit *exclude* are left out. At most :data:`SAMPLE` rows of
    each are read. Raises LW220 to LW224 where the database does not answer or let us in.
    """
    address = address_of(connection, root=root, resolve=resolve)
    skipped: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="lakewright-") as folder, _engine(folder) as cursor:
        found = Survey([], [])
        sources = []
        with open_database(address, cursor, Interrupts()) as database:
            wanted = [one for one in database.tables() if _wanted(one, tables, exclude)]
            for (schema, table), name in zip(wanted, _names(wanted), strict=True):
                try:
                    source = _read(database, schema, table, name, Path(folder), cursor)
                except LakewrightError as error:
                    skipped.append((table, error.problem.message))
                    continue
                sources.append(source)
        for source in sources:
            _describe(found, source.name, Path(folder), cursor)
        link_tables(found.drafts, cursor)
        drafts = [_with_count(one.table, source) for one, source in zip(found.drafts, sources, strict=True)]
    return Surveyed(tuple(drafts), tuple(sources), tuple(skipped))


def _engine(folder: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for setting in (
        "python_enable_replacements = false",
        "enable_progress_bar = false",
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
    ):
        connection.execute(f"SET {setting}")
    connection.execute(f"SET temp_directory = '{folder}/spill'")
    return connection


def _wanted(place: tuple[str, str], tables: Sequence[str], exclude: Sequence[str]) -> bool:
    schema, table = place
    texts = [f"{schema}.{table}", *([table] if not schema else [])]

    def fits(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)

    return (not tables or fits(tables)) and not fits(exclude)


def _names(places: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names for datasets: the table's; with its schema where two schemas have one, with a number where need be."""
    plain = [snake_case(table)[:50] for _, table in places]
    seen: set[str] = set()
    for (schema, _), name in zip(places, plain, strict=True):
        wide = f"{snake_case(schema)}_{name}"[:60] if plain.count(name) > 1 and schema else name
        made, number = wide, 1
        while made in seen:
            number += 1
            made = f"{wide}_{number}"
        seen.add(made)
        yield made


def _read(
    database: Database, schema: str, table: str, name: str, folder: Path, cursor: duckdb.DuckDBPyConnection
) -> TableSource:
    written = ".".join(_spelled(part) for part in (schema, table) if part)
    what = relation(DatabaseDataset(table=written), database.dialect, database.address)
    columns = database.columns(what)
    chosen = [exp.alias_(one.fetch.copy(), f"c{number}") for number, one in enumerate(columns)]
    query = exp.select(*chosen).from_(what.copy()).limit(SAMPLE)
    file = folder / f"{name}.parquet"
    try:
        database.land(query, columns, file)
    except duckdb.ConversionException:
        database.land(query, columns, file, lenient=True)
    _, rows = parquet_fields(str(file), cursor)
    estimate = database.estimate(what) if rows == SAMPLE else rows
    key = database.key_of(what) if isinstance(what, exp.Table) else ()
    times = [one.name for one in columns if one.type.startswith("TIMESTAMP") or database.dialect == "sqlite"]
    return TableSource(name, written, key, times, estimate, whole=rows < SAMPLE)


def _spelled(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part


def _describe(found: Survey, name: str, folder: Path, cursor: duckdb.DuckDBPyConnection) -> None:
    path = f"{name}.parquet"
    fields, rows = parquet_fields(str(folder / path), cursor)
    at = now()
    file = RawFile(
        dataset=f"raw.{name}", batch=1, path=path, version=1, size=0, hash="", modified=at, rows=rows, rejected=0,
        raw_path=path, format="parquet", parts=(Part(path, "parquet", fields, rows),), change="new", taken_at=at,
    )  # fmt: skip
    dataset = DatabaseDataset(table=name)
    schema = schema_of([file], dataset, cursor)
    read = reading([file], dataset, store=LocalStore(folder), cursor=cursor, schema=schema)
    group = Group(name, (path,), (path,))
    found.drafts.append(describe_table(group, read, "parquet", f"_table_{len(found.drafts)}", cursor))


def _with_count(table: DraftTable, source: TableSource) -> DraftTable:
    if source.whole:
        return table
    about = f", of about {source.rows:,}" if source.rows is not None else ""
    note = f"guessed from {SAMPLE:,} rows{about}: check what is said of keys and of references"
    return replace(table, notes=(*table.notes, note))
