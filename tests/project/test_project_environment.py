"""References to the environment, `.env`, secrets, and the variables that replace settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from project_files import Write, found

from lakewright.errors import LakewrightError
from lakewright.project import load, resolve_secret
from lakewright.project.environment import SETTINGS, log_level, parse_dotenv, read_environment

LAKE = "name: shop\nlake:\n  path: "


def path_of(write: Write, value: str, env: dict[str, str], dotenv: str = "") -> str:
    root = write({"lakewright.yaml": f"{LAKE}{value}\n", ".env": dotenv})
    return load(root, env=env).file.lake.path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${HOST}", "h"),
        ("${env:HOST}", "h"),
        ("s3://${HOST}/${ZONE:-z}", "s3://h/z"),
        ("${NONE:-}x", "x"),
        ("${env:NONE:-a:-b}", "a:-b"),
        ("$${HOST}", "${HOST}"),
        ("$HOST", "$HOST"),
        ("'${HOST}'", "h"),
        ("a$$b", "a$$b"),
    ],
)
def test_references_in_text(write: Write, value: str, expected: str) -> None:
    assert path_of(write, value, {"HOST": "h"}) == expected


def test_numbers_truth_values_and_choices_may_be_references(write: Write) -> None:
    root = write(
        {
            "lakewright.yaml": "name: x\nengine: {threads: '${N}', workers: '${W:-3}'}\n"
            "lake: {s3: {use_ssl: '${SSL}', url_style: '${STYLE}'}}\ndefaults: {quality_threshold: '${Q}'}\n",
            "datasets/processed/orders.yaml": "from: ${FROM}\ncolumns:\n  a: {min: '${N}'}\n  b:\n    min: ${N}\n",
        }
    )
    env = {"N": "4", "SSL": "false", "STYLE": "path", "Q": "0.5", "FROM": "raw.orders"}
    project = load(root, env=env)
    assert (project.file.engine.threads, project.file.engine.workers) == (4, 3)
    assert project.file.lake.s3 is not None
    assert (project.file.lake.s3.use_ssl, project.file.lake.s3.url_style) == (False, "path")
    assert project.file.defaults.quality_threshold == 0.5
    columns = project.datasets["processed.orders"].file.columns
    # A quoted reference is text where text is allowed; an unquoted one is what it looks like.
    assert (columns["a"].min, columns["b"].min) == ("4", 4)


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("${NONE}", "LW106", "the environment variable NONE is not set"),
        ("${no name}", "LW104", "a reference is"),
        ("${HOST", "LW104", "a reference is"),
        ("'${}'", "LW104", "a reference is"),
        ("${secret:HOST}", "LW104", "a secret cannot stand here"),
        ("${secret:HOST:-x}", "LW104", "no default"),
    ],
)
def test_references_that_make_no_sense(write: Write, value: str, code: str, words: str) -> None:
    problems = found(write({"lakewright.yaml": f"{LAKE}{value}\n"}), env={"HOST": "h"})
    assert [(str(p.where), p.code) for p in problems] == [("lakewright.yaml:3", code)]
    assert words in problems[0].message


def test_values_of_variables_are_never_shown(write: Write) -> None:
    root = write(
        {
            "lakewright.yaml": "name: x\nengine: {threads: '${N}'}\ndefaults: {on_violation: '${N}', timeout: '${N}'}\n"
        }
    )
    problems = found(root, env={"N": "hunter2"})
    assert len(problems) == 3
    assert "hunter2" not in "".join(map(str, problems))


def test_dotenv_yields_to_the_process(write: Write) -> None:
    assert path_of(write, "${A}-${B}", {"A": "process"}, "A=file\nB=file\n") == "process-file"


def test_dotenv_syntax() -> None:
    values, problems = parse_dotenv(
        '# a comment\n\nA=1\nexport B = two words # comment\nC=\'a #b $X\'\nD="x\\ny\\"z" # c\nE=\nF=a#b\nG=#x\n'
    )
    assert problems == []
    assert values == {
        "A": "1",
        "B": "two words",
        "C": "a #b $X",
        "D": 'x\ny"z',
        "E": "",
        "F": "a#b",
        "G": "",
    }


@pytest.mark.parametrize(
    "line", ["hunter2", "A B=hunter2", "1A=hunter2", "A='hunter2", 'A="hunter2', "A='x' hunter2"]
)
def test_a_bad_line_of_dotenv_is_a_problem_that_does_not_show_it(write: Write, line: str) -> None:
    (problem,) = found(write({".env": f"\n{line}\n"}))
    assert (str(problem.where), problem.code) == (".env:2", "LW107")
    assert "hunter2" not in str(problem)


def test_dotenv_that_is_not_utf8(write: Write) -> None:
    (problem,) = found(write({".env": b"A=1\nB=\xff\n"}))
    assert str(problem.where) == ".env:2"


# --- secrets


@pytest.mark.parametrize(
    "text",
    [
        "lake: {s3: {secret: hunter2}}",
        "lake: {s3: {key_id: 12345678}}",
        "lake: {token: hunter2}",
        "lake: {token: '${T:-hunter2}'}",
        "lineage: {api_key: hunter2}",
        "lake: {catalog: 'postgres:host=x password=hunter2'}",
        "lake: {catalog: 'postgres:host=x password=''hunter2'''}",
        "state: postgresql://me:hunter2@host/db",
        "lineage: {url: 'https://me:hunter2@host'}",
        "lineage: {url: 'https://host/?api_key=hunter2'}",
        "targets: {prod: {lake: {token: hunter2}}}",
        "targets: {prod: {state: 'postgresql://me:hunter2@host/db'}}",
    ],
)
def test_a_secret_in_plain_text_is_refused_and_not_shown(write: Write, text: str) -> None:
    problems = found(write({"lakewright.yaml": f"name: x\n{text}\n"}))
    assert [(str(p.where), p.code) for p in problems] == [("lakewright.yaml:2", "LW108")]
    assert "hunter2" not in str(problems[0])
    assert "12345678" not in str(problems[0])
    assert "${secret:NAME}" in str(problems[0])


def test_secrets_are_kept_until_they_are_used(write: Write) -> None:
    root = write(
        {
            "lakewright.yaml": "name: x\nstate: postgresql://me:${secret:DB}@${HOST}/db\n"
            "lake: {token: '${secret:TOKEN}', s3: {secret: '${AWS_SECRET}'}}\n"
        }
    )
    env = {"HOST": "h", "AWS_SECRET": "hunter2", "LAKEWRIGHT_SECRET_DB": "pa$$", "TOKEN": "t"}
    project = load(root, env=env)
    assert project.file.state == "postgresql://me:${secret:DB}@h/db"
    assert project.file.lake.token == "${secret:TOKEN}"
    # Also a variable that is a secret by its place does not become part of the project.
    assert "hunter2" not in repr(project)
    assert resolve_secret(project.file.state, root, env) == "postgresql://me:pa$$@h/db"
    assert project.file.lake.s3 is not None
    assert resolve_secret(project.file.lake.s3.secret or "", root, env) == "hunter2"


def test_a_variable_in_a_secret_place_must_be_set(write: Write) -> None:
    (problem,) = found(write({"lakewright.yaml": "name: x\nlake: {token: '${TOKEN}'}\n"}))
    assert problem.code == "LW106"
    assert "TOKEN" in problem.message


def test_where_secrets_are_looked_for(write: Write) -> None:
    root = write({".env": "A=dotenv\nB=dotenv\nLAKEWRIGHT_SECRET_C=dotenv\n", ".secrets/D": "file\n"})
    (root / ".secrets" / "A").write_text("file\r\n")

    def get(name: str, env: dict[str, str]) -> str:
        return resolve_secret(f"x${{secret:{name}}}y", root, env)

    assert get("A", {"LAKEWRIGHT_SECRET_A": "long", "A": "short"}) == "xlongy"
    assert get("A", {"A": "short"}) == "xshorty"
    assert get("A", {}) == "xdotenvy"
    assert get("C", {}) == "xdotenvy"
    assert get("D", {}) == "xfiley"
    assert resolve_secret("plain $x", root, {}) == "plain $x"
    assert resolve_secret("$${secret:A}", root, {}) == "${secret:A}"


def test_a_secret_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakewrightError) as caught:
        resolve_secret("${secret:NONE}", tmp_path, {})
    assert caught.value.code == "LW109"
    assert "NONE" in str(caught.value)
    assert ".secrets/NONE" in str(caught.value)


def test_names_of_secrets_are_no_paths(tmp_path: Path) -> None:
    with pytest.raises(LakewrightError):
        resolve_secret("${secret:../../etc/passwd}", tmp_path, {})


# --- settings


def test_the_environment_replaces_defaults(write: Write) -> None:
    root = write(
        {
            "lakewright.yaml": "name: x\nlake: {path: a}\ndefaults: {retry: {attempts: 9, wait: 2s}, quality_threshold: 0.1}\n"
            "targets: {dev: {lake: {path: b}}}\ndefault_target: dev\n"
        }
    )
    env = {
        "MAX_RETRIES": "0",
        "QUALITY_THRESHOLD": "0.75",
        "LAKEWRIGHT_LAKE_PATH": "c",
        "LAKEWRIGHT_THREADS": "2",
    }
    file = load(root, env=env).file
    assert (file.defaults.retry.attempts, file.defaults.retry.wait) == (1, "2s")
    assert file.defaults.quality_threshold == 0.75
    assert file.lake.path == "c"
    assert file.engine.threads == 2


def test_settings_may_stand_in_dotenv(write: Write) -> None:
    root = write({".env": "QUALITY_THRESHOLD=0.6\nLOG_LEVEL=DEBUG\n"})
    assert load(root, env={}).file.defaults.quality_threshold == 0.6
    assert log_level(read_environment(root, {})[0]) == "debug"
    assert log_level(read_environment(root, {"LAKEWRIGHT_LOG_LEVEL": "error"})[0]) == "error"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_RETRIES", "-1"),
        ("MAX_RETRIES", "many"),
        ("QUALITY_THRESHOLD", "2"),
        ("QUALITY_THRESHOLD", "nan"),
        ("LOG_LEVEL", "loud"),
        ("LAKEWRIGHT_WORKERS", "0"),
        ("LAKEWRIGHT_LAKE_PATH", " "),
    ],
)
def test_a_setting_that_makes_no_sense_names_its_variable(write: Write, name: str, value: str) -> None:
    (problem,) = found(write(), env={name: value})
    assert problem.code == "LW111"
    assert name in problem.message


def test_every_setting_names_a_key_that_exists(write: Write) -> None:
    file = load(write(), env={}).file
    for setting in SETTINGS:
        place: object = file
        for key in setting.key.split(".") if setting.key else ():
            assert hasattr(place, key), setting
            place = getattr(place, key)
