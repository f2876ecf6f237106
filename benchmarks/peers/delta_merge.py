"""delta-rs: ``first`` writes the table; ``merge`` merges rows into it by key."""

import json
import sys

import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

step, table, source = sys.argv[1:4]
rows = pq.read_table(source)
if step == "first":
    write_deltalake(table, rows)
    said = {"rows": rows.num_rows}
else:
    target = DeltaTable(table)
    done = (
        target.merge(rows, predicate="old.id = new.id", source_alias="new", target_alias="old")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    # A merge counts the rows of the files that it touches; here those of the others count as well.
    said = {"rows": DeltaTable(table).to_pyarrow_dataset().count_rows(), "metrics": done}
print(json.dumps(said, default=str))
