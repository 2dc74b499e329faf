"""The one table of signature algorithms, and public keys that need not be pyca objects.

An algorithm is always named by us and looked up here; a message only ever selects a row that
the caller allowed. Signature values have two shapes: the X.509/CMS shape (for ECDSA the DER
SEQUENCE of r and s, RFC 3279) and the raw shape of XML-DSig and JOSE (r || s, fixed length).
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from kernel import libcrypto, sm2
from kernel.refusals import Malformed, Reason, Unprocessable
from kernel.weak_keys import rsa_weakness


class KeyKind(StrEnum):
    EC = "EC"
    RSA = "RSA"
    ED25519 = "Ed25519"
    SM2 = "SM2"


class Padding(StrEnum):
    PKCS1V15 = "pkcs1v15"
    PSS = "pss"


@dataclass(frozen=True, slots=True)
class AlgorithmSuite:
    """One row: a kind of key with a digest, under its name in every standard."""

    name: str
    kind: KeyKind
    digest: str
    """hashlib's name; for Ed25519 the digest used beside it (message digests, imprints)."""
    strength: int
    """Bits of security (NIST SP 800-57)."""
    acceptable_until: date
    """Signatures proven to exist before this day are accepted (policies may be stricter)."""
    signature_oid: str
    """AlgorithmIdentifier of X.509 and CMS signatures, dotted."""
    signature_algorithm: bytes
    """The whole AlgorithmIdentifier, DER."""
    xml_signature: str | None
    jose: str | None
    curve: str | None = None
    coordinate_size: int = 0
    """Octets of r and of s in the raw shape (ECDSA and SM2 only)."""
    modulus_bits: int = 0
    """Bits of modulus for new RSA keys (0: not RSA)."""
    padding: Padding | None = None
    further_algorithms: tuple[bytes, ...] = ()
    """AlgorithmIdentifiers, DER, that others write for the same."""
    further_xml: tuple[str, ...] = ()
    """Names that others write in XML for the same."""

    @property
    def is_for_new_keys(self) -> bool:
        """Whether keys are made and certified here to be used under it. SM2 is only verified:
        no token here signs so (decision 51)."""
        return self.strength >= 112 and self.kind is not KeyKind.SM2

    @property
    def digest_oid(self) -> str:
        return DIGEST_OIDS[self.digest]

    @property
    def xml_digest(self) -> str:
        return XML_DIGESTS[self.digest]

    def hash(self, message: bytes) -> bytes:
        return hashlib.new(self.digest, message).digest()

    def to_raw(self, signature: bytes) -> bytes:
        """X.509 shape to the raw shape of XML-DSig and JOSE. Raises Malformed."""
        if not self.coordinate_size:
            return signature
        try:
            r, s = decode_dss_signature(signature)
            size = self.coordinate_size
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        except (ValueError, OverflowError):
            raise Malformed("signature.malformed", "not an ECDSA-Sig-Value") from None

    def from_raw(self, signature: bytes) -> bytes:
        """Raw shape to the X.509 shape. Raises Malformed."""
        if not self.coordinate_size:
            return signature
        size = self.coordinate_size
        if len(signature) != 2 * size:
            raise Malformed(
                "signature.malformed",
                "a value of {name} has {octets} octets",
                name=self.name,
                octets=2 * size,
            )
        return encode_dss_signature(
            int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        )


DIGEST_OIDS = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sm3": "1.2.156.10197.1.401",
}
DIGESTS_BY_OID = {oid: name for name, oid in DIGEST_OIDS.items()}
XML_DIGESTS = {
    "sha1": "http://www.w3.org/2000/09/xmldsig#sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    "sm3": "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3",
}
"""That of SM3 is the E-Port's own; no other body has named it."""
DIGESTS_BY_XML = {uri: name for name, uri in XML_DIGESTS.items()}

_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-"
_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-"
_FAR = date(2035, 12, 31)

# The PSS identifiers name the digest, MGF1 with the same digest and a salt of digest length.
_PSS_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)

ECDSA_P256_SHA256 = AlgorithmSuite(
    "ecdsa-p256-sha256", KeyKind.EC, "sha256", 128, _FAR, "1.2.840.10045.4.3.2",
    bytes.fromhex("300a06082a8648ce3d040302"), _ECDSA + "sha256", "ES256",
    curve="secp256r1", coordinate_size=32,
)  # fmt: skip
ECDSA_P384_SHA384 = AlgorithmSuite(
    "ecdsa-p384-sha384", KeyKind.EC, "sha384", 192, _FAR, "1.2.840.10045.4.3.3",
    bytes.fromhex("300a06082a8648ce3d040303"), _ECDSA + "sha384", "ES384",
    curve="secp384r1", coordinate_size=48,
)  # fmt: skip
RSA_PKCS1_SHA256 = AlgorithmSuite(
    "rsa-pkcs1-sha256", KeyKind.RSA, "sha256", 128, date(2030, 12, 31), "1.2.840.113549.1.1.11",
    bytes.fromhex("300d06092a864886f70d01010b0500"), _RSA + "sha256", "RS256",
    modulus_bits=3072, padding=Padding.PKCS1V15,
)  # fmt: skip
RSA_PKCS1_SHA1 = AlgorithmSuite(
    "rsa-pkcs1-sha1", KeyKind.RSA, "sha1", 60, date(2013, 12, 31), "1.2.840.113549.1.1.5",
    bytes.fromhex("300d06092a864886f70d0101050500"),
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1", None,
    modulus_bits=0, padding=Padding.PKCS1V15,
)  # fmt: skip
RSA_PKCS1_SHA384 = AlgorithmSuite(
    "rsa-pkcs1-sha384", KeyKind.RSA, "sha384", 128, date(2030, 12, 31), "1.2.840.113549.1.1.12",
    bytes.fromhex("300d06092a864886f70d01010c0500"), _RSA + "sha384", "RS384",
    modulus_bits=3072, padding=Padding.PKCS1V15,
)  # fmt: skip
RSA_PKCS1_SHA512 = AlgorithmSuite(
    "rsa-pkcs1-sha512", KeyKind.RSA, "sha512", 128, date(2030, 12, 31), "1.2.840.113549.1.1.13",
    bytes.fromhex("300d06092a864886f70d01010d0500"), _RSA + "sha512", "RS512",
    modulus_bits=3072, padding=Padding.PKCS1V15,
)  # fmt: skip
RSA_PSS_SHA256 = AlgorithmSuite(
    "rsa-pss-sha256", KeyKind.RSA, "sha256", 128, _FAR, "1.2.840.113549.1.1.10",
    _PSS_SHA256, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "PS256",
    modulus_bits=3072, padding=Padding.PSS,
)  # fmt: skip
ED25519 = AlgorithmSuite(
    "ed25519", KeyKind.ED25519, "sha512", 128, _FAR, "1.3.101.112",
    bytes.fromhex("300506032b6570"), "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
    "EdDSA",
)  # fmt: skip
SM2_SM3 = AlgorithmSuite(
    "sm2-with-sm3", KeyKind.SM2, "sm3", 128, _FAR, "1.2.156.10197.1.501",
    bytes.fromhex("300a06082a811ccf55018375"),
    "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3", None,
    curve=sm2.CURVE, coordinate_size=32,
    # Cards of the E-Port have NULL parameters; some of its messages borrow the W3C's namespace.
    further_algorithms=(bytes.fromhex("300c06082a811ccf550183750500"),),
    further_xml=("http://www.w3.org/2000/09/xmldsig#sm2-sm3",),
)  # fmt: skip

SUITES = {
    suite.name: suite
    for suite in (
        ECDSA_P256_SHA256,
        ECDSA_P384_SHA384,
        RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512,
        RSA_PSS_SHA256,
        ED25519,
        SM2_SM3,
        RSA_PKCS1_SHA1,
    )
}
"""Every known suite. RSA with SHA-1 is known so that old cards are named, never for signing."""

SUITES_BY_SIGNATURE_ALGORITHM = {
    identifier: suite
    for suite in SUITES.values()
    for identifier in (suite.signature_algorithm, *suite.further_algorithms)
}
SUITES_BY_XML = {
    name: suite
    for suite in SUITES.values()
    for name in (suite.xml_signature, *suite.further_xml)
    if name
}
SUITES_BY_JOSE = {suite.jose: suite for suite in SUITES.values() if suite.jose}

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - to name what an old card did, see SUITES
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_ECDSA_SCHEMES = {name: ec.ECDSA(algorithm) for name, algorithm in _HASHES.items()}
_ECDSA_PREHASHED = {name: ec.ECDSA(Prehashed(algorithm)) for name, algorithm in _HASHES.items()}


def suite_named(name: str) -> AlgorithmSuite:
    """Look a suite up by our own name. Raises Unprocessable `algorithm.unknown`."""
    try:
        return SUITES[name]
    except KeyError:
        raise Unprocessable("algorithm.unknown", "no such algorithm suite", name=name) from None


@dataclass(frozen=True)
class PublicKey:
    """A SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), whatever library can use it."""

    spki: bytes
    kind: KeyKind
    bits: int
    curve: str | None = None

    @classmethod
    def from_spki(cls, spki: bytes) -> "PublicKey":
        """Parse a DER SubjectPublicKeyInfo.

        Raises Malformed `public-key.malformed`, Unprocessable `public-key.unsupported`; for an
        SM2 key Unavailable `libcrypto.*`, see `kernel.libcrypto`.
        """
        return _parse_spki(bytes(spki))

    @cached_property
    def pyca(self) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
        """The pyca object. Raises Unprocessable `public-key.unsupported`: pyca cannot hold it."""
        if self.kind is KeyKind.SM2:
            raise Unprocessable("public-key.unsupported", "an SM2 key only verifies here")
        key = serialization.load_der_public_key(self.spki)
        assert isinstance(
            key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
        )
        return key

    @cached_property
    def _sm2(self) -> libcrypto.Sm2Key:
        point = sm2.point_in(self.spki)
        assert point is not None  # of this kind, see `_parse_spki`
        return libcrypto.sm2_key(point)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, hexadecimal: the same key whatever holds it."""
        return hashlib.sha256(self.spki).hexdigest()

    def fits(self, suite: AlgorithmSuite) -> bool:
        """Whether this key can be used under `suite` at all."""
        return self.kind is suite.kind and (suite.curve is None or suite.curve == self.curve)

    def weakness(self) -> Reason | None:
        """Why no certificate may be issued for this key, or None (BR 6.1.1.3, 6.1.6)."""
        if self.kind is KeyKind.EC:
            known = {ECDSA_P256_SHA256.curve, ECDSA_P384_SHA384.curve}
            if self.curve in known:
                return None
            return Reason("curve {curve} is not accepted", {"curve": self.curve})
        if self.kind is KeyKind.RSA:
            key = self.pyca
            assert isinstance(key, rsa.RSAPublicKey)
            numbers = key.public_numbers()
            return rsa_weakness(numbers.n, numbers.e)
        return Reason("SM2 keys are not certified here") if self.kind is KeyKind.SM2 else None

    def default_suite(self) -> AlgorithmSuite:
        """The suite that the holder of such a key signs with. Raises Unprocessable."""
        for suite in SUITES.values():
            if self.fits(suite):
                return suite
        raise Unprocessable("public-key.unsupported", "no suite for this kind of key")

    def verify(self, suite: AlgorithmSuite, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (X.509 shape) over `message` is this key's, under `suite`."""
        if not self.fits(suite):
            return False
        if suite is SM2_SM3:
            user = sm2.DEFAULT_USER
            return sm2.is_strict(signature) and self._sm2.verify(signature, message, user)
        key = self.pyca
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, message, _ECDSA_SCHEMES[suite.digest])
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, _rsa_padding(suite), _HASHES[suite.digest])
            else:
                key.verify(signature, message)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True

    def verify_digest(self, suite: AlgorithmSuite, signature: bytes, digest: bytes) -> bool:
        """As `verify`, over a digest that the caller computed (streamed documents); never for
        Ed25519 and SM2, which sign more than a digest of the message."""
        if not self.fits(suite) or suite.kind in (KeyKind.ED25519, KeyKind.SM2):
            return False
        key = self.pyca
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, digest, _ECDSA_PREHASHED[suite.digest])
            elif isinstance(key, rsa.RSAPublicKey):
                prehashed = Prehashed(_HASHES[suite.digest])
                key.verify(signature, digest, _rsa_padding(suite), prehashed)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def _rsa_padding(suite: AlgorithmSuite) -> padding.AsymmetricPadding:
    if suite.padding is Padding.PSS:
        algorithm = _HASHES[suite.digest]
        return padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return padding.PKCS1v15()


@lru_cache(maxsize=4096)
def _parse_spki(spki: bytes) -> PublicKey:
    if len(spki) > 2400:
        raise Malformed("public-key.malformed", "the public key is too large")
    if sm2.point_in(spki) is not None:
        made = PublicKey(spki, KeyKind.SM2, 256, sm2.CURVE)
        _ = made._sm2  # only now is the point known to be on the curve
        return made
    try:
        key = serialization.load_der_public_key(spki)
    except UnsupportedAlgorithm:
        raise Unprocessable("public-key.unsupported", "this kind of key is not supported") from None
    except ValueError:
        raise Malformed("public-key.malformed", "not a SubjectPublicKeyInfo") from None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicKey(spki, KeyKind.EC, key.curve.key_size, key.curve.name)
    if isinstance(key, rsa.RSAPublicKey):
        return PublicKey(spki, KeyKind.RSA, key.key_size)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(spki, KeyKind.ED25519, 256)
    raise Unprocessable("public-key.unsupported", "this kind of key is not supported")
