"""Masked columns from file to lake: nothing of the clear values is stored, and joins, merges and checks still work."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from shop_folder import Folder

import lakewright
from lakewright.errors import LakewrightError, ProjectError, UsageError

CUSTOMERS = """
    from: raw.customers
    columns:
      email: {type: varchar, key: true, pii: email, mask: hash, pattern: "@"}
      phone: {type: varchar, pii: phone, mask: token}
      card: {type: varchar, pii: card, mask: last_four}
      born: {type: date, pii: birth_date, mask: year}
      age: {type: integer, mask: {band: 10}, min: 0}
      note: {type: varchar, mask: redact}
      score: {type: integer, mask: null}
    expect:
      - statistic: {sql: max(age), max: 40, severity: warn, label: oldest}
    write: {mode: merge}
    quality_threshold: 0.1
    """
ORDERS = """
    from: raw.orders
    columns:
      id: {type: bigint, key: true}
      email: {type: varchar, mask: hash}
      phone: {type: varchar, mask: token}
    expect:
      - references: {email: processed.customers.email}
    write: {mode: merge}
    quality_threshold: 0.1
    """


@pytest.fixture
def people(tmp_path: Path) -> Folder:
    """Customers and their orders, every rule in use, and values that do not convert."""
    folder = Folder(tmp_path / "people")
    folder.write("lakewright.yaml", "name: people\n")
    folder.write(
        "sources/files.yaml",
        """
        kind: files
        path: in
        datasets:
          customers: {files: "customers*.csv"}
          orders: {files: "orders*.csv"}
        """,
    )
    folder.write("datasets/processed/customers.yaml", CUSTOMERS)
    folder.write("datasets/processed/orders.yaml", ORDERS)
    folder.write(
        "in/customers-1.csv",
        """
        email,phone,card,born,age,note,score
        ann@x.org,555-123-4567,4111111111111111,1990-05-17,37,mail ann@x.org now,1
        bob@x.org,555-123-9999,4111111111111111,1990-13-17,38,call +49 30 1234567,2
        nobody,555-000-9999,4000,1991-01-17,-5,none,3
        eve@x.org,Q-1,5500000000000004,1980-01-17,unknown age,none,3
        """,
    )
    folder.write("in/orders-1.csv", "id,email,phone\n1,ann@x.org,555-123-4567\n2,zed@x.org,555-123-4567\n")
    return folder


CLEAR = [
    "ann@x.org",
    "bob@x.org",
    "nobody",
    "555-123-4567",
    "1990-13-17",
    "unknown age",
    "41111111",
    "30 1234567",
]


def stored(folder: Folder) -> dict[str, bytes]:
    """What the project keeps outside the raw zone: lake, catalog, state, reports, logs."""
    return {
        str(one.relative_to(folder.root)): one.read_bytes()
        for top in ("lake", ".lakewright")
        for one in (folder.root / top).rglob("*")
        if one.is_file() and "raw" not in one.relative_to(folder.root).parts[:2]
    }


def test_no_clear_value_is_stored(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        row = lw.sql("select * exclude (email, phone, _ingested_at) from processed.customers").fetchall()
        assert [str(one) for one in row[0][:5]] == [
            "************1111",
            "1990-01-01",
            "30",
            "mail [email] now",
            "None",
        ]
        bad = lw.sql("select born, age, _violations from quarantine.processed_customers order by _source_row")
        assert bad.fetchall() == [
            ("•••", "30", ["born.type"]),
            ("1991-01-01", "-10", ["email.pattern", "age.min"]),
            ("1980-01-01", "•••", ["age.type"]),
        ]
        # whatever is in a Parquet file may be compressed, so every table is looked at as text, too
        tables = ["processed.customers", "processed.orders", "quarantine.processed_customers"]
        shown = "".join(str(lw.sql(f"select * from {one}").fetchall()) for one in tables)
    found = stored(people)
    for clear in CLEAR:
        assert clear not in shown
        assert [name for name, content in found.items() if clear.encode() in content] == [], clear


def test_the_key_is_nowhere_but_in_its_file(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
    key = bytes.fromhex((people / ".lakewright/keys/default.1.key").read_text())
    for name, content in stored(people).items():
        if "/keys/" not in name:
            assert key not in content and key.hex().encode() not in content, name


def test_masked_columns_join_merge_and_refer(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        joined = "select count(*) from processed.customers c join processed.orders o using (email, phone)"
        assert lw.sql(joined).fetchall() == [(1,)]
        reasons = lw.sql("select _violations from quarantine.processed_orders").fetchall()
        assert reasons == [(["email.references"],)]
        people.write(
            "in/customers-2.csv",
            "email,phone,card,born,age,note,score\nann@x.org,555-123-4567,4111111111111111,1990-05-17,51,x,1\n",
        )
        lw.run().raise_for_status()
        assert lw.sql("select age from processed.customers").fetchall() == [(50,)]
        assert lw.sql(joined).fetchall() == [(1,)]


def test_checks_of_the_whole_dataset_see_clear_values(people: Folder) -> None:
    people.write(
        "datasets/processed/customers.yaml",
        CUSTOMERS.replace("max: 40", "max: 37").replace("severity: warn", "severity: fail"),
    )
    with lakewright.open(people.root) as lw:
        report = lw.run()
        # 38 is above 37, though its band, 30, is not
        assert report["processed.customers"].status == "failed"
        assert "38" not in report["processed.customers"].error


def test_rows_are_compared_before_they_are_masked(people: Folder) -> None:
    people.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        steps: [deduplicate]
        columns:
          email: {mask: null, type: varchar}
          phone: {mask: null, type: varchar}
          card: {mask: null, type: varchar}
          born: {mask: null, type: varchar}
          age: {mask: null, type: varchar}
          note: {mask: null, type: varchar}
          score: {mask: null, type: varchar}
        """,
    )
    (people / "datasets/processed/orders.yaml").unlink()
    with lakewright.open(people.root) as lw:
        assert lw.run().raise_for_status()["processed.customers"].rows == 4


def test_a_rotated_key_hashes_everything_anew(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        before = lw.sql("select email, phone from processed.orders").fetchall()
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        assert lw.rotate_key("default")[0] == 2
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        after = lw.sql("select email, phone from processed.orders").fetchall()
        assert after[0][0] != before[0][0]
        assert after[0][1] == before[0][1]
        joined = "select count(*) from processed.customers c join processed.orders o using (email, phone)"
        assert lw.sql(joined).fetchall() == [(1,)]
        assert {one.status for one in lw.run().tasks} == {"unchanged"}


def test_a_token_is_revealed_and_the_audit_says_by_whom(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        token = lw.sql("select phone from processed.orders").fetchall()[0][0]
        assert lw.reveal([token], reason="ticket 7") == {token: "555-123-4567"}
        with pytest.raises(LakewrightError, match="LW808"):
            lw.reveal(["000"], reason="curious")
        with pytest.raises(UsageError):
            lw.reveal([token], reason=" ")
        assert [(one.action, one.rows, one.reason) for one in lw.audit_log()] == [
            ("reveal", 1, "curious"),
            ("reveal", 1, "ticket 7"),
        ]


def test_a_lost_key_stops_the_run_with_a_code(people: Folder) -> None:
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
    (people / ".lakewright/keys/default.1.key").unlink()
    people.write("in/orders-2.csv", "id,email,phone\n3,ann@x.org,555-123-4567\n")
    with lakewright.open(people.root) as lw:
        report = lw.run()
        assert report["processed.orders"].code == "LW802"
        assert lw.sql("select count(*) from processed.orders").fetchall() == [(1,)]


def test_errors_quote_no_value(people: Folder) -> None:
    people.write(
        "datasets/processed/orders.yaml",
        ORDERS.replace(
            "columns:", "steps:\n      - derive: {bad: 'cast(email as integer)'}\n    columns:", 1
        ),
    )
    with lakewright.open(people.root) as lw:
        report = lw.run()
        message = report["processed.orders"].error
        assert report["processed.orders"].status == "failed"
        assert "x.org" not in message and "•••" in message
    assert all(
        b"zed@x.org" not in content and b"ann@x.org" not in content for content in stored(people).values()
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("mask: hash", "mask: hsah", "LW103"),
        ("mask: year", "mask: last_four", "LW801"),
        ("mask: redact", "mask: year", "LW801"),
        ("mask: hash", "mask: last_four", "LW804"),
        ("mask: hash", "mask: {hash: {key: customer}}", "LW807"),
        ("mask: {band: 10}", "mask: band", "LW105"),
        ("mask: {band: 10}", "mask: {band: 0}", "LW104"),
        ("mask: redact", "mask: {redact: [emial]}", "LW104"),
    ],
)
def test_masks_are_checked_at_once(people: Folder, old: str, new: str, code: str) -> None:
    people.write("datasets/processed/customers.yaml", CUSTOMERS.replace(old, new, 1))
    with pytest.raises(ProjectError) as caught:
        lakewright.open(people.root)
    assert code in [one.code for one in caught.value.problems]
    assert all(one.where is not None and one.where.line for one in caught.value.problems)


def test_references_need_the_same_mask_on_both_sides(people: Folder) -> None:
    people.write("datasets/processed/orders.yaml", ORDERS.replace("mask: hash", "mask: {hash: sha256}"))
    with pytest.raises(ProjectError, match="LW806"):
        lakewright.open(people.root)


def test_a_token_is_not_looked_up_by_references(people: Folder) -> None:
    people.write(
        "datasets/processed/orders.yaml",
        ORDERS.replace("{email: proc", "{phone: proc").replace("customers.email", "customers.phone"),
    )
    with pytest.raises(ProjectError, match="LW806"):
        lakewright.open(people.root)


def test_a_fact_and_its_dimension_are_masked_alike(people: Folder) -> None:
    people.write(
        "datasets/curated/dim_customer.yaml",
        """
        from: raw.customers
        columns: {email: {type: varchar, key: true, mask: hash}, phone: {type: varchar, mask: token}}
        write: {mode: merge}
        dimension: {}
        """,
    )
    fact = """
        from: raw.orders
        columns: {id: {type: bigint, key: true}, email: {type: varchar, mask: hash}, phone: {mask: null}}
        write: {mode: merge}
        fact: {dimensions: {customer_key: {dimension: curated.dim_customer, on: {email: email}}}}
        """
    people.write("datasets/curated/fact_order.yaml", fact)
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        found = lw.sql(
            "select count(*) from curated.fact_order f join curated.dim_customer d using (customer_key) "
            "where f.email = d.email and not d.is_inferred"
        )
        assert found.fetchall() == [(1,)]
    people.write("datasets/curated/fact_order.yaml", fact.replace("mask: hash", "mask: {hash: md5}"))
    with pytest.raises(ProjectError, match="LW806"):
        lakewright.open(people.root)


def test_the_plan_warns_of_weak_hashes_and_bare_personal_data(people: Folder) -> None:
    people.write("datasets/processed/customers.yaml", CUSTOMERS.replace("mask: hash", "mask: {hash: md5}"))
    people.write(
        "datasets/processed/orders.yaml",
        ORDERS.replace("mask: hash", "pii: email").replace(
            "- references: {email: processed.customers.email}", "- row_count: {min: 1}"
        ),
    )
    with lakewright.open(people.root) as lw:
        warnings = " ".join(lw.plan().warnings)
    assert "processed.customers.email is masked by plain md5" in warnings
    assert "processed.orders.email holds personal data (email) and has no mask" in warnings


def test_lineage_and_catalog_tell_what_is_masked(people: Folder) -> None:
    people.write(
        "datasets/curated/mails.sql",
        "select email as contact, count(*) as n from processed.customers group by 1",
    )
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        columns = {one.name: one for one in lw.table("curated.mails").entry.columns}
        assert columns["contact"].pii == "email"
        assert columns["n"].pii == ""


KILLED = """
    import os, sys
    import lakewright
    from lakewright.security.vault import Vault
    add = Vault._add
    def dies(self, *arguments):
        add(self, *arguments)
        os._exit(9)
    Vault._add = dies
    lakewright.open(sys.argv[1]).run()
"""


def test_a_run_killed_after_tokens_were_given_gives_the_same_ones_again(people: Folder) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(people.root)], check=False)
    assert done.returncode == 9
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        tokens = lw.sql(
            "select phone from processed.customers union select phone from quarantine.processed_customers "
            "union select phone from processed.orders union select phone from quarantine.processed_orders"
        ).fetchall()
        assert len(tokens) == 4
        revealed = lw.reveal([one for (one,) in tokens], reason="test")
    assert sorted(revealed.values()) == ["555-000-9999", "555-123-4567", "555-123-9999", "Q-1"]


def test_a_scan_finds_personal_data_and_says_what_has_no_mask(people: Folder) -> None:
    people.write("datasets/processed/orders.yaml", "from: raw.orders\ncolumns:\n  id: {type: bigint}\n")
    with lakewright.open(people.root) as lw:
        lw.run().raise_for_status()
        found = lw.pii()
    assert set(found.scanned) == {"raw.customers", "raw.orders", "processed.customers", "processed.orders"}
    kinds = {(one.dataset, one.column): one.pii for one in found.columns}
    assert kinds["raw.customers", "email"] == kinds["processed.orders", "email"] == "email"
    assert kinds["processed.customers", "born"] == "birth_date"
    unmasked = {(one.dataset, one.column, one.suggestion) for one in found.unmasked}
    assert ("processed.orders", "email", "hash") in unmasked
    assert not any(one[0] in ("processed.customers", "raw.orders") for one in unmasked)
    assert all("x.org" not in one.evidence and "4111" not in one.evidence for one in found.columns)
