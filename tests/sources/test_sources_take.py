"""Taking files: once, byte for byte, again when they change, and never half."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from raw_zone import Zone

from lakewright.errors import LakewrightError
from lakewright.lake.raw import LocalStore
from lakewright.sources import files as files_module
from lakewright.sources.discover import Found, discover, matches
from lakewright.sources.files import pending, rejects_of
from lakewright.sources.manifest import current_files, replaced_since
from lakewright.spec.sources import FileDataset, FileSource

DAY = datetime(2024, 3, 5, 12, tzinfo=UTC)


def later(path: Path, seconds: int = 10) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 10**9))


def test_files_lie_in_dated_folders_byte_for_byte(zone: Zone) -> None:
    data = b"\xef\xbb\xbfid;name\r\n1;Ann\r\n"
    zone.write("2024/orders.csv", data)
    taken = zone.take("**/*.csv", at=DAY)
    (file,) = taken.files
    assert file.raw_path == "s/d/year=2024/month=3/day=5/2024/orders.csv"
    assert (zone.root / "lake/raw" / file.raw_path).read_bytes() == data
    assert (file.size, file.hash) == (len(data), hashlib.sha256(data).hexdigest())
    assert (file.batch, file.version, file.change, file.rows) == (1, 1, "new", 1)


def test_nothing_is_taken_twice(zone: Zone) -> None:
    path = zone.write("a.csv", "a\n1\n2\n")
    assert zone.take().batch == 1
    again = zone.take()
    assert (again.batch, again.files, again.unchanged) == (0, (), 1)
    # a file that was only touched is looked at once more, and then not again
    later(path)
    assert (zone.take().batch, zone.files()[0].batch) == (0, 1)
    found = discover(FileSource(path=str(zone.landing), datasets={"d": zone.dataset()}), "d", root=zone.root)
    assert pending(found, current_files(zone.state, "raw.d")) == []


def test_new_files_make_the_next_batch(zone: Zone) -> None:
    zone.write("a.csv", "a\n1\n")
    zone.take()
    zone.write("b.csv", "a\n2\n")
    taken = zone.take()
    assert (taken.batch, [file.path for file in taken.files], taken.unchanged) == (2, ["b.csv"], 1)
    assert zone.rows() == [("1",), ("2",)]
    read = zone.reading(after=1)
    assert zone.cursor.execute(read.query.sql("duckdb")).fetchall() == [("2", "b.csv")]


@pytest.mark.parametrize(
    ("text", "change"), [("a\n1\n2\n3\n", "grown"), ("a\n9\n", "changed"), ("a\n", "changed")]
)
def test_a_changed_file_is_taken_as_a_new_version(zone: Zone, text: str, change: str) -> None:
    path = zone.write("a.csv", "a\n1\n2\n")
    zone.write("b.csv", "a\n7\n")
    zone.take(at=DAY)
    path.write_text(text)
    later(path)
    taken = zone.take(at=DAY)
    (file,) = taken.files
    assert (file.version, file.batch, file.change) == (2, 2, change)
    assert file.raw_path == "s/d/year=2024/month=3/day=5/_v2/a.csv"
    # readers see the new version only; the old bytes are still there
    assert sorted(zone.rows(source_file=True)) == sorted(
        [*((line, "a.csv") for line in text.split()[1:]), ("7", "b.csv")]
    )
    old = zone.files(current=False)[0]
    assert (old.version, old.superseded_in) == (1, 2)
    with zone.store.open(old.raw_path) as stream:
        assert stream.read() == b"a\n1\n2\n"


def test_readers_know_whose_rows_to_replace(zone: Zone) -> None:
    path = zone.write("a.csv", "a\n1\n")
    zone.write("b.csv", "a\n2\n")
    zone.take()
    for text in ("a\n1\n1\n", "a\n1\n1\n1\n"):
        path.write_text(text)
        later(path)
        zone.take()
    assert replaced_since(zone.state, "raw.d", 1) == ("a.csv",)
    assert replaced_since(zone.state, "raw.d", 2) == ("a.csv",)
    assert replaced_since(zone.state, "raw.d", 3) == ()
    assert replaced_since(zone.state, "raw.d", 0) == ()
    # who stands at batch 1 reads the third version, and not the second
    assert [(file.path, file.version) for file in zone.files(after=1)] == [("a.csv", 3)]
    # as of batch 2 the second version is the current one
    assert [(file.path, file.version) for file in zone.files(upto=2)] == [("b.csv", 1), ("a.csv", 2)]


def test_missing_files_are_told_and_kept(zone: Zone) -> None:
    zone.write("a.csv", "a\n1\n")
    path = zone.write("b.csv", "a\n2\n")
    zone.take()
    path.unlink()
    taken = zone.take()
    assert (taken.batch, taken.missing, taken.unchanged) == (0, ("b.csv",), 1)
    assert zone.rows() == [("1",), ("2",)]


def test_a_file_that_is_being_written_waits(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zone.write("a.csv", "a\n1\n")
    zone.write("b.csv", "a\n2\n")
    real = discover

    def growing(*args: Any, **settings: Any) -> list[Found]:
        found = real(*args, **settings)
        first = found[0]

        def opened() -> Any:
            with path.open("a") as out:
                out.write("3\n")
            return path.open("rb")

        return [Found(first.path, first.size, first.modified, first.address, opened, first.stat), *found[1:]]

    monkeypatch.setattr(files_module, "discover", growing)
    taken = zone.take()
    assert (taken.busy, [file.path for file in taken.files]) == (("a.csv",), ["b.csv"])
    monkeypatch.undo()
    assert [file.path for file in zone.take().files] == ["a.csv"]


def test_a_crash_before_the_manifest_leaves_nothing_taken(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("a.csv", "a,b\n1,2\n3\n")

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module, "record", crash)
    with pytest.raises(KeyboardInterrupt):
        zone.take(at=DAY)
    assert zone.files() == []
    assert not any((zone.root / "lake/raw/.staging").iterdir())
    monkeypatch.undo()
    taken = zone.take(at=DAY)
    assert (taken.batch, taken.rows, taken.rejected, zone.rows()) == (1, 1, 1, [("1", "2")])
    assert rejects_of(zone.store, zone.files()).num_rows == 1


def test_rejects_are_kept_beside_the_files(zone: Zone) -> None:
    zone.write("a.csv", "a,b\n1,2\n3\n")
    zone.write("b.csv", "a,b\n1,2\n")
    first = zone.take()
    zone.write("c.csv", "a,b\n4\n5\n")
    second = zone.take()
    both = rejects_of(zone.store, zone.files()).to_pylist()
    assert both == first.quarantined.to_pylist() + second.quarantined.to_pylist()
    assert [(row["file"], row["line"]) for row in both] == [("a.csv", 3), ("c.csv", 2), ("c.csv", 3)]


def test_an_unreadable_file_is_quarantined_or_fails_the_run(zone: Zone) -> None:
    zone.write("a.parquet", b"PAR1 this is no parquet PAR1")
    zone.write("b.csv", "a\n1\n")
    with pytest.raises(LakewrightError) as caught:
        zone.take(on_unreadable="fail")
    assert caught.value.code == "LW202"
    assert "a.parquet" in str(caught.value)
    assert zone.files() == []
    taken = zone.take()
    assert (taken.read, taken.rows, taken.rejected) == (2, 1, 1)
    (row,) = taken.quarantined.to_pylist()
    assert (row["file"], row["line"]) == ("a.parquet", None)
    assert row["reason"].startswith("not a sound Parquet file")
    # it is not tried again as long as it stays the same
    assert zone.take().batch == 0


def test_drift_evolves(zone: Zone) -> None:
    zone.write("1.csv", "id,name,old\n1,Ann,x\n")
    zone.write("2.csv", "ID,extra,name\n2,y,Bob\n")
    taken = zone.take()
    assert [str(one) for one in taken.drift] == [
        "2.csv: column 'extra' is new",
        "2.csv: column 'old' is missing",
    ]
    assert zone.rows() == [("1", "Ann", "x", None), ("2", "Bob", None, "y")]
    assert list(zone.reading().columns) == ["id", "name", "old", "extra"]
    # later batches have the columns of the whole dataset
    zone.write("3.csv", "id\n3\n")
    zone.take()
    assert list(zone.reading(after=1).columns) == ["id", "name", "old", "extra"]


def test_drift_ignored(zone: Zone) -> None:
    zone.write("1.csv", "id,name\n1,Ann\n")
    zone.write("2.csv", "id,extra\n2,y\n")
    zone.take(on_drift="ignore")
    assert zone.rows(on_drift="ignore") == [("1", "Ann"), ("2", None)]


def test_drift_refused(zone: Zone) -> None:
    zone.write("1.csv", "id,name\n1,Ann\n")
    zone.take(on_drift="fail")
    zone.write("2.csv", "id,extra\n2,y\n")
    with pytest.raises(LakewrightError) as caught:
        zone.take(on_drift="fail")
    assert caught.value.code == "LW203"
    assert "2.csv: column 'extra' is new" in str(caught.value)
    assert "2.csv: column 'name' is missing" in str(caught.value)
    assert len(zone.files()) == 1


def test_declared_columns_come_first(zone: Zone) -> None:
    zone.write("1.csv", "b,a\n1,2\n")
    settings: dict[str, Any] = {"columns": ("a", "c")}
    zone.take(**settings)
    assert list(zone.reading(**settings).columns) == ["a", "c", "b"]
    assert zone.rows(**settings) == [("2", None, "1")]


def test_a_dataset_without_rows_has_no_rows(zone: Zone) -> None:
    zone.write("a.csv", "")
    zone.take()
    assert (zone.rows(), zone.reading().columns) == ([], {})
    assert zone.cursor.execute(zone.reading().query.sql("duckdb")).fetchall() == []


def test_a_missing_folder_or_file_is_told(zone: Zone) -> None:
    with pytest.raises(LakewrightError) as caught:
        zone.take(landing=zone.root / "nowhere")
    assert caught.value.code == "LW201"
    zone.write("orders.csv", "a\n1\n")
    with pytest.raises(LakewrightError) as caught:
        zone.take("order.csv")
    assert "did you mean 'orders.csv'" in str(caught.value)


def test_patterns(zone: Zone) -> None:
    for name in ("a.csv", "x/b.csv", "x/y/c.csv", ".hidden/d.csv", ".e.csv", "x/f.csv.part", "g.txt"):
        zone.write(name, "a\n1\n")
    found: dict[str | tuple[str, ...], list[str]] = {
        "*.csv": ["a.csv"],
        "*/*.csv": ["x/b.csv"],
        "**/*.csv": ["a.csv", "x/b.csv", "x/y/c.csv"],
        "x/**": ["x/b.csv", "x/y/c.csv"],
        "?.csv": ["a.csv"],
        ("*.csv", "*.txt", "a.*"): ["a.csv", "g.txt"],
    }
    everything = [
        path.relative_to(zone.landing).as_posix() for path in zone.landing.rglob("*") if path.is_file()
    ]
    for patterns, expected in found.items():
        source = FileSource(path="landing", datasets={"d": FileDataset(files=patterns)})
        assert [one.path for one in discover(source, "d", root=zone.root)] == expected, patterns
        if isinstance(patterns, str):
            # the same rule, as it is applied to the names of an object store
            fits = [path for path in everything if matches(patterns, path) and not path.endswith(".part")]
            assert sorted(fits) == expected, patterns


def test_the_local_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "raw")
    assert store.put(b"one", "a/b.txt") == 3
    source = tmp_path / "c.txt"
    source.write_bytes(b"two")
    store.put(source, "a/c.txt")
    store.publish(source, "d.txt")
    assert not source.exists()
    assert [(one.path, one.size) for one in store.list()] == [("a/b.txt", 3), ("a/c.txt", 3), ("d.txt", 3)]
    assert [one.path for one in store.list("a")] == ["a/b.txt", "a/c.txt"]
    store.delete("a/b.txt")
    store.delete("a/b.txt")
    assert not store.exists("a/b.txt")
    with pytest.raises(FileNotFoundError):
        store.open("a/b.txt")
    for bad in ("../x", "/x", "a/../../x"):
        with pytest.raises(LakewrightError):
            store.put(b"", bad)
    # what a dead process left in staging is removed by the next
    dead = tmp_path / "raw/.staging/999999999-x"
    dead.mkdir(parents=True)
    store.staging()
    assert not dead.exists()


def test_other_settings_read_the_same_bytes_anew(zone: Zone) -> None:
    path = zone.write("a.csv", "1;2\n3;4\n")
    zone.write("b.csv", "1;2\n5;6\n")
    zone.take(options={"header": True})
    assert zone.rows() == [("3", "4"), ("5", "6")]
    path.unlink()
    taken = zone.take(options={"header": False})
    # a.csv is gone from the source: raw still has it
    assert [(file.path, file.version, file.change) for file in taken.files] == [
        ("a.csv", 2, "reread"),
        ("b.csv", 2, "reread"),
    ]
    assert sorted(zone.rows()) == [("1", "2"), ("1", "2"), ("3", "4"), ("5", "6")]
    assert zone.take(options={"header": False}).batch == 0


def test_a_name_that_is_not_utf8(zone: Zone) -> None:
    try:
        (zone.landing / os.fsdecode(b"caf\xe9.csv")).write_text("a\n1\n")
    except OSError:
        pytest.skip("this file system knows no such names")
    zone.take()
    assert zone.rows(source_file=True) == [("1", "caf\ufffd.csv")]
