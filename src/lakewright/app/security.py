"""`keys` and `pii reveal`: look after keys, and tell the allowed what a token stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lakewright.app.platform import Platform
from lakewright.errors import UsageError, nearest
from lakewright.security.keys import KeyInfo

__all__ = ["Rotated", "keys", "reveal", "rotate_key"]


class Rotated(NamedTuple):
    """The version of a key that is now in force, and how many values of the vault were encrypted anew."""

    version: int
    encrypted: int


def keys(platform: Platform) -> list[KeyInfo]:
    """Return every version of every key that was ever used, and whether it can be."""
    return platform.keys.listed()


def rotate_key(platform: Platform, name: str) -> Rotated:
    """Turn to a new version of a key; return it, and how many values of the vault were encrypted anew.

    Tokens stay. Datasets with hashes under the key are built anew by the next run. Raises LW901 for a key
    that was never used, LW904 for one that cannot be made.
    """
    known = platform.keys.newest()
    if name not in known:
        raise UsageError("LW904", f"no key {name!r} was ever used{nearest(name, known)}")
    platform.audit.record("rotate", name)
    return Rotated(*platform.vault.rotate(name))


def reveal(
    platform: Platform, tokens: Sequence[str], *, domain: str = "default", reason: str
) -> dict[str, str]:
    """Return the clear values of *tokens*, by token. An entry of the audit is written first.

    Raises UsageError without a *reason*, LW808 for a token that the domain does not have.
    """
    if not reason.strip():
        raise UsageError("LW904", "a reason is needed: it goes into the audit", remedy="add --reason")
    wanted = list(dict.fromkeys(tokens))
    detail = {"count": len(wanted), "tokens": wanted[:20]}
    platform.audit.record("reveal", domain, reason=reason, detail=detail)
    return platform.vault.reveal(domain, wanted)
