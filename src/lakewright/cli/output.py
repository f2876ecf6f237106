"""How results look: tables for people, JSON for programs; data on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

__all__ = ["emit_json", "note", "print_table", "print_text", "short_time", "size", "span"]


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
    """Write a table to stdout; columns named in *right* are set flush right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    numbers = set(right)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        # Text, not str: brackets in data are not markup
        table.add_row(*(one if isinstance(one, Text) else Text(_cell(one)) for one in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, soft_wrap=False).print(table)


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
        return ", ".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


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
