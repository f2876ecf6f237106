"""Turn DuckDB's errors into coded ones that never show a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable

import duckdb

from lakewright.errors import LakewrightError, NotFoundError, RunError

__all__ = ["ConflictError", "explain", "is_conflict", "redact"]

_HIDDEN = "***"

#: Places where a secret sits in text that DuckDB may quote back: addresses, connection strings, CREATE SECRET.
_SECRETS = (
    (re.compile(r"(\w+://[^\s:/@'\"]*):[^\s@'\"]*@"), rf"\1:{_HIDDEN}@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|pwd|secret|token|session_token|key_id|client_secret|api_key|access_key\w*)"
            r"(\s*(?:=>|=|:)\s*|\s+(?=['\"]))('(?:[^']|'')*'|\"[^\"]*\"|[^\s,;)'\"]+)"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token))=[^&\s'\"]+"), rf"\1={_HIDDEN}"),
    (re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
)

_CONFLICT = re.compile(
    r"database is locked|database table is locked|\bconflict|could not serialize|deadlock detected"
    r"|another transaction has|has been (?:altered|dropped|deleted) by another|409 Conflict|CommitFailedException"
    r"|Catalog \"__ducklake_metadata_lake_\d+\" does not exist"  # its file was written anew meanwhile
    r"|concurrently (?:modified|updated)|duplicate key value violates|UNIQUE constraint failed: ducklake",
    re.IGNORECASE,
)
_DISK_FULL = re.compile(
    r"No space left on device|disk quota|not enough (?:disk )?space|max_temp_directory_size", re.I
)
_LOCATION = re.compile(r"\n\nLINE \d+:.*", re.DOTALL)


class ConflictError(RunError):
    """Another writer committed first: running the same work again is the remedy."""


def redact(text: str, hide: Iterable[str] = ()) -> str:
    """Return *text* without the values in *hide* and without anything that looks like a secret."""
    for value in sorted((one for one in hide if len(one) > 2), key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def is_conflict(error: BaseException) -> bool:
    """True when *error* says that another writer was quicker, so that trying again makes sense."""
    if isinstance(error, ConflictError):
        return True
    return isinstance(error, duckdb.Error) and bool(_CONFLICT.search(str(error)))


def explain(error: BaseException, *, hide: Iterable[str] = ()) -> LakewrightError:
    """Return the coded form of *error*; *hide* are secret values that its text must not show."""
    if isinstance(error, LakewrightError):
        return error
    text = _LOCATION.sub("", redact(str(error), hide)).strip()
    if is_conflict(error):
        return ConflictError("LW411", f"another writer committed first: {text}")
    if re.search(r"No snapshot found at|Could not find snapshot", text):
        return NotFoundError("LW415", text)
    return RunError(_code_of(error, text), text)


def _code_of(error: BaseException, text: str) -> str:
    if isinstance(error, duckdb.InterruptException):
        return "LW404"
    if _DISK_FULL.search(text):
        return "LW403"
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return "LW402"
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return "LW406"
    if isinstance(error, duckdb.PermissionException) or re.search(
        r"\b(403|401|Access ?Denied|Forbidden)\b", text
    ):
        return "LW409"
    if isinstance(error, duckdb.HTTPException | duckdb.IOException):
        return "LW408"
    if "read-only" in text:
        return "LW412"
    return "LW405"
