"""Files of seal and unseal: gzip, pipes, names, signals, full disks, the progress bar; and everything bad that can come in."""
import csv
import fcntl
import gzip
import io
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from formats import b64
from sandbox import check, ended, get, put, tmp

ng = sys.argv[1]
SECRET, OTHER, COLLABORATION = b64(bytes(range(32))), b64(bytes(32)), "00000000-1111-2222-3333-444444444444"


def environment(secret=SECRET):
    env = dict(os.environ, TMPDIR=tmp)
    env.pop("C3R_SHARED_SECRET", None)
    return dict(env, C3R_SHARED_SECRET=secret) if secret else env


def run(*args, secret=SECRET, **how):
    return subprocess.run([ng, *args], env=environment(secret), cwd=tmp, **{"capture_output": True, **how})


def listing():
    return sorted(os.listdir(tmp))


SEAL = ["seal", "--schema", "s.json", "--collaboration", COLLABORATION, "--allow-cleartext"]
UNSEAL = ["unseal", "--collaboration", COLLABORATION]
SCHEMA = {"headerRow": True, "columns": [{"sourceHeader": "id", "type": "cleartext"}, {"sourceHeader": "mail", "type": "fingerprint"},
                                         {"sourceHeader": "note", "targetHeader": "note", "type": "sealed", "pad": {"type": "max", "length": 0}}]}
NATIVE = dict(SCHEMA, format="noisegate")
PIPED = json.loads(json.dumps(SCHEMA).replace('"max", "length": 0', '"fixed", "length": 30'))
put("s.json", json.dumps(SCHEMA))
put("piped.json", json.dumps(PIPED))
put("native.json", json.dumps(NATIVE))
ROWS = [[str(i), f"p{i}@x", f"note {i}"] for i in range(2000)]
CLEAR = "id,mail,note\n" + "".join(",".join(r) + "\n" for r in ROWS)


def opened(data):
    """Unseals through pipes; the rows without the fingerprint, in order of id."""
    r = run(*UNSEAL, "-", input=data)
    return r.returncode == 0 and sorted(([r[0], r[2]] for r in list(csv.reader(io.StringIO(r.stdout.decode())))[1:]), key=lambda r: int(r[0])) == [[r[0], r[2]] for r in ROWS]


# Plain, gzip, pipes
put("a.csv", CLEAR)
put("b.csv.gz", gzip.compress(CLEAR.encode()))
check("a name is made from the input's", run(*SEAL, "a.csv").returncode == 0 and opened(get("a.sealed.csv")))
order = [int(line.split(b",")[0]) for line in get("a.sealed.csv").splitlines()[1:]]
run(*SEAL, "--overwrite", "a.csv")
again = [int(line.split(b",")[0]) for line in get("a.sealed.csv").splitlines()[1:]]
check("rows are shuffled, anew each time", sorted(order) == list(range(2000)) and all(900 < sum(a < b for a, b in zip(o, o[1:])) < 1100 for o in (order, again)) and order != again)
check("its file is for the owner only", os.stat(os.path.join(tmp, "a.sealed.csv")).st_mode & 0o777 == 0o600)
check("gzip in, gzip out, padded to the maximum", run(*SEAL, "b.csv.gz").returncode == 0 and opened(gzip.decompress(get("b.sealed.csv.gz"))))
check("gzip in, plain out", run(*SEAL, "b.csv.gz", "c.csv").returncode == 0 and opened(get("c.csv")))
check("plain in, gzip out", run(*SEAL, "a.csv", "d.csv.gz").returncode == 0 and opened(gzip.decompress(get("d.csv.gz"))))
check("gzip unsealed by its name", run(*UNSEAL, "d.csv.gz").returncode == 0 and gzip.decompress(get("d.unsealed.csv.gz")).count(b"\n") == 2001)
PIPE = [a if a != "s.json" else "piped.json" for a in SEAL]
r = run(*PIPE, "-", input=CLEAR.encode())
check("from a pipe to a pipe", r.returncode == 0 and opened(r.stdout))
r = run(*PIPE, "-", input=gzip.compress(CLEAR.encode()))
check("from a pipe of gzip", r.returncode == 0 and opened(r.stdout))
for name, data in (("a pipe", CLEAR.encode()), ("a pipe of gzip", gzip.compress(CLEAR.encode()))):
    r = run(*SEAL, "-", input=data)
    check(f"padded to the maximum from {name}", r.returncode == 0 and opened(r.stdout), r.stderr)
r = subprocess.run([ng, *SEAL, "-"], env=dict(environment(), TMPDIR=os.path.join(tmp, "missing")), cwd=tmp, capture_output=True, input=CLEAR.encode())
check("which takes a temporary file", r.returncode == 1 and b"temporary file" in r.stderr and r.stdout == b"", r.stderr)
r = run(*SEAL, "-", input=gzip.compress(CLEAR.encode())[:-400])
check("a pipe of damaged gzip", r.returncode == 1 and b"standard input: the compressed data" in r.stderr and r.stdout == b"", r.stderr)
r = run(*SEAL, "-", input=b"id,mail,note\n1,a,x\n2,b\n")
check("an error in a pipe", r.returncode == 1 and b"standard input:3: " in r.stderr and r.stdout == b"", r.stderr)
with open(os.path.join(tmp, "a.csv"), "rb") as f:
    check("padded to the maximum from a redirected file", (r := run(*SEAL, "-", stdin=f)).returncode == 0 and opened(r.stdout))
check("each number of threads gives the same", all(opened((r := run(*SEAL, "--threads", n, "a.csv", "-")).stdout) for n in ("1", "2", "7")))

# Names that are taken
before = listing()
check("an output that exists is refused", (r := run(*SEAL, "a.csv", "c.csv")).returncode == 1 and b"--overwrite" in r.stderr and listing() == before)
os.symlink("a.csv", os.path.join(tmp, "link.csv"))
os.link(os.path.join(tmp, "a.csv"), os.path.join(tmp, "hard.csv"))
for name in ("a.csv", "link.csv", "hard.csv", "./a.csv"):
    check(f"the input is never the output ({name})", (r := run(*SEAL, "--overwrite", "a.csv", name)).returncode == 1 and b"is the input" in r.stderr and get("a.csv") == CLEAR.encode())
old = get("c.csv")
put("bad.csv", CLEAR + "x\n")
check("an old output survives a failure", run(*SEAL, "--overwrite", "bad.csv", "c.csv").returncode == 1 and get("c.csv") == old)
before = listing()

# Signals.  A file without a name needs /proc to get one: without it, as on file systems that have no such files, there is a temporary file beside the output
HIDDEN = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]


def consumed(p):
    """Until the process has read what was written to it."""
    for _ in range(20000):
        if struct.unpack("i", fcntl.ioctl(p.stdin, termios.FIONREAD, b"1234"))[0] == 0:
            return True
        time.sleep(0.001)


for s, hide in [(s, hide) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT) for hide in (False, False, True, True, True)] + [(signal.SIGKILL, False)] * 3:
    p = subprocess.Popen([*(HIDDEN if hide else []), ng, *PIPE, "-", "never.csv"], env=environment(), cwd=tmp, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(CLEAR.encode())
    p.stdin.flush()
    begun = consumed(p)
    during = listing()
    p.send_signal(s)
    p.wait(20)
    p.stdin.close()
    p.stderr.close()
    check(f"{s.name} leaves nothing behind {'(no nameless files)' * hide}", begun and p.returncode == (-s if s == signal.SIGKILL else 128 + s) and listing() == before and (during != before) == hide, (p.returncode, during, listing()))
for overwrite in ([], ["--overwrite"]):
    for hide in (False, True):
        r = subprocess.run([*(HIDDEN if hide else []), ng, *SEAL, *overwrite, "a.csv", "named.csv"], env=environment(), cwd=tmp, capture_output=True)
        check(f"an output gets its name {overwrite} {'(no nameless files)' * hide}", r.returncode == 0 and opened(get("named.csv")) and listing() == sorted([*before, "named.csv"])
              and os.stat(os.path.join(tmp, "named.csv")).st_mode & 0o777 == 0o600, (r, listing()))
        if not overwrite:
            os.unlink(os.path.join(tmp, "named.csv"))
os.unlink(os.path.join(tmp, "named.csv"))

# Full disks
with open("/dev/full", "wb") as full:
    check("a full standard output", (r := run(*SEAL, "a.csv", "-", stdout=full, capture_output=False, stderr=subprocess.PIPE)).returncode == 1 and b"No space left" in r.stderr)
    check("a full standard output when unsealing", (r := run(*UNSEAL, "c.csv", "-", stdout=full, capture_output=False, stderr=subprocess.PIPE)).returncode == 1 and b"No space left" in r.stderr)
for out in ("never.csv", "never.csv.gz"):
    r = run(*SEAL, "a.csv", out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000)))
    check(f"a file that may not grow: {out}", r.returncode == 1 and b"File too large" in r.stderr and listing() == before, r.stderr)
SMALL = 'mount -t tmpfs -o size=96k none "$1" && shift && cp "$1" "$2" && shift && shift && "$@"; echo $? >status; ls small >left'
os.mkdir(os.path.join(tmp, "small"))
before = listing()


def on_small_disk(*args):
    """Runs in a mount namespace where small/ is a disk of 96 KB; its status and what it left on that disk."""
    r = subprocess.run(["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", SMALL, "sh", os.path.join(tmp, "small"), "s.json", "small/s.json", ng, *args], env=environment(), cwd=tmp, capture_output=True)
    status, left = get("status"), get("left")
    os.unlink(os.path.join(tmp, "status"))
    os.unlink(os.path.join(tmp, "left"))
    return int(status) == 1 and left == b"s.json\n" and b"No space left" in r.stderr, r.stderr


check("a full disk when sealing", *on_small_disk(*SEAL, "a.csv", "small/out.csv"))
check("a full disk when sealing to gzip", *on_small_disk(*SEAL, "a.csv", "small/out.csv.gz"))
put("long.csv", "id,mail,note\n" + "".join(f"{i},p{i}@x,{'long ' * 40}\n" for i in range(2000)))
run(*SEAL, "long.csv")
check("a full disk when unsealing", *on_small_disk(*UNSEAL, "long.sealed.csv", "small/out.csv"))
r = subprocess.run([ng, *UNSEAL, "long.sealed.csv", "-"], env=dict(environment(), TMPDIR=os.path.join(tmp, "missing")), cwd=tmp, capture_output=True)
check("no room for temporary files", r.returncode == 1 and b"temporary file" in r.stderr and r.stdout == b"")


# The bar
def on_terminal(*args):
    parent, child = pty.openpty()
    p = subprocess.Popen([ng, *args], env=environment(), cwd=tmp, stdout=subprocess.DEVNULL, stderr=child)
    os.close(child)
    shown = b""
    while select.select([parent], [], [], 20)[0]:
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(parent)
    return p.wait(20), shown.decode()


put("many.csv", "id,mail,note\n" + "".join(f"{i},p{i}@x,note {i}\n" for i in range(200000)))
code, shown = on_terminal(*SEAL, "many.csv", "many.out")
check("a bar on a terminal", code == 0 and "\r[" in shown and "%" in shown and "rows/s" in shown and shown.rstrip().endswith("200000 rows sealed"), repr(shown[-300:]))
code, shown = on_terminal(*UNSEAL, "many.out", "many.back")
check("a bar when unsealing", code == 0 and "\r[" in shown and shown.rstrip().endswith("200000 rows unsealed"), repr(shown[-300:]))
check("none elsewhere", run(*SEAL, "many.csv", "-").stderr == b"")
r = run(*SEAL, "-", input=get("many.csv"))
many = [x[2] for x in csv.reader(io.StringIO(run(*UNSEAL, "-", input=r.stdout).stdout.decode()))]
check("200,000 rows padded to the maximum from a pipe", sorted(many[1:]) == sorted(f"note {i}" for i in range(200000)) and len({len(x.rsplit(b",", 1)[1]) for x in r.stdout.splitlines()[1:]}) == 1)
for name in ("many.csv", "many.out", "many.back", "long.csv", "long.sealed.csv"):
    os.unlink(os.path.join(tmp, name))


# Bad input
def refused(name, data, *words, schema="s.json", status=1, args=(), secret=SECRET, source="in.csv"):
    if data is not None:
        put("in.csv", data)
    before = listing()
    r = run("seal", "--schema", schema, "--collaboration", COLLABORATION, "--allow-cleartext", *args, source, "never.csv", secret=secret)
    err = r.stderr.decode()
    check(f"refused: {name}", r.returncode == status and all(w in err for w in words) and r.stdout == b"" and listing() == before
          and (data is None or get("in.csv") == (data.encode() if isinstance(data, str) else data)), err)


HEAD = "id,mail,note\n"
refused("a quote never closed", HEAD + '1,a,x\n2,b,"y\n3,c,z\n', "in.csv:3", "not closed", "field 3")
refused("text after a closing quote", HEAD + '1,"a"b,x\n', "in.csv:2", "field 2")
refused("a row too short", HEAD + "1,a,x\n2,b\n", "in.csv:3", "2 columns, not 3")
refused("a row too long", HEAD + "1,a,x,y\n", "in.csv:2", "4 columns, not 3")
refused("invalid UTF-8", HEAD.encode() + b"1,a,x\n2,b,\xe9t\xe9\n", "in.csv:3", "field 3", "UTF-8")
refused("UTF-8 cut short", HEAD.encode() + b"1,a\xe2\x82,x\n", "in.csv:2", "field 2", "UTF-8")
refused("an encoded surrogate", HEAD.encode() + b"1,a\xed\xa0\x80,x\n", "in.csv:2", "field 2", "UTF-8")
refused("UTF-16", ("\ufeff" + HEAD).encode("utf-16-le"), "in.csv:1", "UTF-8")
refused("a header that is not UTF-8", b"id,m\xff,note\n", "in.csv:1", "field 2", "UTF-8")
refused("a zero byte in a header", b"id,ma\0il,note\n1,a,x\n", "in.csv:1")
refused("an empty file", "", "in.csv", "empty")
refused("a column missing", "id,email,note\n1,a,x\n", "in.csv:1", '"mail"')
refused("a column twice", "id,mail,note,Mail\n1,a,x,y\n", "in.csv:1", '"mail"')
refused("longer than its padding", HEAD + "1,a,x\n2,b," + "y" * 30 + "\n", "in.csv:3", 'column "note"', "padding", schema="piped.json")
refused("longer than any padding", HEAD + "1,a,x\n2,b," + "y" * 12001 + "\n", 'column "note"', "12000")
refused("a value twice", HEAD + "1,a,x\n2,b,x\n3,a,x\n", "in.csv:4", "line 2", 'column "mail_fingerprint"', "--allow-duplicates")
refused("NULL twice", HEAD + "1,,x\n2,,x\n", "in.csv:3", "line 2", 'column "mail_fingerprint"', "--preserve-nulls")
refused("cleartext too long", HEAD + "y" * 16384 + ",a,x\n", "in.csv:2", 'column "id"', "16,383")
refused("a row of 17 MB", HEAD + "1,a," + "y" * (17 << 20) + "\n", "in.csv:2", "longer than")
refused("10,001 columns", "id,mail,note" + ",x" * 9998 + "\n", "in.csv:1", "10000 columns")
refused("damaged gzip", gzip.compress(CLEAR.encode())[:-400], "in.csv:", "damaged")
refused("gzip cut inside a quoted field", gzip.compress((HEAD + '1,a,"' + os.urandom(200000).hex() + '"\n').encode())[:-5000], "in.csv:", "damaged")
refused("no such file", None, "never-there.csv", "No such file", source="never-there.csv")
refused("a directory", None, "directory", source=".")
refused("no such schema", None, "no.json", schema="no.json", source="a.csv")
refused("a 10-byte secret", HEAD, "10 bytes", "32", secret=b64(b"0123456789"))
refused("a secret that is not Base64", HEAD, "Base64", secret="not base64!" * 5)
refused("no secret", HEAD, "--key-file", "key generate", secret=None)
refused("a collaboration that is no UUID", HEAD, "UUID", args=["--collaboration", "partners"])
refused("an unknown option", HEAD, "usage", status=2, args=["--no-such-option"])
put("key", SECRET)
os.chmod(os.path.join(tmp, "key"), 0o640)
refused("a key that others may read", HEAD, "chmod 600", secret=None, args=["--key-file", "key"])
put("broken.json", '{"headerRow": true, "columns": [\n {"sourceHeader": "id", "type": "cleartext"},\n {"sourceHeader": "note", "type": "seled"}]}')
refused("a schema with a misspelt type", HEAD, "broken.json:3", "seled", schema="broken.json")
for text, words in (('{"headerRow": true, "columns": [', "broken.json:2:1: not valid"), ('{"headerRow": "true", "columns": []}', "headerRow"), ('{"headerRow": true, "columns": []}', "no target columns"),
                    ('{"headerRow": true, "columns": [{"sourceHeader": "id", "type": "fingerprint", "pad": {"type": "none"}}]}', "only sealed"),
                    ('{"headerRow": true, "columns": [{"sourceHeader": "id", "type": "sealed", "pad": {"type": "fixed", "length": 10001}}]}', "10000"),
                    ('{"headerRow": true, "columns": [{"sourceHeader": "a--b", "type": "fingerprint"}]}', "a--b"),
                    ('{"headerRow": true, "colums": []}', "colums")):
    put("broken.json", text)
    refused(f"schema {text[:70]}", HEAD, words, schema="broken.json")


def unsealing(name, data, *words, secret=SECRET, args=(), status=1):
    put("t.csv", data)
    before = listing()
    r = run(*UNSEAL, *args, "t.csv", "never.csv", secret=secret)
    err = r.stderr.decode()
    check(f"unsealing refused: {name}", r.returncode == status and all(w in err for w in words) and listing() == before, err)


run(*[a if a != "s.json" else "native.json" for a in SEAL], "a.csv", "n.csv")
for kind, sealed in (("C3R", get("c.csv")), ("native", get("n.csv"))):
    unsealing(f"another key ({kind})", sealed, "t.csv:2" if kind == "C3R" else "t.csv:1", 'column "', "another key" if kind == "native" else "key", secret=OTHER)
    unsealing(f"another collaboration ({kind})", sealed, "t.csv:2" if kind == "C3R" else "t.csv:1", 'column "', "collaboration", args=["--collaboration", "11111111-1111-2222-3333-444444444444"])
    unsealing(f"a quote never closed ({kind})", sealed + b'"x\n', "t.csv:2002", "not closed")
    unsealing(f"a row cut short ({kind})", sealed[:-200] + b"\n" if kind == "C3R" else sealed[:-20] + b"\n", "t.csv:")
    unsealing(f"a column missing in a row ({kind})", sealed + b"x\n", "t.csv:2002", "1 columns")
    unsealing(f"invalid UTF-8 ({kind})", sealed + b"\xff,a,b,c\n", "t.csv:2002", "field 1")
unsealing("an empty file", b"", "empty")
ended()
