-- ALL over a set operation
select id from a where k >= all ((select 1) union (select k from b where k < 3))

-- constants over no rows do not raise
select case when id < 0 then cast('x' as varchar)::int else id end as x from a where id > 0

-- a constant with a pattern or a format that is a constant too
select round(2.345, 2) as a, strptime('29/02/2024 13:05', '%d/%m/%Y %H:%M') as b, time_bucket(interval 1 day, timestamp '2024-02-29 10:00') as c, reverse('%') like '%' || dayname(date '2000-01-01') as d from a

-- lists of NULL
select [null] as a, [null, null] as b, [] as c, [k, null] as d, len([null]) as n from a

-- whole weeks between dates
select date_diff('week', date '2024-01-07', date '2024-01-08') as a, date_diff('week', d, date '2024-12-31') as b from g

-- a column of a subquery that only aggregates constants
select s, count(*) as n from (select 'x' as s from a) group by s

-- a limited derived table with an offset, joined
select a.id, q.w from a join (select id, w from b order by id limit 2 offset 1) q on a.id = q.id

-- an OFFSET in a scalar subquery
select id, (select w from b order by id offset 4) as w from a

-- doubles that are zero of either sign as keys
select x.z, y.z as w from (values (0.0::double), (1.0::double)) x(z) full join (values (-0.0::double), ('nan'::double)) y(z) on x.z = y.z

-- a guard in a join's condition
select a.id, b.id as other from a join b on a.k = b.k and (a.k = 1 or 10 // (a.k - 1) > 3)
