"""One sentence for every key of the project's files: what editors show and the reference prints."""

from __future__ import annotations

from lakewright.project.rules import CastTo
from lakewright.spec.databases import DatabaseDataset, DatabaseSource
from lakewright.spec.dataset import Column, DatasetFile, Incremental, Retry, Scd2, Write
from lakewright.spec.expectations import (
    ColumnSet,
    Completeness,
    Condition,
    DistinctCount,
    Expectation,
    Fresh,
    References,
    RowCount,
    Statistic,
    Unique,
)
from lakewright.spec.project import S3, Defaults, Engine, Lake, Lineage, ProjectFile, Target, UnitTest, Zone
from lakewright.spec.sources import FileDataset, FileSource, ReadOptions
from lakewright.spec.star import DateDimension, Dimension, Fact, Lookup
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

_DESCRIPTION = "What it is, for people; shown in the catalog."
_OWNER = "Who answers for it: a team or a person."
_TAGS = "Words to select and search by."
_SEVERITY = "What breaking it means, instead of `on_violation`."

_MEANINGS: dict[type, dict[str, str]] = {
    ProjectFile: {
        "name": "The project's name.",
        "description": _DESCRIPTION,
        "lake": "Where raw files and tables are.",
        "engine": "How much of the machine statements may use.",
        "state": "The database of runs, results and versions: `sqlite:<file>` or `postgresql://…`.",
        "zones": "What each zone is for; also declares zones of your own.",
        "defaults": "Settings of every dataset that does not say otherwise.",
        "lineage": "Where lineage events are sent.",
        "targets": "Settings by environment, such as dev and prod.",
        "default_target": "The target when none is asked for.",
    },
    Lake: {
        "kind": "DuckLake, or Iceberg through a REST catalog.",
        "path": "Folder or `s3://` prefix of raw files and tables.",
        "catalog": "`sqlite:<file>`, `postgres:<connection string>`, or the address of an Iceberg REST catalog.",
        "warehouse": "The warehouse's name in the Iceberg catalog.",
        "token": "Bearer token of the Iceberg catalog.",
        "s3": "The S3 API that `path` is on.",
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
        "format": "How its data is kept, for people.",
        "readers": "Roles that may read it.",
    },
    Defaults: {
        "owner": _OWNER,
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
    },
    Retry: {
        "attempts": "Attempts in all.",
        "wait": "Time before the second attempt.",
        "backoff": "How many times longer each further wait is.",
    },
    FileSource: {
        "path": "Folder or `s3://` prefix that files are looked for in.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
    },
    FileDataset: {
        "files": "Path or pattern (`*`, `**`, `?`) of its files, or several.",
        "format": "How the files are read; `auto` looks at them.",
        "options": "What to read them with; what is left out is found by looking.",
        "columns": "Columns that the files must have.",
        "on_drift": "What to do when a file has other columns than those before it.",
        "on_unreadable": "What to do with lines that cannot be read.",
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
    },
    DatabaseSource: {
        "connection": "`postgresql://user:${secret:NAME}@host/database`, `mysql://…` or `sqlite:<file>`.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
    },
    DatabaseDataset: {
        "table": "Table or view to read, as `schema.table` or `table`; names with other characters in double quotes.",
        "query": "Query to read instead of a table, in the SQL of the database.",
        "load": "Read everything each time, or what lies beyond the last position of `cursor`.",
        "cursor": "Column that grows with every change: a number, date or time.",
        "lookback": "How far before the last position to read again: a length of time, or a number.",
        "keys": "Columns that tell which rows are the same.",
        "deletes": "Whether rows that are gone from the table are looked for, by `keys`.",
        "where": "Condition that rows must meet, in the SQL of the database.",
        "slices": "Parts of a table that are read at the same time.",
        "columns": "Columns to take; without it all of them.",
        "on_drift": "What to do when the table has other columns than before.",
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
    },
    ReadOptions: {
        "delimiter": "CSV: what stands between two values.",
        "quote": "CSV: what values with delimiters in them stand in.",
        "escape": "CSV: what a quote inside a value follows.",
        "header": "CSV and Excel: whether the first row holds the names.",
        "comment": "CSV: what a line to leave out starts with.",
        "skip": "CSV and Excel: lines to leave out at the start.",
        "nulls": "Texts that mean that there is no value.",
        "names": "Column names of files without a header.",
        "encoding": "Encoding of a text file, such as `utf-8`, `utf-16`, `latin-1` or `windows-1252`.",
        "compression": "How the file is compressed; found by its name without it.",
        "records": "JSON: path of the list of records, such as `$.data.items`.",
        "sheet": "Excel: name or number of the sheet.",
    },
    DatasetFile: {
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
        "from": "The dataset that the steps start from.",
        "steps": "What is done to its rows, in order.",
        "columns": "The contract: columns with their types and rules.",
        "write": "How rows reach the table.",
        "incremental": "What counts as new.",
        "expect": "What must hold of the dataset as a whole.",
        "on_violation": "What happens to rows that break a rule.",
        "quality_threshold": "Share of good rows that it must reach to be published.",
        "compatibility": "Which changes of its columns are allowed: those that old readers, new readers or both can read.",
        "on_drift": "What to do when its source has new, missing or retyped columns.",
        "audit_columns": "Whether rows carry their batch, time, source file and row.",
        "depends_on": "Datasets that come first, and the inputs of a Python dataset.",
        "retry": "How often it is tried again after a failure.",
        "timeout": "How long it may take.",
        "priority": "Of the datasets that are ready, the highest goes first.",
        "pool": "The pool of `engine.pools` that it is built in.",
        "retention": "How long its data stays: `90d`, `1y`, `forever`.",
        "dimension": "Makes it a dimension of a star schema: members with a surrogate key.",
        "fact": "Makes it a fact of a star schema: rows that refer to members of dimensions.",
    },
    Column: {
        "type": "SQL type; a value that does not convert breaks the rule `<column>.type`.",
        "description": _DESCRIPTION,
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
        "severity": _SEVERITY,
        "pii": "What personal data it holds, such as `email`.",
        "classification": "How confidential it is.",
        "tags": _TAGS,
    },
    Write: {
        "mode": "How new rows meet those that are there.",
        "keys": "Columns that tell rows apart; those marked `key: true` without it.",
        "partition_by": "A column, or `year(c)`, `month(c)`, `day(c)`, `hour(c)`, `bucket(n, c)`.",
        "sort_by": "Columns that rows are sorted by within files.",
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
        "description": _DESCRIPTION,
        "owner": _OWNER,
        "tags": _TAGS,
    },
    WarehouseTable: {
        "dataset": "The dataset whose rows it holds.",
        "sql": "A query over other tables of the warehouse that makes it there, instead of `dataset`.",
        "mode": "Load the whole and swap, or write what is new by key.",
        "keys": "Columns that tell which rows are the same; those of the dataset without it.",
        "columns": "Columns that it has; all of the dataset's own without it.",
        "indexes": "Columns, or lists of columns, to index beside keys.",
        "description": _DESCRIPTION,
    },
    WarehouseView: {
        "sql": "The query.",
        "materialized": "Whether its rows are kept, and made anew with each load.",
        "description": _DESCRIPTION,
    },
    WarehouseRole: {
        "tables": "Tables and views that it may read; `*` is all of them.",
        "rows": "Conditions on the rows that it may see, by table (PostgreSQL).",
    },
    Dimension: {
        "key": "Column with the surrogate key; the dataset's name without `dim_` and with `_key` without it.",
        "unknown": "Values of the member for facts whose member is not known, by column.",
        "not_applicable": "Values of the member for facts that have none, by column.",
        "date": "Makes it a dimension of days, which needs no source.",
    },
    DateDimension: {
        "from": "First day.",
        "to": "Last day, included.",
        "fiscal_year_starts": "Month with which the fiscal year starts.",
        "holidays": "Country whose holidays are marked, as ISO 3166 code, with a subdivision where wanted: `DE`, `US-CA`.",
        "language": "Language of the holidays' names, such as `en_US`; the country's own without it.",
    },
    Fact: {
        "dimensions": "Columns with surrogate keys, and the dimension of each, or how it is looked up.",
        "at": "Column with the time of the event, by which versions of members are chosen.",
    },
    Lookup: {
        "dimension": "The dimension.",
        "on": "Columns of the fact with the natural key, and their names in the dimension; the same names without it.",
        "at": "Column with the time for which a version is looked up, instead of the fact's.",
        "missing": "A member that is not there yet is added, to be completed later, or the fact refers to the unknown one.",
    },
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
    Expectation: {
        "severity": _SEVERITY,
        "label": "Name of the check in reports.",
    },
    RowCount: {"min": "Fewest rows.", "max": "Most rows."},
    Fresh: {"column": "Date or time column.", "within": "How old its newest value may be."},
    References: {"columns": "Column → `zone.dataset.column` that must have its values."},
    Unique: {"columns": "Columns whose combination occurs once."},
    Completeness: {"columns": "Column → least share of values that are not null, from 0 to 1."},
    Condition: {
        "sql": "SQL condition on a row.",
        "mostly": "Share of rows that must meet it, from 0 to 1; the dataset is judged, not the row.",
    },
    Statistic: {
        "sql": "SQL aggregate over all rows.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
    },
    DistinctCount: {
        "column": "Column whose different values are counted.",
        "min": "Fewest values.",
        "max": "Most values.",
    },
    ColumnSet: {
        "names": "Columns that the input must have.",
        "exact": "Whether further columns are refused.",
        "ordered": "Whether the order counts.",
    },
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
