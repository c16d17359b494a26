"""Arrow to pandas and back: the one place that decides which pandas types results have.

integers     int8..uint64; float64 where values are missing
booleans     bool; object with NaN where values are missing
strings      pandas' `str`
timestamps   datetime64 in their unit and zone; missing: NaT
dates        datetime64[s] at midnight (pandas has no dates; DuckDB's .df() does the same)
times        object of datetime.time
durations    timedelta64 in their unit
decimals     object of decimal.Decimal, exact
lists        object of numpy arrays; structs object of dict
categories   restored for columns that came from pandas as such
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from plait.errors import ComputeError
from plait.frame import Frame

if TYPE_CHECKING:
    import pandas as pd


def fetch(frame: Frame) -> pa.Table:
    """The frame's index and data columns as Arrow, in order."""
    return frame.runner.execute(frame.shown)


def to_arrow(frame: Frame) -> pa.Table:
    """The data columns as an Arrow table, under their labels."""
    return plain(frame.runner.execute(frame.rows_only))


def plain(table: pa.Table) -> pa.Table:
    """The table with dictionary columns decoded."""
    columns = [_decoded(c) for c in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names) if columns else table


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def to_pandas(frame: Frame) -> pd.DataFrame:
    """The frame computed, with its index."""
    table = fetch(frame)
    result = both = pandas_frame(table, frame.hints)
    # choosing and naming columns costs pandas as much as making a small frame
    if frame.index or frame.names != tuple(table.column_names):
        result = both[list(frame.names)]
    if frame.labels != frame.names or not frame.labels:
        result.columns = _labels(frame.labels)
    if frame.index:
        result.index = _index(both, frame)
    return result


def _labels(labels: tuple[Any, ...]) -> Any:
    import pandas as pd

    if labels and all(isinstance(label, tuple) for label in labels):
        return pd.MultiIndex.from_tuples(labels)
    if not labels:
        return pd.RangeIndex(0)
    return pd.Index(list(labels), dtype="str" if all(type(x) is str for x in labels) else None)


def _index(both: pd.DataFrame, frame: Frame) -> Any:
    import pandas as pd

    if len(frame.index) == 1:
        level = frame.index[0]
        return pd.Index(both[level.name].array, name=level.label)
    arrays = [both[level.name].array for level in frame.index]
    return pd.MultiIndex.from_arrays(arrays, names=[level.label for level in frame.index])


def series_to_pandas(frame: Frame, label: Any) -> pd.Series:
    """A frame of one column as a pandas Series."""
    result = to_pandas(frame).iloc[:, 0]
    result.name = label
    return result


def pandas_frame(table: pa.Table, hints: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """An Arrow table as a pandas frame with a fresh index."""
    import pandas as pd

    data = {
        name: pandas_column(column, (hints or {}).get(name))
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return pd.DataFrame(data, index=pd.RangeIndex(table.num_rows), copy=False)


def pandas_column(column: pa.ChunkedArray, hint: Any = None) -> pd.Series:
    """An Arrow column as a pandas Series."""
    import pandas as pd

    column = _decoded(column)
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = pd.array(column, dtype=pd.StringDtype(na_value=float("nan")))
        result = pd.Series(values, copy=False)
    elif pa.types.is_null(kind):
        result = pd.Series([None] * len(column), dtype=object)
    elif pa.types.is_boolean(kind) and column.null_count:
        values = column.to_pandas()
        result = values.where(values.notna(), float("nan"))
    else:
        result = column.to_pandas()
    return result if hint is None else result.astype(hint)


def arrow_column(values: Any, dtype: pa.DataType, what: str) -> pa.ChunkedArray:
    """What a user's function gave, as a column of the stated type; missing values are NULL."""
    import pandas as pd

    try:
        array = pa.array(pd.Series(values), from_pandas=True)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if array.type == dtype:
            return pa.chunked_array([array])
        if pa.types.is_floating(array.type) and pa.types.is_integer(dtype):
            # a column of whole numbers with missing ones comes as floats
            array = pc.cast(array, dtype, safe=True)
        return pa.chunked_array([array.cast(dtype)])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise ComputeError(
            f"The function {what} gave values that are not of the stated type {dtype}: {error}"
        ) from error


def one_value(frame_runner: Any, plan: Any) -> Any:
    """The single value of a plan of one row and one column, as pandas would show it."""
    return first_value(frame_runner.execute(plan).column(0))


def first_value(column: pa.ChunkedArray) -> Any:
    """The first value of a column, as pandas would show it."""
    value = pandas_column(column).iloc[0]
    if value is None or (isinstance(value, float) and value != value):
        return float("nan")
    return value
