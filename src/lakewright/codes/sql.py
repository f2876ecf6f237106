"""Codes of SQL and planning: 3xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
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
}
