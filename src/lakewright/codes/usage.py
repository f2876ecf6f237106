"""Codes of usage: 9xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
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
    "LW906": Code(
        "no readable file",
        "There is no file in the folder that can be read as a table.",
        "point at a folder with CSV, JSON, NDJSON, Parquet, Avro, ORC or Excel files",
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
}
