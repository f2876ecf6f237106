"""Upkeep of an Iceberg lake: files written anew, versions forgotten, files removed; also beside other writers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakes import Opened, OpenLake
from lakewright.errors import LakewrightError, NotFoundError
from lakewright.lake.iceberg_rest import RestTables, bare
from servers import Ministack

pytestmark = [pytest.mark.iceberg, pytest.mark.s3]

TABLE = "processed.t"
AT_ONCE: dict[str, Any] = {"grace": timedelta(0), "orphan_age": timedelta(0)}


@pytest.fixture
def lake(open_test_lake: OpenLake) -> Opened:
    opened = open_test_lake("iceberg-rest")
    opened.lake.create_table(
        opened.cursor, TABLE, {"id": "BIGINT", "name": "VARCHAR", "day": "DATE"},
        partition_by=["month(day)"], sort_by=["name desc"],
    )  # fmt: skip
    return opened


def insert(lake: Opened, first: int, rows: int = 30) -> None:
    with lake.lake.transaction(lake.cursor, message=f"from {first}"):
        lake.rows(
            "INSERT INTO lake.processed.t SELECT i, 'name ' || i, DATE '2024-01-01' + (i % 60)::INT "
            f"FROM range({first}, {first + rows}) r(i)"
        )


def delete(lake: Opened, condition: str) -> None:
    with lake.lake.transaction(lake.cursor, message=condition):
        lake.rows(f"DELETE FROM lake.processed.t WHERE {condition}")


def all_rows(lake: Opened) -> list[tuple[object, ...]]:
    return lake.rows("SELECT * FROM lake.processed.t ORDER BY id, name")


def versions(lake: Opened) -> list[int]:
    return [one.id for one in lake.lake.snapshots(lake.cursor)]


def objects(lake: Opened, ministack: Ministack, folder: str = "processed/t/") -> set[str]:
    """What lies in the table's folder of the warehouse."""
    bucket = str(lake.project.file.lake.warehouse).rpartition("/")[2]
    pages = ministack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    return {
        one["Key"].removeprefix(folder) for page in pages for one in page.get("Contents", ()) if one["Size"]
    }


def test_files_are_written_anew_in_order_and_old_ones_go_with_their_versions(
    lake: Opened, open_test_lake: OpenLake, ministack: Ministack
) -> None:
    for batch in range(4):
        insert(lake, batch * 30)
    delete(lake, "id % 4 = 0")
    lake.rows("UPDATE lake.processed.t SET name = 'changed' WHERE id = 1")
    rows, older = all_rows(lake), versions(lake)
    reader = open_test_lake.again(lake, read_only=True)
    [report] = lake.lake.compact(lake.cursor, [TABLE])
    assert (report.before > report.after, report.after) == (True, 2)
    assert all_rows(lake) == all_rows(reader) == rows
    assert lake.lake.sort_keys(lake.cursor, TABLE) == ("name desc",)
    for file in lake.lake.files(lake.cursor, TABLE):
        names = [row[0] for row in lake.rows(f"SELECT name FROM read_parquet('{file}')")]
        assert names == sorted(names, reverse=True)
    assert {"POSITION_DELETES"} & {
        row[0] for row in lake.rows(f"SELECT content FROM iceberg_metadata('lake.{TABLE}')")
    } == set()
    [info] = lake.lake.tables(lake.cursor, TABLE)
    assert (info.rows, info.files) == (90, 2)
    # every older version is still there; a table that is in order is left as it is
    assert versions(lake) == older
    then = lake.lake.at(TABLE, version=older[-1]).sql("duckdb")
    assert lake.rows(f"SELECT count(*) FROM {then}") == [(30,)]
    [again] = lake.lake.compact(lake.cursor, [TABLE])
    assert (again.before, again.after) == (2, 2)

    # with the usual ages versions go, and no file: somebody may be reading it
    before = objects(lake, ministack)
    assert lake.lake.expire(lake.cursor, datetime.now(UTC) - timedelta(days=1)) == 0
    assert lake.lake.expire(lake.cursor, datetime.fromtimestamp(older[1] / 1000, UTC)) == 3
    assert versions(lake) == older[:2]
    assert before <= objects(lake, ministack)
    then = lake.lake.at(TABLE, version=older[1]).sql("duckdb")
    assert lake.rows(f"SELECT count(*) FROM {then}") == [(120,)]
    with pytest.raises(NotFoundError, match="LW415"):
        lake.lake.restore(lake.cursor, [TABLE], version=older[2])

    orphan = "data/left-by-a-crash.parquet"
    bucket = str(lake.project.file.lake.warehouse).rpartition("/")[2]
    ministack.client("s3").put_object(Bucket=bucket, Key=f"processed/t/{orphan}", Body=b"rows")
    assert lake.lake.expire(lake.cursor, datetime.now(UTC), grace=timedelta(0)) == 1
    assert orphan in objects(lake, ministack)  # it may belong to a commit under way
    assert lake.lake.expire(lake.cursor, datetime.now(UTC), **AT_ONCE) == 0
    left = objects(lake, ministack)
    # two data files with a manifest, the list of it, and the table's metadata
    assert sorted(one.rpartition(".")[2] for one in left) == ["avro", "avro", "json", "parquet", "parquet"]
    assert all_rows(lake) == rows
    fresh = open_test_lake.again(lake)
    assert all_rows(fresh) == rows
    assert len(versions(fresh)) == 1
    insert(fresh, 1000)
    assert len(all_rows(fresh)) == 120


def test_another_writer_between_makes_it_begin_again_and_loses_nothing(
    lake: Opened, open_test_lake: OpenLake, ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(lake, 0)
    insert(lake, 30)
    delete(lake, "id < 10")
    # a writer on another machine: no lock of this one keeps it out
    other = open_test_lake.again(lake)
    other.lake._lock = contextlib.nullcontext  # type: ignore[attr-defined]
    asked, kept = RestTables.entries, RestTables.keep_only
    moments: list[str] = []

    def before_rows(rest: RestTables, id: str) -> Any:
        found = asked(rest, id)
        if not moments:
            moments.append("before")
            delete(other, "id = 20")
            insert(other, 60, rows=1)
        return found

    def before_files(rest: RestTables, id: str, since: int, commits: int) -> None:
        if len(moments) < 4:
            moments.append("between")
            insert(other, 59 + len(moments), rows=1)
            if len(moments) == 3:
                delete(other, "id in (21, 62)")
        kept(rest, id, since, commits)

    monkeypatch.setattr(RestTables, "entries", before_rows)
    monkeypatch.setattr(RestTables, "keep_only", before_files)
    [report] = lake.lake.compact(lake.cursor, [TABLE])
    assert moments == ["before", "between", "between", "between"]
    expected = [one for one in range(10, 64) if one not in (20, 21, 62)]
    assert [row[0] for row in all_rows(lake)] == [row[0] for row in all_rows(other)] == expected
    assert report.after == 2
    # a writer that forgets to say so is no reason to lose what it wrote
    insert(other, 100)
    assert lake.lake.expire(lake.cursor, datetime.now(UTC), **AT_ONCE) > 0
    insert(other, 200)
    assert [row[0] for row in all_rows(lake)] == [*expected, *range(100, 130), *range(200, 230)]


def test_interrupted_anywhere_the_next_call_finishes(
    lake: Opened, open_test_lake: OpenLake, ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch in range(3):
        insert(lake, batch * 30)
    delete(lake, "id % 2 = 0")
    rows = all_rows(lake)

    def upkeep() -> None:
        lake.lake.compact(lake.cursor)
        lake.lake.expire(lake.cursor, datetime.now(UTC), **AT_ONCE)

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    def half(rest: RestTables, id: str, paths: Iterable[str]) -> None:
        whole = list(paths)
        removed(rest, id, whole[: len(whole) // 2])
        raise Killed

    removed = RestTables.remove
    for name, act in (("keep_only", killed), ("forget", killed), ("remove", killed), ("remove", half)):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(RestTables, name, act)
            upkeep()
        assert all_rows(open_test_lake.again(lake)) == rows, name
    upkeep()
    assert sorted(one.rpartition(".")[2] for one in objects(lake, ministack)) == (
        ["avro", "avro", "json", "parquet", "parquet"]
    )
    assert all_rows(open_test_lake.again(lake)) == rows
    assert len(versions(lake)) == 1


def test_a_large_table_ends_in_few_files_and_is_then_left_alone(lake: Opened) -> None:
    lake.lake.create_table(lake.cursor, "processed.wide", {"id": "BIGINT", "name": "VARCHAR"})
    wide = "repeat(md5(i::VARCHAR), 3)"
    with lake.lake.transaction(lake.cursor, message="rows"):
        lake.rows(f"INSERT INTO lake.processed.wide SELECT i, {wide} FROM range(400_000) r(i)")
    before = lake.rows("SELECT count(*), sum(hash(t)) FROM lake.processed.wide t")
    assert len(lake.lake.files(lake.cursor, "processed.wide")) > 1
    [report] = lake.lake.compact(lake.cursor, ["processed.wide"])
    assert report.after == 1
    [again] = lake.lake.compact(lake.cursor, ["processed.wide"])
    assert (again.before, again.after) == (1, 1)
    assert lake.rows("SELECT count(*), sum(hash(t)) FROM lake.processed.wide t") == before
    # a few rows more are no reason to write all of them again
    with lake.lake.transaction(lake.cursor, message="one"):
        lake.rows("INSERT INTO lake.processed.wide VALUES (1, 'one')")
    version = versions(lake)
    [still] = lake.lake.compact(lake.cursor, ["processed.wide"])
    assert (still.before, still.after, versions(lake)) == (2, 2, version)


def test_files_elsewhere_are_left_alone(
    lake: Opened, ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(lake, 0)
    before = objects(lake, ministack)
    listed = RestTables.listed

    def without_lists(rest: RestTables, id: str) -> list[Any]:
        return [one for one in listed(rest, id) if "/snap-" not in one.path]

    monkeypatch.setattr(RestTables, "listed", without_lists)
    with pytest.raises(LakewrightError, match="none was deleted"):
        lake.lake.expire(lake.cursor, datetime.now(UTC), **AT_ONCE)
    assert objects(lake, ministack) == before
    # writers call the same bucket by several names
    assert {bare(f"{scheme}b/t/f.avro") for scheme in ("s3://", "s3a://", "S3N://", "/")} == {"b/t/f.avro"}
    assert bare("file:/b/t") == bare("file:///b/t") == bare("/b/t")


def test_without_pyiceberg_it_says_what_to_install(
    open_test_lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakewright.lake.iceberg.find_spec", lambda name: None)
    opened = open_test_lake("iceberg-rest")
    for call in (opened.lake.compact, lambda c: opened.lake.purge(c, [])):
        with pytest.raises(LakewrightError, match=r"LW413(.|\n)*lakewright\[iceberg\]"):
            call(opened.cursor)
