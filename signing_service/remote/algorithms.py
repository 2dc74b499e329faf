"""Signature and digest algorithms by object identifier, from the house's one table alone."""

import hashlib

from kernel.algorithms import DIGESTS_BY_OID, SUITES, AlgorithmSuite, KeyKind, PublicKey
from kernel.refusals import Unprocessable

CURVES = {"secp256r1": "1.2.840.10045.3.1.7", "secp384r1": "1.3.132.0.34"}
"""RFC 5480, 2.1.1.1."""

_LEAST_STRENGTH = 112
_ACCEPTED = ("sha256", "sha384", "sha512")
_DIGESTS = {oid: name for oid, name in DIGESTS_BY_OID.items() if name in _ACCEPTED}


def signs_digests(suite: AlgorithmSuite) -> bool:
    """Whether seals sign under it at all. Ed25519 signs messages, never digests."""
    known = suite.kind in (KeyKind.EC, KeyKind.RSA) and suite.digest in _ACCEPTED
    return known and suite.strength >= _LEAST_STRENGTH


def suites_of(key: PublicKey) -> tuple[AlgorithmSuite, ...]:
    """What a seal's key may sign digests under."""
    return tuple(suite for suite in SUITES.values() if key.fits(suite) and signs_digests(suite))


def choose(
    key: PublicKey, signature_oid: str, digest_oid: str | None, parameters: bytes | None
) -> AlgorithmSuite:
    """The suite that a request selects; `parameters` are those of the algorithm (PSS), DER.

    Raises Unprocessable `remote.algorithm`.
    """
    fitting = [
        suite
        for suite in suites_of(key)
        if suite.signature_oid == signature_oid and digest_oid in (None, suite.digest_oid)
    ]
    if len(fitting) != 1 or not _same_parameters(fitting[0], parameters):
        raise Unprocessable("remote.algorithm", "Invalid parameter signAlgo or hashAlgorithmOID")
    return fitting[0]


def digest_named(oid: str) -> str:
    """hashlib's name of a digest algorithm. Raises Unprocessable `remote.algorithm`."""
    try:
        return _DIGESTS[oid]
    except KeyError:
        raise Unprocessable("remote.algorithm", "Invalid parameter hashAlgorithmOID") from None


def require_length(digest: str, hashes: tuple[bytes, ...]) -> None:
    """Raises Unprocessable `remote.hash-length`."""
    size = hashlib.new(digest).digest_size
    if any(len(each) != size for each in hashes):
        raise Unprocessable("remote.hash-length", "Invalid digest value length")


def _same_parameters(suite: AlgorithmSuite, parameters: bytes | None) -> bool:
    """The parameters are ours: nobody else's are parsed."""
    return parameters in (None, b"\x05\x00") or suite.signature_algorithm.endswith(parameters)
