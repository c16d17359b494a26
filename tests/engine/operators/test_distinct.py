"""Distinct rows against pandas' drop_duplicates and DuckDB's DISTINCT."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.operators.distinct import distinct
from plait.errors import PlanError
from tests.engine.random_batches import KINDS, ask_duckdb, batch_of, plain


@given(st.data())
@settings(max_examples=60)
def test_distinct_is_duckdbs(data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    kinds = [(f"k{i}", kind) for i, kind in enumerate(drawn)]
    batch = data.draw(batch_of(kinds))
    names = [name for name, _ in kinds]
    keep = data.draw(st.sampled_from(["first", "last", "none"]))
    chosen = {"first": "min(rn)", "last": "max(rn)", "none": "min(rn)"}[keep]
    only = "HAVING count(*) = 1" if keep == "none" else ""
    sql = f"SELECT {chosen} AS r FROM t GROUP BY {', '.join(names)} {only} ORDER BY r"
    wanted = ask_duckdb(sql, t=plain(batch, kinds))["r"]
    expected = batch.take(wanted.combine_chunks())
    assert distinct(batch, names, keep).equals(expected)
    assert distinct(batch, None, keep).equals(expected)


@pytest.mark.parametrize("keep", ["first", "last", "none"])
def test_distinct_on_some_columns_is_pandas(keep: Any) -> None:
    frame = pd.DataFrame({"a": [1, 1, 2, 3, 2, 1], "b": list("xyzxyz")})
    batch = pa.RecordBatch.from_pandas(frame)
    expected = frame.drop_duplicates("a", keep=False if keep == "none" else keep)
    assert distinct(batch, ["a"], keep).to_pylist() == expected.to_dict("records")


def test_no_columns_and_no_rows() -> None:
    batch = pa.record_batch({"x": [1, 2, 3]})
    assert distinct(batch.select([])).num_rows == 1
    assert distinct(batch, []).to_pylist() == [{"x": 1}]
    for keep in ("first", "last", "none"):
        assert distinct(batch.slice(0, 0), None, keep).num_rows == 0


def test_what_to_keep_is_checked() -> None:
    with pytest.raises(PlanError, match="first, last or none"):
        distinct(pa.record_batch({"x": [1]}), None, "some")
