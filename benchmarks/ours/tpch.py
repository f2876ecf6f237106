"""TPC-H's 22 queries: through the Python API, and by plain DuckDB over the same files, taking turns."""

import json
import statistics
import sys
import time
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

import lakewright
from lakewright.app.platform import Platform

project, source, queries, rounds = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
texts: list[str] = json.loads(queries.read_text())

with Platform.open(project) as platform:
    names = [one.partition(".")[2] for one in platform.project.datasets]
    with platform.services.session.cursor() as cursor:
        files = {name: platform.services.lake.files(cursor, f"processed.{name}") for name in names}


def zoned(text: str) -> str:
    """The same query with ``processed.`` before the tables' names."""
    tree = sqlglot.parse_one(text, read="duckdb")
    for table in tree.find_all(exp.Table):
        if table.name in names and not table.db:
            table.set("db", exp.to_identifier("processed"))
    return tree.sql("duckdb")


plain = duckdb.connect()
for name in names:
    # Tables of a few rows live in the lake's catalog, not in files; plain DuckDB reads the original.
    held = files[name] or [str(source / f"{name}.parquet")]
    listed = ", ".join(f"'{one}'" for one in held)
    plain.execute(f"create view {name} as from read_parquet([{listed}], hive_partitioning = false)")

ours: dict[int, list[float]] = {}
theirs: dict[int, list[float]] = {}
with lakewright.open(project) as lw:
    for number, text in enumerate(texts, 1):
        named = zoned(text)
        for turn in range(rounds + 1):
            began = time.perf_counter()
            expected = plain.execute(text).to_arrow_table()
            middle = time.perf_counter()
            found = lw.sql(named).to_arrow()
            ended = time.perf_counter()
            if turn:  # the first turn warms the file cache for both
                theirs.setdefault(number, []).append(middle - began)
                ours.setdefault(number, []).append(ended - middle)
        assert found.num_rows == expected.num_rows, number
per_query = {n: (statistics.median(ours[n]), statistics.median(theirs[n])) for n in ours}
print(
    json.dumps(
        {
            "seconds": sum(one for one, _ in per_query.values()),
            "plain": sum(other for _, other in per_query.values()),
            "queries": {n: [round(a, 4), round(b, 4)] for n, (a, b) in per_query.items()},
        }
    )
)
