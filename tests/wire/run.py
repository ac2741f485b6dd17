#!/usr/bin/python3
"""Raw-socket protocol tests.

  run.py --program PATH [--arguments "serve -c"]   starts PATH [arguments] POLICY in a scratch directory; PATH prints or logs its port
  run.py --port N --user U --password P [--pid PID] against a running proxy (PID: for the memory test)

Ends with "N passed, N failed" and status 1 when any failed.
"""
import argparse
import base64
import hashlib
import hmac
import importlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
MODULES = ["test_startup", "test_simple", "test_extended", "test_settings", "test_hostile", "test_drain"]

POLICY = """version: 1
collaboration: wiretest
upstream: {{ dsn: "host=/nonexistent dbname=x user=x" }}
server:
  listen: 127.0.0.1:0
  tls: {{ cert: cert.pem, key: key.pem, required: {required} }}
  workers: 4
  max_connections: {connections}
members:
  - {{ name: lab, abilities: [contribute, query] }}
logins:
  - {{ user: ana, member: lab, password: "{verifier}" }}
privacy_units:
  person: {{ type: text }}
tables:
  - name: lab.people
    owner: lab
    source: raw.people
    unit: {{ person: id }}
    rule: differential_privacy
    columns:
      id: {{ type: text }}
      age: {{ type: integer, bounds: [0, 120] }}
    contribution: {{ max_rows: 1, max_groups: 1 }}
budgets:
  - {{ owner: lab, table: lab.people, analyst: lab, epsilon: 10, delta: 1e-6, per_query: {{ epsilon: 0.5 }} }}
"""


def verifier(password, iterations=4096):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    text = [base64.b64encode(x).decode() for x in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"


class Target:
    """A proxy under test."""

    def __init__(self, host, port, user, password, pid=None, starter=None):
        self.host, self.port, self.user, self.password, self.pid, self.starter = host, port, user, password, pid, starter

    def another(self, **options):
        """A fresh proxy with other options, for tests that end it; None when the tests run against a given port."""
        return self.starter(**options) if self.starter else None


class Started(Target):
    def __init__(self, program, arguments, directory, required="false", connections=10000):
        path = os.path.join(directory, f"policy-{time.monotonic_ns()}.yaml")
        with open(path, "w") as f:
            f.write(POLICY.format(verifier=verifier("secret"), required=required, connections=connections))
            f.write(f"audit: {{ path: {os.path.basename(path)}.audit }}\n")  # one log a proxy
        os.chmod(path, 0o600)
        self.log = open(path + ".log", "w+")
        self.process = subprocess.Popen([program, *arguments, path], stdout=self.log, stderr=self.log)
        super().__init__("127.0.0.1", self.wait_port(), "ana", "secret", self.process.pid)

    def wait_port(self):
        for _ in range(300):
            with open(self.log.name) as f:
                found = re.search(r'port[ ="]+(\d+)', f.read())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("the proxy did not start: " + open(self.log.name).read())

    def logged(self):
        with open(self.log.name) as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


def certificate(directory):
    key = os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", os.path.join(directory, "cert.pem"),
                    "-days", "2", "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)


def run(target, only):
    passed = failed = 0
    for module in map(importlib.import_module, MODULES):
        for name, test in sorted(vars(module).items()):
            if not name.startswith("test_") or (only and only not in name):
                continue
            started = time.monotonic()
            try:
                outcome = test(target)
                print(f"{'skip' if outcome == 'skip' else 'ok'}   {module.__name__}.{name} ({time.monotonic() - started:.2f} s)", flush=True)
                passed += outcome != "skip"
            except Exception:
                failed += 1
                print(f"FAIL {module.__name__}.{name}\n{traceback.format_exc()}", flush=True)
    return passed, failed


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--program")
    p.add_argument("--arguments", default="")
    p.add_argument("--port", type=int)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--user", default="ana")
    p.add_argument("--password", default="secret")
    p.add_argument("--pid", type=int)
    p.add_argument("--only")
    o = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="noisegate-wire-") as directory:
        if o.port:
            passed, failed = run(Target(o.host, o.port, o.user, o.password, o.pid), o.only)
        else:
            os.chmod(directory, 0o755)
            certificate(directory)
            started = []

            def start(**options):
                started.append(Started(o.program, shlex.split(o.arguments), directory, **options))
                return started[-1]

            try:
                target = start()
                target.starter = start
                passed, failed = run(target, o.only)
                if target.process.poll() is not None:
                    failed += 1
                    print("FAIL the proxy died during the tests:\n" + target.logged()[-3000:])
            finally:
                for one in started:
                    one.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
