"""Change capture from PostgreSQL: every operation, in order, none lost and none twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from capture_folder import Captured, capturing, drop_slots
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakewright.errors import LakewrightError, RunError
from lakewright.sources.capture import server, stream
from lakewright.sources.capture.positions import capture_of, places_of
from lakewright.sources.capture.take import look_at_changes
from lakewright.spec.databases import Capture
from servers import Postgres


@pytest.fixture
def project(tmp_path: Path, postgres_database: str) -> Iterator[Captured]:
    """A table ``t``, of which nothing was captured yet."""
    found = capturing(tmp_path, postgres_database)
    found.source.run("CREATE TABLE t (id int PRIMARY KEY, v text, big text)")
    found.declare("t: {table: public.t, load: changes}")
    yield found
    drop_slots(found)
    found.close()


LONG = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 300) g)"


def test_everything_that_is_done_to_a_table_is_taken_once_and_in_order(project: Captured) -> None:
    run = project.source.run
    run("INSERT INTO t VALUES (1, 'a', ''), (2, NULL, NULL)")
    assert "from then on" in look_at_changes(project.load()).reason
    first = project.take()
    assert (first.summary, first.batch) == ("2 changes", 1)
    assert project.changes(
        query="SELECT id, v, big, change_op, change_xid FROM raw_changes ORDER BY nth"
    ) == [
        (1, "a", "", "snapshot", None),
        (2, None, None, "snapshot", None),
    ]
    assert project.take().batch == 0
    run(
        "INSERT INTO t VALUES (3, 'ä\n\"', NULL)",
        "UPDATE t SET v = 'b' WHERE id = 2",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET id = 5 WHERE id = 3",
    )
    assert "bytes of log" in look_at_changes(project.load()).reason
    assert project.take().summary == "5 changes"
    rows = project.changes(
        query="SELECT id, v, change_op, change_lsn, change_seq, change_xid, change_at FROM raw_changes WHERE nth > 2 ORDER BY nth"
    )
    assert [row[:3] for row in rows] == [
        (3, 'ä\n"', "insert"),
        (2, "b", "update"),
        (1, None, "delete"),
        (3, None, "delete"),
        (5, 'ä\n"', "update"),
    ]
    assert len({(row[3], row[5], row[6]) for row in rows}) == 1  # one transaction
    assert [row[4] for row in rows] == sorted({row[4] for row in rows})
    run("TRUNCATE t", "INSERT INTO t VALUES (9, 'new', NULL)")
    emptied = project.take()
    assert emptied.notes == ("the table was emptied (TRUNCATE): 2 rows are gone",)
    assert project.final(columns="id, v") == [(9, "new")]
    assert project.take().batch == 0


def test_values_that_the_log_leaves_out_are_those_that_the_row_had(project: Captured) -> None:
    run = project.source.run
    run(
        "ALTER TABLE t ALTER big SET STORAGE EXTERNAL",
        f"INSERT INTO t VALUES (1, 'a', {LONG}), (2, 'b', {LONG} || 2)",
    )
    project.take()
    run("UPDATE t SET v = 'x' WHERE id = 1")  # from raw
    project.take()
    run(
        "UPDATE t SET v = 'y' WHERE id = 1",  # from a row that had it from raw
        "UPDATE t SET id = 10 WHERE id = 1",  # and from another key
        "UPDATE t SET v = 'z', id = 11 WHERE id = 10",
        "UPDATE t SET v = 'zz' WHERE id = 11",
        f"INSERT INTO t VALUES (1, 'again', {LONG} || 1)",
        "UPDATE t SET v = 'q' WHERE id = 1",
        "UPDATE t SET big = 'short' WHERE id = 2",
        "UPDATE t SET v = 's' WHERE id = 2",
    )
    project.take()
    assert project.final() == sorted(run("SELECT id, v, big FROM t"))
    # with the whole old row in the log nothing has to be looked for
    run(
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "UPDATE t SET v = 'f'",
        "UPDATE t SET id = id + 100",
        "DELETE FROM t WHERE id = 102",
    )
    project.take()
    assert project.final() == sorted(run("SELECT id, v, big FROM t"))


def test_columns_come_and_go_between_two_changes(project: Captured) -> None:
    run = project.source.run
    run("INSERT INTO t VALUES (1, 'a', NULL)")
    project.take()
    run(
        "ALTER TABLE t ADD n numeric(5,2)",
        "INSERT INTO t VALUES (2, 'b', NULL, 1.5)",
        "ALTER TABLE t DROP v",
        "ALTER TABLE t RENAME big TO note",
        "INSERT INTO t VALUES (3, 'c', 2)",
        "ALTER TABLE t ALTER n TYPE numeric(9,4)",
        "UPDATE t SET n = 3.1415 WHERE id = 2",
    )
    taken = project.take()
    assert any("'n' is new" in one for one in taken.notes)
    assert any("'v' is missing" in one for one in taken.notes)
    assert project.types()["n"] == "DECIMAL(9,4)"
    assert project.final(columns="id, v, note, n") == [
        (1, "a", None, None),
        (2, None, None, Decimal("3.1415")),
        (3, None, "c", Decimal(2)),
    ]
    project.declare("t: {table: public.t, load: changes, on_drift: fail}")
    run("ALTER TABLE t ADD late int", "UPDATE t SET late = 1 WHERE id = 3")
    for _ in range(2):
        with pytest.raises(RunError, match="LW203"):
            project.take()
    project.declare("t: {table: public.t, load: changes}")
    project.take()  # what was refused is still there
    assert project.final(columns="id, late")[-1] == (3, 1)


TYPES = {
    "bool": ["true", "false"], "int2": ["-32768"], "int4": ["7"], "int8": ["9223372036854775807"],
    "float4": ["1.5", "'NaN'", "'-Infinity'"], "float8": ["0.1", "1e300"], "numeric": ["'NaN'", "12345678901234567890.5", "'-Infinity'"],
    "numeric(12,3)": ["-1.250"], "money": ["-1234.56"], "text": ["'it''s \"x\"\\n'", "''"], "varchar(9)": ["'é'"],
    "char(3)": ["'a'"], "bytea": ["'\\xdeadbeef'", "''"], "date": ["'2024-02-29'", "'0044-03-15 BC'", "'infinity'"],
    "time": ["'23:59:59.999999'"], "timetz": ["'10:00+02'"], "timestamp": ["'2024-01-01 10:00:00.123456'", "'-infinity'", "'0044-03-15 10:00 BC'"],
    "timestamptz": ["'2024-01-01 10:00+02'", "'infinity'", "'0044-03-15 10:00+00 BC'"],
    "interval": ["'1 year 2 mons -3 days 04:05:06.789'", "'-1 mon'", "'-00:00:01'"], "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "json": ["'{\"a\": [1, null]}'"], "jsonb": ["'{\"b\": 1}'"], "inet": ["'10.0.0.1/8'"], "int4range": ["'[1,5)'"],
    "mood": ["'ok'"], "positive": ["5"], "oid": ["4000000000"], "pair": ["row(1,'x')"], "bit(3)": ["B'101'"],
    "int4[]": ["'{1,NULL,3}'", "'{}'"], "text[]": ["""array['a,b', 'say "x"', 'back\\slash', 'NULL', NULL, '', '{}', 'it''s']"""],
    "numeric(6,2)[]": ["'{1.50,2}'"], "timestamptz[]": ["array['2024-01-01 10:00+02'::timestamptz]"], "bool[]": ["'{t,f}'"],
    "mood[]": ["'{ok,sad}'"], "uuid[]": ["array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]"], "date[]": ["'[0:1]={2024-01-01,2024-01-02}'"],
    "int8[]": ["'{{1,2},{3,NULL}}'"], "varchar[]": ["""array[['a"b', NULL], ['c', 'd,e']]"""],
}  # fmt: skip


def test_values_of_the_log_are_the_same_as_those_of_the_table(project: Captured) -> None:
    run = project.source.run
    run(
        "CREATE TYPE mood AS ENUM ('ok', 'sad')",
        "CREATE DOMAIN positive AS int CHECK (value > 0)",
        "CREATE TYPE pair AS (a int, b text)",
    )
    columns = {f"c{number}": kind for number, kind in enumerate(TYPES)}
    run("CREATE TABLE kinds (id int PRIMARY KEY, " + ", ".join(f"{n} {k}" for n, k in columns.items()) + ")")
    deepest = max(len(one) for one in TYPES.values())
    inserts = []
    for row in range(deepest + 1):
        values = [one[row] if row < len(one) else "NULL" for one in TYPES.values()]
        inserts.append(f"INSERT INTO kinds VALUES ({row}, " + ", ".join(values) + ")")
    project.declare("kinds: {table: public.kinds, load: changes}")
    run(*inserts)
    project.take("kinds")
    run(*(one.replace("VALUES (", "VALUES (100 + ", 1) for one in inserts))
    taken = project.take("kinds")
    assert taken.notes == ()
    listed = ", ".join(f"CAST({name} AS VARCHAR)" for name in columns)
    parts = project.changes("kinds", f"SELECT id % 100, {listed} FROM raw_changes ORDER BY nth")
    read, streamed = parts[: deepest + 1], parts[deepest + 1 :]
    for (name, kind), one, two in zip(
        columns.items(), zip(*read, strict=True), zip(*streamed, strict=True), strict=False
    ):
        assert one == two, (name, kind)
    assert list(zip(*read, strict=True)) == list(zip(*streamed, strict=True))
    run("INSERT INTO kinds (id, c7) VALUES (500, 'NaN')")
    assert project.take("kinds").notes == ("c7: 1 values that no type holds taken as null",)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "move", "truncate", "rollback", "take"]),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=25,
)


@given(OPERATIONS, st.integers(1, 40), st.sampled_from(["DEFAULT", "FULL"]))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_work_gives_the_same_table(
    project: Captured, operations: list[tuple[str, int, bool]], batch: int, identity: str
) -> None:
    """The table made of all changes is the source's, whatever was done and wherever batches end."""
    run = project.source.run
    run(
        f"TRUNCATE t; ALTER TABLE t REPLICA IDENTITY {identity}; ALTER TABLE t ALTER big SET STORAGE EXTERNAL"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "BATCH", batch)
        patch.setattr(stream, "PART_BYTES", 200)
        for kind, id, long in operations:
            value = LONG if long else "'short'"
            statement = {
                "insert": f"INSERT INTO t VALUES ({id}, 'i', {value}) ON CONFLICT (id) DO UPDATE SET v = t.v || 'c'",
                "update": f"UPDATE t SET v = v || 'u' WHERE id <= {id}",
                "delete": f"DELETE FROM t WHERE id = {id}",
                "move": f"UPDATE t SET id = {id} WHERE id = {id + 1} AND NOT EXISTS (SELECT FROM t WHERE id = {id})",
                "truncate": "TRUNCATE t",
                "rollback": f"BEGIN; DELETE FROM t; INSERT INTO t VALUES ({id}, 'never', NULL); ROLLBACK",
            }.get(kind)
            if statement is None:
                project.take()
                assert project.final() == sorted(run("SELECT id, v, big FROM t"))
            else:
                run(statement)
        project.take()
    assert project.final() == sorted(run("SELECT id, v, big FROM t"))


def test_writers_at_work_during_the_first_reading_lose_nothing(project: Captured) -> None:
    """Two tables, read while several connections write to both; each transaction is seen once."""
    project.source.run(
        "CREATE TABLE u (id int PRIMARY KEY, v int)",
        "INSERT INTO t SELECT g, 'x', NULL FROM generate_series(1, 5000) g",
        "INSERT INTO u SELECT g, 0 FROM generate_series(1, 100) g",
    )
    project.declare("{t: {table: public.t, load: changes, slices: 2}, u: {table: public.u, load: changes}}")
    ended = threading.Event()

    def write(start: int) -> None:
        with psycopg.connect(project.source.address, autocommit=True) as connection:
            number = start
            while not ended.is_set():
                number += 10
                connection.execute(
                    f"BEGIN; INSERT INTO t VALUES ({number}, 'n', NULL); UPDATE t SET v = v || 'u' WHERE id = {number % 4999 + 1};"
                    f"UPDATE u SET v = v + 1 WHERE id = {number % 100 + 1}; DELETE FROM t WHERE id = {number - 30}; COMMIT"
                )

    threads = [threading.Thread(target=write, args=(10_000 + n,)) for n in range(3)]
    for one in threads:
        one.start()
    try:
        for _ in range(2):
            project.take("t")
            project.take("u")
    finally:
        ended.set()
        for one in threads:
            one.join()
    project.take("t")
    assert project.final() == sorted(project.source.run("SELECT id, v, big FROM t"))
    # what one dataset's task read of the other's table is told by that one's own
    assert project.take("u").rows > 0
    assert project.final("u") == sorted(project.source.run("SELECT id, v FROM u"))
    state = places_of(project.state, "db")
    assert state["raw.t"].place == state["raw.u"].place


def test_a_large_transaction_is_many_files_and_one_batch(
    project: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PART_BYTES", 500_000)
    monkeypatch.setattr(server, "FETCH_BYTES", 500_000)
    project.take()
    project.source.run(
        "INSERT INTO t SELECT g, repeat('x', 50), NULL FROM generate_series(1, 60000) g",
        "UPDATE t SET v = 'y' WHERE id <= 10",
    )
    taken = project.take()
    assert (taken.rows, len(taken.files)) == (60_010, 1)
    assert len(taken.files[0].parts) > 3
    assert project.changes(
        query="SELECT count(DISTINCT change_seq), bool_and(change_seq > l) FROM (SELECT change_seq, lag(change_seq, 1, -1) OVER (ORDER BY nth) l FROM raw_changes)"
    ) == [(60_010, True)]
    assert project.final(columns="count(*), count(*) FILTER (v = 'y')") == [(60_000, 10)]


def _lose(project: Captured, how: str) -> None:
    capture = capture_of(project.state, "db")
    assert capture is not None
    with closing(project.server()) as at:
        if how == "slot":
            at.drop_slot(capture.slot)
        elif how == "read":
            project.source.run("UPDATE t SET v = v WHERE id = 2")
            at.advance(capture.slot, at.flushed())
        elif how == "publication":
            at.drop_publication(capture.publication)
        else:
            project.source.run(
                "CREATE TABLE t2 (LIKE t INCLUDING ALL)",
                "INSERT INTO t2 SELECT * FROM t",
                "DROP TABLE t",
                "ALTER TABLE t2 RENAME TO t",
            )


@pytest.mark.parametrize("how", ["slot", "read", "publication", "table"])
def test_lost_changes_are_noticed_and_made_up_for(project: Captured, how: str) -> None:
    run = project.source.run
    run("INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', NULL)")
    project.take()
    run(
        "UPDATE t SET v = 'A' WHERE id = 1",
        "DELETE FROM t WHERE id = 3",
        "INSERT INTO t VALUES (4, 'd', NULL)",
    )
    _lose(project, how)
    with pytest.raises(LakewrightError, match="LW240"):
        project.take()
    project.capture = Capture(on_lost="snapshot")
    taken = project.take()
    assert taken.notes == ("the table was read again; what differs from raw is taken",)
    assert project.changes(query="SELECT id, v, change_op FROM raw_changes WHERE nth > 3 ORDER BY id") == [
        (1, "A", "snapshot"),
        (3, None, "delete"),
        (4, "d", "snapshot"),
    ]
    run("UPDATE t SET v = 'B' WHERE id = 2")
    assert project.take().rows == 1
    assert project.final() == sorted(run("SELECT id, v, big FROM t"))
    with closing(project.server()) as at:
        assert len(at.slots_like("lakewright_%")) == 1


def test_tables_that_cannot_be_captured_are_refused_and_do_no_harm(project: Captured) -> None:
    run = project.source.run
    run(
        "CREATE TABLE keyless (a int)",
        "CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)",
        "CREATE VIEW seen AS SELECT * FROM t",
        "CREATE TABLE named (id int PRIMARY KEY, change_op text)",
        "CREATE TABLE made (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)",
        "CREATE TABLE whole (a int, b int)",
        "ALTER TABLE whole REPLICA IDENTITY FULL",
        "CREATE TABLE parted (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)",
    )
    names = ("keyless", "fast", "seen", "named", "made", "whole", "parted", "gone")
    listed = "".join(
        f"  {one}: {{table: public.{one}, load: changes, keys: {['a'] if one == 'whole' else []}}}\n"
        for one in names
    )
    project.declare(f"t: {{table: public.t, load: changes}}\n{listed.replace('  ', '')}")
    for name, code, said in (
        ("keyless", "LW229", "no key"),
        ("fast", "LW229", "unlogged"),
        ("seen", "LW229", "no table"),
        ("named", "LW225", "change_op"),
        ("gone", "LW222", "no table"),
    ):
        with pytest.raises(LakewrightError, match=said) as raised:
            project.take(name)
        assert raised.value.problem.code == code
    run(
        "INSERT INTO made VALUES (1)",
        "INSERT INTO whole VALUES (1, 1)",
        "INSERT INTO parted VALUES (1, 1), (2, 11)",
    )
    assert "left out: twice" in project.take("made").notes[0]
    for name in ("whole", "parted", "t"):
        project.take(name)
    run(
        "INSERT INTO keyless VALUES (1)",
        "UPDATE keyless SET a = 2",
        "INSERT INTO made VALUES (2)",
        "UPDATE whole SET a = 2, b = 2",
        "UPDATE parted SET at = 12 WHERE id = 1",
        "INSERT INTO t VALUES (1)",
    )
    for name in ("made", "whole", "parted", "t"):
        project.take(name)
    assert project.final("made") == [(1,), (2,)]
    assert project.final("whole", keys="a") == [(2, 2)]
    assert project.final("parted", keys='id, "at"') == [(1, 12), (2, 11)]
    # a dataset that is no more does not hold the log back
    project.declare("t: {table: public.t, load: changes}")
    project.take()
    assert set(places_of(project.state, "db")) == {"raw.t"}


def test_what_the_user_may_not_do_is_said_with_the_remedy(project: Captured, postgres: Postgres) -> None:
    admin = project.source
    role = f"r{project.source.address.rpartition('/')[2]}"
    admin.run(
        f"CREATE ROLE {role} LOGIN", "GRANT USAGE ON SCHEMA public TO PUBLIC", f"GRANT SELECT ON t TO {role}"
    )
    reader = capturing(project.root / "reader", admin.address.replace("postgres@", f"{role}@"))
    try:
        reader.declare("t: {table: public.t, load: changes}")
        with pytest.raises(LakewrightError) as raised:
            reader.take()
        assert (raised.value.problem.code, "capture: {publication" in raised.value.problem.remedy) == (
            "LW227",
            True,
        )
        reader.capture = Capture(publication="shop")
        with pytest.raises(LakewrightError, match="create publication shop for table"):
            _remedy(reader)
        admin.run("CREATE PUBLICATION shop WITH (publish_via_partition_root = true)")
        with pytest.raises(LakewrightError, match="alter publication shop add table"):
            _remedy(reader)
        admin.run('ALTER PUBLICATION shop ADD TABLE "public"."t"')
        with pytest.raises(LakewrightError, match="ALTER ROLE"):
            _remedy(reader)
        admin.run(f"ALTER ROLE {role} REPLICATION", "INSERT INTO t VALUES (1, 'a', NULL)")
        assert reader.take().rows == 1
        admin.run("DELETE FROM t")
        assert reader.take().rows == 1
        assert reader.final() == []
    finally:
        reader.close()


def _remedy(project: Captured) -> None:
    """Take, and raise the remedy as the message."""
    try:
        project.take()
    except LakewrightError as error:
        raise LakewrightError(error.problem.code, error.problem.remedy) from error
