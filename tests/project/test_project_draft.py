"""Projects written for raw files: what they say, and that they load without a problem whatever the files hold."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from project_files import all_problems
from test_project_schema import errors

from lakewright.project import load
from lakewright.project.document import Document, parse, plain
from lakewright.project.draft import DraftColumn, DraftTable, source_path, write_project
from lakewright.project.draft_guess import base_name
from lakewright.project.draft_text import aligned, flow, line
from lakewright.spec.dataset import Column, Write
from lakewright.spec.expectations import References, RowCount
from lakewright.spec.project import Project
from lakewright.spec.steps import Deduplicate, StandardizeNames

C = DraftColumn

CUSTOMERS = DraftTable(
    name="customers",
    files=("customers.csv",),
    format="csv",
    rows=100,
    columns=(
        C(
            name="customer_id",
            original="Customer ID",
            type="BIGINT",
            unique=True,
            distinct=100,
            min=1,
            max=100,
        ),
        C(name="email", original="E-Mail", type="VARCHAR", unique=True, distinct=100, pii="email"),
        C(name="tier", original="Tier", type="VARCHAR", distinct=3, nulls=1, values=("NO", "AT", "DE")),
        C(name="updated_at", original="updated_at", type="TIMESTAMP", distinct=90, min="2024-01-01 00:00:00"),
    ),
)
ORDERS = DraftTable(
    name="orders",
    files=("orders/*.csv", "old/orders.csv"),
    format="csv",
    options={"delimiter": ";", "encoding": "latin-1", "nulls": ["", "${x}"]},
    rows=5_000_000,
    file_count=12,
    columns=(
        C(name="order_id", type="BIGINT", unique=True),
        C(name="customer_id", type="BIGINT", distinct=90),
        C(name="store", type="BIGINT", distinct=3),
        C(name="order_date", type="DATE", format="%d/%m/%Y", min="2020-01-01", max="2023-12-31"),
        C(name="updated_on", type="DATE", min="2020-01-01", max="2023-12-31"),
        C(name="quantity", type="INTEGER", nulls=4, min=1, max=50),
        C(name="balance", type="DECIMAL(10,2)", min=0.5, max=50),
        C(name="shape", type="STRUCT(a INTEGER)[]"),
        C(name="odd", type="GEOMETRY"),
    ),
    references={"store": "stores.id"},
)
STORES = DraftTable(
    name="stores",
    files=("stores.parquet",),
    format="parquet",
    rows=3,
    columns=(
        C(name="id", type="INTEGER", unique=True),
        C(name="name", type="VARCHAR", unique=True, values=("a", "b", "c")),
    ),
)


def draft(folder: Path, *tables: DraftTable, name: str = "shop", source: str = "/data/in") -> Project:
    """Write a project, check it and its files against the schemas, and load it."""
    written = write_project(folder, name=name, source=source, tables=tables)
    assert all_problems(folder) == []
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()) == written
    for path in written:
        if path.endswith(".yaml"):
            kind = {"sources": "source", "tests": "test"}.get(path.split("/")[0], "dataset")
            text = (folder / path).read_text()
            assert errors("lakewright.yaml" if path == "lakewright.yaml" else kind, text) == []
    return load(folder, env={})


def test_a_project_as_written_by_hand(tmp_path: Path) -> None:
    project = draft(tmp_path, CUSTOMERS, ORDERS, STORES)
    assert project.file.name == "shop"
    source = project.sources["in"]
    assert source.path == "/data/in"
    assert source.datasets["orders"].files == ("orders/*.csv", "old/orders.csv")
    assert source.datasets["orders"].options.delimiter == ";"
    assert source.datasets["orders"].options.nulls == ("", "${x}")
    assert source.datasets["stores"].format == "parquet"

    customers = project.datasets["processed.customers"].file
    assert customers.tags == ("pii",)
    assert customers.steps == (
        StandardizeNames(),
        Deduplicate(keys=("customer_id",), latest_by="updated_at"),
    )
    assert customers.columns == {
        "customer_id": Column(type="bigint", key=True),
        "email": Column(type="varchar", required=True, pii="email"),
        "tier": Column(type="varchar", in_=("AT", "DE", "NO")),
        "updated_at": Column(type="timestamp", required=True),
    }
    assert customers.write == Write(mode="merge")

    orders = project.datasets["processed.orders"].file
    assert orders.steps == (Deduplicate(keys=("order_id",), latest_by="updated_on"),)
    assert orders.columns["order_date"] == Column(type="date", format="%d/%m/%Y", required=True)
    assert orders.columns["quantity"] == Column(type="integer", min=0)
    assert orders.columns["balance"] == Column(type="decimal(10,2)", required=True)
    assert orders.columns["shape"].type == "struct(a integer)[]"
    assert orders.columns["odd"].type is None
    assert orders.write.partition_by == ("year(order_date)", "month(order_date)")
    assert orders.expect == (
        RowCount(min=1),
        References(columns={"customer_id": "processed.customers.customer_id"}, severity="warn"),
        References(columns={"store": "processed.stores.id"}),
    )
    stores = project.datasets["processed.stores"].file
    # Three rows say nothing about the values that may come.
    assert stores.columns == {
        "id": Column(type="integer", key=True),
        "name": Column(type="varchar"),
    }

    test, broken = project.tests
    assert test.dataset == "processed.customers"
    assert test.given["raw.customers"][0] == {
        "Customer ID": "1",
        "E-Mail": "a@example.org",
        "Tier": "AT",
        "updated_at": "2024-01-31 18:30:00",
    }
    assert test.expect[0]["customer_id"] == 1
    assert [row["Tier"] for row in broken.given["raw.customers"]] == ["AT", "none of these"]
    assert (broken.expect, broken.quarantined) == (({"customer_id": 1},), ({"customer_id": 2},))
    text = (tmp_path / "datasets/processed/customers.yaml").read_text()
    assert "# guessed: no value occurs twice in 100 rows" in text
    assert "# guessed: the only values in 100 rows" in text


def test_a_test_writes_dates_as_the_files_do(tmp_path: Path) -> None:
    table = DraftTable(
        name="t",
        files=("t.csv",),
        format="csv",
        rows=9,
        columns=(
            C(name="day", type="DATE", format="%d.%m.%y"),
            C(name="at", type="TIMESTAMP", format="%m/%d/%Y %H:%M"),
            C(name="ok", type="BOOLEAN"),
        ),
    )
    (test,) = draft(tmp_path, table).tests
    assert test.given["raw.t"][0] == {"day": "31.01.24", "at": "01/31/2024 18:30", "ok": "true"}
    assert test.expect[0] == {"day": "2024-01-31", "at": "2024-01-31 18:30:00", "ok": True}


@pytest.mark.parametrize(
    ("rows", "days", "expected"),
    [
        (50_000, 700, ()),
        (1_000_000, 10, ()),
        (1_000_000, 700, ("year(order_date)", "month(order_date)")),
        (150_000, 3_000, ("year(order_date)",)),
        (150_000, 30_000, ()),
    ],
)
def test_partitions_only_where_they_help(
    tmp_path: Path, rows: int, days: int, expected: tuple[str, ...]
) -> None:
    last = str(date(2001, 1, 1) + timedelta(days))
    table = DraftTable(
        name="orders",
        files=("a",),
        rows=rows,
        columns=(
            C(name="birth_date", type="DATE", min="1950-01-01", max="2000-01-01"),
            C(name="order_date", type="DATE", min="2001-01-01", max=last),
        ),
    )
    assert draft(tmp_path, table).datasets["processed.orders"].file.write.partition_by == expected


@pytest.mark.parametrize(
    ("table", "columns", "rows", "key"),
    [
        ("orders", ["note:VARCHAR", "order_id:BIGINT", "id:BIGINT"], 9, ("order_id",)),
        ("raw_categories", ["category_id:BIGINT"], 9, ("category_id",)),
        ("things", ["serial_no:VARCHAR", "x:DOUBLE"], 9, ("serial_no",)),
        ("things", ["name:VARCHAR"], 9, ()),
        ("things", ["name:VARCHAR"], 900, ("name",)),
        ("things", ["a:VARCHAR?", "b:BIGINT"], 90, ()),
        ("things", ["a:VARCHAR?", "b:BIGINT"], 9_000, ("b",)),
        ("things", ["at:TIMESTAMP", "x:DOUBLE"], 9_000, ()),
    ],
)
def test_keys_by_uniqueness_and_name(
    tmp_path: Path, table: str, columns: list[str], rows: int, key: tuple[str, ...]
) -> None:
    made = tuple(
        C(name=one.split(":")[0], type=one.split(":")[1].rstrip("?"), unique=not one.endswith("?"))
        for one in columns
    )
    project = draft(tmp_path, DraftTable(name=table, files=("a",), rows=rows, columns=made))
    file = project.datasets[f"processed.{table}"].file
    assert tuple(name for name, one in file.columns.items() if one.key) == key
    assert file.write.mode == ("merge" if key else "append")


def test_a_key_of_several_columns(tmp_path: Path) -> None:
    table = DraftTable(
        name="lines",
        files=("a",),
        rows=90,
        key=("order_id", "line"),
        columns=(C(name="order_id", type="BIGINT"), C(name="line", type="BIGINT")),
    )
    file = draft(tmp_path, table).datasets["processed.lines"].file
    assert [name for name, one in file.columns.items() if one.key] == ["order_id", "line"]


def test_a_table_of_links_has_all_of_them_as_its_key(tmp_path: Path) -> None:
    # each room is used once only so far: by chance
    table = DraftTable(
        name="person_rooms",
        files=("a",),
        rows=9,
        columns=(
            C(name="person_id", type="BIGINT", unique=False),
            C(name="room_id", type="BIGINT", unique=True),
        ),
        references={"person_id": "people.id", "room_id": "rooms.id"},
    )
    others = [
        DraftTable(name=name, files=(name,), rows=9, columns=(C(name="id", type="BIGINT", unique=True),))
        for name in ("people", "rooms")
    ]
    file = draft(tmp_path, table, *others).datasets["processed.person_rooms"].file
    assert [name for name, one in file.columns.items() if one.key] == ["person_id", "room_id"]


def _repeating(*, copies: int, newest: bool = False) -> DraftTable:
    changed = (C(name="updated_at", type="TIMESTAMP"),) if newest else ()
    return DraftTable(
        name="orders",
        files=("a",),
        rows=1_000,
        columns=(C(name="order_id", type="BIGINT", distinct=990, repeats=10), *changed),
        copies=copies,
    )


@pytest.mark.parametrize(
    ("table", "key", "step", "said"),
    [
        (_repeating(copies=10), True, Deduplicate(keys=("order_id",)), "10 rows are exact copies"),
        (
            _repeating(copies=2, newest=True),
            True,
            Deduplicate(keys=("order_id",), latest_by="updated_at"),
            "10 of 1,000 rows repeat a value",
        ),
        (
            _repeating(copies=2),
            False,
            None,
            "# order_id: 10 of 1,000 rows repeat a value; if it is the key, say",
        ),
    ],
)
def test_a_key_but_for_some_rows(
    tmp_path: Path, table: DraftTable, key: bool, step: Deduplicate | None, said: str
) -> None:
    file = draft(tmp_path, table).datasets["processed.orders"].file
    assert file.columns["order_id"].key is key
    assert file.steps == ((step,) if step else ())
    assert said in (tmp_path / "datasets/processed/orders.yaml").read_text()


def test_tables_that_point_to_each_other_do_not_wait_for_each_other(tmp_path: Path) -> None:
    staff = DraftTable(
        name="staff",
        files=("a",),
        rows=30,
        columns=(C(name="staff_id", type="BIGINT", unique=True), C(name="office_id", type="BIGINT")),
        references={"office_id": "offices.office_id"},
    )
    offices = DraftTable(
        name="offices",
        files=("b",),
        rows=30,
        columns=(C(name="office_id", type="BIGINT", unique=True), C(name="staff_id", type="BIGINT")),
        references={"staff_id": "staff.staff_id"},
    )
    project = draft(tmp_path, staff, offices)
    found = [
        one for name in ("staff", "offices") for one in project.datasets[f"processed.{name}"].file.expect
    ]
    assert [one for one in found if isinstance(one, References)] == [
        References(columns={"office_id": "processed.offices.office_id"})
    ]
    assert (
        "# - references: {staff_id: processed.staff.staff_id}"
        in (tmp_path / "datasets/processed/offices.yaml").read_text()
    )


def test_what_is_bad_already_does_not_stop_the_first_run(tmp_path: Path) -> None:
    table = DraftTable(
        name="t",
        files=("a",),
        rows=1_000_000,
        columns=(
            C(name="a", type="INTEGER", unconverted=30_000),
            C(name="sold_at", type="TIMESTAMP", unconverted=30_000, min="2020-01-01", max="2023-12-31"),
        ),
    )
    file = draft(tmp_path, table).datasets["processed.t"].file
    assert file.quality_threshold == 0.85
    assert file.columns["sold_at"].required
    assert file.write.partition_by == ("year(sold_at)", "month(sold_at)")
    few = DraftTable(
        name="few", files=("a",), rows=100, columns=(C(name="a", type="INTEGER", unconverted=2),)
    )
    assert draft(tmp_path / "few", few).datasets["processed.few"].file.quality_threshold is None


def test_the_readme_says_what_was_found_and_what_comes_next(tmp_path: Path) -> None:
    sales = DraftTable(
        name="sales",
        files=("a",),
        rows=1_000,
        columns=(
            C(name="sale_id", type="BIGINT", unique=True),
            C(name="sold_on", type="DATE", min="2020-01-01", max="2023-12-31"),
            C(name="total", type="DECIMAL(10,2)", min=1, max=2),
            C(name="email", type="VARCHAR", pii="email"),
        ),
    )
    draft(tmp_path, STORES, sales)
    text = (tmp_path / "README.md").read_text()
    assert 'lakewright query "select * from processed.sales limit 10"' in text
    assert "| sales | 1,000 | sale_id | email |" in text
    assert "  date_trunc('month', sold_on) as month," in text
    assert "  sum(total) as total\nfrom processed.sales" in text


def test_empty_files_promise_nothing(tmp_path: Path) -> None:
    table = DraftTable(name="t", files=("a",), rows=0, columns=(C(name="id", type="VARCHAR", unique=True),))
    file = draft(tmp_path, table).datasets["processed.t"].file
    assert file.columns == {"id": Column(type="varchar")}
    assert file.expect == ()


@pytest.mark.parametrize(
    ("table", "base"),
    [
        ("customers", "customer"),
        ("raw_orders", "order"),
        ("categories", "category"),
        ("boxes", "box"),
        ("addresses", "address"),
        ("status", "status"),
        ("employee", "employee"),
    ],
)
def test_what_a_table_speaks_of(table: str, base: str) -> None:
    assert base_name(table) == base


def test_where_the_files_are(tmp_path: Path) -> None:
    assert source_path(tmp_path / "shop", str(tmp_path / "exports")) == "../exports"
    assert source_path(tmp_path / "shop", str(tmp_path / "shop" / "in")) == "in"
    assert source_path(tmp_path / "a" / "b" / "c", str(tmp_path / "in")) == str(tmp_path / "in")
    assert source_path(tmp_path, "s3://bucket/x") == "s3://bucket/x"


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [STORES, STORES],
        [DraftTable(name="A b", files=("a",), columns=())],
        [DraftTable(name="a", files=("a",), columns=(C(name="_x", type="DATE"),))],
        [DraftTable(name="a", files=("a",), columns=(C(name="x", type="DATE"), C(name="X", type="DATE")))],
    ],
)
def test_names_that_no_project_can_have(tmp_path: Path, tables: list[DraftTable]) -> None:
    with pytest.raises(ValueError, match=r"name|table"):
        write_project(tmp_path, name="x", source="in", tables=tables)
    assert list(tmp_path.iterdir()) == []


# --- whatever the files hold

_scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_value = st.recursive(
    _scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(_value)
def test_flow_reads_back_as_it_was(value: object) -> None:
    document = parse(f"a: {flow(value)}\nb: [{flow(value)}]\n".encode(), "x")
    assert isinstance(document, Document), (document, flow(value))
    assert plain(document.root) == {"a": value, "b": [value]}


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[A-Za-z][\w ,.-]{0,9}", fullmatch=True))
def test_a_line_reads_back_as_it_was(text: str) -> None:
    document = parse(f"a: {line(text)}\nb: 1\n".encode(), "x")
    assert isinstance(document, Document), (document, line(text))
    assert plain(document.root) == {"a": text, "b": 1}


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.tuples(st.text(), st.text()), min_size=1, max_size=4))
def test_aligned_lines_read_back_whatever_their_comments(entries: dict[str, tuple[str, str]]) -> None:
    text = aligned((key, flow(value), note) for key, (value, note) in entries.items())
    document = parse(text.encode(), "x")
    assert isinstance(document, Document), text
    assert plain(document.root) == {key: value for key, (value, _) in entries.items()}


_name = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
_column = st.builds(
    DraftColumn,
    name=_name | st.sampled_from(["id", "no", "null", "total", "updated_at", "order_date", "a_id"]),
    original=st.text(max_size=8),
    type=st.sampled_from(
        [
            "BIGINT",
            "VARCHAR",
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP WITH TIME ZONE",
            "DOUBLE",
            "DECIMAL(18,3)",
            "BOOLEAN",
            "STRUCT(a INTEGER, b VARCHAR)",
            "VARCHAR[]",
            "BLOB",
            "UUID",
            "TIME",
            "",
            "strange",
        ]
    ),
    nulls=st.integers(0, 3),
    unique=st.booleans(),
    distinct=st.none() | st.integers(0, 9),
    min=_scalar.filter(lambda one: not isinstance(one, bool))
    | st.sampled_from(["2020-01-01", "2021-05-05 10:00:00"]),
    max=_scalar.filter(lambda one: not isinstance(one, bool))
    | st.sampled_from(["2024-01-01", "2031-05-05 10:00:00"]),
    values=st.lists(st.text(max_size=6), max_size=5, unique=True).map(tuple),
    format=st.sampled_from([None, "%d/%m/%Y", "%Y%m%d", "%H:%M"]),
    pii=st.sampled_from([None, "email", "a: b"]),
)
_table = st.builds(
    DraftTable,
    name=_name,
    files=st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=2).map(tuple),
    columns=st.lists(_column, max_size=5, unique_by=lambda one: one.name).map(tuple),
    format=st.sampled_from(["auto", "csv", "parquet", "json"]),
    rows=st.sampled_from([None, 0, 5, 50, 5_000_000]),
    notes=st.lists(st.text(max_size=9), max_size=1).map(tuple),
    key=st.sampled_from([(), ("id",), ("id", "no")]),
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(_table, min_size=1, max_size=3, unique_by=lambda one: one.name),
    st.text(min_size=1).filter(str.strip),
)
def test_any_draft_loads_without_a_problem(
    tmp_path_factory: pytest.TempPathFactory, tables: list[DraftTable], name: str
) -> None:
    draft(tmp_path_factory.mktemp("draft"), *tables, name=name)
