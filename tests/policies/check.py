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
for name, file in (("students", "examples/students"), ("campaign", "examples/campaign"), ("encodings", "tests/encodings")):
    text = open(f"{file}/policy.yaml.in").read().replace("@DIR@", "/tmp/x").replace("@PORT@", "6432").replace("@VERIFIER@", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA")
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
for f in ("load", "read_server", "read_tables", "read_rules", "read_budgets", "read_audit", "read_keys", "read_answers"):
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
broken("a query that costs more than one costs by default", "min_epsilon is above", lambda p: p["budgets"][0]["per_query"].update(min_epsilon=p["budgets"][0]["per_query"]["epsilon"] + 0.01), shape=False)
broken("an analyst who may not query", "lacks the ability query", lambda p: p["budgets"][0].update(analyst="university"), shape=False)
broken("a month that begins on the 31st", "monthly", lambda p: p["budgets"][0].update(refresh={"monthly": 31}))
broken("a window that begins twice", "either weekly or monthly", lambda p: p["budgets"][0].update(refresh={"monthly": 3, "weekly": "friday"}))
broken("a ledger in two places", "either path or postgres", lambda p: p.update(ledger={"path": "l", "postgres": "dbname=l"}), shape=False)
broken("an anchor in two places", "one of file, upstream and tpm", lambda p: p.update(ledger={"anchor": {"file": "a", "upstream": "s.t"}}))
broken("an anchor in a file and a TPM", "one of file, upstream and tpm", lambda p: p.update(ledger={"anchor": {"file": "a", "tpm": "device:/dev/tpmrm0", "index": 0x1500016}}))
broken("a TPM without an index", 'lacks the key "index"', lambda p: p.update(ledger={"anchor": {"tpm": "device:/dev/tpmrm0"}}))
broken("an index without a TPM", "index belongs to tpm", lambda p: p.update(ledger={"anchor": {"file": "a", "index": 0x1500016}}))
for wrong in (0xffffff, 0x1c00000, "0x1c00000", "0x15000160", "0x150001g", "x"):
    broken(f"an index that is not the owner's: {wrong}", "index must be", lambda p: p.update(ledger={"anchor": {"tpm": "device:/dev/tpmrm0", "index": wrong}}))
broken("a password in the ledger's URL", "must not hold a password", lambda p: p.update(ledger="postgresql://u:secret@host/db"), shape=False)
broken("an unknown key of the ledger", "ledger", lambda p: p.update(ledger={"file": "l"}))
for name, change in [("a day of the month", {"refresh": {"monthly": 28}}), ("a day of the week", {"refresh": {"weekly": "sunday"}}), ("all analysts together", {"analyst": "*"})]:
    p = copy.deepcopy(base)
    p["budgets"].append({**copy.deepcopy(base["budgets"][0]), **change}) if "analyst" in change else p["budgets"][0].update(change)
    jsonschema.validate(p, schema)
    code, out = run(yaml.safe_dump(p))
    check("accepted: " + name, code == 0, out)
for name, ledger in [("a URL", "postgresql://u@host/db"), ("PostgreSQL with a schema", {"postgres": "dbname=l", "schema": "x", "password_env": "P"}),
                     ("a file anchor", {"path": "l", "anchor": {"file": "/mnt/a"}}), ("an upstream anchor", {"anchor": {"upstream": "s.t"}}),
                     ("a TPM anchor", {"anchor": {"tpm": "device:/dev/tpmrm0", "index": "0x1500016"}}), ("a TPM anchor's index in decimal", {"anchor": {"tpm": "device:/dev/tpmrm0", "index": 0x1bfffff}})]:
    p = copy.deepcopy(base)
    p["ledger"] = ledger
    jsonschema.validate(p, schema)
    code, out = run(yaml.safe_dump(p))
    check("accepted as ledger: " + name, code == 0, out)
campaign = yaml.safe_load(good["campaign"])


def sealed(name, words, change, shape=True):
    """A mistake in how columns are sealed, in the campaign's policy."""
    global base
    keep, base = base, campaign
    broken(name, words, change, shape)
    base = keep


def columns(p):
    return p["tables"][0]["columns"]


sealed("an unknown encoding", "encoding cannot be", lambda p: columns(p)["email_fp"].update(encoding="hashed"))
sealed("a sealed number", "a sealed column has type text", lambda p: columns(p)["note"].update(type="integer"), shape=False)
sealed("a key of cleartext", "key does not belong to a cleartext column", lambda p: columns(p)["region"].update(key="spring"), shape=False)
sealed("join settings of a sealed column", "joins does not belong to a sealed column", lambda p: columns(p)["note"].update(joins="any_name"))
sealed("an unknown join setting", "joins cannot be", lambda p: columns(p)["email_fp"].update(joins="other"))
sealed("a beacon without bits", 'lacks the key "bits"', lambda p: columns(p)["note"].update(encoding="beacon"))
sealed("a beacon of too many bits", "bits", lambda p: columns(p)["note"].update(encoding="beacon", bits=33))
sealed("bits of a fingerprint", "bits does not belong to a fingerprint column", lambda p: columns(p)["email_fp"].update(bits=12))
sealed("a deterministic column of another format", "format noisegate", lambda p: columns(p)["note"].update(encoding="deterministic", format="c3r"), shape=False)
sealed("a beacon as unit", "a beacon column cannot be a privacy unit", lambda p: columns(p)["email_fp"].update(encoding="beacon", bits=12) or columns(p)["email_fp"].pop("joins", None), shape=False)
sealed("a key that is not declared", 'did you mean "spring"', lambda p: p.update(keys={"spring": {}}) or columns(p)["email_fp"].update(key="sprig"), shape=False)
sealed("a holder who is no member", 'unknown member "nobody"', lambda p: p.update(keys={"spring": {"holders": ["nobody"]}}), shape=False)
sealed("an overlap of nobody", "minimum", lambda p: p["tables"][0].update(overlap={"minimum": 1}))
sealed("an overlap without a minimum", 'lacks the key "minimum"', lambda p: p["tables"][0].update(overlap={}))
sealed("an overlap without noise", "overlap does not belong to the rule public", lambda p: p["tables"].append({"name": "x.y", "owner": "brand", "rule": "public", "overlap": {"minimum": 9}, "columns": {"a": {"type": "text"}}}), shape=False)
sealed("searching what is no beacon", "is no beacon column", lambda p: p["tables"].append({"name": "x.y", "owner": "brand", "rule": "list", "list": {"columns": ["a"], "joins": [], "beacons": ["a"]}, "columns": {"a": {"type": "text"}}}), shape=False)
broken("free repeats that nothing ends", 'needs "for" or "version"', lambda p: p.update(answers={"repeat": "free"}), shape=False)
broken("an end of repeats that are charged", "has no meaning", lambda p: p.update(answers={"for": "1h"}), shape=False)
broken("repeat is free or charged", "repeat", lambda p: p.update(answers={"repeat": True}))
for value in ("0", "-1s", "367d", "1.5h", "soon", "1e3s", "9" * 40, "h", "NaN"):
    broken(f"answers for {value[:9]}", "for must be a duration", lambda p: p.update(answers={"repeat": "free", "for": value}), shape=False)
# --- figures that no guarantee can be made of
def column(p):
    return next(c for t in p["tables"] for c in t["columns"].values() if "bounds" in c)


for value in (0, -1, float("nan"), 1e308, float("inf"), "NaN", "1e308", "1e-13", "0x1", "one", "", "1,5", "-0", "٣", 100.5, "9" * 60, [1], None, True):
    broken(f"a budget of epsilon {str(value)[:12]!r}", "epsilon", lambda p: p["budgets"][0].update(epsilon=value), shape=False)
    broken(f"a query of epsilon {str(value)[:12]!r}", "epsilon", lambda p: p["budgets"][0]["per_query"].update(epsilon=value), shape=False)
for value in (-1e-9, float("nan"), 1, 0.5, 0.0011, 1e308, "NaN", "1e-19", "tiny", [0], "-0.0000001"):
    broken(f"a budget of delta {str(value)[:12]!r}", "delta", lambda p: p["budgets"][0].update(delta=value), shape=False)
    broken(f"a query of delta {str(value)[:12]!r}", "delta", lambda p: p["budgets"][0].update(delta="1e-6", per_query={"delta": value}), shape=False)
broken("a query's delta above the budget's", "must not decrease in this order", lambda p: p["budgets"][0].update(delta="1e-6", per_query={"max_delta": "1e-5"}), shape=False)
for lo, hi, words in [(5, 1, "above the upper"), (5, 5, "equal"), ("0.50", "0.5", "equal"), (0, 9223372036854775808, "2^53"), (-9223372036854775809, 0, "2^53"), (0, "9007199254740993", "2^53"),
                      ("-1e30", "1e30", "2^53"), (0, "1" + "0" * 60, "upper bound"), (0, float("nan"), "upper bound"), (0, float("inf"), "upper bound"), ("low", 1, "lower bound"), ([0], 1, "lower bound")]:
    broken(f"bounds of {str(lo)[:22]} and {str(hi)[:22]}", words, lambda p: column(p).update(bounds=[lo, hi]), shape=False)
for value in ([], [1], [1, 2, 3], 7, "0..5", {"lo": 0}):
    broken(f"bounds {value}", "bounds", lambda p: column(p).update(bounds=value), shape=False)
for value in (0, -0.01, float("nan"), "1e308", "fine"):
    broken(f"a grid of {value}", "grid", lambda p: column(p).update(grid=value, type="numeric"), shape=False)
broken("a grid wider than the bounds", "the grid is wider than the bounds", lambda p: column(p).update(grid="1e18", bounds=[0, 500], type="numeric"), shape=False)
broken("bounds narrower than the default grid", "the grid is wider than the bounds", lambda p: column(p).update(bounds=[0, "1e-18"], type="numeric"), shape=False)
for value, words in (("1e308", "out of range"), ("9" * 60, "out of range"), ("-1e-99", "out of range"), ("1e", "must be a number"), ("e5", "must be a number"), (".", "must be a number")):
    broken(f"{value[:12]}: {words}", f"epsilon {'is ' + words if words[0] == 'o' else words}", lambda p: p["budgets"][0].update(epsilon=value), shape=False)
for change in ({"epsilon": 0, "per_query": {"epsilon": "0.5", "max_epsilon": 2}}, {"delta": 7, "accounting": "zcdp", "per_query": {"delta": "1e-7"}}):
    p = copy.deepcopy(base)
    p["budgets"] = [{**p["budgets"][0], **change}]
    code, out = run(yaml.safe_dump(p))
    check(f"one mistake in a budget is one error: {change}", code == 1 and out.count(": error: ") == 1, out)
for value in ("-1ms", "11s", "2d", "x", "0x10"):
    broken(f"a quantum of {value}", "response_quantum must be a duration", lambda p: p.update(answers={"response_quantum": value}), shape=False)
for value in ("0", "1kB", "2GB", "-5MB", "64mb"):
    broken(f"answers of size {value}", "size must be from 1MB to 1GB", lambda p: p.update(answers={"repeat": "free", "for": "1h", "size": value}), shape=False)
for value in ({"repeat": "free", "for": "7d", "size": "1MB", "file": "x.answers"}, {"repeat": "free", "version": "SELECT 1"}, {"response_quantum": "0ms"}, {"response_quantum": 250}, {}):
    p = copy.deepcopy(base)
    p["answers"] = value
    code, out = run(yaml.safe_dump(p))
    jsonschema.validate(p, schema)
    check(f"accepted: answers {value}", code == 0, out)
for name, text, words in [("anchors", "a: &x 1\n", "anchors"), ("two documents", "version: 1\n---\nversion: 1\n", "one YAML document"), ("nothing", "", "empty"), ("tags", "version: !!int 1\n", "tags"),
                          ("broken YAML", "version: [1\n", "not valid YAML"), ("depth", "a: " + "[" * 100 + "]" * 100, "deeply"), ("a key twice", "version: 1\nversion: 1\n", "twice")]:
    code, out = run(text)
    check("refused: " + name, code == 1 and words in out, out)
subprocess.call(["rm", "-rf", tmp])
sys.exit(failed > 0)
