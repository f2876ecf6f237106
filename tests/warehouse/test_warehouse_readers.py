"""PostgreSQL as a warehouse for people: roles with tables and rows of their own, psql, SQLAlchemy, keys, indexes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from shop_folder import Folder
from warehouse_places import Place, make_place

import lakewright
from lakewright.errors import ProjectError
from servers import absent

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """PostgreSQL alone."""
    return make_place("postgres", request, tmp_path)


@pytest.fixture
def roles(place: Place) -> list[str]:
    """Roles that may log in, and that this test alone has."""
    names = [f"{place.connection.rpartition('/')[2]}_{one}" for one in ("rome", "analyst", "stranger")]
    for name in names:
        place.run(f'create role "{name}" login')
    return names


def as_role(place: Place, role: str) -> str:
    return place.connection.replace("postgresql://postgres@", f"postgresql://{role}@")


def served(star: Folder, roles: list[str]) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    rome, analyst, _ = roles
    star.write(
        "warehouses/bi.yaml",
        f"""{text}
roles:
  {rome}: {{tables: [dim_customer, fact_sales, each_sale], rows: {{dim_customer: "city = 'Rome'"}}}}
  {analyst}: {{tables: ["*"]}}
""",
    )
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()


def psql(url: str, query: str) -> subprocess.CompletedProcess[str]:
    """Run a query as a person at a terminal does."""
    tool = shutil.which("psql")
    if tool is None:
        absent("psql is not installed")
    assert tool is not None
    return subprocess.run(
        [tool, url, "-Atc", query], text=True, capture_output=True, env={**os.environ, "PGOPTIONS": ""}
    )


def test_each_role_sees_its_tables_and_rows(star: Folder, place: Place, roles: list[str]) -> None:
    served(star, roles)
    rome, analyst, stranger = roles
    for _ in range(2):
        assert psql(as_role(place, rome), "select distinct city from bi.dim_customer").stdout == "Rome\n"
        # a view shows its reader no more than the tables do
        assert psql(as_role(place, rome), "select distinct city from bi.each_sale").stdout == "Rome\n"
        assert (
            "permission denied for table dim_date"
            in psql(as_role(place, rome), "select 1 from bi.dim_date").stderr
        )
        assert psql(as_role(place, analyst), "select count(*) from bi.fact_sales").stdout == "4\n"
        assert (
            psql(as_role(place, analyst), "select count(distinct city) from bi.dim_customer").stdout != "1\n"
        )
        assert (
            "permission denied for schema bi"
            in psql(as_role(place, stranger), "select 1 from bi.fact_sales").stderr
        )
        assert "permission denied" in psql(as_role(place, analyst), "delete from bi.fact_sales").stderr
        # rights and rules are there again after the next load
        with lakewright.open(star.root) as lw:
            lw.run("warehouse.bi", full_refresh=True).raise_for_status()


def test_roles_that_lose_a_right_lose_it(star: Folder, place: Place, roles: list[str]) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    star.write(
        "warehouses/bi.yaml",
        text.replace("curated.fact_sales, indexes", "curated.fact_sales, mode: upsert, indexes"),
    )
    served(star, roles)
    whole = (star / "warehouses/bi.yaml").read_text()
    star.write("warehouses/bi.yaml", whole.replace('{tables: ["*"]}', "{tables: [dim_date]}"))
    with lakewright.open(star.root) as lw:
        lw.run().raise_for_status()
    assert "permission denied" in psql(as_role(place, roles[1]), "select 1 from bi.fact_sales").stderr
    assert psql(as_role(place, roles[1]), "select count(*) > 300 from bi.dim_date").stdout == "t\n"


def test_tools_see_keys_indexes_and_comments(star: Folder, place: Place, roles: list[str]) -> None:
    served(star, roles)
    engine = sa.create_engine(as_role(place, roles[1]).replace("postgresql://", "postgresql+psycopg://"))
    seen = sa.inspect(engine)
    assert seen.get_pk_constraint("dim_customer", "bi")["constrained_columns"] == ["customer_key"]
    keys = {
        one["constrained_columns"][0]: one["referred_table"]
        for one in seen.get_foreign_keys("fact_sales", "bi")
    }
    assert keys == {"customer_key": "dim_customer", "date_key": "dim_date"}
    indexed = {tuple(one["column_names"]) for one in seen.get_indexes("fact_sales", "bi")}
    assert indexed == {("customer_key",), ("date_key",), ("sold_at",), ("customer_id", "sold_at")}
    assert {"by_city", "each_sale"} <= set(seen.get_view_names("bi"))
    assert "kept" in seen.get_materialized_view_names("bi")
    with engine.connect() as connection:
        facts = sa.Table("fact_sales", sa.MetaData(schema="bi"), autoload_with=connection)
        assert connection.scalar(sa.select(sa.func.count()).select_from(facts)) == 4
        analyzed = sa.text(
            "select n_distinct from pg_stats where schemaname = 'bi' and tablename = 'fact_sales'"
        )
        assert connection.scalars(analyzed).all()
    engine.dispose()


def test_a_role_that_is_not_there_is_named(star: Folder, place: Place, roles: list[str]) -> None:
    served(star, roles)
    text = (star / "warehouses/bi.yaml").read_text()
    star.write("warehouses/bi.yaml", text.replace(f"{roles[1]}:", f"{roles[1]}s:"))
    with lakewright.open(star.root) as lw:
        failed = lw.run()["warehouse.bi"]
    assert failed.code == "LW855"
    assert f"did you mean '{roles[1]}'" in failed.error
    assert psql(as_role(place, roles[1]), "select count(*) from bi.fact_sales").stdout == "4\n"


def test_views_of_others_are_not_dropped(star: Folder, place: Place, roles: list[str]) -> None:
    served(star, roles)
    place.run("create schema mine; create view mine.sums as select count(*) as n from bi.fact_sales")
    with lakewright.open(star.root) as lw:
        failed = lw.run("warehouse.bi", full_refresh=True)["warehouse.bi"]
    assert failed.code == "LW854"
    assert "mine.sums depends on bi.fact_sales" in failed.error
    assert place.query("select n from mine.sums") == [(4,)]


def test_no_password_is_shown(star: Folder, place: Place) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    star.write(".secrets/BI", "hunter2-of-bi")
    away = "postgresql://nobody:${secret:BI}@127.0.0.1:1/bi"
    star.write("warehouses/bi.yaml", text.replace(place.connection, away))
    with lakewright.open(star.root) as lw:
        failed = lw.run()["warehouse.bi"]
        shown = "\n".join(str(one) for one in lw.logs())
    assert failed.code == "LW851"
    assert "postgresql://nobody@127.0.0.1:1/bi" in failed.error
    assert "hunter2" not in failed.error + shown
    files = [one for one in (star / ".lakewright").rglob("*") if one.is_file()]
    assert not [one for one in files if b"hunter2" in one.read_bytes()]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("curated.dim_customer", "curated.dim_costumer", "did you mean 'curated.dim_customer'"),
        ("curated.dim_date", "raw.sales", "is no table of a zone that warehouses serve"),
        ("indexes: [sold_at,", "indexes: [sold_at], columns: [nope], keys: [", ""),
        ("connection: postgresql", "connection: oracle", "duckdb:<file>, postgresql://… or mysql://…"),
        ("by_city: select", "dim_date: select", "'dim_date' is a table already"),
        ("materialized: true", "materialised: true", "did you mean 'materialized'"),
        ("{sql: \"select year_month", "{dataset: curated.dim_date, sql: \"select year_month", "exactly one of"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_told(star: Folder, old: str, new: str, says: str) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    assert old in text
    star.write("warehouses/bi.yaml", text.replace(old, new))
    with pytest.raises(ProjectError) as caught:
        lakewright.open(star.root)
    assert says in str(caught.value)
    assert all(
        one.where is not None and one.where.path == "warehouses/bi.yaml" for one in caught.value.problems
    )


def test_a_server_that_is_away_keeps_nothing_from_the_lake(star: Folder, place: Place) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    star.write("warehouses/bi.yaml", text.replace(place.connection, "postgresql://postgres@127.0.0.1:1/bi"))
    with lakewright.open(star.root) as lw:
        report = lw.run()
        assert report["warehouse.bi"].status == "failed"
        assert report["curated.fact_sales"].status == "built"
    star.write("warehouses/bi.yaml", text)
    with lakewright.open(star.root) as lw:
        assert [one.task for one in lw.run().raise_for_status().tasks if one.status == "built"] == [
            "warehouse.bi"
        ]
    with psycopg.connect(place.connection) as connection:
        assert connection.execute("select count(*) from bi.fact_sales").fetchone() == (4,)
