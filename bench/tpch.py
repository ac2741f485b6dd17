"""
Revenue sums of TPC-H with careless bounds: the median relative error at epsilon 0.8 over RUNS answers, and the time over plain PostgreSQL's in the same,
interleaved run.  usage: tpch.py PORT DSN RUNS QUERY
"""
import statistics
import sys
import time

import psycopg

port, upstream, runs = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
proxy = psycopg.connect(f"host=127.0.0.1 port={port} user=ana password=look-at-the-noise dbname=tpch", autocommit=True)
plain = psycopg.connect(upstream, autocommit=True)
for c in (proxy, plain):
    c.execute("SET search_path = tpch")
proxy.execute("SET noisegate.epsilon = 0.8")
proxy.execute("SET noisegate.notices = off")

QUERIES = {
    "Q3": (0.003, """SELECT sum(l_extendedprice * (1 - l_discount)) FROM customer JOIN orders ON c_custkey = o_custkey JOIN lineitem ON l_orderkey = o_orderkey
                     WHERE c_mktsegment = 'BUILDING' AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'"""),
    "Q12": (0.0003, """SELECT sum(l_extendedprice * (1 - l_discount)) FROM orders JOIN lineitem ON l_orderkey = o_orderkey
                       WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate
                         AND l_receiptdate >= date '1994-01-01' AND l_receiptdate < date '1995-01-01'"""),
    "Q5": (0.017, """SELECT sum(l_extendedprice * (1 - l_discount)) FROM customer JOIN orders ON c_custkey = o_custkey JOIN lineitem ON l_orderkey = o_orderkey
                     JOIN supplier ON l_suppkey = s_suppkey JOIN nation ON s_nationkey = n_nationkey JOIN region ON n_regionkey = r_regionkey
                     WHERE c_nationkey = s_nationkey AND r_name = 'ASIA' AND o_orderdate >= date '1994-01-01' AND o_orderdate < date '1995-01-01'"""),
}


def timed(c, sql):
    start = time.time()
    ((value,),) = c.execute(sql).fetchall()
    return float(value), time.time() - start


name = sys.argv[4]
wanted, sql = QUERIES[name]
errors, ours, theirs = [], [], []
exact, _ = timed(plain, sql)
for i in range(runs):
    value, took = timed(proxy, sql)
    errors.append(abs(value - exact) / exact)
    ours.append(took)
    if i < 20:
        theirs.append(timed(plain, sql)[1])
errors.sort()
median, ratio = statistics.median(errors), statistics.median(ours) / statistics.median(theirs)
print(f"{name:4} relative error {median:.4%} in the median (wanted {wanted:.2%}), {errors[int(runs * 0.9)]:.4%} in nine of ten; "
      f"{statistics.median(ours):.2f} s, plain {statistics.median(theirs):.2f} s, ratio {ratio:.2f} (wanted 3)", flush=True)
sys.exit(median > wanted or ratio > 3)
