-- case, length, reverse
select upper(s) as a, lower('ÀB') as b, length(s) as c, reverse('héllo') as d, length('héllo') as e, strlen('héllo') as f, bit_length('é') as g from a

-- trim and pad
select trim('  x ') as a, ltrim('xxy', 'x') as b, rtrim('xyy', 'y') as c, lpad('7', 3, '0') as d, rpad('abc', 2, 'x') as e, lpad('a', 5, 'xy') as f, trim('xyaxy', 'xy') as g

-- substring
select substring('hello', 2, 3) as a, 'hello'[2:3] as b, substr('hello', -3) as c, left('hello', 2) as d, right('hello', 2) as e, left('hello', -1) as f, right('hello', -4) as g, substring('hello', 0, 2) as h, substring('hello' from 2 for 2) as i

-- substring without slices
select substring('hello', 2, 3) as a, substr('hello', -3) as c, left('hello', 2) as d, right('hello', 2) as e, left('hello', -1) as f, right('hello', -4) as g, substring('hello', 0, 2) as h, substring('hello' from 2 for 2) as i, substring('héllo', 2, 1) as j, substring('abc', 2, -1) as k, substring(s, 1, 1) as l from a

-- concat
select s || '-' || k as a, concat(s, '-', k) as b, concat_ws(',', s, k, 'z') as c, 'a' || null as d from a

-- position
select position('l' in 'hello') as a, strpos('hello', 'z') as b, instr('hello', 'lo') as c, strpos('héllo', 'l') as d, contains('hello', 'ell') as e, starts_with('hello', 'he') as f, suffix('hello', 'lo') as g, prefix('hello', 'x') as h

-- replace, repeat, translate
select replace('banana', 'an', 'x') as a, repeat('ab', 3) as b, translate('hello', 'el', 'ip') as c, repeat('x', 0) as d, replace('abc', '', 'x') as e

-- split
select split_part('a,b,c', ',', 2) as a, split_part('a,b,c', ',', -1) as b, split_part('abc', ',', 2) as c, string_split('a b c', ' ') as d

-- regexp
select regexp_replace('aaa', 'a', 'b') as a, regexp_replace('aaa', 'a', 'b', 'g') as b, regexp_extract('ab12', '[0-9]+') as c, regexp_extract('ab12cd', '([a-z]+)([0-9]+)', 2) as d, regexp_extract('abc', '[0-9]') as e, regexp_replace('hello', '(.)l', '\1L', 'g') as f

-- ascii, chr, hashes
select ascii('A') as a, chr(66) as b, md5('x') as c, unicode('é') as d, hex('AB') as e, sha256('x') as f

-- printf and format
select format('{} and {}', 1, 'x') as a, printf('%d-%s', 5, 'y') as b

-- levenshtein
select levenshtein('kitten', 'sitting') as a, hamming('abc', 'abd') as b, jaccard('abc', 'abd') as c

-- round, ceil, floor, trunc
select round(2.5) as a, round(-2.5) as b, round(2.345, 2) as c, round(1234, -2) as d, ceil(1.2) as e, floor(-1.2) as f, trunc(-1.7) as g, round(2.5::double) as h, round(0.5::double) as i, round(-1.5::double) as j, round(2.675::double, 2) as k

-- round of columns
select round(m) as a, round(m, 1) as b, ceil(m) as c, floor(y) as d, round(y, 1) as e, round(x, -1) as f, trunc(y) as g from g

-- abs, sign, mod, power
select abs(-5) as a, sign(-2.5) as b, mod(7, 3) as c, power(2, 10) as d, 2 ** 3 as e, 2 ^ 3 as f, pow(2, 0.5) as g, abs(m) as h, sign(y) as i, fmod(5.5, 2) as j from g

-- logs and roots
select sqrt(16) as a, cbrt(27) as b, exp(0) as c, ln(1) as d, log10(1000) as e, log2(8) as f, log(100) as g, log(2, 8) as h

-- sqrt of a negative number
select sqrt(x - 100) as y from g

-- ln of zero
select ln(x - 1) as y from g

-- trigonometry
select sin(0) as a, cos(0) as b, atan2(1, 1) as c, degrees(pi()) as d, radians(180) as e, tan(0.5) as f, asin(1) as g, cot(1) as h

-- greatest and least
select greatest(1, 3, 2) as a, least('b', 'a') as b, greatest(k, v) as c, least(k, null, 7) as d, greatest(null, null) as e from a

-- gcd, lcm, factorial, even
select gcd(12, 18) as a, lcm(4, 6) as b, factorial(5) as c, even(2.1) as d

-- bits
select 6 & 3 as a, 6 | 3 as b, xor(6, 3) as c, 1 << 4 as d, 32 >> 2 as e, ~5 as f, bit_count(7) as g

-- isnan, isinf, isfinite
select isnan(y) as a, isinf(y) as b, isfinite(y) as c from g

-- extract
select extract(year from d) as a, extract(month from ts) as b, date_part('day', d) as c, extract(hour from ts) as e, extract(dow from d) as f, extract(doy from d) as g, extract(quarter from d) as h, extract(week from d) as i, extract(epoch from ts) as j, extract(isodow from d) as k, extract(second from ts) as l, extract(minute from ts) as m from g

-- parts by name
select year(d) as a, month(ts) as b, day(d) as c, hour(ts) as e, dayofweek(d) as f, dayofyear(d) as g, quarter(d) as h, weekofyear(d) as i, dayname(d) as j, monthname(d) as k, last_day(d) as l, isoyear(d) as m, yearweek(d) as n, century(d) as o, microsecond(ts) as p, millisecond(ts) as q from g

-- date_trunc
select date_trunc('month', ts) as a, date_trunc('week', d) as b, date_trunc('hour', ts) as c, date_trunc('year', d) as e, date_trunc('quarter', ts) as f, date_trunc('decade', d) as g, date_trunc('day', ts) as h, date_trunc('minute', ts) as i from g

-- time_bucket
select time_bucket(interval 15 minute, ts) as a, time_bucket(interval 1 month, d) as b, time_bucket(interval 3 day, d) as c from g

-- date_diff and date_sub
select date_diff('day', d, date '2024-12-31') as a, date_diff('month', d, date '2024-12-31') as b, date_diff('hour', ts, timestamp '2024-03-01') as c, date_diff('week', d, date '2024-12-31') as e, date_sub('month', d, date '2024-12-31') as f, datediff('year', d, date '2025-01-01') as g from g

-- age
select age(timestamp '2024-03-01', timestamp '2023-01-15') as a, age(ts, timestamp '2020-02-29') as b from g

-- make_date and friends
select make_date(2024, 2, 29) as a, make_timestamp(2024, 1, 2, 3, 4, 5.5) as b, to_timestamp(0) as c, epoch_ms(1000) as d, make_time(1, 2, 3) as e

-- strftime
select strftime(ts, '%Y-%m-%d %H:%M:%S') as a, strftime(d, '%d/%m/%y %a %b %j') as b, strftime(date '2024-03-05', '%-d.%-m.') as c from g

-- strptime
select strptime('29/02/2024 13:05', '%d/%m/%Y %H:%M') as a, try_strptime('nope', '%Y') as b

-- a text that does not fit strptime
-- error: PlaitError
select strptime('nope', '%Y-%m-%d') as x

-- intervals by functions
select to_days(3) as a, to_months(2) as b, date '2024-01-31' + to_months(1) as c, to_hours(5) as d, to_seconds(90) as e

-- nullif and coalesce over dates
select nullif(d, date '2024-02-29') as a, coalesce(d, date '2000-01-01') as b from g

-- base64
select to_base64('abc'::blob) as a, base64('x'::blob) as b, from_base64('YWJj') as c

-- lists
select list_value(1, 2) as a, list_concat([1], [2]) as b, list_sum([1, 2, 3]) as c, list_max([1, 5, 2]) as d, list_slice([1, 2, 3], 2, 3) as f, list_position(['a', 'b'], 'b') as g

-- range as a value
-- refused: range
select range(3) as x

-- flatten
select flatten([[1], [2]]) as x

-- random is between 0 and 1
-- rows: 6
select * from a where random() between 0 and 1

-- current_date and now agree
select current_date - now()::date as x, now() is null as y

-- implicit casts in arguments
select length(123::varchar) as a, abs('-5'::int) as b, round('2.567'::double, 1) as c

-- nested calls
select upper(substring(coalesce(s, 'none'), 1, 2)) || lpad(coalesce(k, 0)::varchar, 3, '0') as x from a
