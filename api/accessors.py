""".dt of a Series: parts of dates, roundings, durations, with pandas' names and meanings.

Of a missing value everything is missing. Parts (`.dt.hour`) are int64.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from plait.advice import unknown_attribute
from plait.errors import TypeMismatchError, UnsupportedError
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr

if TYPE_CHECKING:
    from plait.series import Series

Call = builder.call
_ = builder.literal


class DatetimeAccessor:
    """Parts and roundings of a Series of dates or timestamps; parts of durations."""

    def __init__(self, series: Series) -> None:
        kind = series._expr.dtype
        if not (t.is_timestamp(kind) or t.is_date(kind) or t.is_duration(kind)):
            raise AttributeError(
                f".dt needs dates or timestamps, not {t.sql_name(kind)}; use plait.to_datetime, or "
                "parse_dates= when reading"
            )
        self._series = series
        self._expr = series._expr

    def __getattr__(self, name: str) -> NoReturn:
        raise unknown_attribute("Series.dt", name, dir(type(self)))

    def _new(self, expr: Expr) -> Series:
        return self._series._new(expr)

    def _part(self, function: str) -> Series:
        if t.is_duration(self._expr.dtype):
            raise TypeMismatchError(f"A duration has no {function}; it has days, total_seconds()")
        return self._new(Call(function, self._stamp()))

    def _stamp(self) -> Expr:
        return self._expr

    def _time(self) -> Expr:
        """The value as a timestamp."""
        kind = self._expr.dtype
        return builder.cast(self._expr, t.TIMESTAMP) if t.is_date(kind) else self._expr

    @property
    def year(self) -> Series:
        """The year."""
        return self._part("year")

    @property
    def month(self) -> Series:
        """The month, 1 to 12."""
        return self._part("month")

    @property
    def day(self) -> Series:
        """The day of the month."""
        return self._part("day")

    @property
    def hour(self) -> Series:
        """The hour."""
        return self._part("hour")

    @property
    def minute(self) -> Series:
        """The minute."""
        return self._part("minute")

    @property
    def second(self) -> Series:
        """The second."""
        return self._part("second")

    @property
    def microsecond(self) -> Series:
        """The microseconds within the second."""
        return self._new(Call("modulo", Call("microsecond", self._time()), _(1_000_000)))

    @property
    def dayofweek(self) -> Series:
        """The day of the week, Monday 0 to Sunday 6."""
        return self._new(Call("subtract", Call("isodow", self._stamp()), _(1)))

    weekday = day_of_week = dayofweek

    @property
    def dayofyear(self) -> Series:
        """The day of the year, from 1."""
        return self._part("dayofyear")

    day_of_year = dayofyear

    @property
    def quarter(self) -> Series:
        """The quarter, 1 to 4."""
        return self._part("quarter")

    @property
    def days_in_month(self) -> Series:
        """How many days the month has."""
        return self._new(Call("day", Call("last_day", self._stamp())))

    daysinmonth = days_in_month

    @property
    def is_month_start(self) -> Series:
        """Whether it is the first day of a month."""
        return self.day == 1

    @property
    def is_month_end(self) -> Series:
        """Whether it is the last day of a month."""
        return self.day == self.days_in_month

    @property
    def is_year_start(self) -> Series:
        """Whether it is the first day of a year."""
        return self.dayofyear == 1

    @property
    def is_year_end(self) -> Series:
        """Whether it is the last day of a year."""
        return (self.month == 12) & (self.day == 31)

    @property
    def is_quarter_start(self) -> Series:
        """Whether it is the first day of a quarter."""
        return (self.day == 1) & self.month.isin([1, 4, 7, 10])

    @property
    def is_quarter_end(self) -> Series:
        """Whether it is the last day of a quarter."""
        return self.is_month_end & self.month.isin([3, 6, 9, 12])

    @property
    def is_leap_year(self) -> Series:
        """Whether the year has 366 days."""
        year = self.year
        return ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)

    @property
    def date(self) -> Series:
        """The date (shown as a midnight by pandas)."""
        return self._new(builder.cast(self._expr, t.DATE))

    def isocalendar(self) -> IsoCalendar:
        """ISO year, week and day."""
        return IsoCalendar(self)

    def normalize(self) -> Series:
        """The midnight before."""
        return self.floor("D")

    def floor(self, freq: str) -> Series:
        """The last whole unit before: "15min", "h", "D"."""
        return self._rounded(freq, "floor")

    def ceil(self, freq: str) -> Series:
        """The first whole unit after."""
        return self._rounded(freq, "ceil")

    def round(self, freq: str) -> Series:
        """The nearest whole unit."""
        return self._rounded(freq, "round")

    def _rounded(self, freq: str, how: str) -> Series:
        made = Call("pandas_floor_time", self._time(), _(checked_frequency(freq)), _(how))
        return self._new(made)

    def day_name(self) -> Series:
        """Monday, Tuesday, ..."""
        return self._part("dayname")

    def month_name(self) -> Series:
        """January, February, ..."""
        return self._part("monthname")

    def strftime(self, date_format: str) -> Series:
        """As a text."""
        return self._new(Call("strftime", self._time(), _(date_format)))

    def total_seconds(self) -> Series:
        """A duration in seconds."""
        return self._new(self._duration_in("s", exact=True))

    @property
    def days(self) -> Series:
        """The whole days of a duration (rounded down)."""
        seconds = self._duration_in("s", exact=True)
        days = Call("floor", Call("divide", seconds, _(86400.0)))
        return self._new(builder.cast(days, t.INT64))

    def _duration_in(self, unit: str, *, exact: bool) -> Expr:
        kind = self._expr.dtype
        if not t.is_duration(kind):
            raise TypeMismatchError(f".dt.total_seconds needs durations, not {t.sql_name(kind)}")
        count = builder.cast(builder.cast(self._expr, t.INT64), t.DOUBLE)
        per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return Call("divide", count, _(per_second))


class IsoCalendar:
    """`.dt.isocalendar()`: year, week and day, each a Series."""

    def __init__(self, accessor: DatetimeAccessor) -> None:
        self._accessor = accessor

    @property
    def year(self) -> Series:
        """The ISO year."""
        return self._accessor._part("isoyear").rename("year")

    @property
    def week(self) -> Series:
        """The ISO week."""
        return self._accessor._part("week").rename("week")

    @property
    def day(self) -> Series:
        """The ISO day of the week, from 1."""
        return self._accessor._part("isodow").rename("day")


_FREQUENCY = re.compile(r"(\d*)\s*(D|d|h|H|min|T|s|S|ms|us|ns)$")


def checked_frequency(freq: str) -> str:
    """A fixed frequency as number and unit: "15min", "1h"."""
    found = _FREQUENCY.match(str(freq))
    if found is None:
        raise UnsupportedError(
            f"{freq!r} is no fixed unit of time; there are D, h, min, s, ms, us with a number "
            "before"
        )
    unit = {"d": "D", "H": "h", "T": "min", "S": "s"}.get(found[2], found[2])
    return f"{int(found[1] or 1)}{unit}"
