"""A small commit: two tables and a checkpoint in one lake transaction, again and again."""

import json
import statistics
import sys
import time
from pathlib import Path

from lakewright.app.platform import Platform

project, commits = Path(sys.argv[1]), int(sys.argv[2])
with Platform.open(project) as platform:
    lake = platform.services.lake
    cursor = platform.services.session.cursor()
    columns = {"id": "BIGINT", "kind": "INTEGER", "amount": "DECIMAL(12,2)"}
    with lake.transaction(cursor, message="make", info={}):
        for table in ("processed.left", "processed.right"):
            lake.create_table(cursor, table, columns)
    took = []
    for number in range(commits):
        began = time.perf_counter()
        with lake.transaction(cursor, message=f"commit {number}", info={"number": number}):
            for table in ("left", "right"):
                cursor.execute(
                    f"insert into lake.processed.{table} select {number}::bigint * 10 + i, i, i from range(10) t(i)"
                )
        took.append(time.perf_counter() - began)
    tenth = max(1, commits // 10)
    print(
        json.dumps(
            {
                "milliseconds": 1000 * statistics.median(took),
                "first": 1000 * statistics.median(took[:tenth]),
                "last": 1000 * statistics.median(took[-tenth:]),
                "p99": 1000 * sorted(took)[int(len(took) * 0.99)],
            }
        )
    )
