"""Which type can hold every value of another: the order that decides whether a change of type is safe."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError

__all__ = ["canonical", "common", "type_changes", "widens"]

# Decimal digits and bits of the integers, by name.
_SIGNED = {"TINYINT": (3, 7), "SMALLINT": (5, 15), "INT": (10, 31), "BIGINT": (19, 63), "INT128": (39, 127)}
_UNSIGNED = {
    "UTINYINT": (3, 8),
    "USMALLINT": (5, 16),
    "UINT": (10, 32),
    "UBIGINT": (20, 64),
    "UINT128": (39, 128),
}
_INTEGERS = _SIGNED | _UNSIGNED
_EXACT_BITS = {"FLOAT": 24, "DOUBLE": 53}
# Times by precision: seconds, milliseconds, microseconds cover the same years; nanoseconds cover fewer.
_MOMENTS = ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP")
_TEXT = ("VARCHAR", "TEXT", "CHAR", "NVARCHAR", "NCHAR")


@lru_cache(maxsize=8192)
def _parse(text: str) -> exp.DataType | None:
    try:
        return exp.DataType.build(text, dialect="duckdb")
    except (SqlglotError, ValueError):
        return None


def canonical(text: str) -> str:
    """Return one spelling of a type, the same for its synonyms: ``int4`` and ``INTEGER``; case does not count."""
    parsed = _parse(text)
    return parsed.sql("duckdb").upper() if parsed is not None else " ".join(text.upper().split())


def widens(old: str, new: str) -> bool:
    """Whether every value of type *old* is, unchanged, a value of type *new* (DuckDB's types).

    Equal types do. Whole numbers widen to larger ones, to decimals with room for them and to floats
    that are exact for them; lists, maps and structs by what they hold, where fields may come and go
    as they may be null. Text is no wider form of a number: who reads numbers cannot read text.
    """
    if canonical(old) == canonical(new):
        return True
    one, two = _parse(old), _parse(new)
    return one is not None and two is not None and _widens(one, two)


def type_changes(old: str, new: str) -> tuple[str, ...]:
    """Return what changed inside a nested type, field by field with its path: ``address.zip changed from …``."""
    one, two = _parse(old), _parse(new)
    return tuple(_inner_changes(one, two, "")) if one is not None and two is not None else ()


def _inner_changes(old: exp.DataType, new: exp.DataType, path: str) -> Iterator[str]:
    if _name(old) == _name(new) == "STRUCT":
        left, right = _fields(old) or {}, _fields(new) or {}
        for name, kind in left.items():
            full = f"{path}{name}"
            if name not in right:
                yield f"{full} is gone"
            else:
                yield from _inner_changes(kind, right[name], f"{full}.")
        yield from (
            f"{path}{name} is new ({kind.sql('duckdb')})" for name, kind in right.items() if name not in left
        )
        return
    if _name(old) == _name(new) and _name(old) in ("LIST", "ARRAY", "MAP") and _same_size(old, new):
        marks = ("[]",) if _name(old) != "MAP" else ("{key}", "{value}")
        for mark, left_, right_ in zip(marks, _inner(old), _inner(new), strict=False):
            yield from _inner_changes(left_, right_, f"{path.removesuffix('.')}{mark}.")
        return
    if path and old.sql("duckdb").upper() != new.sql("duckdb").upper():
        how = "widened" if _widens(old, new) else "narrowed" if _widens(new, old) else "changed"
        yield f"{path.removesuffix('.')} {how} from {old.sql('duckdb')} to {new.sql('duckdb')}"


def common(one: str, two: str) -> str:
    """Return the wider of two types, else ``VARCHAR``, which can show the values of both."""
    if widens(two, one):
        return one
    if widens(one, two):
        return two
    for type_ in ("BIGINT", "HUGEINT", "DOUBLE", "TIMESTAMP"):
        if widens(one, type_) and widens(two, type_):
            return type_
    return "VARCHAR"


def _widens(old: exp.DataType, new: exp.DataType) -> bool:
    if old.sql("duckdb").upper() == new.sql("duckdb").upper():
        return True
    a, b = _name(old), _name(new)
    if a in ("LIST", "ARRAY", "MAP") and a == b:
        return _same_size(old, new) and _elements(old, new)
    if a == b == "STRUCT":
        return _structs(old, new)
    if a in _INTEGERS and b in _INTEGERS:
        return _INTEGERS[a][1] <= _INTEGERS[b][1] and (b in _SIGNED or a in _UNSIGNED)
    if a in _INTEGERS and b in _EXACT_BITS:
        return _INTEGERS[a][1] <= _EXACT_BITS[b]
    if a in _INTEGERS and b == "DECIMAL":
        precision, scale = _decimal(new)
        return precision - scale >= _INTEGERS[a][0]
    if a == b == "DECIMAL":
        (p, s), (q, t) = _decimal(old), _decimal(new)
        return t >= s and q - t >= p - s
    if a == "FLOAT" and b == "DOUBLE":
        return True
    if a in _MOMENTS and b in _MOMENTS:
        return _MOMENTS.index(a) <= _MOMENTS.index(b)
    if a == "DATE":
        return b in _MOMENTS
    return a in ("ENUM", "JSON", *_TEXT) and b in _TEXT


def _name(type_: exp.DataType) -> str:
    kind = type_.this
    name = str(getattr(kind, "value", kind)).upper()
    if name == "ARRAY" and not _sizes(type_):
        return "LIST"
    return {"TEXT": "VARCHAR", "TIMESTAMPNTZ": "TIMESTAMP"}.get(name, name)


def _sizes(type_: exp.DataType) -> list[str]:
    return [one.sql("duckdb") for one in type_.args.get("values") or ()]


def _same_size(old: exp.DataType, new: exp.DataType) -> bool:
    return _sizes(old) == _sizes(new)


def _inner(type_: exp.DataType) -> list[exp.DataType]:
    return [one for one in type_.expressions if isinstance(one, exp.DataType)]


def _elements(old: exp.DataType, new: exp.DataType) -> bool:
    left, right = _inner(old), _inner(new)
    return len(left) == len(right) > 0 and all(map(_widens, left, right))


def _fields(type_: exp.DataType) -> dict[str, exp.DataType] | None:
    found = {}
    for one in type_.expressions:
        if not isinstance(one, exp.ColumnDef) or not isinstance(one.args.get("kind"), exp.DataType):
            return None
        found[one.name.lower()] = one.args["kind"]
    return found


def _structs(old: exp.DataType, new: exp.DataType) -> bool:
    left, right = _fields(old), _fields(new)
    if left is None or right is None:
        return False
    return all(_widens(kind, right[name]) for name, kind in left.items() if name in right)


def _decimal(type_: exp.DataType) -> tuple[int, int]:
    sizes = [int(one.name) for one in type_.expressions if one.name.isdigit()]
    # DuckDB's DECIMAL without sizes is DECIMAL(18,3)
    return (sizes[0], sizes[1] if len(sizes) > 1 else 0) if sizes else (18, 3)
