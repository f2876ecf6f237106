"""The journal's tables: runs, their tasks, attempts, events and logs."""

from __future__ import annotations

import sqlalchemy as sa

from lakewright.state import UtcTime, metadata

__all__ = ["ATTEMPTS", "EVENTS", "JOURNAL", "LOGS", "RUNS", "TASKS"]

RUNS = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # run, or upkeep of the whole lake
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("selection", sa.JSON, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started", UtcTime, nullable=False),
    sa.Column("ended", UtcTime),
    sa.Column("os_user", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    # the run that this one takes up after a failure
    sa.Column("parent", sa.Text),
    sa.Column("key", sa.Text),
    # the key while it is taken: by a run that goes on or has succeeded
    sa.Column("key_taken", sa.Text, unique=True),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("message", sa.Text),
    sa.Index("runs_started", "started"),
    sa.Index("runs_status", "status"),
)

TASKS = sa.Table(
    "tasks",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("started", UtcTime),
    sa.Column("ended", UtcTime),
    sa.Column("rows", sa.BigInteger),
    sa.Column("quarantined", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("score", sa.Float),
    # why it was to be built, and why it ended as it did
    sa.Column("plan", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("tasks_task", "task"),
)

ATTEMPTS = sa.Table(
    "attempts",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started", UtcTime, nullable=False),
    sa.Column("ended", UtcTime),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
)

EVENTS = sa.Table(
    "events",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), nullable=False),
    # empty for what happens to the run itself: NULL would not count as equal in the constraint
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.UniqueConstraint("run_id", "task", "attempt", "kind"),
)

LOGS = sa.Table(
    "logs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Index("logs_run", "run_id", "task"),
)

#: All of them, in the order in which they refer to each other.
JOURNAL = (RUNS, TASKS, ATTEMPTS, EVENTS, LOGS)
