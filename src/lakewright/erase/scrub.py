"""What is kept about runs: findings and reports of datasets that held people, and texts that quote them.

Findings, with profiles and rows that broke checks, go as a whole, and so do reports; figures for trends stay. In
logs and messages only the words themselves are blotted out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lakewright.catalog.entries import catalog_entries
from lakewright.catalog.outbox import lineage_outbox
from lakewright.erase.people import BLOT, People
from lakewright.quality.results import audits, checks
from lakewright.run.record import run_findings
from lakewright.run.report import report_file
from lakewright.run.tables import ATTEMPTS, EVENTS, LOGS, RUNS, TASKS
from lakewright.security.audit import security_audit
from lakewright.state import State

if TYPE_CHECKING:
    from lakewright.run.services import Services

__all__ = ["audited", "blotted", "kept_about", "scrub"]

#: Tables of the state with texts for people. Others hold names, keys and positions, which nothing may change.
_TEXTS = (RUNS, TASKS, ATTEMPTS, EVENTS, LOGS, run_findings, audits, checks, lineage_outbox, catalog_entries)

_FILES = (".log", ".jsonl", ".ndjson", ".json", ".txt", ".md")


def scrub(services: Services, people: People, datasets: Collection[str]) -> int:
    """Remove what is kept about runs of *datasets* and tells of the people; return how many things changed."""
    changed = _findings(services, datasets)
    words = people.pattern()
    if words is not None:
        changed += sum(_table(services.state, table, words, blot=True) for table in _tables(services.state))
        changed += sum(_file(path, words, blot=True) for path in _files(services))
    return changed


def kept_about(services: Services, people: People) -> list[str]:
    """Return where texts still hold the people's words: tables of the state and files."""
    words = people.pattern()
    if words is None:
        return []
    found = [
        f"state: {table.name}" for table in _tables(services.state) if _table(services.state, table, words)
    ]
    root = services.root
    return found + [str(_shown(path, root)) for path in _files(services) if _file(path, words)]


def blotted(people: People, body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* without a word of the people: the name of a file may hold one."""
    words = people.pattern()
    text = json.dumps(body)
    result: dict[str, Any] = json.loads(words.sub(BLOT, text) if words is not None else text)
    return result


def audited(services: Services, people: People) -> int:
    """Return how many entries of the audit log hold the people's words; they are bound, and nothing changes them."""
    words = people.pattern()
    return _table(services.state, security_audit, words) if words is not None else 0


def _findings(services: Services, datasets: Collection[str]) -> int:
    count = 0
    with services.state.begin(run_findings, audits) as connection:
        chosen = sa.select(audits.c.run_id).where(audits.c.dataset.in_(datasets)).distinct()
        runs = [str(one) for one in connection.scalars(chosen)]
        gone = connection.execute(run_findings.delete().where(run_findings.c.dataset.in_(datasets)))
        count += gone.rowcount
    for run in runs:
        report = report_file(services.root, run)
        if report.exists():
            report.unlink()
            count += 1
    return count


def _tables(state: State) -> list[sa.Table]:
    with state.read() as connection:
        there = set(sa.inspect(connection).get_table_names())
    return [one for one in _TEXTS if one.name in there]


def _table(state: State, table: sa.Table, words: re.Pattern[str], *, blot: bool = False) -> int:
    """Count, or blot out, texts of a table of the state that hold the words."""
    keys = list(table.primary_key.columns)
    texts = [
        one
        for one in table.columns
        if isinstance(one.type, sa.String | sa.JSON) and not one.primary_key and not one.foreign_keys
    ]
    if not keys or not texts:
        return 0
    count = 0
    listed = [*keys, *(sa.cast(one, sa.Text) if isinstance(one.type, sa.JSON) else one for one in texts)]
    with state.begin(table) as connection:
        for row in connection.execute(sa.select(*listed)).all():
            changes: dict[str, Any] = {}
            for column, text in zip(texts, row[len(keys) :], strict=True):
                if text and words.search(text):
                    hidden = words.sub(BLOT, text)
                    changes[column.name] = (
                        sa.type_coerce(json.loads(hidden), column.type)
                        if isinstance(column.type, sa.JSON)
                        else hidden
                    )
            if changes:
                count += 1
                if blot:
                    same = [key == value for key, value in zip(keys, row[: len(keys)], strict=True)]
                    connection.execute(table.update().where(*same).values(**changes))
    return count


def _files(services: Services) -> Iterator[Path]:
    """Texts below ``.lakewright``, and the file of lineage events."""
    home = services.root / ".lakewright"
    for path in sorted(home.rglob("*")) if home.is_dir() else ():
        inside = path.relative_to(home).parts[0]
        if (
            path.is_file()
            and inside not in ("keys", "erasures")
            and (path.suffix in _FILES or path.suffix == ".html")
        ):
            yield path
    lineage = services.project.file.lineage.file
    if lineage and (file := services.root / services.resolve(lineage)).is_file():
        yield file


def _file(path: Path, words: re.Pattern[str], *, blot: bool = False) -> int:
    """Whether a file holds the words; with *blot* they go: from a report with all of it."""
    text = path.read_text("utf-8", "surrogateescape")
    if not words.search(text):
        return 0
    if blot and path.suffix == ".html":
        path.unlink()
    elif blot:
        part = path.with_name(f".{path.name}.part")
        part.write_text(words.sub(BLOT, text), "utf-8", "surrogateescape")
        part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)
    return 1


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
