"""`lakewright.open("shop")`: run, query and look at a project from Python.

>>> lw = lakewright.open("shop")            # doctest: +SKIP
>>> lw.run("processed+")                    # doctest: +SKIP
>>> lw.table("curated.daily_sales").to_polars()  # doctest: +SKIP
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from lakewright.api.rows import AsOf, Rows, Table, one_of
from lakewright.api.spaces import Backups, Holds, People, Sources
from lakewright.app import access as _access
from lakewright.app import catalog as _catalog
from lakewright.app import lifecycle as _lifecycle
from lakewright.app import quality as _quality
from lakewright.app import runs as _runs
from lakewright.app import security as _security
from lakewright.app import upkeep as _upkeep
from lakewright.app import verify as _verify
from lakewright.app.acting import Acting
from lakewright.app.cache import CacheReport, cache_report, clear_cache
from lakewright.app.contracts import export_contract
from lakewright.app.ingest import IngestReport, ingest
from lakewright.app.lineage import LineageGraph, lineage
from lakewright.app.pii import PiiScan, scan
from lakewright.app.plan import PlanReport, plan
from lakewright.app.platform import Platform, Restricted
from lakewright.app.query import Params
from lakewright.app.run import RunReport, run
from lakewright.spec.access import Attribute

if TYPE_CHECKING:
    import pyarrow as pa

    from lakewright.app.access import AuditLine, RoleLine, SeenDataset, Who
    from lakewright.app.lifecycle import Brought, Step
    from lakewright.app.quality import ProfileTable, QualityReport
    from lakewright.app.runs import RunDetail, RunLine
    from lakewright.app.security import Rotated
    from lakewright.app.upkeep import CompactReport, Restored
    from lakewright.catalog.entries import Entry
    from lakewright.lake import Snapshot
    from lakewright.lake.archive import Archive
    from lakewright.observe import LogLine
    from lakewright.recovery.findings import Findings
    from lakewright.run.events import Event
    from lakewright.security.audit import Verdict
    from lakewright.security.keys import KeyInfo
    from lakewright.spec.project import Project

__all__ = ["Lakewright", "Rows", "Table", "open"]


class Lakewright:
    """An opened project. Close it, or use it in a ``with`` statement."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @property
    def project(self) -> Project:
        """The project's description: a frozen value."""
        return self._platform.project

    @cached_property
    def backups(self) -> Backups:
        """Backups of the project, and what comes back from them: ``lw.backups.create()``."""
        return Backups(self._platform)

    @cached_property
    def people(self) -> People:
        """People in the data: ``lw.people.forget("customer=42")``."""
        return People(self._platform)

    @cached_property
    def holds(self) -> Holds:
        """Legal holds: ``lw.holds.add("orders", "case 7")``."""
        return Holds(self._platform)

    @cached_property
    def sources(self) -> Sources:
        """Sources of raw data, and captures of databases: ``lw.sources.list()``."""
        return Sources(self._platform)

    def run(
        self,
        *select: str,
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
        backfill: str | None = None,
        accept_gaps: bool = False,
        from_failed: bool = False,
        idempotency_key: str | None = None,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> RunReport:
        """Build what is new, all of it or what *select* names; see ``lakewright run --help`` for the words.

        A task that fails is in the report and does not raise; ``report.raise_for_status()`` does. *on_event* is told of
        each task that starts and ends, from the tasks' threads. Setting *cancel*, or Ctrl-C, stops the run: what was
        committed stays, nothing else is visible, and ``from_failed`` takes it up.
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
            on_event=on_event,
            cancel=cancel,
        )

    def plan(
        self,
        *select: str,
        exclude: str | Iterable[str] = (),
        full_refresh: bool = False,
        backfill: str | None = None,
        accept_gaps: bool = False,
        statements: bool = False,
    ) -> PlanReport:
        """Return what a run would build and why; with *statements*, also the SQL of datasets that are queries."""
        return plan(
            self._platform,
            select,
            exclude=_words(exclude),
            full_refresh=full_refresh,
            backfill=backfill,
            accept_gaps=accept_gaps,
            statements=statements,
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

    def quality(self, dataset: str | None = None, *, run: str | None = None) -> tuple[QualityReport, ...]:
        """Return the latest quality results, of all datasets or one; with *run*, those of that run."""
        return _quality.quality(self._platform, dataset, run)

    def audit(self, dataset: str | None = None) -> tuple[QualityReport, ...]:
        """Check whole tables as they are now, with the rules of today's files; nothing is changed."""
        return _quality.audit(self._platform, dataset)

    def report(self, run: str | None = None) -> Path:
        """Return the path of the HTML report of a run, the last one that built something by default."""
        return _quality.report_path(self._platform, run)

    def profile(self, dataset: str | None = None) -> tuple[ProfileTable, ...]:
        """Return the profile of the columns of a dataset, or of all: nulls, distinct values, range, frequent values."""
        return _quality.profile(self._platform, dataset)

    def catalog(self, search: str | None = None) -> list[Entry]:
        """Return catalog entries, all or those that match *search*; ``lw.table(id).entry`` is that of one dataset."""
        return _catalog.search(self._platform, search) if search else _catalog.entries(self._platform)

    def contract(self, dataset: str) -> dict[str, Any]:
        """Return a dataset as a contract of the Open Data Contract Standard 3.1.0, as plain data."""
        return export_contract(self._platform, dataset).contract

    def lineage(self, dataset: str, *, direction: str = "both", columns: bool = False) -> LineageGraph:
        """Return where a dataset or column comes from and goes to."""
        one_of("direction", direction, ("up", "down", "both"))
        return lineage(self._platform, dataset, direction=direction, columns=columns)

    def runs(self, limit: int = 20) -> tuple[RunLine, ...]:
        """Return the latest runs, newest first."""
        return _runs.runs(self._platform, limit)

    def run_detail(self, run: str = "last") -> RunDetail:
        """Return one run with its tasks, by id, a beginning of it, or ``last``. Raises LW616 when there is none."""
        return _runs.run_detail(self._platform, run)

    def logs(self, run: str = "last", *, task: str | None = None, level: str = "info") -> tuple[LogLine, ...]:
        """Return what a run logged: all tasks or one, from *level* on."""
        return _runs.logs(self._platform, run, task=task, level=level)

    def pii(self, *select: str, exclude: str | Iterable[str] = ()) -> PiiScan:
        """Return the columns that hold personal data, in raw files and tables, and which have no mask."""
        return scan(self._platform, select, exclude=_words(exclude))

    def keys(self) -> list[KeyInfo]:
        """Return every version of every key with which columns are masked, and whether it can be used."""
        return _security.keys(self._platform)

    def rotate_key(self, name: str = "default") -> Rotated:
        """Turn to a new version of a key: tokens stay, hashes are made anew by the next run, the lake's catalog at once."""
        return _security.rotate_key(self._platform, name)

    def reveal(self, tokens: Iterable[str], *, reason: str, domain: str = "default") -> dict[str, str]:
        """Return the clear values of tokens, by token; who asked and why is written down first."""
        return _security.reveal(self._platform, list(tokens), domain=domain, reason=reason)

    def access(self, role: str | None = None) -> list[RoleLine] | list[SeenDataset]:
        """Return the roles of the project, or what *role* sees: datasets, columns and conditions on rows."""
        return _access.show(self._platform, role) if role else _access.roles(self._platform)

    def who(self, dataset: str) -> list[Who]:
        """Return the roles that see a dataset, or a column ``zone.name.column``, and how."""
        return _access.who(self._platform, dataset)

    def audit_log(
        self,
        *,
        user: str | None = None,
        dataset: str | None = None,
        since: str | datetime | None = None,
        limit: int = 100,
    ) -> list[AuditLine]:
        """Return who asked for what, newest first: of one user, about one dataset, from a time or ``7d`` ago on."""
        return _access.audit_lines(self._platform, user=user, dataset=dataset, since=since, limit=limit)

    def verify_audit(self, head: str | None = None) -> Verdict:
        """Look whether the audit log is as it was written; *head* is its last entry at an earlier time.

        ``problems`` name entries that were edited, added or removed.
        """
        return _access.audit_verify(self._platform, head)

    def verify(
        self,
        *select: str,
        exclude: str | Iterable[str] = (),
        level: Literal["quick", "normal", "deep"] = "normal",
    ) -> Findings:
        """Prove that the lake is whole, or find what is not and what heals it; nothing is changed.

        ``quick`` looks whether files are there, ``deep`` reads every byte. ``.whole`` tells how it went.
        """
        one_of("level", level, ("quick", "normal", "deep"))
        return _verify.verify(self._platform, select, exclude=_words(exclude), level=level)

    def snapshots(self, dataset: str | None = None, limit: int | None = 20) -> list[Snapshot]:
        """Return the lake's snapshots, or those that changed *dataset*, newest first."""
        return _upkeep.snapshots(self._platform, dataset, limit)

    def restore(self, *datasets: str, to: str | int | datetime) -> tuple[Restored, ...]:
        """Put datasets (all when none is named) back to a snapshot or time."""
        return _upkeep.restore(self._platform, datasets, to)

    def cache(self, *, clear: bool = False) -> CacheReport:
        """Return how often the query cache answered, and what it holds; with *clear*, drop that first."""
        if clear:
            clear_cache(self._platform)
        return cache_report(self._platform)

    def compact(self, *datasets: str, expire: str | None = None) -> CompactReport:
        """Merge small files; *expire* (``30d``) also forgets older snapshots."""
        return _upkeep.compact(self._platform, datasets, expire)

    def lifecycle(self, *datasets: str, dry_run: bool = False) -> tuple[Step, ...]:
        """Move rows older than their retention to the archive; *dry_run* only tells which."""
        return _lifecycle.lifecycle(self._platform, datasets, dry_run=dry_run)

    def archives(self, dataset: str | None = None) -> list[Archive]:
        """Return what was archived or expired, oldest first."""
        return _lifecycle.archives(self._platform, dataset)

    def restore_archive(self, dataset: str, *archives: str) -> Brought:
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
