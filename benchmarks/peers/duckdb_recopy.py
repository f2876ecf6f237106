"""DuckDB alone: the Parquet files of a table, copied into one new file."""

import json
import sys
import time

import duckdb

table, out, compression = sys.argv[1:4]
began = time.perf_counter()
duckdb.execute(
    f"copy (from read_parquet('{table}/**/*.parquet', hive_partitioning = false)) to '{out}' (format parquet, compression {compression})"
)
print(json.dumps({"seconds": time.perf_counter() - began}))
