"""One tree, two spellings: renders statements for DuckDB and for Spark with the same meaning.

A tree is always in DuckDB's words, so ``tree.sql("duckdb")`` is the statement that runs in process.
For Spark, SQLGlot translates the syntax but not always the meaning; three things close the gap:

* **our own statements** use the functions of :func:`call` and what SQLGlot translates rightly;
* **corrections** (:mod:`lakewright.sql.dialect_spark`) rewrite what is known to change its meaning,
  in our statements and in a user's SQL. Some depend on the type of an argument, so call
  :func:`annotate` with the columns' types first;
* what a user's SQL uses beyond both is named by :func:`foreign_functions`, so that a plan can warn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from lakewright.sql.dialect_spark import KNOWN_ANONYMOUS, KNOWN_FUNCTIONS, correct

__all__ = ["Dialect", "annotate", "call", "foreign_functions", "render"]

Dialect = Literal["duckdb", "spark"]


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a call of one of the functions that our own statements use beyond plain SQL.

    ========================  =============================================================
    ``list_length(l)``        elements of a list
    ``list_sort(l)``          a list's elements in ascending order
    ``present(a, b, …)``      a list of those of the arguments that are not null
    ``json_add(j, k, v, …)``  JSON text of the object *j* (text, may be null) and the entries whose
                              value (text) is not null
    ``parse_time(t, f)``      text to a timestamp by strptime format *f*; null when it does not fit
    ``strip_accents(t)``      text without accents
    ``title(t)``              text with the first letter of each word upper case, the others lower
    ``matches(t, p)``         whether the regular expression *p* is found in *t*
    ``full_match(t, p)``      whether the regular expression *p* fits all of *t*
    ``replace_all(t, p, r)``  every match of the regular expression *p* replaced
    ``bytes(t)``              bytes of a text in UTF-8
    ``quantile(x, q)``        interpolated quantile
    ``log10(x)``              logarithm to base 10
    ``weekday(d)``            ISO day of the week, Monday is 1
    ========================  =============================================================
    """
    return _MAKERS[name](list(arguments))


def render(tree: exp.Expr, dialect: Dialect = "duckdb", pretty: bool = False) -> str:
    """Return the statement as text for *dialect*; the tree itself is not changed."""
    if dialect == "spark":
        tree = correct(tree.copy())
    return tree.sql(dialect=dialect, pretty=pretty, comments=False)


def annotate(tree: exp.Expr, columns: Mapping[str, str]) -> exp.Expr:
    """Return *tree* with the type of each expression that follows from its columns' types.

    *columns* gives DuckDB types by name; a type that is empty or not understood is left open.
    The tree is changed in place.
    """
    for node in tree.find_all(exp.Column):
        text = columns.get(node.name, "")
        if text:
            try:
                node.type = exp.DataType.build(text, dialect="duckdb")
            except Exception:  # noqa: S112 - a type of an extension: its functions stay untyped
                continue
    return annotate_types(tree, dialect="duckdb", overwrite_types=False)


def foreign_functions(tree: exp.Expr) -> tuple[str, ...]:
    """Return the functions in *tree* whose meaning on Spark is not vouched for, sorted, upper case."""
    found = set()
    for node in tree.find_all(exp.Func):
        if isinstance(node, exp.Anonymous):
            if str(node.this).upper() not in KNOWN_ANONYMOUS:
                found.add(str(node.this).upper())
        elif not isinstance(node, KNOWN_FUNCTIONS):
            found.add(node.sql_name())
    return tuple(sorted(found))


Maker = Callable[[list[exp.Expr]], exp.Expr]


def _named(name: str, *more: exp.Expr) -> Maker:
    return lambda arguments: exp.Anonymous(this=name, expressions=[*arguments, *(one.copy() for one in more)])


def _json_add(arguments: list[exp.Expr]) -> exp.Expr:
    # a merge patch leaves out the entries that are null
    before, *entries = arguments
    if isinstance(before, exp.Null):
        base: exp.Expr = exp.Literal.string("{}")
    else:
        base = exp.Coalesce(this=before, expressions=[exp.Literal.string("{}")])
    patch = exp.Anonymous(this="JSON_OBJECT", expressions=entries)
    return exp.cast(exp.Anonymous(this="JSON_MERGE_PATCH", expressions=[base, patch]), "TEXT")


def _present(arguments: list[exp.Expr]) -> exp.Expr:
    item = exp.to_identifier("_item")
    kept = exp.Is(this=exp.column(item.copy()), expression=exp.Null()).not_()
    return exp.ArrayFilter(
        this=exp.Array(expressions=arguments), expression=exp.Lambda(this=kept, expressions=[item])
    )


def _title(arguments: list[exp.Expr]) -> exp.Expr:
    word = exp.to_identifier("_word")
    lower = exp.Lower(this=arguments[0])
    words = exp.Anonymous(this="STRING_SPLIT", expressions=[lower, exp.Literal.string(" ")])
    first = exp.Upper(this=exp.Left(this=exp.column(word.copy()), expression=exp.Literal.number(1)))
    rest = exp.Substring(this=exp.column(word.copy()), start=exp.Literal.number(2))
    changed = exp.Lambda(this=exp.DPipe(this=first, expression=rest), expressions=[word])
    listed = exp.Anonymous(this="LIST_TRANSFORM", expressions=[words, changed])
    return exp.Anonymous(this="ARRAY_TO_STRING", expressions=[listed, exp.Literal.string(" ")])


_MAKERS: dict[str, Maker] = {
    "list_length": _named("LEN"),
    "list_sort": _named("LIST_SORT"),
    "present": _present,
    "json_add": _json_add,
    "parse_time": _named("TRY_STRPTIME"),
    "strip_accents": _named("STRIP_ACCENTS"),
    "title": _title,
    "matches": _named("REGEXP_MATCHES"),
    "full_match": _named("REGEXP_FULL_MATCH"),
    "replace_all": _named("REGEXP_REPLACE", exp.Literal.string("g")),
    "bytes": _named("STRLEN"),
    "quantile": _named("QUANTILE_CONT"),
    "log10": _named("LOG10"),
    "weekday": _named("ISODOW"),
}
