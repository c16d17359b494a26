"""Python functions over rows and partitions."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import ComputeError, PlaitError, PlanError
from tests.api.oracle import agree, people


def eager(d: Any) -> bool:
    return isinstance(d, pd.DataFrame)


def dtype(d: Any, kind: Any) -> dict[str, Any]:
    return {} if eager(d) else {"dtype": kind}


def test_map_of_a_function() -> None:
    agree(lambda d: d.x.map(lambda v: v * 1.5, **dtype(d, float)))
    agree(lambda d: d.x.apply(lambda v: f"<{v}>", **dtype(d, str)))
    agree(lambda d: d.k.map(lambda v: v.upper(), na_action="ignore", **dtype(d, str)))


def test_a_mapped_column_belongs_to_its_frame() -> None:
    agree(lambda d: d.assign(q=d.x.map(lambda v: v + 1, **dtype(d, int)) * d.g))
    agree(lambda d: d[d.x.map(lambda v: v % 2 == 0, **dtype(d, bool))])
    agree(lambda d: d.groupby(d.x.map(lambda v: v % 2, **dtype(d, int))).y.sum())


def test_apply_of_rows() -> None:
    agree(lambda d: d[["x", "g"]].apply(lambda r: r.x * r.g, axis=1, **dtype(d, int)))
    agree(lambda d: d.apply(lambda r: f"{r.k}{r.x}", axis=1, **dtype(d, str)))


def test_map_partitions() -> None:
    def more(part: pd.DataFrame, by: int = 1) -> pd.DataFrame:
        return part.assign(x=part.x + by, z=part.y * 2)[["x", "z", "k"]]

    data = people()
    lazy = plait.from_pandas(data, npartitions=3)
    made = lazy.map_partitions(more, by=5, meta={"x": "int64", "z": float, "k": str})
    expected = more(data, by=5).reset_index(drop=True)
    pd.testing.assert_frame_equal(made.compute(), expected)
    assert len(made) == 12
    empty = more(data).iloc[:0]
    assert made.columns.tolist() == lazy.map_partitions(more, meta=empty).columns.tolist()


def test_map_partitions_sees_index_and_types() -> None:
    data = people().set_index("k")[["x", "y", "t", "c"]]

    def look(part: pd.DataFrame) -> pd.DataFrame:
        assert part.index.name == "k"
        assert part.dtypes.astype(str).tolist() == data.dtypes.astype(str).tolist()
        return pd.DataFrame({"rows": [len(part)]})

    lazy = plait.from_pandas(data, npartitions=3)
    assert lazy.map_partitions(look, meta={"rows": int}).rows.compute().sum() == 12


def test_series_map_partitions() -> None:
    agree(
        lambda d: (
            d.x.rolling(1).sum()
            if eager(d)
            else d.x.map_partitions(lambda s: s.rolling(1).sum(), dtype=float)
        )
    )


def test_functions_that_break_their_word() -> None:
    lazy = plait.from_pandas(people())
    with pytest.raises(ComputeError, match="stated type int64"):
        lazy.x.map(lambda v: "text", dtype=int).compute()
    with pytest.raises(ComputeError, match="gave no column 'z'"):
        lazy.map_partitions(lambda part: part, meta={"z": int}).compute()
    with pytest.raises(ComputeError, match="3 values for 12 rows"):
        lazy.x.map_partitions(lambda s: s.head(3), dtype=int).compute()
    with pytest.raises(PlanError, match="meta="):
        lazy.map_partitions(lambda part: part, meta=3)
    with pytest.raises(TypeError, match="no type"):
        lazy.x.map(lambda v: v, dtype="quux")


def test_an_error_in_a_function_arrives_as_it_was() -> None:
    def fail(value: int) -> int:
        raise ZeroDivisionError("of mine")

    with pytest.raises(ZeroDivisionError, match="of mine") as caught:
        plait.from_pandas(people()).x.map(fail, dtype=int).compute()
    assert not isinstance(caught.value, PlaitError)


def test_lazy_objects_do_not_travel() -> None:
    import pickle

    lazy = plait.from_pandas(people())
    for value in (lazy, lazy.x, plait.Session(config={"executor": "inline"})):
        with pytest.raises(TypeError):
            pickle.dumps(value)
