"""Every field of every analysis rule, allowed and refused, through the simple and the extended protocol."""
import json
import sys
from decimal import Decimal

import psycopg

port, cases = int(sys.argv[1]), sys.argv[2]
c = psycopg.connect(f"host=127.0.0.1 port={port} user=ana password=look-at-the-noise dbname=rules", autocommit=True)
c.execute("SET search_path = r")
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name[:150] + ("" if ok else "   " + str(why)[:500]), flush=True)


def ask(sql, extended):
    return (c.execute(sql, prepare=True) if extended else psycopg.ClientCursor(c).execute(sql)).fetchall()


def plain(rows):
    return [[float(v) if isinstance(v, (Decimal, int)) and not isinstance(v, bool) else v for v in r] for r in rows]


for line in open(cases):
    line = line.strip()
    if not line or line.startswith("#"):
        continue
    kind, _, rest = line.partition("|")
    for extended in (False, True):
        how = "extended: " if extended else "simple: "
        if kind in ("ok", "noised"):
            sql, _, want = rest.partition("|")
            try:
                rows = ask(sql, extended)
                check(how + sql, kind == "noised" or plain(rows) == plain(json.loads(want)), rows)
            except psycopg.Error as e:
                check(how + sql, False, (e.diag.sqlstate, e.diag.message_primary, e.diag.message_detail))
            continue
        rule, _, sql = rest.partition("|")
        sql = sql.removesuffix(" @joins")
        try:
            check(how + "refused: " + sql, False, ask(sql, extended))
        except psycopg.Error as e:
            d = e.diag
            owner = "brand" in (d.message_detail or "") or rule.startswith(("custom: templates", "statement"))
            good = d.sqlstate == kind and (f"Rule: {rule}" in (d.message_detail or "") or "@joins" in line) and owner and (d.message_hint or kind == "42883")
            check(how + "refused: " + sql, good, (d.sqlstate, d.message_primary, d.message_detail, d.message_hint))
sys.exit(failed > 0)
