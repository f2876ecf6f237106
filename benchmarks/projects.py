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
