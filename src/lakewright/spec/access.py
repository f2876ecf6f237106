"""Who may read what: roles with zones, datasets, columns by classification and rows by predicate; users with roles."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Spec
from lakewright.spec.mask import Mask

__all__ = ["EVERYTHING", "PERSONAL", "UNCLASSIFIED", "Access", "AccessRole", "AccessUser", "Attribute"]

#: In ``columns``: every classification, and columns without one.
EVERYTHING = "*"

#: What columns count as that have no classification and come from none that has one.
UNCLASSIFIED = "unclassified"

#: What columns with ``pii`` count as, unless they have a classification.
PERSONAL = "personal"

#: A value that predicates may ask for by ``attribute('name')``; a list of them is a list in SQL.
Attribute = str | int | float | bool | tuple[str | int | float | bool, ...]


class AccessRole(Spec, frozen=True, kw_only=True):
    """What a role may read; nothing that is not named here.

    ``zones`` are read whole, ``datasets`` are ids or patterns such as ``processed.dim_*``. Of their columns it
    sees those whose classification is among ``columns`` (without it those that have none), and masked those
    of ``masks``; the others are not there for it. ``rows`` maps a dataset or pattern to a condition that its rows must meet; of several
    that match, all. With ``extends``, what these roles may read comes on top.
    """

    description: str = ""
    extends: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    masks: dict[str, Mask] = {}
    rows: dict[str, str] = {}


class AccessUser(Spec, frozen=True, kw_only=True):
    """A user: the roles that they may act in, the first by default, and values that predicates ask for."""

    roles: tuple[str, ...]
    attributes: dict[str, Attribute] = {}


class Access(Spec, frozen=True, kw_only=True):
    """Roles and users. ``audit`` says whose queries are written down: those of roles, or the owner's too (``all``)."""

    roles: dict[str, AccessRole]
    users: dict[str, AccessUser] = {}
    audit: Literal["roles", "all"] = "roles"
