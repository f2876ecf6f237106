"""One in-memory DuckDB instance per process: settings, cursors for threads, statements, interruption."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.engine.extensions import load
from lakewright.errors import UsageError
from lakewright.spec.project import Engine
from lakewright.sql.dialect import render
from lakewright.sql.names import literal

__all__ = ["Session", "interruptible"]

T = TypeVar("T")

#: Of DuckDB's own default, 80 % of what the machine or its container may use: Python and the page cache need the rest.
_SHARE_OF_DEFAULT = 0.75

#: What a statement with values is called on its cursor.
_PREPARED = "_lakewright_asked"


class Session:
    """A DuckDB instance with the platform's settings. Cursors are for one thread each; the session is for all.

    Tables that hold data live in attached catalogs; only temporary tables live in the instance
    itself, private to the cursor that made them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, temp: Path | None, read_only: bool) -> None:
        self._connection = connection
        self._temp = temp
        self._lock = threading.Lock()
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._hidden: set[str] = set()
        self._afterwards: list[Callable[[], None]] = []
        self.read_only = read_only

    @classmethod
    def open(cls, engine: Engine, *, root: Path, read_only: bool = False, private: bool = False) -> Session:
        """Start an instance as *engine* says; relative folders are relative to *root*.

        Spilled data goes to a folder of this process under ``.lakewright/tmp`` (or
        ``engine.temp_directory``); what killed processes left there is removed. With *private* it is encrypted, under a key that nobody else
        knows. Raises LW407 for a
        setting that DuckDB refuses.
        """
        base = root / (engine.temp_directory or ".lakewright/tmp")
        _remove_leftovers(base)
        with contextlib.suppress(OSError):  # a folder that is only read: then nothing can spill
            base.mkdir(parents=True, exist_ok=True)  # DuckDB makes only the last folder of a path
        temp = base / f"{os.getpid()}-{secrets.token_hex(4)}"
        # Checking an extension's signature reads all of it, 0.1 s each. What is loaded lies beside DuckDB's
        # own library, which nobody checks at start either: the installer verified both.
        connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        settings = {
            "temp_directory": str(temp),
            "memory_limit": engine.memory_limit or _sensible_memory(connection),
            "preserve_insertion_order": "true",
            # Everything needed comes as a wheel; DuckDB must not reach for the network by itself.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # Secrets come from the project alone, not from what this machine's user keeps for DuckDB.
            "secret_directory": str(temp / "secrets"),
            # A name in SQL means a table, never a variable of the calling Python.
            "python_enable_replacements": "false",
        }
        if private:
            # DuckDB's own AES only decrypts; that of the extension writes as well
            load(connection, "httpfs")
            settings["temp_file_encryption"] = "true"
        if engine.threads is not None:
            settings["threads"] = str(engine.threads)
        try:
            for name, value in settings.items():
                connection.execute(f"SET GLOBAL {name} = {exp.Literal.string(value).sql('duckdb')}")
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
        except duckdb.Error as error:
            connection.close()
            raise UsageError("LW407", f"DuckDB refuses engine setting {name} = {value!r}: {error}") from None
        return cls(connection, temp, read_only)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the instance: own transaction, own temporary tables."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.execute("SET enable_progress_bar = false")  # per connection: a notebook would turn it on
            self._cursors.add(cursor)
        return cursor

    def execute(
        self,
        statement: exp.Expression | str,
        params: Sequence[object] | None = None,
        cursor: duckdb.DuckDBPyConnection | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Run *statement* and return the cursor that holds its result.

        Without *cursor* a new one is made. *params* belong to a query or to a change of rows; nothing else can be
        prepared. DuckDB's errors come out coded and without secrets.
        """
        text = statement if isinstance(statement, str) else render(statement)
        cursor = cursor or self.cursor()
        try:
            if params is None:
                return cursor.execute(text)
            # Values given beside a statement are Python objects to DuckDB, and to know one it imports pandas wherever
            # that is installed: a quarter of a second in every process. As literals they are not.
            literals = [one for one in map(_literal, params) if one is not None]
            if len(literals) == len(params):
                cursor.execute(f"PREPARE {_PREPARED} AS {text}")
                return cursor.execute(f"EXECUTE {_PREPARED}({', '.join(map(render, literals))})")
            return cursor.execute(text, params)
        except duckdb.Error as error:
            raise explain(error, hide=self._hidden) from None

    def hide(self, *values: str | None) -> None:
        """Never show *values* in an error of this session."""
        self._hidden.update(value for value in values if value)

    @property
    def hidden(self) -> frozenset[str]:
        """The secret values that errors of this session must not show."""
        return frozenset(self._hidden)

    def interrupt(self) -> None:
        """Stop the statements that run now, on every cursor; each raises LW404 in its own thread."""
        with self._lock:
            cursors = list(self._cursors)
        for cursor in [self._connection, *cursors]:
            with contextlib.suppress(duckdb.Error):
                cursor.interrupt()

    def close(self) -> None:
        """Close every cursor and the instance, and remove its spilled data."""
        with self._lock:
            cursors = list(self._cursors)
        for cursor in [*cursors, self._connection]:
            with contextlib.suppress(duckdb.Error):
                cursor.close()
        if self._temp is not None:
            shutil.rmtree(self._temp, ignore_errors=True)
        while self._afterwards:
            self._afterwards.pop()()

    def afterwards(self, work: Callable[[], None]) -> None:
        """Do *work* once the instance is closed and has let go of its files."""
        self._afterwards.append(work)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def interruptible(cursor: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Return what *work* returns, which runs statements on *cursor*; Ctrl-C stops it within milliseconds.

    DuckDB looks for signals only between the tasks of a statement, which take many seconds in a
    large join. So the work is done in a thread, and the main thread, where Python raises
    KeyboardInterrupt, waits for it.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="query") as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            cursor.interrupt()
            raise


def _remove_leftovers(base: Path) -> None:
    # A killed process cannot remove what it spilled; the next one does.
    if os.name != "posix" or not base.is_dir():
        return
    for folder in base.iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sensible_memory(connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    amount, _, unit = str(row[0] if row else "1 GiB").partition(" ")
    return f"{float(amount) * _SHARE_OF_DEFAULT:.1f}{unit}"


def _literal(value: object) -> exp.Expr | None:
    """Return *value* as SQL writes it, None when it cannot: a text with a zero character, or a type of its own."""
    if isinstance(value, datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return exp.cast(literal(value.isoformat(" ")), kind)
    if (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and "\0" not in value)
    ):
        return literal(value)
    return None
