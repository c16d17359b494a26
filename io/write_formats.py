"""Encoders: tables to the bytes of a Parquet, CSV or JSON file."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, UnsupportedError
from plait.io.text_format import csv_header, csv_lines, json_lines

SUFFIXES = {"parquet": ".parquet", "csv": ".csv", "json": ".json"}

_ROW_GROUP = 1 << 17
_LINES = 1 << 16  # rows made into text at once


class Encoder(Protocol):
    """Writes tables of one schema to a stream."""

    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None:
        """Finishes the file; the stream stays open."""


def encoder(kind: str, stream: Any, options: Mapping[str, Any]) -> Encoder:
    """The encoder of a format; raises for options that it does not have."""
    given = dict(options)
    kinds: dict[str, type[ParquetEncoder | CsvEncoder | JsonEncoder]] = {
        "parquet": ParquetEncoder,
        "csv": CsvEncoder,
        "json": JsonEncoder,
    }
    made = kinds[kind]
    unknown = sorted(set(given) - set(made.OPTIONS))
    if unknown:
        raise UnsupportedError(
            f"Writing {kind} has no option {unknown[0]!r}; there are: {', '.join(made.OPTIONS)}"
        )
    return made(stream, **given)


class ParquetEncoder:
    """Parquet; decimals of up to 18 digits as integers, which read fastest."""

    OPTIONS = ("compression", "compression_level", "row_group_size")

    def __init__(
        self,
        stream: Any,
        compression: str | None = "snappy",
        compression_level: int | None = None,
        row_group_size: int = _ROW_GROUP,
    ) -> None:
        self._stream, self._compression = stream, compression or "none"
        self._level, self._row_group_size = compression_level, row_group_size
        self._writer: Any = None  # a pyarrow.parquet.ParquetWriter
        self._pending: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        plain = pa.table([_plain(c) for c in table.columns], names=table.column_names)
        if self._writer is None:
            import pyarrow.parquet as pq  # slow to import, and most queries write nothing

            self._writer = pq.ParquetWriter(
                self._stream,
                plain.schema,
                compression=self._compression,
                compression_level=self._level,
                store_decimal_as_integer=True,
            )
        # small tables are gathered: a row group each would make a slow file
        self._pending.append(plain)
        rows = sum(t.num_rows for t in self._pending)
        if rows >= self._row_group_size:
            self._flush(rows - rows % self._row_group_size)

    def _flush(self, rows: int) -> None:
        if self._writer is not None and self._pending:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table.slice(0, rows), row_group_size=self._row_group_size)
            self._pending = [table.slice(rows)]

    def close(self) -> None:
        if self._writer is None:
            raise PlanError("nothing was written: an empty result still needs its columns")
        self._flush(sum(t.num_rows for t in self._pending))
        self._writer.close()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without the engine's encodings."""
    if pat.is_dictionary(column.type):
        chunks = [chunk.dictionary_decode() for chunk in column.chunks]
        return pa.chunked_array(chunks, column.type.value_type)
    if pat.is_decimal64(column.type) or pat.is_decimal32(column.type):
        return column.cast(pa.decimal128(column.type.precision, column.type.scale))
    return column


class _TextEncoder:
    """Text in blocks of rows, compressed if asked."""

    def __init__(self, stream: Any, compression: str | None) -> None:
        self._inner: Any = None
        match compression:
            case None:
                self._out = stream
                return
            case "gzip":
                self._inner = gzip.GzipFile(fileobj=stream, mode="wb", mtime=0)
            case "bz2":
                self._inner = bz2.BZ2File(stream, "wb")
            case "xz":
                self._inner = lzma.LZMAFile(stream, "wb")  # noqa: SIM115
            case "zstd":
                self._inner = pa.CompressedOutputStream(stream, "zstd")
            case _:
                raise PlanError(f"compression is gzip, bz2, zstd, xz or None, not {compression!r}")
        self._out = self._inner

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()


class CsvEncoder(_TextEncoder):
    """CSV with a header line; NULL is `na_rep`, texts are quoted where they have to be."""

    OPTIONS = ("header", "sep", "na_rep", "compression")

    def __init__(
        self,
        stream: Any,
        header: bool = True,
        sep: str = ",",
        na_rep: str = "",
        compression: str | None = None,
    ) -> None:
        if len(sep) != 1:
            raise PlanError(f"sep is a single character, not {sep!r}")
        super().__init__(stream, compression)
        self._header, self._sep, self._na_rep = header, sep, na_rep

    def write(self, table: pa.Table) -> None:
        if self._header:
            self._out.write(csv_header(table.column_names, self._sep))
            self._header = False
        for batch in table.to_batches(_LINES):
            self._out.write(csv_lines(batch, self._sep, self._na_rep))


class JsonEncoder(_TextEncoder):
    """JSON objects, a line each."""

    OPTIONS = ("compression",)

    def __init__(self, stream: Any, compression: str | None = None) -> None:
        super().__init__(stream, compression)

    def write(self, table: pa.Table) -> None:
        for batch in table.to_batches(_LINES):
            self._out.write(json_lines(batch))
