"""Commands about people in the data: forget, erasures, export-subject."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, short_time
from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.app.forget import Forgotten

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("forget")(forget)
    app.command("erasures")(erasures)
    app.command("export-subject")(export_subject)


Shared = Annotated[
    str | None,
    typer.Option(
        "--shared",
        metavar="[keep|same]",
        help="What a value that several people share means: leave the others alone, or all of them are meant.",
    ),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        "-s",
        metavar="SUBJECT=VALUE",
        help="Who: customer=42, or customer.email=ana@example.com.",
    ),
]
SubjectsFrom = Annotated[
    Path | None,
    typer.Option("--subjects-from", metavar="FILE", help="A file that names one person per line."),
]


def forget(
    subject: Subjects = None,
    subjects_from: SubjectsFrom = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    shared: Shared = None,
    partial: Annotated[bool, typer.Option("--partial", help="Go on though something must stay.")] = False,
    drop_originals: Annotated[
        bool,
        typer.Option("--drop-originals", help="Delete raw files that nothing can write without the person."),
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the record.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with erasures that were interrupted.")
    ] = False,
    returned: Annotated[
        bool, typer.Option("--returned", help="Erase again those whom a source has delivered anew.")
    ] = False,
    readmit: Annotated[
        bool, typer.Option("--readmit", help="Let the person come in again with new data.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option("--verify", metavar="RECORD", help="Check a record, and look for the person again."),
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Erase people everywhere, and prove it with a signed record. Shows what it would do, and asks."""
    from lakewright.app import forget as verbs
    from lakewright.app.platform import Platform

    names = _names(subject, subjects_from)
    sharing = _sharing(shared)
    options = verbs.Options(dry_run, partial, sharing, drop_originals, reason)
    with Platform.open(project, target) as platform:
        if verify is not None:
            _show(verbs.verify(platform, verify, names), as_json, "the record is genuine")
            return
        if resume:
            done = verbs.resume(platform, options)
            for one in done:
                _show(one, as_json, "erased")
            if not done:
                note("no erasure was interrupted")
            return
        if returned:
            groups = verbs.returned(platform)
            if not groups:
                note("nobody who was forgotten has come again")
            for group in groups:
                _show(
                    verbs.forget(platform, group, options, confirm=lambda plan: yes or _agreed(plan)),
                    as_json,
                    "",
                )
            return
        people = verbs.named_people(platform, names)
        if readmit:
            count = verbs.readmit(platform, people, reason)
            note(f"{counted(count, 'value')} taken from the list of those who are forgotten")
            return
        found = verbs.forget(platform, people, options, confirm=lambda plan: yes or _agreed(plan))
    words = "nothing was changed" if not found.record else "erased"
    _show(found, as_json, words)


def erasures(project: ProjectFolder = Path(), target: TargetName = None, as_json: AsJson = False) -> None:
    """List erasures, oldest first: when, how many people, and whether they are complete."""
    from lakewright.app.forget import erasures as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = verb(platform)
    if as_json:
        emit_json(
            [
                {
                    "id": one.id,
                    "subject": one.subject,
                    "people": one.people,
                    "started": one.started,
                    "ended": one.ended,
                    "complete": one.complete,
                    "reason": one.reason,
                    "rows": sum(place.rows or 0 for place in one.found),
                }
                for one in found
            ]
        )
        return
    print_table(
        ["erasure", "subject", "people", "rows", "started", "ended", "complete", "reason"],
        [
            (
                one.id,
                one.subject,
                one.people,
                sum(place.rows or 0 for place in one.found),
                short_time(one.started),
                short_time(one.ended) if one.ended else "",
                "yes" if one.complete else "no",
                one.reason,
            )
            for one in found
        ],
        right=["people", "rows"],
    )


def export_subject(
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder, or a .zip file.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit.")],
    subject: Subjects = None,
    subjects_from: SubjectsFrom = None,
    shared: Shared = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that is kept about people to a folder or a zip file, with where it comes from."""
    from lakewright.app.export_subject import export_subject as verb
    from lakewright.app.forget import named_people
    from lakewright.app.platform import Platform

    names = _names(subject, subjects_from)
    with Platform.open(project, target) as platform:
        found = verb(platform, named_people(platform, names), output, reason=reason, sharing=_sharing(shared))
    if as_json:
        emit_json(found)
        return
    print_table(
        ["place", "dataset", "rows", "files"],
        [(one.place, one.dataset, one.rows, ", ".join(one.files)) for one in found.parts],
        right=["rows"],
    )
    note(f"{counted(found.rows, 'row')} written to {found.path}")


def _names(subjects: list[str] | None, file: Path | None) -> list[str]:
    names = list(subjects or ())
    if file is not None:
        try:
            names += [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("LW904", f"{file} cannot be read: {error}") from None
    return names


def _sharing(text: str | None) -> Literal["keep", "same"] | None:
    match text:
        case None:
            return None
        case "keep":
            return "keep"
        case "same":
            return "same"
    raise UsageError("LW904", f"--shared {text}: it is keep or same")


def _agreed(plan: Forgotten) -> bool:
    _table(plan)
    if not sys.stdin.isatty():
        raise UsageError(
            "LW904", "an erasure has to be confirmed", remedy="add --yes, or --dry-run to look first"
        )
    return typer.confirm("Erase? It cannot be undone.", err=True)


def _show(found: Forgotten, as_json: bool, words: str) -> None:
    if as_json:
        emit_json(found)
        return
    _table(found)
    for one in found.remaining:
        note(f"still there: {one}")
    for one in found.outside:
        note(f"not ours to erase: {one}")
    if found.record:
        note(f"record: {found.record}" + ("" if found.complete else " (not complete)"))
    if words:
        note(words)


def _table(found: Forgotten) -> None:
    print_table(
        ["place", "dataset", "rows", "what"],
        [
            (
                one.place,
                one.dataset,
                "" if one.rows is None else one.rows,
                f"stays: {one.kept}" if one.kept else one.action,
            )
            for one in found.places
            if one.rows is None or one.rows or one.kept
        ],
        right=["rows"],
    )
