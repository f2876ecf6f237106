"""One sentence for every key of ``sources/*.yaml``."""

from __future__ import annotations

from lakewright.spec.databases import Capture, DatabaseDataset, DatabaseSource
from lakewright.spec.dlt import DltDataset, DltSource
from lakewright.spec.rest import Auth, Paginator, Parent, RateLimit, RestDataset, RestIncremental, RestSource
from lakewright.spec.sources import AGED, FileDataset, FileSource, PythonDataset, PythonSource, ReadOptions

__all__ = ["DESCRIPTION", "OWNER", "SOURCES", "TAGS"]

DESCRIPTION = "What it is, for people; shown in the catalog."
OWNER = "Who answers for it: a team or a person."
TAGS = "Words to select and search by."

#: What each key of the Structs of sources means.
SOURCES: dict[type, dict[str, str]] = {
    FileSource: {
        "path": "Folder or `s3://` prefix that files are looked for in.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    FileDataset: {
        "files": "Path or pattern (`*`, `**`, `?`) of its files, or several.",
        "format": "How the files are read; `auto` looks at them.",
        "options": "What to read them with; what is left out is found by looking.",
        "columns": "Columns that the files must have.",
        "on_drift": "What to do when a file has other columns than those before it.",
        "on_unreadable": "What to do with lines that cannot be read.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    Capture: {
        "publication": "Publication that is there already; without it one is made of the tables.",
        "on_lost": "What to do when the server lost changes: fail, or read the tables again and take what differs.",
    },
    DatabaseSource: {
        "connection": "`postgresql://user:${secret:NAME}@host/database`, `mysql://…` or `sqlite:<file>`.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "capture": "How `load: changes` reads the server's log.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    DatabaseDataset: {
        "table": "Table or view to read, as `schema.table` or `table`; names with other characters in double quotes.",
        "query": "Query to read instead of a table, in the SQL of the database.",
        "load": "Read everything each time, what lies beyond the last position of `cursor`, or every change from PostgreSQL's log.",
        "cursor": "Column that grows with every change: a number, date or time.",
        "lookback": "How far before the last position to read again: a length of time, or a number.",
        "keys": "Columns that tell which rows are the same.",
        "deletes": "Whether rows that are gone from the table are looked for, by `keys`.",
        "where": "Condition that rows must meet, in the SQL of the database.",
        "slices": "Parts of a table that are read at the same time.",
        "columns": "Columns to take; without it all of them.",
        "on_drift": "What to do when the table has other columns than before.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    RestSource: {
        "base_url": "Address that the paths of the datasets are appended to.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "headers": "Headers of every request; may hold `${secret:NAME}`.",
        "params": "Query parameters of every request; may hold `${secret:NAME}`.",
        "auth": "How requests prove who sends them.",
        "paginator": "How the next page is asked for.",
        "on_status": "What an answer of a status means, such as `{404: empty}`; 204 is `empty`, others from 300 on `fail`.",
        "rate_limit": "How many requests may be sent in a length of time.",
        "timeout": "Longest time to connect, and longest silence in an answer.",
        "retries": "How often a request that failed for a passing reason is sent again.",
        "retry_wait": "Time before the first of them; it doubles.",
        "max_wait": "Longest time to wait before one, also where the API asks for more.",
        "max_body": "Largest answer, in bytes when unpacked.",
        "ca_file": "File of the certificates to trust, beside the project's files.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    Auth: {
        "type": "Kind of proof.",
        "username": "`basic`: user.",
        "password": "`basic`: password.",
        "token": "`bearer`: token.",
        "key": "`api_key`: the key.",
        "name": "`api_key`: header, parameter or cookie that carries it.",
        "in": "`api_key`: what carries it.",
        "token_url": "`oauth2`: address that gives tokens.",
        "client_id": "`oauth2`: who asks for a token.",
        "client_secret": "`oauth2`: the client's secret.",
        "client_auth": "`oauth2`: whether the client's id and secret go in the body or as basic authentication.",
        "scopes": "`oauth2`: rights to ask for.",
        "token_params": "`oauth2`: what else is sent, such as `audience`.",
    },
    Paginator: {
        "type": "Kind of paging.",
        "param": "Parameter of the page, offset or cursor; `page`, `offset` or `cursor` without it.",
        "start": "First page (1) or offset (0).",
        "limit": "Records of a page.",
        "limit_param": "Parameter that carries `limit`.",
        "total": "Path of the number of pages (`page`) or records (`offset`).",
        "more": "Path of a truth value: whether there are more pages.",
        "next": "Path of the next cursor (`cursor`) or address (`next_url`).",
        "rel": "`link`: relation of the next page.",
        "in": "Whether the parameters go into the address or the JSON body.",
        "max_pages": "Pages after which something must be wrong.",
    },
    RestIncremental: {
        "cursor": "Path of a time, date or number in each record, such as `updated_at`.",
        "param": "Query parameter that carries the position.",
        "start": "Its value the first time; without it the parameter is left out then.",
        "lookback": "How far before the position to ask again: a length of time, or a number.",
    },
    Parent: {
        "dataset": "Dataset of the same source whose rows are asked for.",
        "params": "Columns of it that fill `{name}` in the path.",
        "include": "Columns of it that are written into each record, by their name there.",
        "rows": "Whether only rows that are new are asked for, or all of them each time.",
    },
    RateLimit: {
        "requests": "Number of requests.",
        "per": "Length of time.",
    },
    RestDataset: {
        "path": "What is appended to the base address; `{name}` is filled from the parent.",
        "method": "Method of the request.",
        "params": "Query parameters, with those of the source.",
        "headers": "Headers, with those of the source.",
        "json": "Body of the request.",
        "records": "Path of the list of records in an answer, such as `$.data.items`.",
        "paginator": "Replaces the source's.",
        "incremental": "Ask for what is new only.",
        "parent": "One request for each row of another dataset.",
        "on_status": "What an answer of a status means, with what the source says.",
        "keys": "Paths of the values that tell which records are the same.",
        "columns": "Columns that the records must have.",
        "on_drift": "What to do when records have other columns than before.",
        "on_unreadable": "What to do with answers that are no JSON or have no records.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    DltSource: {
        "source": "Function that gives the source, as `module.function`.",
        "args": "What it is called with; texts may hold `${secret:NAME}`.",
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    DltDataset: {
        "resource": "Resource of the source; the dataset's own name without it.",
        "load": "Read everything each time, or go on from the state that the resource left.",
        "columns": "Columns that the rows must have.",
        "on_drift": "What to do when rows have other columns than before.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    PythonSource: {
        "datasets": "Raw datasets by name; each is `raw.<name>`.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
    },
    PythonDataset: {
        "columns": "Columns that the rows must have.",
        "on_drift": "What to do when rows have other columns than those before them.",
        "description": DESCRIPTION,
        "owner": OWNER,
        "tags": TAGS,
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
}

for _one in AGED:
    SOURCES[_one] |= {
        "retention": "How long raw files stay after they were taken: `90d`, `1y`, `forever`; as the source, then the zone, says without it.",
        "archive": "Whether `lakewright lifecycle` moves older files to the archive, or deletes them; as the source, then the zone, says without it.",
    }
