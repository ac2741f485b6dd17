"""First bytes, TLS, log-in, protocol versions."""
import socket
import struct

from pgwire import *


def closed_by(target, data):
    w = Wire(target)
    w.send(data)
    w.sock.settimeout(5)
    return w.is_closed()


def test_garbage_before_startup_closes_cleanly(target):
    for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 64, b"\xff" * 64, struct.pack("!i", 7) + b"abc", b"SSH-2.0-x\r\n",
                 struct.pack("!i", 10001) + b"x" * 9997, struct.pack("!i", 0x7fffffff)):
        assert closed_by(target, junk), junk
    assert Wire(target).login().ask("SELECT 1") == [[b"1"]]


def test_malformed_startup_packets_get_an_error_or_a_close(target):
    bodies = (b"user\0ana\0", b"user\0ana", b"user", b"user\0\0extra\0\0x", b"\0\0", b"user\0\xff\xfe\0\0")
    for body in bodies:
        packet = struct.pack("!HH", 3, 0) + body
        assert closed_by(target, struct.pack("!i", len(packet) + 4) + packet), body


def test_half_a_startup_packet_and_a_hang_up_harm_nobody(target):
    for cut in (1, 3, 5, 9):
        w = Wire(target)
        w.send(startup_packet({"user": "ana"})[:cut])
        w.close()
    assert Wire(target).login().ask("SELECT 1") == [[b"1"]]


def test_wrong_major_version_is_fatal(target):
    w = Wire(target)
    w.send(startup_packet({"user": "ana"}, major=2))
    kind, body = w.get()
    assert kind == b"E" and error_fields(body)["C"] == "08P01" and error_fields(body)["S"] == "FATAL"
    assert w.is_closed()


def test_clear_login(target):
    w = Wire(target).login()
    assert w.mechanisms == [b"SCRAM-SHA-256"] and len(w.key) == 4
    for name in ("server_version", "server_encoding", "client_encoding", "application_name", "is_superuser", "session_authorization",
                 "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
                 "default_transaction_read_only", "in_hot_standby"):
        assert name in w.parameters, name
    assert w.parameters["session_authorization"] == target.user


def test_tls_login_offers_plus_and_binds(target):
    w = Wire(target, tls=True).login()
    assert w.mechanisms == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    assert w.ask("SELECT 1") == [[b"1"]]
    assert Wire(target, tls=True).login(plus=False).ask("SELECT 1") == [[b"1"]]


def test_wrong_channel_binding_is_refused(target):
    w = Wire(target, tls=True)
    w.end_point = lambda: b"\1" * 32
    try:
        w.login()
        raise AssertionError("logged in")
    except ServerError as e:
        assert e.code == "28P01", e.fields


def test_direct_tls_needs_alpn(target):
    assert Wire(target, direct=True).login().ask("SELECT 1") == [[b"1"]]
    w = Wire(target)
    w.start_tls(direct=True, alpn=False)
    try:
        w.send(startup_packet({"user": "ana"}))
    except OSError:
        return
    assert w.is_closed()


def test_foreign_alpn_is_refused(target):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    sock = socket.create_connection((target.host, target.port))
    try:
        context.wrap_socket(sock)
        raise AssertionError("handshake went through")
    except ssl.SSLError:
        pass


def test_old_tls_is_refused(target):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    w = Wire(target)
    w.send(SSL_REQUEST)
    assert w.sock.recv(1) == b"S"
    try:
        context.wrap_socket(w.sock)
        raise AssertionError("TLS 1.1 went through")
    except (ssl.SSLError, ConnectionResetError):
        pass


def test_clear_text_stuffed_behind_ssl_request_is_dropped(target):
    w = Wire(target)
    w.send(SSL_REQUEST + startup_packet({"user": "ana"}))
    try:
        assert w.sock.recv(1) in (b"", b"S")
        rest = w.sock.recv(4096)
    except ConnectionResetError:
        rest = b""
    assert rest[:1] in (b"", b"\x15"), rest  # nothing, or a TLS alert: never an answer to the stuffed packet


def test_gss_request_gets_n_and_login_goes_on(target):
    w = Wire(target)
    w.send(GSS_REQUEST)
    assert w.sock.recv(1) == b"N"
    w.start_tls()
    assert w.login().ask("SELECT 1") == [[b"1"]]


def test_second_ssl_request_is_dropped(target):
    w = Wire(target, tls=True)
    w.send(SSL_REQUEST)
    assert w.is_closed()


def test_protocol_3_2_has_long_keys(target):
    w = Wire(target).login(minor=2)
    assert w.negotiated is None and len(w.key) == 32


def test_grease_is_negotiated(target):
    w = Wire(target).login(minor=9999, **{"_pq_.test_protocol_negotiation": "x"})
    assert w.negotiated == struct.pack("!HHi", 3, 2, 1) + b"_pq_.test_protocol_negotiation\0"
    assert w.ask("SELECT 1") == [[b"1"]] and len(w.key) == 32
    w = Wire(target).login(minor=0, **{"_pq_.x": "1"})
    assert w.negotiated == struct.pack("!HHi", 3, 0, 1) + b"_pq_.x\0" and len(w.key) == 4


def test_unknown_startup_parameters_are_accepted(target):
    w = Wire(target).login(geqo="off", nonsense="1; DROP TABLE x", search_path='"$user",lab', options=r"-c extra_float_digits=2 -c DateStyle=ISO,\ DMY --statement-timeout=1min",
                           client_encoding="'utf-8'", application_name="wire test")
    assert w.parameters["DateStyle"] == "ISO, DMY" and w.parameters["client_encoding"] == "UTF8"
    assert w.parameters["application_name"] == "wire test"
    assert w.ask("SHOW extra_float_digits") == [[b"2"]]
    assert w.ask("SHOW statement_timeout") == [[b"1min"]]
    assert w.ask("SHOW search_path") == [[b'"$user", lab']]


def test_unusable_startup_values_are_fatal(target):
    for params in ({"client_encoding": "LATIN1"}, {"DateStyle": "German"}, {"options": "-c TimeZone=Nowhere/Land"}, {"replication": "true"}):
        try:
            Wire(target).login(**params)
            raise AssertionError(f"logged in with {params}")
        except ServerError as e:
            assert e.code in ("22023", "42501") and e.fields["S"] == "FATAL", e.fields


def test_wrong_password_and_unknown_user_look_alike(target):
    seen = []
    for user, password in (("ana", "wrong"), ("nobody", "wrong")):
        w = Wire(target)
        try:
            w.login(user=user, password=password)
            raise AssertionError("logged in")
        except ServerError as e:
            seen.append({k: v.replace(user, "USER") for k, v in e.fields.items()})
        assert w.is_closed()
    assert seen[0] == seen[1] and seen[0]["C"] == "28P01", seen


def test_unknown_user_has_a_steady_salt(target):
    salts = set()
    for user in ("nobody", "nobody", "somebody"):
        w = Wire(target)
        w.send(startup_packet({"user": user}))
        w.get()
        first = b"n,,n=,r=abcdefghijklmnop"
        w.send(message(b"p", cstr("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        salts.add((user, w.sasl(11).split(b",")[1]))
    assert len(salts) == 2, salts


def test_malformed_sasl_is_fatal(target):
    for data in (b"", b"\0", cstr("SCRAM-SHA-256"), cstr("SCRAM-SHA-256") + struct.pack("!i", 1000) + b"n,,", cstr("GSSAPI") + struct.pack("!i", 0),
                 cstr("SCRAM-SHA-256") + struct.pack("!i", 3) + b"y,,", cstr("SCRAM-SHA-256-PLUS") + struct.pack("!i", 3) + b"n,,"):
        w = Wire(target)
        w.send(startup_packet({"user": "ana"}))
        w.get()
        w.send(message(b"p", data))
        kind, body = w.get()
        assert kind == b"E" and error_fields(body)["S"] == "FATAL", (data, body)
        assert w.is_closed()


def test_no_query_before_authentication(target):
    for early in (query("SELECT 1"), SYNC, parse("", "SELECT 1"), message(b"p", b"x" * 5000)):
        w = Wire(target)
        w.send(startup_packet({"user": "ana"}))
        w.get()
        w.send(early)
        kind, body = w.get()
        assert kind == b"E" and error_fields(body)["C"] == "08P01"
        assert w.is_closed()


def test_tls_required_refuses_clear_text(target):
    strict = target.another(required="true")
    if not strict:
        return "skip"
    try:
        Wire(strict).login()
        raise AssertionError("logged in")
    except ServerError as e:
        assert e.code == "28000" and "encrypted" in e.fields["M"], e.fields
    assert Wire(strict, tls=True).login().ask("SELECT 1") == [[b"1"]]
    strict.stop()


def test_too_many_connections(target):
    small = target.another(connections=2)
    if not small:
        return "skip"
    held = [Wire(small).login() for _ in range(2)]
    try:
        Wire(small).login()
        raise AssertionError("logged in")
    except ServerError as e:
        assert e.code == "53300", e.fields
    held[0].send(TERMINATE)
    assert held[0].is_closed()
    assert Wire(small).login().ask("SELECT 1") == [[b"1"]]
    small.stop()
