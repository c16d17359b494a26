-- rules: simplify_joins, push_down_filter
-- tables: small

select * from r left join s on a = d where e = 2
=>
Join inner on (a = d)
  Scan r
  Scan s where (e = 2)

select * from r left join s on a = d where e = 2 or f = 3
=>
Filter ((e = 2) OR (f = 3))
  Join left on (a = d)
    Scan r
    Scan s

-- not if NULL can pass
select * from r left join s on a = d where e = 2 or a = 3
=>
Filter ((e = 2) OR (a = 3))
  Join left on (a = d)
    Scan r
    Scan s

select * from r left join s on a = d where e is null
=>
Filter e IS NULL
  Join left on (a = d)
    Scan r
    Scan s

select * from r left join s on a = d where coalesce(e, 0) = 0
=>
Filter (coalesce(e, 0) = 0)
  Join left on (a = d)
    Scan r
    Scan s

select * from r right join s on a = d where b = 2
=>
Join inner on (a = d)
  Filter (b = 2)
    Scan r where (b = 2)
  Scan s

select * from r full join s on a = d where b = 2
=>
Join left on (a = d)
  Filter (b = 2)
    Scan r where (b = 2)
  Scan s

select * from r full join s on a = d where e = 2
=>
Join right on (a = d)
  Scan r
  Scan s where (e = 2)

select * from r full join s on a = d where b = 2 and e = 1
=>
Join inner on (a = d)
  Filter (b = 2)
    Scan r where (b = 2)
  Scan s where (e = 1)

select * from r left join s on a = d left join t on e = y where z > 1
=>
Join inner on (e = y)
  Join inner on (a = d)
    Scan r
    Scan s
  Filter (z > 1)
    Scan t

select * from r left join s on a = d join t on e = y
=>
Join inner on (e = y)
  Join inner on (a = d)
    Scan r
    Scan s
  Scan t

-- an ON rejects for the side it only matches
select * from t left join (select * from r left join s on a = d) q on q.e = y
=>
Join left on (e = y)
  Scan t
  Join inner on (a = d)
    Scan r
    Scan s

select * from r left join s on a = d where exists (select 1 from t where x = e)
=>
Join semi on (x = e)
  Join inner on (a = d)
    Scan r
    Scan s
  Scan t

select sum(q.e) as x from (select d, e from r left join s on a = d) q where e > 0
=>
Aggregate sum(e) AS x
  Project d, e
    Join inner on (a = d)
      Scan r
      Scan s where (e > 0)

select * from (select e, count(*) as n from r left join s on a = d group by e) q where e = 1
=>
Aggregate by [e] count(*) AS n
  Join inner on (a = d)
    Scan r
    Scan s where (e = 1)

-- a subquery of one row for each key
select a, (select max(f) from s where d = a) as m from r where (select max(f) from s where d = a) > 2
=>
Project a, "max(f)" AS m
  Join left on (a = d)
    Project a, b, c
      Join inner on (a = "s.d")
        Scan r
        Filter ("max("s.f")" > 2)
          Aggregate by ["s.d"] max("s.f") AS max("s.f")
            Project d AS s.d, e AS s.e, f AS s.f
              Scan s
    Aggregate by [d] max(f) AS max(f)
      Scan s
