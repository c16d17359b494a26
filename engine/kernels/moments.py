"""Variance and its family: moments about the mean, of one column or of two.

A state is the count, the mean, and sums of powers of deviations from it. Deviations are taken from
the group's first value before anything is summed, so equal values have a variance of exactly zero,
and large values with a small spread lose nothing. States of parts are merged by the formulas of
Chan, Golub and LeVeque (1979) and Pebay (2008), for any number of parts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from plait.engine.kernels.arguments import Argument, Rows
from plait.engine.kernels.int128 import Int128, decimal_values
from plait.engine.kernels.reductions import Aggregate, divide_exactly
from plait.engine.kernels.segments import Floats, Segments
from plait.engine.kernels.views import Bools, from_stored, stored, validity
from plait.planner.expr import AggregateCall
from plait.planner.types import is_decimal, is_float

Answer = tuple[Floats, Bools]  # values, and where there is one


@dataclass(frozen=True)
class Moments:
    """Of one column: count, mean, sums of squares, cubes and fourth powers of deviations."""

    n: Floats
    mean: Floats
    m2: Floats
    m3: Floats
    m4: Floats


@dataclass(frozen=True)
class Comoments:
    """Of two columns: count, means, sums of squares of deviations and of their products."""

    n: Floats
    mean_y: Floats
    mean_x: Floats
    m2_y: Floats
    m2_x: Floats
    c: Floats


def _deviations(segments: Segments, values: Floats) -> tuple[Floats, Floats]:
    """Each value's deviation from its group's mean, and the means (0 for no rows)."""
    if not segments.rows:
        return values, np.zeros(segments.count)
    shift = values[segments.first]
    shift = np.where(np.isfinite(shift), shift, 0.0)
    shifted = values - segments.spread(shift)
    means = segments.sum_floats(shifted) / np.maximum(segments.sizes, 1)
    return shifted - segments.spread(means), np.where(segments.filled, means + shift, 0.0)


def measure(argument: Argument, powers: int) -> Moments:
    """The moments of each group up to a power of 2 or 4."""
    segments = argument.present
    with np.errstate(invalid="ignore", over="ignore"):
        deviations, means = _deviations(segments, argument.doubles)
        squares = deviations * deviations
        m2 = segments.sum_floats(squares)
        m3 = segments.sum_floats(squares * deviations) if powers > 2 else m2
        m4 = segments.sum_floats(squares * squares) if powers > 2 else m2
    return Moments(segments.sizes.astype(np.float64), means, m2, m3, m4)


def measure_pair(y: Argument, x: Argument) -> Comoments:
    """The joint moments of two columns, neither of which is NULL anywhere it is present."""
    segments = y.present
    with np.errstate(invalid="ignore", over="ignore"):
        dy, mean_y = _deviations(segments, y.doubles)
        dx, mean_x = _deviations(segments, x.doubles)
        sums = [segments.sum_floats(d) for d in (dy * dy, dx * dx, dy * dx)]
    return Comoments(segments.sizes.astype(np.float64), mean_y, mean_x, *sums)


# --------------------------------------------------------------------------------------- merging


def _merged_mean(segments: Segments, n: Floats, means: Floats, total: Floats) -> Floats:
    shift = means[segments.first] if segments.rows else np.zeros(segments.count)
    shift = np.where(np.isfinite(shift), shift, 0.0)
    away = segments.sum_floats(n * (means - segments.spread(shift)))
    return np.where(segments.filled, shift + away / np.maximum(total, 1.0), 0.0)


def merge(state: Moments, segments: Segments) -> Moments:
    """The moments of each group from those of its parts, of which none is empty."""
    with np.errstate(invalid="ignore", over="ignore"):
        n = segments.sum_floats(state.n)
        mean = _merged_mean(segments, state.n, state.mean, n)
        d = state.mean - segments.spread(mean)
        d2 = d * d
        m2 = segments.sum_floats(state.m2 + state.n * d2)
        m3 = segments.sum_floats(state.m3 + 3 * d * state.m2 + state.n * d * d2)
        fourth = state.m4 + 4 * d * state.m3 + 6 * d2 * state.m2 + state.n * d2 * d2
        return Moments(n, mean, m2, m3, segments.sum_floats(fourth))


def merge_pair(state: Comoments, segments: Segments) -> Comoments:
    """The joint moments of each group from those of its parts, of which none is empty."""
    with np.errstate(invalid="ignore", over="ignore"):
        n = segments.sum_floats(state.n)
        mean_y = _merged_mean(segments, state.n, state.mean_y, n)
        mean_x = _merged_mean(segments, state.n, state.mean_x, n)
        dy = state.mean_y - segments.spread(mean_y)
        dx = state.mean_x - segments.spread(mean_x)
        m2_y = segments.sum_floats(state.m2_y + state.n * dy * dy)
        m2_x = segments.sum_floats(state.m2_x + state.n * dx * dx)
        return Comoments(
            n, mean_y, mean_x, m2_y, m2_x, segments.sum_floats(state.c + state.n * dy * dx)
        )


# --------------------------------------------------------------------------------------- answers


def _variance(s: Moments) -> Answer:
    return s.m2 / (s.n - 1), s.n > 1


def _var_pop(s: Moments) -> Answer:
    return s.m2 / s.n, s.n > 0


def _stddev(s: Moments) -> Answer:
    return np.sqrt(s.m2 / (s.n - 1)), s.n > 1


def _stddev_pop(s: Moments) -> Answer:
    return np.sqrt(s.m2 / s.n), s.n > 0


def _sem(s: Moments) -> Answer:
    return np.sqrt(s.m2) / s.n, s.n > 0


def _pandas_sem(s: Moments) -> Answer:
    return np.sqrt(s.m2 / (s.n - 1) / s.n), s.n > 1


def _skewness(s: Moments) -> Answer:
    plain = (s.m3 / s.n) / (s.m2 / s.n) ** 1.5
    return plain * np.sqrt(s.n * (s.n - 1)) / (s.n - 2), (s.n > 2) & (s.m2 != 0)


def _kurtosis(s: Moments) -> Answer:
    plain = s.n * s.m4 / (s.m2 * s.m2) - 3
    corrected = (s.n - 1) / ((s.n - 2) * (s.n - 3)) * ((s.n + 1) * plain + 6)
    return corrected, (s.n > 3) & (s.m2 != 0)


def _kurtosis_pop(s: Moments) -> Answer:
    return s.n * s.m4 / (s.m2 * s.m2) - 3, (s.n > 1) & (s.m2 != 0)


def _corr(s: Comoments) -> Answer:
    bound = np.sqrt(s.m2_y) * np.sqrt(s.m2_x)
    return np.clip(s.c / bound, -1.0, 1.0), s.n > 0


def _slope(s: Comoments) -> Answer:
    return s.c / s.m2_x, s.n > 0


def _intercept(s: Comoments) -> Answer:
    return s.mean_y - s.c / s.m2_x * s.mean_x, (s.n > 0) & (s.m2_x != 0)


def _r2(s: Comoments) -> Answer:
    share = np.where(s.m2_y == 0, 1.0, s.c * s.c / (s.m2_y * s.m2_x))
    return share, (s.n > 0) & (s.m2_x != 0)


SINGLE: dict[str, Callable[[Moments], Answer]] = {
    "stddev": _stddev,
    "stddev_pop": _stddev_pop,
    "variance": _variance,
    "var_pop": _var_pop,
    "sem": _sem,
    "pandas_sem": _pandas_sem,
    "skewness": _skewness,
    "kurtosis": _kurtosis,
    "kurtosis_pop": _kurtosis_pop,
}
SHAPES = {"skewness", "kurtosis", "kurtosis_pop"}

PAIRED: dict[str, Callable[[Comoments], Answer]] = {
    "corr": _corr,
    "covar_samp": lambda s: (s.c / (s.n - 1), s.n > 1),
    "covar_pop": lambda s: (s.c / s.n, s.n > 0),
    "regr_avgx": lambda s: (s.mean_x, s.n > 0),
    "regr_avgy": lambda s: (s.mean_y, s.n > 0),
    "regr_sxx": lambda s: (s.m2_x, s.n > 0),
    "regr_syy": lambda s: (s.m2_y, s.n > 0),
    "regr_sxy": lambda s: (s.c, s.n > 0),
    "regr_slope": _slope,
    "regr_intercept": _intercept,
    "regr_r2": _r2,
}


def answer_array(answer: Callable[[], Answer]) -> pa.Array:
    """Answers as doubles, NULL where there is none."""
    with np.errstate(all="ignore"):
        values, valid = answer()
    return from_stored(values, pa.float64(), None if bool(valid.all()) else valid)


# ---------------------------------------------------------------------------- aggregate functions


def _direct(name: str) -> Aggregate:
    def compute(rows: Rows, call: AggregateCall) -> pa.Array:
        state = measure(rows.argument(call.args[0]), 4 if name in SHAPES else 2)
        return answer_array(lambda: SINGLE[name](state))

    return compute


def _direct_pair(name: str) -> Aggregate:
    def compute(rows: Rows, call: AggregateCall) -> pa.Array:
        state = measure_pair(*rows.pair(*call.args))
        return answer_array(lambda: PAIRED[name](state))

    return compute


def _regr_count(rows: Rows, call: AggregateCall) -> pa.Array:
    return from_stored(rows.pair(*call.args)[0].present.sizes, call.dtype)


def to_struct(state: Moments | Comoments, dtype: pa.DataType) -> pa.Array:
    """A state as an array of the struct that partial aggregates give."""
    columns = [from_stored(getattr(state, f.name), pa.float64()) for f in dtype]
    return pa.StructArray.from_arrays(columns, fields=list(dtype))


def _moments(rows: Rows, call: AggregateCall) -> pa.Array:
    powers = 4 if call.dtype.get_field_index("m4") >= 0 else 2
    return to_struct(measure(rows.argument(call.args[0]), powers), call.dtype)


def _comoments(rows: Rows, call: AggregateCall) -> pa.Array:
    return to_struct(measure_pair(*rows.pair(*call.args)), call.dtype)


def _fields(state: pa.Array) -> dict[str, Floats]:
    """The fields of states; a NULL state counts no rows."""
    fields = dict(zip((f.name for f in state.type), map(stored, state.flatten()), strict=True))
    valid = validity(state)
    if valid is not None:
        fields["n"] = np.where(valid, fields["n"], 0.0)
    return fields


def _moments_of(fields: dict[str, Floats]) -> Moments:
    nothing = fields["m2"]  # stands in where higher powers are not kept
    m3, m4 = fields.get("m3", nothing), fields.get("m4", nothing)
    return Moments(fields["n"], fields["mean"], fields["m2"], m3, m4)


def _moments_merge(rows: Rows, call: AggregateCall) -> pa.Array:
    fields, segments = _counted(rows, call)
    return to_struct(merge(_moments_of(fields), segments), call.dtype)


def _comoments_merge(rows: Rows, call: AggregateCall) -> pa.Array:
    fields, segments = _counted(rows, call)
    return to_struct(merge_pair(Comoments(**fields), segments), call.dtype)


def _counted(rows: Rows, call: AggregateCall) -> tuple[dict[str, Floats], Segments]:
    """The states that count at least one row."""
    fields = _fields(rows.array(call.args[0]))
    some = np.flatnonzero(fields["n"] > 0)
    return {name: values[some] for name, values in fields.items()}, rows.segments.select(some)


MOMENTS: dict[str, Aggregate] = {
    **{name: _direct(name) for name in SINGLE},
    **{name: _direct_pair(name) for name in PAIRED},
    "regr_count": _regr_count,
    "moments": _moments,
    "moments_merge": _moments_merge,
    "comoments": _comoments,
    "comoments_merge": _comoments_merge,
}


# -------------------------------------------------------------------------------- scalar functions


Kernel = Callable[[Sequence[pa.Array], pa.DataType], pa.Array]


def _of_state(name: str) -> Kernel:
    def compute(args: Sequence[pa.Array], dtype: pa.DataType) -> pa.Array:
        state = _moments_of(_fields(args[0]))
        return answer_array(lambda: SINGLE[name](state))

    return compute


def _of_pair_state(name: str) -> Kernel:
    def compute(args: Sequence[pa.Array], dtype: pa.DataType) -> pa.Array:
        state = Comoments(**_fields(args[0]))
        return answer_array(lambda: PAIRED[name](state))

    return compute


def mean_of(args: Sequence[pa.Array], dtype: pa.DataType) -> pa.Array:
    """Sums divided by counts as avg divides; NULL for a count of 0."""
    sums, counts = args[0], stored(args[1])
    valid = counts > 0
    known = validity(sums)
    if known is not None:
        valid &= known
    divisors = np.maximum(counts, 1)
    if is_float(sums.type):
        means = stored(sums) / divisors
    else:
        exact = decimal_values(sums) if is_decimal(sums.type) else stored(sums)
        wide = exact if isinstance(exact, Int128) else Int128.of(exact)
        scale = sums.type.scale if is_decimal(sums.type) else 0
        means = divide_exactly(wide, divisors, scale)
    return from_stored(means, dtype, None if bool(valid.all()) else valid)


FINISHERS: dict[str, Kernel] = {
    **{f"moments_{name}": _of_state(name) for name in SINGLE},
    **{f"comoments_{name}": _of_pair_state(name) for name in PAIRED},
    "mean_of": mean_of,
}
