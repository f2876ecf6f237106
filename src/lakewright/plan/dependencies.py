"""What the SQL of each dataset reads, remembered between runs by the text of the query.

Parsing costs a few milliseconds per query and loads SQLGlot; a project of hundreds of datasets
changes a few of them at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec

__all__ = ["Dependencies"]

# Raised when what parse_query accepts or dependencies returns changes.
_FORMAT = 1


class _Stored(msgspec.Struct):
    made_by: str
    reads: dict[str, tuple[str, ...]]


class Dependencies:
    """Dataset ids that queries read, with a memory in *file* (none when None).

    The memory is an optimisation only: when it is missing, damaged, of another version or cannot
    be written, the queries are parsed.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._made_by = f"{_FORMAT} lakewright {version('lakewright')} sqlglot {version('sqlglot')}"
        self._known = self._load()
        self._used: dict[str, tuple[str, ...]] = {}

    def of(self, text: str, *, path: str) -> tuple[str, ...]:
        """Return the ids that the query *text* reads, in order of first use.

        Raises ProjectError when it is not one query; *path* is the user's file in its message.
        """
        key = hashlib.sha256(text.encode()).hexdigest()
        found = self._known.get(key)
        if found is None:
            # SQLGlot is loaded only when a query is new
            from lakewright.sql.query import dependencies, shared_query

            found = dependencies(shared_query(text, path=path))
        self._used[key] = found
        return found

    def save(self) -> None:
        """Keep what was asked for since the start, when it differs from what was kept."""
        if self._file is None or self._used == self._known:
            return
        data = msgspec.json.encode(_Stored(self._made_by, self._used))
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(name).replace(self._file)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _load(self) -> dict[str, tuple[str, ...]]:
        if self._file is None:
            return {}
        try:
            stored = msgspec.json.decode(self._file.read_bytes(), type=_Stored)
        except (OSError, msgspec.DecodeError):
            return {}
        return stored.reads if stored.made_by == self._made_by else {}
