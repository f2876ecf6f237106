"""Structured logs of a run: one JSON object per line, with run, task and attempt, and no secrets.

Everything that is logged below ``lakewright`` while a run goes on is taken, from whatever thread;
:func:`task_scope` says which task a thread works for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import msgspec

from lakewright.errors import RunError
from lakewright.observe.redact import Redactor

__all__ = ["LOGGER", "LogLine", "RunLog", "TaskLog", "task_scope"]

#: The logger above all of ours.
LOGGER = "lakewright"

_scope: ContextVar[tuple[str, str, int]] = ContextVar("lakewright_log_scope", default=("", "", 0))


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: when, how grave (``debug`` … ``error``), for which task and attempt, what, and facts."""

    at: datetime
    level: str
    run: str
    task: str
    attempt: int
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)


@contextmanager
def task_scope(run: str, task: str = "", attempt: int = 0) -> Iterator[None]:
    """Everything logged inside belongs to *task* of *run*."""
    token = _scope.set((run, task, attempt))
    try:
        yield
    finally:
        _scope.reset(token)


class TaskLog:
    """What a task logs with: a message and facts by name, ``log.info("read", rows=10)``."""

    def __init__(self, name: str = f"{LOGGER}.task") -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: object) -> None:
        """Log what only helps to find a fault."""
        self._log(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Log what happened."""
        self._log(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Log what somebody should look at."""
        self._log(logging.WARNING, message, fields)

    def error(self, message: str, *, error: BaseException | None = None, **fields: object) -> None:
        """Log a failure; with *error*, its traceback too."""
        self._log(logging.ERROR, message, fields, error)

    def _log(
        self, level: int, message: str, fields: Mapping[str, object], error: BaseException | None = None
    ) -> None:
        # the message goes as an argument: a % in it is no format
        self._logger.log(level, "%s", message, extra={"lakewright_fields": fields}, exc_info=error)


class RunLog:
    """Takes the log of run *run* while it is open: to *file* (NDJSON, appended) and to *sink*.

    *level* is the least grave level that is kept (``debug``, ``info``, ``warning``, ``error``). Raises
    RunError LW617 when the file cannot be written.
    """

    def __init__(
        self,
        run: str,
        *,
        file: Path | None = None,
        sink: Callable[[LogLine], None] | None = None,
        level: str = "info",
        redactor: Redactor | None = None,
    ) -> None:
        self._handler = _Handler(run, _open(file) if file else None, sink, redactor or Redactor())
        self._handler.setLevel(level.upper())
        self._before = logging.NOTSET

    def __enter__(self) -> RunLog:
        logger = logging.getLogger(LOGGER)
        self._before = logger.level
        if logger.getEffectiveLevel() > self._handler.level:
            logger.setLevel(self._handler.level)
        logger.addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(self._handler)
        logger.setLevel(self._before)
        self._handler.close()


class _Handler(logging.Handler):
    def __init__(
        self, run: str, file: TextIO | None, sink: Callable[[LogLine], None] | None, redactor: Redactor
    ) -> None:
        super().__init__()
        self._run = run
        self._file = file
        self._sink = sink
        self._redactor = redactor
        self._traceback = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        run, task, attempt = _scope.get()
        if run and run != self._run:
            return  # of another run in the same process
        try:
            line = self._line(record, task, attempt)
            if self._file is not None:
                self._file.write(msgspec.json.encode(line).decode() + "\n")
                self._file.flush()
            if self._sink is not None:
                self._sink(line)
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord, task: str, attempt: int) -> LogLine:
        fields = dict(getattr(record, "lakewright_fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            fields["traceback"] = self._traceback.formatException(record.exc_info)
        if record.name != f"{LOGGER}.task":
            fields["logger"] = record.name
        return LogLine(
            at=datetime.fromtimestamp(record.created, UTC),
            level=record.levelname.lower(),
            run=self._run,
            task=task,
            attempt=attempt,
            message=self._redactor.text(record.getMessage()),
            fields={str(name): self._redactor.value(one) for name, one in fields.items()},
        )

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()


def _open(file: Path) -> TextIO:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RunError("LW617", f"the log {file} cannot be written: {error.strerror}") from error
