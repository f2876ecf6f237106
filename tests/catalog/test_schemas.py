"""Schema versions: what changed, whether it is compatible, and what drift does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.catalog.schemas import (
    Compatibility,
    Field,
    breaking,
    check,
    compatible,
    diff,
    drifted,
    fields_of,
    latest,
    record,
    versions,
)
from lakewright.catalog.types import canonical, common, widens
from lakewright.errors import RunError
from lakewright.spec.base import Drift
from lakewright.spec.dataset import Column
from lakewright.state import State

SCALARS = [
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    "FLOAT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL(12,2)", "DECIMAL(12,4)", "DECIMAL(38,0)", "DECIMAL(20,0)", "BOOLEAN",
    "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "TIME",
    "UUID", "BLOB", "JSON", "INTERVAL", "ENUM('a', 'b')",
]  # fmt: skip
NESTED = ["INTEGER[]", "BIGINT[]", "INTEGER[3]", "STRUCT(a INTEGER, b VARCHAR)", "STRUCT(a BIGINT)",
          "MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)", "STRUCT(a VARCHAR)[]"]  # fmt: skip

MODES: tuple[Compatibility, ...] = ("backward", "forward")
RULES: tuple[Drift, ...] = ("evolve", "ignore", "fail")

types = st.sampled_from([*SCALARS, *NESTED])
names = st.sampled_from(["a", "b", "c", "d", "e"])
allowed = st.none() | st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True).map(tuple)
schemas = st.lists(
    st.builds(Field, names, types, st.booleans(), allowed), unique_by=lambda field: field.name, max_size=5
)


@given(schemas)
def test_a_schema_does_not_differ_from_itself(schema: list[Field]) -> None:
    assert diff(schema, schema) == ()
    respelled = [replace(field, type=field.type.lower()) for field in schema]
    assert diff(schema, respelled) == ()


@given(schemas, schemas)
def test_backward_one_way_is_forward_the_other_way(old: list[Field], new: list[Field]) -> None:
    there, back = diff(old, new), diff(new, old)
    assert compatible("backward", there) == compatible("forward", back)
    assert compatible("full", there) == (compatible("backward", there) and compatible("forward", there))
    assert compatible("full", there) == compatible("full", back)
    assert compatible("none", there)
    assert set(breaking("full", there)) == set(breaking("backward", there)) | set(breaking("forward", there))


@given(schemas, schemas)
def test_a_difference_tells_everything(old: list[Field], new: list[Field]) -> None:
    changes = diff(old, new)
    fields = {field.name: field for field in old}
    for change in changes:
        if change.kind == "removed":
            del fields[change.column]
        elif change.new is not None:
            fields[change.column] = change.new
    assert fields == {field.name: field for field in new}
    if not changes:
        assert list(old) == list(new)
    assert len(diff(new, old)) == len(changes)


@given(schemas, st.randoms())
def test_order_alone_is_always_compatible(schema: list[Field], random: object) -> None:
    shuffled = list(schema)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    changes = diff(schema, shuffled)
    assert all(change.kind == "moved" for change in changes)
    assert compatible("full", changes)
    assert len(changes) < max(len(schema), 1)


@given(st.sampled_from(SCALARS), st.sampled_from(SCALARS), st.sampled_from(SCALARS))
def test_widening_is_an_order(one: str, two: str, three: str) -> None:
    assert widens(one, one)
    if widens(one, two) and widens(two, three):
        assert widens(one, three)
    if widens(one, two) and widens(two, one):
        text = {"VARCHAR", "JSON"}
        assert canonical(one) == canonical(two) or {one, two} <= text


@given(types, types)
def test_the_common_type_holds_both(one: str, two: str) -> None:
    both = common(one, two)
    assert both == "VARCHAR" or (widens(one, both) and widens(two, both))


@pytest.mark.parametrize("old", SCALARS)
def test_widened_values_survive_in_the_engine(old: str) -> None:
    """What is called wider takes the extremes there and back without a change."""
    extremes = {
        "TINYINT": "-128, 127", "SMALLINT": "-32768, 32767", "INTEGER": "-2147483648, 2147483647",
        "BIGINT": "-9223372036854775808, 9223372036854775807", "UTINYINT": "0, 255", "USMALLINT": "0, 65535",
        "UINTEGER": "0, 4294967295", "UBIGINT": "0, 18446744073709551615", "FLOAT": "1.5, 16777215",
        "DECIMAL(10,2)": "-99999999.99, 99999999.99", "DECIMAL(12,2)": "9999999999.99, 0.01",
        "DECIMAL(12,4)": "99999999.9999, 0.0001", "DATE": "'0001-01-01', '2999-12-31'",
        "TIMESTAMP_S": "'0001-01-01', '2999-12-31 23:59:59'", "TIMESTAMP_MS": "'0001-01-01', '2999-12-31 23:59:59.999'",
        "ENUM('a', 'b')": "'a', 'b'",
    }.get(old)  # fmt: skip
    if extremes is None:
        return
    con = duckdb.connect()
    for value in extremes.split(", "):
        for new in SCALARS:
            if widens(old, new):
                start = f"cast({value} as {old})"
                # seconds and milliseconds have no cast to each other but through the full precision
                back = (
                    f"cast(cast({start} as {new}) as {'TIMESTAMP' if old.startswith('TIMESTAMP') else old})"
                )
                assert con.execute(f"select {back} = {start}").fetchone() == (True,), new


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("INTEGER", "BIGINT", True), ("int4", "int8", True), ("BIGINT", "INTEGER", False), ("BIGINT", "DOUBLE", False),
        ("INTEGER", "DOUBLE", True), ("INTEGER", "DECIMAL(12,2)", True), ("INTEGER", "DECIMAL(10,2)", False),
        ("INTEGER", "VARCHAR", False), ("DATE", "TIMESTAMP", True), ("TIMESTAMP", "TIMESTAMPTZ", False),
        ("INTEGER[]", "BIGINT[]", True), ("INTEGER[3]", "INTEGER[4]", False), ("INTEGER[3]", "INTEGER[]", False),
        ("STRUCT(a INTEGER)", "STRUCT(a BIGINT, b VARCHAR)", True), ("STRUCT(a INTEGER)", "STRUCT(a VARCHAR)", False),
        ("MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)", True), ("UBIGINT", "BIGINT", False),
        ("UINTEGER", "BIGINT", True), ("made_up", "MADE_UP", True), ("made_up", "VARCHAR", False),
        ("ENUM('a')", "VARCHAR", True), ("TIMESTAMP_NS", "TIMESTAMP", False),
    ],
)  # fmt: skip
def test_widens(old: str, new: str, expected: bool) -> None:
    assert widens(old, new) is expected


@pytest.mark.parametrize(
    "old, new, broken",
    [
        ("a INT", "a INT, b INT", ""),
        ("a INT", "a INT, b INT !", "backward"),
        ("a INT, b INT", "a INT", ""),
        ("a INT, b INT !", "a INT", "forward"),
        ("a INT", "a BIGINT", "forward"),
        ("a BIGINT", "a INT", "backward"),
        ("a INT", "a VARCHAR", "backward forward"),
        ("a INT", "a INT !", "backward"),
        ("a INT !", "a INT", "forward"),
        ("a INT, b INT", "b INT, a INT", ""),
        ("a INT", "A INT", ""),
        ("a INT", "b INT", ""),
        ("a INT", "b INT !", "backward"),
        ("a INT !", "b INT", "forward"),
        ("a T=x|y", "a T=x|y|z", "forward"),
        ("a T=x|y", "a T=x", "backward"),
        ("a T=x", "a T=y", "backward forward"),
        ("a T", "a T=x", "backward"),
        ("a T=x", "a T", "forward"),
        ("a T=x|y", "a T=y|x", ""),
        ("a STRUCT(z_INT)", "a STRUCT(z_BIGINT,q_INT)", "forward"),
        ("a STRUCT(z_INT)", "a STRUCT(z_VARCHAR)", "backward forward"),
        ("a STRUCT(z_INT)[]", "a STRUCT(z_INT,q_INT)[]", ""),
    ],
)
def test_compatibility(old: str, new: str, broken: str) -> None:
    changes = diff(_fields(old), _fields(new))
    assert " ".join(mode for mode in MODES if not compatible(mode, changes)) == broken
    assert compatible("full", changes) == (not broken)


def _fields(text: str) -> list[Field]:
    """``name TYPE=allowed|values !``, where ``!`` is for required and ``T`` for text."""
    parts = [one.split() for one in text.split(", ")]
    found = []
    for part in parts:
        type, _, allowed = part[1].partition("=")
        values = tuple(allowed.split("|")) if allowed else None
        kind = "VARCHAR" if type == "T" else type.replace("_", " ") if "(" in type else type
        found.append(Field(part[0], kind, len(part) == 2, values))
    return found


def test_changes_are_told_in_words() -> None:
    old = [
        Field("id", "INTEGER"),
        Field("a", "BIGINT"),
        Field("b", "INT"),
        Field("c", "DATE", False),
        Field("x", "INT"),
    ]
    new = [
        Field("ID", "BIGINT"),
        Field("a", "INTEGER"),
        Field("b", "VARCHAR"),
        Field("n", "INT", False),
        Field("c", "DATE"),
    ]
    assert [str(one) for one in diff(old, new)] == [
        "id is now spelled ID",
        "ID widened from INTEGER to BIGINT",
        "a narrowed from BIGINT to INTEGER",
        "b changed from INT to VARCHAR",
        "n is new (INT, required)",
        "c may now be null",
        "x is gone",
    ]
    assert [str(one) for one in diff(_fields("a I, b I, c I"), _fields("b I, c I, a I"))] == [
        "a stands in another place"
    ]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State("sqlite:state.db", tmp_path)
    yield state
    state.close()


def test_versions_are_kept_only_when_something_changed(state: State) -> None:
    assert latest(state, "processed.o") is None
    first = record(state, "processed.o", _fields("a INT, b INT"), run_id="r1")
    same = record(state, "processed.o", _fields("a integer, b int"), run_id="r2")
    second = record(state, "processed.o", _fields("a BIGINT, b INT"), run_id="r3", mode="backward")
    record(state, "processed.other", _fields("z INT"), run_id="r3")
    assert (first.version, first.new, first.changes) == (1, True, ())
    assert (same.version, same.new, same.run_id) == (1, False, "r1")
    assert (second.version, second.changes) == (2, ("a widened from INT to BIGINT",))
    found = versions(state, "processed.o")
    assert [(one.version, one.run_id, one.compatibility) for one in found] == [
        (2, "r3", "backward"),
        (1, "r1", "none"),
    ]
    assert found[0].fields == tuple(_fields("a BIGINT, b INT"))
    assert latest(state, "processed.o") == replace(second, new=False)


def test_a_change_that_is_not_allowed_is_refused_and_leaves_no_trace(state: State) -> None:
    record(state, "processed.o", _fields("a BIGINT, b INT"), run_id="r1")
    for act in (lambda: check(state, "processed.o", _fields("a INT, c INT !"), "backward"),
                lambda: record(state, "processed.o", _fields("a INT, c INT !"), run_id="r2", mode="backward")):  # fmt: skip
        with pytest.raises(
            RunError, match=r"a narrowed from BIGINT to INT; c is new \(INT, required\)"
        ) as caught:
            act()
        assert caught.value.code == "LW701"
    assert len(versions(state, "processed.o")) == 1
    assert [one.kind for one in check(state, "processed.o", _fields("a BIGINT"), "backward")] == ["removed"]
    assert len(versions(state, "processed.o")) == 1


def test_versions_on_postgresql(postgres_database: str, tmp_path: Path) -> None:
    state = State(postgres_database, tmp_path)
    record(state, "processed.o", _fields("a INT"), run_id="r1")
    mode: Compatibility = "backward_transitive"
    assert record(state, "processed.o", _fields("a BIGINT"), run_id="r2", mode=mode).version == 2
    assert [one.compatibility for one in versions(state, "processed.o")] == [mode, "none"]
    assert [one.version for one in versions(state, "processed.o")] == [2, 1]
    state.close()


def test_what_is_required_comes_from_the_contract() -> None:
    contract = {"A": Column(key=True), "b": Column(required=True), "c": Column()}
    assert fields_of({"a": "INT", "b": "INT", "c": "INT", "d": "INT", "_batch_id": "BIGINT"}, contract) == (
        Field("a", "INT", False), Field("b", "INT", False), Field("c", "INT"), Field("d", "INT"),
    )  # fmt: skip


KNOWN = {"a": "INTEGER", "b": "VARCHAR", "c": "DATE"}
FOUND = {"B": "VARCHAR", "a": "BIGINT", "d": "INTEGER"}


def test_drift() -> None:
    evolved = drifted("raw.o", KNOWN, FOUND, "evolve")
    assert evolved.columns == {"a": "BIGINT", "b": "VARCHAR", "c": "DATE", "d": "INTEGER"}
    assert (evolved.missing, evolved.left_out) == (("c",), ())
    ignored = drifted("raw.o", KNOWN, FOUND, "ignore")
    assert (dict(ignored.columns), ignored.missing, ignored.left_out) == (KNOWN, ("c",), ("d",))
    with pytest.raises(RunError, match="a widened from INTEGER to BIGINT; d is new") as caught:
        drifted("raw.o", KNOWN, FOUND, "fail")
    assert caught.value.code == "LW702"
    for rule in RULES:
        same = drifted("raw.o", KNOWN, {"C": "DATE", "a": "int", "b": "VARCHAR"}, rule)
        assert (dict(same.columns), same.changes) == (KNOWN, ())


@given(schemas, schemas)
def test_evolving_never_loses_a_column_or_a_value(old: list[Field], new: list[Field]) -> None:
    known, found = {f.name: f.type for f in old}, {f.name: f.type for f in new}
    columns = drifted("raw.o", known, found, "evolve").columns
    assert set(columns) == set(known) | set(found)
    for side in (known, found):
        assert all(columns[name] == "VARCHAR" or widens(type, columns[name]) for name, type in side.items())
    again = drifted("raw.o", columns, found, "evolve")
    assert {n: canonical(t) for n, t in again.columns.items()} == {
        n: canonical(t) for n, t in columns.items()
    }


def test_sets_and_nested_fields_are_told_in_words() -> None:
    assert [str(one) for one in diff(_fields("a T=x|y, b T, c T=x"), _fields("a T=y|z, b T=x, c T"))] == [
        "a also allows z and no longer allows x",
        "b now allows only x",
        "c now allows any value",
    ]
    old = [Field("a", "STRUCT(b STRUCT(c INTEGER, d DATE)[], e INTEGER)")]
    new = [Field("a", "STRUCT(b STRUCT(c VARCHAR)[], e BIGINT, f DATE)")]
    (said,) = map(str, diff(old, new))
    assert said.endswith(
        "(b[].c changed from INT to TEXT; b[].d is gone; e widened from INT to BIGINT; f is new (DATE))"
    )


def test_versions_that_do_not_say_what_is_allowed_refuse_nothing() -> None:
    assert diff([Field("a", "INT", True, ())], [Field("a", "INT", True, (1, 2))]) == ()


@given(schemas, schemas, st.sampled_from(MODES))
def test_a_transitive_mode_judges_a_single_change_like_the_other(
    old: list[Field], new: list[Field], mode: Compatibility
) -> None:
    transitive: Compatibility = f"{mode}_transitive"  # type: ignore[assignment]
    assert breaking(transitive, diff(old, new)) == breaking(mode, diff(old, new))


def test_transitive_modes_look_at_every_version(state: State) -> None:
    record(state, "processed.o", _fields("a INT, b INT"), run_id="r1")
    record(state, "processed.o", _fields("a BIGINT, b INT"), run_id="r2")
    record(state, "processed.o", _fields("a BIGINT"), run_id="r3")
    # the last version would take any `b`; the first one knows it as a whole number
    proposed = _fields("a BIGINT, b DATE")
    assert check(state, "processed.o", proposed, "backward")
    with pytest.raises(RunError, match=r"not backward compatible with version 2: b changed from INT to DATE"):
        check(state, "processed.o", proposed, "backward_transitive")
    with pytest.raises(RunError, match=r"LW701"):
        record(state, "processed.o", proposed, run_id="r4", mode="full_transitive")
    again = record(state, "processed.o", _fields("a BIGINT, b INT"), run_id="r4", mode="backward_transitive")
    assert again.version == 4
    found = latest(state, "processed.o")
    assert found is not None
    assert found.compatibility == "backward_transitive"
