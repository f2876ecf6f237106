"""Surveys for ``init --from``: tables from files, types and personal data from values."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakewright.sources.grouping import by_header, by_name, name_groups
from lakewright.sources.guess_pii import find_pii
from lakewright.sources.profile import survey


@pytest.mark.parametrize(
    ("column", "values", "kind", "expected"),
    [
        ("contact", ["a@b.com", "c.d@e.org"], "varchar", "email"),
        ("email", ["none", "unknown"], "varchar", ""),
        ("Phone Number", ["+43 1 234 56 78", "(02) 9876-5432"], "varchar", "phone"),
        ("phone_model", ["X200"], "varchar", ""),
        ("addr", ["10.0.0.1", "192.168.1.20"], "varchar", "ip"),
        ("version", ["1.2", "10.3"], "varchar", ""),
        ("paid_with", ["4111 1111 1111 1111", "5500000000000004"], "varchar", "card"),
        ("barcode", ["4006381333931", "4006381333948"], "bigint", ""),
        ("tax_no", ["123-45-6789", "078-05-1120"], "varchar", "ssn"),
        ("date_of_birth", ["1990-01-01"], "date", "birth_date"),
        ("last_name", ["Bach"], "varchar", "name"),
        ("product_name", ["Chai"], "varchar", ""),
        ("billing_address", ["Main St 1"], "varchar", "address"),
        ("postal_code", ["01067"], "varchar", "address"),
        ("amount", ["3.50"], "decimal(10,2)", ""),
    ],
)
def test_personal_data_is_guessed(column: str, values: list[str], kind: str, expected: str) -> None:
    found = find_pii(column, "orders", values, kind)
    assert (found.kind if found else "") == expected


def test_name_is_personal_in_a_table_of_people_only() -> None:
    found = find_pii("name", "customers", ["Ann"], "varchar")
    assert found is not None and found.kind == "name"
    assert find_pii("name", "products", ["Ann"], "varchar") is None


def test_files_are_grouped_by_what_varies() -> None:
    paths = [
        "orders_2024-01.csv",
        "orders_2024-02.csv",
        "customers.csv",
        "events/year=2024/month=1/part-0.parquet",
        "events/year=2024/month=2/part-0.parquet",
        "sales_north.csv",
        "sales_south.csv",
        "q01.csv",
        "q02.csv",
    ]
    headers = dict.fromkeys(paths, ("a", "b")) | {"q01.csv": ("x", "y"), "q02.csv": ("z",)}
    groups = name_groups(by_header(by_name(paths), headers), paths, "export")
    assert {group.name: group.files for group in groups} == {
        "customers": ("customers.csv",),
        "events": ("events/**/part*.parquet",),
        "orders": ("orders*.csv",),
        "q01": ("q01.csv",),
        "q02": ("q02.csv",),
        "sales": ("sales*.csv",),
    }


def test_a_survey_tells_types_keys_and_what_was_left_out(tmp_path: Path) -> None:
    rows = [
        f"{n},{n:05},a{n}@x.org,2024-01-{n % 28 + 1:02},{n % 7}.50,{'open' if n % 2 else 'done'},{31 - n % 28}/12/2023,{n % 3 or 'NA'}"
        for n in range(1, 101)
    ]
    header = "order_id,code,email,day,price,status,european,count"
    (tmp_path / "orders_1.csv").write_text("\n".join([header, *rows[:50]]) + "\n")
    (tmp_path / "orders_2.csv").write_text("\n".join([header, *rows[50:], "broken"]) + "\n")
    (tmp_path / "notes.md").write_text("# nothing\n")
    (tmp_path / "bad.json").write_text("{")
    found = survey(tmp_path)
    (table,) = found.tables
    assert (table.name, table.files, table.file_count, table.rows) == ("orders", ("orders*.csv",), 2, 100)
    columns = {one.name: one for one in table.columns}
    assert {name: one.type for name, one in columns.items()} == {
        "order_id": "bigint",
        "code": "varchar",
        "email": "varchar",
        "day": "date",
        "price": "decimal(10,2)",
        "status": "varchar",
        "european": "date",
        "count": "integer",
    }
    assert columns["order_id"].unique and columns["email"].pii == "email"
    assert columns["status"].values == ("done", "open")
    assert columns["european"].format == "%d/%m/%Y"
    assert table.options["nulls"] == ["NA"]
    assert {path for path, _ in found.skipped} == {"notes.md", "bad.json"}
