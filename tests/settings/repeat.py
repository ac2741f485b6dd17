"""Repeats are free: what is the same question, what is not, for how long, through both protocols."""
import os
import re
import subprocess
import sys
import threading
import time

import psycopg
from psycopg.types.numeric import Int4

ng, w, base = sys.argv[1:4]
failed = 0
started = []


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)[:400]), flush=True)


def policy(name, answers, change=lambda t: t):
    text = open(base).read().replace("campaign.ledger", name + ".ledger").replace("epsilon: 6, delta", "epsilon: 90, delta")
    verifier = text.split('password: "')[1].split('"')[0]
    text = text.replace("members:\n", "members:\n  - { name: lab, abilities: [query, receive] }\n")
    text = text.replace("logins:\n", f'logins:\n  - {{ user: lea, member: lab, password: "{verifier}" }}\n  - {{ user: bob, member: publisher, password: "{verifier}" }}\n')
    text = text.replace("tables:\n", "tables:\n  - { name: brand.loads, owner: brand, source: brand_raw.loads, rule: public, columns: { n: { type: integer } } }\n"
                        "  - { name: brand.exact, owner: brand, source: brand_raw.loads, rule: aggregation, columns: { n: { type: integer } },\n"
                        "      aggregation: { aggregates: [ { columns: [n], functions: [count] } ], dimensions: [], joins: [], scalar_functions: [], output: [ { column: n, minimum: 2 } ] } }\n", 1)
    text += "  - { owner: brand, table: customers, analyst: lab, epsilon: 90, delta: 1e-6, accounting: zcdp, per_query: { epsilon: 0.5, max_epsilon: 2 } }\n"
    text += f"answers: {{ file: {w}/{name}.answers, {answers} }}\n"
    path = f"{w}/{name}.yaml"
    open(path, "w").write(change(text))
    return path


class Proxy:
    def __init__(self, path):
        self.path, self.ready = path, path + ".port"
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        self.p = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", self.ready], stdin=subprocess.DEVNULL, stdout=open(w + "/proxy.log", "ab"), stderr=subprocess.STDOUT)
        started.append(self)
        while not os.path.exists(self.ready):
            time.sleep(0.02)
            assert self.p.poll() is None, "the proxy did not start"

    def login(self, user="ana", **more):
        return psycopg.connect(f"host=127.0.0.1 port={open(self.ready).read()} user={user} password={os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True, **more)

    def stop(self):
        self.p.terminate()
        self.p.wait(60)


up = psycopg.connect(f"host={w}/pg/sock user=owner dbname=campaign", autocommit=True)
up.execute("CREATE TABLE brand_raw.loads (n integer)")
up.execute("INSERT INTO brand_raw.loads VALUES (1)")
try:
    path = policy("repeat", "repeat: free, for: 1h, version: SELECT max(n) AS newest FROM brand.loads")
    proxy = Proxy(path)
    c, bob, lea = proxy.login(), proxy.login("bob"), proxy.login("lea")

    def charges(k=None):
        return (k or c).execute("SELECT count(*) FROM noisegate.queries").fetchone()[0]

    def ask(sql, params=None, k=None, prepare=None):
        k = k or c
        before = charges(k)
        rows = k.execute(sql, params, prepare=prepare).fetchall()
        return rows, charges(k) - before

    def simple(sql, k=None):
        """One Query message; rows of text."""
        k = k or c
        before = charges(k)
        r = k.pgconn.exec_(sql.encode())
        assert r.status == psycopg.pq.ExecStatus.TUPLES_OK, r.error_message
        return [tuple(r.get_value(i, j) for j in range(r.nfields)) for i in range(r.ntuples)], charges(k) - before

    q = "SELECT region, count(*), avg(spend) FROM brand.customers WHERE age > 30 GROUP BY region ORDER BY region"
    first, n = ask(q)
    check("the first time is charged", n == 1, n)
    check("the same question again: the same answer, free", ask(q) == (first, 0))
    check("by another login of the member", ask(q, k=bob) == (first, 0))
    rows, n = simple(q)
    check("through the simple protocol", n == 0 and [r[1].decode() for r in rows] == [str(r[1]) for r in first], (rows, n))
    check("prepared, in binary", (lambda k: (k.execute(q, prepare=True, binary=True).fetchall(), charges()))(c) == (first, charges()))
    bound = "SELECT region, count(*), avg(spend) FROM brand.customers WHERE age > %s GROUP BY region ORDER BY region"
    check("a parameter is its value", ask(bound, (Int4(30),), prepare=True) == (first, 0) and ask(bound, (Int4(30),), k=bob, prepare=False) == (first, 0))
    check("another value is another question", [ask(bound, (Int4(29),), prepare=True)[1], ask(bound, (Int4(29),), prepare=True)[1]] == [1, 0])
    for what, other in [("other white space, case and comments", q.replace("SELECT", "select /* again */\n ").replace("GROUP BY", "group  by")), ("other names", q.replace("count(*)", "count(*) AS n")),
                        ("another table alias", q.replace("brand.customers", "brand.customers AS x")), ("another order", q.replace("ORDER BY region", "ORDER BY 2 DESC")),
                        ("HAVING over it", q.replace("ORDER BY", "HAVING count(*) > 0 ORDER BY")), ("a query around it", f"SELECT max(count) FROM ({q}) AS t")]:
        rows, n = ask(other)
        check("is the same question: " + what, n == 0, n)
    check("what it shows there is the same answer", ask(f"SELECT max(count), min(count) FROM ({q}) AS t")[0] == [(max(r[1] for r in first), min(r[1] for r in first))])
    rows, n = ask(q, k=lea)
    check("another member is answered and charged on its own", n == 1 and rows != first, (rows, n))
    for what, other in [("another constant", q.replace("30", "31")), ("another column", q.replace("avg(spend)", "sum(spend)")), ("a condition more", q.replace("WHERE", "WHERE spend < 400 AND")),
                        ("fewer groups", q.replace("WHERE", "WHERE region <> 'north' AND")), ("interval ends", q.replace("avg(spend)", "avg(spend), noise_low(avg(spend))"))]:
        n = [ask(other)[1], ask(other)[1]]
        check("is another question, once: " + what, n == [1, 0], n)
    for setting, value in [("noisegate.epsilon", "0.3"), ("noisegate.epsilon", "0.31"), ("noisegate.mechanism", "laplace"), ("TimeZone", "Asia/Tokyo")]:
        c.execute(f"SET {setting} = '{value}'")
        n = [ask(q)[1], ask(q)[1]]
        c.execute(f"RESET {setting}")
        check(f"is another question, once: under {setting} = {value}", n == [1, 0] and ask(q) == (first, 0), n)
    c.execute("SET noisegate.confidence = 0.8")
    check("another confidence shows the same figures, free", ask(q) == (first, 0))
    ends = q.replace("avg(spend)", "avg(spend), noise_low(avg(spend))")
    check("unless it was part of the answer", [ask(ends)[1], ask(ends)[1]] == [1, 0])
    c.execute("RESET noisegate.confidence")
    bare = "SELECT count(*) FROM {} WHERE age > 30"
    c.execute("SET search_path = brand")
    n = [ask(bare.format("customers"))[1], ask(bare.format("customers"))[1]]
    c.execute("SET search_path = publisher, brand")
    check("a name is what it stands for, under any search_path", n == [1, 0] and ask(bare.format("customers"))[1] == 0 and ask(bare.format("brand.customers"))[1] == 0 and ask(bare.format("users"))[1] == 1, n)
    c.execute("RESET search_path")
    today = "SELECT count(*) FROM brand.customers WHERE first_order < current_date"
    moment = "SELECT count(*) FROM brand.customers WHERE first_order < now()"
    check("current_date is the same all day, now() never", [ask(today)[1], ask(today)[1], ask(moment)[1], ask(moment)[1]] == [1, 0, 1, 1])
    groups, n = ask("SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign ORDER BY 1")
    check("groups with private keys appear as they did", n == 1 and ask("SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign ORDER BY 1") == (groups, 0))
    rollup = "SELECT age > 40 AS older, count(*), noise_low(count(*)) FROM brand.customers GROUP BY ROLLUP (1) ORDER BY 1"
    rows, n = ask(rollup)
    check("totals that were made to agree are repeated as they were shown", n == 1 and sum(r[1] for r in rows[:-1]) == rows[-1][1] and ask(rollup) == (rows, 0), (n, rows))
    both = "SELECT c.region, count(*) FROM brand.customers c JOIN publisher.users u ON c.email_fp = u.email_fp GROUP BY c.region ORDER BY 1"
    rows, n = ask(both)
    check("two accounts are charged once", n == 2 and ask(both) == (rows, 0), n)
    c.execute("SET noisegate.error = '3%'")
    wanted = "SELECT count(*), noise_low(count(*)) FROM brand.customers WHERE age < 60"
    rows, n = ask(wanted)
    check("accuracy first: a look and an answer, and neither again", n == 2 and ask(wanted) == (rows, 0), n)
    c.execute("RESET noisegate.error")

    said = []
    c.add_notice_handler(lambda d: said.append(d.message_primary))
    c.execute(q).fetchall()
    check("a notice says that nothing was charged", any("nothing was charged" in s and "charged rho" not in s for s in said), said)
    lines = "\n".join(r[0] for r in c.execute("EXPLAIN " + q).fetchall())
    fresh = "\n".join(r[0] for r in c.execute("EXPLAIN " + q.replace("30", "77")).fetchall())
    check("EXPLAIN says which of two would be free", "the same answer again is free" in lines and "again is free" not in fresh, lines)

    c.execute("SET noisegate.bounds = private")
    found = "SELECT sum(spend) FROM brand.customers WHERE age > 33"
    told = []
    for _ in range(2):
        del said[:]
        told.append((ask(found), [s.split(";")[0] for s in said if "sum(spend)" in s]))
    c.execute("RESET noisegate.bounds")
    check("a bound that was found privately is told again, with its sum", told[0][0][1] == 1 and told[1] == ((told[0][0][0], 0), told[0][1]) and told[0][1] and ask(found)[1] == 1, told)

    together, racers = [], [proxy.login("bob" if i % 2 else "ana") for i in range(16)]
    before = charges()
    threads = [threading.Thread(target=lambda k=k: together.append(k.execute("SELECT count(*) FROM brand.customers WHERE age > 41").fetchone()[0])) for k in racers]
    [t.start() for t in threads]
    [t.join() for t in threads]
    check("16 sessions ask at once: one charge, one answer", len(together) == 16 and len(set(together)) == 1 and charges() == before + 1, (together, charges() - before))

    up.execute("UPDATE brand_raw.loads SET n = 2")
    renewed, n = ask(q)
    check("another version of the data: asked and charged anew", n == 1 and renewed != first and ask(q) == (renewed, 0), n)
    up.execute("UPDATE brand_raw.loads SET n = 1")
    check("and the earlier version keeps its answer", ask(q) == (first, 0))

    proxy.stop()
    verifier = open(path).read().split('password: "')[1].split('"')[0]
    text = open(path).read()
    open(path, "w").write(text.replace("logins:\n", f'logins:\n  - {{ user: eve, member: publisher, password: "{verifier}" }}\n', 1))
    proxy = Proxy(path)
    c = proxy.login("eve")
    check("answers outlive a restart, and a login more", ask(q) == (first, 0))
    check("answers are in a file of their own, for its owner only", os.stat(w + "/repeat.answers").st_mode & 0o77 == 0)
    proxy.stop()
    for what, a, b in [("the bounds of a column", "bounds: [0, 500]", "bounds: [0, 400]"), ("the source of the table", "source: brand_raw.customers", "source: brand_raw.others"),
                       ("how a budget is accounted", "accounting: zcdp, per_query", "accounting: pure, per_query")]:
        if "others" in b:
            up.execute("CREATE TABLE brand_raw.others AS SELECT * FROM brand_raw.customers")
        assert a in text
        open(path, "w").write(text.replace(a, b, 1).replace("repeat.ledger", re.sub(r"\W", "", b) + ".ledger"))
        proxy = Proxy(path)
        c = proxy.login()
        check("the policy changes " + what + ": asked anew", ask(q)[1] == 1)
        proxy.stop()

    # --- time to live, an exhausted budget, an upstream that is gone
    path = policy("ttl", "repeat: free, for: 3s", lambda t: t.replace("epsilon: 90, delta: 1e-6, accounting: zcdp", "epsilon: 1, accounting: pure").replace("max_epsilon: 2", "max_epsilon: 1"))
    proxy = Proxy(path)
    c = proxy.login()
    total = "SELECT count(*) FROM brand.customers"
    t0 = time.monotonic()
    rows, n = ask(total)
    again = ask(total)
    quick = time.monotonic() - t0 < 2.5
    time.sleep(3.1)
    check("after its time it is asked and charged anew", n == 1 and (again == (rows, 0) or not quick) and ask(total)[1] == 1, (n, again))
    rows = c.execute(total).fetchall()
    try:
        c.execute("SELECT count(*) FROM brand.customers WHERE age > 50")
        refused = ""
    except psycopg.Error as e:
        refused = e.sqlstate
    check("a budget that is used up still repeats", refused == "53400" and c.execute(total).fetchall() == rows, refused)
    proxy.stop()
    proxy = Proxy(policy("one", "repeat: free, for: 1h, version: SELECT max(n) AS newest FROM brand.loads", lambda t: t.replace("user=owner\"", "user=owner\", connections: 1")))
    c, bob = proxy.login(), proxy.login("bob")
    for k in (c, bob):
        k.execute("SET noisegate.error = '2%'")
    together = []
    t0 = time.monotonic()
    threads = [threading.Thread(target=lambda k=k: together.append(k.execute("SELECT count(*) FROM brand.customers WHERE age > 25").fetchone()[0])) for k in (c, bob)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    check("a look, its answer and a version over one connection: nobody waits for himself", len(together) == 2 and time.monotonic() - t0 < 30
          and (charges() == 3 or (charges() == 2 and len(set(together)) == 1)), (together, charges()))  # who holds the connection does not wait for the other: then both ask
    proxy.stop()
    path = policy("gone", "repeat: free, for: 1h")
    proxy = Proxy(path)
    c = proxy.login()
    rows = ask(total)[0]
    proxy.stop()
    # the same upstream by its name, which now leads nowhere
    up.close()
    subprocess.run(["scripts/pg.sh", "stop", w + "/pg"], check=True, stdout=subprocess.DEVNULL)
    proxy = Proxy(path)
    c = proxy.login()
    check("an upstream that is down does not stop repeats", c.execute(total).fetchall() == rows)
    try:
        c.execute("SELECT count(*) FROM brand.customers WHERE age > 51")
        why = ""
    except psycopg.Error as e:
        why = str(e)
    check("and what is new fails without a charge", "upstream" in why and charges() == 1, why)

    # --- versions that are not public
    for what, sql in [("a protected table", "SELECT count(*) FROM brand.customers"), ("a table under a rule", "SELECT count(n) FROM brand.exact"), ("nothing there", "SELECT n FROM brand.nothing"), ("two queries", "SELECT 1; SELECT 2"), ("no query", "SET TimeZone = 'UTC'"),
                      ("an explanation", "EXPLAIN SELECT n FROM brand.loads")]:
        out = subprocess.run([ng, "check", policy("bad", f'repeat: free, version: "{sql}"')], capture_output=True, text=True)
        check("refused as a version: " + what, out.returncode == 1 and "public tables only" in out.stdout + out.stderr, out.stdout + out.stderr)
    out = subprocess.run([ng, "check", policy("fixed", "repeat: free, version: SELECT 'as of November'")], capture_output=True, text=True)
    check("accepted as a version: a constant, changed by hand", out.returncode == 0, out.stdout + out.stderr)
finally:
    for p in started:
        if p.p.poll() is None:
            p.stop()
sys.exit(failed > 0)
