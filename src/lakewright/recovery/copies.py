"""Copies of the databases, the lake's catalog and the state, as each was at one moment, while others write to them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from lakewright.errors import LakewrightError, UsageError
from lakewright.lake.sealed import LakeKeys, SealedCatalog, sealed_catalog
from lakewright.recovery.rooms import table_names
from lakewright.spec.project import Lake

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "Ask",
    "Database",
    "attachable",
    "catalog_of",
    "copy",
    "put_back",
    "reading",
    "require_key",
    "set_data_path",
    "state_of",
]

#: Runs a query on a copy and returns its rows.
Ask = Callable[[str], list[tuple[Any, ...]]]

_CHUNK = 1 << 20


class Database:
    """A database of a project: a SQLite ``file``, tables of a PostgreSQL database at ``address``, or a catalog that is ``sealed``.

    ``like`` chooses the tables in PostgreSQL: the names that it matches (SQL's LIKE), or ``names``.
    """

    def __init__(
        self,
        what: str,
        *,
        file: Path | None = None,
        address: str = "",
        like: str = "",
        names: Sequence[str] = (),
        sealed: SealedCatalog | None = None,
    ) -> None:
        self.what = what
        there = sealed.current() if sealed is not None else None
        self.file = file if sealed is None else there.path if there else sealed.base
        self.sealed = sealed
        self.address = address
        self.like = like
        self.names = tuple(names)

    @property
    def kind(self) -> Literal["sqlite", "postgresql", "duckdb"]:
        """``sqlite``, ``postgresql``, or ``duckdb`` for an encrypted catalog."""
        if self.sealed is not None:
            return "duckdb"
        return "sqlite" if self.file is not None else "postgresql"

    @property
    def packed(self) -> str:
        """The name of its copy in a backup."""
        if self.sealed is not None and self.file is not None:
            return self.file.name
        return f"{self.what}.sqlite" if self.file is not None else f"{self.what}.postgresql.zip"


def catalog_of(lake: Lake, root: Path, keys: LakeKeys, resolve: Callable[[str], str]) -> Database:
    """Return the database of a DuckLake's catalog."""
    if (sealed := sealed_catalog(lake, root, keys, resolve=resolve)) is not None:
        return Database("catalog", sealed=sealed)
    kind, _, rest = lake.catalog_place.partition(":")
    if kind == "sqlite":
        return Database("catalog", file=(root / resolve(rest)).resolve())
    address = resolve(rest)
    if address.startswith("//"):
        address = f"postgresql:{address}"
    return Database("catalog", address=address, like=r"ducklake\_%")


def state_of(state: str, root: Path, resolve: Callable[[str], str]) -> Database:
    """Return the state database, as ``state`` names it."""
    address = resolve(state)
    if address.startswith("sqlite:"):
        return Database("state", file=root / address.removeprefix("sqlite:"))
    if address.startswith("postgres://"):
        address = address.replace("postgres://", "postgresql://", 1)
    return Database("state", address=address, names=table_names())


# --- making a copy --------------------------------------------------------------------------------


def copy(database: Database, target: Path) -> Path:
    """Write a copy of *database*, as it is at one moment, into the folder *target*; return the file.

    Nobody waits for it and it waits for nobody. Raises LW432 when the database is damaged or gone.
    """
    file = target / database.packed
    if database.sealed is not None and database.sealed.current() is not None:
        return database.sealed.copy(target)
    if database.file is None:
        with (
            _postgres(database.address) as connection,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out,
        ):
            _dump(connection, database, out)
        return file
    if not database.file.is_file():
        raise LakewrightError(
            "LW432", f"the {database.what} {database.file} is gone, or nothing was built yet"
        )
    try:
        with (
            contextlib.closing(_sqlite(database.file)) as source,
            contextlib.closing(sqlite3.connect(file)) as out,
        ):
            # all pages in one step: with several, each commit of another process would start it anew
            source.backup(out, pages=-1)
            out.execute("PRAGMA journal_mode=DELETE")
            found = out.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise LakewrightError("LW432", f"the {database.what} {database.file} is damaged: {error}") from None
    if found != "ok":
        raise LakewrightError("LW432", f"the {database.what} {database.file} is damaged: {found}")
    return file


@contextmanager
def reading(copied: Path, of: Database | None = None) -> Iterator[Ask]:
    """Ask a copy that :func:`copy` made, in SQL that SQLite understands; *of* is what it is of, when it may be sealed."""
    if of is not None and of.sealed is not None:
        with of.sealed.attached(copied, read_only=True) as (connection, name):
            connection.execute(f"USE {name}")
            yield lambda sql: connection.execute(sql).fetchall()
            connection.execute("USE memory")
        return
    with contextlib.closing(
        sqlite3.connect(":memory:") if copied.suffix == ".zip" else _sqlite(copied)
    ) as found:
        if copied.suffix == ".zip":
            _load_into_sqlite(copied, found)
        yield lambda sql: found.execute(sql).fetchall()


def _sqlite(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=30)


# --- PostgreSQL: one transaction that sees one moment, in files that any PostgreSQL takes ------------

_TABLES = """
    SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = current_schema() AND (c.relname LIKE %s OR c.relname = ANY(%s))
    ORDER BY c.relname
"""
_COLUMNS = """
    SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_CONSTRAINTS = """
    SELECT conname, pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint
    WHERE conrelid = %s AND contype IN ('p', 'u', 'c', 'f') ORDER BY conname
"""
_INDEXES = """
    SELECT pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) FROM pg_catalog.pg_index i
    WHERE i.indrelid = %s AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid)
    ORDER BY 1
"""


@contextmanager
def _postgres(address: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    try:
        with psycopg.connect(address) as connection:
            yield connection
    except psycopg.OperationalError as error:
        # its text may hold the address with a password
        raise LakewrightError(
            "LW432",
            f"PostgreSQL cannot be reached: {type(error).__name__}",
            remedy="check the address and the server",
        ) from None


def _dump(connection: psycopg.Connection[Any], database: Database, out: zipfile.ZipFile) -> None:
    from psycopg import IsolationLevel, sql

    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    tables = []
    found = connection.execute(_TABLES, (database.like or "", list(database.names))).fetchall()
    if not found:
        raise LakewrightError("LW432", f"the {database.what} has no tables in its PostgreSQL database")
    for number, (oid, name) in enumerate(found):
        columns = connection.execute(_COLUMNS, (oid,)).fetchall()
        tables.append(
            {
                "name": name,
                "file": f"{number:04}.copy",
                "columns": [
                    {
                        "name": column,
                        "type": kind,
                        "required": required,
                        # a number of PostgreSQL's own: it is made anew from the largest that there is
                        "counts": bool(identity) or str(default or "").startswith("nextval("),
                        "default": "" if str(default or "").startswith("nextval(") else default or "",
                    }
                    for column, kind, required, default, identity in columns
                ],
                "constraints": [list(row) for row in connection.execute(_CONSTRAINTS, (oid,))],
                "indexes": [row[0] for row in connection.execute(_INDEXES, (oid,))],
            }
        )
        statement = sql.SQL("COPY {} ({}) TO STDOUT").format(
            sql.Identifier(name), sql.SQL(", ").join(sql.Identifier(row[0]) for row in columns)
        )
        with (
            out.open(f"{number:04}.copy", "w", force_zip64=True) as file,
            connection.cursor() as cursor,
            cursor.copy(statement) as rows,
        ):
            for chunk in rows:
                file.write(chunk)
    out.writestr("schema.json", json.dumps({"format": 1, "tables": tables}, indent=1))


def _load_into_sqlite(packed: Path, target: sqlite3.Connection) -> None:
    """Load the tables of a dump into SQLite, as text and numbers, to be asked."""
    with zipfile.ZipFile(packed) as found:
        for one in json.loads(found.read("schema.json"))["tables"]:
            names = ", ".join(_quoted(column["name"]) for column in one["columns"])
            # affinity NUMERIC turns the text of numbers into numbers and leaves other text alone
            kinds = [
                "NUMERIC" if column["type"] in ("bigint", "integer", "smallint") else "TEXT"
                for column in one["columns"]
            ]
            made = ", ".join(
                f"{_quoted(column['name'])} {kind}"
                for column, kind in zip(one["columns"], kinds, strict=True)
            )
            table = _quoted(one["name"])
            target.execute(f"CREATE TABLE {table} ({made})")
            marks = ", ".join("?" for _ in one["columns"])
            with found.open(one["file"]) as lines:
                target.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({marks})",
                    (_fields(line.decode()) for line in lines),
                )


def _fields(line: str) -> list[str | None]:
    r"""The values of a line of COPY's text format: tabs between, ``\N`` for null, backslash before what is special."""
    fields = line.rstrip("\n").split("\t")
    return [None if one == r"\N" else _unescaped(one) for one in fields]


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    parts = iter(text)
    return "".join(_ESCAPES.get(after := next(parts), after) if one == "\\" else one for one in parts)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- putting a copy back --------------------------------------------------------------------------


def put_back(database: Database, copied: Path, aside: Path) -> str:
    """Put a copy in the place of *database*; return where what was there is now, "" when nothing was.

    A SQLite file that is there goes to the folder *aside*, tables of PostgreSQL into a schema of the
    name of that folder, in one transaction with the new ones. Called again after a crash it ends the same.
    """
    if database.sealed is not None:
        return _put_back_sealed(database.sealed, copied, aside)
    if (copied.suffix == ".zip") != (database.file is None):
        raise UsageError(
            "LW435",
            f"the backup's {database.what} is of another kind of database than the project's, {database.kind}",
            remedy="recover with a target of the same kind, or change lakewright.yaml back",
        )
    if database.file is None:
        with _postgres(database.address) as connection:
            return _load(connection, database, copied, _schema_name(aside))
    moved = ""
    for suffix in ("", "-wal", "-shm", "-journal"):
        there = database.file.with_name(database.file.name + suffix)
        kept = aside / there.name
        # after a crash what is there may be ours already: the first that was moved is the one to keep
        if there.exists() and not kept.exists():
            aside.mkdir(parents=True, exist_ok=True)
            shutil.move(there, kept)
            moved = moved or str(kept)
        elif there.exists() and suffix:
            there.unlink()
    database.file.parent.mkdir(parents=True, exist_ok=True)
    beside = database.file.with_name(f".{database.file.name}.recovering")
    shutil.copyfile(copied, beside)
    with beside.open("rb+") as stream:
        os.fsync(stream.fileno())
    beside.replace(database.file)
    return moved or (str(aside / database.file.name) if (aside / database.file.name).exists() else "")


def _put_back_sealed(sealed: SealedCatalog, copied: Path, aside: Path) -> str:
    moved = ""
    for one in sealed.generations():
        aside.mkdir(parents=True, exist_ok=True)
        for file in (one.path, Path(f"{one.path}.wal")):
            if file.exists():
                shutil.move(file, aside / file.name)
        moved = str(aside / one.path.name)
    sealed.base.parent.mkdir(parents=True, exist_ok=True)
    beside = sealed.base.with_name(f".{copied.name}.recovering")
    shutil.copyfile(copied, beside)
    with beside.open("rb+") as stream:
        os.fsync(stream.fileno())
    beside.replace(sealed.base.with_name(copied.name))
    return moved


def require_key(database: Database, copied: Path) -> None:
    """Raise LW802 or LW832 when a copy of a sealed catalog cannot be opened; others need no key."""
    if database.sealed is not None:
        with database.sealed.attached(copied, read_only=True):
            pass


def _schema_name(aside: Path) -> str:
    return aside.name.replace("-", "_").lower()[:60]


def _load(connection: psycopg.Connection[Any], database: Database, copied: Path, schema: str) -> str:
    from psycopg import sql

    moved = False
    with connection.transaction(), zipfile.ZipFile(copied) as found:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        for _, name in connection.execute(_TABLES, (database.like or "", list(database.names))).fetchall():
            kept = connection.execute(
                "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = %s", (schema, name)
            ).fetchone()
            change = (
                sql.SQL("DROP TABLE {table} CASCADE")
                if kept
                else sql.SQL("ALTER TABLE {table} SET SCHEMA {schema}")
            )
            connection.execute(change.format(table=sql.Identifier(name), schema=sql.Identifier(schema)))
            moved = True
        _fill(connection, found)
        if not moved:
            connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))
    return f"schema {schema}" if moved else ""


def _fill(connection: psycopg.Connection[Any], found: zipfile.ZipFile) -> None:
    """Make the tables of a dump in the current schema."""
    from psycopg import sql

    tables = json.loads(found.read("schema.json"))["tables"]
    for one in tables:
        _make(connection, one, found)
    # what refers to a key comes when all keys are there
    constraints = [(one["name"], *pair) for one in tables for pair in one["constraints"]]
    for table, name, definition in sorted(constraints, key=lambda one: one[2].startswith("FOREIGN KEY")):
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
    for definition in [each for one in tables for each in one["indexes"]]:
        connection.execute(sql.SQL(definition))


def _make(connection: psycopg.Connection[Any], one: dict[str, Any], found: zipfile.ZipFile) -> None:
    from psycopg import sql

    table = sql.Identifier(one["name"])
    columns = []
    for column in one["columns"]:
        parts = [sql.Identifier(column["name"]), sql.SQL(column["type"])]
        if column["counts"]:
            parts.append(sql.SQL("GENERATED BY DEFAULT AS IDENTITY"))
        if column["default"]:
            parts.append(sql.SQL("DEFAULT {}").format(sql.SQL(column["default"])))
        if column["required"]:
            parts.append(sql.SQL("NOT NULL"))
        columns.append(sql.SQL(" ").join(parts))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(columns)))
    names = sql.SQL(", ").join(sql.Identifier(column["name"]) for column in one["columns"])
    with (
        found.open(one["file"]) as file,
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)) as rows,
    ):
        while chunk := file.read(_CHUNK):
            rows.write(chunk)
    for column in one["columns"]:
        if column["counts"]:
            connection.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence({name}, {column}), coalesce(max({identifier}), 0) + 1, false) "
                    "FROM {table}"
                ).format(
                    name=sql.Literal(f'"{one["name"]}"'),
                    column=sql.Literal(column["name"]),
                    identifier=sql.Identifier(column["name"]),
                    table=table,
                )
            )


def set_data_path(database: Database, path: str) -> None:
    """Make a catalog remember *path*, with ``/`` at its end, as the folder of its tables."""
    statement = "UPDATE ducklake_metadata SET value = {} WHERE key = 'data_path'"
    if database.sealed is not None:
        there = database.sealed.current()
        assert there is not None
        with database.sealed.attached(there.path) as (connection, name):
            connection.execute(f"USE {name}")
            connection.execute(statement.format("?"), [path])
            connection.execute("USE memory")
        return
    if database.file is None:
        with _postgres(database.address) as connection:
            connection.execute(statement.format("%s"), (path,))
        return
    with contextlib.closing(sqlite3.connect(database.file)) as found, found:
        found.execute(statement.format("?"), (path,))


@contextmanager
def attachable(database: Database, copied: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Make a copy of a catalog something that DuckLake attaches; yield its address and options.

    A copy of PostgreSQL's tables is loaded into a schema of its own beside the catalog, dropped in the end.
    """
    if database.sealed is not None:
        yield f"duckdb:{copied}", {"META_ENCRYPTION_KEY": database.sealed.secret_of(copied)}
        return
    if copied.suffix != ".zip":
        yield f"sqlite:{copied}", {}
        return
    from psycopg import sql

    schema = f"lakewright_copy_{secrets.token_hex(4)}"
    with _postgres(database.address) as connection, zipfile.ZipFile(copied) as found:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
        _fill(connection, found)
    try:
        yield f"postgres:{database.address}", {"META_SCHEMA": schema}
    finally:
        with _postgres(database.address) as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
