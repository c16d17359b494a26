"""Scalar: one value that is not computed yet, such as `df.x.mean()`.

It may stand wherever a number may: `df[df.x > df.x.mean()]` is one plan, in which the mean is a
scalar subquery. `.compute()`, `float()` and `int()` run it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait.errors import PlaitError
from plait.frame import Runner, caller
from plait.operators import Operators
from plait.planner import builder
from plait.planner.expr import Expr
from plait.planner.logical import LogicalPlan
from plait.planner.subquery import ScalarSubquery
from plait.result import one_value

if TYPE_CHECKING:
    import pyarrow as pa


class Scalar(Operators):
    """A lazy single value; made by reductions of a Series.

    >>> import plait, pandas
    >>> total = plait.from_pandas(pandas.DataFrame({"x": [1, 2, 3]})).x.sum()
    >>> int(total)
    6
    """

    def __init__(self, plan: LogicalPlan, runner: Runner) -> None:
        self._plan = plan
        self._runner = runner

    @property
    def dtype(self) -> pa.DataType:
        """The Arrow type of the value."""
        return self._plan.schema.fields[0].type

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

    def _derive(self, expr: Expr) -> Scalar:
        plan = builder.project(builder.one_row(), [("value", expr)], origin=caller())
        return Scalar(plan, self._runner)

    def _operate(self, sign: str, other: Any, reflected: bool = False) -> Any:
        if isinstance(other, Scalar):
            right = other.expr
        elif hasattr(other, "_frame"):
            return NotImplemented  # a Series or DataFrame knows what to do with a Scalar
        else:
            try:
                right = ex.literal(other)
            except PlaitError:
                return NotImplemented
        left = self.expr
        if reflected:
            left, right = right, left
        return self._derive(ex.operation(builder.one_row(), sign, left, right))

    def __neg__(self) -> Scalar:
        return self._derive(ex.negate(self.expr))

    def __abs__(self) -> Scalar:
        return self._derive(builder.call("abs", self.expr))

    def __round__(self, digits: int = 0) -> Scalar:
        return self._derive(builder.call("pandas_round", self.expr, builder.literal(digits)))
