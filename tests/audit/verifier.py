"""An audit log's verifier written from docs/audit.md alone: its tables are read from there.   verifier.py DIR [PUBLIC_KEY.pem]"""
import base64
import hashlib
import os
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/audit.md")
text = open(DOCUMENT, encoding="utf-8").read()
_events, _bytes = text[text.index("## What is recorded"):text.index("**Order.**")], text[text.index("## The bytes"):]
EVENTS = {int(n): name for name, n in re.findall(r"^\| `([a-z ]+)` \| (\d+) \|", _events, re.M)}
FIELDS = {int(n): (name, kind, bool(many)) for name, n, kind, many in re.findall(r"^\| `(\w+)` \| (\d+) \| (\w+) \| (yes)? ?\|", _bytes, re.M)}


class Broken(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Broken(why)


def fields(data, inside=False):
    out, last, at = {}, 0, 0
    while at < len(data):
        need(len(data) - at >= 5, "a field is cut")
        number, n = struct.unpack_from(">BI", data, at)
        at += 5
        need(n <= len(data) - at, "a field is longer than the record")
        need(number in FIELDS, f"field {number} does not exist")
        name, kind, many = FIELDS[number]
        need(number > last or (number == last and many), f"field {name} is out of order")
        raw, at, last = data[at:at + n], at + n, number
        if kind == "text":
            value = raw.decode("utf-8")
            need("\0" not in value, "a zero byte in a text")
        elif kind in ("number", "pico", "atto"):
            need(n == 8, f"{name} has {n} bytes")
            value = int.from_bytes(raw, "big")
        elif kind == "bytes":
            need(n > 0, f"{name} is empty")
            value = raw
        elif kind == "value":
            need(n > 0 and raw[0] in (0, 1) and (raw[0] == 1 or n == 1), f"{name} is no value")
            value = raw[1:].decode("utf-8") if raw[0] else None
        else:
            need(not inside, "a group in a group")
            value = fields(raw, True)
        if many:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


CHECKPOINT = re.compile(r"noisegate audit checkpoint v1\nlog ([0-9a-f]{32})\nrecord (\d+)\nhash ([0-9a-f]{64})\ntime [-0-9T:.]{26}Z\nkey ([0-9a-f]{64}|-)\nsignature (\S+)\n")


def checkpoint(data, key=None):
    """(log id, sequence, hash) of a checkpoint whose signature holds: of key (raw bytes), or of the one that it names."""
    m = CHECKPOINT.fullmatch(data)
    need(m, "not a checkpoint")
    log, sequence, digest, signer, signature = m.groups()
    if signer != "-":
        need(key is None or bytes.fromhex(signer) == key, "the checkpoint is signed by another key")
        verify(bytes.fromhex(signer), signature, data[:m.start(5) - len("signature ")])
    else:
        need(key is None, "the checkpoint is not signed")
    return bytes.fromhex(log), int(sequence), bytes.fromhex(digest)


def verify(key, signature, signed):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature, validate=True), signed.encode())
    except InvalidSignature:
        raise Broken("a signature is wrong")


def receipt(data, key=None):
    """(log id, sequence, hash, salt)"""
    m = re.fullmatch(r"ng1:([0-9a-f]{32}):(\d+):([0-9a-f]{64}):([0-9a-f]{32}):(\S+)", data)
    need(m, "not a receipt")
    if key and m.group(5) != "-":
        verify(key, m.group(5), data[:m.start(5)])
    return bytes.fromhex(m.group(1)), int(m.group(2)), bytes.fromhex(m.group(3)), bytes.fromhex(m.group(4))


def read(directory, key=None):
    """Every record: {"sequence", "event", "time", "hash", fields...}; Broken when the log is not whole."""
    names = sorted(n for n in os.listdir(directory) if re.fullmatch(r"\d{8,}\.audit", n))
    need(names and [int(n[:-6]) for n in names] == list(range(1, len(names) + 1)), "a segment is missing")
    before, sequence, log, out = bytes(32), 1, None, []
    for name in names:
        data = open(os.path.join(directory, name), "rb").read()
        need(len(data) >= 64 and data[:8] == b"NGAUDIT1", f"{name}: no header")
        log = log or data[8:24]
        need(data[8:24] == log and int.from_bytes(data[24:32], "big") == sequence and data[32:64] == before, f"{name}: does not follow")
        at = 64
        while at < len(data):
            where = f"{name}, byte {at}, record {sequence}: "
            need(len(data) - at >= 4, where + "incomplete")
            n = int.from_bytes(data[at:at + 4], "big")
            need(17 <= n <= 4194304, where + "a length that cannot be")
            need(len(data) - at >= 4 + n + 32, where + "incomplete")
            body, digest = data[at + 4:at + 4 + n], data[at + 4 + n:at + 36 + n]
            need(hashlib.sha256(before + data[at:at + 4 + n]).digest() == digest, where + "the hash does not fit")
            event, number, time = struct.unpack_from(">BQq", body)
            need(event in EVENTS and number == sequence, where + "event or sequence")
            r = {"sequence": number, "event": EVENTS[event], "time": time, "hash": digest, **fields(body[17:])}
            if r["event"] == "started" or sequence == 1:
                need(r["event"] == "started" and r["log_id"] == log, where + "another log's id")
            if r["event"] == "checkpoint":
                need(checkpoint(r["checkpoint"], key) == (log, sequence - 1, before), where + "the checkpoint is not of the record before it")
            out.append(r)
            before, sequence, at = digest, sequence + 1, at + 36 + n
    return log, out


def cell(c):
    return b"\xff\xff\xff\xff" if c is None else struct.pack(">I", len(c)) + c


def answer_hash(salt, columns, rows):
    """rows: lists of bytes or None, as they went over the wire."""
    h = hashlib.sha256(salt + cell(b"answer") + struct.pack(">QQ", columns, len(rows)))
    for row in rows:
        for c in row:
            h.update(cell(c))
    return h.digest()


def public_key(path):
    return load_pem_public_key(open(path, "rb").read()).public_bytes(Encoding.Raw, PublicFormat.Raw)


if __name__ == "__main__":
    try:
        _, records = read(sys.argv[1], public_key(sys.argv[2]) if len(sys.argv) > 2 else None)
        print(len(records), "records, whole")
    except Broken as e:
        sys.exit(str(e))
