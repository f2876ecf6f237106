"""One load of a REST dataset: the answers as they came in one file, and the records that are new in another.

The first file is the raw one: a line of JSON per answer, packed with zstd. ``body`` holds the answer's text, or
``body_base64`` its bytes where they are not UTF-8, so that nothing of it is changed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import msgspec

from lakewright.sources.outcome import Reject, shown

if TYPE_CHECKING:
    from lakewright.sources.rest.pages import Page

__all__ = ["Answer", "Load"]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the raw file: an answer, when and where it came from, and what was found in it.

    ``records`` is how many records it gave, ``parent`` the values of the parent's row that it was asked for.
    """

    url: str
    method: str
    status: int
    asked_at: datetime
    content_type: str
    records: int = 0
    problem: str = ""
    parent: dict[str, Any] = {}
    body: str | None = None
    body_base64: str | None = None


class Load:
    """Collects the answers of a load in *folder*; use it in a ``with`` statement.

    ``digest`` is a hash of the answers without their times: a load that brings the same gives the same.
    """

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "answers.ndjson.zst"
        self.lines = folder / "records.ndjson"
        self.rejects: list[Reject] = []
        self.pages = 0
        self.records = 0
        #: The parent's values of runs of records: (number of records, values as JSON).
        self.spans: list[tuple[int, str]] = []
        self._hash = hashlib.sha256()

    def __enter__(self) -> Load:
        import pyarrow as pa

        self._file: IO[bytes] = self.lines.open("wb")
        self._raw: Any = pa.CompressedOutputStream(str(self.raw), "zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.close()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def add(
        self, page: Page, parent: Mapping[str, Any] | None = None, include: Mapping[str, Any] | None = None
    ) -> None:
        """Take an answer in; *include* are values of the parent's row that go into each of its records."""
        self.pages += 1
        text, coded = _body(page.body)
        answer = Answer(
            page.url,
            page.method,
            page.status,
            page.at,
            page.content_type,
            page.records,
            page.problem,
            dict(parent or {}),
            text,
            coded,
        )
        self._raw.write(msgspec.json.encode(answer) + b"\n")
        for part in (page.url.encode(), str(page.status).encode(), page.body):
            self._hash.update(len(part).to_bytes(8, "big") + part)
        self._file.write(page.lines)
        self.records += page.records
        if page.problem:
            self.rejects.append(Reject(self.pages, page.problem, shown(page.body)))
        if include and page.records:
            self.spans.append((page.records, msgspec.json.encode(include).decode()))


def _body(body: bytes) -> tuple[str | None, str | None]:
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(body).decode()
