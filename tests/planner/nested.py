"""
Expressions of expressions over hostile rows: whatever is nested in what, no row raises an error.  usage: nested.py PLAN_TOOL DSN POLICY SEED STATEMENTS
"""
import json
import random
import subprocess
import sys

import psycopg

tool, dsn, policy, seed, statements = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
db = psycopg.connect(dsn, autocommit=True)
db.execute("SET statement_timeout = '30s'")
planner = subprocess.Popen([tool, policy, "shop", "Europe/Berlin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
rnd = random.Random(seed)


# --- rows: the ends of every type and every magnitude between, each beside each ------------------------------------------------------
def signed(values):
    return [f"{s}{v}" for v in values for s in ("", "-")]


DAYS = ["infinity", "-infinity", "4713-01-01 BC", "0001-01-01", "0001-01-05", "1582-10-15", "2024-02-29", "2026-06-30", "9999-12-31"]
VALUES = {
    "kind": ["a", "b", "zzz", "", None],
    "city": ["", "x", "a\\%_", "ÄÖ😀", "x" * 5000, "2024-02-30", "0000-01-01", "2024-01-31", " -3.5e9", "1" * 40, "true", "off", None],
    "n2": signed(["0", "1", "7", "100", "32767"]) + ["-32768", None],
    "n4": signed(["0", "1", "60", "5000", "2000000", "3000000", "2147483647"]) + ["-2147483648", None],
    "n8": signed(["0", "1", "4000000", "5000000000", "9223372036854775807"]) + ["-9223372036854775808", None],
    "money": signed(["0", "0.005", "1e-16000", "3", "1e9", "1e30", "1e31", "1e131000"]) + ["NaN", "Infinity", "-Infinity", None],
    "ratio": signed(["0", "5e-324", "0.1", "1", "1e15", "1e30", "1e308"]) + ["NaN", "Infinity", "-Infinity", None],
    "flag": ["t", "f", None],
    "day": DAYS + ["5874897-12-31", None],
    "at": DAYS + ["294276-12-31 23:59:59", "9999-12-31 23:59:59", "2024-03-31 02:30:00", None],
    "atz": DAYS + ["294276-12-30 00:00:00Z", "9999-12-31 23:59:59Z", "0001-01-01 00:00:00Z", "2024-03-31 01:30:00Z", None],
}
TYPES = {"kind": "text", "city": "text", "n2": "smallint", "n4": "integer", "n8": "bigint", "money": "numeric", "ratio": "float8", "flag": "boolean", "day": "date", "at": "timestamp", "atz": "timestamptz"}
db.execute("DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop")
db.execute("CREATE TABLE shop.people (id text, " + ", ".join(f"{c} {t}" for c, t in TYPES.items()) + ")")
with db.cursor() as cursor:
    cursor.executemany("INSERT INTO shop.people VALUES (" + ", ".join(["%s"] + [f"%s::{t}" for t in TYPES.values()]) + ")",
                       [[f"u{i // 2}"] + [rnd.choice(VALUES[c]) for c in TYPES] for i in range(300)])

# --- expressions by kind: number, text, date, timestamp, timestamp with time zone, boolean -------------------------------------------
COLUMNS = {"n": ["n2", "n4", "n8", "money", "ratio"], "t": ["city", "kind"], "d": ["day"], "s": ["at"], "z": ["atz"], "b": ["flag"]}
CONSTANTS = {"n": ["0", "1", "-1", "3", "0.001", "-2.5", "3000000", "99999999999", "1e20", "1e-10"], "t": ["''", "'a'", "'x'", "'%'", "'2024-02-30'", "'12'"],
             "d": ["date '2024-02-29'", "date '0001-01-01'", "date '9999-12-31'"], "s": ["timestamp '2024-01-01 10:00'"], "z": ["timestamptz '2024-01-01 10:00+02'"], "b": ["true", "false"]}
NUMBERS, SPANS, UNITS = ["integer", "bigint", "smallint", "numeric", "double precision"], ["1000 years", "1 month 3 days", "-5 hours"], ["week", "month", "year", "century", "millennium", "hour"]
FIELDS, PATTERNS = ["year", "month", "day", "dow", "doy", "week", "quarter", "isoyear", "century", "decade", "millennium", "isodow"], ["YYYY-MM-DD", "IYYY-IW", "FMMonth YYYY", "Q", "DDD"]
# {n}, {t}, ...: an expression of that kind; {op}: one of the choices behind it
FORMS = {
    "n": [("({n} {op} {n})", list("+-*/%")), ("({n} {op} {n})", list("+-*/")), ("{op}({n})", ["abs", "round", "floor", "ceil", "trunc", "sqrt", "ln", "log", "exp", "sign", "-"]),
          ("round({n}::numeric, {op})", range(16)), ("trunc({n}::numeric, {op})", range(16)), ("power({n}, {op})", range(16)), ("{op}({n}, {n})", ["div", "mod"]), ("({n})::{op}", NUMBERS),
          ("({t})::{op}", NUMBERS), ("length({t})", None), ("strpos({t}, {t})", None), ("ascii({t})", None), ("({d} - {d})", None), ("extract({op} FROM {d})", FIELDS), ("extract({op} FROM {s})", FIELDS + ["hour", "second"]),
          ("extract({op} FROM {z})", FIELDS + ["minute"]), ("extract(epoch FROM {s} - {d})", None), ("extract(epoch FROM {z} - {s})", None), ("width_bucket({n}, {n}, {n}, {op})", [0, 1, 10, 999]), ("({b})::integer", None)],
    "t": [("({t} || {t})", None), ("{op}({t})", ["lower", "upper", "initcap", "reverse", "btrim", "ltrim", "rtrim"]), ("{op}", ["left({t}, -2)", "right({t}, 3)", "substr({t}, -3, 7)", "lpad({t}, 90, {t})"]),
          ("replace({t}, {t}, {t})", None), ("split_part({t}, {t}, {op})", [0, 1, 2]), ("({n})::text", None), ("({d})::text", None), ("({b})::text", None), ("to_char({op}", [f"{{{k}}}, '{p}')" for k in "dsz" for p in PATTERNS]),
          ("concat({t}, {t}, {t})", None)],
    "d": [("({d} {op} ({n})::integer)", list("+-")), ("({s})::date", None), ("({z})::date", None), ("({t})::date", None)],
    "s": [("({d} {op}')", [f"{o} interval '{x}" for o in "+-" for x in SPANS]), ("({s} {op}')", [f"{o} interval '{x}" for o in "+-" for x in SPANS]), ("date_trunc('{op}', {s})", UNITS), ("({d})::timestamp", None),
          ("({z})::timestamp", None), ("({z} AT TIME ZONE 'UTC')", None)],
    "z": [("({z} {op}')", [f"{o} interval '{x}" for o in "+-" for x in SPANS]), ("date_trunc('{op}', {z})", UNITS), ("date_trunc('{op}', {d})", UNITS), ("({s})::timestamptz", None), ("({d})::timestamptz", None),
          ("({s} AT TIME ZONE 'Europe/Berlin')", None)],
    "b": [(f"({{{k}}} {{op}} {{{k}}})", ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"]) for k in "ntdsz"] + [(f"({{{k}}} BETWEEN {{{k}}} AND {{{k}}})", None) for k in "nd"] +
         [("({b} {op} {b})", ["AND", "OR"]), ("(NOT {b})", None), ("({t} {op})", ["IS NULL", "LIKE 'a%'", "ILIKE '%x%'", "NOT LIKE '_'", "IN ('x', 'a')"]), ("({n} IS NOT NULL)", None), ("starts_with({t}, {t})", None), ("({t})::boolean", None)],
}
ANY = ["CASE WHEN {b} THEN {k} WHEN {b} THEN {k} ELSE {k} END", "coalesce({k}, {k})"]
ORDERED = ANY + ["nullif({k}, {k})", "greatest({k}, {k})", "least({k}, {k})"]


def expression(kind, depth):
    if depth == 0 or rnd.random() < 0.1:
        return rnd.choice(COLUMNS[kind] if rnd.random() < 0.8 else CONSTANTS[kind])
    form, choices = rnd.choice(FORMS[kind]) if rnd.random() < 0.75 else (rnd.choice(ANY if kind == "b" else ORDERED).replace("{k}", f"{{{kind}}}"), None)
    return fill(form.replace("{op}", str(rnd.choice(choices))) if choices else form, depth - 1)


def fill(form, depth):
    """Every {kind} becomes an expression."""
    out, rest = "", form
    while "{" in rest:
        before, _, rest = rest.partition("{")
        kind, _, rest = rest.partition("}")
        out += before + expression(kind, depth)
    return out + rest


QUESTIONS = ["SELECT count({k}) FROM people", "SELECT {k}, count(*) FROM people GROUP BY 1", "SELECT count(DISTINCT {k}) FROM people", "SELECT count(*) FROM people WHERE {b}", "SELECT sum({n}) FROM people",
             "SELECT count(*) FROM (SELECT id, max({k}) AS q FROM people GROUP BY id) y WHERE q IS NOT NULL", "SELECT sum({n}) FILTER (WHERE {b}) FROM people", "SELECT q, count(*) FROM (SELECT id, {k} AS q, count(*) FROM people GROUP BY id, 2) y GROUP BY q",
             "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY least(greatest({n}, -5), 10)) FROM people", "SELECT corr(least(greatest({n}, -5), 10), least(greatest({n}, 0), 3)) FROM people",
             "SELECT sum(s / t) FROM (SELECT id, sum({n}) AS s, avg({n}) AS t FROM people GROUP BY id) y"]


def failure(sql):
    """What the upstream says to a plan's statements, or None; refusals are fine."""
    planner.stdin.write(sql + "\n")
    planner.stdin.flush()
    plan = json.loads(planner.stdout.readline())
    for b in plan.get("blocks", []):
        params = [None if p is None else p.encode() for p in b["params"]]
        if b["seed"]:
            params[b["seed"] - 1] = b"99"
        r = db.pgconn.exec_params(b["sql"].encode(), params)
        if r.status != psycopg.pq.ExecStatus.TUPLES_OK:
            return r.error_message.decode()
    return None if "blocks" in plan else "refused"


seen = [(sql, failure(sql)) for sql in (fill(rnd.choice(QUESTIONS).replace("{k}", f"{{{rnd.choice('nntdszb')}}}"), rnd.randrange(1, 4)) for _ in range(statements))]
raised = [(sql, why) for sql, why in seen if why not in (None, "refused")]
ran = sum(why is None for _, why in seen)
good = not raised and ran > statements * 0.8
print(("ok " if good else "not ok ") + f"nested expressions over hostile rows raise no error ({ran} of {statements} statements ran, seed {seed})", raised[:3] if raised else "")
sys.exit(not good)
