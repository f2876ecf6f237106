"""The 20 rules as Great Expectations, on pandas or Spark-free SQL: validation of one batch, results summarised.

Uniqueness of the key is a 21st expectation, as in the other contenders. ``result_format`` is
BOOLEAN_ONLY, the least work that Great Expectations can be asked for.
"""

import json
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import great_expectations as gx
import great_expectations.expectations as gxe
import pyarrow.parquet as pq

from rules import ALLOWED, COLUMNS, KEY, MAXIMUM, MINIMUM, PATTERN, REQUIRED

logging.disable(logging.WARNING)
folder = sys.argv[1]
began = time.perf_counter()
used = [name for name in COLUMNS if name not in ("channel", "note")]
files = [str(one) for one in sorted(Path(folder).rglob("*.parquet"))]
frame = pq.ParquetDataset(files, partitioning=None).read(columns=used).to_pandas(date_as_object=False)
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
suite = context.suites.add(gx.ExpectationSuite(name="sales"))
expectations = [gxe.ExpectColumnValuesToBeUnique(column=KEY)]
expectations += [gxe.ExpectColumnValuesToNotBeNull(column=c) for c in REQUIRED]
for c, low in MINIMUM.items():
    if c == "ordered_at":
        import datetime

        low = datetime.datetime.fromisoformat(low)
    expectations.append(gxe.ExpectColumnValuesToBeBetween(column=c, min_value=low))
expectations += [gxe.ExpectColumnValuesToBeBetween(column=c, max_value=v) for c, v in MAXIMUM.items()]
expectations += [gxe.ExpectColumnValuesToBeInSet(column=c, value_set=list(v)) for c, v in ALLOWED.items()]
expectations += [gxe.ExpectColumnValuesToMatchRegex(column=c, regex=v) for c, v in PATTERN.items()]
for one in expectations:
    suite.add_expectation(one)
batch = definition.get_batch({"dataframe": frame})
result = batch.validate(suite, result_format="BOOLEAN_ONLY")
ended = time.perf_counter()
print(
    json.dumps(
        {
            "seconds": ended - began,
            "loading": loaded - began,
            "validating": ended - loaded,
            "rows": len(frame),
            "expectations": len(expectations),
            "successful": sum(bool(one.success) for one in result.results),
        }
    )
)
