"""Values to text, as DuckDB writes them: CAST(x AS VARCHAR), `||` and concat.

Whole columns at a time but for intervals, binary and dates outside the years 1 to 9999, which are
written once per distinct value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import PER_SECOND, SECONDS_PER_DAY, civil, ints_of
from plait.engine.kernels.encoding import decode, decode_dictionary, scaled
from plait.engine.kernels.views import Ints, stored, validity
from plait.errors import TypeMismatchError
from plait.planner.types import STRING, is_interval, sql_name


def to_text(array: pa.Array) -> pa.Array:
    """The column as strings; NULL stays NULL."""
    t = array.type
    if isinstance(array, pa.DictionaryArray):
        return to_text(decode_dictionary(array))
    if pat.is_string(t):
        return array
    if pat.is_null(t):
        return pa.nulls(len(array), STRING)
    if pat.is_integer(t) or pat.is_boolean(t):
        return array.cast(STRING)
    if pat.is_decimal(t):
        return _decimals(array)
    if pat.is_floating(t):
        return _floats(array)
    if pat.is_date(t) or pat.is_timestamp(t) or pat.is_time(t):
        return _times(array)
    if is_interval(t):
        return per_distinct(array, _interval_text)
    if pat.is_binary(t):
        return per_distinct(array, _blob_text)
    if pat.is_duration(t):
        return per_distinct(array, str)
    if pat.is_list(t):
        return _lists(array)
    if pat.is_struct(t):
        return _structs(array)
    raise TypeMismatchError(f"{sql_name(t)} cannot be written as text")


def per_distinct(
    array: pa.Array, function: Callable[[Any], Any], t: pa.DataType = STRING
) -> pa.Array:
    """A Python function applied once to each distinct value; NULL stays NULL."""
    if is_interval(array.type):
        values = array.to_pylist()
        known = {v: function(v) for v in set(values) if v is not None}
        return pa.array([None if v is None else known[v] for v in values], t)
    coded = array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
    answers = [None if v is None else function(v) for v in coded.dictionary.to_pylist()]
    return pa.array(answers, t).take(coded.indices)


def _decimals(array: pa.Array) -> pa.Array:
    """Digits as an integer, the point set by hand: Arrow would write 1E-7."""
    t = array.type
    found = scaled(array)
    if found is not None and isinstance(found.ints, pa.Array) and 0 <= t.scale <= 18:
        return _scaled_text(found.ints, t.scale)
    plain = decode(array)
    digits = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(plain), plain.buffers(), offset=plain.offset
    ).cast(STRING)
    if t.scale == 0:
        return digits
    negative = pc.starts_with(digits, "-")
    digits = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), t.scale + 1, "0")
    pointed = pc.utf8_replace_slice(digits, start=-t.scale, stop=-t.scale, replacement=".")
    return pc.binary_join_element_wise(pc.if_else(negative, "-", ""), pointed, "")


def _scaled_text(ints: pa.Array, scale: int) -> pa.Array:
    if scale == 0:
        return ints.cast(STRING)
    values, valid = stored(ints).astype(np.int64, copy=False), validity(ints)
    if valid is not None:
        values = np.where(valid, values, 0)
    whole, fraction = np.divmod(np.abs(values), 10**scale)
    parts = [pa.array(whole).cast(STRING), padded_digits(fraction, scale)]
    if len(values) and values.min() < 0:
        sign = pc.if_else(pa.array(values < 0), "-", "")
        parts[0] = pc.binary_join_element_wise(sign, parts[0], "")
    text = pc.binary_join_element_wise(*parts, ".")
    return text if valid is None else pc.if_else(pa.array(valid), text, pa.scalar(None, STRING))


def padded_digits(values: Ints, width: int) -> pa.Array:
    """Numbers from 0 on as text with zeros in front."""
    most = int(values.max()) if len(values) else 0
    if most < min(10_000, len(values)):  # few numbers: write each once
        table = pc.utf8_lpad(pa.array(np.arange(most + 1)).cast(STRING), width, "0")
        return table.take(pa.array(values))
    return pc.utf8_lpad(pa.array(values).cast(STRING), width, "0")


def _floats(array: pa.Array) -> pa.Array:
    values = array.to_numpy(zero_copy_only=False)
    if array.null_count:  # NULL comes as NaN here
        values = values.astype(array.type.to_pandas_dtype())
    with np.errstate(all="ignore"):
        size = np.abs(values)
        large = np.isfinite(values) & (size >= 1e16)
        plain = ((size >= 1e-4) & (size < 1e16)) | (size == 0)
    written = values.astype("U32")
    # numpy changes to exponents elsewhere than DuckDB does
    plain &= np.char.find(written, "e") >= 0
    text = written.astype(object)
    if large.any():
        text[large] = [_large(v) for v in values[large]]
    if plain.any():
        text[plain] = [np.format_float_positional(v, trim="0") for v in values[plain]]
    found = pa.array(text, STRING)
    if array.null_count:
        found = pc.if_else(pc.is_valid(array), found, pa.scalar(None, STRING))
    return found


def _large(value: Any) -> str:
    """Shortest digits with an exponent; numpy writes single precision without one."""
    return str(np.format_float_scientific(value, trim="-", exp_digits=2))


def _times(array: pa.Array) -> pa.Array:
    t = array.type
    if pat.is_timestamp(t) and t.tz is not None:
        text = _times(array.cast(pa.timestamp(t.unit, "UTC")).cast(pa.timestamp(t.unit)))
        return pc.binary_join_element_wise(text, "+00", "")
    if not pat.is_time(t) and _is_far(array):
        return per_distinct(array.cast(pa.int64() if t.bit_width == 64 else pa.int32()), _far(t))
    text = array.cast(STRING)
    if pat.is_date(t) or t.unit == "s":
        return text
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".") if len(text) else text


def _is_far(array: pa.Array) -> bool:
    """Whether a year before 1 or after 9999 occurs."""
    found = pc.min_max(array)
    if not found["min"].is_valid:
        return False
    per_day = 1 if pat.is_date(array.type) else SECONDS_PER_DAY * PER_SECOND[array.type.unit]
    low, high = (int(ints_of(found[end])[0]) // per_day for end in ("min", "max"))
    return low < -719162 or high > 2932896


def _far(t: pa.DataType) -> Callable[[int], str]:
    per_day = 1 if pat.is_date(t) else SECONDS_PER_DAY * PER_SECOND[t.unit]

    def text(number: int) -> str:
        days, rest = divmod(number, per_day)
        (year,), (month,), (day,) = civil(np.array([days]))
        bc = " (BC)" if year < 1 else ""
        shown = f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}"
        if pat.is_date(t):
            return shown + bc
        unit = pa.time64("ns" if t.unit == "ns" else "us")
        clock = pa.array([rest], pa.int64()).cast(unit)
        return f"{shown} {_times(clock)[0].as_py()}{bc}"

    return text


def _interval_text(value: pa.MonthDayNano) -> str:
    months, days, nanos = value
    words = []
    years, months = int(months / 12), int(np.fmod(months, 12))
    for count, word in ((years, "year"), (months, "month"), (days, "day")):
        if count:
            words.append(f"{count} {word}{'' if abs(count) == 1 else 's'}")
    if nanos or not words:
        micros = abs(nanos) // 1000
        seconds, fraction = divmod(micros, 1_000_000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        if fraction:
            clock += f".{fraction:06d}".rstrip("0")
        words.append(("-" if nanos < 0 else "") + clock)
    return " ".join(words)


def _blob_text(value: bytes) -> str:
    """Printable ASCII as it is, everything else as \\xAB."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b"\\'\"" else f"\\x{b:02X}" for b in value)


_SPECIAL = re.compile(r"""[\[\]{}(),:='"\\]|^\s|\s$|^$|^null$""", re.IGNORECASE)


def _quoted(text: pa.Array) -> pa.Array:
    """Strings inside lists and structs: in quotes if they could be mistaken for something else."""

    def quote(value: str) -> str:
        if not _SPECIAL.search(value):
            return value
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return per_distinct(text, quote)


def _inner(array: pa.Array) -> pa.Array:
    text = to_text(array)
    if pat.is_string(array.type):
        text = _quoted(text)
    return text.fill_null("NULL")


def _lists(array: pa.Array) -> pa.Array:
    offsets = array.offsets
    first = offsets[0].as_py() if len(offsets) else 0
    inner = _inner(array.flatten()) if array.null_count == 0 else _inner(array.values)
    if array.null_count == 0 and first:
        offsets = pc.subtract(offsets, first)
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, inner), ", ")
    text = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(pc.is_valid(array), text, pa.scalar(None, STRING))


def _structs(array: pa.Array) -> pa.Array:
    parts: list[Any] = []
    for i, field in enumerate(array.type):
        parts += [f"{', ' if i else ''}'{field.name}': ", _inner(array.field(i))]
    text = pc.binary_join_element_wise("{", *parts, "}", "")
    valid = validity(array)
    return text if valid is None else pc.if_else(pa.array(valid), text, pa.scalar(None, STRING))
