"""Type names as users write them: pandas', numpy's, Arrow's, Python's and SQL's."""

from __future__ import annotations

import datetime as dt
import decimal
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from plait.errors import PlanError
from plait.planner.types import (
    BINARY,
    BOOL,
    DATE,
    DOUBLE,
    FLOAT,
    INT64,
    STRING,
    TIME,
    TIMESTAMP,
    from_sql_name,
    normalize,
)

# small letters are pandas' and numpy's names; SQL's INT8 (eight bytes) is written in capitals
_NAMES: dict[str, pa.DataType] = {
    "int": INT64,
    "float": DOUBLE,
    "double": DOUBLE,
    "bool": BOOL,
    "boolean": BOOL,
    "str": STRING,
    "string": STRING,
    "object": STRING,
    "O": STRING,
    "category": STRING,
    "bytes": BINARY,
    "binary": BINARY,
    "date": DATE,
    "date32": DATE,
    "time": TIME,
    "datetime64": TIMESTAMP,
    "datetime": TIMESTAMP,
    "timestamp": TIMESTAMP,
    "half": FLOAT,
} | {
    f"{kind}{bits}": getattr(pa, f"{kind}{bits}")()
    for kind in ("int", "uint")
    for bits in (8, 16, 32, 64)
}
_NAMES |= {"float16": FLOAT, "float32": FLOAT, "float64": DOUBLE}
_NAMES |= {
    name.replace("int", "Int").replace("uI", "UI"): found
    for name, found in _NAMES.items()
    if name.startswith(("int", "uint")) and name != "int"
}
_NAMES |= {"Float32": FLOAT, "Float64": DOUBLE}

_PYTHON: dict[object, pa.DataType] = {
    int: INT64,
    float: DOUBLE,
    bool: BOOL,
    str: STRING,
    object: STRING,
    bytes: BINARY,
    dt.date: DATE,
    dt.datetime: TIMESTAMP,
    dt.time: TIME,
    dt.timedelta: pa.duration("us"),
    decimal.Decimal: pa.decimal128(38, 9),
}


def arrow_type(wanted: Any) -> pa.DataType:
    """The Arrow type of a type as users write it; raises PlanError for unknown ones.

    >>> arrow_type("Int32"), arrow_type("DECIMAL(10, 2)"), arrow_type(float)
    (DataType(int32), Decimal128Type(decimal128(10, 2)), DataType(double))
    """
    if isinstance(wanted, pa.DataType):
        return normalize(wanted)
    if isinstance(wanted, type) and wanted in _PYTHON:
        return _PYTHON[wanted]
    if isinstance(wanted, str):
        return _by_name(wanted)
    arrow = getattr(wanted, "pyarrow_dtype", None)  # pandas.ArrowDtype
    if arrow is not None:
        return normalize(arrow)
    if isinstance(wanted, np.dtype) or (
        isinstance(wanted, type) and issubclass(wanted, np.generic)
    ):
        return _of_numpy(np.dtype(wanted))
    if hasattr(wanted, "name") and hasattr(wanted, "type"):  # pandas' extension types
        return _by_name(str(wanted))
    raise PlanError(f"Unknown type {wanted!r}; write e.g. 'int64', 'float64', 'str' or 'DATE'")


def _of_numpy(wanted: np.dtype[Any]) -> pa.DataType:
    if wanted.kind in "OUS":
        return STRING
    if wanted.kind == "M" and np.datetime_data(wanted)[0] == "generic":
        return TIMESTAMP
    try:
        return normalize(pa.from_numpy_dtype(wanted))
    except (pa.ArrowException, NotImplementedError) as error:
        raise PlanError(f"Unknown type {wanted}") from error


def _by_name(name: str) -> pa.DataType:
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith(("string[", "str[")):
        return STRING
    if name.startswith(("datetime64[", "timedelta64[")):
        unit, _, zone = name.partition("[")[2].rstrip("]").partition(",")
        if name.startswith("timedelta64["):
            return pa.duration(unit)
        return pa.timestamp(unit, tz=zone.strip() or None)
    with suppress(PlanError):  # what is no name of SQL may be one of Arrow
        return from_sql_name(name)
    try:
        return normalize(pa.type_for_alias(name))
    except ValueError:
        raise PlanError(
            f"Unknown type {name!r}; write e.g. 'int64', 'float64', 'str' or 'DECIMAL(10, 2)'"
        ) from None
