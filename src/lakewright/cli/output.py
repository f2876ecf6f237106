"""How results look: tables for people, JSON for programs; data on stdout, everything else on stderr."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = [
    "counted",
    "emit_json",
    "note",
    "print_rows",
    "print_table",
    "print_text",
    "short_time",
    "size",
    "span",
]

#: Characters that a column of a table needs at least to be of use.
_LEAST = 5

#: A width that no table reaches.
_UNFOLDED = 1_000_000

_CONTROLS = {
    code: {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\x{code:02x}")
    for code in (*range(32), *range(127, 160))
}


def counted(number: int, word: str) -> str:
    """Return *number* and *word*, in the plural unless it is one: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def print_text(text: str) -> None:
    """Write *text* and a line end to stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Write *text* and a line end to stderr: what is said beside the data."""
    sys.stdout.flush()
    sys.stderr.write(text if text.endswith("\n") else text + "\n")


def emit_json(value: Any) -> None:
    """Write *value* as one JSON document to stdout; dataclasses, times and decimals included."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    print_text(text.decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Write a table to stdout; columns named in *right* are set flush right, numbers are rounded for people."""
    _print(columns, [[_cell(one) for one in row] for row in rows], right)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Write the rows of a query to stdout, each value as it is.

    On a terminal that is too narrow for the columns, each row becomes a list of names and values.
    """
    cells = [[_exact(one) for one in row] for row in rows]
    room = shutil.get_terminal_size().columns
    if sys.stdout.isatty() and len(columns) > 1 and len(columns) * (_LEAST + 3) > room:
        width = max(map(len, columns))
        for number, row in enumerate(cells, 1):
            print_text(f"row {number:,}")
            for name, value in zip(columns, row, strict=True):
                print_text(f"  {name:<{width}}  {value}")
        return
    _print(columns, cells, right)


def _print(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    numbers = set(right)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        table.add_column(Text(_safe(name)), justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        # Text, not str: brackets in data are not markup
        table.add_row(*(Text(one) for one in row))
    # what goes into a pipe or a file is not folded: no program could put it together again
    width = None if sys.stdout.isatty() else _UNFOLDED
    Console(file=sys.stdout, width=width, soft_wrap=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"
    if isinstance(value, datetime):
        return short_time(value)
    if isinstance(value, Mapping):
        return _safe(", ".join(f"{key}={one}" for key, one in value.items()))
    if isinstance(value, list | tuple):
        return _safe(", ".join(str(one) for one in value))
    return _safe(str(value))


def _exact(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _safe(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, dict | list | tuple):
        import msgspec

        return _safe(msgspec.json.encode(value, enc_hook=str).decode())
    return _safe(str(value))


def _safe(text: str) -> str:
    """Show control characters as their numbers: data must not give orders to the terminal."""
    return text.translate(_CONTROLS)


def short_time(value: datetime | None) -> str:
    """*value* to the second, as ``2026-01-31 12:00:00``; empty for None."""
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else ""


def span(seconds: float | timedelta | None) -> str:
    """A length of time as people say it: ``850 ms``, ``3.2 s``, ``2 min 5 s``."""
    if seconds is None:
        return ""
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def size(count: int | None) -> str:
    """A number of bytes as people say it: ``1.3 GB``."""
    if count is None:
        return ""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
