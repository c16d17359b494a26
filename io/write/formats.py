"""Encoders: tables to the bytes of a Parquet, CSV or JSON file."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, UnsupportedError, WriteError
from plait.io.write.csv_style import CsvStyle, csv_rows, header_line
from plait.io.write.text_format import Formats, json_lines

SUFFIXES = {"parquet": ".parquet", "csv": ".csv", "json": ".json"}

_ROW_GROUP = 1 << 17
_LINES = 1 << 16  # rows made into text at once,
_TEXT = 64 << 20  # and bytes, about


class Encoder(Protocol):
    """Writes tables of one schema to a stream."""

    def write(self, table: pa.Table) -> None: ...

    def flush(self) -> None:
        """Writes rows that are kept back."""

    def close(self) -> None:
        """Finishes the file; the stream stays open."""


def encoder(kind: str, stream: Any, options: Mapping[str, Any]) -> Encoder:
    """The encoder of a format, by options that `check_format_options` has passed."""
    match kind:
        case "parquet":
            return ParquetEncoder(stream, **options)
        case "csv":
            return CsvEncoder(stream, **options)
    return JsonEncoder(stream, **options)


def check_format_options(kind: str, options: Mapping[str, Any], common: Sequence[str]) -> None:
    """Raise for options that a format does not have, or whose values it does not."""
    known = {"parquet": _PARQUET, "csv": _CSV, "json": _JSON}[kind]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UnsupportedError(
            f"Writing {kind} has no option {unknown[0]!r}; there are: "
            f"{', '.join(sorted((*known, *common)))}"
        )
    encoder(kind, io.BytesIO(), options)


_PARQUET = (
    "compression",
    "compression_level",
    "row_group_size",
    "statistics",
    "dictionary",
    "data_page_size",
    "metadata",
)
_CSV = ("compression", *(f.name for f in fields(CsvStyle)))
_JSON = ("compression", "array", "date_format", "timestamp_format")
_CODECS = ("snappy", "gzip", "zstd", "lz4", "lz4_raw", "brotli")


class ParquetEncoder:
    """Parquet; decimals of up to 18 digits as integers, which read fastest.

    `statistics` and `dictionary` are True, False, or the columns that are to have them;
    `metadata` are pairs of texts for the footer.
    """

    def __init__(
        self,
        stream: Any,
        compression: str | None = "snappy",
        compression_level: int | None = None,
        row_group_size: int = _ROW_GROUP,
        statistics: bool | Sequence[str] = True,
        dictionary: bool | Sequence[str] = True,
        data_page_size: int | None = None,
        metadata: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
    ) -> None:
        if compression is not None and compression not in _CODECS:
            raise PlanError(
                f"compression of Parquet is {', '.join(_CODECS)} or None, not {compression!r}"
            )
        for name, given in (
            ("row_group_size", row_group_size),
            ("data_page_size", data_page_size or 1),
        ):
            if not isinstance(given, int) or given < 1:
                raise PlanError(f"{name} is a whole number from 1 on, not {given!r}")
        self._stream, self._row_group_size = stream, row_group_size
        self._settings = {
            "compression": (compression or "none").replace("lz4_raw", "lz4"),
            "compression_level": compression_level,
            "write_statistics": statistics,
            "use_dictionary": dictionary,
            "data_page_size": data_page_size,
        }
        self._metadata = {str(k): str(v) for k, v in dict(metadata or {}).items()}
        self._writer: Any = None  # a pyarrow.parquet.ParquetWriter
        self._pending: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        plain = pa.table([_plain(c) for c in table.columns], names=table.column_names)
        if self._writer is None:
            import pyarrow.parquet as pq  # slow to import, and most queries write nothing

            self._writer = pq.ParquetWriter(
                self._stream,
                plain.schema,
                store_decimal_as_integer=True,
                **self._settings,
            )
            if self._metadata:
                self._writer.add_key_value_metadata(self._metadata)
        # small tables are gathered: a row group each would make a slow file
        self._pending.append(plain)
        rows = sum(t.num_rows for t in self._pending)
        if rows >= self._row_group_size:
            self._write_out(rows - rows % self._row_group_size)

    def _write_out(self, rows: int) -> None:
        if self._writer is not None and rows:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table.slice(0, rows), row_group_size=self._row_group_size)
            self._pending = [table.slice(rows)]

    def flush(self) -> None:
        self._write_out(sum(t.num_rows for t in self._pending))

    def close(self) -> None:
        if self._writer is None:
            raise PlanError("nothing was written: an empty result still needs its columns")
        self.flush()
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

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()


class CsvEncoder(_TextEncoder):
    """CSV with a header line; the options are those of `CsvStyle`."""

    def __init__(self, stream: Any, compression: str | None = None, **style: Any) -> None:
        self._style = CsvStyle(**style).checked()
        super().__init__(stream, compression)
        plain = codecs.lookup(self._style.encoding).name == "utf-8"
        self._encode = None if plain else codecs.getincrementalencoder(self._style.encoding)()
        self._header = True

    def write(self, table: pa.Table) -> None:
        if self._header:
            self._put(pa.py_buffer(header_line(table.column_names, self._style).encode()))
            self._header = False
        for batch in _blocks(table):
            self._put(csv_rows(batch, self._style))

    def _put(self, text: pa.Buffer) -> None:
        if self._encode is None:
            self._out.write(text)
            return
        try:
            self._out.write(self._encode.encode(text.to_pybytes().decode()))
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            raise WriteError(
                f"encoding={self._style.encoding!r} has no {letter!r}; utf-8 has all characters"
            ) from None


class JsonEncoder(_TextEncoder):
    """JSON objects, a line each; with `array` one array of them."""

    def __init__(
        self,
        stream: Any,
        compression: str | None = None,
        array: bool = False,
        date_format: str | None = None,
        timestamp_format: str | None = None,
    ) -> None:
        super().__init__(stream, compression)
        self._formats = Formats(date_format, timestamp_format)
        self._array, self._begun = array, False

    def write(self, table: pa.Table) -> None:
        for batch in _blocks(table):
            lines = json_lines(batch, self._formats)
            if not self._array:
                self._out.write(lines)
                continue
            # a newline within a value is escaped: these are ends of lines
            objects = lines.to_pybytes().rstrip(b"\n").replace(b"\n", b",\n")
            self._out.write((b",\n" if self._begun else b"[\n") + objects)
            self._begun = True

    def close(self) -> None:
        if self._array:
            self._array = False
            self._out.write(b"\n]\n" if self._begun else b"[]\n")
        super().close()


def _blocks(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Batches whose text fits into a column of Arrow's."""
    if table.num_rows:
        width = max(1, table.nbytes // table.num_rows)
        yield from table.to_batches(max(1, min(_LINES, _TEXT // width)))
