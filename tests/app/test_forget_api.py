"""A person is cut out of an API's answers, wherever a body or an address holds them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from shop_folder import Folder

import lakewright
from http_api import paged, serve
from lakewright.app import forget as verbs
from lakewright.app.platform import Platform

PEOPLE = [
    {"id": number, "name": f"Person {number:02}", "mail": f"user{number}@ex.org"} for number in range(1, 8)
]


def test_answers_lose_the_person(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    with serve() as api:
        api.on("/people", paged(PEOPLE, "cursor", 3))
        for number in range(1, 8):
            api.on(
                f"/people/{number}/orders",
                [] if number == 4 else [{"order": number * 10, "text": f"by {number}"}],
            )
        folder.write(
            "lakewright.yaml",
            """
            name: shop
            subjects:
              person:
                identifier: id
                datasets:
                  raw.people: {id: id, mail: mail}
                  raw.orders: {person: id}
            """,
        )
        folder.write(
            "sources/api.yaml",
            f"""
            kind: rest
            base_url: {api.url}
            retries: 0
            datasets:
              people: {{path: people, records: $.items, keys: [id], paginator: {{type: cursor, next: $.meta.next, param: after}}}}
              orders:
                path: people/{{number}}/orders
                paginator: {{type: none}}
                parent: {{dataset: people, params: {{number: id}}, include: {{person: id}}}}
            """,
        )
        with lakewright.open(folder.root) as lw:
            lw.run().raise_for_status()
            assert "Person 03" in _raw(folder)
        for number in (3, 4):
            with Platform.open(folder.root) as platform:
                named = verbs.named_people(platform, [f"person={number}"])
                assert verbs.forget(platform, named).complete
        text = _raw(folder)
        for gone in ("Person 03", "user3@", "people/3/", '"order":30', "by 3", "people/4/", "Person 04"):
            assert gone not in text, gone
        for kept in ("Person 02", "user5@", "people/5/", "by 5"):
            assert kept in text, kept
        with lakewright.open(folder.root) as lw:
            ids = [row[0] for row in lw.sql("select id from raw.people order by 1").fetchall()]
            assert ids == [1, 2, 5, 6, 7]
            assert lw.sql("select count(*) from raw.orders").fetchall() == [(5,)]


def _raw(folder: Folder) -> str:
    """All that raw keeps, unpacked."""
    found = []
    for file in (folder / "lake/raw").rglob("*"):
        if file.is_file():
            packed = file.suffix == ".zst"
            data = pa.CompressedInputStream(str(file), "zstd").read() if packed else file.read_bytes()
            found.append(data.decode("utf-8", "replace").replace('\\"', '"'))
    return "".join(found)
