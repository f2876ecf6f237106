"""Whom to act as: taken from what was asked for, or from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from lakewright.spec.access import Attribute

__all__ = ["ROLE_VARIABLE", "USER_VARIABLE", "Acting"]

#: Variables of the environment that choose whom to act as.
ROLE_VARIABLE, USER_VARIABLE = "LAKEWRIGHT_ROLE", "LAKEWRIGHT_USER"


@dataclass(frozen=True, slots=True)
class Acting:
    """Whom to act as: a role, a user of `access.users`, or a role with attributes of one's own."""

    role: str | None = None
    user: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        role: str | None = None,
        user: str | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Acting:
        """Return whom to act as; what is not given is what the environment says."""
        return cls(
            role or os.environ.get(ROLE_VARIABLE) or None,
            user or os.environ.get(USER_VARIABLE) or None,
            dict(attributes or {}),
        )
