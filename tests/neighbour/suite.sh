# Neighbouring databases on a private PostgreSQL; person 7 has 40 visits of 100 and worse, the cap is 5.
B=${BUILD:-build}
W=$(mktemp -d /tmp/noisegate-neighbour-XXXXXX)
trap 'scripts/pg.sh stop "$W/pg"; rm -rf "$W"' EXIT
chmod 755 "$W"
scripts/pg.sh start "$W/pg" || exit 1
psql -Xq -v ON_ERROR_STOP=1 "host=$W/pg/sock user=owner dbname=postgres" <<'SQL' || exit 1
CREATE SCHEMA one;
CREATE SCHEMA two;
CREATE TABLE one.people AS SELECT n AS person FROM generate_series(1, 300) n;
CREATE TABLE one.visits AS SELECT 1 + n % 300 AS person, (n * 37) % 101 AS amount FROM generate_series(1, 900) n;
INSERT INTO one.visits SELECT 7, 1000000 FROM generate_series(1, 40);
INSERT INTO one.visits VALUES (NULL, 50), (7, NULL);
CREATE TABLE two.people AS SELECT * FROM one.people WHERE person <> 7;
CREATE TABLE two.visits AS SELECT * FROM one.visits WHERE person IS DISTINCT FROM 7;
SQL
python3 - >"$W/p.yaml" <<'PY'
tables = budgets = ""
for s in ("one", "two"):
    for t, columns in (("people", ""), ("visits", ", amount: { type: integer, bounds: [0, 100] }")):
        rows = 5 if t == "visits" else 1
        tables += f"  - {{ name: {s}.{t}, owner: o, rule: differential_privacy, unit: {{ person: person }}, contribution: {{ max_rows: {rows}, max_groups: 1 }}, columns: {{ person: {{ type: integer }}{columns} }} }}\n"
        budgets += f"  - {{ owner: o, table: {s}.{t}, analyst: lab, epsilon: 10, accounting: pure, per_query: {{ epsilon: 1 }} }}\n"
print(f"""version: 1
collaboration: neighbours
upstream: {{ dsn: "" }}
members: [ {{ name: o, abilities: [contribute] }}, {{ name: lab, abilities: [query] }} ]
privacy_units: {{ person: {{ type: integer }} }}
tables:
{tables}budgets:
{budgets}""")
PY
make -s BUILD="$B" lib-planner lib-policies lib-crypto lib-mechanisms lib-base || exit 1
gcc -std=c11 -D_GNU_SOURCE -O2 -g -I. -I/usr/include/postgresql -o "$B/neighbour" tests/neighbour/neighbour.c "$B"/lib{planner,policies,crypto,mechanisms,base}.a \
	-lpg_query -lprotobuf-c -lpq -lyaml -lcrypto -lm || exit 1
"$B/neighbour" "host=$W/pg/sock user=owner dbname=postgres" "$W/p.yaml"
