"""Personal data told by names and values: what is found, what is left alone, and that no value is shown."""

from __future__ import annotations

import json
import sys
from hashlib import md5
from pathlib import Path

import pyarrow as pa
import pytest
from stdnum import luhn
from stdnum.fr import nir
from stdnum.pl import pesel

from lakewright.sources.guess_pii import find_pii, mask_for
from lakewright.sources.pii_values import NATIONAL_IDS, shape

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

PESEL = [
    f"{body}{pesel.calc_check_digit(body)}"
    for body in (f"900{month}12{n:04}" for month in range(1, 9) for n in (1234, 77))
]
NIR = [
    f"{body}{nir.calc_check_digits(body)}"
    for body in (f"28507{dep}4{n:05}" for dep in (75, 13) for n in range(100, 110))
]
CARDS = [f"4{n:014}{luhn.calc_check_digit(f'4{n:014}')}" for n in range(1000, 1020)]


@pytest.mark.parametrize(
    ("column", "values", "kind", "expected"),
    [
        ("x", ["a@b.com", "c.d@e.org"], "VARCHAR", "email"),
        ("x", ["+49 30 901820", "+44 20 7946 0958", "+1 650-253-0000"], "VARCHAR", "phone"),
        ("x", ["(555) 123-4567", "555-123-9999"], "VARCHAR", "phone"),
        ("x", ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"], "VARCHAR", "iban"),
        ("x", ["10.0.0.1", "2001:db8::1"], "VARCHAR", "ip"),
        ("x", CARDS, "BIGINT", "card"),
        ("x", CARDS, "VARCHAR", "card"),
        ("x", PESEL, "VARCHAR", "national_id"),
        ("x", NIR, "BIGINT", "national_id"),
        ("cpf", ["390.533.447-05", "111.444.777-35"], "VARCHAR", "national_id"),
        ("employee_dni", ["54362315K"], "VARCHAR", "national_id"),
        ("birthdate", ["1948-12-08 00:00:00", "1952-02-19 00:00:00"], "TIMESTAMP", "birth_date"),
        ("remark", ["please call +49 30 901820 today", "thanks a lot for it"], "VARCHAR", "free_text"),
        ("remark", ["his card is 4111 1111 1111 1111 you know"], "VARCHAR", "free_text"),
    ],
)
def test_what_is_found(column: str, values: list[str], kind: str, expected: str) -> None:
    found = find_pii(column, "t", values, kind)
    assert found is not None and found.kind == expected
    assert 0.5 <= found.confidence <= 1
    assert all(value not in found.evidence for value in values)
    assert mask_for(found.kind, kind)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("order_no", [str(100_000_000 + n * 7) for n in range(200)], "BIGINT"),
        ("order_id", [str(n) for n in range(1, 500)], "BIGINT"),
        ("sku", [f"SKU-{n:06}" for n in range(200)], "VARCHAR"),
        # as long as numbers of people in China, and what its validator does not expect
        ("customer_key", [str(int(md5(b"%d" % n).hexdigest()[:15], 16)) for n in range(3000)], "BIGINT"),
        ("barcode", [str(4006381333931 + n) for n in range(200)], "BIGINT"),
        ("isbn", ["9780306406157", "9783161484100"], "VARCHAR"),
        ("at", [f"2024-01-{1 + n % 28:02} 10:00:{n % 60:02}" for n in range(200)], "VARCHAR"),
        ("epoch_ms", [str(1_700_000_000_000 + n * 977) for n in range(300)], "BIGINT"),
        ("code", [f"{10_000_000_000 + n}" for n in range(500)], "VARCHAR"),
        ("uuid", [f"550e8400-e29b-41d4-a716-4466554{n:05}" for n in range(90)], "VARCHAR"),
        ("version", ["1.2.3.4", "10.0.0.1"], "VARCHAR"),
        ("product_name", ["Chai", "Tofu"], "VARCHAR"),
        ("phone", ["Model X", "Model Y"], "VARCHAR"),
        ("birth_date", ["2199-01-01"], "DATE"),
        ("amount", ["3.50", "4.50"], "DECIMAL(10,2)"),
        ("description", ["a very long text about nothing", "it has 3 parts and costs 12.50"], "VARCHAR"),
    ],
)
def test_what_is_left_alone(column: str, values: list[str], kind: str) -> None:
    assert find_pii(column, "t", values, kind) is None


def test_every_national_number_has_its_module() -> None:
    import importlib

    assert all(hasattr(importlib.import_module(f"stdnum.{name}"), "is_valid") for name, _ in NATIONAL_IDS)


def test_naughty_strings(shared_data: Path) -> None:
    strings = json.loads((shared_data / "naughty-strings/blns.json").read_text("utf-8"))
    for column in ("a", "name", "note", "phone", "email", "dob", "ssn", "card_number"):
        assert find_pii(column, "t", strings, "VARCHAR") is None, column
    for value in strings:
        find_pii("email", "customers", [value] * 3, "VARCHAR")
        assert "\n" not in shape(value)


def _found(tables: dict[str, pa.Table]) -> set[str]:
    return {
        f"{table}.{name}:{found.kind}"
        for table, rows in tables.items()
        for name in rows.column_names
        if (found := find_pii(name, table, _texts(rows[name]), _kind(rows[name].type)))
    }


def _texts(column: pa.ChunkedArray) -> list[str]:
    return list(dict.fromkeys(str(one)[:500] for one in column.to_pylist() if one is not None))[:500]


def _kind(type: pa.DataType) -> str:
    if pa.types.is_temporal(type):
        return "TIMESTAMP"
    return "BIGINT" if pa.types.is_integer(type) else "VARCHAR" if pa.types.is_string(type) else "DOUBLE"


def test_chinook(shared_data: Path) -> None:
    from shared_tables import chinook

    people = ("FirstName:name", "LastName:name", "Address:address", "PostalCode:address", "Phone:phone")
    contact = (*people, "Fax:phone", "Email:email")
    assert _found(chinook(shared_data)) == {
        *(f"Customer.{one}" for one in contact),
        *(f"Employee.{one}" for one in (*contact, "BirthDate:birth_date")),
        "Invoice.BillingAddress:address",
        "Invoice.BillingPostalCode:address",
    }


def test_northwind(shared_data: Path) -> None:
    from shared_tables import northwind

    found = _found(northwind(shared_data))
    assert {
        "customers.contact_name:name",
        "customers.phone:phone",
        "employees.birth_date:birth_date",
    } <= found
    allowed = (
        "address",
        "postal_code",
        "phone",
        "fax",
        "contact_name",
        "first_name",
        "last_name",
        "birth_date",
    )
    assert {one for one in found if not one.split(":")[0].endswith(allowed)} <= {"employees.notes:free_text"}
