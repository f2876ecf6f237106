"""psycopg: ``load`` writes a Parquet file as CSV into COPY; ``read`` takes a table by binary COPY to nowhere."""

import io
import json
import sys

import psycopg
import pyarrow.csv as csv
import pyarrow.parquet as pq

step, url, source, table = sys.argv[1:5]
COLUMNS = (
    "order_id bigint, customer_id integer, product_id integer, ordered_at timestamp, quantity integer, "
    "unit_price numeric(10, 2), discount double precision, status text, email text, note text"
)
with psycopg.connect(url) as connection, connection.cursor() as cursor:
    if step == "load":
        cursor.execute(f"drop table if exists {table}")
        cursor.execute(f"create table {table} ({COLUMNS})")
        options = csv.WriteOptions(include_header=False)
        with cursor.copy(f"copy {table} from stdin (format csv)") as copy:
            for batch in pq.ParquetFile(source).iter_batches(100_000):
                text = io.BytesIO()
                csv.write_csv(batch, text, options)
                copy.write(text.getvalue())
        connection.commit()
        said = {"rows": cursor.execute(f"select count(*) from {table}").fetchone()[0]}
    else:
        size = 0
        with cursor.copy(f"copy {table} to stdout (format binary)") as copy:
            for block in copy:
                size += len(block)
        said = {"bytes": size}
print(json.dumps(said))
