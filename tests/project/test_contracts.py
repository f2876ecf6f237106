"""Contracts of the Open Data Contract Standard: what they stand in for, what is named, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from project_files import Write, all_problems

from lakewright.project import load
from lakewright.project.contracts import Contract, contract_of, contract_text, read_contract
from lakewright.project.contracts.options import strptime_of
from lakewright.project.spelled import dataset_text
from lakewright.project.standins import merged
from lakewright.spec.dataset import Column, Dataset, DatasetFile
from lakewright.spec.dataset import Write as WriteMode
from lakewright.spec.expectations import (
    Completeness,
    Condition,
    Expectation,
    Fresh,
    Measure,
    Query,
    References,
    RowCount,
    Statistic,
    Unique,
    Values,
)

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\n"


def contract(text: str, head: str = HEAD, known: tuple[str, ...] = ()) -> Contract:
    return read_contract((head + text).encode(), "orders.odcs.yaml", known)


def only(found: Contract) -> Any:
    assert [str(one) for one in found.problems] == []
    return next(iter(found.objects.values()))


def properties(text: str, **more: Any) -> Any:
    return only(contract(f"schema:\n- name: orders\n  properties:\n{text}", **more))


# --- the standard's own examples -----------------------------------------------------------------


def test_every_example_of_the_standard_loads_and_says_what_is_not_supported(shared_data: Path) -> None:
    files = sorted((shared_data / "odcs" / "examples").rglob("*.yaml"))
    assert len(files) >= 15
    read = {file.name: read_contract(file.read_bytes(), file.name) for file in files}
    assert {name: one.problems for name, one in read.items() if one.problems} == {}
    assert len(read["postgresql-adventureworks-contract.odcs.yaml"].objects) == 68
    full = read["full-example.odcs.yaml"]
    assert full.objects["tbl"].columns["txn_ref_dt"].type == "date"
    assert full.objects["tbl"].owner == "my-team"
    assert [one for one, _ in full.objects["tbl"].expectations] == [
        Values(column="rcvr_cntry_code", present=True),
        RowCount(min=1_000_001),
    ]
    said = full.notes.lines()
    assert any("servers, at full-example.odcs.yaml:27" in one for one in said)
    assert any("slaProperties endOfLife" in one for one in said)
    custom = read["column-custom.odcs.yaml"].objects["Air_Quality"].notes.lines()
    assert (
        "not supported: quality rule custom soda: checks of the engine 'soda', at column-custom.odcs.yaml:22"
        in custom[0]
    )
    # a type that only the database knows is no type here, and is named
    department = read["postgresql-adventureworks-contract.odcs.yaml"].objects["department"]
    assert department.columns["name"].type is None
    assert any("physicalType 'Name'" in one for one in department.notes.lines())


# --- what a contract says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "type_", "length"),
    [
        ("logicalType: string, physicalType: varchar(18)", "varchar", 18),
        ("logicalType: string, physicalType: 'varchar[15]'", "varchar", 15),
        ("logicalType: string, physicalType: string", "string", None),
        ("logicalType: number, physicalType: serial", "integer", None),
        ("logicalType: number, physicalType: 'decimal(12,2)'", "decimal(12,2)", None),
        ("logicalType: number", "double", None),
        ("logicalType: integer", "bigint", None),
        ("logicalType: integer, logicalTypeOptions: {format: i32}", "integer", None),
        ("logicalType: number, logicalTypeOptions: {format: f32}", "float", None),
        ("logicalType: timestamp, logicalTypeOptions: {timezone: true}", "timestamptz", None),
        ("physicalType: TIMESTAMP_NTZ", "timestamp", None),
        ("physicalType: jsonb", "json", None),
        ("logicalType: array, items: {logicalType: string}", "varchar[]", None),
        (
            "logicalType: object, properties: [{name: a, logicalType: integer}, {name: b c, logicalType: date}]",
            'struct(a bigint, "b c" date)',
            None,
        ),
        ("logicalType: array", "json", None),
        ("logicalType: date, physicalType: Name", "date", None),
    ],
)
def test_types(given_: str, type_: str, length: int | None) -> None:
    found = properties(f"  - {{name: a, {given_}}}\n")
    assert (found.columns["a"].type, found.columns["a"].max_length) == (type_, length)


def test_limits_in_both_versions() -> None:
    three_one = "  - {name: n, logicalType: integer, logicalTypeOptions: {minimum: 1, exclusiveMaximum: 9, multipleOf: 2}}\n"
    found = properties(three_one)
    assert found.columns["n"].min == 1
    assert [one for one, _ in found.expectations] == [
        Values(column="n", below=9),
        Values(column="n", multiple_of=2),
    ]
    three_zero = "  - {name: n, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 9, exclusiveMaximum: true}}\n"
    found = properties(three_zero, head=HEAD.replace("v3.1.0", "v3.0.2"))
    assert (found.columns["n"].min, found.columns["n"].max) == (1, None)
    assert [one for one, _ in found.expectations] == [Values(column="n", below=9)]


def test_a_property_becomes_a_column() -> None:
    found = properties(
        "  - name: mail\n    physicalName: e_mail\n    description: Where to write.\n    required: true\n"
        "    unique: true\n    classification: restricted\n    tags: [contact]\n    criticalDataElement: true\n"
        "    examples: [a@example.com]\n    logicalType: string\n"
        "    logicalTypeOptions: {minLength: 3, maxLength: 99, pattern: '@'}\n    partitioned: true\n"
    )
    assert found.columns == {
        "e_mail": Column(
            type="varchar",
            description="Where to write.",
            required=True,
            unique=True,
            classification="restricted",
            tags=("contact",),
            critical=True,
            examples=("a@example.com",),
            min_length=3,
            max_length=99,
            pattern="@",
        )
    }
    assert found.partition_by == ("e_mail",)


RULES: list[tuple[str, Expectation]] = [
    ("metric: nullValues, mustBe: 0", Values(column="a", present=True)),
    ("metric: nullValues, mustBeLessThan: 10", Values(column="a", present=True, at_most=9)),
    ("metric: nullValues, mustBeLessOrEqualTo: 5, unit: percent", Values(column="a", present=True, mostly=0.95, of="rows")),
    ("metric: nullValues, mustBeLessThan: 5, unit: percent",
     Values(column="a", present=True, mostly=0.95, strictly=True, of="rows")),
    ("metric: nullValues, mustBeBetween: [2, 5]", Measure(column="a", of="nulls", min=2, max=5)),
    ("metric: missingValues, mustBe: 0, arguments: {missingValues: [null, '', n/a]}",
     Values(column="a", present=True, missing=("", "n/a"))),
    ("metric: invalidValues, mustBe: 0, arguments: {validValues: [x, y]}", Values(column="a", in_=("x", "y"))),
    ("metric: invalidValues, mustBe: 0, arguments: {pattern: '^a'}, severity: warning",
     Values(column="a", patterns=("^a",), severity="warn")),
    ("rule: validValues, mustBeLessThan: 1, validValues: [x]", Values(column="a", in_=("x",))),
    ("metric: duplicateValues, mustBe: 0", Unique(columns=("a",))),
    ("metric: duplicateValues, mustBeLessThan: 3", Unique(columns=("a",), at_most=2)),
    ("type: sql, query: 'select count(*) from {object} where {property} < 0', mustBe: 0",
     Query(sql='select count(*) from this where "a" < 0', min=0, max=0)),
    ("type: sql, name: few, query: select count(*) from orders_v1, mustBeGreaterThan: 5",
     Query(sql="select count(*) from orders_v1", above=5, name_of_this="orders_v1", label="few")),
    ("type: custom, engine: lakewright, implementation: {condition: a > 0}", Condition(sql="a > 0")),
    ("type: custom, engine: greatExpectations, implementation: {type: expect_column_values_to_be_in_set, "
     "kwargs: {valueSet: [x]}}", Values(column="a", in_=("x",))),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "expected"), RULES, ids=[rule[:60] for rule, _ in RULES])
def test_quality_rules(rule: str, expected: Expectation) -> None:
    text = f"schema:\n- name: orders\n  physicalName: orders_v1\n  properties:\n  - name: a\n    quality:\n    - {{{rule}}}\n"
    found = only(contract(text))
    assert [one for one, _ in found.expectations] == [expected]
    assert [line for _, line in found.expectations] == [12]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("type: text, description: be good", "it is a sentence for people"),
        ("metric: nullValues, mustNotBe: 3", "mustNotBe is two ranges"),
        ("metric: invalidValues, mustBeGreaterThan: 3, arguments: {validValues: [a]}", "asks for bad rows"),
        ("metric: entropy, mustBe: 3", "the metric is not one of the standard's"),
        ("metric: nullValues", "it has no comparison"),
        ("type: custom, engine: soda, implementation: 'x: y'", "checks of the engine 'soda'"),
        ("type: sql, query: select count(*) from elsewhere, mustBe: 0", "its SQL reads elsewhere"),
        ("type: sql, query: drop table orders, mustBe: 0", "its SQL is no query"),
        ("metric: duplicateValues, mustBeLessThan: 3, unit: percent", "duplicates in percent"),
    ],
)
def test_what_has_no_counterpart_is_named_with_its_line(rule: str, reason: str) -> None:
    found = properties(f"  - name: a\n    quality:\n    - {{{rule}}}\n")
    assert found.expectations == []
    (said,) = found.notes.lines()
    assert said.startswith("not supported: quality rule")
    assert reason in said
    assert said.endswith("at orders.odcs.yaml:11")


def test_service_levels_relationships_and_severity() -> None:
    text = (
        "slaProperties:\n- {property: retention, value: 3, unit: y, element: orders}\n"
        "- {property: latency, value: 4, unit: d, element: orders.at}\n- {property: frequency, value: 1}\n"
        "schema:\n- name: orders\n  properties:\n  - {name: at, logicalType: date}\n"
        "  - name: customer_id\n    relationships: [{to: customers.id}, {to: nobody.id}]\n"
    )
    found = contract(text, known=("processed.customers",))
    one = only(found)
    assert one.retention == "3y"
    assert [expectation for expectation, _ in one.expectations] == [
        References(columns={"customer_id": "processed.customers.id"}),
        Fresh(column="at", within="4d"),
    ]
    assert found.notes.lines() == ("not supported: slaProperties frequency, at orders.odcs.yaml:9",)
    assert "nobody.id" in one.notes.lines()[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: DataContract\napiVersion: v2.2.2\n", "LW114 apiVersion 'v2.2.2' is not supported"),
        ("hello: 1\n", "LW114 this is no data contract"),
        (HEAD + "schemas: []\n", "orders.odcs.yaml:6: LW103 unknown key 'schemas'; did you mean 'schema'?"),
        (HEAD + "schema:\n- name: o\n  properties:\n  - {name: a, requird: true}\n", "LW103 unknown key 'requird'"),
        (HEAD + "schema:\n- name: o\n  properties:\n  - {name: a, required: maybe}\n", "LW104 required: expected true"),
        (HEAD + "schema:\n- name: o\n  properties:\n  - {logicalType: date}\n", "LW105 a property needs its `name`"),
        (HEAD + "schema: {a: 1}\n", "LW104 schema: expected a list"),
        (HEAD + "schema:\n- name: o\n  properties:\n  - {name: a, logicalType: text}\n", "LW104 logicalType 'text'"),
        ("[", "LW102"),
        ("", "LW114"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_lines(text: str, said: str) -> None:
    found = read_contract(text.encode(), "orders.odcs.yaml")
    assert said in "\n".join(str(one) for one in found.problems)


def test_date_formats() -> None:
    assert strptime_of("yyyy-MM-dd'T'HH:mm:ssXXX") == "%Y-%m-%dT%H:%M:%S%z"
    assert strptime_of("dd.MM.yy") == "%d.%m.%y"
    assert strptime_of("QQQ yyyy") is None
    assert strptime_of("'oh''clock' HH") == "oh'clock %H"


# --- in a project --------------------------------------------------------------------------------


def test_a_contract_stands_in_for_columns(write: Write) -> None:
    text = (
        HEAD + "schema:\n- name: orders\n  description: One row per order.\n  properties:\n"
        "  - {name: order_id, logicalType: integer, primaryKey: true}\n"
        "  - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}\n"
    )
    root = write(
        {
            "datasets/processed/orders.yaml": "from: raw.orders\ncontract: orders.odcs.yaml\nexpect:\n  - row_count: {min: 1}\n",
            "datasets/processed/orders.odcs.yaml": text
            + "  quality: [{metric: rowCount, mustBeLessThan: 10}]\n",
        }
    )
    spec = load(root, env={}).datasets["processed.orders"]
    assert spec.file.columns == {"order_id": Column(type="bigint", key=True), "day": Column(type="date")}
    assert spec.file.description == "One row per order."
    assert spec.file.write == WriteMode(partition_by=("day",))
    assert spec.file.expect == (RowCount(min=1), RowCount(max=9))
    assert spec.places["columns.day"] == ("datasets/processed/orders.odcs.yaml", 11)
    assert spec.identity["id"] == "a"


def test_mistakes_point_into_the_contract(write: Write) -> None:
    files = {
        "datasets/processed/orders.yaml": "from: raw.orders\nsteps: [{select: [order_id]}]\ncontract: orders.odcs.yaml\n",
        "contracts/orders.odcs.yaml": HEAD + "schema:\n- name: o\n  properties:\n"
        "  - {name: order_id, logicalType: integer, logicalTypeOptions: {minimum: 5, maximum: 1}}\n"
        "  - {name: day, logicalType: date}\n",
    }
    said = all_problems(write(files))
    assert said == [
        "contracts/orders.odcs.yaml:9: LW129 columns.order_id: min 5 lies above max 1, so no value passes",
        "contracts/orders.odcs.yaml:10: LW128 the steps produce no column 'day'",
    ]


def test_a_contract_that_is_not_there_or_does_not_fit(write: Write) -> None:
    two = HEAD + "schema:\n- {name: bills}\n- {name: notes}\n"
    files = {
        "datasets/processed/orders.yaml": "from: raw.orders\ncontract: two.odcs.yaml\n",
        "datasets/processed/notes.yaml": "from: raw.orders\ncontract: two.odcs.yaml#note\ncolumns: {a: {}}\n",
        "datasets/processed/more.yaml": "from: raw.orders\ncontract: other.odcs.yaml\n",
        "datasets/processed/bills.yaml": "from: raw.orders\ncontract: two.odcs.yaml\n",
        "two.odcs.yaml": two,
    }
    said = all_problems(write(files))
    assert said == [
        "datasets/processed/more.yaml:2: LW114 there is no file 'other.odcs.yaml'",
        "datasets/processed/notes.yaml:3: LW120 `columns` and `contract` both say which columns there are",
        "datasets/processed/notes.yaml:2: LW114 the contract two.odcs.yaml has no object 'note'; did you mean 'notes'?",
        "datasets/processed/orders.yaml:2: LW114 the contract two.odcs.yaml has 2 objects, and none is called 'orders'",
    ]


# --- the way back --------------------------------------------------------------------------------


def dataset(**keys: Any) -> Dataset:
    return Dataset(
        zone="curated", name="orders", file=DatasetFile(**keys), path="datasets/curated/orders.yaml"
    )


def back(spec: Dataset) -> tuple[DatasetFile, Contract, dict[str, Any]]:
    made = contract_of(spec, project="shop")
    text = contract_text(made)
    assert yaml.safe_load(text) == made  # what another reader sees
    found = read_contract(text.encode(), "orders.odcs.yaml")
    return merged(DatasetFile(), only(found)), found, made


@pytest.fixture(scope="module")
def validator(shared_data: Path) -> jsonschema.Draft201909Validator:
    file = shared_data / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json"
    return jsonschema.Draft201909Validator(json.loads(file.read_text()))


names = st.from_regex(r"[a-z][a-z0-9_ ]{0,8}[a-z]", fullmatch=True)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
types = st.sampled_from(
    ["bigint", "INTEGER", "varchar", "varchar(10)", "decimal(12,2)", "double", "date", "timestamp", "timestamptz",
     "time", "boolean", "json", "uuid", "blob", "integer[]", "struct(a integer, b varchar[])", "map(varchar, bigint)",
     "timestamp with time zone", "hugeint", "interval", "enum('a', 'b')", None]
)  # fmt: skip
scalars = st.one_of(words, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
severities = st.sampled_from([None, None, "warn", "quarantine", "fail"])
columns = st.builds(
    Column,
    type=types,
    description=words,
    key=st.booleans(),
    required=st.booleans(),
    unique=st.booleans(),
    min=st.none() | scalars,
    max=st.none() | scalars,
    in_=st.none() | st.lists(scalars, min_size=1, max_size=3).map(tuple),
    pattern=st.none() | st.just("^a+$"),
    min_length=st.none() | st.integers(0, 9),
    max_length=st.none() | st.integers(0, 9),
    format=st.none() | st.just("%d.%m.%Y"),
    severity=severities,
    pii=st.none() | st.just("email"),
    classification=st.none() | st.just("restricted"),
    tags=st.lists(words.filter(bool), max_size=2, unique=True).map(tuple),
    critical=st.booleans(),
    examples=st.lists(scalars, max_size=2).map(tuple),
)
common = {"severity": severities, "label": st.sampled_from(["", "a check"])}
expectations = st.one_of(
    st.builds(RowCount, min=st.integers(0, 9), max=st.none() | st.integers(9, 99), **common),
    st.builds(Fresh, column=st.just("day"), within=st.sampled_from(["2d", "1d 12h", "30min"]), **common),
    st.builds(Unique, columns=st.sampled_from([("day",), ("day", "b")]), at_most=st.none() | st.just(3), **common),
    st.builds(Condition, sql=st.sampled_from(["day > '2020-01-01'", "b = 'yes: no'"]), mostly=st.none() | st.just(0.5)),
    st.builds(References, columns=st.just({"day": "processed.days.day"}), **common),
    st.builds(Completeness, columns=st.just({"day": 0.5}), **common),
    st.builds(Statistic, sql=st.just("avg(n)"), min=st.just(1), **common),
    st.builds(Values, column=st.just("b"), in_=st.just(("a", "no", "1e5", "")), mostly=st.none() | st.just(0.9), **common),
    st.builds(Query, sql=st.just("SELECT count(*) FROM this"), min=st.just(1), **common),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(names, columns, max_size=4),
    st.lists(expectations, max_size=4, unique_by=repr),
    words,
    st.sampled_from([None, "90d", "1y 6w", "forever"]),
)
def test_an_export_read_again_is_the_same(
    validator: jsonschema.Draft201909Validator,
    made: dict[str, Column],
    expect: list[Expectation],
    description: str,
    retention: str | None,
) -> None:
    spec = dataset(
        columns={"day": Column(type="date"), "b": Column(), **made}, expect=tuple(expect), owner="sales",
        description=description, retention=retention, tags=("a",), write=WriteMode(partition_by=("month(day)",)),
    )  # fmt: skip
    file, found, exported = back(spec)
    validator.validate(exported)
    assert file.columns == spec.file.columns
    assert sorted(map(repr, file.expect)) == sorted(map(repr, expect))
    assert (file.owner, file.tags, file.description) == ("sales", ("a",), description)
    assert (file.retention, file.write.partition_by) == (retention, ("month(day)",))
    assert [one for one in found.notes.lines() if one.startswith("not supported")] == []


def test_a_contract_keeps_its_identity(validator: jsonschema.Draft201909Validator) -> None:
    spec = Dataset(
        zone="curated", name="orders", file=DatasetFile(), path="a.yaml",
        identity={"id": "x-1", "version": "4.2.0", "status": "deprecated", "domain": "sales", "usage": "Read it."},
    )  # fmt: skip
    made = contract_of(spec, project="shop", table={"a": "BIGINT", "_batch_id": "BIGINT"})
    validator.validate(made)
    assert (made["id"], made["version"], made["status"], made["domain"]) == (
        "x-1",
        "4.2.0",
        "deprecated",
        "sales",
    )
    assert made["description"] == {"usage": "Read it."}
    assert [one["name"] for one in made["schema"][0]["properties"]] == ["a"]


def test_the_yaml_of_an_import_reads_as_it_was(write: Write) -> None:
    spec = dataset(
        from_="raw.orders",
        columns={"day": Column(type="date", key=True), "select me": Column(in_=("no", "1e5", "null"), pattern="a: b")},
        expect=(RowCount(min=1), Values(column="day", present=True, severity="warn")),
        write=WriteMode(partition_by=("day",)),
    )  # fmt: skip
    root = write({"datasets/processed/orders.yaml": dataset_text(spec.file, ("made",))})
    assert load(root, env={}).datasets["processed.orders"].file == spec.file
