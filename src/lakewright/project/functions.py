"""Look at the Python functions that a project names, without running or importing them."""

from __future__ import annotations

import ast
import importlib.machinery
from collections.abc import Iterable
from pathlib import Path

from lakewright.errors import nearest

__all__ = ["guess_inputs", "step_problem"]

#: The function that a Python dataset defines; its parameters name the datasets that it reads.
ENTRY = "build"


def guess_inputs(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The datasets that the parameters of a Python dataset's ``build`` name, for one without ``depends_on``.

    A parameter is a dataset's name, or ``zone_name``. One that means none or several is left out;
    the plan says what is wrong with it.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == ENTRY), None)
    if found is None:
        return ()
    ids = list(known)
    result: list[str] = []
    for parameter in (*found.args.args, *found.args.kwonlyargs):
        exact = [one for one in ids if one.replace(".", "_") == parameter.arg]
        matches = exact or [one for one in ids if one.partition(".")[2] == parameter.arg]
        if len(matches) > 1:
            # A bare name means the table rather than the raw files that it is made of.
            matches = [one for one in matches if not one.startswith("raw.")]
        if len(matches) == 1:
            result.append(matches[0])
    return tuple(dict.fromkeys(result))


def step_problem(root: Path, reference: str) -> tuple[str, str]:
    """What is wrong with a step's ``module:function``, and the remedy; two empty texts when nothing is.

    Modules are looked for in the project's folder, then among the installed packages.
    """
    module, _, name = reference.partition(":")
    base = root / module.replace(".", "/")
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return _function_problem(file, file.relative_to(root).as_posix(), name)
    try:
        installed = importlib.machinery.PathFinder.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        installed = None
    if installed is not None:
        return "", ""
    path = base.with_suffix(".py").relative_to(root).as_posix()
    return f"there is no module {module!r}", f"write {path} with `def {name}(table)`"


def _function_problem(file: Path, path: str, name: str) -> tuple[str, str]:
    try:
        body = ast.parse(file.read_bytes(), filename=path).body
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1} is not valid Python: {error.msg}", "correct the syntax there"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"{path} cannot be read: {type(error).__name__}", ""
    names = []
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            names.append(one.name)
        elif isinstance(one, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in one.names]
        elif isinstance(one, ast.Assign):
            names += [target.id for target in one.targets if isinstance(target, ast.Name)]
    if name in names or "*" in names:
        return "", ""
    return f"{path} has no function {name!r}{nearest(name, names)}", ""
