"""The opened parts that every task of a run shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lakewright.catalog.outbox import Outbox
from lakewright.engine.session import Session
from lakewright.lake import Checkpoint, Lake
from lakewright.lake.raw import RawStore
from lakewright.security.keys import Keys
from lakewright.security.vault import Vault
from lakewright.spec.project import Project
from lakewright.state import State

if TYPE_CHECKING:
    from lakewright.run.context import TaskContext

__all__ = ["Services"]

# How often a task that waits for its turn looks whether it is to stop, in seconds.
_BEAT = 0.1


@dataclass
class Services:
    """State, engine and lake of one opened project.

    ``resolve`` turns a ``${secret:…}`` reference into its value, late and never logged.
    ``checkpoints`` holds the newest checkpoint of each dataset; :meth:`advance` keeps it right
    while a run goes on, so that the lake is asked once.
    """

    project: Project
    state: State
    session: Session
    lake: Lake
    store: RawStore
    resolve: Callable[[str], str]
    redact: Callable[[str], str]
    outbox: Outbox
    keys: Keys
    vault: Vault
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return Path(self.project.root)

    @property
    def namespace(self) -> str:
        """The namespace of jobs and datasets in lineage events."""
        return self.project.file.lineage.namespace or f"lakewright.{self.project.file.name}"

    def location(self, id: str) -> str:
        """Return the address of a dataset's files, without secrets."""
        base = self.project.file.lake.path
        zone, _, name = id.partition(".")
        if zone == "raw":
            return f"{self.store.root}/{self.project.raw[id]}/{name}"
        prefix = base.rstrip("/") if "://" in base else (self.root / base).resolve().as_uri()
        return f"{prefix}/tables/{zone}/{name}"

    @contextmanager
    def turn(self, context: TaskContext) -> Iterator[None]:
        """Use the lake inside: alone where it does not bear several threads. Raises TaskCancelled while it waits."""
        if self.lake.capabilities.threads:
            yield
            return
        while not self._turn.acquire(timeout=_BEAT):
            context.check()
        try:
            yield
        finally:
            self._turn.release()

    def refresh(self) -> None:
        """Read the newest checkpoints from the lake."""
        with self.session.cursor() as cursor:
            found = self.lake.latest_checkpoints(cursor)
        with self._lock:
            # another task may have published since the lake was asked, for the first time even
            for id, one in self.checkpoints.items():
                if id not in found or one.batch > found[id].batch:
                    found[id] = one
            self.checkpoints = found

    def advance(self, checkpoint: Checkpoint) -> None:
        """Note a checkpoint that was just committed."""
        with self._lock:
            self.checkpoints[checkpoint.dataset] = checkpoint

    def seen(self, dataset: str) -> Checkpoint | None:
        """The newest checkpoint of *dataset*, if it was ever built."""
        with self._lock:
            return self.checkpoints.get(dataset)
