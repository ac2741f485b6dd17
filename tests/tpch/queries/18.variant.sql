select count(distinct c_custkey) as customers, count(distinct o_orderkey) as orders, sum(l_quantity) as quantity from customer, orders, lineitem where o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 300)
 and c_custkey = o_custkey and o_orderkey = l_orderkey
