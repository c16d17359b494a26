"""Scalar: one value that is not computed yet, such as `df.x.mean()`.

It may stand wherever a number may: `df[df.x > df.x.mean()]` is one plan, in which the mean is a
scalar subquery. `.compute()`, `float()` and `int()` run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait.calling import caller
from plait.errors import PlaitError
from plait.frame import Runner, fresh_name
from plait.operators import Operators
from plait.planner import builder
from plait.planner.expr import AggregateCall, Column, Expr, substitute
from plait.planner.logical import Aggregate, LogicalPlan
from plait.planner.subquery import ScalarSubquery
from plait.result import first_value, one_value

if TYPE_CHECKING:
    import pyarrow as pa


class Scalar(Operators):
    """A lazy single value; made by reductions of a Series.

    >>> import plait, pandas
    >>> total = plait.from_pandas(pandas.DataFrame({"x": [1, 2, 3]})).x.sum()
    >>> int(total)
    6
    """

    def __init__(self, plan: LogicalPlan, runner: Runner, value: Expr | None = None) -> None:
        self._rows = plan  # one row
        self._value = builder.column(plan, plan.schema.names[0]) if value is None else value
        self._runner = runner

    @property
    def _plan(self) -> LogicalPlan:
        """One row of one column: the value."""
        return builder.project(self._rows, [("value", self._value)], origin=caller())

    @property
    def dtype(self) -> pa.DataType:
        """The Arrow type of the value."""
        return self._value.dtype

    @property
    def expr(self) -> Expr:
        """The value as an expression of any other plan."""
        return ScalarSubquery(self._plan, self.dtype)

    def compute(self) -> Any:
        """The value, as pandas would give it (NaN if it is missing)."""
        return one_value(self._runner, self._plan)

    to_pandas = compute

    def to_arrow(self) -> pa.Scalar:
        """The value as an Arrow scalar."""
        return self._runner.execute(self._plan).column(0)[0]

    def explain(self, level: str = "optimized", *, analyze: bool = False) -> str:
        """The plan as text: logical, optimized, stages or tasks."""
        return self._runner.explain(self._plan, level, analyze)

    def optimized_plan(self) -> LogicalPlan:
        """The plan after all optimizer rules, as it will be run."""
        return self._runner.optimize(self._plan)

    def __float__(self) -> float:
        return float(self.compute())

    def __int__(self) -> int:
        return int(self.compute())

    def __index__(self) -> int:
        value = self.compute()
        if int(value) != value:
            raise TypeError(f"{value!r} is not a whole number")
        return int(value)

    def __bool__(self) -> bool:
        raise TypeError(
            "A lazy value has no truth value before it is computed: write `if value.compute() > 0:`"
        )

    def __repr__(self) -> str:
        return f"<plait.Scalar {self.dtype}, not computed>\n{self._plan}"

    def _with(self, value: Expr) -> Scalar:
        return Scalar(self._rows, self._runner, value)

    def _operate(self, sign: str, other: Any, reflected: bool = False) -> Any:
        rows, left = self._rows, self._value
        if isinstance(other, Scalar):
            rows, right = _beside(rows, other)
        elif hasattr(other, "_frame"):
            return NotImplemented  # a Series or DataFrame knows what to do with a Scalar
        else:
            try:
                right = ex.literal(other)
            except PlaitError:
                return NotImplemented
        if reflected:
            left, right = right, left
        return Scalar(rows, self._runner, ex.operation(rows, sign, left, right))

    def __neg__(self) -> Scalar:
        return self._with(ex.negate(self._value))

    def __abs__(self) -> Scalar:
        return self._with(builder.call("abs", self._value))

    def __round__(self, digits: int = 0) -> Scalar:
        return self._with(builder.call("pandas_round", self._value, builder.literal(digits)))


def _beside(rows: LogicalPlan, other: Scalar) -> tuple[LogicalPlan, Expr]:
    """One row that also knows what `other` needs, and other's value over it.

    Two reductions of the same rows become one aggregation; anything else a scalar subquery.
    """
    if rows == other._rows:
        return rows, other._value
    if (
        isinstance(rows, Aggregate)
        and isinstance(other._rows, Aggregate)
        and _same_pass(rows, other._rows)
    ):
        known = {call: name for name, call in rows.aggregates}
        added: list[tuple[str, AggregateCall]] = []
        renamed: dict[str, Expr] = {}
        for name, call in other._rows.aggregates:
            if call not in known:
                known[call] = fresh_name(name, known.values())
                added.append((known[call], call))
            renamed[name] = Column(known[call], call.dtype)
        both = builder.aggregate(rows.input, [], [*rows.aggregates, *added], origin=caller())
        return both, substitute(other._value, renamed)
    return rows, other.expr


def _same_pass(rows: LogicalPlan, other: LogicalPlan) -> bool:
    """Whether two rows are reductions of the same rows, or are the same."""
    if rows == other:
        return True
    return (
        isinstance(rows, Aggregate) and isinstance(other, Aggregate) and rows.input == other.input
    )


def values_of(scalars: Sequence[Scalar]) -> list[Any]:
    """The values of several scalars; those that reduce the same rows are one query."""
    values: list[Any] = [None] * len(scalars)
    left = list(enumerate(scalars))
    while left:
        _, first = left[0]
        rows = first._rows
        taken: list[tuple[int, Expr]] = []
        rest: list[tuple[int, Scalar]] = []
        for place, scalar in left:
            if scalar._runner is first._runner and _same_pass(rows, scalar._rows):
                rows, value = _beside(rows, scalar)
                taken.append((place, value))
            else:
                rest.append((place, scalar))
        named = [(f"value {place}", value) for place, value in taken]
        table = first._runner.execute(builder.project(rows, named, origin=caller()))
        for (place, _), column in zip(taken, table.columns, strict=True):
            values[place] = first_value(column)
        left = rest
    return values
