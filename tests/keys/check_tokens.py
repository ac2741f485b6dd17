"""Tokens: random, equal for equal values of a domain, given back to holders of the vault's key only, with a trail that shows tampering."""
import collections
import csv
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ng = sys.argv[1]
os.umask(0o077)
tmp = tempfile.mkdtemp(prefix="noisegate-tokens-")
env = {k: v for k, v in os.environ.items() if not k.startswith(("NOISEGATE_", "C3R_"))}
failed = 0


def check(name, ok, seen=None):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok or seen is None else f"   # {seen}"), flush=True)


def at(name):
    return os.path.join(tmp, name)


def put(name, text):
    with open(at(name), "w") as f:
        f.write(text)
    return at(name)


def rows(name):
    with open(at(name), newline="") as f:
        return list(csv.DictReader(f))


def run(*args):
    return subprocess.run([ng, *args], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def tokenize(schema, source, out, vault="v", key="k"):
    return run("tokenize", "--vault", at(vault), "--schema", at(schema), "--key-file", at(key), at(source), at(out))


def back(schema, source, out, *more, vault="v", key="k", reason="case 7"):
    return run("detokenize", "--vault", at(vault), "--schema", at(schema), "--key-file", at(key), "--reason", reason, *more, at(source), at(out))


def says(r, status, text):
    return r.returncode == status and text in r.stderr


run("key", "generate", "--output", at("k"))
run("key", "generate", "--output", at("k2"))
run("key", "generate", "--store", "file:" + at("kek"), "--collaboration", "-", "--purpose", "vault", "--output", at("wrapped"))
run("key", "generate", "--store", "file:" + at("kek"), "--collaboration", "-", "--output", at("for-sealing"))
put("s.yaml", "columns:\n  - {sourceHeader: Email, targetHeader: email_token, type: token}\n  - {sourceHeader: phone, type: token, keepLength: true}\n"
    "  - {sourceHeader: city, type: cleartext}\n")
put("friends.yaml", "columns: [{sourceHeader: friend, type: token, domain: email}]\n")
people = [(f"user{i % 50}@example.org", f"+41 79 {i % 50:03d} Ab", f"city {i}") for i in range(200)]
put("in.csv", "email,phone,city,dropped\n" + "".join(f"{a},{b},{c},x\n" for a, b, c in people) + ',,"a, b",x\n')

r = tokenize("s.yaml", "in.csv", "out.csv")
out = rows("out.csv")
check("tokenize writes the schema's columns in their order", r.returncode == 0 and list(out[0]) == ["email_token", "phone", "city"] and len(out) == 201, r)
tokens = [x["email_token"] for x in out[:200]]
check("tokens are tok_ and 26 letters and digits", all(re.fullmatch("tok_[0-9a-hjkmnp-tv-z]{26}", t) for t in tokens), tokens[:2])
check("equal values have equal tokens, other values others", len(set(tokens)) == 50 and all(tokens[i] == tokens[i % 50] for i in range(200)))
check("cleartext columns and NULLs stay as they are", [x["city"] for x in out[:200]] == [c for _, _, c in people] and out[200] == {"email_token": "", "phone": "", "city": "a, b"})
phones = [x["phone"] for x in out[:200]]
check("with keepLength digits stand for digits, letters for letters", all(re.fullmatch(r"\+\d\d \d\d \d{3} [A-Z][a-z]", p) for p in phones) and len(set(phones)) == 50, phones[:2])
digits = collections.Counter(d for p in set(phones) for d in p if d.isdigit())
check("and are not those of the value", sum(p == q for p, (_, q, _) in zip(phones, people)) == 0 and len(digits) >= 8, digits)
put("friends.csv", "friend\nuser3@example.org\nnew@example.org\n")
r = tokenize("friends.yaml", "friends.csv", "friends-out.csv")
check("columns of one domain join", r.returncode == 0 and rows("friends-out.csv")[0]["friend"] == tokens[3] and rows("friends-out.csv")[1]["friend"] not in tokens, r)
r = tokenize("s.yaml", "in.csv", "again.csv")
check("the vault remembers", r.returncode == 0 and rows("again.csv") == out)
check("an output that exists is not written over", says(tokenize("s.yaml", "in.csv", "again.csv"), 1, "exists already"))

raw = open(at("v"), "rb").read()
check("no value and no domain stands in the vault's file", b"example" not in raw and b"user3" not in raw and b"email" not in raw.split(b"tokenize")[0] and os.stat(at("v")).st_mode & 0o777 == 0o600)
check("another key is refused with status 3", says(tokenize("s.yaml", "in.csv", "x.csv", key="k2"), 3, "belongs to key") and says(back("s.yaml", "out.csv", "x.csv", key="k2"), 3, "belongs to key") and
      not os.path.exists(at("x.csv")))
check("a key for sealing is refused, one for vaults opens its own", says(tokenize("s.yaml", "in.csv", "x.csv", vault="v2", key="for-sealing"), 3, 'not "vault"') and
      tokenize("s.yaml", "in.csv", "w.csv", vault="v2", key="wrapped").returncode == 0)
check("two vaults give different tokens", not set(tokens) & {x["email_token"] for x in rows("w.csv")})
os.chmod(at("v2"), 0o644)
check("a vault that others may read is refused", says(tokenize("s.yaml", "in.csv", "x.csv", vault="v2", key="wrapped"), 1, "can be read by others"))

r = back("s.yaml", "out.csv", "back.csv")
check("detokenize gives the values back under their headers", r.returncode == 0 and [(x["email"], x["phone"], x["city"]) for x in rows("back.csv")][:200] == people, r)
check("it takes a reason", run("detokenize", "--vault", at("v"), "--schema", at("s.yaml"), "--key-file", at("k"), at("out.csv"), at("y.csv")).returncode == 2)
put("forged.csv", "email_token,phone,city\ntok_00000000000000000000000000,,\n")
r = back("s.yaml", "forged.csv", "x.csv")
check("an unknown token is refused with its place, nothing is written", says(r, 1, "no such token") and 'forged.csv:2: column "email_token"' in r.stderr and not os.path.exists(at("x.csv")), r)
put("cross.csv", f"friend\n{tokens[3]}\n")
put("cross.yaml", "columns: [{sourceHeader: friend, type: token, domain: other}]\n")
check("a token of another domain is unknown", says(back("cross.yaml", "cross.csv", "x.csv"), 1, "no such token"))
check("detokenize does not make a vault", back("s.yaml", "out.csv", "x.csv", vault="none").returncode == 1 and not os.path.exists(at("none")))

trail = lambda: run("detokenize", "--vault", at("v"), "--key-file", at("k"), "--audit")
lines = trail().stdout.splitlines()
check("the trail has who, when, what, why for every use that gave values", len(lines) == 4 and lines[3].startswith("4 20") and lines[3].endswith(f"detokenize 400 cells: {at('out.csv')} email_token phone; case 7"), lines)
shutil.copy(at("v"), at("saved"))


def tampered(statement):
    shutil.copy(at("saved"), at("v"))
    db = sqlite3.connect(at("v"))
    db.execute(statement)
    db.commit()
    db.close()


tampered("UPDATE audit SET reason = 'nothing' WHERE id = 4")
check("a changed entry of the trail shows", says(trail(), 1, "changed at entry 4"))
tampered("DELETE FROM audit WHERE id = 2")
check("a missing entry of the trail shows", says(trail(), 1, "changed at entry 2"))
tampered("UPDATE token SET sealed = (SELECT sealed FROM token t WHERE t.token = '%s') WHERE token = '%s'" % (tokens[1], tokens[2]))
check("a value moved to another token does not open", says(back("s.yaml", "out.csv", "x.csv"), 1, "the vault was changed") and not os.path.exists(at("x.csv")))
shutil.copy(at("saved"), at("v"))

put("short.csv", "email,phone,city\n" + "".join(f"a{i},{i % 10},c\n" for i in range(12)))
check("ten one-digit values still find ten one-digit tokens", tokenize("s.yaml", "short.csv", "short-out.csv", vault="v3").returncode == 0 and
      sorted({x["phone"] for x in rows("short-out.csv")}) == list("0123456789"))
put("none.csv", "email,phone,city\na,--,c\n")
r = tokenize("s.yaml", "none.csv", "x.csv")
check("a value without letters and digits has no token of its form", says(r, 1, "no letter or digit") and "none.csv:2" in r.stderr and not os.path.exists(at("x.csv")), r)
put("ragged.csv", "email,phone,city\na,b\n")
check("a row of another length is refused with its line", says(tokenize("s.yaml", "ragged.csv", "x.csv"), 1, "ragged.csv:2: the row has 2 fields"))
put("late.csv", "email,phone,city\nfresh@x,1,c\nb,--,c\n")
check("a failed run leaves the vault as it was", tokenize("s.yaml", "late.csv", "x.csv").returncode == 1 and sqlite3.connect(at("v")).execute("SELECT count(*) FROM token").fetchone()
      == sqlite3.connect(at("saved")).execute("SELECT count(*) FROM token").fetchone())
for text, why in (("columns: [{sourceHeader: a, type: sealed}]", "type must be"), ("columns: [{sourceHeader: a, type: token, pad: 1}]", "unknown key"),
                  ("columns: []", "no columns"), ("columns: [{sourceHeader: a, type: token}, {sourceHeader: a, type: token}]", "two columns"),
                  ("columns: [{sourceHeader: a, type: cleartext, domain: b}]", "only token columns"), ("{", "not valid")):
    put("bad.yaml", text)
    check("schema: " + why, says(tokenize("bad.yaml", "in.csv", "x.csv"), 1, why))

shutil.rmtree(tmp)
sys.exit(failed != 0)
