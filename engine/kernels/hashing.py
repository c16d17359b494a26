"""Stable 64-bit hashes of rows: the same on every machine and for every encoding of a value.

Integers are mixed by the finaliser of splitmix64 (Steele, Lea & Flood 2014), many of them by a
compiled loop (`plait.engine.codegen.scatter`), strings as in `text_hashing.py`, those in a
dictionary once per entry. Other types, which are rare as keys, are hashed once per distinct value
(BLAKE2b, 8 bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.codegen import scatter
from plait.engine.kernels.keys import integers, valid_mask, view
from plait.engine.kernels.ordinals import is_text
from plait.engine.kernels.text_hashing import Hashes, hash_texts, mix

_NULL = np.uint64(scatter.NULL)


def hash_columns(columns: Sequence[pa.Array]) -> Hashes:
    """One hash a row over all columns; NULL equals NULL."""
    result: Hashes | None = None
    for column in columns:
        hashed = _hash(column)
        result = hashed if result is None else _combined(result, hashed)
    assert result is not None, "a hash needs at least one column"
    return result


def _combined(result: Hashes, more: Hashes) -> Hashes:
    if len(more) < scatter.LONG:
        return mix(result * np.uint64(31) + more)
    scatter.combine(result, more)
    return result


def _hash(array: pa.Array) -> Hashes:
    words = _words(array)
    if words is not None:
        valid = valid_mask(array)
        if len(words) >= scatter.LONG:
            return scatter.hashes(words, valid)
        hashed = mix(words.astype(np.int64).view(np.uint64))
        return hashed if valid is None else np.where(valid, hashed, _NULL)
    if isinstance(array, pa.DictionaryArray):
        hashed = _hash_dictionary(array)
    elif is_text(array.type):
        hashed = hash_texts(array)
    else:
        hashed = _hash_distinct(array)
    valid = valid_mask(array)
    return hashed if valid is None else np.where(valid, hashed, _NULL)


def _words(array: pa.Array) -> np.ndarray[Any, Any] | None:
    """Integers that are equal where values are; None for what has none."""
    if array.type == pa.uint64():
        return view(array, pa.uint64()).view(np.int64)
    if not pat.is_decimal(array.type) or array.type.bit_width <= 64:
        return integers(array)
    # the low word alone, so that 64- and 128-bit encodings of a value agree
    wide = array if array.type.bit_width == 128 else array.cast(pa.decimal128(38, array.type.scale))
    words = np.frombuffer(wide.buffers()[1], np.int64)[wide.offset * 2 :]
    return words[: 2 * len(wide) : 2]


def _hash_dictionary(array: pa.DictionaryArray) -> Hashes:
    if not len(array.dictionary):
        return np.full(len(array), _NULL)
    indices, entries = array.indices, _hash(array.dictionary)
    if len(array) >= scatter.LONG and pat.is_signed_integer(indices.type):
        return scatter.hashes_of_entries(view(indices, indices.type), valid_mask(indices), entries)
    codes = indices.fill_null(0).to_numpy(zero_copy_only=False)
    result: Hashes = entries.take(codes.astype(np.int64))
    return result


def _hash_distinct(array: pa.Array) -> Hashes:
    coded = array.dictionary_encode()
    entries = coded.dictionary.to_pylist()
    hashed = np.array([_hash_value(v) for v in entries] or [0], np.uint64)
    codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    result: Hashes = hashed.take(codes.astype(np.int64))
    return result


def _hash_value(value: object) -> int:
    return int.from_bytes(blake2b(repr(value).encode(), digest_size=8).digest(), "little")
