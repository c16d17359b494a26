"""Column types of CSV text, guessed from samples.

Types are tried from narrow to wide: bool, int64, wider integers, double, (if asked) dates and
times, then string. Several samples agree on the type that holds the values of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from plait.io.csv.dates import Moment, guess_moment, matches
from plait.io.csv.layout import Dialect
from plait.io.csv.parse import trimmed
from plait.io.distinct import Piece
from plait.planner.types import BOOL, DATE, DOUBLE, HUGEINT, INT64, NULL, STRING, TIMESTAMP, UINT64

_INTEGER = r"[+-]?[0-9]+"
# DuckDB leaves these as text: they are more likely codes than numbers
_CODE = r"\+.*|[+-]?0[0-9].*"
_NAN = r"(?i)^[+-]?nan(\(.*\))?$"

# few enough to be worth dictionary codes
_MAX_CODES, _MIN_USES = 1000, 8


@dataclass(frozen=True)
class Rules:
    """What to guess: `dates` and times too, and whether in all as `duckdb` does."""

    dates: bool = False
    duckdb: bool = False


@dataclass(frozen=True)
class ColumnSample:
    """What samples tell of a column.

    `format` is that of dates not in ISO 8601; `nulls` counts among `rows`; `distinct` are the
    different values that are not NULL, `width` their mean length.
    """

    type: pa.DataType
    format: str | None
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
    samples: Sequence[pa.Table], dialect: Dialect, rules: Rules
) -> dict[str, ColumnSample]:
    """What samples of text columns tell of each column."""
    table = pa.concat_tables(samples)
    found = {}
    for name in table.column_names:
        column = table.column(name)
        values = trimmed(column)
        guessed = guess(values, dialect, rules)
        found[name] = ColumnSample(
            type=guessed.type,
            format=guessed.format,
            rows=len(column),
            nulls=column.null_count,
            distinct=int(pc.count_distinct(column, mode="only_valid").as_py()),
            width=(pc.mean(pc.binary_length(values)).as_py() or 0.0) if len(values) else 0.0,
        )
    return found


def guess(values: pa.Array, dialect: Dialect, rules: Rules) -> Moment:
    """The narrowest type that all of the (trimmed, not NULL) texts have."""
    if not len(values):
        return Moment(NULL)
    values = values.unique()
    booleans = pa.array([*dialect.true_values, *dialect.false_values], pa.string())
    if pc.all(pc.is_in(values, booleans)).as_py():
        return Moment(BOOL)
    number = _number(values, dialect, rules)
    if number is not None:
        return Moment(number)
    return (guess_moment(values) if rules.dates else None) or Moment(STRING)


def _number(values: pa.Array, dialect: Dialect, rules: Rules) -> pa.DataType | None:
    if rules.duckdb and pc.any(pc.match_substring_regex(values, f"^({_CODE})$")).as_py():
        return None
    if matches(values, _INTEGER):
        return _integer(values, rules)
    if not rules.duckdb and pc.any(pc.match_substring_regex(values, _NAN)).as_py():
        return None  # what pandas calls NaN was NULL already; this is text
    return DOUBLE if _converts(_with_point(values, dialect), DOUBLE) else None


def _integer(values: pa.Array, rules: Rules) -> pa.DataType | None:
    if pc.any(pc.starts_with(values, "+")).as_py():
        return DOUBLE  # pyarrow reads +5 as a float only
    # digits that fit no integer stay text: as floats they would lose some
    wide = (HUGEINT,) if rules.duckdb else (UINT64,)
    return next((t for t in (INT64, *wide) if _converts(values, t)), None)


def _with_point(values: pa.Array, dialect: Dialect) -> pa.Array:
    if dialect.decimal == ".":
        return values
    return pc.replace_substring(values, dialect.decimal, ".")


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
    if {a, b} == {INT64, HUGEINT}:
        return HUGEINT
    if {a, b} <= {DATE, TIMESTAMP}:
        return TIMESTAMP
    return STRING


def widest(samples: Sequence[Mapping[str, ColumnSample]], name: str) -> Moment:
    """The type (and format) of a column over the samples of several files."""
    found, formats = NULL, set()
    for sample in samples:
        if name in sample and sample[name].type != NULL:
            found = wider(found, sample[name].type)
            formats.add(sample[name].format)
    if len(formats) > 1:
        return Moment(STRING)
    return Moment(found, formats.pop() if formats else None)
