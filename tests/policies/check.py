"""Policies: the schema and the parser agree, every error in one run, single mistakes."""
import copy
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

ng = sys.argv[1]
schema = json.load(open("policies/policy.schema.json"))
tmp = tempfile.mkdtemp(prefix="noisegate-policies-")
failed = 0


def check(name, ok, why=""):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok else "   " + str(why)), flush=True)


def run(text):
    path = os.path.join(tmp, "p.yaml")
    open(path, "w").write(text)
    r = subprocess.run([ng, "check", path], capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


good = {}
for name in ("students", "campaign"):
    text = open(f"examples/{name}/policy.yaml.in").read().replace("@DIR@", "/tmp/x").replace("@PORT@", "6432").replace("@VERIFIER@", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA")
    good[name] = text
    code, out = run(text)
    check(f"{name}: the parser accepts it", code == 0, out)
    try:
        jsonschema.validate(yaml.safe_load(text), schema)
        check(f"{name}: the schema accepts it", True)
    except jsonschema.ValidationError as e:
        check(f"{name}: the schema accepts it", False, e.message)

# every list of keys that the parser knows is the property list of one object in the schema
objects = set()


def collect(node):
    if isinstance(node, dict):
        if "properties" in node and node.get("additionalProperties") is False:
            objects.add(frozenset(node["properties"]))
        for v in node.values():
            collect(v)
    elif isinstance(node, list):
        for v in node:
            collect(v)


collect(schema)
parsed = set()
for f in ("load", "read_server", "read_tables", "read_rules", "read_budgets"):
    for m in re.finditer(r"static const char \*const (?:\w+_)?keys\[\] = \{([^}]*)\}", open(f"policies/{f}.c").read()):
        parsed.add(frozenset(re.findall(r'"([^"]+)"', m.group(1))))
check("the schema's keys are the parser's keys", parsed == objects, (parsed ^ objects))

code, out = run(open("tests/policies/ten.yaml").read())
lines = [int(m) for m in re.findall(r"p\.yaml:(\d+):\d+: error", out)]
check(f"ten mistakes are ten errors, in order ({lines})", code == 1 and lines == [1, 3, 5, 8, 9, 16, 17, 20, 21, 23] and "10 errors" in out, out)
check("an unknown key gets a suggestion", 'did you mean "columns"?' in out, out)

base = yaml.safe_load(good["students"])


def broken(name, words, change, shape=True):
    p = copy.deepcopy(base)
    change(p)
    code, out = run(yaml.safe_dump(p))
    ok = code == 1 and words in out
    if shape:
        try:
            jsonschema.validate(p, schema)
            ok = False
        except jsonschema.ValidationError:
            pass
    check("refused: " + name, ok, out)


broken("an unknown rule", "rule cannot be", lambda p: p["tables"][0].update(rule="open"))
broken("a rule without its part", 'lacks the key "list"', lambda p: p["tables"][0].update(rule="list"))
broken("a part of another rule", "does not belong to the rule", lambda p: p["tables"][0].update(list={"columns": [], "joins": []}), shape=False)
broken("an analyst who is no member", "unknown member", lambda p: p["tables"][0].update(analysts=["nobody"]), shape=False)
broken("own is free or absent", "own", lambda p: p["tables"][0].update(own="paid"))
broken("no contribution", 'lacks the key "contribution"', lambda p: p["tables"][0].pop("contribution"))
broken("zcdp without delta", "needs a delta", lambda p: p["budgets"][0].update(accounting="zcdp", delta=0), shape=False)
broken("a table twice", "declared twice", lambda p: p["tables"].append(copy.deepcopy(p["tables"][0])), shape=False)
broken("a unit column that is not there", 'no column "student"', lambda p: p["tables"][0].update(unit={"student": "student"}), shape=False)
broken("a query that costs more than the budget", "more than the whole budget", lambda p: p["budgets"][0]["per_query"].update(max_epsilon=9), shape=False)
broken("an analyst who may not query", "lacks the ability query", lambda p: p["budgets"][0].update(analyst="university"), shape=False)
broken("a month that begins on the 31st", "monthly", lambda p: p["budgets"][0].update(refresh={"monthly": 31}))
broken("a window that begins twice", "either weekly or monthly", lambda p: p["budgets"][0].update(refresh={"monthly": 3, "weekly": "friday"}))
broken("a ledger in two places", "either path or postgres", lambda p: p.update(ledger={"path": "l", "postgres": "dbname=l"}), shape=False)
broken("an anchor in two places", "either file or upstream", lambda p: p.update(ledger={"anchor": {"file": "a", "upstream": "s.t"}}))
broken("a password in the ledger's URL", "must not hold a password", lambda p: p.update(ledger="postgresql://u:secret@host/db"), shape=False)
broken("an unknown key of the ledger", "ledger", lambda p: p.update(ledger={"file": "l"}))
for name, change in [("a day of the month", {"refresh": {"monthly": 28}}), ("a day of the week", {"refresh": {"weekly": "sunday"}}), ("all analysts together", {"analyst": "*"})]:
    p = copy.deepcopy(base)
    p["budgets"].append({**copy.deepcopy(base["budgets"][0]), **change}) if "analyst" in change else p["budgets"][0].update(change)
    jsonschema.validate(p, schema)
    code, out = run(yaml.safe_dump(p))
    check("accepted: " + name, code == 0, out)
for name, ledger in [("a URL", "postgresql://u@host/db"), ("PostgreSQL with a schema", {"postgres": "dbname=l", "schema": "x", "password_env": "P"}),
                     ("a file anchor", {"path": "l", "anchor": {"file": "/mnt/a"}}), ("an upstream anchor", {"anchor": {"upstream": "s.t"}})]:
    p = copy.deepcopy(base)
    p["ledger"] = ledger
    jsonschema.validate(p, schema)
    code, out = run(yaml.safe_dump(p))
    check("accepted as ledger: " + name, code == 0, out)
for name, text, words in [("anchors", "a: &x 1\n", "anchors"), ("two documents", "version: 1\n---\nversion: 1\n", "one YAML document"), ("nothing", "", "empty"), ("tags", "version: !!int 1\n", "tags"),
                          ("broken YAML", "version: [1\n", "not valid YAML"), ("depth", "a: " + "[" * 100 + "]" * 100, "deeply"), ("a key twice", "version: 1\nversion: 1\n", "twice")]:
    code, out = run(text)
    check("refused: " + name, code == 1 and words in out, out)
subprocess.call(["rm", "-rf", tmp])
sys.exit(failed > 0)
