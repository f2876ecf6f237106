"""Every error code: its title, what it means and what to do.

Ranges: 1xx project files, 2xx sources and reading, 3xx SQL and planning, 4xx engine and lake,
5xx quality, 6xx runs and state, 7xx catalog and lineage, 9xx usage.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CODES", "Code"]


class Code(NamedTuple):
    """What ``lakewright explain`` prints about a code."""

    title: str
    meaning: str
    remedy: str


CODES: dict[str, Code] = {
    # --- 1xx project files
    "LW101": Code(
        "no project here",
        "No lakewright.yaml was found in the folder or in any folder above it.",
        "run `lakewright init` to make one, or pass --project FOLDER",
    ),
    "LW102": Code(
        "not valid YAML",
        "A project file cannot be parsed as YAML.",
        "correct the syntax at the place shown",
    ),
    "LW103": Code(
        "unknown key",
        "A project file has a key that Lakewright does not know; unknown keys are never ignored.",
        "remove the key or use the name suggested",
    ),
    "LW104": Code(
        "wrong type or value",
        "A value in a project file has the wrong type or is outside what the key allows.",
        "write a value of the type shown; `lakewright schema` exports the JSON Schemas",
    ),
    "LW105": Code(
        "missing key",
        "A project file lacks a key that is required.",
        "add the key",
    ),
    "LW106": Code(
        "environment variable not set",
        "A project file refers to an environment variable that neither the process nor .env sets.",
        "set the variable, put it into .env, or write ${NAME:-default}",
    ),
    "LW107": Code(
        ".env not understood",
        "A line of the project's .env file is not NAME=value.",
        "write NAME=value; put values with spaces or # in quotes",
    ),
    "LW108": Code(
        "secret in plain text",
        "A project file holds a password or key itself; files are shared and kept, secrets must not be.",
        "write ${secret:NAME} and keep the value in the environment or in .secrets/NAME",
    ),
    "LW109": Code(
        "secret not found",
        "A ${secret:NAME} reference was needed and no place that may hold it does.",
        "set the environment variable LAKEWRIGHT_SECRET_NAME, or write the file .secrets/NAME",
    ),
    "LW110": Code(
        "key given twice",
        "A mapping in a project file has the same key twice; YAML would silently keep one of them.",
        "remove one of the two",
    ),
    "LW111": Code(
        "bad setting in the environment",
        "An environment variable that replaces a setting has a value that the setting cannot take.",
        "correct the variable or unset it",
    ),
    "LW112": Code(
        "unknown target",
        "The target asked for is not under `targets` in lakewright.yaml.",
        "use one of the targets there, or add it",
    ),
    "LW113": Code(
        "file not read",
        "A file lies where project files are but its name or folder says it is none; nothing is ignored in silence.",
        "name datasets datasets/<zone>/<name>.yaml, .sql or .py, and move other files elsewhere",
    ),
    "LW120": Code(
        "definitions contradict each other",
        "A dataset says in two ways what it is made of: `from`, a .sql file and a .py file exclude each other.",
        "keep one of them",
    ),
    "LW121": Code(
        "dataset made of nothing",
        "A dataset has neither `from` nor a .sql or .py file of its name beside it.",
        "add `from: <dataset>`, or write its query into a .sql file of the same name",
    ),
    "LW122": Code(
        "bad name",
        "A name in the project has characters that tables and columns should not have, or is reserved.",
        "use snake_case: small letters, digits and _, a letter first",
    ),
    "LW123": Code(
        "name used twice",
        "Two things of the project have the same name.",
        "rename one of them",
    ),
    "LW124": Code(
        "Python function not usable",
        "The function that a step of a dataset names was not found.",
        "write module:function for a function of a file in the project's folder",
    ),
    "LW127": Code(
        "settings that do not go together",
        "Two settings of one dataset contradict each other, or one needs another that is missing.",
        "change one of the two",
    ),
    "LW128": Code(
        "unknown column",
        "A setting names a column that the dataset does not have.",
        "use the name suggested, or add the column",
    ),
    "LW129": Code(
        "limits that nothing meets",
        "A rule can never be met: its minimum lies above its maximum, or a limit does not fit the type.",
        "correct the limits",
    ),
    # --- 2xx sources and reading
    "LW201": Code(
        "source not found",
        "The folder, prefix or file that a source names does not exist.",
        "correct `path` or `files` in the source's file, or put the files there",
    ),
    "LW202": Code(
        "unreadable file",
        "A file of a source cannot be read, and the dataset says `on_unreadable: fail`.",
        "replace the file, correct the reading options, or set `on_unreadable: quarantine`",
    ),
    "LW203": Code(
        "columns changed",
        "The files of a source have other columns than before, and the dataset says `on_drift: fail`.",
        "correct the files, or set `on_drift: evolve` to take the change or `ignore` to leave new columns out",
    ),
    "LW204": Code(
        "not a table",
        "What was handed over from Python cannot be taken as rows and columns.",
        "hand over an Arrow table, a Polars or pandas frame, or a list of mappings",
    ),
    # --- 3xx SQL and planning
    "LW301": Code(
        "SQL that does not parse",
        "A query or expression is not valid in DuckDB's dialect of SQL.",
        "correct the SQL at the place shown",
    ),
    "LW302": Code(
        "not one query",
        "A dataset's SQL file must hold exactly one SELECT (WITH and UNION included) that only reads.",
        "keep one SELECT; how rows are written is said under `write:` in the dataset's YAML",
    ),
    "LW303": Code(
        "reaches outside the datasets",
        "A dataset's query reads other datasets only, so that lineage, increments and rights hold; functions "
        "that read files, the environment or the engine's own state are refused.",
        "use a declared dataset, or leave the function out",
    ),
    "LW304": Code(
        "table is not zone.name",
        "Tables in a query are written zone.name, such as raw.orders or processed.customers.",
        "write the dataset's zone and name, or define the name in WITH",
    ),
    "LW305": Code(
        "no such column",
        "A query, step or rule uses a column that the dataset it reads certainly does not have.",
        "use one of the columns listed, or add it where the dataset is made",
    ),
    "LW306": Code(
        "column not produced",
        "A dataset's contract, keys, partitions or expectations name a column that its query or steps "
        "do not produce.",
        "produce the column in the query or steps, or take it out of the YAML",
    ),
    "LW311": Code(
        "step does not fit",
        "A step is used on a column whose type it cannot work on, or its expression cannot be used there.",
        "convert the column first, or use another step",
    ),
    "LW312": Code(
        "type or format not usable",
        "A type is not one of DuckDB's, no value of the column's type can become it, or a format is not understood.",
        "correct the type or the format; `format` shows how text is to be read",
    ),
    "LW313": Code(
        "column name not free",
        "Two columns would have the same name, or a name starts with the underscore of Lakewright's own columns.",
        "choose another name",
    ),
    "LW314": Code(
        "write mode not usable",
        "What `write` says does not fit the dataset's columns: its keys, partitions or times of change.",
        "correct `write` in the dataset's YAML",
    ),
    "LW321": Code(
        "unknown dataset",
        "A dataset is read or named that neither a source nor the datasets folder defines.",
        "correct the name, or add the source or dataset",
    ),
    "LW322": Code(
        "datasets depend on each other in a circle",
        "Each of the datasets named needs the next one, so none can be built first.",
        "take one of the links out",
    ),
    "LW323": Code(
        "Python dataset not usable",
        "A dataset's .py file cannot be parsed, or has no function `build` at its top level.",
        "write `def build(orders): ...` that takes its inputs as parameters and returns a table",
    ),
    "LW324": Code(
        "input of a Python dataset unknown",
        "A parameter of `build` names none of the datasets listed under depends_on.",
        "list the dataset under depends_on: the parameter is its name, or zone_name where two have the same name",
    ),
    "LW325": Code(
        "selection not understood",
        "A selection is not written as [levels+]name[+levels], method:value or a wildcard.",
        "see `lakewright run --help`: name, +name, name+, tag:x, zone:x, owner:x, raw.*, a,b for both, !x to leave out",
    ),
    # --- 4xx engine and lake
    "LW401": Code(
        "extension missing",
        "A DuckDB extension that the lake or a reader needs is not installed for the DuckDB that runs.",
        "install the `duckdb-extension-*` package named, in DuckDB's own version",
    ),
    "LW402": Code(
        "out of memory",
        "A statement needed more memory than `engine.memory_limit` allows, even after spilling to disk.",
        "raise engine.memory_limit, or lower engine.threads or engine.workers, in lakewright.yaml",
    ),
    "LW403": Code(
        "out of disk space",
        "Writing data or spilling it to the temporary folder filled the disk.",
        "free space, or point engine.temp_directory or lake.path to a larger disk",
    ),
    "LW404": Code(
        "interrupted",
        "A statement was stopped before its end: by Ctrl-C, a timeout or another task's failure. Nothing of it was kept.",
        "run again",
    ),
    "LW405": Code(
        "statement failed",
        "DuckDB refused a statement while it was prepared or while it ran.",
        "read DuckDB's message; correct the query or step that it names",
    ),
    "LW406": Code(
        "value does not convert",
        "A value cannot be converted to the type that a query asks for.",
        "use try_cast in the query, or declare the column's type and format in the dataset",
    ),
    "LW407": Code(
        "engine setting refused",
        "DuckDB does not accept a value under `engine` in lakewright.yaml.",
        "write it as DuckDB spells it, for example memory_limit: 2GB",
    ),
    "LW408": Code(
        "file or object not readable",
        "A file, object or remote catalog could not be read or written.",
        "check that the path exists, the disk or server answers, and the file is whole",
    ),
    "LW409": Code(
        "not permitted",
        "The object store, catalog or file system refused the request's rights.",
        "check the keys in lake.s3 or the token, and the rights on the folder or bucket",
    ),
    "LW410": Code(
        "lake cannot be opened",
        "The lake's catalog or its data folder could not be reached or is not a lake.",
        "check `lake` in lakewright.yaml; `lakewright doctor` tells what answers",
    ),
    "LW411": Code(
        "commit conflict",
        "Another process committed to the same tables first, again and again, until the retries ended.",
        "run again; with many writers use a PostgreSQL catalog",
    ),
    "LW412": Code(
        "lake is read-only",
        "A write was asked of a session that was opened for reading.",
        "use a command that writes, such as `lakewright run`",
    ),
    "LW413": Code(
        "not offered by this lake",
        "The chosen kind of lake, or its catalog, cannot do what was asked.",
        "use what the message suggests, or another kind of lake",
    ),
    "LW414": Code(
        "no such table in the lake",
        "The dataset has no table in the lake yet, or is misspelled.",
        "build it with `lakewright run`, or use one of the names listed",
    ),
    "LW415": Code(
        "no such version",
        "The lake has no snapshot of that number or time: it never was, or it was expired.",
        "`lakewright snapshots DATASET` lists what there is",
    ),
    "LW416": Code(
        "type cannot be stored",
        "The lake's table format has no form for a column's type.",
        "cast the column to the type suggested",
    ),
    "LW417": Code(
        "lake setting wrong",
        "A value under `lake` in lakewright.yaml does not make sense for its kind.",
        "correct it as the message says",
    ),
    "LW418": Code(
        "wrong partition or sort column",
        "`partition_by` or `sort_by` names a column that the table does not have, or is no column.",
        "name columns of the dataset; `sort_by` takes a column, optionally with asc or desc",
    ),
    # --- 5xx quality
    "LW501": Code(
        "rule does not fit the column",
        "A rule of a column or an expectation has a value that the column's type cannot be compared with.",
        "write a value of the column's type; dates and times are ISO text such as '2024-12-31'",
    ),
    "LW502": Code(
        "check of an unknown column",
        "A rule or expectation names a column that the dataset does not have.",
        "correct the name, or add the column to the steps or the query",
    ),
    "LW503": Code(
        "condition or statistic not usable",
        "The SQL of a condition must be one expression over the columns of a row, that of a statistic one aggregate.",
        "write one expression, without alias, FROM or WHERE",
    ),
    "LW504": Code(
        "pattern not valid",
        "A pattern is not a regular expression of RE2, which runs in linear time and so has no look-around "
        "or back references.",
        "rewrite the pattern; syntax: https://github.com/google/re2/wiki/Syntax",
    ),
    "LW505": Code(
        "quality gate refused the dataset",
        "Too many rows break checks, or a check that stops the dataset failed; nothing was published.",
        "read the run's report, then correct the source, the steps or the check",
    ),
    "LW506": Code(
        "reference not understood",
        "A reference says which column of which dataset holds the values: zone.dataset.column.",
        "write it like processed.customers.customer_id",
    ),
    # --- 6xx runs and state
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
    # --- 7xx catalog and lineage
    "LW701": Code(
        "schema change refused",
        "The columns of a dataset changed in a way that its `compatibility` does not allow, so nothing was published.",
        "undo the change, make new columns nullable, or lower `compatibility` in the dataset's YAML",
    ),
    "LW702": Code(
        "columns drifted",
        "An input has other columns than before and `on_drift` is `fail`, so nothing was taken.",
        "correct the input, or set `on_drift` to evolve or ignore",
    ),
    "LW703": Code(
        "lineage events not delivered",
        "The address in `lineage.url` did not take an event. It is kept and sent by a later run.",
        "check the address, its key and that the server is up",
    ),
    "LW704": Code(
        "lineage events not written",
        "The file in `lineage.file` cannot be written.",
        "check the path, its rights and the free space",
    ),
    "LW705": Code(
        "not in the catalog",
        "The catalog has no such dataset or column.",
        "list what there is with `lakewright catalog`",
    ),
    # --- 9xx usage
    "LW901": Code(
        "unknown name",
        "The command names something that does not exist.",
        "correct the name; `lakewright catalog` lists the datasets",
    ),
    "LW902": Code(
        "not a snapshot",
        "A point in the lake's history is a snapshot number or a time.",
        "`lakewright snapshots` lists them",
    ),
    "LW903": Code(
        "not a query",
        "The query command takes one statement that reads.",
        "write one SELECT; datasets are changed by `lakewright run`",
    ),
    "LW904": Code(
        "not possible here",
        "What was asked does not go with the options or settings given.",
        "see the message",
    ),
    "LW905": Code(
        "folder is not empty",
        "A new project needs a folder of its own; nothing that exists is overwritten.",
        "name a folder that does not exist yet",
    ),
    "LW907": Code(
        "query not understood",
        "DuckDB does not understand the query: its syntax, or a column or function that it names.",
        "correct the query at the place that the message shows",
    ),
    "LW908": Code(
        "unit test without rows",
        "A unit test gives no rows for a dataset that the tested one reads or refers to.",
        "add the dataset under `given`, with `[]` for no rows",
    ),
    "LW909": Code(
        "unexpected error",
        "Lakewright met an error that it did not foresee. What was committed before it is whole.",
        "run the command again with LAKEWRIGHT_DEBUG=1 to see where it comes from, and please report it",
    ),
    "LW906": Code(
        "no readable file",
        "There is no file in the folder that can be read as a table.",
        "point at a folder with CSV, JSON, NDJSON, Parquet, Avro, ORC or Excel files",
    ),
}
