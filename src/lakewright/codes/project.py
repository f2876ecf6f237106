"""Codes of project files: 1xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW101": Code(
        "no project here",
        "No lakewright.yaml was found in the folder or in any folder above it.",
        "run `lakewright init` to make one, or pass --project FOLDER",
    ),
    "LW102": Code(
        "not valid YAML",
        "A project file cannot be parsed as YAML.",
        "correct the syntax at the place shown",
    ),
    "LW103": Code(
        "unknown key",
        "A project file has a key that Lakewright does not know; unknown keys are never ignored.",
        "remove the key or use the name suggested",
    ),
    "LW104": Code(
        "wrong type or value",
        "A value in a project file has the wrong type or is outside what the key allows.",
        "write a value of the type shown; `lakewright schema` exports the JSON Schemas",
    ),
    "LW105": Code(
        "missing key",
        "A project file lacks a key that is required.",
        "add the key",
    ),
    "LW106": Code(
        "environment variable not set",
        "A project file refers to an environment variable that neither the process nor .env sets.",
        "set the variable, put it into .env, or write ${NAME:-default}",
    ),
    "LW107": Code(
        ".env not understood",
        "A line of the project's .env file is not NAME=value.",
        "write NAME=value; put values with spaces or # in quotes",
    ),
    "LW108": Code(
        "secret in plain text",
        "A project file holds a password or key itself; files are shared and kept, secrets must not be.",
        "write ${secret:NAME} and keep the value in the environment or in .secrets/NAME",
    ),
    "LW109": Code(
        "secret not found",
        "A ${secret:NAME} reference was needed and no place that may hold it does.",
        "set the environment variable LAKEWRIGHT_SECRET_NAME, or write the file .secrets/NAME",
    ),
    "LW110": Code(
        "key given twice",
        "A mapping in a project file has the same key twice; YAML would silently keep one of them.",
        "remove one of the two",
    ),
    "LW111": Code(
        "bad setting in the environment",
        "An environment variable that replaces a setting has a value that the setting cannot take.",
        "correct the variable or unset it",
    ),
    "LW112": Code(
        "unknown target",
        "The target asked for is not under `targets` in lakewright.yaml.",
        "use one of the targets there, or add it",
    ),
    "LW113": Code(
        "file not read",
        "A file lies where project files are but its name or folder says it is none; nothing is ignored in silence.",
        "name datasets datasets/<zone>/<name>.yaml, .sql or .py, and move other files elsewhere",
    ),
    "LW114": Code(
        "suite or contract not usable",
        "A file that `suite` or `contract` names is missing, or is no expectation suite, or no contract of a version "
        "that is supported.",
        "name a file that is there: JSON of Great Expectations, or YAML of the Open Data Contract Standard 3.0 or 3.1",
    ),
    "LW120": Code(
        "definitions contradict each other",
        "A dataset says in two ways what it is made of: `from`, a .sql file and a .py file exclude each other.",
        "keep one of them",
    ),
    "LW121": Code(
        "dataset made of nothing",
        "A dataset has neither `from` nor a .sql or .py file of its name beside it.",
        "add `from: <dataset>`, or write its query into a .sql file of the same name",
    ),
    "LW122": Code(
        "bad name",
        "A name in the project has characters that tables and columns should not have, or is reserved.",
        "use snake_case: small letters, digits and _, a letter first",
    ),
    "LW123": Code(
        "name used twice",
        "Two things of the project have the same name.",
        "rename one of them",
    ),
    "LW124": Code(
        "Python function not usable",
        "The function that a step of a dataset names was not found.",
        "write module:function for a function of a file in the project's folder",
    ),
    "LW127": Code(
        "settings that do not go together",
        "Two settings of one dataset contradict each other, or one needs another that is missing.",
        "change one of the two",
    ),
    "LW128": Code(
        "unknown column",
        "A setting names a column that the dataset does not have.",
        "use the name suggested, or add the column",
    ),
    "LW129": Code(
        "limits that nothing meets",
        "A rule can never be met: its minimum lies above its maximum, or a limit does not fit the type.",
        "correct the limits",
    ),
}
