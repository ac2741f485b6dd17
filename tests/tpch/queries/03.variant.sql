select o_orderdate, sum(l_extendedprice * (1 - l_discount)) as revenue from customer, orders, lineitem
where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate between date '1995-03-01' and date '1995-03-14' and l_shipdate > date '1995-03-15'
group by o_orderdate order by revenue desc, o_orderdate limit 10
