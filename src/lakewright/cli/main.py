"""The command line: `lakewright VERB`. Each command calls one function of the app room."""

from __future__ import annotations

import gc
import io
import os
import sys

import typer

from lakewright.cli import (
    access,
    backup,
    build,
    contract,
    lifecycle,
    look,
    people,
    recover,
    security,
    source,
    upkeep,
    verify,
)
from lakewright.errors import LakewrightError, ProjectError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lakewright",
    help="From files to governed, queryable tables: check, plan and run a data platform described in plain files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # plain help: Rich costs more than all the rest of it
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lakewright {version('lakewright')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", callback=_version, is_eager=True
    ),
) -> None:
    pass


build.register(app)
look.register(app)
upkeep.register(app)
contract.register(app)
lifecycle.register(app)
security.register(app)
access.register(app)
people.register(app)
backup.register(app)
recover.register(app)
verify.register(app)
source.register(app)


def main() -> None:
    """Run the command line; errors become a message on stderr and an exit code.

    0 ok, 1 failed, 2 project or usage, 3 quality gate, 4 not found, 130 interrupted.
    """
    # What modules and the project's files become stays until the end: a tenth of a short command went into looking
    # through it again and again for what might be dropped.
    gc.set_threshold(100_000, 50, 100)
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a letter of the data shows its number; it is no reason to stop
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="lakewright")
    except LakewrightError as error:
        _leave(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output has left, as in `lakewright query … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if isinstance(error, RuntimeError) and str(error) == "Query interrupted":
            # how DuckDB's Python tells that Ctrl-C came while a statement ran
            sys.stderr.write("interrupted\n")
            sys.exit(130)
        if os.environ.get("LAKEWRIGHT_DEBUG"):
            raise
        _leave(_unforeseen(error))


#: What the machine did, not the program: said as such wherever it strikes.
_OUTSIDE = ("LW402", "LW403", "LW408", "LW409", "LW411")


def _unforeseen(error: Exception) -> LakewrightError:
    from lakewright.engine.errors import explain, redact

    if type(error).__module__ in ("duckdb", "_duckdb") and (found := explain(error)).code in _OUTSIDE:
        return found
    if isinstance(error, OSError) and error.filename is not None:
        return LakewrightError("LW408", redact(f"{error.filename}: {error.strerror}"))
    return LakewrightError("LW909", redact(f"{type(error).__name__}: {error}"))


def _leave(error: LakewrightError) -> None:
    try:
        _tell(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(error.exit_code)


def _tell(error: LakewrightError) -> None:
    if "--json" in sys.argv:
        import msgspec

        problems = error.problems if isinstance(error, ProjectError) else (error.problem,)
        sys.stdout.write(msgspec.json.encode({"problems": problems}).decode() + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"{error}\n")
    if isinstance(error, ProjectError):
        count = len(error.problems)
        sys.stderr.write(f"\n{count} problem{'s' if count > 1 else ''}; nothing was run\n")


if __name__ == "__main__":
    main()
