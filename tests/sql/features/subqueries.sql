-- derived table
select q.k, q.n from (select k, count(*) as n from a group by k) q where q.n > 1

-- derived tables in derived tables
select * from (select k + 1 as k from (select k from (select k, v from a where v > 1)))

-- uncorrelated scalar in SELECT
select id, (select max(w) from b) as m from a

-- a scalar of no rows is NULL
select id, (select v from e) as v, (select w from b where false) is null as n from a

-- uncorrelated scalar in WHERE
select id from a where v > (select avg(w) / 4 from b)

-- correlated scalar in SELECT
select id, (select max(w) from b where b.k = a.k) as m from a

-- the count bug
select id, (select count(*) from b where b.k = a.k) as n, (select count(w) from b where b.k = a.k and w > 15) as m from a

-- the count bug in WHERE
select id from a where (select count(*) from b where b.k = a.k) = 0

-- the count bug behind an expression
select id, 1 + (select coalesce(sum(w), -5) * 2 from b where b.k = a.k) as n from a

-- correlated scalar in WHERE
select id from a where v > (select avg(v) from a i where i.k = a.k)

-- correlated scalar in HAVING
select k, sum(v) as s from a group by k having sum(v) > (select avg(w) from b where b.k = a.k)

-- correlated scalar in ORDER BY
-- ordered
select id from a order by (select max(w) from b where b.k = a.k) desc nulls last, id

-- correlated scalar in CASE
select id, case when k is null then -1 when v > 1 then (select min(w) from b where b.k = a.k) else 0 end as c from a

-- correlated scalar in an aggregate's argument
select sum((select max(w) from b where b.k = a.k)) as s from a

-- correlated scalar over grouped columns
select k, (select count(*) from b where b.k = a.k) as n from a group by k

-- correlated by an aggregate of the outer query
select k, (select count(*) from b where b.w > sum(a.v)) as n from a group by k

-- correlated by an inequality
select id, (select count(*) from b where b.k < a.k) as n from a

-- correlated by an inequality of an expression
select id, (select sum(w) from b where b.w + a.id > 12) as n from a

-- correlated through two levels
select id, (select max(w) from b where b.k = a.k and exists (select 1 from g where g.x = b.id and g.x < a.id + 3)) as m from a

-- correlated two levels up only
select id from a where exists (select 1 from b where exists (select 1 from g where g.x = a.id))

-- a scalar in a correlated scalar
select id, (select (select count(*) from g where g.x = b.id) from b where b.id = a.id) as n from a

-- correlated with a join inside
select id, (select count(*) from b join g on b.id = g.x where b.k = a.k) as n from a

-- correlated inside a derived table
select id, (select max(q.w) from (select w, k from b where b.k = a.k) q) as m from a

-- correlated inside GROUP BY of the subquery
select id, (select max(n) from (select s, count(*) as n from b where b.k = a.k group by s)) as m from a

-- correlated inside HAVING of the subquery
select id from a where exists (select s from b group by s having count(*) > a.id - 3)

-- correlated select list without a WHERE
select id, (select a.v + max(w) from b) as m from a

-- correlated with DISTINCT
select id, (select count(distinct s) from b where b.k = a.k) as n from a

-- correlated set operation
select id from a where exists (select k from b where b.k = a.k union all select x from g where g.x = a.id)

-- correlated IN over a UNION
select id from a where k in (select k from b where b.id >= a.id union select x from g where g.x = a.v)

-- correlated with LIMIT
select id, (select w from b where b.k = a.k order by w desc limit 1) as w from a

-- correlated with LIMIT and OFFSET
select id, (select w from b where b.k = a.k order by w limit 1 offset 1) as w from a

-- correlated EXISTS with LIMIT
select id from a where exists (select 1 from b where b.k = a.k limit 1)

-- correlated IN with ORDER BY and LIMIT
select id from a where v in (select v from a i where i.k = a.k order by v limit 2)

-- correlated with a window function inside
select id, (select max(r) from (select row_number() over (order by w, id) as r from b where b.k = a.k)) as m from a

-- EXISTS
select id from a where exists (select * from b where b.k = a.k)

-- NOT EXISTS
select id from a where not exists (select * from b where b.k = a.k)

-- EXISTS uncorrelated
select id from a where exists (select 1 from b where w > 10) and not exists (select 1 from e)

-- EXISTS of an aggregate without groups is always true
select id from a where exists (select max(w) from b where b.k = a.k)

-- EXISTS with an inequality
select id from a where exists (select 1 from b where b.k = a.k and b.w > a.v)

-- NOT EXISTS with only an inequality
select id from a where not exists (select 1 from b where b.k > a.k)

-- EXISTS in SELECT
select id, exists (select 1 from b where b.k = a.k) as x, not exists (select 1 from e) as y from a

-- EXISTS under OR
select id from a where v > 3 or exists (select 1 from b where b.k = a.k)

-- EXISTS under NOT and OR
select id from a where not (k = 1 or exists (select 1 from b where b.k = a.k and b.s = a.s))

-- IN
select id from a where k in (select k from b)

-- NOT IN with NULLs in the subquery
select id from a where k not in (select k from b)

-- NOT IN without NULLs in the subquery
select id from a where k not in (select k from b where k is not null)

-- NOT IN of nothing
select id from a where k not in (select k from e)

-- NULL IN nothing
select id from a where (k in (select k from e)) is null

-- NOT IN correlated
select id from a where k not in (select k from b where b.s = a.s)

-- IN correlated
select id from a where v in (select id from b where b.k = a.k)

-- IN correlated by an inequality
select id from a where k in (select k from b where b.id > a.id)

-- IN in SELECT is three-valued
select id, k in (select k from b) as i, k not in (select k from b) as n, k in (select k from e) as e from a

-- IN in SELECT, correlated
select id, k in (select k from b where b.id > a.id) as i from a

-- IN in CASE
select id, case when k in (select k from b where k is not null) then 'in' else 'out' end as c from a

-- IN under OR
select id from a where id = 3 or k in (select k from b)

-- IN of an expression
select id from a where k + 1 in (select w / 10 from b)

-- IN with other types
select id from a where k in (select y from g)

-- two IN
select id from a where k in (select k from b) and s not in (select s from b where s is not null)

-- IN in HAVING
select k, count(*) as n from a group by k having k in (select k from b) or count(*) > 1

-- IN inside an aggregate's FILTER
select count(*) filter (where k in (select k from b)) as n from a

-- tuple IN
select id from a where (k, s) in (select k, s from b)

-- tuple NOT IN
select id from a where (k, s) not in (select k, s from b where s = 'x')

-- tuple NOT IN with NULLs
select id from a where (k, s) not in (select k, s from b)

-- tuple IN a list
select id from a where (k, s) in ((1, 'x'), (2, 'y'), (3, null))

-- tuple comparison
select id from a where (k, id) < (2, 4)

-- = ANY
select id from a where k = any (select k from b)

-- < ANY with NULLs
select id, k < any (select k from b) as x from a

-- > ALL
select id from a where v > all (select w / 10 from b where w is not null)

-- > ALL of nothing
select id from a where v > all (select v from e)

-- > ALL with NULLs
select id, v > all (select k from b) as x from a

-- <> ALL
select id from a where k <> all (select k from b where k is not null)

-- <> ANY
select id, k <> any (select k from b where k < 3) as x from a

-- = ALL
select id, k = all (select k from b where k = 1) as x from a

-- = ANY correlated
select id, k = any (select k from b where b.s = a.s) as x from a

-- > ALL correlated
select id, v > all (select w / 10 from b where b.k = a.k) as x from a

-- a scalar of more than one row
-- error: ScalarSubqueryError
select id, (select w from b) as w from a

-- a correlated scalar of more than one row
-- error: ScalarSubqueryError
select id, (select w from b where b.k = a.k) as w from a

-- scalar without FROM
select (select 1) as one, (select null) is null as n

-- correlated without FROM
select id, (select a.v + 1) as n, (select a.v where a.v > 1) as m from a

-- subquery in LIMIT
-- refused: LIMIT
select id from a order by id limit (select 2)

-- subquery in a function's argument
select id, coalesce((select max(w) from b where b.k = a.k), 0) + abs((select -1)) as m from a

-- subquery in BETWEEN
select id from a where v between (select min(k) from b) and (select max(k) from b)

-- subquery in IN's list
select id from a where k in ((select min(k) from b), (select max(k) from b), 7)

-- subquery as GROUP BY key
select (select max(w) from b where b.k = a.k) as m, count(*) as n from a group by m

-- subquery in a window's ORDER BY
select id, row_number() over (order by (select max(w) from b where b.k = a.k) nulls last, id) as r from a

-- VALUES
values (1, 'a'), (2, null)

-- VALUES as table
select x + 1 as x, y from (values (1, 'a'), (null, 'b')) v(x, y)

-- a subquery of one row of values
select id from a where k in (values (1), (3))

-- ARRAY subquery
-- refused: ARRAY
select array(select k from b order by k) as x
