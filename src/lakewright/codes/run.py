"""Codes of runs and state: 6xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW601": Code(
        "nothing to read",
        "A raw dataset has no file that can be read yet.",
        "put files where the source's path and pattern find them, then run again",
    ),
    "LW602": Code(
        "function not found",
        "A dataset names a Python file or function, or an input of a function, that is not there.",
        "correct the name; modules are files under the project's folder",
    ),
    "LW603": Code(
        "user function failed",
        "A Python function of the project raised an error, or its file cannot be loaded.",
        "mend the function at the line shown; `lakewright test` runs it on small rows",
    ),
    "LW604": Code(
        "function returned no table",
        "A Python function must return a pyarrow Table, a Polars frame or a pandas DataFrame.",
        "return a table",
    ),
    "LW605": Code(
        "no such cursor column",
        "incremental.column names a column that the upstream does not have.",
        "name a column of the upstream whose values grow",
    ),
    "LW606": Code(
        "nothing to backfill by",
        "A backfill needs a column that holds each row's date.",
        "partition the dataset by a date or name incremental.column",
    ),
    "LW607": Code(
        "failed conversions lost",
        "Values did not convert before a Python step, and the step's result no longer has the column that says so; "
        "their rows would be published without them.",
        "pass the column _failed on, or put the Python step before the conversions",
    ),
    "LW610": Code(
        "task failed unexpectedly",
        "A task ended with an error that Lakewright did not foresee.",
        "`lakewright logs` shows the whole of it; if it is not the project's own code, please report it",
    ),
    "LW611": Code(
        "task took too long",
        "A task did not end within its timeout and was stopped; nothing of it was published.",
        "give the dataset a longer timeout, or less to do at once",
    ),
    "LW612": Code(
        "being built elsewhere",
        "Another process holds the lease on the dataset because it is building it.",
        "wait for the other run to end; a process that died frees its datasets by itself",
    ),
    "LW613": Code(
        "lease lost",
        "This process could not renew its lease in time, and another one has taken the dataset over; nothing was published.",
        "run again; if it comes back, look for a machine that sleeps or a state database that is out of reach",
    ),
    "LW614": Code(
        "cancelled",
        "The run was cancelled before the task was done; nothing of it was published.",
        "run again with --from-failed to do what is left",
    ),
    "LW615": Code(
        "same run still going",
        "A run with the same idempotency key has started and has not ended yet.",
        "wait for it to end; `lakewright runs` shows it",
    ),
    "LW616": Code(
        "no such run",
        "No run in the state has this id.",
        "`lakewright runs` lists the runs",
    ),
    "LW617": Code(
        "files of the run cannot be written",
        "The folder for the logs of runs cannot be written.",
        "check the rights on .lakewright/logs and the disk's free space",
    ),
    "LW618": Code(
        "rows without surrogate keys",
        "The table was filled before the dataset became a dimension or fact, or before it got this key.",
        "build it anew with `lakewright run DATASET --full-refresh`",
    ),
    "LW619": Code(
        "two members with one surrogate key",
        "The keys of two different members of a dimension have the same number; nothing was published.",
        "give the dimension another `key`: its name is a part of the number",
    ),
    "LW620": Code(
        "no column to look up a dimension by",
        "A fact's look-up names a column that its rows do not have; nothing was published.",
        "name a column of the fact under `on` or `at`; `lakewright catalog DATASET` lists them",
    ),
    "LW651": Code(
        "state database damaged",
        "The state database is not readable as a database; tables and files of the lake are not affected.",
        "stop every run, then put back a copy of the file, or save what is readable with `sqlite3 FILE .recover`",
    ),
    "LW652": Code(
        "state database locked",
        "Another process kept the state database locked for longer than half a minute.",
        "let the other process end or stop it, then run again; `lakewright runs` shows what is running",
    ),
    "LW653": Code(
        "state of a newer version",
        "A newer version of Lakewright has written the state database in a layout that this one does not know.",
        "use the version that wrote it, or a later one",
    ),
    "LW654": Code(
        "state database not usable",
        "The state database cannot be opened or written: access, disk or connection.",
        "check the folder's rights and the disk's free space, or that the server runs and lets this user in",
    ),
    "LW655": Code(
        "state address not understood",
        "The key `state` of lakewright.yaml names no database that the state can be kept in.",
        "write state: sqlite:.lakewright/state.db, or state: postgresql://user@host/database",
    ),
    "LW656": Code(
        "driver of PostgreSQL missing",
        "The state is kept in PostgreSQL, but its driver is not installed.",
        "pip install 'lakewright[postgres]'",
    ),
}
