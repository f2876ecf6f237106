"""DuckDB alone: parse, cast, write by month. No rule, no deduplication, no quarantine, no commit."""

import json
import sys
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rules import COLUMNS

source, out, compression = sys.argv[1:4]
con = duckdb.connect()
began = time.perf_counter()
text = ", ".join(f"'{name}': 'varchar'" for name in COLUMNS)
casts = ", ".join(
    name if kind == "varchar" else f"try_cast({name} as {kind}) as {name}" for name, kind in COLUMNS.items()
)
# Options given, so that nothing is spent on sniffing; order is kept, as it is on our side.
con.execute(
    f"copy (select *, year(ordered_at) as y, month(ordered_at) as m from (select {casts} from "
    f"read_csv('{source}', header = true, auto_detect = false, delim = ',', quote = '\"', columns = {{{text}}}))) "
    f"to '{out}' (format parquet, compression {compression}, partition_by (y, m))"
)
print(json.dumps({"seconds": time.perf_counter() - began}))
