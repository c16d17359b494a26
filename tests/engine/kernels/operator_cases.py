"""The table of cases of operators, comparisons and conditionals: one line each, see `calls`."""

from __future__ import annotations

OPERATORS = """
i4 + 1
i4 - j4 - i8
i1 + 1000
i8 * 2
j4 * n
u1 - 0
u1 + i8
u8 + 1
u1 + i1
i8 + u8
f + 1
f + i4
f * d
d + 1.5
d * e
dec + 1
1 - dec
dec + dec2
dec * 2
dec2 * dec2
dec * 1.5
j4 * dec2
dec - 1.055
dec * (1 - dec2)
i8 * dec2
huge + 1
huge - i8
huge * 2
dec / 4
dec / j4
i4 / j4
i4 / 0
f / 2
d / e
d // e
d // 2
i4 // j4
i4 // 2
-i4 // 3
huge // 7
i4 % j4
i4 % 5
dec % 3
dec % dec2
d % e
d % 2
u8 % 7
-n
-dec
-d
-huge
-i8
negate(iv)
day + 1
1 + day
day - n
day - day2
day + interval('1 month')
day - interval('1 month 1 day')
day + iv
day + tm
ts + interval('1 month 1 day 26 hours')
ts - interval('90 days')
ts - iv
ts + iv
ts - ts2
ts - day
day - ts
tz - ts
tz + interval('1 hour')
tm + interval('2 hours')
tm - interval('25 hours')
iv + iv
iv - interval('1 day')
iv * 3
iv * 1.5
iv * n
iv / 2
2 * iv
i4 + None
dec + None
"""

COMPARISONS = """
equal(i4, 3)
equal(i4, i8)
equal(i4, 3.5)
not_equal(i4, 3.5)
less(i4, 3.5)
less_equal(i4, 2.5)
greater(i4, -1.5)
greater_equal(i4, -7.5)
greater(i1, 1000)
less(i1, 1000)
greater(u8, i8)
less(u1, 7)
equal(u8, 7)
equal(dec, 3.25)
less(dec, 3.255)
greater_equal(dec, 12.5)
greater(dec, 3)
greater(3, dec)
less(2.5, i4)
equal(dec, dec2)
less(dec, dec2)
less(dec, j4)
greater(huge, dec)
greater(huge, 100)
greater(d, 0)
greater(d, 0.25)
greater_equal(d, e)
less(d, e)
less_equal(d, e)
equal(d, e)
not_equal(d, e)
greater(d, e)
equal(d, d)
greater(f, 1.5)
less(f, i4)
equal(dec, d)
equal(s, 'abc')
not_equal(s, 'zzz')
less(s, 'b')
greater_equal(s, s2)
equal(s, s2)
equal(num, '12')
less(day, '2000-06-01')
greater_equal(day, date('2000-01-01'))
equal(day, ts)
less(ts, ts2)
greater(ts, '2000-01-01 00:00:00')
less(ts, day2)
greater(tm, time('06:00:00'))
less(tz, timestamptz('2000-01-01'))
equal(iv, interval('30 days'))
greater(iv, interval('1 hour'))
less_equal(iv, interval('0 days'))
equal(b, b2)
less(b, b2)
equal(b, 1)
greater(i4, b)
equal(bin, bin)
equal(l, l)
equal(i4, None)
equal(dec, None)
is_distinct(i4, 3)
is_distinct(i4, j4)
is_distinct(s, 'abc')
is_distinct(i4, None)
is_distinct(d, e)
is_not_distinct(s, s2)
is_not_distinct(s, None)
is_not_distinct(dec, dec2)
and_(b, b2)
or_(b, b2)
and_(b, True)
and_(b, None)
or_(b, None)
and_(b, i4)
not_(b)
is_null(i4)
is_null(s)
is_null(dec)
is_not_null(s)
is_not_null(ts)
in_(i4, 3, -7, 12)
in_(i4, 3, None)
in_(i4, 3, 2.5)
in_(i8, 4, 1000000000000, 0, 1, -1, 5, 6)
in_(i1, 1, 2, 3, 4, 5, 1000)
in_(u8, 1, 2, 3, 4, 5, 7, 8)
in_(dec, 3.25, 0, 12.5)
in_(dec, 3.25, 0, 12.5, 1, 2, 0.05, 0.055)
in_(d, 1.5, 0, 7, 8, 9, 10)
in_(s, 'abc', '12', 'x')
in_(s, 'abc')
in_(s, 'abc', None)
in_(s, s2, 'abc')
in_(day, date('2000-01-01'), '1969-12-31')
in_(ts, timestamp('2000-01-01 00:00:00'), ts2)
coalesce(i4, j4)
coalesce(i4, 0)
coalesce(i4, 1.5)
coalesce(None, i4, 7)
coalesce(dec, 0)
coalesce(dec, dec2)
coalesce(s, 'none')
coalesce(s, s2, 'none')
coalesce(s, 'abc')
coalesce(day, ts)
coalesce(day, '2020-01-01')
coalesce(b, False)
coalesce(iv, interval('1 day'))
coalesce(d, i4)
coalesce(f, i4)
nullif(i4, 3)
nullif(i4, i8)
nullif(s, 'abc')
nullif(s, s2)
nullif(dec, 0)
nullif(dec, dec2)
nullif(d, 1.5)
nullif(day, '2000-01-01')
if_(b, i4, j4)
if_(b, 'yes', 'no')
if_(b, s, s2)
if_(b, s, 'x')
if_(b, dec, 0)
if_(b, dec, dec2)
if_(b, day, None)
if_(b, iv, interval('1 day'))
if_(i4, 1, 2)
greatest(i4, j4)
greatest(i4, j4, 5)
greatest(d, e)
greatest(s, s2)
greatest(dec, dec2, 3)
greatest(day, day2)
greatest(i4, None, 3)
least(i4, j4)
least(d, e)
least(s, s2, 'b')
least(dec, 3)
least(ts, ts2)
"""
