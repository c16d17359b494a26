"""The kernels of string functions: whole columns at a time, dictionaries entry by entry.

What has no vectorised form (digests, edit distances, ...) is in `texts`, patterns in `patterns`.
Arguments that are usually constants (a separator, a length) take Arrow's kernels when they are;
columns of them are served by `slice_rows`, or once per distinct combination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels import ascii_texts
from plait.engine.kernels.ascii_texts import sliced
from plait.engine.kernels.calendar import from_ints, ints_of, valid_of
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode_dictionary,
    is_array,
    length_of,
    per_entry,
)
from plait.engine.kernels.lists import list_concat, list_contains
from plait.engine.kernels.patterns import contains as contains_text
from plait.engine.kernels.rows import distinct_rows, slice_rows, string_parts
from plait.engine.kernels.views import Ints
from plait.errors import ComputeError
from plait.planner.types import INT64, STRING

NOWHERE = "\U0010ffff\U0010fffe\U0010ffff"


def _constant(*values: Value) -> bool:
    return not any(is_array(v) for v in values)


def _simple(function: Callable[..., pa.Array]) -> Kernel:
    """A kernel of one string from Arrow's function of the same meaning."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        found = function(args[0])
        return found if found.type == result else found.cast(result)

    return per_entry(run)


def _length(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    (x,) = args
    found = pc.list_value_length(x) if pat.is_list(x.type) else ascii_texts.length(x)
    return found.cast(INT64)


def _bit_length(x: pa.Array) -> pa.Array:
    return pc.multiply(pc.binary_length(x).cast(INT64), 8)


def _trim(function: Callable[..., pa.Array], python: Callable[[str, str], str]) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        characters: Any = " " if len(args) == 1 else args[1]
        if len(args) > 1 and is_array(args[1]):
            return distinct_rows(python, args, result)
        if len(args) > 1:
            characters = args[1].as_py()
        return function(args[0], characters=characters) if characters else args[0]

    return per_entry(run)


def _padded(text: str, width: int, fill: str, *, left: bool) -> str:
    width = max(width, 0)
    if len(text) >= width:
        return text[:width]
    if not fill:
        raise ComputeError(f"{'lpad' if left else 'rpad'} needs a text to fill up with")
    room = width - len(text)
    padding = (fill * (room // len(fill) + 1))[:room]
    return padding + text if left else text + padding


def _pad(left: bool) -> Kernel:
    arrow = pc.utf8_lpad if left else pc.utf8_rpad

    def one(text: str, width: int, fill: str) -> str:
        return _padded(text, width, fill, left=left)

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        if _constant(args[1], args[2]) and len(args[2].as_py()) == 1:
            width = max(0, args[1].as_py())
            padded = arrow(args[0], width, padding=args[2].as_py())
            return pc.utf8_slice_codeunits(padded, 0, width)
        return distinct_rows(one, args, result)

    return per_entry(run)


def _left(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, count = args
    if _constant(count):
        return sliced(text, 0, count.as_py())
    counts = ints_of(count)

    def bounds(lengths: Ints) -> tuple[Ints, Ints]:
        return np.zeros_like(lengths), np.where(counts >= 0, counts, lengths + counts)

    return slice_rows(text, bounds, [count])


def _right(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, count = args
    if _constant(count):
        n = count.as_py()
        if n == 0:
            return sliced(text, 0, 0)
        return sliced(text, -n)
    counts = ints_of(count)

    def bounds(lengths: Ints) -> tuple[Ints, Ints]:
        start = np.where(counts > 0, lengths - counts, np.where(counts == 0, lengths, -counts))
        return start, lengths

    return slice_rows(text, bounds, [count])


def _substring(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, at, *rest = args
    if _constant(at, *rest):
        return _constant_substring(text, at.as_py(), rest[0].as_py() if rest else None)
    offset = ints_of(at)
    count = ints_of(rest[0]) if rest else None

    def bounds(lengths: Ints) -> tuple[Ints, Ints]:
        start = np.where(offset >= 0, offset - 1, lengths + offset)
        if count is None:
            return start, lengths
        stop = start + np.clip(count, -(1 << 31), 1 << 31)
        return np.minimum(start, stop), np.maximum(start, stop)

    return slice_rows(text, bounds, args[1:])


def _constant_substring(text: Value, at: int, count: int | None) -> pa.Array:
    start = at - 1 if at >= 0 else at
    if count is None:
        return sliced(text, start if at < 0 else max(start, 0))
    stop = start + count
    if count < 0:
        start, stop = stop, start
    if at >= 0:
        return sliced(text, max(start, 0), max(stop, 0))
    # both ends count from the string's end, where 0 would mean its beginning
    return sliced(text, start, None if stop >= 0 else stop)


def _replace(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, old, new = args
    if not _constant(old, new):
        return distinct_rows(lambda t, a, b: t.replace(a, b) if a else t, args, result)
    if not old.as_py():
        return array_of(text, length_of(args))
    return pc.replace_substring(text, old.as_py(), new.as_py())


def _repeat(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, count = args
    n = length_of(args)
    times = pc.max_element_wise(count, pa.scalar(0, INT64), skip_nulls=False)
    return pc.binary_repeat(array_of(text, n), times)


def concat(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """All arguments one after the other, NULL being nothing."""
    if pat.is_list(result):
        return list_concat(args, result)
    parts = [a for a in args if not pat.is_null(a.type)]
    joined = pc.binary_join_element_wise(
        *parts, pa.scalar("", result), null_handling="replace", null_replacement=""
    )
    return array_of(joined, length_of(args))


def concat_operator(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Both sides one after the other; NULL if one is."""
    if any(not is_array(a) and not a.is_valid for a in args):
        return pa.nulls(length_of(args), result)
    if pat.is_list(result):
        return list_concat(args, result, null_matters=True)
    return pc.binary_join_element_wise(*args, pa.scalar("", result))


def concat_ws(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The arguments that are not NULL, with a separator between them."""
    n = length_of(args)
    separator, *parts = (array_of(decode_dictionary(a), n) for a in args)
    nothing = reduce(pc.and_, (pc.is_null(p) for p in parts))
    # Arrow leaves out rows of which all is skipped
    parts[0] = pc.if_else(nothing, pa.scalar("", STRING), parts[0])
    return pc.binary_join_element_wise(*parts, separator, null_handling="skip")


def _occurrence(
    arrow: Callable[..., pa.Array], python: Callable[[str, str], bool], list_kernel: Kernel | None
) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        if list_kernel is not None and pat.is_list(args[0].type):
            return list_kernel(args, result)
        if _constant(args[1]):
            return arrow(args[0], args[1].as_py())
        return distinct_rows(python, args, result)

    return per_entry(run)


def _strpos(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, part = args
    if not _constant(part) or not part.as_py().isascii():
        return distinct_rows(lambda t, p: t.find(p) + 1, args, result)
    at = pc.find_substring(text, part.as_py())  # counts bytes
    if pc.sum(pc.binary_length(text)).as_py() == pc.sum(pc.utf8_length(text)).as_py():
        return pc.add(at.cast(INT64), 1)
    stops = ints_of(at)
    return _characters_before(text, stops)


def _characters_before(text: pa.Array, stops: Ints) -> pa.Array:
    """1 + the number of characters in the first `stop` bytes; 0 where `stop` is -1."""
    data, offsets = string_parts(text)
    counted = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    begin = offsets[:-1]
    found = counted[begin + np.maximum(stops, 0)] - counted[begin] + 1
    return from_ints(np.where(stops < 0, 0, found), INT64, valid_of((text,)), len(text))


def _first_character(empty: int) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        first = pc.utf8_slice_codeunits(args[0], 0, 1)
        return distinct_rows(lambda c: ord(c) if c else empty, [first], result)

    return per_entry(run)


def _character(code: int) -> str:
    if not 0 <= code < 0x110000 or 0xD800 <= code < 0xE000:
        raise ComputeError(f"{code} is no Unicode code point")
    return chr(code)


def _split(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, separator = args
    if not _constant(separator) and separator.null_count:
        # no character of Unicode: in no text, so that it stays whole
        separator = separator.fill_null(NOWHERE)
    if _constant(separator):
        found = separator.as_py() if separator.is_valid else NOWHERE
        if found:
            return pc.split_pattern(array_of(text, length_of(args)), found)
    return distinct_rows(
        lambda t, s: t.split(s) if s else list(t) or [""], (text, separator), result
    )


def _split_part(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    text, separator, index = args
    if not _constant(separator, index) or not separator.as_py():
        return distinct_rows(_part, args, result)
    parts = pc.split_pattern(text, separator.as_py())
    offsets = parts.offsets.to_numpy().astype(np.int64)
    at = index.as_py()
    place = offsets[:-1] + at - 1 if at > 0 else offsets[1:] + at
    inside = (place >= offsets[:-1]) & (place < offsets[1:]) & (at != 0)
    picked = parts.values.take(pa.array(np.where(inside, place, 0), mask=~inside)).fill_null("")
    return _where_valid(picked, text)


def _where_valid(found: pa.Array, like: Value) -> pa.Array:
    if not is_array(like) or not like.null_count:
        return found
    return pc.if_else(pc.is_valid(like), found, pa.scalar(None, found.type))


def _part(text: str, separator: str, index: int) -> str:
    parts = text.split(separator) if separator else list(text)
    if 1 <= index <= len(parts):
        return parts[index - 1]
    return parts[index] if -len(parts) <= index < 0 else ""


def _strip_accents(x: pa.Array) -> pa.Array:
    bare = pc.replace_substring_regex(pc.utf8_normalize(x, form="NFD"), r"\p{Mn}", "")
    return pc.utf8_normalize(bare, form="NFC")


KERNELS: dict[str, Kernel] = {
    "length": per_entry(_length),
    "strlen": _simple(pc.binary_length),
    "octet_length": _simple(pc.binary_length),
    "bit_length": _simple(_bit_length),
    "lower": _simple(ascii_texts.lower),
    "upper": _simple(ascii_texts.upper),
    "reverse": _simple(pc.utf8_reverse),
    "strip_accents": _simple(_strip_accents),
    "nfc_normalize": _simple(lambda x: pc.utf8_normalize(x, form="NFC")),
    "trim": _trim(pc.utf8_trim, str.strip),
    "ltrim": _trim(pc.utf8_ltrim, str.lstrip),
    "rtrim": _trim(pc.utf8_rtrim, str.rstrip),
    "lpad": _pad(left=True),
    "rpad": _pad(left=False),
    "left": per_entry(_left),
    "right": per_entry(_right),
    "substring": per_entry(_substring),
    "replace": per_entry(_replace),
    "repeat": per_entry(_repeat),
    "concat": per_entry(concat, null_matters=True),
    "concat_operator": per_entry(concat_operator),
    "concat_ws": per_entry(concat_ws, null_matters=True),
    "starts_with": _occurrence(pc.starts_with, str.startswith, None),
    "ends_with": _occurrence(pc.ends_with, str.endswith, None),
    "contains": _occurrence(contains_text, lambda t, p: p in t, list_contains),
    "strpos": per_entry(_strpos),
    "ascii": _first_character(0),
    "unicode": _first_character(-1),
    "chr": per_entry(lambda args, result: distinct_rows(_character, args, result)),
    "string_split": per_entry(_split, null_matters=True),
    "split_part": per_entry(_split_part),
}
