"""Live progress of a run on stderr, and its summary on stdout."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from lakewright.cli.output import counted, note, print_table, print_text, size, span

if TYPE_CHECKING:
    from rich.status import Status

    from lakewright.app.run import RunReport
    from lakewright.run.events import Event

__all__ = ["Progress"]

_MARKS = {"built": "✓", "unchanged": "·", "failed": "✗", "skipped": "-", "cancelled": "-"}


class Progress:
    """Shows each task as it ends, and what runs now where stderr is a terminal."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._unchanged = 0

    def __enter__(self) -> Progress:
        if self._enabled and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def event(self, event: Event) -> None:
        """Take one event of the run; called from the tasks' threads."""
        if not self._enabled:
            return
        with self._lock:
            if event.kind == "started" and event.task:
                self._running[event.task] = time.monotonic()
            elif event.kind in _MARKS and event.task:
                began = self._running.pop(event.task, None)
                self._ended(event.kind, event.task, began, dict(event.data))
            elif event.kind == "retrying" and event.task:
                note(f"↻ {event.task}: {event.data.get('message', '')}; trying again")
            if self._status is not None:
                self._status.update(", ".join(self._running) or "…")

    def _ended(self, kind: str, task: str, began: float | None, data: dict[str, Any]) -> None:
        if kind == "unchanged":
            self._unchanged += 1
            return
        took = span(time.monotonic() - began) if began is not None else ""
        facts = [took]
        if data.get("rows") is not None:
            facts.append(f"{data['rows']:,} rows")
        if data.get("quarantined"):
            facts.append(f"{data['quarantined']:,} quarantined")
        if data.get("score") is not None:
            facts.append(f"score {100 * data['score']:.1f} %")
        said = data.get("message") or (data.get("reason") if kind == "skipped" else "")
        if said:
            facts.append(str(said).splitlines()[0])
        note(f"{_MARKS[kind]} {task}  " + ", ".join(one for one in facts if one))

    def summary(self, report: RunReport) -> None:
        """Print what the run did: counts, quality, where bad rows went, what to do about failures."""
        shown = [one for one in report.tasks if one.status != "unchanged"]
        if shown:
            print_table(
                ["dataset", "status", "read", "good", "quarantined", "removed", "score %", "size", "took"],
                [
                    (
                        one.task,
                        one.status,
                        one.read,
                        one.rows,
                        one.quarantined,
                        one.removed,
                        None if one.score is None else round(100 * one.score, 2),
                        size(one.bytes),
                        span(one.seconds),
                    )
                    for one in shown
                ],
                right=["read", "good", "quarantined", "removed", "score %", "size", "took"],
            )
        for one in shown:
            if one.quarantined and one.quarantine:
                print_text(f"bad rows of {one.task}: lakewright query 'select * from {one.quarantine}'")
        for one in shown:
            for line in one.notes:
                print_text(f"note: {one.task}: {line}")
        for one in shown:
            if one.error:
                note(f"\n{one.task} failed\n{one.error}")
        for one in shown:
            if one.status == "skipped" and one.reason:
                print_text(f"skipped {one.task}: {one.reason}")
        if not report.tasks:
            print_text("nothing to do: no dataset was chosen, or the last run left none undone")
        elif not shown:
            count = counted(len(report.tasks), "dataset")
            print_text(f"nothing new: {count} {'is' if len(report.tasks) == 1 else 'are'} up to date")
        line = f"run {report.id}: {report.status} in {span(report.seconds)}"
        if self._unchanged and shown:
            line += f"; {self._unchanged} up to date"
        print_text(line)
        if report.report:
            print_text(f"report: {report.report}")
        if report.exit_code == 1:
            note("after the cause is mended: lakewright run --from-failed")
