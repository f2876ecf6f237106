"""The sales file and the 20 rules that every contender checks, said once.

No imports of any contender: each reads these values in its own environment.
"""

from __future__ import annotations

#: Name → type, in DuckDB's spelling, in the order of the file.
COLUMNS: dict[str, str] = {
    "order_id": "bigint",
    "customer_id": "bigint",
    "product_id": "integer",
    "ordered_at": "timestamp",
    "quantity": "integer",
    "unit_price": "decimal(10,2)",
    "discount": "decimal(4,2)",
    "status": "varchar",
    "region": "varchar",
    "channel": "varchar",
    "email": "varchar",
    "currency": "varchar",
    "note": "varchar",
}

REQUIRED = ("order_id", "customer_id", "product_id", "ordered_at", "quantity", "unit_price", "region")
MINIMUM: dict[str, int | str] = {
    "order_id": 0,
    "customer_id": 1,
    "product_id": 0,
    "quantity": 1,
    "unit_price": 0,
    "discount": 0,
    "ordered_at": "2020-01-01",
}
MAXIMUM = {"quantity": 100, "unit_price": 1_000_000, "discount": 1}
ALLOWED = {
    "status": ("new", "paid", "shipped", "cancelled"),
    "currency": ("EUR", "USD", "GBP"),
}
PATTERN = {"email": "^[^@]+@[^@]+$"}

KEY = "order_id"


def count() -> int:
    """How many rules there are."""
    return len(REQUIRED) + len(MINIMUM) + len(MAXIMUM) + len(ALLOWED) + len(PATTERN)


assert count() == 20
