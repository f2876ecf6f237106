"""Keep secrets out of everything that is written down."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from math import isfinite
from urllib.parse import quote, quote_plus

__all__ = ["HIDDEN", "Redactor"]

#: What stands where a secret was.
HIDDEN = "***"

# A value this short also turns up inside other words, so only whole words are taken out.
_SHORT = 4

#: Places that hold a secret whose value nobody registered: addresses, headers, options, signed links.
_PATTERNS = (
    (re.compile(r"(\b[\w+.-]+://[^\s:/@'\"]*):[^\s@'\"]+@"), rf"\1:{HIDDEN}@"),
    (
        re.compile(
            r"(?i)\b((?:\w*_)?(?:password|passwd|pwd|secret|secret_key|access_key|api_key|apikey|token))"
            r"(['\"]?\s*(?:=>|=|:)\s*|\s+(?='))('(?:[^']|'')+'|\"[^\"]+\"|[^\s,;&)'\"]+)"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token))=[^&\s'\"]+"), rf"\1={HIDDEN}"),
    (re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
)


class Redactor:
    """Takes registered secret values, and what looks like a secret, out of text. Safe for threads."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> str:
        """Register a secret as soon as it is resolved, and return it unchanged."""
        if value.strip():
            with self._lock:
                # a link carries it percent-encoded, a quoted literal with its quotes doubled
                coded = {code(value, safe="", errors="surrogatepass") for code in (quote, quote_plus)}
                self._values |= {value, value.replace("'", "''"), *coded}
                # the longest first, so that a secret that begins with another one goes as a whole
                longest = sorted(self._values, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(_escape, longest)))
        return value

    def text(self, text: str) -> str:
        """Return *text* without secrets, and such that every database and file can hold it.

        Names of files that are not valid UTF-8 come from the system with lone surrogates, shown as
        ``\\udcff``; PostgreSQL refuses NUL, shown as ``\\x00``.
        """
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        text = text.replace("\0", "\\x00")
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")

    def value(self, value: object) -> object:
        """Return *value* with every text in it redacted, as JSON can hold it: what JSON cannot, as text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
            return value
        return self.text(str(value))


def _escape(value: str) -> str:
    escaped = re.escape(value)
    return rf"(?<!\w){escaped}(?!\w)" if len(value) < _SHORT else escaped
