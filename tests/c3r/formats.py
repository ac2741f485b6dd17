"""Both cell formats, written from docs/sealed-columns.md and the description of the C3R format alone."""
import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV


def b64(raw):
    return base64.b64encode(raw).decode()


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def expand(secret, collaboration, info):
    return mac(mac(collaboration.encode(), secret), info.encode() + b"\x01")


class C3R:
    def __init__(self, secret, collaboration, any_name=False):
        self.secret, self.collaboration, self.any_name = secret, collaboration, any_name
        self.root = expand(secret, collaboration, "c3r-encryption-primary-aes-gcm-256")

    def fingerprint(self, column, value):
        key = self.root if self.any_name else expand(self.secret, self.collaboration, "c3r-hmac-sha256-col-" + column)
        return "02:hmac:" + b64(mac(key, os.urandom(32) + b"\x03" if value is None else value.encode() + b"\x02"))

    def seal(self, column, value, nonce, padded=0, encoded=None):
        body = encoded if encoded is not None else b"\x03" if value is None else b"\x02" + value.encode()
        pad = max(padded - len(body), 0)
        iv = hashlib.sha256(column.encode() + nonce).digest()[:12]
        key = hashlib.sha256(self.root + nonce).digest()
        return "02:enc:" + b64(nonce + iv + AESGCM(key).encrypt(iv, body + bytes(pad) + struct.pack(">H", pad), b"02:enc:"))

    def open(self, cell):
        raw = base64.b64decode(cell[len("02:enc:"):], validate=True)
        plain = AESGCM(hashlib.sha256(self.root + raw[:32]).digest()).decrypt(raw[32:44], raw[44:], b"02:enc:")
        body = plain[:len(plain) - 2 - int.from_bytes(plain[-2:], "big")]
        return None if body[0] & 1 else body[1:].decode()


class Native:
    def __init__(self, secret, collaboration, one_key=False):
        self.secret, self.collaboration, self.one_key = secret, collaboration, one_key
        self.seal_key, self.row_key = self.key("noisegate/1/seal"), self.key("noisegate/1/row")
        self.head = b"\x01" + mac(secret, b"noisegate key id v1")[:4]

    def key(self, label):
        return expand(self.secret, self.collaboration, label)

    def column_key(self, label, column):
        return self.key(label + ("" if self.one_key else column))

    @staticmethod
    def encode(value, padded, null=b""):
        body = null if value is None else value.encode()
        padded = max(padded, len(body))
        return bytes([value is not None]) + body + b"\x80" + bytes(padded - len(body))

    @staticmethod
    def decode(plain):
        plain = plain.rstrip(b"\0")
        assert plain[-1] == 0x80 and plain[0] <= 1
        return plain[1:-1].decode() if plain[0] else None

    def gcm(self, column, file, row):
        iv = hashlib.sha256(b"noisegate/1/iv/" + column.encode()).digest()[:12]
        aad = self.head + file + row + self.collaboration.encode() + column.encode()
        return AESGCM(mac(self.seal_key, file + row + b"\x01")), iv, aad

    def seal(self, column, value, file, row, padded=0):
        aead, iv, aad = self.gcm(column, file, row)
        return "ng1:s:" + b64(self.head + file + row + aead.encrypt(iv, self.encode(value, padded), aad))

    def open(self, column, cell):
        raw = base64.b64decode(cell[6:], validate=True)
        assert raw[:5] == self.head
        aead, iv, aad = self.gcm(column, raw[5:13], raw[13:29])
        return self.decode(aead.decrypt(iv, raw[29:], aad))

    def siv(self, column):
        return AESSIV(self.column_key("noisegate/1/deterministic/mac/", column) + self.column_key("noisegate/1/deterministic/enc/", column))

    def deterministic(self, column, value, padded=0):
        plain = self.encode(value, padded, null=os.urandom(16))
        return "ng1:d:" + b64(self.head + self.siv(column).encrypt(plain, [self.head, self.collaboration.encode()]))

    def open_deterministic(self, column, cell):
        raw = base64.b64decode(cell[6:], validate=True)
        assert raw[:5] == self.head
        return self.decode(self.siv(column).decrypt(raw[5:], [self.head, self.collaboration.encode()]))

    def fingerprint(self, column, value):
        return "ng1:f:" + b64(mac(self.column_key("noisegate/1/fingerprint/", column), value.encode() + b"\x01"))

    @staticmethod
    def listed(texts):
        return b"".join(struct.pack(">I", len(t.encode())) + t.encode() for t in texts)

    def file_tag(self, names, file, rows):
        place = self.head + file + struct.pack(">Q", rows)
        cover = place + self.collaboration.encode() + hashlib.sha256(self.listed(names)).digest()
        return "noisegate_row:" + b64(place + mac(self.row_key, cover + b"\x02")[:16])

    def tag(self, names, cells, file, row):
        place = self.head + file + row
        cover = place + self.collaboration.encode() + hashlib.sha256(self.listed(names)).digest() + self.listed(cells)
        return "ng1:r:" + b64(place + mac(self.row_key, cover + b"\x01")[:16])
