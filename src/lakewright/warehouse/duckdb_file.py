"""A DuckDB file as a warehouse: written beside the one that is served, and put into its place.

Whoever has the old file open keeps reading it; whoever opens it next reads the new one. DuckDB takes
one writer or many readers of a file, so nothing is ever written into one that may be read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.errors import RunError
from lakewright.sql.names import identifier, literal
from lakewright.warehouse.model import LOADS, Load, Served, Table

__all__ = ["DuckDBFile"]

_CATALOG = "_warehouse"


class DuckDBFile:
    """The warehouse in the file *path*; everything is in *schema* of it."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self.schema = schema
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    def served(self) -> Served:
        """See :meth:`lakewright.warehouse.model.Target.served`."""
        if not self.path.exists():
            return Served()
        try:
            with duckdb.connect(self.path, read_only=True) as connection:
                return self._read(connection)
        except duckdb.Error as error:
            raise RunError(
                "LW851",
                f"{self.path} cannot be read: {error}",
                remedy="end the program that writes into it, or move the file away if it is none of ours",
            ) from None

    def _read(self, connection: duckdb.DuckDBPyConnection) -> Served:
        found = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?",
            [self.schema, LOADS],
        ).fetchone()
        if not found or not found[0]:
            return Served()
        rows = connection.execute(
            f'SELECT name, kind, dataset, batch, fingerprint FROM "{self.schema}".{LOADS}'
        ).fetchall()
        return Served(
            {row[2]: int(row[3]) for row in rows if row[2]},
            {row[0]: row[1] for row in rows},
            rows[0][4] if rows else "",
        )

    def load(self, load: Load, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """See :meth:`lakewright.warehouse.model.Target.load`."""
        before = self.served()
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_ident()}.part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.parent.glob(f".{self.path.name}.*.part*"):
            if not _alive(leftover):
                leftover.unlink(missing_ok=True)
        try:
            if self.path.exists():
                # other schemas of the file stay, and tables that rows are added to
                shutil.copyfile(self.path, part)
            counts = self._write(load, cursor, part, before)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError as error:
            raise RunError("LW853", f"{self.path}: {error.strerror or error}") from None
        finally:
            part.unlink(missing_ok=True)
            Path(f"{part}.wal").unlink(missing_ok=True)
        return counts

    def _write(
        self, load: Load, cursor: duckdb.DuckDBPyConnection, part: Path, before: Served
    ) -> dict[str, int]:
        with self._lock:
            self._cursor = cursor
        catalog = identifier(f"{_CATALOG}_{threading.get_ident()}")
        name = catalog.sql("duckdb")
        here = cursor.execute("SELECT current_database(), current_schema()").fetchone() or ()
        cursor.execute(f"ATTACH {literal(str(part)).sql('duckdb')} AS {name}")
        try:
            # one transaction: the lake is read as it is at one moment
            cursor.execute("BEGIN TRANSACTION")
            counts = _Writer(cursor, catalog, self.schema, load).run(before)
            cursor.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.InterruptException):
                raise RunError("LW853", f"{self.path}: {error}") from None
            raise
        finally:
            with self._lock:
                self._cursor = None
            cursor.execute(f"USE {'.'.join(identifier(str(one)).sql('duckdb') for one in here)}")
            cursor.execute(f"DETACH {name}")
        return counts

    def figures(self, name: str, wanted: Sequence[exp.Expr]) -> tuple[object, ...] | None:
        """See :meth:`lakewright.warehouse.model.Target.figures`."""
        query = exp.select(*wanted).from_(exp.Table(this=identifier(name), db=identifier(self.schema)))
        try:
            with duckdb.connect(self.path, read_only=True) as connection:
                return connection.execute(query.sql("duckdb")).fetchone()
        except duckdb.CatalogException:
            return None
        except duckdb.Error as error:
            raise RunError("LW851", f"{self.path} cannot be read: {error}") from None

    def rewrite(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.rewrite`: a file's free blocks keep what was in them."""
        if not self.path.exists():
            return
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_ident()}.part")
        part.unlink(missing_ok=True)
        try:
            with duckdb.connect() as connection:
                old, new = (literal(str(one)).sql("duckdb") for one in (self.path, part))
                connection.execute(f"ATTACH {old} AS _old (READ_ONLY)")
                connection.execute(f"ATTACH {new} AS _new")
                connection.execute("COPY FROM DATABASE _old TO _new")
                connection.execute("DETACH _new")
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.chmod(self.path.stat().st_mode & 0o777)
            part.replace(self.path)
        except (OSError, duckdb.Error) as error:
            raise RunError("LW853", f"{self.path} cannot be written anew: {error}") from None
        finally:
            part.unlink(missing_ok=True)
            Path(f"{part}.wal").unlink(missing_ok=True)

    def cancel(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.cancel`."""
        with self._lock:
            if self._cursor is not None:
                self._cursor.interrupt()

    def close(self) -> None:
        """See :meth:`lakewright.warehouse.model.Target.close`."""


class _Writer:
    """The statements of one load into an attached file."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, catalog: exp.Identifier, schema: str, load: Load
    ) -> None:
        self.cursor = cursor
        self.catalog = catalog
        self.schema = schema
        self.load = load

    def table(self, name: str) -> exp.Table:
        """The table or view *name* of the warehouse."""
        return exp.Table(this=identifier(name), db=identifier(self.schema), catalog=self.catalog.copy())

    def run(self, before: Served) -> dict[str, int]:
        """Make everything; return the rows sent by table."""
        load = self.load
        self._do(
            f"CREATE SCHEMA IF NOT EXISTS {self.catalog.sql('duckdb')}.{identifier(self.schema).sql('duckdb')}"
        )
        self._refuse_foreign(before)
        added = {one.name for one in load.tables if one.upsert}
        for name, kind in before.objects.items():
            if name not in added:
                self._do(f"DROP {kind.upper()} IF EXISTS {self.table(name).sql('duckdb')}")
        counts = {one.name: self._table(one) for one in load.tables if one.sql is None}
        # names without a schema mean tables of the file, now and for whoever opens it under another name
        self._do(f"USE {self.catalog.sql('duckdb')}.{identifier(self.schema).sql('duckdb')}")
        self._derive(counts)
        self._note(counts)
        return counts

    def _derive(self, counts: dict[str, int]) -> None:
        """Make what queries make of the tables."""
        load = self.load
        for one in load.tables:
            if one.sql is not None:
                counts[one.name] = self._table(one)
        for view in load.views:
            # rows of a materialized view are a table, for DuckDB has none
            query = view.query.sql("duckdb")
            kind = "TABLE" if view.materialized else "VIEW"
            self._do(f"CREATE {kind} {self.table(view.name).sql('duckdb')} AS {query}")

    def _table(self, one: Table) -> int:
        target = self.table(one.name).sql("duckdb")
        if one.sql is not None:
            made = self._do(f"CREATE TABLE {target} AS {one.sql.sql('duckdb')}")
            return int(made[0]) if made else 0
        assert one.rows is not None
        names = ", ".join(identifier(name).sql("duckdb") for name in one.columns)
        if one.upsert:
            self._do(f"CREATE OR REPLACE TEMP TABLE _upserted AS {one.rows.sql('duckdb')}")
            same = " AND ".join(
                f"_old.{identifier(key).sql('duckdb')} IS NOT DISTINCT FROM _new.{identifier(key).sql('duckdb')}"
                for key in one.key
            )
            self._do(f"DELETE FROM {target} AS _old USING temp.main._upserted AS _new WHERE {same}")
            made = self._do(f"INSERT INTO {target} ({names}) SELECT {names} FROM temp.main._upserted")
            self._do("DROP TABLE temp.main._upserted")
        else:
            columns = ", ".join(
                f"{identifier(name).sql('duckdb')} {kind}" for name, kind in one.columns.items()
            )
            self._do(f"CREATE TABLE {target} ({columns})")
            made = self._do(f"INSERT INTO {target} ({names}) {one.rows.sql('duckdb')}")
        if one.comment:
            self._do(f"COMMENT ON TABLE {target} IS {literal(one.comment).sql('duckdb')}")
        return int(made[0]) if made else 0

    def _refuse_foreign(self, before: Served) -> None:
        wanted = self.load.names
        found = self.cursor.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?"
            " UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ?",
            [self.catalog.name, self.schema] * 2,
        ).fetchall()
        strange = [name for (name,) in found if name in wanted and name not in before.objects]
        if strange:
            raise RunError("LW854", f"{self.schema}.{strange[0]} is there, and Lakewright did not make it")

    def _note(self, counts: dict[str, int]) -> None:
        target = self.table(LOADS).sql("duckdb")
        self._do(
            f"CREATE OR REPLACE TABLE {target} (name VARCHAR, kind VARCHAR, dataset VARCHAR, batch BIGINT,"
            " rows BIGINT, fingerprint VARCHAR, run_id VARCHAR, loaded_at TIMESTAMPTZ)"
        )
        rows: list[list[object]] = [
            [one.name, "table", one.dataset, one.batch, counts[one.name]] for one in self.load.tables
        ]
        rows += [[one.name, "table" if one.materialized else "view", "", 0, None] for one in self.load.views]
        for row in rows:
            values = [*row, self.load.fingerprint, self.load.run_id, self.load.at]
            self.cursor.execute(f"INSERT INTO {target} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def _do(self, statement: str) -> tuple[int, ...] | None:
        result = self.cursor.execute(statement)
        return result.fetchone() if result.description else None


def _alive(leftover: Path) -> bool:
    """Whether the process that writes *leftover* still runs."""
    owner = leftover.name.rsplit(".part", 1)[0].rpartition(".")[2].partition("-")[0]
    try:
        os.kill(int(owner), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        return True
    return True
