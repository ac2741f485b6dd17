#!/usr/bin/python3
"""The command line: serve starts, says so, stops; exit codes.  usage: test_serve.py NOISEGATE"""
import os, re, signal, socket, subprocess, sys, threading, time, traceback
import psycopg, psycopg2
from world import World, wait_until

NOISEGATE = sys.argv[1]
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # it needs ptrace, which serve forbids; test_engine.py looks for leaks
w = World(rows=100)


class Serve:
    def __init__(self, *more, env=None):
        self.ready = os.path.join(w.dir, "ready")
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        self.err = open(w.dir + "/serve.log", "w+")
        self.p = subprocess.Popen([NOISEGATE, "serve", "-c", w.policy, "--listen", "127.0.0.1:0", "--ready-file", self.ready] + list(more),
                                  stdout=subprocess.PIPE, stderr=self.err, text=True, env=dict(os.environ, **(env or {})))
        self.line = self.p.stdout.readline()
        assert self.line, open(w.dir + "/serve.log").read()
        self.port = int(open(self.ready).read())

    def connect(self, user="ana", password="secret"):
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=user, password=password, dbname="any")


def run(*args):
    return subprocess.run([NOISEGATE] + list(args), capture_output=True, text=True, timeout=30)


def test_serves_and_stops_on_sigterm_and_sigint():
    for sig in (signal.SIGTERM, signal.SIGINT):
        s = Serve()
        assert re.match(r'noisegate: serving "Engine test" on 127\.0\.0\.1:%d$' % s.port, s.line), s.line
        c = s.connect()
        cur = c.cursor()
        cur.execute("SELECT region, count(*) FROM brand.customers GROUP BY region")
        assert len(cur.fetchall()) == 4
        s.p.send_signal(sig)
        assert s.p.wait(15) == 0
        assert w.homes() == [], "the sidecar's directory is removed"


CUBE = "SELECT region, vip, grouping(region, vip) AS g, count(*) AS n FROM brand.singles WHERE region IN ('north', 'south', 'east', {}) GROUP BY CUBE (region, vip)"


def adds_up(rows):
    """Rows of CUBE (region, vip): the four sets, each total the sum of its rows."""
    sets = {g: {(r, v): int(n) for r, v, h, n in rows if int(h) == g} for g in range(4)}
    (total,) = sets[3].values()
    return [len(x) for x in sets.values()] == [12, 4, 3, 1] and all(sum(x.values()) == total for x in sets.values()) and \
        all(n == sum(m for (x, _), m in sets[0].items() if x == r) for (r, _), n in sets[1].items()) and \
        all(n == sum(m for (_, y), m in sets[0].items() if y == v) for (_, v), n in sets[2].items())


def test_a_cube_adds_up_in_both_protocols():
    s = Serve()
    dsn = "host=127.0.0.1 port=%d user=ana password=secret dbname=x" % s.port
    try:
        r = subprocess.run(["psql", "-X", "-A", "-t", "-F", ",", dsn, "-c", CUBE.format("'west'")], capture_output=True, text=True, timeout=30)
        rows = [tuple(x.split(",")) for x in r.stdout.split()]
        assert r.returncode == 0 and adds_up(rows), (rows, r.stderr)
        with psycopg.connect(dsn, autocommit=True) as c:
            for binary in (False, True):
                rows = c.execute(CUBE.format("%s"), ["west"], binary=binary, prepare=True).fetchall()
                assert adds_up(rows), (binary, rows)
    finally:
        s.p.send_signal(signal.SIGTERM)
        s.p.wait(15)


def test_second_signal_ends_at_once():
    s = Serve()
    with w.upstream.connect() as c:
        c.cursor().execute("ALTER TABLE brand_raw.customers RENAME TO hidden; CREATE FUNCTION brand_raw.slow() RETURNS boolean LANGUAGE sql VOLATILE AS "
                           "'SELECT pg_sleep(15) IS NOT NULL'; CREATE VIEW brand_raw.customers AS SELECT h.* FROM brand_raw.hidden h, "
                           "(SELECT brand_raw.slow() AS s OFFSET 0) z WHERE z.s")
    try:
        q = subprocess.Popen(["psql", "-X", "host=127.0.0.1 port=%d user=ana password=secret dbname=x" % s.port, "-c", "SELECT count(*) FROM brand.customers"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: w.upstream.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'noisegate' AND state = 'active'") > 0)
        s.p.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert s.p.poll() is None, "a running statement may finish"
        s.p.send_signal(signal.SIGTERM)
        assert s.p.wait(3) == 1
        q.wait(5)
    finally:
        with w.upstream.connect() as c:
            cur = c.cursor()
            cur.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'noisegate'")
            cur.execute("DROP VIEW brand_raw.customers; DROP FUNCTION brand_raw.slow(); ALTER TABLE brand_raw.hidden RENAME TO customers")


def test_more_sessions_than_connections_wait_their_turn():
    s = Serve()
    errors, answers = [], []

    def client(i):
        try:
            c = s.connect()
            c.autocommit = True
            cur = c.cursor()
            for _ in range(5):
                cur.execute("SET noisegate.epsilon = 0.01")
                cur.execute("SELECT region, count(*) AS n FROM brand.customers GROUP BY region ORDER BY n")
                answers.append(len(cur.fetchall()))
                cur.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'customers'")
                answers.append(cur.fetchone()[0])
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not errors, errors[:3]
    assert sorted(answers) == [1] * 80 + [4] * 80
    used = w.upstream.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'noisegate'")
    assert used <= 2, used
    s.p.terminate()
    assert s.p.wait(15) == 0


def test_tells_systemd():
    path = os.path.join(w.dir, "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(10)
    s = Serve(env={"NOTIFY_SOCKET": path})
    assert sock.recv(100) == b"READY=1"
    s.p.terminate()
    assert sock.recv(100) == b"STOPPING=1" and s.p.wait(15) == 0
    sock.close()


def test_no_core_and_no_ptrace():
    s = Serve()
    # /proc/PID of a process that cannot be dumped belongs to root; no_new_privs shows in its status
    assert os.stat("/proc/%d/mem" % s.p.pid).st_uid == 0
    assert "NoNewPrivs:\t1" in open("/proc/%d/status" % s.p.pid).read()
    s.p.terminate()
    assert s.p.wait(15) == 0


def test_sidecar_processes_do_not_run_as_root():
    s = Serve()
    out = subprocess.run(["pgrep", "-f", os.path.join(w.dir, w.homes()[0])], capture_output=True, text=True).stdout.split()
    assert out and all(os.stat("/proc/" + p).st_uid != 0 for p in out)
    s.p.terminate()
    assert s.p.wait(15) == 0


def test_policy_errors_are_all_printed():
    bad = os.path.join(w.dir, "bad.yaml")
    open(bad, "w").write(open(w.policy).read().replace("type: boolean", "type: bolean").replace("owner: publisher", "owner: publishers").replace("version: 1", "version: 1\nnonsense: 2"))
    r = run("serve", "-c", bad)
    assert r.returncode == 1 and len(re.findall(r"bad\.yaml:\d+:\d+: ", r.stderr)) >= 3, r.stderr


def test_upstream_that_does_not_match_is_refused_and_one_that_is_down_is_not():
    text = open(w.policy).read()
    other = os.path.join(w.dir, "other.yaml")
    open(other, "w").write(text.replace("joined: { type: date }", "joined: { type: timestamp }"))
    r = run("serve", "-c", other, "--listen", "127.0.0.1:0")
    assert r.returncode == 1 and 'column "joined"' in r.stderr and w.homes() == [], r.stderr
    w.upstream.stop()
    try:
        s = Serve()
        try:
            s.connect().cursor().execute("SELECT count(*) FROM brand.customers")
            raise AssertionError("answered without an upstream")
        except psycopg2.Error as e:
            assert "could not connect to the upstream" in str(e), e
        s.p.terminate()
        assert s.p.wait(15) == 0
    finally:
        w.upstream.start()


def test_exit_codes():
    assert run("version").returncode == 0 and run("help").returncode == 0
    assert run().returncode == 2 and run("nonsense").returncode == 2 and run("serve").returncode == 2
    assert run("serve", "-c", w.policy, "--listen", "nonsense").returncode == 2
    assert run("serve", "-c", "/nowhere.yaml").returncode == 1


def main():
    passed = failed = 0
    try:
        for name, f in [(n, f) for n, f in globals().items() if n.startswith("test_") and (len(sys.argv) < 3 or any(a in n for a in sys.argv[2:]))]:
            try:
                f()
                passed += 1
                print("ok   %s" % name, flush=True)
            except Exception:
                failed += 1
                print("FAIL %s\n%s" % (name, traceback.format_exc(limit=-2)), flush=True)
    finally:
        w.close()
    print("serve: %d passed, %d failed" % (passed, failed))
    return failed > 0


sys.exit(main())
