-- rules: fold_constants, simplify_expressions
-- tables: small

-- NOT moves to the comparisons
select * from r where not (a < b)
=>
Filter (a >= b)
  Scan r

select * from r where not (a = 1 and b > 2)
=>
Filter ((a <> 1) OR (b <= 2))
  Scan r

select * from r where not (a = 1 or b is null)
=>
Filter ((a <> 1) AND b IS NOT NULL)
  Scan r

select * from r where not not a = 1
=>
Filter (a = 1)
  Scan r

select a, not (a is not distinct from b) as x from r
=>
Project a, (a IS DISTINCT FROM b) AS x
  Scan r

-- the constant goes to the right
select * from r where 2 < a
=>
Filter (a > 2)
  Scan r

-- what only turns NULL into false is nothing in a filter
select * from r where coalesce(a = 1, false)
=>
Filter (a = 1)
  Scan r

-- but something in a value
select a, coalesce(a = 1, false) as x from r
=>
Project a, coalesce((a = 1), FALSE) AS x
  Scan r

select * from r where not coalesce(a = 1, true)
=>
Filter (a <> 1)
  Scan r

select * from r where not coalesce(a = 1, false)
=>
Filter coalesce((a <> 1), TRUE)
  Scan r

select * from r where coalesce(a = 1, false) and not coalesce(b = 2 or c > 4, false)
=>
Filter ((a = 1) AND coalesce(((b <> 2) AND (c <= 4)), TRUE))
  Scan r

select * from r where case when a = 1 then true else false end
=>
Filter (a = 1)
  Scan r

-- absorption
select * from r where a = 1 or (a = 1 and b = 2)
=>
Filter (a = 1)
  Scan r

select * from r where a = 1 and (a = 1 or b = 2)
=>
Filter (a = 1)
  Scan r

-- what all branches share stands before the OR
select * from r where (a = 1 and b = 2) or (a = 1 and c = 3) or (b = 1 and a = 1)
=>
Filter ((a = 1) AND (b IN (2, 1) OR (c = 3)))
  Scan r

select * from r, s where (a = d and b = 1 and e = 2) or (a = d and b = 2 and e = 1)
=>
Filter ((a = d) AND (((b = 1) AND (e = 2)) OR ((b = 2) AND (e = 1))))
  Join cross
    Scan r
    Scan s

select * from r where (a = 1 and b = 2) or (c = 1 and b = 3)
=>
Filter (((a = 1) AND (b = 2)) OR ((c = 1) AND (b = 3)))
  Scan r

-- equalities make a list
select * from r where a = 1 or a = 2 or b = 0 or a in (3, 1)
=>
Filter (a IN (1, 2, 3) OR (b = 0))
  Scan r

select * from r where a in (1)
=>
Filter (a = 1)
  Scan r

select * from r where a in (1, 2, 1)
=>
Filter a IN (1, 2)
  Scan r

select * from r where a in (1, null)
=>
Filter a IN (1, NULL)
  Scan r

select * from r where a = 1 or true
=>
Filter TRUE
  Scan r

select * from r where a = 1 and false
=>
Filter FALSE
  Scan r

select * from r where a = 1 or false
=>
Filter (a = 1)
  Scan r

select * from r where null
=>
Filter FALSE
  Scan r

select * from r where a = null
=>
Filter FALSE
  Scan r

select a, a = null as x from r
=>
Project a, NULL AS x
  Scan r

select * from r where a is distinct from null
=>
Filter a IS NOT NULL
  Scan r

select * from r where coalesce(null, a, 3, b) = 3
=>
Filter (coalesce(a, 3) = 3)
  Scan r

-- casts that keep every value
select * from r where cast(a as bigint) > 2
=>
Filter (a > 2)
  Scan r

select * from r where cast(a as double) < 2.5
=>
Filter (a <= 2)
  Scan r

select * from r where cast(a as double) >= 2.5
=>
Filter (a > 2)
  Scan r

select * from r where cast(a as decimal(12, 2)) = 2.00
=>
Filter (a = 2)
  Scan r

select * from r where cast(a as decimal(12, 2)) = 2.50
=>
Filter (CAST(a AS DECIMAL(12,2)) = 2.50)
  Scan r

select * from r where cast(a as bigint) in (1, 2)
=>
Filter a IN (1, 2)
  Scan r

select * from r where cast(cast(a as bigint) as double) = 3
=>
Filter (a = 3)
  Scan r

select * from r where cast(a as bigint) = 5000000000
=>
Filter (CAST(a AS BIGINT) = 5000000000)
  Scan r

select * from r where case when false then a = 1 when b = 2 then a = 2 else true end
=>
Filter CASE WHEN (b = 2) THEN (a = 2) ELSE TRUE END
  Scan r

select case when true then a else b end as x from r
=>
Project a AS x
  Scan r

select sum(a) filter (where coalesce(b > 1, false)) as x from r
=>
Aggregate sum(a) FILTER (WHERE (b > 1)) AS x
  Scan r

select * from r where a between 1 and 3 and b not between 1 and 2
=>
Filter (((a >= 1) AND (a <= 3)) AND ((b < 1) OR (b > 2)))
  Scan r
