"""The options that choose whom to act as, read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.app.acting import Acting
    from lakewright.spec.access import Attribute

__all__ = ["acting"]


def acting(role: str | None, user: str | None, attributes: Sequence[str] | None) -> Acting:
    """Return whom to act as; ``name=value`` given twice makes a list. Raises LW904 for what is no ``name=value``."""
    from lakewright.app.acting import Acting

    found: dict[str, list[str]] = {}
    for one in attributes or ():
        name, sign, value = one.partition("=")
        if not (sign and name.strip()):
            raise UsageError("LW904", f"{one!r} is not NAME=VALUE", remedy="write --attribute region=EU")
        found.setdefault(name.strip(), []).append(value)
    given: dict[str, Attribute] = {
        name: values[0] if len(values) == 1 else tuple(values) for name, values in found.items()
    }
    return Acting(role, user, given)
