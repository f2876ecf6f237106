"""What inspecting a file gives: how it is read, how many rows it has, and the lines that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lakewright.sources.manifest import Field
from lakewright.sources.staging import TextScan

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CONTENT", "Outcome", "Piece", "Reject", "in_threads", "reject_table", "shown"]

T = TypeVar("T")
R = TypeVar("R")

#: As many characters of a rejected line as are kept.
CONTENT = 10_000


@dataclass(frozen=True, slots=True)
class Reject:
    """A line (counted from 1 in the unpacked text; None for a whole file) that cannot be read, and why."""

    line: int | None
    reason: str
    content: str = ""
    column: str | None = None


@dataclass(slots=True, eq=False)
class Piece:
    """Something to inspect: a staged file, unpacked and decoded as far as its format needs.

    ``name`` is the path for people (``orders.csv``, or ``all.zip/orders.csv``). ``derived`` tells that
    ``local`` is not the original's bytes, so that a readable copy has to be kept beside the original unless
    DuckDB unpacks the original by itself (``packed``: gzip or zstd).
    """

    name: str
    local: Path
    head: bytes
    text: TextScan
    size: int
    folder: Path
    member: str = ""
    derived: bool = False
    packed: str = "none"

    def copy(self, ending: str) -> Path:
        """Return a place in the working folder for a copy of this piece that ends in *ending*."""
        self.folder.mkdir(exist_ok=True)
        return self.folder / f"{self.local.name}.{ending}"


@dataclass(slots=True)
class Outcome:
    """How a piece is read. ``local`` replaces the piece's own file when a better copy was made."""

    format: str
    columns: tuple[Field, ...] = ()
    rows: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    local: Path | None = None
    unreadable: str = ""


def in_threads(threads: Executor, work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """Return ``work(job)`` for every job, in their order, a handful per task: thousands of small files are common."""
    size = max(1, min(64, len(jobs) // 32))
    chunks = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    return [one for part in threads.map(lambda chunk: [work(job) for job in chunk], chunks) for one in part]


def reject_table(rejects: Sequence[tuple[str, str, Reject]]) -> pa.Table:
    """Return rejects (path in the manifest, file for people, reject) as an Arrow table.

    Columns: path, file, line, column, reason, content; ``file`` differs from ``path`` inside archives.
    """
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = dict.fromkeys(
        ("path", "file", "line", "column", "reason", "content"), pa.string()
    )
    schema = pa.schema({**kinds, "line": pa.int64()})
    if not rejects:
        return pa.Table.from_batches([], schema)  # an empty array would import pandas
    columns: list[list[Any]] = [
        [path for path, _, _ in rejects],
        [file for _, file, _ in rejects],
        [one.line for _, _, one in rejects],
        [one.column for _, _, one in rejects],
        [one.reason for _, _, one in rejects],
        [one.content[:CONTENT] for _, _, one in rejects],
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def shown(data: bytes) -> str:
    """Return bytes as text for people: what is not UTF-8 as ``\\xff``, at most :data:`CONTENT` characters."""
    return data[: CONTENT * 4].decode("utf-8", "backslashreplace")[:CONTENT]
