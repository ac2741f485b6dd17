"""Side channels, through the wire (docs/threat-model.md lists what holds)."""
import os
import random
import subprocess
import sys
import threading
import time

import psycopg

ng, w, base = sys.argv[1:4]
failed = 0
started = []
rnd = random.Random(5)


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)[:500]), flush=True)


def policy(name, answers="", change=lambda t: t):
    text = open(base).read().replace("campaign.ledger", name + ".ledger").replace("epsilon: 6, delta", "epsilon: 100, delta")
    text = text.replace("source: brand_raw.customers", "source: side.customers").replace("source: publisher_raw.users", "source: side.users").replace("source: publisher_raw.impressions", "source: side.impressions")
    if answers:
        text += f"answers: {{ {answers} }}\n"
    path = f"{w}/{name}.yaml"
    open(path, "w").write(change(text))
    return path


class Proxy:
    def __init__(self, path):
        self.path, self.ready = path, path + ".port"
        self.p = subprocess.Popen([ng, "serve", "-c", path, "--ready-file", self.ready], stdin=subprocess.DEVNULL, stdout=open(w + "/proxy.log", "ab"), stderr=subprocess.STDOUT)
        started.append(self)
        while not os.path.exists(self.ready):
            time.sleep(0.02)
            assert self.p.poll() is None, "the proxy did not start"

    def login(self):
        c = psycopg.connect(f"host=127.0.0.1 port={open(self.ready).read()} user=ana password={os.environ['PGPASSWORD']} dbname=campaign sslmode=require", autocommit=True)
        c.execute("SET noisegate.epsilon = 0.2")
        return c

    def stop(self):
        self.p.terminate()
        self.p.wait(60)


up = psycopg.connect(f"host={w}/pg/sock user=owner dbname=campaign", autocommit=True)
up.execute("CREATE SCHEMA side")
up.execute("CREATE TABLE side.pause (seconds float8)")
up.execute("INSERT INTO side.pause VALUES (0)")
up.execute("CREATE VIEW side.users AS SELECT * FROM publisher_raw.users")
up.execute("CREATE TABLE side.impressions (email_fp text, campaign text, seen_at timestamp, clicked boolean)")


def customers(sql):
    up.execute("DROP VIEW IF EXISTS side.customers")
    up.execute("CREATE VIEW side.customers AS " + sql)


def pause(seconds):
    up.execute("UPDATE side.pause SET seconds = %s", (seconds,))


slow = "WITH p AS MATERIALIZED (SELECT pg_sleep(seconds) IS NOT NULL AS x FROM side.pause) SELECT c.* FROM brand_raw.customers AS c CROSS JOIN p"
question = "SELECT count(*) FROM brand.customers"


def spent(c):
    return c.execute("SELECT count(*) FROM noisegate.queries").fetchone()[0]


def outcome(c, sql=question, **k):
    """Everything that the analyst sees of a failure, or 'ran', and how long it took."""
    t = time.monotonic()
    try:
        c.execute(sql, **k).fetchall()
        seen = "ran"
    except psycopg.Error as e:
        d = e.diag
        seen = (d.severity, d.sqlstate, d.message_primary, d.message_detail, d.message_hint, d.statement_position, d.context, d.schema_name, d.table_name, d.column_name)
    return seen, time.monotonic() - t


def multiple(seconds, quantum):
    """Which multiple of the quantum a time belongs to: it may come late on a busy machine, never early."""
    k = int((seconds + 0.002) / quantum)
    return k if k and seconds - k * quantum < 0.6 * quantum else f"{seconds:.3f}"


def apart(fast, late):
    """The share of answers that the best threshold tells apart."""
    times = [(t, 0) for t in fast] + [(t, 1) for t in late]
    return max(sum((t > cut) == bool(kind) for t, kind in times) for cut, _ in times) / len(times)


try:
    # --- when answers leave -------------------------------------------------------------------------------------------------------
    customers(slow)
    for quantum in (0, 1):
        proxy = Proxy(policy(f"quantum{quantum}", f"response_quantum: {quantum}s"))
        c = proxy.login()
        c.execute(question).fetchall()
        times = {0: [], 0.3: []}
        for seconds in rnd.sample([0, 0.3] * 7, 14):
            pause(seconds)
            times[seconds].append(outcome(c, prepare=len(times[seconds]) % 2 == 0)[1])
        told = apart(times[0], times[0.3])
        if quantum == 0:
            check(f"without a quantum a threshold tells {told:.0%} of fast and slow questions apart", told == 1, times)
        else:
            check("with it all leave at the first multiple", {multiple(t, 1) for ts in times.values() for t in ts} == {1}, times)
            pause(1.3)
            check("what takes longer leaves at the next", multiple(outcome(c)[1], 1) == 2)
            pause(0)
            customers("SELECT email_fp, region, age, spend / (age - age) AS spend, first_order, note FROM brand_raw.customers")
            seen, seconds = outcome(c, "SELECT sum(spend) FROM brand.customers")
            check("errors leave with the answers", seen != "ran" and multiple(seconds, 1) == 1, (seen, seconds))
            customers(slow)
            t = time.monotonic()
            c.execute("SELECT count(*) FROM pg_class").fetchall()
            outcome(c, "SELECT * FROM brand.customers")
            check("what reads nothing protected does not wait", time.monotonic() - t < 0.9)
        proxy.stop()

    # --- stopping a question is no finer clock -------------------------------------------------------------------------------------
    proxy = Proxy(policy("cancel", f"response_quantum: 1s, repeat: free, for: 1h, file: {w}/cancel.answers"))
    c = proxy.login()
    c.execute("SET statement_timeout = '600ms'")
    for attempt in range(3):  # a machine that was busy elsewhere may look like a later multiple, once
        seen, ready = {}, 60 + 10 * attempt
        for seconds in (0.1, 5):
            pause(seconds)
            before = spent(c)
            (what, took), where = outcome(c, f"SELECT count(*) FROM brand.customers WHERE age > 30 AND age < {ready + seconds:.0f}"), spent(c)
            seen[seconds] = (what, multiple(took, 1), where - before)
        alike = seen[0.1] == seen[5] and seen[5][0][1] == "57014" and seen[5][1:] == (1, 1)
        if alike:
            break
    check("a time-out before the multiple wins, whether the answer was ready or not", alike, seen)
    receipts = [int(r[0].split(":")[2]) for r in c.execute("SELECT receipt FROM noisegate.queries ORDER BY query_id").fetchall()][-2:]
    check("nor do receipts: the log of the ready one is as long as that of a query that was stopped", len(receipts) == 2 and receipts[1] - receipts[0] == 3, receipts)
    pause(0)
    c.execute("SET statement_timeout = 0")
    before = spent(c)
    what, took = outcome(c, f"SELECT count(*) FROM brand.customers WHERE age > 30 AND age < {ready}")
    check("and what was ready then was not kept", what == "ran" and spent(c) == before + 1, what)
    what, took = outcome(c, f"SELECT count(*) FROM brand.customers WHERE age > 30 AND age < {ready}")
    check("repeats leave with the others, free", what == "ran" and spent(c) == before + 1 and multiple(took, 1) == 1, took)
    proxy.stop()

    # --- what costs nothing reads nothing -----------------------------------------------------------------------------------------------
    proxy = Proxy(policy("free"))
    c = proxy.login()
    pause(2)
    free = "SELECT region FROM brand.customers WHERE age > 30 GROUP BY region"
    before = spent(c)
    t = time.monotonic()
    found = c.execute(free).fetchall()
    check("public groups alone cost nothing, and no row is read for them", len(found) == 4 and spent(c) == before and time.monotonic() - t < 1.5, (found, time.monotonic() - t))
    pause(0)
    proxy.stop()

    # --- what fails upstream ---------------------------------------------------------------------------------------------------------
    customers(slow)
    proxy = Proxy(policy("errors", change=lambda t: t.replace("user=owner\"", "user=owner\", statement_timeout: 400ms")))
    c = proxy.login()
    c.execute(question).fetchall()
    errors, charged = {}, []

    def fails(what, sql=question, during=None):
        before = spent(c)
        thread = threading.Thread(target=during) if during else None
        if thread:
            thread.start()
        errors[what] = outcome(c, sql)[0]
        if thread:
            thread.join()
        charged.append(spent(c) - before)

    def kill():
        time.sleep(0.15)
        up.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'noisegate' AND state = 'active'")

    total = "SELECT sum(spend) FROM brand.customers"
    columns = "email_fp, region, age, {} AS spend, first_order, note"
    pause(3)
    fails("too slow for the policy's time limit")
    pause(0.35)
    fails("a connection that dies", during=kill)
    pause(0)
    for what, spend in [("a division by zero in a row", "spend / (age - age)"), ("a cast that fails in a row", "(note || 'x')::numeric"), ("an overflow in a row", "(1e300 * (1 + spend))::float8 * 1e300"),
                        ("a column of another type", "note"), ("too deep a recursion", "length(repeat('x', 2000000000))::numeric")]:
        customers("SELECT " + columns.format(spend) + " FROM brand_raw.customers")
        fails(what, total)
    customers("SELECT email_fp, region FROM brand_raw.customers")
    fails("a column that is gone", total)
    up.execute("DROP VIEW side.customers")
    fails("a table that is gone", total)
    customers("SELECT " + columns.format("spend") + " FROM brand_raw.customers")
    up.execute("CREATE FUNCTION side.loud(text) RETURNS numeric LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'SECRET %', $1 USING ERRCODE = '53400', HINT = $1; END$$")
    customers("SELECT " + columns.format("side.loud(email_fp)") + " FROM brand_raw.customers")
    fails("an exception that quotes a row and poses as another error", total)
    check(f"{len(errors)} failures upstream, one error", set(errors.values()) == {errors["a table that is gone"]} and errors["a table that is gone"][1:3] == ("58000", "the upstream could not run the query"), errors)
    check("each stays charged", set(charged) == {1}, charged)
    customers(slow)
    check("and the session goes on", outcome(c)[0] == "ran")

    # --- no row before the last noise ---------------------------------------------------------------------------------------------
    up.execute("ALTER VIEW side.users RENAME TO away")
    both = "SELECT (SELECT count(*) FROM brand.customers) AS a, n FROM (SELECT plan, count(*) AS n FROM publisher.users GROUP BY plan) AS t UNION ALL SELECT 1, 2"
    for what in ("SELECT 'first', count(*) FROM brand.customers UNION ALL SELECT plan, count(*) FROM publisher.users GROUP BY plan", both):
        k = c.pgconn
        k.send_query(what.encode())
        k.set_single_row_mode()
        rows, last = 0, None
        while (r := k.get_result()) is not None:
            rows += r.status in (psycopg.pq.ExecStatus.SINGLE_TUPLE, psycopg.pq.ExecStatus.TUPLES_OK) and r.ntuples
            last = r.error_message
        check("the second part fails: no row of the first was sent", rows == 0 and last and b"upstream" in last, (rows, last))
    up.execute("ALTER VIEW side.away RENAME TO users")

    # --- time limits come from the policy -------------------------------------------------------------------------------------------
    customers("WITH p AS MATERIALIZED (SELECT pg_sleep(0.3)) SELECT email_fp, region, age, (SELECT setting::numeric FROM pg_settings WHERE name = 'statement_timeout') AS spend, first_order, note FROM brand_raw.customers, p")
    people = up.execute("SELECT count(*) FROM brand_raw.customers WHERE email_fp IS NOT NULL").fetchone()[0]
    seen = []
    for mine in ("0", "30s", "5s"):
        c.execute(f"SET statement_timeout = '{mine}'")
        c.execute("SET noisegate.epsilon = 2")
        seen.append(float(c.execute("SELECT sum(spend) FROM brand.customers").fetchone()[0]) / people)
    check("the upstream's time limit is the policy's 400 ms, whatever the session sets", all(abs(s - 400) < 20 for s in seen), seen)
    proxy.stop()

    # --- order and size ---------------------------------------------------------------------------------------------------------------
    keys = ["zebra", "Zebra", "alpha", "Ärger", "beta 2", "beta 10", "_x", ""]
    customers(slow)
    results = {}
    for name, order, withheld in [("as loaded", "n", 0), ("backwards", "n DESC", 0), ("shuffled", "md5(n::text)", 0), ("with 3,000 small groups", "md5(n::text)", 3000)]:
        up.execute("TRUNCATE side.impressions")
        up.execute(f"INSERT INTO side.impressions SELECT 'p' || n, CASE WHEN n %% 9 = 8 THEN NULL ELSE (%s::text[])[n %% 9 + 1] END, '2026-01-01', true FROM generate_series(0, 8999) AS n ORDER BY {order}", (keys,))
        up.execute("INSERT INTO side.impressions SELECT 'q' || n, 'rare ' || repeat(md5(n::text), 20), '2026-01-01', true FROM generate_series(1, %s) AS n", (withheld,))
        up.execute("ANALYZE side.impressions")
        proxy = Proxy(policy("order" + str(len(results))))
        c = proxy.login()
        seen = []
        for sql in ("SELECT campaign, count(*) FROM publisher.impressions GROUP BY campaign", "SELECT upper(campaign) AS u, count(*) + 0 AS n FROM publisher.impressions GROUP BY 1",
                    "SELECT region, count(*) FROM brand.customers GROUP BY region", "SELECT region, plan, count(*) FROM brand.customers c JOIN publisher.users u USING (email_fp) GROUP BY region, plan"):
            r = c.pgconn.exec_(sql.encode())
            assert r.status == psycopg.pq.ExecStatus.TUPLES_OK, r.error_message
            seen.append(([tuple(None if r.get_value(i, j) is None else r.get_value(i, j).decode() for j in range(r.nfields - 1)) for i in range(r.ntuples)],
                         [(r.fname(j), r.ftype(j), r.fmod(j), r.fsize(j)) for j in range(r.nfields)], r.command_status))
        results[name] = seen
        proxy.stop()
    # --- no limit that withheld groups could reach -----------------------------------------------------------------------------------
    wide = "campaign"
    for _ in range(4):
        wide = f"({wide} || {wide})"
    wide = wide.replace("campaign", "rpad(campaign, 10000, 'x')")  # 130 kB a group
    long = wide.replace("campaign", "left(campaign, 5)")
    enormous = [f"replace({long}, 'x', '{chr(0x1f600 + i) * 1000}')" for i in range(5)]  # 260 MB a row, were they not cut
    alone = "campaign LIKE 'rare 8f14e45f%'"  # one person's
    proxy = Proxy(policy("size"))
    c = proxy.login()
    for what, sql in [("how many groups are withheld, and how long their keys are", f"SELECT {wide} AS k, count(*) FROM publisher.impressions WHERE campaign LIKE 'rare %' GROUP BY 1"),
                      ("keys of one row that an expression makes enormous", f"SELECT CASE WHEN {alone} THEN {enormous[0]} END AS k, CASE WHEN {alone} THEN {enormous[1]} END AS l, count(*) FROM publisher.impressions GROUP BY 1, 2"),
                      ("more of them in one row than PostgreSQL holds", f"SELECT {', '.join(f'{x} AS k{i}' for i, x in enumerate(enormous))}, count(*) FROM publisher.impressions WHERE {alone} GROUP BY 1, 2, 3, 4, 5")]:
        seen, _ = outcome(c, sql)
        check(f"no answer fails for {what}", seen == "ran", seen)
    proxy.stop()

    # --- what the upstream must be for all of this to hold ------------------------------------------------------------------------------
    def looked_at(name, change):
        return subprocess.run([ng, "check", "--connect", policy(name, change=change)], capture_output=True, text=True).stderr
    up.execute("CREATE DATABASE other ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    check("a database whose texts may have no way into UTF-8 is refused: the row that has none would fail alone", "encoding WIN1252" in looked_at("other", lambda t: t.replace("dbname=campaign", "dbname=other")))
    up.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    dump = subprocess.run(["pg_dump", f"host={w}/pg/sock user=owner dbname=campaign"], capture_output=True, check=True).stdout
    subprocess.run(["psql", "-qXd", f"host={w}/pg/sock user=owner dbname=bytes"], input=dump, stdout=subprocess.DEVNULL, check=True)
    with psycopg.connect(f"host={w}/pg/sock user=owner dbname=bytes", autocommit=True) as ascii:
        ascii.execute("INSERT INTO side.impressions SELECT 'r' || n, convert_from('\\x63c3a9ff80', 'SQL_ASCII'), '2026-01-01', true FROM generate_series(1, 2000) AS n")
        ascii.execute("INSERT INTO side.impressions SELECT 's', convert_from('\\xfe', 'SQL_ASCII'), '2026-01-01', true")
    proxy = Proxy(policy("bytes", change=lambda t: t.replace("dbname=campaign", "dbname=bytes")))
    c = proxy.login()
    shown = [k for k, in c.execute("SELECT campaign FROM publisher.impressions WHERE campaign LIKE 'c%' GROUP BY campaign").fetchall()]
    check("where texts may be any bytes, those that are no characters are shown as question marks, and fail nothing", shown == ["c\u00e9??"] and outcome(c, "SELECT campaign, count(*) FROM publisher.impressions WHERE campaign < 'd' OR campaign > 'q' GROUP BY campaign")[0] == "ran", shown)
    proxy.stop()
    up.execute("CREATE TABLE side.solo (email_fp text UNIQUE, plan text, age integer)")
    solo = lambda t: t.replace("side.users", "side.solo").replace("joins: any_name }\n      plan:", "joins: any_name, unique: true }\n      plan:")
    before = looked_at("solo", solo)
    up.execute("CREATE TABLE side.more () INHERITS (side.solo)")
    check("an index does not make a column unique beside tables that inherit", before == "" and "declared unique" in looked_at("solo", solo), before)

    first = results["as loaded"]
    check("private keys come in the order of their bytes, NULL last", [k[0] for k in first[0][0]] == sorted(keys, key=str.encode) + [None], first[0][0])
    check("public keys come in the order of the domain", [k[0] for k in first[2][0]] == ["north", "south", "east", "west"], first[2][0])
    for name, seen in results.items():
        check(f"rows, order and column widths are the same: {name}", seen == first, [a for a, b in zip(seen, first) if a != b])
finally:
    for p in started:
        if p.p.poll() is None:
            p.stop()
    up.close()
sys.exit(failed > 0)
