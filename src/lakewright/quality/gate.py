"""The gate: whether a dataset's batch may be published, and the error when it may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakewright.errors import GateError
from lakewright.quality.score import CheckResult, counts, results, score
from lakewright.sql.checks import Check

__all__ = ["Verdict", "judge", "refuse"]


@dataclass(frozen=True)
class Verdict:
    """What the audit of one batch says.

    ``score`` is the share of rows that break no check of severity quarantine or fail, 0 to 1;
    ``reasons`` are the sentences that say why the gate refused, none when ``passed``.
    """

    score: float
    threshold: float
    passed: bool
    rows: int
    bad_rows: int
    results: tuple[CheckResult, ...]
    reasons: tuple[str, ...] = ()

    @property
    def good_rows(self) -> int:
        """The rows that may be published."""
        return self.rows - self.bad_rows

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass, whatever their severity."""
        return tuple(one for one in self.results if not one.passed)


def judge(checks: Sequence[Check], audit: Mapping[str, Any], threshold: float) -> Verdict:
    """Judge a batch from the *audit*'s one row by column name.

    The gate refuses when the score is below *threshold*, when any row breaks a check of severity
    ``fail``, and when a check of the whole dataset of severity ``quarantine`` or ``fail`` does not
    pass (there is no row to put aside). ``warn`` never refuses.
    """
    rows, bad = counts(audit)
    found = results(checks, audit)
    value = score(rows, bad)
    reasons = []
    if value < threshold:
        reasons.append(
            f"{_below(value, threshold)} % of the rows are good, and the threshold is {threshold * 100:g} %"
            f" ({bad:,} of {rows:,} rows break checks)"
        )
    for one in found:
        if one.passed or one.severity == "warn":
            continue
        if one.scope == "dataset":
            reasons.append(f"{one.check_id}: {one.sentence}, but found {one.observed}")
        elif one.severity == "fail":
            reasons.append(
                f"{one.check_id}: {one.sentence}, but {one.violations:,} of {rows:,} rows break it"
            )
    return Verdict(value, threshold, not reasons, rows, bad, found, tuple(reasons))


def refuse(dataset: str, verdict: Verdict) -> GateError:
    """Return the error for a batch of *dataset* that the gate did not let through."""
    worst = sorted(
        (one for one in verdict.failed if one.scope != "dataset" and one.severity != "warn"),
        key=lambda one: -one.violations,
    )[:5]
    tried = [f"{one.check_id}: {one.violations:,} of {one.evaluated:,} rows break it" for one in worst]
    return GateError("LW505", f"{dataset}: {'; '.join(verdict.reasons)}", tried=tried)


def _below(share: float, threshold: float) -> str:
    # as many digits as it takes not to show the threshold that was missed
    return next(
        (text for digits in (2, 4, 6, 8) if float(text := f"{share * 100:.{digits}f}") < threshold * 100),
        repr(share * 100),
    )
