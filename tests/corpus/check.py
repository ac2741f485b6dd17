"""Every statement of the corpus through the simple and the extended protocol; with zero noise the accepted ones equal plain PostgreSQL."""
import json
import math
import re
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal

import psycopg

port, upstream, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name[:150] + ("" if ok else "   " + str(why)[:600]), flush=True)


proxy = psycopg.connect(f"host=127.0.0.1 port={port} user=ana password=look-at-the-noise dbname=corpus", autocommit=True)
proxy.execute("SET search_path = shop, media, office")
proxy.execute("SET TimeZone = 'UTC'")
proxy.execute("SET noisegate.notices = off")
plain = psycopg.connect(upstream, autocommit=True)
plain.execute("SET search_path = shop, media, office, public")
plain.execute("SET TimeZone = 'UTC'")
plain.execute("CREATE OR REPLACE FUNCTION public.noise_low(anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT $1'")
plain.execute("CREATE OR REPLACE FUNCTION public.noise_high(anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT $1'")


def lines(path):
    for line in open(path):
        line = line.rstrip("\n")
        if line and not line.startswith("#"):
            yield line


def ask(c, sql, params, extended):
    cur = c.execute(sql, params, prepare=True) if extended else psycopg.ClientCursor(c).execute(sql, params)
    return [d.name for d in cur.description], [d.type_code for d in cur.description], cur.fetchall()


def same(x, y, slack):
    if x is None or y is None:
        return x is None and y is None or slack
    if isinstance(x, bool) or isinstance(y, bool) or isinstance(x, (str, date, datetime)):
        return x == y
    return math.isclose(float(x), float(y), rel_tol=0.02 if slack else 1e-6, abs_tol=0.5 if slack else 2e-5)


def row_in(row, rows, slack):
    return any(all(same(x, y, slack) for x, y in zip(row, other)) for other in rows)


def empty(row):
    """A group that has no rows: its counts and sums are zero."""
    return any(isinstance(v, (int, Decimal, float)) and not isinstance(v, bool) and v == 0 for v in row)


def accepted(line):
    sql, _, params = line.partition(" @@ ")
    sql, _, tag = sql.partition(" @")
    params = json.loads(params) if params else None
    if tag == "pending":
        return
    slack = tag in ("approx", "quantile")
    results = []
    for extended in (False, True):
        try:
            results.append(ask(proxy, sql, params, extended))
        except psycopg.Error as e:
            d = e.diag
            check(("extended: " if extended else "simple: ") + sql, False, f"{d.sqlstate} {d.message_primary} / {d.message_detail} / {d.message_hint}")
            return
    names, types, rows = ask(plain, sql, params, True)
    for which, (n, t, r) in zip(("simple", "extended"), results):
        if n != names or t != types:
            check(f"{which}: names and types: {sql}", False, (n, names, t, types))
            return
        if mode == "noised" or tag in ("quantile", "nulls"):
            continue
        missing = [x for x in rows if not row_in(x, r, slack)]
        extra = [x for x in r if not row_in(x, rows, slack) and not empty(x)]
        if (missing and tag != "interval") or extra and tag != "interval":
            check(f"{which} equals PostgreSQL: {sql}", False, {"missing": missing[:3], "extra": extra[:3]})
            return
    check(f"accepted: {sql}", True)


def refused(line):
    state, rule, sql = line.split("|", 2)
    for extended in (False, True):
        try:
            ask(proxy, sql, None, extended)
            check(("extended" if extended else "simple") + " refused: " + sql, False, "it ran")
            return
        except psycopg.Error as e:
            d = e.diag
            text = f"{d.sqlstate} {d.message_primary} / {d.message_detail} / {d.message_hint} / {d.statement_position}"
            good = d.sqlstate == state and (not rule or f"Rule: {rule}" in (d.message_detail or ""))
            if state == "42501":
                good = good and d.message_hint
            if not good:
                check(("extended" if extended else "simple") + " refused: " + sql, False, text)
                return
        except Exception as e:  # no result set
            check("refused: " + sql, False, repr(e))
            return
    check("refused: " + sql, True)


n = 0
for line in lines(sys.argv[4] + "/accepted.sql"):
    accepted(line)
    n += 1
if mode == "noised":
    for line in lines(sys.argv[4] + "/refused.sql"):
        refused(line)
        n += 1
    page = open("docs/private-queries.md").read()
    pairs = re.findall(r"-- before\n(.*)\n-- after\n(.*)\n", page)
    check(f"docs/private-queries.md has twenty examples: {len(pairs)}", len(pairs) >= 20)
    for before, after in pairs:
        try:
            ask(proxy, before, None, False)
            check("before: " + before, False, "it runs")
        except psycopg.Error as e:
            check("before: " + before, e.diag.sqlstate in ("42501", "42601", "42883") and e.diag.message_hint, e)
        try:
            ask(proxy, after, None, True)
            check("after: " + after, True)
        except psycopg.Error as e:
            check("after: " + after, False, (e.diag.message_primary, e.diag.message_hint))
    check(f"the corpus has at least 400 statements: {n}", n >= 400)
sys.exit(failed > 0)
