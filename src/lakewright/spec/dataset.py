"""What ``datasets/<zone>/<name>.yaml`` says: one dataset of the lake."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Severity, Spec
from lakewright.spec.expectations import Expectation
from lakewright.spec.mask import Mask
from lakewright.spec.star import Dimension, Fact
from lakewright.spec.steps import Step

__all__ = ["Column", "Compatibility", "Dataset", "DatasetFile", "Incremental", "Scd2", "Write"]

Scalar = str | int | float | bool
#: Which changes of a schema are allowed; the last three against every earlier version, not only the last one.
Compatibility = Literal[
    "none", "backward", "forward", "full", "backward_transitive", "forward_transitive", "full_transitive"
]


class Column(Spec, frozen=True, kw_only=True):
    """A column of the contract: its type, its rules and what is known about it.

    ``type`` is a SQL type in DuckDB's spelling. ``format`` is the strptime format of a date or
    time that arrives as text. ``min`` and ``max`` are inclusive; for dates they are ISO text.
    ``severity`` overrides the dataset's ``on_violation`` for this column's rules.
    """

    type: str | None = None
    description: str = ""
    key: bool = False
    required: bool = False
    unique: bool = False
    min: Scalar | None = None
    max: Scalar | None = None
    in_: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    format: str | None = None
    severity: Severity | None = None
    pii: str | None = None
    mask: Mask | None = None
    classification: str | None = None
    tags: tuple[str, ...] = ()
    critical: bool = False
    examples: tuple[Scalar, ...] = ()


class Scd2(Spec, frozen=True, kw_only=True):
    """How ``mode: scd2`` keeps history. ``changed_at`` gives the time of a change; without it, the build's time."""

    changed_at: str | None = None
    track: tuple[str, ...] = ()
    detect_deletes: bool = False


class Write(Spec, frozen=True, kw_only=True):
    """How rows reach the table.

    ``append`` adds; ``overwrite`` replaces the partitions that the new rows touch, or the whole
    table when it has none; ``merge`` updates by key and inserts the rest; ``scd2`` keeps every
    version of a key with ``valid_from``, ``valid_to`` and ``is_current``. ``replace`` rebuilds
    the whole table. ``partition_by`` takes a column or year(c), month(c), day(c), hour(c),
    bucket(n, c). ``sort_by`` orders rows within files for skipping. With ``delete_when``, a ``merge``
    takes rows that meet this condition as the news that their key is gone.
    """

    mode: Literal["append", "overwrite", "merge", "scd2", "replace"] | None = None
    keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()
    delete_when: str | None = None
    scd2: Scd2 = Scd2()


class Incremental(Spec, frozen=True, kw_only=True):
    """What counts as new. By default the batches of the upstream not yet seen.

    ``column`` uses a cursor column of the upstream instead, re-reading ``lookback`` before the
    last position. ``enabled: false`` reads everything each time.
    """

    column: str | None = None
    lookback: str | None = None
    enabled: bool = True


class Retry(Spec, frozen=True, kw_only=True):
    """``attempts`` in all, with ``wait`` before the second, growing by ``backoff`` each time."""

    attempts: int = 3
    wait: str = "1s"
    backoff: float = 2.0


class Compact(Spec, frozen=True, kw_only=True):
    """From which age on ``lakewright compact`` puts the files of a month, and those of a year, together."""

    monthly_after: str | None = None
    yearly_after: str | None = None


class DatasetFile(Spec, frozen=True, kw_only=True):
    """The keys of a dataset's YAML file.

    Of the datasets that are ready to be built the one with the highest ``priority`` goes first;
    ``pool`` names one of the engine's pools, which limit how many of a kind are built at once.
    """

    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    from_: str | None = None
    steps: tuple[Step, ...] = ()
    contract: str | None = None
    columns: dict[str, Column] = {}
    write: Write = Write()
    incremental: Incremental = Incremental()
    expect: tuple[Expectation, ...] = ()
    on_violation: Severity | None = None
    quality_threshold: float | None = None
    compatibility: Compatibility = "none"
    on_drift: Literal["evolve", "ignore", "fail"] = "evolve"
    audit_columns: bool = True
    depends_on: tuple[str, ...] = ()
    retry: Retry | None = None
    timeout: str | None = None
    priority: int = 0
    pool: str | None = None
    retention: str | None = None
    archive: bool | None = None
    age_by: str | None = None
    compact: Compact = Compact()
    dimension: Dimension | None = None
    fact: Fact | None = None


class Dataset(Spec, frozen=True, kw_only=True):
    """A dataset as the rest of the program sees it: its file, its place and its query.

    Exactly one of ``file.from_``, ``sql`` and ``python`` says what it is made of. ``path`` is the
    YAML file (or the query's, where there is no YAML), relative to the project's folder.

    What ``contract`` and ``suite`` name is part of ``file`` already. ``places`` tells file and line of what
    stands there (``columns.<name>``, ``expect.<number>``), ``notes`` what they say that has no counterpart,
    ``identity`` what the contract says about itself (id, version, status, …).
    """

    zone: str
    name: str
    file: DatasetFile
    path: str
    sql: str | None = None
    sql_path: str | None = None
    python: str | None = None
    places: dict[str, tuple[str, int]] = {}
    notes: tuple[str, ...] = ()
    identity: dict[str, str] = {}

    @property
    def id(self) -> str:
        """``zone.name``."""
        return f"{self.zone}.{self.name}"

    @property
    def masks(self) -> dict[str, Mask]:
        """The columns that are stored masked, and how."""
        return {name: one.mask for name, one in self.file.columns.items() if one.mask is not None}

    @property
    def shown_sql(self) -> str | None:
        """The query as people may want to read it; None without one, and for one that holds the lists of a standard."""
        dimension = self.file.dimension
        return None if dimension is not None and dimension.location is not None else self.sql

    @property
    def natural_keys(self) -> tuple[str, ...]:
        """The columns that tell which rows are the same: those of ``write.keys``, or with ``key: true``."""
        if self.file.dimension is not None and self.file.dimension.date is not None:
            return ("date",)
        if self.file.dimension is not None and self.file.dimension.location is not None:
            return self.file.dimension.location.keys
        return self.file.write.keys or tuple(name for name, one in self.file.columns.items() if one.key)

    @property
    def surrogate_key(self) -> str | None:
        """The column with the surrogate key of a dimension, None for any other dataset."""
        dimension = self.file.dimension
        if dimension is None:
            return None
        return dimension.key or ("date_key" if dimension.date else f"{self.name.removeprefix('dim_')}_key")
