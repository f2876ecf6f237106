"""Whom to act as: what was asked for, or what the environment says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lakewright.errors import UsageError
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

    def completed(self, environment: Callable[[str], str | None]) -> Acting:
        """Return the same, with what the *environment* says where nothing is given.

        Raises LW824 for a role or user that is given and empty: a variable of a script that was not set
        must not make its owner of whoever runs it.
        """
        role = environment(ROLE_VARIABLE) if self.role is None else self.role
        user = environment(USER_VARIABLE) if self.user is None else self.user
        for name, value in ((ROLE_VARIABLE, role), (USER_VARIABLE, user)):
            if value is not None and not value.strip():
                what = name.rpartition("_")[2].lower()
                raise UsageError(
                    "LW824", f"the {what} to act as is empty", remedy=f"name one, or leave {name} unset"
                )
        return Acting(role, user, self.attributes)
