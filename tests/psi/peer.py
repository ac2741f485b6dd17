"""The protocol of docs/psi.md again, from its description alone: P-256, hash to curve, frames.  Slow; for small bounds."""
import hashlib
import secrets
import socket
import ssl
import struct

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HELLO, READY, ITEMS, DUMMIES, TAGS, RESULT, REFUSE = range(1, 8)
CHUNK = 2048


def plus(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    r = None
    for bit in bin(k)[2:]:
        r = plus(r, r)
        if bit == "1":
            r = plus(r, p)
    return r


def pack(p):
    return bytes([2 + p[1] % 2]) + p[0].to_bytes(32, "big")


def unpack(b):
    x = int.from_bytes(b[1:], "big")
    y = pow(x**3 + A * x + B, (P + 1) // 4, P)
    assert b[0] in (2, 3) and x < P and y * y % P == (x**3 + A * x + B) % P
    return x, y if y % 2 == b[0] - 2 else P - y


def expand(message, dst, n):
    tag = dst + bytes([len(dst)])
    first = hashlib.sha256(bytes(64) + message + n.to_bytes(2, "big") + b"\0" + tag).digest()
    out, last = b"", bytes(32)
    for i in range(1, -(-n // 32) + 1):
        last = hashlib.sha256(bytes(x ^ y for x, y in zip(first, last)) + bytes([i]) + tag).digest()
        out += last
    return out[:n]


def swu(u):
    """RFC 9380, 6.6.2, as written there."""
    z = P - 10
    t = (z * z * u**4 + z * u * u) % P
    x1 = (-B * pow(A, -1, P) * (1 + pow(t, P - 2, P))) % P if t else B * pow(z * A, -1, P) % P
    for x in (x1, z * u * u * x1 % P):
        g = (x**3 + A * x + B) % P
        y = pow(g, (P + 1) // 4, P)
        if y * y % P == g:
            return x, y if y % 2 == u % 2 else P - y


def hash_to_curve(message, dst):
    b = expand(message, dst, 96)
    return plus(*(swu(int.from_bytes(b[i:i + 48], "big") % P) for i in (0, 48)))


def point(kind, message):
    return hash_to_curve(message, f"noisegate-psi-v1-{kind}-with-P256_XMD:SHA-256_SSWU_RO_".encode())


def digest(session):
    return hashlib.sha256(session.encode()).digest()


def value_point(session, value):
    return point("value", digest(session) + value.encode())


def dummy_point(session, i):
    return point("dummy", digest(session) + i.to_bytes(8, "big"))


def random_point():
    return point("filler", secrets.token_bytes(32))


def tag(p):
    return hashlib.sha256(b"noisegate psi tag v1\0" + pack(p)).digest()[:16]


class Wire:
    """One side of the connection."""

    def __init__(self, world, party, sock, server=False):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        if party:
            ctx.load_cert_chain(world.at(party + ".crt"), world.at(party + ".key"))
        if server:
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(world.at("publisher.crt"))
        else:
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        sock.settimeout(30)
        self.s = ctx.wrap_socket(sock, server_side=server)

    def send(self, kind, payload=b""):
        self.s.sendall(struct.pack(">BI", kind, len(payload)) + payload)

    def exactly(self, n):
        out = b""
        while len(out) < n:
            more = self.s.recv(n - len(out))
            if not more:
                raise EOFError(f"closed with {n - len(out)} bytes missing")
            out += more
        return out

    def receive(self):
        kind, n = struct.unpack(">BI", self.exactly(5))
        return kind, self.exactly(n)

    def want(self, kind):
        got, payload = self.receive()
        assert got == kind, (got, payload[:20])
        return payload

    def hello(self, role, session="spring", bound=4, shift=0, epsilon=1.0, delta=0.0, magic=b"NGPSI\0\0\1", extra=b""):
        self.send(HELLO, magic + bytes([role]) + digest(session) + struct.pack(">IIQQ", bound, shift, round(epsilon * 1e12), round(delta * 1e18)) + extra)

    def read_hello(self):
        b = self.want(HELLO)
        assert len(b) == 65 and b[:8] == b"NGPSI\0\0\1"
        bound, shift, epsilon, delta = struct.unpack(">IIQQ", b[41:])
        return {"role": b[8], "session": b[9:41], "bound": bound, "shift": shift, "epsilon": epsilon / 1e12, "delta": delta / 1e18}

    def items(self, kind, size, n):
        """All frames of a list of n."""
        out = []
        while len(out) < n:
            b = self.want(kind)
            assert len(b) == size * min(CHUNK, n - len(out))
            out += [b[i:i + size] for i in range(0, len(b), size)]
        return out

    def put(self, kind, entries):
        for i in range(0, len(entries), CHUNK):
            self.send(kind, b"".join(entries[i:i + CHUNK]))


def client(world, port, party="publisher"):
    return Wire(world, party, socket.create_connection(("127.0.0.1", port)))


def join(world, port, values, bound=4, shift=3, chosen=2, session="spring"):
    """Joins a serving process; (what it sent as RESULT, its terms)."""
    w, b = client(world, port), secrets.randbelow(ORDER - 1) + 1
    w.hello(2, session, bound, shift, delta=1e-6)
    terms = w.read_hello()
    w.send(READY)
    theirs = w.items(ITEMS, 33, terms["bound"]) + w.items(DUMMIES, 33, 2 * shift)
    mine = [value_point(session, v) for v in values] + [dummy_point(session, i) for i in range(chosen)]
    mine += [random_point() for _ in range(bound + 2 * shift - len(mine))]
    w.put(ITEMS, sorted(pack(times(b, p)) for p in mine))
    w.put(TAGS, sorted(tag(times(b, unpack(p))) for p in theirs))
    return struct.unpack(">q", w.want(RESULT))[0], terms


def serve(world, listener, values, bound=4, session="spring", result=None):
    """Serves a joining process; (common tags, its terms, its items, where in TAGS and in the items the common ones are): what a serving side sees."""
    w, a = Wire(world, "brand", listener.accept()[0], server=True), secrets.randbelow(ORDER - 1) + 1
    terms = w.read_hello()
    w.hello(1, session, bound)
    w.want(READY)
    mine = [value_point(session, v) for v in values]
    mine += [random_point() for _ in range(bound - len(mine))]
    w.put(ITEMS, [pack(times(a, p)) for p in mine])
    w.put(DUMMIES, [pack(times(a, dummy_point(session, i))) for i in range(2 * terms["shift"])])
    items = w.items(ITEMS, 33, terms["bound"] + 2 * terms["shift"])
    tags = w.items(TAGS, 16, bound + 2 * terms["shift"])
    own = [tag(times(a, unpack(p))) for p in items]
    both = set(tags) & set(own)
    common = len(both)
    w.send(RESULT, struct.pack(">q", common if result is None else result))
    return common, terms, items, [[i for i, t in enumerate(x) if t in both] for x in (tags, own)]
