"""Lengths of time and amounts of bytes as users write them: ``90d``, ``12h``, ``1y``; ``10MB``, ``1GiB``."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["DURATION", "FOREVER", "parse_duration", "parse_size"]

#: The word for a length of time without end.
FOREVER = "forever"

#: What :func:`parse_duration` accepts, as a regular expression for JSON Schemas.
DURATION = r"^(?:\s*\d+(?:\.\d+)?\s*(?:ms|min|s|m|h|d|w|y)\s*)+$"

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_ONE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w|y)\s*")
_EXPECTED = "expected a length of time such as 30s, 12h, 90d or 1y"


def parse_duration(text: str) -> timedelta:
    """Return the length that *text* says: numbers with units ms, s, m (or min), h, d, w, y, added up.

    A year counts 365 days. Raises ValueError for anything else, for no length at all and for more
    than about two million years.
    """
    total, at = timedelta(), 0
    while at < len(text):
        found = _ONE.match(text, at)
        if found is None:
            raise ValueError(_EXPECTED)
        try:
            total += float(found.group(1)) * _UNITS[found.group(2)]
        except OverflowError:
            raise ValueError(_EXPECTED) from None
        at = found.end()
    if not total:
        raise ValueError(_EXPECTED)
    return total


_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the bytes that *text* says: ``500 B``, ``10MB`` (of 1,000), ``1GiB`` (of 1,024). Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("expected an amount such as 10MB or 1GiB")
    power = " KMGT".index(found[2].upper() or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)
