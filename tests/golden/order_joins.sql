-- rules: fold_constants, simplify_expressions, infer_predicates, push_down_filter, order_joins
-- tables: tpch

select count(*) as n from lineitem, orders, customer where l_orderkey = o_orderkey and o_custkey = c_custkey and c_mktsegment = 'BUILDING'
=>
Aggregate count(*) AS n
  Join inner on (l_orderkey = o_orderkey)
    Scan lineitem
    Join inner on (o_custkey = c_custkey)
      Scan orders
      Filter (c_mktsegment = 'BUILDING')
        Scan customer where (c_mktsegment = 'BUILDING')

-- no cross join, whatever the order of FROM
select count(*) as n from region, part, lineitem, supplier, nation where p_partkey = l_partkey and s_suppkey = l_suppkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey and p_size = 15
=>
Aggregate count(*) AS n
  Project r_regionkey, r_name, r_comment, p_partkey, p_name, p_mfgr, p_brand, p_type, p_size, p_container, p_retailprice, p_comment, l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment, s_suppkey, s_name, s_address, s_nationkey, s_phone, s_acctbal, s_comment, n_nationkey, n_name, n_regionkey, n_comment
    Join inner on (l_suppkey = s_suppkey)
      Join inner on (l_partkey = p_partkey)
        Scan lineitem
        Filter (p_size = 15)
          Scan part where (p_size = 15)
      Join inner on (s_nationkey = n_nationkey)
        Scan supplier
        Join inner on (n_regionkey = r_regionkey)
          Scan nation
          Scan region

select count(*) as n from customer, supplier, nation where c_nationkey = n_nationkey and s_nationkey = n_nationkey and n_name = 'CHINA' and s_suppkey < 100
=>
Aggregate count(*) AS n
  Join inner on (c_nationkey = n_nationkey)
    Scan customer
    Join inner on (s_nationkey = n_nationkey)
      Filter (s_suppkey < 100)
        Scan supplier where (s_suppkey < 100)
      Filter (n_name = 'CHINA')
        Scan nation where (n_name = 'CHINA')

-- the smaller side is built
select count(*) as n from region join nation on n_regionkey = r_regionkey
=>
Aggregate count(*) AS n
  Project r_regionkey, r_name, r_comment, n_nationkey, n_name, n_regionkey, n_comment
    Join inner on (n_regionkey = r_regionkey)
      Scan nation
      Scan region

-- a composite key
select count(*) as n from lineitem, partsupp, part where l_partkey = ps_partkey and l_suppkey = ps_suppkey and p_partkey = l_partkey and p_size = 1
=>
Aggregate count(*) AS n
  Join inner on ((l_partkey = ps_partkey) AND (l_suppkey = ps_suppkey))
    Scan lineitem
    Join inner on (ps_partkey = p_partkey)
      Scan partsupp
      Filter (p_size = 1)
        Scan part where (p_size = 1)

-- conditions over three tables
select count(*) as n from nation, supplier, customer where s_nationkey = n_nationkey and c_nationkey = n_nationkey and s_acctbal + c_acctbal < n_nationkey
=>
Aggregate count(*) AS n
  Project n_nationkey, n_name, n_regionkey, n_comment, s_suppkey, s_name, s_address, s_nationkey, s_phone, s_acctbal, s_comment, c_custkey, c_name, c_address, c_nationkey, c_phone, c_acctbal, c_mktsegment, c_comment
    Join inner on ((c_nationkey = n_nationkey) AND (CAST((s_acctbal + c_acctbal) AS DECIMAL(21,2)) < CAST(n_nationkey AS DECIMAL(21,2))))
      Scan customer
      Join inner on (s_nationkey = n_nationkey)
        Scan supplier
        Scan nation

-- outer joins are relations
select count(*) as n from nation left join region on n_regionkey = r_regionkey, supplier where s_nationkey = n_nationkey and s_suppkey = 1
=>
Aggregate count(*) AS n
  Join inner on (n_nationkey = s_nationkey)
    Join left on (n_regionkey = r_regionkey)
      Scan nation
      Scan region
    Filter (s_suppkey = 1)
      Scan supplier where (s_suppkey = 1)

-- nothing connects them
select count(*) as n from region, nation where r_regionkey < n_nationkey
=>
Aggregate count(*) AS n
  Project r_regionkey, r_name, r_comment, n_nationkey, n_name, n_regionkey, n_comment
    Join inner on (r_regionkey < n_nationkey)
      Scan nation
      Scan region

-- one row first
select count(*) as n from customer, orders where c_custkey = o_custkey and c_acctbal > (select avg(s_acctbal) from supplier)
=>
Aggregate count(*) AS n
  Project c_custkey, c_name, c_address, c_nationkey, c_phone, c_acctbal, c_mktsegment, c_comment, o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate, o_orderpriority, o_clerk, o_shippriority, o_comment
    Join inner on (o_custkey = c_custkey)
      Scan orders
      Join inner on (CAST(c_acctbal AS DOUBLE) > "avg(s_acctbal)")
        Scan customer
        Aggregate avg(s_acctbal) AS avg(s_acctbal)
          Scan supplier
