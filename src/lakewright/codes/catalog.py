"""Codes of catalog and lineage: 7xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
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
}
