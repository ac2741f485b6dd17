"""Every encoding, in uses that are allowed and uses that are not, through the simple and the extended protocol."""
import json
import sys
from decimal import Decimal

import psycopg

ng, W, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
TERM = open(f"{W}/term").read()
c = psycopg.connect(f"host=127.0.0.1 port={port} user=ana password=look-at-the-noise dbname=encodings", autocommit=True)
c.execute("SET search_path = e")
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name[:170] + ("" if ok else "   " + str(why)[:700]), flush=True)


def ask(sql, extended, params=None):
    return (c.execute(sql, params, prepare=True) if extended else psycopg.ClientCursor(c).execute(sql, params)).fetchall()


def plain(rows):
    return [[float(v) if isinstance(v, (Decimal, int)) and not isinstance(v, bool) else v for v in r] for r in rows]


def refused(name, sql, words, at, run, states=("42501",), rule="sealed columns"):
    """Message, whose rule, hint, and the position of the word `at` (its last place in the statement when marked by §)."""
    try:
        check(name, False, ("answered", run()))
    except psycopg.Error as e:
        d = e.diag
        detail = d.message_detail or ""
        place = int(d.statement_position or 0)
        good = (d.sqlstate in states and words in d.message_primary and f"Rule: {rule}" in detail and ("brand" in detail or "lab" in detail) and d.message_hint
                and (not at or (place > 0 and sql[place - 1:].startswith(at))))
        check(name, good, (d.sqlstate, d.message_primary, detail, d.message_hint, place, sql[max(place - 1, 0):][:20]))


for line in open("tests/encodings/cases.txt"):
    line = line.strip().replace("@TERM@", TERM)
    if not line or line.startswith("#"):
        continue
    kind, _, rest = line.partition("|")
    for extended in (False, True):
        how = "extended: " if extended else "simple: "
        if kind in ("ok", "noised", "rows"):
            sql, _, want = rest.partition("|")
            try:
                rows = ask(sql, extended)
                if kind == "rows":
                    low, high = map(int, want.split("-"))
                    good = low <= len(rows) <= high
                else:
                    want = json.loads(want)
                    good = plain(rows) == plain(want) if kind == "ok" else all(abs(float(x) - y) < 60 for x, y in zip(rows[0], want))
                check(how + sql, good, (rows[:5], len(rows), want))
            except psycopg.Error as e:
                check(how + sql, False, (e.diag.sqlstate, e.diag.message_primary, e.diag.message_detail))
            continue
        words, at, sql = rest.split("|", 2)
        states, rule = {"no": (("42501",), "sealed columns"), "term": (("22023",), "sealed columns")}.get(kind, (("42501",), kind))
        refused(how + "refused: " + sql, sql, words, at, lambda: ask(sql, extended), states, rule)

# parameters: their values are constants, too
for name, sql, value, words in (("a fingerprint and a parameter", "SELECT count(*) FROM customers WHERE email_fp = %s", "02:hmac:x", "may not be compared with a constant"),
                                ("a token and a parameter", "SELECT count(*) FROM customers WHERE tok IN (%s, 'x')", "tok_x", "may not be compared with a constant"),
                                ("a beacon under differential privacy and a parameter", "SELECT count(*) FROM customers WHERE mark = %s", TERM, "may not be searched")):
    refused(name, sql, words, None, lambda: ask(sql, True, (value,)))
rows = ask("SELECT DISTINCT l.note FROM leads l JOIN mine m ON m.email_fp = l.email_fp WHERE l.mark = %s", True, (TERM,))
check("a beacon is searched with a parameter", 1 <= len(rows) <= 3 and all(r[0].startswith("02:enc:") for r in rows), rows)
refused("a parameter that is no term", "SELECT l.note FROM leads l WHERE l.mark = $1", "is not a term", None,
        lambda: ask("SELECT DISTINCT l.note FROM leads l JOIN mine m ON m.email_fp = l.email_fp WHERE l.mark = %s", True, ("zz",)), ("22023",))

# the mirror and the catalog know every encoding
rows = dict(ask("SELECT column_name, encoding FROM noisegate.columns WHERE table_schema = 'e' AND table_name = 'customers'", False))
check("noisegate.columns names the encodings", (rows["email_fp"], rows["note"], rows["det"], rows["tok"], rows["mark"], rows["email"]) ==
      ("fingerprint", "sealed", "deterministic", "token", "beacon", "cleartext"), rows)
rows = dict(ask("SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'e.customers'::regclass AND a.attnum > 0", False))
check("the mirror's comments name encoding and key", rows["mark"] == "beacon, key spring" and rows["tok"] == "token, key people", rows)

rows = ask("SELECT table_name, field, value FROM noisegate.rules WHERE field IN ('overlap', 'beacons') AND table_name IN ('leads', 'quiet', 'archive', 'floored', 'customers') ORDER BY 1", False)
check("noisegate.rules shows what may be searched and what an overlap must reach", [(r[0], r[1]) for r in rows] == [("archive", "beacons"), ("floored", "overlap"), ("leads", "beacons")] and
      "150" in rows[1][2] and "12 bits" in rows[0][2], rows)

# who can guess
warned = open(f"{W}/check").read()
check("check names table, column, rule, key and the members who hold it", 'e.sums.email_fp: under the rule aggregation a member who holds the key "spring" ("lab") can test guessed values' in warned, warned)
check("check looks at cells: what the program sealed is fine, what only claims to be is not", all(f"e.pretended.{col}: holds cells that are no {kind} cells" in warned for col, kind in (("det", "deterministic"), ("email_fp", "fingerprint"), ("mark", "beacon"))) and
      "e.customers" not in "".join(x for x in warned.splitlines() if "holds" in x) and "e.users" not in "".join(x for x in warned.splitlines() if "holds" in x), warned)
check("check does not warn about keys that no analyst holds", "aut_fp" not in warned, warned)
check("check does not warn where noise covers it", not any(f"e.{t}.{col}: under" in warned for t in ("customers", "open", "floored") for col in ("email_fp", "det", "tok", "mark")), warned)
check("check warns under every rule without noise, for every encoding that can be guessed",
      all(f"e.{t}.{col}: under" in warned for t in ("sums", "leads", "quiet", "archive") for col in ("email_fp", "det", "tok", "mark")) and ".note" not in warned, warned)
sys.exit(failed > 0)
