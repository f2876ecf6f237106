"""A dataset's query: parsed, held to one read-only SELECT over ``zone.name``, and bound to relations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError

from lakewright.errors import Problem, ProjectError, Where, nearest

__all__ = [
    "TABLE_FUNCTIONS",
    "bind",
    "dependencies",
    "parse_query",
    "place",
    "shared_query",
    "tables",
    "tokens",
]

_DUCKDB = DuckDB()

#: Functions that may stand in FROM: they make rows out of their arguments and touch nothing else.
TABLE_FUNCTIONS = frozenset(
    {"unnest", "generate_series", "range", "json_each", "json_tree", "generate_subscripts"}
)

# Scalar functions that look outside the query: at the process, the session, other statements or files.
_OUTSIDE = frozenset(
    {
        "getenv", "getvariable", "current_setting", "current_query", "query", "query_table", "glob", "nextval",
        "currval", "setseed", "sleep_ms", "pg_sleep", "write_log", "which_secret", "json_execute_serialized_sql",
        "json_serialize_plan", "sniff_csv", "scan_arrow_ipc", "read_text", "read_blob", "http_get", "http_post",
        "load_aws_credentials", "current_user", "session_user", "user", "current_role",
    }
)  # fmt: skip
_OUTSIDE_PREFIXES = (
    "read_", "scan_", "parquet_", "sqlite_", "postgres_", "mysql_", "iceberg_", "ducklake_", "delta_",
    "duckdb_", "pragma_", "pg_get_", "has_", "inet_", "txid_", "shell", "system",
)  # fmt: skip
_READERS = ("read_", "scan_", "parquet_", "sniff_", "glob", "st_read", "sqlite_", "postgres_", "mysql_", "iceberg_",
            "delta_")  # fmt: skip

# What no query may hold at any depth, with the words for it.
_STATEMENTS: tuple[type[exp.Expr], ...] = (
    exp.DML, exp.Create, exp.Drop, exp.Alter, exp.Copy, exp.Command, exp.Attach, exp.Detach, exp.Pragma,
    exp.Set, exp.Use, exp.Describe, exp.Show, exp.Summarize, exp.Install, exp.Into, exp.Cache, exp.Transaction,
    exp.Commit, exp.Rollback, exp.Kill, exp.Merge, exp.TruncateTable,
)  # fmt: skip

_KEPT = ("joins", "laterals", "pivots", "sample")


def parse_query(text: str, *, path: str, line: int = 1, own: str = "") -> exp.Query:
    """Parse *text* as one SELECT, WITH or UNION in DuckDB's dialect.

    *path* names the user's file in errors and *line* is where the text starts in it; *own* is a table's name
    that needs no zone. The tree is the caller's own. Raises ProjectError with every problem found: LW301 for what does not parse,
    LW302 for anything but one query, LW303 for functions that reach outside the project's datasets,
    LW304 for tables that are not written ``zone.name``.
    """
    return shared_query(text, path, line, own).copy()


@lru_cache(maxsize=4096)
def shared_query(text: str, path: str, line: int = 1, own: str = "", *, zones: bool = True) -> exp.Query:
    """The same as :func:`parse_query`, but a tree that all callers share: look at it, never change it.

    Without *zones*, tables are named without one, as in a warehouse.
    """
    tokenizer = _DUCKDB.tokenizer()
    try:
        tokens = tokenizer.tokenize(text)
        parsed = _DUCKDB.parser(error_level=sqlglot.ErrorLevel.IMMEDIATE).parse(tokens, text)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        what = str(first.get("description") or error).rstrip(". ").splitlines()[0]
        near = str(first.get("highlight") or "")
        where = Where(path, int(first.get("line") or 1) + line - 1, _first_column(first.get("col"), near))
        _refuse("LW301", f"the SQL cannot be parsed: {what}" + (f" at {near!r}" if near else ""), where)
    except TokenError:
        read = tokenizer.tokens[-1].end + 1 if tokenizer.tokens else 0
        where = _at(path, text, read + len(text[read:]) - len(text[read:].lstrip()), line)
        _refuse("LW301", "the SQL cannot be parsed: a quote or comment that starts here has no end", where)
    except RecursionError:
        _refuse("LW301", "the SQL is nested too deeply", Where(path, line))
    # a comment after the last semicolon is a node of its own
    found = [one for one in parsed if one is not None and not isinstance(one, exp.Semicolon)]
    if not found:
        _refuse("LW302", "the file holds no query", Where(path, line))
    if len(found) > 1:
        _refuse(
            "LW302",
            f"{len(found)} statements, where a dataset is one query",
            place(found[1], path) or Where(path, line),
        )
    query = found[0]
    while isinstance(query, exp.Subquery) and not query.alias:
        query = query.unnest()
    if not isinstance(query, exp.Query):
        _refuse("LW302", _not_a_query(query), Where(path, line))
    _shift(query, path, line)
    problems = [*_forbidden(query, path), *(_misnamed(query, path, own) if zones else ())]
    if problems:
        raise ProjectError(problems)
    return query


def tokens(text: str) -> list[sqlglot.Token]:
    """Return the words and signs of *text* in DuckDB's dialect, without comments."""
    return list(_DUCKDB.tokenizer().tokenize(text))


def dependencies(query: exp.Expr) -> tuple[str, ...]:
    """Return the ids of the datasets that *query* reads, in order of first use, without CTE names."""
    return tuple(dict.fromkeys(f"{one.db}.{one.name}" for one in tables(query) if one.db))


def tables(query: exp.Expr) -> Iterator[exp.Table]:
    """Yield the tables of *query* that name a dataset: not functions, not names of CTEs; in text order."""
    found = [one for one in query.find_all(exp.Table) if _names_dataset(one)]
    # CTEs hang behind the body in the tree but stand before it in the text
    found.sort(key=lambda one: one.this.meta.get("start", -1))
    yield from found


def bind(query: exp.Query, relations: Mapping[str, exp.Expr]) -> exp.Query:
    """Return *query* with its tables replaced by the relation given for their id.

    A relation is a table, a subquery or a query; tables that *relations* does not name stay as they
    are. Aliases stay, and a table without one keeps answering to its name: ``orders.id`` and
    ``raw.orders.id`` both work afterwards, also where two zones' tables of one name are joined.
    """
    bound = query.copy()
    by_name = {name.lower(): relation for name, relation in relations.items()}
    chosen = [one for one in tables(bound) if f"{one.db}.{one.name}".lower() in by_name]
    for table, alias in _aliases(chosen).items():
        _requalify(table, alias)
    for table in chosen:
        relation = by_name[f"{table.db}.{table.name}".lower()].copy()
        if isinstance(relation, exp.Query) and not isinstance(relation, exp.Subquery):
            relation = relation.subquery(copy=False)
        relation.set("alias", table.args["alias"])
        for key in _KEPT:
            if table.args.get(key):
                relation.set(key, [*(relation.args.get(key) or []), *table.args[key]]
                             if key != "sample" else table.args[key])  # fmt: skip
        table.replace(relation)
    return bound


def place(node: exp.Expr, path: str = "") -> Where | None:
    """Return where *node* stands in the user's file, or None when the tree does not know.

    *path* defaults to the file that :func:`parse_query` was given.
    """
    root = node.root()
    path = path or str(root.meta.get("path", ""))
    best: exp.Expr | None = None
    for one in node.find_all(exp.Identifier, exp.Func, exp.Literal, exp.Star):
        if "line" in one.meta and (best is None or one.meta["start"] < best.meta["start"]):
            best = one
    if best is None:
        return None
    meta = best.meta
    return Where(path, meta["line"], _first_column(meta["col"], " " * (meta["end"] - meta["start"] + 1)))


def _first_column(last: object, text: str) -> int:
    # sqlglot gives the column of a token's last character
    return max(1, int(str(last)) - max(len(text), 1) + 1) if last else 0


def _at(path: str, text: str, offset: int, line: int) -> Where:
    before = text[:offset]
    return Where(path, before.count("\n") + line, offset - (before.rfind("\n") + 1) + 1)


def _refuse(code: str, message: str, where: Where | None, remedy: str = "") -> NoReturn:
    raise ProjectError([Problem(code, message, where, remedy=remedy)])


def _shift(query: exp.Expr, path: str, line: int) -> None:
    query.meta["path"] = path
    if line > 1:
        for one in query.walk():
            if "line" in one.meta:
                one.meta["line"] += line - 1


def _not_a_query(statement: exp.Expr) -> str:
    if isinstance(statement, exp.Command):
        word = str(statement.this).upper()
    elif isinstance(statement, exp.Values):
        return "VALUES alone is not a query here; write select * from (values …) as t(a, b)"
    elif isinstance(statement, exp.Pivot):
        return "PIVOT alone is not a query here; write from (pivot …)"
    else:
        word = statement.key.upper()
    return f"{word} is a statement that changes or inspects something; a dataset is one SELECT"


def _forbidden(query: exp.Query, path: str) -> Iterator[Problem]:
    for node in query.walk():
        kind = _kind(type(node))
        if kind is None:
            continue
        shown, remedy = node, ""
        if kind == "statement":
            code, word = "LW302", "INTO" if isinstance(node, exp.Into) else node.key.upper()
            message = f"{word} inside the query; a dataset only reads"
        elif kind == "parameter":
            code, message = "LW302", f"{node.sql('duckdb')} is a parameter, which a dataset has none of"
        else:
            name = _function_name(node)
            if isinstance(node.parent, exp.Table) and node.arg_key == "this":
                shown = node.parent
                if name in TABLE_FUNCTIONS:
                    continue
            elif name not in _OUTSIDE and not name.startswith(_OUTSIDE_PREFIXES):
                continue
            code, message, remedy = "LW303", _outside(name), _cure(name)
        yield Problem(code, message, place(shown, path) or Where(path, _first_line(query)), remedy=remedy)


def _kind(kind: type[exp.Expr]) -> str | None:
    """What a node of this type must be looked at for; None for the many that are always fine."""
    if kind not in _KINDS:
        _KINDS[kind] = _judged(kind)
    return _KINDS[kind]


_KINDS: dict[type[exp.Expr], str | None] = {}


def _judged(kind: type[exp.Expr]) -> str | None:
    if issubclass(kind, _STATEMENTS):
        return "statement"
    if issubclass(kind, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return "parameter"
    return "function" if issubclass(kind, exp.Func) else None


def _first_line(query: exp.Expr) -> int:
    return min((one.meta["line"] for one in query.walk() if "line" in one.meta), default=1)


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.CombinedAggFunc):
        return str(node.this).lower()
    if isinstance(node, exp.GenerateSeries):
        return "generate_series"
    if isinstance(node, exp.ReadCSV):
        return "read_csv"
    return str(node.sql_name()).lower() if isinstance(node, exp.Func) else ""


def _outside(name: str) -> str:
    if name.startswith(_READERS):
        return f"{name}() reads files or another system; a dataset's query reads datasets only"
    return f"{name}() is not allowed in a dataset's query: it reaches outside the project's datasets"


def _cure(name: str) -> str:
    if name.startswith(_READERS):
        return "declare the files as a source in sources/ and read raw.<name>"
    return ""


def _names_dataset(table: exp.Table) -> bool:
    if not isinstance(table.this, exp.Identifier):
        return False
    return bool(table.db) or not _is_cte(table)


def _is_cte(table: exp.Table) -> bool:
    """Whether a name without a zone is a CTE that is visible where it stands."""
    name = table.name.lower()
    below: exp.Expr = table
    node = table.parent
    while node is not None:
        if isinstance(node, exp.With):
            for cte in node.expressions:
                if cte is below:
                    if node.recursive and cte.alias.lower() == name:
                        return True
                    break
                if cte.alias.lower() == name:
                    return True
        else:
            own = node.args.get("with_")
            if own is not None and own is not below and any(c.alias.lower() == name for c in own.expressions):
                return True
        below, node = node, node.parent
    return False


def _misnamed(query: exp.Query, path: str, own: str) -> Iterator[Problem]:
    for table in tables(query):
        if own and not table.db and table.name.lower() == own.lower():
            continue
        where = place(table.this, path)
        shown = ".".join(part.name for part in table.parts)
        if table.catalog:
            yield Problem("LW304", f"the table {shown!r} has more than two parts", where)
        elif not table.db:
            if "/" in table.name or "." in table.name or "\\" in table.name:
                yield Problem("LW303", f"{table.name!r} is a file; a dataset's query reads datasets only", where,
                              remedy=_cure("read_"))  # fmt: skip
            else:
                ctes = [one.alias for one in query.find_all(exp.CTE)]
                yield Problem("LW304", f"the table {shown!r} lacks its zone{nearest(shown, ctes)}", where)
        elif table.args.get("when") or table.args.get("version"):
            yield Problem("LW302", f"{shown} AT a version: a dataset reads the present state", where)


def _aliases(chosen: list[exp.Table]) -> dict[exp.Table, exp.Identifier]:
    """Give every table without alias one; return the alias of each of those tables."""
    given: dict[exp.Table, exp.Identifier] = {}
    by_scope: dict[tuple[int, str], set[str]] = {}
    unnamed = [one for one in chosen if not one.alias]
    for table in unnamed:
        by_scope.setdefault((id(table.parent_select), table.name.lower()), set()).add(table.db.lower())
    for table in unnamed:
        if len(by_scope[id(table.parent_select), table.name.lower()]) > 1:
            alias = exp.to_identifier(f"{table.db}.{table.name}", quoted=True)
        else:
            alias = exp.to_identifier(table.name, quoted=table.this.quoted)
        alias.meta.update(table.this.meta)
        old = table.args.get("alias")
        columns = old.args.get("columns") if old is not None else None
        table.set("alias", exp.TableAlias(this=alias, columns=columns))
        given[table] = alias
    return given


def _requalify(table: exp.Table, alias: exp.Identifier) -> None:
    """Point ``zone.name.column`` in the table's SELECT at its alias."""
    scope = table.parent_select
    for column in scope.find_all(exp.Column) if scope is not None else ():
        same = column.table.lower() == table.name.lower() and column.db.lower() == table.db.lower()
        if column.db and same:
            column.set("table", alias.copy())
            column.set("db", None)
            column.set("catalog", None)
