"""Where the columns of a dataset come from: through its query, its steps and its contract's casts.

The words for how a column takes part are OpenLineage's (column lineage facet 1-2): a value flows
(``IDENTITY``, ``TRANSFORMATION``, ``AGGREGATION``) or decides about rows or other values (``JOIN``,
``FILTER``, ``GROUP_BY``, ``SORT``, ``WINDOW``, ``CONDITIONAL``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakewright.spec.dataset import Dataset
from lakewright.sql.lineage_steps import Finding, trace_contract, trace_steps
from lakewright.sql.query import dependencies, shared_query
from lakewright.sql.query_columns import problem_of, resolve
from lakewright.sql.query_relation import DIRECT, INDIRECT, Col, Origin, Relation, applied
from lakewright.sql.surrogate import INFERRED

__all__ = [
    "DIRECT",
    "INDIRECT",
    "Lineage",
    "Origin",
    "Traced",
    "column_lineage",
    "lineage",
    "stored",
    "trace",
]

#: What a history keeps besides the columns of its rows.
HISTORY = {"valid_from": "TIMESTAMP", "valid_to": "TIMESTAMP", "is_current": "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class Lineage:
    """The origins of each column of a dataset, and of the choice of its rows.

    ``columns`` maps each column to what takes part in its values, directly or not; ``rows`` holds
    what decides which rows there are and in which order (joins, filters, groups, sorting).
    """

    columns: Mapping[str, tuple[Origin, ...]]
    rows: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """What a dataset gives: after its query or input and its steps, and after its contract."""

    made: Relation
    output: Relation
    findings: tuple[Finding, ...]


def column_lineage(
    dataset: Dataset, schema: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[Origin, ...]]:
    """Return the origins of each column that *dataset* gives, in the order of its columns.

    *schema* maps the ids of the datasets that it reads to their columns and types; one that is not
    named there may have any columns, and then those of the contract are taken to come from it by
    name. Raises ProjectError when the dataset's query does not parse.
    """
    return dict(lineage(dataset, schema).columns)


def lineage(
    dataset: Dataset,
    schema: Mapping[str, Mapping[str, str]],
    surrogate_keys: Mapping[str, str] | None = None,
) -> Lineage:
    """Return the whole lineage of *dataset*: by column and of its rows. Arguments as :func:`column_lineage`.

    *surrogate_keys* names that of each dimension that a fact refers to.
    """
    relations = {id: Relation.of(id, columns) for id, columns in schema.items()}
    output = trace(dataset, lambda id: relations.get(id) or Relation.of(id, None)).output
    columns = {col.name: _sorted(col) for col in output.visible()}
    made = _surrogates(dataset, columns, surrogate_keys or {})
    return Lineage({**made, **columns}, tuple(sorted(output.rows)))


def _surrogates(
    dataset: Dataset, columns: Mapping[str, tuple[Origin, ...]], keys: Mapping[str, str]
) -> dict[str, tuple[Origin, ...]]:
    """Where surrogate keys come from: a dimension's from its natural key, a fact's from its dimensions."""
    found: dict[str, tuple[Origin, ...]] = {}
    if dataset.surrogate_key is not None and dataset.surrogate_key not in columns:
        natural = [origin for name in dataset.natural_keys for origin in columns.get(name, ())]
        found[dataset.surrogate_key] = tuple(sorted(applied(natural, "TRANSFORMATION", masking=True)))
    for name, one in (dataset.file.fact.lookups if dataset.file.fact else {}).items():
        by = applied([origin for here in one.on for origin in columns.get(here, ())], "JOIN")
        key = keys.get(one.dimension)
        found[name] = tuple(sorted({*by, *([Origin(one.dimension, key)] if key else [])}))
    return found


def _sorted(col: Col) -> tuple[Origin, ...]:
    return tuple(sorted(col.origins))


def trace(dataset: Dataset, relation: Callable[[str], Relation]) -> Traced:
    """Follow the columns of *dataset* from what it reads, which *relation* describes by id.

    ``findings`` tells of references to columns that cannot be there. Raises ProjectError when the
    query does not parse.
    """
    findings: list[Finding] = []
    path = dataset.path
    if dataset.sql is not None:
        query = shared_query(dataset.sql, dataset.sql_path or path)
        made, unknown = resolve(query, {id: relation(id) for id in dependencies(query)}, types=True)
        findings += [Finding(problem_of(one)) for one in unknown]
    elif dataset.file.from_:
        made = relation(dataset.file.from_)
    else:  # a function makes the rows; what it gives is seen when it runs
        made = Relation(open=True)
    if dataset.file.steps:
        made, wrong = trace_steps(made, dataset.file.steps, path=path, relation_of=relation)
        findings += wrong
    return Traced(made, trace_contract(made, dataset.file.columns), tuple(findings))


def stored(dataset: Dataset, output: Relation) -> Relation:
    """Return *output* as others see it when they read *dataset*: its own columns, history included."""
    columns = {col.name: col.type for col in output.visible()}
    if dataset.file.write.mode == "scd2":
        columns |= {name: kind for name, kind in HISTORY.items() if name not in columns}
    if dataset.file.fact is not None:
        columns = {**dict.fromkeys(dataset.file.fact.dimensions, "BIGINT"), **columns}
    if dataset.surrogate_key is not None and dataset.surrogate_key not in columns:
        columns = {dataset.surrogate_key: "BIGINT", **columns, INFERRED: "BOOLEAN"}
    result = Relation.of(dataset.id, columns, open=output.open)
    result.gone, result.unnamed = output.gone - columns.keys(), output.unnamed
    return result
