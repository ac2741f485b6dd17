"""
Grouping sets whose totals the plan makes agree: their exact values, as the un-noised statements of the plan give them, must agree already, or the adjustment would
move answers away from the truth.  Any two sets are compared in the sums over the keys that they share.
"""


def sets_of(p, hierarchy):
    return [(hierarchy["keys"][i], p["blocks"][hierarchy["first"] + i]) for i in range(hierarchy["n"])]


def disagreement(p, rows):
    """What does not add up, or None; and how many values were compared."""
    compared = 0
    for h in p.get("hierarchies", []):
        sets = [(keys, b, rows(b)) for keys, b in sets_of(p, h)]
        for value, additive in enumerate(h["additive"]):
            if not additive or sets[0][1]["values"][value]["shared"]:
                continue
            compared += 1
            for keys, b, table in sets:
                for keys2, b2, table2 in sets:
                    both = sorted(set(keys) & set(keys2))
                    x, y = sums(keys, b, table, both, value), sums(keys2, b2, table2, both, value)
                    if any(x.get(k, 0) != y.get(k, 0) for k in set(x) | set(y)):
                        return f"value {value}: keys {keys} say {x}, keys {keys2} say {y}", compared
    return None, compared


def sums(keys, block, table, both, value):
    out = {}
    for r in table:
        k = tuple(r[keys.index(i)] for i in both)
        out[k] = out.get(k, 0) + int(r[block["values"][value]["column"]] or 0)
    return out


def query(t, rnd):
    """Of one table: keys that are often public, and values that often add up."""
    keys, where = [], []
    for c in t.columns:
        if c.kind == "boolean":
            keys.append(c.name)
        elif c.kind in ("integer", "numeric"):
            keys.append(f"{c.name} > {rnd.randrange(-20, 90)}")
        elif c.kind == "word":
            keys.append(c.name if c.values and rnd.random() < 0.6 else f"CASE WHEN {c.name} < 'c' THEN 'low' ELSE 'high' END")
            if keys[-1] == c.name and rnd.random() < 0.8:
                where.append(f"{c.name} IN ('a', 'b', 'c')" + rnd.choice(["", f" OR {c.name} = 'a'"]))
    keys = list(dict.fromkeys(keys))
    rnd.shuffle(keys)
    keys = keys[:3]
    if len(keys) < 2:
        return None
    listed = ", ".join(keys)
    subsets = [[k for j, k in enumerate(keys) if (i >> j) & 1] for i in range(1 << len(keys))]
    chosen = ", ".join("(" + ", ".join(s) + ")" for s in rnd.choices(subsets, k=rnd.randrange(2, 5)))
    how = rnd.choice([f"CUBE ({listed})", f"ROLLUP ({listed})", f"{keys[0]}, CUBE ({', '.join(keys[1:])})", f"GROUPING SETS ({chosen})", f"GROUPING SETS ({chosen})"])
    numbers = [c.name for c in t.columns if c.kind in ("integer", "numeric")]
    values = ["count(*)", f"count({rnd.choice(t.columns).name})", "count(*) FILTER (WHERE id < 20)"] + ([] if t.parent else ["count(DISTINCT u)"])
    values += [f"sum(least(greatest({rnd.choice(numbers)}, -3), 7))", f"sum(round({rnd.choice(numbers)}))"] if numbers else []
    return f"SELECT {', '.join(rnd.sample(values, rnd.randrange(1, len(values) + 1)))} FROM {t.name}" + (" WHERE " + " AND ".join(f"({w})" for w in where) if where else "") + f" GROUP BY {how}"


def claim_all(p):
    """A planner that says of all counts and sums that they add up."""
    for h in p.get("hierarchies", []):
        h["additive"] = [v["kind"] in (0, 1) for v in p["blocks"][h["first"]]["values"]]


def check(world, rows, rnd, n, change=lambda p: None):
    """Of n queries: those that do not add up, and how many values were compared, in how many families."""
    wrong, compared, families = [], 0, 0
    for _ in range(n):
        sql = query(rnd.choice(world.tables), rnd)
        p = world.plan(sql) if sql else {}
        change(p)
        why, values = disagreement(p, rows)
        compared += values
        families += len(p.get("hierarchies", []))
        if why:
            wrong.append(f"{sql}\n  {why}")
    return wrong, compared, families
