"""Comparing an answer with the answer something else gave.

    assert_same_rows(actual, expected)                 rows as a multiset
    assert_same_rows(actual, expected, ordered=True)   rows in order

What counts as the same:

* integers, decimals, strings, dates, times, booleans: exactly, whatever their width or encoding
  (int32 and int64, decimal(38, 0) and int64, dictionary and string);
* as soon as one side is floating point: within `rel` of the larger magnitude (or `absolute`);
* NULL only equals NULL and NaN only equals NaN. A float column of a pandas frame cannot tell the
  two apart, so there NaN stands for either.

Rows without an order are matched by sorting both sides by keys that are the same for values
within the tolerance: a float is replaced by the number of its cluster among the values of *both*
sides, so noise in one float column cannot change the order by which the next one is compared.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

Rows = Any  # pyarrow.Table, pandas.DataFrame, or whatever exports an Arrow stream

# Keys of what has no place among the values.
NULL, NAN, MINUS_INFINITY, INFINITY = -1, -2, -3, -4

# Kinds that pyarrow ranks without a detour through Python objects.
RANKED = {"number", "string", "binary", "boolean", "date", "time", "timestamp", "timestamptz"}

SHOWN = 5  # differing rows in a message: enough to see the pattern


def assert_same_rows(
    actual: Rows,
    expected: Rows,
    ordered: bool = False,
    rel: float = 1e-9,
    *,
    absolute: float = 0.0,
    names: bool = True,
) -> None:
    """Raise AssertionError, with the first differing rows, unless both hold the same rows.

    `names=False` compares columns by position only: two systems may call `sum(x)` differently.
    """
    left, right = _columns(actual), _columns(expected)
    left_names, right_names = [c.name for c in left], [c.name for c in right]
    if len(left) != len(right) or (names and left_names != right_names):
        raise AssertionError(f"columns differ\n  actual:   {left_names}\n  expected: {right_names}")
    if not left:
        return

    pairs = [_pair(a, b, rel, absolute) for a, b in zip(left, right, strict=True)]
    count, wanted = len(left[0].values), len(right[0].values)
    if ordered:
        here, there = np.arange(count), np.arange(wanted)
    else:
        here, there = _order([p.left for p in pairs]), _order([p.right for p in pairs])

    if count == wanted:
        wrong = np.zeros(count, dtype=bool)
        for pair in pairs:
            wrong |= pair.differs(here, there)
        if not wrong.any():
            return
    else:
        wrong = np.ones(0, dtype=bool)
    raise AssertionError(_message(left, right, pairs, here, there, wrong, ordered))


@dataclass(frozen=True)
class _Column:
    name: str
    values: pa.ChunkedArray
    from_pandas: bool


@dataclass(frozen=True)
class _Side:
    """One side of a column: the key it sorts by, and the raw value to break ties within a key."""

    key: np.ndarray
    tie: np.ndarray


@dataclass(frozen=True)
class _Pair:
    left: _Side
    right: _Side
    exact: bool
    rel: float
    absolute: float

    def differs(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        left_key, right_key = self.left.key[here], self.right.key[there]
        if self.exact:
            return np.asarray(left_key != right_key)
        # Keys below zero are NULL, NaN and the infinities; they must agree as they are.
        special = (left_key < 0) | (right_key < 0)
        a, b = self.left.tie[here], self.right.tie[there]
        allowed = np.maximum(self.rel * np.maximum(np.abs(a), np.abs(b)), self.absolute)
        return np.asarray(np.where(special, left_key != right_key, np.abs(a - b) > allowed))


def _columns(rows: Rows) -> list[_Column]:
    if isinstance(rows, pd.DataFrame):
        table = pa.Table.from_pandas(rows, preserve_index=False)
        return [_Column(n, c, True) for n, c in zip(table.column_names, table.columns, strict=True)]
    table = rows if isinstance(rows, pa.Table) else pa.table(rows)
    return [_Column(n, c, False) for n, c in zip(table.column_names, table.columns, strict=True)]


def _pair(left: _Column, right: _Column, rel: float, absolute: float) -> _Pair:
    a, b = _plain(left.values), _plain(right.values)
    lenient = left.from_pandas or right.from_pandas
    if pt.is_null(a.type):
        a = pa.nulls(len(a), b.type)
    if pt.is_null(b.type):
        b = pa.nulls(len(b), a.type)
    kinds = {_kind(a.type), _kind(b.type)}
    if kinds == {"date", "timestamp"} and lenient:
        kinds = {"timestamp"}  # pandas has no date of its own
    if len(kinds) != 1:
        raise AssertionError(f"column {left.name!r}: actual is {a.type}, expected is {b.type}")
    if kinds == {"number"} and (pt.is_floating(a.type) or pt.is_floating(b.type)):
        return _float_pair(_floats(a), _floats(b), rel, absolute, nan_is_null=lenient)
    keys = _codes(a, b, kinds.pop())
    ties = np.zeros(len(a)), np.zeros(len(b))
    return _Pair(_Side(keys[0], ties[0]), _Side(keys[1], ties[1]), True, rel, absolute)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column without encodings, which are no part of an answer."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)
    if pt.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pt.is_large_string(array.type) or pt.is_string_view(array.type):
        return array.cast(pa.string())
    if pt.is_large_binary(array.type) or pt.is_binary_view(array.type):
        return array.cast(pa.binary())
    if pt.is_float16(array.type):
        return array.cast(pa.float32())
    return array


def _kind(data_type: pa.DataType) -> str:
    if pt.is_integer(data_type) or pt.is_decimal(data_type) or pt.is_floating(data_type):
        return "number"
    if pt.is_timestamp(data_type):
        return "timestamp" if data_type.tz is None else "timestamptz"
    for test, kind in (
        (pt.is_boolean, "boolean"),
        (pt.is_string, "string"),
        (pt.is_binary, "binary"),
        (pt.is_date, "date"),
        (pt.is_time, "time"),
        (pt.is_duration, "duration"),
    ):
        if test(data_type):
            return kind
    return "nested" if pt.is_nested(data_type) else str(data_type)


def _codes(a: pa.Array, b: pa.Array, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Dense ranks over both sides: equal numbers are equal values; NULL is -1."""
    if pt.is_signed_integer(a.type) and pt.is_signed_integer(b.type):
        a, b = a.cast(pa.int64()), b.cast(pa.int64())
    if a.type == b.type and kind in RANKED:
        both = pa.concat_arrays([a, b])
        ranks = pc.rank(both, tiebreaker="dense").to_numpy().astype(np.int64)
        ranks[both.is_null().to_numpy(zero_copy_only=False)] = NULL
        return ranks[: len(a)], ranks[len(a) :]
    values = [_python(v, kind) for v in a.to_pylist() + b.to_pylist()]
    present = sorted({v for v in values if v is not None})
    rank = {v: i for i, v in enumerate(present)}
    codes = np.array([NULL if v is None else rank[v] for v in values], dtype=np.int64)
    return codes[: len(a)], codes[len(a) :]


def _python(value: Any, kind: str) -> Any:
    match kind:
        case _ if value is None:
            return None
        case "timestamp" | "timestamptz":
            return pd.Timestamp(value)
        case "nested":
            return _text(value)
        case "month_day_nano_interval":
            return tuple(value)
        case _:
            return value


def _text(value: Any) -> str:
    """A nested value as text in which float noise does not show."""
    match value:
        case float():
            return f"{value:.9g}"
        case dict():
            return "{" + ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_text(v) for v in value) + "]"
        case Decimal():
            return str(value.normalize())
        case _:
            return repr(value)


def _floats(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Values as float64, and where they are NULL."""
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if pt.is_decimal(array.type):
        values = [math.nan if v is None else float(v) for v in array.to_pylist()]
        return np.array(values, dtype=np.float64), missing
    # Not the cast of pyarrow's safe mode: an int64 above 2**53 is compared as the nearest double.
    floats = pc.cast(array, pa.float64(), safe=False).fill_null(math.nan)
    return floats.to_numpy(zero_copy_only=False), missing


def _float_pair(
    left: tuple[np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray],
    rel: float,
    absolute: float,
    *,
    nan_is_null: bool,
) -> _Pair:
    values = np.concatenate([left[0], right[0]])
    missing = np.concatenate([left[1], right[1]])
    finite = np.isfinite(values) & ~missing

    keys = np.full(len(values), NULL, dtype=np.int64)
    keys[finite] = _clusters(values[finite], rel, absolute)
    if not nan_is_null:
        keys[np.isnan(values) & ~missing] = NAN
    keys[values == -math.inf] = MINUS_INFINITY
    keys[values == math.inf] = INFINITY

    ties = np.where(finite, values, 0.0)
    cut = len(left[0])
    return _Pair(_Side(keys[:cut], ties[:cut]), _Side(keys[cut:], ties[cut:]), False, rel, absolute)


def _clusters(values: np.ndarray, rel: float, absolute: float) -> np.ndarray:
    """Number the values so that neighbours closer than the tolerance share a number."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    size = np.maximum(np.abs(ranked[1:]), np.abs(ranked[:-1]))
    starts = np.diff(ranked) > np.maximum(rel * size, absolute)
    numbers = np.empty(len(values), dtype=np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(starts)])
    return numbers


def _order(sides: list[_Side]) -> np.ndarray:
    # lexsort's last key is the most significant: keys of all columns first, raw values after them.
    ties = [side.tie for side in reversed(sides)]
    keys = [side.key for side in reversed(sides)]
    return np.asarray(np.lexsort([*ties, *keys]))


def _message(
    left: list[_Column],
    right: list[_Column],
    pairs: list[_Pair],
    here: np.ndarray,
    there: np.ndarray,
    wrong: np.ndarray,
    ordered: bool,
) -> str:
    count, wanted = len(here), len(there)
    lines = [f"{len(left)} columns: {', '.join(c.name for c in left)}"]
    if count != wanted:
        lines.insert(0, f"{count} rows, but {wanted} were expected")
    elif len(wrong):
        lines.insert(0, f"{int(wrong.sum())} of {count} rows differ")

    if ordered:
        shared = min(count, wanted)
        differing = np.zeros(shared, dtype=bool)
        for pair in pairs:
            differing |= pair.differs(here[:shared], there[:shared])
        first = [*np.flatnonzero(differing)[:SHOWN]] or [shared]
        for i in first:
            lines.append(f"row {i}")
            lines.append(f"  actual:   {_row(left, i)}")
            lines.append(f"  expected: {_row(right, i)}")
        return "\n".join(lines)

    # One missing row shifts all that follow, so show what each side has and the other has not.
    mine = _rows_by_key([p.left for p in pairs])
    theirs = _rows_by_key([p.right for p in pairs])
    for title, columns, some, other in (
        ("only in actual", left, mine, theirs),
        ("only in expected", right, theirs, mine),
    ):
        extra = Counter({key: len(rows) for key, rows in some.items()})
        extra.subtract({key: len(rows) for key, rows in other.items()})
        surplus = [i for key, n in extra.items() if n > 0 for i in some[key][:n]]
        lines.append(f"{title}: {len(surplus)} rows")
        lines.extend(f"  {_row(columns, i)}" for i in sorted(surplus)[:SHOWN])
    return "\n".join(lines)


def _rows_by_key(sides: list[_Side]) -> dict[tuple[int, ...], list[int]]:
    rows: dict[tuple[int, ...], list[int]] = {}
    for i, key in enumerate(zip(*(side.key.tolist() for side in sides), strict=True)):
        rows.setdefault(key, []).append(i)
    return rows


def _row(columns: list[_Column], index: int) -> str:
    if index >= len(columns[0].values):
        return "(no such row)"
    return "(" + ", ".join(repr(c.values[index].as_py()) for c in columns) + ")"
