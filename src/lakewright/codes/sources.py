"""Codes of sources and reading: 2xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
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
        "hand over an Arrow table, a Polars or pandas frame, one event or several, or an iterator of these",
    ),
    "LW205": Code(
        "rows for a source of another kind",
        "Rows handed over from Python were meant for a raw dataset that is filled by a database or an API.",
        "hand them over to a raw dataset of a source with `kind: python` or `kind: files`",
    ),
    "LW220": Code(
        "database out of reach",
        "No connection to a database could be made, or it broke; a run tries again by itself.",
        "check host, port and network of the source's `connection`, and whether the server runs",
    ),
    "LW221": Code(
        "refused by the database",
        "The database does not let this user in, or not read what the source names.",
        "check user and password of the source's `connection`, and what the user may read",
    ),
    "LW222": Code(
        "not in the database",
        "The database, table or column that a source names does not exist.",
        "correct `connection`, `table` or the column in the source's file; names are taken exactly as written",
    ),
    "LW223": Code(
        "database not readable",
        "The database gave an error while a table or query was read.",
        "run the statement in the database's own client, and correct `query` or `where`",
    ),
    "LW224": Code(
        "no address, query or condition",
        "`connection`, `query` or `where` of a source is not what it has to be.",
        "write postgresql://user@host/database, mysql://… or sqlite:<file>; one SELECT; one condition",
    ),
    "LW225": Code(
        "table cannot be loaded so",
        "What a table or query gives does not allow what the source asks for: no columns, two of one name, or a cursor without an order.",
        "name the columns in a `query`, or choose another `cursor` or `lookback`",
    ),
    "LW226": Code(
        "driver not installed",
        "What a kind of database is read with is not part of every installation.",
        "pip install 'lakewright[postgres]', or 'lakewright[mysql]'",
    ),
    "LW227": Code(
        "not allowed to capture changes",
        "Reading a server's log needs the right REPLICATION, and a publication needs the owner of its tables.",
        "let an administrator run: ALTER ROLE <user> REPLICATION; or name an existing publication in `capture`",
    ),
    "LW228": Code(
        "server not set up for capture",
        "The server's log holds no rows, or the server has no slot left for another reader.",
        "set wal_level = logical (max_replication_slots, max_wal_senders) and start the server again",
    ),
    "LW229": Code(
        "table cannot be captured",
        "A table's changes can only be told apart by a key that the server's log holds.",
        "give the table a primary key; or `alter table … replica identity full`, and name `keys`",
    ),
    "LW230": Code(
        "no answer from the API",
        "A request got no answer: the host is not known or refuses, its certificate is not accepted, it was too slow, "
        "or the answer broke off.",
        "check `base_url` and the network, then run again: nothing was taken",
    ),
    "LW231": Code(
        "refused by the API",
        "The API refuses who asks: the answer was 401 or 403, or there was no access token.",
        "correct `auth` and the secrets that it names",
    ),
    "LW232": Code(
        "a failure of the API",
        "The API answered with a status that is a failure.",
        "correct the request, or say in `on_status` what the status means: `empty`, `skip` or `fail`",
    ),
    "LW233": Code(
        "too many requests",
        "The API limits how often it is asked, and went on refusing for longer than `retries` and `max_wait` allow.",
        "set `rate_limit`, or raise `retries` and `max_wait`",
    ),
    "LW234": Code(
        "paging does not end",
        "The same page came twice, there are more pages than `max_pages`, or an answer does not tell the next page.",
        "correct `paginator`",
    ),
    "LW235": Code(
        "answer too large",
        "An answer is longer than `max_body` bytes.",
        "ask for smaller pages, or raise `max_body`",
    ),
    "LW236": Code(
        "led to another host",
        "A redirect, or the address of the next page, leads to a host that is not the source's; "
        "what proves who asks must not go there.",
        "correct `base_url` if the other host is the right one",
    ),
    "LW237": Code(
        "no position",
        "The cursor of an incremental dataset is missing or holds what cannot be compared.",
        "correct `incremental.cursor`: the path of a number, date or time in each record",
    ),
    "LW238": Code(
        "no request for the parent's rows",
        "The parent of a dataset has no such column, or a value of it would replace one of the record.",
        "correct `parent`",
    ),
    "LW239": Code(
        "no rows from a dlt source",
        "The module, function or resource that a source of `kind: dlt` names does not exist, or it failed.",
        "correct `source`, `args` and `resource`, or what the function does",
    ),
    "LW240": Code(
        "changes were lost",
        "The server no longer has all changes since the last run: its slot or its log is gone, or somebody else read from it.",
        "lakewright source resnapshot <source>; or set `capture: {on_lost: snapshot}`: tables are read again, "
        "and what differs is taken, deleted rows too",
    ),
    "LW241": Code(
        "publication does not fit",
        "A publication lacks a table of the source, or leaves out some of what is done to it.",
        "let its owner add the table: alter publication … add table …",
    ),
    "LW242": Code(
        "earlier value not known",
        "The log leaves out large values that an update did not change, and raw no longer holds the row as it was before.",
        "run `alter table … replica identity full`, and then `lakewright source resnapshot <source>`",
    ),
    "LW244": Code(
        "slot in use",
        "Somebody else reads from the slot of a capture; a run tries again by itself.",
        "wait for the other reader, or end it: select active_pid from pg_replication_slots",
    ),
    "LW245": Code(
        "log not understood",
        "The server's log holds messages that are not those of pgoutput, version 1.",
        "report it with the server's version; `load: incremental` reads the table without its log",
    ),
    "LW246": Code(
        "nothing is captured",
        "The source has no dataset with `load: changes`, and nothing is known of an earlier one.",
        "lakewright source list",
    ),
}
