-- rules: push_down_filter, metadata_aggregates
-- tables: small

select count(*) as n from r
=>
Values 1 rows of [n]

select count(*) as n from r where a = 1
=>
Aggregate count(*) AS n
  Filter (a = 1)
    Scan r where (a = 1)

select count(*) as n, min(a) as m from r
=>
Aggregate count(*) AS n, min(a) AS m
  Scan r

select count(a) as n from r
=>
Aggregate count(a) AS n
  Scan r

select count(*) as n from (select a from r union all select d from s) q
=>
Values 1 rows of [n]

select count(*) as n from r, s
=>
Values 1 rows of [n]

select count(*) as n from (select a from r limit 3) q
=>
Values 1 rows of [n]

select count(*) as n from (select a from r limit 3 offset 24) q
=>
Values 1 rows of [n]

select count(*) as n from (select a, sum(b) over () as x from r order by a) q
=>
Values 1 rows of [n]

select count(*) as n, b from r group by b
=>
Project n, b
  Aggregate by [b] count(*) AS n
    Scan r

select count(*) + 1 as n from empty
=>
Project ("count(*)" + 1) AS n
  Values 1 rows of [count(*)]
