"""SQLite: a column has no type of its own, so the values that are there decide what it is in raw."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import duckdb
from sqlglot import exp

from lakewright.engine.extensions import load
from lakewright.sources.database.address import Address
from lakewright.sources.database.faults import fault
from lakewright.sources.database.model import (
    Column,
    Database,
    Interrupts,
    copy_to,
    explained,
    landing,
    named,
    quoted,
)

__all__ = ["SqliteDatabase"]

_CLASSES = ("integer", "real", "text", "blob")
_TABLES = "SELECT '', name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 2"


class SqliteDatabase(Database):
    """A read transaction: writers in WAL mode go on, others wait for it to end."""

    dialect = "sqlite"

    def __init__(self, address: Address, cursor: duckdb.DuckDBPyConnection, interrupts: Interrupts) -> None:
        super().__init__(address, cursor, interrupts)
        self._name = f"_sqlite_{secrets.token_hex(6)}"
        self._reader = cursor.cursor()
        self.interrupts.callbacks.append(self._reader.interrupt)
        try:
            if not Path(address.database).is_file():
                raise sqlite3.OperationalError("unable to open database file: it does not exist")
            self._control = sqlite3.connect(
                f"file:{quote(address.database)}?mode=ro", uri=True, timeout=15, isolation_level=None
            )
            # the first read begins the moment; both connections see the file as it is then
            self._control.execute("BEGIN")
            self._control.execute("SELECT count(*) FROM sqlite_master").fetchone()
            load(self._reader, "sqlite_scanner")
            file = exp.Literal.string(address.database).sql("duckdb")
            self._reader.execute(f"ATTACH {file} AS {self._name} (TYPE sqlite, READ_ONLY)")
            self._reader.execute("BEGIN")
        except (sqlite3.Error, duckdb.Error) as error:
            self.close()
            raise fault(error, address, "connecting") from error

    def columns(self, what: exp.Expr) -> tuple[Column, ...]:
        try:
            query = exp.select("*").from_(what.copy()).limit(0)
            done = self._control.execute(query.sql("sqlite"))
            found = [str(one[0]) for one in done.description or ()]
            names = named(found)
            seen = [
                exp.func("sum", exp.func("typeof", quoted(one)).eq(exp.Literal.string(kind)))
                for one in found
                for kind in _CLASSES
            ]
            counts: list[int] = []
            for start in range(0, len(seen), 400):  # SQLite has at most 2,000 columns, with margin
                counted = exp.select(*seen[start : start + 400]).from_(what.copy())
                counts += [int(one or 0) for one in self._control.execute(counted.sql("sqlite")).fetchone()]
        except sqlite3.Error as error:
            raise fault(error, self.address, "looking at the columns") from error
        declared = self._declared(what)
        return tuple(
            _column(
                source,
                name,
                {kind for kind, number in zip(_CLASSES, counts[4 * at : 4 * at + 4], strict=True) if number},
                declared.get(source, ""),
            )
            for at, (source, name) in enumerate(zip(found, names, strict=True))
        )

    def _declared(self, what: exp.Expr) -> dict[str, str]:
        if not isinstance(what, exp.Table):
            return {}
        query = "SELECT name, type FROM pragma_table_info(?)"
        return dict(self._control.execute(query, [what.name]).fetchall())

    def land(
        self, query: exp.Select, columns: Sequence[Column], file: Path, *, lenient: bool = False
    ) -> None:
        texts = [exp.Literal.string(self._name), exp.Literal.string(query.sql("sqlite"))]
        given = exp.Table(this=exp.Anonymous(this="sqlite_query", expressions=texts))
        with explained(self.address, "reading"):
            self._reader.execute(copy_to(landing(columns, given, lenient=lenient), file))

    def count(self, query: exp.Select) -> list[int]:
        try:
            row = self._control.execute(query.sql("sqlite")).fetchone()
        except sqlite3.Error as error:
            raise fault(error, self.address, "counting") from error
        return [int(one or 0) for one in row or ()]

    def tables(self) -> list[tuple[str, str]]:
        return [(str(schema), str(table)) for schema, table in self._control.execute(_TABLES).fetchall()]

    def estimate(self, what: exp.Expr) -> int | None:
        return None  # nobody keeps count

    def key_of(self, what: exp.Table) -> tuple[str, ...]:
        rows = self._control.execute("SELECT name, pk FROM pragma_table_info(?)", [what.name]).fetchall()
        return tuple(str(name) for name, place in sorted(rows, key=lambda one: one[1]) if place)

    def close(self) -> None:
        with suppress(AttributeError, sqlite3.Error):
            self._control.close()
        for statement in ("ROLLBACK", f"DETACH {self._name}"):
            with suppress(duckdb.Error):
                self._reader.execute(statement)
        with suppress(ValueError, duckdb.Error):
            self.interrupts.callbacks.remove(self._reader.interrupt)
            self._reader.close()


def _column(source: str, name: str, seen: set[str], declared: str) -> Column:
    """Whole numbers, numbers, bytes, or text, whichever holds every value that is there.

    Where there is none, and for numbers that all happen to be whole, the *declared* type decides, by the
    rules of SQLite for the affinity of a column.
    """
    asked = quoted(source)
    kind = _affinity(declared)
    if not seen:
        seen = {kind}
    if seen == {"integer"} and kind != "real":
        return Column(source, name, "integer", "BIGINT", asked, lambda value: exp.cast(value, "BIGINT"))
    if seen <= {"integer", "real"}:
        return Column(
            source, name, "real", "DOUBLE", _exactly(asked), lambda value: exp.cast(value, "DOUBLE")
        )
    if seen == {"blob"}:
        return Column(source, name, "blob", "BLOB", _hex(asked), lambda value: exp.func("unhex", value))
    if "blob" in seen:
        return Column(source, name, "text", "VARCHAR", _hex(asked).else_(_exactly(asked)))
    return Column(source, name, "text", "VARCHAR", _exactly(asked))


def _affinity(declared: str) -> str:
    text = declared.upper()
    if "INT" in text:
        return "integer"
    if any(one in text for one in ("REAL", "FLOA", "DOUB", "DEC", "NUM")):
        return "real"
    return "blob" if "BLOB" in text else "text"


def _exactly(asked: exp.Expr) -> exp.Expr:
    """A value as text; 17 digits bring every double back as it was."""
    digits = exp.Anonymous(this="printf", expressions=[exp.Literal.string("%!.17g"), asked.copy()])
    return _when(asked, "real", digits).else_(exp.cast(asked.copy(), "text", dialect="sqlite"))


def _hex(asked: exp.Expr) -> exp.Case:
    return _when(asked, "blob", exp.Anonymous(this="hex", expressions=[asked.copy()]))


def _when(asked: exp.Expr, kind: str, value: exp.Expr) -> exp.Case:
    return exp.Case().when(exp.func("typeof", asked.copy()).eq(exp.Literal.string(kind)), value)
