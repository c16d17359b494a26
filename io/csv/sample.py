"""Opening a CSV file: its head and samples of its text, and the types that these suggest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from plait.errors import ReadError
from plait.io.compression import compression_of, text_chunks
from plait.io.csv.dates import Moment
from plait.io.csv.errors import explained
from plait.io.csv.head import (
    Head,
    ShortHeadError,
    newline_of,
    read_head,
    rows_stop,
    sniff_separator,
)
from plait.io.csv.infer import ColumnSample, Rules, guess, sample_columns, wider, widest
from plait.io.csv.layout import CsvLayout, Dialect
from plait.io.csv.options import CsvOptions
from plait.io.csv.parse import parse_texts, text_layout, trimmed
from plait.io.csv.rows import Position, advance, as_bytes
from plait.io.csv.with_pandas import pandas_types
from plait.io.filesystem import FileInfo, open_ranges
from plait.planner.schema import Field, Schema
from plait.planner.types import DOUBLE, NULL, STRING, TIMESTAMP, is_string, is_timestamp

Depth = Literal["names", "rows", "probes"]

_HEAD_BYTES = {"names": 4 << 10, "rows": 32 << 10, "probes": 512 << 10}
_PROBES, _PROBE_BYTES = 8, 48 << 10


@dataclass(frozen=True)
class FileSample:
    """A file opened: how it is written, its head, what samples tell of its columns.

    `wide` is an encoding of two or four bytes a letter, which is turned into UTF-8 as a stream.
    `complete`: the samples are the whole file.
    """

    file: FileInfo
    dialect: Dialect
    compression: str | None
    wide: str | None
    head: Head
    columns: Mapping[str, ColumnSample]
    texts: pa.Table
    estimated_rows: float
    complete: bool

    @property
    def divisible(self) -> bool:
        """Whether the file can be read from the middle."""
        return self.compression is None and self.wide is None and self.dialect.divisible


def open_file(
    file: FileInfo, options: CsvOptions, depth: Depth, like: FileSample | None = None
) -> FileSample:
    """Reads the head of a file; its first rows too unless only the names are asked for.

    probes   also takes samples of its middle and its end
    `like`   another file of the same table: tells the separator where options do not, and how
             long a row is where no rows are read
    """
    compression = compression_of(file.path, options.compression)
    wide = None if _bytewise(options.encoding) else options.encoding
    streamed = compression is not None or wide is not None
    size = _HEAD_BYTES[depth]
    sep = None if like is None else like.dialect.sep
    while True:
        text, whole = _start(file, compression, wide, size)
        dialect = _dialect(text, options, sep, wide)
        head = _head(file, text, whole, dialect, options)
        rows = b""
        if head is not None:
            rows = text[head.first :] if whole else _whole_rows(text[head.first :], dialect)
        if head is not None and (rows or whole or depth == "names"):
            break
        size *= 8  # a header or a first row that is longer
    if options.nrows is not None:
        rows = rows[: rows_stop(rows, options.nrows, dialect)]
    layout = text_layout(head.names, dialect, options.nrows)
    if depth == "names" and like is not None:
        estimated = like.estimated_rows * file.size / like.file.size
        texts = layout.schema.to_arrow().empty_table()
        return FileSample(file, dialect, compression, wide, head, {}, texts, estimated, False)
    lines = text.count(dialect.line_end, 0, head.first)
    with explained(file, rows, lambda: lines, layout, head.names):
        texts = parse_texts(rows, layout)
        guessed = pandas_types(rows, layout) if dialect.needs_pandas else {}
    if not texts.num_rows and dialect.on_bad_lines != "error" and rows.strip():
        raise ReadError(
            f"{file.shown}: all rows have more fields than the {len(head.names)} columns of the "
            "header, so that on_bad_lines would leave out all; pass names=[...], header=0"
        )
    estimated = _estimated_rows(file, texts, rows, head, whole, compression)
    if depth == "probes" and not whole and not streamed and dialect.divisible:
        texts = pa.concat_tables([texts, *_probes(file, head, layout)])
    rules = Rules(options.infer_dates or options.parse_dates is True, options.infer_dates)
    columns = sample_columns([texts], dialect, rules)
    for name, found in guessed.items():
        known = columns[name]
        columns[name] = replace(known, type=found if known.nulls < known.rows else NULL)
    return FileSample(file, dialect, compression, wide, head, columns, texts, estimated, whole)


def settle_header(file: FileInfo, options: CsvOptions) -> CsvOptions:
    """The options with `header` decided, where it is to be told by the types below it.

    As DuckDB does: the first row is data if in every column that is not text it is a value of the
    column's type. A file of texts only has a header.
    """
    if not options.guess_header:
        return options
    sample = open_file(file, options, "rows")
    rules, fields = Rules(True, True), sample.head.fields

    def moment(text: str) -> Moment:
        return guess(pa.array([text.strip()] if text else [], STRING), sample.dialect, rules)

    own = [moment(text) for text in fields]
    if sample.texts.num_rows:
        columns = [sample.columns[n] for n in sample.head.names]
        below = [Moment(c.type, c.format) for c in columns]
        typed = [(a, b) for a, b in zip(own, below, strict=True) if b.type not in (STRING, NULL)]
        fits = all(wider(b.type, a.type) == b.type and a.format in (None, b.format)
                   for a, b in typed)  # fmt: skip
    else:
        typed, fits = [(a, a) for a in own if a.type not in (STRING, NULL)], True
    data = bool(typed) and fits and any(fields)
    return replace(options, header=None if data else 0, guess_header=False)


def _dialect(text: bytes, options: CsvOptions, sep: str | None, wide: str | None) -> Dialect:
    found = options.sep if options.sep is not None else sep
    dialect = options.dialect(found or ",")
    if wide is not None:
        dialect = replace(dialect, encoding="utf-8")
    if found is None:
        dialect = replace(dialect, sep=sniff_separator(text, dialect))
    return replace(dialect, newline=newline_of(text, dialect))


def _bytewise(encoding: str) -> bool:
    """Whether the bytes of ASCII mean ASCII wherever they stand in the text."""
    if encoding in ("utf-8", "ascii"):
        return True
    try:
        plain = bytes(range(128)).decode(encoding)
        return plain.isascii() and len(bytes(range(256)).decode(encoding, "replace")) == 256
    except UnicodeDecodeError:
        return False


def _head(
    file: FileInfo, text: bytes, whole: bool, dialect: Dialect, options: CsvOptions
) -> Head | None:
    """The head of a file, None if `text` does not hold all of it."""
    try:
        return read_head(file.shown, text, whole, dialect, options)
    except ShortHeadError:
        return None


def _start(
    file: FileInfo, compression: str | None, wide: str | None, size: int
) -> tuple[bytes, bool]:
    """The first `size` bytes of a file's text, and whether that is all."""
    if compression is None and wide is None:
        with open_ranges(file) as reader:
            stop = min(size, reader.size)
            return bytes(reader.get_ranges([(0, stop)])[0]), stop == reader.size
    found = list(itertools.islice(text_chunks(file, compression, wide, size), 2))
    return (found[0] if found else b""), len(found) < 2


def _whole_rows(text: bytes, dialect: Dialect) -> bytes:
    """The text up to its last row end."""
    stop = text.rfind(dialect.line_end) + 1
    if not dialect.divisible:
        return text[:stop]
    # a newline inside quotes ends no row: go back until one is outside
    while stop > 0:
        if not advance(as_bytes(text[:stop]), Position(0), dialect.marks).inside:
            return text[:stop]
        stop = text.rfind((dialect.quotechar or '"').encode(), 0, stop)
        stop = text.rfind(dialect.line_end, 0, max(stop, 0)) + 1
    return b""


def _probes(file: FileInfo, head: Head, layout: CsvLayout) -> list[pa.Table]:
    """Samples spread over the rest of the file; those that do not parse are left out: a probe
    may have begun inside quotes, and what is really wrong will show when the rows are read.
    """
    first = max(head.first, _HEAD_BYTES["probes"])
    step = (file.size - first) / _PROBES
    starts = [int(first + i * step) for i in range(_PROBES - 1)]
    starts.append(max(first, file.size - _PROBE_BYTES))
    with open_ranges(file) as reader:
        texts = reader.get_ranges([(s, min(s + _PROBE_BYTES, file.size)) for s in starts])
        probes = [bytes(text) for text in texts]
    found = []
    for text in probes:
        begin = text.find(layout.dialect.line_end) + 1
        rows = _whole_rows(text[begin:], layout.dialect)
        if not begin or not rows:
            continue
        try:
            found.append(parse_texts(rows, layout))
        except (pa.ArrowException, ValueError):
            continue
    return found


def _estimated_rows(
    file: FileInfo,
    texts: pa.Table,
    rows: bytes,
    head: Head,
    whole: bool,
    compression: str | None,
) -> float:
    if whole or not texts.num_rows:
        return float(texts.num_rows)
    # text compresses to about a quarter
    size = file.size * 4 if compression else file.size
    return float(max(size - head.first, len(rows)) / (len(rows) / texts.num_rows))


# ---------------------------------------------------------------------------------- types


def choose_types(samples: Sequence[FileSample], options: CsvOptions) -> CsvLayout:
    """The layout of the table: names, types and what columns are parsed as."""
    names = tuple(dict.fromkeys(name for sample in samples for name in sample.head.names))
    declared = options.declared_types(names)
    dates = options.date_columns(names)
    complete = all(s.complete for s in samples)
    types: dict[str, pa.DataType] = {}
    formats: dict[str, str] = {}
    for name in names:
        found, pattern = widest([s.columns for s in samples], name)
        if name in declared:
            found, pattern = declared[name], None
        elif name in dates and not is_timestamp(found):
            found, pattern = _timestamp(_first_with(name, samples), name, options)
        if pattern is not None:
            formats[name] = pattern
        if found == NULL:
            # pandas calls a column of nothing but missing values float64
            rows = any(s.texts.num_rows for s in samples)
            found = DOUBLE if complete and rows and not options.infer_dates else STRING
        types[name] = found
    used = options.used_columns(names)
    return CsvLayout(
        names=names,
        schema=Schema(tuple(Field(n, types[n]) for n in used)),
        dialect=samples[0].dialect,
        coded=frozenset(
            n for n in used if is_string(types[n]) and _first_with(n, samples).columns[n].few
        ),
        formats={n: p for n, p in formats.items() if n in used},
        declared=frozenset(declared),
        limit=options.nrows,
    )


def _first_with(name: str, samples: Sequence[FileSample]) -> FileSample:
    return next(s for s in samples if name in s.columns)


def _timestamp(
    sample: FileSample, name: str, options: CsvOptions
) -> tuple[pa.DataType, str | None]:
    """The type of a column that parse_dates names, and its format if that is not ISO 8601."""
    values = trimmed(sample.texts.column(name))
    asked = options.date_format
    pattern = asked.get(name) if isinstance(asked, Mapping) else asked
    if pattern is None:
        for wanted in (TIMESTAMP, pa.timestamp("ns"), pa.timestamp("us", tz="UTC")):
            try:
                values.cast(wanted)
            except pa.ArrowInvalid:
                continue
            return wanted, None
        pattern = _guessed_format(values, options)
    if pattern is None:
        raise ReadError(
            f"{sample.file.shown}, column {name!r}: {values[0].as_py()!r} is not a date in a "
            f"known format; pass date_format={{{name!r}: '%d.%m.%Y'}} or the like"
        )
    return (pa.timestamp("us", tz="UTC") if "%z" in pattern else TIMESTAMP), pattern


def _guessed_format(values: pa.Array, options: CsvOptions) -> str | None:
    if not len(values):
        return None
    import pandas as pd
    from pandas.tseries.api import guess_datetime_format

    texts = values.to_pandas()
    guessed = guess_datetime_format(texts[0], dayfirst=options.dayfirst)
    date = "%d/%m/%Y" if options.dayfirst else "%m/%d/%Y"
    # mixed: each value by itself, which is slow but knows most
    for pattern in (guessed, f"{date} %I:%M:%S %p", f"{date} %I:%M %p", "mixed"):
        if pattern is not None:
            try:
                pd.to_datetime(texts, format=pattern)
            except ValueError:
                continue
            return str(pattern)
    return None
