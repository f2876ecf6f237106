"""Every type of every database reaches raw as the value that it was."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, isnan
from pathlib import Path
from typing import Any

import pytest
from database_folder import Project, mysql_source, postgres_source, sqlite_source

from servers import MariaDB


def _loaded(project: Project, expected: dict[str, tuple[str, Any]]) -> None:
    """Hold types and the values of the row ``id = 1`` to *expected*; what differs is shown together."""
    types = project.types()
    row = project.raw(query="SELECT * FROM raw WHERE id = 1")[0]
    found = {name: (types[name], value) for name, value in zip(types, row, strict=True) if name != "id"}
    assert found == expected


def test_postgres(tmp_path: Path, postgres_database: str) -> None:
    source = postgres_source(postgres_database)
    columns: dict[str, tuple[str, str, str, Any]] = {
        "small": ("smallint", "-32768", "SMALLINT", -32768),
        "big": ("bigint", "9223372036854775807", "BIGINT", 9223372036854775807),
        "price": ("numeric(10,2)", "1.25", "DECIMAL(10,2)", Decimal("1.25")),
        "widest": ("numeric(38,0)", "9" * 38, "DECIMAL(38,0)", Decimal("9" * 38)),
        "unbound": ("numeric", "1e40 + 0.5", "VARCHAR", "1" + "0" * 40 + ".5"),
        "too_wide": ("numeric(50,2)", "'NaN'", "VARCHAR", "nan"),
        "float": ("double precision", "'-Infinity'", "DOUBLE", -inf),
        "yes": ("boolean", "true", "BOOLEAN", True),
        "word": ("text", "E'\\u00e9\\n\"'", "VARCHAR", 'é\n"'),
        "padded": ("char(4)", "'ab'", "VARCHAR", "ab  "),
        "bytes": ("bytea", "'\\x00ff'", "BLOB", b"\x00\xff"),
        "day": ("date", "'0044-03-15'", "DATE", date(44, 3, 15)),
        "at": ("time", "'12:34:56.789'", "TIME", time(12, 34, 56, 789000)),
        "at_zone": ("timetz", "'12:00+02'", "VARCHAR", "12:00:00+02"),
        "moment": ("timestamp", "'2024-01-02 03:04:05.678901'", "TIMESTAMP",
                   datetime(2024, 1, 2, 3, 4, 5, 678901)),
        "moment_zone": ("timestamptz", "'2024-01-02 03:04:05+02'", "TIMESTAMP WITH TIME ZONE",
                        datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)),
        "code": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "UUID",
                uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        "doc": ("jsonb", "'{\"a\": [1]}'", "JSON", '{"a": [1]}'),
        "doc_text": ("json", "'{\"a\":  1}'", "JSON", '{"a":  1}'),
        "mood": ("mood", "'glad'", "VARCHAR", "glad"),
        "moods": ("mood[]", "'{glad,sad}'", "VARCHAR[]", ["glad", "sad"]),
        "numbers": ("int[]", "'{1,null}'", "INTEGER[]", [1, None]),
        "prices": ("numeric(6,2)[]", "'{1.5}'", "DECIMAL(6,2)[]", [Decimal("1.50")]),
        "matrix": ("int[]", "'{{1,2},{3,4}}'", "JSON", "[[1,2],[3,4]]"),
        "address": ("inet", "'10.0.0.1'", "VARCHAR", "10.0.0.1/32"),
        "money_": ("money", "1.20", "DECIMAL(19,2)", Decimal("1.20")),
        "positive": ("positive", "5", "INTEGER", 5),
        "oid_": ("oid", "4294967295", "BIGINT", 4294967295),
        "none": ("text", "NULL", "VARCHAR", None),
    }  # fmt: skip
    made = ", ".join(f'"{name}" {one[0]}' for name, one in columns.items())
    values = ", ".join(one[1] for one in columns.values())
    source.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        f"CREATE TABLE t (id int PRIMARY KEY, {made})",
        f"INSERT INTO t VALUES (1, {values})",
    )
    project = Project(tmp_path, source)
    project.declare("t: {table: public.t}")
    assert project.take().notes == ()
    _loaded(project, {name: (one[2], one[3]) for name, one in columns.items()})


def test_infinity_and_intervals_of_postgres(tmp_path: Path, postgres_database: str) -> None:
    source = postgres_source(postgres_database)
    source.run(
        "CREATE TABLE t (id int, d date, s timestamp, z timestamptz, many date[], i interval)",
        "INSERT INTO t VALUES (1, 'infinity', 'infinity', 'infinity', '{infinity}', '1 month'),"
        " (2, '-infinity', '-infinity', '-infinity', '{-infinity,2024-01-01}', '30 days 01:00')",
    )
    project = Project(tmp_path, source)
    project.declare("t: {table: public.t}")
    project.take()
    shown = project.raw(
        query="SELECT id, d::VARCHAR, s::VARCHAR, z::VARCHAR, many[1]::VARCHAR, i::VARCHAR FROM raw"
    )
    assert shown == [
        (1, "infinity", "infinity", "infinity", "infinity", "1 month"),
        (2, "-infinity", "-infinity", "-infinity", "-infinity", "30 days 01:00:00"),
    ]


def test_a_numeric_that_is_no_number_is_counted(tmp_path: Path, postgres_database: str) -> None:
    source = postgres_source(postgres_database)
    source.run(
        "CREATE TABLE t (id int, n numeric(10,2), f real)",
        "INSERT INTO t VALUES (1, 'NaN', 'NaN'), (2, 1.5, 1), (3, 'NaN', 2)",
    )
    project = Project(tmp_path, source)
    project.declare("t: {table: public.t, slices: 2}")
    assert project.take().notes == ("n: 2 values that no DECIMAL(10,2) holds were taken as null",)
    rows = project.raw(query="SELECT id, n, f FROM raw ORDER BY id")
    assert [row[:2] for row in rows] == [(1, None), (2, Decimal("1.50")), (3, None)]
    assert isnan(rows[0][2])


def test_mysql(tmp_path: Path, mariadb: MariaDB, mariadb_database: str) -> None:
    source = mysql_source(mariadb, mariadb_database)
    columns: dict[str, tuple[str, str, str, Any]] = {
        "tiny": ("tinyint(1)", "2", "TINYINT", 2),
        "tiny_u": ("tinyint unsigned", "255", "UTINYINT", 255),
        "medium_u": ("mediumint unsigned", "16777215", "UINTEGER", 16777215),
        "int_u": ("int unsigned", "4294967295", "UINTEGER", 4294967295),
        "big_u": ("bigint unsigned", "18446744073709551615", "UBIGINT", 18446744073709551615),
        "price": ("decimal(20,4)", "-1.5", "DECIMAL(20,4)", Decimal("-1.5000")),
        "price_u": ("decimal(10,0) unsigned", "9999999999", "DECIMAL(10,0)", Decimal("9999999999")),
        "widest": ("decimal(65,2)", "1" + "0" * 50, "VARCHAR", "1" + "0" * 50 + ".00"),
        "double_": ("double", "0.1", "DOUBLE", 0.1),
        "bits": ("bit(8)", "b'10000001'", "UBIGINT", 129),
        "day": ("date", "'2024-01-31'", "DATE", date(2024, 1, 31)),
        "moment": ("datetime(6)", "'2024-01-31 10:11:12.123456'", "TIMESTAMP",
                   datetime(2024, 1, 31, 10, 11, 12, 123456)),
        "stamp": ("timestamp", "'2024-01-31 10:11:12'", "TIMESTAMP WITH TIME ZONE",
                  datetime(2024, 1, 31, 10, 11, 12, tzinfo=UTC)),
        "span": ("time", "'-838:59:59'", "VARCHAR", "-838:59:59"),
        "year_": ("year", "2155", "USMALLINT", 2155),
        "kind": ("enum('a','b')", "'a'", "VARCHAR", "a"),
        "kinds": ("set('x','y')", "'x,y'", "VARCHAR", "x,y"),
        "word": ("varchar(20)", "'é😀'", "VARCHAR", "é😀"),
        "latin": ("varchar(20) character set latin1", "'é'", "VARCHAR", "é"),
        "bytes": ("blob", "x'00ff'", "BLOB", b"\x00\xff"),
        "fixed": ("binary(4)", "'ab'", "BLOB", b"ab\0\0"),
        "place": ("point", "point(1, 2)", "VARCHAR", "POINT(1 2)"),
        "none": ("int", "NULL", "INTEGER", None),
    }  # fmt: skip
    made = ", ".join(f"`{name}` {one[0]} NULL" for name, one in columns.items())
    values = ", ".join(one[1] for one in columns.values())
    source.run(f"CREATE TABLE t (id int PRIMARY KEY, {made})", "SET time_zone = '+00:00'")
    # one connection, so that the time zone holds
    with mariadb.connect(mariadb_database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(f"INSERT INTO t VALUES (1, {values})")
    project = Project(tmp_path, source)
    project.declare("t: {table: t}")
    assert project.take().notes == ()
    _loaded(project, {name: (one[2], one[3]) for name, one in columns.items()})


def test_days_of_mysql_that_no_calendar_has_are_counted(
    tmp_path: Path, mariadb: MariaDB, mariadb_database: str
) -> None:
    with mariadb.connect(mariadb_database.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES'")
        cursor.execute("CREATE TABLE t (id int, d date, at datetime)")
        cursor.execute(
            "INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00 00:00:00'), (2, '2024-02-30', '2024-01-01'),"
            " (3, '2024-02-29', '2024-00-10'), (4, NULL, NULL)"
        )
    project = Project(tmp_path, mysql_source(mariadb, mariadb_database))
    project.declare("t: {table: t}")
    assert project.take().notes == (
        "d: 2 values that no DATE holds were taken as null",
        "at: 2 values that no TIMESTAMP holds were taken as null",
    )
    rows = project.raw(query='SELECT id, d::VARCHAR, "at"::VARCHAR FROM raw ORDER BY id')
    assert rows == [
        (1, None, None),
        (2, None, "2024-01-01 00:00:00"),
        (3, "2024-02-29", None),
        (4, None, None),
    ]


def test_sqlite_by_its_values(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path / "a.db")
    source.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price NUMERIC(10,2), word TEXT, bytes BLOB, anything, real REAL,"
        " none INTEGER, whole REAL, at DATETIME)",
        "INSERT INTO t VALUES (1, 0.99, 'é', x'00ff', 0.1, 0.1, NULL, 3, '2024-01-01 00:00:00')",
        "INSERT INTO t VALUES (2, 2, '', x'', x'ff', 1e300, NULL, 4, 'soon')",
        "INSERT INTO t VALUES (3, NULL, NULL, NULL, 'text', 9e999, NULL, NULL, NULL)",
    )
    project = Project(tmp_path, source)
    project.declare("t: {table: t}")
    project.take()
    assert project.types() == {
        "id": "BIGINT",
        "price": "DOUBLE",
        "word": "VARCHAR",
        "bytes": "BLOB",
        "anything": "VARCHAR",
        "real": "DOUBLE",
        "none": "BIGINT",
        "whole": "DOUBLE",
        "at": "VARCHAR",
    }
    assert project.raw(query="FROM raw ORDER BY id") == [
        (1, 0.99, "é", b"\x00\xff", "0.10000000000000001", 0.1, None, 3.0, "2024-01-01 00:00:00"),
        (2, 2.0, "", b"", "FF", 1e300, None, 4.0, "soon"),
        (3, None, None, None, "text", inf, None, None, None),
    ]


@pytest.mark.parametrize("kind", ["postgres", "mysql", "sqlite"])
def test_nasty_names(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    quote = "`" if kind == "mysql" else '"'
    names = ["order", "we\"ird na'me", "ключ", "a.b", "Name", "100%s", "back\\slash", "semi;colon"]
    if kind == "postgres":
        source = postgres_source(request.getfixturevalue("postgres_database"))
        names.append("name")  # another column than Name
    elif kind == "mysql":
        source = mysql_source(request.getfixturevalue("mariadb"), request.getfixturevalue("mariadb_database"))
    else:
        source = sqlite_source(tmp_path / "a.db")
    made = ", ".join(f"{quote}{one.replace(quote, 2 * quote)}{quote} int" for one in names)
    table = 'Select "x" y.z'
    spelled = f"{quote}{table.replace(quote, 2 * quote)}{quote}"
    values = ", ".join(str(number) for number in range(len(names)))
    source.run(f"CREATE TABLE {spelled} ({made})", f"INSERT INTO {spelled} VALUES ({values})")
    project = Project(tmp_path, source)
    schema = "public." if kind == "postgres" else ""
    written = f'{schema}"{table.replace(chr(34), 2 * chr(34))}"'
    project.declare(f"t:\n  table: '{written}'")
    project.take()
    expected = [*names[:-1], "name_1"] if kind == "postgres" else names
    assert list(project.types()) == expected
    assert project.raw() == [tuple(range(len(names)))]
