"""Make a project from files as a user does, and hold it to what every made project must be."""

from __future__ import annotations

from pathlib import Path

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.app.check import check
from lakewright.app.init import init_from
from lakewright.app.run import RunReport
from lakewright.app.test import test as unit_tests
from lakewright.spec.dataset import Column, DatasetFile
from lakewright.spec.expectations import References

__all__ = ["built", "columns", "dataset", "keys", "make", "personal", "references", "run", "types"]


def make(folder: Path, source: Path) -> Lakewright:
    """Write a project for *source* into *folder* and open it; its files, plan and unit tests are right."""
    made = init_from(folder, str(source))
    assert set(made.files) >= {"lakewright.yaml", "README.md", ".gitignore", ".env.example"}
    assert all((folder / one).is_file() for one in made.files)
    found = check(folder)
    assert (found.sources, found.raw) == (1, found.datasets)
    lw = lakewright.open(folder)
    assert lw.plan().to_run == 2 * found.datasets
    tested = unit_tests(folder)
    assert [(one.name, one.differences) for one in tested.results if not one.passed] == []
    return lw


def run(lw: Lakewright) -> RunReport:
    """Run everything; nothing fails, and what is read is good, quarantined or removed."""
    report = lw.run().raise_for_status()
    for task in report.tasks:
        assert task.status == "built", task
        assert task.read == (task.rows or 0) + (task.quarantined or 0) + (task.removed or 0), task
    return report


def built(folder: Path, source: Path) -> Lakewright:
    """Make a project and run it; nothing is quarantined, and the next run has nothing to do."""
    lw = make(folder, source)
    report = run(lw)
    assert [one.task for one in report.tasks if one.quarantined or one.removed] == []
    assert lw.plan().to_run == 0
    return lw


def columns(lw: Lakewright, name: str) -> dict[str, Column]:
    """The columns of a processed dataset, as its file declares them."""
    return dict(dataset(lw, name).columns)


def types(lw: Lakewright, name: str) -> dict[str, str | None]:
    """The declared type of each column of a processed dataset."""
    return {column: one.type for column, one in columns(lw, name).items()}


def keys(lw: Lakewright, name: str) -> tuple[str, ...]:
    """The key of a processed dataset."""
    return tuple(column for column, one in columns(lw, name).items() if one.key)


def personal(lw: Lakewright, name: str) -> dict[str, str]:
    """The columns of a processed dataset that hold personal data, with its kind."""
    return {column: one.pii for column, one in columns(lw, name).items() if one.pii}


def references(lw: Lakewright, name: str) -> dict[str, str]:
    """The references of a processed dataset that hold the build, column to ``table.column``."""
    found: dict[str, str] = {}
    for one in dataset(lw, name).expect:
        if isinstance(one, References) and one.severity is None:
            found |= {column: target.removeprefix("processed.") for column, target in one.columns.items()}
    return found


def dataset(lw: Lakewright, name: str) -> DatasetFile:
    """What the file of a processed dataset says."""
    file: DatasetFile = lw.project.datasets[f"processed.{name}"].file
    return file
