select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue, count(distinct c_custkey) as customers from customer, orders, lineitem, nation
where c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate >= date '1993-10-01' and o_orderdate < date '1993-10-01' + interval '3' month and l_returnflag = 'R' and c_nationkey = n_nationkey
group by n_name order by revenue desc limit 20
