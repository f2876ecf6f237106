"""One dataset's section of the report: where its rows went, its checks, failing rows and profile."""

from __future__ import annotations

from collections.abc import Collection

from lakewright.quality.charts import bars, line
from lakewright.quality.profile_model import ColumnProfile, Profile
from lakewright.quality.report_model import DatasetReport
from lakewright.quality.report_text import (
    WORDS,
    anchor,
    count,
    esc,
    figure,
    moment,
    names,
    percent,
    pill,
    plural,
    shares,
    time_of,
)
from lakewright.quality.samples import MASK, Sample, mask
from lakewright.quality.score import CheckResult

__all__ = ["dataset_section", "flow_of"]


def flow_of(one: DatasetReport) -> tuple[tuple[str, int], ...]:
    """Return where the rows went: as given, else the judged rows as good and quarantined."""
    if one.flow or one.audit is None:
        return one.flow
    verdict = one.audit.verdict
    good = "published" if verdict.passed else "good, not published"
    return (("rows in", verdict.rows), (good, verdict.good_rows), ("quarantined", verdict.bad_rows))


def dataset_section(one: DatasetReport) -> str:
    """Return the section of one dataset."""
    head = f'<div class="head"><h2>{esc(one.dataset)}</h2>{pill(one.light, WORDS[one.light])}</div>'
    about = [esc(one.description)] if one.description else []
    if one.owner:
        about.append(f"Owner: {esc(one.owner)}")
    if one.audit is not None and one.audit.batch is not None:
        about.append(f"Batch {one.audit.batch}")
    parts = [
        f'<section class="card" id="{anchor(one.dataset)}">',
        head,
        f'<p class="soft">{" · ".join(about)}</p>' if about else "",
        f"<p><b>Not built:</b> {esc(one.error, 2000)}</p>" if one.error else "",
        _flow(one),
        _trend(one),
        _unusual(one),
        _checks(one),
        _sample(one.sample, one.pii),
        _profile(one.profile, one.pii),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _flow(one: DatasetReport) -> str:
    flow = flow_of(one)
    if not flow:
        return ""
    (first, total), *rest = flow
    slices = "".join(
        f'<i class="c{_colour(words, place)}" style="flex:{rows} 0 0" title="{esc(words)}: {count(rows)}"></i>'
        for place, (words, rows) in enumerate(rest)
        if rows
    )
    shown = shares([rows for _, rows in rest])
    keys = "".join(
        f'<span><i class="c{_colour(words, place)}"></i><b>{count(rows)}</b> {esc(words)}'
        f"{f' ({shown[place]})' if total else ''}</span>"
        for place, (words, rows) in enumerate(rest)
    )
    return f'<div class="flow">{slices}</div><div class="keys"><span><b>{count(total)}</b> {esc(first)}</span>{keys}</div>'


def _colour(words: str, place: int) -> int:
    if "quarantine" in words or "reject" in words:
        return 1
    return (0, 2, 3, 4)[min(place, 3)]


def _trend(one: DatasetReport) -> str:
    if len(one.trend) < 2 or one.audit is None:
        return ""
    threshold = one.audit.verdict.threshold
    points = [(point.at.strftime("%-d %b"), moment(point.at), point.score) for point in one.trend]
    low = min([threshold, *(score for *_, score in points)])
    chart = line(
        points, low=max(0.0, low - (1 - low) * 0.15 - 0.005), high=1.0, label="Share of good rows",
        spell=percent, limit=threshold,
    )  # fmt: skip
    return (
        f"<h3>Share of good rows, last {len(points)} runs (dashed: threshold {percent(threshold)})</h3>"
        f'<div class="trend">{chart}</div>'
    )


def _unusual(one: DatasetReport) -> str:
    if not one.anomalies:
        return ""
    rows = "".join(
        f"<li>{pill('look', 'Unusual')}<span>{esc(found.sentence)}</span></li>" for found in one.anomalies
    )
    return f'<h3>Unlike recent runs</h3><ul class="todo">{rows}</ul>'


def _checks(one: DatasetReport) -> str:
    if one.audit is None or not one.audit.verdict.results:
        return ""
    failed = [check for check in one.audit.verdict.results if not check.passed]
    passed = [check for check in one.audit.verdict.results if check.passed]
    failed.sort(key=lambda check: (check.severity == "warn", check.percent))
    head = (
        "<thead><tr><th>Check</th><th>Result</th><th>Rows that hold it</th>"
        '<th class="n">Violations</th><th>If broken</th></tr></thead>'
    )
    parts = ["<h3>Checks</h3>"]
    if failed:
        rows = "".join(_check(check) for check in failed)
        parts.append(f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>')
    if passed:
        rows = "".join(_check(check) for check in passed)
        words = f"{plural(len(passed), 'check')} passed"
        parts.append(
            f'<details><summary>{words}</summary><div class="scroll"><table class="tight">{head}'
            f"<tbody>{rows}</tbody></table></div></details>"
        )
    return "\n".join(parts)


def _check(check: CheckResult) -> str:
    if check.passed:
        state = pill("good", "Passed")
    else:
        state = pill("look" if check.severity != "fail" and check.scope != "dataset" else "stop", "Failed")
        if check.severity == "warn":
            state = pill("look", "Warning")
    whole = check.scope == "dataset" and check.observed != f"{check.percent:.2f} %"
    if whole:
        held = f'<span class="soft">found</span> {esc(check.observed, 80)}'
    else:
        light = "" if not check.violations else "look" if check.passed or check.percent >= 95 else "stop"
        held = (
            f'<span class="meter"><i class="{light}" style="width:{check.percent:.2f}%"></i></span>'
            f"{percent(check.percent / 100)}"
        )
    violations = "–" if whole else count(check.violations)
    consequence = {"warn": "warn", "quarantine": "quarantine", "fail": "stop"}[check.severity]
    if check.scope == "dataset" and check.severity == "quarantine":
        consequence = "stop"
    return (
        f'<tr><td>{esc(check.sentence)}<br><span class="soft mono">{esc(check.check_id)}</span></td><td>{state}</td>'
        f'<td style="white-space:nowrap">{held}</td><td class="n">{violations}</td>'
        f'<td><span class="badge">{consequence}</span></td></tr>'
    )


def _sample(sample: Sample | None, pii: Collection[str]) -> str:
    if sample is None or not sample.rows:
        return ""
    sample = mask(sample, pii)
    head = "".join(f"<th>{esc(name, 60)}</th>" for name in sample.columns)
    rows = "".join(
        f'<tr><td class="mono why">{names(reasons)}</td>{"".join(_value(value) for value in values)}</tr>'
        for reasons, values in sample.rows
    )
    return (
        f"<details><summary>{plural(len(sample.rows), 'row')} that break checks, as examples</summary>"
        f'<div class="scroll"><table class="tight sample"><thead><tr><th>Broken checks</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _value(value: str | None) -> str:
    if value is None:
        return '<td><span class="null">null</span></td>'
    return f'<td title="{esc(value)}">{esc(value, 80)}</td>'


def _profile(profile: Profile | None, pii: Collection[str]) -> str:
    if profile is None or not profile.columns:
        return ""
    hidden = {name.lower() for name in pii}
    rows = "".join(_column(one, one.name.lower() in hidden) for one in profile.columns)
    note = ""
    if profile.sampled < profile.rows:
        note = f'<p class="soft">Distributions are of a sample of {plural(profile.sampled, "row")}.</p>'
    return (
        f"<details><summary>Profile: {plural(len(profile.columns), 'column')} of {plural(profile.rows, 'row')}"
        f'</summary>{note}<div class="scroll"><table class="tight"><thead><tr><th>Column</th><th class="n">Missing</th>'
        '<th class="n">Different values (about)</th><th>Range</th><th>Typical</th><th>Distribution</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _column(one: ColumnProfile, hidden: bool) -> str:
    missing = percent(one.null_share) if one.nulls else '<span class="null">none</span>'
    return (
        f"<tr><td><b>{esc(one.name)}</b>{' <span class=badge>personal</span>' if hidden else ''}<br>"
        f'<span class="soft mono">{esc(one.type.lower(), 60)}</span></td><td class="n">{missing}</td>'
        f'<td class="n">{count(one.distinct)}</td><td>{_extent(one, hidden)}</td>'
        f"<td>{_typical(one, hidden)}</td><td>{_distribution(one, hidden)}</td></tr>"
    )


def _extent(one: ColumnProfile, hidden: bool) -> str:
    parts = []
    if one.minimum is not None and one.maximum is not None:
        if hidden:
            parts.append(MASK)
        elif one.group in ("number", "time", "other"):
            parts.append(f"{esc(one.minimum, 40)} to {esc(one.maximum, 40)}")
    if one.shortest is not None and one.longest is not None:
        unit = {"binary": "byte", "list": "element"}.get(one.group, "character")
        whole = plural(one.longest, unit)
        parts.append(whole if one.shortest == one.longest else f"{count(one.shortest)} to {whole}")
    for amount, word in (
        (one.empty, "empty"),
        (one.not_a_number, "not a number"),
        (one.infinite, "infinite"),
    ):
        if amount:
            parts.append(f"{count(amount)} {word}")
    return "<br>".join(parts) or '<span class="null">–</span>'


def _typical(one: ColumnProfile, hidden: bool) -> str:
    if hidden:
        return '<span class="null">–</span>'
    parts = []
    if one.mean is not None:
        spread = f" ± {figure(one.deviation)}" if one.deviation is not None else ""
        parts.append(f"mean {figure(one.mean)}{spread}")
    middle = one.quantiles.get("50")
    if middle is not None:
        shown = time_of(middle, one.type) if one.group == "time" else figure(middle)
        parts.append(f"median {shown}")
    if one.mean_length is not None and one.shortest != one.longest:
        parts.append(f"mean length {figure(one.mean_length)}")
    return "<br>".join(parts) or '<span class="null">–</span>'


def _distribution(one: ColumnProfile, hidden: bool) -> str:
    few = 0 < one.distinct <= 12 and one.top
    if one.histogram and not hidden and len(one.histogram) > 1 and not (few and one.group == "time"):
        named = [(f"{_edge(bin_.low, one)} – {_edge(bin_.high, one)}", bin_.count) for bin_ in one.histogram]
        return f'<div class="hist">{bars(named, label=f"distribution of {one.name}")}</div>'
    if hidden:
        return '<span class="null">–</span>'
    shown = one.top[:4]
    total = sum(value.count for value in one.top)
    if not shown or not total or (shown[0].count == 1 and one.distinct > 4):
        return '<span class="null">–</span>'
    values = "<br>".join(
        f'<span title="{esc(value.value)}">{esc(value.value, 60) if value.value else "(empty)"}</span> '
        f'<span class="soft">× {count(value.count)}</span>'
        for value in shown
    )
    return f'<div class="values">{values}</div>'


def _edge(value: float, one: ColumnProfile) -> str:
    return time_of(value, one.type) if one.group == "time" else figure(value)
