"""PandasSource: pandas frames. Missing values come in as NULL, the index as ordinary columns.

What pandas says missing with (NaN in float columns, NaN, None and pd.NA in others, NaT) is NULL
inside plait: a float column of a frame has no NaN of its own. Categories become strings (their
order is lost), whatever the type of the codes.

The source remembers how to give a frame back: `index_columns` are the schema's names of the index
levels, `index_names` what pandas calls these, `labels` the frame's column labels by schema name.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.io.encoding import logical_type, nan_to_null, table_of, to_logical, unify
from plait.io.memory import ArrowSource, batches_of, encode_low_cardinality
from plait.planner.schema import Field, Schema
from plait.planner.types import INT64, STRING

if TYPE_CHECKING:
    import pandas as pd

UNNAMED_INDEX = "__index_level_{}__"


class PandasSource(ArrowSource):
    """A pandas DataFrame as a table; its index comes as columns after the frame's own.

    npartitions    into how many pieces to cut it; None: by its size
    name           what plans call it
    """

    may_hold_nan = False  # a NaN is read as NULL

    def __init__(
        self, frame: pd.DataFrame, *, npartitions: int | None = None, name: str = "pandas"
    ) -> None:
        if npartitions is not None and npartitions < 1:
            raise PlanError(f"npartitions is at least 1, not {npartitions}")
        self.labels = _labels(frame)
        names = list(self.labels)
        columns = [_column(frame.iloc[:, i], n) for i, n in enumerate(names)]
        fields = [Field(n, logical_type(c.type)) for n, c in zip(names, columns, strict=True)]
        self.index_names: tuple[Hashable, ...] = tuple(frame.index.names)
        self.index_columns = _index_columns(self.index_names, names)
        counters: tuple[tuple[str, int, int], ...] = ()
        for level, column_name in enumerate(self.index_columns):
            counter = _counter(frame.index)
            if counter is not None:
                counters = ((column_name, *counter),)
                fields.append(Field(column_name, INT64))
                continue
            values = frame.index.get_level_values(level)
            column = _column(values.to_series(), column_name)
            names.append(column_name)
            columns.append(column)
            fields.append(Field(column_name, logical_type(column.type)))
        table = table_of(columns, names, len(frame))
        self._setup(batches_of(table), Schema(tuple(fields)), name, npartitions, counters)


def _labels(frame: pd.DataFrame) -> dict[str, Hashable]:
    """The frame's labels by the names that plait gives the columns."""
    if frame.columns.nlevels > 1:
        raise UnsupportedError(
            "Column labels of several levels are not supported; flatten them first: "
            "df.columns = ['_'.join(map(str, c)) for c in df.columns]"
        )
    labels: dict[str, Hashable] = {}
    for label in frame.columns:
        name = label if isinstance(label, str) else str(label)
        if name in labels:
            raise PlanError(f"The frame has two columns named {name!r}; rename one")
        labels[name] = label
    return labels


def _index_columns(names: tuple[Hashable, ...], taken: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for level, name in enumerate(names):
        wanted = name if isinstance(name, str) else UNNAMED_INDEX.format(level)
        while wanted in taken or wanted in found:
            wanted = UNNAMED_INDEX.format(level) if wanted == name else f"_{wanted}"
        found.append(wanted)
    return tuple(found)


def _counter(index: pd.Index[Any]) -> tuple[int, int] | None:
    """(first, step) of a RangeIndex, which need not be stored."""
    if type(index).__name__ != "RangeIndex":
        return None
    return int(index.start), int(index.step)  # type: ignore[attr-defined]


def _column(series: pd.Series[Any], name: str) -> pa.ChunkedArray:
    """A series as Arrow, in its logical type, missing values as NULL."""
    dtype = str(series.dtype)
    if dtype.startswith(("period", "interval", "complex")):
        raise UnsupportedError(
            f"Column {name!r} is of type {dtype}, which plait does not have; convert it first"
            + (", e.g. with .dt.to_timestamp()" if dtype.startswith("period") else "")
        )
    if dtype.startswith("Sparse"):
        series = series.astype(getattr(series.dtype, "subtype", object))
    try:
        found = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        kinds = sorted({type(v).__name__ for v in series.head(10_000) if v is not None})
        raise TypeMismatchError(
            f"Column {name!r} holds values of several types ({', '.join(kinds)}), which no one "
            f"type fits: {error}. Convert it first, e.g. df[{name!r}].astype(str)"
        ) from error
    column = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
    # a column of nothing but None could be anything; text fits most
    target = STRING if pat.is_null(column.type) else logical_type(column.type)
    if column.type != target:
        column = unify(to_logical(column, target))
    return encode_low_cardinality(nan_to_null(column))
