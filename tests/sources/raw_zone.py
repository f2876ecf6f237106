"""A raw zone for one test: write files, take them, read them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from lakewright.lake.raw import RawStore
from lakewright.sources.drift import schema_of
from lakewright.sources.files import Taken, take
from lakewright.sources.manifest import RawFile, files_of
from lakewright.sources.read import Reading, reading
from lakewright.spec.sources import FileDataset, FileSource, ReadOptions
from lakewright.state import State


@dataclass
class Zone:
    """A source folder, a raw store and a state, with one dataset called ``d`` of a source called ``s``."""

    root: Path
    store: RawStore
    state: State
    cursor: duckdb.DuckDBPyConnection
    landing: Path

    def write(self, name: str, data: bytes | str) -> Path:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def dataset(self, files: str | tuple[str, ...] = "**/*", **settings: Any) -> FileDataset:
        options = ReadOptions(**settings.pop("options", {}))
        return FileDataset(files=files, options=options, **settings)

    def take(
        self,
        files: str | tuple[str, ...] = "**/*",
        *,
        landing: Path | None = None,
        at: datetime | None = None,
        **settings: Any,
    ) -> Taken:
        source = FileSource(
            path=str(landing or self.landing), datasets={"d": self.dataset(files, **settings)}
        )
        return take(
            "s", "d", source, root=self.root, store=self.store, state=self.state, cursor=self.cursor, at=at
        )

    def files(self, **which: Any) -> list[RawFile]:
        return files_of(self.state, "raw.d", **which)

    def reading(self, *, after: int | None = None, **settings: Any) -> Reading:
        dataset = self.dataset(**settings)
        schema = schema_of(self.files(), dataset, self.cursor)
        return reading(self.files(after=after), dataset, store=self.store, cursor=self.cursor, schema=schema)

    def rows(self, *, source_file: bool = False, **settings: Any) -> list[tuple[Any, ...]]:
        """All rows of what is current, without hidden columns unless asked."""
        read = self.reading(**settings)
        hidden = ["_source_file"] if source_file else []
        chosen = ", ".join('"' + name.replace('"', '""') + '"' for name in [*read.columns, *hidden])
        if not chosen:
            return []
        found = self.cursor.execute(f"SELECT {chosen} FROM ({read.query.sql('duckdb')})").fetchall()
        assert len(found) == read.rows
        return found
