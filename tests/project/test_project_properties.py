"""Whatever is in the files, the answer is a project or a list of problems; never a crash, never a secret."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from project_files import BASE
from test_project_schema import PATHS, VALID

from lakewright.errors import CODES, Problem, ProjectError
from lakewright.project import load, problems
from lakewright.project.document import Document, parse, plain, resolve_plain
from lakewright.project.environment import expand, references
from lakewright.project.rules import partition_column
from lakewright.project.sqltypes import type_problem

SEEDS = [(kind, text) for kind, texts in VALID.items() for text in texts]


def judge(files: dict[str, bytes]) -> list[Problem]:
    """Load and check a project of these files; every problem must have a code and a file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, data in {**{key: text.encode() for key, text in BASE.items()}, **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        found = problems(root, env={})
        for one in found:
            assert one.code in CODES
            assert one.where is None or one.where.path
            str(one)
        loads = True
        try:
            load(root, env={})
        except ProjectError as error:
            loads = False
            assert set(error.problems) <= set(found)
        assert loads or found
        return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.data())
def test_any_change_of_a_file_gives_a_project_or_problems(seed: tuple[str, str], data: st.DataObject) -> None:
    kind, text = seed
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 3))
        put = data.draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [b"\n", b"\t", b"- ", b"${", b"}", b"[", b": ", b"&a ", b"*a", b"<<: ", b"!!", b"'"]
                ),
            )
        )
        raw[at : at + cut] = put
    judge({PATHS[kind]: bytes(raw)})


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["${X}", "a.b", "2d"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _replaced(value: object, data: st.DataObject) -> object:
    """*value* with one part of it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(list(value)))
        return {**value, key: _replaced(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], _replaced(value[at], data), *value[at + 1 :]]
    return data.draw(_values)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.data())
def test_any_value_anywhere_gives_a_project_or_problems(seed: tuple[str, str], data: st.DataObject) -> None:
    kind, text = seed
    document = parse(text.encode(), "x")
    assert isinstance(document, Document)
    changed = yaml.safe_dump(_replaced(plain(document.root), data), allow_unicode=True)
    judge({PATHS[kind]: changed.encode("utf-8", "surrogatepass")})


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"\xff\xfea\x00")
@example(b"a: &a {b: *a}")
def test_any_bytes_are_a_document_or_a_problem(data: bytes) -> None:
    result = parse(data, "x.yaml")
    assert isinstance(result, Document | Problem)
    if isinstance(result, Problem):
        assert result.code == "LW102"


@given(st.text(max_size=30))
def test_a_scalar_is_read_like_yaml_or_as_text(text: str) -> None:
    value = resolve_plain(text)
    assert value is None or isinstance(value, bool | int | float) or value == text


@given(st.text(alphabet="ab${}:-env secret", max_size=20))
def test_references_are_expanded_or_refused(text: str) -> None:
    try:
        found = references(text)
    except ValueError:
        return
    result, missing = expand(text, lambda one: "v")
    assert not missing
    if not found:
        assert result == text.replace("$${", "${")


@given(
    st.text(max_size=20).map(lambda text: text.replace("$", "")),
    st.dictionaries(st.just("A"), st.text(max_size=9)),
)
def test_values_are_never_read_as_references(text: str, env: dict[str, str]) -> None:
    result, missing = expand(text + "${A}", lambda one: env.get(one.name))
    assert result == text + env.get("A", "")
    assert bool(missing) == ("A" not in env)
    kept, _ = expand("${A}", lambda one: env.get(one.name), keep_secrets=True)
    again, _ = expand(kept, lambda one: pytest.fail("looked up"))
    assert again == env.get("A", "")


@given(st.text(max_size=30))
def test_types_and_partitions_are_judged_without_a_crash(text: str) -> None:
    assert isinstance(type_problem(text), str)
    column = partition_column(text)
    assert column is None or column


@pytest.mark.parametrize(
    "text",
    [
        "bigint",
        "DECIMAL(10,2)",
        "decimal(5)",
        "varchar(20)",
        "double precision",
        "timestamp with time zone",
        "timestamptz",
        "int[]",
        "varchar[][3]",
        'struct(a int, "b c" decimal(4, 1)[], c struct(d date))',
        "map(varchar, int[])",
        "enum('a', 'it''s')",
        "union(a int, b varchar)",
        "json",
        "uuid",
        "HUGEINT",
    ],
)
def test_types_that_duckdb_knows(text: str) -> None:
    import duckdb

    duckdb.sql(f"select null::{text}")
    assert type_problem(text) == ""


@pytest.mark.parametrize(
    "text",
    ["", "int(", "nope", "int]", "struct()", "map(int)x", "decimal(0)", "enum(a)", "[]", "int int", "("],
)
def test_types_that_it_does_not(text: str) -> None:
    assert type_problem(text)
