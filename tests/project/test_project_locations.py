"""The dimension of places: the lists of the standard, and what spellings of countries and regions mean."""

from __future__ import annotations

import duckdb
import pytest

from lakewright.project.countries import KOSOVO, SUBREGIONS, countries, names, subdivisions
from lakewright.project.locations import location_problems, location_query
from lakewright.spec.star import LocationDimension
from lakewright.sql.dialect import render
from lakewright.sql.query import dependencies, parse_query

PLACES = LocationDimension(from_="z.orders", country='Land "x"', region="part", city="town")


def meant(rows: list[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], tuple[str, str]]:
    """What (country, region) mean: the codes of the country and of the subdivision."""
    with duckdb.connect() as connection:
        connection.execute("create schema z")
        connection.execute('create table z.orders ("Land ""x""" varchar, part varchar, town varchar)')
        connection.executemany("insert into z.orders values (?, ?, null)", rows)
        found = connection.sql(location_query(PLACES)).fetchall()
        assert len({row[:3] for row in found}) == len(found)
        return {(row[0], row[1]): (row[7], row[3]) for row in found}


def test_every_country_has_one_place_in_the_world() -> None:
    listed = [code for codes in SUBREGIONS.values() for code in codes.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) == {row[0] for row in countries()}
    assert len(countries()) == 250 and len(subdivisions()) > 5000
    found = duckdb.sql(location_query(LocationDimension()))
    assert found.columns == [
        "country_code", "country_alpha_3", "country_number", "country_name", "country_official_name",
        "world_subregion", "world_region", "continent",
    ]  # fmt: skip
    rows = {row[0]: row[1:] for row in found.fetchall()}
    assert rows["TR"] == ("TUR", "792", "Türkiye", "Republic of Türkiye", "Western Asia", "Asia", "Asia")
    assert rows["CI"][2] == "Côte d'Ivoire"
    assert rows["MX"][4:] == ("Central America", "Americas", "North America")
    assert rows[KOSOVO] == (
        "XKX",
        None,
        "Kosovo",
        "Republic of Kosovo",
        "Southern Europe",
        "Europe",
        "Europe",
    )


def test_subdivisions_have_their_country() -> None:
    found = duckdb.sql(location_query(LocationDimension(level="subdivision")))
    rows = {row[0]: row[1:] for row in found.fetchall()}
    assert len(rows) == len(subdivisions())
    assert rows["US-CA"][:5] == ("California", "State", None, "US", "USA")
    assert rows["FR-75C"][2:4] == ("FR-IDF", "FR")


@pytest.mark.parametrize(
    ("code", "spellings"),
    [
        ("TR", ["Türkiye", "TÜRKİYE", "Turkiye", "turkey", "TUR", " tr "]),
        ("CI", ["Côte d'Ivoire", "Cote d’Ivoire", "COTE D IVOIRE", "Ivory Coast", "civ"]),
        (
            "GB",
            [
                "UK",
                "u.k.",
                "gbr",
                "GB",
                "Great Britain",
                "United Kingdom of Great Britain and Northern Ireland",
            ],
        ),
        ("XK", ["XK", "xkx", "Kosovo", "republic of kosovo"]),
        ("US", ["USA", "U.S.A.", "United States", "united states of america"]),
        ("KR", ["South Korea", "Korea, Republic of", "Republic of Korea", "KOR"]),
        ("BA", ["Bosnia & Herzegovina", "Bosnia and Herzegovina"]),
        ("CD", ["DR Congo", "COD"]),
        ("AX", ["Åland Islands", "aland islands"]),
        (None, ["Atlantis", "", "Korea", "日本", "?", "U", "null"]),
    ],
)
def test_spellings_of_countries(code: str | None, spellings: list[str]) -> None:
    assert {one: meaning[0] for (one, _), meaning in meant([(one, None) for one in spellings]).items()} == (
        dict.fromkeys(spellings, code)
    )


def test_regions_are_those_of_their_country() -> None:
    given_ = {
        ("usa", "California"): "US-CA",
        ("usa", "ca"): "US-CA",
        ("US", "us-ca"): "US-CA",
        ("Canada", "CA"): None,
        ("Türkiye", "34"): "TR-34",
        ("TR", "istanbul"): "TR-34",
        ("Georgia", "Tbilisi"): "GE-TB",
        ("USA", "Georgia"): "US-GA",
        ("Atlantis", "California"): None,
        (None, "California"): None,
        ("Kosovo", "Pristina"): None,
    }
    assert {pair: meaning[1] for pair, meaning in meant(list(given_)).items()} == given_
    # what says nothing at all is no place
    assert meant([(None, None)]) == {}


def test_every_name_in_any_letters_means_its_country() -> None:
    wanted = {}
    for name, code in names():
        for spelled in (name, name.upper(), name.lower(), f" {name.title()}."):
            wanted[spelled, None] = code
    found = meant(list(wanted))
    assert {spelled: meaning[0] for spelled, meaning in found.items()} == wanted


@pytest.mark.parametrize(
    "spec",
    [LocationDimension(), LocationDimension(level="subdivision"), PLACES],
    ids=["country", "subdivision", "places"],
)
def test_the_query_is_one_that_projects_may_have(spec: LocationDimension) -> None:
    tree = parse_query(location_query(spec), path="x.yaml")
    assert list(dependencies(tree)) == ([spec.from_] if spec.from_ else [])
    assert "REGEXP_REPLACE" in render(tree, "spark") or spec.from_ is None


def test_without_the_lists_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakewright.project.locations.find_spec", lambda name: None)
    assert [
        key for key, message in location_problems(LocationDimension()) if "lakewright[locations]" in message
    ] == [""]
