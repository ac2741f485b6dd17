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
path = w + "/settings.yaml"
open(path, "w").write(text)
ready = path + ".port"
proxy = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", ready], stdin=subprocess.DEVNULL, stdout=open(w + "/proxy.log", "ab"), stderr=subprocess.STDOUT)
while not os.path.exists(ready):
    time.sleep(0.02)
    assert proxy.poll() is None
c = psycopg.connect(f"host=127.0.0.1 port={open(ready).read()} user=ana password={os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True)
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
for bad in ("5%", "-3", "0", "abc", "1e999", "NaN"):
    check(f"error '{bad}' is refused", state(f"SET noisegate.error = '{bad}'").startswith("22023"), state(f"SET noisegate.error = '{bad}'"))
c.execute("SET noisegate.error = '0.0001'")
check("an error out of reach is refused, with what can be reached", "cannot be reached" in state(question), state(question))
c.execute("SET noisegate.error = '100'")
check("an average has no error known beforehand", "counts and sums" in state("SELECT avg(spend) FROM customers"), state("SELECT avg(spend) FROM customers"))
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
check("asking is free", c.execute("SELECT queries FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0] == after[1])
check("they cannot be changed", state("DELETE FROM noisegate.rules").startswith("42501") and state("INSERT INTO noisegate.tables VALUES ('x')").startswith("42501"))
check("they do not mix with protected rows", state("SELECT count(*) FROM customers, noisegate.budget").startswith("42501"))
check("the settings behind them cannot be read or set", state("SELECT current_setting('noisegate.budget_rows')").startswith("42501") and not state("SET noisegate.budget_rows = '[]'").startswith("ran"))
proxy.terminate()
proxy.wait(60)
sys.exit(failed > 0)
