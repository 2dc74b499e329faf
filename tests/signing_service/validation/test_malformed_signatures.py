"""Signature values that are almost right: the classes of Project Wycheproof, made here.

Each is refused with SIG_CRYPTO_FAILURE, whatever mathematics it might satisfy otherwise.
"""

import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kernel.algorithms import ECDSA_P256_SHA256, RSA_PKCS1_SHA256, RSA_PSS_SHA256
from kernel.asn1 import der
from signing_service.validation.evidence import SignatureEvidence
from tests import almost_right
from tests.signing_service.validation.scenery import START, Card, World, sign
from tests.signing_service.validation.test_engine import verdict

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF

_WORLD = World()
_RSA = _WORLD.issuing.card(suite=RSA_PKCS1_SHA256)
_PSS = _WORLD.issuing.card(suite=RSA_PSS_SHA256)


def judged(card: Card, value: bytes, evidence: SignatureEvidence | None = None) -> str:
    signed = (evidence or sign(card, START))._replace(signature_value=value)
    return verdict(_WORLD.engine().validate(signed, START))


ECDSA = almost_right.values(N, P)


@pytest.mark.parametrize("name", ECDSA)
def test_an_ecdsa_value_of_another_shape_or_range_is_refused(name: str) -> None:
    evidence = sign(_WORLD.card, START)
    r, s = decode_dss_signature(evidence.signature_value)
    made = ECDSA[name](r, s)
    assert made != evidence.signature_value
    assert judged(_WORLD.card, made, evidence) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"
    assert judged(_WORLD.card, evidence.signature_value, evidence) == "TOTAL-PASSED"


def test_a_value_by_another_curve_or_digest_is_refused() -> None:
    evidence, key = sign(_WORLD.card, START), _WORLD.card.key.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    other = key.sign(evidence.signed_bytes, ec.ECDSA(hashes.SHA384()))
    assert judged(_WORLD.card, other, evidence) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"
    assert _WORLD.card.key.suite is ECDSA_P256_SHA256


def rsa_private(card: Card) -> tuple[int, int, int]:
    key = card.key.private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    return numbers.public_numbers.n, numbers.d, (key.key_size + 7) // 8


_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20"
_LONG_LENGTH = bytes.fromhex("308131300d060960864801650304020105000420")
_SHA1_NAMED = bytes.fromhex("3021300906052b0e03021a05000414")


def block(size: int, body: bytes, *, kind: bytes = b"\0\1", pad: bytes = b"\xff") -> bytes:
    return kind + pad * (size - len(body) - 3) + b"\0" + body


PKCS1: dict[str, Callable[[int, bytes], bytes]] = {
    "no NULL in the algorithm": lambda size, h: block(size, _WITHOUT_NULL + h),
    "long form of the length": lambda size, h: block(size, _LONG_LENGTH + h),
    "another digest named": lambda size, h: block(size, _SHA1_NAMED + h[:20]),
    "no algorithm at all": lambda size, h: block(size, h),
    "block type 0": lambda size, h: block(size, _DIGEST_INFO + h, kind=b"\0\0"),
    "block type 2": lambda size, h: block(size, _DIGEST_INFO + h, kind=b"\0\2"),
    "padding of other octets": lambda size, h: block(size, _DIGEST_INFO + h, pad=b"\xfe"),
    "short padding, garbage after": lambda size, h: (
        b"\0\1" + b"\xff" * 8 + b"\0" + _DIGEST_INFO + h
    ).ljust(size, b"\x42"),
    "garbage in the digest info": lambda size, h: block(
        size, der.sequence(_DIGEST_INFO[2:17], der.octet_string(h), der.octet_string(b"x" * 16))
    ),
    "no separator": lambda size, h: b"\0\1" + b"\xff" * (size - 2 - 51) + _DIGEST_INFO + h,
    "digest one octet short": lambda size, h: block(size, _DIGEST_INFO + h[:-1]),
}


@pytest.mark.parametrize("name", PKCS1)
def test_an_rsa_value_with_another_padding_is_refused(name: str) -> None:
    n, d, size = rsa_private(_RSA)
    evidence = sign(_RSA, START)
    padded = PKCS1[name](size, hashlib.sha256(evidence.signed_bytes).digest())
    value = pow(int.from_bytes(padded, "big"), d, n).to_bytes(size, "big")
    assert judged(_RSA, value, evidence) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"


def test_the_right_padding_made_the_same_way_passes() -> None:
    n, d, size = rsa_private(_RSA)
    evidence = sign(_RSA, START)
    padded = block(size, _DIGEST_INFO + hashlib.sha256(evidence.signed_bytes).digest())
    value = pow(int.from_bytes(padded, "big"), d, n).to_bytes(size, "big")
    assert judged(_RSA, value, evidence) == "TOTAL-PASSED"
    # The same number modulo n, or in more or fewer octets, is another value.
    number = int.from_bytes(value, "big")
    for other in (b"\0" + value, (number + n).to_bytes(size + 1, "big"), value[1:], b"", b"\0"):
        refused = judged(_RSA, other, evidence)
        assert refused.startswith("TOTAL-FAILED/"), other
    for plain in (0, 1, n - 1):
        trivial = plain.to_bytes(size, "big")
        assert judged(_RSA, trivial, evidence) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"


@pytest.mark.parametrize(
    "scheme",
    [
        padding.PSS(padding.MGF1(hashes.SHA256()), 0),
        padding.PSS(padding.MGF1(hashes.SHA256()), 20),
        padding.PSS(padding.MGF1(hashes.SHA1()), 32),
        padding.PKCS1v15(),
    ],
    ids=["no salt", "short salt", "another mask", "the older scheme"],
)
def test_a_pss_value_of_other_parameters_is_refused(scheme: padding.AsymmetricPadding) -> None:
    key, evidence = _PSS.key.private_key, sign(_PSS, START)
    assert isinstance(key, rsa.RSAPrivateKey)
    value = key.sign(evidence.signed_bytes, scheme, hashes.SHA256())
    assert judged(_PSS, value, evidence) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"
    assert judged(_PSS, evidence.signature_value, evidence) == "TOTAL-PASSED"
