"""What would be built and why, as data: the same values that ``plan`` shows and a run carries out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lakewright.plan.graph import Graph, Node, inferred_into
from lakewright.spec.dataset import Dataset
from lakewright.spec.project import Project
from lakewright.spec.steps import Aggregate
from lakewright.sql.partition import parse_partition

__all__ = [
    "Batch",
    "DatasetState",
    "Estimate",
    "Found",
    "Mode",
    "Position",
    "Request",
    "TaskPlan",
    "UpstreamState",
    "Work",
    "WriteMode",
    "backfill_column",
    "decide",
    "decide_publish",
    "plan_tasks",
    "write_mode",
]

#: ``take`` new files into raw; make the table anew (``full``); apply what is new by the dataset's
#: write mode (``incremental``); build a range of dates again (``backfill``); make up for what a run
#: that died left undone after its commit (``settle``).
Mode = Literal["take", "full", "incremental", "backfill", "settle"]

Kind = Literal["ingest", "build", "publish"]

WriteMode = Literal["append", "overwrite", "merge", "scd2", "replace"]

Scalar = str | int | float


@dataclass(frozen=True, slots=True)
class Position:
    """How far a dataset has read one upstream: its last batch, and the last value of a cursor column."""

    batch: int = 0
    cursor: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much would be read. None: not known without reading."""

    rows: int | None = 0
    files: int | None = 0
    bytes: int | None = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            _add(self.rows, other.rows), _add(self.files, other.files), _add(self.bytes, other.bytes)
        )


_UNKNOWN = Estimate(None, None, None)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of an upstream: what it added."""

    number: int
    rows: int | None = None
    files: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """What a raw dataset or a table holds now.

    ``position`` is its last batch, 0 when it never had one. ``rows``, ``files`` and ``bytes`` are
    totals. ``batches`` lists single batches where they are known, so that what is new can be told.
    ``rebuilt`` is the last batch that replaced all that was there (a rebuild or a restore): whoever
    read an earlier one has to read the whole again. ``expired`` counts files of it that were deleted because
    of their age: whoever reads the whole does not get their rows any more.
    """

    position: int = 0
    rows: int | None = None
    files: int | None = None
    bytes: int | None = None
    batches: tuple[Batch, ...] = ()
    rebuilt: int = 0
    expired: int = 0

    def beyond(self, batch: int) -> Estimate:
        """What the batches after *batch* hold together."""
        if batch <= 0:
            return Estimate(self.rows, self.files, self.bytes)
        new = [one for one in self.batches if one.number > batch]
        if len(new) < self.position - batch:
            return _UNKNOWN
        return sum((Estimate(one.rows, one.files, one.bytes) for one in new), Estimate())


@dataclass(frozen=True, slots=True)
class DatasetState:
    """The last build of a dataset: its batch, how far it had read each upstream, and its definition then."""

    batch: int
    positions: Mapping[str, Position] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a source showed: files not yet taken, changed since, and gone.

    A source that is not made of files gives the ``reason`` to ask it, and ``rows`` where it has an idea how many.
    """

    new: int = 0
    changed: int = 0
    missing: int = 0
    bytes: int | None = None
    reason: str = ""
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for beyond "what is new". ``backfill`` is a range of ISO dates, both ends included.

    ``accept_gaps``: tables are made anew even though files of their raw datasets are expired.
    """

    full_refresh: bool = False
    backfill: tuple[str, str] | None = None
    accept_gaps: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What a task is to do. ``since`` says, by upstream, what was read before; empty: everything.

    A backfill reads again what was read before, up to ``since``, and leaves what is new to the next run.
    ``again``: the dataset was built before, so that rows of files that are gone by now would be lost;
    ``accept_gaps``: that was accepted.
    """

    mode: Mode
    since: Mapping[str, Position] = field(default_factory=dict)
    backfill: tuple[str, str] | None = None
    again: bool = False
    accept_gaps: bool = False


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task of a run.

    ``upstream`` are the tasks of the same run that must end well before it, ``after`` those that
    must only have ended. ``blocked`` marks a skipped task that cannot be built, rather than need not.
    """

    id: str
    kind: Kind
    action: Literal["build", "skip"]
    reason: str
    work: Work
    upstream: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    estimate: Estimate = Estimate()
    fingerprint: str = ""
    blocked: bool = False


def write_mode(dataset: Dataset) -> WriteMode:
    """Return how *dataset*'s rows reach its table: as its file says, or what fits what it is made of.

    Queries, Python and aggregates say what the whole table is: ``replace``. Rows that pass through
    steps are merged where there are keys, else appended.
    """
    file = dataset.file
    if file.write.mode is not None:
        return file.write.mode
    if file.from_ is None or any(isinstance(step, Aggregate) for step in file.steps):
        return "replace"
    keyed = bool(file.write.keys) or any(column.key for column in file.columns.values())
    return "merge" if keyed else "append"


def backfill_column(dataset: Dataset) -> str | None:
    """Return the column that holds the date of a row, by which a range can be built again; None without one.

    A history (scd2) has none: it finds the place of every change by itself. Nor has a dimension, whose
    members stay.
    """
    if write_mode(dataset) == "scd2" or dataset.file.dimension is not None:
        return None
    parts = [parse_partition(text) for text in dataset.file.write.partition_by]
    dated = [one.column for one in parts if one.transform in ("year", "month", "day", "hour")]
    return dated[0] if dated else dataset.file.incremental.column


def decide(
    node: Node,
    dataset: Dataset,
    *,
    fingerprint: str,
    built: DatasetState | None,
    upstreams: Mapping[str, UpstreamState],
    request: Request = Request(),
) -> TaskPlan:
    """Return what is to be done for one dataset of a table zone, and why.

    *built* is its last build (None when there was none), *upstreams* the state of each dataset it
    reads. Pure: the same values give the same answer, before a run and in it.
    """
    states = {id: upstreams.get(id, UpstreamState()) for id in node.reads}

    def plan(reason: str, mode: Mode, estimate: Estimate | None = None) -> TaskPlan:
        since = dict(built.positions) if built and mode in ("incremental", "backfill") else {}
        whole = sum((one.beyond(0) for one in states.values()), Estimate())
        backfill = request.backfill if mode == "backfill" else None
        work = Work(mode, since, backfill, again=built is not None, accept_gaps=request.accept_gaps)
        return TaskPlan(
            node.id,
            "build",
            "build",
            reason if mode == "incremental" else "; ".join([reason, *_gaps(states, work)]),
            work,
            estimate=whole if estimate is None else estimate,
            fingerprint=fingerprint,
        )

    for id, state in states.items():
        if state.position == 0:
            lacking = "has no files yet" if id.startswith("raw.") else "was never built"
            skipped = TaskPlan(
                node.id, "build", "skip", f"{id} {lacking}", Work("full"), fingerprint=fingerprint
            )
            return replace(skipped, blocked=True)
    if request.full_refresh:
        return plan("full refresh asked", "full")
    if built is None:
        return plan("first build", "full")
    if request.backfill and backfill_column(dataset) is not None:
        return plan(f"backfill {request.backfill[0]}..{request.backfill[1]}", "backfill")
    # a query that appends or keeps history cannot be replayed: making its table anew would lose what it holds
    keeps = dataset.file.from_ is None and write_mode(dataset) != "replace"
    if built.fingerprint != fingerprint:
        return plan("definition changed", "incremental" if keeps else "full")
    anew = [
        text for id, state in states.items() if (text := _needs_whole(id, state, built.positions.get(id)))
    ]
    if anew:
        return plan("; ".join(anew), "incremental" if keeps else "full")
    new = {id: seen for id, state in states.items() if state.position > (seen := built.positions[id].batch)}
    if not new:
        work = Work("incremental", dict(built.positions))
        return TaskPlan(node.id, "build", "skip", "nothing new", work, fingerprint=fingerprint)
    reason = "; ".join(_whats_new(id, states[id], seen) for id, seen in new.items())
    if write_mode(dataset) == "replace":
        return plan(reason, "full")
    if dataset.file.from_ is None or not dataset.file.incremental.enabled:
        return plan(reason, "incremental")  # reads all, and applies it to what is there
    return plan(reason, "incremental", sum((states[id].beyond(seen) for id, seen in new.items()), Estimate()))


def decide_publish(
    node: Node,
    *,
    fingerprint: str,
    built: DatasetState | None,
    upstreams: Mapping[str, UpstreamState],
    request: Request = Request(),
) -> TaskPlan:
    """Return what is to be done for a warehouse, and why; *built* is its last load. Pure, as :func:`decide`."""
    states = {id: upstreams.get(id, UpstreamState()) for id in node.reads}
    whole = sum((one.beyond(0) for one in states.values()), Estimate())

    def plan(reason: str, mode: Mode, estimate: Estimate = whole) -> TaskPlan:
        since = dict(built.positions) if built and mode == "incremental" else {}
        work = Work(mode, since)
        return TaskPlan(node.id, "publish", "build", reason, work, estimate=estimate, fingerprint=fingerprint)

    for id, state in states.items():
        if state.position == 0:
            skipped = TaskPlan(
                node.id,
                "publish",
                "skip",
                f"{id} was never built",
                Work("full"),
                fingerprint=fingerprint,
                blocked=True,
            )
            return skipped
    if request.full_refresh:
        return plan("full refresh asked", "full")
    if built is None:
        return plan("first load", "full")
    if built.fingerprint != fingerprint:
        return plan("definition changed", "full")
    new = {
        id: position.batch
        for id, state in states.items()
        if (position := built.positions.get(id, Position())).batch != state.position
    }
    if not new:
        work = Work("incremental", dict(built.positions))
        return TaskPlan(node.id, "publish", "skip", "nothing new", work, fingerprint=fingerprint)
    reason = "; ".join(_whats_new(id, states[id], seen) for id, seen in new.items())
    return plan(reason, "incremental", sum((states[id].beyond(seen) for id, seen in new.items()), Estimate()))


def plan_tasks(
    graph: Graph,
    project: Project,
    selected: Collection[str],
    *,
    fingerprints: Mapping[str, str],
    built: Mapping[str, DatasetState],
    upstreams: Mapping[str, UpstreamState],
    found: Mapping[str, Found],
    request: Request = Request(),
) -> tuple[TaskPlan, ...]:
    """Return a task for each of *selected*, in an order in which they can run.

    *fingerprints* and *built* by dataset, *upstreams* by raw dataset and table, *found* by raw
    dataset (left out: nobody looked yet, so taking is planned). A dataset whose upstream is going to
    be built in the same run is planned to be built after it.
    """
    needs, after = graph.links(selected)
    states = dict(upstreams)
    coming: dict[str, TaskPlan] = {}
    members: dict[str, str] = {}
    plans: list[TaskPlan] = []
    for id in graph.order(selected):
        node = graph.nodes[id]
        if node.kind == "raw":
            task = _ingest(id, states.get(id, UpstreamState()), found.get(id))
        elif node.kind == "warehouse":
            task = decide_publish(
                node, fingerprint=fingerprints[id], built=built.get(id), upstreams=states, request=request
            )
            task = _foretold(task, node, coming, built.get(id), request)
        else:
            task = decide(
                node,
                project.datasets[id],
                fingerprint=fingerprints[id],
                built=built.get(id),
                upstreams=states,
                request=request,
            )
            task = _foretold(task, node, coming, built.get(id), request)
        grown = next((one for one in node.reads if one in members), None)
        if grown and task.action == "skip" and not task.blocked:
            reason = f"members that {members[grown]} adds to {grown}, if any"
            task = replace(task, action="build", reason=reason)
        if task.action == "build":
            coming[id] = task
            states[id] = _after(states.get(id, UpstreamState()), task)
            if node.kind == "table":
                members |= dict.fromkeys(inferred_into(project, project.datasets[id]), id)
        task = replace(task, upstream=graph.order(needs[id]), after=graph.order(after[id]))
        plans.append(_with_way_out(task, node, selected, coming))
    return tuple(plans)


def _ingest(id: str, state: UpstreamState, found: Found | None) -> TaskPlan:
    def plan(action: Literal["build", "skip"], reason: str, estimate: Estimate) -> TaskPlan:
        return TaskPlan(id, "ingest", action, reason, Work("take"), estimate=estimate)

    if found is None:
        return plan("build", "look for new files", _UNKNOWN)
    if found.reason:
        return plan("build", found.reason, Estimate(found.rows, None, found.bytes))
    missing = [f"{_count(found.missing, 'file')} gone"] if found.missing else []
    if found.new or found.changed:
        parts = [f"{found.new} new"] if found.new else []
        parts += [f"{found.changed} changed"] if found.changed else []
        word = "file" if found.new + found.changed == 1 else "files"
        reason = ", ".join([f"{' and '.join(parts)} {word}", *missing])
        return plan("build", reason, Estimate(None, found.new + found.changed, found.bytes))
    none = "nothing new" if state.position else "no files yet"
    return plan("skip", ", ".join([none, *missing]), Estimate())


def _after(state: UpstreamState, task: TaskPlan) -> UpstreamState:
    """What the dataset is going to hold once *task* is done, as far as it can be told."""
    position = state.position + 1
    added = task.estimate
    batches = (*state.batches, Batch(position, added.rows, added.files, added.bytes))
    if task.work.mode == "full":
        return UpstreamState(position, added.rows, None, None, batches, rebuilt=position)
    total = Estimate(state.rows or 0, state.files or 0, state.bytes or 0) + added
    return UpstreamState(position, total.rows, total.files, total.bytes, batches, state.rebuilt)


def _foretold(
    task: TaskPlan, node: Node, coming: Mapping[str, TaskPlan], built: DatasetState | None, request: Request
) -> TaskPlan:
    """Say what is going to happen, where *task* is due to a task of the same run, not to a batch that is there."""
    causes = [coming[id] for id in node.reads if id in coming]
    plain = built is not None and task.action == "build" and not request.full_refresh and not request.backfill
    if not causes or not plain or task.reason == "definition changed":
        return task
    return replace(task, reason="; ".join(_cause(one) for one in causes))


def _cause(task: TaskPlan) -> str:
    if task.kind == "build":
        return f"{task.id} is built"
    files = task.estimate.files
    if files:
        return f"new: {_count(files, 'file')} in {task.id}"
    return f"what is new in {task.id}, if anything"


def _with_way_out(
    task: TaskPlan, node: Node, selected: Collection[str], coming: Mapping[str, TaskPlan]
) -> TaskPlan:
    left_out = [id for id in node.upstream if id not in selected and id not in coming]
    if task.blocked and left_out:
        return replace(task, reason=f"{task.reason}: select +{task.id}")
    return task


def _gaps(states: Mapping[str, UpstreamState], work: Work) -> list[str]:
    """Say which upstreams lack files that an earlier build had."""
    if not work.again:
        how = "not in it"
    else:
        how = (
            "which --accept-gaps accepts" if work.accept_gaps else "so it would lose rows: see --accept-gaps"
        )
    return [
        f"{_count(one.expired, 'file')} of {id} expired, {how}" for id, one in states.items() if one.expired
    ]


def _needs_whole(id: str, state: UpstreamState, seen: Position | None) -> str:
    if seen is None:
        return f"reads {id} from now on"
    if state.position < seen.batch:
        return f"{id} went back to batch {state.position}, seen {seen.batch}"
    if state.rebuilt > seen.batch:
        return f"upstream {id} was rebuilt in batch {state.rebuilt}, seen {seen.batch}"
    return ""


def _whats_new(id: str, state: UpstreamState, seen: int) -> str:
    files = state.beyond(seen).files
    if id.startswith("raw.") and files:
        return f"new: {_count(files, 'file')} in {id}"
    return f"upstream {id} has batch {state.position}, seen {seen}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
