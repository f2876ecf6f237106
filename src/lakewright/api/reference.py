"""The page of the Python API: ``python -m lakewright.api.reference > docs/python-api.md``, made from the docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.api.rows import Rows, Table
from lakewright.api.spaces import Backups, Holds, People, Place, Sources

__all__ = ["markdown", "members"]

_INTRO = """\
# The Python API

Made from the program by `python -m lakewright.api.reference`. What the [command line](cli.md) does can be done from
Python, and with the same functions. Results are values with the fields that are listed [at the end](#results); nothing is
printed.

<!-- setup
lakewright init shop --template empty > /dev/null
cd shop
mkdir -p in sources datasets/processed
printf 'id,email,page\\n41,bob@example.org,/hats\\n42,ann@example.org,/shoes\\n' > in/visits-1.csv
cat > sources/exports.yaml <<'YAML'
kind: files
path: in
datasets:
  visits: {files: "*.csv"}
YAML
cat > datasets/processed/visits.yaml <<'YAML'
from: raw.visits
columns:
  id:    {type: bigint, key: true}
  email: {type: varchar, pii: email}
  page:  {type: varchar}
write: {mode: merge}
YAML
cat >> lakewright.yaml <<'YAML'
subjects:
  visitor:
    identifier: id
    datasets:
      raw.visits: {id: id, email: email}
      processed.visits: {id: id, email: email}
YAML
-->
```python
import lakewright

print(lakewright.check("."))  # a project need not be opened to be checked, tested or recovered
with lakewright.open(".") as lw:
    report = lw.run()
    report.raise_for_status()
    print(report["processed.visits"].rows, "rows")
    print(lw.quality("visits")[0].score)
    made = lw.backups.create("../backups")
    print(made.files, "files in the backup,", lw.backups.verify(place="../backups").whole)
    gone = lw.people.forget("visitor=42", reason="request 17")
    print(gone.complete, lw.table("visits").count())
    print(lw.verify().whole)
```

```text
2 rows
1.0
True
True 1
True
```

Errors are `lakewright.errors.LakewrightError`: `error.code` is one of the [codes](errors.md), `error.problem` has the message, the place
in the files, what was tried and the remedy. A project whose files are wrong raises `ProjectError` with all `problems`:

```python
import lakewright
from lakewright.errors import LakewrightError

try:
    lakewright.recover(".", place="../backups", at="2020-01-01")
except LakewrightError as error:
    print(error.code, lakewright.explain(error.code).title)
```

```text
LW431
```

What is broken cannot be opened. `lakewright.recover` brings a whole project back without opening it, in its place or, with
`into`, beside it; `lakewright.backups` looks at the backups:

```python
import shutil
import lakewright

shutil.rmtree("lake")
shutil.rmtree(".lakewright")
with open("lakewright.yaml", "w") as file:
    file.write("name: [")

print(lakewright.backups("../backups").list()[0].keys)
report = lakewright.recover(".", place="../backups", into="../again")
print(report.put, "files put back")
with lakewright.open("../again") as lw:
    print(lw.tables(), lw.verify().whole)
```

```text
files put back
['raw.visits', 'processed.visits'] True
```

Runs, erasures, backups and recoveries can be stopped with Ctrl-C, as on the command line; a run also by setting a
`threading.Event` handed over as `cancel`. What was committed stays, and the same call goes on.
"""

#: Headings of the page, with what stands under each.
_CLASSES: tuple[tuple[str, type[Any]], ...] = (
    ("lw", Lakewright), ("lw.backups", Backups), ("lw.people", People), ("lw.holds", Holds), ("lw.sources", Sources),
    ("rows", Rows), ("table", Table), ("place", Place),
)  # fmt: skip

#: Results, by the module that has them.
_RESULTS = {
    "app.check": ("Summary",),
    "app.init": ("Made",),
    "app.test": ("TestReport", "TestResult"),
    "app.doctor": ("Finding",),
    "app.plan": ("PlanReport", "Planned"),
    "app.run": ("RunReport", "TaskReport"),
    "app.ingest": ("IngestReport",),
    "app.runs": ("RunLine", "RunDetail", "TaskLine"),
    "app.quality": ("QualityReport", "ProfileTable"),
    "quality.score": ("CheckResult",),
    "catalog.entries": ("Entry",),
    "catalog.graph": ("LineageGraph", "Edge"),
    "app.access": ("RoleLine", "SeenDataset", "Who", "AuditLine"),
    "security.audit": ("Verdict",),
    "security.keys": ("KeyInfo",),
    "app.security": ("Rotated",),
    "app.pii": ("PiiScan", "PiiColumn"),
    "app.contracts": ("Imported",),
    "app.cache": ("CacheReport",),
    "app.upkeep": ("CompactReport", "Compacted", "Restored"),
    "app.lifecycle": ("Step", "Brought"),
    "lake.archive": ("Archive",),
    "lake.holds": ("Hold",),
    "lake.protocol": ("Snapshot",),
    "app.sources": ("SourceRow", "RemovedCapture"),
    "recovery.create": ("Made",),
    "recovery.keep": ("Summary", "Wrong", "Pruned"),
    "app.backup": ("Shown", "Checked"),
    "recovery.whole": ("Report",),
    "recovery.dataset": ("Reloaded",),
    "recovery.heal": ("Healed",),
    "recovery.findings": ("Findings", "Problem"),
    "app.erasing": ("Forgotten",),
    "erase.journal": ("Erasure", "Place"),
    "app.export_subject": ("Export",),
}


def markdown() -> str:
    """Return the page: functions, the opened project with its parts, rows, results."""
    parts = [_INTRO, "## Functions\n"]
    parts += [_entry(f"lakewright.{name}", getattr(lakewright, name)) for name in _functions()]
    for name, kind in _CLASSES:
        parts.append(f"## `{name}`\n\n{_text(kind)}\n")
        parts += [_entry(f"{name}.{one}", what) for one, what in members(kind)]
    parts.append("## Results\n")
    for module, names in _RESULTS.items():
        found = import_module(f"lakewright.{module}")
        parts += [_result(f"{module}.{one}", getattr(found, one)) for one in names]
    return "\n".join(parts)


def members(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """Give the public methods and properties of a class by name, in the order of the file."""
    for name, what in vars(kind).items():
        if not name.startswith("_") and (callable(what) or _is_property(what)):
            yield name, what


def _functions() -> list[str]:
    return [one for one in lakewright.__all__ if inspect.isfunction(getattr(lakewright, one))]


def _is_property(what: Any) -> bool:
    return isinstance(what, property) or hasattr(what, "func")


def _entry(name: str, what: Any) -> str:
    if _is_property(what):
        getter = what.fget if isinstance(what, property) else what.func
        return f"### `{name}`\n\n{_text(getter)} Is `{_spelled(getter.__annotations__['return'])}`.\n"
    return f"### `{name}`\n\n`{name}{_signature(what)}`\n\n{_text(what)}\n"


def _signature(function: Callable[..., Any]) -> str:
    """The parameters and the result as they are written in the source, ``self`` left out."""
    shown: list[str] = []
    bare = False
    for one in inspect.signature(function).parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and not bare:
            shown.append("*")
        bare = bare or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        star = "*" if one.kind is one.VAR_POSITIONAL else ""
        default = "" if one.default is one.empty else f" = {one.default!r}"
        shown.append(f"{star}{one.name}: {_spelled(one.annotation)}{default}")
    return f"({', '.join(shown)}) -> {_spelled(function.__annotations__['return'])}"


def _spelled(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _result(name: str, kind: type[Any]) -> str:
    if dataclasses.is_dataclass(kind):
        fields = {one.name: _spelled(one.type) for one in dataclasses.fields(kind)}
    else:
        fields = {one: _spelled(what) for one, what in kind.__annotations__.items()}
    derived = {
        one: _spelled(what.fget.__annotations__["return"])
        for one, what in members(kind)
        if isinstance(what, property)
    }
    listed = ", ".join(
        f"`{one}: {what}`" for one, what in {**fields, **derived}.items() if not one.startswith("_")
    )
    return f"### `{name}`\n\n{_text(kind)}\n\n{listed}\n"


def _text(what: Any) -> str:
    """The docstring as Markdown: references of Sphinx as code, paragraphs on one line each."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.getdoc(what) or "").replace("``", "`")
    return "\n\n".join(" ".join(one.split()) for one in text.split("\n\n"))


if __name__ == "__main__":
    sys.stdout.write(markdown())
