"""Commands about keys and personal data: keys list, keys rotate, pii scan, pii reveal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, Exclude, ProjectFolder, Selection, TargetName
from lakewright.cli.output import counted, emit_json, note, print_rows, print_table, short_time

__all__ = ["register"]

_keys = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look after the keys that mask columns and encrypt the lake.",
)
_pii = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Find personal data, and see behind tokens."
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.add_typer(_keys, name="keys")
    app.add_typer(_pii, name="pii")


@_keys.command("list")
def list_keys(project: ProjectFolder = Path(), target: TargetName = None, as_json: AsJson = False) -> None:
    """Show each key: its versions, where it is kept, whether it can be used. Exit code 1 when one cannot."""
    from lakewright.app.platform import Platform
    from lakewright.app.security import keys

    with Platform.open(project, target) as platform:
        found = keys(platform)
    if as_json:
        emit_json(found)
    else:
        print_table(
            ["key", "version", "kept in", "made", "in force", "status"],
            [
                (
                    one.name,
                    one.version,
                    one.place,
                    short_time(one.created),
                    "yes" if one.current else "",
                    one.status,
                )
                for one in found
            ],
        )
        note("Keep a copy of every key elsewhere: without it, tokens cannot be revealed.")
    sys.exit(0 if all(one.status == "ok" for one in found) else 1)


@_keys.command("rotate")
def rotate(
    name: Annotated[str, typer.Argument(help="The key.")] = "default",
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Turn to a new version of a key: tokens stay, hashes are made anew by the next run, the lake's catalog at once."""
    from lakewright.app.platform import Platform
    from lakewright.app.security import rotate_key

    with Platform.open(project, target) as platform:
        found = rotate_key(platform, name)
    if as_json:
        emit_json(
            {"key": name, "version": found.version, "encrypted_anew": found.encrypted, "lake": found.lake}
        )
    else:
        note(
            f"key {name} is now version {found.version}; {counted(found.encrypted, 'value')} of the vault encrypted anew"
        )
        if found.lake:
            note("the lake's catalog, which holds the keys of the data files, is encrypted under it")


@_pii.command("scan")
def scan(
    select: Selection = None,
    exclude: Exclude = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Find columns that hold personal data, in raw files and tables, and say which have no mask."""
    from lakewright.app.pii import scan as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = verb(platform, select or (), exclude=exclude or ())
    if as_json:
        emit_json(found)
        return
    if found.columns:
        print_table(
            ["dataset", "column", "holds", "sure %", "mask", "evidence"],
            [
                (one.dataset, one.column, one.pii, round(100 * one.confidence), one.mask or "-", one.evidence)
                for one in found.columns
            ],
            right=["sure %"],
        )
    for id, why in found.skipped.items():
        note(f"not looked at: {id}: {why}")
    note(
        f"{counted(len(found.columns), 'column')} with personal data in {counted(len(found.scanned), 'dataset')}"
    )
    for one in found.unmasked:
        note(f"no mask: {one.dataset}.{one.column}; suggested: pii: {one.pii}, mask: {one.suggestion}")


@_pii.command("reveal")
def reveal(
    tokens: Annotated[
        list[str], typer.Argument(metavar="TOKEN...", help="Tokens; `-` reads them from stdin.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit.")],
    domain: Annotated[
        str, typer.Option("--domain", help="The domain of the mask that made them.")
    ] = "default",
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Tell the clear values of tokens. Who asked, when and why is written down first."""
    from lakewright.app.platform import Platform
    from lakewright.app.security import reveal as verb

    wanted = [line.rstrip("\n") for line in sys.stdin] if tokens == ["-"] else tokens
    with Platform.open(project, target) as platform:
        found = verb(platform, wanted, domain=domain, reason=reason)
    if as_json:
        emit_json(found)
    else:
        print_rows(["token", "value"], [(one, found[one]) for one in dict.fromkeys(wanted)])
