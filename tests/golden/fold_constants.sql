-- rules: fold_constants
-- tables: small

select a + (1 + 2) * 3 as x from r
=>
Project (a + 9) AS x
  Scan r

select * from r where a < 1 + 1
=>
Filter (a < 2)
  Scan r

select upper('abc') || 'd' as x, a from r
=>
Project 'ABCd' AS x, a
  Scan r

-- not what raises
select a from r where a = 1 or cast('x' as int) is null limit 0
=>
Limit 0
  Project a
    Filter ((a = 1) OR CAST('x' AS INTEGER) IS NULL)
      Scan r

select * from r where a in (1 + 1, 2 * 2)
=>
Filter ((a = 2) OR (a = 4))
  Scan r

select case when 1 > 2 then a else b end as x from r
=>
Project CASE WHEN FALSE THEN a ELSE b END AS x
  Scan r

select sum(a + (2 - 1)) as x, b from r group by b
=>
Project x, b
  Aggregate by [b] sum((a + 1)) AS x
    Scan r
