"""An example of a unit test for a drafted project, with made-up values only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from lakewright.project.draft_guess import DraftColumn, DraftTable, column_rules
from lakewright.project.draft_text import flow

__all__ = ["example_test"]

_DAY = datetime(2024, 1, 31, 18, 30)


def example_test(tables: Sequence[DraftTable], keys: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    """(name, text) of a test file for the first table whose every column can be made up; None without one."""
    for table in tables:
        row = [(one, _made_up(one, table, keys[table.name])) for one in table.columns]
        if not row or any(value is None for _, value in row):
            continue
        given = {one.original or one.name: value[0] for one, value in row if value}
        expect = {one.name: value[1] for one, value in row if value}
        return table.name, (
            "# An example with made-up values: replace it by rows that matter to you.\n"
            "- name: a good row passes\n"
            f"  dataset: processed.{table.name}\n"
            "  given:\n"
            f"    raw.{table.name}:\n"
            f"      - {flow(given)}\n"
            "  expect:\n"
            f"    - {flow(expect)}\n"
        )
    return None


def _made_up(column: DraftColumn, table: DraftTable, key: Sequence[str]) -> tuple[object, object] | None:
    """(as it is in the file, as it comes out) of a value for *column*; None where none can be made up."""
    text = table.format == "csv"
    kind = re.split(r"[ (\[]", column.type.lower())[0]
    if "[" in column.type:
        return None
    value: object
    if kind in ("varchar", "text"):
        allowed = next((one for name, one, _ in column_rules(table, column, key) if name == "in"), None)
        value = allowed[0] if isinstance(allowed, list) else "a@example.org" if column.pii == "email" else "a"
        return value, value
    if re.fullmatch(r"u?(tiny|small|big|huge)?int(eger)?|int[1248]", kind):
        value = 1
    elif kind in ("double", "float", "real"):
        value = 1.5
    elif kind == "boolean":
        value = True
    elif kind == "date" or column.type.lower() == "timestamp":
        value = _DAY.strftime("%Y-%m-%d" if kind == "date" else "%Y-%m-%d %H:%M:%S")
        if column.format:
            written = _DAY.strftime(column.format)
            try:
                back = datetime.strptime(written, column.format)
            except ValueError:
                return None
            return written, str(back.date()) if kind == "date" else str(back)
    else:
        return None
    return (flow(value) if text and not isinstance(value, str) else value), value
