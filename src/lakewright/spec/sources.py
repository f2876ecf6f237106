"""What ``sources/*.yaml`` says: where data comes from and how it is read."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Aged, Drift, Spec
from lakewright.spec.databases import DatabaseDataset, DatabaseSource
from lakewright.spec.dlt import DltDataset, DltSource
from lakewright.spec.rest import RestDataset, RestSource

__all__ = [
    "AGED",
    "SOURCES",
    "FileDataset",
    "FileFormat",
    "FileSource",
    "PythonDataset",
    "PythonSource",
    "RawDataset",
    "ReadOptions",
    "Source",
]

FileFormat = Literal["auto", "csv", "json", "ndjson", "parquet", "avro", "orc", "excel"]


class ReadOptions(Spec, frozen=True, kw_only=True):
    """How a file is read. Every option left out is sniffed from the file.

    CSV: ``delimiter``, ``quote``, ``escape``, ``header``, ``comment``, ``skip``, ``nulls``,
    ``names`` (column names of a file without header). Text formats: ``encoding``
    (``utf-8``, ``utf-16``, ``latin-1``, ``windows-1252``). JSON: ``records`` is the path of the
    list of records inside the document, e.g. ``$.data.items``. Excel: ``sheet``.
    ``compression`` is ``none``, ``gzip``, ``zstd``, ``bzip2`` or ``zip``.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    comment: str | None = None
    skip: int | None = None
    nulls: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    encoding: str | None = None
    compression: Literal["none", "gzip", "zstd", "bzip2", "zip"] | None = None
    records: str | None = None
    sheet: str | int | None = None


class FileDataset(Aged, frozen=True, kw_only=True):
    """One raw dataset made of files; its name is its key under ``datasets``.

    ``files`` is a path or pattern (``*``, ``**``, ``?``), or several, relative to the source's
    ``path``. ``columns`` fixes the columns that the dataset must have, in name only for text
    formats (raw text is not typed); without it the first files decide.
    """

    files: str | tuple[str, ...]
    format: FileFormat = "auto"
    options: ReadOptions = ReadOptions()
    columns: tuple[str, ...] = ()
    on_drift: Drift = "evolve"
    on_unreadable: Literal["quarantine", "fail"] = "quarantine"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class FileSource(Aged, frozen=True, tag_field="kind", tag="files", kw_only=True):
    """Files under a local folder or an ``s3://`` prefix: ``kind: files``."""

    path: str
    datasets: dict[str, FileDataset]
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class PythonDataset(Aged, frozen=True, kw_only=True):
    """One raw dataset made of rows that a program hands over; its name is its key under ``datasets``.

    ``columns`` are the columns that the dataset must have; without it the first rows decide.
    """

    columns: tuple[str, ...] = ()
    on_drift: Drift = "evolve"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class PythonSource(Aged, frozen=True, tag_field="kind", tag="python", kw_only=True):
    """Rows and events that a program hands over with ``lakewright.open(...).ingest(...)``: ``kind: python``."""

    datasets: dict[str, PythonDataset]
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


#: A source of any kind, and one raw dataset of any kind of source.
Source = FileSource | DatabaseSource | RestSource | DltSource | PythonSource
RawDataset = FileDataset | DatabaseDataset | RestDataset | DltDataset | PythonDataset

#: The kinds of sources, by what ``kind`` says.
SOURCES: dict[str, type[Source]] = {
    "files": FileSource,
    "database": DatabaseSource,
    "rest": RestSource,
    "dlt": DltSource,
    "python": PythonSource,
}

#: Everything that says how long raw files stay.
AGED: tuple[type[Aged], ...] = (
    *(FileSource, FileDataset, DatabaseSource, DatabaseDataset, RestSource, RestDataset),
    *(DltSource, DltDataset, PythonSource, PythonDataset),
)
