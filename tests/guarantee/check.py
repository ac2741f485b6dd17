"""Through the wire: budgets under races, kill -9, canaries, an upstream that goes away."""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import psycopg2

ng, w, policy = sys.argv[1:4]
password = os.environ["PGPASSWORD"]
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)), flush=True)


class Proxy:
    def __init__(self, path):
        self.path, self.ready = path, path + ".port"
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        self.log = open(w + "/proxy.log", "ab")
        self.p = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", self.ready], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(3000):
            if os.path.exists(self.ready):
                break
            if self.p.poll() is not None:
                raise RuntimeError("the proxy did not start")
            time.sleep(0.02)
        self.port = int(open(self.ready).read())

    def connect(self):
        return psycopg2.connect(host="127.0.0.1", port=self.port, user="ana", password=password, dbname="campaign", sslmode="require")

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        self.p.wait(60)


def write_policy(name, epsilon, per_query="0.1"):
    text = open(policy).read().replace("campaign.ledger", name + ".ledger").replace("accounting: zcdp", "accounting: pure")
    text = text.replace("epsilon: 6, delta", f"epsilon: {epsilon}, delta").replace("epsilon: 0.5, max_epsilon: 2", f"epsilon: {per_query}, max_epsilon: {per_query}")
    path = f"{w}/{name}.yaml"
    open(path, "w").write(text)
    return path


def spent(path):
    out = subprocess.run([ng, "budget", "show", "-c", path, "--json"], capture_output=True, text=True)
    return {b["table"]: b for b in json.loads(out.stdout)}


# --- 64 sessions, a budget of 50 -------------------------------------------------------------------------------------------------
path = write_policy("race", 5)
proxy = Proxy(path)
answers, refusals = [], []


def racer():
    c = proxy.connect()
    c.autocommit = True
    k = c.cursor()
    for _ in range(3):
        try:
            k.execute("SELECT count(*) FROM brand.customers")
            answers.append(k.fetchone()[0])
        except psycopg2.Error as e:
            refusals.append(e.pgcode)
    c.close()


threads = [threading.Thread(target=racer) for _ in range(64)]
[t.start() for t in threads]
[t.join() for t in threads]
check(f"64 sessions race for a budget of 50 queries: {len(answers)} answered, the rest 53400", len(answers) == 50 and set(refusals) == {"53400"}, set(refusals))
proxy.stop()
check("the ledger says 50", spent(path)["brand.customers"]["queries"] == 50)

# --- kill -9 --------------------------------------------------------------------------------------------------------------------
rounds = int(os.environ.get("KILL_ROUNDS", "200"))
path = write_policy("kill", 100, "0.001")
rnd = random.Random(3)
answered = started = lost = 0
for _ in range(rounds):
    proxy = Proxy(path)
    started += 1
    killer = threading.Timer(rnd.random() * 0.12, lambda: proxy.p.kill())
    killer.start()
    try:
        c = proxy.connect()
        c.autocommit = True
        k = c.cursor()
        while True:
            k.execute("SELECT count(*) FROM brand.customers")
            k.fetchone()
            answered += 1
    except psycopg2.Error:
        pass
    killer.join()
    proxy.p.wait()
    if spent(path)["brand.customers"]["queries"] < answered:
        lost += 1
total = spent(path)["brand.customers"]["queries"]
check(f"killed {rounds} times: the ledger opens, {answered} answered, {total} charged", lost == 0 and started == rounds and answered > rounds / 4 and total <= answered + rounds)

# --- canaries -------------------------------------------------------------------------------------------------------------------
psql = ["psql", "-XqAt", f"host={w}/pg/sock user=owner dbname=campaign"]
subprocess.run(psql + ["-c", "INSERT INTO brand_raw.customers SELECT '02:hmac:CANARYFINGERPRINT', 'north', 77, 431.97, '2026-02-03', 'CANARYNOTE'",
                       "-c", "INSERT INTO publisher_raw.impressions SELECT '02:hmac:CANARYFINGERPRINT', 'CANARYCAMPAIGN', '2026-01-07', true FROM generate_series(1, 9)"], check=True)
path = write_policy("canary", 50, "0.5")
proxy = Proxy(path)
c = proxy.connect()
c.autocommit = True
k = c.cursor()
said = []
for sql in ["SELECT * FROM brand.customers", "SELECT note FROM brand.customers LIMIT 3", "SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign",
            "SELECT count(*) FROM brand.customers WHERE spend / 0 > 1", "SELECT count(*) FROM brand.customers WHERE note = 'x'", "SELECT avg(spend) FROM brand.customers",
            "SELECT sum(spend) FROM brand.customers WHERE region = 'north'", "EXPLAIN SELECT region, avg(spend) FROM brand.customers GROUP BY region", "SELECT email_fp FROM brand.customers",
            "SELECT 1/0", "SELECT count(*) / 0 FROM brand.customers", "SELECT nope", "SELECT relname, reltuples FROM pg_class WHERE relname = 'customers'"]:
    try:
        k.execute(sql)
        said.append(repr(k.fetchall()))
    except psycopg2.Error as e:
        said.append(str(e) + repr(e.diag.message_detail) + repr(e.diag.message_hint))
    said += c.notices
raw = psycopg2.connect(f"host={w}/pg/sock user=owner dbname=campaign")
rk = raw.cursor()
rk.execute("SELECT sum(spend)::text FROM brand_raw.customers WHERE region = 'north'")
true_sum = rk.fetchone()[0]
raw.close()
subprocess.run(psql + ["-c", "ALTER TABLE brand_raw.customers RENAME TO away"], check=True)
try:
    k.execute("SELECT count(*) FROM brand.customers")
    constant = ""
except psycopg2.Error as e:
    constant = e.diag.message_primary
    said.append(str(e))
subprocess.run(psql + ["-c", "ALTER TABLE brand_raw.away RENAME TO customers"], check=True)
check("a failure upstream has one constant text, and stays charged", constant == "the upstream could not run the query", constant)
proxy.stop()
blob = "\n".join(said)
for name in os.listdir(w):
    full = os.path.join(w, name)
    if os.path.isfile(full) and (name.endswith(".log") or ".ledger" in name):
        blob += open(full, "rb").read().decode("utf-8", "replace")
key = open(w + "/key").read().strip()
for what, canary in [("a fingerprint", "CANARYFINGERPRINT"), ("a sealed note", "CANARYNOTE"), ("a rare group", "CANARYCAMPAIGN"), ("a true sum", true_sum), ("the password", password),
                     ("the collaboration key", key)]:
    check(f"{what} is in no answer, error, log or ledger", canary not in blob)

# --- an upstream that is not there ------------------------------------------------------------------------------------------------
path = write_policy("down", 5)
text = open(path).read().replace(w + "/pg/sock", w + "/nowhere")
open(path, "w").write(text)
proxy = Proxy(path)
c = proxy.connect()
c.autocommit = True
k = c.cursor()
try:
    k.execute("SELECT count(*) FROM brand.customers")
    message = ""
except psycopg2.Error as e:
    message = e.diag.message_primary
k.execute("SELECT count(*) FROM pg_class")
check("upstream down at start: clear error, nothing charged, the catalog still answers", "upstream" in message and spent(path)["brand.customers"]["queries"] == 0 and k.fetchone()[0] > 0, message)
proxy.stop()
sys.exit(failed > 0)
