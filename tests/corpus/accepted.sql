# counts and sums
SELECT count(*) FROM persons
SELECT count(*) AS n FROM shop.persons p
SELECT count(age) FROM persons
SELECT count(*), count(age), count(income), count(member) FROM persons
SELECT count(DISTINCT person_id) FROM persons
SELECT count(DISTINCT person_id) FROM orders
SELECT count(DISTINCT city) FROM persons
SELECT count(DISTINCT age) FROM persons
SELECT count(DISTINCT channel), count(DISTINCT status) FROM orders
SELECT count(DISTINCT product_id) FROM lines
SELECT count(DISTINCT email_fp) FROM persons
SELECT sum(age) FROM persons
SELECT sum(income), avg(income) FROM persons
SELECT avg(age), avg(score) FROM persons
SELECT sum(amount), sum(items), avg(amount), count(*) FROM orders
SELECT sum(qty * price) FROM lines
SELECT sum(qty * price * (1 - discount)) AS revenue FROM lines
SELECT sum(price * (1 - discount)) AS revenue, count(*) FROM lines WHERE qty > 2
SELECT avg(visits) FROM persons
SELECT sum(least(greatest(points, 0), 100000)) FROM persons
SELECT sum(CASE WHEN points BETWEEN 0 AND 50000 THEN points ELSE 0 END) FROM persons
SELECT sum(points) FROM persons WHERE points BETWEEN 0 AND 150000
SELECT sum(points) FILTER (WHERE points >= 0 AND points <= 100000) FROM persons
SELECT sum(-age) FROM persons
SELECT sum(abs(age - 40)) FROM persons
SELECT sum(age + visits) FROM persons
SELECT sum(coalesce(age, 0)) FROM persons
SELECT avg(income / 12) FROM persons WHERE income IS NOT NULL AND income / 12 BETWEEN 0 AND 20000
SELECT sum(CASE WHEN member THEN 1 ELSE 0 END) FROM persons
SELECT avg(CASE WHEN member THEN 1 ELSE 0 END) AS share FROM persons
SELECT 100.0 * sum(CASE WHEN status = 'returned' THEN 1 ELSE 0 END) / count(*) AS return_rate FROM orders
SELECT sum(amount) / count(DISTINCT person_id) AS per_customer FROM orders
SELECT count(*) * 2 + 1 FROM orders
SELECT round(avg(amount), 2) FROM orders
SELECT greatest(count(*), 0) FROM persons WHERE age > 200
SELECT count(*)::float8 / 7 FROM orders
SELECT sum(amount)::numeric(12,2) FROM orders
SELECT 'orders' AS what, count(*) AS n FROM orders
SELECT count(*) FILTER (WHERE member) AS members, count(*) FILTER (WHERE NOT member) AS others, count(*) FROM persons
SELECT count(*) FILTER (WHERE status = 'paid'), sum(amount) FILTER (WHERE status = 'paid'), avg(amount) FILTER (WHERE status <> 'paid') FROM orders
# conditions
SELECT count(*) FROM persons WHERE age >= 18 AND age < 65
SELECT count(*) FROM persons WHERE age BETWEEN 20 AND 30
SELECT count(*) FROM persons WHERE age NOT BETWEEN 20 AND 30
SELECT count(*) FROM persons WHERE region IN ('north', 'south')
SELECT count(*) FROM persons WHERE region NOT IN ('north')
SELECT count(*) FROM persons WHERE city LIKE 'R%'
SELECT count(*) FROM persons WHERE city ILIKE '%o%'
SELECT count(*) FROM persons WHERE city NOT LIKE '%n'
SELECT count(*) FROM persons WHERE member
SELECT count(*) FROM persons WHERE NOT member
SELECT count(*) FROM persons WHERE member IS NOT TRUE
SELECT count(*) FROM persons WHERE member IS UNKNOWN
SELECT count(*) FROM persons WHERE age IS NULL OR income IS NULL
SELECT count(*) FROM persons WHERE coalesce(age, 0) = 0
SELECT count(*) FROM persons WHERE nullif(age, 30) IS NULL
SELECT count(*) FROM persons WHERE (age > 30 OR visits > 10) AND NOT (region = 'west')
SELECT count(*) FROM persons WHERE age % 2 = 0
SELECT count(*) FROM persons WHERE age / 10 = 3
SELECT count(*) FROM persons WHERE income / age > 1000
SELECT count(*) FROM persons WHERE sqrt(age) > 6
SELECT count(*) FROM persons WHERE ln(income) > 10
SELECT count(*) FROM persons WHERE upper(city) = 'ROME'
SELECT count(*) FROM persons WHERE left(city, 1) = 'K'
SELECT count(*) FROM persons WHERE length(city) = 4
SELECT count(*) FROM persons WHERE substring(city from 2 for 2) = 'om'
SELECT count(*) FROM persons WHERE position('o' in city) > 0
SELECT count(*) FROM persons WHERE city || '-' || region = 'Rome-south'
SELECT count(*) FROM persons WHERE btrim(lower(city)) = 'bonn'
SELECT count(*) FROM persons WHERE starts_with(city, 'L')
SELECT count(*) FROM persons WHERE joined >= '2025-06-01'
SELECT count(*) FROM persons WHERE joined >= date '2025-06-01' AND joined < date '2025-07-01'
SELECT count(*) FROM persons WHERE joined BETWEEN '2025-03-01' AND '2025-03-31'
SELECT count(*) FROM persons WHERE extract(month FROM joined) = 6
SELECT count(*) FROM persons WHERE date_part('year', joined) = 2025
SELECT count(*) FROM persons WHERE date_trunc('month', seen) = timestamp '2026-02-01'
SELECT count(*) FROM persons WHERE seen < '2026-02-01 12:00'
SELECT count(*) FROM persons WHERE last_login > '2026-03-15 00:00:00+00'
SELECT count(*) FROM persons WHERE seen::date = '2026-01-15'
SELECT count(*) FROM persons WHERE joined + 30 > date '2025-08-01'
SELECT count(*) FROM persons WHERE date '2026-01-01' - joined > 100
SELECT count(*) FROM orders WHERE shipped::date - ordered > 1
SELECT count(*) FROM persons WHERE age::text LIKE '3%'
SELECT count(*) FROM persons WHERE round(income / 1000) = 45
SELECT count(*) FROM persons WHERE greatest(age, visits) > 50
SELECT count(*) FROM persons WHERE CASE WHEN region = 'north' THEN age > 40 ELSE age > 60 END
SELECT count(*) FROM persons WHERE CASE region WHEN 'north' THEN 1 WHEN 'south' THEN 2 ELSE 3 END = 2
SELECT count(*) FROM persons WHERE true
SELECT count(*) FROM persons WHERE 1 = 1 AND age > 20
SELECT count(*) FROM persons WHERE age > 20 AND age > 30
SELECT count(*) FROM persons WHERE age = 30 OR age = 40 OR age = 50
# groups with public domains
SELECT region, count(*) FROM persons GROUP BY region
SELECT region, count(*), avg(age), sum(income) FROM persons GROUP BY region ORDER BY region
SELECT region, count(*) FROM persons GROUP BY 1 ORDER BY 2 DESC
SELECT region AS r, count(*) AS n FROM persons GROUP BY r HAVING count(*) > 10 ORDER BY n
SELECT region, member, count(*) FROM persons GROUP BY region, member
SELECT status, sum(amount), avg(items) FROM orders GROUP BY status
SELECT status, count(DISTINCT person_id) FROM orders GROUP BY status
SELECT status, count(DISTINCT channel) FROM orders GROUP BY status
SELECT region, count(*) FROM persons WHERE region IN ('north', 'east') GROUP BY region
SELECT region, count(*) FROM persons WHERE region = 'north' GROUP BY region
SELECT city, count(*) FROM persons WHERE city IN ('Rome', 'Oslo') GROUP BY city
SELECT extract(month FROM joined) AS month, count(*) FROM persons GROUP BY 1 ORDER BY 1
SELECT extract(dow FROM ordered) AS dow, count(*), sum(amount) FROM orders GROUP BY dow
SELECT date_trunc('month', seen) AS m, count(*) FROM persons WHERE seen >= '2026-01-01' AND seen < '2026-04-01' GROUP BY 1 ORDER BY 1
SELECT ordered, count(*) FROM orders WHERE ordered BETWEEN '2026-01-05' AND '2026-01-20' GROUP BY ordered ORDER BY ordered
SELECT visits, count(*) FROM persons WHERE visits BETWEEN 0 AND 20 GROUP BY visits
SELECT items, count(*), sum(amount) FROM orders WHERE items BETWEEN 1 AND 7 GROUP BY items ORDER BY items
SELECT age > 40 AS older, count(*) FROM persons GROUP BY 1
SELECT CASE WHEN age < 30 THEN 'young' WHEN age < 60 THEN 'middle' ELSE 'old' END AS bucket, count(*), avg(income) FROM persons GROUP BY 1
SELECT CASE WHEN amount >= 500 THEN 'high' ELSE 'low' END AS tier, status, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2
SELECT member, avg(score) FROM persons GROUP BY member
SELECT device, avg(seconds), count(*) FROM visits GROUP BY device
SELECT device, extract(hour FROM at AT TIME ZONE 'UTC') AS hour, count(*) FROM visits GROUP BY 1, 2
SELECT region FROM persons GROUP BY region
SELECT status, channel, count(*) FROM orders WHERE channel IN ('web', 'shop') GROUP BY status, channel
# private keys
SELECT city, count(*) FROM persons GROUP BY city
SELECT city, region, count(*), avg(age) FROM persons GROUP BY city, region
SELECT channel, sum(amount) FROM orders GROUP BY channel ORDER BY 2 DESC LIMIT 2
SELECT page, device, count(*) FROM visits GROUP BY page, device
SELECT upper(city), count(*) FROM persons GROUP BY upper(city)
SELECT left(city, 1) AS initial, count(*) FROM persons GROUP BY initial
SELECT joined, count(*) FROM persons GROUP BY joined
SELECT date_trunc('week', at) AS week, count(*), count(DISTINCT person_id) FROM visits GROUP BY 1
SELECT date_trunc('month', joined) AS m, count(*) FROM persons GROUP BY m
SELECT seen::date AS day, count(*) FROM persons GROUP BY day
SELECT age / 10 * 10 AS decade, count(*) FROM persons GROUP BY 1 ORDER BY 1
SELECT round(income / 10000) AS bracket, count(*) FROM persons GROUP BY 1
SELECT product_id, sum(qty), sum(qty * price) FROM lines GROUP BY product_id ORDER BY 3 DESC
SELECT extract(year FROM joined) AS y, extract(month FROM joined) AS m, count(*) FROM persons GROUP BY 1, 2
SELECT channel, region, count(*) FROM orders JOIN persons USING (person_id) GROUP BY channel, region
SELECT gift, product_id, count(*) FROM lines GROUP BY gift, product_id
# statistics
SELECT stddev(age), variance(age) FROM persons @approx
SELECT stddev_pop(income), var_samp(income) FROM persons @approx
SELECT region, stddev(age) FROM persons GROUP BY region @approx
SELECT corr(age, income), covar_pop(age, income), covar_samp(age, income) FROM persons @approx
SELECT regr_slope(income, age), regr_intercept(income, age), regr_r2(income, age), regr_count(income, age) FROM persons @approx
SELECT regr_avgx(income, age), regr_avgy(income, age), regr_sxx(income, age), regr_syy(income, age), regr_sxy(income, age) FROM persons @approx
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY age) FROM persons @quantile
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY age) FROM persons @quantile
SELECT percentile_disc(0.25) WITHIN GROUP (ORDER BY age), percentile_disc(0.75) WITHIN GROUP (ORDER BY age) FROM persons @quantile
SELECT status, percentile_disc(0.9) WITHIN GROUP (ORDER BY items) FROM orders GROUP BY status @quantile
SELECT min(age), max(age) FROM persons @quantile
SELECT region, min(income), max(income) FROM persons GROUP BY region @quantile
SELECT stddev(amount) FILTER (WHERE status = 'paid') FROM orders @approx
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) FILTER (WHERE status = 'paid') FROM orders @quantile
SELECT count(*), noise_low(count(*)), noise_high(count(*)) FROM persons @interval
SELECT region, avg(age), noise_low(avg(age)) AS lo, noise_high(avg(age)) AS hi FROM persons GROUP BY region @interval
SELECT avg(amount) / nullif(stddev(amount), 0) AS cv FROM orders @approx
# joins
SELECT count(*) FROM persons p JOIN orders o ON p.person_id = o.person_id
SELECT count(*) FROM persons JOIN orders USING (person_id)
SELECT count(*) FROM persons p, orders o WHERE p.person_id = o.person_id
SELECT count(*) FROM persons p INNER JOIN orders o ON o.person_id = p.person_id AND o.amount > 100
SELECT region, sum(amount), count(DISTINCT o.person_id) FROM persons p JOIN orders o USING (person_id) GROUP BY region
SELECT region, sum(amount) / count(*) FROM persons p JOIN orders o USING (person_id) GROUP BY region
SELECT count(*), sum(qty * price) FROM orders o JOIN lines l ON l.order_id = o.order_id
SELECT status, sum(qty) FROM orders JOIN lines USING (order_id) GROUP BY status
SELECT region, sum(l.qty * l.price) FROM persons p JOIN orders o ON o.person_id = p.person_id JOIN lines l ON l.order_id = o.order_id GROUP BY region
SELECT count(*) FROM lines l JOIN lines m ON l.order_id = m.order_id WHERE l.product_id < m.product_id
SELECT count(*) FROM orders a JOIN orders b ON a.person_id = b.person_id WHERE a.order_id < b.order_id
SELECT count(*) FROM persons p LEFT JOIN orders o ON o.person_id = p.person_id
SELECT count(*), count(o.order_id) FROM persons p LEFT JOIN orders o ON o.person_id = p.person_id AND o.status = 'paid'
SELECT region, count(DISTINCT p.person_id), count(o.order_id) FROM persons p LEFT JOIN orders o USING (person_id) GROUP BY region
SELECT count(*) FROM persons p LEFT JOIN orders o ON o.person_id = p.person_id WHERE o.order_id IS NULL
SELECT count(*) FROM orders o RIGHT JOIN persons p ON o.person_id = p.person_id
SELECT count(*), count(p.person_id) FROM persons p FULL JOIN orders o ON p.person_id = o.person_id @nulls
SELECT count(*) FROM persons p LEFT JOIN (SELECT person_id, sum(amount) AS total FROM orders GROUP BY person_id) o USING (person_id) WHERE coalesce(o.total, 0) < 100
SELECT region, sum(coalesce(o.total, 0)) FROM persons p LEFT JOIN (SELECT person_id, sum(items) AS total FROM orders GROUP BY person_id) o USING (person_id) GROUP BY region
SELECT count(*) FROM persons p JOIN visits v USING (person_id)
SELECT region, device, count(*) FROM persons p JOIN visits v USING (person_id) GROUP BY region, device
SELECT count(DISTINCT v.person_id) FROM visits v JOIN orders o USING (person_id)
SELECT count(*) FROM persons p LEFT JOIN visits v USING (person_id) WHERE v.person_id IS NULL
SELECT country, count(*) FROM persons p JOIN regions r ON p.region = r.region GROUP BY country
SELECT r.country, avg(p.age), count(*) FROM persons p LEFT JOIN regions r USING (region) GROUP BY r.country
SELECT category, sum(qty), sum(qty * price) FROM lines l JOIN products p USING (product_id) GROUP BY category
SELECT category, status, count(*) FROM lines JOIN orders USING (order_id) JOIN products USING (product_id) GROUP BY category, status
SELECT count(*) FROM lines l JOIN products p USING (product_id) WHERE l.price > p.list_price
SELECT p.name, sum(l.qty) FROM lines l JOIN products p ON p.product_id = l.product_id WHERE p.category = 'toys' GROUP BY p.name
SELECT country, category, count(*) FROM persons JOIN regions USING (region) JOIN orders USING (person_id) JOIN lines USING (order_id) JOIN products USING (product_id) GROUP BY 1, 2
SELECT count(*) FROM persons p JOIN regions r ON r.population > 150 AND r.region = p.region
SELECT category, count(*) FROM lines JOIN products USING (product_id) WHERE category <> 'toys' GROUP BY category
SELECT country, status, sum(amount) FROM persons JOIN regions USING (region) JOIN orders USING (person_id) GROUP BY country, status
SELECT country, city, count(*) FROM persons JOIN regions USING (region) GROUP BY country, city
SELECT country, count(*) FROM persons LEFT JOIN regions USING (region) GROUP BY ROLLUP (country)
SELECT count(*) FROM lines l JOIN (SELECT category, max(list_price) AS top FROM products GROUP BY category) c ON l.price > c.top / 10
SELECT name, list_price FROM products p JOIN (SELECT category, min(list_price) AS low FROM products GROUP BY category) c ON c.category = p.category AND c.low = p.list_price ORDER BY name
SELECT * FROM regions ORDER BY region
# sub-selects in FROM
SELECT count(*) FROM (SELECT * FROM persons WHERE age > 30) x
SELECT avg(double_age) FROM (SELECT age * 2 AS double_age FROM persons) x
SELECT bucket, count(*) FROM (SELECT CASE WHEN age < 40 THEN 'a' ELSE 'b' END AS bucket FROM persons) x GROUP BY bucket
SELECT avg(n) FROM (SELECT person_id, count(*) AS n FROM orders GROUP BY person_id) x
SELECT n, count(*) FROM (SELECT person_id, count(*) AS n FROM orders GROUP BY person_id) x GROUP BY n ORDER BY n
SELECT count(*) FROM (SELECT person_id FROM orders GROUP BY person_id HAVING count(*) >= 3) x
SELECT avg(total), count(*) FROM (SELECT person_id, sum(amount) AS total FROM orders WHERE status = 'paid' GROUP BY person_id) x
SELECT count(*) FROM (SELECT person_id, sum(amount) AS total FROM orders GROUP BY person_id) x WHERE total > 1000
SELECT region, avg(total) FROM (SELECT p.person_id, p.region, sum(o.amount) AS total FROM persons p JOIN orders o USING (person_id) GROUP BY p.person_id, p.region) x GROUP BY region
SELECT avg(m) FROM (SELECT person_id, max(amount) AS m FROM orders GROUP BY person_id) x
SELECT first_month, count(*) FROM (SELECT person_id, date_trunc('month', min(shipped)) AS first_month FROM orders GROUP BY person_id) x GROUP BY first_month
SELECT count(*) FROM (SELECT DISTINCT person_id, channel FROM orders) x
SELECT channel, count(*) FROM (SELECT DISTINCT person_id, channel FROM orders) x GROUP BY channel
SELECT avg(pages) FROM (SELECT person_id, count(DISTINCT page) AS pages FROM visits GROUP BY person_id) x
SELECT sum(t) FROM (SELECT order_id, sum(qty) AS t FROM lines GROUP BY order_id) x
SELECT avg(basket) FROM (SELECT order_id, sum(qty * price) AS basket FROM lines GROUP BY order_id) x
SELECT count(*) FROM (SELECT person_id, avg(amount) AS a, bool_or(status = 'returned') AS r FROM orders GROUP BY person_id) x WHERE r AND a > 300
SELECT avg(months) FROM (SELECT person_id, count(*) AS months FROM (SELECT person_id, extract(month FROM ordered) AS m FROM orders GROUP BY person_id, extract(month FROM ordered)) y GROUP BY person_id) x
SELECT sum(n) FROM (SELECT person_id, CASE WHEN count(*) > 5 THEN 5 ELSE count(*) END AS n FROM orders GROUP BY person_id) x
SELECT count(*), sum(amount) FROM (SELECT person_id, amount FROM orders WHERE status = 'paid' UNION ALL SELECT person_id, amount FROM orders WHERE status = 'sent') x
SELECT kind, count(*) FROM (SELECT person_id, 'order' AS kind FROM orders UNION ALL SELECT person_id, 'visit' AS kind FROM visits) x GROUP BY kind @nulls
SELECT sum(v) FROM (SELECT person_id, items AS v FROM orders WHERE person_id IS NOT NULL UNION ALL SELECT person_id, seconds / 60 AS v FROM visits) x
SELECT count(*) FROM (SELECT person_id, region AS r FROM persons) x JOIN orders o USING (person_id) WHERE r = 'north'
SELECT y.decade, count(*) FROM (SELECT age / 10 AS decade, member FROM persons) y WHERE y.member GROUP BY y.decade
# CTEs
WITH p AS (SELECT * FROM persons WHERE member) SELECT count(*) FROM p
WITH a AS (SELECT person_id, sum(amount) AS total FROM orders GROUP BY person_id) SELECT avg(total) FROM a
WITH a AS (SELECT person_id, sum(amount) AS total FROM orders GROUP BY person_id), b AS (SELECT person_id, region FROM persons) SELECT region, avg(total) FROM a JOIN b USING (person_id) GROUP BY region
WITH r AS (SELECT region, count(*) AS n FROM persons GROUP BY region) SELECT region, n, n * 100.0 / sum(n) OVER () AS share FROM r ORDER BY n DESC
WITH r AS (SELECT region, count(*) AS n FROM persons GROUP BY region) SELECT max(n) - min(n) FROM r
WITH r AS (SELECT region, count(*) AS n FROM persons GROUP BY region) SELECT a.region, b.region FROM r a JOIN r b ON a.n < b.n
WITH o AS (SELECT status, count(*) AS n FROM orders GROUP BY status), t AS (SELECT sum(n) AS total FROM o) SELECT status, n::numeric / total FROM o, t
WITH m AS (SELECT date_trunc('month', shipped) AS m, count(*) AS n FROM orders WHERE shipped >= '2026-01-01' AND shipped < '2026-05-01' GROUP BY 1) SELECT m, n, sum(n) OVER (ORDER BY m) AS running FROM m ORDER BY m
WITH f AS (SELECT * FROM orders WHERE amount > 100), g AS (SELECT * FROM f WHERE items > 2) SELECT count(*) FROM g
WITH a AS (SELECT count(*) AS n FROM persons), b AS (SELECT count(*) AS n FROM orders) SELECT b.n::numeric / a.n FROM a, b
WITH unused AS (SELECT count(*) FROM orders) SELECT count(*) FROM persons
# sub-selects in conditions
SELECT count(*) FROM persons WHERE person_id IN (SELECT person_id FROM orders WHERE amount > 500)
SELECT count(*) FROM persons WHERE person_id NOT IN (SELECT person_id FROM orders WHERE person_id IS NOT NULL)
SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.person_id = p.person_id AND o.status = 'returned')
SELECT count(*) FROM persons p WHERE NOT EXISTS (SELECT * FROM visits v WHERE v.person_id = p.person_id)
SELECT region, count(*) FROM persons WHERE person_id IN (SELECT person_id FROM orders GROUP BY person_id HAVING sum(amount) > 800) GROUP BY region
SELECT sum(amount) FROM orders WHERE order_id IN (SELECT order_id FROM lines WHERE gift)
SELECT status, count(*) FROM orders o WHERE EXISTS (SELECT 1 FROM lines l WHERE l.order_id = o.order_id AND l.qty > 4) GROUP BY status
SELECT count(*) FROM lines WHERE product_id IN (SELECT product_id FROM products WHERE category = 'books')
SELECT count(*) FROM persons WHERE region IN (SELECT region FROM regions WHERE population > 150)
SELECT count(*) FROM persons WHERE region NOT IN (SELECT region FROM regions WHERE country = 'N')
SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM regions r WHERE r.region = p.region AND r.country = 'S')
SELECT count(*) FILTER (WHERE person_id IN (SELECT person_id FROM visits)) AS seen, count(*) FROM persons
SELECT CASE WHEN person_id IN (SELECT person_id FROM visits) THEN 'seen' ELSE 'unseen' END AS s, count(*) FROM persons GROUP BY 1
SELECT sum(amount) FROM orders WHERE person_id = ANY (SELECT person_id FROM persons WHERE region = 'east')
SELECT (SELECT count(*) FROM orders) - (SELECT count(*) FROM visits) AS d
SELECT count(*), (SELECT count(*) FROM orders) AS orders FROM persons
# grouping sets
SELECT region, count(*) FROM persons GROUP BY ROLLUP (region)
SELECT region, member, count(*) FROM persons GROUP BY ROLLUP (region, member)
SELECT region, member, count(*), grouping(region, member) AS g FROM persons GROUP BY CUBE (region, member)
SELECT status, channel, sum(amount) FROM orders GROUP BY GROUPING SETS ((status), (channel), ())
SELECT status, count(*) FROM orders GROUP BY GROUPING SETS ((status), ()) HAVING count(*) > 10 ORDER BY status NULLS LAST
SELECT CASE WHEN grouping(region) = 1 THEN 'total' ELSE region END AS region, count(*) FROM persons GROUP BY ROLLUP (region) ORDER BY 1
SELECT region, status, avg(amount), count(*) FROM persons JOIN orders USING (person_id) GROUP BY region, ROLLUP (status)
# post-processing
SELECT region, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) FROM persons GROUP BY region
SELECT region, count(*) - lag(count(*)) OVER (ORDER BY region) AS d FROM persons GROUP BY region
SELECT status, sum(amount), sum(sum(amount)) OVER (ORDER BY status) FROM orders GROUP BY status
SELECT status, round(100 * count(*) / sum(count(*)) OVER (), 1) FROM orders GROUP BY status
SELECT * FROM (SELECT region, count(*) AS n FROM persons GROUP BY region) x WHERE n > 10 ORDER BY n DESC, region LIMIT 3
SELECT DISTINCT count(*) > 10 FROM persons GROUP BY region
SELECT region, count(*) FROM persons GROUP BY region ORDER BY count(*) DESC, region LIMIT 2 OFFSET 1
SELECT x.region, x.n, y.amount FROM (SELECT region, count(*) AS n FROM persons GROUP BY region) x JOIN (SELECT region, sum(amount) AS amount FROM persons JOIN orders USING (person_id) GROUP BY region) y USING (region)
SELECT region, count(*) FROM persons GROUP BY region UNION ALL SELECT 'all', count(*) FROM persons
SELECT count(*) FROM persons UNION SELECT count(*) FROM orders
SELECT region, n, ntile(2) OVER (ORDER BY n, region) FROM (SELECT region, count(*) AS n FROM persons GROUP BY region) q
SELECT upper(region) AS r, coalesce(sum(amount), 0) AS s FROM persons JOIN orders USING (person_id) GROUP BY region ORDER BY s DESC
SELECT region, CASE WHEN count(*) > 40 THEN 'many' ELSE 'few' END FROM persons GROUP BY region
SELECT to_char(date_trunc('month', shipped), 'YYYY-MM') AS m, count(*) FROM orders WHERE shipped >= '2026-01-01' AND shipped < '2026-07-01' GROUP BY date_trunc('month', shipped) ORDER BY 1
SELECT min(n), max(n), avg(n) FROM (SELECT region, count(*) AS n FROM persons GROUP BY region) x
# exact rules
SELECT place, count(buyer), sum(total) FROM sales GROUP BY place
SELECT place, count(DISTINCT buyer), avg(total) FROM sales GROUP BY place ORDER BY place
SELECT count(*) FROM products
SELECT category, count(*), avg(list_price), min(name), max(list_price) FROM products GROUP BY category
SELECT country, sum(population) FROM regions GROUP BY country
SELECT stddev(population), percentile_cont(0.5) WITHIN GROUP (ORDER BY population) FROM regions
# parameters
SELECT count(*) FROM persons WHERE age > %s @@ [30]
SELECT count(*) FROM persons WHERE region = %s @@ ["north"]
SELECT region, count(*) FROM persons WHERE joined >= %s AND city <> %s GROUP BY region @@ ["2025-03-01", "Rome"]
SELECT sum(amount) FROM orders WHERE amount BETWEEN %s AND %s @@ [10, 500]
SELECT sum(least(greatest(points, 0), %s)) FROM persons @@ [100000]
SELECT count(*) + %s FROM persons @@ [5]
SELECT status, count(*) FROM orders GROUP BY status HAVING count(*) > %s @@ [3]
SELECT count(*) FROM persons WHERE person_id IN (SELECT person_id FROM orders WHERE items > %s) @@ [3]
# functions, intervals, the current time
SELECT count(*) FROM persons WHERE joined >= current_date - interval '30 years'
SELECT count(*) FROM persons WHERE seen > now() - interval '5 years' @nulls
SELECT count(*) FROM persons WHERE seen >= timestamp '2026-01-31' + interval '1 month'
SELECT count(*) FROM persons WHERE joined + interval '1 month' > date '2025-06-01'
SELECT count(*) FROM persons WHERE seen - interval '2 hours' < timestamp '2026-01-20'
SELECT count(*) FROM persons WHERE last_login > timestamptz '2026-03-01 00:00Z' + interval '10 days'
SELECT count(*) FROM orders WHERE shipped - ordered > interval '1 day'
SELECT avg(least(greatest(extract(epoch FROM shipped - ordered) / 3600, 0), 100)) FROM orders
SELECT count(*) FROM persons WHERE age IS DISTINCT FROM 30
SELECT count(*) FROM persons WHERE age IS NOT DISTINCT FROM NULL
SELECT count(*) FROM persons WHERE age BETWEEN SYMMETRIC 60 AND 40
SELECT count(*) FROM persons WHERE age = ANY (ARRAY[20, 30, 40])
SELECT count(*) FROM persons WHERE city = ANY ('{Rome,Oslo}')
SELECT to_char(shipped, 'YYYY-MM') AS month, count(*) FROM orders GROUP BY 1
SELECT to_char(joined, 'Dy') AS day, count(*) FROM persons GROUP BY to_char(joined, 'Dy')
SELECT width_bucket(age, 0, 100, 10) AS b, count(*) FROM persons WHERE age IS NOT NULL GROUP BY b ORDER BY b
SELECT sum(width_bucket(income, 0, 100000, 5)) FROM persons
SELECT count(*) FROM persons WHERE split_part(city || ' ' || region, ' ', 2) = 'north'
SELECT count(*) FROM persons WHERE replace(city, 'o', '0') = 'R0me'
SELECT count(*) FROM persons WHERE concat(city, '/', region) = 'Kiel/north'
SELECT count(*) FROM persons WHERE initcap(region) = 'North' AND reverse(city) = 'leiK'
SELECT count(*) FROM persons WHERE lpad(age::text, 3, '0') = '030'
SELECT count(*) FROM persons WHERE power(age, 2) > 900 AND exp(age / 10) > 20 AND log(income) > 4
SELECT sum(power(age, 2)) FROM persons WHERE power(age, 2) BETWEEN 0 AND 20000
SELECT avg(income / 12) FROM persons
SELECT sum(seconds / 60), sum(seconds % 60) FROM visits
SELECT sum(floor(score * 10)) FROM persons
SELECT sum(extract(month FROM joined)) FROM persons
SELECT sign(age - 40)::integer AS s, count(*) FROM persons WHERE age IS NOT NULL GROUP BY 1
SELECT extract(hour FROM at AT TIME ZONE 'UTC') AS h, count(*) FROM visits GROUP BY 1
SELECT count(*) FROM persons WHERE substring(person_id from 2)::integer % 10 = 3
SELECT sum(least(greatest(substring(person_id from 2)::numeric, 0), 1000)) FROM persons
SELECT count(*) FROM persons WHERE (joined::text)::date = date '2025-02-01'
SELECT count(*) FROM persons WHERE (member::text)::boolean
# what BI tools write
SELECT "persons"."region" AS "region", count(*) AS "count" FROM "shop"."persons" GROUP BY "persons"."region" ORDER BY "persons"."region" ASC
SELECT CAST("orders"."ordered" AS date) AS "ordered", sum("orders"."amount") AS "sum" FROM "shop"."orders" WHERE ("orders"."ordered" >= date '2026-02-01' AND "orders"."ordered" < date '2026-02-11') GROUP BY CAST("orders"."ordered" AS date) ORDER BY 1
SELECT "source"."region" AS "region", avg("source"."age") AS "avg" FROM (SELECT "shop"."persons"."region" AS "region", "shop"."persons"."age" AS "age" FROM "shop"."persons" WHERE "shop"."persons"."member" = TRUE) "source" GROUP BY "source"."region"
SELECT region AS region, COUNT(*) AS count_1, SUM(income) AS sum_2 FROM shop.persons AS t1 WHERE (t1.age >= 18) AND (t1.age <= 99) GROUP BY region ORDER BY count_1 DESC LIMIT 1000
SELECT COUNT(DISTINCT "t0"."person_id") AS "ctd" FROM "shop"."orders" "t0" INNER JOIN "shop"."persons" "t1" ON ("t0"."person_id" = "t1"."person_id") WHERE ("t1"."region" = 'south') HAVING (COUNT(1) > 0)
SELECT SUM(1) AS "cnt", "t"."status" AS "status" FROM "shop"."orders" "t" GROUP BY 2
SELECT COUNT(1) FROM persons
SELECT AVG("amount"::numeric) AS a FROM "orders" WHERE "status"::text = 'paid'::text
SELECT date_trunc('month', "orders"."shipped") AS "shipped", count(*) AS "count" FROM "shop"."orders" WHERE "orders"."shipped" BETWEEN '2026-01-01' AND '2026-03-31' GROUP BY date_trunc('month', "orders"."shipped") ORDER BY 1
