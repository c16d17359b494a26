-- rules: all
-- tables: small

select * from r where coalesce(a = 1, false) and not (b = 2 or c > 4)
=>
Filter (((a = 1) AND (b <> 2)) AND (c <= 4))
  Scan r where (((a = 1) AND (b <> 2)) AND (c <= 4))

select * from r where (a = 1 and b = 2) or (a = 1 and c = 3) or (a = 1 and b = 1)
=>
Filter ((a = 1) AND (b IN (2, 1) OR (c = 3)))
  Scan r where (a = 1)

select count(*) from r, s where r.a = s.d and ((r.b = 1 and s.e = 2) or (r.b = 2 and s.e = 1))
=>
Aggregate count(*) AS count_star()
  Join inner on ((a = d) AND (((b = 1) AND (e = 2)) OR ((b = 2) AND (e = 1))))
    Filter b IN (1, 2)
      Scan r columns=[a, b] where b IN (1, 2)
    Scan s columns=[d, e] where e IN (2, 1)

select * from r left join s on r.a = s.d where s.e = 2
=>
Join inner on (a = d)
  Scan r
  Scan s where (e = 2)

select * from r full join s on r.a = s.d where s.e = 2
=>
Join right on (a = d)
  Scan r
  Scan s where (e = 2)

select * from r full join s on r.a = s.d where r.b = 2
=>
Join left on (a = d)
  Filter (b = 2)
    Scan r where (b = 2)
  Scan s

select * from r full join s on r.a = s.d where r.b = 2 and s.e = 1
=>
Join inner on (a = d)
  Filter (b = 2)
    Scan r where (b = 2)
  Scan s where (e = 1)

select r.a, t.z from r left join s on r.a = s.d left join t on s.e = t.y where t.z > 1
=>
Project a, z
  Join inner on (a = d)
    Scan r columns=[a]
    Join inner on (e = y)
      Scan s columns=[d, e]
      Filter (z > 1)
        Scan t columns=[y, z]

select a from r left join (select distinct d from s) q on r.a = q.d
=>
Scan r columns=[a]

select count(*) from r
=>
Values 1 rows of [count_star()]

select count(*), min(a) from r
=>
Aggregate count(*) AS count_star(), min(a) AS min(a)
  Scan r columns=[a]

select count(*) from (select * from r limit 3) q
=>
Values 1 rows of [count_star()]

select count(distinct a) n, b from r group by b
=>
Project n, b
  Aggregate by [b] count(a) AS n
    Aggregate by [b, a]
      Scan r columns=[a, b]

select count(distinct a) n, max(a) from r
=>
Aggregate count(a) AS n, max(a) AS max(a)
  Aggregate by [a]
    Scan r columns=[a]

select distinct a, b from r
=>
Distinct
  Scan r columns=[a, b]

select * from (select distinct a, b from r) q where a = 1
=>
Distinct
  Filter (a = 1)
    Scan r columns=[a, b] where (a = 1)

select * from r, s, t where r.a = s.d and s.e = t.y and r.b = t.x
=>
Join inner on ((a = d) AND (b = x))
  Scan r
  Join inner on (e = y)
    Scan s
    Scan t

select * from r, s, t where r.a = s.d and s.d = t.x and t.x = 3
=>
Join inner on (a = d)
  Filter (a = 3)
    Scan r where (a = 3)
  Join inner on (d = x)
    Scan s where (d = 3)
    Filter (x = 3)
      Scan t

select * from r, s, t where r.a = s.d and s.d + r.b = t.x
=>
Join inner on ((d + b) = x)
  Join inner on (a = d)
    Scan r
    Scan s
  Scan t

select * from r cross join s where r.a + s.d = 3
=>
Join inner on ((a + d) = 3)
  Scan r
  Scan s

select * from r where false
=>
Values 0 rows of [a, b, c]

select * from r join (select * from s where 1 = 0) q on r.a = q.d
=>
Values 0 rows of [a, b, c, d, e, f]

select * from r left join (select * from s where 1 = 0) q on r.a = q.d
=>
Project a, b, c, NULL AS d, NULL AS e, NULL AS f
  Scan r

select a, sum(b) from r where null group by a
=>
Values 0 rows of [a, sum(b)]

select * from r where a in (1, 2, null)
=>
Filter a IN (1, 2, NULL)
  Scan r where a IN (1, 2, NULL)

select * from r where a not in (1, 2, null)
=>
Filter NOT (a IN (1, 2, NULL))
  Scan r

select * from (select a, b, sum(c) over (partition by a) w from r) q where a = 2 and w > 3
=>
Project a, b, w
  Filter (w > 3)
    Window sum(c) OVER (PARTITION BY a) AS w
      Filter (a = 2)
        Scan r where (a = 2)

select * from (select a, row_number() over (partition by a, b order by c) w, b from r) q where b = 2 and w = 1
=>
Project a, w, b
  Filter (w = 1)
    Window row_number() OVER (PARTITION BY a, b ORDER BY c) AS w
      Filter (b = 2)
        Scan r where (b = 2)

select * from (select a, b from r union all select d, e from s) q where a = 2
=>
Union
  Filter (a = 2)
    Scan r columns=[a, b] where (a = 2)
  Project d AS a, e AS b
    Scan s columns=[d, e] where (d = 2)

select * from (select a, b from r order by c, a, b limit 7) q where a > 1
=>
Project a, b
  Filter (a > 1)
    Sort by "#order", a, b first 7
      Project a, b, c AS #order
        Scan r

select * from (select a, count(*) n from r group by a) q where a = 2 and n > 1
=>
Filter (n > 1)
  Aggregate by [a] count(*) AS n
    Filter (a = 2)
      Scan r columns=[a] where (a = 2)
