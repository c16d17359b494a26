"""Encodings: the narrower forms in which a column may come, and how kernels make use of them.

A string column may be dictionary codes, a decimal column 64-bit (or still narrower) integers. The
planner does not know; kernels get either form and may give either form.

    per_entry(kernel)     a function of one dictionary column and constants is computed once per
                          dictionary entry, and the answers are attached to the codes
    decode(value)         the plain form: no dictionary, decimal128
    scaled(value)         a decimal or integer argument as 64-bit integers and their scale,
                          without copying when it is 64-bit already; None when it does not fit
    from_scaled(ints, s)  the 64-bit decimal column of such integers, without copying

A dictionary has no entry twice and no NULL entry (whoever groups by codes relies on it), so
results of a dictionary's entries are made distinct again before they become a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.views import Bools, from_stored, is_stored, stored, validity
from plait.errors import ComputeError

Value: TypeAlias = "pa.Array | pa.Scalar"
Kernel = Callable[[Sequence[Value], pa.DataType], pa.Array]

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

# the default context would round to 28 digits
EXACT = Context(prec=80)


def is_array(value: Value) -> bool:
    """Whether the argument is a column rather than a constant."""
    return isinstance(value, pa.Array)


def length_of(args: Sequence[Value]) -> int:
    """The number of rows of a call: the length of its first column."""
    for arg in args:
        if isinstance(arg, pa.Array):
            return len(arg)
    return 1


def array_of(value: Value, length: int) -> pa.Array:
    """The argument as a column, a constant repeated."""
    if isinstance(value, pa.Array):
        return value
    return pa.repeat(value, length) if length else pa.array([], value.type)


def python(value: Value) -> object:
    """The Python value of a constant."""
    return value.as_py()


def decode_dictionary(value: Value) -> Value:
    """A dictionary column as its values; anything else as it is."""
    if isinstance(value, pa.DictionaryArray):
        return value.dictionary.take(value.indices)
    return value


def decode(value: Value) -> Value:
    """The argument in the plain form of its type."""
    value = decode_dictionary(value)
    if pat.is_decimal(value.type) and not pat.is_decimal128(value.type):
        return value.cast(pa.decimal128(value.type.precision, value.type.scale))
    return value


def attach(codes: pa.Array, answers: pa.Array) -> pa.Array:
    """The column that has, for every code, the answer for the entry of that number."""
    if pat.is_boolean(answers.type) and answers.null_count == 0:
        return _flags_of(codes, answers.to_numpy(zero_copy_only=False))
    if is_stored(answers.type) and answers.null_count == 0 and len(answers):
        valid = validity(codes)
        places = stored(codes) if valid is None else np.where(valid, stored(codes), 0)
        return from_stored(stored(answers).take(places), answers.type, valid)
    if not (pat.is_string(answers.type) or pat.is_binary(answers.type)):
        return answers.take(codes)
    distinct = answers.dictionary_encode()
    if len(distinct.dictionary) == len(answers):
        return pa.DictionaryArray.from_arrays(codes, answers)
    return pa.DictionaryArray.from_arrays(distinct.indices.take(codes), distinct.dictionary)


def _flags_of(codes: pa.Array, flags: Bools) -> pa.Array:
    """A column of booleans from codes and the boolean of each code."""
    few = np.flatnonzero(flags)
    if len(few) == 0 and codes.null_count == 0:
        return pa.repeat(pa.scalar(False), len(codes)) if len(codes) else pa.array([], pa.bool_())
    if 1 <= len(few) <= 2:  # comparing codes is faster than looking answers up
        same = [pc.equal(codes, pa.scalar(int(code), codes.type)) for code in few]
        return same[0] if len(same) == 1 else pc.or_(*same)
    valid = validity(codes)
    places = stored(codes) if valid is None else np.where(valid, stored(codes), 0)
    found = flags.take(places) if len(flags) else np.zeros(len(codes), np.bool_)
    return from_stored(found, pa.bool_(), valid)


def per_entry(kernel: Kernel, null_matters: bool = False) -> Kernel:
    """The kernel, computed once per dictionary entry where that is possible.

    The kernel itself never sees a dictionary. `null_matters`: what it gives for NULL is not
    simply NULL, so it is asked; otherwise a NULL constant gives a column of NULLs unasked.
    """

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        if not null_matters and any(not is_array(a) and not a.is_valid for a in args):
            return pa.nulls(length_of(args), result)
        columns = [i for i, a in enumerate(args) if is_array(a)]
        if len(columns) == 1 and isinstance(args[columns[0]], pa.DictionaryArray):
            at = columns[0]
            codes, entries = args[at].indices, args[at].dictionary
            if null_matters and codes.null_count:
                entries = pa.concat_arrays([entries, pa.nulls(1, entries.type)])
                codes = codes.cast(pa.int32()).fill_null(len(entries) - 1)
            if len(entries) <= len(codes):
                try:
                    return attach(codes, kernel([*args[:at], entries, *args[at + 1 :]], result))
                except ComputeError:
                    pass  # the entry that failed may stand in no row: only the rows can tell
        return kernel([decode_dictionary(a) for a in args], result)

    return run


@dataclass(frozen=True)
class Scaled:
    """Decimals as integers, value = ints / 10**scale; `ints` is a column or a constant."""

    ints: pa.Array | int
    scale: int

    def bounds(self) -> tuple[int, int]:
        """The smallest and largest integer; (0, 0) if there is none."""
        if isinstance(self.ints, int):
            return self.ints, self.ints
        found = pc.min_max(self.ints)
        low, high = found["min"].as_py(), found["max"].as_py()
        return (0, 0) if low is None else (low, high)


def unscaled(value: pa.Scalar) -> int:
    """The integer of a valid decimal or integer constant at its own scale."""
    known = value.as_py()
    return (
        known
        if isinstance(known, int)
        else int(known.scaleb(value.type.scale, EXACT).to_integral_exact())
    )


def scaled(value: Value) -> Scaled | None:
    """The argument as 64-bit integers; None if some value needs more, or it is no exact number."""
    t = value.type
    scale = t.scale if pat.is_decimal(t) else 0
    if isinstance(value, pa.Scalar):
        number = unscaled(value)
        return Scaled(number, scale) if INT64_MIN <= number <= INT64_MAX else None
    if pat.is_integer(t):
        return None if t == pa.uint64() else Scaled(value, 0)
    if pat.is_decimal64(t):
        return Scaled(_view(value, pa.int64()), scale)
    if pat.is_decimal32(t):
        return Scaled(_view(value, pa.int32()), scale)
    if pat.is_decimal128(t):
        narrow = _low_words(value)
        return None if narrow is None else Scaled(narrow, scale)
    return None


def from_scaled(ints: pa.Array, scale: int) -> pa.Array:
    """The decimal column of 64-bit integers at a scale."""
    return _view(ints, pa.decimal64(18, scale))


def _view(array: pa.Array, t: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(
        t, len(array), array.buffers(), null_count=array.null_count, offset=array.offset
    )


def _low_words(array: pa.Array) -> pa.Array | None:
    """The lower halves of a decimal128 column, if they hold all of every value."""
    validity, data = array.buffers()
    n, offset = len(array), array.offset
    if n == 0 or data is None:
        return pa.nulls(n, pa.int64())
    words = np.frombuffer(data, dtype=np.int64, count=2 * n, offset=16 * offset)
    low = np.ascontiguousarray(words[::2])
    if array.type.precision > 18 and not np.array_equal(words[1::2], low >> 63):
        return None
    if array.null_count == 0:
        return pa.array(low)
    if offset:
        validity = array.is_valid().buffers()[1]
    return pa.Array.from_buffers(pa.int64(), n, [validity, pa.py_buffer(low)])


def narrow_decimal(array: pa.Array) -> pa.Array:
    """A decimal column in 64 bits if its values fit, else as it is."""
    found = scaled(array)
    if found is None or not isinstance(found.ints, pa.Array):
        return array
    return from_scaled(found.ints.cast(pa.int64()), found.scale)
