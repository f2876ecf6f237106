"""Logs of a run: structured, told apart by task, and without secrets."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakewright.errors import RunError
from lakewright.observe import LogLine, Redactor, RunLog, TaskLog, task_scope


def test_lines_carry_run_task_and_attempt(tmp_path: Path) -> None:
    lines: list[LogLine] = []
    log = TaskLog()
    with RunLog("run1", file=tmp_path / "logs/run1.ndjson", sink=lines.append):
        log.info("before")

        def work() -> None:
            with task_scope("run1", "raw.orders", 2):
                log.warning("100 % of %s", rows=3, path=Path("a"))
                logging.getLogger("lakewright.lake").info("committed %d", 5)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        log.debug("not kept")
    log.info("after")
    assert [(one.level, one.task, one.attempt, one.message) for one in lines] == [
        ("info", "", 0, "before"),
        ("warning", "raw.orders", 2, "100 % of %s"),
        ("info", "raw.orders", 2, "committed 5"),
    ]
    assert [dict(one.fields) for one in lines[1:]] == [
        {"rows": 3, "path": "a"},
        {"logger": "lakewright.lake"},
    ]
    written = [json.loads(line) for line in (tmp_path / "logs/run1.ndjson").read_text().splitlines()]
    assert [one["message"] for one in written] == [one.message for one in lines]
    assert written[1]["fields"] == {"rows": 3, "path": "a"}


def test_runs_of_one_process_keep_apart() -> None:
    one: list[LogLine] = []
    other: list[LogLine] = []
    with RunLog("one", sink=one.append), RunLog("other", sink=other.append, level="debug"):
        with task_scope("one", "a"):
            TaskLog().info("of one")
        with task_scope("other", "a"):
            TaskLog().debug("of the other")
    assert [line.message for line in one] == ["of one"]
    assert [line.message for line in other] == ["of the other"]
    assert logging.getLogger("lakewright").handlers == []


def test_a_failure_is_logged_with_its_traceback() -> None:
    lines: list[LogLine] = []
    with RunLog("run", sink=lines.append, redactor=Redactor(["hunter2"])):
        try:
            raise ValueError("wrong: hunter2")
        except ValueError as error:
            TaskLog().error("it failed", error=error)
    assert "ValueError: wrong: ***" in str(lines[0].fields["traceback"])


def test_names_that_are_not_valid_text_do_not_lose_the_line(tmp_path: Path) -> None:
    lines: list[LogLine] = []
    with RunLog("run", file=tmp_path / "run.ndjson", sink=lines.append):
        TaskLog().info("taken \udcff.csv", path="\udcff.csv")
    assert (lines[0].message, lines[0].fields) == ("taken \\udcff.csv", {"path": "\\udcff.csv"})
    assert json.loads((tmp_path / "run.ndjson").read_text())["message"] == "taken \\udcff.csv"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(RunError) as error:
        RunLog("run", file=tmp_path / "logs/run.ndjson")
    assert error.value.code == "LW617"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:pa55@host/db", "postgres://me:***@host/db"),
        ("postgresql+psycopg://me:p:a5@host", "postgresql+psycopg://me:***@host"),
        ("host=x password=abc user=y", "host=x password=*** user=y"),
        ("CREATE SECRET x (SECRET 'a''bc', KEY_ID 'k')", "CREATE SECRET x (SECRET ***, KEY_ID 'k')"),
        ("token: 'a b c', next", "token: ***, next"),
        ('{"api_key": "abc"}', '{"api_key": ***}'),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        ("https://b/x?X-Amz-Signature=abc&y=1", "https://b/x?X-Amz-Signature=***&y=1"),
        ("https://example.org/path?x=1", "https://example.org/path?x=1"),
        ("3 tokens were read at 10:30", "3 tokens were read at 10:30"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


def test_registered_values_go_in_every_form() -> None:
    redactor = Redactor()
    assert redactor.add("p@ss/w'rd é") == "p@ss/w'rd é"
    redactor.add("p@ss")
    redactor.add("7")
    redactor.add(" ")
    for text in ("p@ss/w'rd é", "p%40ss%2Fw%27rd%20%C3%A9", "p%40ss%2Fw%27rd+%C3%A9", "p@ss/w''rd é", "p@ss"):
        assert redactor.text(f"<{text}>") == "<***>"
    assert redactor.text("pin 7, not 17 or 71") == "pin ***, not 17 or 71"
    nested = redactor.value({"p@ss": [1, True, None, 2.5, ("p@ss", {"a": "x p@ss y"})], "at": Path("p@ss")})
    assert nested == {"***": [1, True, None, 2.5, ["***", {"a": "x *** y"}]], "at": "***"}


plain = st.characters(exclude_characters="*")


@given(st.text(plain, min_size=4).filter(str.strip), st.text(plain), st.text(plain))
@example("0000", "0", "0")
def test_a_registered_value_never_stays(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assert secret not in redactor.text(before + secret + after)
