"""Key files: every store made, opened, refused; every byte changed; an independent implementation of the file (docs/keys.md) opens ours."""
import base64
import glob
import hashlib
import hmac
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

ng = sys.argv[1]
os.umask(0o077)
tmp = tempfile.mkdtemp(prefix="noisegate-keys-")
C = "3f2a9c1e-5b7d-4e8a-9c3d-1a2b3c4d5e6f"
OTHER = "00000000-5b7d-4e8a-9c3d-1a2b3c4d5e6f"
env = {k: v for k, v in os.environ.items() if not k.startswith(("NOISEGATE_", "C3R_", "TPM2TOOLS_"))}
failed = 0
started = []


def check(name, ok, seen=None):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok or seen is None else f"   # {seen}"), flush=True)


def at(name):
    return os.path.join(tmp, name)


def put(name, text, mode=0o600):
    with open(at(name), "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(at(name), mode)
    return at(name)


def get(name):
    with open(at(name), "rb") as f:
        return f.read()


def run(*args, extra=None, stdin=subprocess.DEVNULL, pass_fds=()):
    return subprocess.run([ng, *args], env={**env, **(extra or {})}, capture_output=True, text=True, timeout=60, stdin=stdin, pass_fds=pass_fds,
                          start_new_session=True)


def key(*args, **more):
    return run("key", *args, **more)


def says(r, status, text):
    return r.returncode == status and text in r.stderr


def make(name, store, *args, **more):
    return key("generate", "--store", store, "--collaboration", C, "--member", "acme", "--output", at(name), *args, **more)


def mac(k, text):
    return hmac.new(k, text.encode(), "sha256").digest()


def open_independently(text, kek_of):
    """The file as docs/keys.md describes it."""
    head, wrapped = text.rsplit("wrapped ", 1)
    fields = dict(line.split(" ", 1) for line in head.splitlines())
    kek = kek_of(base64.b64decode(fields["slot"]))
    siv = AESSIV(mac(kek, "noisegate key wrap v1 mac") + mac(kek, "noisegate key wrap v1 cipher"))
    secret = siv.decrypt(base64.b64decode(wrapped), [head.encode()])
    return fields["id"] == mac(secret, "noisegate key id v1")[:8].hex(), secret


def every_change(text):
    """Each byte with one bit flipped, each byte removed, a byte added at both ends, cut in half."""
    for i in range(len(text)):
        yield text[:i] + bytes([text[i] ^ (1 << (i % 7))]) + text[i + 1:]
        yield text[:i] + text[i + 1:]
    yield text + b"\n"
    yield text[:len(text) // 2]


def refuses_every_change(name, *args, sample=1):
    text, wrong = get(name), []
    for n, bad in enumerate(every_change(text)):
        if n % sample:
            continue
        put("changed", bad)
        r = key("show", "--open", *args, at("changed"))
        if "opens" in r.stdout or r.returncode not in (1, 3) or not r.stderr.startswith("noisegate: "):
            wrong.append((n, r.returncode, r.stderr))
    return not wrong, wrong[:2]


# --- plain keys stay what they were --------------------------------------------------------------------------------------------
r = key("generate", "--output", at("plain"))
plain = base64.b64decode(get("plain"))
check("a plain key is 32 bytes of Base64 in a file of mode 0600", len(plain) == 32 and os.stat(at("plain")).st_mode & 0o777 == 0o600)
check("show gives the id of a plain key and not the key", key("show", at("plain")).stdout == f"key id {mac(plain, 'noisegate key id v1')[:8].hex()}, 32 bytes\n")

# --- file ----------------------------------------------------------------------------------------------------------------------
r = make("f.key", "file:" + at("kek"))
check("generate under a file store makes the key-encryption key and prints the id", r.returncode == 0 and r.stdout.startswith("key id ") and
      os.stat(at("kek")).st_mode & 0o777 == 0o600 and os.stat(at("f.key")).st_mode & 0o777 == 0o600, r)
r = key("show", at("f.key"))
check("show names store and context without opening", r.returncode == 0 and "member acme\n" in r.stdout and f"store file:{at('kek')}\n" in r.stdout)
file_kek = lambda salt: hmac.new(base64.b64decode(get("kek")), b"noisegate kek file v1\0" + salt, "sha256").digest()
ok, secret = open_independently(get("f.key").decode(), file_kek)
check("an independent implementation opens a key file under a file store", ok)
check("the secret is not in the file", base64.b64encode(secret)[:20] not in get("f.key"))
r = key("import", "--store", "file:" + at("kek"), "--collaboration", C, "--output", at("i.key"), at("plain"))
check("import wraps a plain key as it is", r.returncode == 0 and open_independently(get("i.key").decode(), file_kek) == (True, plain), r)
with open(at("plain"), "rb") as f:
    r = key("import", "--store", "file:" + at("kek"), "--collaboration", C, "--output", at("i2.key"), "-", stdin=f)
check("import reads standard input", r.returncode == 0 and open_independently(get("i2.key").decode(), file_kek) == (True, plain), r)
check("an existing key file is never written over", says(make("f.key", "file:" + at("kek")), 1, "exists already"))
check("every changed, missing or added byte of a key file is refused", *refuses_every_change("f.key"))

put("kek2", base64.b64encode(os.urandom(32)))
check("another key-encryption key does not open it", says(key("show", "--open", "--from-store", "file:" + at("kek2"), at("f.key")), 3, "not the key-encryption key"))
shutil.copy(at("kek"), at("moved"))
check("a moved key-encryption key is named by option or environment",
      key("show", "--open", "--from-store", "file:" + at("moved"), at("f.key")).returncode == 0 and
      key("show", "--open", at("f.key"), extra={"NOISEGATE_KEY_STORE": "file:" + at("moved")}).returncode == 0)
os.chmod(at("kek"), 0o640)
check("a key-encryption key that a group may read is refused", says(key("show", "--open", at("f.key")), 1, "others may read it"))
os.chmod(at("kek"), 0o600)
os.chmod(at("f.key"), 0o644)
check("a key file that others may read is refused", says(key("show", "--open", at("f.key")), 1, "others may read it"))
os.chmod(at("f.key"), 0o600)
put("short", base64.b64encode(b"0123456789"))
check("a 10-byte secret is refused", key("import", "--store", "file:" + at("kek"), "--collaboration", C, "--output", at("x"), at("short")).returncode == 1 and
      not os.path.exists(at("x")))
check("an unknown store lists the kinds", says(make("x", "cloud:1"), 1, "pkcs11:"))
check("a context that is not a word is refused", says(key("generate", "--store", "file:" + at("kek"), "--collaboration", "a\nb", "--output", at("x")), 1, "word"))
check("wrong usage has status 2", key("generate", "--store", "file:" + at("kek")).returncode == 2 and key("destroy", at("f.key")).returncode == 2)

# --- sealing with wrapped keys ---------------------------------------------------------------------------------------------------
put("in.csv", "email,note\nann@x,hello\nbob@x,there\n")
put("s.json", '{"headerRow":true,"columns":[{"sourceHeader":"email","targetHeader":"email_fp","type":"fingerprint"},'
    '{"sourceHeader":"note","targetHeader":"note","type":"sealed","pad":{"type":"none"}}]}')


def seal(key_file, out, collaboration=C, **more):
    return run("seal", "--schema", at("s.json"), "--collaboration", collaboration, "--key-file", at(key_file), at("in.csv"), at(out), **more)


def fingerprints(name):
    return sorted(line.split(",")[0] for line in get(name).decode().splitlines())


check("seal takes a plain key and the same key wrapped, with equal fingerprints", seal("plain", "a.csv").returncode == 0 and seal("i.key", "b.csv").returncode == 0 and
      fingerprints("a.csv") == fingerprints("b.csv"))
r = run("unseal", "--collaboration", C, "--key-file", at("i.key"), at("a.csv"), at("open.csv"))
check("unseal takes a wrapped key", r.returncode == 0 and b"hello" in get("open.csv"), r)
check("a key of another collaboration is refused, and nothing is written", says(seal("i.key", "c.csv", OTHER), 3, f'for collaboration "{C}"') and not os.path.exists(at("c.csv")))
key("generate", "--store", "file:" + at("kek"), "--collaboration", C, "--purpose", "vault", "--output", at("v.key"))
check("a key for another purpose is refused", says(seal("v.key", "c.csv"), 3, 'for purpose "vault", not "seal"'))

# --- passphrase ------------------------------------------------------------------------------------------------------------------
put("pw", "correct horse battery staple\n")
put("pw2", "entirely different words here\n")
put("pw-short", "short\n")
PW, PW2 = ("--passphrase-file", at("pw")), ("--passphrase-file", at("pw2"))
check("a short new passphrase is refused", says(make("p.key", "passphrase", "--passphrase-file", at("pw-short")), 1, "fewer than 12 bytes"))
r = make("p.key", "passphrase:14", *PW)
scrypt = lambda word: lambda salt: hashlib.scrypt(word.encode(), salt=salt, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
check("an independent implementation opens a key file under a passphrase", r.returncode == 0 and
      open_independently(get("p.key").decode(), scrypt("correct horse battery staple"))[0], r)
check("the right passphrase opens", key("show", "--open", *PW, at("p.key")).returncode == 0)
check("a wrong passphrase is refused with status 3", says(key("show", "--open", *PW2, at("p.key")), 3, "the passphrase is wrong"))
check("without terminal and passphrase it says what to give", says(key("show", "--open", at("p.key")), 1, "no terminal"))
check("seal takes the passphrase from NOISEGATE_PASSPHRASE_FILE", seal("p.key", "d.csv", extra={"NOISEGATE_PASSPHRASE_FILE": at("pw")}).returncode == 0)
check("every changed byte of a passphrase's key file is refused", *refuses_every_change("p.key", *PW, sample=7))
read_end, write_end = os.pipe()
os.write(write_end, b"correct horse battery staple\n")
os.close(write_end)
r = key("show", "--open", "--passphrase-fd", str(read_end), at("p.key"), pass_fds=(read_end,))
check("a passphrase comes through a descriptor", r.returncode == 0, r)
os.chmod(at("pw"), 0o644)
check("a passphrase file that others may read is refused", says(key("show", "--open", *PW, at("p.key")), 1, "others may read it"))
os.chmod(at("pw"), 0o600)


def at_terminal(words, *args):
    """Types words at a terminal; returns what was shown and the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(ng, [ng, *args], env)
    shown = b""
    for word in words:
        while not shown.endswith(b": "):
            shown += os.read(fd, 1)
        time.sleep(0.1)
        os.write(fd, word + b"\n")
        shown += b"|"
    try:
        while more := os.read(fd, 1000):
            shown += more
    except OSError:
        pass
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


words = b"correct horse battery staple"
shown, status = at_terminal([words], "key", "show", "--open", at("p.key"))
check("a passphrase typed at a terminal opens, and is not shown", status == 0 and words not in shown and b"opens" in shown, shown)
shown, status = at_terminal([words, b"with a slip of the finger"], "key", "generate", "--store", "passphrase:14", "--collaboration", C, "--output", at("x"))
check("a new passphrase is typed twice and must be the same", status == 1 and b"not the same" in shown and not os.path.exists(at("x")), shown)

# --- rotation, rewrapping, export ------------------------------------------------------------------------------------------------
shutil.copy(at("p.key"), at("p-old.key"))
r = key("rotate", *PW, "--new-passphrase-file", at("pw2"), at("p.key"))
check("rotate changes the passphrase and keeps key and id", r.returncode == 0 and key("show", "--open", *PW2, at("p.key")).returncode == 0 and
      key("show", "--open", *PW, at("p.key")).returncode == 3 and get("p.key").splitlines()[1] == get("p-old.key").splitlines()[1], r)
check("data sealed before a rotation open after it",
      run("unseal", "--collaboration", C, "--key-file", at("p.key"), at("d.csv"), at("d-open.csv"), extra={"NOISEGATE_PASSPHRASE_FILE": at("pw2")}).returncode == 0)
check("a file store rotates to a key-encryption key with another name", says(key("rotate", at("f.key")), 1, "needs the name") and
      says(key("rotate", "--store", "file:" + at("kek"), at("f.key")), 1, "is the old one"))
r = key("rotate", "--store", "file:" + at("kek3"), at("f.key"))
check("after that the old one is not needed", r.returncode == 0 and
      says(key("show", "--open", "--from-store", "file:" + at("kek"), at("f.key")), 3, "not the key-encryption key") and key("show", "--open", at("f.key")).returncode == 0, r)
r = key("rewrap", "--store", "passphrase:14", "--new-passphrase-file", at("pw"), at("f.key"))
check("rewrap moves a key to another kind of store", r.returncode == 0 and open_independently(get("f.key").decode(), scrypt(words.decode())) == (True, secret), r)
before = get("f.key")
check("a rewrap that fails leaves the file as it was", key("rewrap", *PW, "--store", "file:/nowhere/kek", at("f.key")).returncode == 1 and get("f.key") == before)
r = key("export-wrapped", *PW, "--store", "file:" + at("theirs"), "--member", "bravo", "--output", at("bravo.key"), at("f.key"))
check("export-wrapped gives another member the same key", r.returncode == 0 and "member bravo" in key("show", "--open", at("bravo.key")).stdout and
      get("bravo.key").splitlines()[1] == get("f.key").splitlines()[1] and get("f.key") == before, r)

# --- PKCS#11 ---------------------------------------------------------------------------------------------------------------------
module = (glob.glob("/usr/lib/softhsm/libsofthsm2.so") + glob.glob("/usr/lib/*/softhsm/libsofthsm2.so"))[0]
os.mkdir(at("tokens"))
env["SOFTHSM2_CONF"] = put("softhsm.conf", f"directories.tokendir = {at('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n")
subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "noisegate", "--so-pin", "12345678", "--pin", "4711"], env=env, check=True, capture_output=True)
put("pin", "4711\n")
put("bad-pin", "4712\n")
PIN = ("--passphrase-file", at("pin"))
uri = f"pkcs11:token=noisegate;object=one?module-path={module}"
r = make("t.key", uri, *PIN)
check("a token makes its key and wraps under it", r.returncode == 0, r)
check("the token's key opens the file", key("show", "--open", *PIN, at("t.key")).returncode == 0)
check("a wrong PIN is refused with status 3", says(key("show", "--open", "--passphrase-file", at("bad-pin"), at("t.key")), 3, "refuses the PIN"))
check("a PIN in the URI is refused", says(make("x", uri + "&pin-value=4711"), 1, "holds a PIN"))
check("a token that is not there is named as such", says(make("x", uri.replace("noisegate", "absent"), *PIN), 3, "no token"))
check("a module that is not there is named as such", says(make("x", "pkcs11:token=a;object=b?module-path=/nowhere.so"), 1, "could not load the PKCS#11 module"))
check("every changed byte of a token's key file is refused", *refuses_every_change("t.key", *PIN, sample=7))
check("seal takes a key from a token", seal("t.key", "t.csv", extra={"NOISEGATE_PASSPHRASE_FILE": at("pin")}).returncode == 0)
r = key("rotate", *PIN, "--new-passphrase-file", at("pin"), "--store", uri.replace("one", "two"), at("t.key"))
check("rotation to another token key", r.returncode == 0 and key("show", "--open", *PIN, at("t.key")).returncode == 0, r)
make("t1.key", uri, *PIN)
uri1 = ("--from-store", uri.replace("one", "two"))
check("another key of the same token does not open it", says(key("show", "--open", *PIN, *uri1, at("t1.key")), 3, "does not open this key file"))
ident = get("t1.key").decode().splitlines()[1][3:]
make("t2.key", uri, *PIN)
check("destroying with the token's key takes the id", says(key("destroy", "--with-kek", *PIN, "--confirm", "0" * 16, at("t1.key")), 1, "Nothing was destroyed"))
r = key("destroy", "--with-kek", *PIN, "--confirm", ident, at("t1.key"))
check("whatever was wrapped under a destroyed token key stays closed", r.returncode == 0 and
      says(key("show", "--open", *PIN, at("t2.key")), 3, "has no AES key of that label"), r)

# --- TPM -------------------------------------------------------------------------------------------------------------------------


def free_ports():
    """Two neighbouring ports: swtpm's clients expect the control channel right after the data channel."""
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            try:
                b.bind(("127.0.0.1", a.getsockname()[1] + 1))
                return a.getsockname()[1]
            except OSError:
                continue


def start_tpm(name):
    os.mkdir(at(name))
    port = free_ports()
    p = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={at(name)}", "--server", f"type=tcp,port={port},bindaddr=127.0.0.1",
                          "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1", "--flags", "not-need-init,startup-clear"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    started.append(p)
    tcti = f"swtpm:host=127.0.0.1,port={port}"
    for _ in range(100):
        if run("key", "generate", "--store", f"tpm:sha256:0@{tcti}", "--collaboration", C, "--output", at("probe-" + name)).returncode == 0:
            break
        time.sleep(0.1)
    return tcti


def extend(tcti, pcr):
    subprocess.run(["tpm2_pcrextend", f"{pcr}:sha256={'ab' * 32}"], env={**env, "TPM2TOOLS_TCTI": tcti}, check=True, capture_output=True, timeout=30)


try:
    tpm, tpm2 = start_tpm("tpm"), start_tpm("tpm2")
    r = make("m.key", f"tpm:sha256:4,7@{tpm}")
    check("a TPM seals a key to its registers", r.returncode == 0, r)
    check("and releases it in that state", key("show", "--open", at("m.key")).returncode == 0)
    check("seal takes a key from a TPM", seal("m.key", "m.csv").returncode == 0)
    check("another TPM does not release it", says(key("show", "--open", "--from-store", f"tpm:sha256:4,7@{tpm2}", at("m.key")), 3, "does not load"))
    check("every changed byte of a TPM's key file is refused", *refuses_every_change("m.key", sample=41))
    check("registers that cannot be read are refused", all(says(make("x", s), 1, "registers") for s in ("tpm", "tpm:sha256:", "tpm:sha1:0", "tpm:sha256:24", "tpm:sha256:0,")))
    key("export-wrapped", "--store", "passphrase:14", "--new-passphrase-file", at("pw"), "--output", at("recovery.key"), at("m.key"))
    extend(tpm, 5)
    check("a register that was not selected may change", key("show", "--open", at("m.key")).returncode == 0)
    extend(tpm, 7)
    r = key("show", "--open", at("m.key"))
    check("after a selected register changed the TPM refuses", says(r, 3, "not in the state") and "opens" not in r.stdout, r)
    check("seal then fails with status 3 and writes nothing", seal("m.key", "m2.csv").returncode == 3 and not os.path.exists(at("m2.csv")))
    text = get("m.key").decode()
    slot = text.split("slot ")[1].split("\n")[0]
    raw = base64.b64decode(slot)
    put("mask.key", text.replace(slot, base64.b64encode((1 << 4).to_bytes(4, "big") + raw[4:]).decode()))
    check("naming other registers in the file does not help", key("show", "--open", at("mask.key")).returncode == 3)
    r = key("export-wrapped", *PW, "--store", f"tpm:sha256:4,7@{tpm}", "--output", at("m3.key"), at("recovery.key"))
    check("a recovery copy seals it to the new state", r.returncode == 0 and key("show", "--open", at("m3.key")).returncode == 0, r)
    check("no TPM: it says how to name one", says(make("x", "tpm:sha256:0@swtpm:host=127.0.0.1,port=1"), 1, "TPM2TOOLS_TCTI"))
finally:
    for p in started:
        p.terminate()
        p.wait()

# --- destroying ------------------------------------------------------------------------------------------------------------------
ident = get("bravo.key").decode().splitlines()[1][3:]
held = open(at("bravo.key"), "rb")
r = key("destroy", "--confirm", ident, at("bravo.key"))
check("destroy wipes the old bytes and leaves a note", r.returncode == 0 and set(held.read()) == {0} and b"\ndestroyed 20" in get("bravo.key"), r)
check("a destroyed key is refused with status 4, everywhere", all(says(r, 4, f"key {ident} was destroyed") for r in
      (key("show", "--open", at("bravo.key")), key("rotate", at("bravo.key")), key("destroy", "--confirm", ident, at("bravo.key")), seal("bravo.key", "x.csv"))))
check("show tells that it was destroyed", "state destroyed\n" in key("show", at("bravo.key")).stdout)

shutil.rmtree(tmp)
sys.exit(failed != 0)
