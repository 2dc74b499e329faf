"""SM2 in a few lines of Python, as a second opinion on libcrypto and to sign with in the tests.

After GB/T 32918.2; slow and not in constant time.
"""

import hashlib
import secrets
import subprocess
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kernel.algorithms import SM2_SM3, AlgorithmSuite, PublicKey
from kernel.asn1 import der

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
DEFAULT_USER = b"1234567812345678"
Point = tuple[int, int] | None


def add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return other if one is None else one
    (x1, y1), (x2, y2) = one, other
    if x1 == x2:
        if (y1 + y2) % P == 0:
            return None
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiply(factor: int, point: Point) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def octets(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def digest(message: bytes, public: tuple[int, int], user: bytes = DEFAULT_USER) -> int:
    """e: SM3 of Z and the message."""
    bits = (8 * len(user)).to_bytes(2, "big")
    z = hashlib.new("sm3", bits + user + octets(A, B, *G, *public)).digest()
    return int.from_bytes(hashlib.new("sm3", z + message).digest(), "big")


def verifies(
    public: tuple[int, int], signature: bytes, message: bytes, user: bytes = DEFAULT_USER
) -> bool:
    r, s = decode_dss_signature(signature)
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    point = add(multiply(s, G), multiply(t, public))
    return point is not None and (digest(message, public, user) + point[0]) % N == r


class Sm2SoftwareKey:
    """A `kernel.keys.KeyHandle` whose key openssl generated."""

    def __init__(self, pkcs8: bytes) -> None:
        place = pkcs8.index(b"\x02\x01\x01\x04\x20") + 5  # ECPrivateKey (RFC 5915, 3)
        self._pkcs8 = pkcs8
        self._private = int.from_bytes(pkcs8[place : place + 32], "big")

    @classmethod
    def generate(cls) -> "Sm2SoftwareKey":
        command = ["openssl", "genpkey", "-algorithm", "SM2", "-outform", "DER"]
        return cls(subprocess.run(command, check=True, capture_output=True).stdout)

    @cached_property
    def point(self) -> tuple[int, int]:
        found = multiply(self._private, G)
        assert found is not None
        return found

    @cached_property
    def spki(self) -> bytes:
        return spki_of(b"\x04" + octets(*self.point))

    @cached_property
    def public_key(self) -> PublicKey:
        return PublicKey.from_spki(self.spki)

    @property
    def suite(self) -> AlgorithmSuite:
        return SM2_SM3

    def pem(self) -> bytes:
        command = ["openssl", "pkey", "-inform", "DER"]
        return subprocess.run(command, input=self._pkcs8, check=True, capture_output=True).stdout

    def sign(self, message: bytes, user: bytes = DEFAULT_USER) -> bytes:
        e, d = digest(message, self.point, user), self._private
        while True:
            k = secrets.randbelow(N - 1) + 1
            point = multiply(k, G)
            assert point is not None
            r = (e + point[0]) % N
            s = pow(1 + d, -1, N) * (k - r * d) % N
            if r and r + k != N and s:
                return encode_dss_signature(r, s)

    def sign_digest(self, digest: bytes) -> bytes:
        raise AssertionError("SM2 signs messages")


def spki_of(
    point: bytes,
    algorithm: tuple[bytes, ...] = (der.oid("1.2.840.10045.2.1"), der.oid("1.2.156.10197.1.301")),
) -> bytes:
    return der.sequence(der.sequence(*algorithm), der.bit_string(point))
