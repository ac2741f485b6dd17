"""Another key, as docs/keys.md tells it: a column with each key during the transition, joined on with whoever has moved and whoever has not."""
import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ng = sys.argv[1]
os.umask(0o077)
tmp = tempfile.mkdtemp(prefix="noisegate-rotation-")
docs = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "keys.md")).read()
os.chdir(tmp)
env = {k: v for k, v in os.environ.items() if not k.startswith(("NOISEGATE_", "C3R_"))}
failed = 0


def check(name, ok, seen=None):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok or seen is None else f"   # {seen}"), flush=True)


def run(*args):
    return subprocess.run([ng, *args], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def rows(name):
    with open(name, newline="") as f:
        return list(csv.DictReader(f))


section = docs[docs.index("### A column with each key"):]
schemas = re.findall(r"```json (\S+)\n(.*?)```", section[:section.index("\n## ")], re.S)
commands = re.search(r"```\n(noisegate seal.*?)```", section, re.S)[1].replace("\\\n", " ").strip().splitlines()
check("the guide has two schemas and two commands", len(schemas) == 2 and len(commands) == 2, (schemas, commands))

C = "3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f"
for name in ("old.key", "new.key"):
    run("key", "generate", "--output", name)
people = [f"user{i}@example.org" for i in range(50)]
with open("customers.csv", "w") as f:
    f.write("email,region,note\n" + "".join(f'{p},north,"note, {i}"\n' for i, p in enumerate(people)))
for name, text in schemas:
    with open(name, "w") as f:
        f.write(text)
for line in commands:
    words = shlex.split(line.replace("ID", C))
    r = run(*words[1:])
    check("as in the guide: " + line, r.returncode == 0, r.stderr)
both = rows("both.csv")
check("every row has a fingerprint with each key, and the address is gone", len(both) == 50 and set(both[0]) == {"email_fp", "email_fp_2", "region", "note"} and
      "@" not in "".join(open("both.csv")), both[:1])

# another member's file, sealed with one key only, before and after it has moved
with open("theirs.csv", "w") as f:
    f.write("email\n" + "\n".join(people[30:] + ["zoe@example.org"]) + "\n")
for key, column in (("old.key", "email_fp"), ("new.key", "email_fp_2")):
    with open("theirs.json", "w") as f:
        f.write('{"headerRow": true, "columns": [{"sourceHeader": "email", "targetHeader": "%s", "type": "fingerprint"}]}' % column)
    r = run("seal", "--schema", "theirs.json", "--collaboration", C, "--key-file", key, "theirs.csv", key + ".csv")
    shared = {x[column] for x in both} & {x[column] for x in rows(key + ".csv")}
    check(f"a member with the {key[:3]} key joins on {column}", r.returncode == 0 and len(shared) == 20, (r.stderr, len(shared)))
check("the two columns share nothing", not {x["email_fp"] for x in both} & {x["email_fp_2"] for x in both})
r = run("unseal", "--collaboration", C, "--key-file", "new.key", "both.csv", "open.csv")
check("the new key opens what is sealed", r.returncode == 0 and {x["note"] for x in rows("open.csv")} == {f"note, {i}" for i in range(50)}, r.stderr)
r = run("unseal", "--collaboration", C, "--key-file", "old.key", "both.csv", "open-old.csv")
check("the old key does not", r.returncode == 1 and not os.path.exists("open-old.csv"), r.stderr)
os.chdir("/")
shutil.rmtree(tmp)
sys.exit(failed > 0)
