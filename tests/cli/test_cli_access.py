"""Acting as others from the command line, and the commands that tell who may read what and who did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from command_line import run_cli, write

ACCESS = """
    name: shop
    defaults: {quality_threshold: 0.5}
    access:
      roles:
        analyst:
          zones: [curated]
          datasets: [processed.orders]
          columns: [unclassified]
          rows: {processed.orders: "amount >= attribute('least')"}
        regions: {datasets: [processed.orders], rows: {processed.orders: "list_contains(attribute('ids'), order_id::varchar)"}}
      users: {alice: {roles: [analyst], attributes: {least: 15}}}
    """


def test_acting_as_others(shop: Path) -> None:
    write(shop, {"lakewright.yaml": ACCESS})
    count = ("query", "select count(*) as n from processed.orders", "--json")
    assert run_cli(*count, cwd=shop).json == [{"n": 3}]
    assert run_cli(*count, "--user", "alice", cwd=shop).json == [{"n": 1}]
    assert run_cli(*count, cwd=shop, env={"LAKEWRIGHT_USER": "alice"}).json == [{"n": 1}]
    assert run_cli(*count, "--role", "analyst", "--attribute", "least=10.50", cwd=shop).json == [{"n": 2}]
    ids = ("--attribute", "ids=1", "--attribute", "ids=2")
    assert run_cli(*count, "--role", "regions", *ids, cwd=shop).json == [{"n": 2}]
    for form in ("csv", "ndjson", "table"):
        ran = run_cli("query", "from processed.orders", "--user", "alice", "-o", form, cwd=shop)
        assert ran.code == 0
        assert "Smith" not in ran.out
        assert "_batch_id" not in ran.out
    ran = run_cli(
        "query", "from processed.orders", "--user", "alice", "-f", str(shop / "out.parquet"), cwd=shop
    )
    assert ran.code == 0
    ran = run_cli("query", "select buyer from processed.orders", "--user", "alice", cwd=shop)
    assert (ran.code, ran.out) == (2, "")
    assert "LW907" in ran.err
    ran = run_cli("query", "from raw.orders", "--user", "alice", "--json", cwd=shop)
    assert (ran.code, ran.json["problems"][0]["code"]) == (2, "LW821")
    for arguments in (
        ("runs",),
        ("quality", "--audit"),
        ("quality", "--report"),
        ("contract", "export", "curated.daily"),
    ):
        ran = run_cli(*arguments, cwd=shop, env={"LAKEWRIGHT_ROLE": "analyst"})
        assert (ran.code, ran.out) == (2, "")
        assert "LW823" in ran.err
    for arguments in (("quality", "orders"), ("lineage", "processed.orders", "--columns")):
        ran = run_cli(*arguments, "--user", "alice", cwd=shop)
        assert (ran.code, "processed.orders" in ran.out, "buyer" in ran.out) == (0, True, False)
    assert "not all be seen" in run_cli("quality", "orders", "--role", "analyst", cwd=shop).out
    assert "buyer" not in run_cli("catalog", "orders", "--role", "analyst", cwd=shop).out
    assert "LW824" in run_cli(*count, "--user", "bob", cwd=shop).err
    assert "LW904" in run_cli(*count, "--role", "analyst", "--attribute", "least", cwd=shop).err

    shown = run_cli("access", "show", "analyst", cwd=shop).out
    assert "hidden    buyer" in shown
    assert "amount >= attribute('least')" in shown
    own = run_cli("access", "show", "analyst", "--user", "alice", cwd=shop).out
    assert "buyer" not in own
    assert "least" not in own
    assert "some rows only" in own
    assert "LW823" in run_cli("access", "show", "regions", "--user", "alice", cwd=shop).err
    assert [one["role"] for one in run_cli("access", "list", "--user", "alice", "--json", cwd=shop).json] == [
        "analyst"
    ]
    assert [one["role"] for one in run_cli("access", "who", "orders", "--json", cwd=shop).json] == [
        "analyst",
        "regions",
    ]
    assert run_cli("access", "who", "processed.orders.buyer", "--json", cwd=shop).json == []
    assert run_cli("access", "who", "processed.orders.buyr", cwd=shop).code == 4
    assert run_cli("access", "show", "analist", cwd=shop).code == 2

    lines = run_cli("audit", "list", "--user", "alice", "--limit", "4", "--json", cwd=shop).json
    assert [(one["action"], one["code"]) for one in lines] == [
        ("lineage", ""),
        ("quality", ""),
        ("refused", "LW821"),
        ("query", "LW907"),
    ]
    assert "Smith" not in run_cli("audit", "list", cwd=shop).out
    assert run_cli("audit", "list", "--since", "soon", cwd=shop).code == 2
    assert run_cli("audit", "list", cwd=shop, env={"LAKEWRIGHT_USER": "alice"}).code == 2
    good = run_cli("audit", "verify", cwd=shop)
    assert good.code == 0
    assert run_cli("audit", "verify", "--head", good.out.strip(), cwd=shop).code == 0
    with closing(sqlite3.connect(shop / ".lakewright/state.db")) as state:
        state.execute("update security_audit set detail = '{}' where number = 3")
        state.commit()
    bad = run_cli("audit", "verify", cwd=shop)
    assert bad.code == 1
    assert "LW827 entry 3 was edited" in bad.out


def test_a_project_without_roles(shop: Path) -> None:
    ran = run_cli("query", "select 1", "--role", "analyst", cwd=shop)
    assert ran.code == 2
    assert "the project has no roles" in ran.err
