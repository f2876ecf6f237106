"""Write a project for raw files as a careful engineer would by hand, with a comment where it guessed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lakewright.project.draft_guess import (
    REQUIRED_ROWS,
    DraftColumn,
    DraftTable,
    Guess,
    column_rules,
    event_date,
    guess,
    near_keys,
)
from lakewright.project.draft_links import Reference, links_of
from lakewright.project.draft_readme import readme
from lakewright.project.draft_test import example_test
from lakewright.project.draft_text import aligned, comment, flow, line
from lakewright.project.rules import name_problem

__all__ = ["DraftColumn", "DraftTable", "source_path", "write_project"]

#: The share of good rows below which a dataset of the project is not published.
PROJECT_THRESHOLD = 0.95


def write_project(
    folder: Path, *, name: str, source: str, tables: Sequence[DraftTable], text: str | None = None
) -> list[str]:
    """Write a project into *folder*, which exists; returns its files, relative to it, sorted.

    *source* is the folder or ``s3://`` prefix of the raw files; with *text*, which is what the source's file
    says, only its last part counts, for the file's name. Names of tables and columns must be
    in snake_case and different; ValueError otherwise. The project loads and checks without a problem.
    """
    _refuse_names(tables)
    guesses = {one.name: guess(one) for one in tables}
    keys = {one: found.key for one, found in guesses.items()}
    links = links_of(tables, keys)
    source_name = _source_name(source)
    files = {
        "lakewright.yaml": _project(name),
        f"sources/{source_name}.yaml": text or _source(source_path(folder, source), tables),
        ".gitignore": _GITIGNORE,
        ".env.example": _ENV,
        "README.md": readme(name, tables, guesses),
    }
    for table in tables:
        files[f"datasets/processed/{table.name}.yaml"] = _dataset(
            table, guesses[table.name], links[table.name]
        )
    example = example_test(tables, keys, links)
    if example is not None:
        files[f"tests/{example[0]}.yaml"] = example[1]
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    return sorted(files)


def source_path(folder: Path, source: str) -> str:
    """*source* as the project says it: relative where it lies beside the project, else in full."""
    if "://" in source:
        return source
    full = Path(source).expanduser().absolute()
    try:
        relative = os.path.relpath(full, folder.absolute())
    except ValueError:
        return full.as_posix()
    far = Path(relative).parts[:3] == ("..", "..", "..")
    return full.as_posix() if far else Path(relative).as_posix()


def _refuse_names(tables: Sequence[DraftTable]) -> None:
    if not tables:
        raise ValueError("a project needs at least one table")
    seen: set[str] = set()
    for table in tables:
        if name_problem(table.name) or table.name in seen:
            raise ValueError(f"{table.name!r} is no name for a dataset, or is there twice")
        seen.add(table.name)
        names = [one.name.lower() for one in table.columns]
        if len(set(names)) < len(names) or any(not one or one.startswith("_") for one in names):
            raise ValueError(f"columns of {table.name} have no names, or the same")


def _source_name(source: str) -> str:
    last = re.split(r"[/\\]", source.rstrip("/\\"))[-1]
    name = re.sub(r"[^a-z0-9]+", "_", last.lower()).strip("_")
    return name if name and not name_problem(name) else "files"


# --- the files ----------------------------------------------------------------------------------

_GITIGNORE = """\
# What a run makes, and what must never be shared.
/.lakewright/
/lake/
.env
.secrets/
"""

_ENV = """\
# Copy this file to .env, which is not shared. Variables set in the process win over it.
# A project file refers to a variable as ${NAME}, and to a secret as ${secret:NAME}.

# LAKEWRIGHT_TARGET=prod
# LAKEWRIGHT_LAKE_PATH=lake
# QUALITY_THRESHOLD=0.95
# MAX_RETRIES=2
# LOG_LEVEL=info
"""


def _project(name: str) -> str:
    return f"""\
name: {flow(_literal(name))}
description: ""

lake:
  path: lake                                   # raw files and tables; an s3:// prefix works too
  catalog: sqlite:.lakewright/catalog.sqlite   # or postgres:..., when several machines write

defaults:
  owner: ""                     # who answers for the data
  on_violation: quarantine      # warn | quarantine | fail
  quality_threshold: 0.95       # a dataset whose share of good rows is lower is not published

zones:
  raw:       {{purpose: "Files as they came.", retention: 90d}}
  processed: {{purpose: "Cleaned and typed, one row per thing.", retention: 1y}}
  curated:   {{purpose: "Figures that people use.", retention: 7y}}
"""


def _source(path: str, tables: Sequence[DraftTable]) -> str:
    lines = ["kind: files", f"path: {flow(_literal(path))}", "datasets:"]
    for table in tables:
        files: object = table.files[0] if len(table.files) == 1 else list(table.files)
        lines.append(f"  {flow(table.name)}:")
        count = f"{table.file_count} files" if table.file_count != 1 else "1 file"
        rows = f", {table.rows:,} rows" if table.rows is not None else ""
        lines.append(f"    files: {flow(_literal(files))}  # {count}{rows}")
        if table.format != "auto":
            lines.append(f"    format: {flow(table.format)}")
        if table.options:
            lines.append(f"    options: {flow(_literal(dict(table.options)))}")
    return "\n".join(lines) + "\n"


def _literal(value: object) -> object:
    """*value* with what would be read as a reference escaped."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _literal(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_literal(one) for one in value]
    return value


def _dataset(table: DraftTable, found: Guess, links: Sequence[Reference]) -> str:
    parts = [f"description: {line(_description(table, found))}\n"]
    parts.append("# owner: who answers for it, when it is not the project's owner\n")
    if any(one.pii for one in table.columns):
        parts.append("tags: [pii]\n")
    parts.append(f"from: raw.{table.name}\n")
    parts += [f"# {comment(note)}\n" for note in (*table.notes, *near_keys(table, found.key))]
    parts.append(_steps(table, found))
    parts.append(_columns(table, found))
    parts.append(_write(found))
    parts.append(_expect(table, links))
    parts.append(_threshold(table))
    return "".join(parts)


def _description(table: DraftTable, found: Guess) -> str:
    if found.key:
        return f"One row per {' and '.join(found.key)}, cleaned."
    return f"The rows of {table.name}, cleaned."


def _steps(table: DraftTable, found: Guess) -> str:
    steps = []
    if any(one.original and one.original != one.name for one in table.columns):
        steps.append("  - standardize_names\n")
    if found.key and (found.latest_by or found.repeats):
        settings: dict[str, object] = {"keys": list(found.key)}
        why = f"{found.repeats:,} rows are exact copies"
        if found.latest_by:
            settings["latest_by"] = found.latest_by
            why = f"{found.latest_by} tells the newest"
        steps.append(f"  - deduplicate: {flow(settings)}  # guessed: {why}\n")
    return f"steps:\n{''.join(steps)}" if steps else ""


def _columns(table: DraftTable, found: Guess) -> str:
    if not table.columns:
        return ""
    entries = []
    required = False
    for column in table.columns:
        rules = list(column_rules(table, column, found.key))
        required = required or any(key == "required" for key, _, _ in rules)
        reasons = [reason for _, _, reason in rules if reason]
        if column.name in found.key[:1]:
            reasons.insert(0, found.key_reason)
        if column.type and not any(key == "type" for key, _, _ in rules):
            reasons.append(f"left as it comes: {column.type}")
        value = flow(_literal({key: value for key, value, _ in rules}))
        entries.append((column.name, value, "guessed: " + "; ".join(reasons) if reasons else ""))
    head = "columns:"
    if required:
        head += f"  # guessed: required, where none of {table.rows:,} rows had a null"
    elif table.rows and table.rows < REQUIRED_ROWS:
        head += f"  # {table.rows:,} {'row is' if table.rows == 1 else 'rows are'} too few to tell what is required"
    return f"{head}\n{aligned(entries)}"


def _write(found: Guess) -> str:
    settings: dict[str, object] = {"mode": "merge" if found.key else "append"}
    reasons = [] if found.key else ["no key was found; with one, merge is better"]
    if found.partition_by:
        settings["partition_by"] = list(found.partition_by)
        reasons.append(found.partition_reason)
    note = f"  # guessed: {'; '.join(reasons)}" if reasons else ""
    return f"write: {flow(settings)}{note}\n"


def _expect(table: DraftTable, links: Sequence[Reference]) -> str:
    lines = []
    if table.rows:
        lines.append("  - row_count: {min: 1}\n")
    for one in links:
        target = {one.column: f"processed.{one.table}.{one.key}"}
        if one.circular:
            settings = flow(target)
            lines.append(f"  # - references: {settings}  # would make the two wait for each other\n")
        elif one.seen:
            lines.append(f"  - references: {flow(target)}  # guessed: every value was found there\n")
        else:
            settings = flow({"columns": target, "severity": "warn"})
            lines.append(f"  - references: {settings}  # guessed: by the names alone\n")
    event = event_date(table)
    if event is not None and table.rows:
        settings = flow({"column": event.name, "within": "2d"})
        lines.append(f"  # - fresh: {settings}  # say so when rows come every day\n")
    return f"expect:\n{''.join(lines)}" if any("# - " not in one for one in lines) else "".join(lines)


def _threshold(table: DraftTable) -> str:
    """A lower bar for a table of which it is known that the project's would hold it up."""
    bad = sum(one.unconverted for one in table.columns)
    good = 1 - min(bad / table.rows, 1) if table.rows else 1
    if good > PROJECT_THRESHOLD + 0.01:
        return ""
    bar = max(int(good * 20 - 1), 0) / 20
    return f"quality_threshold: {bar}  # guessed: up to {bad:,} of {table.rows:,} rows have values that do not convert\n"
