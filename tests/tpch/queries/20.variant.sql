select s_name, s_address, sum(l_quantity) as shipped from supplier, nation, lineitem where l_suppkey = s_suppkey and l_partkey in (select p_partkey from part where p_name like 'forest%')
 and l_shipdate >= date '1994-01-01' and l_shipdate < date '1994-01-01' + interval '1' year and s_nationkey = n_nationkey and n_name = 'CANADA' group by s_name, s_address order by s_name
