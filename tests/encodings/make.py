"""Two owners seal their people with the program itself: 300 customers, 400 users, 200 of them the same.  Files and a load.sql for psql."""
import os
import subprocess
import sys

ng, out = sys.argv[1], sys.argv[2]
os.chdir(out)
COLLABORATION = "3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f"


def run(*args):
    subprocess.run([ng, *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def write(name, header, rows):
    with open(name, "w") as f:
        f.write(",".join(header) + "\n")
        f.writelines(",".join(map(str, r)) + "\n" for r in rows)


def seal(name, key, columns, *options, form="c3r"):
    with open("schema.yaml", "w") as f:
        f.write(f"format: {form}\nheaderRow: true\ncolumns:\n")
        f.writelines(f"  - {{ sourceHeader: {s}, targetHeader: {t}, type: {kind}{pad} }}\n" for s, t, kind, pad in columns)
    run("seal", "--schema", "schema.yaml", "--key-file", key, "--collaboration", COLLABORATION, "--allow-cleartext", "--allow-duplicates", *options, "--overwrite", name, name + ".sealed")
    os.replace(name + ".sealed", name)


for key in ("spring", "autumn"):
    run("key", "generate", "--output", key)
run("key", "generate", "--output", "vaultkey")
open("tokens.yaml", "w").write("headerRow: true\ncolumns:\n" + "".join(
    f"  - {{sourceHeader: {c}, type: cleartext}}\n" for c in ("i", "e1", "e2", "note", "city", "spend")) + "  - {sourceHeader: email, targetHeader: tok, type: token}\n")
fp, pad = "fingerprint", ", pad: { type: max, length: 0 }"
for name, first, n in (("customers", 0, 300), ("users", 100, 400)):
    write(name, ["email", "e1", "e2", "note", "i", "city", "spend"],
          [[f"p{i}@x.org"] * 3 + [f"note {i}", i, "north" if i % 2 else "south", i % 50] for i in range(first, first + n)])
    run("beacon", "--collaboration", COLLABORATION, "--key-file", "spring", "--column", "email", "--bits", "12", "--as", "mark", "--add", name, name + ".b")
    subprocess.run(["cut", "-d,", "-f1-7", name], stdout=open(name + ".plain", "w"), check=True)
    open("vault.yaml", "w").write(open("tokens.yaml").read())
    run("tokenize", "--vault", "vault", "--schema", "vault.yaml", "--key-file", "vaultkey", name + ".plain", name + ".t")
    # every column is sealed in a file of its own, keyed by the clear i: sealing shuffles rows
    seal(name + ".b", "spring", [("i", "i", "cleartext", ""), ("email", "email_fp", fp, ""), ("e1", "e1_fp", fp, ""), ("note", "note", "sealed", pad), ("mark", "mark", "cleartext", ""),
                                 ("city", "city", "cleartext", ""), ("spend", "spend", "cleartext", "")])
    write(name + ".any", ["i", "email"], [[i, f"p{i}@x.org"] for i in range(first, first + n)])
    seal(name + ".any", "spring", [("i", "i", "cleartext", ""), ("email", "any_" + name, fp, "")], "--allow-joins-on-different-names")
    write(name + ".aut", ["i", "email"], [[i, f"p{i}@x.org"] for i in range(first, first + n)])
    seal(name + ".aut", "autumn", [("i", "i", "cleartext", ""), ("email", "email_fp", fp, "")])
    write(name + ".new", ["i", "email", "mail"], [[i, f"p{i}@x.org", f"p{i}@x.org"] for i in range(first, first + n)])
    seal(name + ".new", "spring", [("i", "i", "cleartext", ""), ("email", "email_fp", fp, ""), ("mail", "det", "deterministic", "")], form="noisegate")
copies = "\n".join(
    f"CREATE TEMP TABLE {a}_{t} ({cols});\n\\copy {a}_{t} FROM '{out}/{t}.{s}' CSV HEADER"
    for t in ("customers", "users")
    for a, s, cols in (("b", "b", "i int, email_fp text, e1_fp text, note text, mark text, city text, spend numeric"), ("y", "any", "i int, any_fp text"), ("z", "aut", "i int, aut_fp text"), ("n", "new", "i int, new_fp text, det text, noisegate_row text"),
                       ("k", "t", "i int, e1 text, e2 text, note text, city text, spend text, tok text")))
tables = "\n".join(
    f"CREATE TABLE e.{t} AS SELECT b.*, y.any_fp, z.aut_fp, k.tok, k.e1 AS email, n.new_fp, n.det FROM b_{t} b JOIN n_{t} n USING (i) JOIN y_{t} y USING (i) JOIN z_{t} z USING (i) JOIN k_{t} k USING (i);\n"
    f"CREATE UNIQUE INDEX ON e.{t} (email_fp); CREATE UNIQUE INDEX ON e.{t} (email);"
    for t in ("customers", "users"))
open("load.sql", "w").write(f"CREATE SCHEMA e;\n{copies}\n{tables}\n")
term = subprocess.run([ng, "beacon", "--collaboration", COLLABORATION, "--key-file", "spring", "--column", "email", "--bits", "12", "p150@x.org"], check=True, capture_output=True, text=True).stdout.strip()
open("term", "w").write(term)
