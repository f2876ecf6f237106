"""`init`: a new project from a template, or written for files that are there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from lakewright.errors import NotFoundError, UsageError, nearest

__all__ = ["TEMPLATES", "Made", "init_from", "init_template"]

#: The templates that ``init --template`` knows.
TEMPLATES = ("quickstart", "retail", "empty")


_DATABASE = re.compile(r"(?:postgresql|postgres|mysql|mariadb)://|sqlite:")


@dataclass(frozen=True)
class Made:
    """A project that was written: its files relative to ``folder``, and what was guessed."""

    name: str
    folder: str
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


def init_template(folder: Path, template: str = "quickstart") -> Made:
    """Write the project *template* into *folder*; ``quickstart`` and ``retail`` get a shop's data too.

    Raises LW905 when the folder already holds a project or other files.
    """
    if template not in TEMPLATES:
        raise NotFoundError(
            "LW901", f"no template {template!r}{nearest(template, TEMPLATES)}", tried=TEMPLATES
        )
    _require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("lakewright.project") / "templates" / template) as source:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    notes: tuple[str, ...] = ()
    if template != "empty":
        from lakewright.sources.sample import write_catalogue, write_shop

        sample = write_shop(folder / "landing")
        if template == "retail":
            write_catalogue(folder / "landing")
        notes = (f"made up the shop's data in {folder / 'landing'}: {sample}",)
    name = _name_project(folder)
    written = sorted(
        str(one.relative_to(folder))
        for one in folder.rglob("*")
        if one.is_file() and "landing" not in one.parts
    )
    return Made(name, str(folder), tuple(written), notes)


def init_from(folder: Path, source: str, *, tables: Sequence[str] = (), exclude: Sequence[str] = ()) -> Made:
    """Look at the files under *source*, or at the tables of the database there, and write a project into *folder*.

    A database is ``postgresql://…``, ``mysql://…``, ``sqlite:<file>`` or a file of SQLite; *tables* and *exclude*
    are patterns of its ``schema.table``. Raises LW201 when *source* does not exist, LW905 for a folder that
    is not empty, LW906 when there is no file or table that can be read, LW220 to LW224 for a database.
    """
    from lakewright.project.draft import write_project
    from lakewright.sources.profile import survey

    _require_empty(folder)
    if _DATABASE.match(source) or _is_sqlite(source):
        return _init_from_database(folder, source, tables, exclude)
    if tables or exclude:
        raise UsageError("LW904", "tables are those of a database, and this is none", tried=[source])
    if "://" not in source and not Path(source).expanduser().exists():
        raise NotFoundError("LW201", f"{source!r} does not exist", tried=[str(Path(source).absolute())])
    found = survey(source)
    if not found.tables:
        raise UsageError(
            "LW906",
            f"no file under {source} can be read",
            tried=[f"{path}: {reason}" for path, reason in found.skipped][:20],
        )
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name
    # a source is a folder; its pattern names the one file
    alone = "://" not in source and Path(source).expanduser().is_file()
    base = str(Path(source).expanduser().parent) if alone else source
    written = write_project(folder, name=name, source=base, tables=found.tables)
    notes = [
        f"{one.name}: {one.file_count} {'file' if one.file_count == 1 else 'files'}, {one.rows:,} rows, {len(one.columns)} columns"
        for one in found.tables
    ]
    notes += [f"left out {path}: {reason}" for path, reason in found.skipped]
    return Made(name, str(folder), tuple(written), tuple(notes))


def _init_from_database(folder: Path, source: str, tables: Sequence[str], exclude: Sequence[str]) -> Made:
    from lakewright.project import resolve_secret
    from lakewright.project.draft import source_path, write_project
    from lakewright.project.draft_database import database_source, without_password
    from lakewright.sources.database.survey import survey_database

    here = Path.cwd()
    connection = source if _DATABASE.match(source) else f"sqlite:{source}"
    found = survey_database(
        connection,
        tables=tables,
        exclude=exclude,
        root=here,
        resolve=lambda text: resolve_secret(text, here, os.environ),
    )
    if not found.tables:
        tried = [f"{table}: {reason}" for table, reason in found.skipped][:20]
        raise UsageError(
            "LW906", "the database has no table that can be read, or none that was asked for", tried=tried
        )
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name
    database = re.split(r"[/?]", connection.partition("?")[0].rstrip("/"))[-1].removeprefix("sqlite:")
    written, secret = without_password(connection, database)
    if connection.startswith("sqlite:"):
        written = f"sqlite:{source_path(folder, connection.removeprefix('sqlite:'))}"
    text = database_source(written, found.sources)
    files = write_project(folder, name=name, source=Path(database).stem, tables=found.tables, text=text)
    notes = [
        f"{one.name}: {one.rows or 0:,} rows looked at, {len(one.columns)} columns" for one in found.tables
    ]
    notes += [f"left out {table}: {reason}" for table, reason in found.skipped]
    if secret:
        notes.append(f"the password was not written: put it into {folder}/.secrets/{secret}, or set {secret}")
    return Made(name, str(folder), tuple(files), tuple(notes))


def _is_sqlite(source: str) -> bool:
    path = Path(source).expanduser()
    if "://" in source or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(16) == b"SQLite format 3\0"


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("LW905", f"{folder} is a file")
    if folder.is_dir() and any(folder.iterdir()):
        what = "a project" if (folder / "lakewright.yaml").exists() else "files"
        raise UsageError("LW905", f"{folder} already holds {what}; nothing was written")


def _name_project(folder: Path) -> str:
    import re

    name = re.sub(r"[^a-z0-9_]+", "_", folder.resolve().name.lower()).strip("_") or "project"
    file = folder / "lakewright.yaml"
    text = file.read_text("utf-8")
    file.write_text(re.sub(r"(?m)^name:.*$", f"name: {name}", text, count=1), "utf-8")
    return name
