-- rules: all
-- tables: tpch

-- Pricing summary report
select
    l_returnflag,
    l_linestatus,
    sum(l_quantity) as sum_qty,
    sum(l_extendedprice) as sum_base_price,
    sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
    avg(l_quantity) as avg_qty,
    avg(l_extendedprice) as avg_price,
    avg(l_discount) as avg_disc,
    count(*) as count_order
from
    lineitem
where
    l_shipdate <= date '1998-12-01' - interval '90' day
group by
    l_returnflag,
    l_linestatus
order by
    l_returnflag,
    l_linestatus
=>
Sort by l_returnflag, l_linestatus
  Aggregate by [l_returnflag, l_linestatus] sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price, sum((l_extendedprice * (1 - l_discount))) AS sum_disc_price, sum(((l_extendedprice * (1 - l_discount)) * (1 + l_tax))) AS sum_charge, avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, count(*) AS count_order
    Filter (l_shipdate <= DATE '1998-09-02')
      Scan lineitem columns=[l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate] where (l_shipdate <= DATE '1998-09-02')

-- Minimum cost supplier
select
    s_acctbal,
    s_name,
    n_name,
    p_partkey,
    p_mfgr,
    s_address,
    s_phone,
    s_comment
from
    part,
    supplier,
    partsupp,
    nation,
    region
where
    p_partkey = ps_partkey
    and s_suppkey = ps_suppkey
    and p_size = 15
    and p_type like '%BRASS'
    and s_nationkey = n_nationkey
    and n_regionkey = r_regionkey
    and r_name = 'EUROPE'
    and ps_supplycost = (
        select
            min(ps_supplycost)
        from
            partsupp,
            supplier,
            nation,
            region
        where
            p_partkey = ps_partkey
            and s_suppkey = ps_suppkey
            and s_nationkey = n_nationkey
            and n_regionkey = r_regionkey
            and r_name = 'EUROPE'
    )
order by
    s_acctbal desc,
    n_name,
    s_name,
    p_partkey
limit 100
=>
Project s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
  Sort by s_acctbal DESC, n_name, s_name, p_partkey first 100
    Join inner on (n_regionkey = r_regionkey)
      Join inner on (n_nationkey = s_nationkey)
        Scan nation columns=[n_nationkey, n_name, n_regionkey]
        Join inner on (s_suppkey = ps_suppkey)
          Scan supplier
          Join inner on ((ps_partkey = "partsupp.ps_partkey") AND (ps_supplycost = "min(ps_supplycost)"))
            Scan partsupp columns=[ps_partkey, ps_suppkey, ps_supplycost]
            Join inner on (p_partkey = "partsupp.ps_partkey")
              Filter ((p_size = 15) AND (p_type LIKE '%BRASS'))
                Scan part columns=[p_partkey, p_mfgr, p_type, p_size] where ((p_size = 15) AND (p_type LIKE '%BRASS'))
              Aggregate by ["partsupp.ps_partkey"] min("partsupp.ps_supplycost") AS min(ps_supplycost)
                Join inner on ("supplier.s_nationkey" = "nation.n_nationkey")
                  Join inner on ("supplier.s_suppkey" = "partsupp.ps_suppkey")
                    Project s_suppkey AS supplier.s_suppkey, s_nationkey AS supplier.s_nationkey
                      Scan supplier columns=[s_suppkey, s_nationkey]
                    Join semi on ("partsupp.ps_partkey" = "key#1")
                      Project ps_partkey AS partsupp.ps_partkey, ps_suppkey AS partsupp.ps_suppkey, ps_supplycost AS partsupp.ps_supplycost
                        Scan partsupp columns=[ps_partkey, ps_suppkey, ps_supplycost]
                      Project p_partkey AS key#1
                        Filter ((p_size = 15) AND (p_type LIKE '%BRASS'))
                          Scan part columns=[p_partkey, p_mfgr, p_type, p_size] where ((p_size = 15) AND (p_type LIKE '%BRASS'))
                  Join inner on ("nation.n_regionkey" = "region.r_regionkey")
                    Project n_nationkey AS nation.n_nationkey, n_regionkey AS nation.n_regionkey
                      Scan nation columns=[n_nationkey, n_regionkey]
                    Project r_regionkey AS region.r_regionkey
                      Filter (r_name = 'EUROPE')
                        Scan region columns=[r_regionkey, r_name] where (r_name = 'EUROPE')
      Filter (r_name = 'EUROPE')
        Scan region columns=[r_regionkey, r_name] where (r_name = 'EUROPE')

-- Shipping priority
select
    l_orderkey,
    sum(l_extendedprice * (1 - l_discount)) as revenue,
    o_orderdate,
    o_shippriority
from
    customer,
    orders,
    lineitem
where
    c_mktsegment = 'BUILDING'
    and c_custkey = o_custkey
    and l_orderkey = o_orderkey
    and o_orderdate < date '1995-03-15'
    and l_shipdate > date '1995-03-15'
group by
    l_orderkey,
    o_orderdate,
    o_shippriority
order by
    revenue desc,
    o_orderdate
limit 10
=>
Project l_orderkey, revenue, o_orderdate, o_shippriority
  Sort by revenue DESC, o_orderdate first 10
    Aggregate by [l_orderkey, o_orderdate, o_shippriority] sum((l_extendedprice * (1 - l_discount))) AS revenue
      Join inner on (l_orderkey = o_orderkey)
        Filter (l_shipdate > DATE '1995-03-15')
          Scan lineitem columns=[l_orderkey, l_extendedprice, l_discount, l_shipdate] where (l_shipdate > DATE '1995-03-15')
        Join inner on (o_custkey = c_custkey)
          Filter (o_orderdate < DATE '1995-03-15')
            Scan orders columns=[o_orderkey, o_custkey, o_orderdate, o_shippriority] where (o_orderdate < DATE '1995-03-15')
          Filter (c_mktsegment = 'BUILDING')
            Scan customer columns=[c_custkey, c_mktsegment] where (c_mktsegment = 'BUILDING')

-- Order priority checking
select
    o_orderpriority,
    count(*) as order_count
from
    orders
where
    o_orderdate >= date '1993-07-01'
    and o_orderdate < date '1993-07-01' + interval '3' month
    and exists (
        select
            *
        from
            lineitem
        where
            l_orderkey = o_orderkey
            and l_commitdate < l_receiptdate
    )
group by
    o_orderpriority
order by
    o_orderpriority
=>
Sort by o_orderpriority
  Aggregate by [o_orderpriority] count(*) AS order_count
    Join semi on (l_orderkey = o_orderkey)
      Filter ((o_orderdate >= DATE '1993-07-01') AND (o_orderdate < DATE '1993-10-01'))
        Scan orders columns=[o_orderkey, o_orderdate, o_orderpriority] where ((o_orderdate >= DATE '1993-07-01') AND (o_orderdate < DATE '1993-10-01'))
      Join semi on (l_orderkey = "key#1")
        Filter (l_commitdate < l_receiptdate)
          Scan lineitem columns=[l_orderkey, l_commitdate, l_receiptdate]
        Project o_orderkey AS key#1
          Filter ((o_orderdate >= DATE '1993-07-01') AND (o_orderdate < DATE '1993-10-01'))
            Scan orders columns=[o_orderkey, o_orderdate, o_orderpriority] where ((o_orderdate >= DATE '1993-07-01') AND (o_orderdate < DATE '1993-10-01'))

-- Local supplier volume
select
    n_name,
    sum(l_extendedprice * (1 - l_discount)) as revenue
from
    customer,
    orders,
    lineitem,
    supplier,
    nation,
    region
where
    c_custkey = o_custkey
    and l_orderkey = o_orderkey
    and l_suppkey = s_suppkey
    and c_nationkey = s_nationkey
    and s_nationkey = n_nationkey
    and n_regionkey = r_regionkey
    and r_name = 'ASIA'
    and o_orderdate >= date '1994-01-01'
    and o_orderdate < date '1994-01-01' + interval '1' year
group by
    n_name
order by
    revenue desc
=>
Sort by revenue DESC
  Aggregate by [n_name] sum((l_extendedprice * (1 - l_discount))) AS revenue
    Join inner on ((c_nationkey = s_nationkey) AND (l_suppkey = s_suppkey))
      Join inner on (l_orderkey = o_orderkey)
        Scan lineitem columns=[l_orderkey, l_suppkey, l_extendedprice, l_discount]
        Join inner on (o_custkey = c_custkey)
          Filter ((o_orderdate >= DATE '1994-01-01') AND (o_orderdate < DATE '1995-01-01'))
            Scan orders columns=[o_orderkey, o_custkey, o_orderdate] where ((o_orderdate >= DATE '1994-01-01') AND (o_orderdate < DATE '1995-01-01'))
          Join inner on (c_nationkey = n_nationkey)
            Scan customer columns=[c_custkey, c_nationkey]
            Join inner on (n_regionkey = r_regionkey)
              Scan nation columns=[n_nationkey, n_name, n_regionkey]
              Filter (r_name = 'ASIA')
                Scan region columns=[r_regionkey, r_name] where (r_name = 'ASIA')
      Scan supplier columns=[s_suppkey, s_nationkey]

-- Forecasting revenue change
select
    sum(l_extendedprice * l_discount) as revenue
from
    lineitem
where
    l_shipdate >= date '1994-01-01'
    and l_shipdate < date '1994-01-01' + interval '1' year
    and l_discount between 0.06 - 0.01 and 0.06 + 0.01
    and l_quantity < 24
=>
Aggregate sum((l_extendedprice * l_discount)) AS revenue
  Filter (((((l_shipdate >= DATE '1994-01-01') AND (l_shipdate < DATE '1995-01-01')) AND (l_discount >= 0.05)) AND (l_discount <= 0.07)) AND (l_quantity < 24))
    Scan lineitem columns=[l_quantity, l_extendedprice, l_discount, l_shipdate] where (((((l_shipdate >= DATE '1994-01-01') AND (l_shipdate < DATE '1995-01-01')) AND (l_discount >= 0.05)) AND (l_discount <= 0.07)) AND (l_quantity < 24))

-- Volume shipping
select
    supp_nation,
    cust_nation,
    l_year,
    sum(volume) as revenue
from
    (
        select
            n1.n_name as supp_nation,
            n2.n_name as cust_nation,
            extract(year from l_shipdate) as l_year,
            l_extendedprice * (1 - l_discount) as volume
        from
            supplier,
            lineitem,
            orders,
            customer,
            nation n1,
            nation n2
        where
            s_suppkey = l_suppkey
            and o_orderkey = l_orderkey
            and c_custkey = o_custkey
            and s_nationkey = n1.n_nationkey
            and c_nationkey = n2.n_nationkey
            and (
                (n1.n_name = 'FRANCE' and n2.n_name = 'GERMANY')
                or (n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE')
            )
            and l_shipdate between date '1995-01-01' and date '1996-12-31'
    ) as shipping
group by
    supp_nation,
    cust_nation,
    l_year
order by
    supp_nation,
    cust_nation,
    l_year
=>
Sort by supp_nation, cust_nation, l_year
  Project n_name AS supp_nation, "n2.n_name" AS cust_nation, l_year, revenue
    Aggregate by [n_name, "n2.n_name", l_year] sum(volume) AS revenue
      Project n_name, "n2.n_name", year(l_shipdate) AS l_year, (l_extendedprice * (1 - l_discount)) AS volume
        Join inner on ((l_orderkey = o_orderkey) AND (((n_name = 'FRANCE') AND ("n2.n_name" = 'GERMANY')) OR ((n_name = 'GERMANY') AND ("n2.n_name" = 'FRANCE'))))
          Join inner on (l_suppkey = s_suppkey)
            Filter ((l_shipdate >= DATE '1995-01-01') AND (l_shipdate <= DATE '1996-12-31'))
              Scan lineitem columns=[l_orderkey, l_suppkey, l_extendedprice, l_discount, l_shipdate] where ((l_shipdate >= DATE '1995-01-01') AND (l_shipdate <= DATE '1996-12-31'))
            Join inner on (s_nationkey = n_nationkey)
              Scan supplier columns=[s_suppkey, s_nationkey]
              Filter n_name IN ('FRANCE', 'GERMANY')
                Scan nation columns=[n_nationkey, n_name] where n_name IN ('FRANCE', 'GERMANY')
          Join inner on (o_custkey = c_custkey)
            Scan orders columns=[o_orderkey, o_custkey]
            Join inner on (c_nationkey = "n2.n_nationkey")
              Scan customer columns=[c_custkey, c_nationkey]
              Project n_nationkey AS n2.n_nationkey, n_name AS n2.n_name
                Filter n_name IN ('GERMANY', 'FRANCE')
                  Scan nation columns=[n_nationkey, n_name] where n_name IN ('GERMANY', 'FRANCE')

-- National market share
select
    o_year,
    sum(case when nation = 'BRAZIL' then volume else 0 end) / sum(volume) as mkt_share
from
    (
        select
            extract(year from o_orderdate) as o_year,
            l_extendedprice * (1 - l_discount) as volume,
            n2.n_name as nation
        from
            part,
            supplier,
            lineitem,
            orders,
            customer,
            nation n1,
            nation n2,
            region
        where
            p_partkey = l_partkey
            and s_suppkey = l_suppkey
            and l_orderkey = o_orderkey
            and o_custkey = c_custkey
            and c_nationkey = n1.n_nationkey
            and n1.n_regionkey = r_regionkey
            and r_name = 'AMERICA'
            and s_nationkey = n2.n_nationkey
            and o_orderdate between date '1995-01-01' and date '1996-12-31'
            and p_type = 'ECONOMY ANODIZED STEEL'
    ) as all_nations
group by
    o_year
order by
    o_year
=>
Sort by o_year
  Project o_year, (CAST("sum(CASE WHEN ("n2.n_name" = 'BRAZIL') THEN volume ELSE 0 END)" AS DOUBLE) / CAST("sum(volume)" AS DOUBLE)) AS mkt_share
    Aggregate by [o_year] sum(CASE WHEN ("n2.n_name" = 'BRAZIL') THEN volume ELSE 0 END) AS sum(CASE WHEN ("n2.n_name" = 'BRAZIL') THEN volume ELSE 0 END), sum(volume) AS sum(volume)
      Project year(o_orderdate) AS o_year, (l_extendedprice * (1 - l_discount)) AS volume, "n2.n_name"
        Join inner on (s_nationkey = "n2.n_nationkey")
          Join inner on (s_suppkey = l_suppkey)
            Scan supplier columns=[s_suppkey, s_nationkey]
            Join inner on (c_nationkey = n_nationkey)
              Join inner on (c_custkey = o_custkey)
                Scan customer columns=[c_custkey, c_nationkey]
                Join inner on (o_orderkey = l_orderkey)
                  Filter ((o_orderdate >= DATE '1995-01-01') AND (o_orderdate <= DATE '1996-12-31'))
                    Scan orders columns=[o_orderkey, o_custkey, o_orderdate] where ((o_orderdate >= DATE '1995-01-01') AND (o_orderdate <= DATE '1996-12-31'))
                  Join inner on (l_partkey = p_partkey)
                    Scan lineitem columns=[l_orderkey, l_partkey, l_suppkey, l_extendedprice, l_discount]
                    Filter (p_type = 'ECONOMY ANODIZED STEEL')
                      Scan part columns=[p_partkey, p_type] where (p_type = 'ECONOMY ANODIZED STEEL')
              Join inner on (n_regionkey = r_regionkey)
                Scan nation columns=[n_nationkey, n_regionkey]
                Filter (r_name = 'AMERICA')
                  Scan region columns=[r_regionkey, r_name] where (r_name = 'AMERICA')
          Project n_nationkey AS n2.n_nationkey, n_name AS n2.n_name
            Scan nation columns=[n_nationkey, n_name]

-- Product type profit measure
select
    nation,
    o_year,
    sum(amount) as sum_profit
from
    (
        select
            n_name as nation,
            extract(year from o_orderdate) as o_year,
            l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount
        from
            part,
            supplier,
            lineitem,
            partsupp,
            orders,
            nation
        where
            s_suppkey = l_suppkey
            and ps_suppkey = l_suppkey
            and ps_partkey = l_partkey
            and p_partkey = l_partkey
            and o_orderkey = l_orderkey
            and s_nationkey = n_nationkey
            and p_name like '%green%'
    ) as profit
group by
    nation,
    o_year
order by
    nation,
    o_year desc
=>
Sort by nation, o_year DESC
  Project n_name AS nation, o_year, sum_profit
    Aggregate by [n_name, o_year] sum(amount) AS sum_profit
      Project n_name, year(o_orderdate) AS o_year, ((l_extendedprice * (1 - l_discount)) - (ps_supplycost * l_quantity)) AS amount
        Join inner on (o_orderkey = l_orderkey)
          Scan orders columns=[o_orderkey, o_orderdate]
          Join inner on ((l_partkey = ps_partkey) AND (l_suppkey = ps_suppkey))
            Scan lineitem columns=[l_orderkey, l_partkey, l_suppkey, l_quantity, l_extendedprice, l_discount]
            Join inner on (ps_suppkey = s_suppkey)
              Join inner on (ps_partkey = p_partkey)
                Scan partsupp columns=[ps_partkey, ps_suppkey, ps_supplycost]
                Filter (p_name LIKE '%green%')
                  Scan part columns=[p_partkey, p_name] where (p_name LIKE '%green%')
              Join inner on (s_nationkey = n_nationkey)
                Scan supplier columns=[s_suppkey, s_nationkey]
                Scan nation columns=[n_nationkey, n_name]

-- Returned item reporting
select
    c_custkey,
    c_name,
    sum(l_extendedprice * (1 - l_discount)) as revenue,
    c_acctbal,
    n_name,
    c_address,
    c_phone,
    c_comment
from
    customer,
    orders,
    lineitem,
    nation
where
    c_custkey = o_custkey
    and l_orderkey = o_orderkey
    and o_orderdate >= date '1993-10-01'
    and o_orderdate < date '1993-10-01' + interval '3' month
    and l_returnflag = 'R'
    and c_nationkey = n_nationkey
group by
    c_custkey,
    c_name,
    c_acctbal,
    c_phone,
    n_name,
    c_address,
    c_comment
order by
    revenue desc
limit 20
=>
Project c_custkey, c_name, revenue, c_acctbal, n_name, c_address, c_phone, c_comment
  Sort by revenue DESC first 20
    Aggregate by [c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment] sum((l_extendedprice * (1 - l_discount))) AS revenue
      Join inner on (l_orderkey = o_orderkey)
        Filter (l_returnflag = 'R')
          Scan lineitem columns=[l_orderkey, l_extendedprice, l_discount, l_returnflag] where (l_returnflag = 'R')
        Join inner on (c_nationkey = n_nationkey)
          Join inner on (c_custkey = o_custkey)
            Scan customer columns=[c_custkey, c_name, c_address, c_nationkey, c_phone, c_acctbal, c_comment]
            Filter ((o_orderdate >= DATE '1993-10-01') AND (o_orderdate < DATE '1994-01-01'))
              Scan orders columns=[o_orderkey, o_custkey, o_orderdate] where ((o_orderdate >= DATE '1993-10-01') AND (o_orderdate < DATE '1994-01-01'))
          Scan nation columns=[n_nationkey, n_name]

-- Important stock identification
select
    ps_partkey,
    sum(ps_supplycost * ps_availqty) as value
from
    partsupp,
    supplier,
    nation
where
    ps_suppkey = s_suppkey
    and s_nationkey = n_nationkey
    and n_name = 'GERMANY'
group by
    ps_partkey
having
    sum(ps_supplycost * ps_availqty) > (
        select
            sum(ps_supplycost * ps_availqty) * 0.0001000000
        from
            partsupp,
            supplier,
            nation
        where
            ps_suppkey = s_suppkey
            and s_nationkey = n_nationkey
            and n_name = 'GERMANY'
    )
order by
    value desc
=>
Project ps_partkey, value
  Sort by value DESC
    Join inner on (CAST(value AS DECIMAL(38,12)) > "(sum((ps_supplycost * ps_availqty)) * 0.0001000000)")
      Aggregate by [ps_partkey] sum((ps_supplycost * ps_availqty)) AS value
        Join inner on (ps_suppkey = s_suppkey)
          Scan partsupp columns=[ps_partkey, ps_suppkey, ps_availqty, ps_supplycost]
          Join inner on (s_nationkey = n_nationkey)
            Scan supplier columns=[s_suppkey, s_nationkey]
            Filter (n_name = 'GERMANY')
              Scan nation columns=[n_nationkey, n_name] where (n_name = 'GERMANY')
      Project ("sum(("partsupp.ps_supplycost" * "partsupp.ps_availqty"))" * 0.0001000000) AS (sum((ps_supplycost * ps_availqty)) * 0.0001000000)
        Aggregate sum(("partsupp.ps_supplycost" * "partsupp.ps_availqty")) AS sum(("partsupp.ps_supplycost" * "partsupp.ps_availqty"))
          Project ps_availqty AS partsupp.ps_availqty, ps_supplycost AS partsupp.ps_supplycost
            Join inner on (ps_suppkey = s_suppkey)
              Scan partsupp columns=[ps_partkey, ps_suppkey, ps_availqty, ps_supplycost]
              Join inner on (s_nationkey = n_nationkey)
                Scan supplier columns=[s_suppkey, s_nationkey]
                Filter (n_name = 'GERMANY')
                  Scan nation columns=[n_nationkey, n_name] where (n_name = 'GERMANY')

-- Shipping modes and order priority
select
    l_shipmode,
    sum(case when o_orderpriority = '1-URGENT' or o_orderpriority = '2-HIGH' then 1 else 0 end)
        as high_line_count,
    sum(case when o_orderpriority <> '1-URGENT' and o_orderpriority <> '2-HIGH' then 1 else 0 end)
        as low_line_count
from
    orders,
    lineitem
where
    o_orderkey = l_orderkey
    and l_shipmode in ('MAIL', 'SHIP')
    and l_commitdate < l_receiptdate
    and l_shipdate < l_commitdate
    and l_receiptdate >= date '1994-01-01'
    and l_receiptdate < date '1994-01-01' + interval '1' year
group by
    l_shipmode
order by
    l_shipmode
=>
Sort by l_shipmode
  Aggregate by [l_shipmode] sum(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high_line_count, sum(CASE WHEN ((o_orderpriority <> '1-URGENT') AND (o_orderpriority <> '2-HIGH')) THEN 1 ELSE 0 END) AS low_line_count
    Join inner on (o_orderkey = l_orderkey)
      Scan orders columns=[o_orderkey, o_orderpriority]
      Filter ((((l_shipmode IN ('MAIL', 'SHIP') AND (l_commitdate < l_receiptdate)) AND (l_shipdate < l_commitdate)) AND (l_receiptdate >= DATE '1994-01-01')) AND (l_receiptdate < DATE '1995-01-01'))
        Scan lineitem columns=[l_orderkey, l_shipdate, l_commitdate, l_receiptdate, l_shipmode] where ((l_shipmode IN ('MAIL', 'SHIP') AND (l_receiptdate >= DATE '1994-01-01')) AND (l_receiptdate < DATE '1995-01-01'))

-- Customer distribution
select
    c_count,
    count(*) as custdist
from
    (
        select
            c_custkey,
            count(o_orderkey) as c_count
        from
            customer
            left outer join orders on
                c_custkey = o_custkey
                and o_comment not like '%special%requests%'
        group by
            c_custkey
    ) as c_orders
group by
    c_count
order by
    custdist desc,
    c_count desc
=>
Sort by custdist DESC, c_count DESC
  Aggregate by [c_count] count(*) AS custdist
    Project "part#1" AS c_count
      Aggregate by [c_custkey] count_merge("part#1") AS part#1
        Join left on (c_custkey = o_custkey)
          Scan customer columns=[c_custkey]
          Aggregate by [o_custkey] count(o_orderkey) AS part#1
            Filter NOT ((o_comment LIKE '%special%requests%'))
              Scan orders columns=[o_orderkey, o_custkey, o_comment]

-- Promotion effect
select
    100.00 * sum(
        case
            when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount)
            else 0
        end
    ) / sum(l_extendedprice * (1 - l_discount)) as promo_revenue
from
    lineitem,
    part
where
    l_partkey = p_partkey
    and l_shipdate >= date '1995-09-01'
    and l_shipdate < date '1995-09-01' + interval '1' month
=>
Project (CAST((100.00 * "sum(CASE WHEN (p_type LIKE 'PROMO%') THEN (l_extendedprice * (1 - l_discount)) ELSE 0 END)") AS DOUBLE) / CAST("sum((l_extendedprice * (1 - l_discount)))" AS DOUBLE)) AS promo_revenue
  Aggregate sum(CASE WHEN starts_with(p_type, 'PROMO') THEN (l_extendedprice * (1 - l_discount)) ELSE 0 END) AS sum(CASE WHEN (p_type LIKE 'PROMO%') THEN (l_extendedprice * (1 - l_discount)) ELSE 0 END), sum((l_extendedprice * (1 - l_discount))) AS sum((l_extendedprice * (1 - l_discount)))
    Join inner on (p_partkey = l_partkey)
      Scan part columns=[p_partkey, p_type]
      Filter ((l_shipdate >= DATE '1995-09-01') AND (l_shipdate < DATE '1995-10-01'))
        Scan lineitem columns=[l_partkey, l_extendedprice, l_discount, l_shipdate] where ((l_shipdate >= DATE '1995-09-01') AND (l_shipdate < DATE '1995-10-01'))

-- Top supplier
with revenue as (
    select
        l_suppkey as supplier_no,
        sum(l_extendedprice * (1 - l_discount)) as total_revenue
    from
        lineitem
    where
        l_shipdate >= date '1996-01-01'
        and l_shipdate < date '1996-01-01' + interval '3' month
    group by
        l_suppkey
)
select
    s_suppkey,
    s_name,
    s_address,
    s_phone,
    total_revenue
from
    supplier,
    revenue
where
    s_suppkey = supplier_no
    and total_revenue = (
        select
            max(total_revenue)
        from
            revenue
    )
order by
    s_suppkey
=>
Sort by s_suppkey
  Project s_suppkey, s_name, s_address, s_phone, "revenue.total_revenue" AS total_revenue
    Join inner on (s_suppkey = supplier_no)
      Scan supplier columns=[s_suppkey, s_name, s_address, s_phone]
      Join inner on ("revenue.total_revenue" = "max(total_revenue)")
        Project l_suppkey AS supplier_no, total_revenue AS revenue.total_revenue
          Aggregate by [l_suppkey] sum((l_extendedprice * (1 - l_discount))) AS total_revenue
            Filter ((l_shipdate >= DATE '1996-01-01') AND (l_shipdate < DATE '1996-04-01'))
              Scan lineitem columns=[l_suppkey, l_extendedprice, l_discount, l_shipdate] where ((l_shipdate >= DATE '1996-01-01') AND (l_shipdate < DATE '1996-04-01'))
        Aggregate max("revenue.total_revenue#2") AS max(total_revenue)
          Project total_revenue AS revenue.total_revenue#2
            Aggregate by [l_suppkey] sum((l_extendedprice * (1 - l_discount))) AS total_revenue
              Filter ((l_shipdate >= DATE '1996-01-01') AND (l_shipdate < DATE '1996-04-01'))
                Scan lineitem columns=[l_suppkey, l_extendedprice, l_discount, l_shipdate] where ((l_shipdate >= DATE '1996-01-01') AND (l_shipdate < DATE '1996-04-01'))

-- Parts/supplier relationship
select
    p_brand,
    p_type,
    p_size,
    count(distinct ps_suppkey) as supplier_cnt
from
    partsupp,
    part
where
    p_partkey = ps_partkey
    and p_brand <> 'Brand#45'
    and p_type not like 'MEDIUM POLISHED%'
    and p_size in (49, 14, 23, 45, 19, 3, 36, 9)
    and ps_suppkey not in (
        select
            s_suppkey
        from
            supplier
        where
            s_comment like '%Customer%Complaints%'
    )
group by
    p_brand,
    p_type,
    p_size
order by
    supplier_cnt desc,
    p_brand,
    p_type,
    p_size
=>
Sort by supplier_cnt DESC, p_brand, p_type, p_size
  Aggregate by [p_brand, p_type, p_size] count(ps_suppkey) AS supplier_cnt
    Aggregate by [p_brand, p_type, p_size, ps_suppkey]
      Join anti on (ps_suppkey = s_suppkey)
        Join inner on (ps_partkey = p_partkey)
          Scan partsupp columns=[ps_partkey, ps_suppkey]
          Filter (((p_brand <> 'Brand#45') AND NOT (starts_with(p_type, 'MEDIUM POLISHED'))) AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9))
            Scan part columns=[p_partkey, p_brand, p_type, p_size] where ((p_brand <> 'Brand#45') AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9))
        Filter (s_comment LIKE '%Customer%Complaints%')
          Scan supplier columns=[s_suppkey, s_comment] where (s_comment LIKE '%Customer%Complaints%')

-- Small-quantity-order revenue
select
    sum(l_extendedprice) / 7.0 as avg_yearly
from
    lineitem,
    part
where
    p_partkey = l_partkey
    and p_brand = 'Brand#23'
    and p_container = 'MED BOX'
    and l_quantity < (
        select
            0.2 * avg(l_quantity)
        from
            lineitem
        where
            l_partkey = p_partkey
    )
=>
Project (CAST("sum(l_extendedprice)" AS DOUBLE) / 7.0) AS avg_yearly
  Aggregate sum(l_extendedprice) AS sum(l_extendedprice)
    Join inner on ((l_partkey = "lineitem.l_partkey") AND (CAST(l_quantity AS DOUBLE) < (0.2 * "avg("lineitem.l_quantity")")))
      Scan lineitem columns=[l_partkey, l_quantity, l_extendedprice]
      Join inner on ("lineitem.l_partkey" = p_partkey)
        Aggregate by ["lineitem.l_partkey"] avg("lineitem.l_quantity") AS avg("lineitem.l_quantity")
          Project l_partkey AS lineitem.l_partkey, l_quantity AS lineitem.l_quantity
            Join semi on (l_partkey = "key#1")
              Scan lineitem columns=[l_partkey, l_quantity]
              Project p_partkey AS key#1
                Filter ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
                  Scan part columns=[p_partkey, p_brand, p_container] where ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
        Filter ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))
          Scan part columns=[p_partkey, p_brand, p_container] where ((p_brand = 'Brand#23') AND (p_container = 'MED BOX'))

-- Large volume customer
select
    c_name,
    c_custkey,
    o_orderkey,
    o_orderdate,
    o_totalprice,
    sum(l_quantity) as total_quantity
from
    customer,
    orders,
    lineitem
where
    o_orderkey in (
        select
            l_orderkey
        from
            lineitem
        group by
            l_orderkey
        having
            sum(l_quantity) > 300
    )
    and c_custkey = o_custkey
    and o_orderkey = l_orderkey
group by
    c_name,
    c_custkey,
    o_orderkey,
    o_orderdate,
    o_totalprice
order by
    o_totalprice desc,
    o_orderdate
limit 100
=>
Sort by o_totalprice DESC, o_orderdate first 100
  Aggregate by [c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice] sum(l_quantity) AS total_quantity
    Join inner on (l_orderkey = o_orderkey)
      Scan lineitem columns=[l_orderkey, l_quantity]
      Join inner on (c_custkey = o_custkey)
        Scan customer columns=[c_custkey, c_name]
        Join semi on (o_orderkey = "lineitem.l_orderkey")
          Scan orders columns=[o_orderkey, o_custkey, o_totalprice, o_orderdate]
          Filter ("sum("lineitem.l_quantity")" > 300)
            Aggregate by ["lineitem.l_orderkey"] sum("lineitem.l_quantity") AS sum("lineitem.l_quantity")
              Project l_orderkey AS lineitem.l_orderkey, l_quantity AS lineitem.l_quantity
                Scan lineitem columns=[l_orderkey, l_quantity]

-- Discounted revenue
select
    sum(l_extendedprice * (1 - l_discount)) as revenue
from
    lineitem,
    part
where
    (
        p_partkey = l_partkey
        and p_brand = 'Brand#12'
        and p_container in ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
        and l_quantity >= 1 and l_quantity <= 1 + 10
        and p_size between 1 and 5
        and l_shipmode in ('AIR', 'AIR REG')
        and l_shipinstruct = 'DELIVER IN PERSON'
    )
    or (
        p_partkey = l_partkey
        and p_brand = 'Brand#23'
        and p_container in ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
        and l_quantity >= 10 and l_quantity <= 10 + 10
        and p_size between 1 and 10
        and l_shipmode in ('AIR', 'AIR REG')
        and l_shipinstruct = 'DELIVER IN PERSON'
    )
    or (
        p_partkey = l_partkey
        and p_brand = 'Brand#34'
        and p_container in ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
        and l_quantity >= 20 and l_quantity <= 20 + 10
        and p_size between 1 and 15
        and l_shipmode in ('AIR', 'AIR REG')
        and l_shipinstruct = 'DELIVER IN PERSON'
    )
=>
Aggregate sum((l_extendedprice * (1 - l_discount))) AS revenue
  Join inner on ((l_partkey = p_partkey) AND (((((((p_brand = 'Brand#12') AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')) AND (l_quantity >= 1)) AND (l_quantity <= 11.00)) AND (p_size <= 5)) OR (((((p_brand = 'Brand#23') AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')) AND (l_quantity >= 10)) AND (l_quantity <= 20.00)) AND (p_size <= 10))) OR (((((p_brand = 'Brand#34') AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')) AND (l_quantity >= 20)) AND (l_quantity <= 30.00)) AND (p_size <= 15))))
    Filter ((l_shipmode IN ('AIR', 'AIR REG') AND (l_shipinstruct = 'DELIVER IN PERSON')) AND ((((l_quantity >= 1) AND (l_quantity <= 11.00)) OR ((l_quantity >= 10) AND (l_quantity <= 20.00))) OR ((l_quantity >= 20) AND (l_quantity <= 30.00))))
      Scan lineitem columns=[l_partkey, l_quantity, l_extendedprice, l_discount, l_shipinstruct, l_shipmode] where (l_shipmode IN ('AIR', 'AIR REG') AND (l_shipinstruct = 'DELIVER IN PERSON'))
    Filter ((p_size >= 1) AND (((((p_brand = 'Brand#12') AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')) AND (p_size <= 5)) OR (((p_brand = 'Brand#23') AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')) AND (p_size <= 10))) OR (((p_brand = 'Brand#34') AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')) AND (p_size <= 15))))
      Scan part columns=[p_partkey, p_brand, p_size, p_container] where (p_size >= 1)

-- Potential part promotion
select
    s_name,
    s_address
from
    supplier,
    nation
where
    s_suppkey in (
        select
            ps_suppkey
        from
            partsupp
        where
            ps_partkey in (
                select
                    p_partkey
                from
                    part
                where
                    p_name like 'forest%'
            )
            and ps_availqty > (
                select
                    0.5 * sum(l_quantity)
                from
                    lineitem
                where
                    l_partkey = ps_partkey
                    and l_suppkey = ps_suppkey
                    and l_shipdate >= date '1994-01-01'
                    and l_shipdate < date '1994-01-01' + interval '1' year
            )
    )
    and s_nationkey = n_nationkey
    and n_name = 'CANADA'
order by
    s_name
=>
Project s_name, s_address
  Sort by s_name
    Join semi on (s_suppkey = ps_suppkey)
      Join inner on (s_nationkey = n_nationkey)
        Scan supplier columns=[s_suppkey, s_name, s_address, s_nationkey]
        Filter (n_name = 'CANADA')
          Scan nation columns=[n_nationkey, n_name] where (n_name = 'CANADA')
      Join inner on (((l_partkey = ps_partkey) AND (l_suppkey = ps_suppkey)) AND (CAST(ps_availqty AS DECIMAL(38,3)) > (0.5 * "sum(l_quantity)")))
        Aggregate by [l_partkey, l_suppkey] sum(l_quantity) AS sum(l_quantity)
          Join semi on ((l_partkey = "key#1") AND (l_suppkey = "key#2"))
            Filter ((l_shipdate >= DATE '1994-01-01') AND (l_shipdate < DATE '1995-01-01'))
              Scan lineitem columns=[l_partkey, l_suppkey, l_quantity, l_shipdate] where ((l_shipdate >= DATE '1994-01-01') AND (l_shipdate < DATE '1995-01-01'))
            Project ps_partkey AS key#1, ps_suppkey AS key#2
              Join semi on (ps_partkey = p_partkey)
                Scan partsupp columns=[ps_partkey, ps_suppkey, ps_availqty]
                Filter starts_with(p_name, 'forest')
                  Scan part columns=[p_partkey, p_name] where starts_with(p_name, 'forest')
        Join semi on (ps_partkey = p_partkey)
          Scan partsupp columns=[ps_partkey, ps_suppkey, ps_availqty]
          Filter starts_with(p_name, 'forest')
            Scan part columns=[p_partkey, p_name] where starts_with(p_name, 'forest')

-- Suppliers who kept orders waiting
select
    s_name,
    count(*) as numwait
from
    supplier,
    lineitem l1,
    orders,
    nation
where
    s_suppkey = l1.l_suppkey
    and o_orderkey = l1.l_orderkey
    and o_orderstatus = 'F'
    and l1.l_receiptdate > l1.l_commitdate
    and exists (
        select
            *
        from
            lineitem l2
        where
            l2.l_orderkey = l1.l_orderkey
            and l2.l_suppkey <> l1.l_suppkey
    )
    and not exists (
        select
            *
        from
            lineitem l3
        where
            l3.l_orderkey = l1.l_orderkey
            and l3.l_suppkey <> l1.l_suppkey
            and l3.l_receiptdate > l3.l_commitdate
    )
    and s_nationkey = n_nationkey
    and n_name = 'SAUDI ARABIA'
group by
    s_name
order by
    numwait desc,
    s_name
limit 100
=>
Sort by numwait DESC, s_name first 100
  Aggregate by [s_name] count(*) AS numwait
    Join anti on (("l3.l_orderkey" = l_orderkey) AND ("l3.l_suppkey" <> l_suppkey))
      Join semi on (("l2.l_orderkey" = l_orderkey) AND ("l2.l_suppkey" <> l_suppkey))
        Join inner on (o_orderkey = l_orderkey)
          Filter (o_orderstatus = 'F')
            Scan orders columns=[o_orderkey, o_orderstatus] where (o_orderstatus = 'F')
          Join inner on (l_suppkey = s_suppkey)
            Filter (l_receiptdate > l_commitdate)
              Scan lineitem columns=[l_orderkey, l_suppkey, l_commitdate, l_receiptdate]
            Join inner on (s_nationkey = n_nationkey)
              Scan supplier columns=[s_suppkey, s_name, s_nationkey]
              Filter (n_name = 'SAUDI ARABIA')
                Scan nation columns=[n_nationkey, n_name] where (n_name = 'SAUDI ARABIA')
        Project l_orderkey AS l2.l_orderkey, l_suppkey AS l2.l_suppkey
          Join semi on (l_orderkey = "key#1")
            Scan lineitem columns=[l_orderkey, l_suppkey]
            Project l_orderkey AS key#1
              Join inner on (o_orderkey = l_orderkey)
                Filter (o_orderstatus = 'F')
                  Scan orders columns=[o_orderkey, o_orderstatus] where (o_orderstatus = 'F')
                Join inner on (l_suppkey = s_suppkey)
                  Filter (l_receiptdate > l_commitdate)
                    Scan lineitem columns=[l_orderkey, l_suppkey, l_commitdate, l_receiptdate]
                  Join inner on (s_nationkey = n_nationkey)
                    Scan supplier columns=[s_suppkey, s_name, s_nationkey]
                    Filter (n_name = 'SAUDI ARABIA')
                      Scan nation columns=[n_nationkey, n_name] where (n_name = 'SAUDI ARABIA')
      Project l_orderkey AS l3.l_orderkey, l_suppkey AS l3.l_suppkey
        Join semi on (l_orderkey = "key#2")
          Filter (l_receiptdate > l_commitdate)
            Scan lineitem columns=[l_orderkey, l_suppkey, l_commitdate, l_receiptdate]
          Project l_orderkey AS key#2
            Join semi on (("l2.l_orderkey" = l_orderkey) AND ("l2.l_suppkey" <> l_suppkey))
              Join inner on (o_orderkey = l_orderkey)
                Filter (o_orderstatus = 'F')
                  Scan orders columns=[o_orderkey, o_orderstatus] where (o_orderstatus = 'F')
                Join inner on (l_suppkey = s_suppkey)
                  Filter (l_receiptdate > l_commitdate)
                    Scan lineitem columns=[l_orderkey, l_suppkey, l_commitdate, l_receiptdate]
                  Join inner on (s_nationkey = n_nationkey)
                    Scan supplier columns=[s_suppkey, s_name, s_nationkey]
                    Filter (n_name = 'SAUDI ARABIA')
                      Scan nation columns=[n_nationkey, n_name] where (n_name = 'SAUDI ARABIA')
              Project l_orderkey AS l2.l_orderkey, l_suppkey AS l2.l_suppkey
                Join semi on (l_orderkey = "key#1")
                  Scan lineitem columns=[l_orderkey, l_suppkey]
                  Project l_orderkey AS key#1
                    Join inner on (o_orderkey = l_orderkey)
                      Filter (o_orderstatus = 'F')
                        Scan orders columns=[o_orderkey, o_orderstatus] where (o_orderstatus = 'F')
                      Join inner on (l_suppkey = s_suppkey)
                        Filter (l_receiptdate > l_commitdate)
                          Scan lineitem columns=[l_orderkey, l_suppkey, l_commitdate, l_receiptdate]
                        Join inner on (s_nationkey = n_nationkey)
                          Scan supplier columns=[s_suppkey, s_name, s_nationkey]
                          Filter (n_name = 'SAUDI ARABIA')
                            Scan nation columns=[n_nationkey, n_name] where (n_name = 'SAUDI ARABIA')

-- Global sales opportunity
select
    cntrycode,
    count(*) as numcust,
    sum(c_acctbal) as totacctbal
from
    (
        select
            substring(c_phone from 1 for 2) as cntrycode,
            c_acctbal
        from
            customer
        where
            substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17')
            and c_acctbal > (
                select
                    avg(c_acctbal)
                from
                    customer
                where
                    c_acctbal > 0.00
                    and substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17')
            )
            and not exists (
                select
                    *
                from
                    orders
                where
                    o_custkey = c_custkey
            )
    ) as custsale
group by
    cntrycode
order by
    cntrycode
=>
Sort by cntrycode
  Aggregate by [cntrycode] count(*) AS numcust, sum(c_acctbal) AS totacctbal
    Project substring(c_phone, 1, 2) AS cntrycode, c_acctbal
      Join inner on (CAST(c_acctbal AS DOUBLE) > "avg(c_acctbal)")
        Join anti on (o_custkey = c_custkey)
          Filter substring(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')
            Scan customer columns=[c_custkey, c_phone, c_acctbal]
          Scan orders columns=[o_custkey]
        Aggregate avg("customer.c_acctbal") AS avg(c_acctbal)
          Project c_acctbal AS customer.c_acctbal
            Filter ((c_acctbal > 0.00) AND substring(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17'))
              Scan customer columns=[c_phone, c_acctbal] where (c_acctbal > 0.00)
