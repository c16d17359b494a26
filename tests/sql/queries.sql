-- One query a line; each is run by plait and by DuckDB over the tables of tables.py.
select * from t
select a, b from t where a = 1
select a + b, a - b, a * b, a / b, b // 2, b % 2, -a from t
select a from t where a is null
select a from t where a is not null order by a desc
select a from t where not (a = 1)
select a from t where a <> 1 or b = 3
select a from t where a in (1, null)
select a, a in (1, null), a not in (1, null), a in (2, 3) from t
select a from t where a not in (1, null)
select a between 1 and 2, a not between 1 and 2, b between a and 5 from t
select a is distinct from b, a is not distinct from 1, a = null from t
select bo, not bo, bo and true, bo or null, bo and null, bo is true, bo is not true, bo is false, bo is unknown from t
select a, b from t where bo
select c, c like 'x%', c like '_', c ilike 'Y%', c not like 'x%', c like 'Y!%' escape '!', c || 'z' from t
select c ~ 'x', c similar to 'x.*', c glob 'x*', regexp_matches(c, '^y') from t
select case when a = 1 then 'one' when a = 2 then 'two' else 'many' end, case a when 1 then 10 when 2 then 20 end from t
select coalesce(a, b, 0), ifnull(a, -1), nullif(a, 1), greatest(a, b), least(a, b, 2) from t
select if(a > 1, 'big', 'small') from t
select cast(a as varchar), a::double, cast(c as varchar), try_cast(c as integer), b::decimal(10,2), g::integer, f::varchar from t
select d, d + 1, d - 1, d + interval 1 month, d - interval '1 year 2 days', d + interval (a) day from t
select extract(year from d), month(d), extract(day from d), date_part('quarter', d), extract(dow from d), isodow(d), week(d), dayofyear(d) from t
select hour(ts), minute(ts), second(ts), ts + interval 90 minute, date_trunc('month', ts), date_trunc('year', d), ts::date from t
select d >= date '2020-01-31', d = '2020-01-31', d between '2020-01-01' and date '2020-12-31', ts > d from t
select date_diff('day', d, date '2020-03-01'), date_diff('month', d, date '2020-03-01'), last_day(d), dayname(d), monthname(d) from t
select d - date '2020-01-01' from t
select upper(c), lower(c), length(c), substring(c, 1, 1), left(c, 1), right(c, 1), replace(c, 'x', 'z'), trim(c), concat(c, a, 'q') from t
select strpos(c, 'y'), position('y' in c), reverse(c), repeat(c, 2), lpad(c, 3, '*'), rpad(c, 3, '*'), concat_ws('-', c, a), split_part('a,b', ',', 2) from t
select abs(-a), round(g, 1), round(f), floor(g), ceil(g), sqrt(b), power(a, 2), sign(g), mod(b, 3), ln(b), exp(a) from t
select g + 1, g * g, g - 0.5, g * 2, g / 3, g * (1 - g) from t where g < 1000
select 1 where true
select 1 where false
select 1, 'a', null, 1.5, true
-- aggregates
select count(*), count(a), count(distinct a), sum(a), avg(a), min(a), max(a), min(c), max(d), sum(g), avg(g), min(bo) from t
select count(*), sum(a), min(c), max(a), avg(a) from e
select count(*), sum(a) from t where a > 100
select a, count(*), sum(b) from t group by a
select a, count(*) from t group by 1
select a as z, count(*) from t group by z
select a, sum(b) from t group by all
select a + 1, count(*) from t group by a + 1
select (a + b) * 2, count(*) from t group by a, b
select a, b, count(*) from t group by (a, b)
select bo, c, count(*) from t group by bo, c
select a, sum(b) s from t group by a having sum(b) > 4
select a, sum(b) s from t group by a having s > 4
select a from t group by a having count(*) > 1
select count(*) as n from t having n > 100
select count(*) as n from t having n > 1
select sum(b) filter (where a = 1), count(*) filter (where b > 2), count(*) filter (where false) from t
select a, sum(distinct b), count(distinct b) from t group by a
select a, min(b) + max(b) * 2, sum(b) / count(*) from t group by a
select string_agg(s, ',' order by s desc) from u
select string_agg(s, '-' order by k, s), count(s) from u
select bool_and(bo), bool_or(bo), count_if(bo) from t
select stddev(b), var_pop(b), stddev_pop(b), variance(b) from t
select median(b), quantile_cont(b, 0.25), mode(k) from t, u
select any_value(c), first(b order by b), last(b order by b) from t where b is not null and c = 'x'
select arg_max(c, b), arg_min(c, b) from t
select extract(year from d) y, count(*) from t group by y order by y
select a, count(*) from t where false group by a
select max(a) + 1 from t where a < 3
select distinct a from t
select distinct a, bo from t
select distinct a from t order by a desc
select distinct a from t order by a + 1 desc nulls first
select distinct on (a) a, b from t order by a, b desc
select distinct on (a) b, c from t order by a nulls first, b desc
select count(distinct c), count(distinct d) from t
-- order, limit
select a, b from t order by a, b
select a, b from t order by a desc, b desc
select a, b from t order by a nulls first, b desc nulls last
select a, b from t order by 2, 1
select a, b from t order by all
select a, b from t order by all desc
select a from t order by b
select -b as b from t order by b
select -b as b from t order by b + 0
select -b as b from t order by t.b
select b as a from t order by a
select a, sum(b) from t group by a order by sum(b), a
select a from t group by a order by count(*) desc, a
select f from t order by f
select c from t order by c
select d from t order by d desc limit 2
select a, b from t order by b, a limit 3 offset 2
select a, b from t order by b, a offset 4
select b from t order by b limit 0
select b from t order by b fetch first 2 rows only
select b from t order by b limit 1 + 1
select count(*) from (select * from t limit 3)
-- joins
select t.a, u.s from t join u on t.a = u.a
select t.a, u.s from t left join u on t.a = u.a
select t.a, u.s from t right join u on t.a = u.a
select t.a, u.s from t full join u on t.a = u.a
select t.a, u.s from t cross join u
select t.a, u.s from t, u where t.a = u.a and u.k > 10
select t.a, u.k from t join u on t.a < u.a
select t.a, u.k from t left join u on t.a = u.a and u.k > 15
select t.a, u.k from t left join u on t.a = u.a where u.k is null
select t.a, u.k from t left join u on t.a = u.a and t.b > 3
select t.a, u.k from t full join u on t.a = u.a and u.k > 15
select t.a, u.k from t left join u on t.a < u.a and t.b < u.k
select t.a, u.k from t right join u on t.a > u.a
select t.a, u.k from t full join u on t.a > u.a
select t.a from t semi join u on t.a = u.a
select t.a from t anti join u on t.a = u.a
select t.a from t semi join u on t.a < u.a
select t.a from t anti join u using (a)
select * from t join u using (a)
select a, t.a, u.a from t left join u using (a)
select a, t.a, u.a from t right join u using (a)
select a, t.a, u.a from t full join u using (a)
select a, count(*) from t full join u using (a) group by a
select * exclude (d, ts, f, g) from u natural join t
select x.a, y.k, z.s from u x join u y on x.a = y.a join u z on y.k = z.k
select count(*) from u x full join u y using (a) full join u z using (a)
select t.a, e.c from t left join e on t.a = e.a
select t.a, e.c from t full join e on t.a = e.a
select t.a from t join e on t.a = e.a
select t.a from t anti join e on t.a = e.a
select t.a, u.a, x.a from t, u right join u x on u.a = x.k / 10 where t.b = 3
select * from (t join u on t.a = u.a) where k > 10
select t.a, v.x from t join (values (1, 'p'), (2, 'q')) v(y, x) on t.a = v.y
select t.a is not distinct from u.a, t.b, u.k from t join u on t.a is not distinct from u.a
-- set operations
select a from t union select a from u
select a from t union all select a from u
select a from t intersect select a from u
select a from t intersect all select a from u
select a from t except select a from u
select a from t except all select a from u
select a, b from t union select k, a from u order by 1, 2
select a from t union all select k from u order by a desc nulls last limit 3
(select a from t order by a limit 2) union all (select k from u order by k limit 1)
select 1 as x union all select 2.5 union all select null
select 1 as a, 'x' as b union all by name select 'y' as b, 2 as a
select 1 as a union all by name select 'y' as b
select 1 union select '1'
select a from t except (select a from u union select 3)
select 1 as a union select 2 order by -a
select count(*) from (select a from t union select a from u)
values (1, 'a'), (2, null), (null, 'c')
select * from (values (1, 'a'), (2, null)) v(x, y) where x > 1
-- WITH
with x as (select a, sum(b) s from t group by a) select * from x where s > 3
with x as (select a from t), y as (select a + 1 as z from x) select * from x join y on x.a = y.z
with x as (select a, sum(b) s from t group by a) select p.a, q.s from x p join x q on p.a = q.a
with x(p, q) as (select a, b from t) select p + q from x
with t as (select 5 as a) select a from t
with x as (select 1 as n) select * from (with x as (select 2 as n) select n from x) union all select n from x
with x as (select a from t) select (select count(*) from x) n, a from x where a in (select a from x where a > 1)
with x as materialized (select a from t) select count(*) from x
-- windows
select a, b, row_number() over (order by b, a nulls first) from t
select a, b, row_number() over (partition by a order by b), rank() over (order by a), dense_rank() over (order by a) from t
select a, sum(b) over (partition by a), count(*) over (), avg(b) over (partition by bo) from t
select b, sum(b) over (order by b), sum(b) over (order by b rows unbounded preceding), max(b) over (order by b desc) from t
select b, sum(b) over (order by b, c rows between 1 preceding and 1 following) from t
select b, c, sum(b) over (order by b, c rows between 2 preceding and 1 preceding), count(*) over (order by b, c rows between 1 following and unbounded following) from t
select b, sum(b) over (order by b range between 1 preceding and 2 following), count(*) over (order by b range between 2 following and 4 following) from t
select b, sum(b) over (order by b groups between 1 preceding and current row) from t
select d, count(*) over (order by d range between interval 1 year preceding and current row) from t
select b, c, lag(b) over (order by b, c), lead(b, 2) over (order by b, c), lag(b, 1, -1) over (order by b, c) from t
select b, c, first_value(c) over (order by b, c), last_value(c) over (order by b, c), nth_value(c, 2) over (order by b, c) from t
select b, c, lag(c ignore nulls) over (order by b, c), first_value(c ignore nulls) over (order by b desc, c) from t
select ntile(3) over (order by b, c), percent_rank() over (order by b), cume_dist() over (order by b), b, c from t
select a, sum(b), rank() over (order by sum(b) desc nulls last) from t group by a
select sum(sum(b)) over () from t group by a
select a, sum(sum(b)) over (order by a) from t group by a
select a, b from t qualify row_number() over (partition by a order by b desc) = 1
select a, b, rank() over w as r, sum(b) over w from t window w as (partition by a order by b) order by a, b
select a, sum(b) over (w rows between unbounded preceding and current row), b from t window w as (order by b, a)
select a, row_number() over (order by b, a) as n from t qualify n <= 2 order by n
select a from t order by row_number() over (order by b, c)
select count(*) filter (where a = 1) over (partition by bo) from t
select b, sum(b) over (order by b rows between unbounded preceding and unbounded following exclude current row) from t where b is not null and a is not null
select a, count(distinct b) over (partition by a) from t
select sum(a) over (order by b) + 1, b from t where b > 2 and a is not null
-- subqueries
select a from t where a in (select a from u)
select a from t where a not in (select a from u)
select a from t where a not in (select a from u where a is not null)
select a, a in (select a from u), a not in (select a from u) from t
select a, a in (select a from e), a not in (select a from e) from t
select a from t where exists (select 1 from u where u.a = t.a)
select a from t where not exists (select 1 from u where u.a = t.a and u.k > 10)
select a, exists (select 1 from u where u.a < t.a) from t
select a, (select max(k) from u where u.a = t.a) from t
select a, (select count(*) from u where u.a = t.a) from t
select a, (select count(*) from u where u.a = t.a and k > t.b) + 1 from t
select a, (select sum(k) from u) from t
select a from t where b > (select avg(b) from t)
select a, b from t where b = (select max(b) from t x where x.a = t.a)
select a from t where (select count(*) from u where u.a = t.a) > 1
select a, (select s from u where u.k = 10 and u.a = t.a) from t
select a, b from t where b > all (select k / 10 from u where k is not null)
select a, b from t where b > any (select a from u)
select a, b from t where b <= all (select a from u where a is not null)
select a, b, a = any (select a from u), a <> all (select a from u), b < all (select a from e), b < any (select a from e) from t
select (a, b) in (select a, k / 10 from u) from t
select a from t where (a, b) in ((1, 2), (3, 7), (2, null))
select a from t where (a, b) not in ((1, 2), (3, 7))
select a, sum(b) from t group by a having sum(b) > (select min(k) / 4 from u)
select (select max(b) from t), (select min(k) from u)
select a from t order by (select max(k) from u where u.a = t.a) nulls first, a, b
select case when exists (select 1 from u where u.a = t.a) then 'y' else 'n' end, a from t
select * from (select a, (select count(*) from u where u.a = t.a) n from t) where n > 0
select a from t where a in (select a from u where u.k in (select k from u x where x.a = u.a and x.a = t.a))
select t.a, u.k from t join u on t.a = u.a and exists (select 1 from u x where x.k = u.k and x.a = t.a)
select t.a, u.k from t left join u on t.a = u.a and u.k in (select k from u where a = 2)
select a from t where b in (select b from t x where x.a = t.a group by b having count(*) = 1)
select a, (select string_agg(s, ',' order by s) from u where u.a = t.a) from t
select count(*) from t where a in (select a from u) or b in (select a from u)
select a, (select x.b from t x where x.a = t.a order by x.b desc limit 1) from t
select a, (select count(distinct k) from u where u.a >= t.a) from t
select sum((select max(k) from u where u.a = t.a)) from t
select a, (select max(k) from u where u.a = t.a) m, count(*) from t group by a
select (select 1 where false), (select null)
select a from t where a = (select 1)
-- columns
select * exclude (c, d, ts, f, g) from t
select * replace (a + 1 as a) from u
select * rename (a as z) from u
select t.*, u.s from t, u where t.a = u.a
select columns('^[ak]$') from u
from u
from u select s, k where a = 2
select b as z, z + 1 as y, y * 2 as w from t
select b + 1 as z from t where z > 3
select A, "B", T.C from T
select u.a, u.k from main.u
select a from u as w(a, p, q) where p > 10
table u
select range from range(3)
select i from generate_series(2, 6, 2) s(i)
select count(*) from t, u, e
select g from t where g > 1
select g from t where g > 1.005 and f < 2
select a from t where a = 1.0
select big + a, big * 2, big - 1 from t
select a from t where c = 'x' and d < '2021-01-01' or (bo and g is null)
select d from t where d in ('2020-01-31', date '1999-12-31')
select sum(a) over (), max(f) over (partition by bo) from t
select count(*) from t where 1
select c[1], c[-1], c[1:2], c[2:], [a, b][1] from t
select min(columns(*)), max(columns('^[ak]$')) from u
-- rows of values
select (1,null) = (1,null), (1,null) = (1,2), (1,2) <> (1,null), (1,null) < (1,2), (1,2) < (1,null), (null,1) < (1, 1), (1,null) in ((1,2)), (1,null) in ((1,null))
select a, b, (a, b) < (1, 5), (a, b) <= (1, 5), (a, b) > (b, a), (a,b) >= (1, null), (a, b, c) < (1, 2, 'y') from t
select (1,null) in (select 1, null), (1,null) in (select 1, 2), (1,null) in (select 2, 2), (1, 2) in (select 1, null)
select a from t where (a, b) in ((1, 2), (3, 7), (2, null))
select (a,b) in (select 1,2 union select 2, null) from t
-- grouping sets
select a, bo, sum(b), count(*) from t group by rollup(a, bo)
select a, bo, sum(b), grouping(a), grouping(bo), grouping(a, bo) from t group by cube(a, bo)
select a, bo, c, count(*) from t group by grouping sets ((a, bo), (a), (), c)
select a, bo, count(*) from t group by a, rollup(bo)
select a, bo, count(*) from t group by rollup((a, bo)), c
select a + 1 as x, count(*), grouping(x) from t group by rollup(x) having count(*) > 1
select a, sum(b) s, rank() over (partition by grouping(a) order by s) from t group by rollup(a)
select count(*) from e group by grouping sets ((a), ())
select a, count(*) from e group by rollup(a)
select coalesce(a, -1), count(*) from t group by rollup(a) order by 1, 2
select a, (select count(*) from u where u.a = t.a) from t group by rollup(a)
select grouping(a), a from t group by a
select a, count(*) from t group by all
-- lists, aggregates of outer columns
select percentile_cont(0.25) within group (order by b desc) from t
select (values (1)), 1 in (values (1), (2)) 
select exists (values (1))
select sha256('x'), make_timestamp(2024, 1, 2, 3, 4, 5.5), make_time(1,2,3), [1] || [2], list_concat([1],[2]), list_contains([1,2],2), list_max([1,5]), array_to_string([1,2], '-')
select encode('a'), decode(encode('a')), regexp_extract_all('abab', 'a'), string_split_regex('a1b', '\d'), list_position([1,2],2)
select a from t group by a having exists (select 1 from u where u.k > sum(t.b) * 2)
select a, (select count(*) from u where u.k / 10 <= max(t.b)) from t group by a
select a, (select sum(t.b)) from t group by a
select (select max(t.b) limit 1) + min(b) from t
select a from t group by a having sum(b) in (select k / 10 from u where u.a <= count(t.c))
select a, (select (select count(t.b))) from t group by a
select a from t group by a order by (select sum(t.b))
select t.a, x.n from t, lateral (select count(*) from u) x(n)
select t.a, x.k from t left join lateral (select k from u where k > 10) x on true
-- shapes of all kinds
select e'a\nb', e'a\\b', e'it\'s', e'\x41', e'tab\t', E'\u00e9', e'\101', 'a\nb', 'a''b'
select * from ((select a from u) limit 2) x
select * from (((select a from u))) x order by a
select * from (select a from u order by a limit 2) x(z)
(select a from u) limit 1
((select a from u order by a) limit 2)
(select a from u) order by a desc limit 2
select * from (t) limit 0
select * from (t) tt where tt.a = 1
select x.a from (u) x
select * from ((t join u on t.a = u.a)) where u.k > 10
select count(*) from (t cross join u), e
select * from (values (1), (2)) order by 1 desc
select * from (select 1 as a union select 2 order by a desc limit 1)
with a as (with b as (select 1 as x) select * from b) select * from a
with a as (values (1), (2)) select * from a
select a from (from t)
from (select a from u) where a > 1
select (select a from u order by a limit 1), a from u
select count(distinct a), count(all a) from t
select sum(all b) from t
select all b from t
select t.a from t, (select 5 as a) v where t.a < v.a and t.b in (select b from t where b < v.a)
select not a is null, not a in (1,2), not a between 1 and 2, - -a, -(-a), + a from t
select 'a' || 1 || null, 'a' || 1.5 from t
select case when a > 1 then 'x' end is null from t
select a::varchar || 'x' from t
select cast(a as double precision), cast('12' as integer) + 1, '12'::integer, try_cast('x' as int), '2020-01-01'::date + 1, '1.5'::decimal(3,1) from t
select date '2020-01-31' + interval 1 month, timestamp '2020-01-01 10:00' - interval '90 minutes', date '2020-03-01' - date '2020-02-01'
select a from t where a = 1 and b = 2 or c = 'y' and not bo
select a, b, a + b as s from t where s > 3 order by s desc
select a, count(*) as n from t group by a having n > 1 order by n, a
select upper(c) as u, count(*) from t group by u order by u
select upper(c) as c, count(*) from t group by c
select a as b, b as a from t order by a, b
select a + 1 as a from t order by a
select sum(b) as b from t having b > 3
select max(b) - min(b) as spread from t group by a order by spread desc nulls last, a
select a, sum(b) over (partition by a) * 1.0 / sum(b) over () from t where b is not null
select a, b, avg(b) over (partition by a order by b rows between 1 preceding and current row) from t order by a, b
select distinct sum(b) over (partition by a) from t
select a, count(*) filter (where b > 2) as n from t group by a order by n desc, a
select * from t where (a, b) = (1, 2)
select exists (select 1 from u where false), not exists (select 1 from u where true)
select a from t where a < all (select k from u where k is not null) order by a
select 5 in (select a from u), null in (select a from u), 5 not in (select a from u where a is not null)
select coalesce((select max(a) from e), -1), (select count(*) from e)
select t.a, u.s from t left join (select a, max(s) as s from u group by a) u on t.a = u.a order by t.a, u.s
select range, range * 2 from range(2, 10, 3)
select a from u union all (select k from u limit 1) order by 1
select t1.a from t t1 where exists (select 1 from t t2 where t2.a = t1.a and t2.b <> t1.b)
select case a when null then 'n' else 'x' end from t
select a in (b, 3), a in (b + 1, a), b in (2, a, null) from t
select length(c) as n, count(*) from t group by all order by n
select first(b), last(b) from (select b from t order by b)
select max(d), min(ts), max(bo), sum(bo::int) from t
select t.* exclude (d, ts, f, g), u.s as us from t join u using (a)
select a from t where d = (select max(d) from t)
select extract(epoch from ts), extract(second from ts), extract(microsecond from ts), extract(doy from d), extract(week from d), extract(century from d) from t
select * from u where k between (select min(k) from u) and 20
select c, regexp_replace(c, 'x', 'z'), regexp_extract(c, '(x)(y)', 2), regexp_matches(c, '^x') from t
select strftime(d, '%Y-%m'), strptime('2020-01-02', '%Y-%m-%d') from t
select a, string_agg(c, ',' order by c), list(b order by b) from t group by a
select sum(g), avg(g), sum(g * 2), sum(f) from t where f < 100 and g < 100
select t.a, x.a, y.k from t, u x join u y on x.a = y.a and t.b = y.k / 10 + 1
select t.a, x.a, y.k from t, u x left join u y on x.a = t.a and y.k > 10
select t.a, x.a from t, u x semi join e on e.a = t.a
select t.a, x.a from t, u x anti join u y on y.a = t.a and x.k < 30
select * exclude (d,ts,f,g) from t, u x join u y on t.a = y.a, e
select t.a from t, u x join u y on exists (select 1 from u z where z.a = t.a and z.k = y.k)
select t.a from t, e, u x join u y on x.a = t.a
select a + 1 as z, (select max(k) from u where k > z) m from t
select a as z, exists (select 1 from u where u.a = z) from t where b in (select k / 10 from u where z is not null)
select b * 2 as k2, (select count(*) from u where k < k2) from t order by k2
select a from t x where exists (select a as q from u where q = x.a)
-- one row on the other side: what it holds is a constant
select a, b from t where b > (select min(b) from t)
select a, c from t where c <> (select max(s) from u)
select a, d from t where d < (select max(d) from t) and ts > (select min(ts) from t)
select a, g from t where g * 2 > (select avg(g) from t)
select a, g from t where g::decimal(38, 12) > (select sum(g) * 0.0001 from t)
select a, f from t where f >= (select avg(b) from t)
select a from t where bo = (select bool_or(bo) from t)
select t.a, x.m from t left join (select max(k) m from u) x on t.b < x.m and t.c is not null
select t.a, x.m from t left join (select max(k) m from u where false) x on t.b < x.m or t.a = 1
select t.a, x.m from t join (select null::int m) x on coalesce(t.b > x.m, true)
select a from t semi join (select min(k) m from u) x on t.b * 2 < x.m
select a from t anti join (select min(k) m from u) x on t.b * 2 < x.m
