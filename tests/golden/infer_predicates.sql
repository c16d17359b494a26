-- rules: simplify_expressions, infer_predicates, push_down_filter
-- tables: small

select * from r, s where a = d and a = 2
=>
Join inner on (a = d)
  Filter (a = 2)
    Scan r where (a = 2)
  Scan s where (d = 2)

select * from r, s, t where a = d and d = x and x > 2
=>
Join inner on (d = x)
  Join inner on (a = d)
    Filter (a > 2)
      Scan r where (a > 2)
    Scan s where (d > 2)
  Filter (x > 2)
    Scan t

select * from r, s where a = d and a in (1, 2)
=>
Join inner on (a = d)
  Filter a IN (1, 2)
    Scan r where a IN (1, 2)
  Scan s where d IN (1, 2)

select * from r, s where a = d and a = e
=>
Join inner on ((a = d) AND (a = e))
  Scan r
  Filter (d = e)
    Scan s

select * from r, s where a = d and b = d
=>
Join inner on ((a = d) AND (b = d))
  Filter (a = b)
    Scan r
  Scan s

select * from r, s where a = d and ((b = 1 and e = 2) or (b = 2 and e = 1))
=>
Join inner on ((a = d) AND (((b = 1) AND (e = 2)) OR ((b = 2) AND (e = 1))))
  Filter b IN (1, 2)
    Scan r where b IN (1, 2)
  Scan s where e IN (2, 1)

select * from r, s where (a = d and b = 1 and e = 2) or (a = d and b = 2 and f > 3)
=>
Join inner on ((a = d) AND (((b = 1) AND (e = 2)) OR ((b = 2) AND (f > 3))))
  Filter b IN (1, 2)
    Scan r where b IN (1, 2)
  Filter ((e = 2) OR (f > 3))
    Scan s

-- not of outer joins
select * from r left join s on a = d where a = 2
=>
Join left on (a = d)
  Filter (a = 2)
    Scan r where (a = 2)
  Scan s where (d = 2)

select * from (select a as k, b from r) q, s where k = d and k = 2
=>
Project a AS k, b, d, e, f
  Join inner on (a = d)
    Project a, b
      Filter (a = 2)
        Scan r where (a = 2)
    Scan s where (d = 2)

-- not functions: they may tell equal values apart
select * from r, s where a = d and a + 1 = 2
=>
Join inner on (a = d)
  Filter ((a + 1) = 2)
    Scan r
  Scan s
