"""`check` and `plan` hold columns against what was published, before anything runs."""

from __future__ import annotations

from pathlib import Path

from command_line import run_cli, write

FILES = {
    "lakewright.yaml": "name: shop\n",
    "sources/shop.yaml": "kind: files\npath: in\ndatasets:\n  orders: {files: orders.csv}\n",
    "in/orders.csv": "id,status,amount\n1,new,5\n2,paid,7\n",
}
DATASET = """\
from: raw.orders
compatibility: {mode}
columns:
  id: {{type: {id}, key: true}}
  status: {{type: varchar, in: [{status}]}}
  amount: {{type: integer{required}}}
write: {{mode: append}}
"""


def dataset(mode: str, id: str = "integer", status: str = "new, paid", required: str = "") -> dict[str, str]:
    text = DATASET.format(mode=mode, id=id, status=status, required=required)
    return {"datasets/processed/orders.yaml": text}


def test_a_change_that_is_not_allowed_is_told_before_anything_runs(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, **dataset("full")})
    assert run_cli("check", cwd=tmp_path).code == 0
    assert not (tmp_path / ".lakewright" / "state.db").exists()  # looking makes nothing
    assert run_cli("run", cwd=tmp_path).code == 0

    write(tmp_path, dataset("backward", id="bigint", status="new, paid, shipped"))
    assert run_cli("check", cwd=tmp_path).code == 0

    write(tmp_path, dataset("full", id="bigint", status="new"))
    told = run_cli("check", cwd=tmp_path)
    assert told.code == 2
    assert (
        "datasets/processed/orders.yaml:2: LW701 processed.orders: the new schema is not full compatible: "
        "id widened from INTEGER to BIGINT; status no longer allows paid" in told.err
    )
    planned = run_cli("plan", "--json", cwd=tmp_path)
    assert planned.code == 0
    (one,) = [task for task in planned.json["tasks"] if task["dataset"] == "processed.orders"]
    assert one["action"] == "blocked"
    assert one["reason"].startswith("LW701 processed.orders: the new schema is not full compatible")

    write(tmp_path, dataset("full", id="bigint"))
    ran = run_cli("run", cwd=tmp_path)
    assert ran.code == 1
    assert "LW701" in ran.err


def test_required_and_the_types_of_queries(tmp_path: Path) -> None:
    sql = {
        "datasets/curated/sums.sql": "select status, sum(amount)::bigint as total from processed.orders group by all\n",
        "datasets/curated/sums.yaml": "compatibility: forward_transitive\n",
    }
    write(tmp_path, {**FILES, **dataset("backward"), **sql})
    assert run_cli("run", cwd=tmp_path).code == 0
    write(tmp_path, dataset("backward", required=", required: true"))
    assert "amount must now have a value" in run_cli("check", cwd=tmp_path).err
    write(tmp_path, dataset("backward"))
    write(
        tmp_path,
        {
            "datasets/curated/sums.sql": "select status, sum(amount)::date as total from processed.orders group by all\n"
        },
    )
    told = run_cli("check", cwd=tmp_path)
    assert told.code == 2
    assert "curated.sums: the new schema is not forward compatible with version 1: total changed" in told.err
