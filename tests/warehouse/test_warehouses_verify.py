"""`verify` compares what warehouses serve with what was loaded, and names the command that heals it."""

from __future__ import annotations

import duckdb
import pytest
from shop_folder import Folder
from star_folder import customers, sales
from warehouse_places import Place

from lakewright.api.handle import Lakewright
from lakewright.app.platform import Platform
from lakewright.app.verify import verify
from lakewright.recovery.findings import Findings, Level

ANEW = "lakewright run --full-refresh warehouse.bi"


def problems(platform: Platform, level: Level = "normal") -> list[tuple[str, str, str]]:
    found: Findings = verify(platform, level=level)
    assert found.counts["served tables"] == 4
    assert found.notes == []
    assert {one.heal for one in found.problems} <= {ANEW}
    return [(one.status, one.where, one.problem) for one in found.problems]


def spoil(star: Folder, place: Place, statement: str) -> None:
    if place.kind == "duckdb":
        with duckdb.connect(star.root.parent / "served" / "shop.duckdb") as connection:
            connection.execute(statement)
    else:
        place.run(statement)


def test_rows_and_sums_are_compared_with_the_version_that_was_loaded(star: Folder, place: Place) -> None:
    with Platform.open(star.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        assert problems(platform, "deep") == []
        # what is published later is not missing from what was loaded before
        customers(star, 2, [(7, "Bern", "2024-02-20")])
        lw.run("+curated.fact_sales").raise_for_status()
        assert problems(platform, "deep") == []
        lw.run().raise_for_status()

        spoil(star, place, "update dim_customer set city = 'Bernina' where city = 'Bern'")
        spoil(star, place, "update fact_sales set sold_at = '2024-02-03 00:00:00' where sale = 2")
        assert problems(platform) == []
        assert problems(platform, "deep") == [
            ("bad", "dim_customer", "is not what was loaded of curated.dim_customer: the sum of city"),
            ("bad", "fact_sales", "is not what was loaded of curated.fact_sales: the sum of sold_at"),
        ]
        spoil(star, place, "delete from fact_sales where sale = 2")
        spoil(star, place, "drop table by_month")
        assert problems(platform) == [
            ("bad", "fact_sales", "has 3 rows, curated.fact_sales had 4 when it was loaded"),
            ("bad", "by_month", "is gone"),
        ]
        lw.run("warehouse.bi", full_refresh=True).raise_for_status()
        assert problems(platform, "deep") == []


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_warehouse_out_of_reach_and_a_lake_that_lets_rows_go(star: Folder, place: Place) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    text = text.replace("curated.fact_sales, indexes", "curated.fact_sales, mode: upsert, indexes")
    star.write("warehouses/bi.yaml", text)
    with Platform.open(star.root) as platform:
        Lakewright(platform).run().raise_for_status()
        services = platform.services
        with services.session.cursor() as cursor:
            gone = "delete from lake.curated.fact_sales where sale = 1"
            services.lake.commit(cursor, lambda: cursor.execute(gone), message="archived")
        assert problems(platform, "deep") == []
        sales(star, 2, [(5, 2, "2024-04-01")])
        Lakewright(platform).run().raise_for_status()
        keeps = ("warn", "fact_sales", "keeps 1 rows that curated.fact_sales let go")
        assert problems(platform, "deep") == [keeps]
        place.run("delete from fact_sales where sale = 2; delete from fact_sales where sale = 3")
        assert problems(platform)[0][0] == "bad"
    star.write(
        "warehouses/bi.yaml", text.replace(place.connection, place.connection.rpartition("/")[0] + "/nowhere")
    )
    with Platform.open(star.root) as platform:
        (one,) = verify(platform).problems
        assert one.status == "warn"
        assert one.problem.startswith("was not looked at: ")
