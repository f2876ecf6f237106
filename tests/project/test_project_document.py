"""YAML files that cannot be read, and values by the core schema of YAML 1.2."""

from __future__ import annotations

import pytest
from yaml.nodes import MappingNode

from lakewright.errors import Problem
from lakewright.project.document import Document, parse, plain, resolve_plain


def values(text: str) -> object:
    document = parse(text.encode(), "x.yaml")
    assert isinstance(document, Document), document
    return plain(document.root)


def refused(data: bytes) -> Problem:
    problem = parse(data, "x.yaml")
    assert isinstance(problem, Problem), problem
    assert problem.code == "LW102"
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("+.inf", float("inf")),
        ("true", True),
        ("True", True),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("9" * 500, "9" * 500),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert resolve_plain(text) == value
    assert type(resolve_plain(text)) is type(value)


def test_quotes_and_tags_decide_the_type() -> None:
    assert values("a: '5'\nb: \"true\"\nc: !!str 5\nd: |\n  null\n") == {
        "a": "5",
        "b": "true",
        "c": "5",
        "d": "null\n",
    }


def test_keys_are_text_as_written() -> None:
    assert values("1: a\ntrue: b\n1.50: c") == {"1": "a", "true": "b", "1.50": "c"}


def test_anchors_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {z: 3, x: 9}\na: {<<: *b, y: 5}\nb: {<<: [*b, *m]}\nc: *b\n"
    assert values(text) == {
        "base": {"x": 1, "y": 2},
        "more": {"z": 3, "x": 9},
        "a": {"x": 1, "y": 5},
        "b": {"x": 1, "y": 2, "z": 3},
        "c": {"x": 1, "y": 2},
    }


def test_a_byte_order_mark_is_fine() -> None:
    document = parse(b"\xef\xbb\xbfa: 1", "x.yaml")
    assert isinstance(document, Document)
    assert plain(document.root) == {"a": 1}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_nothing_is_a_document_without_content(text: str) -> None:
    document = parse(text.encode(), "x.yaml")
    assert isinstance(document, Document)
    assert plain(document.root) is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb:\n\tc: 2\n", 3, "tab"),
        ("a: b\n\tc: d\n", 2, "tab"),
        ("a: 1\nb: c: d\n", 2, "mapping values"),
        ("a: [1, 2\nb: 3\n", 2, ""),
        ("a: 'x\n\n", 3, "quoted"),
        ("a: *nowhere\n", 1, "alias"),
        ("a: @x\n", 1, "cannot start"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\nb: !!python/object:os.system {}\n", 2, "!!python/object:os.system"),
        ("a: !mine 5\n", 1, "!mine"),
        ("a: 1\nb: \x07\n", 2, "control character"),
        ("a: &x [*x]\n", 1, "holds it"),
        ("- a\nb: c\n", 2, ""),
    ],
)
def test_what_cannot_be_read_has_its_line(text: str, line: int, words: str) -> None:
    problem = refused(text.encode())
    assert problem.where is not None
    assert (problem.where.path, problem.where.line) == ("x.yaml", line)
    assert words in problem.message


def test_what_is_not_utf8_has_its_line_and_byte() -> None:
    problem = refused(b"a: 1\nb: caf\xe9\n")
    assert str(problem.where) == "x.yaml:2"
    assert problem.where is not None
    assert problem.where.column == 7
    assert "0xe9" in problem.message


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "- " * 100_000, "{a: " * 5_000, "? " * 50_000, "a: " + "[" * 70 + "]" * 70],
    ids=["flow", "block", "mapping", "complex key", "just too deep"],
)
def test_deep_nesting_is_refused_without_a_crash(text: str) -> None:
    refused(text.encode())


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    problem = refused("\n".join(lines).encode())
    assert "aliases" in problem.message


def test_aliases_that_nest_too_deeply_are_refused() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2_000)]
    refused("\n".join(lines).encode())


def test_a_huge_file_is_refused() -> None:
    refused(b"#" * (16 * 1024 * 1024 + 1))


def test_positions_stay_with_the_nodes() -> None:
    document = parse(b"a: 1\nb:\n  c: 2\n", "x.yaml")
    assert isinstance(document, Document)
    assert isinstance(document.root, MappingNode)
    _, inner = document.root.value[1]
    assert inner.value[0][0].start_mark.line == 2
