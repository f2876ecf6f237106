"""``write`` makes a CSV file beside the Parquet file; ``load`` hands it to LOAD DATA LOCAL INFILE and counts."""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

step, url, source, table = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
file = source.with_suffix(".infile.csv")
if step == "write":
    import duckdb

    if not file.is_file():
        duckdb.execute(f"copy (from '{source}') to '{file}' (format csv, header false, nullstr '\\N')")
    said = {}
else:
    import pymysql

    where = urlsplit(url)
    with (
        pymysql.connect(
            host=where.hostname,
            port=where.port,
            user=where.username,
            database=where.path[1:],
            local_infile=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"drop table if exists {table}")
        cursor.execute(
            f"create table {table} (order_id bigint, customer_id integer, product_id integer, ordered_at datetime(6), "
            "quantity integer, unit_price decimal(10, 2), discount double, status text, email text, note text)"
        )
        cursor.execute(
            f"load data local infile '{file}' into table {table} character set utf8mb4 "
            "fields terminated by ',' optionally enclosed by '\"'"
        )
        connection.commit()
        cursor.execute(f"select count(*) from {table}")
        said = {"rows": cursor.fetchone()[0]}
print(json.dumps(said))
