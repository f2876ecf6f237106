"""Star schemas from files to facts: keys that stay, members that come late, and nothing that depends on the order."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_shops import make_project
from shop_folder import Folder
from star_folder import customers, facts, members, sales, star_project

import lakewright
from lakewright.app.check import check
from lakewright.errors import ProjectError

FIRST = [(1, "Rome", "2024-01-05"), (2, "Oslo", "2024-01-05"), (1, "Paris", "2024-03-01")]
SOLD = [(1, 1, "2024-01-02"), (2, 1, "2024-02-02"), (3, 1, "2024-03-02"), (4, 3, "2024-03-02")]


@pytest.fixture
def star(tmp_path: Path) -> Folder:
    """A project with a star and the first files of customers and sales."""
    folder = Folder(tmp_path / "star")
    folder.write("lakewright.yaml", "name: star\n")
    star_project(folder)
    customers(folder, 1, FIRST)
    sales(folder, 1, [*SOLD, (5, None, "2024-03-02"), (6, 2, "2031-01-01")])
    return folder


def notes(report: Any) -> dict[str, list[str]]:
    """What the tasks of a run remarked."""
    return {one.task: list(one.notes) for one in report.tasks if one.notes}


def test_facts_refer_to_the_version_that_held(lake_kind: str, tmp_path: Path, request: Any) -> None:
    folder = star_project(make_project(tmp_path / "star", lake_kind, request))
    customers(folder, 1, FIRST)
    sales(folder, 1, SOLD)
    with lakewright.open(folder.root) as lw:
        report = lw.run().raise_for_status()
        assert notes(report) == {"curated.fact_sales": ["1 member inferred in curated.dim_customer"]}
        before = members(lw)
        assert [one[1:] for one in before] == [
            (None, "Not applicable", "1900-01-01", None, True, False),
            (None, "nowhere", "1900-01-01", None, True, False),
            (1, "Rome", "2024-01-05", "2024-03-01", False, False),
            (1, "Paris", "2024-03-01", None, True, False),
            (2, "Oslo", "2024-01-05", None, True, False),
            (3, None, "1900-01-01", None, True, True),
        ]
        assert [one[1] for one in facts(lw)] == ["Rome", "Rome", "Paris", None]

        # a change from between, one from before all, and the customer that was missing
        late = [(3, "Bern", "2024-02-20"), (1, "Milan", "2024-02-01"), (1, "Rome", "2023-12-01")]
        customers(folder, 2, late)
        report = lw.run().raise_for_status()
        told = ["1 row of curated.fact_sales refer to another customer_key now"]
        assert notes(report) == {"curated.dim_customer": told}
        assert [one[1] for one in facts(lw)] == ["Rome", "Milan", "Paris", "Bern"]
        after = members(lw)
        # who was inferred has kept the key, and so has the first version, whenever it starts
        assert after[-1][:3] == (before[-1][0], 3, "Bern")
        assert after[2][:4] == (before[2][0], 1, "Rome", "2023-12-01")
        assert lw.plan().to_run == 0

        # nothing depends on how the rows came
        lw.run(full_refresh=True).raise_for_status()
        assert (members(lw), [one[1] for one in facts(lw)]) == (after, ["Rome", "Milan", "Paris", "Bern"])


def test_members_for_none(star: Folder) -> None:
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
        found = lw.sql(
            "select sale, customer_key, date_key from curated.fact_sales where sale > 4 order by sale"
        ).fetchall()
        assert [one[2] for one in found] == [20240302, -1]  # 2031 is no day of the dimension
        assert found[0][1] == -2  # no customer at all


def test_what_reads_facts_notices_that_their_keys_changed(star: Folder) -> None:
    star.write(
        "datasets/curated/by_city.sql",
        """select city, count(*) as sales from curated.fact_sales
           join curated.dim_customer using (customer_key) group by city
        """,
    )
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
        by_city = "select city, sales from curated.by_city order by 1 nulls first"
        assert lw.sql(by_city).fetchall() == [
            (None, 1),
            ("Not applicable", 1),
            ("Oslo", 1),
            ("Paris", 1),
            ("Rome", 2),
        ]
        customers(star, 2, [(1, "Milan", "2024-02-01"), (3, "Bern", "2024-02-20")])
        lw.run().raise_for_status()
        assert lw.sql(by_city).fetchall() == [
            ("Bern", 1),
            ("Milan", 1),
            ("Not applicable", 1),
            ("Oslo", 1),
            ("Paris", 1),
            ("Rome", 1),
        ]
        # the catalog knows of it, so nothing is left to settle
        assert lw.plan().to_run == 0
        lineage = lw.lineage("curated.fact_sales", columns=True)
        assert any("customer_key" in str(one) for one in lineage.edges)


def test_a_member_that_leaves_its_source_stays_for_its_facts(star: Folder) -> None:
    star_project(star, history=False)
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
        keys = {one[1]: one[0] for one in members_of_type_one(lw)}
    star.write("datasets/processed/customers.yaml", CUSTOMERS_WITHOUT_OSLO)
    with lakewright.open(star.root) as lw:
        report = lw.run(full_refresh=True).raise_for_status()
        assert notes(report)["curated.dim_customer"] == [
            "2 members that the source does not have stay as inferred"
        ]
        assert members_of_type_one(lw) == [
            (-2, None, "Not applicable", False),
            (-1, None, "nowhere", False),
            (keys[1], 1, "Paris", False),
            (keys[2], 2, None, True),
            (keys[3], 3, None, True),
        ]
        assert len(facts(lw)) == 6


CUSTOMERS_WITHOUT_OSLO = """
    from: raw.customers
    steps: [{filter: "city <> 'Oslo'"}]
    columns:
      id: {type: bigint, required: true}
      city: {type: varchar}
      changed_at: {type: timestamp}
    write: {mode: append}
    """


def members_of_type_one(lw: lakewright.Lakewright) -> list[tuple[Any, ...]]:
    query = "select customer_key, id, city, is_inferred from curated.dim_customer order by id nulls first, customer_key"
    return lw.sql(query).fetchall()


def test_facts_may_wait_for_a_member_with_the_unknown_one(star: Folder) -> None:
    text = (star / "datasets/curated/fact_sales.yaml").read_text()
    star.write(
        "datasets/curated/fact_sales.yaml",
        text.replace("on: {customer_id: id}", "on: {customer_id: id}, missing: unknown"),
    )
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
        waiting = "select customer_key from curated.fact_sales where sale = 4"
        assert lw.sql(waiting).fetchall() == [(-1,)]
        customers(star, 2, [(3, "Bern", "2024-02-20")])
        lw.run().raise_for_status()
        assert facts(lw)[3][:2] == (4, "Bern")


def test_a_table_that_becomes_a_dimension_is_built_anew(star: Folder) -> None:
    whole = (star / "datasets/curated/dim_customer.yaml").read_text()
    star.write(
        "datasets/curated/dim_customer.yaml", whole.replace("dimension: {unknown: {city: nowhere}}\n", "")
    )
    (star / "datasets/curated/fact_sales.yaml").rename(star / "fact_sales.yaml")
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
    star.write("datasets/curated/dim_customer.yaml", whole)
    (star / "fact_sales.yaml").rename(star / "datasets/curated/fact_sales.yaml")
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
        assert len(facts(lw)) == 6


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("at: sold_at", "at: sold", "no column 'sold'"),
        ("{customer_id: id}", "{costumer_id: id}", "no column 'costumer_id'"),
    ],
)
def test_a_column_that_the_rows_lack_is_told_when_they_are_built(
    star: Folder, old: str, new: str, says: str
) -> None:
    path = "datasets/curated/fact_sales.yaml"
    star.write(path, (star / path).read_text().replace(old, new))
    with lakewright.open(star.root) as lw:
        failed = {one.task: one for one in lw.run().tasks if one.status == "failed"}
    assert list(failed) == ["curated.fact_sales"]
    assert failed["curated.fact_sales"].code == "LW620"
    assert says in str(failed["curated.fact_sales"].error)


Event = tuple[str, Any]
CITY = st.sampled_from(["Rome", "Oslo", "Bern"])
DAY = st.sampled_from([f"2024-01-{day:02}" for day in range(1, 8)])


@st.composite
def histories(draw: st.DrawFn) -> list[list[Event]]:
    """Changes of customers and sales, in any order, cut into batches anywhere."""
    changed = draw(st.lists(st.tuples(st.integers(1, 3), CITY, DAY), min_size=1, max_size=6))
    bought = draw(st.lists(st.tuples(st.integers(1, 3), DAY), min_size=1, max_size=6))
    events: list[Event] = [("customer", one) for one in changed]
    events += [("sale", (number, *one)) for number, one in enumerate(bought)]
    order = draw(st.permutations(events))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=2)))
    return [list(order[a:b]) for a, b in pairwise([0, *cuts, len(order)])]


def built(batches: list[list[Event]]) -> tuple[list[Any], list[Any]]:
    """Members and facts of a project that got *batches* one after the other."""
    with tempfile.TemporaryDirectory() as home:
        folder = Folder(Path(home) / "star")
        folder.write("lakewright.yaml", "name: star\n")
        star_project(folder)
        (folder / "datasets/curated/dim_date.yaml").unlink()
        text = (folder / "datasets/curated/fact_sales.yaml").read_text().splitlines()
        folder.write(
            "datasets/curated/fact_sales.yaml", "\n".join(one for one in text if "date_key" not in one)
        )
        with lakewright.open(folder.root) as lw:
            # headers, so that every dataset is built from the start
            customers(folder, 0, [])
            sales(folder, 0, [])
            for number, batch in enumerate(batches, 1):
                customers(folder, number, [one for kind, one in batch if kind == "customer"])
                sales(folder, number, [one for kind, one in batch if kind == "sale"])
                lw.run().raise_for_status()
            found = lw.sql("select sale, customer_key from curated.fact_sales order by sale").fetchall()
            return members(lw), found


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=histories())
def test_any_order_and_batching_gives_the_same_star(batches: list[list[Event]]) -> None:
    assert built(batches) == built([[event for batch in batches for event in batch]])


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("fact_sales", "curated.dim_customer", "curated.dim_costumer", "did you mean 'curated.dim_customer'"),
        ("fact_sales", "at: sold_at\n", "\n", "nothing says the time for which one is looked up"),
        ("fact_sales", "{customer_id: id}", "{customer_id: idd}", "'idd' is no natural key of curated.dim_customer"),
        ("fact_sales", "curated.dim_date", "processed.customers", "processed.customers is no dimension"),
        ("dim_customer", "{mode: scd2, scd2: {changed_at: changed_at}}", "{mode: append}", "cannot be written by append"),
        ("dim_customer", "key: true", "required: true", "which rows are the same member"),
        ("dim_customer", "{unknown: {city: nowhere}}", "{key: id}", "adds the column 'id' itself"),
        ("dim_date", "to: 2024-12-31", "to: 2023-12-31", "lies before the first"),
        ("dim_date", "to: 2024-12-31", "to: 2024-12-31, holidays: QQ", "no holidays are known of 'QQ'"),
        ("dim_date", "to: 2024-12-31", "to: 2024-12-31, holidays: US-QQ", "no holidays are known of the part 'QQ'"),
        ("dim_date", "to: 2024-12-31", "to: 2024-12-31, holidays: DE, language: xx", "have names in de, en_US"),
        ("dim_date", "dimension:", "from: processed.sales\ndimension:", "`dimension.date` makes the rows, and so does `from`"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(star: Folder, file: str, old: str, new: str, says: str) -> None:
    path = f"datasets/curated/{file}.yaml"
    text = (star / path).read_text()
    assert old in text
    star.write(path, text.replace(old, new))
    with pytest.raises(ProjectError) as caught:
        check(star.root)
    assert says in str(caught.value)
    assert any(
        one.where is not None and one.where.path == path and one.where.line for one in caught.value.problems
    )
