"""Python functions over rows and partitions, as values that a plan can hold and a task can pickle.

The engine gives them Arrow tables (`takes_arrow`); what pandas sees is made here, by the same
conversion that makes results. A `RowFunction` adds one column and leaves all others as they are,
so a frame stays row-wise comparable with what it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from plait.errors import ComputeError, PlanError
from plait.expressions import dtype_of
from plait.planner import builder
from plait.planner.logical import LogicalPlan
from plait.planner.schema import Field, Schema
from plait.result import arrow_column, pandas_frame


def key_of(function: Callable[..., Any], *more: object) -> str:
    """A text that is equal only for calls with the same function object and arguments."""
    name = getattr(function, "__qualname__", type(function).__name__)
    digest = hashlib.sha1(repr((id(function), more)).encode(), usedforsecurity=False)
    return f"{name} {digest.hexdigest()[:8]}"


@dataclass(frozen=True)
class RowFunction:
    """`function` from a pandas frame of some columns to one new column, row by row.

    labels  what the function calls the columns it sees
    reads   what they are called in the plan it stands on
    """

    function: Callable[[Any], Any]
    labels: tuple[Any, ...]
    reads: tuple[str, ...]
    output: str
    dtype: pa.DataType
    key: str
    hints: dict[str, Any] = field(default_factory=dict, compare=False)

    takes_arrow: ClassVar[bool] = True

    def over(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan with the function's column added."""
        schema = Schema((*plan.schema.fields, Field(self.output, self.dtype)))
        return builder.map_partitions(plan, self, schema, key=self.key)

    def __call__(self, table: pa.Table) -> pa.Table:
        frame = pandas_frame(table.select(list(self.reads)), self.hints)
        frame.columns = list(self.labels)
        values = arrow_column(self.function(frame), self.dtype, self.key)
        if len(values) != table.num_rows:
            raise ComputeError(
                f"The function {self.key} gave {len(values)} values for {table.num_rows} rows; "
                "a row-wise function gives one value a row"
            )
        return table.append_column(pa.field(self.output, self.dtype), values)


@dataclass(frozen=True)
class FrameFunction:
    """`function` from a pandas frame to another of the stated columns, for map_partitions."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reads: tuple[str, ...]
    labels: tuple[Any, ...]
    index: tuple[tuple[Any, str], ...]
    fields: tuple[Field, ...]
    gives: tuple[Any, ...]  # labels of the fields in the function's result; index levels first
    levels: int
    key: str
    hints: dict[str, Any] = field(default_factory=dict, compare=False)

    takes_arrow: ClassVar[bool] = True

    def __call__(self, table: pa.Table) -> pa.Table:
        levels = [name for _, name in self.index]
        wanted = list(dict.fromkeys([*levels, *self.reads]))
        frame = pandas_frame(table.select(wanted), self.hints)
        if levels:
            frame = frame.set_index(levels)
            frame.index.names = [label for label, _ in self.index]
        frame.columns = list(self.labels)
        result = self.function(frame, *self.args, **self.kwargs)
        return self._table(result)

    def _table(self, result: Any) -> pa.Table:
        if hasattr(result, "to_frame") and not hasattr(result, "columns"):
            result = result.to_frame(self.gives[-1] if result.name is None else result.name)
        if not hasattr(result, "columns"):
            raise ComputeError(
                f"The function {self.key} gave {type(result).__name__}; it has to give a pandas "
                "DataFrame (or a Series) with the stated columns"
            )
        wanted = self.gives[self.levels :]
        missing = [label for label in wanted if label not in result.columns]
        if missing:
            raise ComputeError(
                f"The function {self.key} gave no column {missing[0]!r}; the stated columns are "
                f"{', '.join(map(repr, wanted))}, it gave {', '.join(map(repr, result.columns))}"
            )
        columns = [result.index.get_level_values(i) for i in range(self.levels)]
        columns += [result[label] for label in wanted]
        arrays = [
            arrow_column(c, f.type, self.key) for c, f in zip(columns, self.fields, strict=True)
        ]
        schema = pa.schema([pa.field(f.name, f.type) for f in self.fields])
        return pa.Table.from_arrays(arrays, schema=schema)


def schema_from(meta: Any, labels: Sequence[Any]) -> list[tuple[Any, pa.DataType]]:
    """The stated columns of a function's result as (label, type).

    `meta` is a pandas frame (its rows do not matter), an Arrow schema, or a mapping or pairs of
    name and type.
    """
    if hasattr(meta, "dtypes") and hasattr(meta, "columns"):
        return [(label, dtype_of(meta[label].dtype)) for label in meta.columns]
    if isinstance(meta, pa.Schema):
        return [(f.name, dtype_of(f.type)) for f in meta]
    if isinstance(meta, dict):
        return [(label, dtype_of(kind)) for label, kind in meta.items()]
    if isinstance(meta, list | tuple) and all(isinstance(p, tuple) for p in meta):
        return [(label, dtype_of(kind)) for label, kind in meta]
    raise PlanError(
        "State the columns of the result with meta=: a mapping of name to type "
        f"({{'total': 'float64'}}), an empty pandas frame or an Arrow schema, not {meta!r}. "
        f"The input has {', '.join(map(repr, labels))}"
    )
