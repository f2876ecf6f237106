"""The report: complete, harmless whatever the data says, silent about personal values, clear at the top."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakewright.quality.anomaly import Anomaly
from lakewright.quality.gate import Verdict
from lakewright.quality.profile_model import Bin, ColumnProfile, Profile, Value
from lakewright.quality.report import html
from lakewright.quality.report_model import DatasetReport, RunReport
from lakewright.quality.report_text import anchor, esc, percent, shares, time_of
from lakewright.quality.results import Audit, Point
from lakewright.quality.samples import Sample
from lakewright.quality.score import CheckResult

AT = datetime(2024, 6, 1, 6, 30, tzinfo=UTC)
NASTY = "</style></td><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u202e\x00"
VOID = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """The page's elements and text; fails where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def report(text: str = "plain", pii: tuple[str, ...] = ()) -> RunReport:
    row = CheckResult(f"{text}.min", "min", (text,), "quarantine", f"{text} must be at least 1", "row",
                      1000, 37, 96.3, "", False)  # fmt: skip
    whole = replace(row, check_id=text, kind="statistic", scope="dataset", observed=text, severity="warn")
    good = replace(row, check_id="fine", violations=0, percent=100.0, passed=True)
    verdict = Verdict(0.963, 0.95, True, 1000, 37, (row, whole, good))
    trend = tuple(
        Point(str(day), AT + timedelta(days=day), 0.9 + day / 100, 1000, 1, True) for day in range(5)
    )
    bins = tuple(Bin(float(place), place + 1.0, place * 3) for place in range(20))
    columns = (
        ColumnProfile(text, text, "text", 1000, 10, 3, text, text, top=(Value(text, 500), Value("", 490)),
                      shortest=0, longest=9, mean_length=4.5, empty=490),
        ColumnProfile("n", "INTEGER", "number", 1000, 0, 20, "1", "20", 9.5, 2.25, {"50": 9.0}, (), bins),
        ColumnProfile("day", "DATE", "time", 1000, 0, 20, "1970-01-01", "1970-01-02", quantiles={"50": 86400.0},
                      histogram=(Bin(0.0, 86400.0, 5), Bin(86400.0, 172800.0, 5))),
    )  # fmt: skip
    first = DatasetReport(
        f"processed.{text}",
        Audit("r1", f"processed.{text}", 7, AT, verdict, {}),
        trend,
        Profile(1000, 900, columns),
        Sample((text, "n", "_failed"), (((f"{text}.min",), (text, None, '{"n": "secret"}')),)),
        (Anomaly(f"{text}.mean", 5.0, 9.0, -7.0, 8),),
        (("rows in", 1040), ("published", 963), ("quarantined", 37), (text, 40)),
        pii,
        text,
        text,
    )
    refused = replace(verdict, passed=False, score=0.5, bad_rows=500, reasons=(f"{text} is too low",))
    second = DatasetReport("curated.sales", Audit("r1", "curated.sales", None, AT, refused, {}))
    third = DatasetReport("curated.other", error=text)
    return RunReport(text, text, AT, AT + timedelta(seconds=72), text, text, (first, second, third))


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    text = html(report())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags)
    assert "http:" not in text and "https:" not in text and "//" not in text.replace("<!doctype", "")
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "xlink:href")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    policy = next(value for name, value in page.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'")
    assert "url(" not in text and "@import" not in text
    assert page.tags.count("svg") >= 4


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=20))
@example(NASTY)
@example("]]>--><svg onload=x>")
def test_text_of_users_never_becomes_markup(text: str) -> None:
    plain, other = Page(html(report())), Page(html(report(text)))
    # an empty text leaves its line out; nothing that is written adds an element
    assert len(other.tags) <= len(plain.tags)
    assert set(other.tags) <= set(plain.tags)
    names = {name for name, _ in plain.attributes}
    assert {name for name, _ in other.attributes} <= names


def test_control_characters_do_not_reach_the_page() -> None:
    text = html(report(NASTY))
    assert "\x00" not in text and "\u202e" not in text
    text.encode("utf-8")
    html(report("\ud800")).encode("utf-8")


def test_personal_values_are_masked_everywhere() -> None:
    shown = html(report("ann@example.com"))
    assert "ann@example.com" in shown
    private = report("email", pii=("Email", "n"))
    first = private.datasets[0]
    assert first.profile is not None and first.sample is not None
    value = ColumnProfile(
        "email", "VARCHAR", "text", 10, 0, 2, "ann@a.b", "zoe@a.b", top=(Value("ann@a.b", 5),)
    )
    first = replace(
        first,
        profile=replace(first.profile, columns=(value, *first.profile.columns[1:])),
        sample=Sample(
            ("email", "n", "_failed"), ((("email.min",), ("ann@a.b", "12345", '{"N": "54321", "x": "y"}')),)
        ),
    )
    text = html(replace(private, datasets=(first,)))
    assert not [one for one in ("ann@a.b", "zoe@a.b", "12345", "54321") if one in text]
    assert "•••" in text


def test_the_top_says_what_matters() -> None:
    words = Page(html(report())).words
    assert "2 datasets did not pass and were not published. 1 more deserves a look." in words
    assert "plain is too low" in words
    assert "37 rows (3.7 %) do not" in words
    assert "took 1 min 12 s" in words
    calm = replace(report(), datasets=())
    assert "Nothing was checked in this run." in Page(html(calm)).words
    first = report().datasets[0]
    assert first.audit is not None
    fine = Verdict(1.0, 0.95, True, 10, 0, ())
    good = DatasetReport("a.b", replace(first.audit, verdict=fine))
    assert good.light == "good"
    assert "every check passed" in Page(html(replace(report(), datasets=(good,)))).words
    look = replace(report(), datasets=(first,))
    assert "All datasets are published. 1 dataset deserves a look." in Page(html(look)).words


def test_the_same_report_is_the_same_page() -> None:
    assert html(report()) == html(report())


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6))
def test_shares_add_up_to_a_hundred(parts: list[int]) -> None:
    shown = shares(parts)
    hundredths = [round(float(one.removesuffix(" %")) * 100) for one in shown]
    assert sum(hundredths) == (10000 if sum(parts) else 0)
    for part, units in zip(parts, hundredths, strict=True):
        assert abs(units - 10000 * part / max(sum(parts), 1)) < 1


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.99999, "> 99.99 %"),
        (0.5, "50 %"),
        (0.1234, "12.34 %"),
        (1e-6, "< 0.01 %"),
        (0.0, "0 %"),
    ],
)
def test_a_percentage_is_whole_only_when_it_is(share: float, text: str) -> None:
    assert percent(share) == text


def test_small_words() -> None:
    assert esc("a" * 500) == "a" * 400 + "…"
    assert anchor("a.b") != anchor("a-b")
    assert time_of(0, "DATE") == "1970-01-01"
    assert time_of(3e14, "TIMESTAMP") == "300,000,000,000,000"
