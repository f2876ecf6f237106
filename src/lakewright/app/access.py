"""`access` and `audit`: what roles see, who sees a dataset, and who asked for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lakewright.app.audited import QUERIES
from lakewright.app.caller import sees
from lakewright.app.platform import Platform, Restricted
from lakewright.catalog import entries as catalog
from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.plan.access import rights
from lakewright.plan.classify import Classes
from lakewright.security.audit import Verdict
from lakewright.spec.access import Access
from lakewright.spec.durations import parse_duration
from lakewright.spec.project import Project
from lakewright.state import now

__all__ = [
    "AuditLine",
    "RoleLine",
    "SeenDataset",
    "Who",
    "audit_lines",
    "audit_verify",
    "roles",
    "show",
    "who",
]

#: Actions of the log that stand for one question, and the one that tells how it ended.
_QUESTIONS, _ANSWER = QUERIES[:2], QUERIES[2]


@dataclass(frozen=True)
class RoleLine:
    """A role in the list of roles. ``datasets`` counts those that it reads."""

    role: str
    description: str
    extends: tuple[str, ...]
    datasets: int
    users: tuple[str, ...]


@dataclass(frozen=True)
class SeenDataset:
    """A dataset that a role reads. ``columns`` maps each to ``clear``, ``hidden`` or the mask's name; ``rows`` are conditions."""

    dataset: str
    columns: Mapping[str, str]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Who:
    """What a role sees of a dataset, or of one column of it."""

    role: str
    users: tuple[str, ...]
    columns: Mapping[str, str]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class AuditLine:
    """One entry of the log, for people: a query with how it ended, or another act.

    ``user`` is the user of `access` who asked, or the account of the operating system. ``reads`` maps datasets to the
    columns that were read. ``code`` tells why nothing, or not all, was shown.
    """

    number: int
    at: datetime
    user: str
    host: str
    action: str
    role: str
    statement: str = ""
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: int | None = None
    code: str = ""
    reason: str = ""


def roles(platform: Platform) -> list[RoleLine]:
    """Return the roles of the project; none when it has no ``access``. For a role, only itself."""
    if isinstance(platform, Restricted):
        return [one for one in roles(platform.owner) if one.role == platform.caller.rights.role]
    project, access = platform.project, platform.project.file.access
    if access is None:
        return []
    found = []
    for name, role in access.roles.items():
        own = rights(project.file, name)
        count = sum(own.reads(one) for one in (*project.raw, *project.datasets))
        found.append(RoleLine(name, role.description, role.extends, count, _users(access, name)))
    return found


def show(platform: Platform, role: str) -> list[SeenDataset]:
    """Return what *role* sees: each dataset that it reads, with its columns and the conditions on rows.

    A role may ask for itself alone, and is not told names of hidden columns, nor conditions. Raises LW824 for a role that there is not.
    """
    if isinstance(platform, Restricted):
        if role != platform.caller.rights.role:
            raise UsageError("LW823", f"{platform.caller.name} may ask for itself alone")
        return [_without_hidden(one) for one in show(platform.owner, role)]
    project, access = platform.project, _access(platform.project)
    if role not in access.roles:
        raise UsageError("LW824", f"access.roles has no role {role!r}{nearest(role, access.roles)}")
    own, classes = rights(project.file, role), Classes(project)
    known = _columns(platform)
    return [
        SeenDataset(id, sees(own, classes, id, known.get(id, ())), tuple(own.conditions(id).values()))
        for id in (*project.raw, *project.datasets)
        if own.reads(id)
    ]


def _without_hidden(one: SeenDataset) -> SeenDataset:
    columns = {name: seen for name, seen in one.columns.items() if seen != "hidden"}
    return SeenDataset(one.dataset, columns, ("some rows only",) if one.rows else ())


def who(platform: Platform, name: str) -> list[Who]:
    """Return the roles that read the dataset *name*, or its column ``zone.name.column``, and what they see of it.

    Raises LW901 for a dataset or column that there is not.
    """
    project, access = platform.project, _access(platform.project)
    parts = name.split(".", 2)
    id = platform.dataset_id(".".join(parts[:2]) if len(parts) == 3 else name)
    columns = _columns(platform).get(id, ())
    if len(parts) == 3:
        if columns and parts[2].lower() not in {one.lower() for one in columns}:
            raise NotFoundError("LW901", f"{id} has no column {parts[2]!r}{nearest(parts[2], columns)}")
        columns = (parts[2],)
    classes = Classes(project)
    found = []
    for role in access.roles:
        own = rights(project.file, role)
        if own.reads(id):
            seen = sees(own, classes, id, columns)
            if len(parts) == 3 and set(seen.values()) == {"hidden"}:
                continue
            found.append(Who(role, _users(access, role), seen, tuple(own.conditions(id).values())))
    return found


def audit_lines(
    platform: Platform,
    *,
    user: str | None = None,
    dataset: str | None = None,
    since: str | datetime | None = None,
    limit: int = 100,
) -> list[AuditLine]:
    """Return the log, newest first: of one *user*, about one *dataset*, from *since* on (a time, or ``7d`` ago)."""
    wanted = platform.dataset_id(dataset) if dataset else None
    found: list[AuditLine] = []
    for line in _lines(platform, _moment(since)):
        if user is not None and line.user != user:
            continue
        if wanted is not None and wanted not in line.reads:
            continue
        found.append(line)
        if len(found) == limit:
            break
    return found


def audit_verify(platform: Platform, head: str | None = None) -> Verdict:
    """Look whether the log is as it was written; *head* is the last entry at an earlier time, as ``number:mac``."""
    return platform.audit.verify(head)


def _lines(platform: Platform, since: datetime | None) -> Iterator[AuditLine]:
    answers: dict[int, Mapping[str, Any]] = {}
    for one in platform.audit.entries(None, since=since):
        if one.action == _ANSWER:
            answers[int(one.detail.get("of", 0))] = one.detail
            continue
        asked = one.action in _QUESTIONS
        end = answers.pop(one.number, {})
        yield AuditLine(
            one.number,
            one.at,
            str(one.detail.get("user") or one.user),
            one.host,
            one.action,
            one.subject,
            str(one.detail.get("statement", "")),
            {id: tuple(columns) for id, columns in (one.detail.get("reads") or {}).items()},
            end.get("rows") if asked else one.detail.get("count"),
            str(one.detail.get("code") or end.get("code") or ""),
            one.reason,
        )


def _moment(since: str | datetime | None) -> datetime | None:
    if since is None or isinstance(since, datetime):
        return since
    try:
        moment = datetime.fromisoformat(since)
        return moment if moment.tzinfo else moment.astimezone()
    except ValueError:
        pass
    try:
        return now() - parse_duration(since)
    except ValueError:
        raise UsageError(
            "LW904", f"{since!r} is neither a time such as 2026-01-31 nor a length such as 7d"
        ) from None


def _access(project: Project) -> Access:
    if project.file.access is None:
        raise UsageError("LW824", "the project has no roles", remedy="add `access` to lakewright.yaml")
    return project.file.access


def _users(access: Access, role: str) -> tuple[str, ...]:
    return tuple(name for name, user in access.users.items() if role in user.roles)


def _columns(platform: Platform) -> dict[str, tuple[str, ...]]:
    """The columns of each dataset: what its files tell, and what was built."""
    reads = {id: node.reads for id, node in platform.graph.nodes.items()}
    catalog.sync(platform.state, platform.project, reads)
    classes = Classes(platform.project)
    found = {one.dataset: [column.name for column in one.columns] for one in catalog.entries(platform.state)}
    return {
        id: tuple(
            dict.fromkeys(
                [
                    *names,
                    *(one for one in classes.columns(id) if one.lower() not in {n.lower() for n in names}),
                ]
            )
        )
        for id, names in found.items()
    }
