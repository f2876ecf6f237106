"""What nobody foresaw is told in one line: with the machine's part in it, or as a mistake of the program."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from lakewright.cli import main


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("from read_parquet('{}/gone.parquet')", "LW408"),
        ("select nothing", "LW909"),
        ("select error('password=hunter2 is wrong')", "LW909"),
    ],
)
def test_a_fault_of_the_engine_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    code: str,
) -> None:
    def app(**_: object) -> None:
        duckdb.execute(statement.format(tmp_path))

    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr("sys.argv", ["lakewright"])
    with pytest.raises(SystemExit) as left:
        main.main()
    said = capsys.readouterr().err
    assert left.value.code == 1
    assert said.startswith(code) and "hunter2" not in said and "Traceback" not in said
