"""The server's side of a capture: its slot, its publication, the tables in it, and the messages of its log.

A *slot* makes the server keep its log from the place that was confirmed last; a *publication* says of which
tables. Messages are peeked at, which changes nothing; the slot is advanced once what they say is in raw.
https://www.postgresql.org/docs/current/logicaldecoding.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.engine.errors import redact
from lakewright.sources.capture.values import SETTINGS, Target, targets
from lakewright.sources.database.address import Address
from lakewright.sources.database.faults import DatabaseFault, fault
from lakewright.sources.database.model import Column, Interrupts, table_parts
from lakewright.sources.database.postgres import PostgresDatabase, conninfo, described

if TYPE_CHECKING:
    import pyarrow as pa

    from lakewright.sources.capture.messages import Attribute

__all__ = ["Server", "SlotState", "TableState", "lsn_of", "lsn_text", "without_intervals"]

#: PostgreSQL 13 publishes partitioned tables as one.
_OLDEST = 130000

#: Seconds to wait for a slot that the connection of a killed process still holds.
_PATIENCE = 20.0

#: Seconds after which the server has written what was committed, whatever its settings.
_WRITTEN = 1.0

#: Bytes of messages that are decoded at a time.
FETCH_BYTES = 4 << 20

_TABLE = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, c.relreplident::text, c.relpersistence::text,
  (SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i
   JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) ON k.place <= i.indnkeyatts
   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
   WHERE i.indrelid = c.oid AND i.indisprimary),
  (SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i
   JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) ON k.place <= i.indnkeyatts
   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
   WHERE i.indrelid = c.oid AND i.indisreplident),
  (SELECT coalesce(array_agg(a.attname::text), '{}') FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""

_SLOT = """
SELECT (restart_lsn - '0/0')::bigint, (confirmed_flush_lsn - '0/0')::bigint, coalesce(wal_status, ''), active,
  (pg_current_wal_lsn() - restart_lsn)::bigint, (pg_current_wal_lsn() - confirmed_flush_lsn)::bigint, plugin, database
FROM pg_replication_slots WHERE slot_name = %s
"""

_FETCH = "adbc.postgresql.batch_size_hint_bytes"

_PEEK = """
SELECT data FROM pg_logical_slot_peek_binary_changes({slot}, {upto}, {changes},
  'proto_version', '1', 'publication_names', {publication})
"""


@dataclass(frozen=True)
class TableState:
    """A table as the catalog knows it. ``identity`` are the columns that its log has of a row that is changed or deleted."""

    oid: int
    schema: str
    table: str
    kind: str
    identity: tuple[str, ...] | None
    key: tuple[str, ...]
    whole: bool
    persistent: bool
    generated: tuple[str, ...]

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return f"{quote(self.schema)}.{quote(self.table)}"


@dataclass(frozen=True)
class SlotState:
    """How a slot stands: the place that it confirmed, the bytes of log that it keeps, and that were not read."""

    restart: int
    confirmed: int
    status: str
    active: bool
    retained: int
    lag: int


class Server:
    """A connection that manages one capture. Errors are coded (LW22x, LW24x)."""

    def __init__(self, address: Address, interrupts: Interrupts) -> None:
        import psycopg

        self.address = address
        self.interrupts = interrupts
        self._conninfo = conninfo(address)
        self._types: dict[int, tuple[Any, ...]] = {}
        try:
            self.connection = psycopg.connect(self._conninfo, autocommit=True)
            for name, value in {**SETTINGS, "statement_timeout": "0", "lock_timeout": "0"}.items():
                self.connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        except psycopg.Error as error:
            raise fault(error, address, "connecting") from error
        self.interrupts.callbacks.append(self.connection.cancel)

    def close(self) -> None:
        """End the connection, and the lock with it."""
        with suppress(Exception):
            self.interrupts.callbacks.remove(self.connection.cancel)
            self.connection.close()

    def ask(self, doing: str, statement: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; *doing* tells the error's reader what was tried."""
        import psycopg

        try:
            done = self.connection.execute(statement.encode(), list(given) or None)
            return done.fetchall() if done.description else []
        except psycopg.Error as error:
            raise _explained(error, self.address, doing) from error

    def check(self) -> None:
        """Raise LW228 where the server cannot capture at all."""
        version = self.connection.info.server_version
        if version < _OLDEST:
            raise DatabaseFault(
                "LW228", f"{self.address}: PostgreSQL {version // 10000} is too old; 13 can do it"
            )
        level = self.ask("looking at wal_level", "SHOW wal_level")[0][0]
        if level != "logical":
            raise DatabaseFault(
                "LW228",
                f"{self.address}: wal_level is {level}, and the log does not hold rows",
                remedy="set wal_level = logical in postgresql.conf and start the server again",
            )

    def identity(self) -> str:
        """What tells this database from every other one, a copy of it put back elsewhere not among them."""
        rows = self.ask(
            "looking at the server",
            "SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())"
            " FROM pg_control_system()",
        )
        return "/".join(str(one) for one in rows[0])

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep everybody else from the capture *name*, in other processes too."""
        self.ask("waiting for its turn", "SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            yield
        finally:
            with suppress(DatabaseFault):
                self.ask("ending its turn", "SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])

    # --- tables and their publication

    def table(self, name: str) -> TableState:
        """Return the table ``schema.table``. Raises LW222 for one that is not there."""
        regclass = ".".join(quote(one) for one in table_parts(name))
        rows = self.ask(f"looking at {name}", _TABLE, [regclass])
        if not rows:
            raise DatabaseFault("LW222", f"{self.address}: there is no table {name}")
        oid, schema, table, kind, replica, persistence, primary, index, generated = rows[0]
        key = tuple(primary or ())
        identity = {"d": key, "i": tuple(index or ()), "n": (), "f": None}[replica]
        return TableState(
            oid, schema, table, kind, identity, key, replica == "f", persistence == "p", tuple(generated)
        )

    def published(self, publication: str) -> dict[int, str] | None:
        """Return the tables of a publication, number → name in SQL; None where there is no such publication."""
        found = self.ask(
            "looking at the publication", "SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]
        )
        if not found:
            return None
        rows = self.ask(
            "looking at the publication",
            "SELECT c.oid::bigint, t.schemaname, t.tablename FROM pg_publication_tables t "
            "JOIN pg_namespace n ON n.nspname = t.schemaname "
            "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = %s",
            [publication],
        )
        return {oid: f"{quote(schema)}.{quote(table)}" for oid, schema, table in rows}

    def publishes_all(self, publication: str) -> bool:
        """Whether a publication tells of all that is done to a table, and of partitioned tables as one."""
        rows = self.ask(
            "looking at the publication",
            "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot "
            "FROM pg_publication WHERE pubname = %s",
            [publication],
        )
        return bool(rows and rows[0][0])

    def publish(self, publication: str, tables: Sequence[TableState]) -> None:
        """Make a publication of *tables*. Raises LW227 where that takes another owner."""
        names = ", ".join(one.sql for one in tables)
        self.ask(
            f"making a publication of {names}",
            f"CREATE PUBLICATION {quote(publication)} FOR TABLE {names} "
            "WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)",
        )

    def add_table(self, publication: str, table: TableState) -> None:
        """Add one table to a publication."""
        self.ask(f"publishing {table.sql}", f"ALTER PUBLICATION {quote(publication)} ADD TABLE {table.sql}")

    def drop_table(self, publication: str, table: str) -> None:
        """Take a table, by its name in SQL, out of a publication."""
        self.ask(f"publishing {table} no more", f"ALTER PUBLICATION {quote(publication)} DROP TABLE {table}")

    def drop_publication(self, publication: str) -> None:
        """Drop a publication, unless it is gone."""
        self.ask("dropping the publication", f"DROP PUBLICATION IF EXISTS {quote(publication)}")

    # --- the slot

    def slot(self, name: str) -> SlotState | None:
        """Return how a slot stands, None where there is none."""
        rows = self.ask("looking at the slot", _SLOT, [name])
        if not rows:
            return None
        restart, confirmed, status, active, retained, lag, _, _ = rows[0]
        return SlotState(
            int(restart or 0), int(confirmed or 0), status, active, int(retained or 0), int(lag or 0)
        )

    def create_slot(self, name: str) -> None:
        """Make the slot. Waits for the transactions that go on now."""
        self.ask("making a slot", "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [name])

    def drop_slot(self, name: str) -> bool:
        """Drop the slot, after what holds it ended; return whether it was there."""
        if self.slot(name) is None:
            return False
        self._until_free(name)
        self.ask("dropping the slot", "SELECT pg_drop_replication_slot(%s)", [name])
        return True

    def slots_like(self, pattern: str) -> dict[str, int]:
        """Slots of this database whose names are like *pattern*, and the bytes of log that each keeps."""
        rows = self.ask(
            "looking for slots",
            "SELECT slot_name::text, coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint FROM pg_replication_slots "
            "WHERE slot_name LIKE %s AND database = current_database() AND NOT temporary",
            [pattern],
        )
        return {name: int(size) for name, size in rows}

    def advance(self, name: str, lsn: int) -> None:
        """Confirm everything before *lsn*: the server may throw it away."""
        self._until_free(name)
        self.ask("confirming", "SELECT pg_replication_slot_advance(%s, %s::pg_lsn)", [name, lsn_text(lsn)])

    def flushed(self) -> int:
        """The place up to which the log is written, all that is committed by now among it."""
        # without synchronous_commit the log is written a little after the commit
        until, wanted = time.monotonic() + _WRITTEN, 0
        while True:
            rows = self.ask(
                "looking at the log",
                "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint",
            )
            flushed, inserted = int(rows[0][0]), int(rows[0][1])
            wanted = wanted or inserted
            if flushed >= wanted or time.monotonic() > until:
                return min(flushed, wanted)
            time.sleep(0.01)

    @contextmanager
    def snapshot(self, cursor: Any) -> Iterator[tuple[int, Callable[[], PostgresDatabase]]]:
        """A moment of the database, and its place in the log: what committed before is in it, all else is not.

        Gives the place and what opens the database at this moment, to be called within the block.
        """
        import psycopg

        name = f"lakewright_moment_{time.time_ns()}"
        try:
            with closing(
                psycopg.connect(self._conninfo, autocommit=True, replication="database")
            ) as connection:
                with self.interrupts.during(connection.cancel):
                    done = connection.pgconn.exec_(
                        f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT".encode()
                    )
                    if done.status != psycopg.pq.ExecStatus.TUPLES_OK:
                        text = done.error_message.decode("utf-8", "replace")
                        raise _explained_text(text, self.address, "taking a snapshot")
                place, exported = done.get_value(0, 1), done.get_value(0, 2)
                assert place is not None and exported is not None
                yield (
                    lsn_of(place.decode()),
                    lambda: PostgresDatabase(self.address, cursor, self.interrupts, exported.decode()),
                )
        except psycopg.Error as error:
            raise _explained(error, self.address, "taking a snapshot") from error

    # --- messages

    @contextmanager
    def peek(self, slot: str, publication: str, upto: int, changes: int) -> Iterator[Iterator[pa.Array[Any]]]:
        """The messages after the confirmed place up to *upto*, whole transactions, at least *changes* if there are."""
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        self._until_free(slot)
        query = _PEEK.format(
            slot=_literal(slot),
            upto=_literal(lsn_text(upto)),
            changes=int(changes),
            publication=_literal(publication),
        )
        try:
            with (
                closing(dbapi.connect(self._conninfo)) as connection,
                closing(connection.cursor()) as cursor,
                self.interrupts.during(cursor.adbc_cancel),
            ):
                for name, value in {**SETTINGS, "statement_timeout": "0"}.items():
                    if name != "client_encoding":  # always UTF-8 here
                        cursor.execute(f"SET {name} = {_literal(value)}")
                cursor.adbc_statement.set_options(**{_FETCH: str(FETCH_BYTES)})
                cursor.execute(query)
                yield (batch.column(0) for batch in cursor.fetch_record_batch())
        except dbapi.Error as error:
            raise _explained(error, self.address, "reading the log") from error

    def columns(self, attributes: Sequence[Attribute]) -> tuple[Target, ...]:
        """Return the columns of raw for those that the log describes."""
        found = []
        for one in attributes:
            kind, modifier = self._type(one.type), one.modifier
            if kind[4]:  # a domain is what it is based on
                modifier = int(kind[5]) if modifier < 0 else modifier
                kind = self._type(int(kind[4]))
            column = without_intervals(described(one.name, one.name, kind[:4], modifier))
            base = "text" if kind[1] == "e" or (kind[2] and kind[3] == "e") else str(kind[2] or kind[0])
            found.append((one.name, column.type, base, kind[2] is not None))
        return targets(found)

    def _type(self, oid: int) -> tuple[Any, ...]:
        if oid not in self._types:
            rows = self.ask(
                "looking at types",
                "SELECT t.typname, t.typtype::text, e.typname, e.typtype::text, t.typbasetype::bigint, t.typtypmod "
                "FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' WHERE t.oid = %s",
                [oid],
            )
            # a type that was dropped since is text
            self._types[oid] = rows[0] if rows else ("text", "b", None, None, 0, -1)
        return self._types[oid]

    def _until_free(self, slot: str) -> None:
        """Wait until nobody reads from the slot: the server notices late that a reader was killed."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            found = self.slot(slot)
            if found is None or not found.active:
                return
            time.sleep(0.1)
        raise DatabaseFault("LW244", f"{self.address}: somebody else reads from the slot {slot}")


def without_intervals(column: Column) -> Column:
    """Return *column*, as text where it is an interval: Parquet has no negative ones, and a capture cannot leave one out."""
    if not column.type.startswith("INTERVAL"):
        return column
    array = column.type.removeprefix("INTERVAL")
    fetch = exp.cast(column.fetch, f"text{array}", dialect="postgres")
    return Column(column.source, column.name, column.kind, f"VARCHAR{array}", fetch)


def lsn_of(text: str) -> int:
    """Return a place in the log, ``16/B374D848``, as a number."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_text(place: int) -> str:
    """Return a place in the log as PostgreSQL writes it."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def quote(name: str) -> str:
    """A name in SQL."""
    return exp.to_identifier(name, quoted=True).sql("postgres")


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql("postgres")


#: What the server says, the code, and the remedy.
_SAID = (
    (
        ("must be superuser or replication role", "permission denied to use replication slots", "permission denied to start WAL sender"),
        "LW227",
        "let an administrator run: ALTER ROLE <user> REPLICATION",
    ),
    (
        ("must be owner of table", "permission denied for database", "must be owner of publication"),
        "LW227",
        "let the tables' owner make the publication, and name it: `capture: {publication: …}`",
    ),
    (
        ("all replication slots are in use",),
        "LW228",
        "raise max_replication_slots, or drop slots that nobody reads: select * from pg_replication_slots",
    ),
    (("connections exceeds max_wal_senders",), "LW228", "raise max_wal_senders"),
    (("wal_level >= logical",), "LW228", "set wal_level = logical and start the server again"),
    (("is active for PID",), "LW244", None),
    (
        ("can no longer get changes from replication slot", "cannot read from logical replication slot", "can no longer access replication slot"),
        "LW240",
        None,
    ),
    (("publication \"", "does not exist"), "LW241", None),
)  # fmt: skip


def _explained(error: BaseException, address: Address, doing: str) -> DatabaseFault:
    return _explained_text(str(error), address, doing, error)


def _explained_text(
    text: str, address: Address, doing: str, error: BaseException | None = None
) -> DatabaseFault:
    for said, code, remedy in _SAID:
        match = all(one in text for one in said) if code == "LW241" else any(one in text for one in said)
        if match:
            first = redact(text, [address.password]).removeprefix("ERROR:").strip().splitlines()[0][:300]
            return DatabaseFault(code, f"{address}: {doing}: {first}", remedy=remedy or "")
    return fault(error or RuntimeError(text), address, doing)
