"""Every error code: its title, what it means and what to do.

Ranges: 1xx project files, 2xx sources and reading, 3xx SQL and planning, 4xx engine and lake,
5xx quality, 6xx runs and state, 7xx catalog and lineage, 9xx usage.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CODES", "Code"]


class Code(NamedTuple):
    """What ``lakewright explain`` prints about a code."""

    title: str
    meaning: str
    remedy: str


CODES: dict[str, Code] = {
    # --- 1xx project files
    "LW101": Code(
        "no project here",
        "No lakewright.yaml was found in the folder or in any folder above it.",
        "run `lakewright init` to make one, or pass --project FOLDER",
    ),
    "LW102": Code(
        "not valid YAML",
        "A project file cannot be parsed as YAML.",
        "correct the syntax at the place shown",
    ),
    "LW103": Code(
        "unknown key",
        "A project file has a key that Lakewright does not know; unknown keys are never ignored.",
        "remove the key or use the name suggested",
    ),
    "LW104": Code(
        "wrong type or value",
        "A value in a project file has the wrong type or is outside what the key allows.",
        "write a value of the type shown; `lakewright schema` exports the JSON Schemas",
    ),
    "LW105": Code(
        "missing key",
        "A project file lacks a key that is required.",
        "add the key",
    ),
    # --- 2xx sources and reading
    # --- 3xx SQL and planning
    # --- 4xx engine and lake
    # --- 5xx quality
    # --- 6xx runs and state
    # --- 7xx catalog and lineage
    # --- 9xx usage
    "LW901": Code(
        "unknown name",
        "The command names something that does not exist.",
        "use one of the names listed",
    ),
}
