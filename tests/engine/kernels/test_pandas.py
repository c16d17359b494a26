"""pandas' functions at their edges, against numpy, Python and arithmetic by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from plait.engine.kernels.registry import KERNELS
from plait.errors import ComputeError, NumericOverflowError

LEAST = -(2**63)


def run(name: str, *args: pa.Array | pa.Scalar, result: pa.DataType) -> list[object]:
    return KERNELS[name](list(args), result).to_pylist()


def scalar(value: object, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(value, kind)


def test_nan_is_missing() -> None:
    values = pa.array([1.0, float("nan"), None, float("inf")])
    assert run("null_if_nan", values, result=pa.float64()) == [1.0, None, None, float("inf")]
    clean = pa.array([1.0, None])
    assert KERNELS["null_if_nan"]([clean], pa.float64()) is clean


def test_division_of_integers_rounds_down() -> None:
    a, three = pa.array([7, -7, None, 0], pa.int64()), scalar(-3, pa.int64())
    assert run("pandas_floor_divide", a, three, result=pa.int64()) == [-3, 2, None, 0]
    assert run("pandas_modulo", a, three, result=pa.int64()) == [-2, -1, None, 0]


def test_division_by_zero() -> None:
    a, b = pa.array([7, -7, 0, 5], pa.int64()), pa.array([0, 0, 0, 2], pa.int64())
    inf = float("inf")
    assert run("pandas_floor_divide", a, b, result=pa.float64()) == [inf, -inf, None, 2.0]
    assert run("pandas_modulo", a, b, result=pa.float64()) == [None, None, None, 1.0]
    x, y = a.cast(pa.float64()), b.cast(pa.float64())
    assert run("pandas_floor_divide", x, y, result=pa.float64()) == [inf, -inf, None, 2.0]


def test_overflow_raises_and_what_lies_under_a_null_does_not() -> None:
    least, minus = pa.array([LEAST], pa.int64()), scalar(-1, pa.int64())
    with pytest.raises(NumericOverflowError):
        run("pandas_floor_divide", least, minus, result=pa.int64())
    hidden = pa.Array.from_buffers(
        pa.int64(), 1, [pa.py_buffer(b"\x00"), pa.py_buffer(np.array([LEAST]).tobytes())]
    )
    assert run("pandas_floor_divide", hidden, minus, result=pa.int64()) == [None]
    with pytest.raises(NumericOverflowError):
        run("pandas_power", pa.array([10**10]), scalar(2, pa.int64()), result=pa.int64())
    times = hidden.view(pa.timestamp("us"))
    one = pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("us"))
    assert run("pandas_difference", one, times, result=pa.duration("us")) == [None]


def test_powers() -> None:
    base = pa.array([2, -3, None, 3_037_000_499], pa.int64())
    squares = [4, 9, None, 3_037_000_499**2]
    assert run("pandas_power", base, scalar(2, pa.int64()), result=pa.int64()) == squares
    with pytest.raises(ComputeError, match="negative"):
        run("pandas_power", base, pa.array([-1, 0, 0, 0]), result=pa.int64())


def test_halves_round_to_the_even_neighbour() -> None:
    halves = pa.array([0.5, 1.5, 2.5, -0.5, None])
    zero = scalar(0, pa.int64())
    assert run("pandas_round", halves, zero, result=pa.float64()) == [0.0, 2.0, 2.0, -0.0, None]
    tens = pa.array([15, 25, -15], pa.int64())
    rounded = run("pandas_round", tens, scalar(-1, pa.int64()), result=pa.int64())
    assert rounded == [round(n, -1) for n in (15, 25, -15)]


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, 2, 1), (-3, -1, 1), (None, None, -1), (4, 0, -2), (1, None, 2)]
)
def test_slices_are_pythons(start: int | None, stop: int | None, step: int) -> None:
    far = 2**31 - 1
    ends = (0, far) if step > 0 else (far, -far - 1)
    given = (ends[0] if start is None else start, ends[1] if stop is None else stop, step)
    texts = ["abcdef", "äöü", "", "a"]
    args = [scalar(n, pa.int64()) for n in given]
    plain = run("pandas_slice", pa.array([*texts, None]), *args, result=pa.string())
    assert plain == [*(text[start:stop:step] for text in texts), None]
    coded = pa.array([*texts, None]).dictionary_encode()
    assert run("pandas_slice", coded, *args, result=pa.string()) == plain


def test_positions_count_characters() -> None:
    texts = pa.array(["äb", "b", "", None])
    assert run("pandas_find", texts, scalar("b", pa.string()), result=pa.int64()) == [
        1,
        0,
        -1,
        None,
    ]


def test_times_round_half_to_even_and_floor_before_1970() -> None:
    def at(text: str) -> dt.datetime:
        return dt.datetime.fromisoformat(text)

    times = pa.array(
        [at("1969-12-31T23:50"), at("1970-01-01T00:07:30"), at("1970-01-01T00:22:30"), None],
        pa.timestamp("s"),
    )
    quarter = scalar("15min", pa.string())

    def rounded(how: str) -> list[object]:
        return run("pandas_floor_time", times, quarter, scalar(how, pa.string()), result=times.type)

    assert rounded("floor")[0] == at("1969-12-31T23:45")
    assert rounded("ceil")[0] == at("1970-01-01T00:00")
    assert rounded("round")[1:] == [at("1970-01-01T00:00"), at("1970-01-01T00:30"), None]
    assert (
        run(
            "pandas_floor_time",
            times,
            scalar("5ms", pa.string()),
            scalar("floor", pa.string()),
            result=times.type,
        )
        == times.to_pylist()
    )
