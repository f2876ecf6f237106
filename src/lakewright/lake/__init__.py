"""The lake: tables in zones with transactions and history, and the raw files beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake.ducklake import DuckLake
from lakewright.lake.encrypted import EncryptedDuckLake
from lakewright.lake.iceberg import IcebergLake
from lakewright.lake.protocol import Capabilities, Checkpoint, Compaction, Lake, Snapshot, TableInfo
from lakewright.lake.sealed import Cipher, LakeKeys, sealed_catalog
from lakewright.spec.project import Lake as LakeSpec
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
    project: Project,
    session: Session,
    *,
    read_only: bool = False,
    resolve: Callable[[str], str] = str,
    keys: LakeKeys | None = None,
) -> Lake:
    """Attach the project's lake to *session* under the name ``lake``.

    *resolve* turns a value with ``${secret:…}`` references into the real one; what it returns is never
    shown. An encrypted lake needs *keys*. Raises LW410 when the lake cannot be opened, LW417 when its settings make no
    sense, LW831 to LW833 for what is wrong with an encrypted one.
    """
    spec, root = project.file.lake, Path(project.root)
    if spec.kind == "iceberg":
        zones = {dataset.zone for dataset in project.datasets.values()}
        return IcebergLake.open(spec, root, session, read_only=read_only, resolve=resolve, zones=zones)
    if spec.encryption is not None and keys is None:
        raise LakewrightError("LW832", "an encrypted lake is not opened without keys")
    lake = _ducklake(spec, root, session, read_only=read_only, resolve=resolve, keys=keys)
    if spec.encryption is not None and keys is not None:
        lake.cipher = Cipher(spec.encryption.key, keys)
    return lake


def _ducklake(
    spec: LakeSpec,
    root: Path,
    session: Session,
    *,
    read_only: bool,
    resolve: Callable[[str], str],
    keys: LakeKeys | None,
) -> DuckLake:
    sealed = sealed_catalog(spec, root, keys, resolve=resolve) if keys is not None else None
    if sealed is not None:
        return EncryptedDuckLake.unseal(spec, root, session, sealed, read_only=read_only, resolve=resolve)
    return DuckLake.open(spec, root, session, read_only=read_only, resolve=resolve)
