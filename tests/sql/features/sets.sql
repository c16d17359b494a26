-- UNION
select k from a union select k from b

-- UNION ALL
select k from a union all select k from b union all select k from e

-- UNION of other types
select k from a union select y from g

-- UNION of decimals and integers
select m from g union all select k from a

-- UNION takes the names of the first
select k as first from a union all select w as second from b

-- UNION BY NAME
select k, v from a union by name select w, k from b

-- UNION ALL BY NAME
select k, v from a union all by name select w, k from b

-- INTERSECT
select k from a intersect select k from b

-- INTERSECT ALL
select k from a intersect all select k from b

-- EXCEPT
select k from a except select k from b

-- EXCEPT ALL
select k from a except all select k from b

-- EXCEPT ALL with more on the right
select k from b except all select k from a

-- EXCEPT of everything
select k, s from a except select k, s from a

-- INTERSECT binds more strongly
select k from a union all select k from b intersect select k from b where k > 1

-- parentheses
(select k from a except select k from b) union all (select k from b except select k from a)

-- NULLs and NaN are equal to themselves
select y from g intersect select y from g

-- several columns with NULLs
select k, s from a intersect select k, s from b

-- with empty sides
select k from e union select k from a except select k from e intersect select k from b

-- ORDER BY and LIMIT on top
-- ordered
select k from a union all select w from b order by 1 desc nulls last limit 3

-- ORDER BY by name on top
-- ordered
select k as x, s from a union select k, s from b order by x nulls first, s nulls first

-- ORDER BY in a branch
select k from (select k from a order by v, id limit 2) union all (select w from b order by w desc nulls last limit 1)

-- in a derived table with a filter above
select * from (select k, s from a union all select k, s from b) where k = 1 and s = 'x'

-- EXCEPT with a filter above
select * from (select k, s from a except select k, s from b) where k > 1

-- aggregates over a union
select k, count(*) as n from (select k from a union all select k from b) group by k

-- set operation in IN
select id from a where k in (select k from b intersect select x from g)

-- different numbers of columns
-- error: SqlError
select k, v from a union select k from b

-- UNION of a string and a number
select s from a union all select k from b

-- VALUES in a set operation
values (1), (2) union all select k from a
