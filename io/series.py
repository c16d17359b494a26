"""Reading a `SeriesSplit`: counting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from plait.io.encoding import table_of
from plait.planner.series import SeriesSplit


def read(split: SeriesSplit, columns: Sequence[str]) -> pa.Table:
    """All numbers of the split, once for each column asked for."""
    return _table(split.numbers, columns)


def iterate(split: SeriesSplit, columns: Sequence[str], batch_rows: int) -> Iterator[pa.Table]:
    """The numbers in pieces of at most `batch_rows`."""
    for start in range(0, len(split.numbers), batch_rows):
        yield _table(split.numbers[start : start + batch_rows], columns)


def _table(numbers: range, columns: Sequence[str]) -> pa.Table:
    values = numbers.start + numbers.step * np.arange(len(numbers), dtype=np.int64)
    return table_of([pa.chunked_array([pa.array(values)]) for _ in columns], columns, len(numbers))
