"""Records are cut out of text, and every other byte stays."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakewright.erase import cut_text
from lakewright.erase.cut_text import cut_csv, cut_document, cut_lines
from lakewright.erase.people import People, Wanted
from lakewright.sources.manifest import Field
from lakewright.spec.mask import Mask
from lakewright.spec.subject import Subject

SPEC = Subject(identifier="id", datasets={"raw.x": {"id": "id", "mail": "mail"}}, ignore_case=("mail",))
KEYS: Mapping[str, tuple[str, Mask | None]] = {"id": ("id", None), "mail": ("mail", None)}
FIELDS = (Field("id", "VARCHAR"), Field("mail", "VARCHAR"), Field("text", "VARCHAR"))
PERSON = {"id": "42", "mail": "Zoë.O'\"Hara@x.test"}


@pytest.fixture(scope="module")
def wanted() -> Iterator[Wanted]:
    with duckdb.connect() as cursor:
        people = People("person", SPEC, frozenset({"id"}))
        for name, value in PERSON.items():
            people.add(name, [value])
        made = Wanted(cursor, people, None, None)  # type: ignore[arg-type]  # nothing is masked
        made.refresh()
        yield made


def options(delimiter: str = ",", quote: str = '"', escape: str = '"') -> dict[str, object]:
    return {
        "delimiter": delimiter, "quote": quote, "escape": escape, "header": True, "skip": 0, "comment": "", "nulls": [""],
    }  # fmt: skip


TEXTS = st.text(st.sampled_from('ab42,;"\n\r é@\t|x'), max_size=12)
IDS = st.one_of(st.sampled_from(["42", "0042", " 42 ", "42.0"]), st.integers(0, 500).map(str))
MAILS = st.one_of(st.sampled_from([PERSON["mail"], PERSON["mail"].upper()]), TEXTS)


def theirs(id: str, mail: str) -> bool:
    whole = id.strip().partition(".")[0]
    return (whole.isdigit() and int(whole) == 42) or mail.strip(" ").lower() == PERSON["mail"].lower()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(IDS, MAILS, TEXTS, st.sampled_from(["\n", "\r\n"])), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    chunk=st.sampled_from([1 << 20, 100]),
)
def test_csv_keeps_every_other_byte(
    wanted: Wanted, rows: list[tuple[str, str, str, str]], delimiter: str, chunk: int
) -> None:
    def record(row: tuple[str, str, str, str]) -> bytes:
        quoted = ['"' + one.replace('"', '""') + '"' for one in row[:3]]
        return (delimiter.join(quoted) + row[3]).encode()

    header = delimiter.join(("id", "mail", "text")).encode() + b"\n"
    source = header + b"".join(record(row) for row in rows)
    expected = header + b"".join(record(row) for row in rows if not theirs(row[0], row[1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_text, "_CHUNK", chunk)
        out = io.BytesIO()
        count = cut_csv(io.BytesIO(source), out, options(delimiter), FIELDS, KEYS, wanted)
    assert out.getvalue() == expected
    assert count == sum(theirs(row[0], row[1]) for row in rows)


RECORDS = st.fixed_dictionaries(
    {"id": st.one_of(st.sampled_from([42, "42", "0042"]), st.integers(0, 500)), "mail": MAILS, "text": TEXTS}
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(RECORDS, max_size=8),
    ascii=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    spare=st.sampled_from(["", " ", "\n"]),
)
def test_json_keeps_every_other_byte(
    wanted: Wanted, rows: list[dict[str, object]], ascii: bool, indent: int | None, spare: str
) -> None:
    others = [row for row in rows if not theirs(str(row["id"]), str(row["mail"]))]

    def lines(some: list[dict[str, object]]) -> bytes:
        return "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in some).encode()

    out = io.BytesIO()
    assert cut_lines(io.BytesIO(lines(rows)), out, FIELDS, KEYS, wanted) == len(rows) - len(others)
    assert out.getvalue() == lines(others)

    def document(some: list[dict[str, object]]) -> bytes:
        tree = {'[{"': "],", "a": [1.10, {"items": some}], "items": spare}
        return (spare + json.dumps(tree, ensure_ascii=ascii, indent=indent) + spare).encode()

    cut, count = cut_document(document(rows), "$.a[1].items", FIELDS, KEYS, wanted)
    assert count == len(rows) - len(others)
    assert json.loads(cut) == json.loads(document(others))
    if others and indent is None:
        assert cut == document(others)


@pytest.mark.parametrize(
    ("line", "goes"),
    [
        ("42,a,b,c,d", True),  # too many fields, the number in its place
        ("7,a,42,c,d", False),  # the number elsewhere
        (f"7,a,b,{PERSON['mail'].replace(chr(34), '')},d", False),
        ("7,a,b,a text that they alone have,d", True),
    ],
)
def test_lines_that_cannot_be_parsed(wanted: Wanted, line: str, goes: bool) -> None:
    wanted.people.traces = {"a text that they alone have"}
    out = io.BytesIO()
    source = f"id,mail,text\n{line}\n1,a,b\n".encode()
    assert cut_csv(io.BytesIO(source), out, options(), FIELDS, KEYS, wanted) == goes
    assert (line.encode() in out.getvalue()) is not goes
    wanted.people.traces = set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # a preamble with a quote in it, and returns alone
        ('it"s\nid,mail,text\n42,a,b\n1,a,b\n', 'it"s\nid,mail,text\n1,a,b\n'),
        ("x\nid,mail,text\r42,a,b\r1,a,b\r", "x\nid,mail,text\r1,a,b\r"),
        ('x\nid,mail,text\n1,"a\n42,x,y",b\n42,"a\nb",c', 'x\nid,mail,text\n1,"a\n42,x,y",b\n'),
    ],
)
def test_csv_as_it_comes(wanted: Wanted, source: str, expected: str) -> None:
    out = io.BytesIO()
    cut_csv(io.BytesIO(source.encode()), out, {**options(), "skip": 1}, FIELDS, KEYS, wanted)
    assert out.getvalue().decode() == expected
