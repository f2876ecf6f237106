"""Coded errors: what is wrong, where, what was tried, and what to do about it.

::

    LakewrightError            one coded failure (base of all that we raise on purpose)
    ├── ProjectError           the project's files are wrong; carries every Problem found
    ├── UsageError             the command or call makes no sense (exit 2)
    ├── NotFoundError          a named thing does not exist (exit 4)
    ├── GateError              a quality gate refused a dataset (exit 3)
    └── RunError               a task failed while running (exit 1)

Every code is described in :data:`CODES`; ``lakewright explain CODE`` prints it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from lakewright.codes import CODES

__all__ = [
    "CODES",
    "GateError",
    "LakewrightError",
    "NotFoundError",
    "Problem",
    "ProjectError",
    "RunError",
    "UsageError",
    "Where",
    "nearest",
]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a user's file; ``line`` and ``column`` count from 1, 0 when unknown."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in the form that every door shows.

    ``code`` is a key of :data:`CODES`; ``tried`` lists what was looked at before giving up;
    ``remedy`` is the next thing to do, empty when the code's own remedy says enough.
    """

    code: str
    message: str
    where: Where | None = None
    tried: tuple[str, ...] = ()
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(f"unknown error code {self.code}")

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        lines = [f"{place}{self.code} {self.message}"]
        lines += [f"  tried: {one}" for one in self.tried]
        lines.append(f"  fix: {self.remedy or CODES[self.code].remedy}")
        return "\n".join(lines)


class LakewrightError(Exception):
    """A failure with a code. ``str(error)`` is safe to show: it never holds a secret."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: Where | None = None,
        tried: Iterable[str] = (),
        remedy: str = "",
    ) -> None:
        self.problem = Problem(code, message, where, tuple(tried), remedy)
        super().__init__(str(self.problem))

    @property
    def code(self) -> str:
        return self.problem.code


class ProjectError(LakewrightError):
    """The project's files are wrong. ``problems`` holds all of them, ordered by place."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(
            sorted(problems, key=lambda p: (p.where.path, p.where.line) if p.where else ("", 0))
        )
        if not self.problems:
            raise ValueError("a ProjectError needs at least one problem")
        first = self.problems[0]
        super().__init__(first.code, first.message, where=first.where, tried=first.tried, remedy=first.remedy)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UsageError(LakewrightError):
    """The command or call makes no sense as given."""

    exit_code = 2


class NotFoundError(LakewrightError):
    """A dataset, run, snapshot or other named thing does not exist."""

    exit_code = 4


class GateError(LakewrightError):
    """A quality gate refused to publish a dataset."""

    exit_code = 3


class RunError(LakewrightError):
    """A task failed while it ran."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name closest to *name*, else ``""``."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
