"""`check`: read the whole project and report every mistake at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakewright.app.compatibility import incompatibilities
from lakewright.app.platform import Platform
from lakewright.errors import ProjectError
from lakewright.plan.check_access import access_notes
from lakewright.project.check_encryption import encryption_warnings
from lakewright.project.check_mask import mask_warnings

__all__ = ["Summary", "check"]


@dataclass(frozen=True)
class Summary:
    """What a project without mistakes holds.

    ``notes`` tell what its contracts and suites say without effect, and what is worth a look without being a mistake.
    """

    name: str
    target: str
    sources: int
    raw: int
    datasets: int
    tests: int
    notes: tuple[str, ...] = ()


def check(start: Path | str = ".", target: str | None = None) -> Summary:
    """Check the project at *start*. Raises ProjectError with every problem; nothing is run.

    Columns are also held against the versions that were published, where ``compatibility`` asks for it.
    """
    with Platform.open(start, target) as platform:
        platform.graph.order()
        project = platform.project
        if refused := incompatibilities(platform):
            raise ProjectError(refused.values())
    return Summary(
        project.file.name,
        project.target,
        len(project.sources),
        len(project.raw),
        len(project.datasets),
        len(project.tests),
        tuple(
            dict.fromkeys(
                [
                    *(
                        note
                        for one in project.datasets.values()
                        for note in (*one.notes, *mask_warnings(one))
                    ),
                    *encryption_warnings(project),
                    *(access_notes(project) if project.file.access is not None else ()),
                ]
            )
        ),
    )
