"""What is wrong with a piece of CSV text, and on which line; looked for once parsing failed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import ReadError
from plait.io.csv.head import reader
from plait.io.csv.layout import CsvLayout, Dialect
from plait.io.csv.parse import Text, UnclosedQuoteError
from plait.io.filesystem import FileInfo, RangeReader
from plait.planner.types import is_decimal, is_float, is_integer, is_string

_INVALID = re.compile(r"invalid value '(.*)'", re.DOTALL)
_SHOWN = 100

Lines = Callable[[], int]


@contextmanager
def explained(
    file: FileInfo, text: Text, lines_before: Lines, layout: CsvLayout, columns: Sequence[str]
) -> Iterator[None]:
    """Turns an error of parsing `text` into a ReadError with file, line and column.

    `lines_before` counts the lines of the file before the text; it is called on errors only.
    """
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            _explain(file, bytes(text), lines_before(), layout, columns, error)
        ) from error


def lines_in(ranges: RangeReader, end: int, newline: bytes = b"\n") -> int:
    """The number of newlines in the first `end` bytes of a file."""
    count = 0
    for start in range(0, end, 8 << 20):
        count += bytes(ranges.get_ranges([(start, min(end, start + (8 << 20)))])[0]).count(newline)
    return count


def _explain(
    file: FileInfo,
    text: bytes,
    before: int,
    layout: CsvLayout,
    columns: Sequence[str],
    error: Exception,
) -> str:
    message = str(error)
    if isinstance(error, UnclosedQuoteError):
        line = before + _unclosed(text, layout)
        return f"{file.shown}, line {line}: a quoted field that begins here is never closed"
    if "UTF8" in message or isinstance(error, UnicodeDecodeError):
        line = before + _undecodable(text, layout.dialect)
        return (
            f"{file.shown}, line {line}: the text is not {layout.dialect.encoding}; "
            "pass encoding='latin-1' or whatever it is"
        )
    found = _INVALID.search(message)
    if len(layout.dialect.sep) == 1:
        for line, row in _rows(text, layout):
            problem = _problem(row, layout, columns, found[1] if found else None)
            if problem is not None:
                return f"{file.shown}, line {before + line}{problem}"
    return f"{file.shown}: {message}"


def _rows(text: bytes, layout: CsvLayout) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number (from 1) of the line each begins on."""
    decoded = text.decode(layout.dialect.encoding, "replace")
    rows = reader(StringIO(decoded, newline=""), layout.dialect)
    line = 0
    for row in rows:
        if row:
            yield line + 1, row
        line = rows.line_num


def _problem(
    row: list[str], layout: CsvLayout, columns: Sequence[str], invalid: str | None
) -> str | None:
    """What is wrong with a row, if anything is."""
    if len(row) != len(layout.names):
        shown = layout.dialect.sep.join(row)
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
        return (
            f" has {fields} where {len(layout.names)} were expected: {shown!r}. "
            "Pass on_bad_lines='skip' to leave such lines out (short ones are filled with NULL)"
        )
    for name, value in zip(layout.names, row, strict=True):
        if name not in columns or (invalid is not None and value.strip() != invalid.strip()):
            continue
        dtype = layout.schema[name].type
        if value in layout.dialect.null_values:
            continue
        pattern = layout.formats.get(name)
        fits = _fits(value.strip(), dtype, layout) if pattern is None else _in(pattern, value)
        if not fits:
            origin = "" if name in layout.declared else ", which a sample of the file suggested"
            return (
                f", column {name!r}: {value!r} is not a value of {dtype}{origin}. "
                f"Pass dtype={{{name!r}: {_suggested(value, dtype)!r}}} to read_csv"
            )
    return None


def _fits(value: str, dtype: pa.DataType, layout: CsvLayout) -> bool:
    dialect = layout.dialect
    if pat.is_boolean(dtype):
        return value in (*dialect.true_values, *dialect.false_values)
    if is_string(dtype):
        return True
    if is_float(dtype) or is_decimal(dtype):
        value = value.replace(dialect.decimal, ".")
    if is_integer(dtype) and value.startswith("+"):
        return False
    try:
        if pat.is_time(dtype):
            dt.time.fromisoformat(value)
            return True
        pa.scalar(value).cast(dtype)
    except (pa.ArrowException, ValueError):
        return False
    return True


def _in(pattern: str, value: str) -> bool:
    # asked of every row before the bad one, and pandas takes a millisecond for each
    return _python_reads(pattern, value) or _pandas_reads(pattern, value)


def _python_reads(pattern: str, value: str) -> bool:
    try:
        dt.datetime.strptime(value, pattern)
    except ValueError:
        return False
    return True


def _pandas_reads(pattern: str, value: str) -> bool:
    import pandas as pd

    try:
        pd.to_datetime(value, format=pattern)
    except ValueError:
        return False
    return True


def _suggested(value: str, dtype: pa.DataType) -> str:
    if is_integer(dtype):
        try:
            float(value)
        except ValueError:
            return "str"
        return "float64"
    return "str"


def _unclosed(text: bytes, layout: CsvLayout) -> int:
    """The line on which the last field begins, which is the one not closed."""
    line = 1
    for line, row in _rows(text, layout):  # noqa: B007  (the last one is wanted)
        del row
    return line


def _undecodable(text: bytes, dialect: Dialect) -> int:
    for number, line in enumerate(text.split(dialect.line_end), 1):
        try:
            line.decode(dialect.encoding)
        except UnicodeDecodeError:
            return number
    return 1
