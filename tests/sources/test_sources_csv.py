"""CSV as it comes: dialects, encodings, compressions, and lines that cannot be read."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from typing import Any

import pyarrow as pa
import pytest
from raw_zone import Zone


def lines(zone_taken: Any) -> list[tuple[int | None, str]]:
    return [(row["line"], row["reason"]) for row in zone_taken.quarantined.to_pylist()]


def test_all_is_text_and_only_an_empty_field_is_missing(zone: Zone) -> None:
    zone.write("a.csv", 'id,name,note\n007,"",x\n1.50,,"NULL"\n')
    taken = zone.take()
    assert (taken.rows, taken.rejected) == (2, 0)
    assert zone.rows() == [("007", "", "x"), ("1.50", None, "NULL")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
def test_delimiters_are_found(zone: Zone, delimiter: str) -> None:
    text = "id,name,price\n1,Ann,2.50\n2,Bob,3.75\n".replace(",", delimiter)
    zone.write("a.csv", text)
    zone.take()
    assert zone.rows() == [("1", "Ann", "2.50"), ("2", "Bob", "3.75")]


def test_decimal_commas_do_not_look_like_delimiters(zone: Zone) -> None:
    zone.write("a.csv", "id;betrag;ort\n1;12,50;Köln\n2;3,20;Bonn, Mitte\n")
    zone.take()
    assert zone.rows() == [("1", "12,50", "Köln"), ("2", "3,20", "Bonn, Mitte")]


def test_ragged_rows_are_rejected_with_line_and_reason(zone: Zone) -> None:
    zone.write("a.csv", "a,b,c\n1,2,3\n1,2\n1,2,3,4\n5,6,7\n")
    taken = zone.take()
    assert (taken.read, taken.rows, taken.rejected) == (4, 2, 2)
    assert lines(taken) == [
        (3, "too few columns: 2 where 3 are expected"),
        (4, "too many columns: 4 or more where 3 are expected"),
    ]
    assert [row["content"] for row in taken.quarantined.to_pylist()] == ["1,2", "1,2,3,4"]
    assert zone.rows() == [("1", "2", "3"), ("5", "6", "7")]


def test_lines_are_counted_in_the_file_not_in_records(zone: Zone) -> None:
    zone.write("a.csv", 'a,b\n1,"x\ny\nz"\n\n2\n3,"p\nq"\n4\n')
    taken = zone.take()
    assert [line for line, _ in lines(taken)] == [6, 9]
    assert zone.rows() == [("1", "x\ny\nz"), ("3", "p\nq")]


def test_a_stray_quote_costs_one_line_and_not_the_rest_of_the_file(zone: Zone) -> None:
    body = "".join(f"{n},v{n},w{n}\n" for n in range(5000))
    text = "a,b,c\n" + body.replace("17,v17,", '17,"v17,', 1) + '9999,"two\nlines",z\n'
    zone.write("a.csv", text)
    taken = zone.take()
    assert (taken.rows, taken.rejected) == (5000, 1)
    assert lines(taken) == [(19, "a quote is opened and not closed")]
    rows = zone.rows()
    assert rows[-1] == ("9999", "two\nlines", "z")
    assert ("16", "v16", "w16") in rows and ("18", "v18", "w18") in rows


def test_two_stray_quotes_far_apart(zone: Zone) -> None:
    body = [f"{n},v{n},w{n}" for n in range(4000)]
    body[10] = '10,"v10,w10'
    body[3000] = '3000,"v3000,w3000'
    zone.write("a.csv", "a,b,c\n" + "\n".join(body) + "\n")
    taken = zone.take()
    assert [line for line, _ in lines(taken)] == [12, 3002]
    assert len(zone.rows()) == 3998


def test_bad_bytes_in_a_utf8_file_are_rejected_by_line(zone: Zone) -> None:
    zone.write("a.csv", "a,b\n1,é\n2,ü\n3,".encode() + b"\xff\n4,ok\n")
    taken = zone.take()
    assert lines(taken) == [(4, "the bytes are not valid UTF-8")]
    assert taken.quarantined.to_pylist()[0]["content"] == "3,\\xff"
    assert zone.rows() == [("1", "é"), ("2", "ü"), ("4", "ok")]
    # projection must not bring the bad line back: DuckDB checks only the columns that it reads
    read = zone.reading()
    query = f"SELECT count(*), count(a) FROM ({read.query.sql('duckdb')})"
    assert zone.cursor.execute(query).fetchall() == [(3, 3)]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16-le", None),
        ("utf-16-be", "utf-16"),
        ("cp1252", None),
        ("cp1252", "windows-1252"),
        ("latin-1", "latin-1"),
        ("latin-1", None),
    ],
)
def test_encodings(zone: Zone, encoding: str, declared: str | None) -> None:
    text = "id,name\n1,Zoë Müller\n2,Ævar ñandú\n"
    if encoding == "cp1252":
        text += "3,“quoted” – 5 €\n"
    zone.write("a.csv", text.encode(encoding))
    taken = zone.take(options={"encoding": declared} if declared else {})
    assert taken.rejected == 0
    expected = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    assert zone.rows(source_file=True) == [(*row, "a.csv") for row in expected]
    # the original is kept byte for byte
    (file,) = zone.files()
    with zone.store.open(file.raw_path) as stream:
        assert stream.read() == text.encode(encoding)


def _zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), data)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["gz", "zst", "bz2", "zip", "csv"])
def test_compressions(zone: Zone, ending: str) -> None:
    text = b"id,name\n1,Ann\n2\n3,Bob\n"
    packed = {
        "gz": gzip.compress(text[:12]) + gzip.compress(text[12:]),
        "zst": pa.compress(text, "zstd", asbytes=True),
        "bz2": bz2.compress(text),
        "zip": _zip(a_csv=text),
        "csv": gzip.compress(text),  # the name says nothing about it
    }[ending]
    zone.write(f"a.csv.{ending}", packed)
    taken = zone.take()
    assert (taken.rows, taken.rejected) == (2, 1)
    assert lines(taken) == [(3, "too few columns: 1 where 2 are expected")]
    assert zone.rows() == [("1", "Ann"), ("3", "Bob")]


def test_a_zip_of_several_files_names_each_of_them(zone: Zone) -> None:
    zone.write("all.zip", _zip(one_csv=b"a,b\n1,2\n", sub__two_csv=b"b,a\n4,3\n", bad_csv=b""))
    taken = zone.take()
    assert zone.rows(source_file=True) == [("1", "2", "all.zip/one.csv"), ("3", "4", "all.zip/sub/two.csv")]
    assert [(row["file"], row["line"]) for row in taken.quarantined.to_pylist()] == [
        ("all.zip/bad.csv", None)
    ]
    assert (taken.rows, taken.rejected) == (2, 1)


@pytest.mark.parametrize("ending", ["gz", "zst", "bz2", "zip"])
def test_broken_archives_are_refused_whole(zone: Zone, ending: str) -> None:
    text = b"id,name\n" + b"".join(b"%d,name %d\n" % (n, n * 7919) for n in range(20_000))
    packed = {
        "gz": gzip.compress(text),
        "zst": pa.compress(text, "zstd", asbytes=True),
        "bz2": bz2.compress(text),
        "zip": _zip(a_csv=text),
    }[ending]
    zone.write(f"a.csv.{ending}", packed[: len(packed) // 2])
    taken = zone.take()
    (file,) = taken.files
    assert (taken.rows, taken.rejected, zone.rows()) == (0, 1, [])
    assert any(word in file.unreadable for word in ("cut off", "broken"))


@pytest.mark.parametrize(
    ("data", "rows", "unreadable"),
    [
        (b"", [], "empty"),
        (b"\n\n", [], "empty"),
        (b"\xef\xbb\xbf", [], "empty"),
        (b"a,b\n", [], ""),
        (b"a,b", [], ""),
        (b"a,b\n1,2", [("1", "2")], ""),
        (b"name\nAnn\nBob\n", [("Ann",), ("Bob",)], ""),
        (b"1,2\n3,4\n", [("1", "2"), ("3", "4")], ""),
        (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")], ""),
        (b"a,b\r\n1,2\n3,4\r5,6\n", [("1", "2"), ("3", "4"), ("5", "6")], ""),
        (b'a,b\r\n1,"x\r\ny"\n3,"p\rq"\r5,6\n', [("1", "x\r\ny"), ("3", "p\rq"), ("5", "6")], ""),
        (b"a,b\n1,x\0y\n", [("1", "x\0y")], ""),
        (b"Report of May\n\nid,name\n1,Ann\n2,Bob\n", [("1", "Ann"), ("2", "Bob")], ""),
        (b"id,name\n1,O'Brien\n2,'tis\n", [("1", "O'Brien"), ("2", "'tis")], ""),
        (b'id,size\n1,5" pipe\n2,"6"" pipe"\n', [("1", '5" pipe'), ("2", '6" pipe')], ""),
        (b'id,text\n1,"say \\"hi\\" now"\n2,x\n', [("1", 'say "hi" now'), ("2", "x")], ""),
    ],
)
def test_odd_files(zone: Zone, data: bytes, rows: list[tuple[str, ...]], unreadable: str) -> None:
    zone.write("a.csv", data)
    taken = zone.take()
    assert unreadable in taken.files[0].unreadable
    assert bool(taken.files[0].unreadable) == bool(unreadable)
    assert (zone.rows(), taken.rows) == (rows, len(rows))


def test_names_are_made_usable(zone: Zone) -> None:
    zone.write("a.csv", "id,ID,,_hidden, total ,id\n1,2,3,4,5,6\n")
    zone.take()
    assert list(zone.reading().columns) == ["id", "ID_1", "column2", "hidden", "total", "id_2"]
    assert zone.rows() == [("1", "2", "3", "4", "5", "6")]


def test_columns_of_a_file_are_not_mistaken_for_folders(zone: Zone) -> None:
    zone.write("a.csv", "year,month,day\n1,2,3\n")
    zone.take()
    assert zone.rows() == [("1", "2", "3")]


def test_names_with_characters_of_patterns(zone: Zone) -> None:
    zone.write("odd [1] {x} 50%.csv", "a\n1\n2\n")
    zone.write("other's [2].csv", "a\n3\n4\n")
    zone.take()
    assert sorted(zone.rows(source_file=True)) == [
        ("1", "odd [1] {x} 50%.csv"),
        ("2", "odd [1] {x} 50%.csv"),
        ("3", "other's [2].csv"),
        ("4", "other's [2].csv"),
    ]


def test_declared_options_are_taken_as_they_are(zone: Zone) -> None:
    zone.write("a.txt", "# made by hand\n'1'~'a~b'~-\n'2'~'c'~x\n")
    options = {
        "delimiter": "~",
        "quote": "'",
        "header": False,
        "comment": "#",
        "nulls": ("-",),
        "names": ("id", "text", "flag"),
    }
    zone.take(format="csv", options=options)
    assert list(zone.reading().columns) == ["id", "text", "flag"]
    assert zone.rows() == [("1", "a~b", None), ("2", "c", "x")]


def test_a_delimiter_declared_wrongly_is_told(zone: Zone) -> None:
    zone.write("a.csv", "a,b,c\n1,2,3\n4,5,6\n")
    taken = zone.take(options={"delimiter": ";"})
    assert "declared as ';', but the file is written with ','" in taken.files[0].unreadable


def test_one_bad_file_does_not_spoil_its_neighbours(zone: Zone) -> None:
    zone.write("a.csv", "a,b\n1,2\n")
    zone.write("b.csv", b"a,b\r\n3,4\n5,6\r\n")
    zone.write("c.csv", "a,b\n7,8\n")
    taken = zone.take()
    assert taken.rejected == 0
    assert sorted(zone.rows()) == [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8")]


def test_very_long_lines(zone: Zone) -> None:
    long = "x" * 5_000_000
    endless = "y" * 17_000_000
    zone.write("a.csv", f"a,b\n1,{long}\n2,{endless}\n3,z\n")
    taken = zone.take()
    assert lines(taken) == [(3, "the line is longer than 16,000,000 bytes")]
    assert [len(b) for _, b in zone.rows()] == [5_000_000, 1]


def test_files_with_the_same_header_may_have_dialects_of_their_own(zone: Zone) -> None:
    zone.write("1.csv", 'id,text\n1,"a ""b"" c"\n')
    zone.write("2.csv", 'id,text\n2,"a \\"b, c\\" d"\n')
    taken = zone.take()
    assert taken.rejected == 0
    assert sorted(zone.rows()) == [("1", 'a "b" c'), ("2", 'a "b, c" d')]
