"""A private PostgreSQL as upstream, a policy, and an engine without a network (driver.c) for the tests beside this file."""
import base64, hashlib, hmac, json, os, shutil, signal, subprocess, tempfile, time
import psycopg2

BIN = "/usr/lib/postgresql/15/bin"
AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

SCHEMA = """
CREATE SCHEMA brand_raw; CREATE SCHEMA pub_raw;
CREATE TABLE brand_raw.customers (email_fp text, region text, age int, spend numeric, score float8, vip boolean, joined date, seen timestamptz);
CREATE TABLE pub_raw.users (email_fp text, device text, clicks bigint);
INSERT INTO brand_raw.customers SELECT md5('u' || i), (ARRAY['north','south','east','west'])[1 + i %% 4], 18 + i %% 60, (i %% 500) + 0.25,
  (i %% 100) / 10.0, i %% 3 = 0, date '2024-01-01' + i %% 60, timestamptz '2024-03-01 12:00+00' + i * interval '1 minute' FROM generate_series(1, %d) i;
INSERT INTO pub_raw.users SELECT md5('u' || i), CASE WHEN i %% 2 = 0 THEN 'ios' ELSE 'android' END, i %% 20 FROM generate_series(1000, 3000) i;
CREATE TABLE brand_raw.singles AS SELECT email_fp, region, spend, vip FROM brand_raw.customers; ALTER TABLE brand_raw.singles ADD PRIMARY KEY (email_fp);
"""

POLICY = """
version: 1
collaboration: Engine test
upstream: {{ dsn: "host={sockets} port=5432 dbname=postgres user=owner", connections: {connections}, statement_timeout: 20s }}
ledger: {dir}/test.ledger
server:
  workers: 4
  sidecar: {{ dir: {dir} }}
members:
  - {{ name: brand, abilities: [contribute] }}
  - {{ name: publisher, abilities: [contribute, query] }}
  - {{ name: lab, abilities: [query, receive] }}
logins:
  - {{ user: ana, member: publisher, password: "{verifier}" }}
  - {{ user: "bob o'neil", member: lab, password: "{verifier}" }}
privacy_units:
  person: {{ type: text }}
tables:
  - name: brand.customers
    owner: brand
    source: brand_raw.customers
    unit: {{ person: email_fp }}
    rule: differential_privacy
    comment: "who bought; it's a test"
    columns:
      email_fp: {{ type: text, encoding: fingerprint }}
      region: {{ type: text, values: [north, south, east, west] }}
      age: {{ type: integer, bounds: [0, 120] }}
      spend: {{ type: numeric, bounds: [0, 500], grid: 0.01 }}
      score: {{ type: double precision, bounds: [0, 10] }}
      vip: {{ type: boolean }}
      joined: {{ type: date }}
      seen: {{ type: timestamptz }}
    contribution: {{ max_rows: 1, max_groups: 1 }}
  - name: pub.users
    owner: publisher
    source: pub_raw.users
    unit: {{ person: email_fp }}
    rule: differential_privacy
    columns:
      email_fp: {{ type: text, encoding: fingerprint }}
      device: {{ type: text, values: [ios, android] }}
      clicks: {{ type: bigint, bounds: [0, 100] }}
    contribution: {{ max_rows: 1, max_groups: 1 }}
  - name: brand.singles
    owner: brand
    source: brand_raw.singles
    unit: {{ person: email_fp }}
    rule: differential_privacy
    columns:
      email_fp: {{ type: text, encoding: fingerprint, unique: true }}
      region: {{ type: text, values: [north, south, east, west] }}
      spend: {{ type: numeric, bounds: [0, 500], grid: 0.01 }}
      vip: {{ type: boolean }}
    contribution: {{ max_rows: 1, max_groups: 1 }}
budgets:
  - {{ owner: brand, table: singles, analyst: publisher, epsilon: 100, delta: 1e-6, per_query: {{ epsilon: 0.5, max_epsilon: 10 }}, accounting: pure }}
  - {{ owner: brand, table: customers, analyst: publisher, epsilon: 100, delta: 1e-6, per_query: {{ epsilon: 0.5, max_epsilon: 10 }}, accounting: pure }}
  - {{ owner: publisher, table: users, analyst: publisher, epsilon: 100, delta: 1e-6, per_query: {{ epsilon: 0.5, max_epsilon: 10 }}, accounting: pure }}
"""


def verifier(password, salt=b"0123456789abcdef", rounds=4096):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", hashlib.sha256).digest()).digest()
    server = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    b = lambda x: base64.b64encode(x).decode()
    return "SCRAM-SHA-256$%d:%s$%s:%s" % (rounds, b(salt), b(stored), b(server))


class Upstream:
    def __init__(self, directory, rows=2000):
        self.dir, self.data = directory, os.path.join(directory, "up")
        subprocess.run(AS_POSTGRES + [BIN + "/initdb", "-D", self.data, "-U", "owner", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL)
        self.start()
        with self.connect() as c:
            c.cursor().execute(SCHEMA % rows)

    def start(self):
        subprocess.run(AS_POSTGRES + [BIN + "/pg_ctl", "-D", self.data, "-w", "-l", self.data + ".log", "-o",
                       "-c listen_addresses='' -c fsync=off -c log_statement=all -k " + self.dir, "start"], check=True, stdout=subprocess.DEVNULL)

    def stop(self, mode="immediate"):
        subprocess.run(AS_POSTGRES + [BIN + "/pg_ctl", "-D", self.data, "-m", mode, "-w", "stop"], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def connect(self):
        c = psycopg2.connect(host=self.dir, user="owner", dbname="postgres")
        c.autocommit = True
        return c

    def value(self, sql, *args):
        with self.connect() as c:
            cur = c.cursor()
            cur.execute(sql, args)
            return cur.fetchone()[0] if cur.description else None

    def log(self):
        with open(self.data + ".log", "rb") as f:
            return f.read()


class World:
    """One scratch directory with upstream and policy; engines are started in it."""

    def __init__(self, rows=2000, connections=2):
        self.dir = tempfile.mkdtemp(prefix="ngt", dir="/tmp")
        os.chmod(self.dir, 0o777)
        self.upstream = Upstream(self.dir, rows)
        self.policy = os.path.join(self.dir, "policy.yaml")
        with open(self.policy, "w") as f:
            f.write(POLICY.format(sockets=self.dir, dir=self.dir, verifier=verifier("secret"), connections=connections))

    def close(self):
        self.upstream.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def homes(self):
        return [n for n in os.listdir(self.dir) if n.startswith("noisegate-sidecar-")]


class Engine:
    def __init__(self, world, driver):
        self.world = world
        self.log_path = os.path.join(world.dir, "engine.log")
        self.log_file = open(self.log_path, "ab")
        self.p = subprocess.Popen([driver, world.policy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log_file, text=True)
        self.ready = json.loads(self.p.stdout.readline())

    def send(self, *parts):
        self.p.stdin.write("\t".join(parts) + "\n")
        self.p.stdin.flush()

    def receive(self):
        line = self.p.stdout.readline()
        assert line, "the engine ended"
        return json.loads(line)

    def ask(self, *parts):
        self.send(*parts)
        return self.receive()

    def run(self, sql, *params, formats="-"):
        return self.ask("run", formats, sql, *params)

    def rows(self, sql, *params, formats="-"):
        r = self.run(sql, *params, formats=formats)
        assert "rows" in r, r
        return r["rows"]

    def close(self):
        self.p.stdin.close()
        code = self.p.wait(20)
        self.log_file.close()
        return code

    def kill(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        self.log_file.close()

    def log(self):
        with open(self.log_path) as f:
            return f.read()


def wait_until(condition, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
