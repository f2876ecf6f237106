"""Files made by others to break readers: read what is good, refuse what is bad, crash on nothing."""

from __future__ import annotations

import json
from pathlib import Path

from raw_zone import Zone

from lakewright.sources.read import reading


def test_csv_spectrum_means_what_its_json_says(zone: Zone, shared_data: Path) -> None:
    folder = shared_data / "csv-spectrum"
    wrong = []
    for file in sorted((folder / "csvs").glob("*.csv")):
        taken = zone.take(file.name, landing=folder / "csvs")
        assert taken.rejected == 0, file.name
        here = [one for one in zone.files() if one.path == file.name]
        read = reading(here, zone.dataset(), store=zone.store, cursor=zone.cursor)
        rows = zone.cursor.execute(
            f"SELECT * EXCLUDE (_source_file) FROM ({read.query.sql('duckdb')})"
        ).fetchall()
        # JSON has no way to say that a field is missing: its empty text stands for both
        got = [
            {name: "" if value is None else value for name, value in zip(read.columns, row, strict=True)}
            for row in rows
        ]
        if got != json.loads((folder / "json" / f"{file.stem}.json").read_text("utf-8")):
            wrong.append(file.stem)
    assert wrong == ["location_coordinates", "newlines_crlf"]


def test_json_test_suite(zone: Zone, shared_data: Path) -> None:
    folder = shared_data / "jsontestsuite" / "test_parsing"
    names = sorted(file.name for file in folder.glob("*.json"))
    assert len([name for name in names if name.startswith("n_")]) == 188
    taken = zone.take("*.json", landing=folder)
    assert len(taken.files) == len(names)
    unreadable = {file.path for file in taken.files if file.unreadable}
    reasons = {row["path"]: row["reason"] for row in taken.quarantined.to_pylist()}
    accepted = [name for name in names if name.startswith("n_") and name not in unreadable]
    assert accepted == []
    assert all(reasons[name].startswith(("not JSON: ", "the file is empty")) for name in unreadable)
    assert [name for name in unreadable if name.startswith("y_")] == []
    # everything taken can be read together, each file's values in a column of one type
    assert len(zone.rows()) == taken.rows


PARQUET_UNREADABLE = {
    "datapage_v1-corrupt-checksum.parquet",  # its checksum is wrong on purpose
    "rle-dict-uncompressed-corrupt-checksum.parquet",  # its checksum is wrong on purpose
}


LARGE = "large_string_map.brotli.parquet"


def test_parquet_testing_good_files(zone: Zone, shared_data: Path) -> None:
    folder = shared_data / "parquet-testing" / "data"
    names = tuple(sorted(file.name for file in folder.glob("*.parquet") if file.name != LARGE))
    taken = zone.take(names, landing=folder)
    refused = {file.path: file.unreadable for file in taken.files if file.unreadable}
    assert set(refused) == PARQUET_UNREADABLE, refused
    for file in taken.files:
        if file.unreadable:
            continue
        read = reading([file], zone.dataset(), store=zone.store, cursor=zone.cursor)
        (rows,) = zone.cursor.execute(f"SELECT count(*) FROM ({read.query.sql('duckdb')})").fetchall()[0]
        assert rows == file.rows, file.path


def test_parquet_with_a_value_of_a_gigabyte_is_refused_before_it_is_decoded(
    zone: Zone, shared_data: Path
) -> None:
    taken = zone.take(LARGE, landing=shared_data / "parquet-testing" / "data")
    (file,) = taken.files
    assert (
        file.unreadable == "column 'arr, key_value, key' has values of 1,024 MiB; at most 256 MiB are taken"
    )


def test_parquet_testing_bad_files(zone: Zone, shared_data: Path) -> None:
    taken = zone.take("*.parquet", landing=shared_data / "parquet-testing" / "bad_data")
    assert len(taken.files) == 8
    read = [file.path for file in taken.files if not file.unreadable]
    # dictionary indices of width 0 are odd but decode to the same rows in every reader that we know
    assert read == ["ARROW-GH-43605.parquet"]
    assert all(
        file.unreadable.startswith("not a sound Parquet file: ") for file in taken.files if file.unreadable
    )


ORC_UNREADABLE = {
    "TestOrcFile.testTimestamp.orc": "top-level struct",
    "TestOrcFile.testWithoutCompressionBlockSize.orc": "top-level struct",
    "zero.orc": "empty",
    "corrupt/missing_blob_stream_in_string_dict.orc": "not a sound ORC file",
    "corrupt/missing_length_stream_in_string_dict.orc": "not a sound ORC file",
    "corrupt/negative_dict_entry_lengths.orc": "not a sound ORC file",
    "corrupt/stripe_footer_bad_column_encodings.orc": "not a sound ORC file",
    "encrypted/sample1.orc": "not a sound ORC file",
    "encrypted/sample2.orc": "not a sound ORC file",
}


def test_orc(zone: Zone, shared_data: Path) -> None:
    taken = zone.take("**/*.orc", landing=shared_data / "orc")
    refused = {file.path: file.unreadable for file in taken.files if file.unreadable}
    assert set(refused) - set(ORC_UNREADABLE) == set(), refused
    for path, reason in refused.items():
        assert ORC_UNREADABLE[path] in reason or "encrypted" in path, (path, reason)
    rows = {file.path: file.rows for file in taken.files}
    assert rows["demo-11-zlib.orc"] == 1_920_800
    assert rows["TestOrcFile.testUnionAndTimestamp.orc"] == 5077
    assert rows["TestOrcFile.emptyFile.orc"] == 0


def test_avro(zone: Zone, shared_data: Path) -> None:
    taken = zone.take("**/*.avro*", landing=shared_data / "avro")
    refused = {file.path: file.unreadable for file in taken.files if file.unreadable}
    assert set(refused) <= {"test.avro12"}, refused
    rows = {file.path: file.rows for file in taken.files}
    assert {rows[f"weather{kind}.avro"] for kind in ("", "-snappy", "-deflate", "-zstd", "-sorted")} == {5}
