-- rules: simplify_expressions
-- tables: small

select * from r where exists (select 1 from s where s.d = r.a)
=>
Join semi on (d = a)
  Scan r
  Scan s

select * from r where not exists (select 1 from s where s.d = r.a and s.e > r.b)
=>
Join anti on ((d = a) AND (e > b))
  Scan r
  Scan s

select * from r where a in (select d from s)
=>
Join semi on (a = d)
  Scan r
  Project d
    Scan s

select * from r where a not in (select d from s)
=>
Join anti on a IN-= d
  Scan r
  Project d
    Scan s

select * from r where a not in (select d from s where d is not null)
=>
Join anti on a IN-= d
  Scan r
  Project d
    Filter d IS NOT NULL
      Scan s

select * from r where a not in (select d from s where s.e = r.b)
=>
Join anti on a IN-= d AND (e = b)
  Scan r
  Project d, e
    Scan s

select * from r where a not in (select k from empty)
=>
Join anti on a IN-= k
  Scan r
  Project k
    Scan empty

select a, a in (select d from s where s.e = r.b) as m from r
=>
Project a, "in#1" AS m
  Join mark AS in#1 on a IN-= d AND (e = b)
    Scan r
    Project d, e
      Scan s

select a, exists (select 1 from s where s.e = r.b) as m from r
=>
Project a, "exists#1" AS m
  Join mark AS exists#1 on (e = b)
    Scan r
    Scan s

select a, not exists (select 1 from s where s.e < r.b) or a = 1 as m from r
=>
Project a, (NOT ("exists#1") OR (a = 1)) AS m
  Join mark AS exists#1 on (e < b)
    Scan r
    Scan s

select a, (select count(*) from s where s.d = r.a) as n from r
=>
Project a, coalesce("count_star()", 0) AS n
  Join left on (a = d)
    Scan r
    Aggregate by [d] count(*) AS count_star()
      Scan s

select a, (select count(*) + 1 from s where s.d = r.a) as n from r
=>
Project a, (coalesce("count(*)", 0) + 1) AS n
  Join left on (a = d)
    Scan r
    Project "count(*)", d
      Aggregate by [d] count(*) AS count(*)
        Scan s

select a, (select sum(f) from s where s.d = r.a) as n from r
=>
Project a, "sum(f)" AS n
  Join left on (a = d)
    Scan r
    Aggregate by [d] sum(f) AS sum(f)
      Scan s

select a, (select coalesce(sum(f), -1) from s where s.d = r.a) as n from r
=>
Project a, coalesce("sum(f)", -1) AS n
  Join left on (a = d)
    Scan r
    Project d, "sum(f)"
      Aggregate by [d] sum(f) AS sum(f)
        Scan s

select a, (select max(f) from s where s.d < r.a) as n from r
=>
Project a, "max(f)" AS n
  Join inner on (a IS NOT DISTINCT FROM "a#2")
    Scan r
    Project "max(f)", "a#2"
      Join left on ("a#2" IS NOT DISTINCT FROM "a#1")
        Project a AS a#2
          Aggregate by [a]
            Scan r
        Aggregate by ["a#1"] max(f) AS max(f)
          Filter (d < "a#1")
            Join cross
              Project a AS a#1
                Aggregate by [a]
                  Scan r
              Scan s

select a, (select count(*) from s where s.d < r.a) as n from r
=>
Project a, "count_star()" AS n
  Join inner on (a IS NOT DISTINCT FROM "a#2")
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "a#2"
      Join left on ("a#2" IS NOT DISTINCT FROM "a#1")
        Project a AS a#2
          Aggregate by [a]
            Scan r
        Aggregate by ["a#1"] count(*) AS count_star()
          Filter (d < "a#1")
            Join cross
              Project a AS a#1
                Aggregate by [a]
                  Scan r
              Scan s

select a, (select count(*) from s where s.d = r.a having count(*) > 1) as n from r
=>
Project a, "count_star()" AS n
  Join left on (a IS NOT DISTINCT FROM "a#2")
    Scan r
    Filter ("count_star()" > 1)
      Project coalesce("count_star()", 0) AS count_star(), "a#2"
        Join left on ("a#2" IS NOT DISTINCT FROM "a#1")
          Project a AS a#2
            Aggregate by [a]
              Scan r
          Aggregate by ["a#1"] count(*) AS count_star()
            Filter (d = "a#1")
              Join cross
                Project a AS a#1
                  Aggregate by [a]
                    Scan r
                Scan s

select a, (select max(f) + r.b from s where s.d = r.a) as n from r
=>
Project a, ("max(f)" + b) AS n
  Join left on (a = d)
    Scan r
    Project d, "max(f)"
      Aggregate by [d] max(f) AS max(f)
        Scan s

select a, (select r.b + 1) as n from r
=>
Project a, (b + 1) AS n
  Join cross
    Scan r
    Project 
      Values 1 rows of []

select * from r where c > (select avg(f) from s)
=>
Project a, b, c
  Filter (CAST(c AS DOUBLE) > "avg(f)")
    Join cross
      Scan r
      Aggregate avg(f) AS avg(f)
        Scan s

select * from r where c > (select avg(f) from s where s.d = r.a)
=>
Project a, b, c
  Filter (CAST(c AS DOUBLE) > "avg(f)")
    Join left on (a = d)
      Scan r
      Aggregate by [d] avg(f) AS avg(f)
        Scan s

select * from r where c = (select max(f) from s where s.d = r.a) or b is null
=>
Project a, b, c
  Filter ((c = "max(f)") OR b IS NULL)
    Join left on (a = d)
      Scan r
      Aggregate by [d] max(f) AS max(f)
        Scan s

select a, (select f from s where s.d = r.a order by f desc, e limit 1) as n from r
=>
Project a, f AS n
  Join left on (a = d)
    Scan r
    Project f, d
      Project f, "#order", d
        Filter ("row#1" <= 1)
          Window row_number() OVER (PARTITION BY d ORDER BY f DESC, "#order" ROWS UNBOUNDED PRECEDING TO UNBOUNDED FOLLOWING) AS row#1
            Project f, e AS #order, d
              Scan s

select a, (select f from s where s.d = r.a and s.e >= r.b order by f desc limit 1) as n from r
=>
Project a, f AS n
  Join left on ((a IS NOT DISTINCT FROM "a#1") AND (b IS NOT DISTINCT FROM "b#2"))
    Scan r
    Project f, "a#1", "b#2"
      Filter ("row#3" <= 1)
        Window row_number() OVER (PARTITION BY "a#1", "b#2" ORDER BY f DESC ROWS UNBOUNDED PRECEDING TO UNBOUNDED FOLLOWING) AS row#3
          Project f, "a#1", "b#2"
            Filter ((d = "a#1") AND (e >= "b#2"))
              Join cross
                Project a AS a#1, b AS b#2
                  Aggregate by [a, b]
                    Scan r
                Scan s

select a, (select sum(q.f) from (select f from s where s.d = r.a order by f limit 2) q) as n from r
=>
Project a, "sum(q.f)" AS n
  Join left on (a = d)
    Scan r
    Aggregate by [d] sum(f) AS sum(q.f)
      Project f, d
        Filter ("row#1" <= 2)
          Window row_number() OVER (PARTITION BY d ORDER BY f ROWS UNBOUNDED PRECEDING TO UNBOUNDED FOLLOWING) AS row#1
            Project f, d
              Scan s

select a, (select count(distinct f) from s where s.d = r.a) as n from r
=>
Project a, coalesce("count(DISTINCT f)", 0) AS n
  Join left on (a = d)
    Scan r
    Aggregate by [d] count(DISTINCT f) AS count(DISTINCT f)
      Scan s

select * from r where a in (select d from s where s.e = r.b union select x from t where t.y = r.b)
=>
Join semi on ((a = d) AND (b IS NOT DISTINCT FROM "b#1"))
  Scan r
  Distinct
    Union
      Project d, "b#2" AS b#1
        Project d, "b#2"
          Filter (e = "b#2")
            Join cross
              Project b AS b#2
                Aggregate by [b]
                  Scan r
              Scan s
      Project d, "b#3" AS b#1
        Project x AS d, "b#3"
          Filter (y = "b#3")
            Join cross
              Project b AS b#3
                Aggregate by [b]
                  Scan r
              Scan t

select * from r where a in (select d from s where s.e = r.b intersect select x from t)
=>
Join semi on ((a = d) AND (b = e))
  Scan r
  Join semi on (d IS NOT DISTINCT FROM "#right.d")
    Distinct
      Project d, e
        Scan s
    Project x AS #right.d
      Scan t

select * from r where a in (select d from s except select x from t where t.y = r.b)
=>
Join semi on ((a = d) AND (b IS NOT DISTINCT FROM "b#1"))
  Scan r
  Join anti on (("b#1" IS NOT DISTINCT FROM "b#2") AND (d IS NOT DISTINCT FROM "#right.d"))
    Join cross
      Project b AS b#1
        Aggregate by [b]
          Scan r
      Distinct
        Project d
          Scan s
    Project x AS #right.d, "b#2"
      Filter (y = "b#2")
        Join cross
          Project b AS b#2
            Aggregate by [b]
              Scan r
          Scan t

select * from r where exists (select 1 from s where s.d = r.a and exists (select 1 from t where t.x = s.d and t.y = r.b))
=>
Join semi on ((a IS NOT DISTINCT FROM "a#1") AND (b IS NOT DISTINCT FROM "b#2"))
  Scan r
  Join semi on ((("a#1" IS NOT DISTINCT FROM "a#3") AND ("b#2" IS NOT DISTINCT FROM "b#4")) AND (x = d))
    Filter (d = "a#1")
      Join cross
        Project a AS a#1, b AS b#2
          Aggregate by [a, b]
            Scan r
        Scan s
    Filter (y = "b#4")
      Join cross
        Project a AS a#3, b AS b#4
          Aggregate by [a, b]
            Scan r
        Scan t

select * from r where exists (select 1 from s where exists (select 1 from t where t.x = r.a and t.y = s.e))
=>
Join semi on (a IS NOT DISTINCT FROM "a#1")
  Scan r
  Join semi on (("a#1" IS NOT DISTINCT FROM "a#2") AND (y = e))
    Join cross
      Project a AS a#1
        Aggregate by [a]
          Scan r
      Scan s
    Filter (x = "a#2")
      Join cross
        Project a AS a#2
          Aggregate by [a]
            Scan r
        Scan t

select a, (select count(*) from s where s.d = r.a and s.f > (select avg(z) from t where t.y = r.b)) n from r
=>
Project a, "count_star()" AS n
  Join inner on ((a IS NOT DISTINCT FROM "a#7") AND (b IS NOT DISTINCT FROM "b#8"))
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "a#7", "b#8"
      Join left on (("a#7" IS NOT DISTINCT FROM "a#1") AND ("b#8" IS NOT DISTINCT FROM "b#2"))
        Project a AS a#7, b AS b#8
          Aggregate by [a, b]
            Scan r
        Aggregate by ["a#1", "b#2"] count(*) AS count_star()
          Project d, e, f, "a#1", "b#2"
            Filter (CAST(f AS DOUBLE) > "avg(z)")
              Join inner on (("a#1" IS NOT DISTINCT FROM "a#5") AND ("b#2" IS NOT DISTINCT FROM "b#6"))
                Filter (d = "a#1")
                  Join cross
                    Project a AS a#1, b AS b#2
                      Aggregate by [a, b]
                        Scan r
                    Scan s
                Project "avg(z)", "a#5", "b#6"
                  Join left on (("a#5" IS NOT DISTINCT FROM "a#3") AND ("b#6" IS NOT DISTINCT FROM "b#4"))
                    Project a AS a#5, b AS b#6
                      Aggregate by [a, b]
                        Scan r
                    Aggregate by ["a#3", "b#4"] avg(z) AS avg(z)
                      Filter (y = "b#4")
                        Join cross
                          Project a AS a#3, b AS b#4
                            Aggregate by [a, b]
                              Scan r
                          Scan t

select a, (select count(*) from s where s.d in (select x from t where t.y = r.b)) n from r
=>
Project a, "count_star()" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#3")
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "b#3"
      Join left on ("b#3" IS NOT DISTINCT FROM "b#1")
        Project b AS b#3
          Aggregate by [b]
            Scan r
        Aggregate by ["b#1"] count(*) AS count_star()
          Join semi on (("b#1" IS NOT DISTINCT FROM "b#2") AND (d = x))
            Join cross
              Project b AS b#1
                Aggregate by [b]
                  Scan r
              Scan s
            Project x, "b#2"
              Filter (y = "b#2")
                Join cross
                  Project b AS b#2
                    Aggregate by [b]
                      Scan r
                  Scan t

select * from r where a = any (select d from s)
=>
Join semi on (a = d)
  Scan r
  Project d
    Scan s

select * from r where a > any (select d from s where s.e = r.b)
=>
Project a, b, c
  Filter CASE WHEN (coalesce("rows#1", 0) = 0) THEN FALSE WHEN (a > "low#3") THEN TRUE WHEN (a IS NULL OR (coalesce("known#2", 0) < coalesce("rows#1", 0))) THEN NULL ELSE FALSE END
    Join left on (b = e)
      Scan r
      Aggregate by [e] count(*) AS rows#1, count(d) AS known#2, min(d) AS low#3, max(d) AS high#4
        Project d, e
          Scan s

select * from r where a >= all (select d from s where s.e = r.b)
=>
Project a, b, c
  Filter CASE WHEN (coalesce("rows#1", 0) = 0) THEN TRUE WHEN (a < "high#4") THEN FALSE WHEN (a IS NULL OR (coalesce("known#2", 0) < coalesce("rows#1", 0))) THEN NULL ELSE TRUE END
    Join left on (b = e)
      Scan r
      Aggregate by [e] count(*) AS rows#1, count(d) AS known#2, min(d) AS low#3, max(d) AS high#4
        Project d, e
          Scan s

select * from r where a <> all (select d from s where s.e = r.b)
=>
Join anti on a IN-= d AND (e = b)
  Scan r
  Project d, e
    Scan s

select * from r where a <> any (select d from s where s.e = r.b)
=>
Project a, b, c
  Filter CASE WHEN (coalesce("rows#1", 0) = 0) THEN FALSE WHEN ((a <> "low#3") OR (a <> "high#4")) THEN TRUE WHEN (a IS NULL OR (coalesce("known#2", 0) < coalesce("rows#1", 0))) THEN NULL ELSE FALSE END
    Join left on (b = e)
      Scan r
      Aggregate by [e] count(*) AS rows#1, count(d) AS known#2, min(d) AS low#3, max(d) AS high#4
        Project d, e
          Scan s

select * from r where a = all (select d from s where s.e = r.b)
=>
Project a, b, c
  Filter CASE WHEN (coalesce("rows#1", 0) = 0) THEN TRUE WHEN ((a <> "low#3") OR (a <> "high#4")) THEN FALSE WHEN (a IS NULL OR (coalesce("known#2", 0) < coalesce("rows#1", 0))) THEN NULL ELSE TRUE END
    Join left on (b = e)
      Scan r
      Aggregate by [e] count(*) AS rows#1, count(d) AS known#2, min(d) AS low#3, max(d) AS high#4
        Project d, e
          Scan s

select a, a < all (select d from s where s.e = r.b) m, a <= any (select d from s) q from r
=>
Project a, CASE WHEN (coalesce("rows#1", 0) = 0) THEN TRUE WHEN (a >= "low#3") THEN FALSE WHEN (a IS NULL OR (coalesce("known#2", 0) < coalesce("rows#1", 0))) THEN NULL ELSE TRUE END AS m, CASE WHEN ("rows#5" = 0) THEN FALSE WHEN (a <= "high#8") THEN TRUE WHEN (a IS NULL OR ("known#6" < "rows#5")) THEN NULL ELSE FALSE END AS q
  Join cross
    Join left on (b = e)
      Scan r
      Aggregate by [e] count(*) AS rows#1, count(d) AS known#2, min(d) AS low#3, max(d) AS high#4
        Project d, e
          Scan s
    Aggregate count(*) AS rows#5, count("s.d") AS known#6, min("s.d") AS low#7, max("s.d") AS high#8
      Project d AS s.d
        Scan s

select a, b > all (select k from empty) m, a <= any (select k from empty) q from r
=>
Project a, CASE WHEN ("rows#1" = 0) THEN TRUE WHEN (b <= "high#4") THEN FALSE WHEN (b IS NULL OR ("known#2" < "rows#1")) THEN NULL ELSE TRUE END AS m, CASE WHEN ("rows#5" = 0) THEN FALSE WHEN (a <= "high#8") THEN TRUE WHEN (a IS NULL OR ("known#6" < "rows#5")) THEN NULL ELSE FALSE END AS q
  Join cross
    Join cross
      Scan r
      Aggregate count(*) AS rows#1, count(k) AS known#2, min(k) AS low#3, max(k) AS high#4
        Project k
          Scan empty
    Aggregate count(*) AS rows#5, count("empty.k") AS known#6, min("empty.k") AS low#7, max("empty.k") AS high#8
      Project k AS empty.k
        Scan empty

select b, count(*) from r group by b having count(*) > (select count(*) from s where s.e = r.b)
=>
Project b, "count(*)" AS count_star()
  Project b, "count(*)"
    Filter ("count(*)" > coalesce("count_star()", 0))
      Join left on (b = e)
        Aggregate by [b] count(*) AS count(*)
          Scan r
        Aggregate by [e] count(*) AS count_star()
          Scan s

select b, sum((select max(f) from s where s.d = r.a)) from r group by b
=>
Aggregate by [b] sum("max(f)") AS sum((SELECT max(f) FROM s WHERE s.d = r.a))
  Join left on (a = d)
    Scan r
    Aggregate by [d] max(f) AS max(f)
      Scan s

select (select max(f) from s where s.d = r.a) m, count(*) from r group by m
=>
Aggregate by ["max(f)" AS m] count(*) AS count_star()
  Join left on (a = d)
    Scan r
    Aggregate by [d] max(f) AS max(f)
      Scan s

select * from r left join s on r.a = s.d and exists (select 1 from t where t.x = s.e)
=>
Project a, b, c, d, e, f
  Join left on ((a = d) AND "exists#1")
    Scan r
    Join mark AS exists#1 on (x = e)
      Scan s
      Scan t

select * from r left join s on r.a = s.d and exists (select 1 from t where t.x = r.b)
=>
Project a, b, c, d, e, f
  Join left on ((a = d) AND "exists#1")
    Join mark AS exists#1 on (x = b)
      Scan r
      Scan t
    Scan s

select * from r left join s on exists (select 1 from t where t.x = r.b and t.y = s.e)
=>
Project a, b, c, d, e, f
  Join left on (((a IS NOT DISTINCT FROM "a#1") AND (b IS NOT DISTINCT FROM "b#2")) AND (c IS NOT DISTINCT FROM "c#3"))
    Scan r
    Project a AS a#1, b AS b#2, c AS c#3, d, e, f
      Join semi on ((x = b) AND (y = e))
        Join cross
          Aggregate by [a, b, c]
            Scan r
          Scan s
        Scan t

select * from r right join s on exists (select 1 from t where t.x = r.b and t.y = s.e)
=>
Project a, b, c, d, e, f
  Project d, e, f, a, b, c
    Join left on (((d IS NOT DISTINCT FROM "d#1") AND (e IS NOT DISTINCT FROM "e#2")) AND (f IS NOT DISTINCT FROM "f#3"))
      Scan s
      Project d AS d#1, e AS e#2, f AS f#3, a, b, c
        Join semi on ((x = b) AND (y = e))
          Join cross
            Aggregate by [d, e, f]
              Scan s
            Scan r
          Scan t

select * from r join s on r.a = (select max(x) from t where t.y = s.e)
=>
Project a, b, c, d, e, f
  Filter (a = "max(x)")
    Join left on (e = y)
      Join cross
        Scan r
        Scan s
      Aggregate by [y] max(x) AS max(x)
        Scan t

select * from r order by (select max(f) from s where s.d = r.a), a, b, c
=>
Project a, b, c
  Sort by "#order", a, b, c
    Project a, b, c, "max(f)" AS #order
      Join left on (a = d)
        Scan r
        Aggregate by [d] max(f) AS max(f)
          Scan s

select a, sum(c) over (partition by (select max(f) from s where s.d = r.a)) w from r
=>
Project a, w
  Project a, b, c, w
    Window sum(c) OVER (PARTITION BY "max(f)") AS w
      Join left on (a = d)
        Scan r
        Aggregate by [d] max(f) AS max(f)
          Scan s

select a, (select x from t where t.y = r.b and t.z = r.c and t.x = 2 limit 1) w from r
=>
Project a, x AS w
  Join left on ((b = y) AND (c = z))
    Scan r
    Project x, y, z
      Project x, y, z
        Filter ("row#1" <= 1)
          Window row_number() OVER (PARTITION BY y, z) AS row#1
            Filter (x = 2)
              Scan t

select * from r where (a, b) in (select d, e from s)
=>
Join semi on ((a = d) AND (b = e))
  Scan r
  Project d, e
    Scan s

select * from r where (a, b) not in (select d, e from s where f > 2)
=>
Join anti on a IN-= d AND b IN-= e
  Scan r
  Project d, e
    Filter (f > 2)
      Scan s

select a from r where case when a > 2 then exists (select 1 from s where s.d = r.a) else b in (select y from t) end
=>
Project a
  Project a, b, c
    Filter CASE WHEN (a > 2) THEN "exists#1" ELSE "in#2" END
      Join mark AS in#2 on b IN-= y
        Join mark AS exists#1 on (d = a)
          Scan r
          Scan s
        Project y
          Scan t

select a from r where a in (select max(d) from s where s.e = r.b)
=>
Project a
  Project a, b, c
    Filter (a = "max(d)")
      Join left on (b = e)
        Scan r
        Aggregate by [e] max(d) AS max(d)
          Scan s

select a from r where a not in (select max(d) from s where s.e = r.b)
=>
Project a
  Project a, b, c
    Filter (a <> "max(d)")
      Join left on (b = e)
        Scan r
        Aggregate by [e] max(d) AS max(d)
          Scan s

select a from r where exists (select max(d) from s where s.e = r.b)
=>
Project a
  Scan r

select a from r where exists (select d from s where s.e = r.b limit 0)
=>
Project a
  Join semi on (b = e)
    Scan r
    Project d, e
      Project d, e, f
        Filter ("row#1" <= 0)
          Window row_number() OVER (PARTITION BY e) AS row#1
            Scan s

select a from r where exists (select d from s where s.e = r.b group by d having count(*) > 1)
=>
Project a
  Join semi on (b = e)
    Scan r
    Filter ("count(*)" > 1)
      Aggregate by [d, e] count(*) AS count(*)
        Scan s

select a, (select count(*) from (select distinct d from s where s.e = r.b) q) n from r
=>
Project a, coalesce("count_star()", 0) AS n
  Join left on (b = e)
    Scan r
    Aggregate by [e] count(*) AS count_star()
      Distinct
        Project d, e
          Scan s

select a, (select sum(w) from (select row_number() over (order by f) w from s where s.e = r.b) q) n from r
=>
Project a, "sum(w)" AS n
  Join left on (b = e)
    Scan r
    Aggregate by [e] sum(w) AS sum(w)
      Project w, e
        Window row_number() OVER (PARTITION BY e ORDER BY f) AS w
          Scan s

select a, (select sum(w) from (select sum(f) over (partition by d) w from s where s.e <= r.b) q) n from r
=>
Project a, "sum(w)" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#2")
    Scan r
    Project "sum(w)", "b#2"
      Join left on ("b#2" IS NOT DISTINCT FROM "b#1")
        Project b AS b#2
          Aggregate by [b]
            Scan r
        Aggregate by ["b#1"] sum(w) AS sum(w)
          Project w, "b#1"
            Window sum(f) OVER (PARTITION BY d, "b#1") AS w
              Filter (e <= "b#1")
                Join cross
                  Project b AS b#1
                    Aggregate by [b]
                      Scan r
                  Scan s

select a, (select max(s.f) from s left join t on s.d = t.x and t.y = r.b where s.e = r.b) n from r
=>
Project a, "max(s.f)" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#2")
    Scan r
    Project "max(s.f)", "b#2"
      Join left on ("b#2" IS NOT DISTINCT FROM "b#1")
        Project b AS b#2
          Aggregate by [b]
            Scan r
        Aggregate by ["b#1"] max(f) AS max(s.f)
          Filter (e = "b#1")
            Join left on ((d = x) AND (y = "b#1"))
              Join cross
                Project b AS b#1
                  Aggregate by [b]
                    Scan r
                Scan s
              Scan t

select a, (select count(t.z) from s left join t on s.d = t.x and t.y = r.b) n from r
=>
Project a, "count(t.z)" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#2")
    Scan r
    Project coalesce("count(t.z)", 0) AS count(t.z), "b#2"
      Join left on ("b#2" IS NOT DISTINCT FROM "b#1")
        Project b AS b#2
          Aggregate by [b]
            Scan r
        Aggregate by ["b#1"] count(z) AS count(t.z)
          Join left on ((d = x) AND (y = "b#1"))
            Join cross
              Project b AS b#1
                Aggregate by [b]
                  Scan r
              Scan s
            Scan t

select a, (select count(*) from s full join t on s.d = t.x and t.y = r.b) n from r
=>
Project a, "count_star()" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#4")
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "b#4"
      Join left on ("b#4" IS NOT DISTINCT FROM "b#3")
        Project b AS b#4
          Aggregate by [b]
            Scan r
        Aggregate by ["b#3"] count(*) AS count_star()
          Project d, e, f, x, y, z, coalesce("b#1", "b#2") AS b#3
            Join full on ((("b#1" IS NOT DISTINCT FROM "b#2") AND (d = x)) AND (y = "b#1"))
              Join cross
                Project b AS b#1
                  Aggregate by [b]
                    Scan r
                Scan s
              Join cross
                Project b AS b#2
                  Aggregate by [b]
                    Scan r
                Scan t

select a, (select count(*) from (select * from s where s.e = r.b) q full join (select * from t where t.y = r.b) p on q.d = p.x) n from r
=>
Project a, "count_star()" AS n
  Join inner on (b IS NOT DISTINCT FROM "b#4")
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "b#4"
      Join left on ("b#4" IS NOT DISTINCT FROM "b#3")
        Project b AS b#4
          Aggregate by [b]
            Scan r
        Aggregate by ["b#3"] count(*) AS count_star()
          Project d, e, f, x, y, z, coalesce("b#1", "b#2") AS b#3
            Join full on (("b#1" IS NOT DISTINCT FROM "b#2") AND (d = x))
              Filter (e = "b#1")
                Join cross
                  Project b AS b#1
                    Aggregate by [b]
                      Scan r
                  Scan s
              Filter (y = "b#2")
                Join cross
                  Project b AS b#2
                    Aggregate by [b]
                      Scan r
                  Scan t

select a, (select count(*) from (values (r.a), (r.b)) v(q) where q > 1) n from r
=>
Project a, "count_star()" AS n
  Join inner on ((a IS NOT DISTINCT FROM "a#7") AND (b IS NOT DISTINCT FROM "b#8"))
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "a#7", "b#8"
      Join left on (("a#7" IS NOT DISTINCT FROM "a#1") AND ("b#8" IS NOT DISTINCT FROM "b#2"))
        Project a AS a#7, b AS b#8
          Aggregate by [a, b]
            Scan r
        Aggregate by ["a#1", "b#2"] count(*) AS count_star()
          Filter (col0 > 1)
            Union
              Project col0, "a#3" AS a#1, "b#4" AS b#2
                Project "a#3" AS col0, "a#3", "b#4"
                  Join cross
                    Project a AS a#3, b AS b#4
                      Aggregate by [a, b]
                        Scan r
                    Values 1 rows of []
              Project col0, "a#5" AS a#1, "b#6" AS b#2
                Project "b#6" AS col0, "a#5", "b#6"
                  Join cross
                    Project a AS a#5, b AS b#6
                      Aggregate by [a, b]
                        Scan r
                    Values 1 rows of []

select a, (select max(q) from (select r.a q union all select r.b union all select d from s where s.e = r.c) p) n from r
=>
Project a, "max(q)" AS n
  Join inner on (((a IS NOT DISTINCT FROM "a#13") AND (b IS NOT DISTINCT FROM "b#14")) AND (c IS NOT DISTINCT FROM "c#15"))
    Scan r
    Project "max(q)", "a#13", "b#14", "c#15"
      Join left on ((("a#13" IS NOT DISTINCT FROM "a#1") AND ("b#14" IS NOT DISTINCT FROM "b#2")) AND ("c#15" IS NOT DISTINCT FROM "c#3"))
        Project a AS a#13, b AS b#14, c AS c#15
          Aggregate by [a, b, c]
            Scan r
        Aggregate by ["a#1", "b#2", "c#3"] max(q) AS max(q)
          Union
            Project q, "a#4" AS a#1, "b#5" AS b#2, "c#6" AS c#3
              Project "a#4" AS q, "a#4", "b#5", "c#6"
                Join cross
                  Project a AS a#4, b AS b#5, c AS c#6
                    Aggregate by [a, b, c]
                      Scan r
                  Values 1 rows of []
            Project q, "a#7" AS a#1, "b#8" AS b#2, "c#9" AS c#3
              Project "b#8" AS q, "a#7", "b#8", "c#9"
                Join cross
                  Project a AS a#7, b AS b#8, c AS c#9
                    Aggregate by [a, b, c]
                      Scan r
                  Values 1 rows of []
            Project q, "a#10" AS a#1, "b#11" AS b#2, "c#12" AS c#3
              Project d AS q, "a#10", "b#11", "c#12"
                Filter (e = "c#12")
                  Join cross
                    Project a AS a#10, b AS b#11, c AS c#12
                      Aggregate by [a, b, c]
                        Scan r
                    Scan s

select a, (select string_agg(d, ',' order by d) from s where s.e = r.b) n from r
=>
Project a, "string_agg(d, ',' ORDER BY d)" AS n
  Join left on (b = e)
    Scan r
    Aggregate by [e] string_agg(CAST(d AS VARCHAR), ',' ORDER BY d) AS string_agg(d, ',' ORDER BY d)
      Scan s

with q as (select d, sum(f) g from s group by d) select * from q, q q2 where q.d = q2.d and q.g = (select max(g) from q)
=>
Project "q.d" AS d, "q.g" AS g, "q2.d" AS d_1, "q2.g" AS g_1
  Project "q.d", "q.g", "q2.d", "q2.g"
    Filter ("q.g" = "max(g)")
      Join cross
        Filter ("q.d" = "q2.d")
          Join cross
            Project d AS q.d, g AS q.g
              Aggregate by [d] sum(f) AS g
                Scan s
            Project d AS q2.d, g AS q2.g
              Aggregate by [d] sum(f) AS g
                Scan s
        Aggregate max("q.g#2") AS max(g)
          Project d AS q.d#2, g AS q.g#2
            Aggregate by [d] sum(f) AS g
              Scan s

select r1.a, (select count(*) from r r2 where r2.b = r1.b and r2.c > r1.c) n from r r1
=>
Project a, "count_star()" AS n
  Join inner on ((b IS NOT DISTINCT FROM "b#3") AND (c IS NOT DISTINCT FROM "c#4"))
    Scan r
    Project coalesce("count_star()", 0) AS count_star(), "b#3", "c#4"
      Join left on (("b#3" IS NOT DISTINCT FROM "b#1") AND ("c#4" IS NOT DISTINCT FROM "c#2"))
        Project b AS b#3, c AS c#4
          Aggregate by [b, c]
            Scan r
        Aggregate by ["b#1", "c#2"] count(*) AS count_star()
          Filter (("r2.b" = "b#1") AND ("r2.c" > "c#2"))
            Join cross
              Project b AS b#1, c AS c#2
                Aggregate by [b, c]
                  Scan r
              Project a AS r2.a, b AS r2.b, c AS r2.c
                Scan r

select * from r where a = (select d from s where s.f = r.c and s.e = 2 and s.d = 1 limit 1)
=>
Project a, b, c
  Filter (a = d)
    Join left on (c = f)
      Scan r
      Project d, f
        Project d, e, f
          Filter ("row#1" <= 1)
            Window row_number() OVER (PARTITION BY f) AS row#1
              Filter ((e = 2) AND (d = 1))
                Scan s

select * from r where exists (select 1 from s) and not exists (select 1 from empty)
=>
Join anti
  Join semi
    Scan r
    Limit 1
      Scan s
  Limit 1
    Scan empty

select a, exists (select 1 from empty) e, (select k from empty) k from r
=>
Project a, "exists#1" AS e, "empty.k" AS k
  Join single
    Join mark AS exists#1
      Scan r
      Limit 1
        Scan empty
    Project k AS empty.k
      Scan empty

select a, (select v from empty where k = r.a) v, (select count(*) from empty where k = r.a) n from r
=>
Project a, v, coalesce("count_star()", 0) AS n
  Join left on (a = "empty.k")
    Join single on (k = a)
      Scan r
      Project v, k
        Scan empty
    Aggregate by ["empty.k"] count(*) AS count_star()
      Project k AS empty.k, v AS empty.v
        Scan empty

select * from r where 3 > (select count(*) from s where s.d = r.a)
=>
Project a, b, c
  Filter (coalesce("count_star()", 0) < 3)
    Join left on (a = d)
      Scan r
      Aggregate by [d] count(*) AS count_star()
        Scan s

select * from r where (select count(*) from s where s.d = r.a) = 0
=>
Project a, b, c
  Filter (coalesce("count_star()", 0) = 0)
    Join left on (a = d)
      Scan r
      Aggregate by [d] count(*) AS count_star()
        Scan s

select a, (select count(*) from s where s.d = r.a and s.e = r.b) * 2 + (select count(*) from t where t.x = r.a) from r
=>
Project a, ((coalesce("count_star()", 0) * 2) + coalesce("count(*)", 0)) AS (((SELECT count(*) FROM s WHERE s.d = r.a AND s.e = r.b) * 2) + (SELECT count(*) FROM t WHERE t.x = r.a))
  Join left on (a = x)
    Join left on ((a = d) AND (b = e))
      Scan r
      Aggregate by [d, e] count(*) AS count_star()
        Scan s
    Aggregate by [x] count(*) AS count(*)
      Scan t

-- LATERAL: the first rows for each outer row
select a, q.e from r left join lateral (select e from s where d = a order by e limit 2) q on true
=>
Project a, e
  Project a, b, c, e
    Join left on (a = d)
      Scan r
      Project e, d
        Filter ("row#1" <= 2)
          Window row_number() OVER (PARTITION BY d ORDER BY e ROWS UNBOUNDED PRECEDING TO UNBOUNDED FOLLOWING) AS row#1
            Project e, d
              Scan s

-- LATERAL with a row for every outer row
select a, q.n from r, lateral (select count(*) as n from s where d = a) q
=>
Project a, n
  Project a, b, c, coalesce(n, 0) AS n
    Join left on (a = d)
      Scan r
      Aggregate by [d] count(*) AS n
        Scan s
