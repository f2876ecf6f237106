"""Copy a file in one streaming pass: bytes to a staging folder, hash, and what its text looks like."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from lakewright.sources.discover import Found

__all__ = ["HEAD", "Staged", "TextScan", "copy"]

_CHUNK = 1 << 20

#: As much of a file's beginning as is kept to recognise format, encoding and dialect.
HEAD = 1 << 18


class TextScan:
    """Watches bytes go by and remembers whether they are UTF-8, and hold NUL or bytes of Windows-1252."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._pending = False
        self.ascii = True
        self.utf8 = True

    def feed(self, data: bytes) -> None:
        """Look at the next bytes."""
        if data.isascii() and not self._pending:
            return
        self.ascii = False
        if not self.utf8:
            return
        try:
            self._decode(data)
            # A character may be cut by the end of the chunk; the next one must then go the slow way.
            self._pending = not data[-1:].isascii()
        except UnicodeDecodeError:
            self.utf8 = False

    def close(self) -> None:
        """Tell that there is no more: a character cut off at the end is no UTF-8."""
        if self.utf8:
            try:
                self._decode(b"", True)
            except UnicodeDecodeError:
                self.utf8 = False


@dataclass(slots=True)
class Staged:
    """A copied file: where it lies, its ``size``, SHA-256 as hex, first bytes, and what its text looks like.

    ``grown`` tells that its first bytes are exactly the older version; ``steady`` that it did not
    change while it was copied.
    """

    found: Found
    local: Path
    size: int
    hash: str
    modified: datetime
    head: bytes
    text: TextScan = field(repr=False)
    grown: bool = False
    steady: bool = True


def copy(found: Found, local: Path, *, old_size: int | None = None, old_hash: str | None = None) -> Staged:
    """Copy *found* to *local* and return what was seen on the way.

    *old_size* and *old_hash* describe the version taken before, if any.
    """
    size, modified = found.stat()
    with found.open() as source:
        staged = _copy(found, source, local, old_size, old_hash, modified)
    after, changed = found.stat()
    staged.steady = (after, changed) == (size, modified) and staged.size == size
    return staged


def _copy(
    found: Found,
    source: IO[bytes],
    local: Path,
    old_size: int | None,
    old_hash: str | None,
    modified: datetime,
) -> Staged:
    digest = hashlib.sha256()
    text = TextScan()
    head = b""
    size = 0
    grown = False
    with local.open("wb") as out:
        while data := source.read(_CHUNK):
            if len(head) < HEAD:
                head += data[: HEAD - len(head)]
            if old_size is not None and size <= old_size < size + len(data):
                before = digest.copy()
                before.update(data[: old_size - size])
                grown = before.hexdigest() == old_hash
            digest.update(data)
            text.feed(data)
            out.write(data)
            size += len(data)
    text.close()
    return Staged(found, local, size, digest.hexdigest(), modified, head, text, grown and size != old_size)
