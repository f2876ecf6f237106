"""The arguments of one expectation of a suite: read once, each by name, so that none is overlooked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from lakewright.project.rules import regex_problem
from lakewright.project.suites.conditions import NotSupported, row_condition
from lakewright.spec.expectations import Ignore

__all__ = ["Arguments", "NotSupported"]

Scalar = str | int | float | bool
One = TypeVar("One")

#: What says how results are shown or where a batch comes from, and changes no verdict.
_WITHOUT_EFFECT = frozenset(
    (
        "batch_id", "catch_exceptions", "include_config", "meta", "notes", "result_format", "auto",
        "profiler_config", "library_metadata", "domain_type", "windows", "rendered_content", "description",
        "severity", "output_strftime_format", "allow_cross_type_comparisons", "parse_strings_as_datetimes",
        "id", "type", "table", "column_set_strict",
    )
)  # fmt: skip

_IGNORE: dict[str, Ignore] = {
    "both_values_are_missing": "all",
    "all_values_are_missing": "all",
    "either_value_is_missing": "any",
    "any_value_is_missing": "any",
    "neither": "never",
    "never": "never",
}


class Arguments:
    """The keyword arguments of an expectation; raises NotSupported for what has no counterpart here."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = {key: value for key, value in given.items() if value is not None}
        self.unread = set(self.given) - _WITHOUT_EFFECT
        for key, value in self.given.items():
            if isinstance(value, Mapping) and any(str(one).startswith("$") for one in value):
                raise NotSupported(
                    f"{key} is a parameter that is set at run time ({', '.join(map(str, value))})"
                )

    def get(self, key: str, kind: type[One] | tuple[type[One], ...], default: Any = None) -> Any:
        """The argument *key*, of type *kind*, or *default*."""
        self.unread.discard(key)
        value = self.given.get(key, default)
        if value is not default and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            raise NotSupported(f"{key} is {value!r}")
        return value

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self.get(key, str)
        if value is None:
            raise NotSupported(f"{key} is missing")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts that must be there."""
        value = self.get(key, list)
        if not value or not all(isinstance(one, str) for one in value):
            raise NotSupported(f"{key} is not a list of texts")
        return tuple(value)

    def patterns(self, *keys: str) -> tuple[str, ...]:
        """The regular expressions of the first of *keys* that is given: one, or a list."""
        key = next((one for one in keys if one in self.given), keys[0])
        found = self.texts(key) if isinstance(self.given.get(key), list) else (self.text(key),)
        for one in found:
            if wrong := regex_problem(one):
                raise NotSupported(f"{key} {one!r}: expected {wrong}")
        return found

    def values(self, key: str, *, nulls: bool = False) -> tuple[Any, ...]:
        """A list of constants that must be there, without null."""
        value = self.get(key, list)
        if value is None:
            raise NotSupported(f"{key} is missing, so nothing is checked")
        if not all(one is None or isinstance(one, str | int | float | bool) for one in value):
            raise NotSupported(f"{key} holds something else than constants")
        return tuple(one for one in value if nulls or one is not None)

    def number(self, key: str) -> int | float | None:
        """A number, or None."""
        value = self.given.get(key)
        self.unread.discard(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise NotSupported(f"{key} is {value!r}")
        return value

    def mostly(self) -> float | None:
        """The share that must be good; None for all."""
        value = self.number("mostly")
        return None if value is None or value >= 1 else float(value)

    def where(self) -> str | None:
        """The condition on rows as SQL, None for all rows."""
        self.unread -= {"row_condition", "condition_parser"}
        condition = self.given.get("row_condition")
        return None if condition is None else row_condition(condition, self.given.get("condition_parser"))

    def ignore(self, default: str) -> Ignore:
        """Which rows with nulls are left out."""
        return _IGNORE[self.choice("ignore_row_if", default, tuple(_IGNORE))]

    def choice(self, key: str, default: str, among: tuple[str, ...]) -> str:
        """A word among *among*."""
        value = self.get(key, str, default)
        if value not in among:
            raise NotSupported(f"{key} is {value!r}")
        return str(value)

    def bounds(self, low: str = "min_value", high: str = "max_value") -> dict[str, Any]:
        """``min``, ``max``, or ``above``, ``below`` where the range is strict; at least one."""
        found: dict[str, Any] = {}
        for key, strict, inclusive, exclusive in (
            (low, "strict_min", "min", "above"),
            (high, "strict_max", "max", "below"),
        ):
            value = self.given.get(key)
            self.unread -= {key, strict}
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int | float | str):
                    raise NotSupported(f"{key} is {value!r}")
                found[exclusive if self.given.get(strict) is True else inclusive] = value
        if not found:
            raise NotSupported("no bound is given, so nothing is checked")
        return found

    def whole_bounds(self) -> dict[str, Any]:
        """``min`` and ``max`` of something that is counted: strict bounds become the next whole number."""
        found = self.bounds()
        result: dict[str, Any] = {}
        for key, value in found.items():
            if isinstance(value, str) or value != int(value):
                raise NotSupported(f"the bound {value!r} is no whole number")
            result["min" if key in ("min", "above") else "max"] = int(value) + {"above": 1, "below": -1}.get(
                key, 0
            )
        return result
