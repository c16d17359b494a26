"""CSV text by pandas' parser, for what pyarrow's does not know.

pandas takes the first field for an index where the first row is longer than the header. So the
first row is measured, text is given a header line, behind which pandas reports rows that are too
long, and all columns are read. Short rows are padded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from plait.io.csv.layout import CsvLayout
from plait.io.csv.rows import Position, as_bytes, row_end

Text = bytes | memoryview


def pandas_frame(
    text: Text, layout: CsvLayout, types: Mapping[str, pa.DataType] | None = None
) -> Any:
    """All columns of rows of text; those without a type are texts, or guessed if none is given.

    Raises ValueError for text that does not fit the layout.
    """
    import pandas as pd

    options = _options(layout)
    if types is not None:
        options["dtype"] = {n: _pandas_type(types.get(n, pa.string())) for n in layout.names}
    options["nrows"] = layout.limit
    text, width = bytes(text), len(layout.names)
    while (found := _first_width(text, options)) > width:
        if not layout.dialect.divisible or layout.dialect.on_bad_lines == "error":
            raise ValueError(f"The first row has {found} fields where {width} were expected")
        text = _behind_row(text, layout)  # pandas would not leave it out
    if not found and layout.dialect.skip_blank_lines:
        return pd.DataFrame({n: [] for n in layout.names}, dtype="str")
    if len(layout.dialect.sep) == 1:
        header = layout.dialect.sep.join(f"c{i}" for i in range(width))
        text, options["header"] = header.encode() + b"\n" + text, 0
    return pd.read_csv(pa.BufferReader(pa.py_buffer(text)), **options)


def pandas_types(text: Text, layout: CsvLayout) -> dict[str, pa.DataType]:
    """The types that pandas guesses."""
    frame = pandas_frame(text, layout)
    return {n: _arrow_type(frame[n]) for n in layout.names}


def _options(layout: CsvLayout) -> dict[str, Any]:
    """The keyword arguments of pandas.read_csv for this dialect, on text without a header."""
    dialect = layout.dialect
    nulls: Any = list(dialect.null_values)
    if dialect.column_nulls:
        special = dict(dialect.column_nulls)
        nulls = {n: list(special.get(n, dialect.null_values)) for n in layout.names}
    return {
        "header": None,
        "names": list(layout.names),
        "sep": dialect.sep,
        "quotechar": dialect.quotechar or '"',
        "quoting": 0 if dialect.quotechar else 3,
        "escapechar": dialect.escapechar,
        "decimal": dialect.decimal,
        "encoding": dialect.encoding,
        "thousands": dialect.thousands,
        "comment": dialect.comment,
        "skipinitialspace": dialect.skipinitialspace,
        "skip_blank_lines": dialect.skip_blank_lines,
        "doublequote": dialect.doublequote,
        "on_bad_lines": dialect.on_bad_lines,
        "na_values": nulls,
        "keep_default_na": False,
        "true_values": list(dialect.true_values),
        "false_values": list(dialect.false_values),
        "engine": "c" if len(dialect.sep) == 1 or dialect.sep == r"\s+" else "python",
    }


def _first_width(text: bytes, options: Mapping[str, Any]) -> int:
    """How many fields the first row has, 0 if there is none."""
    import pandas as pd

    looking = {**options, "names": None, "nrows": 1, "dtype": str, "na_values": None}
    looking["on_bad_lines"] = "skip"
    try:
        return int(pd.read_csv(pa.BufferReader(pa.py_buffer(text)), **looking).shape[1])
    except pd.errors.EmptyDataError:  # nothing but comments and blank lines
        return 0


def _behind_row(text: bytes, layout: CsvLayout) -> bytes:
    found = row_end(as_bytes(text), Position(0), layout.dialect.marks)
    return b"" if found is None else text[found.offset :]


def _arrow_type(column: Any) -> pa.DataType:
    from pandas.api.types import infer_dtype

    kind = getattr(column.dtype, "kind", "O")
    if kind in "iufb":
        return pa.from_numpy_dtype(column.dtype)
    return pa.bool_() if infer_dtype(column, skipna=True) == "boolean" else pa.string()


def _pandas_type(wanted: pa.DataType) -> Any:
    """The pandas type that keeps NULL and every value; what is not a number is cast from text."""
    if pat.is_boolean(wanted):
        return "boolean"
    if pat.is_integer(wanted):
        name = str(wanted)  # int64, uint8: pandas' nullable types are called Int64, UInt8
        return name.replace("int", "Int").replace("uI", "UI")
    if pat.is_floating(wanted):
        return "float64"
    return "str"
