"""The reference of the project's files as Markdown, made from the shapes, docstrings and tables of this room."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

import msgspec

from lakewright.project import rules
from lakewright.project import shapes as sh
from lakewright.project.environment import SETTINGS
from lakewright.project.meanings import meaning
from lakewright.project.schema import KINDS, describe
from lakewright.spec.base import ZONES

__all__ = ["markdown"]

_INTRO = """\
# Reference of the project's files

Every key of every file. A key that is not here is refused with its place and the nearest one that is.
`lakewright schema` writes the same as JSON Schemas, with which editors complete and check the files.
"""

_FILES = """\
## Files

| file | what it says |
|---|---|
| `lakewright.yaml` | the project: lake, engine, defaults, targets |
| `sources/<source>.yaml` | where data comes from; each of its datasets is `raw.<name>` |
| `datasets/<zone>/<name>.yaml` | a dataset of the lake, `<zone>.<name>` |
| `warehouses/<name>.yaml` | what a warehouse serves, `warehouse.<name>` |
| `datasets/<zone>/<name>.sql` | its query, alone or beside the YAML; the datasets that it reads are found in it |
| `datasets/<zone>/<name>.py` | its Python function `build`, alone or beside the YAML |
| `tests/<any name>.yaml` | unit tests: one, or a list of them |
| `.env` | variables of the environment, as `NAME=value`; not for the repository |
| `.secrets/<NAME>` | one secret per file; not for the repository |

A dataset is made of `from` (with `steps`), of a `.sql` file or of a `.py` file: exactly one of the three.
The parameters of `build` name the datasets that it reads: `orders`, or `processed_orders`. With `depends_on`, only
the datasets there are meant.

Zones are {zones}, and those declared under `zones`; `raw` holds files, so it has no folder under `datasets/`.
Names are snake_case: small letters, digits and `_`, a letter first. Columns that start with `_` are the audit columns.

YAML is read by the core schema of YAML 1.2: `true` and `false` are truth values, `no`, `on` and `2024-01-01`
are text. Anchors and `<<` work. A key that stands twice is refused.

A length of time is a number with a unit, or several added up: `500ms`, `30s`, `5m`, `12h`, `90d`, `2w`, `1y`,
`1h30m`. A year has 365 days.
"""

_ENVIRONMENT = """\
## Environment

Any value of `lakewright.yaml`, `sources/` and `datasets/` may refer to the environment; the rows of unit tests
are taken as they are. `${NAME}` or `${env:NAME}` is the variable, `${NAME:-text}` the variable or else the text,
`$${` a literal `${`. A variable that is set in the process wins over `.env`. A number or truth value may be a
reference too.

`${secret:NAME}` is looked up at the moment of use and never shown: as `LAKEWRIGHT_SECRET_NAME` and `NAME` in the
process, then in `.env`, then in the file `.secrets/NAME`. Keys and tokens (`lake.s3.key_id`, `lake.s3.secret`,
`lake.token`, `lineage.api_key`) must be references; `lake.catalog`, `lake.warehouse`, `lake.s3.endpoint`, `state`
and `lineage.url` may hold one among other text.

These variables replace settings of `lakewright.yaml` and of its targets. What a dataset says for itself wins
over them.

| variable | key | meaning | value |
|---|---|---|---|
"""

_TARGETS = """\
### Targets

The target is the one of `--target`, else of `LAKEWRIGHT_TARGET`, else `default_target`, else none. Its `lake`,
`engine`, `state`, `lineage` and `defaults` replace the project's own key by key: `lake: {path: x}` changes the path
and nothing else. A key set to `null` goes back to its default.
"""

_NAMED = """\
A {what} is its name (`{example}`), or a mapping with its name as the only key. What follows the name is either
its settings, or, where the table says *short form*, the value of that one setting. A mapping is read as settings
unless the short form is a mapping itself; then it is read as settings only when the short form's key is there
with a mapping: `{short}` means the same as `{long}`.
"""


def markdown() -> str:
    """The whole reference; ``docs/reference.md`` is this text."""
    parts = [_INTRO, _FILES.format(zones=", ".join(f"`{zone}`" for zone in ZONES))]
    written: set[type] = set()
    for place, structs in KINDS.values():
        parts.append(f"## `{place}`\n")
        for root in map(sh.shape_of, structs):
            if len(structs) > 1:
                parts.append(f"### {_title(root.struct)}\n")
            parts += _struct(root)
            for keys in _nested(root):
                if keys.struct in written:
                    continue  # used by several kinds of file
                written.add(keys.struct)
                parts.append(f"### {_title(keys.struct)}\n")
                parts += _struct(keys)
                if keys.struct.__name__ == "Target":
                    parts.append(_TARGETS)
            for named in _named(root):
                parts += _forms(named)
    parts.append(_ENVIRONMENT + "".join(_settings()))
    return "\n".join(parts)


def _settings() -> Iterator[str]:
    for one in SETTINGS:
        key = f"`{one.key}`" if one.key else ""
        yield f"| `{one.variable}` | {key} | {one.meaning} | {one.expected or 'text'} |\n"


def _struct(keys: sh.Keys) -> list[str]:
    parts = [describe(keys.struct) + "\n"]
    if keys.fields:
        rows = list(_TABLE)
        if keys.tag:
            rows.append(f"| `{keys.tag[0]}` | `{keys.tag[1]}` | **required** | What kind of source it is. |")
        rows += [_row(keys, field) for field in keys.fields.values()]
        parts.append("\n".join(rows) + "\n")
    return parts


_TABLE = ("| key | value | default | meaning |", "|---|---|---|---|")


def _row(keys: sh.Keys, field: sh.Field, note: str = "") -> str:
    sentence = meaning(keys.struct, field.key).replace("|", "\\|")
    return f"| `{field.key}` | {_value(field.shape)}{note} | {_default(field)} | {sentence} |"


def _default(field: sh.Field) -> str:
    if field.required:
        return "**required**"
    value = field.default
    if isinstance(value, msgspec.Struct | dict) or value in (None, "", (), msgspec.NODEFAULT):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _value(shape: sh.Shape) -> str:
    """What a key holds, in words, with links to the sections of the mappings."""
    match shape:
        case sh.Keys(plain=True):
            return "mapping with " + ", ".join(f"`{key}`" for key in shape.fields)
        case sh.Keys():
            return _link(shape)
        case sh.ListOf():
            return f"list of {_value(shape.item)}"
        case sh.MapOf():
            return f"name → {_value(shape.value)}"
        case sh.Named():
            return f"[{shape.what.split()[-1]}](#{_anchor(_heading(shape))})"
        case sh.OneOf():
            return shape.expected if shape.constants else _join(_value(one) for one in shape.filled)
        case sh.Text(rule=rule) if rule in rules.WORDS:
            return rules.WORDS[rule]
        case sh.Choice():
            return ", ".join(f"`{value}`" for value in shape.values)
        case sh.Text(secret="only"):
            return "reference to a secret"
        case _:
            return shape.expected


def _join(parts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(parts))


def _link(keys: sh.Keys) -> str:
    title = _title(keys.struct)
    return f"[{title[0].lower()}{title[1:]}](#{_anchor(title)})"


def _title(struct: type) -> str:
    """``FileDataset`` → ``File dataset``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", struct.__name__)
    return words if words.isupper() or any(char.isdigit() for char in words) else words.capitalize()


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")


def _children(shape: sh.Shape) -> Iterator[sh.Shape]:
    match shape:
        case sh.Keys():
            yield from (field.shape for field in shape.fields.values())
        case sh.ListOf():
            yield shape.item
        case sh.MapOf():
            yield shape.value
        case sh.OneOf():
            yield from shape.shapes
        case _:
            return


def _walk(shape: sh.Shape) -> Iterator[sh.Shape]:
    for child in _children(shape):
        yield child
        yield from _walk(child)


def _nested(root: sh.Keys) -> list[sh.Keys]:
    return list(dict.fromkeys(one for one in _walk(root) if isinstance(one, sh.Keys)))


def _named(root: sh.Keys) -> list[sh.Named]:
    return [one for one in _walk(root) if isinstance(one, sh.Named)]


def _heading(named: sh.Named) -> str:
    return f"{named.what.split()[-1].capitalize()}s"


_EXAMPLES = {
    "Steps": ("- standardize_names", "rename: {a: b}", "rename: {columns: {a: b}}"),
    "Expectations": (
        "- row_count: {min: 1}",
        "completeness: {email: 0.95}",
        "completeness: {columns: {email: 0.95}}",
    ),
    "Masks": ("mask: hash", "hash: sha256", "hash: {algorithm: sha256}"),
}


def _forms(named: sh.Named) -> list[str]:
    heading = _heading(named)
    example, short, long = _EXAMPLES[heading]
    intro = _NAMED.format(what=heading[:-1].lower(), example=example, short=short, long=long)
    parts = [f"### {heading}\n", intro]
    for name, form in named.forms.items():
        parts.append(f"#### `{name}`\n")
        parts.append(describe(form.keys.struct) + "\n")
        if form.keys.fields:
            rows = list(_TABLE)
            for field in form.keys.fields.values():
                rows.append(_row(form.keys, field, " (*short form*)" if field.key == form.short else ""))
            parts.append("\n".join(rows) + "\n")
    return parts


if __name__ == "__main__":
    # python -m lakewright.project.reference > docs/reference.md
    sys.stdout.write(markdown())
