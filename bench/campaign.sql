SELECT count(DISTINCT c.email_fp) FROM brand.customers c JOIN publisher.users u ON c.email_fp = u.email_fp
SELECT count(*) FROM publisher.impressions
SELECT c.region, count(DISTINCT c.email_fp), count(DISTINCT c.email_fp) FILTER (WHERE i.clicked) FROM brand.customers c JOIN publisher.impressions i ON c.email_fp = i.email_fp WHERE i.campaign = 'spring' GROUP BY c.region
SELECT date_trunc('week', seen_at), count(*) FROM publisher.impressions GROUP BY 1
SELECT region, avg(spend) FROM brand.customers GROUP BY region
SELECT region, sum(spend) FROM brand.customers WHERE age BETWEEN 30 AND 50 GROUP BY region ORDER BY 2 DESC
