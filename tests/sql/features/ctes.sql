-- WITH
with q as (select k, count(*) as n from a group by k) select * from q where n > 1

-- one after the other
with q as (select k from a), r as (select k + 1 as k from q) select * from r

-- used twice
with q as (select k, v from a where v is not null) select x.k, y.v from q x join q y on x.k = y.v

-- nested
with q as (with r as (select k from a) select k + 1 as k from r) select * from q

-- an inner name shadows an outer one
with q as (select 1 as x) select x, (with q as (select 2 as x) select x from q) as y from q

-- a name shadows a table
with a as (select k from b) select * from a

-- a name shadows a table, which it reads itself
with a as (select * from a where k = 1) select * from a

-- column names
with q(x, y) as (select k, v from a) select y, x from q

-- unused, even with a mistake at run time
with q as (select 1 / 0 as x) select count(*) as n from a

-- in a subquery, correlated
select id, (with q as (select w from b where b.k = a.k) select max(w) from q) as m from a

-- seen from inside subqueries
with q as (select k from b where w > 10) select id from a where k in (select k from q) or exists (select 1 from q where q.k = a.id)

-- MATERIALIZED
with q as materialized (select k from a) select x.k from q x join q y on x.k = y.k

-- NOT MATERIALIZED
with q as not materialized (select k from a) select x.k from q x join q y on x.k = y.k

-- over a set operation
with q as (select k from a union select k from b) select count(*) as n, count(k) as m from q

-- in a set operation's branch
select 1 as x union all (with q as (select 2 as x) select x from q)

-- RECURSIVE that is not recursive
with recursive q as (select k from a) select * from q

-- RECURSIVE
-- refused: WITH RECURSIVE
with recursive q as (select 1 as n union all select n + 1 from q where n < 5) select * from q

-- a graph walk with UNION
-- refused: WITH RECURSIVE
with recursive r as (select 1 as n union select b.k from r join b on b.id = r.n) select * from r
