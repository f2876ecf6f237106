"""Rows of a query and of a dataset, in every form that programs and notebooks want."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lakewright.app import catalog as _catalog
from lakewright.app.platform import Platform
from lakewright.app.query import Params, query
from lakewright.app.rows import Result, form_of, write_result
from lakewright.app.text import lines_of, shown
from lakewright.errors import UsageError
from lakewright.sql.names import identifier, split_id

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

    from lakewright.catalog.entries import Entry

__all__ = ["AsOf", "Rows", "Table", "one_of"]

#: A snapshot's number, or a time.
AsOf = str | int | datetime | None


@contextmanager
def installed(package: str) -> Iterator[None]:
    """Raise LW904 with what to install when *package* is missing."""
    try:
        yield
    except ImportError:
        raise UsageError("LW904", f"{package} is not installed", remedy=f"pip install {package}") from None


def one_of(what: str, given: str, known: Sequence[str]) -> str:
    """Return *given*, a value of the parameter *what*. Raises LW904 when it is none of *known*."""
    if given not in known:
        raise UsageError("LW904", f"{what} is {', '.join(known)}, not {given!r}")
    return given


class Rows:
    """The result of a query, run anew by each method that fetches it."""

    def __init__(self, platform: Platform, sql: str, params: Params, as_of: AsOf) -> None:
        self._platform = platform
        self._sql = sql
        self._params = params if params is None or isinstance(params, Mapping) else list(params)
        self._as_of = as_of

    def _query(self, sql: str | None = None) -> AbstractContextManager[Result]:
        return query(self._platform, sql or self._sql, params=self._params, as_of=self._as_of)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        with self._query() as result:
            return list(result.columns)

    def count(self) -> int:
        """Return the number of rows."""
        with self._query(f"SELECT count(*) FROM ({self._sql.strip().rstrip(';')}\n)") as result:
            return int(result.fetchall()[0][0])

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows as tuples."""
        with self._query() as result:
            return result.fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row as a tuple, None when there is none."""
        with self._query() as result:
            rows, _ = result.first(1)
            return rows[0] if rows else None

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all rows as dicts, column → value."""
        with self._query() as result:
            return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give the rows as tuples; they are fetched as they are needed."""
        with self._query() as result:
            for chunk in result.chunks():
                yield from chunk

    def to_arrow(self) -> pa.Table:
        """Return all rows as a pyarrow Table."""
        with self._query() as result:
            return result.to_arrow()

    def to_polars(self) -> polars.DataFrame:
        """Return all rows as a Polars DataFrame."""
        with self._query() as result, installed("polars"):
            return result.to_polars()

    def to_pandas(self) -> pandas.DataFrame:
        """Return all rows as a pandas DataFrame."""
        with self._query() as result, installed("pandas"):
            return result.to_pandas()

    def write(
        self, path: str | Path, form: Literal["csv", "json", "ndjson", "parquet"] | None = None
    ) -> Path:
        """Write all rows to a file, as *form* or as its name says, and return its path.

        The file is there when it is whole, and never before. Raises LW904 for a name that does not tell the
        form and for a file that cannot be written.
        """
        file = Path(path)
        kind = one_of("form", form, ("csv", "json", "ndjson", "parquet")) if form else form_of(file)
        with query(
            self._platform, self._sql, params=self._params, as_of=self._as_of, flat=kind == "csv"
        ) as result:
            write_result(result, kind, file)
        return file

    def __repr__(self) -> str:
        with self._query() as result:
            rows, more = result.first(10)
            return lines_of(result.columns, rows, more=more)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first rows as a table."""
        with self._query() as result:
            rows, more = result.first(20)
            head = "".join(f"<th>{escape(one)}</th>" for one in result.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(shown(one))}</td>" for one in row) + "</tr>" for row in rows
        )
        rest = "<p>… there are more rows</p>" if more else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


class Table(Rows):
    """A dataset of any zone, or its bad rows (``quarantine.processed_orders``)."""

    def __init__(self, platform: Platform, dataset: str, as_of: AsOf = None) -> None:
        zone, name = split_id(dataset)
        text = f"SELECT * FROM {identifier(zone).sql('duckdb')}.{identifier(name).sql('duckdb')}"
        super().__init__(platform, text, None, as_of)
        self.id = dataset

    def as_of(self, when: str | int | datetime) -> Table:
        """Return the table as it was at a snapshot number or a time."""
        return Table(self._platform, self.id, when)

    @property
    def entry(self) -> Entry:
        """The dataset's catalog entry."""
        return _catalog.entry(self._platform, self.id)
