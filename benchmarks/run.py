"""Measure Lakewright against the tools one would use instead, on the same data, in one run.

``make bench`` runs all of it (about half an hour on two cores); ``ARGS="--only load,commit"``
chooses, ``--rows 100000`` makes everything smaller, ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import DATA, note
from measures import Figure, Outcome, Size, tidy
from scenarios import SCENARIOS as GENERAL
from scenarios_databases import mariadb, postgres
from scenarios_history import merge, scd2
from scenarios_mask import mask
from scenarios_star import cached_query, star

LATER = (mask, scd2, merge, star, cached_query, postgres, mariadb)
SCENARIOS = {**GENERAL, **{one.__name__: one for one in LATER}}


def main() -> int:
    """Return 0 when every figure that could be measured is met, else 1."""
    options = _options()
    chosen = list(SCENARIOS) if not options.only else options.only.split(",")
    unknown = [name for name in chosen if name not in SCENARIOS]
    if unknown:
        note(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
        return 2
    DATA.mkdir(exist_ok=True)
    outcomes: list[Outcome] = []
    began = time.perf_counter()
    for name in chosen:
        note(f"{name}: {(SCENARIOS[name].__doc__ or '').strip()}")
        outcomes.append(SCENARIOS[name](Size(options.rows), options.rounds))
    if not options.keep:
        tidy()
    report = {
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("lakewright", "duckdb")},
        "rows": options.rows,
        "rounds": options.rounds,
        "seconds": round(time.perf_counter() - began),
        "scenarios": [
            {
                "name": one.name,
                "about": one.about,
                "contenders": {each.name: each.summary() for each in one.contenders},
                "figures": [figure.summary() for figure in one.figures],
            }
            for one in outcomes
        ],
    }
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    _show(outcomes)
    return 0 if all(figure.met is not False for one in outcomes for figure in one.figures) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help=f"some of {', '.join(SCENARIOS)}, with commas between them")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the big file (10,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (3); the median counts")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--keep", action="store_true", help="keep the projects that were built, to look at")
    return parser.parse_args()


def _show(outcomes: list[Outcome]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 130)
    for one in outcomes:
        table = Table(title=f"{one.name}: {one.about}", title_justify="left", expand=False)
        for heading, side in (
            ("contender", "left"),
            ("seconds", "right"),
            ("CPU s", "right"),
            ("peak MiB", "right"),
        ):
            table.add_column(heading, justify=side)  # type: ignore[arg-type]
        for each in one.contenders:
            if each.runs:
                said = each.summary()
                table.add_row(
                    each.name, f"{each.seconds:.2f}", str(said["cpu_seconds"]), str(said["peak_mib"])
                )
            else:
                table.add_row(each.name, "not measured", "", "")
        console.print(table)
        for figure in one.figures:
            console.print(f"  {_sentence(figure)}")
        for each in one.contenders:
            if each.unavailable:
                console.print(f"  {each.name}: {each.unavailable}", markup=False)
        console.print()


def _sentence(figure: Figure) -> str:
    bound = "at least" if figure.least else "at most"
    promise = f"{bound} {figure.target:g} {figure.unit}"
    if figure.value is None:
        return f"[yellow]?[/] {figure.what}: not measured ({promise})"
    mark = "[green]met[/]" if figure.met else "[red]missed[/]"
    reason = f"; why: {escape(figure.why)}" if figure.why and not figure.met else ""
    return f"{mark} {figure.what}: {figure.value:.2f} {figure.unit} ({promise}){reason}"


if __name__ == "__main__":
    sys.exit(main())
