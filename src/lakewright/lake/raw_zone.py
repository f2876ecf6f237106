"""The raw zone as its readers see it: files where they were put, and old ones in the archive beside it.

A path that begins with ``_archive/`` lies under ``raw/`` of the archive, any other in the raw zone itself. So
whoever reads, cuts or lists a file by the path that the manifest gives need not know which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from lakewright.lake.raw import RawStore, Resolve, Stored, open_raw
from lakewright.spec.project import Lake

__all__ = ["ARCHIVED", "PACKED", "RawZone", "archive_path", "home_path", "in_archive", "open_raw_zone"]

#: What the path of an archived file begins with in the manifest.
ARCHIVED = "_archive/"

#: What the name of a file ends in that was packed with zstd on its way to the archive; ``~`` keeps it
#: apart from names that sources give.
PACKED = "~.zst"


def in_archive(path: str) -> bool:
    """Whether *path*, as the manifest gives it, is one of the archive."""
    return path.startswith(ARCHIVED)


def archive_path(path: str) -> str:
    """Return the path inside the archive of a file whose path in the manifest is *path*."""
    return f"raw/{path.removeprefix(ARCHIVED)}"


def home_path(path: str) -> str:
    """Return where in the raw zone a file lies, or lay before it was archived."""
    return path.removeprefix(ARCHIVED).removesuffix(PACKED) if in_archive(path) else path


class RawZone(RawStore):
    """The store *raw* with what was moved to the store *archive*; new work goes on in *raw*."""

    def __init__(self, raw: RawStore, archive: RawStore) -> None:
        self.raw, self.archive = raw, archive
        self.root = raw.root

    def _where(self, path: str) -> tuple[RawStore, str]:
        return (self.archive, archive_path(path)) if in_archive(path) else (self.raw, path)

    def put_as(self, source: Path, path: str, storage_class: str) -> None:
        """See :meth:`RawStore.put_as`."""
        store, inside = self._where(path)
        store.put_as(source, inside, storage_class)

    def put(self, source: Path | bytes | IO[bytes], path: str) -> int:
        """See :meth:`RawStore.put`."""
        store, inside = self._where(path)
        return store.put(source, inside)

    def uri(self, path: str) -> str:
        """Return the address under which DuckDB reads *path*."""
        store, inside = self._where(path)
        return store.uri(inside)

    def _write(self, stream: IO[bytes], path: str) -> int:
        return self.put(stream, path)

    def publish(self, local: Path, path: str) -> None:
        """See :meth:`RawStore.publish`."""
        store, inside = self._where(path)
        store.publish(local, inside)

    def open(self, path: str) -> BinaryIO:
        """See :meth:`RawStore.open`."""
        store, inside = self._where(path)
        return store.open(inside)

    def exists(self, path: str) -> bool:
        """See :meth:`RawStore.exists`."""
        store, inside = self._where(path)
        return store.exists(inside)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield every file of the raw zone itself under *prefix*."""
        return self.raw.list(prefix)

    def delete(self, path: str) -> None:
        """See :meth:`RawStore.delete`."""
        store, inside = self._where(path)
        store.delete(inside)

    def staging(self) -> Path:
        """See :meth:`RawStore.staging`."""
        return self.raw.staging()


def open_raw_zone(lake: Lake, root: Path, resolve: Resolve) -> RawZone:
    """Return the raw zone of a project's *lake*, archived files included; see :func:`~lakewright.lake.raw.open_raw`."""
    return RawZone(open_raw(lake, root, resolve), open_raw(lake, root, resolve, "archive"))
