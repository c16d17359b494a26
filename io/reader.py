"""The engine's only door to reading: a split to Arrow.

Columns come in the order asked for, each in its logical type or in one of two encodings of it
(strings as dictionary<int32, string>, decimals of up to 18 digits as decimal64). Without columns a
table still counts its rows. A predicate may leave out rows that do not match; only what the source
called EXACT in `pushdown` is sure to be applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from plait.io import csv_read, json_read, memory, parquet_read
from plait.io.csv import CsvSplit
from plait.io.json import JsonSplit
from plait.io.memory import MemorySplit
from plait.io.parquet import ParquetSplit
from plait.planner.expr import Expr
from plait.planner.source import Split

BATCH_ROWS = 1 << 17


def read_split(split: Split, columns: Sequence[str], predicate: Expr | None = None) -> pa.Table:
    """All rows of a split."""
    match split:
        case ParquetSplit():
            return parquet_read.read(split, columns, predicate)
        case CsvSplit():
            return csv_read.read(split, columns)
        case JsonSplit():
            return json_read.read(split, columns)
        case MemorySplit():
            return memory.read(split, columns)
    raise TypeError(f"no reader for {type(split).__name__}")


def iterate_split(
    split: Split,
    columns: Sequence[str],
    predicate: Expr | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.Table]:
    """The rows of a split, in order, in tables of at most `batch_rows` rows."""
    match split:
        case ParquetSplit():
            return parquet_read.iterate(split, columns, predicate, batch_rows)
        case CsvSplit():
            return csv_read.iterate(split, columns, batch_rows)
        case JsonSplit():
            return json_read.iterate(split, columns, batch_rows)
        case MemorySplit():
            return memory.slices(memory.read(split, columns), batch_rows)
    raise TypeError(f"no reader for {type(split).__name__}")
