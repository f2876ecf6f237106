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
        "hand over an Arrow table, a Polars or pandas frame, or a list of mappings",
    ),
    "LW205": Code(
        "rows for a source of another kind",
        "Rows handed over from Python were meant for a raw dataset that is not made of files.",
        "hand them over to a raw dataset of a source with `kind: files`",
    ),
}
