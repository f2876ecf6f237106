"""``logicalTypeOptions``: limits, lengths, patterns and formats, as rules of a column or expectations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lakewright.project.contracts.nodes import Entry
from lakewright.project.rules import regex_problem
from lakewright.spec.expectations import Expectation, Values

__all__ = ["Options", "options_of", "strptime_of"]

# Letters of Java's date patterns, as the standard uses them, with what strptime calls them.
_JAVA = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%-m"),
    ("dd", "%d"), ("d", "%-d"), ("DDD", "%j"), ("HH", "%H"), ("H", "%-H"), ("hh", "%I"), ("h", "%-I"),
    ("mm", "%M"), ("ss", "%S"), ("SSSSSS", "%f"), ("SSS", "%g"), ("EEEE", "%A"), ("EEE", "%a"), ("a", "%p"),
    ("XXX", "%z"), ("xxx", "%z"), ("Z", "%z"), ("z", "%Z"),
)  # fmt: skip

#: Formats of texts that a pattern can tell, anchored. The address is that of HTML's `input type=email`.
_TEXTS = {
    "email": r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
    "ipv4": r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$",
    "hostname": r"^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
}


@dataclass(slots=True)
class Options:
    """What the options ask: fields of the column, and expectations with their lines."""

    column: dict[str, Any] = field(default_factory=dict)
    expectations: list[tuple[Expectation, int]] = field(default_factory=list)


def options_of(entry: Entry, name: str, type_: str | None) -> Options:
    """Return what the ``logicalTypeOptions`` of the property *name* of type *type_* ask."""
    found = Options()
    options = entry.entry("logicalTypeOptions")
    if options is None:
        return found
    for key, attribute in (
        ("minLength", "min_length"), ("maxLength", "max_length"), ("minItems", "min_length"), ("maxItems", "max_length"),
    ):  # fmt: skip
        value = options.whole(key)
        if value is not None and not (key == "minItems" and value == 0):
            found.column[attribute] = value
    _limits(options, name, found)
    pattern = options.text("pattern")
    if pattern:
        wrong = regex_problem(pattern)
        if wrong:
            options.notes.lacks(f"the pattern {pattern!r} (expected {wrong})", options.at("pattern"))
        else:
            found.column["pattern"] = pattern
    _format(options, entry.text("logicalType"), type_, name, found)
    if options.truth("uniqueItems"):
        if type_ is not None and type_.endswith("[]"):
            found.expectations.append((Values(column=name, distinct_items=True), options.at("uniqueItems")))
        else:
            options.notes.lacks(f"uniqueItems of {name}, which is no list here", options.at("uniqueItems"))
    step = options.number("multipleOf")
    if step is not None:
        found.expectations.append((Values(column=name, multiple_of=step), options.at("multipleOf")))
    if type_ is None or type_.startswith(("struct", "json")) or not type_.endswith("]"):
        for key in ("minItems", "maxItems"):
            if options.value(key) and type_ == "json":
                options.notes.lacks(f"{key} of {name}, whose items have no type", options.at(key))
                found.column.pop({"minItems": "min_length", "maxItems": "max_length"}[key], None)
    options.node("timezone")
    options.finish(lacking=("defaultTimezone", "required", "minProperties", "maxProperties"))
    return found


def _limits(options: Entry, name: str, found: Options) -> None:
    """Inclusive bounds are the column's, exclusive ones an expectation; in 3.0 ``exclusive…`` is a truth value."""
    open_bounds: dict[str, Any] = {}
    line = options.line
    for key, exclusive, inclusive, outside in (
        ("minimum", "exclusiveMinimum", "min", "above"),
        ("maximum", "exclusiveMaximum", "max", "below"),
    ):
        bound, open_ = options.value(key), options.value(exclusive)
        if isinstance(open_, bool):
            open_, bound = (bound, None) if open_ else (None, bound)
        for key_, value in ((key, bound), (exclusive, open_)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | str)):
                options.notes.refuse(
                    options.at(key_), f"{key_}: expected a number or a date as text", code="LW104"
                )
        if isinstance(bound, int | float | str):
            found.column[inclusive] = bound
        if isinstance(open_, int | float | str) and not isinstance(open_, bool):
            open_bounds[outside] = open_
            line = options.at(exclusive)
    if open_bounds:
        found.expectations.append((Values(column=name, **open_bounds), line))


def _format(options: Entry, logical: str, type_: str | None, name: str, found: Options) -> None:
    text = options.text("format")
    if not text or logical in ("integer", "number"):
        return
    line = options.at("format")
    if logical in ("date", "timestamp", "time"):
        written = strptime_of(text)
        if written is None:
            options.notes.lacks(f"the format {text!r} of {name}", line)
        elif (type_ or "").split("(")[0] in ("date", "timestamp", "timestamptz", "time"):
            found.column["format"] = written
    elif text in _TEXTS and "pattern" not in found.column:
        found.column["pattern"] = _TEXTS[text]
    else:
        options.notes.lacks(f"the format {text!r} of {name}", line)


def strptime_of(text: str) -> str | None:
    """Return Java's date pattern *text* in the words of strptime; None when it has none for a part of it.

    Source: java.text.SimpleDateFormat and java.time.format.DateTimeFormatter.
    """
    result, rest = "", text
    while rest:
        if rest[0] == "'":
            quoted = re.match(r"'((?:[^']|'')*)'", rest)
            if quoted is None:
                return None
            result += (quoted[1] or "'").replace("''", "'").replace("%", "%%")
            rest = rest[quoted.end() :]
            continue
        if not rest[0].isalpha():
            result += rest[0].replace("%", "%%")
            rest = rest[1:]
            continue
        run = re.match(rf"{rest[0]}+", rest)
        assert run is not None
        word = dict(_JAVA).get(run[0])
        if word is None:
            return None
        result += word
        rest = rest[run.end() :]
    return result if "%" in result else None
