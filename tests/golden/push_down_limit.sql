-- rules: push_down_limit
-- tables: small

select * from r order by a, b, c limit 3
=>
Sort by a, b, c first 3
  Scan r

select * from r order by a, b, c limit 3 offset 2
=>
Limit 3 offset 2
  Sort by a, b, c first 5
    Scan r

select a + 1 as x from r order by a, b, c limit 3
=>
Project x
  Sort by "#order", "#order#2", "#order#3" first 3
    Project (a + 1) AS x, a AS #order, b AS #order#2, c AS #order#3
      Scan r

select * from (select * from r order by a, b, c limit 5) q limit 3
=>
Sort by a, b, c first 3
  Scan r

select * from (select * from r order by a, b, c limit 5 offset 1) q limit 3 offset 2
=>
Limit 3 offset 3
  Sort by a, b, c first 6
    Scan r

select count(*) as n from (select a from r union all select d from s limit 4) q
=>
Aggregate count(*) AS n
  Limit 4
    Union
      Project a
        Limit 4
          Scan r
      Project d AS a
        Limit 4
          Scan s

select count(*) as n from (select a from r left join s on a = d limit 4) q
=>
Aggregate count(*) AS n
  Project a
    Limit 4
      Join left on (a = d)
        Limit 4
          Scan r
        Scan s

select count(*) as n from (select a from r where a = 1 limit 2) q
=>
Aggregate count(*) AS n
  Project a
    Limit 2
      Filter (a = 1)
        Scan r

select count(*) as n from (select a, b in (select e from s) as m from r limit 2) q
=>
Aggregate count(*) AS n
  Project a, "in#1" AS m
    Join mark AS in#1 on b IN-= e
      Limit 2
        Scan r
      Project e
        Scan s

select * from r order by a limit 0
=>
Sort by a first 0
  Scan r
