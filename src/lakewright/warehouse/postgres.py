"""PostgreSQL as a warehouse.

Everything is made in a schema beside the one that is served: tables with their keys and indexes, foreign
keys, views. Rows go in by binary COPY. Then one short transaction drops the old objects and moves the
new ones over, for what depends on an object follows it. New rows of tables that are added to are
merged in the same transaction.

https://www.postgresql.org/docs/current/sql-altertable.html (SET SCHEMA)
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.errors import RunError, nearest
from lakewright.sql.names import identifier, literal
from lakewright.warehouse.model import LOADS, Load, Role, Served, Table, View
from lakewright.warehouse.types import postgres_type

if TYPE_CHECKING:
    import duckdb
    import psycopg

__all__ = ["Postgres"]

_BATCH = 100_000
# Below PostgreSQL's deadlock_timeout, which is a second.
_LOCK_WAIT = "300ms"
# Seconds for which the exchange is tried again while readers hold what is to be replaced, and between two trials.
_PATIENCE = 300.0
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0
_CONNECT_SECONDS = 15


class Postgres:
    """The warehouse at *url*; everything is in *schema* of it."""

    def __init__(self, url: str, schema: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise RunError("LW852", "psycopg is not installed") from None
        self.url = re.sub(r"^postgres://", "postgresql://", url)
        self.schema = schema
        self.staging = f"{schema}__load"
        with _explained(self._place()):
            self.connection: psycopg.Connection[Any] = psycopg.connect(
                self.url, autocommit=True, connect_timeout=_CONNECT_SECONDS
            )
        self._stop: Callable[[], None] | None = None
        self._cancelled = False

    def _place(self) -> str:
        return _without_password(self.url)

    def served(self) -> Served:
        """See :meth:`lakewright.warehouse.model.Target.served`."""
        with _explained(self._place()):
            if not self._exists(LOADS):
                return Served()
            rows = self._do(
                f"SELECT name, kind, dataset, batch, fingerprint FROM {self._name(LOADS)} ORDER BY place"
            )
            return Served(
                {row[2]: int(row[3]) for row in rows if row[2]},
                {row[0]: row[1] for row in rows},
                rows[0][4] if rows else "",
            )

    def load(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """See :meth:`lakewright.warehouse.model.Target.load`."""
        with _explained(self._place()):
            # whoever loads the same schema waits; the lock goes with the connection
            self._do(f"SELECT pg_advisory_lock({_lock_number(self.schema)})")
            before = self.served()
            self._refuse_foreign(load, before)
            roles = self._known_roles(load.roles)
            self._do(f"DROP SCHEMA IF EXISTS {_quoted(self.staging)} CASCADE")
            self._do(f"CREATE SCHEMA IF NOT EXISTS {_quoted(self.schema)}")
            self._do(f"CREATE SCHEMA {_quoted(self.staging)}")
            try:
                counts = self._fill(load, cursor)
                if not load.adds:
                    self._derive(load, counts, self.staging)
                self._swap(load, before, counts, roles)
                for one in load.tables:
                    if one.upsert:
                        self._do(f"ANALYZE {self._name(one.name)}")
            finally:
                if not self.connection.closed:
                    self._do(f"DROP SCHEMA IF EXISTS {_quoted(self.staging)} CASCADE")
            return counts

    # --- beside what is served

    def _fill(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """Make the tables that rows are sent to, and send them, as the lake is at one moment."""
        import adbc_driver_postgresql.dbapi as adbc  # type: ignore[import-untyped]

        counts: dict[str, int] = {}
        sent = [one for one in load.tables if one.rows is not None]
        cursor.execute("BEGIN TRANSACTION")
        try:
            with adbc.connect(self.url) as bulk, bulk.cursor() as writer:
                self._stop = writer.adbc_cancel
                for one in sent:
                    assert one.rows is not None
                    self._create(one)
                    reader = cursor.execute(one.rows.sql("duckdb")).to_arrow_reader(_BATCH)
                    made = writer.adbc_ingest(one.name, reader, mode="append", db_schema_name=self.staging)
                    bulk.commit()
                    counts[one.name] = int(made)
        finally:
            self._stop = None
            cursor.execute("COMMIT")
        for one in sent:
            if not one.upsert:
                self._index(one, self.staging)
        for one in sent:
            if not one.upsert and not load.adds:
                self._refer(one, self.staging)
        for one in sent:
            self._do(f"ANALYZE {self._name(one.name, self.staging)}")
        return counts

    def _create(self, one: Table) -> None:
        columns = ", ".join(f"{_quoted(name)} {postgres_type(kind)}" for name, kind in one.columns.items())
        self._do(f"CREATE TABLE {self._name(one.name, self.staging)} ({columns})")
        if one.comment:
            text = literal(one.comment).sql("postgres")
            self._do(f"COMMENT ON TABLE {self._name(one.name, self.staging)} IS {text}")

    def _index(self, one: Table, schema: str) -> None:
        table = self._name(one.name, schema)
        if one.key:
            self._do(f"ALTER TABLE {table} ADD PRIMARY KEY ({_listed(one.key)})")
        wanted = dict.fromkeys([*one.indexes, *((each.column,) for each in one.references)])
        for columns in wanted:
            self._do(f"CREATE INDEX ON {table} ({_listed(columns)})")

    def _refer(self, one: Table, schema: str) -> None:
        for each in one.references:
            self._do(
                f"ALTER TABLE {self._name(one.name, schema)} ADD FOREIGN KEY ({_quoted(each.column)})"
                f" REFERENCES {self._name(each.table, schema)} ({_quoted(each.key)})"
            )

    def _derive(self, load: Load, counts: dict[str, int], schema: str) -> None:
        """Make what queries make of the tables in *schema*."""
        self._do(
            f"SET LOCAL search_path TO {_quoted(schema)}"
            if schema == self.schema
            else f"SET search_path TO {_quoted(schema)}"
        )
        for one in load.tables:
            if one.sql is not None:
                self._do(f"CREATE TABLE {self._name(one.name, schema)} AS {one.sql.sql('postgres')}")
                found = self._do(f"SELECT count(*) FROM {self._name(one.name, schema)}")
                counts[one.name] = int(found[0][0])
                self._index(one, schema)
                self._do(f"ANALYZE {self._name(one.name, schema)}")
        for view in load.views:
            self._view(view, schema)
        if schema != self.schema:
            self._do("RESET search_path")

    def _view(self, view: View, schema: str) -> None:
        name, query = self._name(view.name, schema), view.query.sql("postgres")
        if view.materialized:
            self._do(f"CREATE MATERIALIZED VIEW {name} AS {query}")
        else:
            # else a view would show its reader every row that its owner may see
            secure = (
                " WITH (security_invoker = true)" if self.connection.info.server_version >= 150000 else ""
            )
            self._do(f"CREATE VIEW {name}{secure} AS {query}")
        if view.comment:
            kind = "MATERIALIZED VIEW" if view.materialized else "VIEW"
            self._do(f"COMMENT ON {kind} {name} IS {literal(view.comment).sql('postgres')}")

    # --- the swap

    def _swap(self, load: Load, before: Served, counts: dict[str, int], roles: Sequence[Role]) -> None:
        """Exchange the objects in one transaction, as soon as no reader holds them.

        A reader of several tables takes its locks in another order than we do. So we wait for ours for less
        time than PostgreSQL takes to look for deadlocks, and give way: no reader is ever the one that fails.
        """
        from psycopg.errors import DeadlockDetected, LockNotAvailable

        until, wait = time.monotonic() + _PATIENCE, _FIRST_WAIT
        while True:
            try:
                with self.connection.transaction():
                    self._do(f"SET LOCAL lock_timeout TO '{_LOCK_WAIT}'")
                    self._exchange(load, before, counts, roles)
                return
            except (LockNotAvailable, DeadlockDetected):
                if self._cancelled or time.monotonic() > until:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _exchange(self, load: Load, before: Served, counts: dict[str, int], roles: Sequence[Role]) -> None:
        added = [one for one in load.tables if one.upsert]
        stay = {one.name for one in added}
        # all locks first: what takes long comes after
        locked = [
            name
            for name, kind in before.objects.items()
            if kind != "materialized view" and self._exists(name)
        ]
        if locked:
            self._do(f"LOCK TABLE {', '.join(self._name(name) for name in locked)} IN ACCESS EXCLUSIVE MODE")
        for name, kind in reversed(list(before.objects.items())):
            if kind != "table":
                self._do(f"DROP {kind.upper()} IF EXISTS {self._name(name)}")
        for name in stay:
            self._drop_references(name)
        gone = [name for name, kind in before.objects.items() if kind == "table" and name not in stay]
        if gone:
            self._do(f"DROP TABLE IF EXISTS {', '.join(self._name(name) for name in gone)}")
        for one in load.tables:
            if not one.upsert and (one.sql is None or not load.adds):
                self._move("TABLE", one.name)
        for one in added:
            self._merge(one)
        if load.adds:
            for one in load.tables:
                if one.sql is None:
                    self._refer(one, self.schema)
            self._derive(load, counts, self.schema)
        else:
            for view in load.views:
                self._move("MATERIALIZED VIEW" if view.materialized else "VIEW", view.name)
        self._grant(load, roles, before)
        self._note(load, counts)

    def _move(self, kind: str, name: str) -> None:
        self._do(f"ALTER {kind} {self._name(name, self.staging)} SET SCHEMA {_quoted(self.schema)}")

    def _merge(self, one: Table) -> None:
        names = _listed(one.columns)
        updates = ", ".join(
            f"{_quoted(name)} = EXCLUDED.{_quoted(name)}" for name in one.columns if name not in one.key
        )
        action = f"DO UPDATE SET {updates}" if updates else "DO NOTHING"
        self._do(
            f"INSERT INTO {self._name(one.name)} ({names}) SELECT {names}"
            f" FROM {self._name(one.name, self.staging)} ON CONFLICT ({_listed(one.key)}) {action}"
        )

    def _drop_references(self, table: str) -> None:
        rows = self._do(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(%s)",
            [self._name(table)],
        )
        for (name,) in rows:
            self._do(f"ALTER TABLE {self._name(table)} DROP CONSTRAINT {_quoted(name)}")

    def _grant(self, load: Load, roles: Sequence[Role], before: Served) -> None:
        """Give each role what it may read, and nothing that it was given before."""
        objects = load.names
        stay = [one.name for one in load.tables if one.upsert]
        for name in stay:
            for (policy,) in self._do(
                "SELECT policyname FROM pg_policies WHERE schemaname = %s AND tablename = %s",
                [self.schema, name],
            ):
                self._do(f"DROP POLICY {_quoted(policy)} ON {self._name(name)}")
            for (grantee,) in self._do(
                "SELECT DISTINCT grantee FROM information_schema.role_table_grants"
                " WHERE table_schema = %s AND table_name = %s AND grantee <> grantor",
                [self.schema, name],
            ):
                self._do(f"REVOKE ALL ON {self._name(name)} FROM {_quoted(grantee)}")
        limited = {name for role in roles for name in role.rows}
        for name in [one.name for one in load.tables]:
            kind = "ENABLE" if name in limited else "DISABLE"
            self._do(f"ALTER TABLE {self._name(name)} {kind} ROW LEVEL SECURITY")
        for role in roles:
            self._do(f"GRANT USAGE ON SCHEMA {_quoted(self.schema)} TO {_quoted(role.name)}")
            for name in objects if "*" in role.reads else role.reads:
                self._do(f"GRANT SELECT ON {self._name(name)} TO {_quoted(role.name)}")
                if name in limited:
                    rule = role.rows[name].sql("postgres") if name in role.rows else "true"
                    self._do(
                        f"CREATE POLICY {_quoted(role.name)} ON {self._name(name)} FOR SELECT"
                        f" TO {_quoted(role.name)} USING ({rule})"
                    )

    def _note(self, load: Load, counts: dict[str, int]) -> None:
        name = self._name(LOADS)
        self._do(
            f"CREATE TABLE IF NOT EXISTS {name} (place INTEGER, name TEXT PRIMARY KEY, kind TEXT, dataset TEXT,"
            " batch BIGINT, rows BIGINT, fingerprint TEXT, run_id TEXT, loaded_at TIMESTAMPTZ)"
        )
        self._do(f"DELETE FROM {name}")
        rows: list[list[object]] = [
            [one.name, "table", one.dataset, one.batch, counts[one.name]] for one in load.tables
        ]
        rows += [
            [one.name, "materialized view" if one.materialized else "view", "", 0, None] for one in load.views
        ]
        for place, row in enumerate(rows):
            values = [place, *row, load.fingerprint, load.run_id, load.at]
            self._do(f"INSERT INTO {name} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", values)

    # --- what must hold before

    def _refuse_foreign(self, load: Load, before: Served) -> None:
        wanted = load.names
        for name in wanted:
            if name not in before.objects and self._exists(name):
                raise RunError("LW854", f"{self.schema}.{name} is there, and Lakewright did not make it")
        for name in before.objects:
            rows = self._do(
                "SELECT DISTINCT n.nspname || '.' || c.relname FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid"
                " JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE d.refobjid = to_regclass(%s) AND c.oid <> d.refobjid",
                [self._name(name)],
            )
            others = [
                row[0] for row in rows if row[0] not in {f"{self.schema}.{one}" for one in before.objects}
            ]
            if others:
                raise RunError(
                    "LW854",
                    f"{', '.join(others)} depends on {self.schema}.{name}, which is to be replaced",
                    remedy="put the view under `views` of the warehouse, where it is made anew with each load",
                )

    def _known_roles(self, roles: Sequence[Role]) -> Sequence[Role]:
        known = [row[0] for row in self._do("SELECT rolname FROM pg_roles")] if roles else []
        for role in roles:
            if role.name not in known:
                raise RunError(
                    "LW855",
                    f"{self._place()} has no role {role.name!r}{nearest(role.name, known)}",
                    remedy=f"create it there: CREATE ROLE {_quoted(role.name)}",
                )
        return roles

    # --- parts

    def _exists(self, name: str) -> bool:
        return self._do("SELECT to_regclass(%s)::oid", [self._name(name)])[0][0] is not None

    def _name(self, name: str, schema: str | None = None) -> str:
        return f"{_quoted(schema or self.schema)}.{_quoted(name)}"

    def _do(self, statement: str, params: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        # the statement is text that quotes every name; without parameters a % in it is no placeholder
        result = self.connection.execute(statement.encode(), params)
        return result.fetchall() if result.description else []

    def figures(self, name: str, wanted: Sequence[exp.Expr]) -> tuple[object, ...] | None:
        """See :meth:`lakewright.warehouse.model.Target.figures`."""
        with _explained(self._place()):
            if not self._exists(name):
                return None
            query = exp.select(*wanted).from_(exp.Table(this=identifier(name), db=identifier(self.schema)))
            return self._do(query.sql("postgres"))[0]

    def rewrite(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.rewrite`: a table that is loaded whole has files of its own."""

    def cancel(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.cancel`."""
        self._cancelled = True
        with contextlib.suppress(Exception):
            self.connection.cancel_safe(timeout=5)
        if self._stop is not None:
            with contextlib.suppress(Exception):
                self._stop()

    def close(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.close`."""
        self.connection.close()


class _explained(contextlib.AbstractContextManager[None]):
    """Turn the drivers' errors into coded ones that show no password."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import adbc_driver_manager
        import psycopg

        if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
            raise RunError("LW851", f"{self.place}: {_plain(error)}") from None
        if isinstance(error, psycopg.Error | adbc_driver_manager.Error):
            raise RunError("LW853", f"{self.place}: {_plain(error)}") from None


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split())
    return re.sub(r"^IO: \[libpq\] Failed to execute COPY statement: PGRES_FATAL_ERROR ", "", text)


def _without_password(url: str) -> str:
    return re.sub(
        r"^(\w+://)(?:([^:@/]*)(?::[^@/]*)?@)?", lambda m: m[1] + (f"{m[2]}@" if m[2] else ""), url
    ).partition("?")[0]


def _lock_number(schema: str) -> int:
    digest = hashlib.sha256(f"lakewright warehouse {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _quoted(name: str) -> str:
    return identifier(name).sql("postgres")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_quoted(name) for name in names)
