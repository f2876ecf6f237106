"""DuckDB alone: the same star schema in plain statements over Parquet files, with no check and no commit."""

import json
import sys
import time
from pathlib import Path

import duckdb

source, out, compression = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
con = duckdb.connect()
began = time.perf_counter()
for name in ("customer", "product"):
    con.execute(
        f"""create table dim_{name} as select row_number() over (order by {name}_id, updated_at) as {name}_key, *,
        case when row_number() over history = 1 then timestamp '0001-01-01' else updated_at end as valid_from,
        coalesce(lead(updated_at) over history, timestamp 'infinity') as valid_to, lead(updated_at) over history is null as is_current
        from '{source}/{name}s.parquet' window history as (partition by {name}_id order by updated_at)"""
    )
con.execute(
    """create table dim_date as select strftime(day, '%Y%m%d')::integer as date_key, day::date as date, year(day) as year,
    month(day) as month, dayname(day) as weekday from range(date '2023-01-01', date '2026-01-01', interval 1 day) t(day)"""
)
con.execute(
    f"""copy (select s.line_id, s.customer_id, s.product_id, s.ordered_at, s.quantity, s.unit_price,
    s.quantity * s.unit_price as revenue, c.customer_key, p.product_key, d.date_key,
    year(s.ordered_at) as year, month(s.ordered_at) as month
    from '{source}/lines.parquet' as s
    left join dim_customer as c on c.customer_id = s.customer_id and s.ordered_at >= c.valid_from
      and s.ordered_at < c.valid_to
    left join dim_product as p on p.product_id = s.product_id and s.ordered_at >= p.valid_from
      and s.ordered_at < p.valid_to
    left join dim_date as d on d.date = s.ordered_at::date)
    to '{out}/fact_sales' (format parquet, compression {compression}, partition_by (year, month))"""
)
for name in ("customer", "product", "date"):
    con.execute(f"copy dim_{name} to '{out}/dim_{name}.parquet' (compression {compression})")
con.execute(
    f"""copy (select date_trunc('month', s.ordered_at)::date as month, p.category, c.country, sum(s.revenue) as revenue
    from read_parquet('{out}/fact_sales/**/*.parquet') as s join dim_product as p using (product_key)
    join dim_customer as c using (customer_key) group by all) to '{out}/monthly_sales.parquet' (compression {compression})"""
)
print(json.dumps({"seconds": time.perf_counter() - began}))
