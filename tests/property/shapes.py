"""More relations for the property test: each gives FROM text and the columns that may be used, or None when the world lacks what it needs."""


def columns_of(t, alias):
    """The table's columns, its row number, and its unit where it has one."""
    made = [(f"{alias}.{c.name}", c.kind, c.bounds) for c in t.columns] + [(f"{alias}.id", "integer", None)]
    return made if t.parent else made + [(f"{alias}.u", "unit", None)]


def number_of(t, rnd, kinds=("integer", "numeric", "float")):
    found = [c for c in t.columns if c.kind in kinds]
    return rnd.choice(found) if found else None


def self_join(w, rnd):
    a = rnd.choice(w.direct)
    return f"{a.name} a JOIN {a.name} b ON a.u = b.u AND a.id {rnd.choice(['<', '<>', '>='])} b.id", columns_of(a, "a") + columns_of(a, "b")


def nested_groups(w, rnd):
    a = rnd.choice(w.direct)
    x, c = number_of(a, rnd), rnd.choice(a.columns)
    if x:
        return (f"(SELECT u, max(s) AS m, count(*) AS n, sum(s) AS t FROM (SELECT u, {c.name} AS c, sum({x.name}) AS s FROM {a.name} GROUP BY u, {c.name}) i GROUP BY u) g",
                [("g.m", x.kind, True), ("g.n", "integer", True), ("g.t", x.kind, True), ("g.u", "unit", None)])


def child_groups(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        x = number_of(c, rnd)
        if x and not c.parent.parent:
            return (f"(SELECT d.u, count(*) AS n, sum(c.{x.name}) AS s, min(c.{x.name}) AS m FROM {c.name} c JOIN {c.parent.name} d ON c.ref = d.id GROUP BY d.u) g",
                    [("g.n", "integer", True), ("g.s", x.kind, True), ("g.m", x.kind, True), ("g.u", "unit", None)])


def rows_of_parent(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        x = number_of(c, rnd)
        if x:
            join = rnd.choice(["", f" JOIN {c.parent.name} d ON d.id = g.ref"])
            return (f"(SELECT ref, count(*) AS n, sum({x.name}) AS s FROM {c.name} GROUP BY ref) g{join}",
                    [("g.n", "integer", True), ("g.s", x.kind, True)] + (columns_of(c.parent, "d") if join else []))


def semi_child(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        d, word = c.parent, rnd.choice(["IN", "NOT IN"])
        having = rnd.choice([f"WHERE id < {rnd.randrange(30)}", "GROUP BY ref HAVING count(*) > 1"])
        return f"(SELECT * FROM {d.name} WHERE id {word} (SELECT ref FROM {c.name} {having})) d", columns_of(d, "d")


def exists_child(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        return (f"(SELECT * FROM {c.parent.name} x WHERE {rnd.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {c.name} y WHERE y.ref = x.id AND y.id > {rnd.randrange(20)})) d",
                columns_of(c.parent, "d"))


def case_in(w, rnd):
    a, b = rnd.choice(w.direct), rnd.choice(w.direct)
    return (f"(SELECT x.*, CASE WHEN u {rnd.choice(['', 'NOT '])}IN (SELECT u FROM {b.name} WHERE id > {rnd.randrange(12)}) THEN 'a' ELSE 'b' END AS seen FROM {a.name} x) a",
            columns_of(a, "a") + [("a.seen", "word", None)])


def union_three(w, rnd):
    a, b = rnd.choice(w.direct), rnd.choice(w.direct)
    x, y = number_of(a, rnd, ("integer",)), number_of(b, rnd, ("integer",))
    if x and y:
        arms = [f"SELECT u, {x.name} AS v, 'a' AS src FROM {a.name}", f"SELECT u, {y.name}, 'b' FROM {b.name} WHERE id > 3", f"SELECT u, count(*)::integer, 'c' FROM {a.name} GROUP BY u"]
        rnd.shuffle(arms)
        arms[0] = arms[0].replace("count(*)::integer, 'c'", "count(*)::integer AS v, 'c' AS src").replace(f"{y.name}, 'b'", f"{y.name} AS v, 'b' AS src")
        union = " UNION ALL ".join(arms)
        if rnd.random() < 0.4:
            return f"(SELECT u, sum(v) AS v, min(src) AS src FROM ({union}) q GROUP BY u) q", [("q.v", "integer", True), ("q.src", "word", None), ("q.u", "unit", None)]
        return f"({union}) q", [("q.v", "integer", True), ("q.src", "word", None), ("q.u", "unit", None)]


def joined_groups(w, rnd):
    a, b = rnd.choice(w.direct), rnd.choice(w.direct)
    x = number_of(a, rnd)
    if x:
        return (f"(SELECT u, sum({x.name}) AS s FROM {a.name} GROUP BY u) g {rnd.choice(['FULL', 'LEFT', 'RIGHT', 'INNER'])} JOIN (SELECT u, count(*) AS n FROM {b.name} GROUP BY u) h ON g.u = h.u",
                [("g.s", x.kind, True), ("h.n", "integer", True), ("g.u", "unit", None), ("h.u", "unit", None)])


def public_groups(w, rnd):
    a = rnd.choice(w.direct)
    x = number_of(a, rnd, ("integer",))
    if x:
        return (f"(SELECT a.u, pub.word AS word, count(*) AS n FROM {a.name} a {rnd.choice(['', 'LEFT '])}JOIN pub ON pub.k = a.{x.name} GROUP BY a.u, pub.word) g",
                [("g.n", "integer", True), ("g.word", "word", None), ("g.u", "unit", None)])


def public_first(w, rnd):
    a = rnd.choice(w.direct)
    x = number_of(a, rnd, ("integer",))
    if x:
        return f"pub LEFT JOIN {a.name} a ON pub.k = a.{x.name}", columns_of(a, "a") + [("pub.word", "word", None)]


def public_inside(w, rnd):
    a, b = rnd.choice(w.direct), rnd.choice(w.direct)
    x = number_of(a, rnd, ("integer",))
    if x:
        return (f"(SELECT a.*, pub.word AS pw FROM {a.name} a LEFT JOIN pub ON pub.k = a.{x.name}) a {rnd.choice(['', 'LEFT ', 'FULL '])}JOIN {b.name} b ON b.u = a.u",
                columns_of(a, "a") + [("a.pw", "word", None)] + columns_of(b, "b"))


def siblings(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        others = [o for o in w.children if o.parent is c.parent]
        d = rnd.choice(others)
        return f"{c.name} c {rnd.choice(['', 'LEFT '])}JOIN {d.name} d ON c.ref = d.ref", columns_of(c, "c") + columns_of(d, "d")


def child_and_unit(w, rnd):
    if w.children:
        c = rnd.choice(w.children)
        if not c.parent.parent:
            a = rnd.choice(w.direct)
            return (f"{c.name} c JOIN {c.parent.name} d ON c.ref = d.id {rnd.choice(['', 'LEFT ', 'RIGHT '])}JOIN {a.name} a ON a.u = d.u",
                    columns_of(c, "c") + columns_of(c.parent, "d") + columns_of(a, "a"))


def chain(w, rnd):
    a, b, e = (rnd.choice(w.direct) for _ in range(3))
    return (f"{a.name} a {rnd.choice(['', 'LEFT ', 'FULL '])}JOIN {b.name} b USING (u) {rnd.choice(['', 'LEFT '])}JOIN {e.name} e USING (u)",
            columns_of(a, "a") + columns_of(b, "b") + columns_of(e, "e") + [("u", "unit", None)])


def not_in_groups(w, rnd):
    a, b = rnd.choice(w.direct), rnd.choice(w.direct)
    return (f"(SELECT * FROM {a.name} WHERE u {rnd.choice(['', 'NOT '])}IN (SELECT u FROM {b.name} GROUP BY u HAVING count(*) {rnd.choice(['>', '<'])} 3)) a", columns_of(a, "a"))


def filtered_groups(w, rnd):
    a = rnd.choice(w.direct)
    c = rnd.choice(a.columns)
    return (f"(SELECT u, count(*) FILTER (WHERE id > {rnd.randrange(10)}) AS n, count(DISTINCT {c.name}) AS d, bool_or(id > 5) AS f FROM {a.name} GROUP BY u) g",
            [("g.n", "integer", True), ("g.d", "integer", True), ("g.f", "boolean", None), ("g.u", "unit", None)])


ALL = [self_join, nested_groups, child_groups, rows_of_parent, semi_child, exists_child, case_in, union_three, joined_groups, public_groups, public_first, public_inside, siblings,
       child_and_unit, chain, not_in_groups, filtered_groups]


def relation(world, rnd):
    world.direct = [t for t in world.tables if not t.parent]
    world.children = [t for t in world.tables if t.parent]
    made = None
    while not made:
        made = rnd.choice(ALL)(world, rnd)
    return made
