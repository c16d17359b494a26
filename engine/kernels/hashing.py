"""Stable 64-bit hashes of rows: the same on every machine and for every encoding of a value.

Integers are mixed by the finaliser of splitmix64 (Steele, Lea & Flood 2014). Strings are hashed
once per distinct value (BLAKE2b, 8 bytes) and looked up by code.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.keys import integers, valid_mask, view

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_NULL = np.uint64(0x6E756C6C6E756C6C)


def hash_columns(columns: Sequence[pa.Array]) -> Hashes:
    """One hash a row over all columns; NULL equals NULL."""
    result: Hashes | None = None
    for column in columns:
        hashed = _hash(column)
        result = hashed if result is None else _mix(result * np.uint64(31) + hashed)
    assert result is not None, "a hash needs at least one column"
    return result


def _mix(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _hash(array: pa.Array) -> Hashes:
    if pat.is_decimal(array.type) and array.type.bit_width > 64:
        hashed = _hash_wide_decimal(array)
    elif (values := integers(array)) is not None:
        hashed = _mix(values.astype(np.int64).view(np.uint64))
    else:
        hashed = _hash_distinct(array)
    valid = valid_mask(array)
    return hashed if valid is None else np.where(valid, hashed, _NULL)


def _hash_wide_decimal(array: pa.Array) -> Hashes:
    # the low word alone, so that 64- and 128-bit encodings of a value agree
    wide = array if array.type.bit_width == 128 else array.cast(pa.decimal128(38, array.type.scale))
    words = np.frombuffer(wide.buffers()[1], np.int64)[wide.offset * 2 :]
    return _mix(np.ascontiguousarray(words[: 2 * len(wide) : 2]).view(np.uint64))


def _hash_distinct(array: pa.Array) -> Hashes:
    if array.type == pa.uint64():
        return _mix(view(array, pa.uint64()).copy())
    coded = array if pat.is_dictionary(array.type) else array.dictionary_encode()
    entries = coded.dictionary.to_pylist()
    hashed = np.array([_hash_value(v) for v in entries] or [0], np.uint64)
    codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    result: Hashes = hashed.take(codes.astype(np.int64))
    return result


def _hash_value(value: object) -> int:
    data = value if isinstance(value, bytes) else repr(value).encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
