"""Guess what columns hold: counts of what their text could be, then the type a careful engineer would write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from lakewright.sql.names import identifier, literal

__all__ = ["NULL_WORDS", "SHARE", "Facts", "Guess", "facts_of", "guess", "guess_float", "is_code", "is_money"]

#: A column is of a type when at least this share of its values is; the others then go to quarantine.
SHARE = 0.97

_MONEY = re.compile(
    r"(?:.*_)?(?:price|amount|amt|total|subtotal|cost|fee|freight|tax|vat|revenue|salary|wage|rent|balance|payment|paid"
    r"|charge|charges|discount|income|profit|margin|budget|sales|credit|debit|turnover|spend|spent|refund)(?:_.*)?"
)
_CODE = re.compile(r"(?:.*_)?(?:ext|extension|zip|plz|postcode|postal_code|iban|bic|ean|gtin|isbn)(?:_\d+)?")

#: Texts that people write where a value is missing.
NULL_WORDS = ("na", "n/a", "null", "none", "nan", "\\n", "-", "--", "?", "#n/a", "(null)", "nil")

_DATES: tuple[tuple[str, str], ...] = (
    (r"^\d{1,2}/\d{1,2}/\d{4}$", "%d/%m/%Y"),
    (r"^\d{1,2}/\d{1,2}/\d{4}$", "%m/%d/%Y"),
    (r"^\d{1,2}-\d{1,2}-\d{4}$", "%d-%m-%Y"),
    (r"^\d{1,2}-\d{1,2}-\d{4}$", "%m-%d-%Y"),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}$", "%d.%m.%Y"),
    (r"^\d{4}/\d{1,2}/\d{1,2}$", "%Y/%m/%d"),
    (r"^\d{4}\.\d{1,2}\.\d{1,2}$", "%Y.%m.%d"),
    (r"^(19|20)\d{6}$", "%Y%m%d"),
    (r"^\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}$", "%d-%b-%Y"),
    (r"^\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}$", "%d %b %Y"),
    (r"^[A-Za-z]{3} \d{1,2}, \d{4}$", "%b %d, %Y"),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}$", "%d/%m/%Y %H:%M"),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}$", "%m/%d/%Y %H:%M"),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2}$", "%d/%m/%Y %H:%M:%S"),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2}$", "%m/%d/%Y %H:%M:%S"),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}(:\d{2})? [AaPp][Mm]$", "%m/%d/%Y %I:%M:%S %p"),
    (r"^\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}(:\d{2})?$", "%d.%m.%Y %H:%M:%S"),
)

#: Anything that one of these formats could read.
_DATE_LIKE = (
    r"^(\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}[/.]\d{1,2}[/.]\d{1,2}|(19|20)\d{6}"
    r"|\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}|[A-Za-z]{3} \d{1,2}, \d{4})"
)


@dataclass(slots=True)
class Facts:
    """Counts over the text of one column; ``dates`` counts by strptime format."""

    rows: int = 0
    filled: int = 0
    distinct: int = 0
    longest: int = 0
    words: int = 0
    integers: int = 0
    zeros: int = 0
    plus: int = 0
    digits: int = 0
    decimals: int = 0
    scale: int = 0
    least_scale: int = 0
    whole: int = 0
    floats: int = 0
    truths: int = 0
    iso_dates: int = 0
    iso_times: int = 0
    zoned: int = 0
    clock: int = 0
    uuids: int = 0
    dates: dict[str, int] = field(default_factory=dict)
    date_like: int = 0


@dataclass(frozen=True, slots=True)
class Guess:
    """A SQL type, the format of dates that are not ISO, and why it was doubted."""

    type: str
    format: str | None = None
    note: str = ""


def facts_of(relation: str, columns: Sequence[str], cursor: duckdb.DuckDBPyConnection) -> dict[str, Facts]:
    """Return the facts of the text *columns* of the table *relation*, fifty columns to a statement."""
    result: dict[str, Facts] = {}
    for start in range(0, len(columns), 50):
        some = columns[start : start + 50]
        parts: list[str] = ["count(*)"]
        for name in some:
            parts += _counts(_text(name))
        row = cursor.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()[0]  # noqa: S608
        width = (len(parts) - 1) // len(some)
        for place, name in enumerate(some):
            values = row[1 + place * width : 1 + (place + 1) * width]
            result[name] = _facts(row[0], values)
    _count_dates(relation, result, cursor)
    return result


def guess(name: str, facts: Facts) -> Guess:
    """Return the type for a column called *name*. What is doubtful stays text, with a note that says why."""
    filled = facts.filled - facts.words
    if filled <= 0:
        return Guess("varchar", note="it has no value" if not facts.filled else "")
    enough = max(filled * SHARE, 1)
    codes = facts.zeros or facts.plus
    if facts.truths >= enough:
        return Guess("boolean")
    if facts.uuids == filled:
        return Guess("uuid")
    if facts.iso_dates >= enough:
        return Guess("date")
    if facts.iso_dates + facts.iso_times >= enough and facts.iso_times:
        kind = "timestamp with time zone" if facts.zoned * 2 >= facts.iso_times else "timestamp"
        return Guess(kind)
    if facts.clock >= enough:
        return Guess("time")
    dated = _dated(name, facts, filled, enough)
    if dated is not None:
        return dated
    if codes and facts.integers >= enough:
        return Guess("varchar", note="it looks like a number, but has leading zeros or plus signs: a code")
    if facts.integers >= enough:
        return _integer(name, facts)
    if facts.integers + facts.decimals >= enough and not codes:
        # Always the same number of decimals: written by something that counts, not by something that measures.
        fixed = not facts.integers and facts.scale == facts.least_scale <= 4
        exact = _decimal(facts, 2 if is_money(name) else 0) if fixed or is_money(name) else None
        return exact or Guess("double")
    if facts.floats >= enough and not codes:
        return Guess("double")
    return Guess("varchar")


def guess_float(name: str, facts: Facts) -> Guess | None:
    """Return a decimal for a column called *name* of binary fractions that stand for exact ones, else None."""
    if not is_money(name) or facts.integers + facts.decimals < facts.filled or not facts.filled:
        return None
    return _decimal(facts, 2)


def is_money(name: str) -> bool:
    """Whether a column of this name, in snake_case, holds amounts of money."""
    return _MONEY.fullmatch(name) is not None


def is_code(name: str, found: Guess) -> bool:
    """Whether a column of this name holds digits that nobody adds up, such as extensions of telephones."""
    return found.type in ("integer", "bigint") and _CODE.fullmatch(name) is not None


def _decimal(facts: Facts, least: int) -> Guess | None:
    whole = max(facts.whole, facts.digits if facts.digits <= 18 else facts.whole)
    scale = max(facts.scale, least)
    if scale > 6 or whole > 18:
        return None
    return Guess(f"decimal({max(whole + scale + 2, 10)},{scale})")


def _integer(name: str, facts: Facts) -> Guess:
    if facts.digits > 18:
        return Guess("varchar", note="it looks like a number, but has more than 18 digits")
    if facts.digits > 9 or re.search(r"(^|_|[a-z])(id|key|no|nr|number)$", name, re.IGNORECASE):
        return Guess("bigint")
    return Guess("integer")


def _dated(name: str, facts: Facts, filled: int, enough: float) -> Guess | None:
    fits = [form for form, count in facts.dates.items() if count >= enough]
    if not fits:
        return None
    if fits == ["%Y%m%d"] and not re.search(r"date|day|datum|dt$|_on$|_at$", name, re.IGNORECASE):
        return None
    best = max(fits, key=lambda form: facts.dates[form])
    other = best.translate(str.maketrans("dm", "md"))
    if other != best and facts.dates.get(other, -1) == facts.dates[best]:
        return Guess("varchar", note=f"dates as {best} or {other}: every value fits both, so say which")
    kind = "timestamp" if "%H" in best or "%I" in best else "date"
    return Guess(kind, best)


def _counts(text: str) -> list[str]:
    def matching(pattern: str) -> str:
        return f"count(*) FILTER (regexp_full_match({text}, {literal(pattern).sql('duckdb')}))"

    words = ", ".join(literal(word).sql("duckdb") for word in NULL_WORDS)
    number = r"[-+]?\d+"
    digits = f"length(regexp_replace({text}, '^[-+]', ''))"
    iso = r"\d{4}-\d{1,2}-\d{1,2}"
    time = iso + r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|[-+]\d{2}(:?\d{2})?)?"
    fraction = f"regexp_full_match({text}, '[-+]?\\d*\\.\\d+')"
    counts = [
        f"count(*) FILTER ({text} <> '')",
        f"count(DISTINCT {text}) FILTER ({text} <> '')",
        f"coalesce(max(length({text})), 0)",
        f"count(*) FILTER (lower({text}) IN ({words}))",
        matching(number),
        matching(r"[-+]?0\d+"),
        matching(r"\+\d+"),
        f"coalesce(max({digits}) FILTER (regexp_full_match({text}, '{number}')), 0)",
        matching(r"[-+]?\d*\.\d+"),
        f"coalesce(max(length(split_part({text}, '.', 2))) FILTER ({fraction}), 0)",
        f"coalesce(min(length(split_part({text}, '.', 2))) FILTER ({fraction}), 0)",
        f"coalesce(max(length(ltrim(split_part({text}, '.', 1), '+-'))) FILTER ({fraction}), 0)",
        f"count(*) FILTER (regexp_full_match({text}, '[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?'))",
        f"count(*) FILTER (lower({text}) IN ('true', 'false'))",
        f"count(*) FILTER (regexp_full_match({text}, '{iso}') AND try_cast({text} AS DATE) IS NOT NULL)",
        f"count(*) FILTER (regexp_full_match({text}, '{time}') AND try_cast({text} AS TIMESTAMPTZ) IS NOT NULL)",
        f"count(*) FILTER (regexp_full_match({text}, '{time}') AND regexp_matches({text}, '(Z|[-+]\\d{{2}}(:?\\d{{2}})?)$') "
        f"AND length({text}) > 16)",
        matching(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"),
        matching(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    ]
    counts.append(f"count(*) FILTER (regexp_matches({text}, {literal(_DATE_LIKE).sql('duckdb')}))")
    return counts


def _count_dates(relation: str, found: Mapping[str, Facts], cursor: duckdb.DuckDBPyConnection) -> None:
    """Count by strptime format the values of the columns that look like dates that are not ISO."""
    likely = [name for name, one in found.items() if one.date_like and one.date_like >= 0.9 * one.filled]
    if not likely:
        return
    counts = [
        f"count(*) FILTER (regexp_matches({text}, {literal(pattern).sql('duckdb')}) "
        f"AND try_strptime({text}, {literal(form).sql('duckdb')}) IS NOT NULL)"
        for text in map(_text, likely)
        for pattern, form in _DATES
    ]
    row = cursor.execute(f"SELECT {', '.join(counts)} FROM {relation}").fetchall()[0]  # noqa: S608
    for place, name in enumerate(likely):
        values = row[place * len(_DATES) : (place + 1) * len(_DATES)]
        found[name].dates = {form: count for (_, form), count in zip(_DATES, values, strict=True) if count}


def _text(name: str) -> str:
    return f"trim(CAST({identifier(name).sql('duckdb')} AS VARCHAR))"


def _facts(rows: int, values: Sequence[Any]) -> Facts:
    names = (
        "filled", "distinct", "longest", "words", "integers", "zeros", "plus", "digits", "decimals", "scale",
        "least_scale", "whole", "floats", "truths", "iso_dates", "iso_times", "zoned", "clock", "uuids", "date_like",
    )  # fmt: skip
    return Facts(rows=rows, **dict(zip(names, values, strict=True)))
