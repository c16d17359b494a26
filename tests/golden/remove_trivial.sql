-- rules: fold_constants, simplify_expressions, push_down_filter, remove_trivial
-- tables: small

select * from r where 1 = 1
=>
Scan r

select * from r where 1 = 2
=>
Values 0 rows of [a, b, c]

select a, sum(b) as n from r where false group by a
=>
Values 0 rows of [a, n]

select sum(b) as n from r where false
=>
Aggregate sum(b) AS n
  Values 0 rows of [a, b, c]

select * from r join (select * from s where false) q on a = d
=>
Values 0 rows of [a, b, c, d, e, f]

select * from r left join (select * from s where false) q on a = d
=>
Project a, b, c, NULL AS d, NULL AS e, NULL AS f
  Scan r

select * from (select * from r where false) q right join s on a = d
=>
Project NULL AS a, NULL AS b, NULL AS c, d, e, f
  Scan s

select * from (select * from r where false) q full join s on a = d
=>
Project NULL AS a, NULL AS b, NULL AS c, d, e, f
  Scan s

select * from r where a in (select d from s where false)
=>
Values 0 rows of [a, b, c]

select * from r where a not in (select d from s where false)
=>
Scan r

select a, exists (select 1 from s where false) as m from r
=>
Project a, FALSE AS m
  Scan r

select a from r union all select d from s where false
=>
Project a
  Scan r

select a from (select a, b from r where false order by a limit 3) q
=>
Values 0 rows of [a]

select * from (select * from r where a = 1) q where b = 2
=>
Filter ((a = 1) AND (b = 2))
  Scan r where ((a = 1) AND (b = 2))

select * from r limit 0
=>
Values 0 rows of [a, b, c]
