"""Random text of the same form: a digit stays a digit, a letter a letter of its case, all else as it was.

Works on all characters of many texts at once. Letters of other alphabets become Latin ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["form_like"]

# Bytes of randomness per character; the bias of taking the rest by 26 or 10 is below 1e-7.
_WIDTH = 4
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def form_like(values: Sequence[str], extra: int = 0) -> list[str]:
    """Return for each of *values* a random text of its form, with *extra* more characters at the end.

    A text without any letter or digit has no form to keep; it becomes twelve random characters. Randomness is
    the operating system's.
    """
    import numpy as np

    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    text = "".join(values)
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).copy()
    random = np.frombuffer(os.urandom(_WIDTH * len(points)), dtype=np.uint32)
    # each different character is looked at once
    there, place = np.unique(points, return_inverse=True)
    kinds = np.fromiter((_kind(chr(one)) for one in there), dtype=np.uint8, count=len(there))[place]
    for kind, first, count in ((1, ord("0"), 10), (2, ord("a"), 26), (3, ord("A"), 26)):
        here = kinds == kind
        points[here] = first + random[here] % count
    changed = points.tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum(lengths)
    starts = ends - lengths
    counted = np.concatenate(([0], np.cumsum(kinds > 0)))
    random_ones = counted[ends] - counted[starts]
    made = [changed[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if extra or not random_ones.all():
        made = [
            one + _letters(extra) if enough else _letters(12 + extra)
            for one, enough in zip(made, (random_ones > 0).tolist(), strict=True)
        ]
    return made


def _kind(char: str) -> int:
    if char.isdigit():
        return 1
    if char.isalpha():
        return 3 if char.isupper() else 2
    return 0


def _letters(count: int) -> str:
    return "".join(_ALPHABET[one % 36] for one in os.urandom(count))
