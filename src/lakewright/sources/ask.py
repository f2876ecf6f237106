"""Ask a source of any kind what is new, and take it: each kind of source has its own rooms for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from lakewright.lake.raw import RawStore
from lakewright.plan.tasks import Found
from lakewright.sources.database import load as database
from lakewright.sources.database.model import Interrupts
from lakewright.sources.discover import discover
from lakewright.sources.dlt_resources import take_resource
from lakewright.sources.files import Taken, pending
from lakewright.sources.files import take as take_files
from lakewright.sources.frame import PREFIX
from lakewright.sources.manifest import current_files
from lakewright.sources.outcome import reject_table
from lakewright.sources.rest.take import take_rest
from lakewright.spec.databases import DatabaseSource
from lakewright.spec.dlt import DltSource
from lakewright.spec.project import S3
from lakewright.spec.rest import RestSource
from lakewright.spec.sources import FileSource, PythonSource, Source
from lakewright.state import State

__all__ = ["Asked", "look", "take"]


@dataclass(frozen=True)
class Asked:
    """One raw dataset of a source and what it takes to read it.

    ``root`` is the project's folder, ``resolve`` turns a ``${secret:…}`` reference into its value. ``interrupts``
    stops the reading, called from another thread; ``check`` raises when it is to stop.
    """

    source_name: str
    name: str
    source: Source
    root: Path
    store: RawStore
    state: State
    s3: S3 | None = None
    resolve: Callable[[str], str] = str
    interrupts: Interrupts = field(default_factory=Interrupts)
    check: Callable[[], None] = lambda: None

    @property
    def id(self) -> str:
        """``raw.<name>``."""
        return f"raw.{self.name}"


def look(asked: Asked, cursor: duckdb.DuckDBPyConnection) -> Found:
    """Return what is new of a raw dataset, as far as that can be told without reading it."""
    match asked.source:
        case FileSource() as source:
            return _look_at_files(asked, source)
        case DatabaseSource() as source:
            if source.datasets[asked.name].load == "changes":
                from lakewright.sources.capture.take import look_at_changes

                return look_at_changes(_load(asked, source, cursor, ""))
            return database.look(_load(asked, source, cursor, ""))
        case RestSource():
            return Found(reason="ask the API")
        case DltSource():
            return Found(reason="ask the source")
        case PythonSource():
            # its rows are in raw before a run begins
            return Found()


def take(asked: Asked, cursor: duckdb.DuckDBPyConnection, run_id: str) -> Taken:
    """Take what is new of a raw dataset into raw, as one batch; the manifest is written last, in one transaction."""
    match asked.source:
        case FileSource() as source:
            return take_files(
                asked.source_name,
                asked.name,
                source,
                root=asked.root,
                store=asked.store,
                state=asked.state,
                cursor=cursor,
                run_id=run_id,
                s3=asked.s3,
                resolve=asked.resolve,
            )
        case DatabaseSource() as source:
            if source.datasets[asked.name].load == "changes":
                from lakewright.sources.capture.take import take_changes

                return take_changes(_load(asked, source, cursor, run_id))
            return database.take(_load(asked, source, cursor, run_id))
        case RestSource() as source:
            return take_rest(
                asked.source_name,
                asked.name,
                source,
                root=asked.root,
                store=asked.store,
                state=asked.state,
                cursor=cursor,
                run_id=run_id,
                resolve=asked.resolve,
                check=asked.check,
            )
        case DltSource() as source:
            return take_resource(
                asked.source_name,
                asked.name,
                source,
                root=asked.root,
                store=asked.store,
                state=asked.state,
                cursor=cursor,
                run_id=run_id,
                resolve=asked.resolve,
                check=asked.check,
            )
        case PythonSource():
            return Taken(asked.id, 0, (), reject_table(()))


def _load(
    asked: Asked, source: DatabaseSource, cursor: duckdb.DuckDBPyConnection, run_id: str
) -> database.Load:
    return database.Load(
        asked.source_name,
        asked.name,
        source,
        root=asked.root,
        store=asked.store,
        state=asked.state,
        cursor=cursor,
        interrupts=asked.interrupts,
        resolve=asked.resolve,
        run_id=run_id,
    )


def _look_at_files(asked: Asked, source: FileSource) -> Found:
    """Count the files that are new, changed or gone; none is opened."""
    found = discover(source, asked.name, root=asked.root, s3=asked.s3, resolve=asked.resolve)
    known = current_files(asked.state, asked.id)
    waiting = pending(found, known, source.datasets[asked.name])
    new = sum(one.path not in known for one in waiting)
    here = {one.path for one in found}
    # rows handed over from Python are no files of the source
    gone = sum(path not in here and not path.startswith(PREFIX) for path in known)
    return Found(new, len(waiting) - new, gone, sum(one.size for one in waiting))
