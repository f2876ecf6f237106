"""A small project in a folder, and what tests do with it."""

from __future__ import annotations

import textwrap
from pathlib import Path


class Folder:
    """A project's folder: ``write`` files into it, ``open`` it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        """Write *text*, without its common indentation, to *path*."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return file

    def __truediv__(self, path: str) -> Path:
        return self.root / path


ORDERS = """
    description: One row per order.
    from: raw.orders
    columns:
      order_id: {type: bigint, key: true}
      day: {type: date, required: true}
      amount: {type: "decimal(10,2)", min: 0}
      status: {type: varchar, in: [new, paid]}
    write: {mode: merge, partition_by: [year(day), month(day)]}
    quality_threshold: 0.5
    """
