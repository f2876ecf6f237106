"""Sources written for dlt, run through a project."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop_folder import Folder

import lakewright
from lakewright.sources import dlt_resources

SOURCE = """
    import datetime, decimal, json, pathlib
    import dlt
    import pyarrow as pa

    ROWS = pathlib.Path(__file__).with_name("rows.json")

    @dlt.source
    def shop(key, options):
        assert (key, options) == ("top-secret", {"deep": ["top-secret"]})

        @dlt.resource
        def orders(at=dlt.sources.incremental("id", initial_value=0)):
            yield [row for row in json.loads(ROWS.read_text()) if row["id"] >= at.start_value]

        @dlt.resource
        def items():
            for row in json.loads(ROWS.read_text()):
                yield {"sku": row["id"], "price": decimal.Decimal("1.50"), "day": datetime.date(2024, 1, 2)}

        @dlt.transformer(data_from=items)
        def names(item):
            yield {"name": f"item {item['sku']}"}

        @dlt.resource
        def frames():
            yield pa.table({"n": [1, 2]})
            yield pa.table({"n": [3]})

        @dlt.resource
        def broken():
            yield {"n": 1}
            raise ValueError(f"the API said no to {key}")

        return orders, items, names, frames, broken
    """


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "shop")
    folder.write("lakewright.yaml", "name: shop\n")
    folder.write(".env", "KEY=top-secret\n")
    # a name of its own for each test: modules are loaded once
    module = f"shop_{abs(hash(str(tmp_path)))}"
    folder.write(f"{module}.py", SOURCE)
    folder.write("rows.json", '[{"id": 1, "n": {"a": 1}}, {"id": 2}]')
    folder.write(
        "sources/shop.yaml",
        f"""
        kind: dlt
        source: {module}.shop
        args: {{key: "${{secret:KEY}}", options: {{deep: ["${{secret:KEY}}"]}}}}
        datasets:
          orders: {{load: incremental}}
          items: {{}}
          labels: {{resource: names}}
          frames: {{}}
        """,
    )
    return folder


def test_resources_become_raw_datasets(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        report = lw.run().raise_for_status()
        assert {one.task: one.rows for one in report.tasks} == {
            "raw.orders": 2, "raw.items": 2, "raw.labels": 2, "raw.frames": 3,
        }  # fmt: skip
        assert lw.sql("select sku, price, day from raw.items order by 1").fetchall()[0][0] == 1
        assert lw.sql("select sum(n) from raw.frames").fetchall() == [(6,)]
        assert lw.sql("select name from raw.labels order by 1").fetchall() == [("item 1",), ("item 2",)]
        # nothing new, and then a new row: what is read in full is replaced, the rest is added
        lw.run().raise_for_status()
        assert lw.sql("select count(*) from raw.orders").fetchall() == [(2,)]
        shop.write("rows.json", '[{"id": 1}, {"id": 2}, {"id": 3}]')
        report = lw.run().raise_for_status()
        assert (report["raw.orders"].rows, report["raw.items"].rows) == (1, 3)
        assert lw.sql("select id from raw.orders order by 1").fetchall() == [(1,), (2,), (3,)]
        assert lw.sql("select count(*) from raw.items").fetchall() == [(3,)]
        # in full, nothing is an answer too
        shop.write("rows.json", "[]")
        lw.run().raise_for_status()
        assert lw.sql("select count(*) from raw.orders").fetchall() == [(3,)]
        assert lw.sql("select count(*) from ops.raw_files where dataset = 'raw.items'").fetchall() == [(3,)]
    kept = b"".join(
        path.read_bytes() for path in shop.root.rglob("*") if path.is_file() and path.name != ".env"
    )
    assert b"top-secret" not in kept.replace(SOURCE.encode(), b"").replace(b'"top-secret"', b"")


def test_a_crash_before_the_manifest_leaves_the_state(shop: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise OSError("no more disk")

    with lakewright.open(shop.root) as lw:
        monkeypatch.setattr(dlt_resources, "record", crash)
        assert lw.run("raw.orders").tasks[0].status == "failed"
        monkeypatch.undo()
        assert lw.run("raw.orders").raise_for_status()["raw.orders"].rows == 2
        assert lw.sql("select id from raw.orders order by 1").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("items: {}", "items: {resource: itms}"), "has no resource 'itms'; did you mean 'items'?"),
        ((".shop\n", ".shp\n"), "has no function 'shp'; did you mean 'shop'?"),
        (("source: shop_", "source: no_such_"), "there is no module 'no_such_"),
        ((".shop\n", ".ROWS.with_name\n"), "there is no module"),
        (("items: {}", "items: {resource: broken}"), "ValueError: the API said no to ***"),
    ],
)
def test_what_is_wrong_is_told(shop: Folder, change: tuple[str, str], said: str) -> None:
    file = shop / "sources/shop.yaml"
    file.write_text(file.read_text().replace(*change))
    with lakewright.open(shop.root) as lw:
        task = lw.run("raw.items")["raw.items"]
        assert task.status == "failed"
        assert "LW239" in str(task.error) and said in str(task.error)
        assert lw.sql("select count(*) from ops.raw_files where dataset = 'raw.items'").fetchall() == [(0,)]
