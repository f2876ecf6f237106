"""The dimension of days that a dataset's ``dimension.date`` describes, as the query that makes it."""

from __future__ import annotations

import datetime

from lakewright.errors import nearest
from lakewright.spec.star import DateDimension

__all__ = ["date_problems", "date_query"]

_MOST_YEARS = 400


def date_problems(spec: DateDimension) -> list[tuple[str, str]]:
    """Return what is wrong with *spec*: the key and the reason."""
    found = []
    first, last = datetime.date.fromisoformat(spec.from_), datetime.date.fromisoformat(spec.to)
    if last < first:
        found.append(("to", f"the last day, {spec.to}, lies before the first, {spec.from_}"))
    elif last.year - first.year > _MOST_YEARS:
        found.append(("to", f"more than {_MOST_YEARS} years of days"))
    if spec.language and not spec.holidays:
        found.append(("language", "`language` is that of holidays; `holidays` names no country"))
    if not spec.holidays:
        return found
    import holidays

    country, _, part = spec.holidays.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        found.append(("holidays", f"no holidays are known of {country!r}{nearest(country, known)}"))
    elif part and part not in known[country]:
        hint = nearest(part, known[country]) or f"; it has {', '.join(known[country]) or 'none'}"
        found.append(("holidays", f"no holidays are known of the part {part!r} of {country}{hint}"))
    elif spec.language:
        languages = holidays.country_holidays(country).supported_languages
        if spec.language not in languages:
            shown = ", ".join(languages) or "their own language alone"
            found.append(("language", f"the holidays of {country} have names in {shown}"))
    return found


def date_query(spec: DateDimension, key: str) -> str:
    """Return the query of a row for each day of *spec*, whose surrogate key *key* is its YYYYMMDD."""
    start = spec.fiscal_year_starts
    month = f"(MONTH(date) + {12 - start}) % 12 + 1" if start > 1 else "MONTH(date)"
    year = f"YEAR(date) + CASE WHEN MONTH(date) >= {start} THEN 1 ELSE 0 END" if start > 1 else "YEAR(date)"
    columns = {
        f'"{key}"': "CAST(YEAR(date) * 10000 + MONTH(date) * 100 + DAY(date) AS BIGINT)",
        "date": "date",
        "year": "CAST(YEAR(date) AS INTEGER)",
        "quarter": "CAST(QUARTER(date) AS INTEGER)",
        "month": "CAST(MONTH(date) AS INTEGER)",
        "month_name": "STRFTIME(date, '%B')",
        "day": "CAST(DAY(date) AS INTEGER)",
        "day_of_year": "CAST(DAYOFYEAR(date) AS INTEGER)",
        "day_of_week": "CAST(ISODOW(date) AS INTEGER)",
        "day_name": "STRFTIME(date, '%A')",
        # the week belongs to the year of its Thursday
        "iso_year": "CAST(YEAR(date + CAST(4 - ISODOW(date) AS INTEGER)) AS INTEGER)",
        "iso_week": "CAST(WEEKOFYEAR(date) AS INTEGER)",
        "year_month": "STRFTIME(date, '%Y-%m')",
        "year_quarter": "CAST(YEAR(date) AS TEXT) || '-Q' || CAST(QUARTER(date) AS TEXT)",
        "is_weekend": "ISODOW(date) >= 6",
        "is_month_start": "DAY(date) = 1",
        "is_month_end": "LAST_DAY(date) = date",
        "is_year_start": "DAYOFYEAR(date) = 1",
        "is_year_end": "MONTH(date) = 12 AND DAY(date) = 31",
        "fiscal_year": f"CAST({year} AS INTEGER)",
        "fiscal_quarter": f"CAST(FLOOR(({month} - 1) / 3) + 1 AS INTEGER)",
        "fiscal_month": f"CAST({month} AS INTEGER)",
    }
    joined = ""
    if spec.holidays:
        days = ", ".join(f"(DATE '{day.isoformat()}', {_text(name)})" for day, name in _holidays(spec))
        joined = f" LEFT JOIN (VALUES {days}) AS off(day, holiday_name) ON off.day = days.date"
        columns |= {"is_holiday": "off.day IS NOT NULL", "holiday_name": "off.holiday_name"}
    chosen = ",\n  ".join(f"{value} AS {name}" for name, value in columns.items())
    range_ = f"DATE '{spec.from_}', DATE '{spec.to}', INTERVAL '1' DAY"
    return (
        f"SELECT\n  {chosen}\nFROM (SELECT CAST(UNNEST(GENERATE_SERIES({range_})) AS DATE) AS date) AS days"
        f"{joined}"
    )


def _holidays(spec: DateDimension) -> list[tuple[datetime.date, str]]:
    import holidays

    country, _, part = (spec.holidays or "").partition("-")
    first, last = datetime.date.fromisoformat(spec.from_), datetime.date.fromisoformat(spec.to)
    found = holidays.country_holidays(
        country, subdiv=part or None, years=range(first.year, last.year + 1), language=spec.language
    )
    named = [(day, name) for day, name in sorted(found.items()) if first <= day <= last]
    # a country whose holidays begin later has none to join: the table of them must not be empty
    return named or [(datetime.date(1, 1, 1), "")]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
