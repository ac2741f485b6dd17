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
# --- arguments of templates that are parameters: extended protocol, types from the template, from the client, or from a cast
template = "SELECT * FROM spend_by_city(%s, %s)"
for what, sql, values, want in [
        ("of types that the client leaves open", template, ("3", "b"), [["a", 4, 28]]), ("typed by the client", template, (Decimal("3"), "b"), [["a", 4, 28]]),
        ("an integer for a numeric", template, (3, "b"), [["a", 4, 28]]), ("text that no query may hold", template, (0, "it's; SELECT ':least"), [["a", 5, 30], ["b", 5, 25]]),
        ("a cast", "SELECT * FROM spend_by_city(%s::int8, %s::text)", (3, "b"), [["a", 4, 28]]), ("beside a constant", "SELECT * FROM spend_by_city(3, %s)", ("b",), [["a", 4, 28]]),
        ("through CALL", "CALL spend_by_city(%s, %s)", (3, "b"), [["a", 4, 28]]), ("rows", "SELECT * FROM free_rows(%s)", (4,), [["a", 4]]), ("null", template, (3, None), [])]:
    for binary in (False, True):
        try:
            rows = c.execute(sql, values, prepare=True, binary=binary).fetchall()
        except psycopg.Error as e:
            rows = str(e)
        check(f"template arguments as parameters: {what}{', binary' if binary else ''}", not isinstance(rows, str) and plain(rows) == plain(want), rows)
described = c.pgconn.prepare(b"t", b"SELECT * FROM spend_by_city($2, $1)").status, c.pgconn.describe_prepared(b"t")
check("Describe knows their types without running", [described[1].param_type(i) for i in range(described[1].nparams)] == [25, 1700] and described[1].nfields == 3,
      [described[1].param_type(i) for i in range(described[1].nparams)])
check("EXPLAIN takes them", any("upstream" in r[0] for r in c.execute("EXPLAIN " + template, (3, "b")).fetchall()))
for what, sql, values, state in [("a sum of one", "SELECT * FROM spend_by_city(%s + 1, 'b')", (3,), "42501"), ("one too many", "SELECT * FROM spend_by_city(%s, %s, %s)", (3, "b", 4), "42883"),
                                 ("a value that is none", template, ("many", "b"), "22P02")]:
    try:
        c.execute(sql, values, prepare=True)
        seen = "ran"
    except psycopg.Error as e:
        seen = e.sqlstate
    check("template arguments refused: " + what, seen == state, seen)
sys.exit(failed > 0)
