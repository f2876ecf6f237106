"""The README of a drafted project: what was found, and which commands come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lakewright.project.draft_guess import DraftTable, Guess, event_date, is_amount
from lakewright.project.draft_text import comment

__all__ = ["readme"]

_LISTED = 30


def readme(name: str, tables: Sequence[DraftTable], guesses: Mapping[str, Guess]) -> str:
    """Return the text of ``README.md`` for a project *name* with *tables*."""
    largest = max(tables, key=lambda one: one.rows or 0)
    # The query is an example for a reader, with a name that was checked.
    return f"""\
# {comment(name)}

Written by `lakewright init`. Look for `# guessed` in the files and correct what is wrong; then:

```
lakewright check        # are the files right?
lakewright plan         # what would be built, and why
lakewright run          # build it
lakewright test         # run the tests
lakewright query "select * from processed.{largest.name} limit 10"
lakewright quality      # how good the data is, and what was set aside
```

| folder | what is in it |
|---|---|
| `sources/` | which files are taken, and how they are read |
| `datasets/processed/` | each dataset cleaned: steps, types, rules |
| `datasets/curated/` | the place for figures, in SQL |
| `tests/` | given these rows, expect those |

## What was found

{_found(tables, guesses)}
{_figures(tables)}"""  # noqa: S608


def _found(tables: Sequence[DraftTable], guesses: Mapping[str, Guess]) -> str:
    lines = ["| dataset | rows | one row per | personal data |", "|---|---:|---|---|"]
    for table in tables[:_LISTED]:
        rows = f"{table.rows:,}" if table.rows is not None else ""
        personal = ", ".join(one.name for one in table.columns if one.pii)
        key = " and ".join(guesses[table.name].key)
        lines.append(f"| {table.name} | {rows} | {key} | {personal} |")
    if len(tables) > _LISTED:
        lines.append(f"| and {len(tables) - _LISTED:,} more | | | |")
    return "\n".join(lines)


def _figures(tables: Sequence[DraftTable]) -> str:
    """An example of a curated dataset, for the largest table that has an amount and a date."""
    for table in sorted(tables, key=lambda one: -(one.rows or 0)):
        event = event_date(table)
        amount = next((one.name for one in table.columns if is_amount(one)), None)
        if event is None or amount is None:
            continue
        # names of tables and columns were made or checked by the project; columns are quoted
        return f"""
## Figures

A query in `datasets/curated/` becomes a table, built again whenever what it reads changes. For
example `datasets/curated/{table.name}_by_month.sql`:

```sql
select
  date_trunc('month', {_quoted(event.name)}) as month,
  count(*) as number,
  sum({_quoted(amount)}) as {_quoted(amount)}
from processed.{table.name}
group by all
```
"""  # noqa: S608
    return ""


def _quoted(name: str) -> str:
    if name.isascii() and name.isidentifier() and name.islower():
        return name
    return '"' + name.replace('"', '""') + '"'
