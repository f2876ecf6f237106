"""A project with raw files of every kind, and a way to make them old."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shop_folder import Folder

from lakewright.app.platform import Platform
from lakewright.sources.manifest import raw_files

SOURCE = """
kind: files
path: in
{policy}
datasets:
  visits: {{files: "visits-*"}}
  tickets: {{files: "tickets-*", options: {{records: $.items}}}}
"""
TABLES = {
    "visits": """
        from: raw.visits
        columns: {id: {type: bigint}, name: {type: varchar}}
        """,
    "tickets": """
        from: raw.tickets
        columns: {id: {type: bigint, key: true}, text: {type: varchar}}
        """,
}


def write(folder: Folder, policy: str = "retention: 90d") -> None:
    """Visits as CSV, packed, in UTF-16, in a zip archive, as NDJSON and Parquet; tickets as JSON documents."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    declare(folder, policy)
    for name, text in TABLES.items():
        folder.write(f"datasets/processed/{name}.yaml", text)
    rows = "id,name\n{0},Ann {0}\n{1},Bob {1}\n"
    folder.write("in/visits-1.csv", rows.format(1, 2) + "a line, with, too many\n")
    (folder / "in/visits-2.csv.gz").write_bytes(gzip.compress(rows.format(3, 4).encode()))
    (folder / "in/visits-3.csv").write_bytes(rows.format(5, 6).encode("utf-16"))
    with zipfile.ZipFile(folder / "in/visits-4.zip", "w") as packed:
        packed.writestr("a.csv", rows.format(7, 8))
        packed.writestr("b.csv", rows.format(9, 10))
    lines = [{"id": 11, "name": "Ann 11"}, {"id": 12, "name": "Bob 12"}]
    (folder / "in/visits-5.ndjson").write_text("\n".join(map(json.dumps, lines)) + "\n")
    pq.write_table(pa.table({"id": ["13"], "name": ["Ann 13"]}), folder / "in/visits-6.parquet")
    folder.write("in/tickets-1.json", json.dumps({"items": [{"id": 1, "text": "Ann 1"}, {"id": 2}]}))


def declare(folder: Folder, policy: str) -> None:
    """Say how long raw files stay."""
    folder.write("sources/f.yaml", SOURCE.format(policy=policy))


def grow_old(platform: Platform, paths: Iterable[str] | None = None) -> None:
    """Files, all or some, were taken a year ago."""
    table = raw_files
    query = table.update().values(taken_at=datetime.now(UTC) - timedelta(days=365))
    if paths is not None:
        query = query.where(table.c.path.in_(list(paths)))
    with platform.state.begin(table) as connection:
        assert connection.execute(query).rowcount
