"""Which PKCS#11 mechanism serves which algorithm suite: a table, not an if-chain."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import MGF, Attribute, KeyType, Mechanism

from kernel.algorithms import SUITES, AlgorithmSuite, KeyKind, Padding, PublicKey

_CURVE_OIDS = {"secp256r1": "06082a8648ce3d030107", "secp384r1": "06052b81040022"}
_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex(_CURVE_OIDS["secp256r1"]): ec.SECP256R1(),
    bytes.fromhex(_CURVE_OIDS["secp384r1"]): ec.SECP384R1(),
}
# PrintableString "edwards25519" (PKCS#11 3.0, 2.3.5) and the RFC 8410 identifier.
_ED25519_PARAMS = (bytes.fromhex("130c656477617264733235353139"), bytes.fromhex("06032b6570"))

_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""DigestInfo prefixes of PKCS#1 v1.5 (RFC 8017, 9.2)."""


@dataclass(frozen=True)
class SuiteMechanism:
    """How a token signs under one suite."""

    sign: Mechanism
    generate: Mechanism
    key_type: KeyType
    parameter: tuple[Any, ...] | None = None
    prepare: Callable[[bytes], bytes] = field(default=lambda digest: digest)
    """From the digest (Ed25519: the message) to what C_Sign takes."""
    finish: Callable[[bytes], bytes] = field(default=lambda value: value)
    """From what C_Sign returns to the X.509 shape."""


def _ecdsa_value(raw: bytes) -> bytes:
    half = len(raw) // 2
    return encode_dss_signature(
        int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    )


def _mechanism(suite: AlgorithmSuite) -> SuiteMechanism | None:
    if suite.kind is KeyKind.EC:
        return SuiteMechanism(
            Mechanism.ECDSA, Mechanism.EC_KEY_PAIR_GEN, KeyType.EC, finish=_ecdsa_value
        )
    if suite.kind is KeyKind.ED25519:
        return SuiteMechanism(
            Mechanism.EDDSA, Mechanism.EC_EDWARDS_KEY_PAIR_GEN, KeyType.EC_EDWARDS
        )
    if suite.padding is Padding.PSS:
        size = hashlib.new(suite.digest).digest_size
        parameter = (Mechanism.SHA256, MGF.SHA256, size)
        return SuiteMechanism(
            Mechanism.RSA_PKCS_PSS, Mechanism.RSA_PKCS_KEY_PAIR_GEN, KeyType.RSA, parameter
        )
    prefix = _DIGEST_INFO.get(suite.digest)
    if suite.kind is KeyKind.RSA and prefix is not None:
        return SuiteMechanism(
            Mechanism.RSA_PKCS,
            Mechanism.RSA_PKCS_KEY_PAIR_GEN,
            KeyType.RSA,
            prepare=lambda digest: prefix + digest,
        )
    return None


MECHANISMS = {
    suite.name: mechanism
    for suite in SUITES.values()
    if (mechanism := _mechanism(suite)) is not None
}
"""Suites that a token may sign under; SHA-1 is not among them."""


def generation_parameters(suite: AlgorithmSuite) -> bytes | int:
    """CKA_EC_PARAMS of the suite's curve, or the bits of the RSA modulus."""
    if suite.kind is KeyKind.EC and suite.curve is not None:
        return bytes.fromhex(_CURVE_OIDS[suite.curve])
    if suite.kind is KeyKind.ED25519:
        return _ED25519_PARAMS[0]
    return suite.modulus_bits


def ec_parameters(public: PublicKey) -> bytes:
    """CKA_EC_PARAMS of a public key on one of our curves. Raises KeyError for another."""
    if public.kind is KeyKind.ED25519:
        return _ED25519_PARAMS[0]
    return bytes.fromhex(_CURVE_OIDS[public.curve or ""])


def public_key_of(attributes: dict[Attribute, Any]) -> PublicKey | None:
    """A PublicKey from a public key object's attributes; None for kinds we do not use."""
    kind = attributes[Attribute.KEY_TYPE]
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    if kind == KeyType.RSA:
        public = rsa.RSAPublicNumbers(
            int.from_bytes(attributes[Attribute.PUBLIC_EXPONENT], "big"),
            int.from_bytes(attributes[Attribute.MODULUS], "big"),
        ).public_key()
    elif kind == KeyType.EC and attributes[Attribute.EC_PARAMS] in _CURVES:
        curve = _CURVES[attributes[Attribute.EC_PARAMS]]
        public = ec.EllipticCurvePublicKey.from_encoded_point(
            curve, _point(attributes[Attribute.EC_POINT])
        )
    elif kind == KeyType.EC_EDWARDS and attributes[Attribute.EC_PARAMS] in _ED25519_PARAMS:
        public = ed25519.Ed25519PublicKey.from_public_bytes(_point(attributes[Attribute.EC_POINT]))
    else:
        return None
    return PublicKey.from_spki(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _point(value: bytes) -> bytes:
    """CKA_EC_POINT is an OCTET STRING in 2.40; some modules give the bare point."""
    if len(value) > 2 and value[0] == 0x04 and value[1] == len(value) - 2:
        return value[2:]
    if len(value) > 3 and value[:2] == b"\x04\x81" and value[2] == len(value) - 3:
        return value[3:]
    return value
