"""What is known of the lake's files: SHA-256 by path, noted when a backup or `verify --deep` read them whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from lakewright.recovery.contents import REJECTS
from lakewright.recovery.model import Entry
from lakewright.state import State, UtcTime, metadata

__all__ = ["Checksums"]

_checksums = sa.Table(
    "file_checksums",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("path", sa.String(1024), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)


class Checksums:
    """The checksums of files that never change once they have a name: the first one that was noted stays."""

    def __init__(self, known: dict[tuple[str, str], tuple[int, str]]) -> None:
        self._known = known

    @classmethod
    def read(cls, state: State) -> Checksums:
        """Return what *state* knows."""
        table = _checksums
        with state.read(table) as connection:
            rows = connection.execute(sa.select(table.c.kind, table.c.path, table.c.size, table.c.sha256))
            return cls({(row.kind, row.path): (row.size, row.sha256) for row in rows})

    def of(self, kind: str, path: str) -> str:
        """Return the SHA-256 that a file has when it is right, "" when it was never read."""
        return self._known.get((kind, path), (0, ""))[1]

    def save(self, state: State, entries: Iterable[Entry]) -> None:
        """Note those of *entries* that were not known; raw files that were taken anew replace what was known."""
        at = datetime.now(UTC)
        new: dict[tuple[str, str], tuple[int, str]] = {
            (one.kind, one.path): (one.size, one.sha256)
            for one in entries
            if one.kind in ("tables", "raw", "archive")
            # rejected lines are written anew when a batch is taken again
            and not one.path.startswith(REJECTS)
            and self._known.get((one.kind, one.path)) != (one.size, one.sha256)
        }
        if not new:
            return
        table = _checksums
        with state.begin(table) as connection:
            old = [{"k": kind, "p": path} for kind, path in new if (kind, path) in self._known]
            if old:
                connection.execute(
                    table.delete().where(
                        table.c.kind == sa.bindparam("k"), table.c.path == sa.bindparam("p")
                    ),
                    old,
                )
            connection.execute(
                table.insert(),
                [
                    {"kind": kind, "path": path, "size": size, "sha256": digest, "at": at}
                    for (kind, path), (size, digest) in new.items()
                ],
            )
        self._known |= new
