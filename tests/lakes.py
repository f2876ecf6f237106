"""Lakes of every kind for tests: their settings and open handles on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from lakewright.engine import Session
from lakewright.lake import Lake, open_lake
from lakewright.security.keys import Keys
from lakewright.spec.project import S3, Encryption, Engine, Project, ProjectFile
from lakewright.spec.project import Lake as LakeSpec
from lakewright.state import State
from servers import Ministack, Postgres

#: The kinds that the dataset suite runs on.
LAKE_KINDS = [
    "ducklake-sqlite",
    pytest.param("ducklake-postgres", marks=pytest.mark.postgres),
    pytest.param("iceberg-rest", marks=pytest.mark.iceberg),
]


def lake_settings(kind: str, request: pytest.FixtureRequest) -> LakeSpec:
    """Return the ``lake`` section of a new, empty lake of *kind*."""
    if kind == "ducklake-sqlite":
        return LakeSpec()
    if kind == "ducklake-encrypted":
        return LakeSpec(encryption=Encryption())
    if kind == "ducklake-postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return LakeSpec(catalog=f"postgres:{server.database()}")
    if kind == "iceberg-rest":
        double: Ministack = request.getfixturevalue("ministack")
        return LakeSpec(kind="iceberg", catalog=double.iceberg, warehouse=double.warehouse(), s3=s3(double))
    raise ValueError(kind)


def s3(double: Ministack) -> S3:
    """Return the settings of the double's S3."""
    return S3(
        endpoint=double.endpoint,
        region=double.region,
        key_id=double.key_id,
        secret=double.secret,
        url_style="path",
        use_ssl=False,
    )


def project(root: Path, lake: LakeSpec, engine: Engine | None = None) -> Project:
    """Return a project without datasets in *root*."""
    file = ProjectFile(name="test", lake=lake, engine=engine or Engine(threads=2, memory_limit="1GB"))
    return Project(root=str(root), target="dev", file=file, sources={}, source_paths={}, datasets={})


def lake_keys(project: Project) -> Keys:
    """Return the keys of a project without a platform; where the lake is in the clear they are never asked for."""
    root = Path(project.root)
    return Keys(State("sqlite:state.db", root), {}, root=root, project=project.file.name)


@dataclass
class Opened:
    """A session with a lake attached, and a cursor on it."""

    project: Project
    session: Session
    lake: Lake
    cursor: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Run a query and return its rows."""
        return self.session.execute(sql, cursor=self.cursor).fetchall()


@dataclass
class OpenLake:
    """Opens lakes under one folder: ``opener(kind)`` a new one, ``opener.again(opened)`` another session on it."""

    root: Path
    settings: Callable[[str], LakeSpec]
    opened: list[Opened] = field(default_factory=list)

    def __call__(self, kind: str = "ducklake-sqlite", *, engine: Engine | None = None) -> Opened:
        """Open a new, empty lake of *kind*."""
        root = self.root / f"project{len(self.opened)}"
        root.mkdir()
        return self.open(project(root, self.settings(kind), engine))

    def again(self, first: Opened, *, read_only: bool = False) -> Opened:
        """Open another session on the lake of *first*, which is closed where only one session can have it."""
        if first.lake.kind == "ducklake-encrypted":
            first.session.close()
        return self.open(first.project, read_only=read_only)

    def open(self, project: Project, *, read_only: bool = False) -> Opened:
        """Open the lake of *project*."""
        session = Session.open(project.file.engine, root=Path(project.root), read_only=read_only)
        try:
            lake = open_lake(project, session, read_only=read_only, keys=lake_keys(project))
        except BaseException:
            session.close()
            raise
        opened = Opened(project, session, lake, session.cursor())
        self.opened.append(opened)
        return opened

    def close(self) -> None:
        """Close every session."""
        for one in self.opened:
            one.session.close()
