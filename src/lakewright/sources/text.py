"""Turn text of any encoding and compression into plain UTF-8 that DuckDB reads: unpack, decode, line ends."""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from lakewright.sources.staging import TextScan

__all__ = ["Unreadable", "decode", "encoding_of", "members", "normalise_line_ends", "open_packed", "unpack"]

_CHUNK = 1 << 20

_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {
    "utf-8": "utf-8", "utf8": "utf-8", "utf-8-sig": "utf-8", "ascii": "utf-8",
    "utf-16": "utf-16", "utf16": "utf-16", "utf-16-le": "utf-16-le", "utf-16le": "utf-16-le",
    "utf-16-be": "utf-16-be", "utf-16be": "utf-16-be", "utf-32": "utf-32",
    "latin-1": "latin-1", "latin1": "latin-1", "iso-8859-1": "latin-1",
    "windows-1252": "cp1252", "cp1252": "cp1252", "cp-1252": "cp1252",
}  # fmt: skip

#: Bytes that Windows-1252 leaves undefined.
_UNDEFINED_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


class Unreadable(Exception):
    """A whole file that cannot be read; its text is the reason for people."""


def encoding_of(head: bytes, text: TextScan, declared: str | None) -> str:
    """Return the Python name of a file's encoding: declared, by its mark, or by what its bytes can be.

    Text that is not UTF-8 is taken as UTF-8 with bad bytes when good multi-byte characters outnumber
    them in its beginning, as UTF-16 without a mark when every other byte is NUL, else as
    Windows-1252, or Latin-1 where it has bytes that Windows-1252 lacks.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if declared is not None:
        known = _NAMES.get(declared.lower().replace("_", "-"))
        if known == "utf-16":
            return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
        if known is not None:
            return known
        try:
            return codecs.lookup(declared).name
        except LookupError:
            raise Unreadable(f"the encoding {declared!r} is not known") from None
    if text.utf8 and b"\0" not in head[:4096]:
        return "utf-8"
    sample = head[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if len(head) % 2:
        even = odd = 0
    if odd > len(sample) // 4 and even <= odd // 8:
        return "utf-16-le"
    if even > len(sample) // 4 and odd <= even // 8:
        return "utf-16-be"
    if text.utf8:
        return "utf-8"
    good, bad = _utf8_balance(head)
    if good > bad:
        return "utf-8"
    return "latin-1" if _UNDEFINED_1252.intersection(head) else "cp1252"


def open_packed(local: Path, compression: str) -> IO[bytes]:
    """Return a stream of the unpacked bytes of *local* (``none``, ``gzip``, ``zstd``, ``bzip2``)."""
    if compression == "none":
        return local.open("rb")
    if compression == "gzip":
        import gzip

        return cast("IO[bytes]", gzip.open(local, "rb"))
    if compression == "bzip2":
        import bz2

        return cast("IO[bytes]", bz2.open(local, "rb"))
    import pyarrow as pa

    return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(str(local), "rb"), "zstd"))


def unpack(local: Path, compression: str, target: Path) -> tuple[bytes, TextScan]:
    """Write the unpacked bytes of *local* to *target*; return their beginning and what the text is like.

    Raises :class:`Unreadable` when the archive is broken or cut off: no half file is ever read.
    """
    with _clear(compression), open_packed(local, compression) as source, target.open("wb") as out:
        return _pour(source, out)


def members(local: Path, folder: Path) -> Iterator[tuple[str, Path, bytes, TextScan]]:
    """Unpack every file of a zip archive into *folder*, one by one: name, place, beginning, text.

    Folders, hidden files and what macOS adds are left out. Raises :class:`Unreadable`.
    """
    with _clear("zip"), zipfile.ZipFile(local) as archive:
        count = 0
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith("."):
                continue
            if info.flag_bits & 1:
                raise Unreadable(f"the zip file is encrypted ({name})")
            target = folder / f"member-{count}"
            count += 1
            with archive.open(info) as source, target.open("wb") as out:
                head, text = _pour(source, out)
            yield name, target, head, text
    if not count:
        raise Unreadable("the zip file holds no file")


def decode(local: Path, encoding: str, target: Path) -> None:
    """Write *local* to *target* as UTF-8 without a mark. Raises :class:`Unreadable` for bytes that are not *encoding*."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    first, place = True, 0
    with local.open("rb") as source, target.open("wb") as out:
        while True:
            data = source.read(_CHUNK)
            try:
                text = decoder.decode(data, not data)
            except UnicodeDecodeError as error:
                raise Unreadable(
                    f"the file is not {encoding}: {error.reason} near byte {place + error.start}"
                ) from None
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            # A lone half of a surrogate pair has no UTF-8.
            out.write(text.encode("utf-8", "replace"))
            place += len(data)
            if not data:
                return


def normalise_line_ends(local: Path, target: Path, quote: str) -> None:
    r"""Write *local* to *target* with every line end (``\r\n``, ``\r``) outside quotes as ``\n``."""
    import numpy as np

    inside = 0
    mark = ord(quote) if quote else -1
    cut = b""
    with local.open("rb") as source, target.open("wb") as out:
        while True:
            data = source.read(8 * _CHUNK)
            if not data and not cut:
                return
            data, last = cut + data, not data
            cut = b""
            if data.endswith(b"\r") and not last:
                data, cut = data[:-1], b"\r"
            if not data:
                continue
            view = np.frombuffer(data, dtype=np.uint8).copy()
            quotes = np.cumsum(view == mark, dtype=np.int64) + inside
            inside = int(quotes[-1]) & 1
            returns = (view == 13) & ((quotes & 1) == 0)
            feeds = np.empty(len(view), dtype=bool)
            feeds[:-1] = view[1:] == 10
            feeds[-1] = False
            view[returns & ~feeds] = 10
            out.write(view[~(returns & feeds)].tobytes())
            if last:
                return


def _pour(source: IO[bytes], out: IO[bytes]) -> tuple[bytes, TextScan]:
    from lakewright.sources.staging import HEAD

    text, head = TextScan(), b""
    while data := source.read(_CHUNK):
        if len(head) < HEAD:
            head += data[: HEAD - len(head)]
        text.feed(data)
        out.write(data)
    text.close()
    return head, text


@contextmanager
def _clear(compression: str) -> Iterator[None]:
    # Every library has its own way of saying that an archive is broken.
    import zlib

    try:
        yield
    except EOFError:
        raise Unreadable(f"the {compression} file is cut off") from None
    except (OSError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"the {compression} file is broken: {error}") from None


def _utf8_balance(head: bytes) -> tuple[int, int]:
    text = head.decode("utf-8", "surrogateescape")
    bad = sum(1 for one in text if "\udc80" <= one <= "\udcff")
    good = sum(1 for one in text if one > "\x7f") - bad
    return good, bad
