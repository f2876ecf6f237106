"""`contract`: out, in again, and datasets that are built by a contract and a suite."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import run_cli, write

import lakewright

SUITE = {
    "name": "people",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "name"}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "role", "value_set": ["a", "b"], "mostly": 0.5}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "age", "min_value": 90}},
        {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "age"}},
    ],
}  # fmt: skip
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: people
version: 2.0.0
status: active
schema:
- name: people
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: name, logicalType: string, required: true}
  - name: age
    logicalType: integer
    logicalTypeOptions: {minimum: 0, exclusiveMaximum: 150}
  - name: role
    logicalType: string
    quality:
    - {type: sql, query: "select count(distinct {property}) from {object}", mustBeLessThan: 3}
"""
PEOPLE = {
    "lakewright.yaml": "name: people\ndefaults: {quality_threshold: 0.5}\n",
    "sources/people.yaml": "kind: files\npath: in\ndatasets:\n  people: {files: people.csv}\n",
    "in/people.csv": "id,name,age,role\n1,Ann,30,a\n2,Bob,200,b\n3,,40,a\n4,Dan,50,b\n",
    "datasets/processed/people.yaml": "from: raw.people\ncontract: people.odcs.yaml\n",
    "datasets/processed/people.odcs.yaml": CONTRACT,
}


def test_a_contract_is_what_a_dataset_is_held_to(tmp_path: Path) -> None:
    write(tmp_path, PEOPLE)
    assert run_cli("run", cwd=tmp_path).code == 0
    kept = run_cli("query", "select id from processed.people order by id", "-o", "csv", cwd=tmp_path)
    assert kept.out.split() == ['"id"', "1", "4"]
    reasons = run_cli(
        "query",
        "select id, _violations from quarantine.processed_people order by id",
        "-o",
        "json",
        cwd=tmp_path,
    )
    assert {row["id"]: row["_violations"] for row in reasons.json} == {
        "2": ["age.below"],
        "3": ["name.required"],
    }
    checks = {one["check_id"] for one in run_cli("quality", "--json", cwd=tmp_path).json[0]["results"]}
    assert {"id.unique", "age.min", "age.below"} <= checks
    exported = run_cli("contract", "export", "people", "--json", cwd=tmp_path).json
    assert (exported["id"], exported["version"]) == ("people", "2.0.0")


def test_a_suite_decides_too_and_check_names_what_is_left_out(tmp_path: Path) -> None:
    more = {
        **PEOPLE,
        "datasets/processed/people.yaml": "from: raw.people\ncontract: people.odcs.yaml\nexpect: [{suite: people.json}]\n",
        "suites/people.json": json.dumps(SUITE, indent=1),
    }
    write(tmp_path, more)
    checked = run_cli("check", cwd=tmp_path)
    assert checked.code == 0
    assert "not supported: expect_column_values_to_be_increasing" in checked.err
    assert "suites/people.json:" in checked.err
    assert "not supported" in run_cli("check", "--json", cwd=tmp_path).json["notes"][0]
    refused = run_cli("run", cwd=tmp_path)
    assert refused.code == 3
    assert "the mean of age must be at least 90" in refused.err


def test_export_to_a_file_and_back(shop: Path) -> None:
    wrote = run_cli("contract", "export", "processed.orders", "-o", "orders.odcs.yaml", cwd=shop)
    assert (wrote.code, wrote.out, wrote.err) == (0, "", "wrote orders.odcs.yaml\n")
    again = run_cli("contract", "export", "processed.orders", "-o", "orders.odcs.yaml", cwd=shop)
    assert again.code == 2
    assert "is there already" in again.err
    made = run_cli("contract", "import", "orders.odcs.yaml", "--from", "raw.orders", cwd=shop)
    assert made.code == 0
    assert "from: raw.orders" in made.out
    with lakewright.open(shop) as lw:
        assert lw.contract("processed.orders")["schema"][0]["name"] == "orders"
        declared = lw.project.datasets["processed.orders"].file.columns
    assert all(name in made.out for name in declared)


def test_misuse(tmp_path: Path) -> None:
    assert run_cli("contract", "import", "none.yaml", cwd=tmp_path).code == 2
    (tmp_path / "a.yaml").write_text("hello: 1\n")
    told = run_cli("contract", "import", "a.yaml", cwd=tmp_path)
    assert told.code == 2
    assert "a.yaml:1: LW114" in told.err
    (tmp_path / "b.yaml").write_text(CONTRACT)
    unknown = run_cli("contract", "import", "b.yaml", "--object", "peple", cwd=tmp_path)
    assert unknown.code == 4
    assert "did you mean 'people'?" in unknown.err
    (tmp_path / "c.json").write_text(json.dumps(SUITE))
    made = run_cli("contract", "import", "c.json", cwd=tmp_path)
    assert "  - measure: {column: age, of: mean, min: 90}" in made.out
    assert "# not supported: expect_column_values_to_be_increasing" in made.out
