"""What roles see beside rows: lineage, quality and profiles, and that they are asked is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from access_shop import HIDDEN, access_shop

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.app import access
from lakewright.app.platform import Platform
from lakewright.catalog.withheld import VIA_HIDDEN
from lakewright.errors import LakewrightError, NotFoundError, UsageError
from lakewright.quality.score import CheckResult

#: Names that the analyst must not learn: of datasets, of columns, of what a rule allows.
SECRETS = (*HIDDEN, "salary", "double_pay", "vault", "regions", "raw.", "99999", "@allowed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with rules for hidden and masked columns, and a table that is made of the analyst's by way of the vault."""
    folder = access_shop(tmp_path_factory.mktemp("views") / "shop")
    yaml = folder / "datasets/processed/orders.yaml"
    text = yaml.read_text()
    text = text.replace(
        "email: {type: varchar, pii: email}", "email: {type: varchar, pii: email, pattern: '@allowed|.'}"
    )
    text = text.replace("classification: secret}", "classification: secret, max: 99999}")
    text = text.replace('amount: {type: "decimal(10,2)"}', 'amount: {type: "decimal(10,2)", min: 0}')
    text += (
        "expect:\n  - statistic: {sql: max(salary), max: 1000000}\n"
        "  - row_count: {min: 1}\n  - references: {region: processed.regions.region}\n"
    )
    yaml.write_text(text)
    folder.write(
        "datasets/curated/pin_days.sql",
        "select order_id, count(*) as pins from vault.pins group by order_id\n",
    )
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
        assert owner.quality("processed.orders")[0].withheld == 0
    return folder.root


def told(*values: Any) -> str:
    """All that some results say."""
    return json.dumps(values, default=str)


def clean(*values: Any) -> None:
    """Nothing that is hidden from the analyst is among *values*."""
    text = told(*values)
    assert [one for one in SECRETS if one in text] == []


def refused(handle: Lakewright, verb: str, *arguments: Any, **named: Any) -> LakewrightError:
    """The error of a call, which tells nothing."""
    with pytest.raises(LakewrightError) as caught:
        getattr(handle, verb)(*arguments, **named)
    asked = " ".join(map(str, arguments))
    assert not any(one in str(caught.value) for one in SECRETS if one not in asked)
    return caught.value


def test_lineage(built: Path) -> None:
    with lakewright.open(built, user="alice") as alice, lakewright.open(built) as owner:
        graph = alice.lineage("processed.orders")
        links = {(one.source, one.target, one.transformation) for one in graph.edges}
        assert links == {
            ("processed.orders", "curated.daily", ""),
            ("processed.orders", "curated.profiles", ""),
            ("processed.orders", "curated.pin_days", VIA_HIDDEN),
        }
        # raw.orders and the vault; raw.regions is no part of it
        assert graph.hidden == len(set(owner.lineage("processed.orders").nodes) - set(graph.nodes)) == 2
        clean(graph.data, graph.tree(), graph.dot(), graph.mermaid())
        assert alice.lineage("curated.pin_days", direction="up").nodes == (
            "curated.pin_days",
            "processed.orders",
        )

        columns = alice.lineage("processed.orders", columns=True)
        clean(columns.data, columns.tree(), columns.dot(), columns.mermaid())
        assert ("processed.orders.order_id", "curated.pin_days.order_id", VIA_HIDDEN) in {
            (one.source, one.target, one.transformation) for one in columns.edges
        }
        assert "curated.profiles.last_mail" in alice.lineage("processed.orders.email").nodes
        for hidden in (
            "vault.pins",
            "raw.orders",
            "processed.orders.salary",
            "processed.orders.no",
            "processed.ordersx",
        ):
            assert refused(alice, "lineage", hidden).code == "LW901"
    with lakewright.open(built, role="auditor") as auditor, lakewright.open(built) as owner:
        # the auditor does not read the quarantine's zone of bookkeeping, but everything that lineage tells of
        assert auditor.lineage("vault.pins").data == owner.lineage("vault.pins").data


def test_quality(built: Path) -> None:
    with lakewright.open(built) as owner:
        (whole,) = owner.quality("processed.orders")
    assert whole.bad == 1 and any("salary" in one.check_id for one in whole.results)
    with lakewright.open(built, user="alice") as alice:
        reports = {one.dataset: one for one in alice.quality()}
        clean(list(reports.values()))
        assert set(reports) == {"processed.orders", "curated.daily", "curated.profiles", "curated.pin_days"}
        limited = reports["processed.orders"]
        assert (limited.passed, limited.score, limited.rows, limited.bad, limited.results, limited.quarantine) == (
            whole.passed, None, None, None, (), "",
        )  # fmt: skip
        assert limited.withheld == len(whole.results)
        assert reports["curated.daily"].score == 1.0
        assert alice.quality("orders") == alice.quality("orders", run=whole.run)
        assert refused(alice, "quality", "vault.pins").code == "LW901"
        assert refused(alice, "audit", "processed.orders").code == "LW823"
    with lakewright.open(built, role="hasher") as hasher:
        (shown,) = hasher.quality()
        assert (shown.score, shown.rows, shown.bad, shown.reasons) == (whole.score, whole.rows, 1, ())
        assert shown.quarantine == ""
        found = {one.check_id: one for one in shown.results}
        assert {"order_id.required", "amount.type", "amount.min", "email.pattern", "salary.max"} <= set(found)
        assert shown.withheld == len(whole.results) - len(found) == 3
        # of masked columns the verdict, not what the rule allows
        assert (
            found["amount.min"].sentence
            and not found["email.pattern"].sentence + found["salary.max"].sentence
        )
        assert found["amount.type"].violations == 1
        assert "1000000" not in told(shown) and "@allowed" not in told(shown) and "regions" not in told(shown)
    with lakewright.open(built, role="auditor") as auditor:
        assert auditor.quality("processed.orders") == (whole,)


def test_profiles(built: Path) -> None:
    with lakewright.open(built, user="alice") as alice:
        made = {one.dataset: one for one in alice.profile()}
        assert set(made) == {"curated.daily", "curated.pin_days"}
        clean(list(made.values()))
        assert [one.name for one in made["curated.daily"].profile.columns] == ["day", "mails", "amount"]
        assert refused(alice, "profile", "processed.orders").code == "LW823"
        assert refused(alice, "profile", "vault.pins").code == "LW901"
    with lakewright.open(built, role="hasher") as hasher:
        (orders,) = hasher.profile("processed.orders")
        assert [one.name for one in orders.profile.columns] == ["order_id", "day", "amount", "region", "code"]
        assert not any(one in told(orders) for one in ("ann.private", "77123"))


def test_who_looks_is_in_the_log(built: Path) -> None:
    with Platform.open(built) as platform:
        before = len(access.audit_lines(platform))
    with lakewright.open(built, user="alice") as alice:
        alice.lineage("processed.orders.email")
        alice.quality()
        alice.profile("curated.daily")
        with pytest.raises(UsageError):
            alice.profile("processed.orders")
        with pytest.raises(NotFoundError):
            alice.lineage("vault.pins")
    with Platform.open(built) as platform:
        lines = access.audit_lines(platform, limit=1000)
        assert len(lines) == before + 5
        shown = [(one.user, one.role, one.action, one.statement, one.code) for one in lines[4::-1]]
        assert shown == [
            ("alice", "analyst", "lineage", "lineage processed.orders.email", ""),
            ("alice", "analyst", "quality", "quality", ""),
            ("alice", "analyst", "profile", "profile curated.daily", ""),
            ("alice", "analyst", "profile", "profile processed.orders", "LW823"),
            ("alice", "analyst", "lineage", "lineage vault.pins", "LW901"),
        ]
        assert dict(lines[4].reads) == {"processed.orders": ("email",)}
        assert dict(lines[2].reads) == {"curated.daily": ("day", "mails", "amount")}
        assert [
            one.action for one in access.audit_lines(platform, user="alice", dataset="curated.daily", limit=2)
        ] == [
            "profile",
            "quality",
        ]
        assert access.audit_verify(platform).problems == ()


def test_a_value_of_a_check_is_not_shown_by_another_name() -> None:
    # every kind of result has to be thought about: a new field would be passed on
    assert set(CheckResult.__dataclass_fields__) == {
        "check_id", "kind", "columns", "severity", "sentence", "scope", "evaluated", "violations", "percent",
        "observed", "passed",
    }  # fmt: skip
