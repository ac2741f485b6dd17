"""While a command holds a key: the key stands only in pages that are locked against swap and left out of core dumps, and nowhere once in the clear."""
import base64
import hmac
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ng = sys.argv[1]
os.umask(0o077)
tmp = tempfile.mkdtemp(prefix="noisegate-memory-")
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


def mappings(pid):
    """(first, last, flags) of every readable mapping."""
    out = []
    for line in open(f"/proc/{pid}/smaps"):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if m:
            out.append([int(m[1], 16), int(m[2], 16), m[3], ""])
        elif line.startswith("VmFlags:"):
            out[-1][3] = line.split(":")[1].split()
    return [m for m in out if m[2].startswith("r")]


def places(pid, needle):
    """The flags of the mappings in which the bytes stand."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        for first, last, mode, flags in mappings(pid):
            try:
                f.seek(first)
                data = f.read(last - first)
            except (OSError, ValueError, OverflowError):
                continue  # vsyscall and the like
            found += [flags] * data.count(needle)
    return found


def held(key_file, then):
    """A sealing process that has its key and waits for the rest of its input: then(pid)."""
    fifo = at("in.csv")
    if os.path.exists(fifo):
        os.unlink(fifo)
    os.mkfifo(fifo)
    p = subprocess.Popen([ng, "seal", "--schema", at("s.json"), "--collaboration", C, "--key-file", at(key_file), fifo, at("out.csv")], env=env,
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        with open(fifo, "w") as f:  # returns when the process has opened the other end
            f.write("email\n" + "".join(f"user{i}@x\n" for i in range(20000)))
            f.flush()
            time.sleep(0.5)
            result = then(p.pid)
        err = p.communicate(timeout=60)[1]
    finally:
        p.kill()
    if os.path.exists(at("out.csv")):
        os.unlink(at("out.csv"))
    return p.returncode, err, result


with open(at("s.json"), "w") as f:
    f.write('{"headerRow":true,"columns":[{"sourceHeader":"email","targetHeader":"email_fp","type":"fingerprint"}]}')
run("key", "generate", "--output", at("plain"))
secret = base64.b64decode(open(at("plain")).read())
run("key", "import", "--store", "file:" + at("kek"), "--collaboration", C, "--output", at("wrapped"), at("plain"))
kek_secret = base64.b64decode(open(at("kek")).read())
slot = base64.b64decode(re.search(r"^slot (.*)$", open(at("wrapped")).read(), re.M)[1])
kek = hmac.new(kek_secret, b"noisegate kek file v1\0" + slot, "sha256").digest()

if os.geteuid() != 0:
    print("only root may read another process's memory here: run the tests as root", file=sys.stderr)
    sys.exit(1)
with open(at("pw"), "w") as f:
    f.write("correct horse battery staple\n")
run("key", "import", "--store", "passphrase:14", "--passphrase-file", at("pw"), "--collaboration", C, "--output", at("phrase"), at("plain"))
env["NOISEGATE_PASSPHRASE_FILE"] = at("pw")


def look(pid):
    return {"key": places(pid, secret), "locked": int(re.search(r"VmLck:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]),
            "left": {name: n for name, n in (("Base64 of the key", len(places(pid, base64.b64encode(secret)))), ("KEK", len(places(pid, kek))),
                                            ("KEK file", len(places(pid, kek_secret)) + len(places(pid, base64.b64encode(kek_secret)))),
                                            ("passphrase", len(places(pid, b"correct horse battery")))) if n}}


for kind in ("plain", "wrapped", "phrase"):
    status, err, seen = held(kind, look)
    check(f"{kind}: the command ran to its end", status == 0, err)
    check(f"{kind}: memory is locked while it runs", seen["locked"] >= 4, seen["locked"])
    check(f"{kind}: the key stands in memory, and only in pages that are locked", seen["key"] and all("lo" in f for f in seen["key"]), seen["key"])
    check(f"{kind}: what it was read, unwrapped or derived from is gone", not seen["left"], seen["left"])
seen = held("plain", lambda pid: places(pid, C.encode()))[2]
check("the search itself finds what stands in memory that is not locked", any("lo" not in f for f in seen), seen)


def dumps(args):
    """Whether a process leaves a core when it is told to."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    p = subprocess.Popen(args, cwd=tmp, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    p.send_signal(signal.SIGABRT)
    return bool(os.waitpid(p.pid, 0)[1] & 0x80)


check("a process that holds keys leaves no core dump, where others do", dumps(["sleep", "9"]) and not dumps([ng, "key", "scram-verifier"]))
shutil.rmtree(tmp)
sys.exit(failed > 0)
