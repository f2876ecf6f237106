"""A project that reads an API: run, plan, kill, and run again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Moment, start, watch
from shop_folder import Folder

import lakewright
from http_api import Answer, Api, Asked, paged, serve
from lakewright.errors import ProjectError

ORDERS = [{"id": number, "changed": f"2024-01-{number:02}", "total": number * 1.5} for number in range(1, 8)]


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as found:
        found.on("/orders", orders_of(ORDERS))
        for number in range(1, 20):
            found.on(f"/orders/{number}/lines", [{"product": "a", "n": number}, {"product": "b", "n": 1}])
        yield found


def orders_of(orders: list[dict[str, Any]]) -> Any:
    def route(asked: Asked) -> Answer:
        new = [one for one in orders if one["changed"] >= asked.query.get("since", "")]
        return paged(new, "cursor", 3)(asked)

    return route


def make(root: Path, api: Api) -> Folder:
    folder = Folder(root)
    folder.write("lakewright.yaml", "name: shop\n")
    folder.write(".env", "KEY=top-secret-key\n")
    folder.write(
        "sources/api.yaml",
        f"""
        kind: rest
        base_url: {api.url}
        auth: {{type: api_key, key: "${{secret:KEY}}", in: query, name: key}}
        paginator: {{type: cursor, next: $.meta.next, param: after}}
        retries: 0
        datasets:
          orders:
            path: orders
            records: $.items
            incremental: {{cursor: changed, param: since}}
            keys: [id]
          lines:
            path: orders/{{order}}/lines
            paginator: {{type: none}}
            parent: {{dataset: orders, params: {{order: id}}, include: {{order_id: id}}}}
        """,
    )
    folder.write(
        "datasets/processed/lines.yaml",
        """
        from: raw.lines
        columns:
          order_id: {type: bigint, key: true}
          product: {type: varchar, key: true}
          n: {type: integer}
        write: {mode: merge}
        """,
    )
    return folder


def contents(folder: Folder) -> dict[str, Any]:
    with lakewright.open(folder.root) as lw:
        return {
            "orders": lw.sql("select id, changed, total from raw.orders order by all").fetchall(),
            "lines": lw.sql("select order_id, product, n from raw.lines order by all").fetchall(),
            "processed": lw.sql("select order_id, product, n from processed.lines order by all").fetchall(),
        }


def test_a_run_reads_parents_before_their_children(tmp_path: Path, api: Api) -> None:
    folder = make(tmp_path / "shop", api)
    with lakewright.open(folder.root) as lw:
        plan = {one.dataset: one for one in lw.plan().tasks}
        assert plan["raw.orders"].reason == "ask the API"
        report = lw.run().raise_for_status()
        assert (report["raw.orders"].rows, report["raw.lines"].rows) == (7, 14)
        assert {one.status for one in lw.run().raise_for_status().tasks} <= {"unchanged", "skipped", "built"}
        found = lw.sql(
            "select _source_file, _source_row, _batch_id from processed.lines order by order_id, product"
        )
        first = found.fetchall()[0]
        assert first[0].startswith("@rest/") and first[1:] == (1, 1)
    assert len(contents(folder)["lines"]) == 14
    kept = b"".join(
        path.read_bytes() for path in folder.root.rglob("*") if path.is_file() and path.name != ".env"
    )
    assert b"top-secret-key" not in kept


def test_a_failing_api_fails_its_dataset_and_what_needs_it(tmp_path: Path, api: Api) -> None:
    folder = make(tmp_path / "shop", api)
    api.on("/orders", lambda _: Answer("nobody is here, top-secret-key", 500))
    with lakewright.open(folder.root) as lw:
        report = lw.run()
        task = report["raw.orders"]
        assert task.status == "failed"
        assert "LW232" in str(task.error) and "top-secret-key" not in str(task.error)
        assert report["raw.lines"].status == "skipped"
        api.on("/orders", orders_of(ORDERS))
        lw.run().raise_for_status()
    assert len(contents(folder)["orders"]) == 7


def test_mistakes_are_told_with_their_line(tmp_path: Path, api: Api) -> None:
    folder = make(tmp_path / "shop", api)
    folder.write(
        "sources/api.yaml",
        """
        kind: rest
        base_url: api.example.com
        auth: {type: bearer, token: written-here}
        paginator: {type: pages}
        datasets:
          orders: {path: orders, on_status: {4xx: empty}}
        """,
    )
    with pytest.raises(ProjectError) as caught:
        lakewright.open(folder.root)
    text = str(caught.value)
    for line, word in (
        (2, "an address such as"),
        (3, "LW108"),
        (4, "did you mean 'page'"),
        (6, "a status such as 404"),
    ):
        assert any(f"sources/api.yaml:{line}" in one and word in one for one in text.splitlines()), text
    assert "written-here" not in text
    folder.write(
        "sources/api.yaml",
        """
        kind: rest
        base_url: https://api.example.com
        auth: {type: oauth2, token_url: "https://api.example.com/t", username: ann}
        datasets:
          orders: {path: "orders/{id}", json: {}, paginator: {type: link, start: 3}}
          lines: {path: lines, parent: {dataset: order, params: {x: id}}}
        """,
    )
    with pytest.raises(ProjectError) as caught:
        lakewright.open(folder.root)
    text = str(caught.value)
    for said in (
        "`auth` of type oauth2 needs `client_id`",
        "`auth` of type oauth2 has no 'username'; it knows",
        "nothing says what {id} in the path is",
        "`json` is sent with `method: POST`",
        "`paginator` of type link has no 'start'; it knows rel",
        "this source has no dataset 'order'; did you mean 'orders'?",
        "the path has no {x}",
    ):
        assert said in text, text


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path, api: Api) -> None:
    """Whatever is written when the process dies, running again gives what an undisturbed run gives."""
    orders = ORDERS[:2]
    api.on("/orders", orders_of(orders))
    undisturbed, shop = make(tmp_path / "undisturbed", api), make(tmp_path / "shop", api)
    dice = random.Random(7)
    kills = 0
    for number in range(3):
        for only in ("raw file", "state", "commit"):
            moment = Moment(
                dice.randint(1, 4 if only == "raw file" else 12), dice.uniform(0, 0.03), only=only
            )
            kills += start(shop.root, "run", prepare=(watch, moment)).wait() == -9
        for folder in (shop, undisturbed):
            command = start(folder.root, "run")
            assert command.wait() == 0, command.text
        assert contents(shop) == contents(undisturbed)
        orders += [{"id": 10 + number, "changed": orders[-1]["changed"], "total": 1.0}]
    assert kills > 3
