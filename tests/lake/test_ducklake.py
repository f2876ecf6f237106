"""What is particular to DuckLake: its files, upkeep, catalogs, and several processes at once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakes import Opened, OpenLake, project, s3
from lakewright.errors import LakewrightError, NotFoundError
from lakewright.spec.project import S3, Lake
from servers import Ministack, free_port


@pytest.fixture(params=["ducklake-sqlite", pytest.param("ducklake-postgres", marks=pytest.mark.postgres)])
def lake(open_test_lake: OpenLake, request: pytest.FixtureRequest) -> Opened:
    return open_test_lake(request.param)


def insert(opened: Opened, rows: int, start: int = 0, table: str = "processed.t") -> None:
    opened.rows(
        f"INSERT INTO lake.{table} SELECT range + {start}, DATE '2024-01-15' + INTERVAL (range % 3) MONTH, 'x' FROM range({rows})"
    )


def make(opened: Opened, **options: object) -> None:
    columns = {"id": "BIGINT", "day": "DATE", "v": "VARCHAR"}
    opened.lake.create_table(opened.cursor, "processed.t", columns, **options)  # type: ignore[arg-type]


def parquet(opened: Opened) -> list[Path]:
    return sorted((Path(opened.project.root) / "lake" / "tables").rglob("*.parquet"))


# --- upkeep


def test_compaction_merges_files_applies_deletes_and_writes_inlined_rows(lake: Opened) -> None:
    make(lake)
    for batch in range(5):
        insert(lake, 100, batch * 100)
    insert(lake, 3, 500)
    lake.rows("DELETE FROM lake.processed.t WHERE id < 120")
    before = lake.rows("SELECT count(*), sum(id), min(id) FROM lake.processed.t")
    version = lake.lake.snapshots(lake.cursor, "processed.t")[1].id
    assert len(lake.lake.files(lake.cursor, "processed.t")) == 4
    report = lake.lake.compact(lake.cursor, ["processed.t"])
    assert [(one.id, one.before, one.after) for one in report] == [("processed.t", 4, 1)]
    assert lake.rows("SELECT count(*), sum(id), min(id) FROM lake.processed.t") == before
    [file] = lake.lake.files(lake.cursor, "processed.t")
    assert lake.rows(f"SELECT count(*) FROM read_parquet('{file}')") == [(383,)]
    # Older versions are still there.
    then = lake.lake.at("processed.t", version=version).sql("duckdb")
    assert lake.rows(f"SELECT count(*) FROM {then}") == [(503,)]


def test_compaction_of_an_unknown_table_is_refused(lake: Opened) -> None:
    make(lake)
    with pytest.raises(NotFoundError, match=r"did you mean 'processed\.t'"):
        lake.lake.compact(lake.cursor, ["processed.tt"])


def test_expiry_forgets_versions_and_deletes_their_files(lake: Opened) -> None:
    make(lake)
    insert(lake, 100)
    version = lake.lake.snapshots(lake.cursor)[0].id
    with lake.lake.transaction(lake.cursor, message="replace"):
        lake.rows("DELETE FROM lake.processed.t")
        insert(lake, 50)
    orphan = parquet(lake)[0].with_name("ducklake-left-by-a-crash.parquet")
    shutil.copy(parquet(lake)[0], orphan)
    # With the usual grace nothing is deleted yet: somebody may be reading it.
    assert lake.lake.expire(lake.cursor, datetime.now(UTC) - timedelta(days=1)) == 0
    assert len(parquet(lake)) == 3
    assert lake.lake.expire(lake.cursor, datetime.now(UTC), grace=timedelta(0), orphan_age=timedelta(0)) > 0
    assert [str(one) for one in parquet(lake)] == lake.lake.files(lake.cursor, "processed.t")
    assert lake.rows("SELECT count(*) FROM lake.processed.t") == [(50,)]
    with pytest.raises(NotFoundError, match="LW415"):
        lake.lake.restore(lake.cursor, ["processed.t"], version=version)


def test_new_partitions_hold_for_new_files(lake: Opened) -> None:
    make(lake, partition_by=["year(day)"])
    insert(lake, 30)
    lake.lake.set_partitions(lake.cursor, "processed.t", ["month(day)", "bucket(2, id)"])
    insert(lake, 30, 100)
    folders = {str(one.parent).partition("/processed/t/")[2] for one in parquet(lake)}
    assert "year=2024" in folders
    assert {"month=1/bucket=0", "month=3/bucket=1"} <= folders
    assert lake.lake.tables(lake.cursor)[-1].partition_by == ("month(day)", "bucket(2, id)")
    assert lake.rows("SELECT count(*) FROM lake.processed.t WHERE month(day) = 2") == [(20,)]
    lake.lake.set_partitions(lake.cursor, "processed.t", [])
    assert lake.lake.tables(lake.cursor)[-1].partition_by == ()


def test_a_dropped_table_comes_back_as_it_was(lake: Opened) -> None:
    make(lake, partition_by=["year(day)"], sort_by=["id desc"], comment="kept")
    insert(lake, 40)
    version = lake.lake.snapshots(lake.cursor)[0].id
    lake.lake.drop_table(lake.cursor, "processed.t")
    lake.lake.drop_table(lake.cursor, "processed.t")
    assert lake.lake.columns(lake.cursor, "processed.t") is None
    assert lake.lake.restore(lake.cursor, ["processed.t"], version=version) == {"processed.t": 40}
    assert lake.lake.tables(lake.cursor)[-1].partition_by == ("year(day)",)
    assert lake.lake.at("processed.t", version=version).sql("duckdb") == (
        f'"lake"."processed"."t" AT (VERSION => {version})'
    )


# --- opening


def test_a_moved_project_finds_its_data(open_test_lake: OpenLake, tmp_path: Path) -> None:
    first = open_test_lake("ducklake-sqlite")
    make(first)
    insert(first, 100)
    first.session.close()
    moved = tmp_path / "moved"
    shutil.move(first.project.root, moved)
    second = open_test_lake.open(project(moved, Lake()))
    assert second.rows("SELECT count(*) FROM lake.processed.t") == [(100,)]
    insert(second, 50)
    assert len(parquet(second)) == 2


def test_another_data_folder_for_the_same_catalog_is_refused(open_test_lake: OpenLake) -> None:
    first = open_test_lake("ducklake-sqlite")
    make(first)
    insert(first, 100)
    with pytest.raises(LakewrightError, match="LW410"):
        open_test_lake.open(project(Path(first.project.root), Lake(path="elsewhere")))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (Lake(catalog="mysql:host=x"), "LW417"),
        (Lake(catalog="sqlite:"), "LW417"),
        (Lake(path="gs://bucket/x"), "LW417"),
        (Lake(kind="iceberg"), "LW417"),
        (Lake(kind="iceberg", catalog="http://127.0.0.1:1/iceberg", warehouse="w"), "LW410"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    open_test_lake: OpenLake, tmp_path: Path, settings: Lake, code: str
) -> None:
    with pytest.raises(LakewrightError) as caught:
        open_test_lake.open(project(tmp_path, settings))
    assert caught.value.code == code


def test_reading_a_lake_that_does_not_exist_makes_nothing(open_test_lake: OpenLake, tmp_path: Path) -> None:
    with pytest.raises(LakewrightError, match="LW410"):
        open_test_lake.open(project(tmp_path, Lake()), read_only=True)
    assert not (tmp_path / "lake").exists()


def test_a_catalog_that_is_no_catalog_is_refused(open_test_lake: OpenLake, tmp_path: Path) -> None:
    (tmp_path / ".lakewright").mkdir()
    (tmp_path / ".lakewright" / "catalog.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(LakewrightError, match="LW410"):
        open_test_lake.open(project(tmp_path, Lake()))


def test_a_password_in_the_catalogs_address_is_never_shown(open_test_lake: OpenLake, tmp_path: Path) -> None:
    for address in (
        f"postgres:postgresql://me:s3cr3t-word@127.0.0.1:{free_port()}/db",
        f"postgres:host=127.0.0.1 port={free_port()} user=me password=s3cr3t-word dbname=db",
    ):
        with pytest.raises(LakewrightError) as caught:
            open_test_lake.open(project(tmp_path, Lake(catalog=address)))
        assert caught.value.code == "LW410"
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is None


# --- several writers in one process


def prepare(opened: Opened, tables: int) -> None:
    for number in range(tables):
        columns = {"id": "BIGINT", "day": "DATE", "v": "VARCHAR"}
        opened.lake.create_table(opened.cursor, f"processed.w{number}", columns)


@pytest.mark.postgres
def test_threads_commit_side_by_side_on_postgres(open_test_lake: OpenLake) -> None:
    opened = open_test_lake("ducklake-postgres")
    prepare(opened, 2)
    assert opened.lake.capabilities.concurrent_commits
    inside, failures = threading.Barrier(2, timeout=30), []

    def publish(number: int) -> None:
        cursor = opened.session.cursor()
        try:
            with opened.lake.transaction(cursor, message=f"{number}"):
                inside.wait()  # both are in their transactions at once
                cursor.execute(
                    f"INSERT INTO lake.processed.w{number} SELECT range, NULL, NULL FROM range(100)"
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (
        opened.rows("SELECT count(*) FROM lake.processed.w0 UNION ALL SELECT count(*) FROM lake.processed.w1")
        == [(100,)] * 2
    )


def test_work_that_conflicts_is_run_again(open_test_lake: OpenLake) -> None:
    opened = open_test_lake("ducklake-sqlite")
    other = open_test_lake.again(opened)
    make(opened)
    insert(opened, 20)
    other.lake._commit_lock = threading.Lock  # type: ignore[attr-defined]
    runs: list[int] = []

    def work() -> None:
        runs.append(len(runs))
        opened.rows("UPDATE lake.processed.t SET v = 'mine'")
        if len(runs) == 1:
            # Another writer, which does not know of the lock, changes the same rows and commits first.
            other.rows("UPDATE lake.processed.t SET v = 'theirs'")

    opened.lake.commit(opened.cursor, work, message="conflict")
    assert runs == [0, 1]
    assert opened.rows("SELECT DISTINCT v FROM lake.processed.t") == [("mine",)]


# --- S3


@pytest.fixture
def lake_on_s3(open_test_lake: OpenLake, ministack: Ministack, tmp_path: Path) -> Callable[[S3], Opened]:
    path = f"s3://{ministack.bucket()}/some/prefix"
    return lambda settings: open_test_lake.open(project(tmp_path, Lake(path=path, s3=settings)))


@pytest.mark.s3
def test_tables_lie_on_s3(lake_on_s3: Callable[[S3], Opened], ministack: Ministack) -> None:
    opened = lake_on_s3(s3(ministack))
    make(opened, partition_by=["year(day)", "month(day)"])
    with opened.lake.transaction(opened.cursor, message="one"):
        insert(opened, 90)
    version = opened.lake.snapshots(opened.cursor)[0].id
    opened.rows("DELETE FROM lake.processed.t WHERE id < 10")
    bucket = opened.project.file.lake.path.split("/")[2]
    listed = ministack.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    names = [one["Key"] for one in listed]
    assert any(name.startswith("some/prefix/tables/processed/t/year=2024/month=2/") for name in names)
    assert opened.rows("SELECT count(*) FROM lake.processed.t") == [(80,)]
    assert opened.lake.restore(opened.cursor, ["processed.t"], version=version) == {"processed.t": 90}
    with pytest.raises(ZeroDivisionError), opened.lake.transaction(opened.cursor):
        insert(opened, 1000)
        raise ZeroDivisionError
    assert opened.rows("SELECT count(*) FROM lake.processed.t") == [(90,)]
    opened.lake.compact(opened.cursor, ["processed.t"])
    opened.lake.expire(opened.cursor, datetime.now(UTC), grace=timedelta(0), orphan_age=timedelta(0))
    left = ministack.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    kept = [one["Key"] for one in left if one["Key"].startswith("some/prefix/tables/processed/")]
    assert sorted(f"s3://{bucket}/{name}" for name in kept) == sorted(
        opened.lake.files(opened.cursor, "processed.t")
    )


@pytest.mark.s3
def test_keys_of_s3_are_never_shown(
    lake_on_s3: Callable[[S3], Opened], ministack: Ministack, open_test_lake: OpenLake
) -> None:
    wrong = S3(
        endpoint=f"http://127.0.0.1:{free_port()}", key_id="AKIDHIDDEN", secret="very-hidden-'key", url_style="path", use_ssl=False
    )  # fmt: skip
    opened = lake_on_s3(wrong)
    opened.session.execute("SET GLOBAL http_retries = 0")
    make(opened)
    with pytest.raises(LakewrightError) as caught:
        insert(opened, 1000)
    assert caught.value.code in ("LW408", "LW409")
    for text in (str(caught.value), str(opened.session.hidden - {"AKIDHIDDEN", "very-hidden-'key"})):
        assert "HIDDEN" not in text
        assert "very-hidden" not in text


def test_as_many_columns_as_the_catalog_takes(lake: Opened) -> None:
    most = 1_997 if lake.lake.kind == "ducklake-sqlite" else 1_597
    columns = {f"c{number}": "BIGINT" for number in range(most)}
    lake.lake.create_table(lake.cursor, "processed.wide", columns)
    # more rows than are kept in the catalog
    lake.rows(f"INSERT INTO lake.processed.wide SELECT {', '.join(map(str, range(most)))} FROM range(100)")
    assert lake.rows(f"SELECT sum(c{most - 1}) FROM lake.processed.wide") == [(100 * (most - 1),)]
    with pytest.raises(LakewrightError) as refused:
        lake.lake.create_table(lake.cursor, "processed.wider", {**columns, "more": "BIGINT"})
    assert refused.value.code == "LW413"
