"""Commands for contracts: export a dataset as one, import contracts and suites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import counted, emit_json, note, print_text
from lakewright.errors import UsageError

__all__ = ["register"]

Target = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this new file, not stdout.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    group = typer.Typer(
        help="Data contracts of the Open Data Contract Standard, and Great Expectations suites.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("export")(export)
    group.command("import")(import_)
    app.add_typer(group, name="contract")


def export(
    dataset: Annotated[str, typer.Argument(help="The dataset to write as a contract.")],
    output: Target = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset as a data contract (ODCS 3.1): columns, rules, expectations, service levels."""
    from lakewright.app.contracts import export_contract
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        made = export_contract(platform, dataset)
    if as_json:
        emit_json(made.contract)
    elif output is None:
        print_text(made.text)
    if output is not None:
        _write(output, made.text)


def import_(
    file: Annotated[Path, typer.Argument(help="A contract (ODCS 3.0 or 3.1), or a suite's JSON.")],
    object: Annotated[
        str | None, typer.Option("--object", metavar="NAME", help="Which of a contract's objects.")
    ] = None,
    made_of: Annotated[
        str | None, typer.Option("--from", metavar="DATASET", help="The dataset that it reads: raw.orders.")
    ] = None,
    output: Target = None,
    as_json: AsJson = False,
) -> None:
    """Write a contract or a Great Expectations suite as the YAML of a dataset; what is not supported is named."""
    from lakewright.app.contracts import import_file

    made = import_file(file, object, made_of)
    for line in made.notes if as_json or output is not None else ():
        note(line)  # else they stand at the head of what is printed
    if as_json:
        emit_json(made)
    elif output is None:
        print_text(made.text)
    if output is not None:
        _write(output, made.text)
    note(f"{counted(made.columns, 'column')}, {counted(made.expectations, 'expectation')}")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            "LW904", f"{path} is there already", remedy="choose another name, or remove it"
        ) from None
    note(f"wrote {path}")
