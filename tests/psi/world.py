"""Two parties with certificates, policies and ledgers; runs of the program; a relay that counts bytes."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

os.umask(0o077)
PARTIES = {"brand": "publisher", "publisher": "brand"}
POLICY = """version: 1
collaboration: spring
upstream: {{ dsn: "host=/nowhere dbname=none user=none" }}
ledger: {ledger}
audit: {{ path: {audit} }}
members:
  - {{ name: brand, abilities: [contribute, query] }}
  - {{ name: publisher, abilities: [contribute, query] }}
privacy_units: {{ person: {{ type: text }} }}
tables:
  - {{ name: {me}.customers, owner: {me}, rule: differential_privacy, unit: {{ person: email }}, contribution: {{ max_rows: 1, max_groups: 1 }},
      columns: {{ email: {{ type: text }} }} }}
budgets:
  - {{ owner: {me}, table: customers, analyst: {peer}, epsilon: {epsilon}, delta: {delta}, accounting: {accounting},
      per_query: {{ epsilon: {query}, max_epsilon: {most}{query_delta} }} }}
"""
failed = 0


def check(name, ok, seen=None):
    global failed
    failed += not ok
    print(("ok " if ok else "not ok ") + name + ("" if ok or seen is None else f"   # {seen}"), flush=True)


class World:
    def __init__(self, ng):
        self.ng, self.dir, self.serial = ng, tempfile.mkdtemp(prefix="noisegate-psi-"), 0
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("NOISEGATE_")}
        self.pins = {}
        for p in [*PARTIES, "stranger"]:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", f"/CN={p}",
                            "-addext", f"subjectAltName=DNS:{p}", "-keyout", self.at(p + ".key"), "-out", self.at(p + ".crt")], check=True, capture_output=True)
            self.pins[p] = subprocess.run(["openssl", "x509", "-in", self.at(p + ".crt"), "-noout", "-fingerprint", "-sha256"], check=True,
                                          capture_output=True, text=True).stdout.split("=")[1].strip()
        self.fresh()

    def close(self):
        shutil.rmtree(self.dir)

    def at(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.at(name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return self.at(name)

    def fresh(self, epsilon=100, delta="1e-3", accounting="pure", query=20, most=50, query_delta=", delta: 1e-6"):
        """Policies with ledgers that nothing was charged to."""
        self.serial += 1
        for p, peer in PARTIES.items():
            for second in ("", "2"):  # an audit log has one writer: of two processes on one ledger each has its own
                self.write(f"{p}{second}.yaml", POLICY.format(me=p, peer=peer, ledger=f"{p}.{self.serial}.ledger", audit=f"{p}{second}.{self.serial}.audit", epsilon=epsilon, delta=delta, accounting=accounting,
                                                              query=query, most=most, query_delta=query_delta))

    def budget(self, party):
        r = subprocess.run([self.ng, "budget", "show", "-c", self.at(party + ".yaml"), "--json"], capture_output=True, text=True, timeout=30, check=True)
        return json.loads(r.stdout)[0]

    def args(self, role, party, values, *more, bound=16, peer_cert=None, tls=None, second=""):
        """The command line of one side; values: a list, or the path of a file."""
        path = values if isinstance(values, str) else self.write(f"{party}.{role}.txt", "".join(v + "\n" for v in values))
        tls = tls or ["--peer-fingerprint", self.pins[peer_cert or PARTIES[party]]]
        return [self.ng, "psi", role, "-c", self.at(party + second + ".yaml"), "--table", party + ".customers", "--peer", PARTIES[party], "--bound", str(bound),
                "--cert", self.at(party + ".crt"), "--key", self.at(party + ".key"), *tls, "--json", *more, path]

    def start(self, values, *more, **how):
        """A serving process; (process, port) when it is ready."""
        ready = self.at("port")
        if os.path.exists(ready):
            os.unlink(ready)
        p = subprocess.Popen(self.args("serve", "brand", values, "--ready-file", ready, *more, **how), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=self.env)
        until = time.monotonic() + 60
        while not os.path.exists(ready):
            if p.poll() is not None or time.monotonic() > until:
                p.kill()
                raise RuntimeError("serve did not start: " + p.communicate()[1])
            time.sleep(0.002)
        return p, int(open(ready).read())

    def join(self, port, values, *more, **how):
        return subprocess.run(self.args("join", "publisher", values, "--connect", f"127.0.0.1:{port}", *more, **how), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, env=self.env)

    def both(self, served, joined, serve_more=(), join_more=(), relay=None, **how):
        """One exchange; (serve's result, join's result), as JSON."""
        p, port = self.start(served, *serve_more, **how)
        try:
            j = self.join(relay.over(port) if relay else port, joined, *join_more, **how)
            out, err = p.communicate(timeout=60)
        finally:
            p.kill()
        if p.returncode or j.returncode:
            raise RuntimeError(f"serve {p.returncode}: {err} join {j.returncode}: {j.stderr}")
        return json.loads(out), json.loads(j.stdout)


class Relay:
    """Forwards one connection and counts the bytes of each direction; cut: closes both after so many bytes of the joining side's, or (negative) the serving side's."""

    def over(self, port, cut=None):
        self.to_serve = self.to_join = 0
        self.cut = cut
        listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run, args=(listener, port), daemon=True)
        self.thread.start()
        return listener.getsockname()[1]

    def run(self, listener, port):
        a = listener.accept()[0]
        listener.close()
        b = socket.create_connection(("127.0.0.1", port))

        def pump(one, other, name):
            while True:
                try:
                    data = one.recv(65536)
                    if not data:
                        other.shutdown(socket.SHUT_WR)
                        return
                    other.sendall(data)
                except OSError:
                    return
                setattr(self, name, getattr(self, name) + len(data))
                if self.cut is not None and (self.to_serve >= self.cut >= 0 or self.to_join >= -self.cut > 0):
                    for s in (one, other):
                        try:
                            s.shutdown(socket.SHUT_RDWR)
                        except OSError:
                            pass
                    return

        back = threading.Thread(target=pump, args=(b, a, "to_join"), daemon=True)
        back.start()
        pump(a, b, "to_serve")
        back.join(10)
        a.close()
        b.close()


def failures():
    return failed


def finish(world):
    world.close()
    sys.exit(failed > 0)
