"""What the keys of `access` must hold beyond their types, as tables by field; see `rules`."""

from __future__ import annotations

import re
from collections.abc import Callable

from lakewright.spec.access import Access, AccessRole, AccessUser

__all__ = ["KEY_RULES", "TEXT_RULES"]

_PATTERN = re.compile(r"[a-z*][a-z0-9_*]*\.[a-z0-9_*]+\Z")
_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,127}\Z")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")


def _pattern(text: str) -> str:
    return "" if _PATTERN.match(text) else "a dataset or a pattern, such as curated.daily or processed.dim_*"


def _filled(text: str) -> str:
    return "" if text.strip() else "text that is not empty"


def _user(name: str) -> str:
    return "" if _NAME.match(name) else "a user's name: letters, digits and . _ @ + -, at most 128"


def _role(name: str) -> str:
    return (
        "" if _ROLE.match(name) else "a role's name: small letters, digits and _, a letter first, at most 63"
    )


TEXT_RULES: dict[tuple[type, str], Callable[[str], str]] = {
    (AccessRole, "datasets"): _pattern,
    (AccessRole, "columns"): _filled,
    (AccessRole, "rows"): _filled,
}

KEY_RULES: dict[tuple[type, str], Callable[[str], str]] = {
    (Access, "roles"): _role,
    (Access, "users"): _user,
    (AccessRole, "masks"): _filled,
    (AccessRole, "rows"): _pattern,
    (AccessUser, "attributes"): _role,
}
