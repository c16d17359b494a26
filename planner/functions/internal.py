"""Functions that only plans contain: partial states of aggregates, their merging and their ends.

moments(x), comoments(y, x)     the state of some rows: count, mean, sums of powers of deviations
moments_merge(state), ...       the state of all rows from those of parts (Chan, Golub and LeVeque
                                1979; Pebay 2008: no cancellation, unlike sums of squares)
moments_variance(state), ...    the answer: one scalar function for each aggregate of the family
count_merge(n)                  a sum of counts, 0 over nothing
any_row()                       whether there is a row: a part without one has no first
least_by(x, y), greatest_by     the y of the row that arg_min(x, y), arg_max picks
mean_of(sum, count)             avg's division; exact sums are rounded once
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.expr import Expr
from plait.planner.functions.coercion import mismatch
from plait.planner.functions.signature import AggregateFunction, Function, Nulls, Resolve, Signature
from plait.planner.types import BOOL, DOUBLE, INT64, TIMESTAMP, is_date, is_float, is_numeric


def _state(*names: str) -> pa.DataType:
    return pa.struct([(name, DOUBLE) for name in names])


SPREAD = _state("n", "mean", "m2")  # enough for variances
SHAPE = _state("n", "mean", "m2", "m3", "m4")  # for skewness and kurtosis too
PAIR = _state("n", "mean_y", "mean_x", "m2_y", "m2_x", "c")

SPREADS = ("stddev", "stddev_pop", "variance", "var_pop", "sem", "pandas_sem")
SHAPES = ("skewness", "kurtosis", "kurtosis_pop")
PAIRS = (
    "corr",
    "covar_samp",
    "covar_pop",
    "regr_avgx",
    "regr_avgy",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
)


def _of_doubles(name: str, arguments: int, result: pa.DataType) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != arguments:
            raise mismatch(name, args)
        return Signature((DOUBLE,) * arguments, result)

    return resolve


def _of_state(name: str, result: pa.DataType | None = None) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 1 or not pat.is_struct(args[0].dtype):
            raise mismatch(name, args)
        return Signature((args[0].dtype,), args[0].dtype if result is None else result)

    return resolve


def _mean_of(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2 or args[1].dtype != INT64:
        raise mismatch("mean_of", args)
    return Signature((args[0].dtype, INT64), mean_type(args[0].dtype))


def mean_type(t: pa.DataType) -> pa.DataType:
    """The type of a mean of numbers, dates or times."""
    if is_date(t):
        return TIMESTAMP
    return DOUBLE if is_numeric(t) or is_float(t) else t


def _counts(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 1 or args[0].dtype != INT64:
        raise mismatch("count_merge", args)
    return Signature((INT64,), INT64)


def _second(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2:
        raise mismatch("least_by", args)
    return Signature((args[0].dtype, args[1].dtype), args[1].dtype)


def _nothing(args: tuple[Expr, ...]) -> Signature:
    if args:
        raise mismatch("any_row", args)
    return Signature((), BOOL)


AGGREGATES = (
    AggregateFunction("moments", _of_doubles("moments", 1, SHAPE), doc="State of the moments"),
    AggregateFunction("moments_merge", _of_state("moments_merge"), doc="Merged moments"),
    AggregateFunction("comoments", _of_doubles("comoments", 2, PAIR), doc="State of two columns"),
    AggregateFunction("comoments_merge", _of_state("comoments_merge"), doc="Merged states"),
    AggregateFunction("least_by", _second, doc="The second argument in the row of arg_min"),
    AggregateFunction("greatest_by", _second, doc="The second argument in the row of arg_max"),
    AggregateFunction("any_row", _nothing, empty="false", doc="Whether there is a row"),
    AggregateFunction("count_merge", _counts, empty="zero", doc="The sum of counts"),
)

FUNCTIONS = (
    *(
        Function(f"moments_{name}", _of_state(f"moments_{name}", DOUBLE), nulls=Nulls.OWN)
        for name in (*SPREADS, *SHAPES)
    ),
    *(
        Function(f"comoments_{name}", _of_state(f"comoments_{name}", DOUBLE), nulls=Nulls.OWN)
        for name in PAIRS
    ),
    Function("mean_of", _mean_of, nulls=Nulls.OWN, doc="A sum divided by a count"),
)
