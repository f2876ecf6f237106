"""What every kind of database gives: its columns, its rows as Parquet, one moment of its data."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from lakewright.errors import LakewrightError
from lakewright.sources.database.address import Address
from lakewright.sources.database.faults import DatabaseFault, fault
from lakewright.sources.dialect import clean_names
from lakewright.spec.databases import DatabaseDataset
from lakewright.sql.names import identifier

__all__ = [
    "Column",
    "Database",
    "Interrupts",
    "condition",
    "copy_to",
    "explained",
    "landing",
    "named",
    "quoted",
    "relation",
    "table_parts",
]

Value = Callable[[exp.Expr], exp.Expr]


def _same(value: exp.Expr) -> exp.Expr:
    return value


@dataclass(frozen=True)
class Column:
    """A column of what is read.

    ``source`` is its name in the database, ``name`` the one in raw, ``kind`` its type as the database calls it
    and ``type`` DuckDB's type in raw. ``fetch`` is what the database is asked for, ``value`` what DuckDB makes
    of the answer. ``lenient`` does the same for a column with values that the type does not hold, which
    become null; ``refused`` is the database's condition for these.
    """

    source: str
    name: str
    kind: str
    type: str
    fetch: exp.Expr
    value: Value = _same
    lenient: Value | None = None
    refused: exp.Expr | None = None


@dataclass
class Interrupts:
    """What stops the reading that goes on, called from another thread."""

    callbacks: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self) -> None:
        for one in list(self.callbacks):
            one()

    @contextmanager
    def during(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have *callback* among them while the block runs."""
        self.callbacks.append(callback)
        try:
            yield
        finally:
            self.callbacks.remove(callback)


@contextmanager
def explained(address: Address, doing: str) -> Iterator[None]:
    """Raise what DuckDB says about the database as a coded error; a value of the wrong type is the caller's."""
    try:
        yield
    except (duckdb.ConversionException, duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        raise fault(error, address, doing) from error


class Database(ABC):
    """One moment of a database: everything that is read through it belongs to the same state of its data.

    That is so for PostgreSQL, for MySQL's InnoDB and for SQLite. ``cursor`` runs the statements of DuckDB.
    """

    dialect: str

    def __init__(self, address: Address, cursor: duckdb.DuckDBPyConnection, interrupts: Interrupts) -> None:
        self.address = address
        self.cursor = cursor
        self.interrupts = interrupts

    @abstractmethod
    def columns(self, what: exp.Expr) -> tuple[Column, ...]:
        """Return the columns of the relation *what*."""

    @abstractmethod
    def land(
        self, query: exp.Select, columns: Sequence[Column], file: Path, *, lenient: bool = False
    ) -> None:
        """Write the rows of *query*, which gives the ``fetch`` of *columns* as ``c0``, ``c1``, …, to a Parquet *file*."""

    @abstractmethod
    def count(self, query: exp.Select) -> list[int]:
        """Return the numbers of the one row of *query*."""

    @abstractmethod
    def tables(self) -> list[tuple[str, str]]:
        """Return (schema, table) of every table and view that holds data of users; schema "" where there are none."""

    @abstractmethod
    def estimate(self, what: exp.Expr) -> int | None:
        """Return about how many rows a table has, without reading it; None when nobody knows."""

    @abstractmethod
    def key_of(self, what: exp.Table) -> tuple[str, ...]:
        """Return the columns of a table's primary key; none for a view."""

    def slices(self, what: exp.Expr, count: int) -> list[exp.Expr]:
        """Return conditions that cut a table into up to *count* parts; none when it cannot be cut."""
        return []

    @abstractmethod
    def close(self) -> None:
        """End the moment and the connections."""


def relation(dataset: DatabaseDataset, dialect: str, address: Address) -> exp.Expr:
    """Return the table or the query of *dataset* as a relation called ``_source``. Raises LW224 for no query."""
    if dataset.table is not None:
        parts = [exp.to_identifier(part, quoted=True) for part in reversed(table_parts(dataset.table))]
        names = dict(zip(("this", "db", "catalog"), parts, strict=False))
        return exp.Table(**names, alias=exp.TableAlias(this=exp.to_identifier("_source")))
    trees = _parsed(dataset.query or "", dialect, address)
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise DatabaseFault("LW224", f"{address}: `query` is to be one SELECT")
    return trees[0].subquery("_source")


def condition(text: str, dialect: str, address: Address) -> exp.Expr:
    """Return the ``where`` of a dataset as a condition. Raises LW224 for what is none."""
    trees = _parsed(f"SELECT 1 WHERE {text}", dialect, address)
    where = trees[0].args.get("where") if len(trees) == 1 and trees[0] is not None else None
    if (
        where is None
        or not isinstance(trees[0], exp.Select)
        or set(_given(trees[0])) - {"expressions", "where"}
    ):
        raise DatabaseFault("LW224", f"{address}: `where` is to be one condition")
    return exp.paren(where.this, copy=False)


def table_parts(text: str) -> list[str]:
    """Return the parts of ``schema.table``, names exactly as written; a part in double quotes may hold dots."""
    found = re.findall(r'"((?:[^"]|"")+)"|([^".]+)', text)
    return [(one.replace('""', '"') or other) for one, other in found]


def quoted(name: str) -> exp.Column:
    """The column *name* of what is read."""
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier("_source"))


def named(found: Sequence[str]) -> tuple[str, ...]:
    """Return the names in raw of columns called *found*. Raises LW225 when there is none or two are the same."""
    if not found:
        raise LakewrightError("LW225", "it has no columns")
    twice = sorted({name for name in found if list(found).count(name) > 1})
    if twice:
        raise LakewrightError("LW225", f"two of its columns are called {twice[0]!r}")
    return clean_names(found)


def landing(columns: Sequence[Column], given: str | exp.Expr, *, lenient: bool) -> exp.Select:
    """Return DuckDB's query that gives *columns* of raw from the relation *given* with ``c0``, ``c1``, …."""
    chosen = []
    for number, one in enumerate(columns):
        make = one.lenient if lenient and one.lenient is not None else one.value
        chosen.append(exp.alias_(make(exp.column(f"c{number}")), identifier(one.name)))
    return exp.select(*chosen).from_(given)


def copy_to(query: exp.Expr, file: Path) -> str:
    """Return the statement that writes *query* to a Parquet *file*.

    The order of a table's rows means nothing, and keeping it would keep rows in memory until their turn.
    """
    target = exp.Literal.string(str(file)).sql("duckdb")
    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PRESERVE_ORDER false"
    return f"COPY ({query.sql('duckdb')}) TO {target} ({options})"


def _given(tree: exp.Expr) -> list[str]:
    return [name for name, value in tree.args.items() if value]


def _parsed(text: str, dialect: str, address: Address) -> list[exp.Expr | None]:
    try:
        return list(parse(text, dialect=dialect))
    except SqlglotError as error:
        first = str(error).splitlines()[0]
        raise DatabaseFault("LW224", f"{address}: the SQL cannot be parsed: {first}") from None
