"""Recognise what a file is: its format and compression, by its first bytes and then by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

__all__ = ["COMPRESSIONS", "EXTENSIONS", "compression_of", "format_of", "inner_name"]

#: Name endings and the formats that they promise.
EXTENSIONS: dict[str, str] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".psv": "csv", ".txt": "csv", ".dat": "csv",
    ".json": "json", ".geojson": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".jsonlines": "ndjson",
    ".parquet": "parquet", ".parq": "parquet", ".pq": "parquet", ".avro": "avro", ".orc": "orc",
    ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip

#: Name endings of compressed files.
COMPRESSIONS: dict[str, str] = {
    ".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".zip": "zip",
}  # fmt: skip

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"PARE", "parquet"),
    (b"Obj\x01", "avro"),
    (b"ORC", "orc"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
)
_PACKED: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)


def compression_of(head: bytes, name: Path, local: Path) -> str:
    """Return ``none``, ``gzip``, ``zstd``, ``bzip2`` or ``zip``; an Excel workbook counts as not compressed."""
    for magic, packed in _PACKED:
        if head.startswith(magic):
            if packed == "zip" and _is_workbook(head, name, local):
                return "none"
            return packed
    return "none"


def format_of(head: bytes, name: str, declared: str = "auto") -> str:
    """Return the format of a file that is not compressed: what is *declared*, else by bytes, else by name.

    *name* is the file's name without the ending of its compression. Text of which the name tells
    nothing is JSON when it begins like it, and CSV otherwise.
    """
    if declared != "auto":
        return declared
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head.startswith(b"PK"):
        return "excel"
    by_name = EXTENSIONS.get(PurePosixPath(name).suffix.lower())
    if by_name is not None and not (by_name == "csv" and name.lower().endswith((".txt", ".dat"))):
        return by_name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return "json" if text[:1] in (b"{", b"[") and by_name is None else "csv"


def inner_name(name: str) -> str:
    """Return *name* without the ending of a compression: ``a.csv`` for ``a.csv.gz``."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in COMPRESSIONS else name


def _is_workbook(head: bytes, name: Path, local: Path) -> bool:
    """Whether a zip file is a workbook: Office's parts, or an OpenDocument spreadsheet's first entry."""
    if b"application/vnd.oasis.opendocument.spreadsheet" in head[:200]:
        return True
    if b"[Content_Types].xml" not in head and b"xl/" not in head and name.suffix.lower() == ".zip":
        return False
    try:
        with zipfile.ZipFile(local) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)
