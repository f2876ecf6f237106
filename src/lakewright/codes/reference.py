"""The page of error codes: ``python -m lakewright.codes.reference > docs/errors.md``."""

from __future__ import annotations

import sys

from lakewright.codes import CODES

__all__ = ["markdown"]

_RANGES = {
    "1": "Project files",
    "2": "Sources and reading",
    "3": "SQL and planning",
    "4": "Engine and lake",
    "5": "Quality",
    "6": "Runs and state",
    "7": "Catalog and lineage",
    "8": "Security and warehouses",
    "9": "Usage",
}


def markdown() -> str:
    """Return every code with its title, what it means and what to do, as Markdown."""
    lines = [
        "# Error codes",
        "",
        "Made from the program by `python -m lakewright.codes.reference`. `lakewright explain CODE` prints the same.",
    ]
    for first, title in _RANGES.items():
        lines += ["", f"## {title}: LW{first}xx"]
        for code in sorted(one for one in CODES if one[2] == first):
            found = CODES[code]
            lines += ["", f"### {code}: {found.title}", "", found.meaning, "", f"Fix: {found.remedy}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
