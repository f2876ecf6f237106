"""How tasks and runs end, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

__all__ = ["RunResult", "RunStatus", "TaskOutcome", "TaskResult", "TaskStatus"]

TaskStatus = Literal[
    "pending", "running", "built", "unchanged", "failed", "skipped", "cancelled", "interrupted"
]

RunStatus = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]

_GATE = 3
_CANCELLED = 130


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What a task that did not fail came to. None: not known.

    ``rows`` were published, ``quarantined`` refused, ``bytes`` read; ``score`` is the share of good
    rows (0 to 1). ``details`` is kept in the journal as JSON.
    """

    status: Literal["built", "unchanged", "skipped"] = "built"
    rows: int | None = None
    quarantined: int | None = None
    bytes: int | None = None
    score: float | None = None
    reason: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task of a run ended. ``code`` and ``message`` are set when it failed; ``exit_code`` goes with them."""

    task: str
    status: TaskStatus
    attempts: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    outcome: TaskOutcome = TaskOutcome()
    reason: str = ""
    code: str = ""
    message: str = ""
    exit_code: int = 0

    @property
    def good(self) -> bool:
        """Whether what needs this task may go on."""
        return self.status in ("built", "unchanged")

    @property
    def seconds(self) -> float | None:
        """How long it took, waiting between attempts included."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None

    @property
    def cause(self) -> str:
        """Why what needs this task cannot run: a skipped task passes on what it was skipped for."""
        return self.reason if self.status == "skipped" and self.reason else f"{self.task} {self.status}"

    def facts(self) -> dict[str, object]:
        """What is known of its end, for the event that tells of it."""
        outcome = self.outcome
        facts: dict[str, object] = {
            "seconds": self.seconds,
            "rows": outcome.rows,
            "quarantined": outcome.quarantined,
            "bytes": outcome.bytes,
            "score": outcome.score,
            "reason": self.reason,
            "code": self.code,
            "message": self.message,
        }
        return {name: value for name, value in facts.items() if value is not None and value != ""}


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, with its tasks in the order in which they were planned.

    ``repeated`` marks the result of an earlier run with the same idempotency key: nothing was done now.
    """

    id: str
    status: RunStatus
    tasks: Mapping[str, TaskResult]
    started: datetime
    ended: datetime | None = None
    repeated: bool = False

    @property
    def exit_code(self) -> int:
        """0 when it succeeded, 130 cancelled, 3 when quality gates alone stopped it, else 1."""
        if self.status == "succeeded":
            return 0
        if self.status == "cancelled":
            return _CANCELLED
        codes = {one.exit_code for one in self.tasks.values() if one.status == "failed"}
        return _GATE if codes == {_GATE} else 1

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended - self.started).total_seconds() if self.ended else None
