"""What a Python dataset reads, found in its source without running it.

A dataset ``datasets/<zone>/<name>.py`` has a function ``build`` at its top level. Each parameter is
one of the datasets listed under ``depends_on``: its name, or ``zone_name`` where two have the same
name; the only parameter may have any name when only one dataset is listed. A parameter with a
default that matches none is left alone; ``**inputs`` takes the rest. The annotation says which
frame the function is given: ``pyarrow.Table`` (also without annotation), ``polars.DataFrame``,
``polars.LazyFrame`` or ``pandas.DataFrame``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.spec.dataset import Dataset

__all__ = ["ENTRY", "Frame", "Input", "Parameter", "PythonFunction", "inspect_function", "python_inputs"]

#: The function that a Python dataset defines.
ENTRY = "build"

Frame = Literal["arrow", "polars", "polars_lazy", "pandas"]

_FRAMES: dict[str, Frame] = {
    "pyarrow.Table": "arrow",
    "pyarrow.lib.Table": "arrow",
    "polars.DataFrame": "polars",
    "polars.dataframe.DataFrame": "polars",
    "polars.LazyFrame": "polars_lazy",
    "polars.lazyframe.LazyFrame": "polars_lazy",
    "pandas.DataFrame": "pandas",
    "pandas.core.frame.DataFrame": "pandas",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a user's function and the frame that it wants."""

    name: str
    frame: Frame
    has_default: bool
    line: int


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A user's function as its source declares it; ``rest`` is set when it takes ``**inputs``."""

    name: str
    line: int
    parameters: tuple[Parameter, ...]
    rest: Parameter | None


@dataclass(frozen=True, slots=True)
class Input:
    """A dataset that a Python dataset reads, and the frame in which it wants it."""

    dataset: str
    frame: Frame


def inspect_function(text: str, *, path: str, name: str = ENTRY) -> PythonFunction:
    """Return what the function *name* at the top level of the source *text* takes.

    Nothing is imported or run. Raises ProjectError LW323 when the source cannot be parsed, has no
    such function, or when it takes what we cannot give.
    """
    try:
        module = ast.parse(text, filename=path)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 0, getattr(error, "offset", None) or 0
        what = getattr(error, "msg", None) or str(error)
        raise _refused(f"the Python cannot be parsed: {what}", path, line, column) from error
    functions = {
        one.name: one
        for one in _top_level(module.body)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    found = functions.get(name)
    if found is None:
        raise _refused(f"there is no function {name!r} at the top level{nearest(name, functions)}", path, 1)
    if isinstance(found, ast.AsyncFunctionDef):
        raise _refused(f"{name!r} is async; it is called as a plain function", path, found.lineno)
    return _signature(found, dict(_imports(module)), path)


def python_inputs(dataset: Dataset) -> dict[str, Input]:
    """Return the inputs of a Python dataset by parameter name, in the order of the parameters.

    Raises ProjectError with every problem: LW323 for the source, LW324 for parameters that match no
    dataset of ``depends_on``, or more than one.
    """
    path = dataset.sql_path or dataset.path
    function = inspect_function(dataset.python or "", path=path)
    listed = dataset.file.depends_on
    inputs: dict[str, Input] = {}
    problems: list[Problem] = []
    for parameter in function.parameters:
        matches = [one for one in listed if parameter.name in _names(one)]
        if not matches and len(listed) == 1 and len(function.parameters) == 1:
            matches = list(listed)
        if len(matches) == 1:
            inputs[parameter.name] = Input(matches[0], parameter.frame)
        elif matches:
            message = (
                f"the input {parameter.name!r} may be {' or '.join(matches)}; call it {_long(matches[0])!r}"
            )
            problems.append(Problem("LW324", message, Where(path, parameter.line)))
        elif not parameter.has_default:
            known = [name for one in listed for name in _names(one)]
            message = f"the input {parameter.name!r} is none of depends_on{nearest(parameter.name, known)}"
            problems.append(Problem("LW324", message, Where(path, parameter.line)))
    if problems:
        raise ProjectError(problems)
    if function.rest:
        taken = {one.dataset for one in inputs.values()}
        inputs |= _rest([one for one in listed if one not in taken], inputs, function.rest.frame)
    return inputs


def _rest(datasets: Sequence[str], taken: Mapping[str, Input], frame: Frame) -> dict[str, Input]:
    short = [_short(one) for one in datasets]
    names = {
        one: name if short.count(name) == 1 and name not in taken else _long(one)
        for one, name in zip(datasets, short, strict=True)
    }
    return {name: Input(one, frame) for one, name in names.items()}


def _names(dataset: str) -> tuple[str, str]:
    return _short(dataset), _long(dataset)


def _short(dataset: str) -> str:
    return dataset.rpartition(".")[2]


def _long(dataset: str) -> str:
    return dataset.replace(".", "_")


def _signature(found: ast.FunctionDef, imports: Mapping[str, str], path: str) -> PythonFunction:
    arguments = found.args
    if arguments.vararg:
        raise _refused(f"{found.name!r} takes *{arguments.vararg.arg}: inputs go by name", path, found.lineno)
    if arguments.posonlyargs:
        raise _refused(f"{found.name!r} has parameters before '/': inputs go by name", path, found.lineno)
    without = len(arguments.args) - len(arguments.defaults)
    parameters = [
        _parameter(one, index >= without, imports, path) for index, one in enumerate(arguments.args)
    ] + [
        _parameter(one, default is not None, imports, path)
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    rest = _parameter(arguments.kwarg, True, imports, path) if arguments.kwarg else None
    return PythonFunction(found.name, found.lineno, tuple(parameters), rest)


def _parameter(one: ast.arg, has_default: bool, imports: Mapping[str, str], path: str) -> Parameter:
    if one.annotation is None:
        return Parameter(one.arg, "arrow", has_default, one.lineno)
    written = one.annotation
    if isinstance(written, ast.Constant) and isinstance(written.value, str):
        written = _parsed(written.value) or written
    full = _dotted(written, imports)
    frame = _FRAMES.get(full)
    if frame is None and not has_default:
        shown = ast.unparse(one.annotation)
        message = f"the input {one.arg!r} wants {shown}: it can be pyarrow.Table, polars.DataFrame or pandas.DataFrame"
        raise _refused(message, path, one.lineno, one.col_offset + 1)
    return Parameter(one.arg, frame or "arrow", has_default, one.lineno)


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _dotted(node: ast.expr, imports: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return imports.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, imports)}.{node.attr}"
    return ""


def _imports(module: ast.Module) -> Iterator[tuple[str, str]]:
    for one in _top_level(module.body):
        if isinstance(one, ast.Import):
            for alias in one.names:
                yield (
                    alias.asname or alias.name.partition(".")[0],
                    alias.name if alias.asname else alias.name.partition(".")[0],
                )
        elif isinstance(one, ast.ImportFrom) and one.module:
            for alias in one.names:
                yield alias.asname or alias.name, f"{one.module}.{alias.name}"


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    # `if TYPE_CHECKING:` and `try: import` are where annotations' imports often stand
    for one in body:
        yield one
        if isinstance(one, ast.If | ast.Try):
            yield from _top_level(one.body)
            yield from _top_level(one.orelse)


def _refused(message: str, path: str, line: int, column: int = 0) -> ProjectError:
    return ProjectError([Problem("LW323", message, Where(path, line, column))])
