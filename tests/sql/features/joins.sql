-- INNER JOIN ON
select a.id, b.id as b from a join b on a.k = b.k

-- LEFT JOIN
select a.id, b.id as b from a left join b on a.k = b.k

-- RIGHT JOIN
select a.id, b.id as b from a right join b on a.k = b.k

-- FULL OUTER JOIN
select a.id, b.id as b from a full outer join b on a.k = b.k

-- outer joins with an empty side
select a.id, e.id as e, f.v from a left join e on a.k = e.k full join e f on f.id = a.id

-- an empty side that is kept
select e.id, a.id as a from e left join a on true

-- a condition that is never true keeps all rows of outer joins
select a.id, b.id as b from a full join b on a.k = b.k and 1 = 2

-- JOIN USING has one merged column
select * from a full join b using (k)

-- USING over several columns
select * from a left join b using (k, s)

-- the merged column of FULL JOIN USING is usable everywhere
select k, count(*) as n from a full join b using (k) where k is null or k > 1 group by k having k is distinct from 9

-- qualified columns of USING stay what they were
select k, a.k as ak, b.k as bk from a full join b using (k)

-- RIGHT JOIN USING shows the right side's column
select k, w, v from a right join b using (k)

-- three tables in one USING chain
select k, a.id, b.id as b, c.id as c from a full join b using (k) full join a c using (k)

-- NATURAL JOIN
select * from (select k, v from a) natural join (select k, w from b)

-- NATURAL FULL JOIN
select * from (select k, v from a) natural full join (select k, w from b)

-- CROSS JOIN
select a.id, b.id as b from a cross join b

-- comma join
select a.id, b.id as b from a, b where a.k = b.k and a.id < b.id

-- comma join beside a JOIN
select a.id, b.id as b, g.x from a, b join g on b.id = g.x where a.k = b.k

-- SEMI JOIN
select * from a semi join b on a.k = b.k

-- ANTI JOIN
select * from a anti join b on a.k = b.k

-- SEMI JOIN USING
select * from a semi join b using (k)

-- ANTI JOIN with an inequality
select * from a anti join b on a.k < b.k

-- an inequality alone
select a.id, b.id as b from a join b on a.k < b.k

-- LEFT JOIN on an inequality alone
select a.id, b.id as b from a left join b on a.k > b.k

-- FULL JOIN with a residual condition
select a.id, b.id as b from a full join b on a.k = b.k and a.id < b.id

-- LEFT JOIN with a residual condition
select a.id, b.id as b from a left join b on a.k = b.k and a.v > b.w

-- BETWEEN in ON
select a.id, g.x from a join g on a.id between g.x - 1 and g.x + 1

-- OR in ON
select a.id, b.id as b from a join b on a.k = b.k or a.s = b.s

-- OR in ON of a LEFT JOIN
select a.id, b.id as b from a left join b on a.k = b.k or a.id = b.id

-- keys that are expressions of both sides
select a.id, b.id as b from a join b on a.k + 1 = b.k * 2 - 1

-- keys of different types
select a.id, g.y from a join g on a.k = g.y

-- a condition on one side only
select a.id, b.id as b from a left join b on b.w > 10

-- a condition on the kept side only
select a.id, b.id as b from a left join b on a.k = b.k and a.v > 10

-- IS NOT DISTINCT FROM in ON
select a.id, b.id as b from a join b on a.k is not distinct from b.k

-- IS NOT DISTINCT FROM in ON of a FULL JOIN
select a.id, b.id as b from a full join b on a.k is not distinct from b.k and a.s = b.s

-- NULL keys never match
select x.id, y.id as y from a x join a y on x.k = y.k

-- self join with aliases
select x.id, y.id as y from a x left join a y on x.id = y.v

-- joins of joins in parentheses
select a.id, q.id as q, q.x from a left join (b join g on b.id = g.x) q(id, k, w, s, grp, x, y, d, ts, m, ok) on a.id = q.id

-- a nested join without an alias
select a.id, b.w, g.x from a left join (b join g on b.id = g.x) on a.id = b.id

-- ON with a subquery
select a.id, b.id as b from a join b on a.k = b.k and b.w > (select min(w) from b)

-- ON with IN a subquery
select a.id, b.id as b from a left join b on a.k = b.k and b.w in (select w from b where w > 10)

-- ON TRUE
select count(*) as n from a join b on true

-- join of a table with itself through views of it
with r as (select k, count(*) as n from a group by k) select x.k, x.n, y.n as m from r x join r y on x.k = y.k

-- duplicate names of both sides
select * from a join b on a.id = b.id

-- table aliases with column names
select p, q, r, t from a as z(p, q, r, t) where q > 1

-- values joined
select a.id, z.name from a join (values (1, 'one'), (2, 'two'), (2, 'zwei')) as z(k, name) on a.k = z.k

-- an outer join below an aggregate
select a.k, count(b.id) as n, sum(b.w) as w from a left join b on a.k = b.k group by a.k

-- a filter over an outer join that keeps its NULLs
select a.id, b.w from a left join b on a.k = b.k where b.w is null or b.w > 10

-- a filter over an outer join that drops its NULLs
select a.id, b.w from a full join b on a.k = b.k where b.w > 10

-- COALESCE over an outer join
select a.id, coalesce(b.w, -1) as w from a left join b on a.k = b.k where coalesce(b.w, -1) < 20

-- ASOF JOIN
-- refused: ASOF
select a.id, b.id as b from a asof join b on a.k >= b.k

-- LATERAL with a correlated subquery
select a.id, q.n from a, lateral (select count(*) as n from b where b.k = a.k) q

-- LEFT JOIN LATERAL
select a.id, q.w from a left join lateral (select w from b where b.k = a.k order by w limit 1) q on true

-- the first rows for each row, without the word LATERAL
select a.id, q.w from a, (select w from b where b.k = a.k order by w desc limit 2) q

-- RIGHT JOIN LATERAL
-- refused: RIGHT JOIN
select a.id, q.w from a right join lateral (select w from b where b.k = a.k) q on true

-- POSITIONAL JOIN
-- refused: POSITIONAL
select * from a positional join b
