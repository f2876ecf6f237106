"""A result that counts the rows that were taken from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakewright.app.rows import Result

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

__all__ = ["Counted"]


class Counted(Result):
    """The rows of *result*; ``rows`` says how many were handed out."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self.columns, self.types = result.columns, result.types
        self.rows = 0

    def first(self, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
        """See :meth:`Result.first`."""
        rows, more = self._result.first(limit)
        self.rows += len(rows)
        return rows, more

    def fetchall(self) -> list[tuple[Any, ...]]:
        """See :meth:`Result.fetchall`."""
        rows = self._result.fetchall()
        self.rows += len(rows)
        return rows

    def chunks(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        """See :meth:`Result.chunks`."""
        for chunk in self._result.chunks():
            self.rows += len(chunk)
            yield chunk

    def to_arrow(self) -> pa.Table:
        """See :meth:`Result.to_arrow`."""
        table = self._result.to_arrow()
        self.rows += table.num_rows
        return table

    def to_polars(self) -> polars.DataFrame:
        """See :meth:`Result.to_polars`."""
        frame = self._result.to_polars()
        self.rows += len(frame)
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """See :meth:`Result.to_pandas`."""
        frame = self._result.to_pandas()
        self.rows += len(frame)
        return frame

    def batches(self, rows: int = 100_000) -> pa.RecordBatchReader:
        """See :meth:`Result.batches`."""
        import pyarrow as pa

        reader = self._result.batches(rows)

        def counted() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                self.rows += batch.num_rows
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, counted())
