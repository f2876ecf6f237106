"""Runs the command line in this process, as `lakewright …` would: arguments in, exit code and bytes out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from lakewright.cli.main import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        """Stdout as one JSON document; anything else on it is an error."""
        return json.loads(self.raw)


def run_cli(*arguments: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None) -> Ran:
    """Run ``lakewright ARGUMENTS`` in the folder *cwd*."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LAKEWRIGHT_")}
    with (
        contextlib.chdir(cwd),
        mock.patch.object(sys, "argv", ["lakewright", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.dict(os.environ, {**clean, **(env or {})}, clear=True),
    ):
        try:
            main()
            code: object = 0
        except SystemExit as leaving:
            code = leaving.code or 0
    assert isinstance(code, int), code
    return Ran(code, _bytes(out), _bytes(err).decode())


def _bytes(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write *files*, path → text without its common indentation, under *root*."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")


#: A project with one broken line, two bad rows and nested values.
SHOP = {
    "lakewright.yaml": """
        name: shop
        defaults: {quality_threshold: 0.5}
        """,
    "sources/files.yaml": """
        kind: files
        path: in
        datasets:
          orders: {files: "orders*.csv", format: csv, options: {delimiter: ",", header: true}}
          events: {files: "*.ndjson"}
        """,
    "datasets/processed/orders.yaml": """
        description: One row per order.
        owner: sales
        tags: [daily]
        from: raw.orders
        columns:
          order_id: {type: bigint, key: true}
          day: {type: date, required: true}
          amount: {type: "decimal(10,2)", min: 0}
          buyer: {type: varchar, pii: name}
        write: {mode: merge, partition_by: [year(day), month(day)]}
        """,
    "datasets/processed/events.yaml": """
        from: raw.events
        columns:
          id: {type: bigint, key: true}
          seen: {type: timestamp}
        write: {mode: append}
        """,
    "datasets/curated/daily.sql": """
        select day, count(*) as orders, sum(amount) as amount from processed.orders group by day
        """,
    "tests/daily.yaml": """
        - name: amounts add up
          dataset: curated.daily
          given:
            processed.orders:
              - {order_id: 1, day: "2024-01-01", amount: 1.50}
              - {order_id: 2, day: "2024-01-01", amount: 2.50}
          expect:
            - {day: "2024-01-01", orders: 2, amount: 4.00}
        """,
    "in/orders-1.csv": """
        order_id,day,amount,buyer
        1,2024-01-01,10.50,Zoë
        2,2024-01-01,20.00,"Smith, Jo"
        3,2024-02-30,5.00,Ann
        4,2024-02-01,-1.00,Bob
        5,2024-02-02,1.00,
        6,2024-02-02
        """,
    "in/events.ndjson": """
        {"id": 1, "seen": "2024-01-01T10:00:00", "tags": ["a", "b"], "where": {"city": "Århus", "zip": null}}
        {"id": 2, "seen": "2024-01-01T10:00:01.250", "tags": [], "where": {"city": "Graz", "zip": "8010"}}
        """,
}
