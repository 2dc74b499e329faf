"""Who signs OCSP answers: a delegated key with its certificate (RFC 6960, 4.2.2.2)."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from ca.linting.answers import AnswerLinter
from ca.ocsp.messages import successful_response
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from policies.lints.framework import Finding

_CHECK_EVERY = 64


class OcspSigner:
    """One generation of a responder's key. Safe for threads."""

    def __init__(
        self,
        issuer: Certificate,
        key: KeyHandle,
        certificate: Certificate,
        refused: Callable[[Sequence[Finding]], None] = lambda findings: None,
    ) -> None:
        """`refused` is told what the lints stopped.

        Raises Unavailable `ocsp.wrong-key` when the key is not the certificate's, or the
        certificate was not issued by `issuer`."""
        if certificate.spki != key.public_key.spki or not certificate.is_signed_by(issuer):
            raise Unavailable("ocsp.wrong-key", "key, responder certificate and issuer differ")
        self.certificate = certificate
        self.key_hash = hashlib.sha1(key_bits(certificate), usedforsecurity=False).digest()
        self._linter = AnswerLinter(certificate, key.suite, refused)
        self._key = key
        self._signed = 0

    def is_valid(self, at: datetime) -> bool:
        return self.certificate.not_before <= at < self.certificate.not_after

    def response(self, data: bytes, *, kept: bool) -> bytes:
        """OCSPResponse around ResponseData.

        An answer that is `kept` for others is verified first. One that a single client waits for
        is verified by that client; here only now and then, to notice a token that errs.
        Raises Unprocessable `lint.failed`; Unavailable `token.wrong-key` and as the token does.
        """
        self._linter.require(data)
        suite = self._key.suite
        signature = self._key.sign(data)
        checked = kept or self._signed % _CHECK_EVERY == 0
        self._signed += 1
        if checked and not self._key.public_key.verify(suite, signature, data):
            self._signed = 0  # the next one is looked at again
            raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        return successful_response(data, suite, signature, self.certificate.der)


def key_bits(certificate: Certificate) -> bytes:
    """The subjectPublicKey's octets, without tag, length and unused bits (RFC 6960, 4.1.1)."""
    spki = certificate.spki
    _, bits = der.children(spki, der.read(spki))
    return spki[bits.content + 1 : bits.end]
