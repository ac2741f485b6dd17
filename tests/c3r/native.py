"""The native format: vectors of the docs, an independent implementation both ways, and everything that must be detected."""
import base64
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from cryptography.exceptions import InvalidTag
from formats import Native, b64

ng = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
tmp = tempfile.mkdtemp(prefix="noisegate-native-")
failed = 0
SECRET, COLLABORATION = bytes(range(32)), "00000000-1111-2222-3333-444444444444"
SECRET64 = b64(SECRET)


def check(name, ok):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name, flush=True)


def run(*args, secret=SECRET64):
    return subprocess.run([ng, *args], env=dict(os.environ, C3R_SHARED_SECRET=secret), capture_output=True, text=True)


def path(name):
    return os.path.join(tmp, name)


def write(name, rows, quoting=csv.QUOTE_ALL):
    with open(path(name), "w", newline="") as f:
        csv.writer(f, lineterminator="\n", quoting=quoting).writerows(rows)
    return path(name)


def read(name):
    with open(path(name), newline="") as f:
        return list(csv.reader(f))


# The vectors in the docs
doc = open(os.path.join(here, "../../docs/native-format.md")).read()
vectors = dict(re.findall(r"^\| ([a-z, -]+) \| `([^`]+)` \|$", doc, re.M))
FILE, ROW = bytes(range(1, 9)), bytes(range(0x10, 0x20))
n = Native(SECRET, COLLABORATION)
mine = {
    "key id": n.head[1:].hex(),
    "sealing key": n.seal_key.hex(),
    "row tag key": n.row_key.hex(),
    "fingerprint": n.fingerprint("email", "ann@example.com"),
    "fingerprint, one key": Native(SECRET, COLLABORATION, True).fingerprint("email", "ann@example.com"),
    "sealed": n.seal("note", "hello", FILE, ROW),
    "sealed, padded": n.seal("note", "hello", FILE, ROW, 16),
    "sealed null, padded": n.seal("note", None, FILE, ROW, 16),
    "deterministic, padded": n.deterministic("city", "Oslo", 16),
}
mine["file tag"] = n.file_tag(["email", "note"], FILE, 2000)
mine["row tag"] = n.tag(["email", "note"], [mine["fingerprint"], mine["sealed"]], FILE, ROW)
for k, v in mine.items():
    check(f"vector: {k}", vectors.get(k) == v)

# Both ways
SCHEMA = {"format": "noisegate", "headerRow": True, "columns": [
    {"sourceHeader": "email", "targetHeader": "email", "type": "fingerprint"},
    {"sourceHeader": "note", "targetHeader": "note", "type": "sealed"},
    {"sourceHeader": "note", "targetHeader": "note_max", "type": "sealed", "pad": {"type": "max", "length": 3}},
    {"sourceHeader": "note", "targetHeader": "note_fixed", "type": "sealed", "pad": {"type": "fixed", "length": 40}},
    {"sourceHeader": "city", "targetHeader": "city", "type": "deterministic", "pad": {"type": "bucket", "length": 8}},
    {"sourceHeader": "city", "targetHeader": "clear", "type": "cleartext"}]}
json.dump(SCHEMA, open(path("s.json"), "w"))
NAMES = [c["targetHeader"] for c in SCHEMA["columns"]]
INPUT = [["email", "note", "city"], ["ann@x", "hello", "Oslo"], ["bob@x", "", "Zürich"], ["eve@x", 'say "no", twice', " Oslo "], ["joe@x", "x" * 33, "\x02Oslo"]]
write("in.csv", INPUT)


def seal(out, *flags, schema="s.json"):
    return run("seal", "--schema", path(schema), "--collaboration", COLLABORATION, "--allow-cleartext", "--allow-duplicates", "--overwrite", *flags, path("in.csv"), path(out))


def unseal(name, *flags, collaboration=COLLABORATION, secret=SECRET64):
    return run("unseal", "--collaboration", collaboration, "--overwrite", *flags, path(name), path("dec.csv"), secret=secret)


def all_open(theirs, rows, null, flags):
    """Whether the independent implementation opens every cell to what went in, and every row's tag fits."""
    expected = {theirs.fingerprint("email", e): (note or None, city) for e, note, city in INPUT[1:]}
    for row in rows:
        note, city = expected.pop(row[0], (None, None))
        kept = note is None and "--preserve-nulls" in flags
        raw = base64.b64decode(row[6][6:])
        try:
            if not all(row[i] == null if kept else theirs.open(NAMES[i], row[i]) == note for i in (1, 2, 3)):
                return False
            if theirs.open_deterministic("city", row[4]) != city or row[5] != city or row[6] != theirs.tag(NAMES, row[:6], raw[5:13], raw[13:29]):
                return False
        except (InvalidTag, AssertionError):
            return False
    return not expected


for flags in ([], ["--preserve-nulls"], ["--allow-joins-on-different-names"], ["--null-out", "NULL", "--preserve-nulls"]):
    r = seal("a.csv", *flags)
    check(f"sealing {flags}", r.returncode == 0)
    head, *rows = read("a.csv")
    theirs = Native(SECRET, COLLABORATION, "--allow-joins-on-different-names" in flags)
    null = "NULL" if "--null-out" in flags else ""
    place = base64.b64decode(rows[0][6][6:])
    ok = head == NAMES + [theirs.file_tag(NAMES, place[5:13], 4)] and len(rows) == 4
    ok = ok and all_open(theirs, rows, null, flags)
    check(f"an independent implementation opens every cell and verifies every row {flags}", ok)
    check(f"lengths are hidden {flags}", len({len(r[3]) for r in rows if r[3] != null}) == 1 and len({len(r[2]) for r in rows if r[2] != null}) == 1
          and len(theirs.seal("note", "a", FILE, ROW, 16)) == len(theirs.seal("note", "a" * 16, FILE, ROW, 16)))
    r = unseal("a.csv", *(["--null-in", "NULL"] if null else []))
    check(f"unsealing {flags}", r.returncode == 0 and sorted(r[5] for r in read("dec.csv")[1:]) == sorted(r[5] for r in rows)
          and {(r[1], r[2], r[3]) for r in read("dec.csv")[1:]} == {(x[1],) * 3 for x in INPUT[1:]})

# Equal values, equal cells; NULLs not
json.dump({"format": "noisegate", "headerRow": True, "columns": [{"sourceHeader": "id", "type": "cleartext"}, {"sourceHeader": "v", "targetHeader": "v", "type": "deterministic"},
                                                                 {"sourceHeader": "v", "targetHeader": "f", "type": "fingerprint"}]}, open(path("d.json"), "w"))
write("d.csv", [["id", "v"], ["1", "same"], ["2", "same"], ["3", ""], ["4", ""], ["5", "other"]])
r = run("seal", "--schema", path("d.json"), "--collaboration", COLLABORATION, "--allow-cleartext", "--allow-duplicates", path("d.csv"), path("d.out"))
cells = {row[0]: row[1:3] for row in read("d.out")[1:]}
check("equal values have equal deterministic cells and fingerprints", r.returncode == 0 and cells["1"] == cells["2"] and all(a != b for a, b in zip(cells["1"], cells["5"])))
check("two NULLs have neither", all(a != b for a, b in zip(cells["3"], cells["4"])) and len(cells["3"][0]) == len(cells["1"][0]) and n.open_deterministic("v", cells["3"][0]) is None)

# Sealed elsewhere
theirs, NAMED = [], ["email", "note", "city", "clear"]
for i in range(3):
    row = ROW[:15] + bytes([i])
    cells = [n.fingerprint("email", f"p{i}"), n.seal("note", f"note {i}", FILE, row, 10), n.deterministic("city", "Oslo", 8), f"clear {i}"]
    theirs.append(cells + [n.tag(NAMED, cells, FILE, row)])
write("theirs.csv", [NAMED + [n.file_tag(NAMED, FILE, 3)]] + theirs)
r = unseal("theirs.csv")
check("what an independent implementation sealed opens", r.returncode == 0 and [x[1:] for x in read("dec.csv")[1:]] == [[f"note {i}", "Oslo", f"clear {i}"] for i in range(3)])

# What must be detected.  a.csv has four rows; other.csv has the same values.
seal("a.csv")
seal("other.csv")
head, *rows = read("a.csv")
other_head, *other = read("other.csv")


def tampered(name, rows, words, *flags, header=None, **how):
    write("t.csv", [header or head] + rows)
    if os.path.exists(path("dec.csv")):
        os.unlink(path("dec.csv"))
    r = unseal("t.csv", *flags, **how)
    left = [f for f in os.listdir(tmp) if f.startswith("dec.csv")]
    check(f"detected: {name}", r.returncode == 1 and all(w in r.stderr for w in words) and not left)
    if r.returncode != 1 or not all(w in r.stderr for w in words):
        print("  ", r.stderr)


def changed(row, column, cell, base=None):
    new = [list(r) for r in (base or rows)]
    new[row][column] = cell
    return new


def swapped(a, b, column):
    return changed(b, column, rows[a][column], changed(a, column, rows[b][column]))


tampered("two sealed cells swapped between rows", swapped(1, 2, 1), ["t.csv:3", '"note"', "another row"])
tampered("two sealed cells swapped between rows, in an answer", [r[1:4] for r in swapped(1, 2, 1)], ["t.csv:3", '"note_max"', "another row"], "--partial", header=head[1:4])
tampered("two sealed cells swapped between columns", changed(2, 3, rows[2][2], changed(2, 2, rows[2][3])), ["t.csv:4", '"note_max"'])
tampered("a sealed cell from another file", changed(0, 1, other[0][1]), ["t.csv:2", '"note"', "another file"])
tampered("a whole row from another file", rows[:3] + [other[3]], ["t.csv:5", "another file"])
tampered("a row twice", rows[:2] + rows[1:], ["t.csv:4", "copy"])
tampered("rows in another order", [rows[1], rows[0]] + rows[2:], ["t.csv:3"])
tampered("fingerprints swapped between rows", swapped(0, 1, 0), ["t.csv:2", "changed"])
tampered("deterministic cells swapped between rows", swapped(0, 1, 4), ["t.csv:2", "changed"])
tampered("cleartext changed", changed(3, 5, "Rome"), ["t.csv:5", "changed"])
tampered("a sealed cell replaced by NULL", changed(1, 1, ""), ["t.csv:3", "changed"])
tampered("row tags swapped", swapped(0, 1, 6), ["t.csv:2", "another row"])
tampered("a column renamed", rows, ["t.csv:1"], header=["email2"] + head[1:])
tampered("a column removed", [r[1:] for r in rows], ["t.csv:1", "--partial"], header=head[1:])
for i in range(4):
    tampered(f"row {i + 1} removed", rows[:i] + rows[i + 1:], ['"noisegate_row"', "3 rows are here, 4 were sealed", "--partial"])
tampered("all rows removed", [], ["0 rows are here, 4 were sealed"])
tampered("the file's tag removed", rows, ["t.csv:1", "tag", "--partial"], header=head[:6] + ["noisegate_row"])
tampered("the file's tag of another file", rows, ["t.csv:2", "another file"], header=other_head)
raw, bad = base64.b64decode(head[6][14:]), 0
for bit in range(len(raw) * 8):
    b = bytearray(raw)
    b[bit // 8] ^= 1 << bit % 8
    write("t.csv", [head[:6] + ["noisegate_row:" + b64(bytes(b))]] + rows)
    r = unseal("t.csv")
    bad += r.returncode != 1 or "t.csv:1" not in r.stderr or '"noisegate_row"' not in r.stderr
check(f"detected: every changed bit of the file's tag ({len(raw) * 8})", bad == 0 and len(raw) == 37)
tampered("the tags removed", [r[:6] for r in rows], ["t.csv:2", "--partial"], header=head[:6])
tampered("a cell of another version", changed(0, 1, rows[0][1].replace("ng1", "ng2")), ["t.csv:2", '"note"', "version"])
tampered("another key", rows, ["t.csv:1", "another key"], secret=b64(bytes(32)))
tampered("another collaboration", rows, ["t.csv:1", "another collaboration"], collaboration="99999999-1111-2222-3333-444444444444")
for column in (1, 4, 6):
    cell = rows[3][column]
    bad = 0
    raw = base64.b64decode(cell[6:])
    places = sorted(set(range(0, len(raw) * 8, 37)) | {0, 8, 40, 104, len(raw) * 8 - 1})
    for bit in places:
        b = bytearray(raw)
        b[bit // 8] ^= 1 << bit % 8
        write("t.csv", [head] + changed(3, column, cell[:6] + b64(bytes(b))))
        r = unseal("t.csv")
        bad += r.returncode != 1 or "t.csv:5" not in r.stderr or not any(f'"{name}"' in r.stderr for name in (["note", "noisegate_row"] if column == 6 else [head[column]]))
    check(f"detected: changed bits in {'noisegate_row' if column == 6 else head[column]}, row and column named ({len(places)}; the unit tests try all)", bad == 0)
r = subprocess.run([ng, "unseal", "--collaboration", COLLABORATION, path("t.csv"), "-"], env=dict(os.environ, C3R_SHARED_SECRET=SECRET64), capture_output=True)
check("nothing reaches standard output before all is verified", r.returncode == 1 and r.stdout == b"")
write("t.csv", [head[1:3]] + [r[1:3] for r in rows])
r = unseal("t.csv", "--partial")
check("an answer with some columns opens", r.returncode == 0 and len(read("dec.csv")) == 5)
write("t.csv", [[head[1], "email_other"]] + [[a[1], b[0]] for a, b in zip(rows, other)])
check("an answer joined with another file opens", unseal("t.csv", "--partial").returncode == 0)

write("t.csv", [head] + rows)
check("a whole file opens as an answer, too", unseal("t.csv", "--partial").returncode == 0 and len(read("dec.csv")) == 5 and read("dec.csv")[0] == NAMES)
write("t.csv", [head[:6] + ["noisegate_row"]] + rows[1:3])
check("rows that went through a database open as an answer", unseal("t.csv", "--partial").returncode == 0 and len(read("dec.csv")) == 3)
write("t.csv", [head])
check("an answer may be empty", unseal("t.csv", "--partial").returncode == 0 and read("dec.csv") == [NAMES])
write("empty.csv", [["email", "note", "city"]])
os.rename(path("in.csv"), path("full.csv"))
os.rename(path("empty.csv"), path("in.csv"))
check("a file without rows is sealed and opens", seal("t.csv").returncode == 0 and unseal("t.csv").returncode == 0 and read("dec.csv") == [NAMES])

# Values that do not fit
for name, kind, pad, least, most in (("sealed, fixed", "sealed", {"type": "fixed", "length": 9}, 0, 9), ("deterministic, fixed", "deterministic", {"type": "fixed", "length": 9}, 0, 9),
                                     ("sealed, bucket", "sealed", {"type": "bucket", "length": 100}, 0, 12000), ("sealed, no pad", "sealed", {"type": "none"}, 0, 12000),
                                     ("deterministic, bucket", "deterministic", {"type": "bucket", "length": 16}, 0, 12000)):
    json.dump({"format": "noisegate", "headerRow": True, "columns": [{"sourceHeader": "v", "targetHeader": "v", "type": kind, "pad": pad}]}, open(path("fit.json"), "w"))
    fits = []
    for length in (1, most, most + 1):
        write("in.csv", [["v"], ["first"], ["x" * length]])
        r = seal("t.csv", schema="fit.json")
        fits.append(r.returncode == 0 and unseal("t.csv").returncode == 0 and sorted(read("dec.csv")[1:]) == [["first"], ["x" * length]])
    check(f"the longest value, and one byte more: {name}", fits == [True, True, False] and 'in.csv:3: column "v": the value is' in r.stderr)

# Schemas
for name, column, words in (("deterministic in the C3R format", {"type": "deterministic"}, "format: noisegate"),
                            ("bucket in the C3R format", {"type": "sealed", "pad": {"type": "bucket", "length": 8}}, "pad type"),
                            ("an unknown format", {"type": "fingerprint"}, "format must be")):
    schema = {"headerRow": True, "columns": [dict(column, sourceHeader="note")]}
    if "unknown" in name:
        schema["format"] = "other"
    json.dump(schema, open(path("bad.json"), "w"))
    r = seal("no.csv", schema="bad.json")
    check(f"refused: {name}", r.returncode == 1 and words in r.stderr and "bad.json:1:" in r.stderr and not os.path.exists(path("no.csv")))
shutil.rmtree(tmp)
sys.exit(failed > 0)
