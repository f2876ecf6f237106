"""Codes of security: 8xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW801": Code(
        "mask does not fit the type",
        "A rule of masking is for texts, numbers or dates, and the column is something else.",
        "choose a rule for the column's type; hash and null fit every type",
    ),
    "LW802": Code(
        "key is lost",
        "A key that masked values before is not where it is kept. With another key the same values would be "
        "masked differently, and joins and tokens would break, so none is made.",
        "put the key's file (or secret) back from a copy; `lakewright keys list` says where it belongs",
    ),
    "LW803": Code(
        "key is another one",
        "The key found is not the one that was used before under this name and version.",
        "put the right key back; to change keys on purpose, use `lakewright keys rotate`",
    ),
    "LW804": Code(
        "masked column is needed clear",
        "A column tells rows apart or orders them, and its rule of masking does not keep that.",
        "mask it by hash or token, which keep different values different, or use another column",
    ),
    "LW805": Code(
        "key cannot be read or made",
        "The place that keeps a key refuses, or what it holds is no key.",
        "see the message; a key is 32 bytes, written as 64 hexadecimal digits",
    ),
    "LW806": Code(
        "reference between masks that differ",
        "A reference is looked up by masked values. They are equal on both sides only when both columns are "
        "masked by the same hash and key.",
        "give both columns the same `mask`: hash, with the same key",
    ),
    "LW807": Code(
        "unknown key",
        "A mask names a key that lakewright.yaml does not have.",
        "add it under `keys`, or leave it out: the key `default` needs no entry",
    ),
    "LW808": Code(
        "token not known",
        "The vault has no such token in this domain.",
        "check the token and `--domain`; only values of columns with `mask: token` can be revealed",
    ),
    "LW809": Code(
        "vault entry cannot be opened",
        "A value of the vault does not decrypt: it was changed, or its key is another one.",
        "restore the state database, or the key, from a copy",
    ),
}
