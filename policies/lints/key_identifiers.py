"""Subject and authority key identifiers stand, are not critical, and name the right keys."""

from collections.abc import Iterator
from hashlib import sha1

from kernel.asn1 import der
from policies.lints.framework import Candidate, Lint
from policies.oids import AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER


def check(candidate: Candidate) -> Iterator[str]:
    certificate, issuer = candidate.certificate, candidate.issuer
    own, authority = certificate.subject_key_identifier, certificate.authority_key_identifier
    if own is None:
        yield "no subjectKeyIdentifier"
    elif own != _identifier(certificate.spki):
        yield "subjectKeyIdentifier is not the SHA-1 of the public key"
    if authority is None:
        yield "no authorityKeyIdentifier"
    elif authority != (own if issuer is None else issuer.subject_key_identifier):
        yield "authorityKeyIdentifier names another key than the issuer's"
    for oid in (SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER):
        if oid in certificate.critical_extensions:
            yield "a key identifier is critical"


def _identifier(spki: bytes) -> bytes:
    """RFC 5280, 4.2.1.2, method 1: an identifier, no protection."""
    _, key = der.children(spki, der.read(spki))
    return sha1(spki[key.content + 1 : key.end], usedforsecurity=False).digest()


LINT = Lint("key-identifiers", "7.1.2", "RFC 5280, 4.2.1.1 and 4.2.1.2", check)
