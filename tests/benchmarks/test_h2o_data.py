"""The tables of db-benchmark have the sizes, ranges and overlaps that its generators give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.h2o_data import Shape, groupby_folder, groupby_table, join_tables


def _distinct(table: pa.Table, name: str) -> set[object]:
    return set(table.column(name).unique().to_pylist())


def test_groupby() -> None:
    table = groupby_table(Shape(rows=20_000, groups=10))
    assert _distinct(table, "id1") == {f"id{n:03}" for n in range(1, 11)}
    assert _distinct(table, "id4") == set(range(1, 11))
    assert _distinct(table, "id3") <= {f"id{n:010}" for n in range(1, 2001)}
    assert len(_distinct(table, "id6")) > 1990  # of 2000, each drawn ten times on average
    assert _distinct(table, "v2") == {1, 2, 3, 4, 5}
    v3 = table.column("v3").to_numpy()
    assert 0 <= v3.min() < 0.1
    assert 99.9 < v3.max() <= 100
    assert np.array_equal(np.round(v3, 4), v3)
    assert table.schema.field("id4").type == pa.int32()


def test_groupby_with_nulls_sorted() -> None:
    table = groupby_table(Shape(rows=2000, groups=10, nulls=5, ordered=True))
    assert [column.null_count for column in table.columns] == [100] * 9
    keys = [(f"id{n}", "ascending", "at_start") for n in range(1, 7)]
    order = pc.sort_indices(table, sort_keys=keys)
    assert order.to_pylist() == list(range(2000))


def test_join_keys_overlap_by_nine_tenths() -> None:
    tables = join_tables(Shape(rows=20_000))
    assert [tables[n].num_rows for n in ("x", "small", "medium", "big")] == [20_000, 10, 20, 20_000]
    assert tables["x"].column_names == ["id1", "id2", "id3", "id4", "id5", "id6", "v1"]
    assert tables["medium"].column_names == ["id1", "id2", "id4", "id5", "v2"]
    for name, key in (("small", "id1"), ("medium", "id2"), ("big", "id3")):
        left, right = _distinct(tables["x"], key), _distinct(tables[name], key)
        assert len(right) == tables[name].num_rows
        assert len(left) == len(right)
        assert len(left & right) == len(right) * 9 // 10
    x = tables["x"].slice(0, 5).to_pylist()
    assert [row["id6"] for row in x] == [f"id{row['id3']}" for row in x]


def test_join_with_nulls() -> None:
    x = join_tables(Shape(rows=20_000, nulls=10))["x"]
    assert x.column("id1").null_count > 0
    assert len(_distinct(x, "id2")) == 20 - 2 + 1
    assert x.column("v1").null_count == 2000
    assert "idNA" in _distinct(x, "id4")
    assert x.column("id4").null_count == 0


def test_folder_is_made_once(tmp_path: Path) -> None:
    shape = Shape(rows=1000, groups=10)
    folder = groupby_folder(shape, tmp_path)
    assert folder.name == "h2o-G1_1e3_1e1_0_0"
    before = (folder / "x.parquet").stat()
    assert groupby_folder(shape, tmp_path) == folder
    assert (folder / "x.parquet").stat() == before
    assert pq.read_metadata(folder / "x.parquet").num_rows == 1000
