"""Who asks: a role, its rights, and the values that its conditions ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from lakewright.app.acting import Acting
from lakewright.errors import UsageError, nearest
from lakewright.plan.access import Rights, rights
from lakewright.plan.classify import Classes
from lakewright.spec.access import Attribute
from lakewright.spec.mask import Mask
from lakewright.spec.project import Project
from lakewright.sql.names import hidden

__all__ = ["Caller", "caller", "sees"]


@dataclass(frozen=True)
class Caller:
    """Someone with the rights of a role. ``user`` is empty when only a role was chosen."""

    project: Project
    rights: Rights
    user: str
    attributes: Mapping[str, Attribute]

    @cached_property
    def classes(self) -> Classes:
        """The classifications of the project's columns."""
        return Classes(self.project)

    @property
    def name(self) -> str:
        """How the caller is called in messages."""
        return f"role {self.rights.role!r}"

    def sees(self, id: str, columns: Iterable[str]) -> dict[str, str]:
        """Return what the caller sees of each of *columns* of a dataset: ``clear``, ``hidden`` or a mask's name."""
        return sees(self.rights, self.classes, id, columns)

    def readable(self) -> list[str]:
        """Return the ids of the project's datasets that the caller may read."""
        return [one for one in (*self.project.raw, *self.project.datasets) if self.rights.reads(one)]


def sees(own: Rights, classes: Classes, id: str, columns: Iterable[str]) -> dict[str, str]:
    """Return what a role sees of each of *columns* of the dataset *id*: ``clear``, ``hidden`` or a mask's name."""
    if own.every_column:
        return dict.fromkeys(columns, "clear")
    found = {name: "hidden" if hidden(name) else own.treatment(classes.of(id, name)) for name in columns}
    return {name: one.name if isinstance(one, Mask) else str(one) for name, one in found.items()}


def caller(project: Project, acting: Acting) -> Caller | None:
    """Return who acts, None for the project's owner. Raises UsageError LW824 for an unknown role or user."""
    if acting.role is None and acting.user is None:
        if acting.attributes:
            raise UsageError(
                "LW824", "attributes are those of a role or user, and none is chosen", remedy="add --role"
            )
        return None
    access = project.file.access
    if access is None:
        raise UsageError("LW824", "the project has no roles", remedy="add `access` to lakewright.yaml")
    attributes = dict(acting.attributes)
    role = acting.role
    if acting.user is not None:
        user = access.users.get(acting.user)
        if user is None:
            hint = nearest(acting.user, access.users)
            raise UsageError("LW824", f"access.users has no user {acting.user!r}{hint}")
        if attributes:
            raise UsageError(
                "LW824",
                f"the attributes of {acting.user!r} are those of lakewright.yaml",
                remedy="leave --attribute out",
            )
        role = role or user.roles[0]
        if role not in user.roles:
            raise UsageError(
                "LW824", f"user {acting.user!r} may not act as {role!r}, but as {', '.join(user.roles)}"
            )
        attributes = {**user.attributes, "user": acting.user}
    assert role is not None
    if role not in access.roles:
        raise UsageError("LW824", f"access.roles has no role {role!r}{nearest(role, access.roles)}")
    attributes["role"] = role
    return Caller(project, rights(project.file, role), acting.user or "", attributes)
