-- sum of booleans, count_if and avg over no rows
select sum(ok) as a, sum(x > 2) as b, count_if(x > 3) as c from g

-- sum and count_if over no rows
select sum(ok) as a, count_if(ok) as b, bool_or(ok) as c from g where false

-- regr over pairs of which there are few
select s, regr_slope(v, k) as a, regr_intercept(v, k) as b, regr_r2(v, k) as c, regr_count(v, k) as d, covar_samp(v, k) as e, covar_pop(v, k) as f from a group by s

-- arg_min_null takes the row's NULL
select arg_min_null(s, v) as a, arg_max_null(s, v) as b, arg_max_null(v, id) as c, arg_min(s, v) as d from a

-- arg_max_null by group, and over rows none of which ranks
select k, arg_max_null(s, v) as a, arg_min_null(s, id) as b from a group by k

-- arg_max_null in a window
select id, arg_max_null(s, v) over (order by id rows 1 preceding) as x from a

-- bit aggregates, product, mode in order
select bit_and(v) as a, bit_or(v) as b, bit_xor(v) as c, product(v) as d, approx_count_distinct(k) as e from a

-- lists in order, of different values, and parts of them
select list(s order by id desc) as a, list(distinct v order by v nulls last) as b, list(v order by id)[2:3] as c, first(v order by id desc) as d from a

-- quantiles of several shares, of dates and of decimals
select quantile_cont(m, [0.25, 0.5]) as a, quantile_disc(d, 0.2) as b, median(ts) as c, quantile_cont(d, 0.75) as e from g

-- DISTINCT ordered by what is not selected: the first row counts
-- ordered
select distinct k from a order by v

-- DISTINCT ordered by a column of a selected expression
-- ordered
select distinct k + 1 as z from a order by k desc

-- DISTINCT ordered by an expression over what is and is not selected
-- ordered
select distinct k, s from a order by v + k, s nulls first

-- DISTINCT ordered by an unselected column, with a limit
-- ordered
select distinct s from a order by v desc nulls last limit 2

-- DISTINCT of groups, ordered by an aggregate
-- ordered
select distinct k from a group by k, s order by max(v) desc, k

-- FROM without SELECT, with a filter
from a where k = 1

-- FROM before SELECT
-- ordered
from a select id, v where v > 1 order by v, id

-- trailing commas
select id, k, from a where id in (1, 2,)

-- columns renamed and replaced
select * replace (v + 1 as v) rename (s as t) from a

-- aggregates of all columns
select min(columns(* exclude (s))), count(*) from a

-- grouping sets beside keys
select k, s, grouping(k, s) as g, count(*) as n from a group by k, rollup (s)

-- two cubes multiply
select k, s, count(*) as n from a group by cube (k), cube (s)

-- a frame that leaves ties out
select id, sum(v) over (order by k range between unbounded preceding and unbounded following exclude ties) as x from a

-- a frame in groups that leaves the group out
select id, count(v) over (order by k groups between 1 preceding and 1 following exclude group) as x from a

-- a frame of months and days
select x, max(m) over (order by d range between interval 1 month preceding and interval 1 day following) as y from g where d is not null

-- a frame wholly behind the row
select id, sum(v) over (order by id rows between 2 following and 3 following) as x from a

-- a frame that ends before it starts
-- error: SqlError
select sum(v) over (order by id rows between current row and 1 preceding) from a

-- neighbours with a distance from a column, backwards, and with defaults
select id, lag(v, k, -1) over (order by id) as a, lead(v, -1) over (order by id) as b, lag(v ignore nulls) over (order by id) as c from a

-- windows over aggregates
select k, rank() over (order by sum(v) desc) as r, sum(sum(v)) over (order by k) as t from a group by k

-- parts of a set operation ordered on their own
(select id from a order by id desc limit 2) union all (select id from b order by id limit 1)

-- precedence of set operations
select id from a union select id from b intersect select 3

-- names of types
select typeof(k) as a, typeof(m) as b, typeof(avg(x)) as c, typeof(null) as d, typeof([1.5]) as e, typeof(abs(m)) as f, typeof(round(m, 1)) as h from a, g group by k, m limit 1

-- decimals beside whole numbers, as DuckDB widens them
select typeof(coalesce(m, 0)) as a, typeof(case when ok then m else 1 end) as b, typeof(greatest(m, 1)) as c, typeof(if(ok, m, 100000000)) as d, typeof(nullif(m, 0)) as e, typeof([m, 1]) as f, typeof(coalesce(m, 1.555)) as h from g limit 1

-- whole numbers beside narrower ones
select typeof(coalesce(1::tinyint, 5)) as a, typeof(coalesce(1::tinyint, 500)) as b, typeof(coalesce(1.5, 1)) as c, typeof(coalesce(1.5::float, 1)) as d, typeof(coalesce(1::decimal(20, 2), 1)) as e

-- list functions by all their names
select list_sort([3, 1, null], 'desc', 'nulls first') as a, array_reverse_sort([1, 3, 2]) as b, list_append([1], 2) as c, list_prepend(0, [1]) as d, list_reverse([1, 2]) as e, [1, 2] && [2] as f, [1, 2] @> [2] as h, list_has_any([1], [2]) as i

-- intervals as text
select (interval '1 year 2 months 3 days 04:05:06')::varchar as a, (interval 90 minute)::varchar as b, (interval '-1 day')::varchar as c

-- quoting: escapes, dollars, comments, names
select E'a\tb\x41' as "ünï", $$it's$$ as "A B", $x$ $$ $x$ as naïve -- a comment

-- an escape of two characters
-- error: SqlError
select 'a' like 'b' escape 'xx'

-- columns by other capitals
select "K", ID, a.S from a
