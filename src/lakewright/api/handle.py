"""`lakewright.open("shop")`: run, query and look at a project from Python.

>>> lw = lakewright.open("shop")            # doctest: +SKIP
>>> lw.run("processed+")                    # doctest: +SKIP
>>> lw.table("curated.daily_sales").to_polars()  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lakewright.app import access as _access
from lakewright.app import catalog as _catalog
from lakewright.app import lifecycle as _lifecycle
from lakewright.app import quality as _quality
from lakewright.app import runs as _runs
from lakewright.app import security as _security
from lakewright.app import upkeep as _upkeep
from lakewright.app.acting import Acting
from lakewright.app.cache import cache_report, clear_cache
from lakewright.app.contracts import export_contract
from lakewright.app.ingest import IngestReport, ingest
from lakewright.app.lineage import LineageGraph, lineage
from lakewright.app.pii import PiiScan, scan
from lakewright.app.plan import PlanReport, plan
from lakewright.app.platform import Platform, Restricted
from lakewright.app.query import Params, query
from lakewright.app.rows import Result
from lakewright.app.run import RunReport, run
from lakewright.app.text import lines_of, shown
from lakewright.errors import UsageError
from lakewright.spec.access import Attribute
from lakewright.sql.names import identifier, split_id

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

__all__ = ["Lakewright", "Rows", "Table", "open"]

AsOf = str | int | datetime | None


@contextmanager
def installed(package: str) -> Iterator[None]:
    """Raise LW904 with what to install when *package* is missing."""
    try:
        yield
    except ImportError:
        raise UsageError("LW904", f"{package} is not installed", remedy=f"pip install {package}") from None


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
    def entry(self) -> Any:
        """The dataset's catalog entry."""
        return _catalog.entry(self._platform, self.id)


class Lakewright:
    """An opened project. Close it, or use it in a ``with`` statement."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @property
    def project(self) -> Any:
        """The project's description: a frozen value."""
        return self._platform.project

    def run(
        self,
        *select: str,
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
        backfill: str | None = None,
        accept_gaps: bool = False,
        from_failed: bool = False,
        idempotency_key: str | None = None,
    ) -> RunReport:
        """Build what is new, all of it or what *select* names; see ``lakewright run --help`` for the words.

        A task that fails is in the report and does not raise; ``report.raise_for_status()`` does.
        """
        return run(
            self._platform,
            select,
            exclude=_words(exclude),
            full_refresh=full_refresh,
            backfill=backfill,
            accept_gaps=accept_gaps,
            from_failed=from_failed,
            idempotency_key=idempotency_key,
        )

    def plan(
        self,
        *select: str,
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
        backfill: str | None = None,
        accept_gaps: bool = False,
    ) -> PlanReport:
        """Return what a run would build and why."""
        return plan(
            self._platform,
            select,
            exclude=_words(exclude),
            full_refresh=full_refresh,
            backfill=backfill,
            accept_gaps=accept_gaps,
        )

    def sql(self, text: str, params: Params = None, *, as_of: AsOf = None) -> Rows:
        """Query any zone; *params* fill ``?`` placeholders, or ``$name`` when they have names.

        Nothing runs before rows are asked for. *as_of*, a snapshot number or a time, is for tables;
        raw files are always those of the present.
        """
        return Rows(self._platform, text, params, as_of)

    def table(self, dataset: str, as_of: AsOf = None) -> Table:
        """Return a dataset by id, or by its bare name where only one zone has it."""
        known = dataset.startswith(("quarantine.", "ops.", "lakewright."))
        return Table(self._platform, dataset if known else self._platform.dataset_id(dataset), as_of)

    def tables(self) -> list[str]:
        """Return the ids of all datasets of the project; for a role, of those that it may read."""
        if isinstance(self._platform, Restricted):
            return self._platform.caller.readable()
        return [*self._platform.project.raw, *self._platform.project.datasets]

    def ingest(
        self,
        dataset: str,
        frame: Any,
        *,
        key: str | None = None,
        metadata: dict[str, str] | None = None,
        schema: pa.Schema | None = None,
    ) -> IngestReport:
        """Hand over new rows of a raw dataset; the next :meth:`run` builds from them.

        *frame* is a table (Arrow, Polars, pandas), a reader of batches, one event (a dict), a list of events, or an
        iterator of any of these, which is written as it is read. With *key* the call can be repeated: the same rows
        under the same key are taken once, and other rows replace them. *metadata* is kept with the rows; *schema*
        says which columns and types they have, where the first of them do not tell.
        """
        return ingest(self._platform, dataset, frame, key=key, metadata=metadata, schema=schema)

    def quality(self, dataset: str | None = None) -> Any:
        """Return the latest quality results."""
        return _quality.quality(self._platform, dataset, None)

    def audit(self, dataset: str | None = None) -> Any:
        """Check whole tables as they are now, with the rules of today's files; nothing is changed."""
        return _quality.audit(self._platform, dataset)

    def report(self, run: str | None = None) -> Path:
        """Return the path of the HTML report of a run, the last one that built something by default."""
        return _quality.report_path(self._platform, run)

    def profile(self, dataset: str) -> Any:
        """Return the profile of the columns of a dataset."""
        return _quality.profile(self._platform, dataset)

    def catalog(self, search: str | None = None) -> Any:
        """Return catalog entries, all or those that match *search*."""
        return _catalog.search(self._platform, search) if search else _catalog.entries(self._platform)

    def contract(self, dataset: str) -> dict[str, Any]:
        """Return a dataset as a contract of the Open Data Contract Standard 3.1.0, as plain data."""
        return export_contract(self._platform, dataset).contract

    def lineage(self, dataset: str, *, direction: str = "both", columns: bool = False) -> LineageGraph:
        """Return where a dataset or column comes from and goes to."""
        return lineage(self._platform, dataset, direction=direction, columns=columns)

    def runs(self, limit: int = 20) -> Any:
        """Return the latest runs, newest first."""
        return _runs.runs(self._platform, limit)

    def logs(self, run: str = "last", *, task: str | None = None, level: str = "info") -> Any:
        """Return what a run logged: all tasks or one, from *level* on."""
        return _runs.logs(self._platform, run, task=task, level=level)

    def pii(self, *select: str, exclude: str | Iterable[str] = ()) -> PiiScan:
        """Return the columns that hold personal data, in raw files and tables, and which have no mask."""
        return scan(self._platform, select, exclude=_words(exclude))

    def keys(self) -> Any:
        """Return every version of every key with which columns are masked, and whether it can be used."""
        return _security.keys(self._platform)

    def rotate_key(self, name: str = "default") -> tuple[int, int]:
        """Turn to a new version of a key; return it, and how many values of the vault were encrypted anew."""
        return _security.rotate_key(self._platform, name)

    def reveal(self, tokens: Iterable[str], *, reason: str, domain: str = "default") -> dict[str, str]:
        """Return the clear values of tokens, by token; who asked and why is written down first."""
        return _security.reveal(self._platform, list(tokens), domain=domain, reason=reason)

    def access(self, role: str | None = None) -> Any:
        """Return the roles of the project, or what *role* sees: datasets, columns and conditions on rows."""
        return _access.show(self._platform, role) if role else _access.roles(self._platform)

    def who(self, dataset: str) -> Any:
        """Return the roles that see a dataset, or a column ``zone.name.column``, and how."""
        return _access.who(self._platform, dataset)

    def audit_log(
        self,
        *,
        user: str | None = None,
        dataset: str | None = None,
        since: str | datetime | None = None,
        limit: int = 100,
    ) -> Any:
        """Return who asked for what, newest first: of one user, about one dataset, from a time or ``7d`` ago on."""
        return _access.audit_lines(self._platform, user=user, dataset=dataset, since=since, limit=limit)

    def snapshots(self, dataset: str | None = None, limit: int | None = 20) -> Any:
        """Return the lake's snapshots, or those that changed *dataset*, newest first."""
        return _upkeep.snapshots(self._platform, dataset, limit)

    def restore(self, *datasets: str, to: str | int | datetime) -> Any:
        """Put datasets (all when none is named) back to a snapshot or time."""
        return _upkeep.restore(self._platform, datasets, to)

    def cache(self, *, clear: bool = False) -> Any:
        """Return how often the query cache answered, and what it holds; with *clear*, drop that first."""
        if clear:
            clear_cache(self._platform)
        return cache_report(self._platform)

    def compact(self, *datasets: str, expire: str | None = None) -> Any:
        """Merge small files; *expire* (``30d``) also forgets older snapshots."""
        return _upkeep.compact(self._platform, datasets, expire)

    def lifecycle(self, *datasets: str, dry_run: bool = False) -> Any:
        """Move rows older than their retention to the archive; *dry_run* only tells which."""
        return _lifecycle.lifecycle(self._platform, datasets, dry_run=dry_run)

    def archives(self, dataset: str | None = None) -> Any:
        """Return what was archived or expired, oldest first."""
        return _lifecycle.archives(self._platform, dataset)

    def restore_archive(self, dataset: str, *archives: str) -> Any:
        """Bring the rows of a dataset's archives back, all or those named by id."""
        return _lifecycle.restore_archive(self._platform, dataset, archives)

    def close(self) -> None:
        """Close the project."""
        self._platform.close()

    def __enter__(self) -> Lakewright:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if isinstance(self._platform, Restricted):
            return f"<Lakewright project at {self._platform.root}, as {self._platform.caller.name}>"
        project = self._platform.project
        return f"<Lakewright project {project.file.name!r} at {project.root}, target {project.target!r}>"


def _words(given: str | Iterable[str]) -> tuple[str, ...]:
    # a text is many letters, too: nobody means to leave out "o", "r", "d"
    return (given,) if isinstance(given, str) else tuple(given)


def open(
    project: str | Path = ".",
    target: str | None = None,
    *,
    role: str | None = None,
    user: str | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> Lakewright:
    """Open the project at or above the folder *project*; raises ProjectError when its files are wrong.

    With *role*, *user* or both, what the handle shows follows the rules of ``access`` in lakewright.yaml, and
    everything else raises LW823. *attributes* are the values that a role's conditions on rows ask for.
    """
    return Lakewright(Platform.open(project, target, Acting(role, user, dict(attributes or {}))))
