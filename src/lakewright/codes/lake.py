"""Codes of engine and lake: 4xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
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
    "LW420": Code(
        "a hold is in the way, or there is none",
        "A legal hold keeps data from being expired, archived or forgotten; or a hold was named that is not on.",
        "`lakewright hold list` shows them; release one with `lakewright hold release NUMBER`",
    ),
    "LW421": Code(
        "dataset changed while it was archived",
        "Rows came or went between the copy to the archive and its end, so nothing was deleted.",
        "run `lakewright lifecycle` again",
    ),
    "LW422": Code(
        "archive cannot be used",
        "A file of an archive is gone or is not what was archived, or the table has lost a column that it has.",
        "put the file back from a copy, or add the column to the dataset",
    ),
    "LW430": Code(
        "place of backups cannot be used",
        "The folder or prefix for backups is not named, cannot be read or written, or belongs to another project.",
        "give a place that can be written, one per project: `--to FOLDER`, or `backup: {to: …}` in lakewright.yaml",
    ),
    "LW431": Code(
        "no such backup",
        "The place holds no backups, or none of that name or time.",
        "`lakewright backup list` shows what there is",
    ),
    "LW432": Code(
        "cannot be backed up as it is",
        "A file that the lake needs, its catalog or the state is gone or damaged, and no earlier backup has it whole.",
        "`lakewright verify --deep` tells all that is wrong and the command that heals it",
    ),
    "LW433": Code(
        "passphrase missing or wrong",
        "The passphrase that seals the keys is not where it was said to be, is too short, or is not the one that sealed them.",
        "give --passphrase-from env:NAME, file:PATH or ${secret:NAME}",
    ),
    "LW434": Code(
        "backup damaged",
        "A manifest or a stored file of a backup is gone, is not what was written, or comes from a newer version.",
        "use another backup; `lakewright backup verify` tells which are whole",
    ),
    "LW435": Code(
        "recovery not possible there",
        "The place to recover into is in use, or is of another kind than what the backup holds.",
        "follow the message; `--into FOLDER` recovers beside what there is",
    ),
    "LW436": Code(
        "backup of a past that was given up",
        "The project was recovered from an earlier backup since: the numbers of batches in this one mean others now.",
        "take a backup of the same history, or recover the whole project",
    ),
    "LW437": Code(
        "backups in use",
        "Another process makes, prunes or uses the backups of this project.",
        "wait for it to end; the hold of a process that died ends within a minute",
    ),
    "LW438": Code(
        "recovery not ended",
        "A recovery was interrupted halfway; until it ends, nothing else may be done here.",
        "run the same `lakewright recover` again: it goes on where it was",
    ),
    "LW439": Code(
        "some files could not be healed",
        "Files of the lake are gone or damaged and no backup has them whole.",
        "recover the datasets that need them, from a backup: `lakewright recover --dataset NAME`",
    ),
    "LW440": Code(
        "old files are gone",
        "The table was made of raw files that `lakewright lifecycle` deleted since, by their retention; made anew, it would lose their rows.",
        "keep the table as it is; or `lakewright run --accept-gaps NAME`: rows of files that are gone stay where rows are appended or merged, and are lost otherwise",
    ),
}
