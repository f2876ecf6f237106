"""Commands about who may read what, and who did: access list, access show, access who, audit list, audit verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.acting import acting
from lakewright.cli.options import AsJson, ProjectFolder, RoleName, TargetName, UserName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text, short_time

__all__ = ["register"]

_access = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See who may read what.")
_audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See who read what.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.add_typer(_access, name="access")
    app.add_typer(_audit, name="audit")


@_access.command("list")
def list_roles(
    role: RoleName = None,
    user: UserName = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """List the roles, how many datasets each reads, and their users."""
    from lakewright.app.access import roles
    from lakewright.app.platform import Platform

    with Platform.open(project, target, acting(role, user, None)) as platform:
        found = roles(platform)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["role", "datasets", "extends", "users", "description"],
        [
            (one.role, one.datasets, ", ".join(one.extends), ", ".join(one.users), one.description)
            for one in found
        ],
        right=["datasets"],
    )


@_access.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="ROLE", help="A role of `access`.")],
    role: RoleName = None,
    user: UserName = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a role sees: datasets, columns (clear, masked, hidden) and conditions on rows."""
    from lakewright.app.access import show as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target, acting(role, user, None)) as platform:
        found = verb(platform, name)
    if as_json:
        emit_json(found)
        return
    for one in found:
        print_text(one.dataset)
        kinds: dict[str, list[str]] = {}
        for column, seen in one.columns.items():
            kinds.setdefault(seen, []).append(column)
        for seen in sorted(kinds, key=lambda kind: (kind != "clear", kind == "hidden", kind)):
            print_text(f"  {seen:<9} {', '.join(kinds[seen])}")
        for text in one.rows:
            print_text(f"  {'rows':<9} {text}")
    note(counted(len(found), "dataset"))


@_access.command("who")
def who(
    dataset: Annotated[str, typer.Argument(help="zone.name, or zone.name.column.")],
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show which roles and users see a dataset or a column, and how. The project's owner sees everything."""
    from lakewright.app.access import who as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = verb(platform, dataset)
    if as_json:
        emit_json(found)
        return
    lines = []
    for one in found:
        masked = [f"{name} ({seen})" for name, seen in one.columns.items() if seen not in ("clear", "hidden")]
        lost = [name for name, seen in one.columns.items() if seen == "hidden"]
        lines.append(
            (one.role, ", ".join(one.users), ", ".join(masked), ", ".join(lost), " and ".join(one.rows))
        )
    print_table(["role", "users", "masked", "hidden", "rows"], lines)


@_audit.command("list")
def list_audit(
    user: Annotated[
        str | None, typer.Option("--user", help="Of this user, of `access` or of the machine.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="About this dataset.")] = None,
    since: Annotated[
        str | None, typer.Option(help="From this time on, or so long ago: 2026-01-31, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show who asked for what, revealed tokens or rotated keys, newest first."""
    from lakewright.app.access import audit_lines
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = audit_lines(platform, user=user, dataset=dataset, since=since, limit=limit)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["no", "at", "user", "what", "of", "rows", "code", "datasets", "statement or reason"],
        [
            (
                one.number,
                short_time(one.at),
                one.user,
                one.action,
                one.role,
                one.rows,
                one.code,
                ", ".join(one.reads),
                one.statement or one.reason,
            )
            for one in found
        ],
        right=["no", "rows"],
    )


@_audit.command("verify")
def verify(
    head: Annotated[
        str | None, typer.Option(help="An entry noted earlier, as this command prints it: is it still there?")
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Find entries of the audit log that were edited, added or removed. Exit code 1 when there are any."""
    from lakewright.app.access import audit_verify
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = audit_verify(platform, head)
    if as_json:
        emit_json(found)
    else:
        for one in found.problems:
            print_text(f"LW827 {one}")
        older = f", {found.unbound:,} of before entries were bound" if found.unbound else ""
        note(f"{found.entries:,} {'entry' if found.entries == 1 else 'entries'}{older}")
        if not found.problems:
            note("no entry was changed or removed")
            print_text(found.head or "no entry yet")
    sys.exit(1 if found.problems else 0)
