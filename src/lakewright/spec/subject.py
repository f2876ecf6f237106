"""What ``lakewright.yaml`` says of the people in the data: where each kind of person is found, and by what."""

from __future__ import annotations

from lakewright.spec.base import Spec

__all__ = ["Subject"]


class Subject(Spec, frozen=True, kw_only=True):
    """A kind of person, to be erased and exported on demand.

    ``identifier`` is the name of what tells two of them apart, such as ``customer_id``. ``datasets`` maps each
    dataset that holds them to its columns with identifiers, column → identifier; a dataset with two identifiers
    links them. ``redact`` names datasets whose rows stay: these columns lose their values instead. Values
    of the identifiers in ``ignore_case`` are the same whatever their case.
    """

    identifier: str
    datasets: dict[str, dict[str, str]]
    redact: dict[str, tuple[str, ...]] = {}
    ignore_case: tuple[str, ...] = ()
    description: str = ""

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Every identifier, the one that tells people apart first."""
        found = [name for columns in self.datasets.values() for name in columns.values()]
        return tuple(dict.fromkeys([self.identifier, *found]))
