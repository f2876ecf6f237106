"""Dimensions of places in a project: facts find them as they are spelled, and keep their keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop_folder import Folder

import lakewright
from lakewright.app.check import check
from lakewright.errors import ProjectError

HEAD = "order_id,ship_country,ship_state,ship_city\n"


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    """Orders with the places that they go to, as people write them."""
    folder = Folder(tmp_path / "shop")
    folder.write("lakewright.yaml", "name: shop\n")
    folder.write(
        "sources/shop.yaml",
        "kind: files\npath: in\ndatasets: {orders: {files: 'orders-*.csv', format: csv}}\n",
    )
    folder.write(
        "datasets/processed/orders.yaml",
        "from: raw.orders\ncolumns: {order_id: {type: bigint, key: true}, ship_country: {type: varchar},"
        " ship_state: {type: varchar}, ship_city: {type: varchar}}\nsteps: [{select: [order_id, ship_country, ship_state, ship_city]}]\n",
    )
    folder.write(
        "datasets/curated/dim_place.yaml",
        "dimension:\n  unknown: {continent: nowhere}\n"
        "  location: {from: processed.orders, country: ship_country, region: ship_state, city: ship_city}\n",
    )
    folder.write("datasets/curated/dim_country.yaml", "dimension: {location: {}}\n")
    folder.write(
        "datasets/curated/fact_orders.yaml",
        "from: processed.orders\ncolumns: {order_id: {key: true}}\nfact:\n  dimensions:\n"
        "    place_key: {dimension: curated.dim_place, on: {ship_country: country, ship_state: region, ship_city: city}}\n"
        "    country_key: {dimension: curated.dim_country, on: {ship_country: country_code}}\n",
    )
    folder.write(
        "in/orders-1.csv",
        f"{HEAD}1,UK,,London\n2,Türkiye,34,İstanbul\n3,Atlantis,,Capital\n4,,,\n5,GB,England,\n",
    )
    return folder


def test_facts_find_places_as_they_are_spelled(shop: Folder) -> None:
    query = (
        "select order_id, country_code, subdivision_code, continent, place_key, f.country_key from curated.fact_orders f"
        " join curated.dim_place using (place_key) order by 1"
    )
    with lakewright.open(shop.root) as lw:
        assert "curated.dim_place" not in lw.plan(statements=True).statements
        lw.run().raise_for_status()
        rows = lw.sql(query).fetchall()
        assert [row[:4] for row in rows] == [
            (1, "GB", None, "Europe"),
            (2, "TR", "TR-34", "Asia"),
            (3, None, None, None),
            (4, "Not applicable", "Not applicable", "Not applicable"),
            (5, "GB", "GB-ENG", "Europe"),
        ]
        # the list of countries is complete: a code that it does not have is unknown and adds no member
        keys = dict(lw.sql("select country_code, country_key from curated.dim_country").fetchall())
        assert [row[5] for row in rows] == [-1, -1, -1, -2, keys["GB"]]
        assert lw.table("curated.dim_country").count() == 252
        assert lw.sql("select continent from curated.dim_place where place_key = -1").fetchall() == [
            ("nowhere",)
        ]
        (shop / "in" / "orders-2.csv").write_text(f"{HEAD}6,xk,,Pristina\n7,uk,,London\n8,UK,,London\n")
        lw.run().raise_for_status()
        later = lw.sql(query).fetchall()
        assert later[:5] == rows
        assert [row[1] for row in later[5:]] == ["XK", "GB", "GB"]
        assert later[7][4] == rows[0][4] != later[6][4]
        lw.run(full_refresh=True).raise_for_status()
        assert lw.sql(query).fetchall() == later
        assert lw.verify().whole


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("country: ship_country", "country: ship_contry", "no column 'ship_contry'; did you mean 'ship_country'"),
        ("from: processed.orders, country: ship_country, region: ship_state, city: ship_city", "city: x", "`from` names none"),
        ("country: ship_country, ", "", "`country` has to name"),
        ("city: ship_city", "level: subdivision", "`level` is for lists"),
        ("dimension:\n", "write: {mode: merge, keys: [x]}\ndimension:\n", "places is always made as a whole"),
        ("dimension:\n", "from: processed.orders\ndimension:\n", "`dimension.location` makes the rows, and so does `from`"),
        ("  location:", "  date: {}\n  location:", "of days or of places"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(shop: Folder, old: str, new: str, says: str) -> None:
    path = "datasets/curated/dim_place.yaml"
    text = (shop / path).read_text()
    assert old in text
    shop.write(path, text.replace(old, new))
    with pytest.raises(ProjectError) as caught:
        check(shop.root)
    assert says in str(caught.value)
    assert any(one.where and one.where.path == path and one.where.line for one in caught.value.problems)
