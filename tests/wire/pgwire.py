"""A raw client of protocol 3.x for tests: sends exactly the bytes it is told to, reads typed messages, logs in with SCRAM."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def cstr(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def startup_packet(params, minor=0, major=3):
    body = struct.pack("!HH", major, minor)
    for name, value in params.items():
        body += cstr(name) + cstr(value)
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


def query(sql):
    return message(b"Q", cstr(sql))


def parse(name, sql, oids=()):
    return message(b"P", cstr(name) + cstr(sql) + struct.pack("!h", len(oids)) + b"".join(struct.pack("!I", o) for o in oids))


def bind(portal, name, values=(), formats=(), results=()):
    body = cstr(portal) + cstr(name) + struct.pack("!h", len(formats)) + b"".join(struct.pack("!h", f) for f in formats)
    body += struct.pack("!h", len(values))
    for v in values:
        body += struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v
    return message(b"B", body + struct.pack("!h", len(results)) + b"".join(struct.pack("!h", f) for f in results))


def describe(kind, name):
    return message(b"D", kind + cstr(name))


def execute(portal, max_rows=0):
    return message(b"E", cstr(portal) + struct.pack("!I", max_rows))


def close(kind, name):
    return message(b"C", kind + cstr(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


class Closed(Exception):
    pass


class Wire:
    def __init__(self, target, tls=False, direct=False, timeout=10):
        self.target = target
        self.sock = socket.create_connection((target.host, target.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = False
        self.pid = self.key = None
        self.parameters = {}
        self.buffer = b""
        if tls or direct:
            self.start_tls(direct)

    def start_tls(self, direct=False, alpn=True):
        if not direct:
            self.send(SSL_REQUEST)
            answer = self.sock.recv(1)
            assert answer == b"S", answer
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(["postgresql"])
        self.sock = context.wrap_socket(self.sock)
        self.tls = True

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))

    def read(self, n):
        while len(self.buffer) < n:
            try:
                chunk = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):
                chunk = b""
            if not chunk:
                raise Closed()
            self.buffer += chunk
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def get(self):
        """One message: (type, body)."""
        head = self.read(5)
        return head[:1], self.read(struct.unpack("!i", head[1:])[0] - 4)

    def until_ready(self):
        out = []
        while True:
            kind, body = self.get()
            out.append((kind, body))
            if kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            if kind == b"Z":
                return out

    def is_closed(self):
        """True when the server hangs up; what it says before is read and thrown away."""
        try:
            while True:
                self.get()
        except (Closed, OSError):
            return True

    def close(self):
        self.sock.close()

    # --- log-in ---

    def login(self, user=None, password=None, minor=0, plus=None, **params):
        user = user or self.target.user
        self.send(startup_packet({"user": user, "database": "any", **params}, minor))
        kind, body = self.get()
        self.negotiated = None
        if kind == b"v":
            self.negotiated = body
            kind, body = self.get()
        if kind == b"E":
            raise ServerError(body)
        assert kind == b"R" and struct.unpack("!i", body[:4])[0] == 10, (kind, body)
        self.mechanisms = body[4:].rstrip(b"\0").split(b"\0")
        self.scram(password or self.target.password, plus)
        self.until_login_done()
        return self

    def scram(self, password, plus):
        plus = (b"SCRAM-SHA-256-PLUS" in self.mechanisms) if plus is None else plus
        gs2, binding = (b"p=tls-server-end-point,,", self.end_point()) if plus else (b"n,,", b"")
        nonce = base64.b64encode(os.urandom(18))
        first = b"n=,r=" + nonce
        mechanism = b"SCRAM-SHA-256-PLUS" if plus else b"SCRAM-SHA-256"
        data = gs2 + first
        self.send(message(b"p", cstr(mechanism) + struct.pack("!i", len(data)) + data))
        server_first = self.sasl(11)
        fields = dict(f.split(b"=", 1) for f in server_first.split(b","))
        assert fields[b"r"].startswith(nonce)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = b"c=" + base64.b64encode(gs2 + binding) + b",r=" + fields[b"r"]
        auth = first + b"," + server_first + b"," + without_proof
        signature = hmac.digest(hashlib.sha256(client_key).digest(), auth, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.send(message(b"p", without_proof + b",p=" + base64.b64encode(proof)))
        final = self.sasl(12)
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        assert final == b"v=" + base64.b64encode(hmac.digest(server_key, auth, "sha256")), "server signature"

    def end_point(self):
        return hashlib.sha256(self.sock.getpeercert(binary_form=True)).digest()

    def sasl(self, code):
        kind, body = self.get()
        if kind == b"E":
            raise ServerError(body)
        assert kind == b"R" and struct.unpack("!i", body[:4])[0] == code, (kind, body)
        return body[4:]

    def until_login_done(self):
        for kind, body in self.until_ready():
            if kind == b"K":
                self.pid, self.key = body[:4], body[4:]

    # --- convenience ---

    def ask(self, sql):
        """Simple query: rows as lists of bytes, ServerError on error (after ReadyForQuery)."""
        self.send(query(sql))
        return result(self.until_ready())

    def cancel(self):
        other = Wire(self.target)
        other.send(struct.pack("!ii", 12 + len(self.key), 80877102) + self.pid + self.key)
        closed = other.is_closed()
        other.close()
        return closed


class ServerError(Exception):
    def __init__(self, body):
        self.fields = error_fields(body)
        super().__init__(self.fields)

    @property
    def code(self):
        return self.fields["C"]


def error_fields(body):
    return {f[:1].decode(): f[1:].decode() for f in body.split(b"\0") if f}


def row(body):
    count, at, out = struct.unpack("!h", body[:2])[0], 2, []
    for _ in range(count):
        n = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        out.append(None if n < 0 else body[at:at + n])
        at += max(n, 0)
    return out


def result(messages):
    for kind, body in messages:
        if kind == b"E":
            raise ServerError(body)
    return [row(body) for kind, body in messages if kind == b"D"]


def kinds(messages):
    return b"".join(k for k, _ in messages)


def tags(messages):
    return [body.rstrip(b"\0").decode() for kind, body in messages if kind == b"C"]


def status(messages):
    return messages[-1][1]


def code_of(messages):
    return [error_fields(b)["C"] for k, b in messages if k == b"E"]
