"""Writes the Lakewright projects that the scenarios run: plain files, as a user would have them."""

from __future__ import annotations

from pathlib import Path

from harness import fresh
from rules import ALLOWED, COLUMNS, KEY, MAXIMUM, MINIMUM, PATTERN, REQUIRED


def sales(
    folder: Path, source: Path, *, pattern: str = "*.csv", engine: str = "", partitions: bool = True
) -> Path:
    """One dirty sales dataset: cast, deduplicated by key, 20 rules, by month. *source* is a folder."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: sales\n" + (f"engine: {{{engine}}}\n" if engine else ""))
    _write(
        project / "sources" / "files.yaml",
        f'kind: files\npath: "{source}"\ndatasets:\n'
        f'  sales:\n    files: "{pattern}"\n    format: csv\n'
        "    options: {delimiter: ',', quote: '\"', header: true}\n",
    )
    columns = []
    for name, kind in COLUMNS.items():
        keys = [f'type: "{kind}"']
        if name in REQUIRED:
            keys.append("required: true")
        if name in MINIMUM:
            keys.append(f"min: {MINIMUM[name]!r}")
        if name in MAXIMUM:
            keys.append(f"max: {MAXIMUM[name]!r}")
        if name in ALLOWED:
            keys.append(f"in: [{', '.join(ALLOWED[name])}]")
        if name in PATTERN:
            keys.append(f"pattern: '{PATTERN[name]}'")
        columns.append(f"  {name}: {{{', '.join(keys)}}}\n")
    _write(
        project / "datasets" / "processed" / "sales.yaml",
        f"from: raw.sales\nsteps:\n  - deduplicate: {{keys: [{KEY}]}}\n"
        f"columns:\n{''.join(columns)}"
        "write:\n  mode: append\n"
        + ("  partition_by: [year(ordered_at), month(ordered_at)]\n" if partitions else "")
        + "on_violation: quarantine\nquality_threshold: 0.5\n",
    )
    return project


def people(folder: Path, source: Path, *, masked: bool) -> Path:
    """One dataset of people, five of its columns masked or none. *source* is a folder."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: people\n")
    _write(
        project / "sources" / "files.yaml",
        f'kind: files\npath: "{source}"\ndatasets:\n  people: {{files: "*.csv", format: csv}}\n',
    )
    rules = {"email": "hash", "card": "last_four", "phone": "token", "age": "{band: 10}", "note": "redact"}
    columns = [
        f"  {name}: {{type: {'integer' if name == 'age' else 'varchar'}{f', mask: {rule}' if masked else ''}}}\n"
        for name, rule in rules.items()
    ]
    _write(
        project / "datasets" / "processed" / "people.yaml",
        f"from: raw.people\ncolumns:\n  id: {{type: bigint}}\n{''.join(columns)}write: {{mode: append}}\n",
    )
    return project


def customers(folder: Path, *, mode: str) -> Path:
    """Customers by key from Parquet files in ``landing``: *mode* is ``merge`` or ``scd2``."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: customers\n")
    _write(
        project / "sources" / "files.yaml",
        'kind: files\npath: landing\ndatasets:\n  customers: {files: "*.parquet"}\n',
    )
    history = ", scd2: {changed_at: updated_at}" if mode == "scd2" else ""
    _write(
        project / "datasets" / "processed" / "customers.yaml",
        "from: raw.customers\ncolumns:\n  id: {type: bigint, key: true}\n  updated_at: {type: timestamp, required: true}\n"
        f"write: {{mode: {mode}{history}}}\n",
    )
    (project / "landing").mkdir()
    return project


def star(folder: Path, source: Path, *, cache: bool = False) -> Path:
    """Two dimensions with history, a dimension of days, a fact by month and an aggregate."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: star\n" + ("query_cache: {lifetime: 1h}\n" if cache else ""))
    names = ("lines", "customers", "products")
    raw = "".join(f"  {name}: {{files: {name}.parquet}}\n" for name in names)
    _write(project / "sources" / "files.yaml", f'kind: files\npath: "{source}"\ndatasets:\n{raw}')
    curated = project / "datasets" / "curated"
    for name in ("customer", "product"):
        _write(
            curated / f"dim_{name}.yaml",
            f"from: raw.{name}s\ndimension: {{}}\ncolumns:\n  {name}_id: {{type: bigint, key: true}}\n"
            "write: {mode: scd2, scd2: {changed_at: updated_at}}\n",
        )
    _write(curated / "dim_date.yaml", "dimension: {date: {from: 2023-01-01, to: 2025-12-31}}\n")
    _write(
        curated / "fact_sales.sql",
        "select line_id, customer_id, product_id, ordered_at, quantity, unit_price,\n"
        "  quantity * unit_price as revenue\nfrom raw.lines\n",
    )
    _write(
        curated / "fact_sales.yaml",
        "columns:\n  line_id: {type: bigint, key: true}\n  quantity: {type: integer, min: 1}\n"
        '  revenue: {type: "decimal(14,2)", min: 0}\n'
        "fact:\n  at: ordered_at\n  dimensions:\n    customer_key: curated.dim_customer\n"
        "    product_key: curated.dim_product\n    date_key: {dimension: curated.dim_date, on: {ordered_at: date}}\n"
        "write: {mode: merge, partition_by: [year(ordered_at), month(ordered_at)]}\n",
    )
    _write(
        curated / "monthly_sales.sql",
        "select date_trunc('month', s.ordered_at)::date as month, p.category, c.country, sum(s.revenue) as revenue\n"
        "from curated.fact_sales as s join curated.dim_product as p using (product_key)\n"
        "join curated.dim_customer as c using (customer_key)\ngroup by all\n",
    )
    _write(curated / "monthly_sales.yaml", "write: {mode: replace}\n")
    return project


def database(folder: Path, url: str, table: str) -> Path:
    """One table of a database into raw."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: read\n")
    _write(
        project / "sources" / "server.yaml",
        f"kind: database\nconnection: {url}\ndatasets:\n  {table}: {{table: {table}}}\n",
    )
    return project


def warehouse(folder: Path, source: Path, url: str) -> Path:
    """A table of the lake, and a warehouse at *url* that serves it."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: serve\n")
    _write(
        project / "sources" / "files.yaml",
        f'kind: files\npath: "{source.parent}"\ndatasets:\n  sales: {{files: "{source.name}"}}\n',
    )
    _write(project / "datasets" / "processed" / "sales.yaml", "from: raw.sales\nwrite: {mode: replace}\n")
    _write(project / "warehouses" / "bi.yaml", f"connection: {url}\ntables: {{sales: processed.sales}}\n")
    return project


def wide(folder: Path, datasets: int, *, sources: int) -> Path:
    """*datasets* datasets over *sources* small CSV files, half steps, half SQL, in layers of dependencies."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: wide\n")
    for n in range(sources):
        rows = "".join(f"{i},{i % 7},{i * 1.5}\n" for i in range(20))
        _write(project / "landing" / f"s{n:03}.csv", "id,kind,amount\n" + rows)
    raw = "".join(f"  s{n:03}:\n    files: s{n:03}.csv\n" for n in range(sources))
    _write(project / "sources" / "files.yaml", f"kind: files\npath: landing\ndatasets:\n{raw}")
    columns = (
        "columns:\n  id: {type: bigint, required: true}\n  kind: {type: integer, min: 0}\n"
        '  amount: {type: "decimal(12,2)", min: 0}\n'
    )
    processed = [f"p{n:03}" for n in range(datasets // 2)]
    for n, name in enumerate(processed):
        _write(
            project / "datasets" / "processed" / f"{name}.yaml",
            f"from: raw.s{n % sources:03}\nsteps:\n  - standardize_names\n"
            f"{columns}write: {{mode: merge, keys: [id]}}\n",
        )
    for n in range(datasets - len(processed)):
        # Each reads two processed datasets and, but for the first ones, a curated one before it.
        left, right = processed[n % len(processed)], processed[(n * 7 + 3) % len(processed)]
        before = f"\nleft join curated.c{n // 2:03} as earlier on earlier.kind = a.kind" if n > 1 else ""
        _write(
            project / "datasets" / "curated" / f"c{n:03}.sql",
            f"select a.kind, count(*) as rows, sum(a.amount + b.amount) as total\nfrom processed.{left} as a\n"
            f"join processed.{right} as b on b.id = a.id{before}\ngroup by a.kind\n",
        )
        _write(project / "datasets" / "curated" / f"c{n:03}.yaml", "write: {mode: replace}\n")
    return project


TPCH = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


def tpch(folder: Path, source: Path) -> Path:
    """The eight TPC-H tables, taken from Parquet as they are."""
    project = fresh(folder)
    _write(project / "lakewright.yaml", "name: tpch\n")
    raw = "".join(f"  {name}:\n    files: {name}.parquet\n" for name in TPCH)
    _write(project / "sources" / "files.yaml", f'kind: files\npath: "{source}"\ndatasets:\n{raw}')
    for name in TPCH:
        _write(
            project / "datasets" / "processed" / f"{name}.yaml",
            f"from: raw.{name}\nwrite: {{mode: replace}}\n",
        )
    return project


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
