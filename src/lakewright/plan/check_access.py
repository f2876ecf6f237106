"""Judge the roles and users of a project: what they name exists, and conditions on rows can be met."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from sqlglot import exp

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.plan.access import CLOSED, UNGOVERNED, Rights, circle, rights
from lakewright.plan.check_columns import known_outputs
from lakewright.plan.classify import Classes
from lakewright.project.locate import Key, Locations, locations
from lakewright.project.targets import PROJECT_FILE
from lakewright.spec.access import EVERYTHING, UNCLASSIFIED, Access, AccessRole
from lakewright.spec.base import ZONES
from lakewright.spec.mask import DEFAULT_KEY, Hash, Token
from lakewright.spec.project import Project
from lakewright.sql.access import asked_attributes, condition, read_by
from lakewright.sql.names import QUARANTINE_ZONE, quarantine_id, table
from lakewright.sql.query_columns import problem_of, resolve
from lakewright.sql.query_relation import Relation

__all__ = ["access_notes", "access_problems"]

#: Attributes that everyone has.
OWN_ATTRIBUTES = frozenset({"role", "user"})


def access_problems(project: Project) -> list[Problem]:
    """Return everything that is wrong with ``access``, each with its place in lakewright.yaml.

    LW820 for roles, zones and users that do not fit together, LW321 for datasets that no pattern means,
    LW301 to LW305 for conditions on rows that cannot be understood or name columns that are not there.
    """
    access = project.file.access
    return [] if access is None else list(dict.fromkeys(_Checker(project, access).problems()))


def access_notes(project: Project) -> Iterator[str]:
    """Yield what is allowed, but worth a look: classifications that no column has, attributes that no user has."""
    access = project.file.access
    if access is None:
        return
    for zone, settings in project.file.zones.items():
        for reader in settings.readers:
            own = rights(project.file, reader)
            if zone not in own.zones and not any(
                own.reads(id) for id in project.datasets if id.startswith(f"{zone}.")
            ):
                yield f"zones.{zone}.readers: role {reader!r} reads nothing of the zone; give it `zones: [{zone}]`"
    declared = Classes(project).declared()
    known = {*declared, UNCLASSIFIED, EVERYTHING}
    for name, role in access.roles.items():
        for one in dict.fromkeys([*(role.columns or ()), *role.masks]):
            if one.lower() not in known:
                yield f"access.roles.{name}: no column is classified as {one!r}{nearest(one, declared)}"
        given = {key for user in access.users.values() if name in user.roles for key in user.attributes}
        users = [user for user in access.users.values() if name in user.roles]
        for text in rights(project.file, name).rows.values():
            for asked in sorted(asked_attributes(condition(text, PROJECT_FILE)) - OWN_ATTRIBUTES - given):
                if users:
                    yield f"access.roles.{name}: no user of the role has the attribute {asked!r}"
    mentioned = {
        one.lower() for role in access.roles.values() for one in (*(role.columns or ()), *role.masks)
    }
    for one, columns in sorted(declared.items()):
        if one not in mentioned and EVERYTHING not in mentioned:
            yield f"access: no role sees columns classified as {one!r}, such as {columns[0]}"


class _Checker:
    def __init__(self, project: Project, access: Access) -> None:
        self.project, self.access = project, access
        self.places: Locations = locations(project.root)
        self.outputs: dict[str, Relation] | None = None
        ids = [*project.raw, *project.datasets]
        self.tables = [*ids, *(quarantine_id(one) for one in ids)]
        own = {one.partition(".")[0] for one in project.datasets}
        self.zones = list(dict.fromkeys([*ZONES, *project.file.zones, *sorted(own), QUARANTINE_ZONE]))

    def problems(self) -> Iterator[Problem]:
        for name, role in self.access.roles.items():
            yield from self.role(name, role)
        for zone, settings in self.project.file.zones.items():
            for one in settings.readers:
                if one not in self.access.roles:
                    message = (
                        f"zones.{zone}.readers: there is no role {one!r}{nearest(one, self.access.roles)}"
                    )
                    where = self.places.where(PROJECT_FILE, ("zones", zone, "readers", one))
                    yield Problem("LW820", message, where)
        for name, user in self.access.users.items():
            for one in user.roles:
                if one not in self.access.roles:
                    message = (
                        f"access.users.{name}: there is no role {one!r}{nearest(one, self.access.roles)}"
                    )
                    yield self.problem("LW820", message, "users", name, "roles", one)
            for one in sorted(OWN_ATTRIBUTES & user.attributes.keys()):
                message = f"access.users.{name}: the attribute {one!r} is there by itself"
                yield self.problem("LW820", message, "users", name, "attributes", one)

    def problem(self, code: str, message: str, *keys: Key, remedy: str = "") -> Problem:
        return Problem(code, message, self.places.where(PROJECT_FILE, ("access", *keys)), (), remedy)

    def role(self, name: str, role: AccessRole) -> Iterator[Problem]:
        sound = True
        for one in role.extends:
            if one not in self.access.roles:
                sound = False
                message = f"access.roles.{name}: there is no role {one!r}{nearest(one, self.access.roles)}"
                yield self.problem("LW820", message, "roles", name, "extends", one)
        way = circle(self.access, name)
        sound = sound and not way
        if way and name == min(way):
            message = f"roles extend each other in a circle: {' → '.join(way)}"
            yield self.problem("LW820", message, "roles", name, "extends")
        yield from self.named(name, role)
        yield from self.masks(name, role)
        for pattern, text in role.rows.items():
            yield from self.rows(name, pattern, text)
        above = self.above(name)
        if not sound or any(one not in self.access.roles or circle(self.access, one) for one in above):
            return
        own = rights(self.project.file, name)
        yield from self.ungoverned(name, role, own)
        if not own.zones and not own.datasets:
            message = f"access.roles.{name}: the role reads nothing"
            yield self.problem("LW820", message, "roles", name, remedy="give it `zones` or `datasets`")

    def above(self, name: str) -> set[str]:
        """Every role that *name* extends, directly or not."""
        found: set[str] = set()
        open_ = [name]
        while open_:
            role = self.access.roles.get(open_.pop())
            new = [one for one in (role.extends if role else ()) if one not in found]
            found.update(new)
            open_ += new
        return found

    def named(self, name: str, role: AccessRole) -> Iterator[Problem]:
        """Zones and datasets that are named exist."""
        for one in role.zones:
            if one in CLOSED:
                message = f"access.roles.{name}: {one!r} is for the owner alone"
                yield self.problem("LW820", message, "roles", name, "zones", one)
            elif one not in self.zones:
                message = f"access.roles.{name}: there is no zone {one!r}{nearest(one, self.zones)}"
                yield self.problem("LW820", message, "roles", name, "zones", one)
            elif (zone := self.project.file.zones.get(one)) and zone.readers and name not in zone.readers:
                message = f"access.roles.{name}: zones.{one}.readers leaves the role out"
                yield self.problem("LW820", message, "roles", name, "zones", one)
        for key, patterns in (("datasets", role.datasets), ("rows", tuple(role.rows))):
            for one in patterns:
                if one.partition(".")[0] in CLOSED:
                    message = f"access.roles.{name}: {one!r} is for the owner alone"
                    yield self.problem("LW820", message, "roles", name, key, one)
                elif not any(fnmatchcase(id, one) for id in self.tables):
                    what = "no dataset matches" if "*" in one else "there is no dataset"
                    message = f"access.roles.{name}: {what} {one!r}{nearest(one, self.tables)}"
                    yield self.problem("LW321", message, "roles", name, key, one)

    def masks(self, name: str, role: AccessRole) -> Iterator[Problem]:
        seen = {one.lower() for one in role.columns or ()}
        keys = [DEFAULT_KEY, *self.project.file.keys]
        for one, mask in role.masks.items():
            place: tuple[Key, ...] = ("roles", name, "masks", one)
            if one == EVERYTHING:
                message = f"access.roles.{name}: masks are by classification; `*` is none"
                yield self.problem("LW820", message, *place)
            if one.lower() in seen:
                message = f"access.roles.{name}: {one!r} is seen clear by `columns` and masked by `masks`"
                yield self.problem("LW120", message, *place)
            if isinstance(mask, Token):
                remedy = "use `hash`, or mask the column with `token` where it is stored"
                message = f"access.roles.{name}: tokens are made when rows are stored, not when they are read"
                yield self.problem("LW801", message, *place, remedy=remedy)
            if isinstance(mask, Hash) and mask.algorithm == "hmac-sha256" and mask.key not in keys:
                message = (
                    f"access.roles.{name}: lakewright.yaml has no key {mask.key!r}{nearest(mask.key, keys)}"
                )
                yield self.problem("LW807", message, *place)

    def ungoverned(self, name: str, role: AccessRole, own: Rights) -> Iterator[Problem]:
        """Raw files and bad rows have no classified columns, so only who sees every column may read them."""
        if own.every_column:
            return
        for key, listed in (("zones", role.zones), ("datasets", role.datasets)):
            for one in listed:
                zone = one.partition(".")[0]
                if zone in UNGOVERNED:
                    message = f"access.roles.{name}: columns of {zone} have no classification, so a role that does not see every column cannot read them"
                    remedy = 'give the role `columns: ["*"]` and no `masks`, or leave it out'
                    yield self.problem("LW820", message, "roles", name, key, one, remedy=remedy)

    def rows(self, name: str, pattern: str, text: str) -> Iterator[Problem]:
        keys: tuple[Key, ...] = ("roles", name, "rows", pattern)
        start = f"access.roles.{name}.rows: "
        where: Where = self.places.where(PROJECT_FILE, ("access", *keys))
        try:
            tree = condition(text, PROJECT_FILE)
        except ProjectError as error:
            for wrong in error.problems:
                yield Problem(wrong.code, f"{start}{wrong.message}", where, wrong.tried, wrong.remedy)
            return
        unknown = [one for one in read_by(tree) if one not in self.project.datasets]
        for one in unknown:
            if one in self.project.raw:
                yield Problem("LW820", f"{start}a condition looks into tables, not into files ({one})", where)
            else:
                hint = nearest(one, self.project.datasets)
                yield Problem("LW321", f"{start}there is no dataset {one!r}{hint}", where)
        if unknown:
            return
        if self.outputs is None:
            self.outputs = known_outputs(self.project)
        for id, relation in self.outputs.items():
            if fnmatchcase(id, pattern):
                query = _query(id, text)
                _, missing = resolve(query, {**self.outputs, id: relation})
                for gone in missing:
                    problem = problem_of(gone)
                    yield Problem(
                        problem.code, f"{start}{problem.message} ({id})", where, problem.tried, problem.remedy
                    )


def _query(id: str, text: str) -> exp.Select:
    return exp.select(exp.Star()).from_(table(id, "")).where(condition(text, PROJECT_FILE).copy())
