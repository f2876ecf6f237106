"""Landing prefixes and the raw zone on S3, against a double of it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from raw_zone import Zone

from lakes import s3
from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake.raw import S3Store, open_raw
from lakewright.lake.storage import s3_secret
from lakewright.sources.discover import discover
from lakewright.sources.files import rejects_of, take
from lakewright.spec.project import Engine, Lake
from lakewright.spec.sources import FileDataset, FileSource
from lakewright.state import State
from servers import Ministack

pytestmark = pytest.mark.s3


def put(ministack: Ministack, bucket: str, key: str, data: bytes) -> None:
    ministack.client("s3").put_object(Bucket=bucket, Key=key, Body=data)


def test_the_store(ministack: Ministack, tmp_path: Path) -> None:
    bucket = ministack.bucket()
    store = open_raw(Lake(path=f"s3://{bucket}/lake", s3=s3(ministack)), tmp_path, str)
    assert isinstance(store, S3Store)
    big = bytes(range(256)) * 60_000
    assert store.put(big, "s/d/big.bin") == len(big)
    local = tmp_path / "x.txt"
    local.write_bytes(b"two")
    store.publish(local, "s/d/x y+z=1.txt")
    assert not local.exists()
    assert [(one.path, one.size) for one in store.list()] == [
        ("s/d/big.bin", len(big)),
        ("s/d/x y+z=1.txt", 3),
    ]
    assert [one.path for one in store.list("other")] == []
    with store.open("s/d/big.bin") as stream:
        assert stream.read() == big
    assert store.uri("a/b") == f"s3://{bucket}/lake/raw/a/b"
    assert store.exists("s/d/big.bin") and not store.exists("s/d")
    store.delete("s/d/big.bin")
    store.delete("s/d/big.bin")
    assert not store.exists("s/d/big.bin")


def test_a_failed_upload_leaves_no_object(ministack: Ministack, tmp_path: Path) -> None:
    bucket = ministack.bucket()
    store = open_raw(Lake(path=f"s3://{bucket}/lake", s3=s3(ministack)), tmp_path, str)

    class Broken:
        calls = 0

        def read(self, _size: int = -1) -> bytes:
            self.calls += 1
            if self.calls > 2:
                raise OSError("the disk is gone")
            return b"x" * 6_000_000

    with pytest.raises(OSError, match="gone"):
        store.put(Broken(), "a/half.bin")  # type: ignore[arg-type]
    assert not store.exists("a/half.bin")


def test_from_a_landing_prefix_to_raw_and_back(ministack: Ministack, tmp_path: Path) -> None:
    bucket = ministack.bucket()
    put(ministack, bucket, "landing/2024/01/orders_1.csv", b"id,name\n1,Ann\n2\n")
    put(ministack, bucket, "landing/2024/02/orders 2+3.csv", "id,name\n3,Zoë\n".encode("utf-16"))
    put(ministack, bucket, "landing/2024/02/other.txt", b"nothing")
    put(ministack, bucket, "landing/.hidden/orders_3.csv", b"id,name\n9,no\n")
    settings = s3(ministack)
    store = open_raw(Lake(path=f"s3://{bucket}/lake", s3=settings), tmp_path, str)
    state = State("sqlite:state.db", tmp_path)
    source = FileSource(path=f"s3://{bucket}/landing", datasets={"d": FileDataset(files="**/orders*.csv")})
    with Session.open(Engine(), root=tmp_path) as session:
        cursor = session.cursor()
        load(cursor, "httpfs")
        session.execute(s3_secret("test", settings, session, str))
        taken = take("s", "d", source, root=tmp_path, store=store, state=state, cursor=cursor, s3=settings)
        assert [file.path for file in taken.files] == ["2024/01/orders_1.csv", "2024/02/orders 2+3.csv"]
        assert (taken.rows, taken.rejected) == (2, 1)
        zone = Zone(tmp_path, store, state, cursor, tmp_path)
        assert zone.rows(source_file=True) == [
            ("1", "Ann", "2024/01/orders_1.csv"),
            ("3", "Zoë", "2024/02/orders 2+3.csv"),
        ]
        assert rejects_of(store, zone.files()).to_pylist()[0]["line"] == 3
        again = take("s", "d", source, root=tmp_path, store=store, state=state, cursor=cursor, s3=settings)
        assert (again.batch, again.unchanged) == (0, 2)
        put(ministack, bucket, "landing/2024/01/orders_1.csv", b"id,name\n1,Ann\n2,Bob\n")
        taken = take("s", "d", source, root=tmp_path, store=store, state=state, cursor=cursor, s3=settings)
        assert [(file.version, file.change) for file in taken.files] == [(2, "changed")]
        assert sorted(zone.rows()) == [("1", "Ann"), ("2", "Bob"), ("3", "Zoë")]
    state.close()


def test_packed_files_are_copied_as_they_are(ministack: Ministack, tmp_path: Path) -> None:
    """Arrow would unpack and pack by the ending of a name."""
    bucket = ministack.bucket()
    data = gzip.compress(b"id,name\n1,Ann\n")
    put(ministack, bucket, "landing/orders.csv.gz", data)
    settings = s3(ministack)
    store = open_raw(Lake(path=f"s3://{bucket}/lake", s3=settings), tmp_path, str)
    state = State("sqlite:state.db", tmp_path)
    source = FileSource(path=f"s3://{bucket}/landing", datasets={"d": FileDataset(files="orders.csv.gz")})
    with Session.open(Engine(), root=tmp_path) as session:
        cursor = session.cursor()
        load(cursor, "httpfs")
        session.execute(s3_secret("test", settings, session, str))
        taken = take("s", "d", source, root=tmp_path, store=store, state=state, cursor=cursor, s3=settings)
        assert (taken.rows, taken.busy, taken.bytes) == (1, (), len(data))
        with store.open(taken.files[0].raw_path) as stream:
            assert stream.read() == data
        assert Zone(tmp_path, store, state, cursor, tmp_path).rows() == [("1", "Ann")]
    state.close()


def test_a_file_that_is_not_there(ministack: Ministack, tmp_path: Path) -> None:
    bucket = ministack.bucket()
    source = FileSource(path=f"s3://{bucket}/landing", datasets={"d": FileDataset(files="orders.csv")})
    with pytest.raises(LakewrightError) as caught:
        discover(source, "d", root=tmp_path, s3=s3(ministack))
    assert caught.value.code == "LW201"
