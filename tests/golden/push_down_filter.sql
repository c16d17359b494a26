-- rules: simplify_expressions, push_down_filter
-- tables: small

-- below a projection
select * from (select a + 1 as x, b from r) q where x = 2 and b = 1
=>
Project (a + 1) AS x, b
  Filter (((a + 1) = 2) AND (b = 1))
    Scan r where (b = 1)

-- below a grouping
select * from (select a, count(*) as n from r group by a) q where a = 2 and n > 1
=>
Filter (n > 1)
  Aggregate by [a] count(*) AS n
    Filter (a = 2)
      Scan r where (a = 2)

-- not into a group of everything
select * from (select count(*) as n from r) q where n > 1
=>
Filter (n > 1)
  Aggregate count(*) AS n
    Scan r

-- below a window that partitions by it
select * from (select a, b, sum(c) over (partition by a) as w from r) q where a = 2 and b = 1
=>
Project a, b, w
  Filter (b = 1)
    Window sum(c) OVER (PARTITION BY a) AS w
      Filter (a = 2)
        Scan r where (a = 2)

select * from (select a, b, row_number() over (partition by a, b order by c) as w from r) q where b = 2 and w = 1
=>
Project a, b, w
  Filter (w = 1)
    Window row_number() OVER (PARTITION BY a, b ORDER BY c) AS w
      Filter (b = 2)
        Scan r where (b = 2)

-- below DISTINCT
select * from (select distinct a, b from r) q where a = 2
=>
Distinct
  Project a, b
    Filter (a = 2)
      Scan r where (a = 2)

-- below DISTINCT ON, its own columns only
select * from (select distinct on (a) a, b from r order by a, b, c) q where a = 2
=>
Project a, b
  Sort by a, b, "#order"
    Distinct on [a]
      Sort by a, b, "#order"
        Project a, b, c AS #order
          Filter (a = 2)
            Scan r where (a = 2)

-- into every branch of a UNION
select * from (select a, b from r union all select d, e from s union all select x, y from t) q where a = 2
=>
Union
  Project a, b
    Filter (a = 2)
      Scan r where (a = 2)
  Project d AS a, e AS b
    Scan s where (d = 2)
  Project x AS a, y AS b
    Filter (x = 2)
      Scan t

select * from (select a, b from r except select d, e from s) q where a = 2
=>
Join anti on ((a IS NOT DISTINCT FROM "#right.a") AND (b IS NOT DISTINCT FROM "#right.b"))
  Distinct
    Project a, b
      Filter (a = 2)
        Scan r where (a = 2)
  Project d AS #right.a, e AS #right.b
    Scan s where (d = 2)

-- past an ORDER BY
select * from (select a, b from r order by a) q where a = 2
=>
Sort by a
  Project a, b
    Filter (a = 2)
      Scan r where (a = 2)

-- not past a LIMIT
select * from (select a, b from r order by c, a, b limit 7) q where a = 2
=>
Project a, b
  Filter (a = 2)
    Limit 7
      Sort by "#order", a, b
        Project a, b, c AS #order
          Scan r

-- into an inner join
select * from r, s where a = d and b = 1 and e = 2 and c < f
=>
Join inner on ((a = d) AND (c < f))
  Filter (b = 1)
    Scan r where (b = 1)
  Scan s where (e = 2)

select * from r join s on a = d and b = 1 and e = 2
=>
Join inner on (a = d)
  Filter (b = 1)
    Scan r where (b = 1)
  Scan s where (e = 2)

-- beside a left join
select * from r left join s on a = d where b = 1 and (e = 2 or e is null)
=>
Filter ((e = 2) OR e IS NULL)
  Join left on (a = d)
    Filter (b = 1)
      Scan r where (b = 1)
    Scan s

-- its ON, for the right side
select * from r left join s on a = d and e = 2 and b = 1
=>
Join left on ((a = d) AND (b = 1))
  Scan r
  Scan s where (e = 2)

-- with the left key, the right one
select * from r left join s on a = d where a = 2
=>
Join left on (a = d)
  Filter (a = 2)
    Scan r where (a = 2)
  Scan s where (d = 2)

select * from r right join s on a = d and b = 1 and e = 2 where f = 2
=>
Join right on ((a = d) AND (e = 2))
  Filter (b = 1)
    Scan r where (b = 1)
  Scan s where (f = 2)

select * from r right join s on a = d where d = 2
=>
Join right on (a = d)
  Filter (a = 2)
    Scan r where (a = 2)
  Scan s where (d = 2)

-- nothing into a full join
select * from r full join s on a = d and b = 1 where b = 2 or b is null
=>
Filter ((b = 2) OR b IS NULL)
  Join full on ((a = d) AND (b = 1))
    Scan r
    Scan s

select * from r where exists (select 1 from s where d = a and e = 2) and a = 3
=>
Join semi on (d = a)
  Filter (a = 3)
    Scan r where (a = 3)
  Scan s where (e = 2)

select * from r where not exists (select 1 from s where d = a and e = 2 and b = 1) and a = 3
=>
Join anti on ((d = a) AND (b = 1))
  Filter (a = 3)
    Scan r where (a = 3)
  Scan s where (e = 2)

select * from r where a not in (select d from s where e = 2) and a = 3
=>
Join anti on a IN-= d
  Filter (a = 3)
    Scan r where (a = 3)
  Project d
    Scan s where (e = 2)

select * from (select a, a in (select d from s) as m from r) q where a = 3 and m
=>
Project a, "in#1" AS m
  Filter "in#1"
    Join mark AS in#1 on a IN-= d
      Filter (a = 3)
        Scan r where (a = 3)
      Project d
        Scan s

-- volatile conditions stay
select a from (select a, random() as p from r) q where p >= 0 and a = 1
=>
Project a
  Filter (p >= 0.0)
    Project a, random() AS p
      Filter (a = 1)
        Scan r where (a = 1)
