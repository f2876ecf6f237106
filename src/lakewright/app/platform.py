"""An opened project: the one object that every verb works on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lakewright.app.acting import Acting
from lakewright.app.scratch import Scratch
from lakewright.catalog.outbox import Outbox
from lakewright.engine.session import Session
from lakewright.engine.syntax import syntax_error
from lakewright.errors import NotFoundError, ProjectError, UsageError, nearest
from lakewright.lake import open_lake
from lakewright.lake.raw_zone import open_raw_zone
from lakewright.observe import Redactor, TaskLog
from lakewright.plan.check import check_queries
from lakewright.plan.graph import Graph, check_graph
from lakewright.project import check, find, resolve_secret
from lakewright.project.environment import log_level, read_environment
from lakewright.project.loader import read_project
from lakewright.recovery import stand
from lakewright.run.journal import Journal
from lakewright.run.services import Services
from lakewright.security.audit import AuditLog
from lakewright.security.keys import Keys
from lakewright.security.vault import Vault
from lakewright.spec.project import Project
from lakewright.state import State

if TYPE_CHECKING:
    from lakewright.app.cache import QueryCache
    from lakewright.app.caller import Caller

__all__ = ["Platform", "Restricted"]


class Platform:
    """A loaded and checked project; its state, engine and lake are opened when first needed.

    Use it in a ``with`` statement, or call :meth:`close`.
    """

    def __init__(self, project: Project, *, recovering: bool = False) -> None:
        self._project = project
        self._recovering = recovering
        self.root = Path(project.root)
        self.redactor = Redactor()
        self._opened: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._state: State | None = None
        self._journal: Journal | None = None
        self._services: Services | None = None
        self._scratch: Scratch | None = None
        self._query_cache: QueryCache | None = None
        self._keys: Keys | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        start: Path | str = ".",
        target: str | None = None,
        acting: Acting | None = None,
        *,
        recovering: bool = False,
    ) -> Platform:
        """Find, load and check the project at or above *start*. Raises ProjectError with every problem.

        *acting* says whom to act as, without it the environment; LW824 when there is no such role or user. For
        anyone but the owner the result is a :class:`Restricted`. While the project is being recovered, its state
        and lake are opened by the recovery alone (*recovering*).
        """
        root = find(Path(start))
        loaded = read_project(root, target)
        project = loaded.project
        found = [*loaded.problems, *check(project, loaded)]
        queries = [*check_queries(project, remember=not found, syntax=syntax_error), *check_graph(project)]
        if loaded.broken or loaded.sources_broken:
            # what cannot be read is unknown to whoever reads it, for no fault of theirs
            queries = [one for one in queries if one.code != "LW321"]
        # the graph repeats what the checks of references found, in the same words
        found = list(dict.fromkeys([*found, *queries]))
        if found:
            raise ProjectError(found)
        acting = (acting or Acting()).completed(read_environment(root)[0].get)
        if acting == Acting():
            return cls(project, recovering=recovering)
        from lakewright.app.caller import caller  # it looks into queries, which most commands need not

        asking = caller(project, acting)
        own = cls(project, recovering=recovering)
        return own if asking is None else Restricted(own, asking)

    @property
    def project(self) -> Project:
        """What the project's files say."""
        return self._project

    def resolve(self, value: str) -> str:
        """Replace the ``${secret:…}`` references in *value*; the result is never shown or logged."""
        found = resolve_secret(value, self.root, os.environ)
        return self.redactor.add(found) if found != value else found

    @cached_property
    def graph(self) -> Graph:
        """The project's dependency graph."""
        return Graph.of(self.project)

    @property
    def state(self) -> State:
        """The state database."""
        with self._lock:
            if self._state is None:
                self._require_open()
                self._state = State(self.resolve(self.project.file.state), self.root)
                self._opened.append(self._state.close)
            return self._state

    @property
    def journal(self) -> Journal:
        """The history of runs."""
        with self._lock:
            state = self.state
            if self._journal is None:
                self._journal = Journal(
                    state,
                    redactor=self.redactor,
                    logs=self.root / ".lakewright" / "logs",
                    level=log_level(os.environ) or "info",
                )
            return self._journal

    @property
    def keys(self) -> Keys:
        """The keys with which columns are masked."""
        with self._lock:
            if self._keys is None:
                file = self.project.file
                self._keys = Keys(
                    self.state,
                    file.keys,
                    root=self.root,
                    project=file.name,
                    resolve=self.resolve,
                    hide=self.redactor.add,
                )
            return self._keys

    @property
    def audit(self) -> AuditLog:
        """Who did what that needs an answer for."""
        return AuditLog(self.state, self.keys, self.root / ".lakewright")

    @property
    def vault(self) -> Vault:
        """The tokens of masked columns."""
        return Vault(self.state, self.keys)

    @property
    def services(self) -> Services:
        """Engine and lake, attached."""
        with self._lock:
            if self._services is None:
                self._require_open()
                self._services = self._attach()
            return self._services

    def _attach(self) -> Services:
        # what is to be masked is clear while it is staged, and a stage that does not fit into memory is on disk
        private = any(one.masks for one in self.project.datasets.values())
        private = private or self.project.file.lake.encryption is not None
        session = Session.open(self.project.file.engine, root=self.root, private=private)
        self._opened.append(session.close)
        lake = open_lake(self.project, session, resolve=self.resolve, keys=self.keys)
        store = open_raw_zone(self.project.file.lake, self.root, self.resolve)
        services = Services(
            project=self.project,
            state=self.state,
            session=session,
            lake=lake,
            store=store,
            resolve=self.resolve,
            redact=self.redactor.text,
            outbox=self._outbox(),
            keys=self.keys,
            vault=self.vault,
        )
        services.refresh()
        return services

    @property
    def scratch(self) -> Scratch:
        """Catalogs for queries."""
        with self._lock:
            session = self.services.session
            if self._scratch is None:
                self._scratch = Scratch(session)
            return self._scratch

    @property
    def query_cache(self) -> QueryCache | None:
        """The results of queries that are kept, None where the project keeps none."""
        if self.project.file.query_cache is None:
            return None
        with self._lock:
            if self._query_cache is None:
                from lakewright.app.cache import QueryCache

                self._require_open()
                self._query_cache = QueryCache(self)
                self._opened.append(self._query_cache.store.close)
            return self._query_cache

    def _outbox(self) -> Outbox:
        outbox = Outbox(
            self.project.file.lineage,
            root=self.root,
            state=self.state,
            resolve=self.resolve,
            warn=lambda problem: TaskLog("lakewright.lineage").warning(problem.message, code=problem.code),
        )
        self._opened.append(outbox.close)
        return outbox

    def dataset_id(self, name: str) -> str:
        """Return the id that *name* means: an id, or a bare name that only one zone has."""
        return _meant(name, [*self.project.raw, *self.project.datasets])

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError("LW904", "the project was closed", remedy="open it again: lakewright.open(...)")
        if not self._recovering:
            stand.refuse(self.root)

    def close(self) -> None:
        """Close what was opened, last first; closing twice does nothing."""
        with self._lock:
            self._closed = True
            self._state = self._journal = self._services = self._scratch = None
            self._query_cache = self._keys = None
            while self._opened:
                self._opened.pop()()

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Restricted(Platform):
    """The same project for a role: what is not said here to be open raises LW823.

    Verbs that apply the role's rules do so by way of ``owner``, and show nothing else of it.
    """

    def __init__(self, owner: Platform, caller: Caller) -> None:
        super().__init__(owner.project)
        self.owner = owner
        self.caller = caller
        self.redactor = owner.redactor

    def _refused(self) -> UsageError:
        return UsageError("LW823", f"{self.caller.name} may not do this")

    @property
    def project(self) -> Project:
        """Refused."""
        raise self._refused()

    @property
    def state(self) -> State:
        """Refused."""
        raise self._refused()

    @property
    def journal(self) -> Journal:
        """Refused."""
        raise self._refused()

    @property
    def keys(self) -> Keys:
        """Refused."""
        raise self._refused()

    @property
    def services(self) -> Services:
        """Refused."""
        raise self._refused()

    @property
    def query_cache(self) -> QueryCache | None:
        """Refused."""
        raise self._refused()

    def resolve(self, value: str) -> str:
        """Refused."""
        raise self._refused()

    def dataset_id(self, name: str) -> str:
        """Return the id that *name* means among the datasets that the role reads."""
        return _meant(name, self.caller.readable())

    def close(self) -> None:
        """Close the owner's side."""
        super().close()
        self.owner.close()


def _meant(name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    found = [one for one in known if one.partition(".")[2] == name]
    # a bare name means the table rather than the raw files that it is made of
    tables = [one for one in found if not one.startswith("raw.")]
    if len(tables) == 1 or (not tables and len(found) == 1):
        return (tables or found)[0]
    if found:
        raise NotFoundError("LW901", f"{name!r} may mean {', '.join(found)}", remedy="write zone.name")
    raise NotFoundError("LW901", f"no dataset {name!r}{nearest(name, known)}")
