"""What people and other programs do that is not in the examples: schemas with nulls, names in capitals, outputs that are devices, two runs at once, asking for help."""
import csv
import fcntl
import gzip
import io
import json
import os
import stat
import subprocess
import sys
import termios
import time

from formats import C3R, b64
from sandbox import check, ended, get, put, tmp

ng = sys.argv[1]
SECRET, COLLABORATION = bytes(range(32)), "abcdef00-1111-2222-3333-444444444444"
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("C3R_", "NOISEGATE_"))}
theirs = C3R(SECRET, COLLABORATION, False)


def run(*args, **how):
    return subprocess.run([ng, *args], env=dict(ENV, C3R_SHARED_SECRET=b64(SECRET)), cwd=tmp, **{"capture_output": True, "stdin": subprocess.DEVNULL, "timeout": 120, **how})


def rows(data):
    return list(csv.reader(io.StringIO(data.decode())))


def seal(data, schema, *flags):
    put("s", schema if isinstance(schema, str) else json.dumps(schema))
    put("in.csv", data)
    return run("seal", "--schema", "s", "--collaboration", COLLABORATION, *flags, "in.csv", "-")


# Schemas as serialisers write them
FULL = """{"headerRow":true,"columns":[
\t{"sourceHeader":"v","targetHeader":null,"type":"fingerprint","pad":null},
\t{"sourceHeader":"v","targetHeader":"s","type":"sealed","pad":{"type":"NONE","length":null}}]}"""
r = seal("v\na\n", FULL)
check("null in a schema is as if it were not there", r.returncode == 0 and rows(r.stdout)[0] == ["v_fingerprint", "s"] and theirs.open(rows(r.stdout)[1][1]) == "a", r.stderr)
r = seal("v\na\n", "headerRow: true\ncolumns:\n- sourceHeader: v\n  targetHeader: ~\n  type: sealed\n  pad: {type: none, length: }\n")
check("also in YAML", r.returncode == 0 and rows(r.stdout)[0] == ["v_sealed"], r.stderr)
r = seal("a,b\n", {"headerRow": False, "columns": [None, [{"targetHeader": "null", "type": "fingerprint", "pad": None}]]})
check("a column may be called null", r.returncode == 0 and rows(r.stdout) == [["null"], [theirs.fingerprint("null", "b")]], r.stderr)
check("a minified schema", seal("v\na\n", json.dumps(json.loads(FULL), separators=(",", ":"))).returncode == 0)
check("a schema with tabs, CRLF and a byte order mark", seal("v\na\n", "\ufeff" + json.dumps(json.loads(FULL), indent="\t").replace("\n", "\r\n")).returncode == 0)
ONE = '{"headerRow": true, "columns": [{"sourceHeader": "v", "type": "fingerprint"}]}'
for name, text, words in (("a key twice", ONE.replace('"type"', '"sourceHeader": "w",\n "type"'), "twice"), ("another document", ONE + "\n" + ONE, "s:2:1"),
                          ("something behind it", ONE + "}", "s:1:"), ("columns twice", ONE.replace("}]}", '}], "columns": []}'), "twice"), ("two targets of one name in other case", ONE.replace(
                              "}]}", '}, {"sourceHeader": "v", "targetHeader": "V_Fingerprint", "type": "fingerprint"}]}'), "v_fingerprint")):
    r = seal("v\na\n", text)
    check(f"refused: a schema with {name}", r.returncode == 1 and words in r.stderr.decode() and r.stdout == b"", r.stderr)

# A row whose only field is NULL or empty is still a row
NOTE = {"headerRow": True, "columns": [{"sourceHeader": "b", "targetHeader": "s", "type": "sealed", "pad": {"type": "none"}}]}
r = seal("a,b\n1,x\n2,\n3,\n", NOTE, "--preserve-nulls")
back = run("unseal", "--collaboration", COLLABORATION, "-", stdin=None, input=r.stdout)
check("rows of one column that is NULL are kept", len(r.stdout.splitlines()) == 4 and sorted(back.stdout.splitlines()[1:]) == [b'""', b'""', b"x"], (r.stdout, back))
r = seal('a,b\n1,""\n2,\n', NOTE, "--null-in", "")
back = run("unseal", "--collaboration", COLLABORATION, "--null-out", "NULL", "-", stdin=None, input=r.stdout)
check("and of one that is empty", sorted(back.stdout.splitlines()[1:]) == [b'""', b"NULL"], (r.stdout, back))
put("t.yaml", "columns: [{sourceHeader: b, type: token}]\n")
put("in.csv", "a,b\n1,x\n2,\n")
put("key", b64(SECRET))
os.chmod(os.path.join(tmp, "key"), 0o600)
r = run("tokenize", "--vault", "v", "--schema", "t.yaml", "--key-file", "key", "in.csv", "-")
check("also of tokens", r.returncode == 0 and r.stdout.splitlines()[2:] == [b'""'], r)

control = ["\x01a", "a\x02", "\x07", "\x0b \x0b", "a\x01b"]
CLEAR = {"headerRow": True, "columns": [{"sourceHeader": "a", "type": "cleartext"}, {"sourceHeader": "a", "targetHeader": "s", "type": "sealed", "pad": {"type": "none"}}]}
put("control.csv", "a\n" + "".join(f'"{v}"\n' for v in control))
for form in ("c3r", "noisegate"):
    r = seal(get("control.csv"), dict(CLEAR, format=form), "--allow-cleartext")
    back = run("unseal", "--collaboration", COLLABORATION, "-", stdin=None, input=r.stdout)
    again = seal(back.stdout, dict(CLEAR, format=form), "--allow-cleartext")  # what was opened reads back as it was
    last = run("unseal", "--collaboration", COLLABORATION, "-", stdin=None, input=again.stdout)
    check(f"control characters at the ends of values are kept ({form})", all(sorted(rows(x.stdout)[1:]) == sorted([v, v] for v in control) for x in (back, last)), (back, last))

# Names of outputs
put("in.csv", "v\na\n")
put("s.json", ONE)
SEAL = ["seal", "--schema", "s.json", "--collaboration", COLLABORATION]
os.mkfifo(os.path.join(tmp, "fifo"))
os.mkdir(os.path.join(tmp, "folder"))
os.symlink("/dev/null", os.path.join(tmp, "null"))
before = sorted(os.listdir(tmp))
for name in ("fifo", "folder", "null"):
    for flags in ([], ["--overwrite"]):
        r = run(*SEAL, *flags, "in.csv", name)
        check(f"an output that is no file stays what it is: {name} {flags}", r.returncode == 1 and b"not a regular file" in r.stderr and b"hint" in r.stderr and sorted(os.listdir(tmp)) == before, r)
check("what is in its place", stat.S_ISFIFO(os.stat(os.path.join(tmp, "fifo")).st_mode) and os.readlink(os.path.join(tmp, "null")) == "/dev/null")
os.symlink("nowhere", os.path.join(tmp, "dangling"))
check("a link to nothing is a name that is taken", (r := run(*SEAL, "in.csv", "dangling")).returncode == 1 and b"exists" in r.stderr and not os.path.exists(os.path.join(tmp, "nowhere")), r)
before = sorted(os.listdir(tmp))
HIDDEN = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]  # without /proc there are temporary files instead of nameless ones
for hide in (False, True):
    slow = [subprocess.Popen([*(HIDDEN if hide else []), ng, *SEAL, "-", "same.csv"], env=dict(ENV, C3R_SHARED_SECRET=b64(SECRET)), cwd=tmp, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for i, p in enumerate(slow):
        p.stdin.write(b"v\nperson%d\n" % i)
        p.stdin.flush()
    while any(fcntl.ioctl(p.stdin, termios.FIONREAD, b"1234") != bytes(4) for p in slow):  # both have opened their outputs, and read
        time.sleep(0.001)
    said = [p.communicate()[1] for p in slow]
    codes = [p.returncode for p in slow]
    check(f"of two that make one output at once, one is refused {'(no nameless files)' * hide}", sorted(codes) == [0, 1] and b"exists" in said[codes.index(1)]
          and get("same.csv").splitlines()[1].decode() == theirs.fingerprint("v_fingerprint", f"person{codes.index(0)}") and len(os.listdir(tmp)) == len(before) + 1, (codes, said))
    os.unlink(os.path.join(tmp, "same.csv"))
check("a folder that is not there", (r := run(*SEAL, "in.csv", "no/such.csv")).returncode == 1 and b"no/such.csv" in r.stderr)
for name in ("key", "/dev/null", "folder"):
    if name == "key":
        os.chmod(os.path.join(tmp, name), 0o604)
    r = run(*SEAL, "--key-file", name, "in.csv", "-")
    check(f"a key file that is none, or not private: {name}", r.returncode == 1 and (b"others may read" if name == "key" else b"not a regular file") in r.stderr, r)
os.chmod(os.path.join(tmp, "key"), 0o600)

# Tokens and beacons: files like those of seal
put("in.csv", "v,w\n" + "".join(f"p{i},{i}\n" for i in range(50)))
put("in.csv.gz", gzip.compress(get("in.csv")))
put("t.yaml", "columns: [{sourceHeader: v, type: token}, {sourceHeader: w, type: cleartext}]\n")
TOKENIZE, BACK = ["tokenize", "--vault", "v2", "--schema", "t.yaml", "--key-file", "key"], ["detokenize", "--vault", "v2", "--schema", "t.yaml", "--key-file", "key", "--reason", "test"]
r = run(*TOKENIZE, "--overwrite", "in.csv", "in.csv")
check("tokenize never writes over its input", r.returncode == 1 and b"is the input" in r.stderr and get("in.csv").startswith(b"v,w\np0,0\n"), r)
r = run(*TOKENIZE, "in.csv.gz", "tokens.csv.gz")
tokens = gzip.decompress(get("tokens.csv.gz"))
check("tokens of a gzip file, into one", r.returncode == 0 and tokens.count(b"tok_") == 50, r)
r = run(*BACK, "-", "-", stdin=None, input=tokens)
check("and back through pipes", r.returncode == 0 and r.stdout == get("in.csv"), r)
r = run(*BACK, "-", "-", stdin=None, input=tokens + b"tok_none,1\n")
check("nothing comes out of a pipe when one token is unknown", r.returncode == 1 and r.stdout == b"", r)
wide = [f"column{i}" for i in range(3000)]
put("wide.csv", ",".join(wide) + "\n" + ",".join("x" for _ in wide) + "\n")
put("wide.json", json.dumps({"columns": [{"sourceHeader": c, "type": "token"} for c in wide[1500:1900]]}))
r = run("tokenize", "--vault", "v3", "--schema", "wide.json", "--key-file", "key", "wide.csv", "-")
check("400 token columns of 3,000", r.returncode == 0 and r.stdout.count(b"tok_") == 400, r.stderr)
BEACON = ["beacon", "--collaboration", COLLABORATION, "--key-file", "key", "--column", "v", "--bits", "8"]
r = run(*BEACON, "--add", "in.csv.gz", "-")
check("beacons of a gzip file, to a pipe", r.returncode == 0 and len(rows(r.stdout)) == 51 and rows(r.stdout)[1][2] == run(*BEACON, "p0").stdout.decode().strip(), r)
check("beacon never writes over its input", (r := run(*BEACON, "--overwrite", "--add", "in.csv", "in.csv")).returncode == 1 and b"is the input" in r.stderr, r)

put("with.csv", "v,V_Beacon\nx,y\n")
check("a beacon column is never the second of its name", (r := run(*BEACON, "--add", "with.csv", "-")).returncode == 1 and b"already" in r.stderr and run(*BEACON, "--as", "other", "--add", "with.csv", "-").returncode == 0, r)
check("an empty value has no beacon, as in a file", (r := run(*BEACON, "")).returncode == 1 and b"empty" in r.stderr)
check("bits beyond 32 are named", (r := run(*BEACON[:-1], "33", "x")).returncode == 2 and b'"33"' in r.stderr.splitlines()[0], r)
put("t.json", '{"columns": [{"sourceHeader": "v", "targetHeader": null, "type": "token", "domain": null}]}')
r = run("tokenize", "--vault", "v2", "--schema", "t.json", "--key-file", "key", "in.csv", "-")
check("null in a schema of tokens is as if it were not there", r.returncode == 0 and r.stdout.startswith(b"v\ntok_") and r.stdout.splitlines()[1:] == [x.split(b",")[0] for x in tokens.splitlines()[1:]], r)
put("t.json", '{"columns": [{"sourceHeader": "v", "type": "token", "type": "cleartext"}]}')
check("a key twice is refused there, too", (r := run("tokenize", "--vault", "v2", "--schema", "t.json", "--key-file", "key", "in.csv", "-")).returncode == 1 and b"twice" in r.stderr, r)
check("detokenize names the missing reason", (r := run("detokenize", "--vault", "v2", "--schema", "t.json", "--key-file", "key", "in.csv", "-")).returncode == 2 and b"--reason" in r.stderr.splitlines()[0], r)
check("a vault that is not there", (r := run("detokenize", "--vault", "none", "--schema", "t.yaml", "--key-file", "key", "--reason", "x", "in.csv", "-")).returncode == 1 and b"No such file" in r.stderr
      and not os.path.exists(os.path.join(tmp, "none")), r)

# Proposing a schema for what seal reads
r = run("schema", "--template", "--output", "-", "in.csv.gz")
check("a template from a gzip file", r.returncode == 0 and [c["sourceHeader"] for c in json.loads(r.stdout)["columns"]] == ["v", "w"], r)
r = run("schema", "--template", "-", stdin=None, input=get("in.csv"))
check("a template from a pipe to a pipe", r.returncode == 0 and len(json.loads(r.stdout)["columns"]) == 2, r)
put("in.csv", "v,w\n1,2\n")
r = run("schema", "--interactive", "--output", "-", "in.csv", stdin=None, input=b"FINGERPRINT\n\nNo\nx\nDrop\n")
check("answers in capitals, and one that is none", r.returncode == 0 and json.loads(r.stdout)["columns"] == [{"sourceHeader": "v", "targetHeader": "v_fingerprint", "type": "fingerprint"}] and b"one of the words" in r.stderr, r)
r = run("schema", "--interactive", "--format", "noisegate", "--output", "made.json", "in.csv", stdin=None, input=b"det\n\n\n\ny\nf\n\n\ns\n\nbucket\n0\n32\n\n")
made = json.loads(get("made.json"))
check("a schema of the native format, from answers", r.returncode == 0 and made == {"format": "noisegate", "headerRow": True, "columns": [
    {"sourceHeader": "v", "targetHeader": "v_deterministic", "type": "deterministic", "pad": {"type": "bucket", "length": 16}}, {"sourceHeader": "v", "targetHeader": "v_fingerprint", "type": "fingerprint"},
    {"sourceHeader": "w", "targetHeader": "w_sealed", "type": "sealed", "pad": {"type": "bucket", "length": 32}}]}, (r, made))
check("it seals", run("seal", "--schema", "made.json", "--collaboration", COLLABORATION, "in.csv", "-").stdout.startswith(b"v_deterministic,v_fingerprint,w_sealed,noisegate_row:"))
t = json.loads(run("schema", "--template", "--format", "noisegate", "--output", "-", "in.csv").stdout)
check("a template of the native format", t["format"] == "noisegate" and "deterministic" in t["columns"][0]["type"] and "bucket" in t["columns"][0]["pad"]["type"])
check("no deterministic columns in the AWS client's format", b"one of the words" in run("schema", "--interactive", "--output", "-", "in.csv", stdin=None, input=b"deterministic\nf\n\n\nd\n").stderr)
check("no questions when the file is on standard input", run("schema", "--interactive", "-").returncode == 2)

# As many columns as there may be
r = seal(",".join(wide) + "\n" + ",".join("x" for _ in wide) + "\n", {"headerRow": True, "columns": [{"sourceHeader": c, "type": "fingerprint"} for c in wide[:1600]]})
check("1,600 target columns", r.returncode == 0 and len(rows(r.stdout)[1]) == 1600 and rows(r.stdout)[1][1599] == theirs.fingerprint("column1599_fingerprint", "x"), r.stderr)
r = seal(",".join(wide) + "\n", {"headerRow": True, "columns": [{"sourceHeader": c, "type": "fingerprint"} for c in wide[:1601]]})
check("one more is refused", r.returncode == 1 and b"too many" in r.stderr, r.stderr)

# The collaboration in capitals is the same one
put("in.csv", "v\np7\n")
put("pass", "correct horse battery")
os.chmod(os.path.join(tmp, "pass"), 0o600)
r = run("key", "wrap", "--store", "passphrase:14", "--passphrase-file", "pass", "--collaboration", COLLABORATION.upper(), "--output", "wrapped", "key")
check("a key is wrapped", r.returncode == 0, r)
for given in (COLLABORATION, COLLABORATION.upper()):
    r = subprocess.run([ng, "seal", "--schema", "s.json", "--collaboration", given, "--key-file", "wrapped", "in.csv", "-"], env=dict(ENV, NOISEGATE_PASSPHRASE_FILE="pass"), cwd=tmp, capture_output=True)
    check(f"and serves collaboration {given}", r.returncode == 0 and theirs.fingerprint("v_fingerprint", "p7") in r.stdout.decode(), r.stderr)

# Answers in the native format
put("n.yaml", "format: noisegate\nheaderRow: true\ncolumns: [{sourceHeader: v, targetHeader: note, type: sealed}, {sourceHeader: v, targetHeader: kind, type: deterministic}]\n")
r = run("seal", "--schema", "n.yaml", "--collaboration", COLLABORATION, "in.csv", "-")
for i, name in enumerate(("note", "kind")):
    for header in (name, "renamed"):
        answer = "".join(f"{x}\n" for x in [header] + [row[i] for row in rows(r.stdout)[1:]])
        back = run("unseal", "--partial", "--collaboration", COLLABORATION, "-", stdin=None, input=answer.encode())
        check(f"an answer with a {name} column called {header}", back.stdout == name.encode() + b"\np7\n" if header == name else
              back.returncode == 1 and b'standard input:2: column "renamed"' in back.stderr and b"sealed under" in back.stderr and back.stdout == b"", back)

# Files that are not what was sealed
put("fp.yaml", "format: noisegate\nheaderRow: true\ncolumns: [{sourceHeader: v, targetHeader: fp, type: fingerprint}]\n")
r = run("seal", "--schema", "fp.yaml", "--collaboration", COLLABORATION, "in.csv", "-")
UNSEAL = ["unseal", "--collaboration", COLLABORATION]
back = run(*UNSEAL, "-", stdin=None, input=r.stdout)
check("native fingerprints with their rows' tags are checked", back.returncode == 0 and back.stderr == b"", back)
back = run(*UNSEAL, "-", stdin=None, input="".join(f"{row[0]}\n" for row in rows(r.stdout)).encode())
check("and refused without them", back.returncode == 1 and b"noisegate_row" in back.stderr and b"--partial" in back.stderr and back.stdout == b"", back)
back = run(*UNSEAL, "-", stdin=None, input=r.stdout.replace(b",", b";"))
check("or with other separators", back.returncode == 1 and b"noisegate_row" in back.stderr and back.stdout == b"", back)
for name, data in (("semicolons", seal("v\np7\n", FULL).stdout.replace(b",", b";")), ("a file that was never sealed", b"v\np7\n")):
    back = run(*UNSEAL, "-", stdin=None, input=data)
    check(f"a warning that nothing was opened: {name}", back.returncode == 0 and back.stdout == data and b"no sealed cell" in back.stderr, back)

# Where a bad secret stood
put("bad", "aGVsbG8=")
os.chmod(os.path.join(tmp, "bad"), 0o600)
for args, env, words in ((["--key-file", "bad"], {}, b'"bad"'), ([], {"C3R_SHARED_SECRET": "hello"}, b"C3R_SHARED_SECRET")):
    r = subprocess.run([ng, *SEAL, *args, "in.csv", "-"], env=dict(ENV, **env), cwd=tmp, capture_output=True)
    check(f"a secret that cannot be used: it is said where it stood ({words.decode()})", r.returncode == 1 and words in r.stderr, r)

# The AWS client's command line
put("aws.json", NOTE if isinstance(NOTE, str) else json.dumps(NOTE))
put("in.csv", "a,b\n1,none\n2,x\n")
r = run("encrypt", "in.csv", "--id", COLLABORATION, "-s", "aws.json", "-o", "aws.csv", "-f", "-r", "none")
d = run("decrypt", "aws.csv", "--id", COLLABORATION, "-o", "aws.out", "-w", "NULL", "--fof")
check("encrypt and decrypt with the AWS client's options", r.returncode == 0 and d.returncode == 0 and sorted(get("aws.out").split()) == [b"NULL", b"s", b"x"], (r, d))

# Standard descriptors that are closed, or full
put("in.csv", "v\np7\n")
for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
    for i, words in enumerate((["key", "generate", "--output", "made"], [*SEAL, "in.csv", "made"], [*TOKENIZE[:-2], "--key-file", "key", "--schema", "t.yaml", "in.csv", "made"])):
        put("t.yaml", "columns: [{sourceHeader: v, type: token}]\n")
        r = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", ng, *words], env=dict(ENV, C3R_SHARED_SECRET=b64(SECRET)), cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True)
        made = get("made").splitlines()
        check(f"nothing that is printed gets into a file: {words[0]} {closed}", r.returncode == 0 and len(made) == (1 if i == 0 else 2), (r, made))
        os.unlink(os.path.join(tmp, "made"))
for words in (["key", "show", "key"], ["key", "generate"], [*BEACON, "x"], ["beacon", "--expect", "9"], [*SEAL, "in.csv", "-"], ["schema", "--template", "--output", "-", "in.csv"],
              ["detokenize", "--vault", "v", "--key-file", "key", "--audit"]):
    for how, out in (("full", open("/dev/full", "wb")), ("closed", None)):
        r = run(*words, capture_output=False, stderr=subprocess.PIPE, **({"stdout": out} if out else {"preexec_fn": lambda: os.close(1)}))
        check(f"standard output is {how}: {' '.join(words)[:40]}", r.returncode == 1 and (b"standard output" in r.stderr or b"could not write" in r.stderr), r)

# Help, and what is missing
for command in ("seal", "unseal", "key", "schema", "tokenize", "detokenize", "beacon", "psi", "check", "budget", "audit", "serve", "rules", "calibrate", "compose"):
    for args in ([command, "--help"], ["help", command]):
        r = run(*args)
        check(f"{' '.join(args)}", r.returncode == 0 and r.stdout.startswith(b"usage: noisegate ") and command.encode() in r.stdout and r.stderr == b"", r)
check("an unknown option is still wrong usage", (r := run(*SEAL, "--helpp", "in.csv")).returncode == 2 and r.stdout == b"" and b"--helpp" in r.stderr)
for args, words in ((["seal", "--schema", "s.json", "in.csv"], b"--collaboration"), (["seal", "--collaboration", COLLABORATION, "in.csv"], b"--schema"), (SEAL, b"input"),
                    ([*SEAL, "--threads", "17", "in.csv"], b"--threads"), (["psi", "serve", "-c", "p", "x"], b"--table"), (["psi", "join", "-c", "p", "--table", "t", "--peer", "a", "--bound", "9", "--cert", "c", "--key", "k", "x"], b"--peer-fingerprint"), (["unseal", "in.csv"], b"--collaboration"), ([*SEAL, "a", "b", "c"], b"one output")):
    r = run(*args)
    check(f"what is missing is named: {words.decode()}", r.returncode == 2 and words in r.stderr.splitlines()[0] and b"usage:" in r.stderr, r)
ended()
