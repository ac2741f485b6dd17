"""Simple query, transactions, cursors."""
from pgwire import *


def fails(w, sql, code):
    w.send(query(sql))
    messages = w.until_ready()
    assert code_of(messages) == [code], (sql, messages)
    return messages


def test_one_statement(target):
    w = Wire(target).login()
    w.send(query("SELECT 1"))
    messages = w.until_ready()
    assert kinds(messages) == b"TDCZ" and tags(messages) == ["SELECT 1"] and status(messages) == b"I"


def test_empty_queries(target):
    w = Wire(target).login()
    for sql in ("", " ", ";", "/* ping */", "-- x"):
        w.send(query(sql))
        assert kinds(w.until_ready()) == b"IZ", sql


def test_several_statements_and_an_error_in_the_middle(target):
    w = Wire(target).login()
    w.send(query("SELECT 1; SHOW server_encoding; SELECT 1"))
    assert kinds(w.until_ready()) == b"TDCTDCTDCZ"
    w.send(query("SELECT 1; SELECT * FROM missing_table; SELECT 1"))
    messages = w.until_ready()
    assert kinds(messages) == b"TDCEZ" and code_of(messages) == ["42P01"]
    position = [error_fields(b).get("P") for k, b in messages if k == b"E"][0]
    assert position == str("SELECT 1; SELECT * FROM missing_table".index("missing_table") + 1), position


def test_error_then_session_goes_on(target):
    w = Wire(target).login()
    fails(w, "SELEC 1", "42601")
    assert w.ask("SELECT 1") == [[b"1"]]


def test_transaction_states(target):
    w = Wire(target).login()

    def state(sql):
        w.send(query(sql))
        messages = w.until_ready()
        return tags(messages), status(messages), code_of(messages)

    assert state("BEGIN") == (["BEGIN"], b"T", [])
    assert state("SELECT 1") == (["SELECT 1"], b"T", [])
    assert state("SELECT * FROM missing_table") == ([], b"E", ["42P01"])
    assert state("SELECT 1") == ([], b"E", ["25P02"])
    assert state("SHOW timezone") == ([], b"E", ["25P02"])
    assert state("COMMIT") == (["ROLLBACK"], b"I", [])
    assert state("START TRANSACTION ISOLATION LEVEL READ COMMITTED") == (["START TRANSACTION"], b"T", [])
    assert state("SAVEPOINT a") == (["SAVEPOINT"], b"T", [])
    assert state("SELECT * FROM missing_table")[1] == b"E"
    assert state("ROLLBACK TO SAVEPOINT a") == (["ROLLBACK"], b"T", [])
    assert state("RELEASE a") == (["RELEASE"], b"T", [])
    assert state("ROLLBACK TO a") == ([], b"E", ["3B001"])
    assert state("ROLLBACK") == (["ROLLBACK"], b"I", [])
    assert state("SAVEPOINT a") == ([], b"I", ["25P01"])


def test_warnings_outside_and_inside_transactions(target):
    w = Wire(target).login()
    for sql, code in (("COMMIT", "25P01"), ("ROLLBACK", "25P01"), ("BEGIN; BEGIN", "25001")):
        w.send(query(sql))
        notices = [error_fields(b) for k, b in w.until_ready() if k == b"N"]
        assert [n["C"] for n in notices] == [code] and notices[0]["S"] == "WARNING", (sql, notices)
    w.ask("ROLLBACK")
    w.ask("SET client_min_messages = error")
    w.send(query("COMMIT"))
    assert kinds(w.until_ready()) == b"CZ"


def test_cursor_over_one_result(target):
    w = Wire(target).login()
    fails(w, "DECLARE c CURSOR FOR SELECT 1", "25P01")
    w.send(query("BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT n FROM generate_series(1, 5) AS n; FETCH 2 IN c"))
    messages = w.until_ready()
    assert tags(messages) == ["BEGIN", "DECLARE CURSOR", "FETCH 2"] and result(messages) == [[b"1"], [b"2"]]
    w.send(query("MOVE 1 IN c; FETCH ALL FROM c; FETCH NEXT FROM c"))
    messages = w.until_ready()
    assert tags(messages) == ["MOVE 1", "FETCH 2", "FETCH 0"] and result(messages) == [[b"4"], [b"5"]]
    w.send(query("SAVEPOINT s; DECLARE c CURSOR FOR SELECT 1"))
    assert code_of(w.until_ready()) == ["42P03"]
    w.send(query("ROLLBACK TO s; CLOSE c; FETCH 1 FROM c"))
    assert code_of(w.until_ready()) == ["34000"]
    w.ask("ROLLBACK")


def test_held_cursors_outlive_their_transaction_and_others_do_not(target):
    w = Wire(target).login()
    w.ask('DECLARE "Held FOR" CURSOR WITH HOLD FOR SELECT 1')
    w.ask("BEGIN; DECLARE plain CURSOR FOR SELECT 1; COMMIT")
    assert w.ask('FETCH ALL FROM "Held FOR"') == [[b"1"]]
    fails(w, "FETCH 1 FROM plain", "34000")
    assert w.ask("BEGIN; DECLARE gone CURSOR WITH HOLD FOR SELECT 1; ROLLBACK") == []
    fails(w, "FETCH 1 FROM gone", "34000")
    w.ask("CLOSE ALL")
    fails(w, 'FETCH 1 FROM "Held FOR"', "34000")


def test_binary_cursor(target):
    w = Wire(target).login()
    w.send(query("BEGIN; DECLARE b BINARY CURSOR FOR SELECT 1; FETCH 1 FROM b; COMMIT"))
    messages = w.until_ready()
    assert result(messages) == [[b"\0\0\0\1"]]
    fields = [b for k, b in messages if k == b"T"][0]
    assert fields[-2:] == b"\0\1", fields


def test_refused_statements_leave_the_session_alive(target):
    w = Wire(target).login()
    for sql in ("COPY lab.people TO STDOUT", "LISTEN x", "DELETE FROM lab.people", "CREATE TABLE t (a int)", "DO $$begin end$$",
                "PREPARE p AS SELECT 1"):
        w.send(query(sql))
        messages = w.until_ready()
        code = code_of(messages)
        assert len(code) == 1 and code[0][:2] == "42", (sql, messages)
        assert not code[0].startswith("0A")
    assert w.ask("UNLISTEN *; SELECT 1") == [[b"1"]]
    w.send(message(b"F", struct.pack("!ihhh", 1, 0, 0, 0)))
    assert code_of(w.until_ready()) == ["42601"]
    w.send(message(b"d", b"x" * 100), message(b"c"), message(b"f", b"why\0"), query("SELECT 1"))
    assert kinds(w.until_ready()) == b"TDCZ"


def test_discard_all(target):
    w = Wire(target).login()
    w.ask("SET application_name = 'x'; DECLARE h CURSOR WITH HOLD FOR SELECT 1")
    w.send(parse("s", "SELECT 1"), SYNC)
    w.until_ready()
    w.send(query("DISCARD ALL"))
    messages = w.until_ready()
    assert tags(messages) == ["DISCARD ALL"] and (b"S", b"application_name\0\0") in messages
    fails(w, "FETCH 1 FROM h", "34000")
    fails(w, "DEALLOCATE s", "26000")
    w.ask("BEGIN")
    fails(w, "DISCARD ALL", "25001")
    w.ask("ROLLBACK")


def test_pool_reset_string(target):
    w = Wire(target).login()
    w.ask("SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;DISCARD SEQUENCES;DISCARD TEMP")
    assert w.ask("SELECT 1") == [[b"1"]]
