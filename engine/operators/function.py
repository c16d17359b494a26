"""User functions over pandas frames, or over Arrow tables for those that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from plait.engine import batches
from plait.errors import PlanError
from plait.planner.physical.operators import ApplyFunction
from plait.planner.schema import Field


def apply_function(op: ApplyFunction, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The function's result over the partition, checked against the stated schema."""
    whole = batches.concat(list(rows), op.input.schema)
    table = pa.table(batches.to_logical(whole, op.input.schema))
    takes_arrow = getattr(op.function, "takes_arrow", False)
    result = op.function(table if takes_arrow else table.to_pandas())
    if hasattr(result, "to_frame") and not hasattr(result, "columns"):  # a Series
        result = result.to_frame(op.schema.names[0])
    given = _column_names(op, result)
    missing = [n for n in op.schema.names if n not in given]
    if missing:
        raise PlanError(
            f"{op.key} was stated to give the columns {list(op.schema.names)} and gave {given}"
        )
    columns = [_column(op, result, f) for f in op.schema]
    yield batches.make(op.schema.names, columns, len(result))


def _column_names(op: ApplyFunction, result: Any) -> list[str]:
    if isinstance(result, pa.Table):
        return list(result.column_names)
    if not hasattr(result, "columns") or not hasattr(result, "iloc"):
        raise PlanError(
            f"{op.key} returned {type(result).__name__}; a function over partitions returns a "
            "pandas DataFrame or Series"
        )
    return [str(c) for c in result.columns]


def _column(op: ApplyFunction, result: Any, field: Field) -> pa.Array:
    try:
        if isinstance(result, pa.Table):
            array = result.column(field.name).cast(field.type)
        else:
            array = pa.Array.from_pandas(result[field.name], type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise PlanError(f"{op.key}: column {field.name!r} is not {field.type}: {error}") from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
