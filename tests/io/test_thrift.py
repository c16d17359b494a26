"""Footers rewritten so that decimals are read as the integers they are stored as."""

from __future__ import annotations

import struct
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plait.io.parquet.source import ParquetSource
from plait.io.parquet.thrift import plain_decimals
from plait.io.reader import read_split

TABLE = pa.table(
    {
        "narrow": pa.array([Decimal("1.25"), None, Decimal("-99999.99")], pa.decimal128(7, 2)),
        "wide": pa.array([Decimal("-1.5"), Decimal(10) ** 16, None], pa.decimal128(18, 1)),
        "huge": pa.array([Decimal(10) ** 30, None, Decimal(-1)], pa.decimal128(38, 0)),
        "day": pa.array([1, 2, None], pa.date32()),
        "words": pa.array([["a"], None, ["b", "c"]], pa.list_(pa.string())),
        "nested": pa.array(
            [{"d": Decimal("1.5")}, None, None], pa.struct({"d": pa.decimal128(5, 1)})
        ),
    }
)


def footer_of(path: Path) -> bytes:
    data = path.read_bytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    return data[-length - 8 : -8]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "t.parquet"
    pq.write_table(TABLE, file, store_decimal_as_integer=True)
    return file


def test_integers_stay_integers(path: Path) -> None:
    plain = plain_decimals(footer_of(path))
    assert plain is not None
    whole = b"PAR1" + plain.replace(b"ARROW:schema", b"arrow:schema")
    whole += struct.pack("<I", len(plain)) + b"PAR1"
    metadata = pq.read_metadata(pa.BufferReader(whole))
    schema = metadata.schema.to_arrow_schema()
    assert schema.field("narrow").type == pa.int32()
    assert schema.field("wide").type == pa.int64()
    assert schema.field("huge").type == pa.decimal128(38, 0)
    read = pq.ParquetFile(path, metadata=metadata).read()
    assert read["narrow"].to_pylist() == [125, None, -9999999]
    assert read["words"].to_pylist() == TABLE["words"].to_pylist()
    assert plain_decimals(plain) is None


def test_a_source_reads_the_same_values(path: Path) -> None:
    source = ParquetSource(path)
    columns = ["narrow", "wide", "huge", "day"]
    (split,) = source.splits(columns)
    read = read_split(split, columns)
    assert read["narrow"].type == pa.decimal64(7, 2)
    for name in columns:
        assert read[name].to_pylist() == TABLE[name].to_pylist()


def test_other_bytes_are_refused() -> None:
    for junk in (b"", b"\x00", b"\x15\x02\x19\xfc", b"PAR1PAR1"):
        with pytest.raises((ValueError, IndexError)):
            plain_decimals(junk)
