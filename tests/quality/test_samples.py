"""Samples of bad rows: a few of each kind, as text, masked."""

from __future__ import annotations

import duckdb
from sqlglot import exp

from lakewright.quality.samples import MASK, Sample, mask, sample_rows


def test_a_few_rows_of_each_combination_of_reasons() -> None:
    con = duckdb.connect()
    con.execute(
        """CREATE TABLE bad AS SELECT range AS id, 'x' || repeat('y', 300) AS "long text", NULL AS "no",
           CASE WHEN range % 10 = 0 THEN ['rare', 'other'] ELSE ['common'] END AS why,
           '{"ID": "abc", "n": "1"}' AS _failed, 'a'::BLOB AS b, {'k': [1]} AS st FROM range(100)"""
    )
    names = ["id", "long text", "no", "_failed", "b", "st"]
    where = exp.GT(this=exp.column("id"), expression=exp.Literal.number(4))
    found = sample_rows(con, exp.to_table("bad"), names, exp.column("why"), where=where, pii=["Id"], each=2)
    assert found.columns == tuple(names)
    assert sorted(reasons for reasons, _ in found.rows) == [("common",)] * 2 + [("rare", "other")] * 2
    for _, values in found.rows:
        assert values[0] == MASK
        assert values[1] == "x" + "y" * 199
        assert values[2:] == (None, f'{{"ID": "{MASK}", "n": "1"}}', "a", "{'k': [1]}")
    few = sample_rows(con, exp.to_table("bad"), ["id"], exp.column("why"), limit=1)
    assert len(few.rows) == 1
    assert few.rows[0][1][0] != MASK


def test_a_record_of_failed_values_that_was_cut_is_hidden_whole() -> None:
    sample = Sample(("_failed",), ((("a.type",), ('{"email": "ann@ex',)),))
    assert mask(sample, ["email"]).rows == ((("a.type",), (MASK,)),)
    assert mask(sample, []) is sample
