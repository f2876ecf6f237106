"""Rows as plain text, for what notebooks and interactive sessions show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["lines_of", "shown"]

#: Characters of one value that are shown.
_MOST = 60


def shown(value: Any) -> str:
    """Return *value* in one line of bounded length; null is ``NULL``, so that it is not taken for empty text."""
    text = "NULL" if value is None else str(value)
    text = "".join(one if one.isprintable() else "·" for one in text[: _MOST + 1])
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def lines_of(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, more: bool = False) -> str:
    """Return a table of *rows* with aligned columns; *more* ends it with ``…``."""
    cells = [[shown(one) for one in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    text = [
        " │ ".join(f"{one:<{width}}" for one, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(columns), *cells]
    ]
    text.insert(1, "─┼─".join("─" * width for width in widths))
    return "\n".join([*text, *(["…"] if more else [])])
