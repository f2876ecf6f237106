"""Northwind out of PostgreSQL, as a star schema, into a warehouse: the figures are those of the source."""

from __future__ import annotations

from pathlib import Path

import psycopg
from shop_folder import Folder

import lakewright
from servers import Postgres

#: What the star has to say, asked of the source.
SOURCE = """
    SELECT c.country, p.product_name, date_trunc('month', o.order_date)::date,
      sum(d.unit_price::numeric(10,2) * d.quantity * (1 - d.discount::numeric(4,2)))::numeric(14,4), count(*)
    FROM order_details d JOIN orders o USING (order_id) JOIN customers c USING (customer_id)
    JOIN products p USING (product_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """

#: The same of facts and dimensions; it is the same text in the lake and in the warehouse.
STAR = """
    SELECT c.country, p.product_name, make_date(d.year, d.month, 1), CAST(sum(f.revenue) AS DECIMAL(14,4)), count(*)
    FROM {fact} f JOIN {customer} c ON c.customer_key = f.customer_key JOIN {product} p ON p.product_key = f.product_key
    JOIN {date} d ON d.date_key = f.date_key GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
NAMES = {"fact": "fact_sales", "customer": "dim_customer", "product": "dim_product", "date": "dim_date"}


def _project(root: Path, source: str, warehouse: str) -> Folder:
    folder = Folder(root)
    folder.write("lakewright.yaml", "name: northwind")
    tables = ("customers", "products", "categories", "orders", "order_details")
    folder.write(
        "sources/erp.yaml",
        f"kind: database\nconnection: {source}\ndatasets:\n"
        + "".join(f"  {name}: {{table: public.{name}}}\n" for name in tables),
    )
    folder.write(
        "datasets/curated/dim_customer.yaml",
        "from: raw.customers\ndimension: {}\ncolumns: {customer_id: {type: varchar, key: true}}\nwrite: {mode: scd2}\n",
    )
    folder.write(
        "datasets/curated/dim_product.sql",
        "SELECT p.product_id, p.product_name, c.category_name FROM raw.products p JOIN raw.categories c USING (category_id)",
    )
    folder.write(
        "datasets/curated/dim_product.yaml",
        "dimension: {}\ncolumns: {product_id: {type: smallint, key: true}}\nwrite: {mode: merge}\n",
    )
    folder.write("datasets/curated/dim_date.yaml", "dimension: {date: {from: 1996-01-01, to: 1998-12-31}}\n")
    folder.write(
        "datasets/processed/sales.sql",
        """SELECT order_id, product_id, customer_id, order_date, quantity,
             CAST(d.unit_price AS DECIMAL(10,2)) * quantity * (1 - CAST(discount AS DECIMAL(4,2))) AS revenue
           FROM raw.order_details d JOIN raw.orders USING (order_id)""",
    )
    folder.write(
        "datasets/curated/fact_sales.yaml",
        """
        from: processed.sales
        columns:
          order_id: {type: smallint, key: true}
          product_id: {type: smallint, key: true}
          revenue: {type: "decimal(14,4)", required: true, min: 0}
        fact:
          at: order_date
          dimensions:
            customer_key: curated.dim_customer
            product_key: curated.dim_product
            date_key: {dimension: curated.dim_date, on: {order_date: date}}
        write: {mode: merge}
        """,
    )
    folder.write(
        "warehouses/bi.yaml",
        f"connection: {warehouse}\ntables:\n"
        + "".join(f"  {name}: curated.{name}\n" for name in NAMES.values()),
    )
    return folder


def test_revenue_is_that_of_the_source(tmp_path: Path, postgres: Postgres, shared_data: Path) -> None:
    source, warehouse = postgres.database(), postgres.database()
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute((shared_data / "northwind" / "northwind.sql").read_bytes())
        connection.execute("SET search_path TO public")
        wanted = connection.execute(SOURCE).fetchall()
        assert len(wanted) > 1000
        folder = _project(tmp_path, source, warehouse)
        with lakewright.open(folder.root) as lw:
            lw.run().raise_for_status()
            in_lake = STAR.format_map({role: f"curated.{name}" for role, name in NAMES.items()})
            assert lw.sql(in_lake).fetchall() == wanted
            # orders come and change; a customer moves, and what was sold before stays where it was sold
            connection.execute("UPDATE order_details SET quantity = quantity + 1 WHERE product_id = 11")
            connection.execute("UPDATE products SET product_name = 'Cabrales' WHERE product_id = 11")
            wanted = connection.execute(SOURCE).fetchall()
            connection.execute("UPDATE customers SET country = 'Atlantis' WHERE country = 'Norway'")
            lw.run().raise_for_status()
            assert lw.sql(in_lake).fetchall() == wanted
    with psycopg.connect(warehouse, options="-c search_path=bi") as connection:
        assert connection.execute(STAR.format_map(NAMES)).fetchall() == wanted
