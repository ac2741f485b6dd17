# row-level output
42501|row-level output|SELECT * FROM persons
42501|row-level output|SELECT person_id, age FROM persons
42501|row-level output|SELECT age FROM persons WHERE person_id = 'p1'
42501|row-level output|SELECT age FROM persons ORDER BY age
42501|row-level output|SELECT DISTINCT person_id FROM persons
42501|row-level output|SELECT p.*, o.amount FROM persons p JOIN orders o USING (person_id)
42501|row-level output|SELECT * FROM (SELECT person_id, sum(amount) FROM orders GROUP BY person_id) x
42501|row-level output|WITH a AS (SELECT person_id, sum(amount) AS s FROM orders GROUP BY person_id) SELECT person_id FROM a WHERE s > 10
42501|row-level output|SELECT person_id FROM persons UNION ALL SELECT person_id FROM orders
42501|row-level output|SELECT count(*) FROM persons UNION ALL SELECT age FROM persons
42501|row-level output|SELECT (SELECT age FROM persons WHERE person_id = 'p1')
42501|row-level output|SELECT row_number() OVER () FROM persons
42501|row-level output|SELECT age, rank() OVER (ORDER BY age) FROM persons
42803||SELECT region, age, count(*) FROM persons GROUP BY region
42803||SELECT age, count(*) FROM persons
42803||SELECT count(*) FROM persons GROUP BY region ORDER BY age
42803||SELECT count(*) FROM persons GROUP BY region HAVING age > 3
42703||SELECT persons FROM persons GROUP BY persons
42703||SELECT count(persons) FROM persons
42703||SELECT count(ctid) FROM persons
42703||SELECT count(*) FROM persons WHERE xmin IS NOT NULL
42703||SELECT count(tableoid) FROM persons
# sealed and fingerprint columns
42501|sealed columns|SELECT note, count(*) FROM persons GROUP BY note
42501|sealed columns|SELECT email_fp, count(*) FROM persons GROUP BY email_fp
42501|sealed columns|SELECT count(*) FROM persons WHERE note = 'x'
42501|sealed columns|SELECT count(*) FROM persons WHERE email_fp = 'x'
42501|sealed columns|SELECT count(*) FROM persons WHERE email_fp LIKE 'a%'
42501|sealed columns|SELECT count(*) FROM persons WHERE email_fp < email_fp
42501|sealed columns|SELECT count(*) FROM persons WHERE upper(note) = 'X'
42501|sealed columns|SELECT count(DISTINCT note) FROM persons
42501|sealed columns|SELECT min(email_fp) FROM persons
42501|sealed columns|SELECT count(*) FROM (SELECT person_id, min(note) FROM persons GROUP BY person_id) x
42501|sealed columns|SELECT count(*) FROM (SELECT person_id, note FROM persons GROUP BY person_id, note) x
42501|sealed columns|SELECT count(*) FROM persons p JOIN visits v ON p.email_fp = v.cookie_fp
42501|sealed columns|SELECT count(*) FROM persons p JOIN visits v ON p.email_fp = v.person_id
42501|sealed columns|SELECT count(*) FROM persons p JOIN visits v ON p.person_id = v.email_fp
42501|sealed columns|SELECT count(coalesce(note, 'x')) FROM persons
42501|sealed columns|SELECT count(*) FROM persons WHERE CASE WHEN member THEN email_fp ELSE note END IS NULL
42501|sealed columns|SELECT count(*) FROM persons WHERE nullif(note, '') IS NULL
42501|sealed columns|SELECT count(*) FROM persons WHERE note::integer = 3
# joins
42501|joins: privacy unit|SELECT count(*) FROM persons, orders
42501|joins: privacy unit|SELECT count(*) FROM persons CROSS JOIN visits
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN orders o ON p.age = o.items
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN orders o ON p.person_id = o.person_id OR p.age = 3
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN orders o ON p.person_id > o.person_id
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN orders o ON upper(p.person_id) = o.person_id
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN orders o ON p.person_id = o.person_id || ''
42501|joins: privacy unit|SELECT count(*) FROM persons a JOIN persons b ON a.region = b.region
42501|joins: privacy unit|SELECT count(*) FROM persons a JOIN persons b ON a.age = b.age AND a.person_id <> b.person_id
42501|joins: privacy unit|SELECT count(*) FROM persons p LEFT JOIN orders o ON p.age = o.items
42501|joins: privacy unit|SELECT count(*) FROM persons p FULL JOIN orders o ON p.age = o.items
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN homes h ON p.person_id = h.person_id
42501|joins: privacy unit|SELECT count(*) FROM lines l JOIN orders o ON l.product_id = o.order_id
42501|joins: privacy unit|SELECT count(*) FROM lines l JOIN persons p ON l.product_id = p.age
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN regions r USING (region) JOIN visits v ON v.page = r.country
42501|joins: privacy unit|SELECT count(*) FROM persons p JOIN visits v ON p.email_fp = v.email_fp
42501|joins: natural|SELECT count(*) FROM persons NATURAL JOIN orders
42501|joins: lateral|SELECT count(*) FROM persons p, LATERAL (SELECT * FROM orders o WHERE o.person_id = p.person_id) x
42501|joins: outer|SELECT count(*) FROM persons p FULL JOIN orders o ON p.person_id = o.person_id AND o.items > 3
42501|mixed sources|SELECT count(*) FROM persons, pg_class
42501|mixed sources|SELECT count(*) FROM persons, generate_series(1, 10)
42501|mixed sources|SELECT count(*) FROM persons JOIN (SELECT region, count(*) AS n FROM persons GROUP BY region) x USING (region)
42501|mixed sources|SELECT count(*) FROM persons, (VALUES (1), (2)) v(x)
42501|mixed sources|WITH r AS (SELECT region, count(*) AS n FROM persons GROUP BY region) SELECT count(*) FROM persons JOIN r USING (region)
# the inside of sub-selects
42501|protected part: LIMIT|SELECT count(*) FROM (SELECT * FROM persons LIMIT 10) x
42501|protected part: LIMIT|SELECT count(*) FROM (SELECT * FROM persons OFFSET 10) x
42501|protected part: ORDER BY|SELECT count(*) FROM (SELECT * FROM persons ORDER BY age) x
42501|protected part: ORDER BY|SELECT sum(age) FROM (SELECT age FROM persons ORDER BY age LIMIT 1) x
42501|protected part: DISTINCT ON|SELECT count(*) FROM (SELECT DISTINCT ON (person_id) * FROM orders) x
42501|protected part: GROUP BY|SELECT count(*) FROM (SELECT DISTINCT city FROM persons) x JOIN orders o ON o.channel = x.city
42501|set operations|SELECT count(*) FROM (SELECT person_id FROM persons UNION SELECT person_id FROM orders) x
42501|set operations|SELECT count(*) FROM (SELECT person_id FROM persons INTERSECT SELECT person_id FROM orders) x
42501|set operations|SELECT count(*) FROM (SELECT person_id FROM persons EXCEPT SELECT person_id FROM orders) x
42501|set operations|SELECT count(*) FROM (SELECT person_id FROM persons UNION ALL SELECT person_id FROM homes) x
42501|set operations|SELECT count(*) FROM (SELECT person_id FROM persons UNION ALL SELECT name FROM products) x
42501|set operations|SELECT count(*) FROM (SELECT person_id, age FROM persons UNION ALL SELECT person_id FROM orders) x
42501|protected part: aggregates|SELECT count(*) FROM (SELECT person_id, array_agg(amount) AS a FROM orders GROUP BY person_id) x
42501|protected part: aggregates|SELECT count(*) FROM (SELECT person_id, string_agg(channel, ',') AS a FROM orders GROUP BY person_id) x
42501|protected part: aggregates|SELECT avg(s) FROM (SELECT person_id, stddev(amount) AS s FROM orders GROUP BY person_id) x
42501|protected part: TABLESAMPLE|SELECT count(*) FROM persons TABLESAMPLE BERNOULLI (10)
42601|window functions|SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY person_id ORDER BY ordered) AS rn FROM orders) x WHERE rn = 1
42601||SELECT avg(a) FROM (SELECT avg(amount) OVER (PARTITION BY status) AS a FROM orders) x
42501|statement: locking|SELECT count(*) FROM persons FOR UPDATE
# sub-selects in conditions
42501|joins: privacy unit|SELECT count(*) FROM persons WHERE age IN (SELECT items FROM orders)
42501|joins: privacy unit|SELECT count(*) FROM persons WHERE city IN (SELECT channel FROM orders)
42501|joins: privacy unit|SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.items = p.age)
42501|sub-selects|SELECT count(*) FROM persons WHERE EXISTS (SELECT 1 FROM orders WHERE amount > 900)
42501|sub-selects|SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.person_id = p.person_id AND o.items > p.age)
42501|sub-selects|SELECT count(*) FROM persons WHERE age > (SELECT avg(age) FROM persons)
42501|sub-selects|SELECT count(*) FROM persons p WHERE age > (SELECT avg(age) FROM persons q WHERE q.region = p.region)
42501|sub-selects|SELECT count(*) FROM persons WHERE age > ALL (SELECT items FROM orders)
42501|sub-selects|SELECT count(*) FROM persons WHERE region IN (SELECT region FROM persons GROUP BY region HAVING count(*) > 10)
42501|sub-selects|SELECT sum((SELECT max(amount) FROM orders o WHERE o.person_id = p.person_id)) FROM persons p
42501|sub-selects|SELECT count(*) FROM persons WHERE age IN (SELECT 3)
# bounds
42501|bounds|SELECT sum(points) FROM persons
42501|bounds|SELECT avg(points) FROM persons
42501|bounds|SELECT sum(product_id) FROM lines
42501|bounds|SELECT sum(points * 2) FROM persons
42501|bounds|SELECT sum(income / age) FROM persons
42501|bounds|SELECT stddev(points) FROM persons
42501|bounds|SELECT max(points) FROM persons
42501|bounds|SELECT corr(points, age) FROM persons
42501|bounds|SELECT sum(points) FROM persons WHERE points > 0
42501|bounds|SELECT sum(t) FROM (SELECT person_id, sum(points) AS t FROM persons GROUP BY person_id) x
42501|bounds|SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY points) FROM persons
# aggregates
42501|aggregates|SELECT array_agg(age) FROM persons
42501|aggregates|SELECT string_agg(city, ',') FROM persons
42501|aggregates|SELECT json_agg(age) FROM persons
42501|aggregates|SELECT jsonb_object_agg(person_id, age) FROM persons
42501|aggregates|SELECT bit_or(age) FROM persons
42501|aggregates|SELECT mode() WITHIN GROUP (ORDER BY age) FROM persons
42501|aggregates|SELECT sum(DISTINCT age) FROM persons
42501|aggregates|SELECT avg(DISTINCT age) FROM persons
42501|aggregates|SELECT percentile_cont(ARRAY[0.25, 0.5]) WITHIN GROUP (ORDER BY age) FROM persons
42501|aggregates|SELECT percentile_cont(2) WITHIN GROUP (ORDER BY age) FROM persons
42501|noise interval|SELECT noise_low(age) FROM persons GROUP BY age
42501|noise interval|SELECT noise_low(count(*) + 1) FROM persons
42883|types|SELECT sum(city) FROM persons
42883|types|SELECT avg(member) FROM persons
42883|types|SELECT sum(joined) FROM persons
42883|types|SELECT min(city) FROM persons
42883|types|SELECT max(joined) FROM persons
# expressions
42883|function allowlist|SELECT count(*) FROM persons WHERE random() < 0.5
42883|function allowlist|SELECT count(*) FROM persons WHERE pg_sleep(1) IS NULL
42883|function allowlist|SELECT count(*) FROM persons WHERE city ~ '^R'
42883|function allowlist|SELECT count(*) FROM persons WHERE regexp_replace(city, 'R', 'x') = 'x'
42883|function allowlist|SELECT count(*) FROM persons WHERE md5(person_id) = 'x'
42883|function allowlist|SELECT count(*) FROM persons WHERE pg_read_file('/etc/passwd') IS NULL
42883|function allowlist|SELECT count(*) FROM persons WHERE query_to_xml('select 1', true, true, '') IS NULL
42883|function allowlist|SELECT count(*) FROM persons WHERE generate_series(1, age) > 3
42883|function allowlist|SELECT count(*) FROM persons WHERE city LIKE region
42883||SELECT count(*) FROM persons WHERE city LIKE 'x\'
42883|function allowlist|SELECT count(*) FROM persons WHERE current_setting('x') = 'y'
42883|function allowlist|SELECT count(*) FROM persons WHERE currval('s') = 1
42883|function allowlist|SELECT count(*) FROM persons WHERE inet_client_addr() IS NULL
42601||SELECT count(*) FROM persons WHERE (age, visits) = (1, 2)
42601||SELECT count(*) FROM persons WHERE income::numeric(5,2) > 1
42601||SELECT count(*) FROM persons WHERE city COLLATE "C" > 'a'
42601||SELECT count(*) FROM persons WHERE city::varchar(3) = 'abc'
42846||SELECT count(*) FROM persons WHERE member::date IS NULL
42804||SELECT count(*) FROM persons WHERE age
42804||SELECT count(*) FROM persons WHERE city = 3
42804||SELECT count(*) FROM persons WHERE age = city
22P02||SELECT count(*) FROM persons WHERE joined > '2025-13-45'
22P02||SELECT count(*) FROM persons WHERE age > 'old'
22P02||SELECT count(*) FROM persons WHERE member = 'perhaps'
42501|GROUP BY: float|SELECT score, count(*) FROM persons GROUP BY score
42883|function allowlist|SELECT count(*) FROM persons WHERE to_char(joined, 'TMMonth') = 'x'
42883|function allowlist|SELECT count(*) FROM persons WHERE repeat(city, 1000000000) = 'x'
42601|intervals|SELECT count(*) FROM persons WHERE joined > current_date - interval '1 fortnight'
42601|intervals|SELECT count(*) FROM persons WHERE age + interval '1 day' > now()
42601|intervals|SELECT count(*) FROM persons WHERE joined - interval '5000 years' < joined
42601|time zones|SELECT count(*) FROM visits WHERE at AT TIME ZONE page IS NULL
42601|arrays|SELECT count(*) FROM persons WHERE age < ANY (ARRAY[1, 2])
42601|volatile functions|SELECT count(*) FROM persons WHERE city = current_user
42883|function allowlist|SELECT count(*) FROM persons WHERE clock_timestamp() > seen
# statements
42501|statement: DML|INSERT INTO persons (person_id) VALUES ('x')
42501|statement: DML|UPDATE persons SET age = 1
42501|statement: DML|DELETE FROM persons
42501||TRUNCATE persons
42501||COPY persons TO STDOUT
42501||DO $$ BEGIN END $$
42501||CREATE TABLE x AS SELECT count(*) FROM persons
42501||DROP TABLE persons
42501||ALTER TABLE persons ADD COLUMN x integer
42501||GRANT SELECT ON persons TO PUBLIC
42501||EXPLAIN ANALYZE SELECT count(*) FROM persons
42501||LISTEN x
42501||LOCK TABLE persons
42501||VACUUM persons
42501||CALL p()
42501||SELECT count(*) INTO x FROM persons
42501|recursive CTEs|WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM persons
42501||WITH d AS (DELETE FROM persons RETURNING *) SELECT count(*) FROM d
42501||SELECT pg_sleep(1)
42501||SELECT pg_read_file('/etc/passwd')
42501||SELECT lo_import('/etc/passwd')
42501||SELECT dblink('x', 'y')
42501||SELECT * FROM pg_stat_activity
42501||SELECT * FROM pg_authid
42501||SELECT * FROM pg_stats
42501||SELECT set_config('x', 'y', false)
42501||SELECT count(*) FROM persons HAVING pg_sleep(1) IS NULL
42501||SELECT region, pg_read_file('/etc/passwd') FROM persons GROUP BY region
# names
42P01||SELECT count(*) FROM nobody
42P01||SELECT count(*) FROM shop.nobody
42P01||SELECT count(x.age) FROM persons
42703||SELECT count(nope) FROM persons
42703||SELECT count(p.nope) FROM persons p
42702||SELECT count(*) FROM persons p JOIN orders o ON p.person_id = o.person_id WHERE person_id IS NULL
42712||SELECT count(*) FROM persons p JOIN orders p ON p.person_id = p.person_id
42601||SELECT count(*) FROM persons WHERE
42601||SELECT FROM WHERE
# aggregation rule
42501|aggregation|SELECT place, count(total) FROM sales GROUP BY place
42501|aggregation|SELECT buyer, count(buyer) FROM sales GROUP BY buyer
42501|aggregation|SELECT count(*) FROM sales
42501|aggregation|SELECT count(buyer) FROM sales WHERE total > 10
42501|aggregation|SELECT sum(total + 1) FROM sales
42501|aggregation|SELECT max(total) FROM sales
42501|aggregation|SELECT stddev(total) FROM sales
42501|mixed rules|SELECT count(*) FROM persons p JOIN sales s ON s.place = p.region
