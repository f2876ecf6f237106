"""What is done with a project that is not open: made, checked, tested, looked over, brought back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakewright.api.spaces import Place
from lakewright.codes import CODES, Code
from lakewright.errors import NotFoundError, nearest

if TYPE_CHECKING:
    from lakewright.app.check import Summary
    from lakewright.app.contracts import Imported
    from lakewright.app.doctor import Finding
    from lakewright.app.init import Made
    from lakewright.app.test import TestReport
    from lakewright.recovery.whole import Report

__all__ = [
    "backups", "check", "doctor", "explain", "import_contract", "init", "recover", "schemas", "test",
]  # fmt: skip


def init(
    folder: str | Path,
    *,
    source: str | Path | None = None,
    tables: Iterable[str] = (),
    exclude: Iterable[str] = (),
    template: str = "quickstart",
) -> Made:
    """Write a new project into *folder*: for the files or the database at *source*, or from a template.

    *tables* and *exclude* are patterns of a database's ``schema.table``; templates are ``quickstart``, ``retail`` and
    ``empty``. Raises LW905 for a folder that is not empty, LW906 when nothing at *source* can be read.
    """
    from lakewright.app.init import init_from, init_template

    if source is None:
        return init_template(Path(folder), template)
    return init_from(Path(folder), str(source), tables=tuple(tables), exclude=tuple(exclude))


def check(project: str | Path = ".", target: str | None = None) -> Summary:
    """Check the project's files; nothing is run. Raises ProjectError with every mistake at once."""
    from lakewright.app.check import check as verb

    return verb(project, target)


def test(project: str | Path = ".", *names: str, target: str | None = None) -> TestReport:
    """Run the project's unit tests, all or those named; the lake is not touched."""
    from lakewright.app.test import test as verb

    return verb(project, names, target)


test.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for one of its own


def doctor(project: str | Path = ".", target: str | None = None) -> list[Finding]:
    """Look whether everything is in order, versions, files, lake, state, disk; wrong files are a finding, too."""
    from lakewright.app.doctor import doctor as verb

    return verb(project, target)


def recover(
    project: str | Path = ".",
    *,
    place: str | Path | None = None,
    at: str | datetime | None = None,
    backup: str = "latest",
    into: str | Path | None = None,
    target: str | None = None,
    passphrase_from: str | None = None,
    dry_run: bool = False,
) -> Report:
    """Bring a whole project back from a backup; nothing of it has to be there or to be readable.

    *place* is where the backups are, needed when the project cannot tell. *at* is the time to go back to, *into* another
    folder to put the project into. What is right stays, what differs is moved aside. Stopped at any moment, the same
    call goes on. Raises LW431 without a backup for that time, LW433 for a wrong passphrase, LW435 when the place
    is in use or of another project.
    """
    from lakewright.app.recover import moment_of
    from lakewright.app.recover import recover as verb

    return verb(
        project,
        place=None if place is None else str(place),
        backup=backup,
        at=moment_of(at),
        into=None if into is None else Path(into),
        target=target,
        passphrase_from=passphrase_from,
        dry_run=dry_run,
    )


def backups(place: str | Path) -> Place:
    """Return the backups at a folder or ``s3://bucket/prefix``, to be looked at without a project."""
    return Place(str(place))


def import_contract(path: str | Path, object: str | None = None, *, made_of: str | None = None) -> Imported:
    """Return the YAML of a dataset that a contract (ODCS) or a Great Expectations suite amounts to.

    *object* chooses one of a contract's objects, *made_of* is the dataset that it reads. ``text`` is the YAML, ``notes``
    name what is not supported.
    """
    from lakewright.app.contracts import import_file

    return import_file(Path(path), object, made_of)


def schemas(kind: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of the project's files by kind, or that of one *kind*."""
    from lakewright.app.schema import schemas as verb

    return verb(kind)


def explain(code: str) -> Code:
    """Return what an error code means, and what to do. Raises LW901 for one that there is not."""
    found = CODES.get(code.upper())
    if found is None:
        raise NotFoundError("LW901", f"no error code {code!r}{nearest(code.upper(), CODES)}")
    return found
