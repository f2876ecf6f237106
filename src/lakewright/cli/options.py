"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "Attributes",
    "Exclude",
    "ProjectFolder",
    "RoleName",
    "Selection",
    "TargetName",
    "UserName",
]

ProjectFolder = Annotated[
    Path,
    typer.Option(
        "--project",
        "-p",
        envvar="LAKEWRIGHT_PROJECT",
        help="The project's folder, or one inside it.",
        show_default="here",
    ),
]
TargetName = Annotated[
    str | None,
    typer.Option("--target", "-t", envvar="LAKEWRIGHT_TARGET", help="The target of lakewright.yaml to use."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Selection = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SELECT]...",
        help="Datasets: orders, processed.orders, a zone, +name (with upstream), name+ (with downstream), "
        "tag:x, owner:x, source:x, raw.*, !name (without). Everything when left out.",
    ),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", help="Leave these out; same words as SELECT.")
]
RoleName = Annotated[
    str | None,
    typer.Option(
        "--role", envvar="LAKEWRIGHT_ROLE", help="Act in this role of `access`; see `lakewright access`."
    ),
]
UserName = Annotated[
    str | None,
    typer.Option(
        "--user",
        envvar="LAKEWRIGHT_USER",
        help="Act as this user of `access`, in their first role or --role.",
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", metavar="NAME=VALUE", help="A value that the role's conditions on rows ask for."
    ),
]
