"""Audit of a published table: 20 checks and the key's uniqueness, against a scan with uniqueness only."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lakewright.app.platform import Platform
from lakewright.sql.checks import audit_query, compile_checks
from lakewright.sql.dialect import render
from lakewright.sql.names import table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rules import ALLOWED, KEY, MAXIMUM, MINIMUM, PATTERN, REQUIRED

project, rounds = Path(sys.argv[1]), int(sys.argv[2])
with Platform.open(project) as platform:
    services = platform.services
    dataset = platform.project.datasets["processed.sales"]
    contract = dict(dataset.file.columns)
    contract[KEY] = msgspec.structs.replace(contract[KEY], unique=True)
    dataset = msgspec.structs.replace(dataset, file=msgspec.structs.replace(dataset.file, columns=contract))
    cursor = services.session.cursor()
    columns = services.lake.columns(cursor, dataset.id)
    assert columns is not None
    relation = table(dataset.id)
    names = list(dict.fromkeys([*REQUIRED, *MINIMUM, *MAXIMUM, *ALLOWED, *PATTERN]))
    # Every column is decoded, and the key counted exactly, the quickest way that DuckDB has.
    scan = (
        f"select (select count(*) from (select {KEY} from {render(relation)} group by {KEY} having count(*) > 1)), "
        f"{', '.join(f'max({name})' for name in names)} from {render(relation)}"
    )
    audits, scans, found = [], [], None
    for _ in range(rounds):
        began = time.perf_counter()
        cursor.execute(scan).fetchall()
        scans.append(time.perf_counter() - began)
        began = time.perf_counter()
        checks = compile_checks(dataset, columns, on_violation="quarantine", now=datetime.now(UTC))
        found = cursor.execute(
            render(audit_query(checks, relation, staged=False, columns=columns))
        ).fetchall()
        audits.append(time.perf_counter() - began)
    print(
        json.dumps(
            {
                "seconds": sorted(audits)[rounds // 2],
                "scan": sorted(scans)[rounds // 2],
                "checks": len(checks),
                "rows": found[0][0] if found else 0,
            }
        )
    )
