"""Descriptions of pages: what writers wrote, as pyarrow and the format's text tell it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plait.io.parquet.pages import (
    CODES,
    ENTRIES,
    PLAIN,
    ChunkPages,
    Page,
    chunk_pages,
    table_of_codes,
    table_of_values,
)


def chunk(values: pa.Array, **how: object) -> tuple[bytes, pq.ColumnChunkMetaData]:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": values}), sink, **how)
    text = sink.getvalue()
    found = pq.read_metadata(io.BytesIO(text)).row_group(0).column(0)
    start = found.dictionary_page_offset or found.data_page_offset
    return text[start : start + found.total_compressed_size], found


def described(values: pa.Array, **how: object) -> ChunkPages:
    text, found = chunk(values, **how)
    codec = "" if found.compression == "UNCOMPRESSED" else found.compression.lower()
    pages = chunk_pages(text, (0, len(text)), found.num_values, codec)
    assert pages is not None
    return pages


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_of_a_dictionary(version: str) -> None:
    values = pa.array([None if i % 10 == 3 else i % 7 for i in range(1000)])
    found = described(values, data_page_version=version, max_rows_per_page=300)
    pages = [Page(*row) for row in found.pages.tolist()]
    assert [p.kind for p in pages] == [ENTRIES, CODES, CODES, CODES, CODES]
    assert [p.values for p in pages] == [0, 300, 300, 300, 100]
    assert found.entries == 7
    assert pages[0].size == 7 * 8
    assert found.all_coded
    assert found.coded_values == 1000
    assert all((p.levels < 0) == (version == "1.0") for p in pages[1:])


def test_pages_without_a_dictionary() -> None:
    found = described(
        pa.array(np.arange(1000)), use_dictionary=False, compression="none", max_rows_per_page=400
    )
    assert [Page(*row).kind for row in found.pages.tolist()] == [PLAIN] * 3
    assert found.dictionary is None
    assert not found.all_coded
    assert found.largest >= 400 * 8


def test_a_dictionary_that_was_given_up() -> None:
    values = pa.array(np.random.default_rng(1).permutation(20_000))
    found = described(values, dictionary_pagesize_limit=1000, max_rows_per_page=2000)
    kinds = [Page(*row).kind for row in found.pages.tolist()]
    assert kinds[0] == ENTRIES
    assert {CODES, PLAIN} <= set(kinds[1:])
    assert not found.all_coded


@pytest.mark.parametrize("encoding", ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"])
def test_other_encodings_are_not_described(encoding: str) -> None:
    text, found = chunk(
        pa.array(np.arange(1000)), use_dictionary=False, column_encoding={"x": encoding}
    )
    assert chunk_pages(text, (0, len(text)), found.num_values, "snappy") is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[:20],
        lambda text: b"",
        lambda text: b"\x00" + text,
        lambda text: text[:5] + b"\xff" * 9 + text[14:],
        lambda text: text[:-1],
    ],
)
def test_what_is_no_page_is_not_described(harm: Callable[[bytes], bytes]) -> None:
    text, found = chunk(pa.array(np.arange(1000) % 50))
    assert chunk_pages(text, (0, len(text)), found.num_values, "snappy") is not None
    harmed = harm(text)
    assert chunk_pages(harmed, (0, len(harmed)), found.num_values, "snappy") is None


def test_more_values_than_there_are_rows_are_not_described() -> None:
    text, found = chunk(pa.array(np.arange(1000) % 50))
    for values in (999, 1001):
        assert chunk_pages(text, (0, len(text)), values, "snappy") is None
    assert found.num_values == 1000


def test_tables_of_several_chunks() -> None:
    chunks = [described(pa.array(np.arange(n) % n), max_rows_per_page=50) for n in (60, 120)]
    numbers = table_of_values(chunks)
    assert [Page(*row).chunk for row in numbers.pages.tolist()] == [0] * 3 + [1] * 4
    assert numbers.entries == 120
    codes = [Page(*row) for row in table_of_codes(chunks).pages.tolist()]
    assert [p.kind for p in codes] == [CODES] * 5
    assert [p.first_entry for p in codes] == [0, 0, 60, 60, 60]
    assert [p.entries for p in codes] == [60, 60, 120, 120, 120]
