"""Columns as integers that are equal, or ordered, as the column's values are.

Grouping, sorting, distinct and ranking look at 64-bit integers only: `keys_of` turns a column into
one or two `Key`s. Floats become their bits in total order (NaN is the greatest number and equal to
itself, -0.0 is 0.0); dictionary codes of strings become ranks, or with `ordered=False` just numbers
of the distinct entries; 128-bit decimals and intervals need two keys. Lists and structs are not
seen here: grouping and sorting take them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.int128 import Int128, decimal_values
from plait.engine.kernels.views import Bools, Ints, stored, validity

_SIGN = np.uint64(1 << 63)
_DAY = 86_400_000_000_000  # nanoseconds
_MONTH = 30  # days, as SQL compares intervals


@dataclass(frozen=True)
class Key:
    """Signed integers `values`, of which those that are `valid` lie within `low` and `high`.

    Where there is a NULL, the value is some number between them too. They stay as narrow as they
    were: a dictionary's codes are 8 bits a row to read, not 64.
    """

    values: Ints
    valid: Bools | None
    low: int
    high: int

    @property
    def span(self) -> int:
        """How many different values there can be, NULL not counted."""
        return self.high - self.low + 1

    @staticmethod
    def of(values: Ints, valid: Bools | None) -> Key:
        """A key of any integers, with its bounds measured."""
        if values.dtype == np.bool_:
            values = values.view(np.int8)
        elif values.dtype.kind != "i":
            values = values.astype(np.int64)
        if valid is not None:
            place = int(valid.argmax()) if len(valid) else 0
            if not len(valid) or not valid[place]:
                return Key(np.zeros(len(values), np.int8), valid, 0, 0)
            values = np.where(valid, values, values[place])
        if not len(values):
            return Key(values, valid, 0, 0)
        return Key(values, valid, int(values.min()), int(values.max()))


def keys_of(array: pa.Array, *, ordered: bool) -> list[Key]:
    """The keys of a column that is no list or struct; compared one after the other."""
    t = array.type
    valid = validity(array)
    if pat.is_null(t):
        return [Key.of(np.zeros(len(array), np.int64), valid)]
    if isinstance(array, pa.DictionaryArray):
        if not is_text(t.value_type):
            return keys_of(array.dictionary_decode(), ordered=ordered)
        return [Key.of(_dictionary_numbers(array, valid, ordered), valid)]
    if is_text(t):
        encoded = pc.dictionary_encode(array)
        return [Key.of(_dictionary_numbers(encoded, valid, ordered), valid)]
    if pat.is_floating(t):
        return [Key.of(float_order(stored(array)), valid)]
    if pat.is_decimal(t):
        values = decimal_values(array)
        return _wide(values, valid) if isinstance(values, Int128) else [Key.of(values, valid)]
    if pat.is_interval(t):
        days, rest = interval_order(array)
        return [Key.of(days, valid), Key.of(rest, valid)]
    values = stored(array)
    if values.dtype == np.uint64:
        return [Key.of((values ^ _SIGN).view(np.int64), valid)]
    return [Key.of(values, valid)]


def is_text(t: pa.DataType) -> bool:
    """Strings and bytes in any layout."""
    return bool(
        pat.is_string(t)
        or pat.is_binary(t)
        or pat.is_large_string(t)
        or pat.is_large_binary(t)
        or pat.is_string_view(t)
        or pat.is_binary_view(t)
        or pat.is_fixed_size_binary(t)
    )


def float_order(values: Ints) -> Ints:
    """Floats as integers in the same order."""
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    kind = np.int32 if values.dtype == np.float32 else np.int64
    plain = values + values.dtype.type(0)  # -0.0 becomes 0.0
    nan = np.isnan(plain)
    if nan.any():
        plain[nan] = np.nan  # one NaN, with the sign bit off
    bits = plain.view(kind)
    ordered: Ints = bits ^ ((bits >> kind(kind(0).itemsize * 8 - 1)) & np.iinfo(kind).max)
    return ordered


def interval_order(array: pa.Array) -> tuple[Ints, Ints]:
    """Whole days, and nanoseconds within the day, of intervals; a month counts 30 days."""
    n = len(array)
    layout = np.dtype([("months", np.int32), ("days", np.int32), ("nanos", np.int64)])
    buffer = array.buffers()[1]
    parts = (
        np.zeros(n, layout)
        if buffer is None or not n
        else np.frombuffer(buffer, layout, n, array.offset * 16)
    )
    nanos = parts["nanos"].astype(np.int64)
    carried = nanos // _DAY
    days = parts["months"].astype(np.int64) * _MONTH + parts["days"] + carried
    return days, nanos - carried * _DAY


def _wide(values: Int128, valid: Bools | None) -> list[Key]:
    return [Key.of(values.high, valid), Key.of((values.low ^ _SIGN).view(np.int64), valid)]


def _dictionary_numbers(array: pa.DictionaryArray, valid: Bools | None, ordered: bool) -> Ints:
    """For each row the rank of its entry, or the number of its first equal entry."""
    indices, entries = array.indices, array.dictionary
    codes = stored(indices)
    if valid is not None:
        codes = np.where(valid, codes, codes.dtype.type(0))
    if not len(entries):
        return np.zeros(len(array), np.int64)
    if len(entries) > 4 * len(array) + 1024:
        # a few rows of a large dictionary: look at the entries in use only
        used, codes = np.unique(codes, return_inverse=True)
        entries = entries.take(pa.array(used))
    numbers = entry_numbers(entries, ordered=ordered)
    return codes if numbers is None else numbers[codes]


def entry_numbers(entries: pa.Array, *, ordered: bool) -> Ints | None:
    """Ranks (or plain numbers) of a dictionary's strings; None when they are 0, 1, 2, ...

    Computed dictionaries may hold an entry twice: `upper` of 'a' and 'A'.
    """
    encoded = pc.dictionary_encode(entries)
    numbers: Ints = stored(pc.fill_null(encoded.indices, 0))
    if ordered:
        distinct = encoded.dictionary
        order = stored(pc.sort_indices(distinct)).astype(np.int64)
        ranks: Ints = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        numbers = ranks[numbers]
    return None if _counts_up(numbers) else numbers


def _counts_up(numbers: Ints) -> bool:
    return bool((numbers == np.arange(len(numbers))).all())
