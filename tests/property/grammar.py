"""
Relations of any depth: tables, projections, joins of every kind, groups of one person, DISTINCT, UNION ALL, IN and EXISTS, public tables, each over the others.
Now and then a join or a sub-select that must not be allowed: if the planner lets it through, the property test sees what it does.
"""
import shapes


def plain(c):
    return c[1] in ("integer", "numeric", "float", "word", "boolean", "date")


class Maker:
    def __init__(self, world, rnd, condition):
        self.world, self.rnd, self.condition, self.aliases = world, rnd, condition, 0
        self.direct = [t for t in world.tables if not t.parent]
        self.children = [t for t in world.tables if t.parent]

    def alias(self):
        self.aliases += 1
        return f"r{self.aliases}"

    def one(self, columns, *kinds):
        found = [c for c in columns if c[1] in kinds]
        return self.rnd.choice(found) if found else None

    # --- leaves ---------------------------------------------------------------------------------------------------------------------------
    def columns(self, t, a):
        """The table's columns, its unit, and its keys: a child's ref and its parent's id are of one kind."""
        keys = [(f"{a}.id", f"key {t.name}", None)] + ([(f"{a}.ref", f"key {t.parent.name}", None)] if t.parent else [])
        return shapes.columns_of(t, a) + keys

    def table(self):
        t, a = self.rnd.choice(self.world.tables if self.rnd.random() < 0.3 else self.direct), self.alias()
        return f"{t.name} {a}", self.columns(t, a)

    def path(self):
        """A child and what it hangs on, one or more steps up."""
        t, a = self.rnd.choice(self.children), self.alias()
        text, columns = f"{t.name} {a}", self.columns(t, a)
        while t.parent and (t.parent.parent is None or self.rnd.random() < 0.7):
            b = self.alias()
            text = f"({text} {self.rnd.choice(['', '', 'LEFT ', 'RIGHT '])}JOIN {t.parent.name} {b} ON {a}.ref = {b}.id)"
            columns = columns + self.columns(t.parent, b)
            t, a = t.parent, b
        return text, columns

    def tie(self, left, right):
        """Two columns that identify the same unit: two units, or keys of one kind."""
        pairs = [(u, v) for u in left for v in right if u[1] == v[1] and (u[1] == "unit" or u[1].startswith("key "))]
        return self.rnd.choice(pairs) if pairs else (None, None)

    def owner(self, columns):
        """A unit, or a key that leads to one."""
        found = [c for c in columns if c[1] == "unit"] or [c for c in columns if c[1].startswith("key ")]
        if self.rnd.random() < 0.2:
            found = [c for c in columns if c[1].startswith("key ")] or found
        return self.rnd.choice(found) if found else None

    # --- over other relations -----------------------------------------------------------------------------------------------------------------
    def where(self, columns):
        return f" WHERE {self.condition(columns, self.rnd)}" if self.rnd.random() < 0.5 and any(plain(c) for c in columns) else ""

    def project(self, select, columns, tail):
        """(SELECT ... AS c1, ...) alias: columns are (expression, kind, bounds)."""
        a = self.alias()
        text = ", ".join(f"{c[0]} AS c{i}" for i, c in enumerate(columns))
        return f"({select} {text} {tail}) {a}", [(f"{a}.c{i}",) + tuple(c[1:]) for i, c in enumerate(columns)]

    def some(self, columns, most=5):
        units = [c for c in columns if c[1] == "unit" or c[1].startswith("key ")]
        rest = [c for c in columns if c not in units]
        self.rnd.shuffle(units)
        return units[:3] + self.rnd.sample(rest, min(len(rest), most))

    def filtered(self, depth):
        text, columns = self.make(depth)
        return self.project("SELECT", self.some(columns), f"FROM {text}{self.where(columns)}")

    def join(self, depth):
        (x, left), (y, right) = self.make(depth), self.make(depth)
        u, v = self.tie(left, right)
        if not u:
            return x, left
        on = f"{u[0]} = {v[0]}"
        more = [c for c in left + right if plain(c)]
        if self.rnd.random() < 0.2 and more:
            on += f" AND {self.condition(more, self.rnd)}"
        if self.rnd.random() < 0.04:
            p, q = self.rnd.choice(left), self.rnd.choice(right)
            on = self.rnd.choice([f"{p[0]} = {q[0]}", f"{on} OR {p[0]} = {q[0]}", f"{u[0]} <> {v[0]}", f"NOT ({on})", f"coalesce({u[0]}, '') = {v[0]}"])
        kind = self.rnd.choice(["", "", "LEFT ", "RIGHT ", "FULL "])
        return f"({x} {kind}JOIN {y} ON {on})", left + right

    def groups(self, depth):
        text, columns = self.make(depth)
        u, x = self.owner(columns), self.one([c for c in columns if c[2]], "integer", "numeric", "float")
        if not u:
            return text, columns
        word, flag = self.one(columns, "word"), self.one(columns, "boolean")
        made = [u, ("count(*)", "integer", True)]
        if x:
            made += [(f"{self.rnd.choice(['sum', 'min', 'max'])}({x[0]})", x[1], True), (f"count(DISTINCT {x[0]})", "integer", True)]
        if flag:
            made += [(f"bool_or({flag[0]})", "boolean", None)]
        if word:
            made += [(f"min({word[0]})", "word", None)]
        by = u[0]
        key = self.one(columns, "word", "boolean", "integer", "date")
        if key and self.rnd.random() < 0.3:
            made.append(key)
            by += f", {key[0]}"
        if key and self.rnd.random() < 0.03:
            by, made[0] = key[0], (f"min({u[0]})", u[1], None)
        having = self.rnd.choice(["", "", " HAVING count(*) > 1", f" HAVING count({u[0]}) < 4"])
        return self.project("SELECT", made, f"FROM {text}{self.where(columns)} GROUP BY {by}{having}")

    def distinct(self, depth):
        text, columns = self.make(depth)
        u = self.owner(columns)
        if not u:
            return text, columns
        return self.project("SELECT DISTINCT", [u] + [c for c in self.some(columns, 2) if plain(c) and c[1] != "float"], f"FROM {text}{self.where(columns)}")

    def union(self, depth):
        arms = []
        for _ in range(self.rnd.randrange(2, 4)):
            text, columns = self.make(depth)
            u, x, word = self.one(columns, "unit"), self.one([c for c in columns if c[2]], "integer"), self.one(columns, "word")
            if not u or not x:
                return text, columns
            arms.append(f"SELECT {u[0]} AS u, {x[0]}::bigint AS v, {word[0] if word else chr(39) + 'k' + chr(39)} AS w FROM {text}{self.where(columns)}")
        a = self.alias()
        return f"({' UNION ALL '.join(arms)}) {a}", [(f"{a}.u", "unit", None), (f"{a}.v", "integer", True), (f"{a}.w", "word", None)]

    def semi(self, depth):
        (x, left), (y, right) = self.make(depth), self.make(depth)
        u, v = self.tie(left, right)
        if not u:
            return x, left
        if self.rnd.random() < 0.04:
            p = self.rnd.choice([c for c in right if c[1] == u[1]] + right)
            v = p
        no = self.rnd.choice(["", "NOT "])
        inner = self.where(right)
        p, q = self.one(left, "integer"), self.one(right, "integer")
        if p and q and self.rnd.random() < 0.35:  # of the unit, some rows
            value = self.rnd.choice([q[0], f"coalesce({q[0]}, 3)", f"CASE WHEN {q[0]} IS NULL THEN 3 ELSE 1 END"])
            return self.project("SELECT", self.some(left), f"FROM {x} WHERE ({u[0]}, {p[0]}{self.rnd.choice(['', ' % 4'])}) {no}IN (SELECT {v[0]}, {value} FROM {y}{inner})")
        test = f"{u[0]} {no}IN (SELECT {v[0]} FROM {y}{inner})" if self.rnd.random() < 0.6 else f"{no}EXISTS (SELECT 1 FROM {y}{inner or ' WHERE true'} AND {v[0]} = {u[0]})"
        if self.rnd.random() < 0.3:
            return self.project("SELECT", self.some(left) + [(f"CASE WHEN {test} THEN 'a' ELSE 'b' END", "word", None)], f"FROM {x}")
        return self.project("SELECT", self.some(left), f"FROM {x} WHERE {test}")

    def public(self, depth):
        text, columns = self.make(depth)
        x = self.one(columns, "integer")
        if not x:
            return text, columns
        a = self.alias()
        made = columns + [(f"{a}.word", "word", None), (f"{a}.k", "integer", None)]
        return f"({text} {self.rnd.choice(['', 'LEFT ', 'RIGHT '])}JOIN pub {a} ON {a}.k = {x[0]})", made

    def make(self, depth):
        if depth <= 0:
            return self.path() if self.children and self.rnd.random() < 0.25 else self.table()
        return self.rnd.choice([self.filtered, self.join, self.join, self.groups, self.groups, self.distinct, self.union, self.semi, self.public])(depth - 1 - (self.rnd.random() < 0.3))


def relation(world, rnd, condition):
    maker = Maker(world, rnd, condition)
    while True:
        text, columns = maker.make(rnd.randrange(1, 4))
        if len(text) < 6000 and any(plain(c) for c in columns):
            return text, columns
