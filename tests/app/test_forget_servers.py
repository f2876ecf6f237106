"""A person is erased where lake, state, warehouse and cache are on servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pyarrow.fs as fs
import pytest
from people_shop import MARKERS, buy, contents, in_bytes, marked_shop, people_of
from shop_folder import Folder

import lakewright
from lakes import lake_settings, s3
from lakewright.app import forget as verbs
from lakewright.app.forget import Options
from lakewright.app.platform import Platform
from lakewright.errors import LakewrightError
from lakewright.spec.project import Lake
from servers import Ministack, Postgres, Redis

WHO = "customer=42"


def settings(folder: Folder, lake: Lake, **others: str) -> str:
    """The section `lake` as a line of YAML, its secrets beside the project."""
    content: dict[str, Any] = {
        key: value for key, value in msgspec.to_builtins(lake).items() if value is not None
    }
    for key in ("key_id", "secret") if "s3" in content else ():
        folder.write(f".secrets/S3_{key.upper()}", str(content["s3"][key]))
        content["s3"][key] = f"${{secret:S3_{key.upper()}}}"
    lines = [
        f"lake: {json.dumps(content)}",
        *(f"{name}: {json.dumps(value)}" for name, value in others.items()),
    ]
    return "\n        ".join([*lines, "engine: {threads: 2, memory_limit: 1GB}"])


def forget(folder: Folder, **options: Any) -> verbs.Forgotten:
    with Platform.open(folder.root) as platform:
        return verbs.forget(platform, verbs.named_people(platform, [WHO]), Options(**options))


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.s3
def test_on_servers_nothing_is_found(
    tmp_path: Path, postgres: Postgres, ministack: Ministack, redis_server: Redis
) -> None:
    databases = {name: postgres.database() for name in ("catalog", "state", "mart")}
    folder = Folder(tmp_path / "shop")
    bucket = ministack.bucket()
    lake = Lake(path=f"s3://{bucket}/shop", catalog=f"postgres:{databases['catalog']}", s3=s3(ministack))
    marked_shop(
        folder,
        warehouse=databases["mart"],
        more=settings(folder, lake, state=databases["state"]),
        cache=redis_server.url(),
    )
    buy(folder, people_of(60))
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        assert lw.sql("select name from processed.customers where customer_id = 42").fetchall()
        others = lw.sql(
            "select columns(c -> c not like '\\_%') from processed.customers where customer_id <> 42 order by 1"
        ).fetchall()

    def held() -> set[str]:
        found = {f"{name} {one}" for name, url in databases.items() for one in _in_database(url)}
        return found | _in_bucket(ministack, bucket) | _in_redis(redis_server)

    before = held()
    assert {one.partition(" ")[0] for one in before} == {"catalog", "state", "mart", "s3", "redis"}
    done = forget(folder, reason="ticket 8")
    assert done.complete
    assert held() == set()
    with lakewright.open(folder.root) as lw:
        assert (
            lw.sql("select columns(c -> c not like '\\_%') from processed.customers order by 1").fetchall()
            == others
        )
        assert {one.status for one in lw.run().tasks} == {"unchanged"}


def _in_database(url: str) -> set[str]:
    found = set()
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        connection.execute("CHECKPOINT")
        folder = connection.execute("SHOW data_directory").fetchone()
        number = connection.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        for schema, name in names:
            rows = connection.execute(f'SELECT t::text FROM "{schema}"."{name}" t').fetchall()
            if any(in_bytes(repr(rows).encode(), one) for one in MARKERS):
                found.add(f"{schema}.{name}")
        assert folder is not None
        assert number is not None
        # the pages of its tables as they lie on the disk, but for statistics of the server's own
        skipped = {
            row[0]
            for row in connection.execute(
                "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'pg\\_%'"
            )
        }
        for page in (Path(folder[0]) / "base" / str(number[0])).iterdir():
            known = f"base/{number[0]}/{page.name.partition('.')[0]}"
            if known not in skipped and any(in_bytes(page.read_bytes(), one) for one in MARKERS):
                found.add(f"page {known}")
    return found


def _in_mariadb(address: str) -> set[str]:
    """Tables of the database, and the files that the server keeps them in, with a text of theirs."""
    import pymysql

    server, _, name = address.removeprefix("mysql://root@127.0.0.1:").partition("/")
    found = set()
    with pymysql.connect(
        host="127.0.0.1", port=int(server), user="root", database=name, autocommit=True
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [name])
        for (one,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM `{one}`")
            if any(in_bytes(repr(cursor.fetchall()).encode(), word) for word in MARKERS):
                found.add(f"mart {one}")
        cursor.execute("SHOW VARIABLES LIKE 'datadir'")
        folder = Path(str((cursor.fetchone() or ("", ""))[1])) / name
        cursor.execute("FLUSH TABLES")
    for file in folder.iterdir():
        if any(in_bytes(file.read_bytes(), word) for word in MARKERS):
            found.add(f"mart file {file.name}")
    return found


def _in_bucket(double: Ministack, bucket: str) -> set[str]:
    store = fs.S3FileSystem(
        access_key=double.key_id, secret_key=double.secret, endpoint_override=double.endpoint, scheme="http",
        region=double.region,
    )  # fmt: skip
    found = set()
    for one in store.get_file_info(fs.FileSelector(bucket, recursive=True)):
        if one.type == fs.FileType.File:
            data = store.open_input_stream(one.path, compression=None).read()
            if any(in_bytes(part, word) for part in contents(data, one.path) for word in MARKERS):
                found.add(f"s3 {one.path}")
    return found


def _in_redis(server: Redis) -> set[str]:
    import redis

    client = redis.Redis.from_url(server.url())
    values = [client.get(key) or b"" for key in client.scan_iter("lakewright:query:*")]
    return {"redis value"} if any(in_bytes(bytes(one), word) for one in values for word in MARKERS) else set()


@pytest.mark.slow
@pytest.mark.iceberg
@pytest.mark.s3
@pytest.mark.mariadb
def test_on_iceberg_with_a_mariadb_warehouse_nothing_is_found(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    ministack: Ministack,
    mariadb_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Folder(tmp_path / "shop")
    lake = msgspec.structs.replace(
        lake_settings("iceberg-rest", request), path=f"s3://{ministack.bucket()}/shop"
    )
    marked_shop(folder, warehouse=mariadb_database, more=settings(folder, lake))
    buy(folder, people_of(60))
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        others = lw.sql(
            "select columns(c -> c not like '\\_%') from processed.customers where customer_id <> 42 order by 1"
        ).fetchall()
    buckets = (str(lake.warehouse).rpartition("/")[2], lake.path.split("/")[2])

    def held() -> set[str]:
        return set().union(*(_in_bucket(ministack, one) for one in buckets)) | _in_mariadb(mariadb_database)

    before = held()
    assert {one.partition(" ")[0] for one in before} == {"s3", "mart"}
    assert any("/data/" in one and one.endswith(".parquet") for one in before)
    assert any("/metadata/" in one and one.endswith(".avro") for one in before)
    with monkeypatch.context() as patch, pytest.raises(LakewrightError, match=r"LW813(.|\n)*versions lake"):
        patch.setattr("lakewright.lake.iceberg.find_spec", lambda name: None)
        forget(folder)
    assert held() == before
    done = forget(folder, reason="ticket 8")
    assert done.complete
    assert held() == set()
    with lakewright.open(folder.root) as lw:
        assert (
            lw.sql("select columns(c -> c not like '\\_%') from processed.customers order by 1").fetchall()
            == others
        )
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
