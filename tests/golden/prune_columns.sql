-- rules: push_down_filter, prune_columns
-- tables: small

select a from r
=>
Scan r columns=[a]

select count(*) as n from r where b = 1
=>
Aggregate count(*) AS n
  Filter (b = 1)
    Scan r columns=[b] where (b = 1)

select count(*) as n from r, s
=>
Aggregate count(*) AS n
  Join cross
    Scan r columns=[]
    Scan s columns=[]

select a from (select a, b + 1 as x, c * 2 as y from r) q
=>
Scan r columns=[a]

select n from (select a, count(*) as n, sum(b) as s from r group by a) q
=>
Project n
  Aggregate by [a] count(*) AS n
    Scan r columns=[a]

select count(*) as n from (select a, count(*) as n from r group by a) q
=>
Project "count(*)" AS n
  Aggregate count(*) AS count(*)
    Aggregate by [a]
      Scan r columns=[a]

select count(*) as n from (select count(*) as n from r) q
=>
Project "count(*)" AS n
  Aggregate count(*) AS count(*)
    Values 1 rows of []

select a from (select a, sum(b) over (partition by a) as x, row_number() over (order by c, a, b) as y from r) q
=>
Scan r columns=[a]

select y from (select a, sum(b) over (partition by a) as x, row_number() over (order by c, a, b) as y from r) q
=>
Project y
  Window row_number() OVER (ORDER BY c, a, b) AS y
    Scan r

select a from r order by b, a
=>
Project a
  Sort by "#order", a
    Project a, b AS #order
      Scan r columns=[a, b]

select a from (select a, b from r union all select d, e from s) q
=>
Union
  Scan r columns=[a]
  Project d AS a
    Scan s columns=[d]

select count(*) as n from (select a, b from r union all select d, e from s) q
=>
Aggregate count(*) AS n
  Union
    Scan r columns=[a]
    Project d AS a
      Scan s columns=[d]

select a from (select distinct a, b from r) q
=>
Project a
  Distinct
    Scan r columns=[a, b]

select a from (select a, b from r intersect select d, e from s) q
=>
Project a
  Join semi on ((a IS NOT DISTINCT FROM "#right.a") AND (b IS NOT DISTINCT FROM "#right.b"))
    Distinct
      Scan r columns=[a, b]
    Project d AS #right.a, e AS #right.b
      Scan s columns=[d, e]

-- a join that can neither add nor remove rows
select a from r left join (select d, max(e) as m from s group by d) q on a = d
=>
Scan r columns=[a]

-- but not this one
select a from r left join s on a = d
=>
Project a
  Join left on (a = d)
    Scan r columns=[a]
    Scan s columns=[d]

-- nobody asks for the mark
select a from (select a, b in (select e from s) as m from r) q
=>
Scan r columns=[a]

select r.a from r, (values (1, 2), (3, 4)) v(k, l) where a = k
=>
Project a
  Join inner on (a = col0)
    Scan r columns=[a]
    Values 2 rows of [col0]
