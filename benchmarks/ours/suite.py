"""An imported suite of Great Expectations over a published table: read, compiled and run in one pass."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lakewright.app.platform import Platform
from lakewright.project.suites import read_suite
from lakewright.quality.score import results
from lakewright.sql.checks import audit_query, compile_checks
from lakewright.sql.dialect import render
from lakewright.sql.names import table

project, suite, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Platform.open(project) as platform:
    services = platform.services
    dataset = platform.project.datasets["processed.sales"]
    cursor = services.session.cursor()
    columns = services.lake.columns(cursor, dataset.id)
    assert columns is not None
    visible = {name: kind for name, kind in columns.items() if not name.startswith("_")}
    times, found, said = [], (), []
    for _ in range(rounds):
        began = time.perf_counter()
        read = read_suite(suite.read_bytes(), suite.name)
        assert not read.notes, read.notes
        file = msgspec.structs.replace(dataset.file, columns={}, expect=tuple(read.expectations))
        spec = msgspec.structs.replace(dataset, file=file)
        checks = compile_checks(spec, visible, on_violation="quarantine", now=datetime.now(UTC))
        result = cursor.execute(render(audit_query(checks, table(dataset.id), staged=False, columns=visible)))
        names = [one[0] for one in result.description]
        said = list(results(checks, dict(zip(names, result.fetchone() or (), strict=True))))
        times.append(time.perf_counter() - began)
    print(
        json.dumps(
            {
                "seconds": sorted(times)[rounds // 2],
                "expectations": len(said),
                "successful": sum(one.passed for one in said),
                "rows": said[0].evaluated,
            }
        )
    )
