"""What Spark spells or means differently from DuckDB, where SQLGlot's translation is not enough."""

from __future__ import annotations

import functools
import re
import unicodedata

from sqlglot import exp
from sqlglot.expressions import DType

__all__ = ["KNOWN_ANONYMOUS", "KNOWN_FUNCTIONS", "accents", "correct", "java_time_format"]

# Functions whose translation keeps the meaning, alone or after `correct`.
KNOWN_FUNCTIONS: tuple[type[exp.Expression], ...] = (
    exp.Abs, exp.And, exp.AnyValue, exp.ApproxDistinct, exp.ArgMax, exp.ArgMin, exp.Array, exp.ArrayContains,
    exp.ArrayFilter, exp.Avg, exp.Between, exp.Case, exp.Cast, exp.Ceil, exp.Chr, exp.Coalesce, exp.Concat,
    exp.ConcatWs, exp.Contains, exp.Corr, exp.Count, exp.CountIf, exp.CumeDist, exp.CurrentDate,
    exp.CurrentTimestamp, exp.DateDiff, exp.DateTrunc, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfWeekIso,
    exp.DayOfYear, exp.DenseRank, exp.EndsWith, exp.Exp, exp.Explode, exp.Extract, exp.First, exp.FirstValue,
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

# Functions that SQLGlot does not know, which both engines spell and mean the same.
KNOWN_ANONYMOUS = frozenset({"DATE_PART", "BIT_COUNT", "NOW", "STRIP_ACCENTS", "EPOCH_MS", "LOG10", "STRLEN"})

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


def correct(tree: exp.Expression) -> exp.Expression:
    """Return *tree* (changed in place) with the functions and types rewritten that would change meaning."""
    return tree.transform(_correct, copy=False)


def _function(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _correct(node: exp.Expression) -> exp.Expression:
    match node:
        case exp.Length() if _is(node.this, DType.ARRAY, DType.LIST):
            return _function("SIZE", node.this)
        case exp.UnixToTime() if _is(node.this, *exp.DataType.TEMPORAL_TYPES):
            # DuckDB's epoch_ms goes both ways, by the type of its argument
            return _function("UNIX_MILLIS", node.this)
        case exp.PercentileCont():
            return _function("PERCENTILE", node.this, node.args["expression"])
        case exp.Log() if node.args.get("expression") is None:
            return _function("LOG10", node.this)
        case exp.DayOfWeek():
            return exp.paren(_function("DAYOFWEEK", node.this) - 1)
        case exp.Extract():
            return _extract(node)
        case exp.Anonymous() if str(node.this).upper() == "DATE_PART" and len(node.expressions) == 2:
            return _extract(
                exp.Extract(this=exp.var(node.expressions[0].name), expression=node.expressions[1])
            )
        case exp.DataType() if node.this in _TYPES:
            return exp.DataType.build(_TYPES[node.this], dialect="spark")
    return node


def _extract(node: exp.Extract) -> exp.Expression:
    match node.name.upper():
        case "DOW" | "DAYOFWEEK" | "WEEKDAY":
            return exp.paren(_function("DAYOFWEEK", node.expression) - 1)
        case "ISODOW":
            return exp.paren(_function("WEEKDAY", node.expression) + 1)
        case "EPOCH":
            return _function("UNIX_TIMESTAMP", node.expression)
    return node


def _is(node: exp.Expression, *types: DType) -> bool:
    return node.type is not None and node.type.this in types
