"""The whole build in PySpark ``local[2]``, in the one pass that Spark does best.

Rows are cast and checked in a projection, deduplicated by one shuffle, and written once: good and
bad rows are two partitions of the same write. The audit's counts come with it through
``observe``, so that the file is parsed once and nothing is cached.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as f

from rules import ALLOWED, COLUMNS, KEY, MAXIMUM, MINIMUM, PATTERN, REQUIRED

source, out, compression = sys.argv[1:4]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "6g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "8")
    .config("spark.sql.ansi.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", compression)
    .config("spark.driver.extraJavaOptions", "-XX:+UseParallelGC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
began = time.perf_counter()
text = spark.read.csv(
    source, header=True, schema=", ".join(f"{name} string" for name in COLUMNS), mode="PERMISSIVE"
)
typed = text.select(
    *(f.col(name).cast(kind.replace("varchar", "string")).alias(name) for name, kind in COLUMNS.items())
)
rules = {}
rules |= {f"{c}.required": f.col(c).isNull() for c in REQUIRED}
rules |= {f"{c}.min": f.col(c) < f.lit(v) for c, v in MINIMUM.items()}
rules |= {f"{c}.max": f.col(c) > f.lit(v) for c, v in MAXIMUM.items()}
rules |= {f"{c}.in": ~f.col(c).isin(*v) for c, v in ALLOWED.items()}
rules |= {f"{c}.pattern": ~f.col(c).rlike(v) for c, v in PATTERN.items()}
bits = sum(
    (f.when(broken, f.lit(1 << n)).otherwise(f.lit(0)) for n, broken in enumerate(rules.values())), f.lit(0)
)
audit = Observation("audit")
staged = (
    typed.dropDuplicates([KEY])
    .withColumn("_violations", bits)
    .withColumn("_bad", f.col("_violations") != 0)
    .withColumn("y", f.year("ordered_at"))
    .withColumn("m", f.month("ordered_at"))
    .observe(
        audit,
        f.count(f.lit(1)).alias("rows"),
        *(
            f.sum((f.col("_violations").bitwiseAND(f.lit(1 << n)) != 0).cast("int")).alias(
                name.replace(".", "_")
            )
            for n, name in enumerate(rules)
        ),
    )
)
staged.write.mode("overwrite").partitionBy("_bad", "y", "m").parquet(out)
counts = audit.get
print(json.dumps({"seconds": time.perf_counter() - began, "rows": counts["rows"], "audit": dict(counts)}))
spark.stop()
