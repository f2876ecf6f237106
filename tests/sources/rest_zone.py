"""A REST source over a test's HTTP server: take its datasets and look at what raw holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from raw_zone import Zone

from http_api import Api
from lakewright.project.check_rest import rest_problems
from lakewright.sources.drift import schema_of
from lakewright.sources.files import Taken
from lakewright.sources.manifest import files_of
from lakewright.sources.read import reading
from lakewright.sources.rest.take import take_rest
from lakewright.spec.rest import RestSource

DAY = datetime(2024, 3, 5, 12, tzinfo=UTC)


@dataclass
class Rest:
    """``take`` asks for a dataset with settings as YAML has them; each call is a minute later."""

    zone: Zone
    api: Api
    secrets: dict[str, str] = field(default_factory=dict)
    source: RestSource | None = None
    calls: int = 0

    def describe(self, datasets: dict[str, Any], **settings: Any) -> RestSource:
        values = {"kind": "rest", "base_url": self.api.url, "retries": 0, "retry_wait": "1ms", **settings}
        values["datasets"] = datasets
        _rename(values)
        self.source = msgspec.convert(values, RestSource)
        assert list(rest_problems(self.source)) == []
        return self.source

    def take(self, name: str = "d", check: Callable[[], None] = lambda: None) -> Taken:
        assert self.source is not None
        self.calls += 1
        return take_rest(
            "api", name, self.source, root=self.zone.root, store=self.zone.store, state=self.zone.state,
            cursor=self.zone.cursor, resolve=self.resolve, check=check, at=DAY + timedelta(minutes=self.calls),
        )  # fmt: skip

    def resolve(self, text: str) -> str:
        for name, value in self.secrets.items():
            text = text.replace("${secret:" + name + "}", value)
        return text

    def rows(self, name: str = "d", *columns: str) -> list[tuple[Any, ...]]:
        assert self.source is not None
        files = files_of(self.zone.state, f"raw.{name}")
        spec = self.source.datasets[name]
        schema = schema_of(files, spec, self.zone.cursor)
        found = reading(files, spec, store=self.zone.store, cursor=self.zone.cursor, schema=schema)
        chosen = ", ".join(f'"{one}"' for one in (columns or found.columns))
        if not chosen:
            return []
        return self.zone.cursor.execute(f"SELECT {chosen} FROM ({found.query.sql('duckdb')})").fetchall()

    def answers(self, taken: Taken) -> list[dict[str, Any]]:
        """What raw keeps of the answers of a load."""
        (file,) = taken.files
        with self.zone.store.open(file.raw_path) as stream:
            text = pa.CompressedInputStream(stream, "zstd").read()
        return [json.loads(line) for line in text.splitlines()]

    def everything(self) -> bytes:
        """Every byte that lies in raw, unpacked, and in the state."""
        found = b""
        for path in sorted(Path(self.zone.root).rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                if path.suffix == ".zst":
                    data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
                found += data
        return found


def _rename(values: Any) -> None:
    """YAML says ``in``, Python ``in_``."""
    if isinstance(values, dict):
        if "in" in values:
            values["in_"] = values.pop("in")
        for one in values.values():
            _rename(one)
