"""The JSON Schemas accept what loads and refuse what does not; the reference says all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from project_files import BASE, Write, found

import lakewright.project
from lakewright.project import document
from lakewright.project import shapes as sh
from lakewright.project.meanings import meaning
from lakewright.project.reference import markdown
from lakewright.project.schema import KINDS, json_schemas
from lakewright.spec.expectations import EXPECTATIONS
from lakewright.spec.steps import STEPS

SCHEMAS = json_schemas()
TEMPLATES = Path(lakewright.project.__file__).parent / "templates"

VALID = {
    "lakewright.yaml": [
        BASE["lakewright.yaml"],
        "name: x\nlake: {kind: ducklake, token: '${secret:T}', s3: {use_ssl: '${SSL:-true}'}}\nengine: {threads: '${N:-2}'}\n"
        "zones: {staging: {readers: [a]}}\ntargets: {dev: {lake: {s3: null}}}\ndefaults: {retry: {wait: 5m}, timeout: 1h 30m}\n",
    ],
    "source": [
        BASE["sources/shop.yaml"],
        "kind: files\npath: in\ntags: [a]\ndatasets: {a: {files: [x, y], format: csv, options: {sheet: 1, header: true, nulls: ['']}}}\n",
    ],
    "dataset": [
        "# nothing\n",
        "from: raw.orders\nsteps: [standardize_names, normalize_text: , {normalize_text: [a]}, normalize_text: {case: lower}]\n",
        "from: raw.orders\nsteps:\n  - rename: {a: b}\n  - rename: {columns: {a: b}}\n  - rename: {columns: b}\n"
        "  - cast: {a: date, b: {type: date, format: '%d'}}\n  - cast: {columns: {columns: date}}\n  - unnest: a\n"
        "  - unnest: {column: a, keep_empty: false}\n  - fill_nulls: {a: 0, b: x, c: true}\n  - filter: a > 0\n"
        "  - map_values: {column: a, values: {N: new, 1: null}, other: 'null'}\n  - select: [a]\n  - drop: {columns: [a]}\n"
        "  - date_parts: {column: a}\n  - aggregate: {by: [], columns: {n: count(*)}}\n  - python: m:f\n  - flatten: [a]\n"
        "  - derive: {x: 'a + 1'}\n  - drop_nulls: [a]\n  - deduplicate\n",
        "from: raw.orders\nexpect:\n  - row_count\n  - row_count: {min: 1}\n  - references: {a: b.c.d}\n"
        "  - references: {columns: {a: b.c.d}, severity: warn, label: x}\n  - unique: [a]\n  - completeness: {a: 1}\n"
        "  - condition: a > 0\n  - condition: {sql: a > 0, mostly: 0.9}\n  - statistic: {sql: avg(a), min: 1.5}\n"
        "  - distinct_count: {column: a, max: 3}\n  - columns: [a]\n  - columns: {names: [a], exact: true}\n"
        "  - fresh: {column: a, within: 2d}\n",
        "from: raw.orders\ncolumns: {a: {in: [1, x, true, 2.5], min: 2024-01-01}, b: &b {type: int}, c: {<<: *b, key: true}}\n"
        "write: {mode: scd2, keys: [a], scd2: {track: [b]}}\nretention: forever\nretry: null\n",
    ],
    "warehouse": [
        "connection: ${BI:-duckdb:bi.duckdb}\ntables: {orders: processed.orders}\n",
        "connection: 'postgresql://loader:${secret:BI_PASSWORD}@host/bi'\n"
        "tables: {orders: {dataset: processed.orders, mode: upsert, indexes: [order_id]}}\n"
        "views: {big: 'select * from orders', sums: {sql: select count(*) as n from orders, materialized: true}}\n",
    ],
    "test": [
        "name: a\ndataset: b.c\ngiven: {raw.x: [{a: [1, {b: null}]}]}\nexpect: []\nquarantined: [{}]\n",
        "- {name: a, dataset: b.c, given: {}, expect: [], ordered: true}\n",
        "[]\n",
    ],
}
PATHS = {
    "lakewright.yaml": "lakewright.yaml",
    "source": "sources/shop.yaml",
    "dataset": "datasets/processed/orders.yaml",
    "warehouse": "warehouses/bi.yaml",
    "test": "tests/a.yaml",
}


def errors(kind: str, text: str) -> list[str]:
    parsed = document.parse(text.encode(), "x.yaml")
    assert isinstance(parsed, document.Document), parsed
    validator = Draft202012Validator(SCHEMAS[kind])
    return [one.message for one in validator.iter_errors(document.plain(parsed.root))]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_they_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in VALID for text in VALID[kind]])
def test_what_loads_is_valid(write: Write, kind: str, text: str) -> None:
    files: dict[str, str | None] = {PATHS[kind]: text}
    if text == "# nothing\n":
        files["datasets/processed/orders.sql"] = "select 1"
    assert found(write(files), env={"T": "x"}) == []
    assert errors(kind, text) == []


@pytest.mark.parametrize(
    "file", sorted(TEMPLATES.rglob("*.yaml")), ids=lambda file: "/".join(file.parts[-3:])
)
def test_templates_are_valid(file: Path) -> None:
    kind = {"sources": "source", "tests": "test", "warehouses": "warehouse"}.get(file.parent.name, "dataset")
    assert errors("lakewright.yaml" if file.name == "lakewright.yaml" else kind, file.read_text()) == []


# A place in a valid file for a key that nobody knows.
MAPPINGS = [
    ("lakewright.yaml", "name: x\nzzz: 1\n"),
    ("lakewright.yaml", "name: x\nlake: {zzz: 1}\n"),
    ("lakewright.yaml", "name: x\nlake: {s3: {zzz: 1}}\n"),
    ("lakewright.yaml", "name: x\nengine: {zzz: 1}\n"),
    ("lakewright.yaml", "name: x\nlineage: {zzz: 1}\n"),
    ("lakewright.yaml", "name: x\nzones: {raw: {zzz: 1}}\n"),
    ("lakewright.yaml", "name: x\ndefaults: {zzz: 1}\n"),
    ("lakewright.yaml", "name: x\ndefaults: {retry: {zzz: 1}}\n"),
    ("lakewright.yaml", "name: x\ntargets: {dev: {zzz: 1}}\n"),
    ("lakewright.yaml", "name: x\ntargets: {dev: {name: y}}\n"),
    ("source", "kind: files\npath: x\ndatasets: {a: {files: x}}\nzzz: 1\n"),
    ("source", "kind: files\npath: x\ndatasets: {a: {files: x, zzz: 1}}\n"),
    ("source", "kind: files\npath: x\ndatasets: {a: {files: x, options: {zzz: 1}}}\n"),
    ("dataset", "from: raw.orders\nzzz: 1\n"),
    ("dataset", "from: raw.orders\nin_: 1\n"),
    ("dataset", "from_: raw.orders\n"),
    ("dataset", "from: raw.orders\ncolumns: {a: {zzz: 1}}\n"),
    ("dataset", "from: raw.orders\ncolumns: {a: {in_: [1]}}\n"),
    ("dataset", "from: raw.orders\nwrite: {zzz: 1}\n"),
    ("dataset", "from: raw.orders\nwrite: {scd2: {zzz: 1}}\n"),
    ("dataset", "from: raw.orders\nincremental: {zzz: 1}\n"),
    ("dataset", "from: raw.orders\nretry: {zzz: 1}\n"),
    ("dataset", "from: raw.orders\nsteps: [zzz]\n"),
    ("dataset", "from: raw.orders\nsteps: [{zzz: 1}]\n"),
    ("dataset", "from: raw.orders\nsteps: [{cast: {a: {type: int, zzz: x}}}]\n"),
    ("dataset", "from: raw.orders\nexpect: [zzz]\n"),
    ("dataset", "from: raw.orders\nexpect: [{zzz: 1}]\n"),
    ("test", "name: a\ndataset: b.c\ngiven: {}\nexpect: []\nzzz: 1\n"),
    ("test", "name: a\ndataset: b.c\ngiven: {}\nexpect: []\npath: x\n"),
    ("test", "- {name: a, dataset: b.c, given: {}, expect: [], zzz: 1}\n"),
]


def _long_forms() -> Iterator[tuple[str, str]]:
    """Every step and expectation in its long form with one key too many."""
    for field, table in (("steps", STEPS), ("expect", EXPECTATIONS)):
        for name, form in sh._forms(_base(field)).items():
            assert table[name] is form.keys.struct
            if not form.keys.fields:
                yield "dataset", f"from: raw.orders\n{field}: [{{{name}: {{zzz: 1}}}}]\n"
                continue
            settings = ", ".join(
                f"{key}: {_example(one.shape)}" for key, one in form.keys.fields.items() if one.required
            )
            if form.short_is_map and not settings:
                continue
            yield (
                "dataset",
                f"from: raw.orders\n{field}: [{{{name}: {{{settings or 'label: x'}, zzz: 1}}}}]\n",
            )


def _base(field: str) -> type:
    return next(iter((STEPS if field == "steps" else EXPECTATIONS).values())).__mro__[1]


def _example(shape: sh.Shape) -> str:
    match shape:
        case sh.MapOf():
            return f"{{a: {_example(shape.value)}}}"
        case sh.ListOf():
            return f"[{_example(shape.item)}]"
        case sh.OneOf():
            return _example(shape.shapes[0])
        case sh.Text(rule=rule) if rule is not None:
            options = ("a.b.c", "a.b", "2d", "int", "m:f", "x")
            return next(one for one in options if not rule(one))
        case sh.Number() | sh.Integer():
            return "1"
        case _:
            return "x"


@pytest.mark.parametrize(("kind", "text"), [*MAPPINGS, *_long_forms()])
def test_unknown_keys_fail_in_both(write: Write, kind: str, text: str) -> None:
    assert any(one.code in ("LW103", "LW104", "LW105") for one in found(write({PATHS[kind]: text})))
    assert errors(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("lakewright.yaml", "description: x\n"),
        ("lakewright.yaml", "name: 5\n"),
        ("lakewright.yaml", "name: x\nlake: {token: plain}\n"),
        ("source", "path: x\ndatasets: {a: {files: x}}\n"),
        ("source", "kind: files\npath: x\ndatasets: {}\n"),
        ("dataset", "from: orders\n"),
        ("dataset", "from: raw.orders\nsteps: [rename]\n"),
        ("dataset", "from: raw.orders\nsteps: [{rename: }]\n"),
        ("dataset", "from: raw.orders\nsteps: [{rename: {a: b}, drop: [a]}]\n"),
        ("dataset", "from: raw.orders\nsteps: [{completeness: {a: 2}}]\n"),
        ("dataset", "from: raw.orders\nquality_threshold: 2\n"),
        ("dataset", "from: raw.orders\ntimeout: soon\n"),
        ("dataset", "from: raw.orders\nowner:\n"),
        ("dataset", "from: raw.orders\nwrite: {mode: x}\n"),
        ("dataset", "from: raw.orders\nexpect: [{references: {a: b}}]\n"),
        ("test", "name: a\ndataset: b.c\nexpect: []\n"),
        ("test", "name: a\ndataset: b.c\ngiven: {b: []}\nexpect: []\n"),
    ],
)
def test_wrong_values_fail_in_both(write: Write, kind: str, text: str) -> None:
    assert found(write({PATHS[kind]: text}))
    assert errors(kind, text)


# --- the reference


def _all_keys(shape: sh.Shape, seen: set[type]) -> Iterator[sh.Keys]:
    match shape:
        case sh.Keys() if shape.struct not in seen:
            seen.add(shape.struct)
            yield shape
            for field in shape.fields.values():
                yield from _all_keys(field.shape, seen)
        case sh.ListOf():
            yield from _all_keys(shape.item, seen)
        case sh.MapOf():
            yield from _all_keys(shape.value, seen)
        case sh.OneOf():
            for one in shape.shapes:
                yield from _all_keys(one, seen)
        case sh.Named():
            for form in shape.forms.values():
                yield from _all_keys(form.keys, seen)


def test_every_key_has_a_meaning() -> None:
    seen: set[type] = set()
    missing: list[Any] = [
        (keys.struct.__name__, key)
        for _, structs in KINDS.values()
        for struct in structs
        for keys in _all_keys(sh.shape_of(struct), seen)
        for key in keys.fields
        if not meaning(keys.struct, key)
    ]
    assert missing == []


def test_the_reference_names_everything() -> None:
    text = markdown()
    for name in (*STEPS, *EXPECTATIONS):
        assert f"#### `{name}`\n" in text
    for key in ("partition_by", "quality_threshold", "MAX_RETRIES", "LAKEWRIGHT_TARGET"):
        assert f"`{key}`" in text
    assert "None" not in text
    assert "NODEFAULT" not in text


def test_the_reference_in_the_documents_is_up_to_date() -> None:
    written = Path(__file__).resolve().parents[2] / "docs" / "reference.md"
    assert written.read_text("utf-8") == markdown(), (
        "run `python -m lakewright.project.reference > docs/reference.md`"
    )


def test_links_of_the_reference_lead_somewhere() -> None:
    text = markdown()
    headings = {
        line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")
    }
    links = {part.split(")")[0] for part in text.split("](#")[1:]}
    assert links <= headings
