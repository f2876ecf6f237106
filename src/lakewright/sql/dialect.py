"""One tree, two spellings: renders statements for DuckDB and for Spark with the same meaning.

SQLGlot translates syntax, not always meaning. Two things close the gap:

* **our own functions**: what Lakewright's statements need and the engines spell differently is made
  with :func:`call` and stays a neutral node until :func:`render` writes the engine's spelling;
* **corrections**: functions of a user's SQL whose translation is known to be wrong are rewritten
  before SQLGlot sees them (:mod:`lakewright.sql.dialect_spark`). Some depend on the type of an argument,
  so call :func:`annotate` with the columns' types first.

What a user's SQL uses beyond both is named by :func:`foreign_functions`, so that ``plan`` can warn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from lakewright.sql.dialect_spark import KNOWN_ANONYMOUS, KNOWN_FUNCTIONS, accents, correct, java_time_format

__all__ = ["Dialect", "annotate", "call", "foreign_functions", "render"]

Dialect = Literal["duckdb", "spark"]
Spelling = Callable[[list[exp.Expression]], exp.Expression]

_PREFIX = "LW_"


def call(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    """Return a call of one of our own functions, spelled only when it is rendered.

    ========================  =============================================================
    ``list_length(l)``        elements of a list
    ``present(a, b, …)``      a list of those of the arguments that are not null
    ``json_object(k, v, …)``  JSON text of an object with the entries whose value (text) is not null
    ``parse_time(t, f)``      text to a timestamp by strptime format *f*; null when it does not fit
    ``parse_date(t, f)``      the same for a date
    ``strip_accents(t)``      text without accents
    ``matches(t, p)``         whether the regular expression *p* is found in *t*
    ``replace_all(t, p, r)``  every match of the regular expression *p* replaced
    ``quantile(x, q)``        interpolated quantile
    ``median(x)``             the middle value, interpolated
    ``log10(x)``              logarithm to base 10
    ``weekday(d)``            ISO day of the week, Monday is 1
    ``distinct(a, b)``        whether two values differ, where null equals null
    ========================  =============================================================
    """
    if name not in _SPELLINGS:
        raise KeyError(f"{name!r} is not in the vocabulary")
    return exp.Anonymous(this=_PREFIX + name.upper(), expressions=list(arguments))


def render(tree: exp.Expression, dialect: Dialect = "duckdb", pretty: bool = False) -> str:
    """Return the statement as text for *dialect*; the tree itself is not changed."""
    spelled = _spell(tree.copy(), dialect)
    if dialect == "spark":
        spelled = correct(spelled)
    return spelled.sql(dialect=dialect, pretty=pretty, comments=False)


def annotate(tree: exp.Expression, columns: Mapping[str, str]) -> exp.Expression:
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


def foreign_functions(tree: exp.Expression) -> tuple[str, ...]:
    """Return the functions in *tree* whose meaning on Spark is not vouched for, sorted, upper case."""
    found = set()
    for node in tree.find_all(exp.Func):
        if isinstance(node, exp.Anonymous):
            name = str(node.this).upper()
            if not name.startswith(_PREFIX) and name not in KNOWN_ANONYMOUS:
                found.add(name)
        elif not isinstance(node, KNOWN_FUNCTIONS):
            found.add(node.sql_name())
    return tuple(sorted(found))


def _spell(tree: exp.Expression, dialect: Dialect) -> exp.Expression:
    def one(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Anonymous) and str(node.this).startswith(_PREFIX):
            duckdb, spark = _SPELLINGS[str(node.this).removeprefix(_PREFIX).lower()]
            return (duckdb if dialect == "duckdb" else spark)(list(node.expressions))
        return node

    # innermost first: a spelling may hold other calls of ours as arguments
    return tree.transform(one, copy=False)


def _named(name: str) -> Spelling:
    return lambda arguments: exp.Anonymous(this=name, expressions=arguments)


def _json_duckdb(arguments: list[exp.Expression]) -> exp.Expression:
    # json_object would keep nulls; concat_ws leaves them out
    entries = [
        exp.Case().when(
            exp.Is(this=value.copy(), expression=exp.Null()).not_(),
            exp.DPipe(
                this=exp.Literal.string(f"{json.dumps(str(key.this), ensure_ascii=False)}:"),
                expression=exp.cast(exp.Anonymous(this="TO_JSON", expressions=[value]), "TEXT"),
            ),
        )
        for key, value in zip(arguments[::2], arguments[1::2], strict=True)
    ]
    inner = exp.Anonymous(this="CONCAT_WS", expressions=[exp.Literal.string(","), *entries])
    opened = exp.DPipe(this=exp.Literal.string("{"), expression=inner)
    return exp.paren(exp.DPipe(this=opened, expression=exp.Literal.string("}")), copy=False)


def _json_spark(arguments: list[exp.Expression]) -> exp.Expression:
    # Spark leaves null fields out of JSON unless told otherwise
    struct = exp.Anonymous(this="NAMED_STRUCT", expressions=arguments)
    return exp.Anonymous(this="TO_JSON", expressions=[struct])


def _present_duckdb(arguments: list[exp.Expression]) -> exp.Expression:
    item = exp.to_identifier("_item")
    kept = exp.Lambda(
        this=exp.Is(this=exp.column(item.copy()), expression=exp.Null()).not_(), expressions=[item]
    )
    return exp.ArrayFilter(this=exp.Array(expressions=arguments), expression=kept)


def _present_spark(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.Anonymous(this="ARRAY_COMPACT", expressions=[exp.Array(expressions=arguments)])


def _parse_duckdb(kind: str) -> Spelling:
    def spell(arguments: list[exp.Expression]) -> exp.Expression:
        parsed = exp.Anonymous(this="TRY_STRPTIME", expressions=arguments)
        return parsed if kind == "TIMESTAMP" else exp.cast(parsed, kind)

    return spell


def _parse_spark(kind: str) -> Spelling:
    def spell(arguments: list[exp.Expression]) -> exp.Expression:
        text, pattern = arguments
        java = exp.Literal.string(java_time_format(str(pattern.this)))
        parsed = exp.Anonymous(this="TRY_TO_TIMESTAMP", expressions=[text, java])
        return exp.cast(parsed, "DATE" if kind == "DATE" else "TIMESTAMP")

    return spell


def _weekday_duckdb(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.Anonymous(this="ISODOW", expressions=arguments)


def _weekday_spark(arguments: list[exp.Expression]) -> exp.Expression:
    monday_is_0 = exp.Anonymous(this="WEEKDAY", expressions=arguments)
    return exp.paren(exp.Add(this=monday_is_0, expression=exp.Literal.number(1)), copy=False)


def _replace_all_duckdb(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.Anonymous(this="REGEXP_REPLACE", expressions=[*arguments, exp.Literal.string("g")])


def _strip_accents_spark(arguments: list[exp.Expression]) -> exp.Expression:
    marked, plain = accents()
    return exp.Anonymous(
        this="TRANSLATE", expressions=[*arguments, exp.Literal.string(marked), exp.Literal.string(plain)]
    )


def _distinct(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.NullSafeNEQ(this=arguments[0], expression=arguments[1])


def _distinct_spark(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.paren(exp.NullSafeEQ(this=arguments[0], expression=arguments[1])).not_()


_SPELLINGS: dict[str, tuple[Spelling, Spelling]] = {
    "list_length": (_named("LEN"), _named("SIZE")),
    "present": (_present_duckdb, _present_spark),
    "json_object": (_json_duckdb, _json_spark),
    "parse_time": (_parse_duckdb("TIMESTAMP"), _parse_spark("TIMESTAMP")),
    "parse_date": (_parse_duckdb("DATE"), _parse_spark("DATE")),
    "strip_accents": (_named("STRIP_ACCENTS"), _strip_accents_spark),
    "matches": (_named("REGEXP_MATCHES"), _named("REGEXP_LIKE")),
    "replace_all": (_replace_all_duckdb, _named("REGEXP_REPLACE")),
    "quantile": (_named("QUANTILE_CONT"), _named("PERCENTILE")),
    "median": (_named("MEDIAN"), _named("MEDIAN")),
    "log10": (_named("LOG10"), _named("LOG10")),
    "weekday": (_weekday_duckdb, _weekday_spark),
    "distinct": (_distinct, _distinct_spark),
}
