"""Random files, schemas and settings, sealed and opened again: every value and NULL comes back as reading a CSV makes it, every fingerprint is that of formats.py.  Argument 2: how many."""
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

from formats import C3R, Native, b64

ng, times = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 150
tmp = tempfile.mkdtemp(prefix="noisegate-random-")
SECRET, COLLABORATION = bytes(range(7, 60)), "abcdef00-1111-2222-3333-444444444444"
ENV = dict(os.environ, C3R_SHARED_SECRET=b64(SECRET))
PIECES = ["a", "B", "\u00e9", "\u6771", "\U0001f600", '"', ",", " ", "\n", "#", "'", "\t", "0", "\\", ";", "|", "\x01", "\u00a0", "02:x", "NULL"]
BLANKS = "".join(map(chr, range(33)))
IS_NULL = {None: lambda v, q: v == "", "": lambda v, q: v == "" and not q, '""': lambda v, q: v == "" and q, "NULL": lambda v, q: v == "NULL"}


def field(rnd, mark):
    """As it is written, and its value."""
    v = "".join(rnd.choice(PIECES) for _ in range(rnd.randrange(5))) if rnd.random() < 0.85 else rnd.choice(["", "NULL"])
    quoted = rnd.random() < 0.5 or any(c in v for c in ',"\n#') or v.strip(BLANKS) != v
    return '"' + v.replace('"', '""') + '"' if quoted else v, None if IS_NULL[mark](v, quoted) else v


def column(rnd, native, source, k):
    c = {"sourceHeader": f"c{source}", "targetHeader": f"t{k}", "type": rnd.choice(["cleartext", "fingerprint", "sealed"] + ["deterministic"] * native)}
    if c["type"] in ("sealed", "deterministic"):
        c["pad"] = rnd.choice([{"type": "none"}, {"type": "fixed", "length": rnd.choice([64, 100])}, {"type": "max", "length": rnd.randrange(9)}] + [{"type": "bucket", "length": rnd.randrange(1, 9)}] * native)
    return c


class Case:
    def __init__(self, seed):
        rnd = random.Random(seed)
        self.native, self.header, self.keep, self.any_name = (rnd.random() < 0.5 for _ in range(4))
        self.mark, self.null_out, end = rnd.choice(list(IS_NULL)), rnd.choice(["", "NULLX"]), rnd.choice(["\n", "\r\n", "\r"])
        n = rnd.randrange(1, 6)
        lines = [[field(rnd, self.mark) for _ in range(n)] for _ in range(rnd.randrange(12))]
        # a blank line is no row
        lines = [x for x in lines if ",".join(f[0] for f in x).strip()]
        self.rows = [[f[1] for f in x] for x in lines]
        text = ([",".join(f"c{i}" for i in range(n))] if self.header else []) + [",".join(f[0] for f in x).replace("\n", end) for x in lines]
        self.data = (end.join(text) + rnd.choice(["", end])).encode()
        # two at least: alone, a NULL that is kept cannot be told from an empty text
        self.columns = sorted((dict(column(rnd, self.native, s, k), source=s) for k, s in enumerate(rnd.choices(range(n), k=rnd.randrange(2, 6)))), key=lambda c: c["source"])
        plain = [{k: v for k, v in c.items() if k != "source" and (self.header or k != "sourceHeader")} for c in self.columns]
        by_position = [[p for p, c in zip(plain, self.columns) if c["source"] == i] for i in range(n)]
        self.schema = {"headerRow": self.header, "columns": plain if self.header else by_position, **({"format": "noisegate"} if self.native else {})}

    def expected(self):
        other = (Native if self.native else C3R)(SECRET, COLLABORATION, self.any_name)
        for row in self.rows:
            yield tuple(("NULLY" if self.keep or c["type"] != "fingerprint" else "random") if row[c["source"]] is None else
                        other.fingerprint(c["targetHeader"], row[c["source"]]) if c["type"] == "fingerprint" else row[c["source"]] for c in self.columns)

    def run(self):
        for name, data in (("in.csv", self.data), ("s.json", json.dumps(self.schema).encode())):
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(data)
        flags = ["--preserve-nulls"] * self.keep + ["--allow-joins-on-different-names"] * self.any_name + ([] if self.mark is None else ["--null-in", self.mark])
        sealed = subprocess.run([ng, "seal", "--schema", "s.json", "--collaboration", COLLABORATION, "--allow-cleartext", "--allow-duplicates", "--null-out", self.null_out, *flags, "in.csv", "-"],
                                env=ENV, cwd=tmp, capture_output=True)
        if sealed.returncode:
            return sealed.stderr
        opened = subprocess.run([ng, "unseal", "--collaboration", COLLABORATION, "--null-in", self.null_out, "--null-out", "NULLY", "-", "-"], input=sealed.stdout, env=ENV, cwd=tmp, capture_output=True)
        if opened.returncode:
            return opened.stderr
        want = sorted(self.expected())
        known = {x for row in want for x in row}
        got = sorted(tuple("random" if c["type"] == "fingerprint" and x not in known else x for x, c in zip(row, self.columns)) for row in list(csv.reader(io.StringIO(opened.stdout.decode(), newline="")))[1:])
        return None if got == want else (got, want)


wrong = 0
for seed in range(times):
    case = Case(seed)
    why = case.run()
    if why:
        wrong += 1
        print(f"not ok file {seed}: {why}\n   {case.data} {case.schema}", flush=True)
print(("not ok " if wrong else "ok ") + f"{times} random files come back, with the fingerprints of an independent implementation")
shutil.rmtree(tmp)
sys.exit(wrong > 0)
