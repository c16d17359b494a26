-- rules: simplify_expressions, simplify_joins, infer_predicates, push_down_filter, push_down_semi_join
-- tables: tpch

-- onto the relation that it filters
select count(*) as n from lineitem, orders where l_orderkey = o_orderkey and o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 300)
=>
Aggregate count(*) AS n
  Join inner on (l_orderkey = o_orderkey)
    Scan lineitem
    Join semi on (o_orderkey = "lineitem.l_orderkey")
      Scan orders
      Project "lineitem.l_orderkey"
        Filter ("sum("lineitem.l_quantity")" > 300)
          Aggregate by ["lineitem.l_orderkey"] sum("lineitem.l_quantity") AS sum("lineitem.l_quantity")
            Project l_orderkey AS lineitem.l_orderkey, l_partkey AS lineitem.l_partkey, l_suppkey AS lineitem.l_suppkey, l_linenumber AS lineitem.l_linenumber, l_quantity AS lineitem.l_quantity, l_extendedprice AS lineitem.l_extendedprice, l_discount AS lineitem.l_discount, l_tax AS lineitem.l_tax, l_returnflag AS lineitem.l_returnflag, l_linestatus AS lineitem.l_linestatus, l_shipdate AS lineitem.l_shipdate, l_commitdate AS lineitem.l_commitdate, l_receiptdate AS lineitem.l_receiptdate, l_shipinstruct AS lineitem.l_shipinstruct, l_shipmode AS lineitem.l_shipmode, l_comment AS lineitem.l_comment
              Scan lineitem

-- not if it is more work there
select count(*) as n from lineitem, part where l_partkey = p_partkey and p_size = 1 and p_type = 'LARGE PLATED TIN' and exists (select 1 from orders where o_orderkey = l_orderkey and o_orderstatus = 'F')
=>
Aggregate count(*) AS n
  Join semi on (o_orderkey = l_orderkey)
    Join inner on (l_partkey = p_partkey)
      Scan lineitem
      Filter ((p_size = 1) AND (p_type = 'LARGE PLATED TIN'))
        Scan part where ((p_size = 1) AND (p_type = 'LARGE PLATED TIN'))
    Join semi on (o_orderkey = "key#1")
      Filter (o_orderstatus = 'F')
        Scan orders where (o_orderstatus = 'F')
      Project l_orderkey AS key#1
        Join inner on (l_partkey = p_partkey)
          Scan lineitem
          Filter ((p_size = 1) AND (p_type = 'LARGE PLATED TIN'))
            Scan part where ((p_size = 1) AND (p_type = 'LARGE PLATED TIN'))

-- the groups that are asked for
select count(*) as n from part, lineitem where p_partkey = l_partkey and p_brand = 'Brand#23' and p_container = 'MED BOX' and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey)
=>
Aggregate count(*) AS n
  Project p_partkey, p_name, p_mfgr, p_brand, p_type, p_size, p_container, p_retailprice, p_comment, l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment
    Join inner on ((p_partkey = "lineitem.l_partkey") AND (CAST(l_quantity AS DOUBLE) < (0.2 * "avg("lineitem.l_quantity")")))
      Join inner on (p_partkey = l_partkey)
        Filter ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
          Scan part where ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
        Scan lineitem
      Project "avg("lineitem.l_quantity")", "lineitem.l_partkey"
        Aggregate by ["lineitem.l_partkey"] avg("lineitem.l_quantity") AS avg("lineitem.l_quantity")
          Project l_orderkey AS lineitem.l_orderkey, l_partkey AS lineitem.l_partkey, l_suppkey AS lineitem.l_suppkey, l_linenumber AS lineitem.l_linenumber, l_quantity AS lineitem.l_quantity, l_extendedprice AS lineitem.l_extendedprice, l_discount AS lineitem.l_discount, l_tax AS lineitem.l_tax, l_returnflag AS lineitem.l_returnflag, l_linestatus AS lineitem.l_linestatus, l_shipdate AS lineitem.l_shipdate, l_commitdate AS lineitem.l_commitdate, l_receiptdate AS lineitem.l_receiptdate, l_shipinstruct AS lineitem.l_shipinstruct, l_shipmode AS lineitem.l_shipmode, l_comment AS lineitem.l_comment
            Join semi on (l_partkey = "key#1")
              Scan lineitem
              Project p_partkey AS key#1
                Filter ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
                  Scan part where ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))

-- the keys that are there
select count(*) as n from orders where o_orderdate < date '1992-02-01' and exists (select 1 from lineitem where l_orderkey = o_orderkey and l_tax > 0.05)
=>
Aggregate count(*) AS n
  Join semi on (l_orderkey = o_orderkey)
    Filter (o_orderdate < DATE '1992-02-01')
      Scan orders where (o_orderdate < DATE '1992-02-01')
    Join semi on (l_orderkey = "key#1")
      Filter (l_tax > 0.05)
        Scan lineitem where (l_tax > 0.05)
      Project o_orderkey AS key#1
        Filter (o_orderdate < DATE '1992-02-01')
          Scan orders where (o_orderdate < DATE '1992-02-01')

select count(*) as n from part left join lineitem on l_partkey = p_partkey and l_tax > 0.05 where p_size = 1 and p_brand = 'Brand#23'
=>
Aggregate count(*) AS n
  Join left on (l_partkey = p_partkey)
    Filter ((p_size = 1) AND (p_brand = 'Brand#23'))
      Scan part where ((p_size = 1) AND (p_brand = 'Brand#23'))
    Join semi on (l_partkey = "key#1")
      Filter (l_tax > 0.05)
        Scan lineitem where (l_tax > 0.05)
      Project p_partkey AS key#1
        Filter ((p_size = 1) AND (p_brand = 'Brand#23'))
          Scan part where ((p_size = 1) AND (p_brand = 'Brand#23'))

-- not where NULL decides, or a LIMIT
select count(*) as n from (select * from part order by p_partkey limit 5) q left join lineitem on l_partkey = p_partkey
=>
Aggregate count(*) AS n
  Join left on (l_partkey = p_partkey)
    Limit 5
      Sort by p_partkey
        Scan part
    Scan lineitem

select p_partkey, (select count(*) from lineitem where l_partkey = p_partkey) as n from part where p_size = 1 and p_brand = 'Brand#23' and p_container = 'MED BOX'
=>
Project p_partkey, coalesce("count_star()", 0) AS n
  Join left on (p_partkey = l_partkey)
    Filter (((p_size = 1) AND (p_brand = 'Brand#23')) AND (p_container = 'MED BOX'))
      Scan part where (((p_size = 1) AND (p_brand = 'Brand#23')) AND (p_container = 'MED BOX'))
    Aggregate by [l_partkey] count(*) AS count_star()
      Join semi on (l_partkey = "key#1")
        Scan lineitem
        Project p_partkey AS key#1
          Filter (((p_size = 1) AND (p_brand = 'Brand#23')) AND (p_container = 'MED BOX'))
            Scan part where (((p_size = 1) AND (p_brand = 'Brand#23')) AND (p_container = 'MED BOX'))

-- groups in some order are groups
select count(*) as n from part, (select l_partkey, sum(l_quantity) as q from lineitem group by l_partkey order by q) where p_partkey = l_partkey and p_brand = 'Brand#23'
=>
Aggregate count(*) AS n
  Join inner on (p_partkey = l_partkey)
    Filter (p_brand = 'Brand#23')
      Scan part where (p_brand = 'Brand#23')
    Sort by q
      Aggregate by [l_partkey] sum(l_quantity) AS q
        Join semi on (l_partkey = "key#1")
          Scan lineitem
          Project p_partkey AS key#1
            Filter (p_brand = 'Brand#23')
              Scan part where (p_brand = 'Brand#23')

-- not the first groups of an order
select count(*) as n from part, (select l_partkey, sum(l_quantity) as q from lineitem group by l_partkey order by q limit 50) where p_partkey = l_partkey and p_brand = 'Brand#23'
=>
Aggregate count(*) AS n
  Join inner on (p_partkey = l_partkey)
    Filter (p_brand = 'Brand#23')
      Scan part where (p_brand = 'Brand#23')
    Limit 50
      Sort by q
        Aggregate by [l_partkey] sum(l_quantity) AS q
          Scan lineitem
