"""Column types of CSV text, guessed from samples.

Types are tried from narrow to wide: bool, int64, uint64, double, (if asked) date, timestamp, time,
then string. Several samples agree on the type that holds the values of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from plait.io.csv_layout import Dialect
from plait.io.csv_parse import trimmed
from plait.io.distinct import Piece
from plait.planner.types import BOOL, DATE, DOUBLE, INT64, NULL, STRING, TIME, TIMESTAMP, UINT64

_INTEGER = r"^[+-]?[0-9]+$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"

# few enough to be worth dictionary codes
_MAX_CODES, _MIN_USES = 1000, 8


@dataclass(frozen=True)
class ColumnSample:
    """What samples tell of a column: its type, how many of `rows` are NULL, `distinct`, `width`."""

    type: pa.DataType
    rows: int
    nulls: int
    distinct: int
    width: float

    @property
    def piece(self) -> Piece:
        """As input of the estimate of distinct values."""
        return Piece(self.distinct, self.rows - self.nulls)

    @property
    def few(self) -> bool:
        """Whether a few values repeat often."""
        values = self.rows - self.nulls
        return 0 < self.distinct <= min(_MAX_CODES, values // _MIN_USES)


def sample_columns(
    samples: Sequence[pa.Table], dialect: Dialect, dates: bool
) -> dict[str, ColumnSample]:
    """What samples of text columns tell of each column."""
    table = pa.concat_tables(samples)
    found = {}
    for name in table.column_names:
        column = table.column(name)
        values = trimmed(column)
        found[name] = ColumnSample(
            type=guess(values, dialect, dates),
            rows=len(column),
            nulls=column.null_count,
            distinct=int(pc.count_distinct(column, mode="only_valid").as_py()),
            width=(pc.mean(pc.binary_length(values)).as_py() or 0.0) if len(values) else 0.0,
        )
    return found


def guess(values: pa.Array, dialect: Dialect, dates: bool) -> pa.DataType:
    """The narrowest type that all of the (trimmed, not NULL) texts have."""
    if not len(values):
        return NULL
    values = values.unique()
    booleans = pa.array([*dialect.true_values, *dialect.false_values], pa.string())
    if pc.all(pc.is_in(values, booleans)).as_py():
        return BOOL
    if _all(values, _INTEGER):
        return _integer(values)
    if _converts(_with_point(values, dialect), DOUBLE):
        return DOUBLE
    if dates:
        for pattern, found in ((_DATE, DATE), (_TIMESTAMP, TIMESTAMP)):
            if _all(values, pattern) and _converts(values, found):
                return found
        if _all(values, _TIME):
            return TIME
        if _all(values, f"{_DATE}|{_TIMESTAMP}") and _converts(values, TIMESTAMP):
            return TIMESTAMP
    return STRING


def _integer(values: pa.Array) -> pa.DataType:
    if pc.any(pc.starts_with(values, "+")).as_py():
        return DOUBLE  # pyarrow reads +5 as a float only
    if _converts(values, INT64):
        return INT64
    # digits that fit no integer stay text: as floats they would lose some
    return UINT64 if _converts(values, UINT64) else STRING


def _with_point(values: pa.Array, dialect: Dialect) -> pa.Array:
    if dialect.decimal == ".":
        return values
    return pc.replace_substring(values, dialect.decimal, ".")


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _converts(values: pa.Array, wanted: pa.DataType) -> bool:
    try:
        values.cast(wanted)
    except pa.ArrowInvalid:
        return False
    return True


def wider(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type for a column that is `a` in one sample and `b` in another."""
    if a == b or b == NULL:
        return a
    if a == NULL:
        return b
    if {a, b} <= {INT64, DOUBLE}:
        return DOUBLE
    if {a, b} <= {DATE, TIMESTAMP}:
        return TIMESTAMP
    return STRING


def widest(samples: Sequence[Mapping[str, ColumnSample]], name: str) -> pa.DataType:
    """The type of a column over the samples of several files."""
    found = NULL
    for sample in samples:
        if name in sample:
            found = wider(found, sample[name].type)
    return found
