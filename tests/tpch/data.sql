-- TPC-H's tables at scale factor SF (psql variable), with its keys, dates and value ranges; contents are made by hashing, not by dbgen.
CREATE SCHEMA tpch;
SET search_path = tpch;
CREATE FUNCTION tpch.h(bigint, int) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (hashint8extended($1, $2) & 2147483647) $$;
CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name text, r_comment text);
INSERT INTO region SELECT i, (ARRAY['AFRICA','AMERICA','ASIA','EUROPE','MIDDLE EAST'])[i + 1], 'c' FROM generate_series(0, 4) i;
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name text, n_regionkey int, n_comment text);
INSERT INTO nation SELECT i - 1, n, r, 'c' FROM unnest(ARRAY['ALGERIA','ARGENTINA','BRAZIL','CANADA','EGYPT','ETHIOPIA','FRANCE','GERMANY','INDIA','INDONESIA','IRAN','IRAQ','JAPAN','JORDAN','KENYA','MOROCCO','MOZAMBIQUE','PERU','CHINA','ROMANIA','SAUDI ARABIA','VIETNAM','RUSSIA','UNITED KINGDOM','UNITED STATES'], ARRAY[0,1,1,1,4,0,3,3,2,2,4,4,2,4,0,0,0,1,2,3,4,2,3,3,1]) WITH ORDINALITY AS t(n, r, i);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name text, s_address text, s_nationkey int, s_phone text, s_acctbal numeric, s_comment text);
INSERT INTO supplier SELECT i, 'Supplier#' || lpad(i::text, 9, '0'), 'a' || i, h(i, 1) % 25, (10 + h(i, 1) % 25) || '-100', (h(i, 2) % 1100000 - 100000) / 100.0, CASE WHEN i % 200 = 0 THEN 'xx Customer yy Complaints' ELSE 'c' END FROM generate_series(1, (10000 * :SF)::int) i;
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text, p_retailprice numeric, p_comment text);
INSERT INTO part SELECT i, (ARRAY['almond','forest','green','blue','azure'])[1 + h(i, 3) % 5] || ' ' || (ARRAY['red','green','linen','khaki'])[1 + h(i, 4) % 4], 'Manufacturer#' || 1 + h(i, 5) % 5, 'Brand#' || 1 + h(i, 5) % 5 || 1 + h(i, 6) % 5,
  (ARRAY['STANDARD','SMALL','MEDIUM','LARGE','ECONOMY','PROMO'])[1 + h(i, 7) % 6] || ' ' || (ARRAY['ANODIZED','BURNISHED','PLATED','POLISHED','BRUSHED'])[1 + h(i, 8) % 5] || ' ' || (ARRAY['TIN','NICKEL','BRASS','STEEL','COPPER'])[1 + h(i, 9) % 5],
  1 + h(i, 10) % 50, (ARRAY['SM','LG','MED','JUMBO','WRAP'])[1 + h(i, 11) % 5] || ' ' || (ARRAY['CASE','BOX','BAG','JAR','PKG','PACK','CAN','DRUM'])[1 + h(i, 12) % 8], (90000 + (i / 10) % 20001 + 100 * (i % 1000)) / 100.0, 'c' FROM generate_series(1, (200000 * :SF)::int) i;
CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric, ps_comment text);
INSERT INTO partsupp SELECT p, 1 + (p + k * 2500 * :SF::numeric)::int % (10000 * :SF)::int, 1 + h(p * 4 + k, 13) % 9999, (100 + h(p * 4 + k, 14) % 99900) / 100.0, 'c' FROM generate_series(1, (200000 * :SF)::int) p, generate_series(0, 3) k;
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name text, c_address text, c_nationkey int, c_phone text, c_acctbal numeric, c_mktsegment text, c_comment text);
INSERT INTO customer SELECT i, 'Customer#' || lpad(i::text, 9, '0'), 'a' || i, h(i, 15) % 25, (10 + h(i, 15) % 25) || '-' || 100 + h(i, 16) % 900, (h(i, 17) % 1100000 - 100000) / 100.0, (ARRAY['AUTOMOBILE','BUILDING','FURNITURE','MACHINERY','HOUSEHOLD'])[1 + h(i, 18) % 5], 'c' FROM generate_series(1, (150000 * :SF)::int) i;
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int, o_orderstatus text, o_totalprice numeric, o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority int, o_comment text);
INSERT INTO orders SELECT i, 1 + h(i, 19) % (100000 * :SF)::int * 3 / 2, (ARRAY['O','F','P'])[1 + h(i, 20) % 3], 1000 + h(i, 21) % 40000000 / 100.0, date '1992-01-01' + (h(i, 22) % 2406)::int, (ARRAY['1-URGENT','2-HIGH','3-MEDIUM','4-NOT SPECIFIED','5-LOW'])[1 + h(i, 23) % 5], 'Clerk#' || h(i, 24) % 1000, 0, CASE WHEN i % 50 = 0 THEN 'the special packages requests' ELSE 'c' END FROM generate_series(1, (1500000 * :SF)::int) i;
CREATE TABLE lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric, l_extendedprice numeric, l_discount numeric, l_tax numeric, l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text);
INSERT INTO lineitem SELECT o_orderkey, pk, 1 + (pk + h(o_orderkey * 8 + n, 27) % 4 * 2500 * :SF::numeric)::int % (10000 * :SF)::int, n, q, q * (90000 + (pk / 10) % 20001 + 100 * (pk % 1000)) / 100.0, h(o_orderkey * 8 + n, 28) % 11 / 100.0, h(o_orderkey * 8 + n, 29) % 9 / 100.0,
  CASE WHEN ship + 15 <= date '1995-06-17' THEN (ARRAY['R','A'])[1 + h(o_orderkey * 8 + n, 30) % 2] ELSE 'N' END, CASE WHEN ship > date '1995-06-17' THEN 'O' ELSE 'F' END, ship, o_orderdate + 30 + (h(o_orderkey * 8 + n, 32) % 61)::int, ship + 1 + (h(o_orderkey * 8 + n, 33) % 30)::int,
  (ARRAY['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN'])[1 + h(o_orderkey * 8 + n, 34) % 4], (ARRAY['REG AIR','AIR','RAIL','SHIP','TRUCK','MAIL','FOB'])[1 + h(o_orderkey * 8 + n, 35) % 7], 'c'
  FROM (SELECT o_orderkey, o_orderdate, n, 1 + h(o_orderkey * 8 + n, 25) % (200000 * :SF)::int AS pk, 1 + h(o_orderkey * 8 + n, 26) % 50 AS q, o_orderdate + 1 + (h(o_orderkey * 8 + n, 31) % 121)::int AS ship FROM orders, generate_series(1, 7) n WHERE n <= 1 + h(o_orderkey, 36) % 7) x;
CREATE INDEX ON lineitem (l_orderkey);
ANALYZE;
