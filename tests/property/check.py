"""
Random schemas, policies, queries and databases.  For every accepted query one person is removed (from all tables, or from one owner's alone) and the
un-noised statements of the plan are run on both databases: each value may move by at most what the plan says, in at most as many groups.  A failure is
shrunk to a small query on a small database and printed with its seed.  usage: check.py PLAN_TOOL DSN SEED WORLDS QUERIES
"""
import json
import random
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import psycopg

import grammar
import known
import mutants
import price
import shapes
import totals

tool, dsn, seed, worlds, queries = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
db = psycopg.connect(dsn)
UNITS = [f"u{i}" for i in range(7)]
SALT = "12345"
POLICY_TYPES = {"word": "text", "float": "double precision"}


# --- a world: tables, policy, rows --------------------------------------------------------------------------------------------------
class Column:
    def __init__(self, name, kind, rnd):
        self.name, self.kind = name, kind
        self.bounds = None
        if kind in ("integer", "numeric", "float"):
            low = rnd.choice([-50, -10, 0, 0, 3])
            self.bounds = (low, low + rnd.choice([1, 10, 100]))
        self.bounded = True
        if self.bounds and rnd.random() < 0.2:  # sums find their bounds privately
            self.bounds, self.bounded = rnd.choice([((0, 10 ** 11), True), ((-10 ** 7, 10 ** 9), True), ((-100, 100), False)])
        self.grid = rnd.choice(["0.01", "0.5", "1", "0.05"])
        self.values = kind == "word" and rnd.random() < 0.5

    def policy(self):
        text = f"{self.name}: {{ type: {POLICY_TYPES.get(self.kind, self.kind)}"
        if self.bounds and self.bounded:
            text += f", bounds: [{self.bounds[0]}, {self.bounds[1]}]"
        if self.kind in ("numeric", "float"):
            text += f", grid: {self.grid}"
        if self.values:
            text += ", values: [a, b, c]"
        return text + " }"

    def value(self, rnd):
        if rnd.random() < 0.12:
            return None
        if self.kind == "integer":
            return rnd.randrange(-80, 160)
        if self.kind == "numeric":
            return rnd.choice(["NaN", f"{rnd.randrange(-600, 1600) / 10}", "1000000", "0.005"])
        if self.kind == "float":
            return rnd.choice(["NaN", "Infinity", "-Infinity", "-1e300", f"{rnd.randrange(-600, 1600) / 10}", "0.1"])
        if self.kind == "boolean":
            return rnd.random() < 0.5
        if self.kind == "date":
            return f"2026-0{rnd.randrange(1, 4)}-1{rnd.randrange(3)}"
        return rnd.choice("abcde")


class Table:
    def __init__(self, number, rnd, parent):
        self.name, self.parent, self.owner = f"t{number}", parent, rnd.choice("op")
        if parent and rnd.random() < 0.7:
            self.owner = parent.owner
        kinds = ["integer", "numeric", "word", "boolean", "date", "float"]
        self.columns = [Column(f"{'inwbdf'[kinds.index(k)]}{i}", k, rnd) for i, k in enumerate(rnd.sample(kinds, 3) + [rnd.choice(kinds)])]
        self.overlap = ""
        self.rows, self.groups = rnd.randrange(1, 5), rnd.randrange(1, 4)
        self.single = not parent and rnd.random() < 0.3  # one row a person, declared unique

    def policy(self):
        unit = f"ref -> shop.{self.parent.name}.id" if self.parent else "u"
        own = "ref: { type: integer }" if self.parent else "u: { type: text%s }" % (", unique: true" if self.single else "")
        columns = ", ".join([own, "id: { type: integer, unique: true }"] + [c.policy() for c in self.columns])
        return f'  - {{ name: shop.{self.name}, owner: {self.owner}, rule: differential_privacy, unit: {{ person: "{unit}" }}, contribution: {{ max_rows: {self.rows}, max_groups: {self.groups} }}{self.overlap}, columns: {{ {columns} }} }}\n'

    def create(self):
        own = "ref integer" if self.parent else "u text" + (" UNIQUE" if self.single else "")
        db.execute(f"CREATE TABLE shop.{self.name} ({own}, id integer UNIQUE, " + ", ".join(f"{c.name} {POLICY_TYPES.get(c.kind, c.kind)}" for c in self.columns) + ")")

    def fill(self, rnd):
        people = UNITS if self.single else None
        for i in range(len(UNITS) if self.single else rnd.randrange(3, 40)):
            if self.parent:
                first = rnd.randrange(45) if rnd.random() < 0.95 else None
            else:
                first = people[i] if people else rnd.choice(UNITS + UNITS[:2] * 3 + [None])
            db.execute(f"INSERT INTO shop.{self.name} VALUES (" + ", ".join(["%s"] * (2 + len(self.columns))) + ")", [first, i] + [c.value(rnd) for c in self.columns])


class World:
    mutant = None

    def __init__(self, rnd):
        self.tables = []
        for i in range(rnd.randrange(2, 5)):
            roots = [t for t in self.tables]
            self.tables.append(Table(i, rnd, rnd.choice(roots) if roots and rnd.random() < 0.35 else None))
        floors = random.Random(rnd.random())
        if floors.random() < 0.4:
            for t in self.tables:
                t.overlap = floors.choice(["", ", overlap: { minimum: 2 }"])
        text = "version: 1\ncollaboration: w\nupstream: { dsn: \"\" }\nmembers: [ { name: o, abilities: [contribute] }, { name: p, abilities: [contribute] }, { name: lab, abilities: [query] } ]\nprivacy_units: { person: { type: text } }\ntables:\n"
        text += "".join(t.policy() for t in self.tables)
        text += "  - { name: shop.pub, owner: o, rule: public, columns: { k: { type: integer }, word: { type: text" + rnd.choice(["", ", domain: true"]) + " } } }\nbudgets:\n"
        text += "".join(f"  - {{ owner: {t.owner}, table: {t.name}, analyst: lab, epsilon: 10, delta: 1e-6, accounting: {rnd.choice(['pure', 'zcdp'])} }}\n" for t in self.tables)
        priced = random.Random(rnd.random())
        wish = []
        if priced.random() < 0.3:  # an (epsilon, delta) for each question, and whoever pays so may ask for Gaussian noise
            text, wish = text.replace("accounting: pure", "accounting: approx"), ["gaussian"] * priced.choice([0, 1, 1])
        self.start(text, wish)
        for t in self.tables:
            t.create()
            t.fill(rnd)
        db.execute("CREATE TABLE shop.pub AS SELECT n % 9 AS k, 'w' || n % 4 AS word FROM generate_series(1, 12) n")

    def start(self, text, wish=()):
        self.policy = text
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.file.write(text)
        self.file.flush()
        self.tool = subprocess.Popen([tool, self.file.name] + (["shop,public", "Europe/Berlin", *wish] if wish else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        db.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        db.execute("CREATE SCHEMA shop")

    def plan(self, sql):
        self.tool.stdin.write(sql + "\n")
        self.tool.stdin.flush()
        p = json.loads(self.tool.stdout.readline())
        if self.mutant and "blocks" in p:
            self.mutant(p)
        return p

    def close(self):
        self.tool.stdin.close()
        self.tool.wait()


class Known(World):
    """A world that is written down."""

    def __init__(self):
        self.tables = [SimpleNamespace(name=name, owner=owner, parent=None) for name, owner in known.TABLES]
        self.start(known.POLICY)
        db.execute(known.DATA)


# --- a query: parts that can be dropped -----------------------------------------------------------------------------------------------
class Query:
    def __init__(self, world, rnd):
        self.keys, self.sets, self.where = [], "", []
        which = rnd.random()
        self.source, columns = (grammar.relation(world, rnd, condition) if which < 0.4 else shapes.relation(world, rnd) if which < 0.7 else relation(world, rnd, 0))
        self.columns = columns
        self.values = [aggregate(columns, rnd) for _ in range(rnd.randrange(1, 4))]
        units, roots = of(columns, "unit"), [t.name for t in world.tables if not t.parent]
        if units and rnd.random() < 0.15:  # a sub-select in an aggregate
            there = f"{rnd.choice(units)[0]} {rnd.choice(['', 'NOT '])}IN (SELECT u FROM {rnd.choice(roots)} WHERE id < {rnd.randrange(30)})"
            numbers = of(columns, "integer", "numeric", "float")
            x = rnd.choice(numbers)[0] if numbers else "3"
            self.values.append(rnd.choice([f"count(*) FILTER (WHERE {there})", f"sum(CASE WHEN {there} THEN 2 ELSE 1 END)", f"sum(CASE WHEN {there} THEN {x} ELSE -{x} END)", f"sum({x}) FILTER (WHERE {there})"]))
        self.keys = [key(columns, rnd) for _ in range(rnd.randrange(0, 3))]
        if len(self.keys) and rnd.random() < 0.15:
            self.sets = rnd.choice(["ROLLUP", "CUBE"])
        self.where = [condition(columns, rnd) for _ in range(rnd.randrange(0, 3))]
        self.beside = rnd.choice(world.tables).name if rnd.random() < 0.1 else None

    def sql(self):
        """With or without a second protected query beside it."""
        text = self.alone()
        return text if not self.beside else f"WITH one AS ({text}), two AS (SELECT count(*) AS n FROM {self.beside}) SELECT one.*, two.n FROM one, two"

    def alone(self):
        text = "SELECT " + ", ".join(self.keys + self.values) + " FROM " + self.source
        if self.where:
            text += " WHERE " + " AND ".join(self.where)
        if self.keys:
            keys = ", ".join(self.keys)
            text += f" GROUP BY {self.sets} ({keys})" if self.sets else f" GROUP BY {keys}"
        return text

    def smaller(self):
        for part in ("where", "keys", "values"):
            for i in range(len(getattr(self, part))):
                if part == "values" and len(self.values) == 1:
                    continue
                q = object.__new__(Query)
                q.__dict__.update(self.__dict__)
                setattr(q, part, getattr(self, part)[:i] + getattr(self, part)[i + 1:])
                q.sets = q.sets if q.keys else ""
                yield q
        if self.beside:
            q = object.__new__(Query)
            q.__dict__.update(self.__dict__)
            q.beside = None
            yield q
        if self.sets:
            q = object.__new__(Query)
            q.__dict__.update(self.__dict__)
            q.sets = ""
            yield q


def plain(columns):
    """Columns that are neither a unit nor a key that leads to one."""
    return [c for c in columns if c[1] in ("integer", "numeric", "float", "word", "boolean", "date")]


def of(columns, *kinds):
    return [c for c in columns if c[1] in kinds]


def aggregate(columns, rnd):
    numbers = [c for c in of(columns, "integer", "numeric", "float") if c[2]]
    name = rnd.choice(columns)[0]
    makers = ["count(*)", f"count({name})", f"count(DISTINCT {name})"]
    if numbers:
        x, y = rnd.choice(numbers)[0], rnd.choice(numbers)[0]
        makers += [f"sum({x})", f"avg({x})", f"sum({x} + {y})", f"sum(least(greatest({x}, -3), 7))", f"stddev({x})", f"corr({x}, {y})", f"max({x})",
                   f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {x})", f"sum(CASE WHEN {condition(columns, rnd)} THEN {x} ELSE 0 END)", f"sum({x} % 7)", f"sum({x} * {y})", f"avg(-{x})", f"min({x})", f"sum(abs({x} - {y}))", f"avg(coalesce({x}, 1))", f"regr_slope({y}, {x})"]
    made = rnd.choice(makers)
    return made + (f" FILTER (WHERE {condition(columns, rnd)})" if rnd.random() < 0.2 and not made.startswith("percentile") else "")


def key(columns, rnd):
    name, kind = rnd.choice(plain(columns))[:2]
    if kind == "integer":
        return rnd.choice([name, f"{name} > 5", f"{name} / 20"])
    if kind in ("numeric", "float"):
        return f"round({name}::numeric, 0)"
    if kind == "date":
        return rnd.choice([name, f"extract(month FROM {name})", f"date_trunc('month', {name}::timestamp)"])
    return rnd.choice([name, f"CASE WHEN {name} IS NULL THEN 'x' ELSE 'y' END"])


def condition(columns, rnd):
    if rnd.random() < 0.2:
        return rnd.choice(["({} OR {})", "NOT ({} AND {})", "(CASE WHEN {} THEN {} END)"]).format(condition(columns, rnd), condition(columns, rnd))
    name, kind = rnd.choice(plain(columns))[:2]
    return {"integer": f"{name} < 60", "numeric": f"{name} BETWEEN -5 AND 90", "float": f"{name} > 0.5", "word": f"{name} IN ('a', 'b', 'c')", "boolean": f"{name} IS NOT FALSE", "date": f"{name} >= '2026-01-11'"}[kind]


def names_of(t, alias):
    return shapes.columns_of(t, alias)


def unit_of(t, alias):
    return None if t.parent else f"{alias}.u"


def relation(world, rnd, depth):
    """FROM text and the columns that may be used."""
    direct = [t for t in world.tables if not t.parent]
    t = rnd.choice(world.tables)
    shape = rnd.choice(["one", "one", "join", "left", "full", "right", "path", "groups", "union", "in", "notin", "exists", "public", "three", "distinct", "derived_join"])
    a, b = rnd.choice(direct), rnd.choice(direct)
    other = rnd.choice(direct)
    children = [c for c in world.tables if c.parent]
    columns = names_of(a, "a") + names_of(b, "b")
    if shape == "join":
        return f"{a.name} a JOIN {b.name} b ON a.u = b.u", columns
    if shape in ("left", "full", "right"):
        extra = f" AND b.id > {rnd.randrange(4)}" if shape == "left" and rnd.random() < 0.3 else ""
        return f"{a.name} a {shape.upper()} JOIN {b.name} b ON a.u = b.u{extra}", columns
    if shape == "path" and children:
        c = rnd.choice(children)
        columns = names_of(c, "c") + names_of(c.parent, "d")
        return rnd.choice([f"{c.name} c JOIN {c.parent.name} d ON c.ref = d.id", f"{c.parent.name} d LEFT JOIN {c.name} c ON c.ref = d.id"]), columns
    numbers = [c for c in a.columns if c.kind in ("integer", "numeric")]
    if shape == "groups" and numbers:
        x, word = rnd.choice(numbers), rnd.choice(a.columns)
        by = f", {word.name}" if rnd.random() < 0.5 else ""
        inner = f"(SELECT u, count(*) AS n, sum({x.name}) AS s, max({x.name}) AS m, min({word.name}{'::text' if word.kind == 'boolean' else ''}) AS w{by} FROM {a.name} GROUP BY u{by}{rnd.choice(['', ' HAVING count(*) > 1'])}) g"
        made = [("g.n", "integer", True), ("g.s", x.kind, True), ("g.m", x.kind, True)]
        return inner, made
    if shape == "derived_join" and numbers:
        x = rnd.choice(numbers)
        return f"{b.name} b {rnd.choice(['', 'LEFT '])}JOIN (SELECT u, sum({x.name}) AS s, count(DISTINCT {x.name}) AS n FROM {a.name} GROUP BY u) g ON g.u = b.u", names_of(b, "b") + [("g.s", x.kind, True), ("g.n", "integer", True)]
    if shape == "union":
        x = [c for c in a.columns if c.kind == "integer"], [c for c in b.columns if c.kind == "integer"]
        if x[0] and x[1]:
            return f"(SELECT u, {x[0][0].name} AS v, 'a' AS src FROM {a.name} UNION ALL SELECT u, {x[1][0].name}, 'b' FROM {b.name}) q", [("q.v", "integer", True), ("q.src", "word", None)]
    if shape in ("in", "notin"):
        return f"(SELECT * FROM {a.name} WHERE u {'NOT ' * (shape == 'notin')}IN (SELECT u FROM {b.name} WHERE id > {rnd.randrange(5)})) a", names_of(a, "a")
    if shape == "exists":
        return f"(SELECT * FROM {a.name} x WHERE {rnd.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {b.name} y WHERE y.u = x.u AND y.id < {rnd.randrange(30)})) a", names_of(a, "a")
    if shape == "public":
        x = [c for c in a.columns if c.kind == "integer"]
        if x:
            return f"{a.name} a {rnd.choice(['', 'LEFT '])}JOIN pub ON pub.k = a.{x[0].name}", names_of(a, "a") + [("pub.word", "word", None)]
    if shape == "three":
        return f"{a.name} a JOIN {b.name} b USING (u) LEFT JOIN {other.name} e ON e.u = b.u", columns + names_of(other, "e")
    if shape == "distinct":
        c = rnd.choice(a.columns)
        return f"(SELECT DISTINCT u, {c.name} FROM {a.name}) a", [(f"a.{c.name}", c.kind, c.bounds)]
    return f"{t.name} a", names_of(t, "a")


# --- the claim ----------------------------------------------------------------------------------------------------------------------------
def rows(block):
    params = [None if p is None else p.encode() for p in block["params"]]
    if block["seed"]:
        params[block["seed"] - 1] = SALT.encode()
    r = db.pgconn.exec_params(block["sql"].encode(), params)
    if r.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise RuntimeError(r.error_message.decode())
    return [[None if (v := r.get_value(i, j)) is None else v.decode() for j in range(r.nfields)] for i in range(r.ntuples)]


def parts(r, v):
    """The integers of a value that noise is added to, and how far each may move."""
    at = v["column"]
    if v["kind"] == 3:
        p = [int(c or 0) for c in r[at:at + v["parts"]]] if r else [0] * v["parts"]
        for i, w in ((2, v["width_x"]), (4, v["width_y"])):
            if i < len(p):
                p[i] = 2 * p[i] - p[0] * w * w
        return p
    if v["kind"] == 2:
        return [int(r[at] or 0), int(r[at + 1] or 0)] if r else [0, 0]
    return [int(r[at] or 0) if r else 0]


def limits(v, b):
    if v["kind"] == 3:
        x, y = v["width_x"], v["width_y"]
        return [b["rows"] * n for n in (1, x, x * x, y, y * y, x * y)]
    return [v["linf"], v["spread"]]


def histogram(r, v):
    return {i: int(n) for i, n in (p.split(":") for p in (r[v["column"]] or "").split(",") if p)} if r else {}


def clip_bounds(v):
    return [2 ** (v["first"] + i // 2) * (3 if i % 2 else 2) // 2 for i in range(v["steps"] - 1)] + [v["linf"]]


def clipped(r, v):
    """For each bound, how many sums are beyond it and the sum of all clamped to it."""
    entries = [tuple(map(int, e.split(":"))) for e in (r[v["column"]] or "").split(",") if e] if r else []
    return [(sum(n for j, n, _, _ in entries if j > i), sum(s if j <= i else d * bound for j, _, s, d in entries)) for i, bound in enumerate(clip_bounds(v))]


def clip_fault(x, y, v):
    """One person has one sum in a group: counts move by at most one, all the same way, and each clamped sum by at most its bound."""
    ways = set()
    for (above, total), (above2, total2), bound in zip(clipped(x, v), clipped(y, v), clip_bounds(v)):
        ways.add(above - above2)
        if abs(total - total2) > bound:
            return f"a sum clipped to {bound} moved by {abs(total - total2)}"
    return None if ways <= {0, 1} or ways <= {0, -1} else f"counts of sums beyond the bounds moved by {ways}"


def joint_moves(block, x, y):
    """Members of a joint part: 2 x - B c, with c the units of the group, and c itself; each with how far it may move."""
    at = block["joint"]["column"]
    units = [int(r[at] or 0) if r else 0 for r in (x, y)]
    for v in (v for v in block["values"] if v["joint"]):
        exact = [2 * parts(r, v)[0] - v["joint"] * c for r, c in zip((x, y), units)]
        yield abs(exact[0] - exact[1]), abs(v["joint"])
    yield abs(units[0] - units[1]), 1


def broken(block, before, after):
    """What moved further than the plan says, or None; and the largest share of a limit that was used."""
    n, worst, changed = block["keys"], 0.0, 0
    first, second = ({tuple(r[:n]): r for r in t} for t in (before, after))
    for k in set(first) | set(second):
        x, y = first.get(k), second.get(k)
        moved = False
        for v in block["values"]:
            if v["shared"]:
                continue
            if v["kind"] == 4:
                h, g = histogram(x, v), histogram(y, v)
                d = sum(abs(h.get(i, 0) - g.get(i, 0)) for i in set(h) | set(g))
                moved = moved or d > 0
                if d > block["rows"]:
                    return f"group {k}: a histogram moved by {d}, the plan says {block['rows']}", worst
                continue
            if v["kind"] == 6:
                moved = moved or clipped(x, v) != clipped(y, v)
                fault = clip_fault(x, y, v)
                if fault:
                    return f"group {k}: {fault}", worst
                continue
            for p, q, limit in zip(parts(x, v), parts(y, v), limits(v, block)):
                moved = moved or p != q
                worst = max(worst, abs(p - q) / limit if limit else 0)
                if abs(p - q) > limit:
                    return f"group {k}: column {v['column']} moved by {abs(p - q)}, the plan says {limit}", worst
        for moves, limit in joint_moves(block, x, y) if block.get("joint") else ():
            moved = moved or moves > 0
            if moves > limit:
                return f"group {k}: a member of the joint part moved by {moves}, its noise is for {limit}", worst
        if block["selection"] == 1:
            units = abs(int(x[n] if x else 0) - int(y[n] if y else 0))
            if units > 1:
                return f"group {k}: {units} units moved", worst
            moved = moved or units > 0
        changed += moved
    if changed > block["groups"]:
        return f"{changed} groups changed, the plan says {block['groups']}", worst
    return None, worst


def leave(world, gone, owner):
    """Removes a person's rows: all, or one owner's.  Children first: their rows are the person's through the parents'."""
    def ids(t):
        return f"SELECT id FROM shop.{t.name} WHERE " + (f"ref IN ({ids(t.parent)})" if t.parent else f"u = '{gone}'")
    for t in reversed(world.tables):
        if owner in (None, t.owner):
            db.execute(f"DELETE FROM shop.{t.name} WHERE id IN ({ids(t)})")


def count_shared(block):
    return int(rows(block["overlap"])[0][0])


def unshared(world, p):
    """Without one owner's rows nothing is shared: a count that is left counted something else."""
    for owner in "op":
        db.execute("SAVEPOINT with_both")
        for t in world.tables:
            if t.owner == owner:
                db.execute(f"DELETE FROM shop.{t.name}")
        left = [count_shared(b) for b in p["blocks"] if b.get("overlap")]
        db.execute("ROLLBACK TO SAVEPOINT with_both")
        if any(left):
            return f"{left} units are shared when {owner} has none"
    return None


def violation(world, query, gone, owner):
    p = world.plan(query.sql())
    if "blocks" not in p:
        return None, p, 0
    fault = price.plan_fault(p)
    if fault:
        return fault, p, 0
    before = [rows(b) for b in p["blocks"]]
    shared = [count_shared(b) for b in p["blocks"] if b.get("overlap")]
    if shared and unshared(world, p):
        return unshared(world, p), p, 0
    db.execute("SAVEPOINT with_everyone")
    leave(world, gone, owner)
    after = [rows(b) for b in p["blocks"]]
    moved = [abs(x - count_shared(b)) for x, b in zip(shared, [b for b in p["blocks"] if b.get("overlap")])]
    db.execute("ROLLBACK TO SAVEPOINT with_everyone")
    worst = 0
    if any(m > 1 for m in moved):
        return f"an overlap moved by {moved}", p, 0
    for b, x, y in zip(p["blocks"], before, after):
        why, w = broken(b, x, y)
        worst = max(worst, w)
        if why:
            return why, p, worst
    return None, p, worst


def shrink(world, query, gone, owner):
    again = True
    while again:
        again = False
        for q in query.smaller():
            if violation(world, q, gone, owner)[0]:
                query, again = q, True
                break
    for t in world.tables:  # rows that are not needed
        for (i,) in db.execute(f"SELECT id FROM shop.{t.name}").fetchall():
            db.execute("SAVEPOINT fewer")
            db.execute(f"DELETE FROM shop.{t.name} WHERE id = {i}")
            if not violation(world, query, gone, owner)[0]:
                db.execute("ROLLBACK TO SAVEPOINT fewer")
    return query


class Count:
    def __init__(self):
        self.cases = self.refused = self.tight = self.floors = self.joint = self.converted = 0
        self.reasons = {}

    def note(self, p, worst):
        if "blocks" not in p:
            self.refused += 1
            self.reasons[p["rule"]] = self.reasons.get(p["rule"], 0) + 1
            return
        self.cases += 1
        self.floors += any(b.get("overlap") for b in p["blocks"])
        self.joint += any(b.get("joint") for b in p["blocks"])
        self.converted += any(price.converted(b) for b in p["blocks"])
        self.tight += worst == 1


def explain(number, world, query, gone, owner):
    query = shrink(world, query, gone, owner)
    why = violation(world, query, gone, owner)[0]
    print(f"not ok property   seed {seed} world {number}: {why}\n{query.sql()}\nremoved: {gone} of {owner or 'all owners'}\n{world.policy}")
    for t in world.tables:
        for r in db.execute(f"SELECT * FROM shop.{t.name}").fetchall():
            print(t.name, r)


def run(count, worlds, mutant=None):
    """Whether every case held; without a mutant the first that did not is shrunk and printed."""
    for number in range(worlds):
        rnd = random.Random(seed * 1000003 + number)
        world = World(rnd)
        world.mutant = mutant
        try:
            for _ in range(queries):
                query, gone, owner = Query(world, rnd), rnd.choice(UNITS), rnd.choice([None, None, "o", "p"])
                why, p, worst = violation(world, query, gone, owner)
                count.note(p, worst)
                if why:
                    if not mutant:
                        explain(number, world, query, gone, owner)
                    return False
        finally:
            world.close()
            db.rollback()
    return True


count = Count()
good = run(count, worlds)
print(f"# {count.cases} cases, {count.tight} of them use a limit in full, {count.floors} have an overlap floor, {count.joint} correlated noise, {count.converted} Gaussian noise for an epsilon and a delta, {count.refused} refused: {dict(sorted(count.reasons.items(), key=lambda x: -x[1])[:6])}")
good = good and count.cases >= worlds * queries * 0.7 and count.tight > count.cases / 20 and count.floors > worlds / 10 and count.joint > worlds / 10 and count.converted > worlds / 10
print(("ok " if good else "not ok ") + f"one person removed moves the exact values by at most what the plan says and charges, in {count.cases} random cases", flush=True)
world = Known()
for sql, gone in known.CASES:
    results = [violation(world, SimpleNamespace(sql=lambda: sql), gone, owner) for owner in (None, "o", "p")]
    why = next((w for w, _, _ in results if w), None)
    good = good and not why
    print(("not ok " if why else "ok ") + f"known case{'' if 'blocks' in results[0][1] else ' (refused)'}: {sql}   {why or ''}", flush=True)
world.close()
db.rollback()
def agreeing(worlds, change=lambda p: None):
    """Worlds of people with one row, or one group: what the plans say of totals."""
    wrong, compared, families = [], 0, 0
    for number in range(worlds):
        rnd = random.Random(seed * 7000003 + number)
        world = World(rnd)
        try:
            found = totals.check(world, rows, rnd, 40, change)
            wrong, compared, families = wrong + found[0], compared + found[1], families + found[2]
        finally:
            world.close()
            db.rollback()
    return wrong, compared, families


few = max(worlds // 8, 24)
wrong, compared, families = agreeing(few)
good = good and not wrong and families > few
print(("not ok " if wrong or families <= few else "ok ") + f"exact totals are the sums of their parts where the plan says so, {compared} values of {families} families of grouping sets", *wrong[:1], flush=True)
caught = len(agreeing(few, totals.claim_all)[0])
good = good and caught > 0
print(("ok " if caught else "not ok ") + f"totals that do not add up are found, {caught} times, when the plan says it of all", flush=True)
for name, mutant in mutants.ALL.items():
    tries = Count()
    caught = not run(tries, min(worlds, 40), mutant)
    good = good and caught
    print(("ok " if caught else "not ok ") + f"a wrong plan is caught after {tries.cases} cases: {name}", flush=True)
sys.exit(not good)
