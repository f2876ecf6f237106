"""The scenario of masked columns."""

from __future__ import annotations

import data
import projects
from harness import Contender, compete, fresh, peer, process
from measures import SCRIPTS, WORK, Figure, Outcome, Size, divide, number, ratio, run_project

_MASK = "most of it is HMAC: a keyed hash is two SHA-256 of two blocks each, and DuckDB's takes a microsecond apiece."


def mask(size: Size, rounds: int) -> Outcome:
    """Five masked columns: keyed hash, last four, token, band, redact."""
    csv = data.people(size.rows)
    part = size.of(200_000, 10_000)
    plain, masked = (
        run_project(
            f"lakewright run, {'masked' if hidden else 'clear'}",
            lambda hidden=hidden: projects.people(WORK / f"mask_{hidden}", csv.parent, masked=hidden),
        )
        for hidden in (False, True)
    )
    rows = Contender(
        f"Python, row by row, {part:,} rows",
        lambda: process(
            [
                peer("lakewright"),
                SCRIPTS / "mask_rows.py",
                csv,
                fresh(WORK / "rows") / "out.parquet",
                str(part),
            ]
        ),
    )
    compete([plain, masked], rounds)
    compete([rows], 1)
    said = number(rows.runs[-1].said.get("seconds")) if rows.runs else None
    scaled = said * size.rows / part if said is not None else None
    return Outcome(
        "mask",
        f"{size.rows:,} rows of CSV into the lake, five columns masked; whole processes",
        [plain, masked, rows],
        [
            Figure("masked / not masked", ratio(masked, plain), 3.0, why=_MASK),
            Figure(
                "row by row in Python, scaled / masked",
                divide(scaled, masked.seconds if masked.runs else None),
                5.0,
                least=True,
                why=_MASK,
            ),
        ],
    )
