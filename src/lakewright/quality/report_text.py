"""Numbers, dates and user text as they stand in the report; user text is always escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

__all__ = [
    "WORDS",
    "anchor",
    "count",
    "esc",
    "figure",
    "moment",
    "names",
    "percent",
    "pill",
    "plural",
    "shares",
    "span",
    "time_of",
]

#: The word that goes with each light: colour alone says nothing to some readers.
WORDS = {"good": "Good", "look": "Take a look", "stop": "Stopped"}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def esc(text: object, limit: int = 400) -> str:
    """Return user *text* for the page: escaped, cut, without control or direction characters."""
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return html.escape(shown if len(shown) <= limit else f"{shown[:limit]}…")


def count(value: int) -> str:
    """Return a whole number with thousands set apart."""
    return f"{value:,}"


def plural(value: int, one: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{value:,} {one}{'' if value == 1 else 's'}"


def figure(value: float) -> str:
    """Return a measured number with as many digits as one reads."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 0.001 <= abs(value) < 1e6:
        return f"{value:,.{max(0, 4 - len(str(int(abs(value)))))}f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share as a percentage; 100 % and 0 % only when it is exactly that."""
    if share >= 1:
        return "100 %"
    if share <= 0:
        return "0 %"
    if share > 0.9999:
        return "> 99.99 %"
    if share < 0.0001:
        return "< 0.01 %"
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def shares(parts: Sequence[int]) -> list[str]:
    """Return each part's percentage of their sum; the numbers shown add up to exactly 100.

    Hundredths of a percent left over by cutting go to the largest remainders.
    """
    total = sum(parts)
    if total <= 0:
        return ["0 %" for _ in parts]
    units = [part * 10000 // total for part in parts]
    order = sorted(range(len(parts)), key=lambda place: -(parts[place] * 10000 % total))
    for place in order[: 10000 - sum(units)]:
        units[place] += 1
    return [f"{f'{unit / 100:.2f}'.rstrip('0').rstrip('.')} %" for unit in units]


def moment(at: datetime) -> str:
    """Return a time in UTC."""
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def span(length: timedelta) -> str:
    """Return how long something took."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def time_of(seconds: float, kind: str) -> str:
    """Return epoch *seconds* as a date, with the time of day unless *kind* is DATE."""
    try:
        at = _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return figure(seconds)
    return at.strftime("%Y-%m-%d" if kind.upper() == "DATE" else "%Y-%m-%d %H:%M")


def names(columns: Iterable[str]) -> str:
    """Return column names, escaped, one after the other."""
    return ", ".join(esc(one) for one in columns)


def anchor(dataset: str) -> str:
    """Return the id of a dataset's section."""
    return "d-" + re.sub(r"[^A-Za-z0-9]", lambda found: f"-{ord(found.group()):x}-", dataset)


def pill(light: str, word: str) -> str:
    """Return *word* in the colour of *light*."""
    return f'<span class="pill {light}">{word}</span>'
