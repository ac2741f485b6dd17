-- Small, deterministic, with NULLs; nothing touches a bound or a cap, so that exact answers equal PostgreSQL's.
CREATE SCHEMA shop; CREATE SCHEMA media; CREATE SCHEMA office;
CREATE TABLE shop.persons (person_id text PRIMARY KEY, region text, city text, age integer, income numeric, score float8, member boolean, joined date, seen timestamp, last_login timestamptz, visits smallint, points bigint, email_fp text, note text);
CREATE TABLE shop.orders (order_id integer PRIMARY KEY, person_id text, ordered date, shipped timestamp, status text, channel text, amount numeric, items integer);
CREATE TABLE shop.lines (order_id integer, product_id integer, qty integer, price numeric, discount numeric, gift boolean);
CREATE TABLE media.visits (person_id text, at timestamptz, page text, device text, seconds integer, email_fp text, cookie_fp text);
CREATE TABLE office.homes (home integer, rooms integer, person_id text);
CREATE TABLE office.products (product_id integer PRIMARY KEY, name text, category text, list_price numeric);
CREATE TABLE office.regions (region text PRIMARY KEY, country text, population integer);
CREATE TABLE office.sales (buyer text, place text, total numeric);
INSERT INTO shop.persons SELECT 'p' || i, (ARRAY['north','south','east','west'])[1 + i % 4], (ARRAY['Oslo','Rome','Kiel','Bonn','Lyon'])[1 + i % 5], CASE WHEN i % 17 = 0 THEN NULL ELSE 18 + i % 70 END,
  CASE WHEN i % 13 = 0 THEN NULL ELSE 1000 * (10 + i % 80) END, (i % 100) / 100.0, CASE WHEN i % 11 = 0 THEN NULL ELSE i % 3 = 0 END, date '2025-01-01' + i % 300,
  timestamp '2026-01-01 00:00' + i * interval '7 hours', timestamptz '2026-03-01 00:00Z' + i * interval '5 hours', i % 40, i * 1000, md5('e' || i), 'sealed' || i FROM generate_series(1, 200) i;
INSERT INTO shop.orders SELECT i, CASE WHEN i % 50 = 0 THEN NULL ELSE 'p' || (1 + i * 7 % 150) END, date '2026-01-01' + i % 180, CASE WHEN i % 9 = 0 THEN NULL ELSE timestamp '2026-01-02 08:00' + i % 180 * interval '1 day' + i % 5 * interval '1 hour' END,
  (ARRAY['open','paid','sent','returned'])[1 + i % 4], (ARRAY['web','shop','phone'])[1 + i % 3], 5 + (i * 37 % 900) + 0.25, 1 + i % 7 FROM generate_series(1, 500) i;
INSERT INTO shop.lines SELECT 1 + i % 500, 1 + i % 12, 1 + i % 6, 2 + i % 90 + 0.5, (i % 10) / 100.0, i % 5 = 0 FROM generate_series(1, 1200) i;
INSERT INTO media.visits SELECT 'p' || (1 + i * 3 % 180), timestamptz '2026-04-01 00:00Z' + i * interval '97 minutes', '/' || (ARRAY['home','shop','help','cart'])[1 + i % 4], (ARRAY['phone','laptop','tablet'])[1 + i % 3], i * 7 % 1200,
  md5('e' || (1 + i * 3 % 180)), md5('c' || i % 90) FROM generate_series(1, 900) i;
INSERT INTO office.homes SELECT i, 1 + i % 6, 'p' || i FROM generate_series(1, 100) i;
INSERT INTO office.products SELECT i, 'product ' || i, (ARRAY['toys','books','tools'])[1 + i % 3], 10 * i FROM generate_series(1, 12) i;
INSERT INTO office.regions VALUES ('north', 'N', 100), ('south', 'S', 200), ('east', 'N', 300), ('west', 'S', 400);
INSERT INTO office.sales SELECT 'b' || i % 40, (ARRAY['x','y','z'])[1 + i % 3], i FROM generate_series(1, 300) i;
CREATE TABLE media.clicks (person_id text, at timestamp, campaign text, keyword text, cost numeric, bought boolean, rating smallint, weight float8, session uuid);
INSERT INTO media.clicks SELECT 'p' || (1 + i * 11 % 170), timestamp '2026-02-01 06:00' + i * interval '113 minutes', (ARRAY['spring','summer','brand'])[1 + i % 3], 'k' || i % 8, (i * 13 % 800) / 100.0,
  CASE WHEN i % 19 = 0 THEN NULL ELSE i % 5 = 0 END, CASE WHEN i % 7 = 0 THEN NULL ELSE 1 + i % 5 END, (i % 150) / 100.0, md5('s' || i % 60)::uuid FROM generate_series(1, 1000) i;
CREATE TABLE media.hidden (person_id text, amount integer);
INSERT INTO media.hidden SELECT 'p' || i, i % 10 FROM generate_series(1, 50) i;
ANALYZE;
