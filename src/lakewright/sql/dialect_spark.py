"""What Spark spells or means differently from DuckDB, where SQLGlot's translation is not enough."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

from sqlglot import exp
from sqlglot.expressions import DType

__all__ = ["KNOWN_ANONYMOUS", "KNOWN_FUNCTIONS", "accents", "correct", "java_time_format"]

# Functions whose translation keeps the meaning, alone or after `correct`.
KNOWN_FUNCTIONS: tuple[type[exp.Expr], ...] = (
    exp.Abs, exp.And, exp.AnyValue, exp.ApproxDistinct, exp.ArgMax, exp.ArgMin, exp.Array, exp.ArrayContains,
    exp.ArrayFilter, exp.Avg, exp.Between, exp.Case, exp.Cast, exp.Ceil, exp.Chr, exp.Coalesce, exp.Concat,
    exp.ConcatWs, exp.Contains, exp.Corr, exp.Count, exp.CountIf, exp.CumeDist, exp.CurrentDate,
    exp.CurrentTimestamp, exp.DateDiff, exp.DateTrunc, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso,
    exp.DayOfYear, exp.DenseRank, exp.EndsWith, exp.Exists, exp.Exp, exp.Explode, exp.Extract, exp.First, exp.FirstValue,
    exp.Floor, exp.Greatest, exp.GroupConcat, exp.Hour, exp.If, exp.IsNan, exp.JSONExtractScalar, exp.Lag, exp.Last,
    exp.LastDay, exp.LastValue, exp.Lead, exp.Least, exp.Left, exp.Length, exp.Levenshtein, exp.Ln,
    exp.Log, exp.LogicalAnd, exp.LogicalOr, exp.Lower, exp.MD5, exp.Max, exp.Median, exp.Min, exp.Minute, exp.Mode,
    exp.Month, exp.NthValue, exp.Ntile, exp.Nullif, exp.Or, exp.Pad, exp.PercentRank, exp.PercentileCont, exp.Pow,
    exp.Quarter, exp.Rank, exp.RegexpExtract, exp.RegexpLike, exp.RegexpReplace, exp.Repeat, exp.Replace, exp.Reverse,
    exp.Right, exp.Round, exp.RowNumber, exp.SHA2, exp.Second, exp.Sign, exp.Split, exp.SplitPart, exp.Sqrt,
    exp.StartsWith, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.StrPosition, exp.StrToTime, exp.Struct,
    exp.StructExtract, exp.Substring, exp.Sum, exp.TimeToStr, exp.TimestampTrunc, exp.Trim, exp.TryCast,
    exp.UnixToTime, exp.Upper, exp.Variance, exp.VariancePop, exp.Week, exp.Xor, exp.Year,
)  # fmt: skip

# Functions that SQLGlot does not know, which both engines spell and mean the same or `correct` rewrites.
KNOWN_ANONYMOUS = frozenset(
    {
        "ARRAY_TO_STRING", "BIT_COUNT", "CONCAT_WS", "DATE_PART", "EPOCH_US", "ISFINITE", "ISODOW", "JSON_MERGE_PATCH", "JSON_OBJECT", "LEN", "LIST_SORT",
        "LIST_TRANSFORM", "LOG10", "NOW", "QUANTILE_CONT", "REGEXP_FULL_MATCH", "REGEXP_MATCHES",
        "REGEXP_REPLACE", "STRING_SPLIT", "STRIP_ACCENTS", "STRLEN", "TRY_STRPTIME", "TYPEOF",
    }
)  # fmt: skip

_TYPES = {
    DType.INT128: "DECIMAL(38, 0)",
    DType.UINT128: "DECIMAL(38, 0)",
    DType.UBIGINT: "DECIMAL(20, 0)",
    DType.UINT: "BIGINT",
    DType.TIME: "STRING",
    DType.JSON: "STRING",
    DType.TIMESTAMP_NS: "TIMESTAMP_NTZ",
    DType.TIMESTAMP_MS: "TIMESTAMP_NTZ",
    DType.TIMESTAMP_S: "TIMESTAMP_NTZ",
}

# strptime directives and the letters of Java's DateTimeFormatter
_JAVA = {
    "Y": "yyyy", "y": "yy", "m": "MM", "-m": "M", "d": "dd", "-d": "d", "H": "HH", "-H": "H", "I": "hh", "-I": "h",
    "M": "mm", "-M": "m", "S": "ss", "-S": "s", "f": "SSSSSS", "g": "SSS", "n": "SSSSSSSSS", "p": "a", "b": "MMM",
    "B": "MMMM", "a": "EEE", "A": "EEEE", "j": "DDD", "-j": "D", "z": "XX", "Z": "VV", "%": "%",
}  # fmt: skip
_JAVA_WHOLE = {
    "T": "%H:%M:%S",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "x": "%Y-%m-%d",
    "X": "%H:%M:%S",
    "R": "%H:%M",
}


def java_time_format(pattern: str) -> str:
    """Return a strptime *pattern* in the letters of Java's ``DateTimeFormatter``, which Spark uses.

    Numbers of days, months and hours take one or two digits there as here, so ``%d`` is ``d``.
    """
    out: list[str] = []
    for directive, text in re.findall(r"%(-?.)|([^%]+)", pattern):
        if text:
            quoted = text.replace("'", "''")
            out.append(f"'{quoted}'" if re.search(r"[A-Za-z']", text) else text)
        elif directive in _JAVA_WHOLE:
            out.append(java_time_format(_JAVA_WHOLE[directive]))
        else:
            # DuckDB reads one or two digits for %d, Java exactly as many as there are letters
            out.append(_JAVA.get(f"-{directive}") or _JAVA.get(directive, ""))
    return "".join(out)


@functools.cache
def accents() -> tuple[str, str]:
    """Return the letters with accents of the Latin, Greek and Cyrillic blocks, and the plain ones."""
    marked, plain = [], []
    for code in (*range(0xC0, 0x250), *range(0x386, 0x460), *range(0x1E00, 0x2000)):
        letter = chr(code)
        bare = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
        if len(bare) == 1 and bare != letter:
            marked.append(letter)
            plain.append(bare)
    return "".join(marked), "".join(plain)


Rewrite = Callable[[list[exp.Expr]], exp.Expr]


def correct(tree: exp.Expr) -> exp.Expr:
    """Return *tree* (changed in place) with the functions and types rewritten that would change meaning."""
    # innermost first: a rewrite takes its arguments as they are
    for node in reversed(list(tree.walk(bfs=True))):
        new = _correct(node)
        if new is node:
            continue
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def _correct(node: exp.Expr) -> exp.Expr:
    match node:
        case exp.Anonymous() if (rewrite := _ANONYMOUS.get(str(node.this).upper())) is not None:
            return rewrite(list(node.expressions))
        case exp.Length() if _is(node.this, DType.ARRAY, DType.LIST):
            return _function("SIZE", node.this)
        case exp.UnixToTime() if _is(node.this, *exp.DataType.TEMPORAL_TYPES):
            # DuckDB's epoch_ms goes both ways, by the type of its argument
            return _function("UNIX_MILLIS", node.this)
        case exp.PercentileCont():
            return _function("PERCENTILE", node.this, node.args["expression"])
        case exp.Log() if node.args.get("expression") is None:
            return _function("LOG10", node.this)
        case exp.Week():
            return _function("WEEKOFYEAR", node.this)
        case exp.Window() if isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
            if not node.args.get("partition_by"):
                # a number of each row in reading order; Spark numbers no rows without an ORDER BY
                return _function("MONOTONICALLY_INCREASING_ID")
        case exp.DayOfWeek():
            return exp.paren(_function("DAYOFWEEK", node.this) - 1)
        case exp.Extract():
            return _extract(node)
        case exp.Cast() if isinstance(node.this, exp.DPipe) and node.this.this == exp.Literal.string("0x"):
            # a number written in hexadecimal
            digits = _function("CONV", node.this.expression, exp.Literal.number(16), exp.Literal.number(10))
            return exp.cast(digits, "BIGINT")
        case exp.EQ() if _named(node.this, "TYPEOF") and node.expression.name == "VARCHAR":
            return exp.EQ(this=node.this, expression=exp.Literal.string("string"))
        case exp.Drop() if node.meta.get("temporary"):
            node.set("kind", "VIEW")
        case exp.DataType() if node.this in _TYPES:
            return exp.DataType.build(_TYPES[node.this], dialect="spark")
    return node


def _extract(node: exp.Extract) -> exp.Expr:
    match node.name.upper():
        case "DOW" | "DAYOFWEEK" | "WEEKDAY":
            return exp.paren(_function("DAYOFWEEK", node.expression) - 1)
        case "ISODOW":
            return _weekday([node.expression])
        case "EPOCH":
            return _function("UNIX_TIMESTAMP", node.expression)
    return node


def _named(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).upper() == name


def _is(node: exp.Expr, *types: DType) -> bool:
    return node.type is not None and node.type.this in types


def _function(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _renamed(name: str) -> Rewrite:
    return lambda arguments: _function(name, *arguments)


def _date_part(arguments: list[exp.Expr]) -> exp.Expr:
    part, value = arguments
    return _extract(exp.Extract(this=exp.var(part.name), expression=value))


def _weekday(arguments: list[exp.Expr]) -> exp.Expr:
    return exp.paren(_function("WEEKDAY", *arguments) + 1)


def _full_match(arguments: list[exp.Expr]) -> exp.Expr:
    text, pattern = arguments
    return _function("REGEXP_LIKE", text, exp.Literal.string(f"^(?:{pattern.name})$"))


def _regexp_replace(arguments: list[exp.Expr]) -> exp.Expr:
    # Spark replaces every match and takes no options, but a pattern may hold them
    text, pattern, new, *options = arguments
    if options and isinstance(pattern, exp.Literal) and (letters := options[0].name.replace("g", "")):
        pattern = exp.Literal.string(f"(?{letters}){pattern.name}")
    return _function("REGEXP_REPLACE", text, pattern, _java_replacement(new))


def _java_replacement(new: exp.Expr) -> exp.Expr:
    if not isinstance(new, exp.Literal):
        return new
    return exp.Literal.string(re.sub(r"\\(\d)", r"$\1", new.name.replace("$", "\\$")))


def _parse_time(arguments: list[exp.Expr]) -> exp.Expr:
    text, pattern = arguments
    java = exp.Literal.string(java_time_format(pattern.name))
    parsed = _function("TRY_TO_TIMESTAMP", text, java)
    return parsed if "%z" in pattern.name.lower() else exp.cast(parsed, "TIMESTAMP_NTZ", dialect="spark")


def _strip_accents(arguments: list[exp.Expr]) -> exp.Expr:
    marked, plain = accents()
    return _function("TRANSLATE", *arguments, exp.Literal.string(marked), exp.Literal.string(plain))


def _json_add(arguments: list[exp.Expr]) -> exp.Expr:
    # to_json leaves out the fields that are null
    before, patch = arguments
    added = _function("TO_JSON", _function("NAMED_STRUCT", *patch.expressions))
    if not isinstance(before, exp.Coalesce):
        return added
    base = before.this
    length = exp.Sub(this=_function("LENGTH", base.copy()), expression=exp.Literal.number(1))
    head = _function("SUBSTRING", base.copy(), exp.Literal.number(1), length)
    tail = _function("SUBSTRING", added.copy(), exp.Literal.number(2))
    both = _function("CONCAT", head, exp.Literal.string(","), tail)
    return exp.Case().when(exp.Is(this=base.copy(), expression=exp.Null()), added).else_(both)


def _finite(arguments: list[exp.Expr]) -> exp.Expr:
    size = exp.Abs(this=exp.cast(arguments[0], "DOUBLE"))
    return exp.LT(this=size, expression=exp.cast(exp.Literal.string("Infinity"), "DOUBLE"))


_ANONYMOUS: dict[str, Rewrite] = {
    "ARRAY_TO_STRING": _renamed("ARRAY_JOIN"),
    "DATE_PART": _date_part,
    "EPOCH_US": _renamed("UNIX_MICROS"),
    "ISFINITE": _finite,
    "ISODOW": _weekday,
    "JSON_MERGE_PATCH": _json_add,
    "LEN": _renamed("SIZE"),
    "LIST_SORT": _renamed("SORT_ARRAY"),
    "LIST_TRANSFORM": _renamed("TRANSFORM"),
    "QUANTILE_CONT": _renamed("PERCENTILE"),
    "REGEXP_FULL_MATCH": _full_match,
    "REGEXP_MATCHES": _renamed("REGEXP_LIKE"),
    "REGEXP_REPLACE": _regexp_replace,
    "STRING_SPLIT": _renamed("SPLIT"),
    "STRIP_ACCENTS": _strip_accents,
    "STRLEN": _renamed("OCTET_LENGTH"),
    "TRY_STRPTIME": _parse_time,
}
