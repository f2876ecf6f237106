"""`doctor`: is everything in order? Versions, files, lake, state, disk, leftovers."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from lakewright.app.platform import Platform
from lakewright.app.sources import captures
from lakewright.app.verify import verify
from lakewright.errors import LakewrightError, ProjectError

__all__ = ["Finding", "doctor"]

_PACKAGES = ("lakewright", "duckdb", "sqlglot", "pyarrow", "sqlalchemy", "msgspec")

#: As many findings of one kind are told one by one.
_SHOWN = 10

#: Bytes of a server's log that a capture keeps before it is worth a warning.
_MUCH_LOG = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``warn`` or ``bad``."""

    what: str
    status: Literal["ok", "warn", "bad"]
    message: str


def doctor(start: Path | str = ".", target: str | None = None) -> list[Finding]:
    """Look at everything a project needs and say what is not in order. Nothing is changed."""
    findings = [_python(), *_packages(), _extensions()]
    try:
        platform = Platform.open(start, target)
    except LakewrightError as error:
        count = len(error.problems) if isinstance(error, ProjectError) else 1
        return [
            *findings,
            Finding("project", "bad", f"{count} problems; run `lakewright check`: {error.problem.message}"),
        ]
    with platform:
        file = platform.project.file
        findings.append(
            Finding("project", "ok", f"{file.name}, target {platform.project.target or 'default'}")
        )
        findings.append(_disk(platform.root))
        for look in (_state, _keys, _files, _lake, _captures, _runs):
            try:
                findings += look(platform)
            except LakewrightError as error:
                findings.append(Finding(look.__name__.strip("_"), "bad", str(error.problem.message)))
    return findings


def _python() -> Finding:
    text = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok" if sys.version_info >= (3, 11) else "bad", text)


def _packages() -> list[Finding]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(Finding(name, "ok", version(name)))
        except PackageNotFoundError:
            found.append(Finding(name, "bad", "not installed"))
    return found


def _extensions() -> Finding:
    import duckdb

    from lakewright.engine.extensions import load

    with duckdb.connect() as connection:
        try:
            load(connection, "ducklake", "sqlite_scanner", "avro", "excel", "httpfs")
        except LakewrightError as error:
            return Finding("extensions", "bad", error.problem.message)
    return Finding("extensions", "ok", "ducklake, sqlite_scanner, avro, excel, httpfs load from their wheels")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    writable = os.access(root, os.W_OK)
    if not writable:
        return Finding("disk", "bad", f"{root} cannot be written to")
    text = f"{free / 1e9:.1f} GB free"
    return Finding("disk", "warn" if free < 2e9 else "ok", text)


def _state(platform: Platform) -> list[Finding]:
    found = platform.journal.runs(limit=1)
    last = f"last run {found[0].id} {found[0].status}" if found else "no run yet"
    return [Finding("state", "ok", last)]


def _lake(platform: Platform) -> list[Finding]:
    services = platform.services
    with services.session.cursor() as cursor:
        tables = services.lake.tables(cursor)
        unreadable = []
        for one in tables:
            try:
                cursor.execute(f"SELECT count(*) FROM {services.lake.at(one.id).sql('duckdb')}").fetchone()
            except Exception as error:  # whatever the reason, it is the finding
                unreadable.append(f"{one.id}: {str(error).splitlines()[0]}")
    findings = [Finding("lake", "ok", f"{services.lake.kind}, {len(tables)} tables")]
    findings += _bad("table", unreadable)
    known = set(platform.project.datasets)
    orphans = [
        one.id
        for one in tables
        if one.id not in known and one.id.partition(".")[0] not in ("quarantine", "lakewright")
    ]
    if orphans:
        findings.append(Finding("lake", "warn", f"tables that no file describes: {', '.join(orphans)}"))
    return findings


def _files(platform: Platform) -> list[Finding]:
    """Files are there with their sizes: the quickest look of `verify`, which looks closer when asked."""
    found = verify(platform, level="quick", tables=False)
    findings = [
        Finding("raw", "ok", f"{found.counts.get('raw files', 0)} files"),
        *_bad(
            "lake",
            [
                f"{one.dataset or one.what}: {one.where} {one.problem}; heal it: {one.heal}"
                for one in found.problems
                if one.status == "bad"
            ],
        ),
    ]
    left = sum(one.what == "orphans" for one in found.problems)
    if left:
        findings.append(
            Finding("lake", "warn", f"{left} files belong to nothing; `lakewright verify` names them")
        )
    return findings


def _captures(platform: Platform) -> list[Finding]:
    """Each capture can go on, and keeps no more of a server's log than it has to."""
    findings = []
    for one in captures(platform):
        name = f"capture {one.source}"
        if one.problem:
            findings.append(Finding(name, "bad", one.problem))
        else:
            kept = one.retained or 0
            text = f"{(one.lag or 0) / 1e6:,.1f} MB of log not read, {kept / 1e6:,.1f} MB kept by the server"
            findings.append(Finding(name, "warn" if kept > _MUCH_LOG else "ok", text))
        for slot, size in one.strays.items():
            text = f"the slot {slot} keeps {size / 1e6:,.1f} MB of log, and this project does not know it; "
            text += f"unless another one does: select pg_drop_replication_slot('{slot}')"
            findings.append(Finding(name, "warn", text))
    return findings


def _keys(platform: Platform) -> list[Finding]:
    """Every key can be read, is the one that was used, and is nobody else's to read."""
    findings = []
    for one in platform.keys.listed():
        name = f"key {one.name}"
        file = Path(one.place)
        if one.status != "ok":
            findings.append(Finding(name, "bad", f"version {one.version}: {one.status}"))
        elif os.name == "posix" and one.store == "file" and file.stat().st_mode & 0o077:
            findings.append(Finding(name, "warn", f"others can read {file}; run: chmod 600 {file}"))
        elif one.current:
            findings.append(
                Finding(name, "ok", f"version {one.version} in {one.place}; keep a copy elsewhere")
            )
    return findings


def _bad(what: str, messages: list[str]) -> list[Finding]:
    findings = [Finding(what, "bad", one) for one in messages[:_SHOWN]]
    if len(messages) > _SHOWN:
        findings.append(Finding(what, "bad", f"… and {len(messages) - _SHOWN} more"))
    return findings


def _runs(platform: Platform) -> list[Finding]:
    dead = platform.journal.recover()
    return [Finding("runs", "warn", f"run {id} died; the next run takes up its work") for id in dead]
