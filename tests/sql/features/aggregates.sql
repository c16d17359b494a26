-- count, sum, avg, min, max
select count(*) as n, count(v) as c, sum(v) as s, avg(v) as a, min(v) as lo, max(v) as hi from a

-- by group
select k, count(*) as n, count(v) as c, sum(v) as s, avg(v) as a, min(s) as lo, max(s) as hi from a group by k

-- of no rows
select count(*) as n, count(v) as c, sum(v) as s, avg(v) as a, min(v) as lo from e

-- of no rows by group
select k, count(*) as n from e group by k

-- of groups without values
select k, sum(v) as s, min(v) as lo, count(v) as n from a where v is null group by k

-- COUNT(DISTINCT)
select count(distinct k) as n from a

-- COUNT(DISTINCT) by group
select s, count(distinct k) as n from a group by s

-- several DISTINCT aggregates
select k, count(distinct v) as a, sum(distinct v) as b, count(distinct s) as c, count(*) as d, sum(v) as e from a group by k

-- DISTINCT without effect
select max(distinct v) as a, min(distinct v) as b, bool_or(distinct v > 1) as c from a

-- DISTINCT with FILTER
select count(distinct k) filter (where v > 1) as n, count(distinct k) as m from a

-- DISTINCT of an expression
select count(distinct k + v) as n, sum(distinct k * 2) as s from a

-- stddev and variance
select stddev(y) as a, stddev_samp(y) as b, stddev_pop(y) as c, variance(y) as d, var_samp(y) as e, var_pop(y) as f from g

-- of one value
select stddev(x) as a, var_pop(x) as b from g where x = 1

-- corr and covar
select corr(x, y) as a, covar_pop(x, y) as b, covar_samp(x, y) as c from g

-- regr
select regr_slope(y, x) as a, regr_r2(y, x) as b, regr_count(y, x) as c, regr_intercept(y, x) as d, regr_avgx(y, x) as e, regr_avgy(y, x) as f, regr_sxx(y, x) as g, regr_sxy(y, x) as h, regr_syy(y, x) as i from g where y < 100

-- median
select grp, median(x) as a, median(y) as b from g group by grp

-- quantiles
select quantile_cont(x, 0.25) as a, quantile_disc(x, 0.25) as b, quantile_cont(y, 0.9) as c from g

-- several quantiles
select quantile_cont(x, [0.25, 0.5]) as a, quantile_disc(x, [0.1, 0.9]) as b from g

-- WITHIN GROUP
select percentile_cont(0.5) within group (order by x) as a, percentile_disc(0.5) within group (order by x) as b from g

-- WITHIN GROUP in descending order
select percentile_cont(0.25) within group (order by x desc) as a from g

-- mode
select mode(grp) as m from g

-- string_agg with ORDER BY
select string_agg(s, '-' order by id desc) as x from a

-- string_agg by group
select k, string_agg(s, ',' order by s, id) as x, listagg(s, ';' order by id) as y from a group by k

-- string_agg DISTINCT
select string_agg(distinct s, ',' order by s) as x from a

-- array_agg with ORDER BY
select k, array_agg(v order by id) as x, list(s order by id desc) as y from a group by k

-- bool_and and bool_or
select grp, bool_and(ok) as a, bool_or(ok) as b from g group by grp

-- first and last with ORDER BY
select first(s order by id) as a, last(s order by id) as b, any_value(v order by id) as c from a

-- arg_max
select grp, arg_max(x, y) as a, min_by(x, y) as b, max_by(d, x) as c from g group by grp

-- bits
select bit_and(id) as a, bit_or(id) as b, bit_xor(id) as c from a

-- skewness and kurtosis
select skewness(x) as a, kurtosis(x) as b from g

-- product, entropy
select product(id) as a, entropy(k) as b from a

-- approximate
select approx_count_distinct(k) as a from a

-- histogram
-- refused: histogram
select histogram(k) as h from a

-- FILTER
select count(*) filter (where v > 1) as a, sum(v) filter (where k = 1) as b, count(*) filter (where false) as c, sum(v) filter (where null) as d from a

-- FILTER by group
select k, count(*) filter (where v > 1) as a, min(s) filter (where id > 3) as b, count(*) as c from a group by k

-- HAVING
select k, count(*) as n from a group by k having count(*) > 1

-- HAVING without GROUP BY
select sum(v) as s from a having count(*) > 100

-- HAVING over no rows
select count(*) as n from e having count(*) = 0

-- HAVING with other aggregates
select k from a group by k having max(v) > 2 and min(s) is not null

-- HAVING by alias
select k, count(*) as n from a group by k having n > 1

-- GROUP BY expression
select k + 1 as k1, count(*) as n from a group by k + 1

-- GROUP BY ordinal
select k % 2 as odd, s, count(*) as n from a group by 1, 2

-- GROUP BY alias
select k % 2 as odd, count(*) as n from a group by odd

-- GROUP BY ALL
select k, s, count(*) as n, sum(v) as v from a group by all

-- GROUP BY ALL with an expression
select k % 2 as odd, sum(v) + 1 as v from a group by all

-- GROUP BY a constant
select 'x' as c, count(*) as n from a group by c

-- GROUP BY a constant of no rows
select 1 as c, count(*) as n from e group by c

-- GROUP BY several types
select d, m, ok, count(*) as n from g group by d, m, ok

-- GROUP BY a double with NaN and NULL
select y, count(*) as n from g group by y

-- expressions of keys and aggregates
select k * 10 + sum(v) as a, -count(*) + k as b, k from a group by k

-- expressions over grouped expressions
select (k % 2) * 10 as a, case when k % 2 = 0 then max(v) end as b from a group by k % 2

-- a column beside what it is grouped by
-- error: SqlError
select k, s, count(*) as n from a group by k

-- NULL is a group
select s, count(*) as n from a group by s

-- aggregates of aggregates
-- error: SqlError
select sum(count(*)) as n from a group by k

-- nested through a derived table
select max(n) as m from (select k, count(*) as n from a group by k)

-- the same aggregate twice
select sum(v) as a, sum(v) + 1 as b, sum(v) as c from a

-- DISTINCT over groups
select distinct count(*) as n from a group by k

-- ORDER BY an aggregate that is not selected
-- ordered
select k from a group by k order by count(*) desc, k nulls last

-- GROUPING SETS
select k, s, count(*) as n from a group by grouping sets ((k), (s), ())

-- GROUPING SETS over no rows
select k, count(*) as n, sum(v) as v from e group by grouping sets ((k), ())

-- GROUPING SETS that repeat
select k, count(*) as n from a group by grouping sets ((k), (k), (), ())

-- GROUPING SETS of expressions
select k % 2 as odd, s, max(v) as v from a group by grouping sets ((k % 2, s), (k % 2))

-- ROLLUP
select k, s, count(*) as n, sum(v) as v from a group by rollup (k, s)

-- ROLLUP beside a key
select k, s, v, count(*) as n from a group by k, rollup (s, v)

-- CUBE
select k, s, count(*) as n from a group by cube (k, s)

-- GROUPING()
select k, s, grouping(k) as gk, grouping(s) as gs, grouping(k, s) as g, count(*) as n from a group by cube (k, s)

-- GROUPING() in HAVING and ORDER BY
-- ordered
select k, count(*) as n from a group by rollup (k) having grouping(k) = 1 or count(*) > 1 order by grouping(k), k nulls last

-- GROUPING SETS with expressions above
select coalesce(s, '-') as s, count(*) * 10 as n, sum(sum(v)) over (partition by grouping(s)) as w from a group by rollup (s)

-- GROUPING SETS with DISTINCT aggregates
select k, count(distinct s) as n, sum(distinct v) as v from a group by rollup (k)

-- GROUPING SETS with a filter above
select * from (select k, s, count(*) as n from a group by cube (k, s)) where k is null and n > 1

-- sum of int64 past 2^53
select sum(x) as s from (values (9007199254740993::bigint), (2::bigint)) q(x)

-- sum of decimals keeps the scale
select grp, sum(m) as s, avg(m) as a, min(m) as lo from g group by grp

-- sum of booleans
select sum(ok) as s, count(ok) as n from g

-- min and max of everything
select min(d) as a, max(d) as b, min(ts) as c, max(ts) as d, min(ok) as e, max(grp) as f, max(y) as g from g

-- avg of dates
select avg(d) as a, avg(ts) as b from g

-- sum of a constant
select sum(1) as a, count(1) as b, count(null) as c, max('x') as d from a

-- aggregates over expressions of two tables
select sum(a.v * b.w) as x, avg(a.v + b.w) as y from a join b on a.k = b.k

-- count of a tuple
-- refused: A row as a value
select count(distinct (k, s)) as n from a

-- WITH TIES of groups, by rank
select k, n from (select k, n, rank() over (order by n desc) as r from (select k, count(*) as n from a group by k)) where r = 1

-- GROUPING() by its alias
-- ordered
select s, grouping(s) as g from a group by rollup (s) order by case when g = 0 then s end nulls last, g
