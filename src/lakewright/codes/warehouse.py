"""LW851–LW899: warehouses."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW851": Code(
        "warehouse out of reach",
        "The warehouse could not be connected to, or the connection broke; what it served before is still served.",
        "check that it runs and lets this user in; the message names the host and the reason",
    ),
    "LW852": Code(
        "driver of the warehouse missing",
        "The package that talks to this kind of warehouse is not installed.",
        "pip install 'lakewright[postgres]', or 'lakewright[mysql]'",
    ),
    "LW853": Code(
        "load refused by the warehouse",
        "The warehouse refused a statement of the load; nothing of the load is visible, and what was served before still is.",
        "the message has the warehouse's own words: a key with two rows, a value that its type does not take, a right that is lacking",
    ),
    "LW854": Code(
        "in the way of the load",
        "The schema holds a table or view of that name that Lakewright did not make, or objects of others depend on one that is to be replaced.",
        "rename or drop what is in the way, or give the warehouse a `schema` of its own",
    ),
    "LW855": Code(
        "no such role",
        "The warehouse has no role, or user, of this name.",
        "create it there: CREATE ROLE name (MySQL: CREATE USER), or correct the name",
    ),
    "LW856": Code(
        "not a warehouse",
        "The address names no kind of warehouse that can be published to.",
        "write duckdb:<file>, postgresql://user@host/database or mysql://user@host/database",
    ),
    "LW857": Code(
        "no such column for a warehouse's table",
        "The file of the warehouse names a column that the dataset does not have.",
        "name one of the dataset's columns; `lakewright catalog DATASET` lists them",
    ),
}
