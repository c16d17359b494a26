"""Date and time functions: parts, truncation, differences, making, reading and writing.

A part (`year`, `dow`, ...) is a function of its own and also a word in `date_part`, `date_trunc`,
`date_diff`; `PARTS` knows all spellings. Parts of a timestamp with time zone are those of its zone.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, nearest_names
from plait.planner.expr import Expr, Literal
from plait.planner.functions.coercion import (
    Overload,
    any_timestamp,
    date_or_timestamp,
    fixed,
    is_string_literal,
    mismatch,
    overloads,
    promote,
)
from plait.planner.functions.signature import Function, Signature, Volatility
from plait.planner.types import (
    DATE,
    DOUBLE,
    INT64,
    INTERVAL,
    NULL,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    is_date,
    is_interval,
    is_string,
)

_SPELLINGS = {
    "millennium": "millennia millenniums mil mils",
    "century": "centuries cent c",
    "decade": "decades dec decs",
    "year": "years yr yrs y",
    "isoyear": "",
    "quarter": "quarters",
    "month": "months mon mons",
    "week": "weeks w weekofyear",
    "yearweek": "",
    "day": "days d dayofmonth",
    "dayofweek": "dow weekday",
    "isodow": "",
    "dayofyear": "doy",
    "era": "",
    "julian": "",
    "hour": "hours hr hrs h",
    "minute": "minutes min mins m",
    "second": "seconds sec secs s",
    "millisecond": "milliseconds ms msec msecs",
    "microsecond": "microseconds us usec usecs",
    "nanosecond": "nanoseconds ns nsec nsecs",
    "epoch": "",
}

PARTS: dict[str, str] = {
    word: part for part, words in _SPELLINGS.items() for word in (part, *words.split())
}


def part_name(word: str) -> str:
    """The canonical name of a part of a date or time; PlanError for what is none."""
    found = PARTS.get(word.strip().lower())
    if found is None:
        close = nearest_names(word, PARTS)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise PlanError(f"{word!r} is no part of a date or time.{hint}")
    return found


def _anything_dated(arg: Expr) -> pa.DataType | None:
    """Date, timestamp or interval."""
    return INTERVAL if is_interval(arg.dtype) else date_or_timestamp(arg)


def _anything_timed(arg: Expr) -> pa.DataType | None:
    """Date, timestamp, time or interval."""
    return TIME if pat.is_time(arg.dtype) else _anything_dated(arg)


def _part(name: str, doc: str, *sql: str, result: pa.DataType = INT64) -> Function:
    timed = name in ("hour", "minute", "second", "epoch") or "second" in name
    kind = _anything_timed if timed else _anything_dated
    return Function(name, fixed(name, kind, result=result), sql=sql, doc=doc)


def _literal_part(name: str, args: tuple[Expr, ...]) -> str | None:
    """The part if it is a constant, None if it is a column; anything else is refused."""
    if not args or not is_string(args[0].dtype):
        raise mismatch(name, args)
    first = args[0]
    return part_name(first.value) if isinstance(first, Literal) and first.value else None


def _date_part(args: tuple[Expr, ...]) -> Signature:
    part = _literal_part("date_part", args)
    if len(args) != 2 or (kind := _anything_timed(args[1])) is None:
        raise mismatch("date_part", args)
    whole = part is not None and part not in ("epoch", "julian")
    return Signature((STRING, kind), INT64 if whole else DOUBLE)


def _date_trunc(args: tuple[Expr, ...]) -> Signature:
    _literal_part("date_trunc", args)
    if len(args) != 2 or (kind := _anything_dated(args[1])) is None:
        raise mismatch("date_trunc", args)
    return Signature((STRING, kind), TIMESTAMP if is_date(kind) else kind)


def _between(name: str) -> Callable[[tuple[Expr, ...]], Signature]:
    """date_diff and date_sub: a part and two dates, timestamps or times."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        _literal_part(name, args)
        if len(args) != 3:
            raise mismatch(name, args)
        a, b = (_moment(arg) for arg in args[1:])
        if is_string_literal(args[1]) and b is not None:
            a = b
        if is_string_literal(args[2]) and a is not None:
            b = a
        common = None if a is None or b is None else promote(a, b)
        if common is None:
            raise mismatch(name, args)
        return Signature((STRING, common, common), INT64)

    return resolve


def _moment(arg: Expr) -> pa.DataType | None:
    return TIME if pat.is_time(arg.dtype) else date_or_timestamp(arg)


def _timezone(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2 or not is_string(args[0].dtype):
        raise mismatch("timezone", args)
    t = any_timestamp(args[1])
    if t is None:
        raise mismatch("timezone", args)
    return Signature((STRING, t), TIMESTAMPTZ if t.tz is None else pa.timestamp(t.unit))


def _epoch_ms(args: tuple[Expr, ...]) -> Signature:
    if len(args) == 1 and (pat.is_integer(args[0].dtype) or args[0].dtype == NULL):
        return Signature((INT64,), TIMESTAMP)
    return fixed("epoch_ms", _anything_timed, result=INT64)(args)


def _like_second(types: tuple[pa.DataType, ...]) -> pa.DataType:
    return types[1]


def _strptime(name: str, doc: str) -> Function:
    resolve = overloads(
        name,
        Overload((STRING, STRING), TIMESTAMP),
        Overload((STRING, pa.list_(STRING)), TIMESTAMP),
    )
    return Function(name, resolve, doc=doc)


def _clock(name: str, t: pa.DataType, doc: str, *sql: str) -> Function:
    resolve = fixed(name, result=t)
    return Function(name, resolve, sql=sql, volatility=Volatility.QUERY, doc=doc)


def _span(unit: str, of: pa.DataType = INT64) -> Function:
    return Function(
        f"to_{unit}", fixed(f"to_{unit}", of, result=INTERVAL), doc=f"An interval of {unit}"
    )


FUNCTIONS = (
    _part("year", "The year"),
    _part("isoyear", "The year of the ISO week"),
    _part("quarter", "The quarter, 1 to 4"),
    _part("month", "The month, 1 to 12"),
    _part("week", "The ISO week, 1 to 53", "weekofyear"),
    _part("yearweek", "ISO year and week as yyyyww"),
    _part("day", "The day of the month", "dayofmonth"),
    _part("dayofweek", "The day of the week, Sunday is 0", "weekday", "dow"),
    _part("isodow", "The day of the week, Monday is 1"),
    _part("dayofyear", "The day of the year", "doy"),
    _part("decade", "The year divided by 10"),
    _part("century", "The century"),
    _part("millennium", "The millennium"),
    _part("era", "1 from the year 1 on, 0 before"),
    _part("julian", "The Julian day with its fraction", result=DOUBLE),
    _part("hour", "The hour"),
    _part("minute", "The minute"),
    _part("second", "The second"),
    _part("millisecond", "Seconds and fraction as milliseconds", "milliseconds"),
    _part("microsecond", "Seconds and fraction as microseconds", "microseconds"),
    _part("nanosecond", "Seconds and fraction as nanoseconds", "nanoseconds"),
    _part("epoch", "Seconds since 1970", result=DOUBLE),
    Function("epoch_ms", _epoch_ms, doc="Milliseconds since 1970, or the timestamp of such"),
    _part("epoch_us", "Microseconds since 1970"),
    _part("epoch_ns", "Nanoseconds since 1970"),
    Function("date_part", _date_part, sql=("datepart",), doc="A part by its name"),
    Function("date_trunc", _date_trunc, sql=("datetrunc",), doc="The start of the part it is in"),
    Function(
        "date_diff", _between("date_diff"), sql=("datediff",), doc="How often the part changes"
    ),
    Function("date_sub", _between("date_sub"), sql=("datesub",), doc="Whole parts between"),
    Function(
        "age",
        overloads("age", Overload((any_timestamp, any_timestamp), INTERVAL)),
        doc="The difference in years, months, days and time",
    ),
    Function("dayname", fixed("dayname", date_or_timestamp, result=STRING), doc="Monday, ..."),
    Function("monthname", fixed("monthname", date_or_timestamp, result=STRING), doc="January, ..."),
    Function(
        "last_day", fixed("last_day", date_or_timestamp, result=DATE), doc="The month's last day"
    ),
    Function(
        "time_bucket",
        overloads(
            "time_bucket",
            Overload((INTERVAL, date_or_timestamp), _like_second),
            Overload((INTERVAL, date_or_timestamp, INTERVAL), _like_second),
            Overload((INTERVAL, DATE, DATE), DATE),
            Overload((INTERVAL, any_timestamp, any_timestamp), _like_second),
        ),
        doc="The start of the interval it is in",
    ),
    Function(
        "make_date",
        overloads("make_date", Overload((INT64, INT64, INT64), DATE)),
        doc="The date of a year, month and day",
    ),
    Function(
        "make_time",
        fixed("make_time", INT64, INT64, DOUBLE, result=TIME),
        doc="The time of an hour, minute and second",
    ),
    Function(
        "make_timestamp",
        overloads(
            "make_timestamp",
            Overload((INT64, INT64, INT64, INT64, INT64, DOUBLE), TIMESTAMP),
            Overload((INT64,), TIMESTAMP),
        ),
        doc="The timestamp of its parts, or of microseconds since 1970",
    ),
    Function(
        "to_timestamp",
        fixed("to_timestamp", DOUBLE, result=TIMESTAMPTZ),
        doc="The timestamp of seconds since 1970",
    ),
    Function(
        "strftime",
        overloads(
            "strftime",
            Overload((date_or_timestamp, STRING), STRING),
            Overload((STRING, date_or_timestamp), STRING),
        ),
        doc="Written in a format such as '%d.%m.%Y'",
    ),
    _strptime("strptime", "Read from a format such as '%d.%m.%Y', or the first that fits"),
    _strptime("try_strptime", "As strptime; NULL where no format fits"),
    Function("timezone", _timezone, doc="The time of day in a zone, or the point in time"),
    *(_span(u) for u in ("millennia", "centuries", "decades", "years", "quarters", "months")),
    *(_span(u) for u in ("weeks", "days", "hours", "minutes")),
    _span("seconds", DOUBLE),
    _span("milliseconds", DOUBLE),
    _span("microseconds"),
    _clock(
        "now",
        TIMESTAMPTZ,
        "The time at which the query began",
        "current_timestamp",
        "get_current_timestamp",
        "transaction_timestamp",
    ),
    _clock("current_date", DATE, "The day on which the query began", "today"),
    _clock("current_localtimestamp", TIMESTAMP, "As now, without a zone", "localtimestamp"),
    _clock("current_localtime", TIME, "The time of day", "localtime", "current_time"),
)
