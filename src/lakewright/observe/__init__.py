"""What can be seen of a run from outside: its logs, with secrets taken out."""

from lakewright.observe.logs import LogLine, RunLog, TaskLog, task_scope
from lakewright.observe.redact import HIDDEN, Redactor

__all__ = ["HIDDEN", "LogLine", "Redactor", "RunLog", "TaskLog", "task_scope"]
