"""MySQL and MariaDB: rows stream through DuckDB's extension, PyMySQL tells what they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.engine.extensions import load
from lakewright.sources.database.address import Address
from lakewright.sources.database.faults import fault
from lakewright.sources.database.model import (
    Column,
    Database,
    Interrupts,
    Value,
    copy_to,
    explained,
    landing,
    named,
    quoted,
)

__all__ = ["MysqlDatabase"]

#: How the extension reads: whole results are neither kept nor cut off, numbers stay numbers.
_SETTINGS = {
    "mysql_tinyint1_as_boolean": "false",
    "mysql_bit1_as_boolean": "false",
    "mysql_query_timeout_enabled": "false",
    "mysql_session_time_zone": "'+00:00'",
}

_BINARY = 63  # the character set of bytes
_UNSIGNED = 32
_ENUM, _SET = 256, 2048

_TABLES = """
SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = DATABASE()
AND table_type IN ('BASE TABLE', 'VIEW') ORDER BY 1, 2
"""
_KEY = """
SELECT column_name FROM information_schema.key_column_usage WHERE constraint_name = 'PRIMARY'
AND table_schema = COALESCE(%s, DATABASE()) AND table_name = %s ORDER BY ordinal_position
"""
_ROWS = "SELECT table_rows FROM information_schema.tables WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s"


class MysqlDatabase(Database):
    """A transaction with a consistent view of InnoDB's tables; tables of other engines are read as they are."""

    dialect = "mysql"

    def __init__(self, address: Address, cursor: duckdb.DuckDBPyConnection, interrupts: Interrupts) -> None:
        super().__init__(address, cursor, interrupts)
        import pymysql  # type: ignore[import-untyped]

        try:
            self._control = self._connect()
        except pymysql.MySQLError as error:
            raise fault(error, address, "connecting") from error
        self._name = f"_mysql_{secrets.token_hex(6)}"
        self._reader = cursor.cursor()
        self._number = 0
        self.interrupts.callbacks.append(self._stop)
        try:
            self._attach()
        except duckdb.Error as error:
            self.close()
            raise fault(error, address, "connecting") from error

    def _connect(self) -> Any:
        import pymysql

        address = self.address
        return pymysql.connect(
            host=address.host,
            port=address.port or 3306,
            user=address.user,
            password=address.password,
            database=address.database or None,
            charset="utf8mb4",
            connect_timeout=15,
            autocommit=True,
            ssl={"ssl": {}} if _encrypted(address) else None,
        )

    def _stop(self) -> None:
        """End the reading: DuckDB waits for the server's answer, so the server has to hang up."""
        self._reader.interrupt()
        with suppress(Exception), self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("KILL %s", (self._number,))

    def _begin(self) -> None:
        self._reader.execute("BEGIN")
        asked = exp.select("*").from_(self._asked(exp.select(exp.Anonymous(this="CONNECTION_ID"))))
        row = self._reader.execute(asked.sql("duckdb")).fetchone()
        self._number = int(row[0]) if row else 0

    def _attach(self) -> None:
        load(self._reader, "mysql_scanner")
        for name, value in _SETTINGS.items():
            self._reader.execute(f"SET {name} = {value}")
        address = self.address
        given = {
            "HOST": address.host,
            "PORT": str(address.port or 3306),
            "USER": address.user,
            "PASSWORD": address.password,
            "DATABASE": address.database,
            "SSL_MODE": address.options.get("ssl_mode", "").lower(),
        }
        settings = ", ".join(
            f"{key} {exp.Literal.string(value).sql('duckdb')}" for key, value in given.items() if value
        )
        self._reader.execute(f"CREATE TEMPORARY SECRET {self._name} (TYPE mysql, {settings})")
        self._reader.execute(f"ATTACH '' AS {self._name} (TYPE mysql, READ_ONLY, SECRET {self._name})")
        self._begin()

    def columns(self, what: exp.Expr) -> tuple[Column, ...]:
        import pymysql

        query = exp.select("*").from_(what.copy()).limit(0)
        try:
            with self._control.cursor() as cursor:
                cursor.execute(query.sql("mysql"))
                fields = list(cursor._result.fields if cursor._result is not None else ())
        except pymysql.MySQLError as error:
            raise fault(error, self.address, "looking at the columns") from error
        names = named([one.name for one in fields])
        return tuple(_column(one, name) for one, name in zip(fields, names, strict=True))

    def land(
        self, query: exp.Select, columns: Sequence[Column], file: Path, *, lenient: bool = False
    ) -> None:
        try:
            with explained(self.address, "reading"):
                self._reader.execute(copy_to(landing(columns, self._asked(query), lenient=lenient), file))
        except duckdb.ConversionException:
            # what is counted and read again instead belongs to one moment too, a later one
            self._reader.execute("ROLLBACK")
            self._begin()
            raise

    def count(self, query: exp.Select) -> list[int]:
        # on the connection that reads, so that what is counted is what is read
        whole = exp.select("*").from_(self._asked(query))
        with explained(self.address, "counting"):
            row = self._reader.execute(whole.sql("duckdb")).fetchone()
        return [int(one or 0) for one in row or ()]

    def _asked(self, query: exp.Expr) -> exp.Expr:
        texts = [exp.Literal.string(self._name), exp.Literal.string(query.sql("mysql"))]
        return exp.Table(this=exp.Anonymous(this="mysql_query", expressions=texts))

    def tables(self) -> list[tuple[str, str]]:
        return [(str(schema), str(table)) for schema, table in self._rows(_TABLES)]

    def estimate(self, what: exp.Expr) -> int | None:
        rows = self._rows(_ROWS, what.db or None, what.name) if isinstance(what, exp.Table) else ()
        return int(rows[0][0]) if rows and rows[0][0] is not None else None

    def key_of(self, what: exp.Table) -> tuple[str, ...]:
        return tuple(str(row[0]) for row in self._rows(_KEY, what.db or None, what.name))

    def _rows(self, statement: str, *values: object) -> Sequence[Any]:
        import pymysql

        try:
            with self._control.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise fault(error, self.address, "looking at the table") from error

    def close(self) -> None:
        with suppress(Exception):
            self._control.close()
        for statement in ("ROLLBACK", f"DETACH {self._name}", f"DROP TEMPORARY SECRET {self._name}"):
            with suppress(duckdb.Error):
                self._reader.execute(statement)
        with suppress(ValueError, duckdb.Error):
            self.interrupts.callbacks.remove(self._stop)
            self._reader.close()


def _encrypted(address: Address) -> bool:
    return address.options.get("ssl_mode", "").lower() in ("required", "verify_ca", "verify_identity")


def _column(one: Any, name: str) -> Column:
    """What a field of a result is in raw. Codes: the protocol's ``enum_field_types``."""
    from pymysql.constants import FIELD_TYPE as T  # type: ignore[import-untyped]

    asked = quoted(one.name)
    unsigned = bool(one.flags & _UNSIGNED)
    whole = {
        T.TINY: "TINYINT", T.SHORT: "SMALLINT", T.INT24: "INTEGER", T.LONG: "INTEGER", T.LONGLONG: "BIGINT",
    }  # fmt: skip

    def plain(type: str) -> Column:
        return Column(one.name, name, type.lower(), type, asked, _to(type))

    code = one.type_code
    if code in whole:
        return plain(("U" if unsigned else "") + whole[code])
    if code == T.YEAR:
        return plain("USMALLINT")
    if code in (T.FLOAT, T.DOUBLE):
        return plain("FLOAT" if code == T.FLOAT else "DOUBLE")
    if code in (T.DECIMAL, T.NEWDECIMAL):
        # its length counts the point, and the sign where there may be one
        precision = one.length - (1 if one.scale else 0) - (0 if unsigned else 1)
        type = f"DECIMAL({precision},{one.scale})" if precision <= 38 else "VARCHAR"
        return Column(one.name, name, "decimal", type, _text(asked), _to(type))
    if code in (T.DATE, T.NEWDATE, T.DATETIME, T.TIMESTAMP):
        return _moment(
            one.name, name, asked, {T.DATETIME: "datetime", T.TIMESTAMP: "timestamp"}.get(code, "date")
        )
    if code == T.BIT:
        # bits come as bytes, most significant first
        return Column(one.name, name, "bit", "UBIGINT", asked + exp.Literal.number(0), _to("UBIGINT"))
    if code == T.TIME:
        return Column(one.name, name, "time", "VARCHAR", _text(asked))
    if code == T.JSON:
        return Column(one.name, name, "json", "JSON", _text(asked), _to("JSON"))
    if code == T.GEOMETRY:
        return Column(
            one.name, name, "geometry", "VARCHAR", exp.Anonymous(this="ST_AsText", expressions=[asked])
        )
    if one.charsetnr == _BINARY and not one.flags & (_ENUM | _SET):
        return Column(one.name, name, "binary", "BLOB", asked, _to("BLOB"))
    return Column(one.name, name, "text", "VARCHAR", _text(asked))


def _moment(source: str, name: str, asked: exp.Expr, kind: str) -> Column:
    """Dates and times come as text: MySQL holds days that no calendar has, 0000-00-00 among them."""
    type = {"date": "DATE", "datetime": "TIMESTAMP"}.get(kind, "TIMESTAMP WITH TIME ZONE")
    refused = exp.and_(
        exp.not_(exp.Is(this=asked.copy(), expression=exp.Null())),
        exp.or_(
            exp.Anonymous(this="MONTH", expressions=[asked.copy()]).eq(exp.Literal.number(0)),
            exp.Anonymous(this="DAYOFMONTH", expressions=[asked.copy()]).eq(exp.Literal.number(0)),
            exp.Is(this=exp.Anonymous(this="LAST_DAY", expressions=[asked.copy()]), expression=exp.Null()),
            exp.Anonymous(this="DAYOFMONTH", expressions=[asked.copy()])
            > exp.Anonymous(
                this="DAYOFMONTH", expressions=[exp.Anonymous(this="LAST_DAY", expressions=[asked.copy()])]
            ),
        ),
    )

    def lenient(value: exp.Expr) -> exp.Expr:
        return exp.TryCast(this=value, to=exp.DataType.build(type, dialect="duckdb"))

    return Column(source, name, kind, type, _text(asked), _to(type), lenient, refused)


def _text(asked: exp.Expr) -> exp.Expr:
    return exp.Cast(this=asked.copy(), to=exp.DataType.build("CHAR", dialect="mysql"))


def _to(type: str) -> Value:
    return lambda value: exp.cast(value, type, dialect="duckdb")
