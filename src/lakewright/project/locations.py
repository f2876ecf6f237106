"""The dimension of places that a dataset's ``dimension.location`` describes, as the query that makes it."""

# ruff: noqa: S608 - the text holds names that are quoted here and texts as literals, nothing else from outside

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from lakewright.project.countries import countries, names, subdivisions
from lakewright.spec.star import LocationDimension

__all__ = ["location_problems", "location_query"]

_COUNTRY = (
    "country_code", "country_alpha_3", "country_number", "country_name", "country_official_name",
    "world_subregion", "world_region", "continent",
)  # fmt: skip
_SUBDIVISION = ("subdivision_code", "subdivision_name", "subdivision_type", "parent_code")


def location_problems(spec: LocationDimension) -> list[tuple[str, str]]:
    """Return what is wrong with *spec*: the key and the reason."""
    found = []
    given = [name for name in ("country", "region", "city") if getattr(spec, name) is not None]
    if spec.from_ is None and given:
        found.append((given[0], f"`{given[0]}` is a column of a dataset, and `from` names none"))
    if spec.from_ is not None and spec.country is None:
        found.append(("from", "`country` has to name the column with the country"))
    if spec.from_ is not None and spec.level != "country":
        found.append(
            (
                "level",
                "`level` is for lists of the standard; places of a dataset have the columns that it names",
            )
        )
    if find_spec("pycountry") is None:
        found.append(
            ("", "pycountry, which has the lists, is not installed: pip install 'lakewright[locations]'")
        )
    return found


def location_query(spec: LocationDimension) -> str:
    """Return the query of a row for each country, subdivision, or place that the dataset ``from`` mentions."""
    if spec.from_ is not None:
        return _mentioned(spec)
    if spec.level == "country":
        return f"SELECT * FROM ({_table(_COUNTRY, countries())}) AS c"
    return (
        f"SELECT s.*, {_listed(_COUNTRY, 'c')} FROM ({_table(_SUBDIVISION, subdivisions())}) AS s"
        f" JOIN ({_table(_COUNTRY, countries())}) AS c ON c.country_code = SUBSTRING(s.subdivision_code, 1, 2)"
    )


def _mentioned(spec: LocationDimension) -> str:
    """Places as the dataset spells them, each with the country and the subdivision that is meant."""
    given = {name: one for name in ("country", "region", "city") if (one := getattr(spec, name)) is not None}
    told = ", ".join(f"CAST({_quoted(column)} AS TEXT) AS {name}" for name, column in given.items())
    there = " OR ".join(f"{_quoted(column)} IS NOT NULL" for column in given.values())
    zone, _, dataset = (spec.from_ or "").partition(".")
    tables = {
        "places": f"SELECT DISTINCT {told} FROM {_quoted(zone)}.{_quoted(dataset)} WHERE {there}",
        "countries": _table(_COUNTRY, countries()),
        "called": _unambiguous(_table(("word", "code"), names()), ""),
    }
    part, joined = "", ""
    if spec.region is not None:
        part = f"{_listed(_SUBDIVISION, 's')}, "
        ways = " UNION ALL ".join(
            f"SELECT SUBSTRING(subdivision_code, 1, 2) AS country_code, subdivision_code AS code, {word} AS word FROM parts"
            for word in ("subdivision_code", "SUBSTRING(subdivision_code, 4)", "subdivision_name")
        )
        tables |= {
            "parts": _table(_SUBDIVISION, subdivisions()),
            "parts_called": _unambiguous(ways, "country_code"),
        }
        joined = (
            f" LEFT JOIN parts_called AS w ON w.country_code = n.code AND w.spelled = {_plain('p.region')}"
            " LEFT JOIN parts AS s ON s.subdivision_code = w.code"
        )
    return (
        f"WITH {', '.join(f'{name} AS ({query})' for name, query in tables.items())}"
        f" SELECT {_listed(given, 'p')}, {part}{_listed(_COUNTRY, 'c')} FROM places AS p"
        f" LEFT JOIN called AS n ON n.spelled = {_plain('p.country')}"
        f" LEFT JOIN countries AS c ON c.country_code = n.code{joined}"
    )


def _unambiguous(words: str, within: str) -> str:
    """The query of plain spellings that mean one code alone, in all or *within* each value of a column."""
    more = f"{within}, " if within else ""
    return (
        f"SELECT {more}spelled, MIN(code) AS code FROM (SELECT {more}code, {_plain('word')} AS spelled FROM ({words}) AS words)"
        f" AS plain WHERE spelled <> '' GROUP BY {more}spelled HAVING COUNT(DISTINCT code) = 1"
    )


def _plain(value: str) -> str:
    """*value* in small letters without accents, spaces and signs; ``and`` is the sign of the same meaning."""
    text = f"REPLACE(LOWER({value}), '&', 'and')"
    return f"REGEXP_REPLACE(STRIP_ACCENTS({text}), '[^a-z0-9]', '', 'g')"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A query of *rows*, which are one text that is taken apart: thousands of rows are read in no time so; "" is null."""
    text = "\n".join("|".join(row) for row in rows)
    chosen = ", ".join(
        f"NULLIF(SPLIT_PART(line, '|', {number}), '') AS {name}" for number, name in enumerate(columns, 1)
    )
    literal = "'" + text.replace("'", "''") + "'"
    return f"SELECT {chosen} FROM (SELECT UNNEST(STRING_SPLIT({literal}, '\n')) AS line) AS lines"


def _listed(columns: Iterable[str], row: str) -> str:
    return ", ".join(f"{row}.{one}" for one in columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
