-- integers of all widths
select 127::tinyint as a, 255::utinyint as b, -32768::smallint as c, 65535::usmallint as d, 2147483647::int as e, 4294967295::uinteger as f, 9223372036854775807::bigint as g, 18446744073709551615::ubigint as h

-- integers add up in the wider type
select 100::tinyint + 100::smallint as a, 1::utinyint + 1::tinyint as b, 1::uinteger * 2::int as c, id + 1::tinyint as d from a

-- TINYINT overflow
-- error: NumericOverflowError
select x + 1::tinyint as y from (values (127::tinyint)) q(x)

-- INTEGER overflow
-- error: NumericOverflowError
select x * 2 as y from (values (2147483647)) q(x)

-- BIGINT overflow
-- error: NumericOverflowError
select x + x as y from (values (9223372036854775807)) q(x)

-- unsigned below zero
-- error: NumericOverflowError
select x - 2::utinyint as y from (values (1::utinyint)) q(x)

-- the smallest integer has no negative
-- error: NumericOverflowError
select -x as y, abs(x) as z from (values (cast('-9223372036854775808' as bigint))) q(x)

-- CAST out of range
-- error: PlaitError
select x::tinyint as y from (values (300)) q(x)

-- division of integers is a double
select 7 / 2 as a, 7 // 2 as b, -7 // 2 as c, 7 % 3 as d, -7 % 3 as e, 7 % -3 as f

-- division of a number by zero
select k / 0 as a from a

-- whole division by zero
-- error: ComputeError
select id // 0 as b from a

-- modulo zero
-- error: ComputeError
select id % 0 as c from a

-- division of doubles by zero
select 1.0::double / 0 as a, 0.0::double / 0 as b, -1.0::double / 0 as c, 5.0::double % 0 as d

-- NaN compares as the largest and equals itself
select y, y = 'nan'::double as a, y > 1e300 as b, y < 'inf'::double as c, y <> y as d from g

-- negative zero equals zero
select 0.0::double = -0.0::double as a, count(*) as n from (values (0.0::double), (-0.0::double)) q(z) group by z

-- infinities
select 'inf'::double as a, '-infinity'::double as b, 'inf'::double - 'inf'::double as c, 1e308 * 10 = 'inf'::double as d from g where x = 1

-- FLOAT
select 0.1::float as a, 0.1::float + 0.2::float as b, 0.1::float::double = 0.1 as c, 1::float / 3 as d

-- HUGEINT
select 99999999999999999999999999999999999999::hugeint > 0 as a, 9223372036854775807::hugeint + 1 = 9223372036854775808 as b

-- DECIMAL is exact
select 0.1 + 0.2 = 0.3 as a, 0.1 + 0.2 as b, 1.10 * 1.10 as c, 10.00 - 0.01 as d, -0.5 as e

-- DECIMAL and integers
select m + 1 as a, m * 2 as b, m - k as c, 2 * m + 1 as d from g join a on g.x = a.id

-- DECIMAL division is a double
select 1.00 / 3 as a, m / 2 as b, m // 2 as c from g

-- DECIMAL modulo
select 5.50 % 2 as a, m % 1 as b, m % 0 as c from g

-- DECIMAL and doubles
select m * 0.5::double as a, m + y as b from g

-- DECIMAL rounding in CAST
select 1.005::decimal(5,2) as a, 2.345::decimal(5,2) as b, -2.345::decimal(5,2) as c, 1.5::int as d, 2.5::int as e, -2.5::int as f, 0.5::double::int as g, 1.5::double::int as h

-- DECIMAL from text
select '1.234'::decimal(5,2) as a, ' 12 '::decimal(5,2) as b, '1e2'::decimal(5,2) as c, '-.5'::decimal(5,2) as d

-- DECIMAL too large in CAST
-- error: PlaitError
select 1234.5::decimal(5,2) as x

-- DECIMAL overflow in an addition
-- error: PlaitError
select x + x as y from (values (99999999999999999999999999999999999999::decimal(38,0))) q(x)

-- DECIMAL sum, avg, min
select sum(m) as a, avg(m) as b, min(m) as c, count(distinct m) as d from g

-- DECIMAL of different scales compare
select 1.10 = 1.1 as a, 1.1 < 1.11 as b, 2 = 2.00 as c, m = 1.5 as d, m in (1.5, 2) as e from g

-- DECIMAL keys join to integers
select a.id, g.m from a join g on a.k = g.m

-- DATE literals and comparisons
select x from g where d >= date '2024-01-31' and d < '2024-03-01'

-- DATE + integer and DATE - DATE
select d + 1 as a, d - 30 as b, d - date '2024-02-01' as c from g

-- DATE + INTERVAL
select d + interval 1 month as a, d - interval '1' year as b, d + interval 36 hours as c, interval 1 day + d as e from g

-- the last day of the month stays
select date '2024-01-31' + interval 1 month as a, date '2024-03-31' - interval 1 month as b, date '2024-02-29' + interval 1 year as c

-- TIMESTAMP arithmetic
select ts + interval 90 minute as a, ts - interval 1 month as b, ts - timestamp '2024-01-01' as c from g

-- INTERVAL arithmetic
select interval 1 day + interval 2 hour as a, interval 3 month * 2 as b, interval '1 year 2 days' as c, -interval 1 day as d

-- INTERVAL comparisons
select interval 1 day = interval 24 hour as a, interval 1 month > interval 29 day as b, interval 30 day = interval 1 month as c

-- TIMESTAMP and DATE compare
select x from g where ts > d and ts < d + interval 10 year

-- TIMESTAMP from text
select timestamp '2024-02-29 12:34:56.789' as a, '2024-02-29'::timestamp as b, '2024-02-29T01:02:03'::timestamp as c

-- TIMESTAMP to DATE and TIME
select ts::date as a, ts::time as b, d::timestamp as c from g

-- TIMESTAMP WITH TIME ZONE
select timestamptz '2024-03-31 01:30:00+00' as a, timestamptz '2024-03-31 01:30:00+02' as b

-- AT TIME ZONE
select timestamp '2024-03-31 12:00:00' at time zone 'Europe/Paris' as a, timestamptz '2024-07-01 12:00:00+00' at time zone 'America/New_York' as b

-- TIME
select time '12:34:56' as a, time '23:00:00' + interval 2 hour as b, time '01:00' < time '02:00' as c

-- a text that is no date
-- error: PlaitError
select '2024-02-30'::date as d

-- BOOLEAN
select true and null as a, 1::boolean as b, 'yes'::boolean as c, 'f'::boolean as d, true::int as e, ok::varchar as f from g where x = 1

-- VARCHAR from everything
select 1::varchar as a, 1.50::varchar as b, 1e10::varchar as c, 0.1::double::varchar as d, true::varchar as e, d::varchar as f, ts::varchar as g, y::varchar as h, m::varchar as i, (1.0::double)::varchar as j from g

-- VARCHAR(n) is not enforced
select 'abcdef'::varchar(3) as a, 'ab'::char(5) as b

-- numbers from text
select '12'::int as a, ' 12 '::int as b, '1.6'::int as c, '1e3'::int as d, '1e-2'::double as e, '-0'::int as f, '+5'::int as g, '0x1F'::int as h

-- text beside numbers compares as a number
select id from a where id = '3' or id > '4'

-- text in arithmetic
select '5' + 1 as a, 2 * '3' as b

-- BLOB
select x'4142'::blob as a, '\x41\x42'::blob = x'4142' as b, octet_length('abc'::blob) as c

-- array literal and index
select [1, 2, 3][1] as x, [1, 2, 3][-1] as y, [1, 2, 3][7] as z, [1, 2, 3][2:3] as s from a

-- array literal
select [1, 2, 3] as a, [] as b, ['a', null] as c, [[1], [2, 3]] as d, [k, v] as e from a

-- array functions
select list_contains([1, 2], 2) as a, len([1, 2, 3]) as b, array_length([4, 5]) as e

-- list_sort
select list_sort([3, 1, 2]) as c

-- list_distinct
select list_distinct([1, 1, null]) as d

-- lambda
-- refused: lambda
select list_transform([1, 2], x -> x + 1) as l

-- STRUCT
-- refused: struct
select {'a': 1, 'b': 'x'} as s

-- MAP
-- refused: map
select map {'a': 1} as m

-- JSON
-- refused: JSON
select '{"a": 1}'::json ->> 'a' as j

-- UUID
select length(uuid()::varchar) as n, gen_random_uuid() is null as x

-- ENUM
-- refused: ENUM
select 'a'::enum('a', 'b') as x

-- NULL of no type
select null as a, null + 1 as b, null = null as c, coalesce(null, null) as d, null || 'x' as e, [null] as f

-- types of UNION
select x from (select 1::tinyint as x union all select 2.5::decimal(3,1) union all select 3::bigint)

-- typeof
select typeof(1) as a, typeof(1.5) as b, typeof('a') as c, typeof(1 / 2) as d, typeof(date '2024-01-01') as e, typeof(k) as f, typeof(v + 1) as g, typeof(2147483648) as h, typeof(1e3) as j, typeof(id // 2) as l from a where id = 1

-- DATE in looser spellings
select '2024-3-1'::date as a, date '2024/03/01' as b, cast('2024-2-29' as date) + interval 60 day as c, try_cast('2024-3-1' as date) as d, try_cast('20240301' as date) as e, '2024-03-01 12:30'::date as f

-- DATE compared with a looser spelling
select x from g where d > '2024-2-1'
