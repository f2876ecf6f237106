"""A star schema in a project's folder: customers with history, days, and sales that refer to both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shop_folder import Folder

import lakewright

__all__ = ["customers", "facts", "members", "sales", "star_project"]

Customer = tuple[int, str, str]  # id, city, day of the change
Sale = tuple[int, int | None, str]  # number, customer, day


def star_project(folder: Folder, *, history: bool = True) -> Folder:
    """Write the sources and datasets of the star into *folder*."""
    folder.write(
        "sources/shop.yaml",
        """
        kind: files
        path: in
        datasets:
          customers: {files: "customers-*.csv", format: csv, options: {delimiter: ",", header: true}}
          sales: {files: "sales-*.csv", format: csv, options: {delimiter: ",", header: true}}
        """,
    )
    folder.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        columns:
          id: {type: bigint, required: true}
          city: {type: varchar}
          changed_at: {type: timestamp}
        write: {mode: append}
        """,
    )
    folder.write(
        "datasets/processed/sales.yaml",
        """
        from: raw.sales
        columns:
          sale: {type: bigint, key: true}
          customer_id: {type: bigint}
          sold_at: {type: timestamp}
        """,
    )
    steps = "steps: [{deduplicate: {keys: [id], latest_by: changed_at}}]\n"
    folder.write(
        "datasets/curated/dim_customer.yaml",
        "from: processed.customers\n"
        + ("" if history else steps)
        + "dimension: {unknown: {city: nowhere}}\n"
        + "columns: {id: {type: bigint, key: true}}\n"
        + ("write: {mode: scd2, scd2: {changed_at: changed_at}}\n" if history else "write: {mode: merge}\n"),
    )
    folder.write("datasets/curated/dim_date.yaml", "dimension: {date: {from: 2024-01-01, to: 2024-12-31}}\n")
    folder.write(
        "datasets/curated/fact_sales.yaml",
        """
        from: processed.sales
        columns: {sale: {type: bigint, key: true}}
        fact:
          at: sold_at
          dimensions:
            customer_key: {dimension: curated.dim_customer, on: {customer_id: id}}
            date_key: {dimension: curated.dim_date, on: {sold_at: date}}
        """,
    )
    (folder / "in").mkdir(exist_ok=True)
    return folder


def customers(folder: Folder, number: int, rows: Iterable[Customer]) -> None:
    """Write file *number* of customers."""
    _csv(folder, f"in/customers-{number:03}.csv", "id,city,changed_at", rows)


def sales(folder: Folder, number: int, rows: Iterable[Sale]) -> None:
    """Write file *number* of sales."""
    _csv(folder, f"in/sales-{number:03}.csv", "sale,customer_id,sold_at", rows)


def _csv(folder: Folder, path: str, head: str, rows: Iterable[Sequence[Any]]) -> None:
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    folder.write(path, "\n".join([head, *lines]) + "\n")


def members(lw: lakewright.Lakewright) -> list[tuple[Any, ...]]:
    """What the dimension of customers holds: key, id, city, first and last day, and whether it was inferred."""
    return lw.sql(
        """select customer_key, id, city, valid_from::date::varchar, valid_to::date::varchar, is_current, is_inferred
           from curated.dim_customer order by id nulls first, valid_from, customer_key"""
    ).fetchall()


def facts(lw: lakewright.Lakewright) -> list[tuple[Any, ...]]:
    """Each sale with the city of its member and its day; a sale without a member has no row here."""
    return lw.sql(
        """select sale, c.city, d.date::varchar from curated.fact_sales
           join curated.dim_customer c using (customer_key) join curated.dim_date d using (date_key) order by sale"""
    ).fetchall()
