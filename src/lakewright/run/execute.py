"""From a plan to tasks that the runner can run: take files into raw, build datasets, load warehouses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakewright.plan.graph import Graph
from lakewright.plan.tasks import Request, TaskPlan, decide, decide_publish
from lakewright.run.build import Built, build, dataset_state
from lakewright.run.ingest import ingest
from lakewright.run.loads import load_warehouse, loaded_states
from lakewright.run.outcome import TaskOutcome
from lakewright.run.publish import OvertakenError
from lakewright.run.retry import RetryPolicy
from lakewright.run.runner import Task, Work
from lakewright.run.settle import told_batches
from lakewright.run.states import upstream_states
from lakewright.run.tell import tell_again, tell_built, tell_event, tell_failed, tell_ingested
from lakewright.spec.durations import parse_duration

if TYPE_CHECKING:
    from lakewright.run.context import TaskContext
    from lakewright.run.services import Services

__all__ = ["tasks_of"]


def tasks_of(
    services: Services, graph: Graph, plans: tuple[TaskPlan, ...], request: Request
) -> dict[str, Task]:
    """Return a runnable task for each of *plans* that has something to do, by id."""
    found: dict[str, Task] = {}
    for plan in plans:
        if plan.action == "skip":
            continue
        work: Work
        if plan.kind == "ingest":
            work = _Take(services, plan.id)
        elif plan.kind == "publish":
            work = _Publish(services, graph, plan, request)
        else:
            work = _Build(services, graph, plan, request)
        found[plan.id] = Task(
            work, retry=_retry(services, plan.id), timeout=_timeout(services, plan.id), plan=plan.reason
        )
    return found


@dataclass(frozen=True)
class _Take:
    services: Services
    id: str

    def __call__(self, context: TaskContext) -> TaskOutcome:
        tell_event(self.services, "START", self.id, context.run)
        try:
            taken = ingest(self.services, self.id, context)
        except Exception as error:
            tell_failed(self.services, self.id, context.run, error)
            raise
        if taken.files or told_batches(self.services).get(self.id) != taken.batch:
            tell_ingested(self.services, self.id, taken, context.run)
        else:
            tell_event(self.services, "COMPLETE", self.id, context.run)
        if not taken.files and not taken.settled:
            return TaskOutcome("unchanged", reason=taken.summary)
        rejected = taken.rejected + taken.settled
        return TaskOutcome(
            "built",
            rows=taken.rows,
            quarantined=rejected,
            bytes=taken.bytes,
            reason=taken.summary,
            details={
                "read": taken.rows + rejected,
                "files": taken.files,
                "removed": 0,
                "notes": list(taken.notes),
            },
        )


@dataclass(frozen=True)
class _Build:
    services: Services
    graph: Graph
    plan: TaskPlan
    request: Request

    def __call__(self, context: TaskContext) -> TaskOutcome:
        while True:
            try:
                with self.services.turn(context):
                    return self._once(context)
            except OvertakenError as error:
                # what another process published is read anew, and whatever is left is built on it
                context.log.warning(error.problem.message)
                context.check()

    def _once(self, context: TaskContext) -> TaskOutcome:
        # What the plan foretold may have turned out otherwise: the upstream brought nothing, or more.
        node = self.graph.nodes[self.plan.id]
        dataset = self.services.project.datasets[self.plan.id]
        # The lease is ours from here on; another process may have built the dataset before it was.
        self.services.refresh()
        last = self.services.seen(dataset.id)
        if last is not None and told_batches(self.services).get(dataset.id) != last.batch:
            # whoever published it died before it could tell
            tell_again(self.services, dataset, node.reads, last)
        plan = decide(
            node,
            dataset,
            fingerprint=self.plan.fingerprint,
            built=dataset_state(last),
            upstreams=upstream_states(self.services),
            request=self.request,
        )
        if plan.action == "skip":
            return TaskOutcome("skipped" if plan.blocked else "unchanged", reason=plan.reason)
        tell_event(self.services, "START", dataset.id, context.run)
        try:
            built = build(self.services, dataset, node.reads, plan, context)
        except OvertakenError:
            raise
        except Exception as error:
            tell_failed(self.services, dataset.id, context.run, error)
            raise
        tell_built(self.services, dataset, node.reads, built, context.run)
        for one in built.touched:
            other = self.services.project.datasets[one.dataset]
            tell_again(self.services, other, self.graph.nodes[one.dataset].reads, one)
        return _outcome(built, plan)


@dataclass(frozen=True)
class _Publish:
    services: Services
    graph: Graph
    plan: TaskPlan
    request: Request

    def __call__(self, context: TaskContext) -> TaskOutcome:
        with self.services.turn(context):
            self.services.refresh()
            plan = decide_publish(
                self.graph.nodes[self.plan.id],
                fingerprint=self.plan.fingerprint,
                built=loaded_states(self.services.state).get(self.plan.id),
                upstreams=upstream_states(self.services),
                request=self.request,
            )
            if plan.action == "skip":
                return TaskOutcome("skipped" if plan.blocked else "unchanged", reason=plan.reason)
            loaded = load_warehouse(self.services, plan, context)
        details = {"notes": list(loaded.notes), "tables": dict(loaded.rows)}
        return TaskOutcome("built", rows=sum(loaded.rows.values()), reason=plan.reason, details=details)


def _outcome(built: Built, plan: TaskPlan) -> TaskOutcome:
    return TaskOutcome(
        "built",
        rows=built.rows,
        quarantined=built.quarantined,
        score=built.verdict.score,
        reason=plan.reason,
        details={
            "batch": built.batch,
            "mode": built.mode,
            "read": built.read,
            "removed": built.removed,
            "notes": list(built.notes),
        },
    )


def _retry(services: Services, id: str) -> RetryPolicy:
    dataset = services.project.datasets.get(id)
    own = dataset.file.retry if dataset else None
    return RetryPolicy.of(own or services.project.file.defaults.retry)


def _timeout(services: Services, id: str) -> float | None:
    dataset = services.project.datasets.get(id)
    text = (dataset.file.timeout if dataset else None) or services.project.file.defaults.timeout
    return parse_duration(text).total_seconds() if text else None
