"""The audit log: every decision is in it, nothing can be taken out, nobody can be told what is not in it."""
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import psycopg

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import verifier  # noqa: E402

ng, w, policy = sys.argv[1:4]
failed = 0
random.seed(20261121)


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)[:600]), flush=True)


def run(*words, **more):
    r = subprocess.run([ng, "audit", *words], capture_output=True, text=True, timeout=120, **more)
    return r.returncode, r.stdout + r.stderr


check("keygen makes a key pair", run("keygen", w + "/sign")[0] == 0 and os.stat(w + "/sign").st_mode & 0o777 == 0o600)
check("keygen overwrites nothing", run("keygen", w + "/sign")[0] == 1)
PUBLIC = verifier.public_key(w + "/sign.pub")
r = subprocess.run(["openssl", "pkey", "-in", w + "/sign", "-pubout"], capture_output=True, text=True)
check("openssl reads the key", r.stdout == open(w + "/sign.pub").read(), r.stderr)

base = open(policy).read().replace("epsilon: 6, delta", "epsilon: 100, delta").replace("epsilon: 0.5, max_epsilon: 2", "epsilon: 0.01, max_epsilon: 100")


class Proxy:
    """A proxy with a ledger and an audit log of its own."""

    def __init__(self, name, audit="", text=base, start=True):
        self.dir = f"{w}/{name}.audit"
        self.policy = f"{w}/{name}.yaml"
        text = re.sub(r"^ledger:.*$", "", text, flags=re.M)
        open(self.policy, "w").write(text + f"ledger: {name}.ledger\naudit: {{ path: {name}.audit, sign_key: sign{', ' if audit else ''}{audit} }}\n")
        if start:
            self.start()

    def start(self, **env):
        ready = self.policy + ".port"
        if os.path.exists(ready):
            os.unlink(ready)
        self.log = open(self.policy + ".log", "ab")
        self.p = subprocess.Popen([ng, "serve", "-c", self.policy, "--ready-file", ready], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, **env})
        while not os.path.exists(ready):
            time.sleep(0.02)
            if self.p.poll() is not None:
                return False
        self.port = open(ready).read().strip()
        return True

    def connect(self, user="ana", password=None, **more):
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user={user} password={password or os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True, **more)

    def stop(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        self.p.wait(30)
        self.log.close()

    def records(self, key=PUBLIC):
        return verifier.read(self.dir, key)[1]

    def said(self):
        return open(self.policy + ".log").read()


def state(c, sql, *args, **more):
    try:
        c.execute(sql, *args, **more)
        return "ran"
    except psycopg.Error as e:
        return (e.diag.sqlstate or "") + " " + (e.diag.message_primary or str(e))


def raw(sql):
    with psycopg.connect(f"host={w}/pg/sock user=owner dbname=campaign", autocommit=True) as up:
        up.execute(sql)


# --- the document is the code ----------------------------------------------------------------------------------------------------------
ev = {int(n): name for n, name in re.findall(r'X\(\w+,\s+(\d+),\s+"([^"]+)"\)', open("budget/audit_events.def").read())}
fl = {int(n): (name, kind.lower(), many == "1") for n, name, kind, many in re.findall(r'X\(\w+,\s+(\d+),\s+"(\w+)",\s+FIELD_(\w+),\s+(\d)\)', open("budget/audit_fields.def").read())}
check("docs/audit.md lists every event", len(ev) >= 14 and ev == verifier.EVENTS, ev.items() ^ verifier.EVENTS.items())
check("docs/audit.md lists every field, with its kind", len(fl) >= 43 and fl == verifier.FIELDS, fl.items() ^ verifier.FIELDS.items())

for what, change, words in (("a signing key that is not there", "sign_key: nowhere", "could not open"), ("a signing key that is no key", "sign_key: campaign.yaml", "Ed25519"),
                            ("a signing key that others may read", "sign_key: open", "others may read it"), ("a segment of no size", "segment_bytes: 1", "segment_bytes"),
                            ("a checkpoint that is a word", "checkpoint: often", "map of keys"), ("an unknown key", "pth: x", 'did you mean "path"')):
    shutil.copy(w + "/sign", w + "/open"), os.chmod(w + "/open", 0o644)
    path = w + "/bad.yaml"
    open(path, "w").write(base + "audit: { path: bad.audit, " + change + " }\n")
    os.chmod(w + "/campaign.yaml", 0o600)
    r = subprocess.run([ng, "serve", "-c", path, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
    check(f"refused at start: {what}", r.returncode == 1 and words in r.stderr, r.stderr)

# --- every decision --------------------------------------------------------------------------------------------------------------------
p = Proxy("main", "checkpoint: { seconds: 1 }, segment_bytes: 4096")
notices = []
c = p.connect()
c.add_notice_handler(lambda d: notices.append(d.message_primary))
rows = c.execute("SELECT region, count(*) FROM customers GROUP BY region ORDER BY 1").fetchall()
check("no receipt unless asked for", not any("receipt" in n for n in notices), notices)
c.execute("SET noisegate.receipts = on")
notices.clear()
rows = c.execute("SELECT region, count(*), NULL::text FROM customers GROUP BY region ORDER BY 1").fetchall()
receipts = [n.split()[1] for n in notices if n.startswith("receipt ")]
check("an answer has one receipt", len(receipts) == 1, notices)
notices.clear()
binary = c.cursor(binary=True)
binary.execute("SELECT count(*) FROM customers WHERE region = %s", ("north",))
binary_bytes = binary.pgresult.get_value(0, 0)
receipts += [n.split()[1] for n in notices if n.startswith("receipt ")]
steps = [("a refused query", "SELECT * FROM customers", "refused", "42501"), ("a refused statement", "DELETE FROM customers", "refused", "42501"),
         ("a syntax error", "SELEC 1", "refused", "42601"), ("an unknown table", "SELECT count(*) FROM nowhere", "refused", "42P01")]
for name, sql, event, code in steps:
    for prepare in (False, True):
        got = state(c, sql, prepare=prepare)
        last = p.records()[-1]
        last = [r for r in p.records() if r["event"] != "checkpoint"][-1]
        check(f"{name} is recorded ({'prepared' if prepare else 'simple'})", got[:5] == code and last["event"] == event and last["sqlstate"] == code and last["sql"] == sql and last["user"] == "ana" and last["member"] == "publisher", (got, last))
c.execute("SET noisegate.epsilon = 100")
got = state(c, "SELECT count(*) FROM customers")
end = [r for r in p.records() if r["event"] != "checkpoint"][-2:]
check("a query that does not fit the budget is recorded as refused, with its plan", got[:5] == "53400" and [r["event"] for r in end] == ["allowed", "refused"] and end[1]["statement"] == end[0]["sequence"] and end[1]["sqlstate"] == "53400", (got, end))
c.execute("SET noisegate.epsilon = default")
raw("ALTER TABLE brand_raw.customers RENAME TO away" if "brand_raw" in base else "ALTER TABLE brand.customers RENAME TO away")
got = state(c, "SELECT count(*) FROM customers")
raw("ALTER TABLE brand_raw.away RENAME TO customers" if "brand_raw" in base else "ALTER TABLE brand.away RENAME TO customers")
end = [r for r in p.records() if r["event"] != "checkpoint"][-3:]
check("a query that fails upstream is recorded as failed, and charged", got[:5] == "58000" and [r["event"] for r in end] == ["allowed", "charged", "failed"] and end[2]["statement"] == end[0]["sequence"], (got, end))
before = len([r for r in p.records() if r["event"] != "checkpoint"])
for sql in ("EXPLAIN SELECT count(*) FROM customers", "SELECT 1", "SELECT * FROM noisegate.budget", "SHOW noisegate.receipts"):
    c.execute(sql)
check("EXPLAIN, catalogs and constants are no decisions", len([r for r in p.records() if r["event"] != "checkpoint"]) == before)
notices.clear()
c.execute("SET noisegate.error = '30%'")
c.execute("SELECT count(*) FROM customers")
c.execute("SET noisegate.error = default")
look = [r for r in p.records() if r["event"] == "allowed" and "look" in r]
check("a look and the answer that it led to are two charges, tied", len(look) >= 1 and all(any(q["sequence"] == r["look"] and q["event"] == "allowed" for q in p.records()) for r in look) and p.records()[-1]["event"] in ("answered", "checkpoint"), look)
for i in range(30):
    try:
        p.connect(password="wrong")
    except psycopg.OperationalError:
        pass
time.sleep(1.1)
try:
    p.connect(user="no\u00e9body\u2603", password="wrong")
except psycopg.OperationalError:
    pass
p.connect().close()
log = p.records()
refused = [r for r in log if r["event"] == "login refused"]
check("refused logins are recorded or counted", 2 <= len(refused) and len(refused) + sum(r.get("suppressed", 0) for r in refused) == 31 and refused[-1]["user"] == "no\u00e9body\u2603" and "member" not in refused[-1], (len(refused), refused[-1]))
check("logins are recorded, with where they came from", sum(r["event"] == "login" for r in log) == 2 and all(r["peer"].startswith("127.0.0.1:") for r in log if r["event"] == "login"))
check("the log begins with its start, its key and its policy", [r["event"] for r in log[:3]] == ["started", "checkpoint", "policy"] and log[0]["public_key"] == PUBLIC and log[2]["policy_sha256"] == hashlib.sha256(open(p.policy, "rb").read()).digest())

# --- what stands in a record -------------------------------------------------------------------------------------------------------------
allowed = {r["sequence"]: r for r in log if r["event"] == "allowed"}
answered = [r for r in log if r["event"] == "answered"]
one = allowed[answered[1]["statement"]]
check("allowed holds text, figures and charges", "NULL::text" in one["sql"] and one["block"][0]["unit"] == "person" and one["block"][0]["table"] == ["brand.customers"] and "aussian" in one["block"][0]["mechanism"] and one["charge"][0]["account"] == "brand.customers" and one["charge"][0]["analyst"] == "publisher" and one["charge"][0]["rho"] > 0 and json.loads(one["charge"][0]["mechanisms"]), one)
check("parameters are recorded", any(r.get("parameter") == ["north"] for r in allowed.values()), [r.get("parameter") for r in allowed.values()])
c.execute("SELECT   COUNT( * ) AS n FROM brand.customers c WHERE c.region='north'")
c.execute("select count(*) from customers where region = 'north'")
c.execute("select count(*) from customers where region = 'south'")
check("the number of rows is recorded where it is public", all("rows" in r for r in answered))
h = [r["query_sha256"] for r in p.records() if r["event"] == "allowed"][-3:]
check("the canonical hash is of the question, not of its spelling", h[0] == h[1] != h[2])
ledger = json.loads(subprocess.run([ng, "budget", "history", "-c", p.policy, "--limit", "100000", "--json"], capture_output=True, text=True).stdout)
charged = {r["ledger_query"] for r in p.records() if r["event"] == "charged"}
check("every charge of the ledger is in the log, and no other", charged == {q["query"] for q in ledger}, charged ^ {q["query"] for q in ledger})
order = {}
for r in p.records():
    if r["event"] in ("charged", "answered", "failed") or r["event"] == "refused" and "statement" in r:
        order.setdefault(r["statement"], []).append(r["event"])
check("allowed, charged, answered: in this order", all(v in (["charged", "answered"], ["refused"], ["charged", "failed"], ["charged"]) for v in order.values()), order)

# --- receipts ------------------------------------------------------------------------------------------------------------------------------
log_id, records = verifier.read(p.dir, PUBLIC)
by_number = {r["sequence"]: r for r in records}
for name, text, columns, cells in (("text", receipts[0], 3, [[str(v).encode() if v is not None else None for v in row] for row in rows]), ("binary", receipts[1], 1, [[binary_bytes]])):
    where, sequence, digest, salt = verifier.receipt(text, PUBLIC)
    r = by_number[sequence]
    check(f"a receipt names its record ({name})", where == log_id and r["event"] == "answered" and r["hash"] == digest and r["rows"] == len(cells))
    check(f"with the salt the answer is what was recorded ({name})", verifier.answer_hash(salt, columns, cells) == r["answer_sha256"])
    check(f"without it, it is not ({name})", verifier.answer_hash(b"", columns, cells) != r["answer_sha256"] and salt not in open(f"{p.dir}/00000001.audit", "rb").read())
shown = c.execute("SELECT query_id, receipt FROM noisegate.queries WHERE receipt IS NOT NULL").fetchall()
check("noisegate.queries has the receipts", len(shown) >= 5 and any(t.rsplit(":", 1)[0] == receipts[0].rsplit(":", 1)[0] for _, t in shown) and all(by_number.get(verifier.receipt(t)[1], {"ledger_query": q})["ledger_query"] == q for q, t in shown), shown[:2])
open(w + "/receipts", "w").write("\n".join(receipts + [t for _, t in shown]) + "\n")
code, out = run("verify", p.dir, "--public-key", w + "/sign.pub", "--receipts", w + "/receipts", "--receipt", receipts[0])
check("verify finds them all, while the proxy runs", code == 0 and "whole" in out, out)
other = receipts[0].replace(":" + str(verifier.receipt(receipts[0])[1]) + ":", ":3:", 1)
check("a receipt of another record is not taken", run("verify", p.dir, "--receipt", other)[0] == 1 and "signature" in run("verify", p.dir, "--public-key", w + "/sign.pub", "--receipt", other)[1])

# --- one writer ----------------------------------------------------------------------------------------------------------------------------
second = subprocess.run([ng, "serve", "-c", p.policy, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
check("a second proxy on the same log is refused", second.returncode == 1 and "in use by another process" in second.stderr, second.stderr)

# --- tail follows, export says the same ---------------------------------------------------------------------------------------------------
tail = subprocess.Popen([ng, "audit", "tail", "-f", "-n", "1", "--json", p.dir], stdout=subprocess.PIPE, text=True)
tail.stdout.readline()
segments = len([n for n in os.listdir(p.dir) if n.endswith(".audit")])
for i in range(25):
    state(c, f"SELECT * FROM customers WHERE region = 'tail {i}'")
seen, until = [], time.time() + 20
while time.time() < until and not any("tail 24" in line for line in seen):
    seen.append(tail.stdout.readline())
tail.kill()
check("tail -f shows what comes, from one segment into the next", all(any(f"tail {i}'" in line for line in seen) for i in range(25)) and len([n for n in os.listdir(p.dir) if n.endswith(".audit")]) > segments, seen[-1:])
c.close()
p.stop()
code, out = run("export", "-c", p.policy)


def plain(v):
    return v.hex() if isinstance(v, bytes) else {k: plain(x) for k, x in v.items()} if isinstance(v, dict) else [plain(x) for x in v] if isinstance(v, list) else v


def exact(r):
    r = {k: v for k, v in plain(r).items() if k != "time"}
    for group in r.get("block", []) + r.get("charge", []):
        group.update({k: round(v / scale, 18) for k, scale in (("epsilon", 10**12), ("rho", 10**12), ("delta", 10**18)) if (v := group.get(k)) is not None})
    return r


lines = [json.loads(line) for line in out.splitlines()]
for line in lines:
    line.pop("time")
mine = [exact(r) for r in p.records()]
check("export says what the other reader reads", lines == mine, [(a, b) for a, b in zip(lines, mine) if a != b][:1])
check("export takes a range", len(run("export", p.dir, "--from", "3", "--to", "5")[1].splitlines()) == 3)
check("tail is for people", len(run("tail", p.dir, "-n", "4")[1].splitlines()) == 4 and "stopped" in run("tail", p.dir)[1])
check("wrong usage", run("verify")[0] == 2 and run("nonsense")[0] == 2 and run()[0] == 2 and run("tail", p.dir, "--from", "1")[0] == 2 and run("verify", "/nowhere")[0] == 1)

# --- nothing can be taken out: both verifiers, the same judgement ----------------------------------------------------------------------------
good = p.dir
copy = w + "/copy.audit"


def judged():
    try:
        verifier.read(copy, PUBLIC)
        their = True
    except (verifier.Broken, UnicodeDecodeError):
        their = False
    return their, run("verify", copy, "--public-key", w + "/sign.pub")[0] == 0


def fresh():
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(good, copy)
    return sorted(n for n in os.listdir(copy) if n.endswith(".audit"))


names = fresh()
check(f"the untouched log verifies ({len(names)} segments)", judged() == (True, True) and len(names) > 3)
for what in ("a bit flipped", "bytes removed", "bytes inserted", "bytes exchanged", "a segment removed", "two segments exchanged"):
    agreed = 0
    for i in range(25):
        names = fresh()
        path = os.path.join(copy, random.choice(names))
        data = bytearray(open(path, "rb").read())
        at, n = random.randrange(len(data)), random.randrange(1, 200)
        if what == "a bit flipped":
            data[at] ^= 1 << random.randrange(8)
        elif what == "bytes removed":
            del data[at:at + n]
        elif what == "bytes inserted":
            data[at:at] = bytes(random.randrange(256) for _ in range(n))
        elif what == "bytes exchanged":
            at = random.randrange(len(data) - 64)
            data[at:at + 32], data[at + 32:at + 64] = data[at + 32:at + 64], data[at:at + 32]
        if what == "a segment removed":
            os.unlink(random.choice([os.path.join(copy, n) for n in names[:-1]]))
        elif what == "two segments exchanged":
            a, b = random.sample(names, 2)
            os.rename(f"{copy}/{a}", f"{copy}/x"), os.rename(f"{copy}/{b}", f"{copy}/{a}"), os.rename(f"{copy}/x", f"{copy}/{b}")
        else:
            open(path, "wb").write(data)
        agreed += judged() == (False, False)
    check(f"{what}: never whole, 25 times", agreed == 25, agreed)
names = fresh()
os.unlink(f"{copy}/{names[-1]}")
code, out = run("verify", copy, "--public-key", w + "/sign.pub")
check("the last segment removed: the checkpoint says so", code == 1 and "cut" in out, out)
os.unlink(copy + "/checkpoint")
last = max((t for _, t in shown), key=lambda t: verifier.receipt(t)[1])
names = sorted(n for n in os.listdir(copy) if n.endswith(".audit"))
for n in names[1:]:
    os.unlink(f"{copy}/{n}")
check("cut with its checkpoint: a receipt says so", run("verify", copy)[0] == 0 and "cut" in run("verify", copy, "--receipt", last)[1])
shutil.copy(good + "/checkpoint", w + "/elsewhere")
check("cut with its checkpoint: a checkpoint kept elsewhere says so", "cut" in run("verify", copy, "--checkpoint", w + "/elsewhere")[1])
q = Proxy("unmarked", start=False)
shutil.copytree(copy, q.dir)
check("a proxy that finds a log without its checkpoint says so", q.start() and "checkpoint is missing" in q.said(), q.said())
q.stop()
quiet = len(q.said())
check("once: the next start finds one", q.start() and "checkpoint is missing" not in q.said()[quiet:])
q.stop()
q = Proxy("cut", start=False)
shutil.copytree(copy, q.dir)
shutil.copy(good + "/checkpoint", q.dir + "/checkpoint")
check("a proxy does not start on a log that was cut", not q.start() and "ends before its last checkpoint" in q.said(), q.said())
shutil.copytree(good, w + "/forged.audit")
run("keygen", w + "/forger")
f = Proxy("forger", start=False)
open(f.policy, "a").write("")
text = open(f.policy).read().replace("sign_key: sign", "sign_key: forger")
open(f.policy, "w").write(text)
f.start()
f.stop()
code, out = run("verify", f.dir, "--public-key", w + "/sign.pub")
check("a log signed by another key is not taken", code == 1 and "another key" in out and run("verify", f.dir, "--public-key", w + "/forger.pub")[0] == 0, out)

for name in (fresh()[1], "checkpoint"):
    fresh()
    os.unlink(f"{copy}/{name}")
    os.mkfifo(f"{copy}/{name}")
    code, out = run("verify", copy)
    check(f"a pipe in the place of {name} stops nobody", code == 1 and "not a regular file" in out, out)

# --- written again without the key: a whole chain that nobody signed ----------------------------------------------------------------------------
def written_again(keep):
    """The log as one segment, its records after the first `keep` without the signed ones and with every "ana" another user."""
    shutil.rmtree(copy, ignore_errors=True)
    os.mkdir(copy)
    data = b"".join(open(f"{good}/{n}", "rb").read()[64:] for n in sorted(os.listdir(good)) if n.endswith(".audit"))
    before, number, out, at = bytes(32), 0, open(f"{good}/00000001.audit", "rb").read()[:64], 0
    while at < len(data):
        n = int.from_bytes(data[at:at + 4], "big")
        body, at = data[at + 4:at + 4 + n], at + 36 + n
        if number >= keep and verifier.EVENTS[body[0]] == "checkpoint":
            continue
        number += 1
        body = body[:1] + number.to_bytes(8, "big") + (body[9:].replace(b"\0\0\0\x03ana", b"\0\0\0\x03bob") if number > keep else body[9:])
        before, record = hashlib.sha256(before + n.to_bytes(4, "big") + body).digest(), n.to_bytes(4, "big") + body
        out += record + before
    open(f"{copy}/00000001.audit", "wb").write(out)
    return number


total = written_again(0)
check("written again from the start: the chain alone is whole", run("verify", copy)[0] == 0 and verifier.read(copy)[1][-1]["sequence"] == total, run("verify", copy))
code, out = run("verify", copy, "--public-key", w + "/sign.pub")
check("with the key it is refused: nobody signed it", code == 1 and "no record of the log is under a signature" in out, out)
total = written_again(2)  # the start and its signature are real
code, out = run("verify", copy, "--public-key", w + "/sign.pub", "--unsigned", "50")
check("written again after a real signature: refused when too much follows it", code == 1 and f"{total - 1} records follow the last signature, which is of record 1" in out and "--unsigned" in out, out)
code, out = run("verify", copy, "--public-key", w + "/sign.pub", "--unsigned", str(total))
check("and told in any case", code == 0 and f"{total - 1} after it are not" in out, out)
code, out = run("verify", copy, "--public-key", w + "/sign.pub")
check("so far a small log may be under its first signature only", code == 0 and total < 2000, out)

# --- read while it is written: no false alarm ---------------------------------------------------------------------------------------------------
v = Proxy("live", "segment_bytes: 4096, checkpoint: { records: 7 }")
stop, alarms = threading.Event(), set()


def refusals():
    with v.connect() as s:
        while not stop.is_set():
            state(s, "SELECT * FROM customers")


threads = [threading.Thread(target=refusals) for _ in range(4)]
for t in threads:
    t.start()
for i in range(15):
    for words in (("verify", "-c", v.policy, "--public-key", w + "/sign.pub"), ("tail", v.dir), ("export", v.dir)):
        code, out = run(*words)
        alarms |= {(words[0], code, out[-200:])} if code else set()
stop.set()
for t in threads:
    t.join()
v.stop()
check(f"45 readings of a log that grows to {len(os.listdir(v.dir))} segments: no false alarm", not alarms and len(os.listdir(v.dir)) > 20, alarms)

# --- kill -9: who has an answer finds it in the log ---------------------------------------------------------------------------------------------
k = Proxy("kill", "segment_bytes: 20000, checkpoint: { records: 20 }", text=base.replace("epsilon: 0.01,", "epsilon: 0.0001,"))
held = []


def ask(stop, mine):
    try:
        with k.connect() as s:
            found = []
            s.add_notice_handler(lambda d: found.append(d.message_primary))
            s.execute("SET noisegate.receipts = on")
            while not stop.is_set():
                found.clear()
                cells = [[str(v).encode() for v in row] for row in s.execute("SELECT region, count(*) FROM customers GROUP BY region").fetchall()]
                mine += [(n.split()[1], cells) for n in found if n.startswith("receipt ")]
    except psycopg.Error:
        pass


rounds = 8
for i in range(rounds):
    stop, lists = threading.Event(), [[] for _ in range(6)]
    threads = [threading.Thread(target=ask, args=(stop, mine)) for mine in lists]
    for t in threads:
        t.start()
    until = time.time() + 20
    while time.time() < until and sum(map(len, lists)) < 6:
        time.sleep(0.01)
    time.sleep(random.random() / 4)
    k.stop(signal.SIGKILL)
    stop.set()
    for t in threads:
        t.join()
    held += sum(lists, [])
    if not k.start():
        check("the proxy starts after kill -9", False, k.said()[-300:])
        break
k.stop()
log_id, records = verifier.read(k.dir, PUBLIC)
by_number = {r["sequence"]: r for r in records}
lost = 0
for text, cells in held:
    where, sequence, digest, salt = verifier.receipt(text, PUBLIC)
    r = by_number.get(sequence)
    lost += not (r and where == log_id and r["hash"] == digest and verifier.answer_hash(salt, 2, cells) == r["answer_sha256"])
check(f"{rounds} times kill -9 with 6 sessions: {len(held)} answers received, all in the log as they were", len(held) > 20 and lost == 0, lost)
ledger = json.loads(subprocess.run([ng, "budget", "history", "-c", k.policy, "--limit", "1000000", "--json"], capture_output=True, text=True).stdout)
allowed = sum(r["event"] == "allowed" for r in records)
charged = {r["ledger_query"] for r in records if r["event"] == "charged"}
unknown = {q["query"] for q in ledger} - charged
check(f"no charge without its allowed record ({len(ledger)} charges, {len(unknown)} cut off from their charged record)", len(ledger) <= allowed and charged <= {q["query"] for q in ledger} and len(unknown) <= 6 * rounds)
check("verify agrees", run("verify", k.dir, "--public-key", w + "/sign.pub")[0] == 0)

# --- repeats ------------------------------------------------------------------------------------------------------------------------------------
b = Proxy("repeat", text=base + "answers: { repeat: free, for: 1h }\n")
c, notices = b.connect(), []
c.add_notice_handler(lambda d: notices.append(d.message_primary))
c.execute("SET noisegate.receipts = on")
first = c.execute("SELECT count(*) FROM customers").fetchall()
second = c.execute("select count( * ) from customers").fetchall()
told = [verifier.receipt(t.split()[1], PUBLIC) for t in notices if t.startswith("receipt ")]
said = [r for r in b.records() if r["event"] in ("allowed", "charged", "repeated", "answered")]
check("a repeat leaves its own trail, without a charge", first == second and [r["event"] for r in said] == ["allowed", "charged", "answered", "repeated", "answered"]
      and "charge" not in said[3] and said[3]["sql"] == "select count( * ) from customers" and said[3]["query_sha256"] == said[0]["query_sha256"] and said[4]["statement"] == said[3]["sequence"], (first, second, said))
check("and its own receipt", [t[1] for t in told] == [said[2]["sequence"], said[4]["sequence"]] and all(verifier.answer_hash(t[3], 1, [[str(first[0][0]).encode()]]) == r["answer_sha256"] for t, r in zip(told, (said[2], said[4])))
      and said[2]["answer_sha256"] != said[4]["answer_sha256"], told)
c.close()
b.stop()

# --- operators' decisions ---------------------------------------------------------------------------------------------------------------------
def operator(*words):
    r = subprocess.run([ng, "budget", *words, "-c", b.policy, "--reason", "the " + words[0]], capture_output=True, text=True)
    return r.returncode == 0 or r.stderr


b = Proxy("operator", "segment_bytes: 4096")
b.connect().execute("SELECT count(*) FROM customers")
one = ["--table", "customers", "--analyst", "publisher"]
done = [operator("top-up", *one, "--epsilon", "1"), operator("freeze", "--all")]
until = time.time() + 20
while time.time() < until and sum(r["event"] == "budget" for r in b.records()) < 2:
    time.sleep(0.1)
said = [r for r in b.records() if r["event"] == "budget"]
check("what operators decide while the proxy runs is recorded", done == [True, True] and [(r["operation"], r["reason"]) for r in said] == [("top-up", "the top-up"), ("freeze", "the freeze")]
      and said[0]["epsilon"] == 10**12 and said[0]["account"] == "brand.customers" and said[0]["analyst"] == "publisher" and said[0]["user"], (done, said))
b.stop()
done = operator("unfreeze", "--all")
b.start()
c = b.connect()
for i in range(80):
    state(c, "SELECT * FROM customers")
c.execute("SELECT count(*) FROM customers")
c.close()
b.stop()
b.start()
b.stop()
said = [r["operation"] for r in b.records() if r["event"] == "budget"]
check("and while it does not; each once, whatever the segments", done is True and said == ["top-up", "freeze", "unfreeze"] and len(os.listdir(b.dir)) > 6, (done, said))

# --- ... each once, however many others write meanwhile ---------------------------------------------------------------------------------------------
m = Proxy("many", start=False)
open(m.policy, "a").write(f'ledger: {{ postgres: "host={w}/pg/sock user=owner dbname=postgres", schema: many }}\n')
text = open(m.policy).read().replace("ledger: many.ledger\n", "").replace("epsilon: 0.01,", "epsilon: 0.0001,")
open(m.policy, "w").write(text)
check("a proxy on a PostgreSQL ledger starts", m.start(), m.said()[-300:])
stop = threading.Event()


def questions():
    s = m.connect()
    while not stop.is_set():
        state(s, "SELECT count(*) FROM customers")
    s.close()


def orders():
    while not stop.is_set():
        subprocess.run([ng, "budget", "top-up", *one, "--epsilon", "0.0001", "-c", m.policy, "--reason", "many"], capture_output=True)


threads = [threading.Thread(target=f) for f in (questions,) * 6 + (orders,) * 2]
for t in threads:
    t.start()
time.sleep(5)
stop.set()
for t in threads:
    t.join()
m.stop()
m.start()  # what the end cut off comes with the next start
m.stop()
ledger = json.loads(subprocess.run([ng, "budget", "history", "-c", m.policy, "--limit", "1000000", "--json"], capture_output=True, text=True).stdout)
there = sorted(h["entry"] for h in ledger if h["kind"] == "top-up")
said = [r["ledger_entry"] for r in m.records() if r["event"] == "budget"]
check(f"{len(there)} decisions among {len(ledger) - len(there)} charges: each is in the log once, in order", len(there) > 10 and len(ledger) > 100 and said == there, (len(said), sorted(set(there) ^ set(said))[:5]))

# --- an answer does not leave before it is on disk ---------------------------------------------------------------------------------------------
n = Proxy("sync", start=False)
check("a proxy with a disk that can fail starts", n.start(LD_PRELOAD=w + "/no_sync.so", NO_SYNC=w + "/fail"), n.said()[-300:])
c = n.connect()
got = state(c, "SELECT count(*) FROM customers")
open(w + "/fail", "w").close()
bad = state(c, "SELECT count(*) FROM customers")
check("when the disk fails, the answer does not leave", got == "ran" and bad.startswith("58P02") and "audit log" in bad, (got, bad))
os.unlink(w + "/fail")
check("and none does until a restart; catalogs still answer", state(c, "SELECT count(*) FROM customers").startswith("58P02") and state(c, "SELECT count(*) FROM pg_class") == "ran")
c.close()
n.stop()
check("after it, they do", n.start() and state(n.connect(), "SELECT count(*) FROM customers") == "ran")
n.stop()
check("and the log is whole", run("verify", n.dir, "--public-key", w + "/sign.pub")[0] == 0)

# --- a log that is taken away while it is written ------------------------------------------------------------------------------------------------
g = Proxy("away")
c = g.connect()
got = state(c, "SELECT count(*) FROM customers")
os.rename(g.dir, g.dir + ".elsewhere")
bad = state(c, "SELECT count(*) FROM customers")
check("a log that was moved away: no answer leaves", got == "ran" and bad.startswith("58P02"), (got, bad))
os.rename(g.dir + ".elsewhere", g.dir)
check("put back, the proxy has it again after a restart", state(c, "SELECT count(*) FROM customers").startswith("58P02") and state(c, "SELECT count(*) FROM pg_class") == "ran")
c.close()
g.stop()
check("and goes on", g.start() and state(g.connect(), "SELECT count(*) FROM customers") == "ran" and run("verify", g.dir, "--public-key", w + "/sign.pub")[0] == 0)
g.stop()

# --- a full disk ------------------------------------------------------------------------------------------------------------------------------
d = Proxy("full")
c = d.connect()
c.execute("SELECT count(*) FROM customers")


def spent():
    return c.execute("SELECT sum(queries)::int FROM noisegate.budget").fetchone()[0]


before = spent()
size = os.stat(d.dir + "/00000001.audit").st_size
hard = resource.prlimit(d.p.pid, resource.RLIMIT_FSIZE)[1]
resource.prlimit(d.p.pid, resource.RLIMIT_FSIZE, (size, hard))
got = state(c, "SELECT count(*) FROM customers")
check("at its size limit the log refuses queries with 53100", got.startswith("53100") and "audit log" in got, got)
check("and charges nothing, and catalogs still answer", spent() == before and state(c, "SELECT count(*) FROM pg_class") == "ran" and state(c, "EXPLAIN SELECT count(*) FROM customers") == "ran")
check("what is refused stays refused", state(c, "SELECT * FROM customers").startswith("42501"))
resource.prlimit(d.p.pid, resource.RLIMIT_FSIZE, (hard, hard))
check("with room, queries run again", state(c, "SELECT count(*) FROM customers") == "ran" and spent() == before + 1)
c.close()
d.stop()
check("and the log is whole", run("verify", d.dir, "--public-key", w + "/sign.pub")[0] == 0)
os.mkdir(w + "/small")
if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=100k", "none", w + "/small"], stderr=subprocess.DEVNULL) == 0:
    d = Proxy("disk")
    d.stop()
    text = open(d.policy).read().replace("path: disk.audit", "path: small/log, segment_bytes: 16384")
    open(d.policy, "w").write(text)
    d.dir = w + "/small/log"
    check("a small disk: the proxy starts", d.start(), d.said()[-300:])
    c = d.connect()
    for n in (3000, 300, 30):  # refused, each in a record of that size, until the last hole is filled
        for i in range(60):
            state(c, f"SELECT count(*) FROM customers WHERE note_{i} = '{'x' * n}'")
    got = state(c, "SELECT count(*) FROM customers")
    check("a disk that is full refuses queries with 53100", got.startswith("53100"), got)
    check("catalogs still answer", state(c, "SELECT count(*) FROM pg_class") == "ran" and spent() is not None)
    subprocess.check_call(["mount", "-o", "remount,size=10m", w + "/small"])
    check("with room, queries run again", state(c, "SELECT count(*) FROM customers") == "ran")
    c.close()
    d.stop()
    code, out = run("verify", d.dir, "--public-key", w + "/sign.pub")
    check("and the log is whole", code == 0, out)
    subprocess.call(["umount", w + "/small"])
else:
    print("# no right to mount: the full file system was not tested, the size limit was")
sys.exit(failed > 0)
