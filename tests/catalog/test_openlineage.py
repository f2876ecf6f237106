"""Lineage events: valid against the published schemas, and delivered whatever happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from lakewright.catalog.entries import ColumnEntry, Entry
from lakewright.catalog.facets import VERSIONS
from lakewright.catalog.openlineage import (
    Event,
    Input,
    Job,
    Kind,
    Output,
    Parent,
    input_of,
    job_of,
    output_of,
    run_event,
    run_uuid,
)
from lakewright.catalog.outbox import Outbox, pending
from lakewright.errors import Problem
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.project import Defaults, Project, ProjectFile
from lakewright.spec.project import Lineage as Settings
from lakewright.spec.sources import FileDataset, FileSource
from lakewright.sql.lineage import Lineage, Origin
from lakewright.state import State

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass
class Result:
    check_id: str = "qty.min"
    kind: str = "min"
    columns: tuple[str, ...] = ("qty",)
    severity: str = "quarantine"
    sentence: str = "qty must be at least 1"
    violations: int = 3
    observed: str = "97.00 %"
    passed: bool = False


@dataclass
class Column:
    name: str = "qty"
    rows: int = 100
    nulls: int = 2
    distinct: int = 17
    quantiles: dict[str, float] = field(default_factory=lambda: {"0.5": 3.0, "0.95": float("inf")})


def full(kind: Kind = "COMPLETE", **more: Any) -> Event:
    job = Job(
        "shop", "processed.orders", "BUILD", "Clean orders.", "sales-data", ("tier:1", "daily"), "select 1"
    )
    lineage = Lineage(
        {"id": (Origin("raw.orders", "ID"),), "qty": (Origin("raw.orders", "Qty", "TRANSFORMATION", True),
                                                      Origin("raw.orders", "Qty", "CONDITIONAL")), "n": ()},
        (Origin("raw.orders", "ID", "FILTER"),),
    )  # fmt: skip
    output = Output(
        "processed.orders", columns={"id": "BIGINT", "qty": "INTEGER", "n": ""}, descriptions={"id": "The key."},
        description="One row per order.", owner="sales-data", tags=("gold",), column_tags={"id": ("pii:id",)},
        uri="file:///lake/processed/orders", version="7", storage="ducklake", lineage=lineage, rows=97, bytes=1234,
        files=2, checks=(Result(), Result("rows", "row_count", (), "warn", passed=True)), profile=(Column(),),
        profiled_rows=100,
    )  # fmt: skip
    source = Input("raw.orders", columns={"ID": "VARCHAR"}, uri="s3://bucket/raw/orders", version="3", kind="FILE",
                   rows=100, bytes=99, files=1)  # fmt: skip
    return run_event(
        kind, at=AT, run_id=run_uuid("run-1", "processed.orders"), job=job, inputs=(source,), outputs=(output,),
        parent=Parent("shop", "run", run_uuid("run-1")), nominal=AT, engine=("duckdb", "1.5.5"), **more,
    )  # fmt: skip


@pytest.fixture(scope="session")
def validate(shared_data: Path) -> Callable[[Mapping[str, Any]], None]:
    """Check an event against the event schema and each of its facets against the facet's own."""
    folder = shared_data / "openlineage"
    documents = [
        json.loads(path.read_text()) for path in (folder / "OpenLineage.json", *folder.glob("facets/*.json"))
    ]
    registry: Registry[Any] = Registry().with_resources(
        (one["$id"], Resource.from_contents(one)) for one in documents
    )
    by_id = {one["$id"]: one for one in documents}

    def check(schema: Mapping[str, Any], value: object) -> None:
        validator = Draft202012Validator(schema, registry=registry, format_checker=FormatChecker())
        errors = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]
        assert errors == []

    def event(value: Mapping[str, Any]) -> None:
        value = json.loads(json.dumps(value, allow_nan=False))
        check({"$ref": value["schemaURL"]}, value)
        assert value["schemaURL"].partition("#")[0] == documents[0]["$id"]
        places = [value["run"], value["job"], *value["inputs"], *value["outputs"]]
        for place in places:
            for group in ("facets", "inputFacets", "outputFacets"):
                for key, facet in place.get(group, {}).items():
                    url = facet["_schemaURL"]
                    assert key in by_id[url.partition("#")[0]]["properties"], key
                    check({"$ref": url}, facet)
                    check(by_id[url.partition("#")[0]], {key: facet})

    return event


def test_events_are_valid(validate: Callable[[Event], None]) -> None:
    validate(full())
    validate(full("FAIL", error="LW505 processed.orders: 80 % of the rows are good"))
    validate(full("ABORT"))
    bare = Job("shop", "run", "RUN")
    validate(run_event("START", at=AT, run_id=run_uuid("x"), job=bare))
    validate(
        run_event(
            "START", at=AT, run_id=run_uuid("x"), job=bare, inputs=(Input("a"),), outputs=(Output("b"),)
        )
    )


def test_the_versions_are_the_published_ones(shared_data: Path) -> None:
    for name, version in VERSIONS.items():
        document = json.loads((shared_data / "openlineage" / "facets" / f"{name}.json").read_text())
        assert document["$id"] == f"https://openlineage.io/spec/facets/{version}/{name}.json"


def test_the_validator_finds_mistakes(validate: Callable[[Event], None]) -> None:
    wrong = full()
    del wrong["outputs"][0]["facets"]["columnLineage"]["fields"]
    with pytest.raises(AssertionError):
        validate(wrong)


def test_what_an_event_says() -> None:
    event = full()
    assert event["eventTime"] == "2026-01-02T03:04:05.678Z"
    output = event["outputs"][0]
    fields = output["facets"]["columnLineage"]["fields"]
    assert fields["id"]["inputFields"] == [
        {"namespace": "shop", "name": "raw.orders", "field": "ID",
         "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "masking": False}]},
    ]  # fmt: skip
    assert [(t["type"], t["subtype"], t["masking"]) for t in fields["qty"]["inputFields"][0]["transformations"]] == [
        ("DIRECT", "TRANSFORMATION", True), ("INDIRECT", "CONDITIONAL", False),
    ]  # fmt: skip
    assert output["facets"]["columnLineage"]["dataset"][0]["transformations"][0]["subtype"] == "FILTER"
    assert output["facets"]["dataQualityMetrics"]["columnMetrics"]["qty"]["quantiles"] == {"0.5": 3.0}
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 97
    assert [one["severity"] for one in output["facets"]["dataQualityAssertions"]["assertions"]] == [
        "error",
        "warn",
    ]


def test_an_entry_becomes_an_input_or_an_output(validate: Callable[[Event], None]) -> None:
    columns = (
        ColumnEntry("id", "BIGINT", "The key."),
        ColumnEntry("mail", "VARCHAR", pii="email", tags=("contact",)),
    )
    entry = Entry(
        "processed.orders",
        "table",
        "Orders.",
        "sales",
        ("gold",),
        columns,
        location="/lake/o",
        format="ducklake",
    )
    output = output_of(entry, version="7", rows=5, checks=(Result(),))
    assert output.column_tags == {"mail": ("contact", "pii:email")}
    assert (output.uri, output.storage, output.kind) == ("file:///lake/o", "ducklake", "TABLE")
    read = input_of(Entry("raw.orders", "raw", location="s3://lake/raw"), rows=6)
    assert (read.uri, read.kind, read.rows) == ("s3://lake/raw", "FILE", 6)
    validate(
        run_event(
            "COMPLETE", at=AT, run_id=run_uuid("x"), job=Job("shop", "a"), inputs=(read,), outputs=(output,)
        )
    )


def test_jobs_come_from_the_project() -> None:
    file = DatasetFile(description="Words.", tags=("t",))
    one = Dataset(zone="curated", name="a", file=file, path="a.yaml", sql="select 1")
    source = FileSource(path="data", datasets={"o": FileDataset(files="o.csv")})
    project = Project(
        root="/p", target="dev", file=ProjectFile(name="shop", defaults=Defaults(owner="team")),
        sources={"s": source}, source_paths={}, datasets={"curated.a": one},
    )  # fmt: skip
    assert job_of(project, "curated.a") == Job(
        "shop", "curated.a", "BUILD", "Words.", "team", ("t",), "select 1"
    )
    assert job_of(project, "raw.o") == Job("shop", "raw.o", "INGEST")


def test_runs_keep_their_names() -> None:
    assert run_uuid("a", "t") == run_uuid("a", "t") != run_uuid("a", "u") != run_uuid("b", "u")
    own = "0191e0b4-5a4e-7c3a-9d7e-0123456789ab"
    assert run_uuid(own) == own != run_uuid(own, "task")


# --- delivery


class Server:
    """An OpenLineage server on a free port that answers as told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 201
                outer.paths.append(self.path)
                outer.headers.append(dict(self.headers))
                if status < 300:
                    outer.bodies.append(json.loads(body))
                self.send_response(status)
                self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State("sqlite:state.db", tmp_path)
    yield state
    state.close()


class Harness:
    def __init__(self, root: Path, state: State | None) -> None:
        self.root, self.state = root, state
        self.told: list[Problem] = []

    def __call__(self, **settings: Any) -> Outbox:
        return Outbox(
            Settings(**settings), root=self.root, state=self.state, warn=self.told.append, timeout=2.0, wait=0.01,
            resolve=lambda text: text.replace("${secret:KEY}", "s3cr3t-key"),
        )  # fmt: skip


@pytest.fixture
def outbox(tmp_path: Path, state: State) -> Harness:
    return Harness(tmp_path, state)


def test_to_a_file(outbox: Harness, tmp_path: Path) -> None:
    box = outbox(file="out/events.ndjson")

    def write(n: int) -> None:
        for _ in range(20):
            box.emit({"n": n, "text": "ä\n" * 50})

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    box.close()
    lines = (tmp_path / "out/events.ndjson").read_text().splitlines()
    assert sorted(json.loads(line)["n"] for line in lines) == sorted(n for n in range(4) for _ in range(20))
    assert outbox.told == []


def test_half_a_line_of_a_killed_process_does_not_spoil_the_next(outbox: Harness, tmp_path: Path) -> None:
    (tmp_path / "e.ndjson").write_text('{"n": 1}\n{"n": 2, "te')
    outbox(file="e.ndjson").emit({"n": 3})
    assert (tmp_path / "e.ndjson").read_text() == '{"n": 1}\n{"n": 2, "te\n{"n":3}\n'


def test_a_file_that_cannot_be_written_is_a_warning(outbox: Harness, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    box = outbox(file="folder")
    box.emit({"n": 1})
    box.emit({"n": 2})
    box.emit({"n": float("nan")})
    box.close()
    assert [one.code for one in outbox.told] == ["LW704"]


def test_to_an_address(outbox: Harness, server: Server, state: State) -> None:
    box = outbox(url=server.url, api_key="${secret:KEY}")
    for n in range(5):
        box.emit({"n": n})
    assert box.flush()
    box.close()
    assert [one["n"] for one in server.bodies] == list(range(5))
    assert set(server.paths) == {"/api/v1/lineage"}
    assert server.headers[0]["Authorization"] == "Bearer s3cr3t-key"
    assert server.headers[0]["Content-Type"] == "application/json"
    assert pending(state).waiting == 0
    assert outbox.told == []


def test_an_address_with_a_path_and_a_user(outbox: Harness, server: Server) -> None:
    box = outbox(url=f"http://me:p%40ss@127.0.0.1:{server.port}/my/path?x=1")
    box.emit({"n": 1})
    box.close()
    assert server.paths == ["/my/path?x=1"]
    assert server.headers[0]["Authorization"] == "Basic bWU6cEBzcw=="


def test_a_server_that_stumbles_is_asked_again(outbox: Harness, server: Server) -> None:
    server.answers = [503, 429]
    box = outbox(url=server.url)
    box.emit({"n": 1})
    box.emit({"n": 2})
    assert box.flush()
    assert [one["n"] for one in server.bodies] == [1, 2]
    assert outbox.told == []


def test_a_server_that_is_down_gets_the_events_from_the_next_run(
    outbox: Harness, server: Server, state: State
) -> None:
    server.answers = [500] * 3
    box = outbox(url=server.url)
    for n in range(3):
        box.emit({"n": n})
    assert not box.flush()
    box.emit({"n": 3})
    box.close()
    assert server.bodies == []
    assert (pending(state).waiting, pending(state).last_error) == (4, "HTTP 500")
    assert [(one.code, one.message) for one in outbox.told] == [("LW703", f"{server.url}: HTTP 500")]
    again = outbox(url=server.url)
    again.emit({"n": 4})
    assert again.flush()
    again.close()
    assert [one["n"] for one in server.bodies] == [0, 1, 2, 3, 4]
    assert pending(state).waiting == 0


def test_nobody_listens(outbox: Harness, state: State) -> None:
    box = outbox(url="http://user:hidden@127.0.0.1:9", api_key="${secret:KEY}")
    box.emit({"n": 1})
    assert not box.flush()
    box.close()
    assert pending(state).waiting == 1
    (told,) = outbox.told
    assert "Connection refused" in told.message
    assert "hidden" not in str(told)
    assert "s3cr3t" not in str(told)


@pytest.mark.parametrize("status, waiting, refused", [(422, 0, 1), (401, 1, 0), (302, 1, 0), (404, 1, 0)])
def test_answers_that_are_no_yes(
    outbox: Harness, server: Server, state: State, status: int, waiting: int, refused: int
) -> None:
    server.answers = [status] * 3
    box = outbox(url=server.url)
    box.emit({"n": 1})
    box.flush()
    box.close()
    found = pending(state)
    assert (found.waiting, found.refused, found.last_error) == (waiting, refused, f"HTTP {status}")
    assert [one.code for one in outbox.told] == ["LW703"]
    assert "/elsewhere" not in server.paths


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "not an address", "http://[::1", "http://a:b:c"]
)
def test_addresses_that_make_no_sense(outbox: Harness, state: State, url: str) -> None:
    box = outbox(url=url)
    box.emit({"n": 1})
    assert not box.flush()
    box.close()
    assert pending(state).waiting == 1
    assert [one.code for one in outbox.told] == ["LW703"]


def test_without_a_state(server: Server, tmp_path: Path) -> None:
    harness = Harness(tmp_path, None)
    box = harness(url=server.url)
    box.emit({"n": 1})
    assert box.flush()
    box.close()
    assert [one["n"] for one in server.bodies] == [1]
    server.answers = [500] * 3
    box = harness(url=server.url)
    box.emit({"n": 2})
    box.flush()
    box.close()
    assert [one.code for one in harness.told] == ["LW703"]


def test_nothing_is_done_when_nobody_asks(outbox: Harness, state: State) -> None:
    box = outbox()
    assert not box.wanted
    box.emit({"n": 1})
    assert box.flush()
    box.close()
    assert pending(state).waiting == 0
