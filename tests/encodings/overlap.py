"""Overlap floors: which questions are released, which joins cannot be counted, what is charged, and the law of the release."""
import math
import sys

import psycopg

port = int(sys.argv[1])
c = psycopg.connect(f"host=127.0.0.1 port={port} user=ana password=look-at-the-noise dbname=encodings", autocommit=True)
c.execute("SET search_path = e")
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name[:170] + ("" if ok else "   " + str(why)[:700]), flush=True)


def answer(sql):
    try:
        return c.execute(sql).fetchall()
    except psycopg.Error as e:
        return e.diag


def is_refusal(a, words):
    return not isinstance(a, list) and a.sqlstate == "42501" and words in a.message_primary and "Rule: overlap" in (a.message_detail or "") and "brand" in a.message_detail and a.message_hint


def spent(table):
    return float(c.execute("SELECT epsilon_spent FROM noisegate.budget WHERE table_name = %s", (table,)).fetchone()[0])


# 300 customers, 400 users, 200 of them the same, half of these in each city; floored asks for 150, steep for 250
RELEASED = [
    "SELECT count(*) FROM floored f JOIN users u ON u.email_fp = f.email_fp",
    "SELECT f.city, count(*), avg(u.spend) FROM floored f JOIN users u USING (email_fp) GROUP BY f.city",
    "SELECT count(*) FROM floored f JOIN mine m ON m.email_fp = f.email_fp",
    "SELECT count(*) FROM floored f JOIN mine m ON m.tok = f.tok",
    "SELECT count(*) FROM floored WHERE email_fp IN (SELECT email_fp FROM users)",
    "SELECT count(*) FROM floored f WHERE EXISTS (SELECT 1 FROM mine m WHERE m.email_fp = f.email_fp)",
    "SELECT count(f.email_fp) FROM users u LEFT JOIN floored f ON f.email_fp = u.email_fp",
    "SELECT count(u.email_fp) FROM floored f LEFT JOIN users u ON f.email_fp = u.email_fp",
    "SELECT count(*) FROM floored f JOIN users u USING (email_fp) LEFT JOIN customers x ON x.email_fp = f.email_fp AND x.city = 'north'",
    "WITH f AS (SELECT email_fp, sum(spend) AS s FROM floored GROUP BY email_fp) SELECT count(*) FROM f JOIN users u ON u.email_fp = f.email_fp",
    "SELECT count(s.a) FROM floored f LEFT JOIN (SELECT c.email_fp AS a FROM customers c JOIN users u ON c.email_fp = u.email_fp) s ON s.a = f.email_fp",
    "SELECT f.city FROM floored f JOIN users u USING (email_fp) GROUP BY f.city",
]
for sql in RELEASED:
    a = answer(sql)
    check("released: " + sql, isinstance(a, list) and len(a) in (1, 2), getattr(a, "message_primary", a))
    a = answer(sql.replace("floored", "steep"))
    check("withheld: " + sql.replace("floored", "steep"), is_refusal(a, "too few units are shared"), getattr(a, "message_primary", a))
for sql in ("SELECT count(*) FROM floored f JOIN users u USING (email_fp) WHERE f.city = 'north'",  # 100 shared
            "SELECT count(*) FROM floored f LEFT JOIN mine m ON m.email_fp = f.email_fp WHERE m.email_fp IS NULL",  # the others
            "SELECT count(m.email_fp) FROM floored f LEFT JOIN mine m ON m.email_fp = f.email_fp AND m.city = 'north'"):
    a = answer(sql)
    check("withheld: " + sql, is_refusal(a, "too few units are shared"), getattr(a, "message_primary", a))
for sql in ("SELECT count(*) FROM steep", "SELECT count(DISTINCT email_fp) FROM steep WHERE city = 'north'",
            "SELECT count(*) FROM steep s JOIN customers x ON x.email_fp = s.email_fp"):
    a = answer(sql)
    check("one owner's tables need no overlap: " + sql, isinstance(a, list), getattr(a, "message_primary", a))

# joins that the count could not see are refused when planned
for sql in ("SELECT count(*) FROM floored WHERE email_fp NOT IN (SELECT email_fp FROM users)",
            "SELECT count(*) FILTER (WHERE email_fp IN (SELECT email_fp FROM mine)) FROM floored",
            "SELECT count(*) FROM floored WHERE city = 'north' OR email_fp IN (SELECT email_fp FROM mine)",
            "SELECT sum(CASE WHEN email_fp IN (SELECT email_fp FROM mine) THEN 1 ELSE 0 END) FROM floored",
            "SELECT email_fp IN (SELECT email_fp FROM mine), count(*) FROM floored GROUP BY 1",
            "SELECT sum(CASE WHEN f.email_fp = m.email_fp THEN 1 ELSE 0 END) FROM floored f JOIN mine m ON m.city = f.city",
            "SELECT count(*) FROM floored f JOIN mine m ON m.email_fp = f.email_fp OR m.city = f.city",
            "SELECT count(k.city) FROM floored f JOIN mine m ON m.city = f.city LEFT JOIN open k ON f.email_fp = m.email_fp AND k.email_fp = f.email_fp",
            "SELECT count(*) FROM floored f FULL JOIN users u ON u.email_fp = f.email_fp",
            "SELECT count(*) FROM (SELECT email_fp FROM floored UNION ALL SELECT email_fp FROM users) x",
            "SELECT count(x.n) FROM (SELECT f.email_fp, count(m.city) AS n FROM floored f LEFT JOIN mine m ON m.email_fp = f.email_fp GROUP BY f.email_fp) x"):
    a = answer(sql)
    check("not countable: " + sql, is_refusal(a, "cannot be counted for the overlap"), getattr(a, "message_primary", a))

# the price is part of the query's, and a refusal is charged
c.execute("SET noisegate.epsilon = 0.5")
before = spent("steep"), spent("users")
answer("SELECT count(*) FROM steep s JOIN users u USING (email_fp)")
check("a withheld answer costs what the query costs", all(abs(x - y - 0.5) < 1e-9 for x, y in zip((spent("steep"), spent("users")), before)), before)
lines = [r[0] for r in c.execute("EXPLAIN SELECT count(*) FROM steep s JOIN users u USING (email_fp)").fetchall()]
check("EXPLAIN shows the floor, whose it is, and its noise: half of the epsilon", any("overlap: released only if a noised count (scale 4)" in x and '250, as "brand" asks for e.steep' in x for x in lines) and
      any("count(*): scale 4" in x for x in lines), lines)
check("EXPLAIN charges nothing for it", abs(spent("steep") - before[0] - 0.5) < 1e-9)
before = spent("steep")
answer("SELECT count(*) FROM steep s JOIN users u USING (email_fp) WHERE s.email_fp NOT IN (SELECT email_fp FROM users)")
check("a join that cannot be counted costs nothing", spent("steep") == before)

# Gaussian noise, grouping sets, accuracy first, statements that only describe
c.execute("RESET noisegate.epsilon")
lines = [r[0] for r in c.execute("EXPLAIN SELECT count(*) FROM gauss g JOIN mine m USING (email_fp)").fetchall()]
check("a zCDP budget pays the gate with Gaussian noise", any("overlap: released only if a noised count (variance " in x for x in lines), lines)
a = answer("SELECT count(*) FROM gauss g JOIN mine m USING (email_fp)")
check("released: under zCDP", isinstance(a, list) and abs(a[0][0] - 200) < 60, getattr(a, "message_primary", a))
a = answer("SELECT f.city, count(*) FROM floored f JOIN mine m USING (email_fp) GROUP BY ROLLUP (f.city)")
check("released: each grouping set has its gate", isinstance(a, list) and len(a) == 3, getattr(a, "message_primary", a))
lines = [r[0] for r in c.execute("EXPLAIN SELECT f.city, count(*) FROM floored f JOIN mine m USING (email_fp) GROUP BY ROLLUP (f.city)").fetchall()]
check("and says so", sum("overlap: released only" in x for x in lines) == 2, lines)
for error in ("±30", "20%"):
    c.execute(f"SET noisegate.error = '{error}'")
    a = answer("SELECT count(*) FROM low f JOIN mine m USING (email_fp)")
    check(f"released: with an error of {error}", isinstance(a, list) and abs(a[0][0] - 200) < 150, getattr(a, "message_primary", a))
    a = answer("SELECT count(*) FROM steep f JOIN mine m USING (email_fp) WHERE f.spend < 0")
    check(f"withheld: with an error of {error}", is_refusal(a, "too few units are shared"), getattr(a, "message_primary", a))
c.execute("RESET noisegate.error")
before = spent("steep")
a = answer("SELECT count(*) FROM steep f JOIN mine m USING (email_fp) LIMIT 0")
check("a statement that only asks for names and types costs nothing and is not gated", a == [] and spent("steep") == before, getattr(a, "message_primary", a))
c.execute("SET noisegate.epsilon = 0.5")

# tables of a sub-select are charged wherever it stands: in FILTER, in an argument, in a key
for sql in ("SELECT count(*) FILTER (WHERE email_fp IN (SELECT email_fp FROM users)) FROM customers", "SELECT sum(CASE WHEN email_fp IN (SELECT email_fp FROM users) THEN 1 ELSE 0 END) FROM customers",
            "SELECT email_fp IN (SELECT email_fp FROM users), count(*) FROM customers GROUP BY 1",
            "SELECT sum(n) FROM (SELECT email_fp, count(*) FILTER (WHERE email_fp IN (SELECT email_fp FROM users)) AS n FROM customers GROUP BY email_fp) x"):
    before = spent("users")
    a = answer(sql)
    check("its sub-select is charged: " + sql, isinstance(a, list) and abs(spent("users") - before - 0.5) < 1e-9, (getattr(a, "message_primary", a), spent("users") - before))
    moves = any("owners: the rows of one owner alone may leave" in r[0] for r in c.execute("EXPLAIN " + sql).fetchall())
    check("and priced for one owner's rows leaving", moves)
a = answer("SELECT count(*) FILTER (WHERE email_fp IN (SELECT email_fp FROM sums)) FROM customers")
check("its rules hold", not isinstance(a, list) and "Rule: aggregation" in a.message_detail, getattr(a, "message_detail", a))

# the law: P(Z >= minimum - n) of a discrete Laplace at half of the epsilon
TRIES = 400
for table, minimum, epsilon in (("edge", 200, 0.04), ("above", 240, 0.04)):
    c.execute(f"SET noisegate.epsilon = {epsilon}")
    a = math.exp(-epsilon / 2)
    law = a ** (minimum - 200) / (1 + a)
    n = sum(isinstance(answer(f"SELECT count(*) FROM {table} s JOIN mine m USING (email_fp)"), list) for _ in range(TRIES))
    limit = 4.5 * math.sqrt(law * (1 - law) / TRIES)
    check(f"released as often as the law says, {minimum - 200} below the minimum", abs(n / TRIES - law) < limit, (n / TRIES, law, limit))
sys.exit(failed > 0)
