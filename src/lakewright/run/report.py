"""The HTML report of a run: written beside the state, one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from lakewright.quality.report import html
from lakewright.quality.report_model import DatasetReport, RunReport
from lakewright.quality.results import load, trend
from lakewright.run.outcome import RunResult, TaskResult
from lakewright.run.record import load_findings
from lakewright.run.services import Services

__all__ = ["report_file", "write_report"]


def report_file(root: Path, run_id: str) -> Path:
    """Return where the report of a run lies."""
    return root / ".lakewright" / "reports" / f"{run_id}.html"


def write_report(services: Services, result: RunResult) -> str:
    """Write the report of a run that has ended; return its path, empty when no dataset was built."""
    project = services.project
    audits = {one.dataset: one for one in load(services.state, result.id)}
    findings = load_findings(services.state, result.id)
    datasets = []
    for id, task in result.tasks.items():
        spec = project.datasets.get(id)
        if spec is None or (id not in audits and task.status != "failed"):
            continue
        found = findings.get(id)
        datasets.append(
            DatasetReport(
                id,
                audit=audits.get(id),
                trend=trend(services.state, id),
                profile=found.profile if found else None,
                sample=found.sample if found else None,
                anomalies=found.anomalies if found else (),
                flow=found.flow if found else (),
                pii=[name for name, rules in spec.file.columns.items() if rules.pii],
                description=spec.file.description,
                owner=spec.file.owner or project.file.defaults.owner,
                error=_error(task),
            )
        )
    if not datasets:
        return ""
    page = html(
        RunReport(
            project=project.file.name,
            run_id=result.id,
            started=result.started,
            finished=result.ended,
            status=result.status,
            target=project.target,
            datasets=tuple(datasets),
        )
    )
    path = report_file(services.root, result.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(page, "utf-8")
    part.replace(path)
    return str(path)


def _error(task: TaskResult) -> str:
    # what the gate says is in the audit already
    return task.message if task.status == "failed" and task.code != "LW505" else ""
