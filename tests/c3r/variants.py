"""The C3R format beyond the shipped vectors: settings, pads, positions, YAML, marks of NULL, and what reading a CSV does to a value; checked with formats.C3R."""
import base64
import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

from formats import C3R, b64

ng = sys.argv[1]
tmp = tempfile.mkdtemp(prefix="noisegate-variants-")
failed = 0
SECRET, COLLABORATION = bytes(range(100, 148)), "ABCDEF00-1111-2222-3333-444444444444"  # 48 bytes; upper case enters keys as lower case


def check(name, ok):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name, flush=True)


def run(command, *args):
    return subprocess.run([ng, command, "--collaboration", COLLABORATION, "--overwrite", *args], env=dict(os.environ, C3R_SHARED_SECRET=b64(SECRET)), capture_output=True, text=True)


def path(name):
    return os.path.join(tmp, name)


def put(name, data):
    with open(path(name), "wb") as f:
        f.write(data)
    return path(name)


def rows(name):
    with open(path(name), newline="") as f:
        return list(csv.reader(f))


def seal(schema, data, *flags):
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return run("seal", "--schema", put("s", text.encode()), "--allow-cleartext", "--allow-duplicates", *flags, put("in.csv", data), path("out.csv"))


def sealed(source, target, pad, length=None):
    return {"sourceHeader": source, "targetHeader": target, "type": "sealed", "pad": {"type": pad} if length is None else {"type": pad, "length": length}}


ours = {any_name: C3R(SECRET, COLLABORATION.lower(), any_name) for any_name in (False, True)}

# What reading does to a value: bytes of the field, its value, and whether quotes stood around it.  Nothing else is normalised.
FIELDS = [(b"plain", "plain", False), (b"  trimmed \t", "trimmed", False), (b'"  kept  "', "  kept  ", True), (b'"say ""x"""', 'say "x"', True), (b'a"b', 'a"b', False),
          (b'"x,y"', "x,y", True), (b'"two\r\nlines\rthree"', "two\nlines\nthree", True), (b"\xc2\xa0nbsp\xc2\xa0", "\u00a0nbsp\u00a0", False),
          ("Caf\u00e9".encode(), "Caf\u00e9", False), ("Cafe\u0301".encode(), "Cafe\u0301", False), (b"CAF", "CAF", False), (b"caf", "caf", False), (b"007", "007", False), (b"7", "7", False),
          (b"\x01control", "control", False), (b" NULL ", "NULL", False), (b'"NULL"', "NULL", True), (b'" NULL "', " NULL ", True), (b"null", "null", False), (b"", "", False), (b'""', "", True),
          (b'" "', " ", True), (b"#no comment here", "#no comment here", False), ("\U0001f510".encode(), "\U0001f510", False)]
MARKS = {None: lambda v, q: v == "", "": lambda v, q: v == "" and not q, " ": lambda v, q: v == "" and not q, '""': lambda v, q: v == "" and q,
         "NULL": lambda v, q: v == "NULL", " NULL ": lambda v, q: v == " NULL ", "7": lambda v, q: v == "7"}
PLAIN = {"headerRow": True, "columns": [{"sourceHeader": "id", "type": "cleartext"}, {"sourceHeader": "v", "targetHeader": "fp", "type": "fingerprint"},
                                        sealed("v", "s", "none"), sealed("v", "fixed", "fixed", 40), sealed("v", "max", "max", 5)]}


def expected(mark):
    return {f"r{i}": None if MARKS[mark](v, q) else v for i, (_, v, q) in enumerate(FIELDS)}


def matches(row, value, keep, theirs, null_out=""):
    if value is None and keep:
        return row[1:5] == [null_out] * 4
    same = value is None or row[1] == theirs.fingerprint("fp", value)
    return same and row[1].startswith("02:hmac:") and len(row[1]) == 52 and all(theirs.open(c) == value for c in row[2:5])


body = b"".join(b"r%d,%s\n" % (i, raw) for i, (raw, _, _) in enumerate(FIELDS))
for mark, keep, any_name in itertools.product(MARKS, (False, True), (False, True)):
    flags = ([] if mark is None else ["--null-in", mark]) + ["--preserve-nulls"] * keep + ["--allow-joins-on-different-names"] * any_name
    r = seal(PLAIN, b"id,v\n" + body, *flags)
    want = expected(mark)
    got = rows("out.csv")
    check(f"values and NULLs {flags}", r.returncode == 0 and got[0] == ["id", "fp", "s", "fixed", "max"] and len(got) == len(FIELDS) + 1
          and all(matches(row, want[row[0]], keep, ours[any_name]) for row in got[1:]))
longest = max(len(v.encode()) for _, v, _ in FIELDS) + 1
lengths = [{len(base64.b64decode(r[i][7:])) - 62 for r in got[1:] if r[i]} for i in (3, 4)]
check("fixed and max hide lengths, to the byte", lengths == [{40}, {longest + 5}])
nonces = [base64.b64decode(r[2][7:])[:32] for r in got[1:] if r[2]]
check("rows are ordered by their nonces, each used once", nonces == sorted(set(nonces)))
r = seal(PLAIN, b"id,v\n" + body)
fps = {r[0]: r[1] for r in rows("out.csv")[1:]}
check("two NULLs have different fingerprints", fps["r19"] != fps["r20"])
check("only equal values have equal fingerprints", all((fps[a] == fps[b]) == (FIELDS[int(a[1:])][1] == FIELDS[int(b[1:])][1]) for a, b in itertools.combinations(fps, 2) if {a, b} != {"r19", "r20"}))
for null_out in ("", '""', "NULL", "a,b"):
    r = seal(PLAIN, b"id,v\n" + body, "--preserve-nulls", "--null-out", null_out)
    want = expected(None)
    check(f"NULL written as {null_out!r}", r.returncode == 0 and all(matches(row, want[row[0]], True, ours[False], null_out.strip('"')) for row in rows("out.csv")[1:]))

# Lines
want = {str(i): v for i, v in enumerate(["a", "b", "c"])}
for name, data in {"LF": b"id,v\n0,a\n1,b\n2,c\n", "CRLF": b"id,v\r\n0,a\r\n1,b\r\n2,c\r\n", "CR": b"id,v\r0,a\r1,b\r2,c\r", "no end of line": b"id,v\n0,a\n1,b\n2,c",
                   "a byte order mark": b"\xef\xbb\xbfid,v\n0,a\n1,b\n2,c\n", "blank lines and comments": b"# c\n\nid,v\n\n0,a\n#1,x\n  \n1,b\n2,c\n\n\n", "headers in another case": b" ID , V\n0,a\n1,b\n2,c\n"}.items():
    r = seal(PLAIN, data)
    check(f"lines: {name}", r.returncode == 0 and all(matches(row, want[row[0]], False, ours[False]) for row in rows("out.csv")[1:]) and len(rows("out.csv")) == 4)

# Schemas: by position, in YAML, defaults of names
POSITIONS = [[{"targetHeader": "id", "type": "cleartext"}], [], [{"targetHeader": "fp", "type": "fingerprint"}, {"targetHeader": "s", "type": "SEALED", "pad": {"type": "None"}}],
             None, [{"targetHeader": "fixed", "type": "sealed", "pad": {"type": "fixed", "length": 9}}, {"targetHeader": "max", "type": "sealed", "pad": {"type": "MAX", "length": 0}}]]
data = b"0,drop,a,drop,a\n1,drop,b,drop,b\n2,drop,c,drop,c\n"
r = seal({"headerRow": False, "columns": POSITIONS}, data)
check("a file without headers, columns by position, some dropped", r.returncode == 0 and rows("out.csv")[0] == ["id", "fp", "s", "fixed", "max"]
      and all(matches(row, want[row[0]], False, ours[False]) for row in rows("out.csv")[1:]) and len(rows("out.csv")) == 4)
YAML = """# a comment
headerRow: true
columns:
  - {sourceHeader: id, type: cleartext}
  - sourceHeader: v
    targetHeader: FP
    type: fingerprint
  - {sourceHeader: V, targetHeader: s, type: sealed, pad: {type: none}}
  - {sourceHeader: v, targetHeader: fixed, type: sealed, pad: {type: fixed, length: 4}}
  - {sourceHeader: v, targetHeader: max, type: sealed, pad: {type: max, length: 1}}
"""
r = seal(YAML, b"id,v\n0,a\n1,b\n2,c\n")
check("a schema in YAML", r.returncode == 0 and rows("out.csv")[0] == ["id", "fp", "s", "fixed", "max"] and all(matches(row, want[row[0]], False, ours[False]) for row in rows("out.csv")[1:]))
r = seal({"headerRow": True, "columns": [{"sourceHeader": "V", "type": "fingerprint"}, {"sourceHeader": "v", "type": "sealed", "pad": {"type": "none"}}, {"sourceHeader": "id", "type": "cleartext"}]}, b"id,v\n0,a\n")
check("default names", rows("out.csv")[0] == ["v_fingerprint", "v_sealed", "id"] and rows("out.csv")[1][0] == ours[False].fingerprint("v_fingerprint", "a"))


# Limits of pads
def one(pad, length, value):
    columns = [sealed("v", "s", pad, length)]
    r = seal({"headerRow": True, "columns": columns}, b"v\nx\n%s\n" % value.encode())
    opened = r.returncode == 0 and {ours[False].open(row[0]) for row in rows("out.csv")[1:]} == {"x", value}
    return opened or (r.returncode == 1 and 'column "s"' in r.stderr and r.stderr)


for name, ok in {"fixed: a value and its type byte just fit": one("fixed", 5, "abcd") is True, "fixed: one byte more is refused, line named": "in.csv:3" in str(one("fixed", 5, "abcde")),
                 "fixed: counted in bytes": "in.csv:3" in str(one("fixed", 5, "a\u00e9\u00e9")), "fixed 10000": one("fixed", 10000, "a" * 9999) is True,
                 "max: up to 12,000 bytes": one("max", 10000, "a" * 1999) is True, "max: above is refused": "12000" in str(one("max", 10000, "a" * 2000)),
                 "none: the longest cell has 16,383 characters": one("none", None, "a" * 12219) is True, "none: above is refused, line named": "in.csv:3" in str(one("none", None, "a" * 12220))}.items():
    check(f"pad {name}", ok)
r = seal({"headerRow": True, "columns": [sealed("v", "s", "max", 0)]}, b'v\n""\n""\n')
check("pad max: a column of NULLs", r.returncode == 0 and {ours[False].open(row[0]) for row in rows("out.csv")[1:]} == {None})

# Settings that are off refuse
for name, words, schema, data, flags in (
        ("cleartext", "cleartext", PLAIN, b"id,v\n0,a\n", ["--allow-duplicates"]),
        ("a value twice", "in.csv:4", {"headerRow": True, "columns": [PLAIN["columns"][1]]}, b"v\na\nb\n\"a\"\n", []),
        ("NULL twice", "in.csv:3", {"headerRow": True, "columns": [PLAIN["columns"][1]]}, b'v\n""\n""\n', [])):
    args = ["seal", "--schema", put("s", json.dumps(schema).encode()), *flags, put("in.csv", data), path("none.csv")]
    r = run(*args)
    check(f"refused when off: {name}", r.returncode == 1 and words in r.stderr and not os.path.exists(path("none.csv")))
r = run(*args[:-2], "--preserve-nulls", *args[-2:])
check("NULL twice is no duplicate when NULLs are kept", r.returncode == 0)

# Sealed elsewhere, opened here
nonce = bytes(range(32))
cells = [[ours[False].fingerprint("fp", v), ours[False].seal("s", v, nonce, padded), f"clear {i}", "02:other"] for i, (_, v, _) in enumerate(FIELDS) for padded in (0, 50)]
cells.append([ours[False].fingerprint("fp", None), ours[False].seal("s", None, nonce, 9), "", "x"])
with open(path("theirs.csv"), "w", newline="") as f:
    csv.writer(f, lineterminator="\n").writerows([["FP ", "s", "c", "c"]] + cells)
r = run("unseal", "--null-out", "NULL", path("theirs.csv"), path("out.csv"))
got = rows("out.csv")
check("what an independent implementation sealed opens", r.returncode == 0 and got[0][0] in ("FP ", "FP")
      and [x[1:3] for x in got[1:]] == [[v, f"clear {i}"] for i, (_, v, _) in enumerate(FIELDS) for _ in (0, 50)] + [["NULL", "NULL"]] and [x[0] for x in got] == [got[0][0]] + [c[0] for c in cells])
check("fingerprints are refused when asked", run("unseal", "--fail-on-fingerprint", path("theirs.csv"), path("refused.csv")).returncode == 1 and not os.path.exists(path("refused.csv")))
shutil.rmtree(tmp)
sys.exit(failed > 0)
