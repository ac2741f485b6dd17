"""server_stop: idle sessions are told, running ones finish, nothing new comes in."""
import signal
import time

from pgwire import *
from test_hostile import ENDLESS


def test_drain(target):
    fresh = target.another()
    if not fresh:
        return "skip"
    idle, open_block, busy = Wire(fresh).login(), Wire(fresh, tls=True).login(), Wire(fresh).login()
    open_block.ask("BEGIN")
    busy.send(query(ENDLESS))
    time.sleep(0.5)
    fresh.process.send_signal(signal.SIGTERM)
    for w in (idle, open_block):
        kind, body = w.get()
        assert kind == b"E" and error_fields(body)["C"] == "57P01" and error_fields(body)["S"] == "FATAL"
        assert w.is_closed()
    try:
        late = Wire(fresh)
        late.send(startup_packet({"user": "ana"}))
        assert late.is_closed()
    except OSError:
        pass
    time.sleep(1)
    assert fresh.process.poll() is None, "did not wait for the running statement"
    busy.sock.settimeout(45)
    kind, body = busy.get()
    # the sidecar has a timeout of its own that may come first
    text = error_fields(body)["M"]
    assert kind == b"E" and error_fields(body)["C"] == "57014" and ("shutting down" in text or "timeout" in text), body
    assert fresh.process.wait(20) == 0


def test_stop_without_sessions_is_quick(target):
    fresh = target.another()
    if not fresh:
        return "skip"
    started = time.monotonic()
    assert fresh.stop() == 0 and time.monotonic() - started < 10


def test_log_has_no_statement_text_and_no_secrets(target):
    fresh = target.another()
    if not fresh:
        return "skip"
    w = Wire(fresh).login()
    for sql in ("SELECT 'canary-literal' FROM missing_table", "SELEC canary_word", "SET timezone = 'canary/zone'"):
        w.send(query(sql))
        w.until_ready()
    w.send(parse("", "SELECT $1::int4"), bind("", "", [b"canary-parameter"]), execute(""), SYNC)
    w.until_ready()
    try:
        Wire(fresh).login(password="canary-password")
    except ServerError:
        pass
    w.close()
    fresh.stop()
    log = fresh.logged()
    assert "session opened" in log and "authentication failed" in log and "statement refused" in log
    assert "canary" not in log, [line for line in log.splitlines() if "canary" in line]
