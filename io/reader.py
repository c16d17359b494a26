"""The engine's only door to reading: a split to Arrow.

Columns come in the order asked for, each in its logical type or in one of two encodings of it
(strings as codes, dictionary<int8 | int16 | int32, string>, decimals of up to 18 digits as
decimal64, or decimal32 where they fit). Without columns a table still counts its rows. A predicate
may leave out rows that do not match; only what the source called EXACT in `pushdown` is sure to be
applied.
"""

from __future__ import annotations

import importlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plait.io.column_cache import cache
from plait.io.columns import BATCH_ROWS, RowTest
from plait.io.held import HeldSplit
from plait.io.parquet.pages import CODES, ENTRIES, PAGE_FIELDS, Found, PageTable
from plait.planner.expr import Expr
from plait.planner.source import Split
from plait.planner.statistics import ColumnStatistics

if TYPE_CHECKING:
    from plait.io.parquet.decode import PageLoops

__all__ = [
    "BATCH_ROWS",
    "CODES",
    "ENTRIES",
    "PAGE_FIELDS",
    "Found",
    "PageTable",
    "RowTest",
    "cached_bytes",
    "handle_of",
    "iterate_split",
    "read_split",
    "shrink_cache",
    "with_rows",
]

# the module of a kind of split -> the module that reads it; loaded when the first one is read, so
# that a process pays for the formats it meets
_READERS = {
    "plait.io.parquet.source": "plait.io.parquet.read",
    "plait.io.csv.source": "plait.io.csv.read",
    "plait.io.json.source": "plait.io.json.read",
    "plait.io.memory": "plait.io.memory",
    "plait.planner.series": "plait.io.series",
}


def read_split(split: Split, columns: Sequence[str], predicate: Expr | None = None) -> pa.Table:
    """All rows of a split."""
    kind, module = _reader(split)
    if kind == "plait.io.parquet.source":
        return module.read(split, columns, predicate)
    return module.read(split, columns)


def iterate_split(
    split: Split,
    columns: Sequence[str],
    predicate: Expr | None = None,
    batch_rows: int = BATCH_ROWS,
    cache_bytes: int = 0,
    test: RowTest | None = None,
    bounds: Mapping[str, ColumnStatistics] | None = None,
    cached: Container[str] | None = None,
    loops: PageLoops | None = None,
) -> Iterator[pa.Table | pa.RecordBatch]:
    """The rows of a split, in order, in pieces of at most `batch_rows` rows: batches if they are
    in memory already, or were decoded as such, else tables.

    cache_bytes    how much the process may keep of what it decoded; 0 reads all anew
    cached         the columns that may be kept; None: all
    test           pieces none of whose rows pass may be left out
    bounds         rows with a NULL or a value outside may be left out
    loops          decode what they can of Parquet files
    """
    kind, module = _reader(split)
    found: Iterator[pa.Table | pa.RecordBatch]
    if kind == "plait.io.parquet.source":
        found = module.iterate(
            split, columns, predicate, batch_rows, cache_bytes, test, bounds, cached, loops
        )
    else:
        found = module.iterate(split, columns, batch_rows)
    return found


def handle_of(split: Split) -> Any:
    """By what name a scheduler holds the rows of a split; None if the split is read otherwise."""
    return split.handle if isinstance(split, HeldSplit) else None


def with_rows(split: Split, rows: Sequence[pa.RecordBatch]) -> Split:
    """A split that is held, now that its rows are here."""
    assert isinstance(split, HeldSplit)
    return split.of(rows)


def cached_bytes() -> int:
    """Bytes of decoded columns that this process keeps."""
    return cache.bytes


def shrink_cache(count: int) -> None:
    """Keep at most so many bytes of decoded columns."""
    cache.shrink(count)


def _reader(split: Split) -> tuple[str, Any]:
    kind = type(split).__module__
    if kind not in _READERS:
        raise TypeError(f"no reader for {type(split).__name__}")
    return kind, importlib.import_module(_READERS[kind])
