-- DISTINCT
select distinct k, s from a

-- DISTINCT of doubles with NaN
select distinct y from g

-- DISTINCT ON
select distinct on (k) k, id from a order by k, id desc

-- DISTINCT ON an expression
select distinct on (k % 2) id from a order by k % 2, id

-- DISTINCT with ORDER BY and LIMIT
-- ordered
select distinct k from a order by k desc nulls first limit 2

-- ORDER BY: NULLs are last by default
-- ordered
select id, k from a order by k, id

-- ORDER BY DESC: NULLs are last too
-- ordered
select id, k from a order by k desc, id

-- ORDER BY NULLS FIRST
-- ordered
select id, k from a order by k nulls first, id desc

-- ORDER BY ordinal, alias and expression
-- ordered
select id, k * -1 as z from a order by 2 nulls first, id % 2, id

-- ORDER BY a column that is not selected
-- ordered
select s from a order by id desc

-- ORDER BY doubles: NaN is the largest
-- ordered
select x, y from g order by y desc, x

-- ORDER BY ALL
-- ordered
select k, s, id from a order by all

-- ORDER BY ALL DESC
-- ordered
select k, s, id from a order by all desc

-- ORDER BY an alias that hides a column
-- ordered
select id, -id as k from a order by k

-- ORDER BY in a derived table is no promise, but LIMIT takes its rows
select id from (select id from a order by id desc limit 3)

-- LIMIT and OFFSET
-- ordered
select id from a order by id limit 2 offset 1

-- OFFSET alone
-- ordered
select id from a order by id offset 4

-- LIMIT 0
select id from a limit 0

-- LIMIT beyond the end
-- ordered
select id from a order by id limit 100 offset 3

-- LIMIT of an expression
-- ordered
select id from a order by id limit 1 + 1

-- LIMIT NULL
-- ordered
select id from a order by id limit null

-- LIMIT percent
-- refused: percent
select id from a order by id limit 50%

-- FETCH FIRST
-- ordered
select id from a order by id fetch first 2 rows only

-- FETCH with OFFSET
-- ordered
select id from a order by id offset 1 fetch next 2 rows only

-- WITH TIES
-- error: PlaitError
select k from a order by k fetch first 2 rows with ties

-- * EXCLUDE
select * exclude (v, s) from a

-- * REPLACE
select * replace (v * 2 as v) from a

-- * RENAME
select * rename (v as w) from a

-- table.*
select b.*, a.id as other from a join b on a.k = b.k

-- table.* EXCLUDE
select a.* exclude (s), b.w from a join b on a.k = b.k

-- COLUMNS by a pattern
select columns('^[ks]$') from a

-- COLUMNS of a star
select columns(* exclude (s)) from a

-- COLUMNS in an expression
select min(columns('^[kv]$')) from a

-- COLUMNS with a lambda
-- refused: COLUMNS
select columns(c -> c like 'k%') from a

-- a lateral alias
select k + 1 as x, x * 2 as y, y + x as z from a

-- a lateral alias is second to a column
select v as k, k + 1 as x from a

-- an alias in WHERE
select k + 1 as x from a where x > 2

-- an alias in GROUP BY is second to a column
select k % 2 as k, count(*) as n from a group by k

-- FROM first
from a select k where k > 1

-- FROM alone
from a

-- FROM alone with a filter
from a where k = 1

-- TABLE
table a

-- SELECT without FROM
select 1 as x, 'a' as y, null as z

-- WHERE without FROM
select 1 as x where false

-- names of upper and lower case
select ID, "Id" as "Mixed Case", A.K from A

-- schema-qualified names
select main.a.id from main.a

-- CASE
select id, case when k = 1 then 'one' when k = 2 then 'two' else 'many' end as x, case k when 1 then 10 when 2 then 20 end as y from a

-- CASE of mixed types
select id, case when k = 1 then v when k = 2 then 2.5 end as x, case when k = 1 then 1 else 1e3 end as y from a

-- CASE keeps errors of other branches away
select id, case when k <> 0 then 10 // k else -1 end as x, case when s = 'x' then 0 else cast(id as tinyint) end as y from a

-- COALESCE, NULLIF, IFNULL
select coalesce(k, v, 0) as a, nullif(k, 2) as b, ifnull(s, '-') as c, coalesce(null, 'x') as d from a

-- COALESCE stops at the first value
select coalesce(1, cast('x' as int)) as a

-- IF
select if(k > 1, 'big', 'small') as a, if(k > 1, 1, 2) as b from a

-- BETWEEN
select id from a where v between 1 and 3 and not k between 2 and 9

-- IN a list
select id from a where k in (1, 3) or s in ('y', null)

-- NOT IN a list with NULL
select id from a where k not in (1, null)

-- IN a list of expressions
select id from a where v in (k, k + 1, 5)

-- IN a list of other types
select x from g where y in (1, 2.5) or m in (1, 2.50) or d in ('2024-02-29')

-- LIKE and ILIKE
select grp, grp like 'A%' as a, grp ilike 'A%' as b, grp not like '%b_' as c, grp like '' as d from g

-- LIKE with ESCAPE
select '10%' like '10!%' escape '!' as a, '10x' like '10!%' escape '!' as b, 'a_b' like 'a\_b' escape '\' as c

-- LIKE with odd patterns
select s like '%' as a, s like '_' as b, s like '%%x' as c, s like null as d, 'a.b' like 'a.b' as e, 'axb' like 'a.b' as f, 'a
b' like 'a%b' as g from a

-- SIMILAR TO is anchored
select s similar to 'x|y' as a, 'abc' similar to 'b' as b, 'abc' similar to 'a.c' as c, 'abc' not similar to 'abc' as d from a

-- ~ matches the whole text
select 'abc' ~ 'b' as a, 'abc' ~ 'a.*' as b, 'abc' !~ 'b' as c

-- GLOB
select 'abc' glob 'a*' as a, 'abc' glob 'A?c' as b, 'abc' glob '[a-b]bc' as c

-- regexp_matches searches
select regexp_matches('abc', 'b') as a, regexp_matches('abc', '^b') as b, regexp_full_match('abc', 'b') as c

-- IS DISTINCT FROM
select id, k is distinct from v as a, k is not distinct from null as b from a

-- IS TRUE, IS NOT FALSE, IS UNKNOWN
select ok is true as a, ok is not true as b, ok is false as c, ok is not false as d, (x > 2) is null as e from g

-- three-valued AND, OR, NOT
select x.b and y.b as a, x.b or y.b as o, not x.b as n from (values (true), (false), (null)) x(b), (values (true), (false), (null)) y(b)

-- comparisons with NULL
select id from a where k = null or k <> null

-- TRY_CAST
select try_cast(s as int) as a, try_cast('12' as tinyint) as b, try_cast('300' as tinyint) as c, try_cast('2024-02-30' as date) as d from a

-- CAST of a text that is no number
-- error: ConversionError
select cast(s as int) as x from a

-- CAST of a constant that is no number
-- error: PlaitError
select cast('alpha' as int) as x

-- TABLESAMPLE
-- refused: TABLESAMPLE
select * from a tablesample 100%

-- USING SAMPLE
-- refused: SAMPLE
select * from a using sample 2 rows

-- PIVOT
-- refused: PIVOT
pivot a on s using sum(v) group by k

-- UNPIVOT
-- refused: UNPIVOT
unpivot a on k, v into name n value x

-- UNNEST in SELECT
-- refused: UNNEST
select unnest([1, 2, 3]) as x

-- UNNEST in FROM
-- refused: UNNEST
select * from unnest([1, 2, 3]) as u(x)

-- range
select * from range(3) as r(i)

-- generate_series
select * from generate_series(2, 10, 3) as r(i)

-- range without rows
select * from range(5, 2) as r(i)

-- COLLATE
-- refused: COLLATE
select s from a order by s collate nocase

-- an unknown table
-- error: TableNotFoundError
select * from nowhere

-- an unknown column
-- error: ColumnNotFoundError
select nothing from a

-- a column of several tables
-- error: SqlError
select k from a join b on a.id = b.id

-- an unknown function
-- error: PlaitError
select frobnicate(k) from a

-- a mistake in the grammar
-- error: SqlSyntaxError
select k frm a where

-- comments
select /* one */ id -- two
from a where id = 1

-- a semicolon at the end
select id from a where id = 1;

-- quoted names
select "k" as "a b", id as "select" from a

-- strings with quotes
select 'it''s' as a, e'tab\there' as b, $$dollar 'quoted'$$ as c

-- conditions guard those beside them
select id from a where k <> 1 and 10 // (k - 1) > 3

-- a guard further to the right
select id from a where 10 // (k - 1) > 3 and k <> 1

-- a guard in OR
select id from a where k = 1 or 10 // (k - 1) > 3

-- a guard against texts that are no numbers
select s from (values ('1'), ('x'), ('30'), (null)) q(s) where regexp_full_match(s, '[0-9]+') and s::int > 2

-- a guard in a derived table
select y from (select 10 // (k - 1) as y from a where k <> 1) where y > 3

-- COALESCE guards what comes later
select coalesce(case when k = 1 then 0 end, 10 // (k - 1)) as y from a

-- ORDER BY a selected column that several tables have
-- ordered
select a.id, b.id as other, a.k from a join b on a.k = b.k order by k, id, other
