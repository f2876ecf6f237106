"""The environment of a project: the process's variables, its ``.env`` file, and what they set.

Text in a project file may refer to it: ``${NAME}`` or ``${env:NAME}``, with ``${NAME:-default}``
for when the variable is not set, and ``$${`` for a literal ``${``. ``${secret:NAME}`` is left as
it is until the moment of use (:mod:`lakewright.project.secrets`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lakewright.errors import Problem, Where
from lakewright.spec.project import ProjectFile

__all__ = [
    "REFERENCE",
    "SETTINGS",
    "Environment",
    "Reference",
    "Setting",
    "expand",
    "log_level",
    "override",
    "read_environment",
    "references",
]

#: Any reference, or its escape; what is between the braces is judged by :func:`references`.
REFERENCE = re.compile(r"\$(\$)?\{([^{}]*)(\})?")
_CONTENT = re.compile(r"(?:(env|secret):)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)\Z", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables by name. The process's own win over those of ``.env``; values are never shown."""

    process: Mapping[str, str] = field(repr=False)
    file: Mapping[str, str] = field(repr=False, default_factory=dict)

    def get(self, name: str) -> str | None:
        """The value of *name*, or None when it is not set."""
        value = self.process.get(name)
        return self.file.get(name) if value is None else value

    def __contains__(self, name: str) -> bool:
        return name in self.process or name in self.file


def read_environment(root: Path, env: Mapping[str, str] | None = None) -> tuple[Environment, list[Problem]]:
    """The environment of the project in *root*; *env* stands in for the process's own."""
    process = os.environ if env is None else env
    try:
        data = (root / ".env").read_bytes()
    except FileNotFoundError:
        return Environment(process), []
    except OSError as error:
        return Environment(process), [
            Problem("LW107", f"cannot be read: {error.strerror or error}", Where(".env"))
        ]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Environment(process), [Problem("LW107", "not UTF-8", Where(".env", line))]
    values, problems = parse_dotenv(text)
    return Environment(process, values), problems


def parse_dotenv(text: str) -> tuple[dict[str, str], list[Problem]]:
    """Read ``NAME=value`` lines: comments, ``export``, single quotes (as is) and double quotes (with escapes)."""
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        value = _dotenv_value(match.group(2)) if match else None
        if match is None or value is None:
            # The line itself is not shown: it may hold a secret.
            problems.append(Problem("LW107", "this line is not NAME=value", Where(".env", number)))
        else:
            values[match.group(1)] = value
    return values, problems


def _dotenv_value(text: str) -> str | None:
    if text[:1] == "'":
        end = text.find("'", 1)
        return text[1:end] if end > 0 and _only_comment(text[end + 1 :]) else None
    if text[:1] == '"':
        out: list[str] = []
        index = 1
        while index < len(text):
            char = text[index]
            if char == '"':
                return "".join(out) if _only_comment(text[index + 1 :]) else None
            if char == "\\" and index + 1 < len(text):
                index += 1
                out.append(_ESCAPES.get(text[index], "\\" + text[index]))
            else:
                out.append(char)
            index += 1
        return None
    return re.split(r"(?:^|\s+)#", text, maxsplit=1)[0].strip()


def _only_comment(rest: str) -> bool:
    return not rest.strip() or rest.lstrip().startswith("#")


# --- references ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """``${kind:name:-default}``; kind is ``env`` or ``secret``."""

    kind: str
    name: str
    default: str | None


def references(text: str) -> list[Reference]:
    """Every reference of *text*; raises ValueError with a sentence for one that makes no sense."""
    return [_reference(match) for match in REFERENCE.finditer(text) if not match.group(1)]


def _reference(match: re.Match[str]) -> Reference:
    content = _CONTENT.match(match.group(2)) if match.group(3) else None
    if content is None:
        raise ValueError("a reference is ${NAME}, ${env:NAME}, ${NAME:-default} or ${secret:NAME}")
    if content.group(1) == "secret" and content.group(3) is not None:
        raise ValueError("a secret has no default: write ${secret:NAME}")
    return Reference(content.group(1) or "env", content.group(2), content.group(3))


def expand(
    text: str, look_up: Callable[[Reference], str | None], *, keep_secrets: bool = False
) -> tuple[str, tuple[Reference, ...]]:
    """Put values in place of references; the second value lists those that *look_up* had none for.

    With *keep_secrets*, ``${secret:…}`` stays, and a value that itself looks like a reference is escaped.
    """
    missing: list[Reference] = []

    def put(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(0) if keep_secrets else match.group(0)[1:]
        one = _reference(match)
        if keep_secrets and one.kind == "secret":
            return match.group(0)
        value = look_up(one)
        if value is None:
            value = one.default
        if value is None:
            missing.append(one)
            return ""
        return value.replace("${", "$${") if keep_secrets else value

    return REFERENCE.sub(put, text), tuple(missing)


# --- settings that the environment overrides ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable and the key of ``lakewright.yaml`` that it replaces ("" for none)."""

    variable: str
    key: str
    meaning: str
    expected: str = ""
    read: Callable[[str], Any] = str


def _whole(low: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if value < low:
            raise ValueError
        return value

    return read


def _retries(text: str) -> int:
    return _whole(0)(text) + 1


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError
    return text.lower()


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


_COUNT = "a whole number from 1"

#: Every variable that replaces a setting. They win over the file and its targets; what one dataset says
#: for itself wins over them. The first of two names for one key wins.
SETTINGS: tuple[Setting, ...] = (
    Setting("LAKEWRIGHT_PROJECT", "", "the project's folder, instead of looking upwards"),
    Setting("LAKEWRIGHT_TARGET", "", "the target, instead of `default_target`"),
    Setting("LAKEWRIGHT_ROLE", "", "the role to act as; the project's owner without it"),
    Setting("LAKEWRIGHT_USER", "", "the user of `access.users` to act as"),
    Setting("LAKEWRIGHT_LAKE_PATH", "lake.path", "where the lake is", "text", _filled),
    Setting("LAKEWRIGHT_CATALOG", "lake.catalog", "the lake's catalog", "text", _filled),
    Setting("LAKEWRIGHT_STATE", "state", "the state database", "text", _filled),
    Setting("LAKEWRIGHT_MEMORY_LIMIT", "engine.memory_limit", "memory for statements", "text", _filled),
    Setting("LAKEWRIGHT_THREADS", "engine.threads", "threads of one statement", _COUNT, _whole(1)),
    Setting("LAKEWRIGHT_WORKERS", "engine.workers", "datasets built at the same time", _COUNT, _whole(1)),
    Setting("LAKEWRIGHT_TEMP_DIRECTORY", "engine.temp_directory", "where to spill to", "text", _filled),
    Setting("LAKEWRIGHT_LINEAGE_FILE", "lineage.file", "file for lineage events", "text", _filled),
    Setting("LAKEWRIGHT_LINEAGE_URL", "lineage.url", "address for lineage events", "text", _filled),
    Setting(
        "MAX_RETRIES",
        "defaults.retry.attempts",
        "attempts after the first one",
        "a whole number from 0",
        _retries,
    ),
    Setting(
        "QUALITY_THRESHOLD",
        "defaults.quality_threshold",
        "score that a dataset must reach",
        "a number from 0 to 1",
        _share,
    ),
    Setting("LAKEWRIGHT_LOG_LEVEL", "", "how much is logged", "one of debug, info, warning, error", _level),
    Setting("LOG_LEVEL", "", "the same, under its usual name", "one of debug, info, warning, error", _level),
)


def override(file: ProjectFile, environment: Environment) -> tuple[ProjectFile, list[Problem]]:
    """Put the settings of the environment into the project's; a value that cannot be read is a problem."""
    problems: list[Problem] = []
    done: set[str] = set()
    result: Any = file
    for setting in SETTINGS:
        text = environment.get(setting.variable)
        if text is None:
            continue
        try:
            value = setting.read(text)
        except ValueError:
            problems.append(
                Problem(
                    "LW111",
                    f"the environment variable {setting.variable} must be {setting.expected}",
                    remedy=f"correct {setting.variable}, or unset it",
                )
            )
            continue
        if setting.key and setting.key not in done:
            done.add(setting.key)
            result = _replace(result, setting.key.split("."), value)
    return result, problems


def _replace(struct: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replace(getattr(struct, path[0]), path[1:], value)
    return msgspec.structs.replace(struct, **{path[0]: value})


def log_level(environment: Environment | Mapping[str, str]) -> str | None:
    """``debug``, ``info``, ``warning`` or ``error`` when the environment asks for one, else None."""
    text = environment.get("LAKEWRIGHT_LOG_LEVEL") or environment.get("LOG_LEVEL")
    return text.lower() if text and text.lower() in ("debug", "info", "warning", "error") else None
