"""Proofs of existence (EN 319 102-1, 5.6.2.3): what is proven to have existed, and when."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from signing_service.validation.evidence import (
    SignatureEvidence,
    TimestampEvidence,
    TimestampKind,
)


class Proof(NamedTuple):
    """One object existed at this time, and what proves it."""

    at: datetime
    by: str
    """`the time of validation`, or the timestamp's authority."""


class ProofOfExistence(Protocol):
    """Proofs that are kept beside a signature: evidence records (RFC 4998), an archive."""

    def of(self, presented: bytes) -> Sequence[TimestampEvidence]:
        """Timestamps of kind EVIDENCE_RECORD over the presented signature file, any order; each
        covers, beside the file, the `token`s of those before it. The engine validates them.
        Raises Unavailable."""
        ...


class ProofsOfExistence:
    """The earliest proof of each object, by SHA-256. Lives while one signature is validated."""

    def __init__(self, now: datetime) -> None:
        self.now = Proof(now, "the time of validation")
        """Whatever was presented exists by now."""
        self._proofs: dict[bytes, Proof] = {}

    def add(self, digest: bytes, proof: Proof) -> None:
        """Keep the earliest proof for the object of that SHA-256."""
        known = self._proofs.get(digest)
        if known is None or proof.at < known.at:
            self._proofs[digest] = proof

    def of(self, thing: bytes) -> Proof:
        """The earliest proof of an object that was presented."""
        return self._proofs.get(sha256(thing), self.now) if self._proofs else self.now

    def alias(self, whole: bytes, part: bytes) -> None:
        """What is proven of a token is proven of the signature value in it."""
        known = self._proofs.get(sha256(whole)) if self._proofs else None
        if known is not None:
            self.add(sha256(part), known)

    def extract(
        self, timestamp: TimestampEvidence, signature: SignatureEvidence, proof: Proof
    ) -> None:
        """5.6.2.3: take over what a valid timestamp proves of `signature` and what belongs to it.

        A token that is proven proves what lies in it; a signature value that is proven proves
        the signing certificate, whose digest was signed with it.
        """
        covered = set(timestamp.covers)
        if timestamp.kind is TimestampKind.SIGNATURE:
            covered.add(sha256(signature.signature_value))
        elif timestamp.kind is TimestampKind.EVIDENCE_RECORD:
            covered.update(sha256(each) for each in _all_of(signature))
        covered.update(*(_bound(one, covered) for one in _with_tokens(signature)))
        for digest in covered:
            self.add(digest, proof)


def sha256(thing: bytes) -> bytes:
    return hashlib.sha256(thing).digest()


def _with_tokens(signature: SignatureEvidence) -> Iterable[tuple[bytes, SignatureEvidence]]:
    """Each signature with the object that stands for it: itself, and every token."""
    yield signature.signature_value, signature
    for timestamp in signature.timestamps:
        yield timestamp.token, timestamp.signature


def _bound(one: tuple[bytes, SignatureEvidence], covered: set[bytes]) -> set[bytes]:
    stands_for, signature = one
    if sha256(stands_for) not in covered:
        return set()
    found: set[bytes] = set()
    if stands_for is not signature.signature_value:
        found.update(sha256(each) for each in _all_of(signature))
    reference, certificate = signature.certificate_reference, signature.signing_certificate
    if reference is not None and reference.matches and certificate is not None:
        found.add(certificate.digest("sha256"))
    return found


def _all_of(signature: SignatureEvidence) -> Iterable[bytes]:
    yield signature.signature_value
    for certificate in signature.embedded_certificates:
        yield certificate.der
    yield from signature.embedded_crls
    yield from signature.embedded_ocsp
    for timestamp in signature.timestamps:
        yield timestamp.token
