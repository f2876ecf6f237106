"""DuckDB alone: many small CSV files read with one glob into a table on disk."""

import json
import sys
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rules import COLUMNS

folder, database = sys.argv[1:3]
con = duckdb.connect(database)
began = time.perf_counter()
text = ", ".join(f"'{name}': 'varchar'" for name in COLUMNS)
casts = ", ".join(
    name if kind == "varchar" else f"try_cast({name} as {kind}) as {name}" for name, kind in COLUMNS.items()
)
con.execute(
    f"create table sales as select {casts} from read_csv('{folder}/*.csv', header = true, auto_detect = false, "
    f"delim = ',', quote = '\"', columns = {{{text}}})"
)
rows = con.execute("select count(*) from sales").fetchone()
con.close()
print(json.dumps({"seconds": time.perf_counter() - began, "rows": rows[0] if rows else 0}))
