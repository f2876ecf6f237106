"""Cut people out of an API's answers as raw keeps them: a line of JSON per answer, its body inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lakewright.erase.cut_text import Keys, cut_document
from lakewright.erase.people import BLOT, Wanted
from lakewright.sources.json_files import syntax_problem
from lakewright.sources.manifest import Field
from lakewright.sources.rest.load import Answer
from lakewright.sources.text import Unreadable, open_packed
from lakewright.spec.rest import RestDataset

__all__ = ["cut_answers"]


def cut_answers(
    local: Path, target: Path, spec: RestDataset, fields: Sequence[Field], keys: Keys, wanted: Wanted
) -> int:
    """Write the answers in *local* to *target* without the people's records; return how many answers changed.

    An answer that was asked for one of them alone loses its body, its address and what it was asked with.
    """
    import pyarrow as pa

    cutter = _Cutter(spec, fields, keys, wanted)
    changed = 0
    with open_packed(local, "zstd") as source, pa.CompressedOutputStream(str(target), "zstd") as out:
        # a line holds a page of records; there are few
        for line in source.read().splitlines(keepends=True):
            new = cutter.cut(line)
            changed += new is not line
            out.write(new)
    return changed


class _Cutter:
    def __init__(self, spec: RestDataset, fields: Sequence[Field], keys: Keys, wanted: Wanted) -> None:
        self.spec = spec
        self.fields = fields
        self.keys = keys
        self.wanted = wanted
        self.words = wanted.people.pattern()
        self.asked = self._parameters()

    def _parameters(self) -> dict[str, str]:
        """Parameters of the path that an identifier fills, by what the parent's column or the record's is."""
        parent = self.spec.parent
        if parent is None:
            return {}
        above = dict(self.wanted.people.spec.datasets.get(f"raw.{parent.dataset}", {}))
        above |= {there: self.keys[name][0] for name, there in parent.include.items() if name in self.keys}
        return {name: above[there] for name, there in parent.params.items() if there in above}

    def cut(self, line: bytes) -> bytes:
        answer = msgspec.json.decode(line, type=Answer)
        if self._asked_for(answer.parent):
            return _line(answer, url=BLOT, parent={}, body=None, body_base64=None, records=0)
        body, count = self._body(answer)
        address = self._blotted(answer.url)
        if not count and address == answer.url:
            return line
        left = answer.records - count
        if count and not left:
            # it held nobody else: what was asked may tell who it was
            return _line(answer, url=BLOT, parent={}, body=None, body_base64=None, records=0)
        return _line(answer, url=address, body=body, records=left)

    def _asked_for(self, parent: Mapping[str, Any]) -> bool:
        people = self.wanted.people
        told = {
            name: people.normal(identifier, str(parent[name]))
            for name, identifier in self.asked.items()
            if parent.get(name) is not None
        }
        return any(value in people.values.get(self.asked[name], ()) for name, value in told.items())

    def _body(self, answer: Answer) -> tuple[str | None, int]:
        """The body without their records, and how many went. One that is no JSON goes when it holds their words."""
        if answer.body is None:
            data = base64.b64decode(answer.body_base64 or "")
            hit = self.words is not None and self.words.search(data.decode("utf-8", "replace")) is not None
            return None, int(hit)
        data = answer.body.encode()
        try:
            if syntax_problem(data) == "":
                cut, count = cut_document(data, self.spec.records, self.fields, self.keys, self.wanted)
                return cut.decode(), count
        except (Unreadable, KeyError, IndexError, ValueError, msgspec.DecodeError):
            pass
        blotted = self._blotted(answer.body)
        return blotted, int(blotted != answer.body)

    def _blotted(self, text: str) -> str:
        return self.words.sub(BLOT, text) if self.words is not None else text


def _line(answer: Answer, **changes: Any) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(answer, **changes)) + b"\n"
