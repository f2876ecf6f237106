"""Whatever a command does, Python does: every command and option names its counterpart, and the page tells of it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import typer

import lakewright
from lakewright.api import reference
from lakewright.api.handle import Lakewright
from lakewright.api.rows import Rows, Table
from lakewright.api.spaces import Backups, Holds, People, Sources
from lakewright.cli.main import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python-api.md"

#: Options of the command line that Python has elsewhere: in `lakewright.open`, or by how a call is written.
COMMON = {"project", "target", "role", "user", "attribute", "as_json", "yes"}

#: Each command with its counterpart, and options that have another name there; None where Python needs no such option.
COUNTERPARTS: dict[str, tuple[Any, dict[str, str | None]]] = {
    "access list": (Lakewright.access, {}),
    "access show": (Lakewright.access, {"name": "role"}),
    "access who": (Lakewright.who, {}),
    "archives": (Lakewright.archives, {}),
    "audit list": (Lakewright.audit_log, {}),
    "audit verify": (Lakewright.verify_audit, {}),
    "backup create": (Backups.create, {}),
    "backup list": (Backups.list, {}),
    "backup prune": (Backups.prune, {"keep_daily": "daily", "keep_weekly": "weekly"}),
    "backup show": (Backups.show, {"files": None}),  # they are in the result
    "backup verify": (Backups.verify, {}),
    "cache": (Lakewright.cache, {}),
    "catalog": (Lakewright.catalog, {"dataset": None}),  # Table.entry
    "check": (lakewright.check, {}),
    "compact": (Lakewright.compact, {"dataset": "datasets"}),
    "contract export": (Lakewright.contract, {"output": None}),  # it is plain data
    "contract import": (lakewright.import_contract, {"file": "path", "output": None}),
    "doctor": (lakewright.doctor, {}),
    "erasures": (People.erasures, {}),
    "explain": (lakewright.explain, {}),
    "export-subject": (People.export, {"output": "to", "subject": "who", "subjects_from": "who"}),
    "forget": (
        People.forget,
        {
            "subject": "who",
            "subjects_from": "who",
            "resume": None,
            "returned": None,
            "readmit": None,
            "verify": None,  # methods of their own
        },
    ),
    "hold add": (Holds.add, {}),
    "hold list": (Holds.list, {}),
    "hold release": (Holds.release, {}),
    "init": (lakewright.init, {}),
    "keys list": (Lakewright.keys, {}),
    "keys rotate": (Lakewright.rotate_key, {}),
    "lifecycle": (Lakewright.lifecycle, {"dataset": "datasets"}),
    "lineage": (Lakewright.lineage, {"form": None}),  # LineageGraph.render
    "logs": (Lakewright.logs, {}),
    "pii reveal": (Lakewright.reveal, {}),
    "pii scan": (Lakewright.pii, {}),
    "plan": (Lakewright.plan, {"sql": "statements"}),
    "quality": (Lakewright.quality, {"audit": None, "profile": None, "report": None}),  # methods
    "query": (Lakewright.sql, {"sql": "text", "limit": None, "output": None, "file": None}),  # Rows.write
    "recover": (lakewright.recover, {"dataset": None, "files": None}),  # methods of backups
    "restore": (Lakewright.restore, {"dataset": "datasets", "from_archive": None}),  # restore_archive
    "run": (Lakewright.run, {"key": "idempotency_key"}),
    "runs": (Lakewright.runs, {"run": None}),  # run_detail
    "schema": (lakewright.schemas, {"folder": None}),
    "snapshots": (Lakewright.snapshots, {}),
    "source list": (Sources.list, {}),
    "source remove": (Sources.remove, {"name": "source"}),
    "source resnapshot": (Sources.resnapshot, {"name": "source", "dataset": "datasets"}),
    "test": (lakewright.test, {"select": "names"}),
    "verify": (Lakewright.verify, {"quick": "level", "deep": "level"}),
}


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its words, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_has_its_counterpart_with_its_options() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert found.keys() == COUNTERPARTS.keys()
    for name, command in found.items():
        function, renamed = COUNTERPARTS[name]
        options = {one.name for one in command.params} - COMMON
        assert renamed.keys() <= options, name
        wanted = {renamed.get(one, one) for one in options} - {None}
        assert wanted <= inspect.signature(function).parameters.keys(), name


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == reference.markdown(), (
        "run: python -m lakewright.api.reference > docs/python-api.md"
    )


def test_what_is_public_is_described_and_typed() -> None:
    functions = [getattr(lakewright, one) for one in lakewright.__all__]
    for kind in (Lakewright, Backups, People, Holds, Sources, Rows, Table):
        functions += [one for _, one in reference.members(kind) if inspect.isfunction(one)]
    for one in functions:
        assert inspect.getdoc(one), one
        if inspect.isfunction(one) and one.__qualname__ != "Table.entry":
            assert one.__annotations__["return"] not in ("Any", Any), one


def test_results_are_values() -> None:
    for module, names in reference._RESULTS.items():
        for name in names:
            kind = getattr(import_module(f"lakewright.{module}"), name)
            frozen = dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
            assert frozen or issubclass(kind, tuple | msgspec.Struct) or name == "Findings"
