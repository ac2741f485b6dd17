SELECT count(DISTINCT c.email_fp) AS overlap FROM brand.customers c JOIN publisher.users u ON c.email_fp = u.email_fp
SELECT c.region, count(DISTINCT c.email_fp) AS reached, avg(c.spend) AS spend FROM brand.customers c JOIN publisher.impressions i ON c.email_fp = i.email_fp WHERE c.age >= $1 AND i.clicked = $2 GROUP BY c.region
