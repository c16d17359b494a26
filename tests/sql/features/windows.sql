-- row_number, rank, dense_rank
select id, row_number() over (order by v, id) as a, rank() over (order by v) as b, dense_rank() over (order by v desc nulls last) as c from a

-- PARTITION BY
select id, row_number() over (partition by k order by id) as a, rank() over (partition by s order by k) as b from a

-- ntile, percent_rank, cume_dist
select id, ntile(3) over (order by id) as a, percent_rank() over (order by v) as b, cume_dist() over (order by v) as c from a

-- lag and lead
select id, lag(v) over (order by id) as a, lead(v, 2) over (order by id) as b, lag(v, 1, -1) over (partition by k order by id) as c from a

-- lag and lead by nothing and by less
select id, lag(v, 0) over (order by id) as a, lead(v, -1) over (order by id) as b from a

-- first_value, last_value, nth_value
select id, first_value(s) over (order by id) as a, last_value(s) over (order by id) as b, nth_value(s, 2) over (order by id) as c from a

-- last_value of the whole partition
select id, last_value(s) over (partition by k order by id rows between unbounded preceding and unbounded following) as x from a

-- IGNORE NULLS
select id, last_value(v ignore nulls) over (order by id) as a, first_value(v ignore nulls) over (order by id desc) as b, lag(v ignore nulls) over (order by id) as c from a

-- running sum
select id, sum(v) over (order by id) as a, count(v) over (order by id) as b, avg(v) over (order by id) as c, min(v) over (order by id) as d, max(s) over (order by id) as e from a

-- running sum by partition
select id, sum(v) over (partition by k order by id) as x from a

-- the default frame takes peers along
select id, sum(id) over (order by k) as a, count(*) over (order by k desc) as b from a

-- the whole partition
select id, sum(v) over (partition by k) as a, count(*) over () as b, max(v) over (partition by s) - v as c from a

-- ROWS n PRECEDING and m FOLLOWING
select id, sum(v) over (order by id rows between 1 preceding and 1 following) as a, min(v) over (order by id rows between 2 preceding and 1 preceding) as b, count(*) over (order by id rows between 1 following and 3 following) as c from a

-- ROWS shorthand
select id, sum(v) over (order by id rows 2 preceding) as a, sum(v) over (order by id rows unbounded preceding) as b, sum(v) over (order by id rows current row) as c from a

-- ROWS to UNBOUNDED FOLLOWING
select id, sum(v) over (order by id rows between current row and unbounded following) as a, max(v) over (order by id rows between 1 following and unbounded following) as b from a

-- RANGE n PRECEDING
select id, sum(id) over (order by v range between 1 preceding and 1 following) as a, count(*) over (order by v range between unbounded preceding and 1 preceding) as b from a

-- RANGE n PRECEDING, descending, with NULLs
select id, count(*) over (order by v desc nulls last range between 1 preceding and current row) as a, count(*) over (order by v nulls first range between current row and 2 following) as b from a

-- RANGE over decimals and doubles
select x, sum(x) over (order by m range between 1.5 preceding and current row) as a, count(*) over (order by y range between 0.5 preceding and 0.5 following) as b from g

-- RANGE INTERVAL over timestamps
select x, count(*) over (order by ts range between interval 1 day preceding and current row) as a, sum(x) over (order by ts range between interval 12 hours preceding and interval 12 hours following) as b from g

-- RANGE INTERVAL over dates
select x, count(*) over (order by d range between interval 1 month preceding and current row) as a from g

-- GROUPS
select id, sum(id) over (order by k groups between 1 preceding and current row) as a, count(*) over (order by k groups between 1 following and 2 following) as b from a

-- EXCLUDE
select id, sum(id) over (order by id rows between 2 preceding and 2 following exclude current row) as a, count(*) over (order by k rows between unbounded preceding and unbounded following exclude group) as b, count(*) over (order by k rows between unbounded preceding and unbounded following exclude ties) as c, count(*) over (order by k rows between 1 preceding and 1 following exclude no others) as d from a

-- named WINDOW
select id, sum(v) over w as a, row_number() over w as b from a window w as (partition by k order by id)

-- a named window extended
select id, sum(v) over (w order by id) as a, count(*) over (w order by id rows 1 preceding) as b from a window w as (partition by k)

-- QUALIFY
select id, k from a qualify row_number() over (partition by k order by id) = 1

-- QUALIFY by alias
select id, rank() over (order by k nulls first) as r from a qualify r <= 2

-- QUALIFY with GROUP BY
select k, count(*) as n from a group by k qualify rank() over (order by count(*) desc) = 1

-- window over an aggregate
select k, sum(sum(v)) over (order by k nulls last) as a, rank() over (order by count(*) desc) as b, sum(v) * 1.0 / sum(sum(v)) over () as c from a group by k

-- window in ORDER BY
-- ordered
select id from a order by row_number() over (order by s desc nulls last, id), id

-- window in an expression
select id, case when row_number() over (order by id) % 2 = 0 then 'even' else 'odd' end as x, v - avg(v) over () as y from a

-- FILTER
select id, count(*) filter (where v > 1) over (order by id) as a, sum(v) filter (where k = 1) over () as b from a

-- DISTINCT
select id, count(distinct k) over (order by id) as a, sum(distinct v) over (partition by k) as b from a

-- DISTINCT in a moving frame
select id, count(distinct v) over (order by id rows between 2 preceding and current row) as a from a

-- windows of windows through a derived table
select id, sum(r) over (order by id) as x from (select id, row_number() over (order by v, id) as r from a)

-- window in WHERE
-- error: SqlError
select id from a where row_number() over (order by id) = 1

-- a window in a window
-- error: SqlError
select sum(row_number() over (order by id)) over () as x from a

-- over no rows
select id, row_number() over (order by id) as r, sum(v) over () as s from e

-- several windows at once
select id, row_number() over (order by id) as a, row_number() over (order by id desc) as b, row_number() over (partition by s order by k, id) as c from a

-- the same window twice
select id, sum(v) over (order by id) as a, sum(v) over (order by id) + 1 as b from a

-- statistics
select id, stddev(v) over (order by id rows between 3 preceding and current row) as a, var_pop(v) over (partition by k) as b, median(v) over (order by id) as c from a

-- string_agg, array_agg
select id, string_agg(s, ',') over (order by id) as a, array_agg(v) over (order by id rows 1 preceding) as b from a

-- bool_and, bit_or, first, arg_max
select id, bool_and(v > 0) over (order by id) as a, bit_or(id) over (order by id) as b, first(v) over (order by id) as c, arg_max(s, v) over (order by id) as d from a

-- order by an expression, over a join
select a.id, b.id as b, row_number() over (order by a.v + b.w nulls last, a.id, b.id) as r from a join b on a.k = b.k

-- PARTITION BY an expression and NULL
select id, count(*) over (partition by k % 2) as a, count(*) over (partition by s is null) as b from a

-- with a LIMIT above
-- ordered
select id, sum(v) over () as x from a order by id limit 2

-- with DISTINCT above
select distinct k, count(*) over (partition by k) as n from a

-- with a filter of its partition above
select * from (select id, k, sum(v) over (partition by k) as s from a) where k = 1

-- with a filter of something else above
select * from (select id, k, sum(v) over (partition by k) as s from a) where id > 3
