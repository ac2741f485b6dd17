"""Cases that once moved further than the plan said, kept small.  Each names what was wrong."""

POLICY = """version: 1
collaboration: known
upstream: { dsn: "" }
members: [ { name: o, abilities: [contribute] }, { name: p, abilities: [contribute] }, { name: lab, abilities: [query] } ]
privacy_units: { person: { type: text } }
tables:
  - { name: shop.t0, owner: o, rule: differential_privacy, unit: { person: u }, contribution: { max_rows: 1, max_groups: 1 }, columns: { u: { type: text }, id: { type: integer, unique: true }, n: { type: integer, bounds: [0, 10] } } }
  - { name: shop.t1, owner: p, rule: differential_privacy, unit: { person: u }, contribution: { max_rows: 1, max_groups: 1 }, columns: { u: { type: text }, id: { type: integer, unique: true }, n: { type: integer, bounds: [0, 10] } } }
  - { name: shop.t2, owner: o, rule: differential_privacy, unit: { person: u }, contribution: { max_rows: 3, max_groups: 1 }, columns: { u: { type: text }, id: { type: integer, unique: true }, n: { type: integer, bounds: [0, 10] }, w: { type: integer, bounds: [0, 1000000] } } }
  - { name: shop.t3, owner: p, rule: differential_privacy, unit: { person: u }, contribution: { max_rows: 1, max_groups: 1 }, columns: { u: { type: text }, id: { type: integer, unique: true }, n: { type: integer, bounds: [0, 10] } } }
budgets:
  - { owner: o, table: t0, analyst: lab, epsilon: 10, delta: 1e-6, accounting: pure }
  - { owner: p, table: t1, analyst: lab, epsilon: 10, delta: 1e-6, accounting: pure }
  - { owner: o, table: t2, analyst: lab, epsilon: 10, delta: 1e-6, accounting: zcdp }
  - { owner: p, table: t3, analyst: lab, epsilon: 10, delta: 1e-6, accounting: zcdp }
"""
TABLES = [("t0", "o"), ("t1", "p"), ("t2", "o"), ("t3", "p")]
DATA = """
CREATE TABLE shop.t0 (u text, id integer, n integer);
CREATE TABLE shop.t1 (u text, id integer, n integer);
INSERT INTO shop.t0 SELECT 'u' || i, i, 1 FROM generate_series(1, 9) i;
INSERT INTO shop.t1 VALUES ('u1', 1, 1);
CREATE TABLE shop.t2 (u text, id integer, n integer, w integer DEFAULT 1000000);
CREATE TABLE shop.t3 (u text, id integer, n integer);
INSERT INTO shop.t2 VALUES ('u1', 1, 10), ('u1', 2, 10), ('u1', 3, 10), ('u2', 4, 0);
INSERT INTO shop.t3 VALUES ('u1', 1, 10), ('u1', 2, 0), ('u2', 4, 0);
"""
# x NOT IN (SELECT ...) is true of a NULL x when the sub-select is empty: the last person in it decided about all rows without an x
NULL_LEFT = "shop.t0 a LEFT JOIN shop.t1 b ON a.u = b.u AND b.n > 5"
CASES = [
    (f"SELECT count(*) FROM {NULL_LEFT} WHERE b.u NOT IN (SELECT u FROM shop.t1)", "u1"),
    (f"SELECT count(*) FROM {NULL_LEFT} WHERE b.u IN (SELECT u FROM shop.t1) IS NULL", "u1"),
    (f"SELECT sum(CASE WHEN b.u IN (SELECT u FROM shop.t1) THEN 1 WHEN NOT (b.u IN (SELECT u FROM shop.t1)) THEN 2 ELSE 3 END) FROM {NULL_LEFT}", "u1"),
    (f"SELECT count(*) FROM {NULL_LEFT} WHERE (b.u, a.n) NOT IN (SELECT u, n FROM shop.t1)", "u1"),
    (f"SELECT count(*) FROM {NULL_LEFT} WHERE NOT EXISTS (SELECT 1 FROM shop.t1 c WHERE c.u = b.u)", "u1"),
    (f"SELECT count(*) FROM {NULL_LEFT} WHERE b.u <> ALL (SELECT u FROM shop.t1)", "u1"),
    ("SELECT count(*) FROM shop.t0 a FULL JOIN shop.t1 b ON a.u = b.u WHERE b.u NOT IN (SELECT u FROM shop.t1 WHERE n > 0)", "u1"),
    # one owner's rows leave and a part of the person's: with correlated noise, values would move and the count of units would not
    ("SELECT count(*), sum(n) FROM shop.t2 WHERE (u, id) IN (SELECT u, id FROM shop.t3 UNION ALL SELECT u, id FROM shop.t2 WHERE id > 2)", "u1"),
    ("SELECT count(*), sum(q.n) FROM (SELECT u, n FROM shop.t2 UNION ALL SELECT u, n FROM shop.t3) q", "u1"),
    ("SELECT count(*), sum(a.n) FROM shop.t2 a JOIN shop.t3 b ON a.u = b.u", "u1"),
    # a bound was found privately for a sum whose own sub-select another owner may leave: it moved from one end of the bound to the other
    ("SELECT sum(CASE WHEN u IN (SELECT u FROM shop.t3) THEN w ELSE -w END) FROM shop.t2", "u1"),
    ("SELECT sum(w) FILTER (WHERE u IN (SELECT u FROM shop.t3)) FROM shop.t2", "u1"),
    # a condition as a whole, but of other rows once one owner's are gone: they were in one group and came up in another
    ("SELECT id, count(*) FROM shop.t2 WHERE (u, id) IN (SELECT a.u, CASE WHEN b.id IS NULL THEN 3 ELSE 1 END FROM shop.t2 a LEFT JOIN shop.t3 b ON a.u = b.u) GROUP BY id", "u1"),
    ("SELECT id, sum(n) FROM shop.t2 WHERE id IN (SELECT CASE WHEN b.id IS NULL THEN 3 ELSE 1 END FROM shop.t2 a LEFT JOIN shop.t3 b ON a.u = b.u) GROUP BY id", "u1"),
    ("SELECT count(*) FROM shop.t2 WHERE u IN (SELECT a.u FROM shop.t2 a LEFT JOIN shop.t3 b ON a.u = b.u WHERE b.id IS NULL)", "u1"),
]
