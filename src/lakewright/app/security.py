"""`keys` and `pii reveal`: look after keys, and tell the allowed what a token stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lakewright.app.platform import Platform
from lakewright.errors import UsageError, nearest
from lakewright.lake.encrypted import EncryptedDuckLake
from lakewright.security.keys import KeyInfo

__all__ = ["Rotated", "keys", "reveal", "rotate_key"]


class Rotated(NamedTuple):
    """The version of a key that is now in force, and how many values of the vault were encrypted anew.

    ``lake`` tells whether the lake's catalog was, too.
    """

    version: int
    encrypted: int
    lake: bool = False


def keys(platform: Platform) -> list[KeyInfo]:
    """Return every version of every key that was ever used, and whether it can be."""
    return platform.keys.listed()


def rotate_key(platform: Platform, name: str) -> Rotated:
    """Turn to a new version of a key, and write all anew that is kept under it: the vault, the lake's catalog.

    Tokens stay. Datasets with hashes under the key are built anew by the next run. A lake that is still under a key
    of another name turns to the newest version of *name*. Killed at any moment, the same
    call goes on. Raises LW904 for a key that was never used, or that cannot be made.
    """
    encrypted = _encrypts(platform, name)
    if encrypted and (other := _other_key(platform, name)) is not None:
        platform.audit.record("rotate", name)
        key = platform.keys.current(name)
        other.rotate(key)
        return Rotated(key.version, 0, lake=True)
    known = platform.keys.newest()
    if name not in known:
        raise UsageError("LW904", f"no key {name!r} was ever used{nearest(name, known)}")
    platform.audit.record("rotate", name)
    lake = platform.services.lake if encrypted else None
    if isinstance(lake, EncryptedDuckLake):
        # the catalog first: its file says which version it needs, and the store has that from now on
        _, new = platform.keys.rotated(name)
        lake.rotate(new)
    version, count = platform.vault.rotate(name)
    return Rotated(version, count, isinstance(lake, EncryptedDuckLake))


def _encrypts(platform: Platform, name: str) -> bool:
    encryption = platform.project.file.lake.encryption
    return encryption is not None and encryption.key == name


def _other_key(platform: Platform, name: str) -> EncryptedDuckLake | None:
    """The lake, when its catalog is still under a key of another name than the project says by now."""
    lake = platform.services.lake
    return lake if isinstance(lake, EncryptedDuckLake) and lake.key_name != name else None


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
