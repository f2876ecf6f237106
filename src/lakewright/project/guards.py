"""Notice passwords that stand in plain text inside addresses and connection strings."""

from __future__ import annotations

import re

__all__ = ["literal_password"]

_PAIR = re.compile(
    r"(?i)\b(?:password|passwd|pwd|secret|token|api_?key|access_?key)\s*=\s*(?P<value>'[^']*'|\"[^\"]*\"|[^\s&;'\"]+)"
)
_ADDRESS = re.compile(r"://[^/@\s:]*:(?P<value>[^@/\s]+)@")


def literal_password(text: str) -> bool:
    """Whether *text*, as written in the file, holds a password that is not a reference."""
    return any(
        not match["value"].strip("'\"").startswith("${") or ":-" in match["value"]
        for pattern in (_PAIR, _ADDRESS)
        for match in pattern.finditer(text)
    )
