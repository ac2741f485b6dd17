"""Oversize, unknown, cut off, too many."""
import threading
import time

from pgwire import *

ENDLESS = "SELECT sum(a + b) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"


def test_lengths_that_cannot_be_are_refused_at_once(target):
    for kind in (b"Q", b"P", b"B", b"D", b"E", b"S", b"X", b"d", b"p", b"?"):
        for length in (0x40000000, 0x7fffffff, 0xffffffff, 3, 0):
            w = Wire(target).login()
            w.sock.settimeout(5)
            w.send(kind + struct.pack("!I", length))
            code, body = w.get()
            assert code == b"E" and error_fields(body)["C"] == "08P01" and error_fields(body)["S"] == "FATAL", (kind, length, body)
            assert w.is_closed()


def test_oversize_sasl(target):
    w = Wire(target)
    w.send(startup_packet({"user": "ana"}))
    w.get()
    w.send(b"p" + struct.pack("!I", 1 << 30))
    assert w.get()[0] == b"E" and w.is_closed()


def test_unknown_messages_end_the_session(target):
    for kind in (b"?", b"\0", b"\xff", b"Z", b"p", b"v"):
        w = Wire(target).login()
        w.send(message(kind, b"x"))
        code, body = w.get()
        assert code == b"E" and error_fields(body)["C"] == "08P01", kind
        assert w.is_closed()


def test_disconnects_in_mid_message(target):
    whole = query("SELECT 1") + parse("a", "SELECT $1::int4") + bind("", "a", [b"1"]) + SYNC
    for cut in range(1, len(whole), 7):
        w = Wire(target, tls=cut % 2 == 0).login()
        w.send(whole[:cut])
        w.close()
    assert Wire(target).login().ask("SELECT 1") == [[b"1"]]


def test_byte_by_byte(target):
    w = Wire(target).login()
    for byte in query("SELECT 1"):
        w.send(bytes([byte]))
        time.sleep(0.001)
    assert kinds(w.until_ready()) == b"TDCZ"


def test_announced_bytes_cost_no_memory(target):
    if not target.pid:
        return "skip"
    before = rss(target.pid)
    held = [Wire(target).login() for _ in range(200)]
    for w in held:
        w.send(b"B" + struct.pack("!I", 16 << 20) + b"\0\0")
    time.sleep(1)
    grown = rss(target.pid) - before
    for w in held:
        w.close()
    assert grown < 20 << 20, grown


def test_long_statement_gets_an_error_not_a_hang_up(target):
    w = Wire(target).login()
    w.send(query("SELECT " + "1+" * 1000000 + "1"))
    assert code_of(w.until_ready()) == ["54001"]
    w.send(query("SELECT " + "(" * 50000 + "1" + ")" * 50000))
    assert code_of(w.until_ready())[0] in ("54001", "42601")
    assert w.ask("SELECT 1") == [[b"1"]]


def cancelled(w, sql, act):
    w.send(query(sql))
    time.sleep(0.3)
    act()
    w.sock.settimeout(20)
    messages = w.until_ready()
    return code_of(messages), [error_fields(b)["M"] for k, b in messages if k == b"E"]


def test_cancel_request(target):
    for minor in (0, 2):
        w = Wire(target, tls=minor == 2).login(minor=minor)
        codes, texts = cancelled(w, ENDLESS, w.cancel)
        assert codes == ["57014"] and "user request" in texts[0]
        assert w.ask("SELECT 1") == [[b"1"]]


def test_statement_timeout(target):
    w = Wire(target).login()
    w.ask("SET statement_timeout = 300")
    codes, texts = cancelled(w, ENDLESS, lambda: None)
    assert codes == ["57014"] and "timeout" in texts[0]
    w.ask("SET statement_timeout = 0")
    assert w.ask("SELECT 1") == [[b"1"]]


def test_cancel_of_an_idle_session_hits_nothing(target):
    w = Wire(target).login()
    w.ask("SELECT 1")
    assert w.cancel()
    time.sleep(0.1)
    assert w.ask("SELECT n FROM generate_series(1, 3) AS n") == [[b"1"], [b"2"], [b"3"]]


def test_wrong_cancel_keys_get_no_answer_and_no_effect(target):
    w = Wire(target).login(minor=2)
    w.send(query(ENDLESS))
    time.sleep(0.2)
    for pid, key in ((w.pid, b"\0" * 32), (w.pid, w.key[:4]), (b"\0\0\0\1", w.key), (w.pid, w.key + b"x")):
        other = Wire(target)
        other.send(struct.pack("!ii", 12 + len(key), 80877102) + pid + key)
        assert other.is_closed()
    w.sock.settimeout(0.5)
    try:
        w.get()
        raise AssertionError("it was cancelled")
    except OSError:
        pass
    w.sock.settimeout(20)
    assert w.cancel()
    assert code_of(w.until_ready()) == ["57014"]


def test_cancel_storm(target):
    w = Wire(target).login()
    for _ in range(1500):
        other = Wire(target)
        other.send(struct.pack("!iiii", 16, 80877102, 1, 2))
        other.close()
    assert w.ask("SELECT 1") == [[b"1"]]
    assert Wire(target).login().ask("SELECT 1") == [[b"1"]]
    time.sleep(1)  # the storm's tokens come back
    codes, _ = cancelled(w, ENDLESS, w.cancel)
    assert codes == ["57014"]


def test_log_ins_and_cancels_do_not_wait_for_busy_workers(target):
    busy = [Wire(target).login() for _ in range(8)]
    for w in busy:
        w.send(query(ENDLESS))
    time.sleep(0.3)
    started = time.monotonic()
    late = Wire(target, tls=True).login()
    assert time.monotonic() - started < 3
    for w in busy:
        w.cancel()
    for w in busy:
        w.sock.settimeout(20)
        assert code_of(w.until_ready()) == ["57014"]
    assert late.ask("SELECT 1") == [[b"1"]]


def test_slow_readers_do_not_stop_others(target):
    slow = Wire(target).login()
    for _ in range(40):
        slow.send(query("SELECT n FROM generate_series(1, 50000) AS n"))
    started = time.monotonic()
    assert Wire(target).login().ask("SELECT 1") == [[b"1"]]
    assert time.monotonic() - started < 5
    slow.close()


def test_login_timeout(target):
    silent, greeting = Wire(target, timeout=30), Wire(target, timeout=30)
    half = Wire(target, timeout=30)
    greeting.send(startup_packet({"user": "ana"}))
    half.send(SSL_REQUEST)
    started = time.monotonic()
    for w in (silent, greeting, half):
        assert w.is_closed()
    assert 8 < time.monotonic() - started < 14


def test_idle_in_transaction_timeout(target):
    w = Wire(target).login()
    w.ask("SET idle_in_transaction_session_timeout = '1s'; BEGIN")
    kind, body = w.get()
    assert kind == b"E" and error_fields(body)["C"] == "25P03" and w.is_closed()


def test_many_sessions_at_once(target):
    errors = []

    def one():
        try:
            w = Wire(target, tls=True, timeout=60).login()
            for _ in range(20):
                assert w.ask("SELECT 1") == [[b"1"]]
            w.send(TERMINATE)
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=one) for _ in range(64)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[:3]


def sanitized(pid):
    with open(f"/proc/{pid}/maps") as f:
        maps = f.read()
    return any(name in maps for name in ("libasan", "libtsan", "libclang_rt"))


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def test_a_thousand_idle_tls_sessions_in_40_megabytes(target):
    fresh = target.another() or target
    if not fresh.pid or sanitized(fresh.pid):
        return "skip"
    held = []
    for _ in range(1000):
        held.append(Wire(fresh, tls=True, timeout=60).login())
    for w in held[::10]:
        assert w.ask("SELECT 1") == [[b"1"]]
    time.sleep(0.5)
    size = rss(fresh.pid)
    print(f"     1000 idle TLS sessions: {size / 1048576:.1f} MB resident")
    for w in held:
        w.close()
    assert size < 40 << 20, size
    if fresh is not target:
        fresh.stop()
