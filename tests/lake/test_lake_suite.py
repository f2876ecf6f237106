"""What every lake must do, run on each kind: the protocol's promises, one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lakes import LAKE_KINDS, Opened, OpenLake
from lakewright.errors import LakewrightError, NotFoundError
from lakewright.lake import Checkpoint

ORDERS = {"id": "BIGINT", "day": "DATE", "region": "VARCHAR", "amount": "DECIMAL(10,2)"}


@pytest.fixture(params=[*LAKE_KINDS, "ducklake-encrypted"])
def lake(open_test_lake: OpenLake, request: pytest.FixtureRequest) -> Opened:
    return open_test_lake(str(request.param))


def build(opened: Opened, batch: int, rows: int = 100, dataset: str = "processed.orders") -> int:
    """Publish one batch with its checkpoint and a bad row, and return the version that it made."""
    lake, cursor = opened.lake, opened.cursor
    name = dataset.partition(".")[2]

    def work() -> None:
        lake.create_table(
            cursor, dataset, ORDERS | {"_batch_id": "BIGINT"}, partition_by=["year(day)", "region"]
        )
        lake.create_table(cursor, f"quarantine.processed_{name}", {"content": "VARCHAR"})
        opened.rows(
            f"INSERT INTO lake.{dataset} BY NAME SELECT range + {batch * 1000} AS id, DATE '2024-01-01' + (range % 400)::INTEGER AS day, "
            f"'r' || range % 2 AS region, {batch}.5 AS amount, {batch} AS _batch_id FROM range({rows})"
        )
        opened.rows(f"INSERT INTO lake.quarantine.processed_{name} VALUES ('bad {batch}')")
        lake.add_checkpoint(cursor, checkpoint(batch, dataset, rows))

    lake.commit(cursor, work, message=f"build {dataset}", info={"run": f"r{batch}"})
    return lake.snapshots(cursor, limit=1)[0].id


def checkpoint(batch: int, dataset: str = "processed.orders", rows: int = 100) -> Checkpoint:
    return Checkpoint(
        dataset, batch, f"run{batch}", f'{{"raw.orders": {batch}}}', "abc", rows, datetime.now(UTC)
    )


def count(opened: Opened, relation: str = "lake.processed.orders") -> int:
    value = opened.rows(f"SELECT count(*) FROM {relation}")[0][0]
    assert isinstance(value, int)
    return value


def test_a_new_lake_is_empty(lake: Opened) -> None:
    assert lake.lake.columns(lake.cursor, "processed.orders") is None
    assert lake.lake.latest_checkpoints(lake.cursor) == {}
    assert not [t for t in lake.lake.tables(lake.cursor) if not t.id.startswith("lakewright.")]


def test_a_table_is_made_once_with_its_zone(lake: Opened) -> None:
    for _ in range(2):
        lake.lake.create_table(
            lake.cursor, "curated.sales", ORDERS, partition_by=["bucket(4, id)"], comment="it's"
        )
    assert lake.lake.columns(lake.cursor, "curated.sales") == ORDERS
    found = {t.id: t for t in lake.lake.tables(lake.cursor)}["curated.sales"]
    assert (found.comment, found.partition_by, found.rows) == ("it's", ("bucket(4, id)",), 0)


def test_a_zone_of_the_users_own_can_be_made_inside_a_transaction(lake: Opened) -> None:
    with lake.lake.transaction(lake.cursor, message="own zone"):
        lake.lake.create_table(lake.cursor, "my zone.my table", {"a b": "INTEGER"})
        lake.rows('INSERT INTO lake."my zone"."my table" VALUES (1)')
    assert count(lake, 'lake."my zone"."my table"') == 1


def test_tables_and_checkpoint_commit_together(lake: Opened, open_test_lake: OpenLake) -> None:
    other = lake if lake.lake.kind == "ducklake-encrypted" else open_test_lake.again(lake)
    build(lake, 1)
    assert count(other) == 100
    assert count(other, "lake.quarantine.processed_orders") == 1
    kept = other.lake.latest_checkpoints(other.cursor)["processed.orders"]
    assert (kept.batch, kept.positions, kept.rows, kept.kind) == (1, '{"raw.orders": 1}', 100, "build")


def test_what_fails_leaves_nothing(lake: Opened) -> None:
    build(lake, 1)
    with pytest.raises(ZeroDivisionError), lake.lake.transaction(lake.cursor, message="fails"):
        lake.rows("INSERT INTO lake.processed.orders (id) VALUES (1)")
        lake.lake.add_checkpoint(lake.cursor, checkpoint(2))
        raise ZeroDivisionError
    assert count(lake) == 100
    assert lake.lake.latest_checkpoints(lake.cursor)["processed.orders"].batch == 1
    assert build(lake, 2)
    assert count(lake) == 200


def test_a_failed_statement_is_coded_and_rolled_back(lake: Opened) -> None:
    build(lake, 1)
    with pytest.raises(LakewrightError) as caught, lake.lake.transaction(lake.cursor):
        lake.rows("INSERT INTO lake.processed.orders (id) VALUES (1)")
        lake.cursor.execute("INSERT INTO lake.processed.orders (id) SELECT 'x'")
    assert caught.value.code == "LW406"
    assert count(lake) == 100


def test_only_the_last_checkpoint_of_each_dataset_counts(lake: Opened) -> None:
    with lake.lake.transaction(lake.cursor, message="three"):
        for one in (checkpoint(1), checkpoint(3), checkpoint(2), checkpoint(7, "curated.x")):
            lake.lake.add_checkpoint(lake.cursor, one)
    latest = lake.lake.latest_checkpoints(lake.cursor)
    assert {id: c.batch for id, c in latest.items()} == {"processed.orders": 3, "curated.x": 7}
    assert latest["processed.orders"].at.tzinfo is not None


def test_rows_are_updated_merged_deleted_and_replaced(lake: Opened) -> None:
    build(lake, 1, rows=10)
    with lake.lake.transaction(lake.cursor, message="changes"):
        lake.rows("UPDATE lake.processed.orders SET amount = 0 WHERE id = 1001")
        lake.rows("DELETE FROM lake.processed.orders WHERE id = 1002")
        lake.rows(
            "MERGE INTO lake.processed.orders t USING (SELECT 1003 AS id, 7 AS amount UNION ALL SELECT 5, 8) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET amount = s.amount WHEN NOT MATCHED THEN INSERT (id, amount) VALUES (s.id, s.amount)"
        )
    kept = {row[0]: row[1] for row in lake.rows("SELECT id, amount::DOUBLE FROM lake.processed.orders")}
    assert (kept[1001], kept.get(1002), kept[1003], kept[5], len(kept)) == (0, None, 7, 8, 10)
    with lake.lake.transaction(lake.cursor, message="replace"):
        lake.rows("DELETE FROM lake.processed.orders")
        lake.rows("INSERT INTO lake.processed.orders (id) VALUES (42)")
    assert lake.rows("SELECT id FROM lake.processed.orders") == [(42,)]


def test_columns_change(lake: Opened) -> None:
    build(lake, 1, rows=3)
    own, c, id = lake.lake, lake.cursor, "processed.orders"
    own.add_column(c, id, "note", "VARCHAR")
    own.add_column(c, id, "small", "INTEGER")
    lake.rows("UPDATE lake.processed.orders SET small = 7, note = '12'")
    own.alter_type(c, id, "small", "BIGINT")
    own.rename_column(c, id, "small", "grown")
    with own.transaction(c, message="text becomes number"):
        own.alter_type(c, id, "note", "INTEGER")
    kinds = own.columns(c, id)
    assert kinds is not None
    assert (kinds["grown"], kinds["note"], "small" in kinds) == ("BIGINT", "INTEGER", False)
    assert lake.rows("SELECT DISTINCT grown, note FROM lake.processed.orders") == [(7, 12)]
    own.drop_column(c, id, "grown")
    assert "grown" not in (own.columns(c, id) or {})


def test_text_that_is_no_number_does_not_change_type(lake: Opened) -> None:
    build(lake, 1, rows=3)
    with pytest.raises(LakewrightError) as caught, lake.lake.transaction(lake.cursor, message="no"):
        lake.lake.alter_type(lake.cursor, "processed.orders", "region", "INTEGER")
    assert caught.value.code in ("LW405", "LW406")
    assert (lake.lake.columns(lake.cursor, "processed.orders") or {})["region"] == "VARCHAR"


def test_every_type_is_stored_or_has_a_type_that_keeps_it(lake: Opened) -> None:
    samples = {
        "TINYINT": "-1", "SMALLINT": "-300", "UTINYINT": "200", "UINTEGER": "4000000000",
        "UBIGINT": "18446744073709551615", "HUGEINT": "12345678901234567890123456789012345678",
        "UUID": "'0189e3a0-0000-7000-8000-000000000000'", "JSON": "'{\"a\": [1, null]}'", "TIME": "'23:59:59.5'",
        "INTERVAL": "'3 days'", "BLOB": "'\\x00\\xFF'::BLOB", "TIMESTAMP": "'2024-02-29 12:00:00.123456'",
        "TIMESTAMP WITH TIME ZONE": "'2024-02-29 12:00:00+02'", "TIMESTAMP_S": "'2024-02-29 12:00:00'",
        "DECIMAL(38,10)": "1234567890.0123456789", "DOUBLE": "'nan'", "FLOAT": "'-inf'", "BOOLEAN": "true",
        "DATE": "'0001-01-01'", "VARCHAR": "'ä\U0001f600\u200b''\"'", "ENUM('a', 'b')": "'b'",
        "INTEGER[]": "[1, NULL]", "INTEGER[2]": "[1, 2]", "STRUCT(a HUGEINT, b STRUCT(c JSON)[])": "{'a': 1, 'b': [{'c': '[]'}]}",
        "MAP(VARCHAR, UBIGINT)": "MAP {'k': 1}",
    }  # fmt: skip
    columns = {f"c{i}": kind for i, kind in enumerate(samples)}
    stored = lake.lake.storable(columns)
    assert lake.lake.storable(stored) == stored
    lake.lake.create_table(lake.cursor, "processed.types", columns)
    assert lake.lake.columns(lake.cursor, "processed.types") == stored
    values = ", ".join(
        f"{value}::{kind}::{stored[name]}"
        for (name, kind), value in zip(columns.items(), samples.values(), strict=True)
    )
    expected = lake.rows(f"SELECT {values}")
    # A few rows may be kept in the catalog and many go to a file: both must give back what was written.
    for times in (1, 100):
        lake.rows("DELETE FROM lake.processed.types")
        lake.rows(f"INSERT INTO lake.processed.types SELECT {values} FROM range({times})")
        assert lake.rows("SELECT DISTINCT COLUMNS(*)::VARCHAR FROM lake.processed.types") == [
            tuple(lake.rows(f"SELECT (COLUMNS(*))::VARCHAR FROM (SELECT {values})")[0])
        ]
    assert repr(lake.rows("SELECT * FROM lake.processed.types LIMIT 1")) == repr(expected)


def test_what_is_no_type_or_partition_is_refused(lake: Opened) -> None:
    with pytest.raises(LakewrightError, match="LW416"):
        lake.lake.create_table(lake.cursor, "processed.x", {"a": "INTEGER); DROP SCHEMA processed; --"})
    for wrong in ("nope", "year(nope)", "upper(region)", "bucket(0, id)", "id; DROP TABLE x"):
        with pytest.raises(LakewrightError, match=r"LW418|LW314"):
            lake.lake.create_table(lake.cursor, "processed.x", ORDERS, partition_by=[wrong])
    assert lake.lake.columns(lake.cursor, "processed.x") is None


def test_versions_tell_who_did_what(lake: Opened) -> None:
    build(lake, 1)
    build(lake, 2, dataset="processed.customers")
    newest, *older = lake.lake.snapshots(lake.cursor, limit=2)
    assert newest.message == "build processed.customers"
    assert newest.author == "lakewright"
    assert newest.info == {"run": "r2"}
    assert "processed.customers" in newest.changes["inserted"]
    assert newest.id > older[0].id
    mine = lake.lake.snapshots(lake.cursor, "processed.orders")
    assert [one.message for one in mine if one.message] == ["build processed.orders"]
    assert abs(datetime.now(UTC) - newest.at) < timedelta(minutes=5)


def test_time_travel(lake: Opened) -> None:
    first = build(lake, 1)
    between = datetime.now(UTC)
    build(lake, 2)
    with lake.lake.transaction(lake.cursor, message="replace"):
        lake.rows("DELETE FROM lake.processed.orders")
        lake.rows("INSERT INTO lake.processed.orders (id) VALUES (42)")
    at = lake.lake.at
    assert count(lake, at("processed.orders", version=first).sql("duckdb")) == 100
    assert count(lake, at("processed.orders", timestamp=between).sql("duckdb")) == 100
    versions = [one.id for one in lake.lake.snapshots(lake.cursor, "processed.orders") if one.message]
    seen = [count(lake, at("processed.orders", version=one).sql("duckdb")) for one in versions]
    assert seen == [1, 200, 100]
    with pytest.raises(NotFoundError) as caught:
        lake.session.execute(f"SELECT * FROM {at('processed.orders', version=999_999).sql('duckdb')}")
    assert caught.value.code == "LW415"


def test_restore_one_dataset(lake: Opened) -> None:
    first = build(lake, 1)
    build(lake, 2)
    build(lake, 1, dataset="processed.customers")
    assert lake.lake.restore(lake.cursor, ["processed.orders"], version=first) == {"processed.orders": 100}
    assert lake.rows("SELECT DISTINCT _batch_id, amount::DOUBLE FROM lake.processed.orders") == [(1, 1.5)]
    assert lake.rows("SELECT * FROM lake.quarantine.processed_orders") == [("bad 1",)]
    assert count(lake, "lake.processed.customers") == 100
    kept = lake.lake.latest_checkpoints(lake.cursor)["processed.orders"]
    assert (kept.batch, kept.base, kept.kind, kept.positions) == (3, 1, "restore", '{"raw.orders": 1}')
    # Who had read batch 2 holds rows that are gone; who had read batch 1 does not.
    assert lake.lake.restored_since(lake.cursor, "processed.orders", 2)
    assert not lake.lake.restored_since(lake.cursor, "processed.orders", 1)
    assert not lake.lake.restored_since(lake.cursor, "processed.orders", 3)
    # A restore is a version like any other: it can be undone.
    before_restore = lake.lake.snapshots(lake.cursor, "processed.orders")[1].id
    assert lake.lake.restore(lake.cursor, ["processed.orders"], version=before_restore) == {
        "processed.orders": 200
    }
    again = lake.lake.latest_checkpoints(lake.cursor)["processed.orders"]
    assert (again.batch, again.base, again.positions) == (4, 2, '{"raw.orders": 2}')


def test_restore_brings_columns_back(lake: Opened) -> None:
    first = build(lake, 1)
    own, c, id = lake.lake, lake.cursor, "processed.orders"
    own.add_column(c, id, "added", "INTEGER")
    own.rename_column(c, id, "amount", "price")
    with own.transaction(c, message="retype"):
        own.alter_type(c, id, "price", "VARCHAR")
    own.restore(c, [id], version=first)
    columns = own.columns(c, id) or {}
    assert columns["amount"] == "DECIMAL(10,2)"
    assert "price" not in columns
    assert lake.rows(f"SELECT sum(amount)::DOUBLE, count(*) FROM lake.{id}") == [(150.0, 100)]
    build(lake, 5)
    assert count(lake) == 200


def test_restore_the_whole_lake_by_time(lake: Opened) -> None:
    build(lake, 1)
    moment = datetime.now(UTC)
    build(lake, 2)
    build(lake, 1, dataset="processed.later")
    restored = lake.lake.restore(lake.cursor, timestamp=moment)
    assert restored == {"processed.later": 0, "processed.orders": 100}
    assert count(lake) == 100
    assert count(lake, "lake.processed.later") == 0
    assert lake.lake.latest_checkpoints(lake.cursor)["processed.later"].positions == "{}"


def test_restore_refuses_what_never_was(lake: Opened) -> None:
    first = build(lake, 1)
    build(lake, 1, dataset="processed.later")
    for ids, version in (
        (["processed.order"], first),
        (["processed.later"], first),
        (["processed.orders"], 999_999),
    ):
        with pytest.raises(NotFoundError):
            lake.lake.restore(lake.cursor, ids, version=version)
    with pytest.raises(NotFoundError, match="LW415"):
        lake.lake.restore(lake.cursor, timestamp=datetime(2001, 1, 1, tzinfo=UTC))
    assert count(lake) == 100


def test_files_lie_in_partition_folders(lake: Opened) -> None:
    build(lake, 1)
    files = lake.lake.files(lake.cursor, "processed.orders")
    assert len(files) == 2
    if lake.lake.kind == "ducklake-encrypted":
        # a folder's name would tell values
        assert not any("r1" in one for one in files)
    else:
        if lake.lake.kind.startswith("ducklake"):
            assert any("/tables/processed/orders/year=2024/region=r1/" in one for one in files)
        assert sum(count(lake, f"read_parquet('{one}')") for one in files) == 100
    info = {t.id: t for t in lake.lake.tables(lake.cursor)}["processed.orders"]
    assert (info.rows, info.files, info.partition_by) == (100, 2, ("year(day)", "region"))


def test_threads_publish_one_after_the_other(lake: Opened) -> None:
    tables, commits, failures = 4, 4, []

    def publish(number: int) -> None:
        cursor = lake.session.cursor()

        def work() -> None:
            cursor.execute(f"INSERT INTO lake.processed.t{number} SELECT * FROM range(20)")
            lake.lake.add_checkpoint(cursor, checkpoint(batch, f"processed.t{number}"))

        try:
            for batch in range(1, commits + 1):
                lake.lake.commit(cursor, work, message=f"{number} {batch}")
        except BaseException as error:
            failures.append(error)

    for number in range(tables):
        lake.lake.create_table(lake.cursor, f"processed.t{number}", {"range": "BIGINT"})
    threads = [threading.Thread(target=publish, args=(number,)) for number in range(tables)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [count(lake, f"lake.processed.t{number}") for number in range(tables)] == [20 * commits] * tables
    assert {one.batch for one in lake.lake.latest_checkpoints(lake.cursor).values()} == {commits}


def test_a_reader_cannot_write(lake: Opened, open_test_lake: OpenLake) -> None:
    build(lake, 1)
    reader = open_test_lake.again(lake, read_only=True)
    assert count(reader) == 100
    assert reader.lake.latest_checkpoints(reader.cursor)["processed.orders"].batch == 1
    assert reader.lake.snapshots(reader.cursor, "processed.orders")
    with pytest.raises(LakewrightError, match="LW412"), reader.lake.transaction(reader.cursor):
        pass
    with pytest.raises(LakewrightError, match="LW412"):
        reader.rows("DELETE FROM lake.processed.orders")
    for write in (
        lambda: reader.lake.create_table(reader.cursor, "processed.x", {"a": "INTEGER"}),
        lambda: reader.lake.restore(reader.cursor, ["processed.orders"], version=1),
        lambda: reader.lake.add_column(reader.cursor, "processed.orders", "x", "INTEGER"),
    ):
        with pytest.raises(LakewrightError):
            write()


def test_what_a_lake_lacks_it_says(lake: Opened) -> None:
    build(lake, 1)
    offers, own, c = lake.lake.capabilities, lake.lake, lake.cursor
    assert offers.as_dict()["time_travel"] is True
    calls: dict[str, Callable[[], object]] = {
        "compaction": lambda: own.compact(c),
        "expiry": lambda: own.expire(c, datetime.now(UTC)),
        "change_partitions": lambda: own.set_partitions(c, "processed.orders", ["month(day)"]),
    }
    for name, call in calls.items():
        if getattr(offers, name):
            call()
        else:
            with pytest.raises(LakewrightError, match="LW413"):
                call()
    assert count(lake) == 100
