"""The same suite by Great Expectations itself, on pandas: loaded, validated, results with counts.

``result_format`` is BASIC, the least that tells how many rows break an expectation, as ours do.
"""

import json
import logging
import sys
import time
from pathlib import Path

import great_expectations as gx
import pyarrow.parquet as pq
from great_expectations.expectations.registry import get_expectation_impl

logging.disable(logging.WARNING)
folder, suite = sys.argv[1:3]
given = json.loads(Path(suite).read_text())["expectations"]
began = time.perf_counter()
used = sorted({name for one in given for name in one["meta"]["columns"]})
files = [str(one) for one in sorted(Path(folder).rglob("*.parquet"))]
table = pq.ParquetDataset(files, partitioning=None)
names = [name for name in table.schema.names if not name.startswith("_")]
frame = table.read(columns=names).to_pandas(date_as_object=False)
for name in ("unit_price", "discount"):
    # As floats: Python's Decimal objects would be compared one by one.
    frame[name] = frame[name].astype("float64")
loaded = time.perf_counter()
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False, "metric_calculations": False}
definition = (
    context.data_sources.add_pandas("lake")
    .add_dataframe_asset("sales")
    .add_batch_definition_whole_dataframe("all")
)
made = context.suites.add(gx.ExpectationSuite(name="sales"))
for one in given:
    made.add_expectation(get_expectation_impl(one["type"])(**one["kwargs"]))
batch = definition.get_batch({"dataframe": frame})
result = batch.validate(made, result_format="BASIC")
ended = time.perf_counter()
failed = [one.expectation_config.type for one in result.results if one.exception_info.get("raised_exception")]
print(
    json.dumps(
        {
            "seconds": ended - began,
            "loading": loaded - began,
            "validating": ended - loaded,
            "rows": len(frame),
            "columns": len(used),
            "expectations": len(result.results),
            "successful": sum(bool(one.success) for one in result.results),
            "raised": failed,
        }
    )
)
