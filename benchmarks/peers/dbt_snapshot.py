"""dbt: ``first`` makes a project, its source and the first snapshot, then changes the source; ``count`` counts."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb

step, folder, base, changed = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
database = folder / "shop.duckdb"

if step == "first":
    (folder / "snapshots").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        "name: shop\nversion: '1.0'\nprofile: shop\nsnapshot-paths: [snapshots]\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, threads: 2}\n"
    )
    (folder / "snapshots" / "customers.sql").write_text(
        "{% snapshot customers_snapshot %}\n"
        "{{ config(target_schema='main', unique_key='id', strategy='timestamp', updated_at='updated_at') }}\n"
        "select * from main.customers\n{% endsnapshot %}\n"
    )
    with duckdb.connect(str(database)) as con:
        con.execute("create table customers as from read_parquet(?)", [base])
    dbt = Path(sys.executable).with_name("dbt")
    subprocess.run([dbt, "--quiet", "snapshot"], cwd=folder, check=True, stdout=sys.stderr)
    with duckdb.connect(str(database)) as con:
        con.execute(
            "create or replace table customers as (from customers where id not in (select id from read_parquet(?))) "
            "union all by name from read_parquet(?)",
            [changed, changed],
        )
with duckdb.connect(str(database)) as con:
    print(json.dumps({"rows": con.execute("select count(*) from customers_snapshot").fetchone()[0]}))
