"""The data that the scenarios work on, made once under ``.data`` and kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from harness import DATA, Unavailable, note

_SALES = """
select
  case when i % 100 = 0 and i > 0 then i - 1 else i end as order_id,
  case when hash(i * 3) % 100 = 0 then null else 100000 + hash(i) % 500000 end as customer_id,
  hash(i * 7) % 20000 as product_id,
  case when hash(i * 11) % 500 = 0 then 'not a date' else strftime(timestamp '2024-01-01'
    + to_seconds((hash(i * 13) % 31536000)::bigint), '%Y-%m-%d %H:%M:%S') end as ordered_at,
  case when hash(i * 17) % 300 = 0 then -1 else 1 + hash(i * 19) % 10 end as quantity,
  round((hash(i * 23) % 100000) / 100.0, 2) as unit_price,
  round((hash(i * 29) % 30) / 100.0, 2) as discount,
  ['new', 'paid', 'shipped', 'cancelled'][1 + (hash(i * 31) % 4)::int] as status,
  ['north', 'south', 'east', 'west'][1 + (hash(i * 37) % 4)::int] as region,
  ['web', 'store', 'phone'][1 + (hash(i * 41) % 3)::int] as channel,
  'user' || (hash(i) % 500000) || '@example.com' as email,
  ['EUR', 'USD', 'GBP'][1 + (hash(i * 43) % 3)::int] as currency,
  'note about the order number ' || (hash(i * 47) % 1000000) as note
from range({first}, {last}) t(i)
"""


def sales(rows: int) -> Path:
    """A dirty sales CSV: 1 % of keys twice, 1 % nulls, 0.2 % bad dates, 0.3 % out of range."""
    target = DATA / f"sales_{rows}" / "sales.csv"
    if not target.is_file():
        note(f"    making {target.name} with {rows:,} rows …")
        _copy(_SALES.format(first=0, last=rows), target)
    return target


def sales_parquet(rows: int) -> Path:
    """Clean sales of ten columns as Parquet, with a few nulls, for databases."""
    target = DATA / f"sales_{rows}" / "sales.parquet"
    if not target.is_file():
        note(f"    making {target.name} with {rows:,} rows …")
        _copy(
            f"""select i as order_id, case when hash(i * 3) % 100 > 0 then (hash(i) % 500000)::integer end as customer_id,
            (hash(i * 7) % 20000)::integer as product_id,
            timestamp '2024-01-01' + to_seconds((hash(i * 13) % 31536000)::bigint) as ordered_at,
            (1 + hash(i * 19) % 10)::integer as quantity,
            ((hash(i * 23) % 100000) / 100)::decimal(10, 2) as unit_price,
            (hash(i * 29) % 30) / 100.0::double as discount,
            ['new', 'paid', 'shipped', 'cancelled'][1 + (hash(i * 31) % 4)::int] as status,
            'user' || (hash(i) % 500000) || '@example.com' as email,
            'note about the order number ' || (hash(i * 47) % 1000000) as note from range({rows}) t(i)""",
            target,
        )
    return target


_PEOPLE = """
select i as id, 'user' || (hash(i) % 2000000) || '@example.com' as email,
  '4' || lpad((hash(i * 3) % 1000000000000000)::varchar, 15, '0') as card,
  '555-' || lpad((hash(i * 5) % 1000)::varchar, 3, '0') || '-' || lpad((hash(i * 7) % 200)::varchar, 4, '0') as phone,
  18 + (hash(i * 11) % 70)::int as age,
  case hash(i * 13) % 10
    when 0 then 'please call 555-123-' || (1000 + hash(i) % 9000) || ' before noon'
    when 1 then 'send the receipt to mail' || (hash(i) % 1000) || '@example.org thanks'
    when 2 then 'order ' || (hash(i) % 1000000) || ' came late, box ' || (hash(i) % 9)
    else 'leave it at the door please, and thank you' end as note
from range({rows}) t(i)
"""


def people(rows: int) -> Path:
    """A CSV of people: two million e-mails, 200,000 phones, and notes of which a fifth hold one of them."""
    target = DATA / f"people_{rows}" / "people.csv"
    if not target.is_file():
        note(f"    making {target.name} with {rows:,} rows …")
        _copy(_PEOPLE.format(rows=rows), target)
    return target


_CUSTOMERS = """
select i as id, 'Customer ' || i as name, 'user' || i || '@example.com' as email,
  'city ' || (hash(i * 3 + {salt}) % 5000) as city,
  ['new', 'regular', 'gold', 'lost'][1 + (hash(i * 5 + {salt}) % 4)::int] as segment,
  (hash(i * 7 + {salt}) % 1000000)::decimal(12, 2) / 100 as balance,
  timestamp '{day}' + to_seconds((hash(i * 11 + {salt}) % 86400)::bigint) as updated_at
from range({rows}) t(i) {where}
"""


def customers(rows: int, changes: int) -> tuple[Path, Path]:
    """Two Parquet files: *rows* customers, and *changes* of random ones among them, on a later day."""
    folder = DATA / f"customers_{rows}_{changes}"
    base, changed = folder / "base.parquet", folder / "changed.parquet"
    if not changed.is_file():
        note(f"    making {rows:,} customers and {changes:,} changes …")
        # A factor prime to the number of rows shuffles them: as many as asked, spread over the whole table.
        chosen = f"where (i * 2654435761) % {rows} < {changes}"
        _copy(_CUSTOMERS.format(salt=0, day="2024-01-01", rows=rows, where=""), base)
        _copy(_CUSTOMERS.format(salt=1, day="2024-06-01", rows=rows, where=chosen), changed)
    return base, changed


def lines(rows: int) -> Path:
    """A folder for a star schema: ``lines``, ``customers`` (a fifth of them changed once) and ``products``."""
    folder = DATA / f"lines_{rows}"
    people, things = max(100, rows // 20), max(20, rows // 500)
    if not (folder / ".done").is_file():
        note(f"    making {rows:,} lines of orders …")
        _copy(
            f"""select i as line_id, (hash(i * 3) % {people})::bigint as customer_id,
            (hash(i * 5) % {things})::bigint as product_id,
            timestamp '2024-01-01' + to_seconds((hash(i * 7) % 31536000)::bigint) as ordered_at,
            (1 + hash(i * 11) % 9)::integer as quantity,
            ((hash(i * 13) % 100000) / 100)::decimal(10, 2) as unit_price
            from range({rows}) t(i)""",
            folder / "lines.parquet",
        )
        _copy(
            f"""select c as customer_id, 'Customer ' || c as name,
            ['DE', 'FR', 'IT', 'NO', 'PT'][1 + (hash(c * 3 + v) % 5)::int] as country,
            ['new', 'regular', 'gold'][1 + (hash(c * 7 + v) % 3)::int] as segment,
            timestamp '2023-01-01' + to_days((v * 500)::int) as updated_at
            from range({people}) t(c), range(2) u(v) where v = 0 or hash(c * 17) % 5 = 0""",
            folder / "customers.parquet",
        )
        _copy(
            f"""select p as product_id, 'Product ' || p as name, 'category ' || (hash(p) % 40) as category,
            timestamp '2023-01-01' as updated_at from range({things}) t(p)""",
            folder / "products.parquet",
        )
        (folder / ".done").touch()
    return folder


def small_files(files: int, rows: int = 100) -> Path:
    """A folder of *files* CSV files of *rows* rows each."""
    folder = DATA / f"small_{files}"
    if not (folder / ".done").is_file():
        note(f"    making {files:,} small files …")
        for number in range(files):
            _copy(
                _SALES.format(first=number * rows, last=(number + 1) * rows),
                folder / "sales" / f"part_{number:05}.csv",
            )
        (folder / ".done").touch()
    return folder / "sales"


def tpch(scale: float) -> Path:
    """A folder with the eight TPC-H tables as Parquet, by tpchgen-cli."""
    folder = DATA / f"tpch_{scale:g}"
    if not (folder / ".done").is_file():
        tool = shutil.which("tpchgen-cli") or str(Path(sys.executable).with_name("tpchgen-cli"))
        note(f"    making TPC-H at scale factor {scale:g} …")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                [tool, "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(folder)],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable("tpchgen-cli is not installed") from None
        if done.returncode:
            raise Unavailable(f"tpchgen-cli: {done.stderr.strip()}")
        (folder / ".done").touch()
    return folder


def _copy(query: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with duckdb.connect() as con:
        kind = "format parquet" if target.suffix == ".parquet" else "format csv, header true"
        con.execute(f"copy ({query}) to '{part}' ({kind})")
    part.rename(target)
