-- rules: fold_constants, simplify_expressions
-- tables: tpch

select n_name from nation where n_name like 'CHINA'
=>
Project n_name
  Filter (n_name = 'CHINA')
    Scan nation

select n_name from nation where n_name like 'C%'
=>
Project n_name
  Filter starts_with(n_name, 'C')
    Scan nation

select n_name from nation where n_name like '%C%'
=>
Project n_name
  Filter (n_name LIKE '%C%')
    Scan nation

select n_name from nation where n_name not like 'C%'
=>
Project n_name
  Filter NOT (starts_with(n_name, 'C'))
    Scan nation

select n_name from nation where n_name like 'C_INA'
=>
Project n_name
  Filter (n_name LIKE 'C_INA')
    Scan nation

select o_orderkey from orders where cast(o_orderdate as timestamp) >= timestamp '1998-08-01 00:00:00'
=>
Project o_orderkey
  Filter (o_orderdate >= DATE '1998-08-01')
    Scan orders

select o_orderkey from orders where cast(o_orderdate as timestamp) > timestamp '1998-08-01 12:00:00'
=>
Project o_orderkey
  Filter (o_orderdate > DATE '1998-08-01')
    Scan orders

select o_orderkey from orders where cast(o_orderdate as timestamp) < timestamp '1992-01-01 12:00:00'
=>
Project o_orderkey
  Filter (o_orderdate <= DATE '1992-01-01')
    Scan orders

select o_orderkey from orders where o_orderdate < date '1992-01-01' + interval '3' day
=>
Project o_orderkey
  Filter (o_orderdate < DATE '1992-01-04')
    Scan orders

select o_orderkey from orders where o_orderdate >= date '1998-08-01' and o_orderdate < date '1998-08-01' + interval '1' year
=>
Project o_orderkey
  Filter ((o_orderdate >= DATE '1998-08-01') AND (o_orderdate < DATE '1999-08-01'))
    Scan orders

select l_orderkey from lineitem where l_quantity < 2.0 and l_discount between 0.06 - 0.01 and 0.06 + 0.01 and l_tax = 0
=>
Project l_orderkey
  Filter ((((l_quantity < 2.0) AND (l_discount >= 0.05)) AND (l_discount <= 0.07)) AND (l_tax = 0))
    Scan lineitem
