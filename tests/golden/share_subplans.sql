-- rules: all
-- tables: tpch

with q as (select l_suppkey as k, sum(l_quantity) as n from lineitem group by l_suppkey) select count(*) as m from q where n = (select max(n) from q)
=>
Aggregate count(*) AS m
  Join inner on ("q.n" = "max(n)")
    Project n AS q.n
      Aggregate by [l_suppkey] sum(l_quantity) AS n
        Scan lineitem columns=[l_suppkey, l_quantity]
    Aggregate max("q.n#2") AS max(n)
      Project n AS q.n#2
        Aggregate by [l_suppkey] sum(l_quantity) AS n
          Scan lineitem columns=[l_suppkey, l_quantity]

with q as (select o_custkey as k, count(*) as n from orders group by o_custkey) select a.n, count(*) as m from q a, q b where a.n = b.n and a.k < 3 group by a.n
=>
Project "a.n" AS n, m
  Aggregate by ["a.n"] count(*) AS m
    Join inner on ("b.n" = "a.n")
      Project n AS b.n
        Aggregate by [o_custkey] count(*) AS n
          Scan orders columns=[o_custkey]
      Project n AS a.n
        Aggregate by [o_custkey] count(*) AS n
          Filter (o_custkey < 3)
            Scan orders columns=[o_custkey] where (o_custkey < 3)

select (select count(*) from orders, customer where o_custkey = c_custkey and c_nationkey = 1) as n, (select max(o_totalprice) from orders, customer where o_custkey = c_custkey and c_nationkey = 1) as m
=>
Project "count_star()" AS n, "max(o_totalprice)" AS m
  Join cross
    Aggregate count(*) AS count_star()
      Join inner on (o_custkey = c_custkey)
        Scan orders columns=[o_custkey, o_totalprice]
        Filter (c_nationkey = 1)
          Scan customer columns=[c_custkey, c_nationkey] where (c_nationkey = 1)
    Aggregate max("orders.o_totalprice") AS max(o_totalprice)
      Project o_totalprice AS orders.o_totalprice
        Join inner on (o_custkey = c_custkey)
          Scan orders columns=[o_custkey, o_totalprice]
          Filter (c_nationkey = 1)
            Scan customer columns=[c_custkey, c_nationkey] where (c_nationkey = 1)

-- small work is done again
with q as (select s_nationkey as k, count(*) as n from supplier group by s_nationkey) select count(*) as m from q where n = (select max(n) from q)
=>
Aggregate count(*) AS m
  Join inner on ("q.n" = "max(n)")
    Project n AS q.n
      Aggregate by [s_nationkey] count(*) AS n
        Scan supplier columns=[s_nationkey]
    Aggregate max("q.n#2") AS max(n)
      Project n AS q.n#2
        Aggregate by [s_nationkey] count(*) AS n
          Scan supplier columns=[s_nationkey]
