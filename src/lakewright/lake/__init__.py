"""The lake: tables in zones with transactions and history, and the raw files beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lakewright.engine.session import Session
from lakewright.lake.ducklake import DuckLake
from lakewright.lake.iceberg import IcebergLake
from lakewright.lake.protocol import Capabilities, Checkpoint, Compaction, Lake, Snapshot, TableInfo
from lakewright.spec.project import Project

__all__ = [
    "Capabilities",
    "Checkpoint",
    "Compaction",
    "Lake",
    "Snapshot",
    "TableInfo",
    "open_lake",
]


def open_lake(
    project: Project, session: Session, *, read_only: bool = False, resolve: Callable[[str], str] = str
) -> Lake:
    """Attach the project's lake to *session* under the name ``lake``.

    *resolve* turns a value with ``${secret:…}`` references into the real one; what it returns is never
    shown. Raises LW410 when the lake cannot be opened, LW417 when its settings make no sense.
    """
    spec, root = project.file.lake, Path(project.root)
    if spec.kind == "iceberg":
        zones = {dataset.zone for dataset in project.datasets.values()}
        return IcebergLake.open(spec, root, session, read_only=read_only, resolve=resolve, zones=zones)
    return DuckLake.open(spec, root, session, read_only=read_only, resolve=resolve)
