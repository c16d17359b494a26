"""One dictionary for the row groups of a file: the strings stay what they were."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait.io.dictionaries import Dictionaries

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=30)


@given(chunks=st.lists(TEXTS, max_size=6))
def test_values_stay(chunks: list[list[str | None]]) -> None:
    known = Dictionaries()
    for values in chunks:
        array = pa.array(values, pa.string()).dictionary_encode()
        made = known.shared("x", array)
        assert made.to_pylist() == values
        assert made.null_count == array.null_count
        assert len(made.dictionary.unique()) == len(made.dictionary)


def test_the_second_of_equal_entries_shares_the_first() -> None:
    known = Dictionaries()
    first = known.shared("x", pa.array(["a", "b", "a"]).dictionary_encode())
    second = known.shared("x", pa.array(["b", None, "a"]).dictionary_encode())
    other = known.shared("y", pa.array(["b", "a"]).dictionary_encode())
    assert second.dictionary.buffers()[2].address == first.dictionary.buffers()[2].address
    assert second.indices.to_pylist() == [1, None, 0]
    assert other.dictionary.to_pylist() == ["b", "a"]


def test_many_entries_are_left_alone() -> None:
    known = Dictionaries()
    for start in (0, 3000, 6000):
        values = [str(n) for n in range(start, start + 3000)]
        array = pa.array(values).dictionary_encode()
        made = known.shared("x", array)
        assert made.to_pylist() == values
        assert len(made.dictionary) <= 4096


def test_threads_at_once() -> None:
    known = Dictionaries()
    arrays = [[f"{(n * k) % 97}" for n in range(200)] for k in range(1, 60)]

    def shared(values: list[str]) -> list[str]:
        return list(known.shared("x", pa.array(values).dictionary_encode()).to_pylist())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared, arrays)) == arrays


def test_row_groups_with_dictionaries_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    orders = [["a", "b", "c"], ["c", "a", "b"], ["d", "c"], ["b", None, "a"]]
    with pq.ParquetWriter(path, pa.schema({"x": pa.string()})) as writer:
        for values in orders:
            writer.write_table(pa.table({"x": pa.array(values * 500, pa.string())}))
    frame = plait.read_parquet(str(path))
    values = [v for values in orders for v in values * 500]
    for _ in range(2):  # decoded, then from the cache
        assert frame["x"].to_arrow().to_pylist() == values
    found = plait.sql(
        "select x, count(*) n from t where x <> 'c' group by x order by x", {"t": frame}
    )
    assert found.to_arrow().to_pydict() == {"x": ["a", "b", "d"], "n": [1500, 1500, 500]}
