"""Aggregate functions: names, argument and result types, and whether partial results merge.

Types are DuckDB's but for one: `sum` of integers is BIGINT and raises NumericOverflowError where
DuckDB's HUGEINT would hold more; `sum(x::hugeint)` gives 38 digits. The `pandas_*` entries are what
dataframe methods mean by the same words.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.expr import Expr
from plait.planner.functions.coercion import (
    Kind,
    Overload,
    any_integer,
    any_type,
    first_type,
    fixed,
    overloads,
)
from plait.planner.functions.signature import AggregateFunction, Resolve
from plait.planner.types import (
    BOOL,
    DOUBLE,
    HUGEINT,
    INT64,
    NULL,
    STRING,
    TIMESTAMP,
    UINT64,
    decimal,
    is_date,
    is_decimal,
    is_duration,
    is_float,
    is_integer,
    is_numeric,
    is_timestamp,
)


def _summable(arg: Expr) -> pa.DataType | None:
    """Number."""
    t = arg.dtype
    if t == NULL or pat.is_boolean(t):
        return INT64
    return t if is_numeric(t) or is_duration(t) else None


def sum_type(t: pa.DataType) -> pa.DataType:
    """The type of a sum of values of type `t`."""
    if is_float(t):
        return DOUBLE
    if is_decimal(t):
        return decimal(38, t.scale)
    if t == UINT64:
        return HUGEINT  # the largest single value is beyond BIGINT
    return t if is_duration(t) else INT64


def _averaged(arg: Expr) -> pa.DataType | None:
    """Number, date or timestamp."""
    t = arg.dtype
    if t == NULL:
        return DOUBLE
    fits = is_numeric(t) or is_date(t) or is_timestamp(t) or is_duration(t)
    return t if fits else None


def average_type(t: pa.DataType) -> pa.DataType:
    """The type of a mean of values of type `t`."""
    if is_date(t):
        return TIMESTAMP
    return t if is_timestamp(t) or is_duration(t) else DOUBLE


def middle_type(t: pa.DataType) -> pa.DataType:
    """The type of an interpolated quantile of values of type `t`."""
    if is_date(t):
        return TIMESTAMP
    return DOUBLE if is_integer(t) else t


def _sum() -> Resolve:
    return fixed("sum", _summable, result=lambda types: sum_type(types[0]))


def _count(name: str) -> Resolve:
    return overloads(name, Overload((), INT64), Overload((any_type,), INT64))


def _same(name: str, *more: pa.DataType | Kind) -> Resolve:
    return fixed(name, any_type, *more, result=first_type)


def _quantile(name: str, interpolated: bool) -> Resolve:
    def of(types: tuple[pa.DataType, ...]) -> pa.DataType:
        one = middle_type(types[0]) if interpolated else types[0]
        return pa.list_(one) if len(types) > 1 and pat.is_list(types[1]) else one

    return overloads(
        name,
        Overload((any_type, DOUBLE), of),
        Overload((any_type, pa.list_(DOUBLE)), of),
    )


def _double(name: str, arguments: int = 1) -> Resolve:
    return fixed(name, *(DOUBLE,) * arguments, result=DOUBLE)


def _moment(name: str, doc: str, *sql: str) -> AggregateFunction:
    return AggregateFunction(name, _double(name), sql=sql, doc=doc)


def _pair(name: str, doc: str) -> AggregateFunction:
    return AggregateFunction(name, _double(name, 2), doc=doc)


def _string_agg() -> Resolve:
    def text(arg: Expr) -> pa.DataType | None:
        """Any value but a list."""
        return None if pat.is_nested(arg.dtype) else STRING

    def of_text(arg: Expr) -> pa.DataType | None:
        """String."""
        return STRING if text(arg) is not None else None

    return overloads(
        "string_agg", Overload((of_text,), STRING), Overload((of_text, STRING), STRING)
    )


_REGRESSION = (
    ("regr_avgx", "The mean of x where both y and x are there: regr_avgx(y, x)"),
    ("regr_avgy", "The mean of y where both y and x are there"),
    ("regr_sxx", "The sum of squares of x around its mean"),
    ("regr_syy", "The sum of squares of y around its mean"),
    ("regr_sxy", "The sum of products of y and x around their means"),
    ("regr_slope", "The slope of the line nearest to the points (x, y)"),
    ("regr_intercept", "Where that line crosses x = 0"),
    ("regr_r2", "How much of y's variance that line explains"),
)

FUNCTIONS = (
    AggregateFunction(
        "count",
        _count("count"),
        sql=("count_star",),
        empty="zero",
        doc="How many rows, or values that are not NULL",
    ),
    AggregateFunction("size", _count("size"), empty="zero", doc="How many rows"),
    AggregateFunction(
        "count_if",
        fixed("count_if", BOOL, result=INT64),
        sql=("countif",),
        empty="zero",
        doc="How many rows for which the condition holds",
    ),
    AggregateFunction(
        "nunique",
        fixed("nunique", any_type, result=INT64),
        empty="zero",
        splits=False,
        distinct_matters=False,
        doc="How many different values",
    ),
    AggregateFunction(
        "approx_count_distinct",
        fixed("approx_count_distinct", any_type, result=INT64),
        sql=("approx_distinct",),
        empty="zero",
        splits=False,
        distinct_matters=False,
        doc="How many different values; plait counts exactly",
    ),
    AggregateFunction("sum", _sum(), sql=("sum_no_overflow",), doc="The sum"),
    AggregateFunction("pandas_sum", _sum(), empty="zero", doc="The sum; of no values, 0"),
    AggregateFunction(
        "avg",
        fixed("avg", _averaged, result=lambda types: average_type(types[0])),
        sql=("mean",),
        doc="The mean",
    ),
    AggregateFunction("product", _double("product"), doc="The product as a double"),
    AggregateFunction(
        "prod",
        fixed("prod", _summable, result=lambda types: sum_type(types[0])),
        empty="one",
        doc="The product in the type of a sum; of no values, 1 (pandas)",
    ),
    AggregateFunction("min", _same("min"), distinct_matters=False, doc="The smallest value"),
    AggregateFunction("max", _same("max"), distinct_matters=False, doc="The largest value"),
    _moment("stddev", "Standard deviation of a sample", "stddev_samp", "std"),
    _moment("stddev_pop", "Standard deviation of a population"),
    _moment("variance", "Variance of a sample", "var_samp", "var"),
    _moment("var_pop", "Variance of a population"),
    _moment("skewness", "Skewness, corrected for bias", "skew"),
    _moment("kurtosis", "Excess kurtosis, corrected for bias", "kurt"),
    _moment("kurtosis_pop", "Excess kurtosis of a population"),
    _moment("sem", "Standard error of the mean, as DuckDB: of a population"),
    _moment("pandas_sem", "Standard error of the mean, as pandas: of a sample"),
    _pair("corr", "Correlation coefficient"),
    _pair("covar_samp", "Covariance of a sample"),
    _pair("covar_pop", "Covariance of a population"),
    *(_pair(name, doc) for name, doc in _REGRESSION),
    AggregateFunction(
        "regr_count",
        fixed("regr_count", DOUBLE, DOUBLE, result=INT64),
        empty="zero",
        doc="How many rows have both y and x",
    ),
    AggregateFunction(
        "median",
        fixed("median", any_type, result=lambda types: middle_type(types[0])),
        splits=False,
        doc="The middle value, interpolated",
    ),
    AggregateFunction(
        "quantile_cont",
        _quantile("quantile_cont", True),
        splits=False,
        sql=("percentile_cont",),
        doc="The quantile, interpolated",
    ),
    AggregateFunction(
        "quantile_disc",
        _quantile("quantile_disc", False),
        splits=False,
        sql=("quantile", "percentile_disc"),
        doc="The quantile, one of the values",
    ),
    AggregateFunction(
        "approx_quantile",
        _quantile("approx_quantile", False),
        splits=False,
        doc="The quantile; plait computes it exactly",
    ),
    AggregateFunction("mode", _same("mode"), splits=False, doc="The most frequent value"),
    AggregateFunction(
        "entropy",
        fixed("entropy", any_type, result=DOUBLE),
        splits=False,
        doc="Entropy of the values' distribution in bits",
    ),
    AggregateFunction("first", _same("first"), sql=("arbitrary",), doc="The first row's value"),
    AggregateFunction("last", _same("last"), doc="The last row's value"),
    AggregateFunction("any_value", _same("any_value"), doc="The first value that is not NULL"),
    AggregateFunction(
        "pandas_first", _same("pandas_first"), doc="The first value that is not NULL"
    ),
    AggregateFunction("pandas_last", _same("pandas_last"), doc="The last value that is not NULL"),
    AggregateFunction(
        "arg_min",
        _same("arg_min", any_type),
        sql=("min_by", "argmin"),
        doc="The first argument in the row where the second is smallest",
    ),
    AggregateFunction(
        "arg_max",
        _same("arg_max", any_type),
        sql=("max_by", "argmax"),
        doc="The first argument in the row where the second is largest",
    ),
    AggregateFunction(
        "arg_min_null",
        _same("arg_min_null", any_type),
        splits=False,
        doc="As arg_min, but the first argument may be NULL in that row",
    ),
    AggregateFunction(
        "arg_max_null",
        _same("arg_max_null", any_type),
        splits=False,
        doc="As arg_max, but the first argument may be NULL in that row",
    ),
    AggregateFunction(
        "bool_and",
        fixed("bool_and", BOOL, result=BOOL),
        sql=("every", "logical_and"),
        distinct_matters=False,
        doc="Whether all are true",
    ),
    AggregateFunction(
        "bool_or",
        fixed("bool_or", BOOL, result=BOOL),
        sql=("logical_or",),
        distinct_matters=False,
        doc="Whether any is true",
    ),
    AggregateFunction(
        "bit_and",
        fixed("bit_and", any_integer, result=first_type),
        distinct_matters=False,
        doc="Bitwise AND of all values",
    ),
    AggregateFunction(
        "bit_or",
        fixed("bit_or", any_integer, result=first_type),
        distinct_matters=False,
        doc="Bitwise OR of all values",
    ),
    AggregateFunction(
        "bit_xor", fixed("bit_xor", any_integer, result=first_type), doc="Bitwise XOR of all values"
    ),
    AggregateFunction(
        "string_agg",
        _string_agg(),
        sql=("listagg", "group_concat"),
        splits=False,
        doc="The values joined by a separator, ',' unless given",
    ),
    AggregateFunction(
        "array_agg",
        fixed("array_agg", any_type, result=lambda types: pa.list_(types[0])),
        sql=("list",),
        splits=False,
        doc="The values as a list, NULLs included",
    ),
)
