"""What verification finds: what is wrong, where, and the command that heals it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ANEW", "FILES", "PAST", "WHOLE", "Findings", "Level", "Problem"]

#: How closely is looked: names and sizes; what files say of themselves and what tables owe each other; every byte.
Level = Literal["quick", "normal", "deep"]

#: Commands that heal.
FILES = "lakewright recover --files"
WHOLE = "lakewright recover"
ANEW = "lakewright run --full-refresh {}"
#: A file that only versions of the past need may also be forgotten with them.
PAST = f"{FILES}, or lakewright compact --expire AGE"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong (``bad``), or left over and in nobody's way (``warn``).

    ``what`` is the part that was looked at, ``dataset`` the one that it belongs to, ``where`` a file, table or rule.
    """

    what: str
    dataset: str
    where: str
    problem: str
    heal: str
    status: Literal["bad", "warn"] = "bad"


@dataclass
class Findings:
    """What was looked at, by part and number, and what is wrong."""

    level: Level
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def saw(self, what: str, number: int = 1) -> None:
        """Note that something was looked at."""
        self.counts[what] = self.counts.get(what, 0) + number

    def bad(self, what: str, dataset: str, where: str, problem: str, heal: str) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(what, dataset, where, problem, heal))

    def warn(self, what: str, dataset: str, where: str, problem: str, heal: str = "") -> None:
        """Note something that is left over."""
        self.problems.append(Problem(what, dataset, where, problem, heal, "warn"))

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not any(one.status == "bad" for one in self.problems)
