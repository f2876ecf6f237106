"""One sentence for every key of the project's files: what editors show and the reference prints."""

from __future__ import annotations

from lakewright.project.meanings_access import ACCESS
from lakewright.project.meanings_expectations import EXPECTATION_MEANINGS, SEVERITY
from lakewright.project.meanings_security import SECURITY
from lakewright.project.meanings_sources import DESCRIPTION, OWNER, SOURCES, TAGS
from lakewright.project.meanings_star import STAR
from lakewright.project.rules import CastTo
from lakewright.spec.dataset import Column, Compact, DatasetFile, Incremental, Retry, Scd2, Write
from lakewright.spec.project import (
    S3,
    Defaults,
    Engine,
    Lake,
    Lineage,
    ProjectFile,
    QueryCache,
    Target,
    UnitTest,
    Zone,
)
from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    DropNulls,
    FillNulls,
    Filter,
    Flatten,
    MapValues,
    NormalizeText,
    PythonStep,
    Rename,
    Select,
    Unnest,
)
from lakewright.spec.warehouse import Warehouse, WarehouseRole, WarehouseTable, WarehouseView

__all__ = ["meaning"]


_MEANINGS: dict[type, dict[str, str]] = {
    **SOURCES,
    ProjectFile: {
        "name": "The project's name.",
        "description": DESCRIPTION,
        "lake": "Where raw files and tables are.",
        "engine": "How much of the machine statements may use.",
        "state": "The database of runs, results and versions: `sqlite:<file>` or `postgresql://…`.",
        "zones": "What each zone is for; also declares zones of your own.",
        "defaults": "Settings of every dataset that does not say otherwise.",
        "lineage": "Where lineage events are sent.",
        "query_cache": "Keep results of queries until what they were read from changes; not kept without it.",
        "keys": "Keys with which columns are masked, by name.",
        "access": "Who may read what; without it there are no roles, and whoever holds the files reads all.",
        "subjects": "The people in the data, by kind: where they are found, to be erased or exported.",
        "backup": "Where backups go, and what seals the keys in them.",
        "targets": "Settings by environment, such as dev and prod.",
        "default_target": "The target when none is asked for.",
    },
    Lake: {
        "kind": "DuckLake, or Iceberg through a REST catalog.",
        "path": "Folder or `s3://` prefix of raw files and tables.",
        "catalog": "`sqlite:<file>` (`duckdb:<file>` when encrypted), `postgres:<connection string>`, or the address of "
        "an Iceberg REST catalog.",
        "warehouse": "The warehouse's name in the Iceberg catalog.",
        "token": "Bearer token of the Iceberg catalog.",
        "s3": "The S3 API that `path` is on.",
        "encryption": "Tables, archives and the catalog are encrypted where they lie; see [encryption](encryption.md).",
    },
    S3: {
        "endpoint": "Host and port, for an S3 API other than AWS.",
        "region": "The bucket's region.",
        "key_id": "Access key id.",
        "secret": "Secret access key.",
        "url_style": "Whether the bucket stands in the path or in the host name.",
        "use_ssl": "Whether to use https.",
    },
    Engine: {
        "memory_limit": "Memory for statements, such as 2GB; what does not fit is spilled to disk.",
        "threads": "Threads of one statement.",
        "workers": "Datasets that are built at the same time.",
        "pools": "Groups of datasets, by name, and how many of each are built at the same time.",
        "temp_directory": "Folder to spill to.",
    },
    Zone: {
        "purpose": "What the zone is for.",
        "retention": "How long data stays: `90d`, `1y`, `forever`.",
        "archive": "Whether `lakewright lifecycle` moves older rows and raw files to the archive before it deletes them.",
        "storage_class": "S3 storage class of archives, such as `STANDARD_IA`; their bucket's default without it.",
        "format": "How its data is kept, for people.",
        "readers": "The only roles that may read it, whatever `access` gives to others; all that it gives it to without it.",
    },
    Defaults: {
        "owner": OWNER,
        "on_violation": "What happens to rows that break a rule.",
        "quality_threshold": "Share of good rows that a dataset must reach to be published.",
        "retry": "How often a failed dataset is tried again.",
        "timeout": "How long one dataset may take.",
    },
    Lineage: {
        "namespace": "Namespace of jobs and datasets; the project's name without it.",
        "file": "File that events are added to, one JSON document per line.",
        "url": "Address that events are posted to.",
        "api_key": "Bearer token for `url`.",
    },
    Target: {
        "lake": "Replaces `lake`, key by key.",
        "engine": "Replaces `engine`, key by key.",
        "state": "Replaces `state`.",
        "lineage": "Replaces `lineage`, key by key.",
        "defaults": "Replaces `defaults`, key by key.",
        "query_cache": "Replaces `query_cache`, key by key.",
    },
    QueryCache: {
        "store": "Where results are kept: `sqlite:<file>` or `redis://host:port/number`.",
        "lifetime": "How long a result is kept at most.",
        "max_result": "The largest result that is kept.",
        "max_size": "What a SQLite store holds at most; the results used longest ago go first.",
    },
    Retry: {
        "attempts": "Attempts in all.",
        "wait": "Time before the second attempt.",
        "backoff": "How many times longer each further wait is.",
    },
    DatasetFile: {
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
        "from": "The dataset that the steps start from.",
        "steps": "What is done to its rows, in order.",
        "contract": "File of the Open Data Contract Standard that stands in for `columns` and adds to `expect`; `file#object` picks one of its objects.",
        "columns": "The contract: columns with their types and rules.",
        "write": "How rows reach the table.",
        "incremental": "What counts as new.",
        "expect": "What must hold of the dataset as a whole.",
        "on_violation": "What happens to rows that break a rule.",
        "quality_threshold": "Share of good rows that it must reach to be published.",
        "compatibility": "Which changes of its columns are allowed: those that old readers, new readers or both can read; `_transitive`: of every version.",
        "on_drift": "What to do when its source has new, missing or retyped columns.",
        "audit_columns": "Whether rows carry their batch, time, source file and row.",
        "depends_on": "Datasets that come first, and the inputs of a Python dataset.",
        "retry": "How often it is tried again after a failure.",
        "timeout": "How long it may take.",
        "priority": "Of the datasets that are ready, the highest goes first.",
        "pool": "The pool of `engine.pools` that it is built in.",
        "retention": "How long its data stays: `90d`, `1y`, `forever`.",
        "archive": "Whether older rows go to the archive before they are deleted; as its zone says without it.",
        "age_by": "Date or time column that tells the age of a row; the first date it is partitioned by without it.",
        "compact": "From which age on `lakewright compact` puts its files together.",
        "dimension": "Makes it a dimension of a star schema: members with a surrogate key.",
        "fact": "Makes it a fact of a star schema: rows that refer to members of dimensions.",
    },
    Compact: {
        "monthly_after": "Age from which the days of a month lie in one file: `30d`.",
        "yearly_after": "Age from which the months of a year lie in one file: `1y`.",
    },
    Column: {
        "type": "SQL type; a value that does not convert breaks the rule `<column>.type`.",
        "description": DESCRIPTION,
        "key": "Part of the key: required, and unique together with the other key columns.",
        "required": "Never null.",
        "unique": "No value occurs twice.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
        "in": "The only values allowed.",
        "pattern": "Regular expression that text must match.",
        "min_length": "Fewest characters.",
        "max_length": "Most characters.",
        "format": "How a date that arrives as text is written, such as `%d/%m/%Y`.",
        "severity": SEVERITY,
        "pii": "What personal data it holds, such as `email`.",
        "mask": "How its values are masked before they are stored.",
        "classification": "How confidential it is, in words of your own; roles are given columns by it. With `pii` and without this: `personal`.",
        "tags": TAGS,
        "critical": "Whether much depends on it (a critical data element), for people.",
        "examples": "Values as they may look, for people.",
    },
    **SECURITY,
    Write: {
        "mode": "How new rows meet those that are there.",
        "keys": "Columns that tell rows apart; those marked `key: true` without it.",
        "partition_by": "A column, or `year(c)`, `month(c)`, `day(c)`, `hour(c)`, `bucket(n, c)`.",
        "sort_by": "Columns that rows are sorted by within files.",
        "delete_when": "Condition on a row of a merge that says that its key is to be deleted; such rows are not checked.",
        "scd2": "How history is kept, for `mode: scd2`.",
    },
    Scd2: {
        "changed_at": "Column with the time of a change; the build's time without it.",
        "track": "Columns whose changes make a new version; all others but keys without it.",
        "detect_deletes": "Whether a key that is missing from a full load ends.",
    },
    Warehouse: {
        "connection": "`duckdb:<file>`, `postgresql://…` or `mysql://…`; passwords as `${secret:…}`.",
        "tables": "Tables by name, each a dataset, or settings.",
        "schema": "Schema that holds what is published; without it the warehouse's name in PostgreSQL, `main` in a DuckDB file.",
        "views": "Views by name, each a query over tables of the warehouse, or settings.",
        "roles": "Roles of the warehouse that may read, by name.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    WarehouseTable: {
        "dataset": "The dataset whose rows it holds.",
        "sql": "A query over other tables of the warehouse that makes it there, instead of `dataset`.",
        "mode": "Load the whole and swap, or write what is new by key.",
        "keys": "Columns that tell which rows are the same; those of the dataset without it.",
        "columns": "Columns that it has; all of the dataset's own without it.",
        "indexes": "Columns, or lists of columns, to index beside keys.",
        "description": DESCRIPTION,
    },
    WarehouseView: {
        "sql": "The query.",
        "materialized": "Whether its rows are kept, and made anew with each load.",
        "description": DESCRIPTION,
    },
    WarehouseRole: {
        "tables": "Tables and views that it may read; `*` is all of them.",
        "rows": "Conditions on the rows that it may see, by table (PostgreSQL).",
    },
    **ACCESS,
    **STAR,
    Incremental: {
        "column": "Cursor column of the upstream: greater values are new.",
        "lookback": "How far before the last value to read again.",
        "enabled": "False reads everything each time.",
    },
    UnitTest: {
        "name": "What the test shows, as a sentence.",
        "dataset": "The dataset under test.",
        "given": "Rows of the datasets that it reads.",
        "expect": "Rows that must come out.",
        "quarantined": "Rows that must be refused.",
        "ordered": "Whether the order of rows counts.",
    },
    **EXPECTATION_MEANINGS,
    Rename: {"columns": "Old name → new name."},
    Select: {"columns": "Columns to keep, in this order."},
    Drop: {"columns": "Columns to leave out."},
    Cast: {"columns": "Column → SQL type, or `{type: date, format: ...}`."},
    CastTo: {
        "type": "SQL type.",
        "format": "How a date that arrives as text is written, such as `%d/%m/%Y`.",
    },
    Derive: {"columns": "Column → SQL expression."},
    DateParts: {
        "column": "Date or time column.",
        "parts": "Parts to take out.",
        "prefix": "What the new names start with; the column's name without it.",
    },
    NormalizeText: {
        "columns": "Text columns; all of them without it.",
        "trim": "Remove white space at both ends.",
        "collapse": "Make runs of white space one space.",
        "case": "Change the case.",
        "strip_accents": "Write accented letters without accents.",
        "empty_as_null": "Make empty text null.",
    },
    FillNulls: {"columns": "Column → constant put in place of null."},
    DropNulls: {"columns": "Columns that must not be null."},
    MapValues: {
        "column": "Column to change.",
        "values": "Old value → new value.",
        "other": "What becomes of values not listed.",
    },
    Filter: {"where": "SQL condition; rows for which it is true stay."},
    Deduplicate: {
        "keys": "Columns that make rows the same; whole rows without it.",
        "latest_by": "Column whose greatest value stays; the last row read without it.",
    },
    Flatten: {
        "columns": "Struct columns.",
        "separator": "What stands between column and field in the new names.",
    },
    Unnest: {
        "column": "List column.",
        "keep_empty": "Whether a row whose list is empty stays, with null.",
    },
    Aggregate: {"by": "Columns to group by.", "columns": "Column → SQL aggregate."},
    PythonStep: {"function": "`module:function`, looked for in the project's folder."},
}


def meaning(struct: type, key: str) -> str:
    """The sentence about *key* of *struct*, also one that it has from its base; "" for none."""
    for one in struct.__mro__:
        found = _MEANINGS.get(one, {}).get(key)
        if found:
            return found
    return ""
