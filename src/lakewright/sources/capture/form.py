"""The form in which changes lie in raw: a table's columns, and what was done to the row, when and in which order."""

from __future__ import annotations

from lakewright.sources.database.changes import OP

__all__ = ["AT", "CHANGE_COLUMNS", "LSN", "OP", "SEQ", "UNCHANGED", "XID"]

AT, LSN, SEQ, XID = "change_at", "change_lsn", "change_seq", "change_xid"

#: What each row tells of its change, with DuckDB's types. ``change_op`` is ``snapshot``, ``insert``, ``update`` or
#: ``delete``; ``change_lsn`` (the commit's place in the log) and ``change_seq`` (the place in the transaction) give
#: the order; ``change_at`` is the commit's time and ``change_xid`` the transaction, null in a snapshot.
CHANGE_COLUMNS = {
    OP: "VARCHAR",
    LSN: "BIGINT",
    SEQ: "BIGINT",
    AT: "TIMESTAMP WITH TIME ZONE",
    XID: "BIGINT",
}

#: The column of staged parts that lists the columns whose values the log left out.
UNCHANGED = "_unchanged"
