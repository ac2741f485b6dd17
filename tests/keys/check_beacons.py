"""Beacons: equal to an independent computation, prefixes of one another, and as many values share one as the table says."""
import base64
import csv
import hmac
import os
import shutil
import subprocess
import sys
import tempfile

ng = sys.argv[1]
os.umask(0o077)
tmp = tempfile.mkdtemp(prefix="noisegate-beacons-")
C = "3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f"
env = {k: v for k, v in os.environ.items() if not k.startswith(("NOISEGATE_", "C3R_"))}
failed = 0


def check(name, ok, seen=None):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok or seen is None else f"   # {seen}"), flush=True)


def at(name):
    return os.path.join(tmp, name)


def run(*args):
    return subprocess.run([ng, *args], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def beacon(value, bits=12, column="email", key="k", collaboration=C):
    return run("beacon", "--collaboration", collaboration, "--key-file", at(key), "--column", column, "--bits", str(bits), value)


run("key", "generate", "--output", at("k"))
secret = base64.b64decode(open(at("k")).read())


def independent(value, bits, column="email", collaboration=C):
    k = hmac.new(secret, b"noisegate beacon v1\0" + collaboration.encode() + b"\0" + column.encode(), "sha256").digest()
    n = int.from_bytes(hmac.new(k, value.encode() + b"b", "sha256").digest(), "big") >> (256 - bits)
    return f"{n:0{(bits + 3) // 4}x}"


check("the search term is what an independent computation gives, for every number of bits",
      all(beacon("ann@example.org", b).stdout == independent("ann@example.org", b) + "\n" for b in range(1, 33)))
check("headers are compared trimmed and in lower case", beacon("x", column=" Email ").stdout == beacon("x").stdout)
check("another column has other beacons", beacon("x", 32, "email").stdout != beacon("x", 32, "phone").stdout)
check("0 and 33 bits are wrong usage", beacon("x", 0).returncode == 2 and beacon("x", 33).returncode == 2)
run("key", "generate", "--store", "file:" + at("kek"), "--collaboration", C, "--output", at("w"))
check("a wrapped key of this collaboration opens, of another it is refused", beacon("x", key="w").returncode == 0 and
      beacon("x", key="w", collaboration="00000000-5b7d-4e8a-9c3d-1a2b3c4d5e6f").returncode == 3)

with open(at("in.csv"), "w") as f:
    f.write("email,note\n" + "".join(f'user{i}@x,"a, {i}"\n' for i in range(4000)) + ',none\nlast@x,""\n')
args = ("beacon", "--collaboration", C, "--key-file", at("k"), "--column", "email", "--bits", "8", "--add")
r = run(*args, at("in.csv"), at("out.csv"))
rows = list(csv.DictReader(open(at("out.csv"), newline="")))
check("a beacon column is added, everything else stays", r.returncode == 0 and list(rows[0]) == ["email", "note", "email_beacon"] and
      [x["note"] for x in rows[:4000]] == [f"a, {i}" for i in range(4000)] and open(at("out.csv")).read().endswith(',none,\nlast@x,"",' + independent("last@x", 8) + "\n"), r)
check("each row has the beacon of its value", all(x["email_beacon"] == independent(x["email"], 8) for x in rows if x["email"]))
term = beacon("user7@x", 8).stdout.strip()
found = [x for x in rows if x["email_beacon"] == term]
check("a search finds the row, and others beside it", "user7@x" in [x["email"] for x in found] and len(found) > 1)
sizes = {}
for x in rows:
    sizes[x["email_beacon"]] = sizes.get(x["email_beacon"], 0) + 1
mean = sum(s * s for s in sizes.values()) / len(rows)  # values that share a value's beacon, itself included
says = float(run("beacon", "--expect", "4001", "--bits", "8").stdout.split()[-1])
# the sum of squares of 4001 balls in 256 boxes has deviation sqrt(2 * 4001^2 / 256); a bound of six of them
check("as many values share one as --expect says", abs(mean - says) < 6 * (2 / 256) ** 0.5, (mean, says))
check("an output that exists is not written over, a missing column is named", run(*args, at("in.csv"), at("out.csv")).returncode == 1 and
      'no column "phone"' in run(*args[:6], "phone", *args[7:], at("in.csv"), at("x.csv")).stderr and not os.path.exists(at("x.csv")))

shutil.rmtree(tmp)
sys.exit(failed != 0)
