"""CAST and TRY_CAST: conversions between all types, with DuckDB's roundings and ranges.

    cast(array, target, try_=False)

A conversion gives the new column and where it failed. CAST then raises ConversionError naming the
first such value, TRY_CAST gives NULL there.

    float to integer      rounds half to even; decimal to integer and to a smaller scale rounds half
                          away from zero
    string to anything    Arrow's parser for a whole column; where it meets a form it does not know,
                          each distinct string is read by `parsing`
    timestamp to date     the day before or at it; to a coarser unit, rounded
    timestamp and integer, duration and integer: the count of units (dataframes' astype)

A dictionary is converted entry by entry. Decimals may come, and may be given, in 64 bits.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.arithmetic import limits, widen
from plait.engine.kernels.calendar import (
    NANOS_PER_DAY,
    PER_SECOND,
    Interval,
    from_intervals,
    ints_of,
    unit_of,
)
from plait.engine.kernels.encoding import (
    EXACT,
    attach,
    decode,
    decode_dictionary,
    from_scaled,
    scaled,
)
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.parsing import parser_of
from plait.engine.kernels.printing import per_distinct, to_text
from plait.engine.kernels.views import Bools, Ints, from_stored, pack_bits, stored, validity
from plait.errors import ComputeError, ConversionError, TypeMismatchError
from plait.planner.types import BINARY, HUGEINT, can_cast, is_interval, sql_name


class Converted(NamedTuple):
    """A converted column, and where conversion failed (None: nowhere)."""

    array: pa.Array
    failed: Bools | None = None


def cast(array: pa.Array, target: pa.DataType, try_: bool = False) -> pa.Array:
    """The column converted to a logical type; ConversionError unless `try_` gives NULL."""
    if array.type == target:
        return array
    if isinstance(array, pa.DictionaryArray):
        return _cast_dictionary(array, target, try_)
    if pat.is_null(array.type):
        return pa.nulls(len(array), target)
    if not can_cast(array.type, target):
        raise TypeMismatchError(f"{sql_name(array.type)} cannot be cast to {sql_name(target)}")
    found, failed = _convert(array, target, try_)
    if failed is None or not failed.any():
        return found
    if not try_:
        at = int(np.flatnonzero(failed)[0])
        raise _failure(array, at, target)
    valid = validity(found)
    keep = ~failed if valid is None else valid & ~failed
    return pc.if_else(pa.array(keep), found, pa.scalar(None, found.type))


def _cast_dictionary(array: pa.DictionaryArray, target: pa.DataType, try_: bool) -> pa.Array:
    if target == array.dictionary.type:
        return array
    if len(array.dictionary) <= len(array):
        try:
            return attach(array.indices, cast(array.dictionary, target, try_))
        except ComputeError:
            pass  # the entry that failed may stand in no row: only the rows can tell
    return cast(decode_dictionary(array), target, try_)


def _failure(array: pa.Array, at: int, target: pa.DataType) -> ConversionError:
    if pat.is_date(array.type) or pat.is_timestamp(array.type):  # Python's end at the year 9999
        value = to_text(array.slice(at, 1))[0].as_py()
        shown = str(value)
    else:
        value = array[at].as_py()
        shown = repr(value) if isinstance(value, str) else str(value)
    hint = "use try_cast to get NULL for such values"
    if pat.is_string(array.type):
        return ConversionError(f"Could not convert {shown} to {sql_name(target)}; {hint}")
    return ConversionError(
        f"{shown} ({sql_name(array.type)}) is out of the range of {sql_name(target)}; {hint}"
    )


def _convert(array: pa.Array, target: pa.DataType, try_: bool) -> Converted:
    source = array.type
    if pat.is_string(target):
        return Converted(to_text(array))
    if pat.is_string(source):
        return _from_text(array, target)
    if pat.is_boolean(target):
        return Converted(_to_bool(array))
    if pat.is_decimal(target):
        return _to_decimal(array, target)
    if pat.is_floating(target):
        return _to_float(array, target)
    if pat.is_integer(target):
        return _to_integer(array, target)
    if pat.is_list(target):
        return Converted(_to_list(array, target, try_))
    if pat.is_struct(target):
        return Converted(_to_struct(array, target, try_))
    if is_interval(target) or is_interval(source):
        return Converted(_span(array, target))
    if pat.is_integer(source):  # counts as dates, times and durations
        return Converted(
            array.cast(pa.int64() if target.bit_width == 64 else pa.int32()).cast(target)
        )
    return _to_time(array, target)


# numbers


def _to_bool(array: pa.Array) -> pa.Array:
    if pat.is_decimal(array.type):
        found = scaled(array)
        if found is None:
            return pc.not_equal(widen(array), pa.scalar(0, pa.decimal256(38, array.type.scale)))
        return pc.not_equal(found.ints, 0)
    return pc.not_equal(array, pa.scalar(0, array.type))


def _outside(values: Ints, valid: Bools | None, low: int, high: int) -> Bools | None:
    """Where integers are outside a range; None for nowhere."""
    if not len(values):
        return None
    seen = (
        values if valid is None else np.where(valid, values, np.asarray(max(low, 0), values.dtype))
    )
    if int(seen.min()) >= low and int(seen.max()) <= high:
        return None
    info = np.iinfo(seen.dtype)
    small = seen < low if low > info.min else np.zeros(len(seen), np.bool_)
    large = seen > high if high < info.max else np.zeros(len(seen), np.bool_)
    return np.asarray(small | large)


def _to_integer(array: pa.Array, target: pa.DataType) -> Converted:
    source, valid = array.type, validity(array)
    low, high = limits(target)
    if pat.is_boolean(source):
        return Converted(array.cast(target))
    if pat.is_floating(source):
        values = np.rint(stored(array))
        with np.errstate(invalid="ignore"):
            # the upper end is no double; the next one above is
            bad = ~((values >= float(low)) & (values < float(high) + (high < 1 << 53)))
            whole = np.where(bad, 0, values).astype(target.to_pandas_dtype())
        bad = bad if valid is None else bad & valid
        return Converted(from_stored(whole, target, valid), bad)
    if pat.is_decimal(source):
        found = scaled(array)
        if found is None:
            rounded = pc.round(widen(array), 0, "half_towards_infinity").cast(pa.decimal256(76, 0))
            fits = pc.and_(
                pc.greater_equal(rounded, pa.scalar(low, pa.decimal256(76, 0))),
                pc.less_equal(rounded, pa.scalar(high, pa.decimal256(76, 0))),
            )
            whole_column = pc.if_else(fits, rounded, pa.scalar(0, rounded.type)).cast(target)
            return Converted(whole_column, _flags(pc.invert(fits)))
        values = stored(found.ints) if isinstance(found.ints, pa.Array) else np.array([found.ints])
        values = rounded_ints(values.astype(np.int64, copy=False), found.scale)
        return _integers(values, target, valid)
    if pat.is_timestamp(source) or pat.is_duration(source):
        return _integers(ints_of(array), target, valid)
    return _integers(stored(array), target, valid)


def _integers(values: Ints, target: pa.DataType, valid: Bools | None) -> Converted:
    bad = _outside(values, valid, *limits(target))
    with np.errstate(all="ignore"):
        whole = values.astype(target.to_pandas_dtype())
    return Converted(from_stored(whole, target, valid), bad)


def _flags(mask: pa.Array) -> Bools:
    return np.asarray(mask.fill_null(False).to_numpy(zero_copy_only=False))


def rounded_ints(values: Ints, digits: int) -> Ints:
    """Integers with so many last digits rounded away, half away from zero."""
    if digits == 0:
        return values
    if digits > 18:
        return np.zeros_like(values)
    unit = 10**digits
    whole = values // unit
    rest = values - whole * unit  # 0 <= rest < unit; floor division rounds -2.5 to -3
    return np.asarray(whole + (rest * 2 > unit - (values >= 0)))


def _to_decimal(array: pa.Array, target: pa.DataType) -> Converted:
    source, valid = array.type, validity(array)
    if pat.is_floating(source):
        return _float_to_decimal(array, target, valid)
    if pat.is_boolean(source):
        array = array.cast(pa.int8())
    found = scaled(array)
    most = 10**target.precision - 1
    if found is not None and isinstance(found.ints, pa.Array):
        shift = target.scale - found.scale
        low, high = found.bounds()
        reach = max(-low, high) * 10 ** max(shift, 0)
        if reach < 10**18:
            values = stored(found.ints).astype(np.int64, copy=False)
            with np.errstate(all="ignore"):
                values = values * 10**shift if shift > 0 else rounded_ints(values, -shift)
            bad = _outside(values, valid, -most, most)
            if shift == 0 and pat.is_decimal64(source):
                return Converted(from_scaled(found.ints, target.scale), bad)
            return Converted(from_stored(values, pa.decimal64(18, target.scale), valid), bad)
        if reach <= most and shift > 0 and pat.is_decimal(source):
            return Converted(array.cast(pa.decimal128(target.precision, target.scale)))
        if reach <= most and shift > 0:
            values = stored(found.ints).astype(np.int64, copy=False)
            values = values if valid is None else np.where(valid, values, 0)
            return Converted(Int128.of(values).shifted(shift).to_decimal(target, valid))
    wide = widen(array)
    if wide.type.scale > target.scale:
        wide = pc.round(wide, target.scale, "half_towards_infinity")
    scale = max(wide.type.scale, target.scale)
    wide = wide.cast(pa.decimal256(76, scale))
    limit = pa.array([_decimal(most, target.scale)], pa.decimal256(76, scale))[0]
    fits = pc.less_equal(pc.abs(wide), limit)
    wide = pc.if_else(fits, wide, pa.scalar(0, wide.type))
    return Converted(wide.cast(target), _flags(pc.invert(fits)))


def _decimal(number: int, scale: int) -> Decimal:
    return Decimal(number).scaleb(-scale, EXACT)


def _float_to_decimal(array: pa.Array, target: pa.DataType, valid: Bools | None) -> Converted:
    values = stored(array).astype(np.float64)
    with np.errstate(all="ignore"):
        moved = values * 10.0**target.scale
        # HUGEINT rounds as other integers do, half to even
        moved = np.rint(moved) if target == HUGEINT else _half_away(moved)
        bad = ~(np.abs(moved) < 10.0**target.precision)
    bad = bad if valid is None else bad & valid
    usable = ~bad if valid is None else valid & ~bad
    ints = np.where(usable, moved, 0.0)
    if target.precision <= 18 or not ints.size or np.abs(ints).max() < 1e18:
        narrow = from_stored(ints.astype(np.int64), pa.decimal64(18, target.scale), valid)
        return Converted(narrow, bad)
    # beyond 64 bits: whole numbers as floats are exact, so their digits are the answer
    exact = [
        None if not ok else _decimal(int(v), target.scale)
        for v, ok in zip(ints, usable, strict=True)
    ]
    return Converted(pa.array(exact, target), bad)


def _half_away(x: Ints) -> Ints:
    # the largest number below one half, so that the sum never rounds up what is below a half
    return np.asarray(np.trunc(x + np.copysign(0.49999999999999994, x)))


def _to_float(array: pa.Array, target: pa.DataType) -> Converted:
    source, valid = array.type, validity(array)
    if pat.is_decimal(source):
        found = scaled(array)
        if found is None or not isinstance(found.ints, pa.Array):
            return Converted(decode(array).cast(target))
        values = stored(found.ints).astype(np.float64)
        if found.scale:
            values = values / 10.0**found.scale
        return Converted(from_stored(values.astype(target.to_pandas_dtype()), target, valid))
    if pat.is_floating(source) and target.bit_width < source.bit_width:
        with np.errstate(all="ignore"):
            narrow = stored(array).astype(np.float32)
            bad = np.isinf(narrow) & np.isfinite(stored(array))
        bad = bad if valid is None else bad & valid
        return Converted(from_stored(narrow, target, valid), bad)
    if pat.is_boolean(source):
        array = array.cast(pa.int8())
    return Converted(array.cast(target, safe=False))


# text


def _from_text(array: pa.Array, target: pa.DataType) -> Converted:
    if target == BINARY:
        return Converted(per_distinct(array, _blob, BINARY))
    if _arrow_reads(target):
        try:
            found = array.cast(target)
        except pa.ArrowInvalid:
            found = None  # a form that only `parsing` knows, or no value at all
        if found is not None and not (pat.is_timestamp(target) and _has_bare_hour(array)):
            return Converted(found)
    parse = parser_of(target)
    if parse is None:
        raise TypeMismatchError(f"Text cannot be cast to {sql_name(target)}")
    coded = array.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    values = [parse(text) for text in texts]
    storage = target
    if pat.is_date(target) or pat.is_time(target) or pat.is_timestamp(target):
        storage = pa.int32() if target.bit_width == 32 else pa.int64()
    entries = pa.array(values, storage).cast(target)
    found = entries.take(coded.indices)
    if entries.null_count == 0:
        return Converted(found)
    return Converted(found, _flags(pc.and_(pc.is_null(found), pc.is_valid(array))))


def _arrow_reads(target: pa.DataType) -> bool:
    """Whether Arrow's parser of a type accepts nothing that DuckDB refuses or reads otherwise."""
    if pat.is_integer(target) or pat.is_floating(target) or pat.is_date(target):
        return True
    return bool(pat.is_timestamp(target) and target.tz is None)


def _has_bare_hour(array: pa.Array) -> bool:
    """Whether a text may be `2020-01-01 10`, a timestamp to Arrow but not to SQL."""
    return bool(pc.any(pc.equal(pc.binary_length(array), 13)).as_py())


def _blob(text: str) -> bytes:
    """Text to bytes; `\\xAB` is one byte."""
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] == "\\":
            code = text[at + 2 : at + 4]
            if text[at + 1 : at + 2] != "x" or len(code) < 2:
                raise ConversionError(f"Could not convert {text!r} to BLOB: \\ must begin \\xAB")
            out.append(int(code, 16))
            at += 4
        else:
            out += text[at].encode()
            at += 1
    return bytes(out)


# dates and times


def _to_time(array: pa.Array, target: pa.DataType) -> Converted:
    source, valid = array.type, validity(array)
    if pat.is_binary(source) or pat.is_binary(target):
        return Converted(array.cast(target))
    values = ints_of(array)
    if pat.is_time(target) and pat.is_timestamp(source):
        per_day = unit_of(source)
        rest = values - values // per_day * per_day
        micros = np.asarray(rest * 1_000_000 // PER_SECOND[source.unit])
        return Converted(from_stored(micros, target, valid))
    if pat.is_date(target):
        return Converted(from_stored((values // unit_of(source)).astype(np.int32), target, valid))
    if pat.is_date(source):
        if target.unit in ("s", "ms"):  # no date is out of the range of these
            return Converted(array.cast(target))
        per_day = unit_of(target)
        most = ((1 << 63) - 1) // per_day
        bad = _outside(values, valid, -most, most)
        with np.errstate(all="ignore"):
            return Converted(from_stored(values * per_day, target, valid), bad)
    return _to_unit(array, values, target, valid)


def _to_unit(array: pa.Array, values: Ints, target: pa.DataType, valid: Bools | None) -> Converted:
    """Between units of timestamps or durations; zones change how a point in time is shown only."""
    before, after = (unit_of(t) for t in (array.type, target))
    if after >= before:
        factor = after // before
        most = ((1 << 63) - 1) // factor
        bad = _outside(values, valid, -most, most)
        with np.errstate(all="ignore"):
            return Converted(from_stored(values * factor, target, valid), bad)
    factor = before // after
    half_away = np.sign(values) * ((np.abs(values) + factor // 2) // factor)
    return Converted(from_stored(half_away, target, valid))


def _span(array: pa.Array, target: pa.DataType) -> pa.Array:
    valid = validity(array)
    if is_interval(target):
        nanos = ints_of(array) * (NANOS_PER_DAY // unit_of(array.type))
        zeros = np.zeros_like(nanos)
        return from_intervals(Interval(zeros, zeros, nanos), valid, len(array))
    raise TypeMismatchError(
        f"An INTERVAL has months of no fixed length and cannot be cast to {sql_name(target)}"
    )


# nested


def _to_list(array: pa.Array, target: pa.DataType, try_: bool) -> pa.Array:
    """The same lists over converted elements; what NULL lists or a slice hide is left out."""
    values = decode(cast(array.flatten(), target.value_type, try_))
    sizes = pc.list_value_length(array).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    valid = validity(array)
    bitmap = None if valid is None else pack_bits(valid)
    return pa.Array.from_buffers(
        target, len(array), [bitmap, pa.py_buffer(offsets)], children=[values]
    )


def _to_struct(array: pa.Array, target: pa.DataType, try_: bool) -> pa.Array:
    if array.type.num_fields != target.num_fields:
        raise TypeMismatchError(f"{array.type} has not as many fields as {target}")
    fields = [  # `flatten` makes the fields of NULL structs NULL as well
        decode(cast(field, target.field(i).type, try_)) for i, field in enumerate(array.flatten())
    ]
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(fields, fields=list(target), mask=mask)
