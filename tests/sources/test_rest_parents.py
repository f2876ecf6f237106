"""One request for each row of another dataset."""

from __future__ import annotations

from typing import Any

import pytest
from rest_zone import Rest

from http_api import Answer, Asked
from lakewright.errors import LakewrightError

ORDERS = [{"id": "a/1", "n": 1}, {"id": "b", "n": 2}, {"id": "b", "n": 3}, {"id": None, "n": 4}]


def lines(asked: Asked) -> Answer:
    if asked.path == "/orders/a%2F1/lines":
        return Answer([{"line": 1}, {"line": 2}])
    return Answer([{}]) if asked.path == "/orders/b/lines" else Answer("gone", 404)


@pytest.fixture
def shop(rest: Rest) -> Rest:
    rest.api.on("/orders", ORDERS)
    rest.api.on("/orders/a%2F1/lines", lines)
    rest.api.on("/orders/b/lines", lines)
    return rest


def describe(rest: Rest, parent: dict[str, Any] | None = None, **lines: Any) -> None:
    given = {"dataset": "orders", "params": {"order": "id"}, **(parent or {})}
    rest.describe(
        {"orders": {"path": "orders"}, "lines": {"path": "orders/{order}/lines", "parent": given, **lines}}
    )


def test_each_row_is_asked_for_once(shop: Rest) -> None:
    describe(shop, {"include": {"order_id": "id"}})
    shop.take("orders")
    taken = shop.take("lines")
    assert taken.rows == 3
    assert shop.rows("lines", "order_id", "line") == [("a/1", 1), ("a/1", 2), ("b", None)]
    assert [answer["parent"] for answer in shop.answers(taken)] == [{"order": "a/1"}, {"order": "b"}]
    assert shop.take("lines").batch == 0


def test_a_row_that_is_gone_is_left_out(shop: Rest) -> None:
    shop.api.on("/orders", [*ORDERS, {"id": "gone", "n": 9}])
    describe(shop)
    shop.take("orders")
    with pytest.raises(LakewrightError, match="404"):
        shop.take("lines")
    describe(shop, on_status={"404": "skip"})
    taken = shop.take("lines")
    assert (taken.rows, taken.notes) == (3, ("1 requests were left out, as on_status says",))


def test_new_rows_of_an_incremental_parent(shop: Rest) -> None:
    orders = [{"id": "a/1", "at": 1}]
    shop.api.on("/orders", lambda _: Answer(orders))
    shop.describe(
        {
            "orders": {"path": "orders", "incremental": {"cursor": "at", "param": "since"}},
            "lines": {"path": "orders/{id}/lines", "parent": {"dataset": "orders", "params": {"id": "id"}}},
        }
    )
    assert shop.take("lines").batch == 0
    shop.take("orders")
    assert shop.take("lines").rows == 2
    asked = len(shop.api.asked)
    assert shop.take("lines").batch == 0
    assert len(shop.api.asked) == asked
    orders.append({"id": "b", "at": 2})
    shop.take("orders")
    assert (shop.take("lines").rows, len(shop.rows("lines"))) == (1, 3)


def test_a_column_that_the_parent_lacks(shop: Rest) -> None:
    describe(shop, {"params": {"order": "idd"}})
    shop.take("orders")
    with pytest.raises(LakewrightError, match="no column 'idd'; did you mean 'id'") as caught:
        shop.take("lines")
    assert caught.value.code == "LW238"


def test_a_name_that_the_records_have(shop: Rest) -> None:
    describe(shop, {"include": {"line": "id"}})
    shop.take("orders")
    with pytest.raises(LakewrightError, match="the records have 'line' themselves"):
        shop.take("lines")
