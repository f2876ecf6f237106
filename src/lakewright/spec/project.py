"""What ``lakewright.yaml`` says, and the whole project as one immutable value."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.access import Access
from lakewright.spec.base import Severity, Spec
from lakewright.spec.dataset import Dataset, Retry
from lakewright.spec.sources import Source
from lakewright.spec.subject import Subject
from lakewright.spec.warehouse import Warehouse

__all__ = [
    "S3",
    "Backup",
    "Defaults",
    "Encryption",
    "Engine",
    "Key",
    "Lake",
    "Lineage",
    "Project",
    "ProjectFile",
    "QueryCache",
    "Target",
    "UnitTest",
    "Zone",
]


_CATALOG = "sqlite:.lakewright/catalog.sqlite"
_ENCRYPTED_CATALOG = "duckdb:.lakewright/catalog.duckdb"


class S3(Spec, frozen=True, kw_only=True):
    """An S3 API. Keys are ``${secret:…}`` or environment references, never literals in a file."""

    endpoint: str | None = None
    region: str = "us-east-1"
    key_id: str | None = None
    secret: str | None = None
    url_style: Literal["path", "vhost"] = "vhost"
    use_ssl: bool = True


class Encryption(Spec, frozen=True, kw_only=True):
    """Tables, archives and the embedded catalog are encrypted at rest, under ``key``: one of the project's keys."""

    key: str = "lake"


class Lake(Spec, frozen=True, kw_only=True):
    """The lake: DuckLake (default) or Iceberg through a REST catalog.

    ``path`` is the folder or ``s3://`` prefix that holds raw files and tables. ``catalog`` is,
    for DuckLake, ``sqlite:<file>`` or ``postgres:<connection string>``, with ``encryption`` ``duckdb:<file>`` instead
    of ``sqlite:<file>``; for Iceberg the REST endpoint's URL, with ``warehouse`` and ``token``.
    """

    kind: Literal["ducklake", "iceberg"] = "ducklake"
    path: str = "lake"
    catalog: str = _CATALOG
    warehouse: str | None = None
    token: str | None = None
    s3: S3 | None = None
    encryption: Encryption | None = None

    @property
    def catalog_place(self) -> str:
        """The catalog that is meant: ``catalog``, or where an encrypted lake keeps its own when none is named."""
        if self.encryption is not None and self.catalog == _CATALOG:
            return _ENCRYPTED_CATALOG
        return self.catalog


class Engine(Spec, frozen=True, kw_only=True):
    """``memory_limit`` as DuckDB spells it (``2GB``), ``threads`` for one statement, ``workers`` for branches.

    ``pools`` limits groups of datasets further: name → how many of them are built at once.
    """

    memory_limit: str | None = None
    threads: int | None = None
    workers: int | None = None
    pools: dict[str, int] = {}
    temp_directory: str | None = None


class Zone(Spec, frozen=True, kw_only=True):
    """What a zone is for and how long its data stays (``90d``, ``1y``, ``forever``).

    Older rows go to the archive first, unless ``archive`` is false; on S3 as ``storage_class``. With
    ``readers``, no other role of ``access`` reads the zone, whatever it is given.
    """

    purpose: str = ""
    retention: str | None = None
    archive: bool = True
    storage_class: str | None = None
    format: str | None = None
    readers: tuple[str, ...] = ()


class Defaults(Spec, frozen=True, kw_only=True):
    """Defaults of every dataset."""

    owner: str = ""
    on_violation: Severity = "quarantine"
    quality_threshold: float = 0.85
    retry: Retry = Retry()
    timeout: str | None = None


class Lineage(Spec, frozen=True, kw_only=True):
    """Where OpenLineage events go: a file (NDJSON) or a URL, or both."""

    namespace: str | None = None
    file: str | None = None
    url: str | None = None
    api_key: str | None = None


class QueryCache(Spec, frozen=True, kw_only=True):
    """Results of queries are kept, and given again until what they were read from changes.

    ``store`` is ``sqlite:<file>`` or ``redis://…``. A result is kept for ``lifetime`` at most, and not at all
    when it is larger than ``max_result``; ``max_size`` limits what a SQLite store holds.
    """

    store: str = "sqlite:.lakewright/queries.db"
    lifetime: str = "1h"
    max_result: str = "10MB"
    max_size: str = "500MB"


class Target(Spec, frozen=True, kw_only=True):
    """Settings that replace the project's own when the target is chosen."""

    lake: Lake | None = None
    engine: Engine | None = None
    state: str | None = None
    lineage: Lineage | None = None
    defaults: Defaults | None = None
    query_cache: QueryCache | None = None


class Key(Spec, frozen=True, kw_only=True):
    """Where a key that masks values, or encrypts the lake, is kept.

    ``file`` makes one under ``.lakewright/keys``, ``keyring`` in the operating system's keyring, ``kms`` a file
    whose content AWS KMS has wrapped; ``secret`` takes one that you made.
    """

    store: Literal["file", "keyring", "kms", "secret"] = "file"
    secret: str | None = None
    kms_key: str | None = None
    endpoint: str | None = None
    region: str | None = None


class Backup(Spec, frozen=True, kw_only=True):
    """Where backups go: ``to`` is a folder or ``s3://bucket/prefix``, opened with ``s3`` (the lake's without it).

    ``passphrase`` is a reference to the secret that seals the keys in them.
    """

    to: str | None = None
    s3: S3 | None = None
    passphrase: str | None = None


class ProjectFile(Spec, frozen=True, kw_only=True):
    """The keys of ``lakewright.yaml``. ``state`` is ``sqlite:<file>`` or ``postgresql://…``."""

    name: str
    description: str = ""
    lake: Lake = Lake()
    engine: Engine = Engine()
    state: str = "sqlite:.lakewright/state.db"
    zones: dict[str, Zone] = {}
    defaults: Defaults = Defaults()
    lineage: Lineage = Lineage()
    query_cache: QueryCache | None = None
    keys: dict[str, Key] = {}
    access: Access | None = None
    subjects: dict[str, Subject] = {}
    backup: Backup = Backup()
    targets: dict[str, Target] = {}
    default_target: str | None = None


class UnitTest(Spec, frozen=True, kw_only=True):
    """``tests/*.yaml``: given these rows, expect those.

    ``given`` maps an upstream dataset to rows (mappings), ``expect`` are the rows of the dataset
    after its steps and casts; ``quarantined`` the rows expected there, when asked. With
    ``ordered: false`` (default) the order of rows does not matter; columns not named are not compared.
    """

    name: str
    dataset: str
    given: dict[str, tuple[dict[str, object], ...]]
    expect: tuple[dict[str, object], ...]
    quarantined: tuple[dict[str, object], ...] | None = None
    ordered: bool = False
    path: str = ""


class Project(Spec, frozen=True, kw_only=True):
    """A whole project with its target applied: what the files say, nothing run yet.

    ``root`` is the absolute folder of ``lakewright.yaml``. ``sources`` by source name, ``datasets``
    by id (``zone.name``); raw datasets are not in ``datasets`` but in ``raw``: id → source name.
    ``warehouses`` by id, ``warehouse.name``.
    """

    root: str
    target: str
    file: ProjectFile
    sources: dict[str, Source]
    source_paths: dict[str, str]
    datasets: dict[str, Dataset]
    tests: tuple[UnitTest, ...] = ()
    warehouses: dict[str, Warehouse] = {}

    @property
    def raw(self) -> dict[str, str]:
        """Raw dataset id → the name of the source that fills it."""
        return {f"raw.{name}": source for source, spec in self.sources.items() for name in spec.datasets}
