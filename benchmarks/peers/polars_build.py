"""The whole build with Polars' streaming engine: lazy scan, casts, bits, one row per key, partitioned sink.

Good and bad rows are two partitions of one sink, so that the file is parsed once; the audit's
counts are collected together with the sink, which shares the plan up to there.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import polars as pl

from rules import ALLOWED, COLUMNS, KEY, MAXIMUM, MINIMUM, PATTERN, REQUIRED

KINDS = {
    "bigint": pl.Int64,
    "integer": pl.Int32,
    "decimal(10,2)": pl.Decimal(10, 2),
    "decimal(4,2)": pl.Decimal(4, 2),
}


def typed(name: str, kind: str) -> pl.Expr:
    column = pl.col(name)
    if kind == "varchar":
        return column
    if kind == "timestamp":
        return column.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    return column.cast(KINDS[kind], strict=False)


source, out, compression = sys.argv[1:4]
began = time.perf_counter()
rules: dict[str, pl.Expr] = {f"{c}.required": pl.col(c).is_null() for c in REQUIRED}
for c, low in MINIMUM.items():
    rules[f"{c}.min"] = pl.col(c) < (pl.lit(low).str.to_datetime("%Y-%m-%d") if isinstance(low, str) else low)
rules |= {f"{c}.max": pl.col(c) > high for c, high in MAXIMUM.items()}
rules |= {f"{c}.in": ~pl.col(c).is_in(list(allowed)) for c, allowed in ALLOWED.items()}
rules |= {f"{c}.pattern": ~pl.col(c).str.contains(pattern) for c, pattern in PATTERN.items()}
bits = pl.sum_horizontal(
    pl.when(broken).then(pl.lit(1 << n, pl.Int32)).otherwise(pl.lit(0, pl.Int32))
    for n, broken in enumerate(rules.values())
)
staged = (
    pl.scan_csv(source, schema=dict.fromkeys(COLUMNS, pl.String))
    .select(typed(name, kind).alias(name) for name, kind in COLUMNS.items())
    .unique(subset=[KEY], keep="any", maintain_order=False)
    .with_columns(_violations=bits)
    .with_columns(
        _bad=pl.col("_violations") != 0, y=pl.col("ordered_at").dt.year(), m=pl.col("ordered_at").dt.month()
    )
)
sink = staged.sink_parquet(
    pl.PartitionBy(out, key=["_bad", "y", "m"], include_key=False),
    compression=compression,
    maintain_order=False,
    mkdir=True,
    lazy=True,
)
audit = staged.select(
    pl.len().alias("rows"),
    *(((pl.col("_violations") & (1 << n)) != 0).sum().alias(name) for n, name in enumerate(rules)),
)
_, counts = pl.collect_all([sink, audit], engine="streaming")
print(
    json.dumps(
        {"seconds": time.perf_counter() - began, "rows": counts["rows"][0], "audit": counts.to_dicts()[0]}
    )
)
