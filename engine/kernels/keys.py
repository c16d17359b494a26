"""Join and exchange keys as 64-bit integers.

A `KeyCoder` is made from the build side's key columns and turns any rows' keys into int64 *codes*,
such that two rows have equal keys exactly if they have equal codes. Keys that cannot match are not
`valid`: NULLs (unless the key is null-safe), and probe values the build side does not have.

One integer-like key is its own code. Several are packed side by side where the ranges on the build
side leave room in 63 bits; else, and for strings, a key is first numbered by its distinct values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.codegen import scatter
from plait.engine.codegen.index import Column
from plait.engine.kernels.ordinals import is_text
from plait.engine.kernels.text_hashing import hash_texts

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

_MAX = 2**62
_WORDS = np.dtype([("low", np.int64), ("high", np.int64)])  # of a decimal128


def integers(array: pa.Array) -> np.ndarray[Any, Any] | None:
    """Fixed-width values whose equality is integer equality, as a view where possible.

    Values under NULLs are arbitrary. None for strings and other types.
    """
    t = array.type
    if pat.is_decimal(t) and t.bit_width <= 64:
        return view(array, pa.int64() if t.bit_width == 64 else pa.int32())
    if pat.is_integer(t):
        return None if t == pa.uint64() else view(array, t)
    if pat.is_date32(t) or pat.is_time32(t):
        return view(array, pa.int32())
    if pat.is_timestamp(t) or pat.is_duration(t) or pat.is_time64(t) or pat.is_date64(t):
        return view(array, pa.int64())
    if pat.is_boolean(t):
        return view(array.cast(pa.int8()), pa.int8())
    if pat.is_floating(t):
        return _float_bits(array)
    return None


def view(array: pa.Array, storage: pa.DataType) -> np.ndarray[Any, Any]:
    """The values buffer of a fixed-width array as numpy, no copy, NULLs ignored."""
    buffer = array.buffers()[1]
    wide = pat.is_decimal128(storage)
    dtype = _WORDS if wide else np.dtype(storage.to_pandas_dtype())
    if buffer is None or not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(buffer, dtype, count=len(array), offset=array.offset * dtype.itemsize)


def _float_bits(array: pa.Array) -> Ints:
    values = view(array, array.type).astype(np.float64) + 0.0  # -0.0 becomes 0.0
    values[np.isnan(values)] = np.nan  # one NaN
    return values.view(np.int64)


def valid_mask(array: pa.Array) -> Bools | None:
    """Where values are not NULL; None when there is no NULL."""
    if not array.null_count:
        return None
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class Codes:
    """Keys as integers; `valid` None means all can match."""

    values: Ints
    valid: Bools | None


def both(a: Bools | None, b: Bools | None) -> Bools | None:
    """The conjunction of two masks, of which None is all true."""
    if a is None:
        return b
    return a if b is None else a & b


class _Integers:
    """One key of integers: value - minimum, below `span`."""

    def __init__(self, array: pa.Array, null_safe: bool) -> None:
        values = integers(array)
        assert values is not None
        valid = valid_mask(array)
        kept = values if valid is None else values[valid]
        self.low = int(kept.min()) if len(kept) else 0
        high = int(kept.max()) if len(kept) else 0
        self.null_safe = null_safe
        self.null_code = high - self.low + 1
        self.span = self.null_code + (1 if null_safe else 0)

    def codes(self, array: pa.Array) -> Codes:
        values = integers(array)
        if values is None:  # the probe side came in another width: uint64, decimal128
            return _from_wide(self, array)
        valid = valid_mask(array)
        wide = values.astype(np.int64, copy=False)
        if self.span <= _MAX and not _in_int64(wide, self.low):
            wide = np.clip(wide, self.low - 1, self.low + self.null_code)
        shifted = wide - self.low
        within = (shifted >= 0) & (shifted < self.null_code)
        inside: Bools | None = None if within.all() else within
        if valid is None:
            return Codes(shifted, inside)
        if self.null_safe:
            shifted = np.where(valid, shifted, self.null_code)
            return Codes(shifted, None if inside is None else inside | ~valid)
        return Codes(shifted, both(inside, valid))


def _in_int64(values: Ints, low: int) -> bool:
    """Whether `values - low` cannot overflow."""
    if not len(values):
        return True
    least, most = int(values.min()) - low, int(values.max()) - low
    return least >= -(2**63) and most < 2**63


def _from_wide(coder: _Integers, array: pa.Array) -> Codes:
    """Codes of values of more bits than the build side needs; those out of range never match."""
    if pat.is_decimal(array.type):
        words = view(array, pa.decimal128(38, 0))
        values, fits = words["low"], words["high"] == words["low"] >> 63
    else:
        values = view(array, pa.int64())
        fits = values >= 0
    nulls = None if not array.null_count else np.asarray(array.is_null())
    found = coder.codes(pa.array(np.where(fits, values, 0), mask=nulls))
    return Codes(found.values, both(found.valid, fits if nulls is None else fits | nulls))


class _Distinct:
    """One key of any type: the number of its value among the build side's distinct values."""

    def __init__(self, array: pa.Array, null_safe: bool) -> None:
        plain = _plain(array)
        self.type = plain.type
        self.uniques = pc.drop_null(pc.unique(plain))
        self.null_safe = null_safe
        self.null_code = len(self.uniques)
        self.span = self.null_code + 1

    def codes(self, array: pa.Array) -> Codes:
        found = self._lookup(array)
        values = np.asarray(pc.fill_null(found, self.null_code)).astype(np.int64)
        hit = valid_mask(found)
        nulls = valid_mask(array)
        if self.null_safe and nulls is not None:
            hit = None if hit is None else hit | ~nulls
        return Codes(values, hit)

    def _lookup(self, array: pa.Array) -> pa.Array:
        if pat.is_dictionary(array.type):
            of_entries = pc.index_in(array.dictionary.cast(self.type), self.uniques)
            return pc.take(of_entries, array.indices)
        return pc.index_in(_plain(array).cast(self.type), self.uniques)


class _Texts(_Distinct):
    """A key of many strings: the first row that has the string, found by its hash and compared."""

    def __init__(self, texts: pa.Array, null_safe: bool) -> None:
        self.type, self.texts, self.null_safe = texts.type, texts, null_safe
        self.null_code = len(texts)
        self.span = self.null_code + 1
        self._hashes = hash_texts(texts).view(np.int64)
        size = 1 << (2 * len(texts)).bit_length()
        self._shift, self._mask = 65 - size.bit_length(), size - 1
        self._table = np.full(size, -1, np.int32)
        following, seen = np.empty(len(texts), np.int32), np.zeros(size, np.uint8)
        arrays = (self._table, following, seen)
        self._column(texts, self._hashes).call(
            "hash", self._shift, self._mask, self._shift, *arrays
        )

    @cached_property
    def _first_rows(self) -> pa.Array:
        return self._find(self.texts)

    @property
    def is_exact(self) -> bool:
        """Whether no two of its strings have the same hash."""
        return bool(self._first_rows.null_count == self.texts.null_count)

    def _column(self, texts: pa.Array, hashes: Ints) -> Column:
        valid = valid_mask(texts)
        known = None if valid is None else np.ascontiguousarray(valid).view(np.uint8)
        return Column(hashes.ctypes.data, 8, 8, len(hashes), known)

    def _lookup(self, array: pa.Array) -> pa.Array:
        if pat.is_dictionary(array.type):
            return pc.take(self._find(array.dictionary), array.indices)
        return self._first_rows if array is self.texts else self._find(array)

    def _find(self, array: pa.Array) -> pa.Array:
        texts = array.cast(self.type)
        hashes = hash_texts(texts).view(np.int64)
        found = np.full(len(texts), -1, np.int32)
        arrays = (self._table, self._hashes, found)
        self._column(texts, hashes).call("find", self._shift, self._mask, *arrays)
        there = self.texts.take(pa.array(np.maximum(found, 0)))
        same = np.asarray(pc.fill_null(pc.equal(there, texts), False)) & (found >= 0)
        return pa.array(found, mask=~same)


def _distinct(array: pa.Array, null_safe: bool) -> _Distinct:
    if is_text(array.type) and scatter.LONG <= len(array) < 1 << 31:
        made = _Texts(array, null_safe)
        if made.is_exact:
            return made
    return _Distinct(array, null_safe)


def _plain(array: pa.Array) -> pa.Array:
    if pat.is_dictionary(array.type):
        return array.dictionary_decode()
    if pat.is_decimal(array.type) and array.type != pa.decimal128(38, array.type.scale):
        return array.cast(pa.decimal128(38, array.type.scale))
    if pat.is_floating(array.type):  # 0.0 is -0.0, and every NaN is the same
        nan = pa.scalar(float("nan"), array.type)
        return pc.if_else(pc.is_nan(array), nan, pc.add(array, pa.scalar(0.0, array.type)))
    return array


def _is_integer_like(array: pa.Array) -> bool:
    return integers(array.slice(0, 0)) is not None and not pat.is_floating(array.type)


class KeyCoder:
    """Codes for the keys of a build side and of everything that probes it."""

    def __init__(self, keys: Sequence[pa.Array], null_safe: Sequence[bool]) -> None:
        self.parts: list[_Integers | _Distinct] = []
        for array, safe in zip(keys, null_safe, strict=True):
            if _is_integer_like(array):
                ints = _Integers(array, safe)
                wide = len(keys) > 1 or safe
                use = ints if ints.span < (2**40 if wide else _MAX) else None
                self.parts.append(use or _Distinct(array, safe))
            else:
                self.parts.append(_distinct(array, safe))
        self.span = 1
        for part in self.parts:
            self.span *= max(1, part.span)
        self.packs = self.span < _MAX
        if not self.packs:
            self._number_combinations(keys)

    def _number_combinations(self, keys: Sequence[pa.Array]) -> None:
        """Too many possible combinations for 63 bits: number those that the build side has."""
        packed = self._rows([p.codes(k) for p, k in zip(self.parts, keys, strict=True)])
        self._records = np.unique(_as_records(packed))
        self.span = max(1, len(self._records))

    def _rows(self, coded: Sequence[Codes]) -> Ints:
        return np.ascontiguousarray(np.stack([c.values for c in coded], axis=1))

    def codes(self, keys: Sequence[pa.Array]) -> Codes:
        """The codes of rows with these keys; all in 0 <= code < span where valid."""
        coded = [part.codes(k) for part, k in zip(self.parts, keys, strict=True)]
        valid: Bools | None = None
        for c in coded:
            valid = both(valid, c.valid)
        if len(coded) == 1:
            return Codes(coded[0].values, valid)
        if not self.packs:
            return self._find_combination(coded, valid)
        total = coded[0].values
        for part, c in zip(self.parts[1:], coded[1:], strict=True):
            total = total * max(1, part.span) + c.values
        return Codes(total, valid)

    def _find_combination(self, coded: Sequence[Codes], valid: Bools | None) -> Codes:
        records = _as_records(self._rows(coded))
        place = np.searchsorted(self._records, records)
        place[place == len(self._records)] = 0
        hit = self._records[place] == records if len(self._records) else np.zeros(len(place), bool)
        return Codes(place.astype(np.int64), both(valid, hit))


def _as_records(rows: Ints) -> np.ndarray[Any, Any]:
    """Each row of integers as one comparable value."""
    fields = [(f"f{i}", np.int64) for i in range(rows.shape[1])]
    return rows.view(np.dtype(fields)).ravel()
