"""Peers that break the protocol, die, stall or are strangers; input that cannot be used.  Every time: a clear message, the documented status, nothing
charged that was not about to be sent."""
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import peer
from peer import DUMMIES, HELLO, ITEMS, READY, REFUSE, RESULT, TAGS, pack, random_point
from world import Relay, World, check, finish

w = World(sys.argv[1])
TERMS, BUDGET, PROTOCOL, FAILED = range(1, 5)


def spent(party):
    return w.budget(party)["queries"]


def told(c):
    """The reason in the peer's refusal, after whatever it sent before."""
    try:
        while True:
            kind, payload = c.receive()
            if kind == REFUSE:
                return payload[0]
    except (EOFError, OSError):
        return None


def against_serve(name, act, message, reason, charged, status=5, timeout=30):
    """act(connection) as the joining side; how the serving process ends."""
    w.fresh()
    p, port = w.start(["x"], "--timeout", str(timeout), bound=4)
    try:
        c = peer.client(w, port)
        act(c)
        got = told(c)
        c.s.close()
    except (OSError, EOFError, AssertionError) as e:
        got = repr(e)
    began = time.monotonic()
    try:
        err = p.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired:
        p.kill()
        err = "(did not end)"
    ok = p.returncode == status and message in err and (reason is None or got == reason) and spent("brand") == charged
    check(f"serve: {name}", ok, (p.returncode, err, got, spent("brand"), time.monotonic() - began))


def lists(c, shift=3):
    """Through the terms to the point where the joining side sends its lists."""
    c.hello(2, shift=shift, delta=1e-6)
    c.read_hello()
    c.send(READY)
    c.items(ITEMS, 33, 4)
    c.items(DUMMIES, 33, 2 * shift)


def points(n):
    return [pack(random_point()) for _ in range(n)]


def tags(n):
    return [os.urandom(16) for _ in range(n)]


def step(*frames):
    def act(c):
        lists(c)
        for kind, payload in frames:
            c.send(kind, payload)
    return act


good, off = points(10), bytes([2]) + (5).to_bytes(32, "big")
while True:  # an x without a point
    x = int.from_bytes(off[1:], "big")
    g = (x**3 + peer.A * x + peer.B) % peer.P
    if pow(g, (peer.P - 1) // 2, peer.P) != 1:
        break
    off = bytes([2]) + (x + 1).to_bytes(32, "big")
joined = b"".join(good)
T = b"".join(tags(10))

# --- terms: refused before anything is charged
against_serve("another protocol inside TLS", lambda c: c.s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "broke the protocol", None, 0)
for name, how, message in [
        ("another version", {"magic": b"NGPSI\0\0\2"}, "another version"), ("the same role", {"role": 1, "shift": 0}, "both sides serve"),
        ("another session", {"session": "autumn"}, "another session"), ("bound 0", {"bound": 0}, "bound 0"),
        ("a bound of billions", {"bound": 2**32 - 1}, "bound 4294967295"), ("no dummies", {"shift": 0}, "dummies"),
        ("too many dummies", {"shift": 2**17 + 1}, "dummies"), ("epsilon 0", {"epsilon": 0}, "epsilon"), ("delta 1", {"delta": 1}, "delta")]:
    terms = {"role": 2, "shift": 3, "delta": 1e-6, **how}
    against_serve(name + " is refused", lambda c: c.hello(**terms), message, TERMS, 0)
against_serve("a HELLO that is too long", lambda c: c.hello(2, shift=3, extra=b"x"), "broke the protocol", PROTOCOL, 0)
against_serve("a peer that closes after its terms", lambda c: (c.hello(2, shift=3), c.read_hello(), c.s.close()), "closed the connection", None, 0)

# --- lists: the charge was made when the first element went out, and stays
against_serve("an element that is no point", step((ITEMS, off + joined[33:])), "no point", PROTOCOL, 1)
against_serve("infinity", step((ITEMS, bytes(33) + joined[33:])), "no point", PROTOCOL, 1)
against_serve("an element sent twice", step((ITEMS, good[0] + joined[:-33]), (TAGS, T)), "twice", PROTOCOL, 1)
against_serve("a tag sent twice", step((ITEMS, joined), (TAGS, T[:16] + T[:-16])), "twice", PROTOCOL, 1)
against_serve("too few elements", step((ITEMS, joined[:-33])), "broke the protocol", PROTOCOL, 1)
against_serve("half an element", step((ITEMS, joined[:-1])), "broke the protocol", PROTOCOL, 1)
against_serve("tags in place of elements", step((TAGS, T)), "broke the protocol", PROTOCOL, 1)
against_serve("a frame of 4 GB announced", lambda c: (lists(c), c.s.sendall(struct.pack(">BI", ITEMS, 2**32 - 1))), "4294967295 bytes", PROTOCOL, 1)
against_serve("a stream that ends inside a frame", lambda c: (lists(c), c.s.sendall(struct.pack(">BI", ITEMS, 330) + joined[:100]), c.s.close()), "closed", None, 1)
against_serve("a peer that gives up says why", step((REFUSE, bytes([BUDGET]))), "budget", None, 1)
against_serve("an unknown reason", step((REFUSE, b"\xff")), "does not know", None, 1)
against_serve("a peer that is silent", lambda c: (c.hello(2, shift=3), time.sleep(2)), "silent", None, 0, timeout=1)


def drip(c):
    lists(c)
    for byte in struct.pack(">BI", ITEMS, 330) + joined:
        c.s.sendall(bytes([byte]))
        time.sleep(0.1)


against_serve("a peer that sends a byte now and then", drip, "silent", None, 1, timeout=1)

# --- strangers do not end a serving process
w.fresh()
p, port = w.start(["x"], bound=4)
s = socket.create_connection(("127.0.0.1", port))
s.sendall(b"GET / HTTP/1.1\r\n\r\n")
s.close()
socket.create_connection(("127.0.0.1", port)).close()
for party in (None, "stranger"):
    c = peer.client(w, port, party)
    try:
        c.hello(2, shift=3)
        got = c.receive()
    except (OSError, EOFError) as e:
        got = e
    check(f"serve: {'a stranger' if party else 'no'} certificate gets nothing", isinstance(got, (ssl.SSLError, OSError, EOFError)), got)
r = w.join(port, ["x"], bound=4)
err = p.communicate(timeout=30)[1]
check("serve: after four strangers the peer is still served, and each was named on stderr",
      r.returncode == 0 and p.returncode == 0 and err.count("was refused") == 4 and "no certificate" in err and "fingerprint" in err, (r.stderr, err))


# --- the joining side
def against_join(name, act, message, charged, status=5, reason=None, timeout=30, more=()):
    w.fresh()
    listener = socket.create_server(("127.0.0.1", 0))
    seen = {}

    def run():
        try:
            c = peer.Wire(w, "brand", listener.accept()[0], server=True)
            act(c)
            seen["told"] = told(c)
            c.s.close()
        except (OSError, EOFError, AssertionError) as e:
            seen["error"] = repr(e)

    t = threading.Thread(target=run, daemon=True)
    t.start()
    r = w.join(listener.getsockname()[1], ["x"], "--timeout", str(timeout), *more, bound=4)
    t.join(30)
    listener.close()
    ok = r.returncode == status and message in r.stderr and spent("publisher") == charged and (reason is None or seen.get("told") == reason) and not r.stdout
    check(f"join: {name}", ok, (r.returncode, r.stderr, seen, spent("publisher")))


def offer(first, dummies=None, then=None):
    def act(c):
        n = 2 * c.read_hello()["shift"]
        c.hello(1)
        c.want(READY)
        c.put(ITEMS, first)
        c.put(DUMMIES, (dummies or points)(n))
        if then:
            c.items(ITEMS, 33, 4 + n)
            c.items(TAGS, 16, 4 + n)
            then(c)
    return act


EPS = ["--epsilon", "5"]  # few dummies: points are slow to make here
against_join("an element that is no point, before the charge", offer(good[:3] + [off]), "no point", 0, reason=PROTOCOL, more=EPS)
against_join("an element sent twice, before the charge", offer(good[:3] + good[:1]), "twice", 0, reason=PROTOCOL, more=EPS)
against_join("a dummy that is also an element, before the charge", offer(good[:4], lambda n: good[:1] + points(n - 1)), "twice", 0, reason=PROTOCOL, more=EPS)
against_join("no result", offer(good[:4], then=lambda c: c.s.close()), "the charge 1 stays", 1, more=EPS)
against_join("a result out of range", offer(good[:4], then=lambda c: c.send(RESULT, b"\x7f" + b"\xff" * 7)), "out of range", 1, more=EPS)
against_join("a result of another length", offer(good[:4], then=lambda c: c.send(RESULT, b"\0" * 4)), "broke the protocol", 1, more=EPS)
against_join("a silent peer", lambda c: time.sleep(3), "silent", 0, timeout=1)
against_join("a peer that refuses the terms", lambda c: (c.read_hello(), c.send(REFUSE, bytes([TERMS]))), "terms", 0)
against_join("a peer that also joins", lambda c: (c.read_hello(), c.hello(2, shift=3)), "both sides join", 0, reason=TERMS)
against_join("a serving side with dummies of its own", lambda c: (c.read_hello(), c.hello(1, shift=3)), "dummies", 0, reason=TERMS)

w.fresh()
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
began = time.monotonic()
r = w.join(port, ["x"], "--timeout", "1")
check("join: a peer that accepts and says nothing", r.returncode == 5 and "silent" in r.stderr and time.monotonic() - began < 10, r.stderr)
listener.close()
r = w.join(port, ["x"])
check("join: nobody listens", r.returncode == 5 and "could not connect" in r.stderr, r.stderr)
p, port = w.start(["x"])
r = w.join(port, ["x"], peer_cert="stranger")
check("join: a server with another certificate is not spoken to", r.returncode == 5 and "fingerprint" in r.stderr and spent("publisher") == 0, r.stderr)
r = w.join(port, ["x"], tls=["--peer-ca", w.at("brand.crt"), "--peer-name", "publisher"])
check("join: a certificate of the CA with another name", r.returncode == 5 and "mismatch" in r.stderr, r.stderr)
p.kill()
p.communicate()
p, port = w.start(["x"], peer_cert="stranger")
r = w.join(port, ["x"])
check("join: a server that does not know this side", r.returncode == 5 and "refused the connection" in r.stderr and "hint" in r.stderr and spent("publisher") == 0, r.stderr)
p.kill()
p.communicate()

# --- the charge comes before the data: an account that is emptied between the check and the charge
w.fresh(epsilon=1, query=1, most=1)
p, port = w.start(["x"], bound=4)
q, other = w.start(["x"], bound=4, second="2")
peer.join(w, other, ["x"])
q.communicate(timeout=30)
c = peer.client(w, port)
c.hello(2, shift=3)
c.read_hello()
c.send(READY)
first = c.receive()
err = p.communicate(timeout=30)[1]
check("serve: without a durable charge no element is sent", first == (REFUSE, bytes([BUDGET])) and p.returncode == 6 and spent("brand") == 1, (first, err))

w.fresh(epsilon=5, query=5, most=5)
late, early = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
slow = subprocess.Popen(w.args("join", "publisher", ["x"], "--connect", f"127.0.0.1:{late.getsockname()[1]}", bound=4), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
c = peer.Wire(w, "brand", late.accept()[0], server=True)
n = 2 * c.read_hello()["shift"]
t = threading.Thread(target=peer.serve, args=(w, early, ["x"]))
t.start()
w.join(early.getsockname()[1], ["x"], bound=4, second="2")
t.join(30)
c.hello(1)
c.want(READY)
c.put(ITEMS, good[:4])
c.put(DUMMIES, points(n))
first = c.receive()
err = slow.communicate(timeout=30)[1]
check("join: without a durable charge no element is sent", first == (REFUSE, bytes([BUDGET])) and slow.returncode == 6 and spent("publisher") == 1, (first, err))

# --- a connection cut anywhere: both end with a message
statuses, texts = set(), []
for cut in (1, 700, 1500, 4000, 9000, -1, -1500, -3000, -9000, -12000):
    w.fresh()
    p, port = w.start(["x"], "--timeout", "5", bound=400)
    relay = Relay()
    r = w.join(relay.over(port, cut), ["x"], "--timeout", "5", bound=400)
    p.stderr.readline()  # "waiting for"
    err = p.stderr.readline()
    if "was refused" in err:  # cut inside the handshake: it waits for the peer
        statuses.add(5)
        p.kill()
    else:
        err += p.communicate(timeout=30)[1]
        statuses.add(p.returncode)
    p.wait()
    statuses.add(r.returncode)
    texts.append((cut, r.returncode, r.stderr.strip(), err.strip().splitlines()[-1:]))
check("a connection cut at ten places: both sides say so", statuses == {5}, texts)


# --- this side's input
def refused(name, status, message, role="join", values=("x",), more=(), **how):
    args = w.args(role, "publisher" if role == "join" else "brand", list(values) if isinstance(values, tuple) else values, *more, **how)
    if role == "join":
        args[-1:-1] = ["--connect", "127.0.0.1:1"]
    r = subprocess.run(args, capture_output=True, text=True, timeout=60)
    check(name, r.returncode == status and message in r.stderr, (r.returncode, r.stderr))


w.fresh()
refused("a set above its bound", 1, "more than 2 distinct", values=("a", "b", "c"), bound=2)
refused("a file that is not there", 1, "could not open", values=w.at("nothing"))
refused("a value that is not UTF-8, by its line", 1, ":2: a value is not UTF-8", values=w.write("latin", b"a\n\xe9\n"))
refused("a column that is not there", 1, 'no column "phone"', values=w.write("c.csv", "id\n1\n"), more=["--column", "phone"])
refused("epsilon above the cap of one query", 1, "exceeds 50", more=["--epsilon", "51"])
refused("delta above the cap of one query", 1, "exceeds", more=["--delta", "0.1"])
refused("epsilon that is no number", 1, "epsilon", more=["--epsilon", "much"])
refused("an epsilon that needs too many dummies", 1, "dummies", more=["--epsilon", "0.00001"])
refused("bound 0", 1, "--bound", bound=0)
refused("a bound of ten million", 1, "--bound", bound=10**7)
refused("a table that is not in the policy", 1, 'no table "x.y"', more=["--table", "x.y"])
refused("a member that is not in the policy", 1, 'no member "zoe"', more=["--peer", "zoe"])
refused("a member without a budget", 1, "no budget", more=["--peer", "publisher"])
refused("a fingerprint that is none", 1, "64 hexadecimal", tls=["--peer-fingerprint", "ab:cd"])
refused("pin and CA at once are wrong usage", 2, "usage", more=["--peer-ca", "x", "--peer-name", "y"])
refused("a CA without a name is wrong usage", 2, "usage", tls=["--peer-ca", w.at("brand.crt")])
refused("a private key of another certificate", 1, "does not belong", more=["--key", w.at("stranger.key")])
os.chmod(w.at("publisher.key"), 0o644)
refused("a private key that others may read", 1, "publisher.key")
os.chmod(w.at("publisher.key"), 0o600)
refused("an address without a port", 1, "HOST:PORT", role="serve", more=["--listen", "localhost"])
w.fresh(delta="0", query_delta="")
refused("joining without a delta", 1, "needs a delta")
r = subprocess.run([w.ng, "psi"], capture_output=True, text=True)
check("without a role it is wrong usage", r.returncode == 2 and "usage" in r.stderr)
finish(w)
