"""MySQL and MariaDB as a warehouse.

Tables are made and filled beside those that are served, by ``LOAD DATA LOCAL INFILE``, and one
``RENAME TABLE`` puts all of them into their places at once; foreign keys follow their tables. Views
refer to names, so they stay. New rows of tables that are added to are written in one transaction.

https://dev.mysql.com/doc/refman/8.4/en/rename-table.html, https://mariadb.com/kb/en/load-data-infile/
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from sqlglot import exp

from lakewright.errors import RunError, UsageError
from lakewright.sql.names import column, identifier, literal
from lakewright.warehouse.model import LOADS, Load, Served, Table
from lakewright.warehouse.types import mysql_type

if TYPE_CHECKING:
    import duckdb

__all__ = ["MySQL"]

_NEW, _OLD = "_new__", "_old__"
_CONNECT_SECONDS = 15
_LOCK_SECONDS = 600


class MySQL:
    """The warehouse at *url*, ``mysql://user:password@host:port/database``."""

    def __init__(self, url: str) -> None:
        try:
            import pymysql  # type: ignore[import-untyped]
        except ImportError:
            raise RunError(
                "LW852", "PyMySQL is not installed", remedy="pip install 'lakewright[mysql]'"
            ) from None
        parts = urlsplit(url)
        self.database = unquote(parts.path.removeprefix("/"))
        self.place = f"mysql://{parts.hostname or '127.0.0.1'}:{parts.port or 3306}/{self.database}"
        if not self.database:
            raise UsageError(
                "LW856", f"{self.place} names no database", remedy="write mysql://user@host/database"
            )
        self._settings: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": self.database,
            "charset": "utf8mb4",
            "autocommit": True,
            "local_infile": True,
            "connect_timeout": _CONNECT_SECONDS,
        }
        with self._explained():
            self.connection = pymysql.connect(**self._settings)
            self._do(
                "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
            )

    def served(self) -> Served:
        """See :meth:`lakewright.warehouse.model.Target.served`."""
        with self._explained():
            if LOADS not in self._objects():
                return Served()
            rows = self._do(
                f"SELECT name, kind, dataset, batch, fingerprint FROM {_quoted(LOADS)} ORDER BY place"
            )
            return Served(
                {row[2]: int(row[3]) for row in rows if row[2]},
                {row[0]: row[1] for row in rows},
                rows[0][4] if rows else "",
            )

    def load(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """See :meth:`lakewright.warehouse.model.Target.load`."""
        with self._explained():
            # whoever loads the same database waits; the lock goes with the connection
            got = self._do("SELECT GET_LOCK(%s, %s)", [f"lakewright {self.database}"[:64], _LOCK_SECONDS])
            if got[0][0] != 1:
                raise RunError("LW851", f"{self.place} is being loaded by another process")
            before = self.served()
            self._refuse_foreign(load, before)
            self._clear()
            counts = self._fill(load, cursor)
            if not load.adds:
                self._derive(load, counts, {one.name for one in load.tables if one.rows is not None})
                self._note(load, counts, f"{_NEW}{LOADS}")
                self._swap(load, before)
            else:
                self._add(load, before, counts)
            self._views(load, before)
            self._grant(load)
            self._clear()
            return counts

    # --- beside what is served

    def _fill(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        counts: dict[str, int] = {}
        sent = [one for one in load.tables if one.rows is not None]
        for one in sent:
            self._create(one)
        cursor.execute("BEGIN TRANSACTION")
        try:
            with tempfile.TemporaryDirectory(prefix="lakewright-load-") as folder:
                for one in sent:
                    counts[one.name] = self._send(one, cursor, Path(folder) / "rows.csv")
        finally:
            cursor.execute("COMMIT")
        if not load.adds:
            for one in sent:
                self._refer(one)
        for one in sent:
            self._do(f"ANALYZE TABLE {_quoted(_NEW + one.name)}")
        return counts

    def _create(self, one: Table) -> None:
        indexes = [*one.indexes, *((each.column,) for each in one.references)]
        short = {name for each in (one.key, *indexes) for name in each}
        parts = [f"{_quoted(name)} {mysql_type(name, kind, short)}" for name, kind in one.columns.items()]
        if one.key:
            parts.append(f"PRIMARY KEY ({_listed(one.key)})")
        parts += [f"INDEX ({_listed(each)})" for each in dict.fromkeys(indexes)]
        comment = f" COMMENT = {literal(one.comment[:2000]).sql('mysql')}" if one.comment else ""
        self._do(
            f"CREATE TABLE {_quoted(_NEW + one.name)} ({', '.join(parts)})"
            f" ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin{comment}"
        )

    def _send(self, one: Table, cursor: duckdb.DuckDBPyConnection, file: Path) -> int:
        """Send the rows of a table as a CSV file that the server reads from this machine."""
        assert one.rows is not None
        chosen: list[exp.Expr] = []
        quoted, names, sets = [], [], []
        for number, (name, kind) in enumerate(one.columns.items()):
            value: exp.Expr = column(name, "_sent")
            if kind == "BOOLEAN":
                value = exp.cast(value, "TINYINT")
            elif kind == "TIMESTAMP WITH TIME ZONE":
                # the session is in UTC
                value = exp.cast(value, "TIMESTAMP")
            elif kind == "BLOB":
                value = exp.Anonymous(this="hex", expressions=[value])
            names.append(f"@b{number}" if kind == "BLOB" else _quoted(name))
            if kind == "BLOB":
                sets.append(f"{_quoted(name)} = UNHEX(@b{number})")
            if kind == "VARCHAR":
                quoted.append(identifier(name).sql("duckdb"))
            chosen.append(exp.alias_(value, name, quoted=True))
        query = exp.select(*chosen).from_(one.rows.subquery("_sent"))
        options = ["FORMAT csv", "HEADER false", "NULLSTR 'NULL'", "QUOTE '\"'", "ESCAPE '\"'"]
        if quoted:
            # a text that reads NULL is told from no value by its quotes
            options.append(f"FORCE_QUOTE ({', '.join(quoted)})")
        cursor.execute(
            f"COPY ({query.sql('duckdb')}) TO {literal(str(file)).sql('duckdb')} ({', '.join(options)})"
        )
        with self.connection.cursor() as sending:
            count = sending.execute(
                f"LOAD DATA LOCAL INFILE {literal(str(file)).sql('mysql')} INTO TABLE {_quoted(_NEW + one.name)}"
                " CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
                f" LINES TERMINATED BY '\\n' ({', '.join(names)})"
                + (f" SET {', '.join(sets)}" if sets else "")
            )
            # with LOCAL a value that does not fit is cut, or a second row of a key left out, with a warning only
            sending.execute("SHOW WARNINGS LIMIT 3")
            warnings = [str(row[2]) for row in sending.fetchall()]
        file.unlink()
        if warnings:
            raise RunError("LW853", f"{self.place}: table {one.name}: {'; '.join(warnings)}")
        return int(count or 0)

    def _refer(self, one: Table) -> None:
        for each in one.references:
            self._do(
                f"ALTER TABLE {_quoted(_NEW + one.name)} ADD CONSTRAINT {_quoted('fk_' + uuid.uuid4().hex[:20])}"
                f" FOREIGN KEY ({_quoted(each.column)}) REFERENCES {_quoted(_NEW + each.table)} ({_quoted(each.key)})"
            )

    def _derive(self, load: Load, counts: dict[str, int], mine: set[str]) -> list[str]:
        """Make what queries make of the tables, and the rows of materialized views, beside what is served.

        *mine* are the tables whose new version they read. Returns the names of what was made.
        """
        plain = {one.name: one.query for one in load.views if not one.materialized}
        made: list[str] = []
        for name, query in [
            *((one.name, one.sql) for one in load.tables if one.sql is not None),
            *((one.name, one.query) for one in load.views if one.materialized),
        ]:
            text = _renamed(query, {*mine, *made}, plain, _NEW).sql("mysql")
            self._do(
                f"CREATE TABLE {_quoted(_NEW + name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin AS {text}"
            )
            made.append(name)
        for one in load.tables:
            if one.sql is not None:
                counts[one.name] = self._count(_NEW + one.name)
                for columns in one.indexes:
                    self._do(f"ALTER TABLE {_quoted(_NEW + one.name)} ADD INDEX ({_listed(columns)})")
                if one.key:
                    self._do(f"ALTER TABLE {_quoted(_NEW + one.name)} ADD PRIMARY KEY ({_listed(one.key)})")
        return made

    # --- putting it into place

    def _swap(self, load: Load, before: Served) -> None:
        there = self._objects()
        new = [name.removeprefix(_NEW) for name in there if name.startswith(_NEW)]
        gone = [name for name, kind in before.objects.items() if kind == "table" and name in there]
        moves = [
            (name, _OLD + name) for name in dict.fromkeys([*gone, *(one for one in new if one in there)])
        ]
        moves += [(_NEW + name, name) for name in new]
        self._do("RENAME TABLE " + ", ".join(f"{_quoted(a)} TO {_quoted(b)}" for a, b in moves))

    def _replace(self, new: Sequence[str], gone: Sequence[str] = ()) -> None:
        """Put the *new* tables into their places, all at once; those that were there, and the *gone*, become old."""
        there = set(self._objects())
        moves = [(name, _OLD + name) for name in dict.fromkeys([*gone, *new]) if name in there]
        moves += [(_NEW + name, name) for name in new]
        self._do("RENAME TABLE " + ", ".join(f"{_quoted(a)} TO {_quoted(b)}" for a, b in moves))

    def _add(self, load: Load, before: Served, counts: dict[str, int]) -> None:
        """Add new rows to what is served; tables that are loaded whole are replaced first, all at once."""
        whole = [one for one in load.tables if one.rows is not None and not one.upsert]
        if whole:
            self._release(load)
            self._replace([one.name for one in whole])
        self._do("START TRANSACTION")
        try:
            for one in load.tables:
                if one.upsert:
                    names = _listed(one.columns)
                    updates = (
                        ", ".join(
                            f"{_quoted(name)} = VALUES({_quoted(name)})"
                            for name in one.columns
                            if name not in one.key
                        )
                        or f"{_quoted(one.key[0])} = {_quoted(one.key[0])}"
                    )
                    self._do(
                        f"INSERT INTO {_quoted(one.name)} ({names}) SELECT {names} FROM {_quoted(_NEW + one.name)}"
                        f" ON DUPLICATE KEY UPDATE {updates}"
                    )
            for row in self._rows(load, counts):
                self._do(_INSERT_LOAD.format(_quoted(LOADS)), row)
            self._do(f"DELETE FROM {_quoted(LOADS)} WHERE run_id <> %s", [load.run_id])
            self._do("COMMIT")
        except BaseException:
            with contextlib.suppress(Exception):
                self._do("ROLLBACK")
            raise
        for one in load.tables:
            if one.upsert:
                self._do(f"DROP TABLE {_quoted(_NEW + one.name)}")
        # what queries make of the tables is made from what is served now
        made = self._derive(load, counts, set())
        if made:
            self._replace(made)

    def _release(self, load: Load) -> None:
        """Take foreign keys from tables that stay: else they would follow the old members out."""
        for one in load.tables:
            if one.upsert:
                rows = self._do(
                    "SELECT constraint_name FROM information_schema.table_constraints"
                    " WHERE table_schema = %s AND table_name = %s AND constraint_type = 'FOREIGN KEY'",
                    [self.database, one.name],
                )
                for (name,) in rows:
                    self._do(f"ALTER TABLE {_quoted(one.name)} DROP FOREIGN KEY {_quoted(name)}")

    def _views(self, load: Load, before: Served) -> None:
        plain = [one for one in load.views if not one.materialized]
        for name, kind in before.objects.items():
            if kind == "view" and name not in {one.name for one in plain}:
                self._do(f"DROP VIEW IF EXISTS {_quoted(name)}")
        for one in plain:
            self._do(
                f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {_quoted(one.name)} AS {one.query.sql('mysql')}"
            )

    def _grant(self, load: Load) -> None:
        objects = load.names
        for role in load.roles:
            account = role.name if "@" in role.name else f"{role.name}@%"
            user, _, host = account.partition("@")
            known = self._do("SELECT 1 FROM mysql.user WHERE User = %s", [user])
            if not known:
                raise RunError("LW855", f"{self.place} has no user or role {role.name!r}")
            to = (
                _quoted(user)
                if self._is_role(user)
                else f"{literal(user).sql('mysql')}@{literal(host).sql('mysql')}"
            )
            for name in objects if "*" in role.reads else role.reads:
                self._do(f"GRANT SELECT ON {_quoted(self.database)}.{_quoted(name)} TO {to}")

    def _is_role(self, name: str) -> bool:
        with contextlib.suppress(Exception):
            return bool(self._do("SELECT 1 FROM mysql.user WHERE User = %s AND is_role = 'Y'", [name]))
        return False

    # --- parts

    def _rows(self, load: Load, counts: dict[str, int]) -> list[list[object]]:
        rows: list[list[object]] = [
            [one.name, "table", one.dataset, one.batch, counts.get(one.name)] for one in load.tables
        ]
        rows += [[one.name, "table" if one.materialized else "view", "", 0, None] for one in load.views]
        at = load.at.replace(tzinfo=None)
        return [[place, *row, load.fingerprint, load.run_id, at] for place, row in enumerate(rows)]

    def _note(self, load: Load, counts: dict[str, int], name: str) -> None:
        self._do(
            f"CREATE TABLE {_quoted(name)} (place INT, name VARCHAR(64), kind VARCHAR(20), dataset VARCHAR(130),"
            " batch BIGINT, `rows` BIGINT, fingerprint VARCHAR(80), run_id VARCHAR(64), loaded_at DATETIME(6),"
            " PRIMARY KEY (name, run_id)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
        for row in self._rows(load, counts):
            self._do(_INSERT_LOAD.format(_quoted(name)), row)

    def _refuse_foreign(self, load: Load, before: Served) -> None:
        there = self._objects()
        for name in load.names:
            if name in there and name not in before.objects:
                raise RunError("LW854", f"{self.database}.{name} is there, and Lakewright did not make it")

    def _clear(self) -> None:
        """Drop what an earlier load left behind, and the old tables after a swap."""
        left = [name for name in self._objects() if name.startswith((_NEW, _OLD))]
        if left:
            self._do("SET SESSION foreign_key_checks = 0")
            self._do(f"DROP TABLE IF EXISTS {_listed(left)}")
            self._do("SET SESSION foreign_key_checks = 1")

    def _count(self, name: str) -> int:
        return int(self._do(f"SELECT COUNT(*) FROM {_quoted(name)}")[0][0])

    def _objects(self) -> list[str]:
        rows = self._do(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [self.database]
        )
        return [str(row[0]) for row in rows]

    def _do(self, statement: str, params: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    def figures(self, name: str, wanted: Sequence[exp.Expr]) -> tuple[object, ...] | None:
        """See :meth:`lakewright.warehouse.model.Target.figures`."""
        with self._explained():
            if name not in self._objects():
                return None
            return self._do(exp.select(*wanted).from_(exp.Table(this=identifier(name))).sql("mysql"))[0]

    def rewrite(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.rewrite`: a table that is loaded whole has files of its own."""

    def cancel(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.cancel`."""
        import pymysql

        with contextlib.suppress(Exception):
            other = pymysql.connect(**self._settings)
            with other, other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {int(self.connection.thread_id())}")

    def close(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.close`."""
        with contextlib.suppress(Exception):
            self.connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Any:
        """Turn the driver's errors into coded ones; they hold no password."""
        import pymysql

        try:
            yield
        except pymysql.MySQLError as error:
            number, text = (*error.args, "", "")[:2]
            # CR_CONNECTION_ERROR to CR_SERVER_LOST, access denied, too many connections
            away = number in (1040, 1044, 1045, 1049, 1129, 1130, 2002, 2003, 2005, 2006, 2013)
            raise RunError("LW851" if away else "LW853", f"{self.place}: {text or error}") from None


_INSERT_LOAD = "INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def _renamed(query: exp.Expr, mine: Iterable[str], plain: dict[str, exp.Query], prefix: str) -> exp.Expr:
    """The query over the new tables: those of *mine* by their names of now, plain views as their queries."""
    bound = query.copy()
    for node in list(bound.find_all(exp.Table)):
        if node.db:
            continue
        if node.name in plain:
            inner = _renamed(plain[node.name], mine, plain, prefix)
            assert isinstance(inner, exp.Query)
            node.replace(inner.subquery(node.alias_or_name))
        elif node.name in mine:
            alias = node.alias_or_name
            node.set("this", identifier(prefix + node.name))
            node.set("alias", exp.TableAlias(this=identifier(alias)))
    return bound


def _quoted(name: str) -> str:
    return identifier(name).sql("mysql")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_quoted(name) for name in names)
