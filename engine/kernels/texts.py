"""The kernels of text functions that only Python has, run once per distinct set of arguments."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid as uuids
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa

from plait.engine.kernels.encoding import Kernel, Value, length_of, per_entry
from plait.engine.kernels.rows import distinct_rows
from plait.errors import ComputeError, ConversionError


def _kernel(function: Callable[..., Any]) -> Kernel:
    return per_entry(lambda args, result: distinct_rows(function, args, result))


def _on_bytes(function: Callable[[bytes, bytes], Any]) -> Kernel:
    """Edit distances count bytes of UTF-8, as DuckDB's do."""
    return _kernel(lambda a, b: function(a.encode(), b.encode()))


def _translate(text: str, old: str, new: str) -> str:
    table: dict[int, str] = {}
    for i, c in enumerate(old):
        table.setdefault(ord(c), new[i] if i < len(new) else "")
    return text.translate(table)


def levenshtein(a: bytes, b: bytes) -> int:
    """Insertions, deletions and replacements that turn one text into the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
    return row[-1]


def damerau_levenshtein(a: bytes, b: bytes) -> int:
    """As levenshtein, with swaps of neighbours, between which there may be further edits."""
    most = len(a) + len(b)
    table = np.full((len(a) + 2, len(b) + 2), most, dtype=np.int64)
    table[1:, 1] = np.arange(len(a) + 1)
    table[1, 1:] = np.arange(len(b) + 1)
    last_row: dict[int, int] = {}
    for i, x in enumerate(a, 1):
        last_column = 0
        for j, y in enumerate(b, 1):
            row, column = last_row.get(y, 0), last_column
            same = x == y
            if same:
                last_column = j
            table[i + 1, j + 1] = min(
                table[i, j] + (not same),
                table[i + 1, j] + 1,
                table[i, j + 1] + 1,
                table[row, column] + (i - row - 1) + 1 + (j - column - 1),
            )
        last_row[x] = i
    return int(table[-1, -1])


def _hamming(a: bytes, b: bytes) -> int:
    if len(a) != len(b) or not a:
        raise ComputeError(f"hamming needs two texts of one length, not {a!r} and {b!r}")
    return sum(x != y for x, y in zip(a, b, strict=True))


def _jaccard(a: bytes, b: bytes) -> float:
    if not a or not b:
        raise ComputeError("jaccard needs texts that are not empty")
    return len(set(a) & set(b)) / len(set(a) | set(b))


def jaro(a: bytes, b: bytes) -> float:
    """Jaro's similarity, from 0 to 1."""
    if not a or not b:
        return 1.0 if a == b else 0.0
    reach = max(max(len(a), len(b)) // 2 - 1, 0)
    taken = [False] * len(b)
    matched = []
    for i, x in enumerate(a):
        for j in range(max(0, i - reach), min(len(b), i + reach + 1)):
            if not taken[j] and b[j] == x:
                taken[j] = True
                matched.append(x)
                break
    if not matched:
        return 0.0
    others = [y for y, t in zip(b, taken, strict=True) if t]
    swaps = sum(x != y for x, y in zip(matched, others, strict=True)) // 2
    m = len(matched)
    return (m / len(a) + m / len(b) + (m - swaps) / m) / 3


def _jaro_winkler(a: bytes, b: bytes) -> float:
    similarity = jaro(a, b)
    if similarity <= 0.7:
        return similarity
    prefix = 0
    for x, y in zip(a[:4], b[:4], strict=False):
        if x != y:
            break
        prefix += 1
    return similarity + prefix * 0.1 * (1 - similarity)


def _digest(name: str) -> Callable[[Any], str]:
    def run(value: str | bytes) -> str:
        data = value.encode() if isinstance(value, str) else value
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()

    return run


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConversionError(f"Could not decode {text!r} as base 64: {error}") from None


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConversionError(f"The bytes are no UTF-8: {error}") from None


def _hex(value: str | bytes | int) -> str:
    if isinstance(value, int):
        return f"{value & 0xFFFF_FFFF_FFFF_FFFF:X}"
    return (value.encode() if isinstance(value, str) else value).hex().upper()


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
    except ValueError:
        raise ConversionError(f"{text!r} is no hexadecimal") from None


def _bin(value: str | bytes | int) -> str:
    if isinstance(value, int):
        return f"{value & 0xFFFF_FFFF_FFFF_FFFF:b}"
    data = value.encode() if isinstance(value, str) else value
    return "".join(f"{b:08b}" for b in data)


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _to_base(number: int, base: int, width: int = 0) -> str:
    if number < 0 or not 2 <= base <= 36:
        raise ComputeError("to_base needs a number of at least 0 and a base from 2 to 36")
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = _DIGITS[digit] + digits
    return (digits or "0").rjust(width, "0")


def _shown(value: Any) -> Any:
    """Booleans as SQL writes them; Python would write True."""
    return str(value).lower() if isinstance(value, bool) else value


def _initcap(text: str) -> str:
    """Words are runs of letters and digits."""
    return re.sub(r"[^\W_]+", lambda word: word[0].capitalize(), text)


def _format(pattern: str, *values: Any) -> str:
    try:
        return pattern.format(*map(_shown, values))
    except (ValueError, IndexError, KeyError) as error:
        raise ComputeError(f"format: {pattern!r} does not fit its arguments: {error}") from None


def _printf(pattern: str, *values: Any) -> str:
    try:
        return pattern % tuple(map(_shown, values))
    except (ValueError, TypeError) as error:
        raise ComputeError(f"printf: {pattern!r} does not fit its arguments: {error}") from None


def uuid(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A random UUID for each row."""
    n = length_of(args)
    words = np.frombuffer(np.random.default_rng().bytes(16 * n), np.uint8).reshape(n, 16)
    return pa.array([str(uuids.UUID(bytes=row.tobytes(), version=4)) for row in words], result)


KERNELS: dict[str, Kernel] = {
    "translate": _kernel(_translate),
    "levenshtein": _on_bytes(levenshtein),
    "damerau_levenshtein": _on_bytes(damerau_levenshtein),
    "hamming": _on_bytes(_hamming),
    "jaccard": _on_bytes(_jaccard),
    "jaro_similarity": _on_bytes(jaro),
    "jaro_winkler_similarity": _on_bytes(_jaro_winkler),
    "md5": _kernel(_digest("md5")),
    "sha1": _kernel(_digest("sha1")),
    "sha256": _kernel(_digest("sha256")),
    "to_base64": _kernel(lambda data: base64.b64encode(data).decode()),
    "from_base64": _kernel(_from_base64),
    "encode": _kernel(str.encode),
    "decode": _kernel(_decode),
    "hex": _kernel(_hex),
    "unhex": _kernel(_unhex),
    "bin": _kernel(_bin),
    "to_base": _kernel(_to_base),
    "initcap": _kernel(_initcap),
    "url_encode": _kernel(lambda text: quote(text, safe="")),
    "url_decode": _kernel(unquote),
    "format": _kernel(_format),
    "printf": _kernel(_printf),
    "uuid": uuid,
}
