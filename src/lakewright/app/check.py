"""`check`: read the whole project and report every mistake at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakewright.app.platform import Platform

__all__ = ["Summary", "check"]


@dataclass(frozen=True)
class Summary:
    """What a project without mistakes holds; ``notes`` name what its contracts and suites say without effect."""

    name: str
    target: str
    sources: int
    raw: int
    datasets: int
    tests: int
    notes: tuple[str, ...] = ()


def check(start: Path | str = ".", target: str | None = None) -> Summary:
    """Check the project at *start*. Raises ProjectError with every problem; nothing is opened or run."""
    platform = Platform.open(start, target)
    platform.graph.order()
    project = platform.project
    return Summary(
        project.file.name,
        project.target,
        len(project.sources),
        len(project.raw),
        len(project.datasets),
        len(project.tests),
        tuple(dict.fromkeys(note for dataset in project.datasets.values() for note in dataset.notes)),
    )
