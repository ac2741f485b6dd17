"""Accuracy first, interval ends, introspection: through the wire, on the campaign's data."""
import subprocess
import sys
import os
import json
import time

import psycopg

ng, w, policy = sys.argv[1:4]
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)[:400]), flush=True)


text = open(policy).read().replace("epsilon: 6, delta", "epsilon: 100, delta").replace("epsilon: 0.5, max_epsilon: 2", "epsilon: 0.2, max_epsilon: 1")
verifier = text.split('password: "')[1].split('"')[0]
text = text.replace("members:\n", "members:\n  - { name: lab, abilities: [query, receive] }\n")
text = text.replace("logins:\n", f'logins:\n  - {{ user: lea, member: lab, password: "{verifier}" }}\n  - {{ user: bob, member: publisher, password: "{verifier}" }}\n')
text += "  - { owner: brand, table: customers, analyst: lab, epsilon: 50, accounting: pure, per_query: { epsilon: 0.5, min_epsilon: 0.1, max_epsilon: 2 } }\n"
path = w + "/settings.yaml"
open(path, "w").write(text)
ready = path + ".port"
proxy = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", ready], stdin=subprocess.DEVNULL, stdout=open(w + "/proxy.log", "ab"), stderr=subprocess.STDOUT)
while not os.path.exists(ready):
    time.sleep(0.02)
    assert proxy.poll() is None


def login(user):
    return psycopg.connect(f"host=127.0.0.1 port={open(ready).read()} user={user} password={os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True)


c = login("ana")
up = psycopg.connect(f"host={w}/pg/sock user=owner dbname=campaign", autocommit=True)


def state(sql):
    try:
        c.execute(sql).fetchall() if sql.startswith(("SELECT", "EXPLAIN")) else c.execute(sql)
        return "ran"
    except psycopg.Error as e:
        return e.diag.sqlstate + " " + (e.diag.message_primary or "") + " / " + (e.diag.message_hint or "")


def explained(sql):
    return "\n".join(r[0] for r in c.execute("EXPLAIN " + sql).fetchall())


# --- SET noisegate.error ------------------------------------------------------------------------------------------------------
def charge(text):
    return float(text.split("rho ")[-1].split()[0].strip(",")) if "rho " in text else None


question = "SELECT region, count(*) FROM customers GROUP BY region"
loose = None
for wanted in ("50", "±20", "+-10"):
    c.execute(f"SET noisegate.error = '{wanted}'")
    lines = explained(question)
    half = float(lines.split("expected ±")[1].split(" ")[0])
    rho = float(lines.split("rho of a zCDP account: ")[1].split()[0])
    limit = float(wanted.strip("±+-"))
    check(f"error {wanted}: expected ±{half}, within it and not far below", half <= limit and half > 0.9 * limit - 1, lines)
    check(f"error {wanted}: a smaller error costs more", loose is None or rho > loose, (rho, loose))
    loose = rho
for bad in ("-3", "0", "abc", "1e999", "NaN", "0%", "-5%", "101%", "%", "5%%", "±", "1e-400%", "5%; SELECT 1", "٥%", "9" * 5000):
    check(f"error '{bad[:20]}' is refused", state(f"SET noisegate.error = '{bad}'").startswith("22023"), state(f"SET noisegate.error = '{bad}'"))
before = c.execute("SELECT sum(queries) FROM noisegate.budget").fetchone()
for name, values in [("epsilon", ("0", "-1", "-0", "NaN", "1e308", "Infinity", "1e-13", "0x1", "1,5", "lots", "1e-400", "9" * 5000)), ("delta", ("0", "1", "1.0", "-1e-9", "NaN", "1e-19", "1e308", "1e-400", "inf")),
                     ("confidence", ("0", "1", "-1", "NaN", "1e308", "95%", "0." + "9" * 40)), ("mechanism", ("exact", "none", ""))]:
    for bad in values:
        seen = state(f"SET noisegate.{name} = '{bad}'")
        check(f"noisegate.{name} = '{bad[:20]}' is refused, with what would do", seen.startswith("22023") and f"noisegate.{name}" in seen and not seen.endswith("/ "), seen)
for name, bad, sql in [("epsilon", "1.000000000001", "SELECT count(*) FROM customers"), ("epsilon", "9000000", "SELECT count(*) FROM customers"), ("delta", "1.1e-6", "SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign"),
                       ("delta", "0.999999", "SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign")]:
    c.execute(f"SET noisegate.{name} = '{bad}'")
    seen = state(sql)
    check(f"noisegate.{name} = {bad} is above the policy's maximum: refused by name", seen.startswith("42501") and f"noisegate.{name} is above what one query on" in seen and "smaller value" in seen, seen)
    c.execute(f"SET noisegate.{name} = default")
check("nothing of this was charged", c.execute("SELECT sum(queries) FROM noisegate.budget").fetchone() == before)
c.execute("SET noisegate.error = '0.0001'")
check("an error out of reach is refused, with what can be reached", "cannot be reached" in state(question), state(question))
c.execute("SET noisegate.error = '±20'")
lines = explained("SELECT count(*) FROM customers")
check("EXPLAIN says the least epsilon", "Accuracy first: ±20 at 95%: the least epsilon is 0." in lines, lines)
c.execute("SET noisegate.epsilon = 0.01")
check("noisegate.epsilon is a limit", "cannot be reached" in state("SELECT count(*) FROM customers"))
c.execute("SET noisegate.epsilon = default")


def spent():
    return c.execute("SELECT queries, epsilon_spent FROM noisegate.budget WHERE table_name = 'customers'").fetchone()


def said(sql, *a, **k):
    notices = []
    handler = lambda d: notices.append(d.message_primary)
    c.add_notice_handler(handler)
    rows = c.execute(sql, *a, **k).fetchall()
    c.remove_notice_handler(handler)
    return rows, "\n".join(notices)


ends = "SELECT noise_low(count(*)), count(*), noise_high(count(*)) FROM customers"
for wanted in ("20%", "± 20 %".replace(" ", ""), "20 %"):
    c.execute(f"SET noisegate.error = '{wanted}'")
    check(f"'{wanted}' is shown as 20%", c.execute("SHOW noisegate.error").fetchone()[0] == "20%")
before = spent()
lines = explained(ends)
check("EXPLAIN of a percentage: the look, and at most how much more; free", "±20% at 95% depends on the data: this is a first look (epsilon 0.02)" in lines and "at most 0.98 more" in lines
      and spent() == before, lines)
c.execute("SET noisegate.error = '25%'")
((low, n, high),), notice = said(ends)
check(f"25% of a large count: the look is the answer ({low}..{high})", (high - low) / 2 <= 0.25 * n + 1 and spent()[0] == before[0] + 1, (low, n, high))
c.execute("SET noisegate.error = '2%'")
before = spent()
((low, n, high),), notice = said(ends, prepare=True)
check(f"2%: a look and an answer, two charges ({low}..{high})", 0.015 * n <= (high - low) / 2 <= 0.025 * n and spent()[0] == before[0] + 2, (low, n, high))
history = c.execute("SELECT rho, sql FROM noisegate.queries ORDER BY query_id DESC LIMIT 2").fetchall()
check("both charges are in the history, and the notice says their sum", history[0][0] > history[1][0] and history[0][1] == history[1][1] == ends
      and abs(float(notice.split("charged rho ")[1].split()[0]) - float(sum(h[0] for h in history))) < 0.01 * float(history[0][0]), (history, notice))
rows, _ = said("SELECT region, noise_low(avg(age)), avg(age), noise_high(avg(age)) FROM customers GROUP BY region HAVING count(*) > %s", (0,), prepare=True)
check("averages by group, prepared", len(rows) == 4 and all(r[1] <= r[2] <= r[3] for r in rows), rows)
rows, _ = said("SELECT noise_low(avg(age)), avg(age), noise_high(avg(age)) FROM customers")
check("an average within about 2%", float(rows[0][2] - rows[0][0]) / 2 / float(rows[0][1]) < 0.03, rows)
before = spent()
c.execute("SET noisegate.error = '0.01%'")
why = state(question)
check("a percentage out of reach: the look is charged, the answer neither run nor charged", "±0.01% at 95% cannot be reached" in why and spent()[0] == before[0] + 1, why)
c.execute("SET noisegate.error = '3'")
rows, _ = said("SELECT noise_low(avg(age)), noise_high(avg(age)) FROM customers")
check("an absolute error of an average takes a look too", float(rows[0][1] - rows[0][0]) / 2 < 4, rows)
rollup = "SELECT age > 40, count(*), avg(age), noise_low(count(*)), noise_high(count(*)) FROM customers GROUP BY ROLLUP (1) ORDER BY 1"
for wanted, charges in (("9000", 1), ("200", 2)):
    c.execute(f"SET noisegate.error = '{wanted}'")
    before = spent()
    rows, _ = said(rollup)
    check(f"totals agree after a look, error {wanted}: {charges} charges", sum(r[1] for r in rows[:-1]) == rows[-1][1] and all(r[3] <= r[1] <= r[4] for r in rows)
          and spent()[0] == before[0] + charges, (rows, spent(), before))
c.execute("SET noisegate.error = default")
check("default asks with the policy's epsilon again", state("SELECT avg(spend) FROM customers") == "ran")

# --- interval ends cover ---------------------------------------------------------------------------------------------------------
c.execute("SET noisegate.notices = off")
c.execute("SET noisegate.epsilon = 0.1")
c.execute("SET noisegate.confidence = 0.8")
truth = up.execute("SELECT count(*), avg(spend) FROM brand_raw.customers WHERE email_fp IS NOT NULL").fetchone()
inside = [0, 0]
runs = 120
for _ in range(runs):
    low, high, low_avg, high_avg, n = c.execute("SELECT noise_low(count(*)), noise_high(count(*)), noise_low(avg(spend)), noise_high(avg(spend)), count(*) FROM customers").fetchone()
    inside[0] += low <= truth[0] <= high
    inside[1] += low_avg <= truth[1] <= high_avg
    assert low <= n <= high
for name, k in zip(("count", "avg"), inside):
    check(f"80% intervals of {name} cover the truth in {k} of {runs} (68% to 92%)", 0.68 * runs <= k <= 0.92 * runs)
row = c.execute("SELECT count(*) AS n, noise_high(count(*)) - noise_low(count(*)) FROM customers HAVING noise_low(count(*)) > 0").fetchone()
check("interval ends stand in expressions and HAVING", row is not None and row[1] > 0, row)

for form in ("noise_low(region)", "noise_low(count(*) + 1)", "noise_low(count(*)) OVER ()", "noise_low(count(*)) FILTER (WHERE age > 30)", "brand.noise_low(count(*))"):
    check(f"{form} is refused", state(f"SELECT {form} FROM customers GROUP BY region").startswith("42501 noise_low and noise_high take"), state(f"SELECT {form} FROM customers GROUP BY region"))
check("over a result, the hint says where to write it", "where the aggregate is called" in state("SELECT noise_low(n) FROM (SELECT count(*) AS n FROM customers) t"))
for prepare in (False, True):
    cur = c.execute("SELECT region, noise_low(count(*)), noise_high(avg(age)), noise_low(stddev(spend)) FROM customers WHERE age > %s GROUP BY region ORDER BY noise_low(count(*)) DESC", (30,), prepare=prepare, binary=prepare)
    rows = cur.fetchall()
    check(f"interval ends by group, typed, ordered (prepared: {prepare})", [d.type_code for d in cur.description] == [25, 20, 1700, 1700] and len(rows) == 4
          and [r[1] for r in rows] == sorted((r[1] for r in rows), reverse=True), rows)
lines = explained("SELECT noise_low(count(*)), count(*), noise_high(count(*)) FROM customers")
alone = explained("SELECT count(*) FROM customers")
check("ends cost nothing", charge(lines) == charge(alone) and "low end of count(*): from the noised figures of count(*), at no further cost" in lines, lines)

# --- introspection -----------------------------------------------------------------------------------------------------------------
before = c.execute("SELECT epsilon_spent, queries, default_queries_left FROM noisegate.budget WHERE table_name = 'customers'").fetchone()
c.execute("SELECT count(*) FROM customers")
after = c.execute("SELECT epsilon_spent, queries, default_queries_left FROM noisegate.budget WHERE table_name = 'customers'").fetchone()
check("noisegate.budget follows the ledger", after[0] > before[0] and after[1] == before[1] + 1 and after[2] <= before[2], (before, after))
show = json.loads(subprocess.run([ng, "budget", "show", "-c", path, "--json"], capture_output=True, text=True).stdout)
check("noisegate.queries has the last question", c.execute("SELECT sql FROM noisegate.queries ORDER BY query_id DESC LIMIT 1").fetchone()[0] == "SELECT count(*) FROM customers")
check("joins among the relations", c.execute("SELECT count(*) FROM noisegate.tables JOIN noisegate.columns USING (table_schema, table_name) JOIN noisegate.rules USING (table_schema, table_name)").fetchone()[0] > 10)
check("bounds and public values are shown", c.execute("SELECT lower_bound, upper_bound, public_values FROM noisegate.columns WHERE column_name IN ('age', 'region') AND table_name = 'customers' ORDER BY column_name").fetchall()
      == [(18, 90, None), (None, None, ["north", "south", "east", "west"])])
check("history joins the tables", c.execute("SELECT count(*) FROM noisegate.queries JOIN noisegate.tables USING (table_schema, table_name) JOIN noisegate.budget USING (table_schema, table_name)").fetchone()[0] > 100)
c.execute("SET search_path = brand, noisegate")
check("they are found along the search path", c.execute("SELECT count(*) FROM budget").fetchone()[0] == 3 and c.execute("SELECT count(*) FROM rules").fetchone()[0] >= 3)
c.execute("RESET search_path")
check("asking is free", c.execute("SELECT queries FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0] == after[1])
check("they cannot be changed", state("DELETE FROM noisegate.rules").startswith("42501") and state("INSERT INTO noisegate.tables VALUES ('x')").startswith("42501"))
check("they do not mix with protected rows", state("SELECT count(*) FROM customers, noisegate.budget").startswith("42501"))
check("the settings behind them cannot be read or set", state("SELECT current_setting('noisegate.budget_rows')").startswith("42501") and not state("SET noisegate.budget_rows = '[]'").startswith("ran"))
lea, bob = login("lea"), login("bob")
lea.execute("SELECT count(*) AS only_lea FROM customers")
for user, who in (("ana", c), ("bob", bob)):
    check(f"{user} sees the own member's history and budgets only", who.execute("SELECT count(*) FROM noisegate.queries WHERE sql LIKE '%only_lea%' OR login = 'lea'").fetchone()[0] == 0
          and who.execute("SELECT count(*), min(queries) FROM noisegate.budget WHERE table_name = 'customers'").fetchone() == (1, after[1])
          and who.execute("SELECT DISTINCT login FROM noisegate.queries").fetchall() == [("ana",)])
check("lea sees hers", lea.execute("SELECT login, sql FROM noisegate.queries").fetchall() == [("lea", "SELECT count(*) AS only_lea FROM customers")]
      and lea.execute("SELECT table_name, accounting, epsilon_spent FROM noisegate.budget").fetchall() == [("customers", "pure", lea.execute("SELECT epsilon FROM noisegate.queries").fetchone()[0])])
for name in ("budget_rows", "query_rows"):
    check(f"{name} is no setting of the session", state(f"SHOW noisegate.{name}").startswith("42704") and c.execute("SELECT count(*) FROM pg_settings WHERE name LIKE %s", (f"%{name}%",)).fetchone()[0] == 0)
with c.cursor() as cur:
    cur.execute("SELECT table_name FROM noisegate.budget WHERE epsilon_limit > %s ORDER BY 1", (50,), prepare=True, binary=True)
    check("extended protocol, parameters, binary", cur.fetchall() == [("customers",), ("impressions",), ("users",)], cur.rowcount)
long = "SELECT count(*) AS \"" + "x\"\"\\'" * 9 + "\", " + ", ".join(["'\x01\"'"] * 900) + " FROM customers"
for _ in range(30):
    lea.execute(long)
rows = lea.execute("SELECT count(*), max(length(sql)), bool_and(sql LIKE '%customers%' OR length(sql) > 3000) FROM noisegate.queries").fetchone()
check("a long history of hostile text is shown whole", rows[0] == 31 and rows[1] > 3000 and rows[2], rows)
listing = subprocess.run(["psql", f"host=127.0.0.1 port={open(ready).read()} user=ana dbname=campaign sslmode=require", "-XAtc", "\\d noisegate.budget", "-c", "\\dt noisegate.*"], capture_output=True, text=True).stdout
check("psql describes them", "default_queries_left|bigint" in listing and "noisegate|columns|table" in listing, listing)
# --- what one query costs at least ----------------------------------------------------------------------------------------------
lea.close()
lea = login("lea")


def spent_by(d, sql):
    """What a statement costs, or why it does not run."""
    before = d.execute("SELECT epsilon_spent FROM noisegate.budget").fetchone()[0]
    try:
        d.execute(sql).fetchall()
    except psycopg.Error as e:
        return e.diag.message_primary
    return round(float(d.execute("SELECT epsilon_spent FROM noisegate.budget").fetchone()[0] - before), 9)


lea.execute("SET noisegate.epsilon = 0.09")
seen = spent_by(lea, "SELECT count(*) FROM brand.customers")
check("less than the least that the owner asks for is refused", seen == "noisegate.epsilon is below what one query on brand.customers costs", seen)
lea.execute("SET noisegate.epsilon = 0.1")
check("the least itself is not", spent_by(lea, "SELECT count(*) FROM brand.customers WHERE age > 20") == 0.1)
lea.execute("SET noisegate.epsilon = default")
lea.execute("SET noisegate.error = '±100000'")
check("an error that less would reach costs the least", spent_by(lea, "SELECT count(*) FROM brand.customers WHERE age > 21") == 0.1)
lea.execute("SET noisegate.error = '0.1%'")
seen = spent_by(lea, "SELECT count(*) FROM brand.customers WHERE age > 22")
left = c.execute("SELECT 1").fetchone() and lea.execute("SELECT min(epsilon) FROM noisegate.queries").fetchone()[0]
check("a first look too", float(left) == 0.1, (seen, left))
lea.close()

proxy.terminate()
proxy.wait(60)
sys.exit(failed > 0)
