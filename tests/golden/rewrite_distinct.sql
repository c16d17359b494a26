-- rules: rewrite_distinct
-- tables: small

select count(distinct a) as n, b from r group by b
=>
Project n, b
  Aggregate by [b] count(a) AS n
    Aggregate by [b, a]
      Scan r

select count(distinct a) as n from r
=>
Aggregate count(a) AS n
  Aggregate by [a]
    Scan r

select count(distinct a) as n, max(a) as m, sum(distinct a) as s from r
=>
Aggregate count(a) AS n, max(a) AS m, sum(a) AS s
  Aggregate by [a]
    Scan r

-- not beside others
select count(distinct a) as n, sum(c) as m from r
=>
Aggregate count(DISTINCT a) AS n, sum(c) AS m
  Scan r

select count(distinct a) as n, count(distinct c) as m from r
=>
Aggregate count(DISTINCT a) AS n, count(DISTINCT c) AS m
  Scan r

select count(distinct a) filter (where b = 1) as n from r
=>
Aggregate count(DISTINCT a) FILTER (WHERE (b = 1)) AS n
  Scan r

select count(distinct a + 1) as n, a from r group by a
=>
Project n, a
  Aggregate by [a] count(value) AS n
    Aggregate by [a, (a + 1) AS value]
      Scan r

-- DISTINCT keeps the order of rows where it is seen
select distinct a, b from r
=>
Distinct
  Project a, b
    Scan r

select count(*) as n from (select distinct a, b from r) q
=>
Aggregate count(*) AS n
  Aggregate by [a, b]
    Project a, b
      Scan r

select * from r where a in (select distinct d from s)
=>
Join semi on (a = d)
  Scan r
  Aggregate by [d]
    Project d
      Scan s

-- an order nobody sees
select sum(a) as n from (select a from r order by b) q
=>
Aggregate sum(a) AS n
  Project a
    Project a, b AS #order
      Scan r

select * from r join (select d, f from s order by f) q on a = d
=>
Join inner on (a = d)
  Scan r
  Project d, f
    Scan s

select list(a) as n from (select a from r order by a, b, c) q
=>
Aggregate array_agg(a) AS n
  Project a
    Sort by a, "#order", "#order#2"
      Project a, b AS #order, c AS #order#2
        Scan r
