"""The AWS client's vectors, and an independent implementation of the format (from its description) against our output."""
import base64
import csv
import hashlib
import hmac
import json
import os
import random
import resource
import subprocess
import sys
import tempfile

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ng = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
tmp = tempfile.mkdtemp(prefix="noisegate-c3r-")
failed = 0


def check(name, ok):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name, flush=True)


def run(*args, secret=None):
    env = dict(os.environ)
    env.pop("C3R_SHARED_SECRET", None)
    if secret:
        env["C3R_SHARED_SECRET"] = secret
    return subprocess.run([ng, *args], env=env, capture_output=True, text=True)


def expand(secret, collaboration, info):
    prk = hmac.new(collaboration.encode(), secret, "sha256").digest()
    return hmac.new(prk, info.encode() + b"\x01", "sha256").digest()


def open_cell(secret, collaboration, cell):
    raw = base64.b64decode(cell[len("02:enc:"):], validate=True)
    key = hashlib.sha256(expand(secret, collaboration, "c3r-encryption-primary-aes-gcm-256") + raw[:32]).digest()
    plain = AESGCM(key).decrypt(raw[32:44], raw[44:], b"02:enc:")
    pad = int.from_bytes(plain[-2:], "big")
    body = plain[:len(plain) - 2 - pad]
    return None if body[0] & 1 else body[1:].decode(), len(plain) - 2


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


FLAGS = {"allowCleartext": "--allow-cleartext", "allowDuplicates": "--allow-duplicates",
         "allowJoinsOnColumnsWithDifferentNames": "--allow-joins-on-different-names", "preserveNulls": "--preserve-nulls"}

for name in sorted(os.listdir(os.path.join(here, "vectors"))):
    d = os.path.join(here, "vectors", name)
    meta, schema = json.load(open(d + "/meta.json")), json.load(open(d + "/schema.json"))
    collaboration, secret64 = meta["collaboration_id"], meta["shared_secret_base64"]
    secret = base64.b64decode(secret64)
    out = os.path.join(tmp, name)
    r = run("unseal", "--collaboration", collaboration, d + "/encrypted.csv", out + ".dec", secret=secret64)
    check(f"{name}: the AWS client's file opens to the same bytes", r.returncode == 0 and open(out + ".dec", "rb").read() == open(d + "/decrypted.csv", "rb").read())
    flags = [f for k, f in FLAGS.items() if meta[k]]
    r = run("seal", "--schema", d + "/schema.json", "--collaboration", collaboration, *flags, d + "/input.csv", out + ".enc", secret=secret64)
    check(f"{name}: sealing", r.returncode == 0)
    theirs, ours = rows(d + "/encrypted.csv"), rows(out + ".enc")
    key = next(c for c in theirs[0] if not theirs[0][c].startswith("02:"))
    theirs, ours = ({r[key]: r for r in t} for t in (theirs, ours))
    same = set(theirs) == set(ours)
    for c in schema["columns"]:
        for k, row in ours.items():
            t, cell = theirs[k][c["targetHeader"]], row[c["targetHeader"]]
            if c["type"] == "fingerprint":
                null = not meta["preserveNulls"] and sum(r[c["targetHeader"]] == t for r in theirs.values()) == 1 and cell != t
                source = {x[key]: x for x in rows(d + "/input.csv")}[k].get(c["sourceHeader"], "")
                same = same and (cell == t or (null and not source.strip()))
            elif c["type"] == "sealed" and cell:
                same = same and open_cell(secret, collaboration, cell) == open_cell(secret, collaboration, t)
            else:
                same = same and cell == t
    check(f"{name}: fingerprints equal, sealed cells open elsewhere with the same padding", same)

# Tampering: every part of a cell, truncation, another key
d = os.path.join(here, "vectors", "02-preserve-nulls")
meta = json.load(open(d + "/meta.json"))
text = open(d + "/encrypted.csv").read()
at = text.index("02:enc:") + len("02:enc:")
cell = text[at:text.index(",", at)]
raw = base64.b64decode(cell)
caught = total = 0
for bit in range(0, len(raw) * 8, 3):
    b = bytearray(raw)
    b[bit // 8] ^= 1 << bit % 8
    path = os.path.join(tmp, "t.csv")
    open(path, "w").write(text.replace(cell, base64.b64encode(bytes(b)).decode(), 1))
    r = run("unseal", "--collaboration", meta["collaboration_id"], path, os.path.join(tmp, "t.out"), secret=meta["shared_secret_base64"])
    total += 1
    caught += r.returncode == 1 and 'column "' in r.stderr and not os.path.exists(os.path.join(tmp, "t.out"))
check(f"every changed bit is detected, row and column named, nothing left behind ({total} bits)", caught == total)
open(path, "w").write(text.replace(cell, cell[:-8], 1))
check("a truncated cell is detected", run("unseal", "--collaboration", meta["collaboration_id"], path, os.path.join(tmp, "t.out"), secret=meta["shared_secret_base64"]).returncode == 1)
other = base64.b64encode(bytes(32)).decode()
check("another key does not open", "another key" in run("unseal", "--collaboration", meta["collaboration_id"], d + "/encrypted.csv", os.path.join(tmp, "t.out"), secret=other).stderr)

# Bad input
schema = os.path.join(tmp, "s.json")
json.dump({"headerRow": True, "columns": [{"sourceHeader": "a", "type": "fingerprint"}, {"sourceHeader": "b", "type": "sealed", "pad": {"type": "fixed", "length": 6}}]}, open(schema, "w"))
key = os.path.join(tmp, "key")
check("a key is generated, once", run("key", "generate", "--output", key).returncode == 0 and run("key", "generate", "--output", key).returncode == 1)
check("its file is private", os.stat(key).st_mode & 0o777 == 0o600)
check("its identifier is not the key", open(key).read().strip() not in run("key", "show", key).stdout)


def bad(name, data, words, *flags, key_file=key):
    src, dst = os.path.join(tmp, "bad.csv"), os.path.join(tmp, "bad.out")
    open(src, "wb").write(data)
    r = run("seal", "--schema", schema, "--key-file", key_file, "--collaboration", "00000000-1111-2222-3333-444444444444", *flags, src, dst)
    check(f"refused: {name}", r.returncode == 1 and words in r.stderr and not os.path.exists(dst) and open(src, "rb").read() == data)


bad("a quote that is not closed", b'a,b\n1,"x\n', "bad.csv:2")
bad("a row too short", b"a,b\n1,2\n3\n", "bad.csv:3")
bad("invalid UTF-8", b"a,b\n1,\xff\xfe\n", "UTF-8")
bad("longer than its padding", b"a,b\n1,1234567\n", 'column "b_sealed"')
bad("duplicates where they are off", b"a,b\n1,2\n3,4\n1,5\n", "bad.csv:4")
bad("a column that is not there", b"x,b\n1,2\n", 'no column "a"')
os.chmod(key, 0o644)
bad("a key that others may read", b"a,b\n1,2\n", "chmod 600")
os.chmod(key, 0o600)
short = os.path.join(tmp, "short")
open(short, "w").write(base64.b64encode(b"0123456789").decode())
os.chmod(short, 0o600)
bad("a 10-byte secret", b"a,b\n1,2\n", "10 bytes", key_file=short)

# Proposing a schema
src, out = os.path.join(tmp, "p.csv"), os.path.join(tmp, "p.json")
want = {"headerRow": True, "columns": [
    {"sourceHeader": "name", "targetHeader": "name", "type": "cleartext"},
    {"sourceHeader": "note", "targetHeader": "note_sealed", "type": "sealed", "pad": {"type": "none"}}]}
first = [{"sourceHeader": "mail", "targetHeader": "mail_fingerprint", "type": "fingerprint"},
         {"sourceHeader": "mail", "targetHeader": "mail2", "type": "sealed", "pad": {"type": "fixed", "length": 40}}]
open(src, "w").write("mail,Name,note\nx@y,Ann,hello\n")
want["columns"] = first + want["columns"]
r = subprocess.run([ng, "schema", "--interactive", "--overwrite", "--output", out, src], input="f\n\ny\ns\nmail2\nfixed\n40\n\nc\n\n\ns\n\nnone\n\n", capture_output=True, text=True)
check("a schema from questions and answers", r.returncode == 0 and json.load(open(out)) == want)
check("it seals", run("seal", "--schema", out, "--collaboration", "00000000-1111-2222-3333-444444444444", "--allow-cleartext", src, src + ".enc",
                      secret=base64.b64encode(bytes(32)).decode()).returncode == 0)
r = subprocess.run([ng, "schema", "--interactive", "--output", out + "2", src], input="f\n", capture_output=True, text=True)
check("no schema from answers that end early", r.returncode == 1 and not os.path.exists(out + "2"))
r = run("schema", "--template", "--no-headers", "--output", "-", src)
t = json.loads(r.stdout)
check("a template by position", r.returncode == 0 and t["headerRow"] is False and [len(c) for c in t["columns"]] == [1, 1, 1])
open(out, "w").write(r.stdout)
check("a template must be edited first", "type must be" in run("seal", "--schema", out, "--collaboration", "00000000-1111-2222-3333-444444444444", src, src + ".no",
                                                               secret=base64.b64encode(bytes(32)).decode()).stderr)

# A million rows in bounded memory
big = os.path.join(tmp, "big.csv")
rnd = random.Random(1)
with open(big, "w") as f:
    f.write("a,b,c\n")
    for i in range(1_000_000):
        f.write(f"person{i}@mail.example,name {rnd.randrange(10**6)},{rnd.randrange(10**4)}\n")
json.dump({"headerRow": True, "columns": [{"sourceHeader": "a", "type": "fingerprint"}, {"sourceHeader": "b", "type": "sealed", "pad": {"type": "max", "length": 0}},
                                          {"sourceHeader": "c", "type": "sealed", "pad": {"type": "none"}}]}, open(schema, "w"))
p = subprocess.run(["/usr/bin/env", "python3", "-c", "import resource,subprocess,sys;r=subprocess.call(sys.argv[1:]);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(r)",
                    ng, "seal", "--schema", schema, "--key-file", key, "--collaboration", "00000000-1111-2222-3333-444444444444", big, big + ".out"], capture_output=True, text=True)
peak = int(p.stdout.strip().split("\n")[-1]) / 1024
lines = sum(1 for _ in open(big + ".out")) if p.returncode == 0 else 0
check(f"a million rows, duplicates refused, in under 64 MB (peak {peak:.0f} MB)", p.returncode == 0 and lines == 1_000_001 and peak < 64)
subprocess.call(["rm", "-rf", tmp])
sys.exit(failed > 0)
