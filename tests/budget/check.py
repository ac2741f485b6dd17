"""Budgets through the noisegate program: accounting, operators' orders, anchors and recovery, files that cannot be used, the clock."""
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time

import psycopg

ng, w, campaign, clock = sys.argv[1:5]
failed = 0
CUSTOMERS = "  - { owner: brand, table: customers, analyst: publisher, epsilon: 6, delta: 1e-6, accounting: zcdp, per_query: { epsilon: 0.5, max_epsilon: 2 } }\n"
assert CUSTOMERS in open(campaign).read()


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)[:600]), flush=True)


def policy(name, budget=CUSTOMERS, ledger=None, more=""):
    text = open(campaign).read().replace(CUSTOMERS, budget)
    text = text.replace(f'ledger: "{w}/campaign.ledger"', "ledger: " + (ledger or f'"{w}/{name}.ledger"'))
    verifier = text.split('password: "')[1].split('"')[0]
    text = text.replace("members:\n", "members:\n  - { name: lab, abilities: [query, receive] }\n")
    text = text.replace("logins:\n", f'logins:\n  - {{ user: lea, member: lab, password: "{verifier}" }}\n') + more
    text = f'audit: {{ path: "{w}/{name}.audit" }}\n' + text  # each proxy has one of its own
    path = f"{w}/{name}.yaml"
    open(path, "w").write(text)
    return path


def run(*args, env=None, **kw):
    return subprocess.run([ng, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=120, **kw)


def budget(verb, path, *args, **kw):
    return run("budget", verb, "-c", path, *args, **kw)


def shown(path, table="brand.customers", analyst="publisher"):
    r = budget("show", path, "--json")
    return [b for b in json.loads(r.stdout) if b["table"] == table and b["analyst"] == analyst][0] if r.returncode == 0 else r.stderr


class Proxy:
    def __init__(self, path, env=None):
        self.ready = path + ".port"
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        self.errors = open(path + ".log", "w+")
        self.p = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", self.ready, "--audit", path + ".audit"], stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                  env={**os.environ, **(env or {})})
        for _ in range(3000):
            if os.path.exists(self.ready) or self.p.poll() is not None:
                break
            time.sleep(0.02)
        self.up = os.path.exists(self.ready)

    def port(self):
        assert self.up, self.said()
        return open(self.ready).read()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def login(self, user="ana"):
        return psycopg.connect(f"host=127.0.0.1 port={self.port()} user={user} password={os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True)

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        self.p.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        if self.p.poll() is None:
            self.stop()


COUNT = "SELECT count(*) FROM brand.customers"


def ask(c, sql=COUNT):
    try:
        c.execute(sql).fetchall()
        return "answered"
    except psycopg.Error as e:
        return f"{e.diag.sqlstate} {e.diag.message_primary}"


def explained(c):
    return "\n".join(r[0] for r in c.execute("EXPLAIN " + COUNT).fetchall())


# --- accounting -----------------------------------------------------------------------------------------------------------------
def accounting():
    path = policy("hundred", CUSTOMERS.replace("epsilon: 6, delta: 1e-6", "epsilon: 5.25, delta: 1e-6").replace("max_epsilon: 2", "max_epsilon: 2, delta: 0, max_delta: 0"))
    with Proxy(path) as p:
        c = p.login()
        c.execute("SET noisegate.mechanism = 'laplace'")
        c.execute("SET noisegate.epsilon = 0.1")
        answers = [ask(c) for _ in range(100)]
        s = shown(path)
    check("100 Laplace queries of epsilon 0.1 at delta 1e-6 total at most 5.25 under zcdp", set(answers) == {"answered"} and s["epsilon_spent"] <= 5.25 and s["queries"] == 100, (s, answers[-1]))
    h = json.loads(budget("history", path, "--json", "--limit", "1").stdout)[0]
    check("a charge stores its mechanism", h["mechanism"][0]["values"][0]["mechanism"] == "discrete_laplace" and h["kind"] == "charge" and h["sql"] == COUNT and h["user"] == "ana", h)
    path = policy("approx", CUSTOMERS.replace("zcdp", "approx").replace("max_epsilon: 2", "max_epsilon: 2, delta: 2e-7"))
    with Proxy(path) as p:
        c = p.login()
        plan = "\n".join(r[0] for r in c.execute("EXPLAIN " + COUNT).fetchall())
        check("EXPLAIN says what would remain", "epsilon 6 of 6 remains after 0 queries, 5.5 of 6 after this one" in plan, plan)
        check("EXPLAIN names approx accounting, and Laplace noise costs no delta", "Charge to brand.customers: epsilon 0.5, approx accounting" in plan, plan)
        ask(c)
        c.execute("SET noisegate.mechanism = 'gaussian'")
        ok = ask(c)
        s = shown(path)
        check("Gaussian noise is paid as epsilon and half of the query's delta", ok == "answered" and s["epsilon_spent"] == 1 and abs(s["delta_spent"] - 1e-7) < 1e-18 and s["accounting"] == "approx", (ok, s))
    path = policy("pure", CUSTOMERS.replace("zcdp", "pure"))
    with Proxy(path) as p:
        c = p.login()
        c.execute("SET noisegate.mechanism = 'gaussian'")
        check("a pure account cannot pay Gaussian noise", ask(c).startswith("42501"), ask(c))


def cost(noise, groups, gaussian):
    per = float(noise["num"]) / float(noise["den"])
    assert noise["mechanism"] == ("discrete_gaussian" if gaussian else "discrete_laplace"), noise
    linf, times = float(noise["linf"]), groups * noise.get("levels", 1)
    return times * linf * linf / (2 * per) if gaussian else times * linf / per


def auditor():
    """What a charge says was run costs what was charged."""
    for accounting, unit in (("zcdp", "rho"), ("pure", "epsilon")):
        path = policy("auditor-" + accounting, CUSTOMERS)
        text = open(path).read().replace("accounting: zcdp", "accounting: " + accounting).replace("epsilon: 6, delta", "epsilon: 60, delta")
        open(path, "w").write(text)
        with Proxy(path) as p:
            c = p.login()
            for sql in ("SELECT count(*) FROM brand.customers", "SELECT sum(spend) FROM brand.customers", "SELECT avg(age) FROM brand.customers", "SELECT count(*), sum(age), sum(spend) FROM brand.customers",
                        "SELECT stddev(age), corr(age, spend) FROM brand.customers", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY spend) FROM brand.customers", "SELECT region, count(*), avg(spend) FROM brand.customers GROUP BY region",
                        "SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign", "SELECT campaign, count(DISTINCT email_fp) FROM publisher.impressions GROUP BY campaign",
                        "SELECT region, count(*) FROM brand.customers GROUP BY ROLLUP (region)", "SELECT count(DISTINCT campaign) FROM publisher.impressions"):
                answered = ask(c, sql)
                h = json.loads(budget("history", path, "--json", "--limit", "1").stdout)[0]
                total = 0
                for block in h["mechanism"]:
                    g = block["groups"]
                    noises = [v.get("joint", v) for v in block["values"]] + [block[k] for k in ("units", "joint_units") if k in block]
                    total += sum(cost(n, g, unit == "rho") for n in noises) + g * block.get("selection", {}).get("epsilon", 0)
                check(f"{accounting}: the charge of {sql[:70]} is what its noise costs", answered == "answered" and h["sql"] == sql and 0.995 * h[unit] <= total <= h[unit] * (1 + 1e-9), (answered, total, h[unit], h["mechanism"]))


# --- operators --------------------------------------------------------------------------------------------------------------------
def operators():
    path = policy("orders", CUSTOMERS.replace("zcdp", "pure").replace("epsilon: 6,", "epsilon: 2,"))
    account = ("--table", "brand.customers", "--analyst", "publisher")
    with Proxy(path) as p:
        c = p.login()
        first = [ask(c) for _ in range(5)]
        check("four queries of 0.5 fit a budget of 2", first[:4] == ["answered"] * 4 and first[4].startswith("53400"), first)
        r = budget("top-up", path, *account, "--epsilon", "0.5", "--reason", "the quarter's report")
        check("top-up: the running proxy has it at once", r.returncode == 0 and ask(c) == "answered" and ask(c).startswith("53400"), r)
        r = budget("set", path, *account, "--epsilon", "4", "--reason", "agreed")
        view = float(c.execute("SELECT epsilon_limit FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0])
        check("noisegate.budget shows the limit in force", view == 4.5, view)
        check("set: a limit above the policy's", r.returncode == 0 and shown(path)["epsilon_limit"] == 4.5 and ask(c) == "answered", (r, shown(path)))
        r = budget("set", path, *account, "--policy", "--reason", "as it was")
        s = shown(path)
        check("set --policy: the policy's again, and nothing spent is forgotten", r.returncode == 0 and s["epsilon_limit"] == 2.5 and s["epsilon_spent"] == 3 and s["epsilon_remaining"] == 0, s)
        budget("set", path, *account, "--epsilon", "10", "--reason", "more")
        r = budget("freeze", path, *account, "--reason", "holiday")
        said = ask(c)
        left = c.execute("SELECT default_queries_left FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0]
        check("while frozen, noisegate.budget counts no query", left == 0, left)
        check("and EXPLAIN says that it would be refused", "it is frozen: this query would be refused" in explained(c), explained(c))
        check("freeze: refused, by its name", r.returncode == 0 and said.startswith("53400") and "frozen" in said and shown(path)["frozen"], (r, said))
        r = budget("unfreeze", path, *account, "--reason", "back")
        check("unfreeze", r.returncode == 0 and ask(c) == "answered", r)
        budget("freeze", path, "--all", "--reason", "stop")
        stopped = ask(c)
        budget("unfreeze", path, "--all", "--reason", "go")
        check("freeze --all stops every account", "frozen" in stopped and ask(c) == "answered", stopped)
    kinds = [h["kind"] for h in json.loads(budget("history", path, "--json").stdout)]
    budget("freeze", path, *account, "--reason", "two\nlines \x1b[2J\u009b0m and a bell \a", "--by", "o\x1b[31m")
    table = budget("history", path).stdout
    check("what others wrote is text in one line, whatever it holds", "two lines  [2J 0m and a bell  " in table and "o [31m" in table and not set("\x1b\x07\x9b") & set(table) and len(table.splitlines()) == len(kinds) + 1, repr(table[:400]))
    check("in JSON too", not set("\x1b\x07\x9b") & set(budget("history", path, "--json").stdout) and json.loads(budget("history", path, "--json").stdout)[0]["reason"] == "two\nlines \x1b[2J\u009b0m and a bell \a")
    budget("unfreeze", path, *account, "--reason", "go on")
    check("history names every decision, who and why", {"top-up", "set", "freeze", "unfreeze", "charge"} == set(kinds) and "the quarter's report" in table, kinds)
    check("show is a table for people", "brand.customers" in budget("show", path).stdout and "publisher" in budget("show", path).stdout)
    db = sqlite3.connect(f"{w}/orders.ledger")
    ledger_id, last, head = db.execute("SELECT id, seq, hash FROM ledger").fetchone()
    text = lambda s: struct.pack(">I", len(s.encode())) + s.encode()
    digest, good = hashlib.sha256(b"noisegate ledger 2" + ledger_id).digest(), 0
    for seq, kind, query, at, *names, epsilon, rho, delta, mechanism, words, said in db.execute("SELECT seq, kind, query, at, owner, relation, analyst, login, accounting, epsilon, rho, delta, mechanism, text, hash FROM entry ORDER BY seq"):
        digest = hashlib.sha256(digest + struct.pack(">QBQQ", seq, kind, query, at) + b"".join(map(text, names)) + struct.pack(">QQQ", epsilon, rho, delta) + text(mechanism) + text(words)).digest()
        good += digest == said
    db.close()
    check("the chain is what docs/budgets.md says", good == last > 15 and digest == head, (good, last))
    for bad in (["--epsilon", "0"], ["--epsilon", "nan"], ["--epsilon", "1e308"], ["--epsilon", "-1"], []):
        r = budget("top-up", path, *account, *bad, "--reason", "x")
        check(f"top-up {' '.join(bad) or 'of nothing'}: usage, nothing written", r.returncode in (1, 2) and shown(path)["epsilon_limit"] == 10.5, r)
    check("an order without a reason is refused", budget("freeze", path, *account).returncode == 2)
    entries = len(json.loads(budget("history", path, "--json", "--limit", "10000").stdout))
    for words in (["--reason", ""], ["--reason", b"\xff\xfe"], ["--reason", "x" * 2001], ["--reason", "fine", "--by", ""], ["--reason", "fine", "--by", b"\xc3("], ["--reason", "fine", "--by", "x" * 101]):
        r = subprocess.run([ng, "budget", "freeze", "-c", path, *account, *words], stdin=subprocess.DEVNULL, capture_output=True)
        check(f"{words[-2]} {words[-1][:10]!r} is no reason and no name", r.returncode == 2 and b"not a value" in r.stderr, r)
    check("and none of it was written", len(json.loads(budget("history", path, "--json", "--limit", "10000").stdout)) == entries)
    r = budget("top-up", path, "--table", "nowhere", "--analyst", "publisher", "--epsilon", "1", "--reason", "x")
    check("an unknown table is named", r.returncode == 1 and "nowhere" in r.stderr, r)
    plan = json.loads(budget("plan", path, *account, "--epsilon", "0.5", "--json").stdout)[0]
    left = shown(path)["epsilon_remaining"]
    check("plan: how many queries fit, at what error", plan["queries"] == int(left / 0.5) and 5 < plan["people"] < 8, (plan, left))
    check("plan: queries by private groups end with delta", plan["queries_by_group"] == min(plan["queries"], round(shown(path)["delta_limit"] / 1e-8)), plan)
    check("plan: a query above the policy's maximum, and why", "at most epsilon 2" in budget("plan", path, *account, "--epsilon", "3").stdout, budget("plan", path, *account, "--epsilon", "3"))
    check("plan prints a ladder", len(budget("plan", path, *account).stdout.splitlines()) == 8, budget("plan", path, *account).stdout)


# --- all analysts together; edits ---------------------------------------------------------------------------------------------------
def coalition():
    two = CUSTOMERS.replace("zcdp", "pure") + CUSTOMERS.replace("zcdp", "pure").replace("analyst: publisher", "analyst: lab")
    path = policy("two", two)
    with Proxy(path) as p:
        a, b = p.login(), p.login("lea")
        ok = [ask(a), ask(b), ask(a)]
    text = open(path).read()
    open(path, "w").write(text + '  - { owner: brand, table: customers, analyst: "*", epsilon: 2, delta: 1e-6 }\n')
    with Proxy(path) as p:
        a, b = p.login(), p.login("lea")
        ok += [ask(b)]
        over = ask(a)
        mine = a.execute("SELECT count(*) FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0]
        left = a.execute("SELECT default_queries_left FROM noisegate.budget WHERE table_name = 'customers'").fetchone()[0]
        check("noisegate.budget counts no query that the cap would refuse", left == 0, left)
        check("and EXPLAIN says why", "that of all analysts together is not enough for this query" in explained(a), explained(a))
        check("a cap on all analysts together counts what was spent before it was written", ok == ["answered"] * 4 and over.startswith("53400") and "all analysts together" in over and mine == 1, (ok, over))
    s = shown(path, analyst="*")
    check("and show has its line", s["epsilon_spent"] == 2 and s["epsilon_limit"] == 2, s)
    open(path, "w").write(text.replace("epsilon: 6, delta: 1e-6, accounting: pure", "epsilon: 8, delta: 1e-6, accounting: pure, refresh: monthly"))
    s = shown(path)
    check("a policy edit keeps what was spent, also when the refresh rule changes", s["epsilon_spent"] == 1 and s["epsilon_limit"] == 8, s)
    renamed = open(path).read().replace("analyst: publisher, epsilon: 8", "analyst: lab, epsilon: 9").replace("analyst: lab, epsilon: 8", "analyst: publisher, epsilon: 8").replace("analyst: lab, epsilon: 9", "analyst: lab, epsilon: 8")
    open(path, "w").write(renamed)
    check("exchanged lines of two analysts change nothing", shown(path)["epsilon_spent"] == 1 and shown(path, analyst="lab")["epsilon_spent"] == 1, budget("show", path).stdout)
    open(path, "w").write("".join(line + "\n" for line in renamed.splitlines() if "table: customers, analyst: lab" not in line))
    r = budget("show", path)
    check("an account that the policy does not name any more is shown, with what it spent", "brand.customers              lab            not in the policy (owner brand): 2 queries, epsilon 1," in r.stdout, r.stdout)
    gone = shown(path, analyst="lab")
    check("in JSON too", gone["in_policy"] is False and gone["epsilon_spent"] == 1 and gone["queries"] == 2 and shown(path)["in_policy"] is True, gone)
    bad = policy("mixed", CUSTOMERS + '  - { owner: brand, table: customers, analyst: "*", epsilon: 2, delta: 1e-6, accounting: pure }\n')
    r = run("check", bad)
    check("accountings that do not add up are refused by check", r.returncode != 0 and "add up" in r.stdout + r.stderr, r)


def no_anchor():
    path = policy("bare", CUSTOMERS.replace("zcdp", "pure"))
    ledger = f"{w}/bare.ledger"
    lacks = "the ledger lacks charges that the audit log holds"
    with Proxy(path) as p:
        ok = [ask(p.login())]
    copy_ledger(ledger, w + "/bare.old")
    with Proxy(path) as p:
        ok += [ask(p.login())]
        quiet = lacks not in p.said()
    copy_ledger(w + "/bare.old", ledger)
    with Proxy(path) as p:
        said = p.said()
    check("without an anchor: an old copy opens, and the log says what it lacks", ok == ["answered"] * 2 and quiet and p.up and lacks in said and "ledger_query=1 audit_query=2" in said, (ok, quiet, said))


# --- anchors --------------------------------------------------------------------------------------------------------------------------
def copy_ledger(source, to):
    for end in ("", "-wal", "-shm"):
        if os.path.exists(to + end):
            os.unlink(to + end)
        if os.path.exists(source + end) and end != "-shm":
            shutil.copy(source + end, to + end)


def anchors(name, anchor):
    ledger = f"{w}/{name}.ledger"
    path = policy(name, CUSTOMERS.replace("zcdp", "pure"), f'{{ path: "{ledger}", anchor: {anchor} }}')
    with Proxy(path) as p:
        c = p.login()
        ok = [ask(c), ask(c)]
        copy_ledger(ledger, w + "/old")
        ok += [ask(c), ask(c)]
        copy = policy(name + "-copy", CUSTOMERS.replace("zcdp", "pure"), f'{{ path: "{w}/copy.ledger", anchor: {anchor} }}')
        copy_ledger(ledger, w + "/copy.ledger")
        with Proxy(copy) as second:
            other = second.login()
            both = [ask(other), ask(c)]
            check(f"{name}: the analyst learns no path, the operator's log names ledger and anchor", w not in both[1] and "old copy" in p.said() and ledger in p.said(), (both, p.said()[-500:]))
            check(f"{name}: a second proxy on a copy: the first to charge goes on, the other refuses", both[0] == "answered" and both[1].startswith("58P01"), both)
    check(f"{name}: queries are answered", ok == ["answered"] * 4, ok)
    copy_ledger(w + "/copy.ledger", ledger)
    check(f"{name}: the newest ledger serves on", shown(path)["epsilon_spent"] == 2.5, shown(path))
    copy_ledger(w + "/old", ledger)
    with Proxy(path) as p:
        check(f"{name}: an old copy is refused when the proxy starts, with a way out", not p.up and "old copy" in p.said() and "budget recover" in p.said(), p.said())
    check(f"{name}: so do other commands", budget("show", path).returncode == 1)
    r = budget("recover", path, "--reason", "the disk was restored", "--by", "olga")
    s = shown(path)
    check(f"{name}: recovery never lowers what was spent", r.returncode == 0 and s["epsilon_spent"] >= 2.5 and s["frozen"], (r, s))
    with Proxy(path) as p:
        c = p.login()
        frozen = ask(c)
        budget("unfreeze", path, "--all", "--reason", "looked")
        check(f"{name}: after recovery everything is frozen until somebody has looked", "frozen" in frozen and ask(c) == "answered", frozen)
    h = [x for x in json.loads(budget("history", path, "--json").stdout) if x["kind"] == "recovery"]
    check(f"{name}: recovery is in the history", len(h) == 1 and h[0]["user"] == "olga" and h[0]["sql" if "sql" in h[0] else "reason"] == "the disk was restored", h)
    for end in ("", "-wal", "-shm"):
        if os.path.exists(ledger + end):
            os.unlink(ledger + end)
    r = budget("show", path)
    check(f"{name}: a ledger made anew is refused", r.returncode == 1 and "another ledger" in r.stderr, r)
    r = budget("recover", path, "--reason", "lost for good")
    check(f"{name}: recovery of a lost file counts everything that was ever spent", r.returncode == 0 and shown(path)["epsilon_spent"] >= 3, (r, shown(path)))


# --- an anchor in a TPM ---------------------------------------------------------------------------------------------------------------
class Tpm:
    """A software TPM; its state outlives it."""

    def __init__(self, name):
        self.state = f"{w}/{name}"
        os.makedirs(self.state, exist_ok=True)
        while True:  # two neighbouring ports: clients expect the control channel right after the data channel
            with socket.socket() as a, socket.socket() as b:
                a.bind(("127.0.0.1", 0))
                self.port = a.getsockname()[1]
                if self.port < 65535 and b.connect_ex(("127.0.0.1", self.port + 1)) != 0:
                    break
        self.tcti = f"swtpm:host=127.0.0.1,port={self.port}"
        self.start()

    def start(self):
        self.p = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}", "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1", "--ctrl",
                                   f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1", "--flags", "not-need-init,startup-clear"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self.tool("tpm2_getcap", "handles-nv-index").returncode == 0:
                return
            time.sleep(0.1)

    def tool(self, *args):
        return subprocess.run(args, env={**os.environ, "TPM2TOOLS_TCTI": self.tcti}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def kill(self):
        self.p.kill()  # no orderly shutdown
        self.p.wait()


def tpm_anchor():
    tpm = Tpm("tpm")
    index = 0x1500000 + os.getpid() % 0x10000  # its lock is a file of the machine
    try:
        anchors("tpm-anchor", f'{{ tpm: "{tpm.tcti}", index: {index:#x} }}')
        anchor = f'{{ tpm: "{tpm.tcti}", index: {index + 0x10000:#x} }}'
        path = policy("tpm-gone", CUSTOMERS.replace("zcdp", "pure"), f'{{ path: "{w}/tpm-gone.ledger", anchor: {anchor} }}')
        with Proxy(path) as p:
            c = p.login()
            first = [ask(c), ask(c)]
            spent = shown(path)["epsilon_spent"]
            tpm.kill()
            gone = ask(c)
            check("a TPM that is gone: nothing is answered, the operator's log says why", first == ["answered"] * 2 and gone.startswith("58P01") and "of the TPM" in p.said() and "could not reach the TPM" in p.said(), (first, gone, p.said()[-600:]))
            tpm.start()
            check("when it is back, after a power cut, the ledger goes on", ask(c) == "answered" and shown(path)["epsilon_spent"] == spent + 0.5, (shown(path), p.said()[-600:]))
        tpm.kill()
        with Proxy(path) as p:
            check("without its TPM the proxy does not start", not p.up and "could not reach the TPM" in p.said(), p.said())
        tpm.start()
        note = tpm.tool("tpm2_nvread", f"{index + 0x10000:#x}").stdout
        check("the note is in the TPM", note.count("noisegate-anchor 1 ") == 2, note)
        r = tpm.tool("tpm2_nvundefine", f"{index + 0x10000:#x}")
        lost = budget("show", path)
        check("a TPM that was cleared: the anchor is missing", r.returncode == 0 and lost.returncode == 1 and "anchor is missing" in lost.stderr, (r, lost))
        tpm.tool("tpm2_nvundefine", f"{index + 0x10000:#x}")
        tpm.tool("tpm2_nvdefine", f"{index + 0x10000:#x}", "-s", "32", "-a", "authread|authwrite|no_da")
        r = budget("show", path)
        check("an index that is used for something else is refused, and left alone", r.returncode == 1 and "used for something else" in r.stderr, r)
        tpm.tool("tpm2_nvundefine", f"{index + 0x10000:#x}")
        r = budget("recover", path, "--reason", "the TPM was cleared")
        more = budget("recover", path, "--reason", "the TPM was cleared", "--missing-epsilon", "0.5")
        check("recovery from a cleared TPM asks what is missing, and adds it", r.returncode == 1 and "missing-epsilon" in r.stderr and more.returncode == 0 and "epsilon 0.5" in more.stdout and shown(path)["epsilon_spent"] >= spent + 1 and shown(path)["frozen"], (shown(path), more, r))
    finally:
        tpm.kill()
        for i in (index, index + 0x10000):
            if os.path.exists(f"/run/lock/noisegate-tpm-{i:08x}"):
                os.unlink(f"/run/lock/noisegate-tpm-{i:08x}")


# --- files that cannot be used --------------------------------------------------------------------------------------------------------
def files():
    ledger = f"{w}/files.ledger"
    path = policy("files", CUSTOMERS.replace("zcdp", "pure"))
    with Proxy(path) as p:
        ask(p.login())

    def refused(name, words, undo=None):
        r = budget("show", path)
        check(f"{name}: refused, nothing opened", r.returncode == 1 and all(x in r.stderr for x in words), r.stderr)
        with Proxy(path) as p:
            check(f"{name}: the proxy does not start", not p.up and all(x in p.said() for x in words), p.said())

    good = open(ledger, "rb").read()
    db = sqlite3.connect(ledger)
    db.execute("PRAGMA user_version = 3")
    db.commit()
    db.close()
    refused("a newer version", ["newer version"])
    open(ledger, "wb").write(good)
    open(ledger, "wb").close()
    refused("an empty file", ["empty"])
    open(ledger, "wb").write(good[: len(good) // 2])
    refused("half a file", ["cannot be used", "Restore"])
    open(ledger, "wb").write(b"#!/bin/sh\necho hello\n" * 500)
    refused("another kind of file", ["not a readable SQLite file"])
    open(ledger, "wb").write(good)
    db = sqlite3.connect(ledger)
    db.execute("UPDATE account SET epsilon = epsilon - 1 WHERE epsilon > 0")
    db.commit()
    db.close()
    refused("a total edited by hand", ["totals are not the sums"])
    open(ledger, "wb").write(good)
    db = sqlite3.connect(ledger)
    db.execute("UPDATE entry SET epsilon = 0")
    db.execute("UPDATE account SET epsilon = 0")
    db.commit()
    db.close()
    refused("a charge edited by hand", ["chain breaks"])
    open(ledger, "wb").write(good)
    db = sqlite3.connect(ledger)
    db.execute("DELETE FROM entry")
    db.execute("DELETE FROM account")
    db.commit()
    db.close()
    refused("charges deleted by hand", ["head of its chain"])
    open(ledger, "wb").write(good)
    check("the file put back serves", shown(path)["epsilon_spent"] == 0.5, shown(path))
    r = budget("show", policy("nowhere", ledger=f'"{w}/not/there.ledger"'))
    check("a directory that is not there", r.returncode == 1 and f'"{w}/not/there.ledger": No such file' in r.stderr and "directory must be there" in r.stderr, r.stderr)
    replaced(path, ledger)
    migration()
    read_only(path, ledger)
    full_disk()


def replaced(path, ledger):
    with Proxy(path) as p:
        c = p.login()
        before = ask(c)
        os.rename(ledger, ledger + ".away")
        shutil.copy(ledger + ".away", ledger)
        other = ask(c)
        os.unlink(ledger)
        gone = ask(c)
        os.rename(ledger + ".away", ledger)
        after = ask(c)
        check("a file that is replaced or deleted under a running proxy: queries are refused until it is back", before == after == "answered" and other.startswith("58P01") and gone.startswith("58P01")
              and "was moved, deleted or replaced" in p.said(), (before, other, gone, after))
        check("and nothing was lost", shown(path)["queries"] == 3, shown(path))


VERSION_1 = '''
CREATE TABLE account (owner TEXT NOT NULL, relation TEXT NOT NULL, analyst TEXT NOT NULL, window_start INTEGER NOT NULL,
 epsilon INTEGER NOT NULL CHECK (epsilon >= 0), rho INTEGER NOT NULL CHECK (rho >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
 queries INTEGER NOT NULL, PRIMARY KEY (owner, relation, analyst, window_start)) STRICT, WITHOUT ROWID;
CREATE TABLE charge (id INTEGER PRIMARY KEY, query INTEGER NOT NULL, at INTEGER NOT NULL, owner TEXT NOT NULL, relation TEXT NOT NULL,
 analyst TEXT NOT NULL, window_start INTEGER NOT NULL, login TEXT NOT NULL, accounting TEXT NOT NULL,
 epsilon INTEGER NOT NULL, rho INTEGER NOT NULL, delta INTEGER NOT NULL, mechanism TEXT NOT NULL, sql TEXT NOT NULL) STRICT;
CREATE INDEX charge_query ON charge (query);
PRAGMA application_id = 1313295409; PRAGMA user_version = 1;
'''


def migration():
    path = policy("first", CUSTOMERS.replace("zcdp", "pure").replace("analyst: publisher, epsilon: 6,", "analyst: publisher, epsilon: 6, refresh: monthly,"))
    ledger = f"{w}/first.ledger"
    db = sqlite3.connect(ledger)
    db.executescript(VERSION_1)
    now = int(time.time() * 1e6)
    for i in range(7):  # the last one by a clock that was behind its window
        db.execute("INSERT INTO charge VALUES (?, ?, ?, 'brand', 'brand.customers', 'publisher', ?, 'ana', 'pure', 500000000000, 0, 3, '[]', 'SELECT 1')",
                   (i + 1, i + 1, now if i < 6 else 5, 0 if i < 6 else now))
    db.execute("INSERT INTO account VALUES ('brand', 'brand.customers', 'publisher', 0, 3000000000000, 0, 18, 6)")
    db.execute("INSERT INTO account VALUES ('brand', 'brand.customers', 'publisher', ?, 500000000000, 0, 3, 1)", (now,))
    db.commit()
    db.close()
    s = shown(path)
    check("a ledger of the first version is brought up to date, nothing forgotten", s["epsilon_spent"] == 3.5 and s["queries"] == 7, s)
    h = json.loads(budget("history", path, "--json").stdout)
    check("its charges are the beginning of the chain", [x["entry"] for x in h] == [7, 6, 5, 4, 3, 2, 1] and len({x["hash"] for x in h}) == 7 and h[0]["query"] == 7, h)
    with Proxy(path) as p:
        check("and it serves on", ask(p.login()) == "answered" and shown(path)["epsilon_spent"] == 4, shown(path))


def read_only(path, ledger):
    if os.geteuid() != 0:
        os.chmod(ledger, 0o400)
        r = budget("show", path)
        os.chmod(ledger, 0o600)
    else:  # root writes everything: another user is needed
        away = "/tmp/noisegate-ro-" + str(os.getpid())
        os.makedirs(away)
        os.chmod(away, 0o755)
        text = open(path).read().replace(ledger, away + "/l").replace(f"{w}/tls", away).replace(f"{w}/files.audit", away + "/audit")
        for f in ("cert.pem", "key.pem"):
            shutil.copy(f"{w}/tls/{f}", away)
            os.chmod(f"{away}/{f}", 0o644)
        shutil.copy(ledger, away + "/l")
        shutil.copy(ng, away + "/ng")
        os.chmod(away + "/ng", 0o755)
        os.chmod(away + "/l", 0o444)
        open(away + "/p.yaml", "w").write(text)
        os.chmod(away + "/p.yaml", 0o644)
        r = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", away + "/ng", "budget", "show", "-c", away + "/p.yaml"], capture_output=True, text=True)
        shutil.rmtree(away)
    check("a read-only file: refused, with the reason", r.returncode == 1 and ("Permission denied" in r.stderr or "read-only" in r.stderr), r)


def full_disk():
    small = f"{w}/small"
    os.makedirs(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], capture_output=True).returncode != 0:
        check("a full disk (needs the right to mount)", False, "cannot mount a small file system")
        return
    subprocess.run(["mount", "-o", "remount,size=24k", small])
    r = budget("show", policy("tiny", ledger=f'"{small}/tiny"'))
    check("a disk that is full before there is a ledger: said so, nothing left behind", r.returncode == 1 and "disk is full" in r.stderr and os.listdir(small) == [], (r.stderr, os.listdir(small)))
    subprocess.run(["mount", "-o", "remount,size=400k", small])
    path = policy("small", CUSTOMERS.replace("zcdp", "pure").replace("epsilon: 6,", "epsilon: 60,"), f'"{small}/l"')
    with Proxy(path) as p:
        c = p.login()
        before = ask(c)
        fill = os.open(small + "/fill", os.O_CREAT | os.O_WRONLY)
        try:
            while os.write(fill, b"x" * 1000):
                pass
        except OSError:
            pass
        os.close(fill)
        said = [ask(c) for _ in range(40)]
        refused = [s for s in said if s != "answered"]
        view = ask(c, "SELECT * FROM noisegate.budget")
        catalog = ask(c, "SELECT count(*) FROM pg_class")
        check("a full disk: queries are refused, introspection goes on", before == "answered" and refused and all(s.startswith("53100") for s in refused) and view == catalog == "answered", (before, said[-1], view))
        os.unlink(small + "/fill")
        after = ask(c)
        answered = said.count("answered") + 2
        check("and with room again the proxy goes on, nothing lost", after == "answered" and shown(path)["queries"] == answered, (after, answered, shown(path)))
    subprocess.run(["umount", small])


# --- the clock --------------------------------------------------------------------------------------------------------------------------
def clock_back():
    path = policy("clock", CUSTOMERS.replace("zcdp", "pure").replace("epsilon: 6,", "epsilon: 1, refresh: monthly,").replace("max_epsilon: 2", "max_epsilon: 1"))

    def at(shift):
        with Proxy(path, {"LD_PRELOAD": clock, "NOISEGATE_TEST_SHIFT": str(shift)}) as p:
            c = p.login()
            return [ask(c) for _ in range(3)]

    month = 31 * 86400
    with Proxy(path, {"LD_PRELOAD": clock, "NOISEGATE_TEST_SHIFT": str(month)}) as p:  # it reckons with a later time than the kernel: as if the clock had just been set back
        until = time.monotonic() + 20
        budget("freeze", path, "--table", "brand.customers", "--analyst", "publisher", "--reason", "while the clock goes back")
        budget("unfreeze", path, "--table", "brand.customers", "--analyst", "publisher", "--reason", "again")
        while time.monotonic() < until and run("audit", "export", path + ".audit").stdout.count('"event":"budget"') < 2:
            time.sleep(0.2)
        check("a clock set back stops nothing that waits: operators' decisions are recorded in time", time.monotonic() < until)
    now = at(0)
    back, twice = at(-month), at(-2 * month)
    check("a budget of two queries a month", now[:2] == ["answered"] * 2 and now[2].startswith("53400"), now)
    check("the clock set back one month, or two: no window opens again", all(s.startswith("53400") for s in back + twice), (back, twice))
    later = at(month + 86400)
    check("the next month opens once", later[:2] == ["answered"] * 2 and later[2].startswith("53400"), later)
    again = at(0)
    check("and stays the window in force when the clock is right again", all(s.startswith("53400") for s in again), again)


# --- PostgreSQL: one line of configuration ------------------------------------------------------------------------------------------------
def postgres():
    url = f"postgresql://owner@/postgres?host={w}/pg/sock"
    one, two = (policy(n, CUSTOMERS.replace("zcdp", "pure"), f'"{url}"') for n in ("pg-one", "pg-two"))
    with Proxy(one) as p, Proxy(two) as q:
        a, b = p.login(), q.login()
        said = []
        for _ in range(8):
            said += [ask(a), ask(b)]
        check("two proxies on one PostgreSQL ledger spend one budget", said.count("answered") == 12 and said[12:] == [said[-1]] * 4 and said[-1].startswith("53400"), said)
        for name in (one, two):
            budget("top-up", name, "--table", "brand.customers", "--analyst", "publisher", "--epsilon", "1", "--reason", "more")
        with psycopg.connect(f"host={w}/pg/sock user=owner dbname=postgres", autocommit=True) as owner:
            ended = owner.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'noisegate ledger'").fetchone()[0]
        said = [ask(a), a.execute("SELECT count(*) FROM noisegate.budget").fetchone()[0], ask(b)]
        check("a ledger's connection that died is opened anew", ended >= 4 and said == ["answered", 3, "answered"], (ended, said))
        with psycopg.connect(f"host={w}/pg/sock user=owner dbname=postgres") as other:
            other.execute("LOCK TABLE noisegate.ledger IN SHARE ROW EXCLUSIVE MODE")
            start = time.monotonic()
            view = ask(b, "SELECT * FROM noisegate.budget")
            at_once = time.monotonic() - start
            locked = ask(a)
            waited = time.monotonic() - start
        check("a ledger that somebody keeps locked: refused after half a minute, not never; introspection goes on", locked.startswith("58P01") and 25 < waited < 45 and "is locked by another process" in p.said()
              and view == "answered" and at_once < 5, (locked, waited, view, at_once, p.said()[-300:]))
    check("and the command line reads it", shown(one)["epsilon_spent"] == 7, shown(one))
    owner = psycopg.connect(f"host={w}/pg/sock user=owner dbname=postgres", autocommit=True)
    owner.execute("UPDATE noisegate.ledger SET version = 3")
    newer = budget("show", one).stderr
    owner.execute("UPDATE noisegate.ledger SET version = 2")
    owner.execute("UPDATE noisegate.entry SET epsilon = 0 WHERE kind = 0")
    edited = budget("show", one).stderr
    owner.close()
    check("a newer schema, an entry edited by hand: refused, and told what to restore", "newer version" in newer and "chain breaks" in edited and "of the schema" in edited and "-wal" not in edited, (newer, edited))
    r = run("check", policy("pg-secret", ledger='"postgresql://u:secret@/postgres"'))
    check("a password in the ledger's connection string is refused", r.returncode != 0 and "password" in r.stdout + r.stderr and "secret@" not in r.stdout + r.stderr, r)
    r = budget("show", policy("pg-gone", ledger=f'"postgresql://owner@/postgres?host={w}/nowhere"'))
    check("a PostgreSQL that does not answer: a clear error", r.returncode == 1 and "could not connect to the ledger's database" in r.stderr, r)


accounting()
auditor()
operators()
coalition()
no_anchor()
anchors("file-anchor", f'{{ file: "{w}/the.anchor" }}')
anchors("upstream-anchor", "{ upstream: public.noisegate_anchor }")
tpm_anchor()
files()
clock_back()
postgres()
sys.exit(1 if failed else 0)
