"""The quality report of a run: one HTML file that needs nothing else and is understood from the top down."""

from __future__ import annotations

from collections.abc import Iterator

from lakewright.quality.charts import sparkline
from lakewright.quality.report_dataset import dataset_section, flow_of
from lakewright.quality.report_model import DatasetReport, RunReport
from lakewright.quality.report_style import STYLE
from lakewright.quality.report_text import WORDS, anchor, count, esc, moment, percent, pill, plural, span
from lakewright.quality.score import score

__all__ = ["html"]

# Nothing is loaded, no script runs, no form is sent: the page is what is written in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_MOST = 12


def html(report: RunReport) -> str:
    """Return the page. All text of users is escaped; values of personal columns are masked."""
    title = f"{esc(report.project)}: data quality"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title><style>{STYLE}</style></head><body>",
        _header(report),
        "<main>",
        _verdict(report),
        _figures(report),
        _todo(report),
        _overview(report),
        *(dataset_section(one) for one in report.datasets),
        "</main>",
        _footer(),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _header(report: RunReport) -> str:
    facts = [moment(report.started)]
    if report.finished is not None:
        facts.append(f"took {span(report.finished - report.started)}")
    if report.target:
        facts.append(f"target {esc(report.target)}")
    if report.status:
        facts.append(esc(report.status))
    facts.append(f'run <span class="mono">{esc(report.run_id)}</span>')
    return (
        f'<header class="top"><h1>{esc(report.project)}</h1>'
        f'<p class="soft">Data quality · {" · ".join(facts)}</p></header>'
    )


def _verdict(report: RunReport) -> str:
    lights = [one.light for one in report.datasets]
    stopped, look = lights.count("stop"), lights.count("look")
    if not lights:
        words = "Nothing was checked in this run."
    elif stopped:
        words = f"{plural(stopped, 'dataset')} did not pass and {'was' if stopped == 1 else 'were'} not published."
        words += f" {look} more deserve{'s' if look == 1 else ''} a look." if look else ""
    elif look:
        words = (
            f"All datasets are published. {plural(look, 'dataset')} deserve{'s' if look == 1 else ''} a look."
        )
    else:
        words = "All datasets are published, and every check passed."
    return f'<div class="verdict {report.light}"><i class="dot"></i><span>{words}</span></div>'


def _figures(report: RunReport) -> str:
    audits = [one.audit.verdict for one in report.datasets if one.audit is not None]
    rows, bad = sum(one.rows for one in audits), sum(one.bad_rows for one in audits)
    published = sum(one.good_rows for one in audits if one.passed)
    checks = [check for one in audits for check in one.results]
    figures = [
        (percent(score(rows, bad)), "of the rows are good"),
        (count(rows), "rows judged"),
        (count(published), "rows published"),
        (count(bad), "rows with faults"),
        (f"{sum(check.passed for check in checks):,} of {len(checks):,}", "checks passed"),
    ]
    return (
        '<div class="figures">'
        + "".join(f'<div class="figure"><b>{value}</b><span>{words}</span></div>' for value, words in figures)
        + "</div>"
    )


def _todo(report: RunReport) -> str:
    found = list(_findings(report))
    if not found:
        return ""
    shown = "".join(f"<li>{one}</li>" for one in found[:_MOST])
    more = f'<p class="soft">and {len(found) - _MOST} more below</p>' if len(found) > _MOST else ""
    return f'<section class="card"><h2>What to look at</h2><ul class="todo">{shown}</ul>{more}</section>'


def _findings(report: RunReport) -> Iterator[str]:
    """Yield sentences about what is wrong, the worst first."""

    def said(light: str, one: DatasetReport, words: str) -> str:
        link = f'<a href="#{anchor(one.dataset)}">{esc(one.dataset)}</a>'
        return f"{pill(light, {'stop': 'Stop', 'look': 'Look'}[light])}<span>{link}: {words}</span>"

    for one in report.datasets:
        if one.error:
            yield said("stop", one, esc(one.error))
        if one.audit is not None:
            for reason in one.audit.verdict.reasons:
                yield said("stop", one, esc(reason))
    broken = [
        (check.violations / max(check.evaluated, 1), one, check)
        for one in report.datasets
        if one.audit is not None
        for check in one.audit.verdict.failed
        if check.scope != "dataset" or check.severity == "warn"
    ]
    for share, one, check in sorted(broken, key=lambda item: -item[0]):
        if check.scope == "dataset":
            words = f"{esc(check.sentence)}, but found {esc(check.observed)}"
        else:
            words = f"{esc(check.sentence)}; {plural(check.violations, 'row')} ({percent(share)}) "
            words += "does not" if check.violations == 1 else "do not"
        yield said("look", one, words)
    for one in report.datasets:
        for anomaly in one.anomalies:
            yield said("look", one, esc(anomaly.sentence))


def _overview(report: RunReport) -> str:
    if not report.datasets:
        return ""
    rows = "".join(_overview_row(one) for one in report.datasets)
    return (
        '<section class="card"><h2>Datasets</h2><div class="scroll"><table><thead><tr><th>Dataset</th><th>Status</th>'
        '<th>Good rows</th><th class="n">In</th><th class="n">Good</th><th class="n">Quarantined</th>'
        '<th class="n">Failed checks</th><th>Recent runs</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _overview_row(one: DatasetReport) -> str:
    name = f'<td class="name"><a href="#{anchor(one.dataset)}">{esc(one.dataset)}</a></td>'
    state = f"<td>{pill(one.light, WORDS[one.light])}</td>"
    if one.audit is None:
        return f'<tr>{name}{state}<td class="soft" colspan="6">not checked</td></tr>'
    verdict = one.audit.verdict
    light = "" if not verdict.bad_rows else "stop" if verdict.score < verdict.threshold else "look"
    meter = (
        f'<td style="white-space:nowrap"><span class="meter"><i class="{light}" style="width:{verdict.score * 100:.2f}%">'
        f"</i></span>{percent(verdict.score)}</td>"
    )
    flow = flow_of(one)
    read = flow[0][1] if flow else verdict.rows
    failed = len(verdict.failed)
    points = [point.score for point in one.trend]
    spark = (
        sparkline(points, low=min([*points, 0.9]), high=1.0, label="score of recent runs") if points else ""
    )
    return (
        f'<tr>{name}{state}{meter}<td class="n">{count(read)}</td><td class="n">{count(verdict.good_rows)}</td>'
        f'<td class="n">{count(verdict.bad_rows)}</td><td class="n">{failed or "–"}</td>'
        f'<td><div class="spark">{spark}</div></td></tr>'
    )


def _footer() -> str:
    return (
        "<footer><p>The score is the share of rows that break no check of severity quarantine or fail. "
        "Rows that do are kept in quarantine with the reason; none is dropped. "
        "Numbers of different values are approximate, and so are quantiles.</p>"
        "<p>Made by Lakewright.</p></footer>"
    )
