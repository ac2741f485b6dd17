"""SET, SHOW, RESET and what clients are told of it."""
from pgwire import *


def refuses(w, sql, code):
    w.send(query(sql))
    messages = w.until_ready()
    assert code_of(messages) == [code], (sql, messages)
    return [error_fields(b) for k, b in messages if k == b"E"][0]


def show(w, name):
    return w.ask(f"SHOW {name}")[0][0].decode()


def test_changes_are_reported(target):
    w = Wire(target).login()
    w.send(query("SET application_name = 'me'"))
    messages = w.until_ready()
    assert kinds(messages) == b"CSZ" and messages[1][1] == b"application_name\0me\0"
    w.send(query("SET extra_float_digits = 3"))
    assert kinds(w.until_ready()) == b"CZ"


def test_spellings(target):
    w = Wire(target).login()
    for sql, name, value in (("SET client_encoding TO 'UNICODE'", "client_encoding", "UTF8"), ("SET TIME ZONE 'utc'", "timezone", "UTC"),
                             ("SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE", "timezone", "UTC"), ("SET timezone TO 'europe/paris'", "TIME ZONE", "Europe/Paris"),
                             ("SET TIME ZONE -5", "timezone", "Etc/GMT+5"), ("SET datestyle = 'iso, dmy'", "DateStyle", "ISO, DMY"),
                             ("SET datestyle TO ISO", "DateStyle", "ISO, DMY"), ("SET statement_timeout = '90s'", "statement_timeout", "90s"),
                             ("SET statement_timeout TO 60000", "statement_timeout", "1min"), ("SET intervalstyle = iso_8601", "IntervalStyle", "iso_8601"),
                             ("SET search_path TO Lab, public", "search_path", "lab, public"), ("SET standard_conforming_strings = on", "standard_conforming_strings", "on"),
                             ("SET noisegate.epsilon = 0.50", "noisegate.epsilon", "0.5"), ("SET noisegate.delta TO '1e-9'", "noisegate.delta", "0.000000001"),
                             ("SET noisegate.mechanism = Gaussian", "noisegate.mechanism", "gaussian"), ("SET noisegate.epsilon TO DEFAULT", "noisegate.epsilon", "default"),
                             ("SET myapp.flag = 'x y'", "myapp.flag", "x y")):
        w.ask(sql)
        assert show(w, name) == value, (sql, show(w, name))


def test_refusals(target):
    w = Wire(target).login()
    for sql, code in (("SET client_encoding = 'LATIN1'", "22023"), ("SET datestyle = 'German'", "22023"), ("SET timezone = '../../etc/passwd'", "22023"),
                      ("SET timezone = 'Europe/Nowhere'", "22023"), ("SET timezone = 'UTC''; DROP'", "22023"), ("SET statement_timeout = 'soon'", "22023"),
                      ("SET extra_float_digits = 99", "22023"), ("SET standard_conforming_strings = off", "55P02"), ("SET server_version = '1'", "55P02"),
                      ("SET noisegate.epsilon = '-1'", "22023"), ("SET noisegate.epsilon = 'lots'", "22023"), ("SET noisegate.delta = 1", "22023"),
                      ("SET noisegate.confidence = 2", "22023"), ("SET nonsense = 1", "42704"), ("SET noisegate.epsilom = 1", "42704"), ("SHOW nonsense", "42704"),
                      ("SET search_path = 'a b'", "22023")):
        error = refuses(w, sql, code)
        if "epsilom" in sql:
            assert "noisegate.epsilon" in error["H"], error
    assert w.ask("SELECT 1") == [[b"1"]]


def test_transactional(target):
    w = Wire(target).login()
    w.ask("SET timezone = 'UTC'; BEGIN; SET timezone = 'Asia/Tokyo'")
    w.send(query("ROLLBACK"))
    messages = w.until_ready()
    assert (b"S", b"TimeZone\0UTC\0") in messages, messages
    w.ask("BEGIN; SET LOCAL timezone = 'Asia/Tokyo'")
    assert show(w, "timezone") == "Asia/Tokyo"
    w.ask("COMMIT")
    assert show(w, "timezone") == "UTC"
    w.ask("BEGIN; SET LOCAL timezone = 'Asia/Tokyo'; SET timezone = 'Asia/Seoul'; SET LOCAL timezone = 'Asia/Dili'; COMMIT")
    assert show(w, "timezone") == "Asia/Seoul"
    w.ask("BEGIN; SET timezone = 'Asia/Tokyo'; SAVEPOINT a; SET timezone = 'UTC'; ROLLBACK TO a; COMMIT")
    assert show(w, "timezone") == "Asia/Tokyo"


def test_failed_multi_statement_string_rolls_back_its_settings(target):
    w = Wire(target).login()
    w.send(query("SET timezone = 'Asia/Tokyo'; SELECT * FROM missing_table"))
    w.until_ready()
    assert show(w, "timezone") == "UTC"


def test_reset(target):
    w = Wire(target).login(TimeZone="Asia/Tokyo")
    w.ask("SET timezone = 'UTC'; SET extra_float_digits = 0; RESET timezone")
    assert show(w, "timezone") == "Asia/Tokyo"
    w.ask("RESET ALL")
    assert show(w, "extra_float_digits") == "1"


def test_show_all_and_fixed_values(target):
    w = Wire(target).login()
    rows = {r[0].decode(): r[1].decode() for r in w.ask("SHOW ALL")}
    assert rows["max_identifier_length"] == "63" and rows["is_superuser"] == "off" and rows["session_authorization"] == target.user
    assert rows["server_version"].startswith(str(int(rows["server_version_num"]) // 10000))
    assert show(w, "transaction_isolation") == "read committed" and show(w, "TRANSACTION ISOLATION LEVEL") == "read committed"


def test_described_show(target):
    w = Wire(target).login()
    w.send(parse("", "SHOW timezone"), describe(b"S", ""), bind("", ""), describe(b"P", ""), execute(""), SYNC)
    messages = w.until_ready()
    assert kinds(messages) == b"1tT2TDCZ" and b"TimeZone\0" in messages[2][1]
