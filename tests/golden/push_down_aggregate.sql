-- rules: simplify_expressions, infer_predicates, push_down_filter, order_joins, push_down_aggregate
-- tables: tpch

-- the right side of a left join
select c_custkey, count(o_orderkey) as n, max(o_orderdate) as m from customer left join orders on c_custkey = o_custkey group by c_custkey
=>
Project c_custkey, "part#1" AS n, "part#2" AS m
  Aggregate by [c_custkey] count_merge("part#1") AS part#1, max("part#2") AS part#2
    Join left on (c_custkey = o_custkey)
      Scan customer
      Aggregate by [o_custkey] count(o_orderkey) AS part#1, max(o_orderdate) AS part#2
        Scan orders

-- not if rows without a match count
select c_custkey, count(*) as n from customer left join orders on c_custkey = o_custkey group by c_custkey
=>
Aggregate by [c_custkey] count(*) AS n
  Join left on (c_custkey = o_custkey)
    Scan customer
    Scan orders

-- nor if NULL counts
select c_custkey, sum(coalesce(o_shippriority, 1)) as n from customer left join orders on c_custkey = o_custkey group by c_custkey
=>
Aggregate by [c_custkey] sum(coalesce(o_shippriority, 1)) AS n
  Join left on (c_custkey = o_custkey)
    Scan customer
    Scan orders

-- an inner join, with the columns that it and the groups read
select s_nationkey, l_returnflag, count(*) as n, avg(l_quantity) as q from lineitem join supplier on l_suppkey = s_suppkey group by s_nationkey, l_returnflag
=>
Project s_nationkey, l_returnflag, "part#1" AS n, mean_of("part#2", "part#3") AS q
  Aggregate by [s_nationkey, l_returnflag] count_merge("part#1") AS part#1, sum("part#2") AS part#2, count_merge("part#3") AS part#3
    Join inner on (l_suppkey = s_suppkey)
      Aggregate by [l_suppkey, l_returnflag] count(*) AS part#1, sum(l_quantity) AS part#2, count(l_quantity) AS part#3
        Scan lineitem
      Scan supplier

-- through a projection
select k, sum(v) as n from (select s_nationkey as k, l_quantity * 1.5 as v from lineitem join supplier on l_suppkey = s_suppkey) q group by k
=>
Project s_nationkey AS k, n
  Project s_nationkey, "part#1" AS n
    Aggregate by [s_nationkey] sum("part#1") AS part#1
      Join inner on (l_suppkey = s_suppkey)
        Aggregate by [l_suppkey] sum((l_quantity * 1.5)) AS part#1
          Scan lineitem
        Scan supplier

-- into one row
select sum(l_quantity) as n from lineitem join supplier on l_suppkey = s_suppkey
=>
Project "part#1" AS n
  Aggregate sum("part#1") AS part#1
    Join inner on (l_suppkey = s_suppkey)
      Aggregate by [l_suppkey] sum(l_quantity) AS part#1
        Scan lineitem
      Scan supplier

-- not if the join leaves few rows anyway
select o_orderdate, sum(l_quantity) as n from lineitem join orders on l_orderkey = o_orderkey where o_orderkey < 100 group by o_orderdate
=>
Aggregate by [o_orderdate] sum(l_quantity) AS n
  Join inner on (l_orderkey = o_orderkey)
    Filter (l_orderkey < 100)
      Scan lineitem where (l_orderkey < 100)
    Filter (o_orderkey < 100)
      Scan orders where (o_orderkey < 100)

-- not if groups are no fewer than rows
select o_orderdate, sum(l_quantity) as n from lineitem join orders on l_orderkey = o_orderkey group by o_orderdate
=>
Aggregate by [o_orderdate] sum(l_quantity) AS n
  Join inner on (l_orderkey = o_orderkey)
    Scan lineitem
    Scan orders

-- not with columns of both sides
select s_nationkey, sum(l_quantity * s_acctbal) as n from lineitem join supplier on l_suppkey = s_suppkey group by s_nationkey
=>
Aggregate by [s_nationkey] sum((l_quantity * s_acctbal)) AS n
  Join inner on (l_suppkey = s_suppkey)
    Scan lineitem
    Scan supplier

-- not what sees all rows of a group
select s_nationkey, count(distinct l_quantity) as n from lineitem join supplier on l_suppkey = s_suppkey group by s_nationkey
=>
Aggregate by [s_nationkey] count(DISTINCT l_quantity) AS n
  Join inner on (l_suppkey = s_suppkey)
    Scan lineitem
    Scan supplier

-- not what may raise: the join may drop the row that does
select s_nationkey, sum(l_partkey // l_linenumber) as n from lineitem join supplier on l_suppkey = s_suppkey group by s_nationkey
=>
Aggregate by [s_nationkey] sum((l_partkey // CAST(l_linenumber AS BIGINT))) AS n
  Join inner on (l_suppkey = s_suppkey)
    Scan lineitem
    Scan supplier
