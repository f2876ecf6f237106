"""Countries and their parts: the lists of ISO 3166 from pycountry, the regions of the United Nations, names in use."""

from __future__ import annotations

from functools import cache

__all__ = ["CONTINENTS", "KOSOVO", "SUBREGIONS", "countries", "names", "subdivisions"]

#: A territory without a code of ISO 3166-1, by the one that the standard leaves to its users and the EU and IMF use.
KOSOVO = "XK"

#: Countries by subregion and region, as in the United Nations' *Standard country or area codes for statistical use*
#: (M49), which names neither Taiwan nor Kosovo: they stand with their neighbours.
SUBREGIONS: dict[tuple[str, str], str] = {
    ("Africa", "Northern Africa"): "DZ EG EH LY MA SD TN",
    ("Africa", "Eastern Africa"): "BI DJ ER ET IO KE KM MG MU MW MZ RE RW SC SO SS TF TZ UG YT ZM ZW",
    ("Africa", "Middle Africa"): "AO CD CF CG CM GA GQ ST TD",
    ("Africa", "Southern Africa"): "BW LS NA SZ ZA",
    ("Africa", "Western Africa"): "BF BJ CI CV GH GM GN GW LR ML MR NE NG SH SL SN TG",
    (
        "Americas",
        "Caribbean",
    ): "AG AI AW BB BL BQ BS CU CW DM DO GD GP HT JM KN KY LC MF MQ MS PR SX TC TT VC VG VI",
    ("Americas", "Central America"): "BZ CR GT HN MX NI PA SV",
    ("Americas", "South America"): "AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE",
    ("Americas", "Northern America"): "BM CA GL PM US",
    ("Antarctica", "Antarctica"): "AQ",
    ("Asia", "Central Asia"): "KG KZ TJ TM UZ",
    ("Asia", "Eastern Asia"): "CN HK JP KP KR MN MO TW",
    ("Asia", "South-eastern Asia"): "BN ID KH LA MM MY PH SG TH TL VN",
    ("Asia", "Southern Asia"): "AF BD BT IN IR LK MV NP PK",
    ("Asia", "Western Asia"): "AE AM AZ BH CY GE IL IQ JO KW LB OM PS QA SA SY TR YE",
    ("Europe", "Eastern Europe"): "BG BY CZ HU MD PL RO RU SK UA",
    ("Europe", "Northern Europe"): "AX DK EE FI FO GB GG IE IM IS JE LT LV NO SE SJ",
    ("Europe", "Southern Europe"): "AD AL BA ES GI GR HR IT ME MK MT PT RS SI SM VA XK",
    ("Europe", "Western Europe"): "AT BE CH DE FR LI LU MC NL",
    ("Oceania", "Australia and New Zealand"): "AU CC CX HM NF NZ",
    ("Oceania", "Melanesia"): "FJ NC PG SB VU",
    ("Oceania", "Micronesia"): "FM GU KI MH MP NR PW UM",
    ("Oceania", "Polynesia"): "AS CK NU PF PN TK TO TV WF WS",
}

#: Continents of subregions whose region is not one.
CONTINENTS = {
    "Caribbean": "North America",
    "Central America": "North America",
    "Northern America": "North America",
    "South America": "South America",
}

#: Names and abbreviations in use that are none of the standard's own. Small letters, accents and signs do not count.
_ALSO: dict[str, tuple[str, ...]] = {
    "AE": ("UAE", "Emirates"),
    "BA": ("Bosnia",),
    "BN": ("Brunei",),
    "BS": ("The Bahamas",),
    "CD": ("DR Congo", "DRC", "Congo-Kinshasa", "Democratic Republic of Congo", "Zaire"),
    "CG": ("Congo-Brazzaville", "Congo Republic"),
    "CI": ("Ivory Coast",),
    "CV": ("Cape Verde",),
    "CZ": ("Czech Republic",),
    "FK": ("Falkland Islands", "Falklands"),
    "FM": ("Micronesia",),
    "GB": ("UK", "Great Britain", "Britain"),
    "GM": ("The Gambia",),
    "HK": ("Hong Kong SAR",),
    "KP": ("North Korea", "DPRK"),
    "KR": ("South Korea",),
    "LA": ("Laos",),
    "LC": ("St. Lucia",),
    "KN": ("St. Kitts and Nevis",),
    "MK": ("Macedonia", "FYROM"),
    "MM": ("Burma",),
    "MO": ("Macau", "Macao SAR"),
    "NL": ("Holland", "The Netherlands"),
    "PS": ("Palestine",),
    "RU": ("Russia",),
    "SY": ("Syria",),
    "SZ": ("Swaziland",),
    "TL": ("East Timor",),
    "TR": ("Turkey",),
    "US": ("United States of America", "U.S.", "U.S.A."),
    "VA": ("Vatican", "Vatican City"),
    "VC": ("St. Vincent and the Grenadines",),
    KOSOVO: ("Kosovo", "Republic of Kosovo", "XKX", "RKS"),
}


@cache
def countries() -> tuple[tuple[str, ...], ...]:
    """Return a row for each country: codes, name, official name, subregion, region, continent; ordered by code."""
    import pycountry

    place = {code: key for key, codes in SUBREGIONS.items() for code in codes.split()}
    rows = [
        (one.alpha_2, one.alpha_3, one.numeric, _common(one), getattr(one, "official_name", one.name))
        for one in pycountry.countries
    ]
    rows.append((KOSOVO, "XKX", "", "Kosovo", "Republic of Kosovo"))
    made = []
    for row in sorted(rows):
        region, subregion = place.get(row[0], ("", ""))
        made.append((*row, subregion, region, CONTINENTS.get(subregion, region)))
    return tuple(made)


@cache
def names() -> tuple[tuple[str, str], ...]:
    """Return what countries are called, each with the code: codes, names, official names, names in use."""
    import pycountry

    found: dict[tuple[str, str], None] = {}
    for one in pycountry.countries:
        words = [one.alpha_2, one.alpha_3, one.name, _common(one), getattr(one, "official_name", one.name)]
        # "Korea, Republic of" is "Republic of Korea", too
        words += [" ".join(reversed(word.split(", "))) for word in words if word.count(", ") == 1]
        found |= {(word, one.alpha_2): None for word in words}
    found[KOSOVO, KOSOVO] = None
    found |= {(word, code): None for code, words in _ALSO.items() for word in words}
    return tuple(found)


@cache
def subdivisions() -> tuple[tuple[str, ...], ...]:
    """Return a row for each subdivision of ISO 3166-2: code, name, type, parent's code; ordered by code."""
    import pycountry

    return tuple(
        sorted((one.code, one.name, one.type, one.parent_code or "") for one in pycountry.subdivisions)
    )


def _common(one: object) -> str:
    return str(getattr(one, "common_name", None) or one.name)  # type: ignore[attr-defined]
