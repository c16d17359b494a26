"""The types of plait are Arrow's; this is their lattice: kinds, promotion, casts, SQL names.

Logical types used: null, bool, int8..int64, uint8..uint64, float32/64, decimal128(p, s), string,
binary, date32, time64[us], timestamp[s|ms|us|ns, tz], duration, month_day_nano_interval, list,
struct, map. Sources give their columns in this set (`normalize`): large and view strings are
strings, dictionaries are their values' type, date64 is a timestamp. The engine may carry a column
in a narrower encoding of the same logical type (dictionary codes, 64-bit decimals); the planner
never sees that.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, TypeMismatchError

NULL = pa.null()
BOOL = pa.bool_()
INT8, INT16, INT32, INT64 = pa.int8(), pa.int16(), pa.int32(), pa.int64()
UINT8, UINT16, UINT32, UINT64 = pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()
FLOAT, DOUBLE = pa.float32(), pa.float64()
STRING, BINARY = pa.string(), pa.binary()
DATE, TIME = pa.date32(), pa.time64("us")
TIMESTAMP = pa.timestamp("us")
TIMESTAMPTZ = pa.timestamp("us", tz="UTC")
DURATION = pa.duration("us")
INTERVAL = pa.month_day_nano_interval()
HUGEINT = pa.decimal128(38, 0)

_UNITS = ("s", "ms", "us", "ns")
_DIGITS = {INT8: 3, INT16: 5, INT32: 10, INT64: 19, UINT8: 3, UINT16: 5, UINT32: 10, UINT64: 20}


def is_integer(t: pa.DataType) -> bool:
    return bool(pat.is_integer(t))


def is_float(t: pa.DataType) -> bool:
    return bool(pat.is_floating(t))


def is_decimal(t: pa.DataType) -> bool:
    return bool(pat.is_decimal(t))


def is_numeric(t: pa.DataType) -> bool:
    return is_integer(t) or is_float(t) or is_decimal(t)


def is_string(t: pa.DataType) -> bool:
    return bool(pat.is_string(t))


def is_temporal(t: pa.DataType) -> bool:
    """Dates, timestamps and times of day (no durations)."""
    return bool(pat.is_date(t) or pat.is_timestamp(t) or pat.is_time(t))


def is_timestamp(t: pa.DataType) -> bool:
    return bool(pat.is_timestamp(t))


def is_date(t: pa.DataType) -> bool:
    return bool(pat.is_date(t))


def is_duration(t: pa.DataType) -> bool:
    return bool(pat.is_duration(t))


def is_interval(t: pa.DataType) -> bool:
    return bool(t == INTERVAL)


def is_nested(t: pa.DataType) -> bool:
    return bool(pat.is_nested(t))


def digits(t: pa.DataType) -> tuple[int, int]:
    """(precision, scale) of the decimal that holds every value of an integer or decimal type."""
    if is_decimal(t):
        return t.precision, t.scale
    return _DIGITS[t], 0


def decimal(precision: int, scale: int) -> pa.DataType:
    """A decimal type; precision is capped at 38, a larger scale is refused."""
    if scale > 38:
        raise TypeMismatchError(
            f"The result would need {scale} digits after the point and a decimal has 38; "
            "cast one argument to double or to a smaller scale"
        )
    return pa.decimal128(min(38, max(precision, scale, 1)), scale)


def normalize(t: pa.DataType) -> pa.DataType:
    """The logical type in which plait speaks of an Arrow type found in data."""
    if pat.is_dictionary(t):
        return normalize(t.value_type)
    if pat.is_large_string(t) or pat.is_string_view(t):
        return STRING
    if pat.is_large_binary(t) or pat.is_binary_view(t) or pat.is_fixed_size_binary(t):
        return BINARY
    if pat.is_decimal(t):
        if t.precision > 38:
            raise PlanError(f"{t} is wider than plait's widest decimal, 38 digits")
        return pa.decimal128(t.precision, t.scale)
    if pat.is_float16(t):
        return FLOAT
    if pat.is_date64(t):
        return pa.timestamp("ms")
    if pat.is_time(t):
        return TIME
    if pat.is_large_list(t) or pat.is_fixed_size_list(t) or pat.is_list(t):
        return pa.list_(normalize(t.value_type))
    if pat.is_struct(t):
        return pa.struct([pa.field(f.name, normalize(f.type)) for f in t])
    return t


def _promote_numbers(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if is_float(a) or is_float(b):
        return FLOAT if a == FLOAT and b == FLOAT else DOUBLE
    if is_decimal(a) or is_decimal(b):
        (pa_, sa), (pb, sb) = digits(a), digits(b)
        scale = max(sa, sb)
        return decimal(max(pa_ - sa, pb - sb) + scale, scale)
    return _promote_integers(a, b)


def _promote_integers(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    signed_a, signed_b = pat.is_signed_integer(a), pat.is_signed_integer(b)
    if signed_a == signed_b:
        return a if a.bit_width >= b.bit_width else b
    signed, unsigned = (a, b) if signed_a else (b, a)
    if signed.bit_width > unsigned.bit_width:
        return signed
    # one step wider than the unsigned side; nothing is wider than 64 bits but a decimal
    return {8: INT16, 16: INT32, 32: INT64}.get(unsigned.bit_width, HUGEINT)


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type both convert to unasked (comparison, CASE, UNION); None if there is none."""
    if a == b:
        return a
    if a == NULL or b == NULL:
        return b if a == NULL else a
    if is_numeric(a) and is_numeric(b):
        return _promote_numbers(a, b)
    if (pat.is_boolean(a) and is_numeric(b)) or (pat.is_boolean(b) and is_numeric(a)):
        return b if pat.is_boolean(a) else a
    if is_date(a) and is_timestamp(b):
        return b
    if is_timestamp(a) and is_date(b):
        return a
    if is_timestamp(a) and is_timestamp(b):
        unit = max(a.unit, b.unit, key=_UNITS.index)
        return pa.timestamp(unit, tz=a.tz or b.tz)
    if is_duration(a) and is_duration(b):
        return pa.duration(max(a.unit, b.unit, key=_UNITS.index))
    if {a, b} <= {STRING, BINARY}:
        return BINARY
    if pat.is_list(a) and pat.is_list(b):
        inner = common_type(a.value_type, b.value_type)
        return None if inner is None else pa.list_(inner)
    return None


def require_common_type(types: list[pa.DataType], what: str) -> pa.DataType:
    """The common type of all, or a TypeMismatchError that says where (`what`) it was needed."""
    result = NULL
    for t in types:
        common = common_type(result, t)
        if common is None:
            raise TypeMismatchError(
                f"{what} needs values of one type, not {sql_name(result)} and {sql_name(t)}; "
                "cast one of them"
            )
        result = common
    return result


_SQL_NAMES = {
    NULL: "NULL",
    BOOL: "BOOLEAN",
    INT8: "TINYINT",
    INT16: "SMALLINT",
    INT32: "INTEGER",
    INT64: "BIGINT",
    UINT8: "UTINYINT",
    UINT16: "USMALLINT",
    UINT32: "UINTEGER",
    UINT64: "UBIGINT",
    FLOAT: "FLOAT",
    DOUBLE: "DOUBLE",
    STRING: "VARCHAR",
    BINARY: "BLOB",
    DATE: "DATE",
    TIME: "TIME",
    TIMESTAMP: "TIMESTAMP",
    INTERVAL: "INTERVAL",
}

_FROM_SQL = {name: t for t, name in _SQL_NAMES.items()} | {
    "BOOL": BOOL,
    "LOGICAL": BOOL,
    "INT": INT32,
    "INT4": INT32,
    "SIGNED": INT32,
    "INT1": INT8,
    "INT2": INT16,
    "SHORT": INT16,
    "INT8": INT64,
    "LONG": INT64,
    "HUGEINT": HUGEINT,
    "INT128": HUGEINT,
    "REAL": FLOAT,
    "FLOAT4": FLOAT,
    "FLOAT8": DOUBLE,
    "TEXT": STRING,
    "STRING": STRING,
    "CHAR": STRING,
    "BPCHAR": STRING,
    "NVARCHAR": STRING,
    "BYTEA": BINARY,
    "BINARY": BINARY,
    "VARBINARY": BINARY,
    "DATETIME": TIMESTAMP,
    "TIMESTAMP_S": pa.timestamp("s"),
    "TIMESTAMP_MS": pa.timestamp("ms"),
    "TIMESTAMP_US": TIMESTAMP,
    "TIMESTAMP_NS": pa.timestamp("ns"),
    "TIMESTAMPTZ": TIMESTAMPTZ,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ,
    "DECIMAL": pa.decimal128(18, 3),
    "NUMERIC": pa.decimal128(18, 3),
}


def sql_name(t: pa.DataType) -> str:
    """The type as SQL writes it: BIGINT, DECIMAL(15,2), TIMESTAMP, VARCHAR[]."""
    if is_decimal(t):
        return "HUGEINT" if t == HUGEINT else f"DECIMAL({t.precision},{t.scale})"
    if is_timestamp(t):
        if t.tz is not None:
            return "TIMESTAMP WITH TIME ZONE"
        return "TIMESTAMP" if t.unit == "us" else f"TIMESTAMP_{t.unit.upper()}"
    if pat.is_list(t):
        return f"{sql_name(t.value_type)}[]"
    if pat.is_struct(t):
        return f"STRUCT({', '.join(f'{f.name} {sql_name(f.type)}' for f in t)})"
    return _SQL_NAMES.get(t, str(t))


def from_sql_name(text: str) -> pa.DataType:
    """The Arrow type of a type name as SQL writes it; raises PlanError for unknown ones."""
    name = " ".join(text.upper().split())
    if name.endswith("[]"):
        return pa.list_(from_sql_name(name[:-2]))
    match = re.fullmatch(r"(DECIMAL|NUMERIC|DEC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", name)
    if match:
        precision, scale = int(match[2]), int(match[3] or 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise PlanError(f"{text}: a decimal has 1 to 38 digits, of which the scale is a part")
        return pa.decimal128(precision, scale)
    base = re.sub(r"\s*\(\s*\d+\s*\)$", "", name)  # VARCHAR(25): lengths are not enforced
    if base not in _FROM_SQL:
        raise PlanError(f"Unknown type {text!r}")
    return _FROM_SQL[base]


def same_kind(a: pa.DataType, b: pa.DataType) -> bool:
    """Whether two types are of one family: numbers, strings, dates and timestamps, ..."""
    kinds = (is_numeric, is_string, is_temporal, is_duration, is_interval, is_nested)
    return a == b or any(k(a) and k(b) for k in kinds)


def can_cast(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether CAST from `source` to `target` has a meaning (single values may still fail)."""
    if source in (target, NULL) or is_string(source) or is_string(target):
        return True
    if (is_numeric(source) or pat.is_boolean(source)) and (
        is_numeric(target) or pat.is_boolean(target)
    ):
        return True
    if is_temporal(source) and is_temporal(target):
        return not ((is_date(source) and pat.is_time(target)) or pat.is_time(source))
    if is_duration(source) or is_interval(source):
        return (
            is_duration(target)
            or is_interval(target)
            or (is_duration(source) and is_integer(target))
        )
    if is_integer(source) and (is_duration(target) or is_timestamp(target)):
        return True  # pandas' astype; SQL's binder refuses it
    if is_timestamp(source) and is_integer(target):
        return True
    if pat.is_list(source) and pat.is_list(target):
        return can_cast(source.value_type, target.value_type)
    return bool(pat.is_struct(source) and pat.is_struct(target))
