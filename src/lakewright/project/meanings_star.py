"""One sentence for every key of dimensions and facts."""

from __future__ import annotations

from lakewright.spec.star import DateDimension, Dimension, Fact, LocationDimension, Lookup

__all__ = ["STAR"]

STAR: dict[type, dict[str, str]] = {
    Dimension: {
        "key": "Column with the surrogate key; the dataset's name without `dim_` and with `_key` without it.",
        "unknown": "Values of the member for facts whose member is not known, by column.",
        "not_applicable": "Values of the member for facts that have none, by column.",
        "date": "Makes it a dimension of days, which needs no source.",
        "location": "Makes it a dimension of places: countries, subdivisions, or the places that a dataset mentions.",
    },
    LocationDimension: {
        "from": "Dataset whose places are the members; without it, the list of ISO 3166.",
        "country": "Its column with the country: a name, or a code of two or three letters.",
        "region": "Its column with the part of the country: a name or a code.",
        "city": "Its column with the city.",
        "level": "Which list it is without `from`: countries, or their subdivisions.",
    },
    DateDimension: {
        "from": "First day.",
        "to": "Last day, included.",
        "fiscal_year_starts": "Month with which the fiscal year starts.",
        "holidays": "Country whose holidays are marked, as ISO 3166 code, with a subdivision where wanted: `DE`, `US-CA`.",
        "language": "Language of the holidays' names, such as `en_US`; the country's own without it.",
    },
    Fact: {
        "dimensions": "Columns with surrogate keys, and the dimension of each, or how it is looked up.",
        "at": "Column with the time of the event, by which versions of members are chosen.",
    },
    Lookup: {
        "dimension": "The dimension.",
        "on": "Columns of the fact with the natural key, and their names in the dimension; the same names without it.",
        "at": "Column with the time for which a version is looked up, instead of the fact's.",
        "missing": "A member that is not there yet is added, to be completed later, or the fact refers to the unknown one.",
    },
}
