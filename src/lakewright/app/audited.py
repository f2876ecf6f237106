"""Questions in the audit log: who asks what is written before a row is shown, and how it ended afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lakewright.app.counted import Counted
from lakewright.errors import LakewrightError
from lakewright.security.audit import AuditLog
from lakewright.sql.query import tokens

__all__ = ["OWNER", "QUERIES", "QueryLog", "without_literals"]

#: What the log calls the project's owner where it names a role.
OWNER = "owner"


#: The actions of queries: asked, refused, and how it ended.
QUERIES = ("query", "refused", "answer")


@dataclass
class QueryLog:
    """The entries of one query. *role* and *user* (empty when unknown) are who asks."""

    log: AuditLog
    role: str
    user: str
    sql: str
    as_of: object = None
    _number: int = 0
    _results: list[Counted] = field(default_factory=list)

    def refused(self, code: str, ids: Iterable[str]) -> None:
        """Write that the query was refused, and the datasets that it named."""
        self._write("refused", {**self._question(), "code": code, "reads": {id: [] for id in ids}})

    def asked(self, reads: Mapping[str, Iterable[str]]) -> None:
        """Write that the query is about to be answered; *reads* are datasets and columns."""
        listed = {id: list(columns) for id, columns in reads.items()}
        self._number = self._write("query", {**self._question(), "reads": listed})

    @contextmanager
    def answered(self) -> Iterator[list[Counted]]:
        """Write, when the block ends, how it ended and how many rows the results put into the list gave."""
        code = "stopped"
        try:
            yield self._results
            code = ""
        except LakewrightError as error:
            code = error.code
            raise
        finally:
            rows = sum(one.rows for one in self._results)
            self._write("answer", {"of": self._number, "rows": rows, **({"code": code} if code else {})})

    def _question(self) -> dict[str, object]:
        moment = {"as_of": str(self.as_of)} if self.as_of is not None else {}
        return {"statement": without_literals(self.sql), **moment}

    def _write(self, action: str, detail: dict[str, object]) -> int:
        who = {"user": self.user} if self.user else {}
        return self.log.record(action, self.role, detail={**detail, **who})


def without_literals(sql: str) -> str:
    """Return *sql* on one line, with `?` for texts and numbers, and without comments."""
    from sqlglot.errors import SqlglotError

    try:
        found = tokens(sql)
    except SqlglotError:
        return "(not understood)"
    text, end, literal = "", 0, False
    for one in found:
        kind = one.token_type.name
        # 0xFF is a number with a word right behind it to SQLGlot
        rest = literal and one.start == end and kind == "VAR"
        literal = rest or kind == "NUMBER" or kind.endswith("STRING")
        text += " " if text and one.start > end else ""
        if not rest:
            text += "?" if literal else sql[one.start : one.end + 1]
        end = one.end + 1
    return text
