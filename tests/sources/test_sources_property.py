"""For any table in any dialect: rows in = rows read + rejected, and what is read is what was written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from raw_zone import Zone

from lakewright.engine.session import Session
from lakewright.lake.raw import LocalStore
from lakewright.spec.project import Engine
from lakewright.state import State


@dataclass
class Dialect:
    delimiter: str
    quoted: bool
    end: str
    encoding: str


DIALECTS = st.builds(
    Dialect,
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
# NUL ends a value in too many writers to be worth a promise; a lone surrogate is no text
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"), max_size=12)
TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), min_size=1, max_size=12)
)


def write(rows: list[list[str]], dialect: Dialect) -> bytes:
    """As RFC 4180 has it; Python's writer leaves a carriage return unquoted when lines end otherwise."""

    def cell(text: str) -> str:
        plain = not dialect.quoted and not set(text) & {dialect.delimiter, '"', "\r", "\n"}
        return text if plain and (text or len(rows[0]) > 1) else '"' + text.replace('"', '""') + '"'

    table = [[f"column {n}" for n in range(len(rows[0]))], *rows]
    text = "".join(dialect.delimiter.join(map(cell, row)) + dialect.end for row in table)
    return text.encode(dialect.encoding)


def zone_in(folder: str, session: Session) -> Zone:
    root = Path(folder)
    (root / "landing").mkdir()
    return Zone(
        root, LocalStore(root / "raw"), State("sqlite:state.db", root), session.cursor(), root / "landing"
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session.open(Engine(threads=2), root=tmp_path_factory.mktemp("engine")) as opened:
        yield opened


SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@SETTINGS
@given(rows=TABLES, dialect=DIALECTS)
def test_what_is_written_is_read(session: Session, rows: list[list[str]], dialect: Dialect) -> None:
    with tempfile.TemporaryDirectory() as folder:
        zone = zone_in(folder, session)
        zone.write("a.csv", write(rows, dialect))
        # a table of one column may look like any dialect; declaring it is what a user would do
        options = {"delimiter": dialect.delimiter, "quote": '"', "header": True}
        taken = zone.take(options=options)
        assert taken.read == len(rows)
        assert taken.rejected == 0, taken.quarantined.to_pylist()
        # without quotes an empty value is a missing one
        found = [["" if value is None else value for value in row] for row in zone.rows()]
        assert found == rows
        zone.state.close()


@SETTINGS
@given(
    rows=st.integers(2, 5).flatmap(
        lambda width: st.lists(
            st.lists(st.text("abc12 é", max_size=6), min_size=width, max_size=width), min_size=5, max_size=30
        )
    ),
    dialect=DIALECTS,
    data=st.data(),
)
def test_rows_in_are_rows_read_and_rejected(
    session: Session, rows: list[list[str]], dialect: Dialect, data: st.DataObject
) -> None:
    """Some rows lose or gain fields, or get bytes that are no text: those are rejected, and no others."""
    dialect.encoding = "utf-8"
    width = len(rows[0])
    bad: dict[int, str] = {}
    lines = []
    for number, row in enumerate(rows):
        assume(any(row))
        kind = data.draw(st.sampled_from(["good"] * 6 + ["short", "long", "bytes"]))
        cells = [f"v{number}", *row[1:]]
        if kind == "short":
            cells = cells[:-1]
        if kind == "long":
            cells = [*cells, "more"]
        line = dialect.delimiter.join(cells).encode()
        if kind == "bytes":
            line = line.replace(f"v{number}".encode(), b"v\xe9\xff")
        if kind != "good":
            bad[number] = kind
        lines.append(line)
    assume(len(bad) * 2 < len(rows))
    end = dialect.end.encode()
    header = dialect.delimiter.join(f"column {n}" for n in range(width)).encode()
    text = header + end + end.join(lines) + end
    if "bytes" in bad.values():
        # enough good characters, so that the file is UTF-8 with some bad bytes
        text = header.replace(b"column 0", "é".encode() * 3 * len(rows) * 2) + text[len(header) :]
    with tempfile.TemporaryDirectory() as folder:
        zone = zone_in(folder, session)
        zone.write("a.csv", text)
        taken = zone.take(options={"delimiter": dialect.delimiter, "quote": '"', "header": True})
        assert taken.read == len(rows)
        assert [row["line"] for row in taken.quarantined.to_pylist()] == [number + 2 for number in bad]
        found = [["" if value is None else value for value in row] for row in zone.rows()]
        assert found == [[f"v{number}", *row[1:]] for number, row in enumerate(rows) if number not in bad]
        # whatever is read of it, the rows are the same ones
        query = zone.reading().query.sql("duckdb")
        counts = zone.cursor.execute(f'SELECT count(*), count("column 1") FROM ({query})').fetchall()[0]
        assert counts[0] == len(found)
        zone.state.close()
