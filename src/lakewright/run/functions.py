"""Call the user's Python functions: Arrow in and Arrow out, or Polars and pandas as they annotate."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from lakewright.errors import NotFoundError, RunError, Where, nearest

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["call", "load_function"]

_lock = threading.Lock()


def load_function(root: Path, reference: str, path: str) -> Callable[..., Any]:
    """Return the function that *reference* names: ``module:function``, the module a file under *root*.

    ``module`` is dotted (``jobs.clean`` is ``jobs/clean.py``) or a path ending in ``.py``; *path* is the
    file that says so, for errors. Raises LW602 when it cannot be found and LW603 when it cannot be loaded.
    """
    module_name, _, function_name = reference.partition(":")
    relative = module_name if module_name.endswith(".py") else module_name.replace(".", "/") + ".py"
    file = (root / relative).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        raise NotFoundError(
            "LW602", f"no Python file {relative}", where=Where(path), tried=[str(root / relative)]
        )
    module = _load(file, root)
    function = getattr(module, function_name, None)
    if not callable(function):
        names = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise NotFoundError(
            "LW602",
            f"{relative} has no function {function_name!r}{nearest(function_name, names)}",
            where=Where(path),
        )
    return function  # type: ignore[no-any-return]


def _load(file: Path, root: Path) -> ModuleType:
    # The name carries the content's hash: an edited file is loaded anew, an unchanged one once.
    digest = hashlib.sha256(file.read_bytes() + str(file).encode()).hexdigest()[:16]
    name = f"_lakewright_user_{digest}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        if str(root) not in sys.path:
            sys.path.append(str(root))  # so that the user's files can import each other
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise NotFoundError("LW602", f"{file} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise _failure("loading", file, error) from error
        return module


def call(function: Callable[..., Any], tables: Mapping[str, pa.Table], path: str) -> pa.Table:
    """Call *function* with *tables* by parameter name and return its result as an Arrow table.

    A function with one parameter takes the only table, whatever the parameter's name. Tables are handed
    over as the parameter's annotation says: ``polars.DataFrame``, ``polars.LazyFrame``,
    ``pandas.DataFrame``, else ``pyarrow.Table``. Raises LW603 when it fails, LW604 when what it returns
    is not a table.
    """
    parameters = list(inspect.signature(function).parameters.values())
    names = [one.name for one in parameters]
    file = Path(inspect.getsourcefile(function) or path)
    if len(names) == 1 and len(tables) == 1:
        given = {names[0]: next(iter(tables.values()))}
    else:
        missing = [one.name for one in parameters if one.name not in tables and one.default is one.empty]
        if missing:
            raise NotFoundError(
                "LW602",
                f"{function.__name__}() asks for {missing[0]!r}, which is not an upstream dataset"
                f"{nearest(missing[0], tables)}",
                where=Where(path, function.__code__.co_firstlineno),
            )
        given = {name: tables[name] for name in names if name in tables}
    try:
        arguments = {
            one.name: _handed(given[one.name], one.annotation) for one in parameters if one.name in given
        }
        result = function(**arguments)
    except Exception as error:
        raise _failure("running", file, error) from error
    return _arrow(result, function.__name__, path)


def _handed(table: pa.Table, annotation: Any) -> Any:
    wanted = (
        annotation
        if isinstance(annotation, str)
        else getattr(annotation, "__module__", "") + "." + getattr(annotation, "__qualname__", "")
    )
    if wanted.startswith(("pl.", "polars.")):
        import polars

        frame = polars.from_arrow(table)
        return frame.lazy() if wanted.endswith("LazyFrame") and isinstance(frame, polars.DataFrame) else frame
    if wanted.startswith(("pd.", "pandas.")):
        return table.to_pandas()
    return table


def _arrow(result: Any, name: str, path: str) -> pa.Table:
    import pyarrow as pa

    if isinstance(result, pa.Table):
        return result
    if isinstance(result, pa.RecordBatch):
        return pa.Table.from_batches([result])
    kind = type(result).__module__.partition(".")[0]
    if kind == "polars":
        frame = result.collect() if hasattr(result, "collect") else result
        return cast("pa.Table", frame.to_arrow())
    if kind == "pandas":
        return pa.Table.from_pandas(result, preserve_index=False)
    raise RunError(
        "LW604",
        f"{name}() returned {type(result).__name__}, not a table",
        where=Where(path),
    )


def _failure(doing: str, file: Path, error: Exception) -> RunError:
    # The line in the user's own file, not in the library that it called.
    line = next(
        (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(file)), 0
    )
    return RunError(
        "LW603",
        f"{doing} {file.name} failed: {type(error).__name__}: {error}",
        where=Where(str(file), line or 0),
    )
