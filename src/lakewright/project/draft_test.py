"""An example of a unit test for a drafted project, with made-up values only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from lakewright.project.draft_guess import DraftColumn, DraftTable, column_rules
from lakewright.project.draft_links import Reference
from lakewright.project.draft_text import flow

__all__ = ["example_test"]

_WHOLE = re.compile(r"u?(tiny|small|big|huge)?int(eger)?|int[1248]")
_DAY = datetime(2024, 1, 31, 18, 30)


def example_test(
    tables: Sequence[DraftTable],
    keys: Mapping[str, tuple[str, ...]],
    links: Mapping[str, Sequence[Reference]] | None = None,
) -> tuple[str, str] | None:
    """(name, text) of a test file for a table whose every column can be made up; None without one.

    The largest table with a rule that a row can break is the best example. *links* are the
    references of each table: a test gives the rows that they point to.
    """
    examples = []
    for table in tables:
        row = {one.name: _made_up(one, table, keys[table.name]) for one in table.columns}
        if row and all(value is not None for value in row.values()):
            bad = _broken(table, keys[table.name])
            examples.append((bad is not None, table.rows or 0, table, row, bad))
    if not examples:
        return None
    _, _, table, row, bad = max(examples, key=lambda one: one[:2])
    good = {name: value for name, value in row.items() if value is not None}
    return table.name, _text(table, good, bad, keys[table.name], (links or {}).get(table.name, ()))


Pair = tuple[object, object]


def _text(
    table: DraftTable,
    good: Mapping[str, Pair],
    bad: Mapping[str, Pair] | None,
    key: Sequence[str],
    links: Sequence[Reference],
) -> str:
    lines = [
        "# Examples with made-up values: replace them by rows that matter to you.",
        "- name: a good row passes",
        f"  dataset: processed.{table.name}",
        "  given:",
        *_given(table, [good], links),
        "  expect:",
        f"    - {flow({name: value[1] for name, value in good.items()})}",
    ]
    if bad is not None:
        wrong = {**good, **bad}
        lines += [
            "",
            "- name: a row that breaks a rule is set aside",
            f"  dataset: processed.{table.name}",
            "  given:",
            *_given(table, [good, wrong], links),
            "  expect:",
            f"    - {flow({name: good[name][1] for name in key or bad})}",
            "  quarantined:",
            f"    - {flow({name: wrong[name][1] for name in key or bad})}",
        ]
    return "\n".join(lines) + "\n"


def _given(table: DraftTable, rows: Sequence[Mapping[str, Pair]], links: Sequence[Reference]) -> list[str]:
    original = {one.name: one.original or one.name for one in table.columns}
    lines = [f"    raw.{table.name}:"]
    lines += [f"      - {flow({original[name]: value[0] for name, value in row.items()})}" for row in rows]
    pointed: dict[str, list[dict[str, object]]] = {}
    for one in links:
        if not one.circular:
            there = pointed.setdefault(f"processed.{one.table}", [])
            there += [found for row in rows if (found := {one.key: row[one.column][1]}) not in there]
    for other, wanted in pointed.items():
        lines.append(f"    {other}:")
        lines += [f"      - {flow(one)}" for one in wanted]
    return lines


def _broken(table: DraftTable, key: Sequence[str]) -> dict[str, Pair] | None:
    """Values that make a good row a bad one, and its key another one; None where no rule is sure to be broken."""
    other: dict[str, Pair] = {}
    for column in table.columns:
        if column.name in key:
            kind = column.type.lower()
            value: object = "b" if kind == "varchar" else 2 if _WHOLE.fullmatch(kind) else None
            if value is None:
                return None
            other[column.name] = (value, value)
    rules = {
        column.name: {name: value for name, value, _ in column_rules(table, column, key)}
        for column in table.columns
    }
    for name, found in rules.items():
        if "in" in found:
            return {**other, name: ("none of these", "none of these")}
    for name, found in rules.items():
        if "min" in found:
            return {**other, name: (-1, -1)}
    return None


def _made_up(column: DraftColumn, table: DraftTable, key: Sequence[str]) -> Pair | None:
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
    if _WHOLE.fullmatch(kind):
        value = 1
    elif kind in ("double", "float", "real", "decimal"):
        value = 1 if column.type.replace(" ", "").endswith(",0)") else 1.5
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
