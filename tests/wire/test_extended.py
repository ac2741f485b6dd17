"""Extended query protocol."""
from pgwire import *

SERIES = "SELECT n FROM generate_series(1, 10) AS n"


def test_the_usual_round(target):
    w = Wire(target).login()
    w.send(parse("", "SELECT $1::int4"), describe(b"S", ""), bind("", "", [b"42"]), describe(b"P", ""), execute(""), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"1tT2TDCZ" and result(messages) == [[b"42"]]
    assert messages[1][1] == struct.pack("!hI", 1, 23)


def test_binary_results_and_parameters(target):
    w = Wire(target).login()
    w.send(parse("", "SELECT $1::int4", [23]), bind("", "", [struct.pack("!i", 7)], [1], [1]), describe(b"P", ""), execute(""), SYNC)
    messages = w.until_ready()
    assert result(messages) == [[struct.pack("!i", 7)]]
    assert [b for k, b in messages if k == b"T"][0][-2:] == b"\0\1"


def test_null_parameter(target):
    w = Wire(target).login()
    w.send(parse("", "SELECT $1::int4"), bind("", "", [None]), execute(""), SYNC)
    assert result(w.until_ready()) == [[None]]


def test_portal_suspension(target):
    w = Wire(target).login()
    w.send(query("BEGIN"))
    w.until_ready()
    w.send(parse("s", SERIES), bind("p", "s"), execute("p", 4), execute("p", 4), execute("p", 4), execute("p", 4), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"12DDDDsDDDDsDDCCZ" and tags(messages) == ["SELECT 2", "SELECT 0"]
    w.send(bind("q", "s"), execute("q", 3), SYNC)
    assert kinds(w.until_ready()) == b"2DDDsZ"
    w.send(execute("q", 3), SYNC)  # a portal lives on after Sync within a transaction
    assert result(w.until_ready()) == [[b"4"], [b"5"], [b"6"]]
    w.ask("COMMIT")
    w.send(execute("q", 3), SYNC)
    assert code_of(w.until_ready()) == ["34000"]


def test_portals_end_with_sync_outside_transactions(target):
    w = Wire(target).login()
    w.send(parse("", SERIES), bind("p", ""), execute("p", 3), SYNC)
    w.until_ready()
    w.send(execute("p", 3), SYNC)
    assert code_of(w.until_ready()) == ["34000"]


def test_flush_pushes_answers(target):
    w = Wire(target).login()
    w.send(parse("", SERIES), describe(b"S", ""), FLUSH)
    assert [w.get()[0] for _ in range(3)] == [b"1", b"t", b"T"]
    w.send(bind("", ""), execute("", 2), FLUSH)
    assert [w.get()[0] for _ in range(4)] == [b"2", b"D", b"D", b"s"]
    w.send(SYNC)
    assert kinds(w.until_ready()) == b"Z"


def test_two_statements_in_one_parse(target):
    w = Wire(target).login()
    w.send(parse("", "SELECT 1; SELECT 1"), bind("", ""), execute(""), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"EZ" and code_of(messages) == ["42601"]
    assert "multiple commands" in error_fields(messages[0][1])["M"]


def test_error_skips_to_sync_and_pipeline_goes_on(target):
    w = Wire(target).login()
    good = parse("", "SELECT 1") + bind("", "") + execute("")
    bad = parse("", "SELECT * FROM missing_table") + bind("", "") + execute("")
    w.send(good, bad, good, query("SELECT 1"), SYNC, good, SYNC, bad, SYNC, good, SYNC)
    assert kinds(w.until_ready()) == b"12DCEZ"
    assert kinds(w.until_ready()) == b"12DCZ"
    assert kinds(w.until_ready()) == b"EZ"
    assert kinds(w.until_ready()) == b"12DCZ"


def test_many_pipelined_syncs(target):
    w = Wire(target).login()
    w.send((parse("", "SELECT 1") + bind("", "") + execute("") + SYNC) * 500)
    for _ in range(500):
        assert kinds(w.until_ready()) == b"12DCZ"


def test_names(target):
    w = Wire(target).login()
    w.send(parse("a", "SELECT 1"), SYNC)
    w.until_ready()
    for part, code in ((parse("a", "SELECT 1"), "42P05"), (bind("", "zz"), "26000"), (describe(b"S", "zz"), "26000"), (describe(b"P", "zz"), "34000"),
                       (execute("zz"), "34000"), (bind("", "a", [b"1"]), "08P01"), (bind("", "a", [], [], [0, 0, 0]), "08P01"),
                       (bind("", "a", [], [], [7]), "22023"), (message(b"D", b"Z\0"), "08P01"), (message(b"B", b"\0"), "08P01"),
                       (message(b"E", b"no zero"), "08P01")):
        w.send(part, SYNC)
        messages = w.until_ready()
        assert code_of(messages) == [code], (part, messages)
    w.send(close(b"S", "a"), close(b"S", "never was"), close(b"P", "nor this"), parse("a", "SELECT 1"), SYNC)
    assert kinds(w.until_ready()) == b"3331Z"
    w.ask("DEALLOCATE a")
    w.send(bind("", "a"), SYNC)
    assert code_of(w.until_ready()) == ["26000"]


def test_portal_outlives_its_statement(target):
    w = Wire(target).login()
    w.send(parse("a", SERIES), bind("p", "a"), close(b"S", "a"), execute("p"), SYNC)
    assert kinds(w.until_ready()) == b"123" + b"D" * 10 + b"CZ"


def test_commands_by_execute(target):
    w = Wire(target).login()

    def run(sql, rows=0):
        w.send(parse("", sql), bind("", ""), describe(b"P", ""), execute("", rows), SYNC)
        return w.until_ready()

    for sql, tag, state in (("BEGIN", "BEGIN", b"T"), ("SET extra_float_digits = 3", "SET", b"T"), ("SAVEPOINT a", "SAVEPOINT", b"T"), ("COMMIT", "COMMIT", b"I"),
                            ("DISCARD ALL", "DISCARD ALL", b"I"), ("DEALLOCATE ALL", "DEALLOCATE ALL", b"I"), ("BEGIN", "BEGIN", b"T"), ("ROLLBACK", "ROLLBACK", b"I")):
        messages = run(sql, 1)
        assert kinds(messages) in (b"12nCZ", b"12nCSZ") and tags(messages) == [tag] and status(messages) == state, (sql, messages)
    assert kinds(run("")) == b"12nIZ"
    w.send(parse("", "SET extra_float_digits = 2"), bind("", ""), execute(""), execute(""), SYNC)
    assert code_of(w.until_ready()) == ["55000"]
    assert w.ask("SHOW extra_float_digits") == [[b"1"]]  # the implicit transaction rolled back


def test_failed_transaction_refuses_parse_and_takes_rollback(target):
    w = Wire(target).login()
    w.ask("BEGIN")
    w.send(parse("", "SELECT * FROM missing_table"), SYNC)
    assert status(w.until_ready()) == b"E"
    w.send(parse("", "SELECT 1"), SYNC)
    messages = w.until_ready()
    assert code_of(messages) == ["25P02"] and status(messages) == b"E"
    w.send(parse("", "ROLLBACK"), bind("", ""), execute(""), SYNC)
    assert status(w.until_ready()) == b"I"


def test_sql_cursor_through_protocol(target):
    w = Wire(target).login()
    w.ask(f"BEGIN; DECLARE c CURSOR FOR {SERIES}")
    w.send(describe(b"P", "c"), SYNC)
    assert kinds(w.until_ready()) == b"TZ"
    w.send(parse("", "FETCH 3 FROM c"), describe(b"S", ""), bind("", ""), describe(b"P", ""), execute("", 2), execute("", 2), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"1tT2TDDsDCZ" and result(messages) == [[b"1"], [b"2"], [b"3"]]
    w.send(parse("", "FETCH 3 FROM c"), bind("", "", [], [], [1]), execute(""), SYNC)
    messages = w.until_ready()
    assert code_of(messages) == ["55000"] and "BINARY" in error_fields([b for k, b in messages if k == b"E"][0])["H"]
    w.ask("ROLLBACK")


def test_cursor_with_parameters(target):
    w = Wire(target).login()
    w.ask("BEGIN")
    w.send(parse("", "DECLARE c CURSOR FOR SELECT $1::int4"), describe(b"S", ""), bind("", "", [b"5"]), execute(""), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"1tn2CZ", messages
    assert w.ask("FETCH ALL FROM c") == [[b"5"]]
    w.ask("COMMIT")


def test_text_is_checked(target):
    w = Wire(target).login()
    w.send(query(b"SELECT '\xff\xfe'"))
    assert code_of(w.until_ready()) == ["22021"]
    w.send(query(b"SELECT 1\0 -- hidden"))
    assert code_of(w.until_ready()) == ["22021"]
    w.send(parse("", b"SELECT '\xc0\xaf'"), SYNC)
    assert code_of(w.until_ready()) == ["22021"]
    for value in (b"a\0b", b"\xed\xa0\x80"):
        w.send(parse("", "SELECT $1::text"), bind("", "", [value]), SYNC)
        messages = w.until_ready()
        assert kinds(messages) == b"1EZ" and code_of(messages) == ["22021"], messages
    assert w.ask("SELECT 1") == [[b"1"]]


def test_describe_spends_nothing_and_refusals_come_at_parse(target):
    w = Wire(target).login()
    w.send(parse("", "SELECT 1 FROM lab.people"), SYNC)
    messages = w.until_ready()
    assert kinds(messages) in (b"EZ", b"1Z")
    assert w.ask("SELECT 1") == [[b"1"]]
