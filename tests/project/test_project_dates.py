"""The dimension of days: every column against Python's calendar."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import duckdb
import pytest

from lakewright.project.dates import date_query
from lakewright.spec.star import DateDimension
from lakewright.sql.dialect import render
from lakewright.sql.query import parse_query


@pytest.mark.parametrize("start", range(1, 13))
def test_every_day_is_what_the_calendar_says(start: int) -> None:
    spec = DateDimension(from_="1999-12-30", to="2005-01-03", fiscal_year_starts=start, holidays="US-CA")
    found = duckdb.sql(date_query(spec, "date_key"))
    rows = {row[1]: dict(zip(found.columns, row, strict=True)) for row in found.fetchall()}
    day = date(1999, 12, 30)
    assert (min(rows), max(rows), len(rows)) == (day, date(2005, 1, 3), (date(2005, 1, 3) - day).days + 1)
    for day, row in rows.items():
        fiscal_month = (day.month - start) % 12 + 1
        tomorrow = day + timedelta(days=1)
        holiday = row.pop("holiday_name")
        assert row.pop("is_holiday") == (holiday is not None)
        assert row == {
            "date_key": int(day.strftime("%Y%m%d")),
            "date": day,
            "year": day.year,
            "quarter": (day.month - 1) // 3 + 1,
            "month": day.month,
            "month_name": calendar.month_name[day.month],
            "day": day.day,
            "day_of_year": day.timetuple().tm_yday,
            "day_of_week": day.isoweekday(),
            "day_name": calendar.day_name[day.weekday()],
            "iso_year": day.isocalendar().year,
            "iso_week": day.isocalendar().week,
            "year_month": day.strftime("%Y-%m"),
            "year_quarter": f"{day.year}-Q{(day.month - 1) // 3 + 1}",
            "is_weekend": day.weekday() >= 5,
            "is_month_start": day.day == 1,
            "is_month_end": tomorrow.month != day.month,
            "is_year_start": (day.month, day.day) == (1, 1),
            "is_year_end": (day.month, day.day) == (12, 31),
            "fiscal_year": day.year + (1 if start > 1 and day.month >= start else 0),
            "fiscal_quarter": (fiscal_month - 1) // 3 + 1,
            "fiscal_month": fiscal_month,
        }
    assert duckdb.sql(
        f"SELECT holiday_name FROM ({date_query(spec, 'k')}) WHERE date = '2004-07-04'"
    ).fetchall() == [("Independence Day",)]


def test_a_country_without_holidays_in_the_range_has_none() -> None:
    spec = DateDimension(from_="1700-01-01", to="1700-01-31", holidays="DE")
    assert duckdb.sql(f"SELECT count(*), count(holiday_name) FROM ({date_query(spec, 'k')})").fetchone() == (
        31,
        0,
    )


def test_the_query_is_one_that_projects_may_have() -> None:
    query = parse_query(date_query(DateDimension(), "date_key"), path="x.yaml")
    assert "GENERATE_SERIES" in render(query, "duckdb")
