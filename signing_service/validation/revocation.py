"""Is a certificate revoked? Answers from our own authority, OCSP responses and CRLs.

An answer is believed only after its signature and its signer's authority are checked (RFC 6960,
3.2 and 4.2.2.2; RFC 5280, 6.3). Whether it is fresh enough is asked by the engine, which knows
for which time (EN 319 102-1, 5.2.5).
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography.x509 import CertificateRevocationList

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from signing_service.ports import CertificateStatus, StatusAnswer, StatusSource
from signing_service.validation.crl import answer_of, believed_crl
from signing_service.validation.ocsp import ocsp_answer

MAX_GIVEN = 16
"""CRLs, and as many OCSP responses, looked at for one signature."""


class GivenEvidence:
    """CRLs and OCSP responses that came with a signature, DER, not yet believed.

    Lives for the validation of one signature; a large CRL is verified once for its issuer.
    """

    def __init__(self, crls: Sequence[bytes] = (), ocsp: Sequence[bytes] = ()) -> None:
        self._crls = tuple(crls[:MAX_GIVEN])
        self._ocsp = tuple(ocsp[:MAX_GIVEN])
        self._believed: dict[tuple[int, str], CertificateRevocationList | None] = {}

    def answers(
        self, certificate: Certificate, issuer: Certificate, at: datetime
    ) -> list[StatusAnswer]:
        """Every answer that can be believed at the time `at`."""
        found = [ocsp_answer(der, certificate, issuer, at) for der in self._ocsp]
        for index, der in enumerate(self._crls):
            key = index, issuer.fingerprint
            if key not in self._believed:
                self._believed[key] = believed_crl(der, issuer)
            crl = self._believed[key]
            found.append(None if crl is None else answer_of(crl, der, certificate, at))
        return [answer for answer in found if answer is not None]


class RevocationStatus:
    """Asks the sources in order, then what was given with the signature."""

    def __init__(self, sources: Sequence[StatusSource]) -> None:
        self._sources = tuple(sources)

    def of(
        self,
        certificate: Certificate,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
    ) -> StatusAnswer | None:
        """The best answer known at the time `at`, or None.

        A source that speaks for the issuer has the last word, even where it says UNKNOWN: its
        authority never issued such a certificate. Among what was given, REVOKED beats GOOD.
        """
        for source in self._sources:
            try:
                answer = source.status(certificate, issuer)
            except Unavailable:
                continue
            if answer is not None:
                return answer
        answers = (
            answer
            for evidence in given
            for answer in evidence.answers(certificate, issuer, at)
            if _speaks_for(answer, certificate)
        )
        return max(answers, key=_weight, default=None)


def _weight(answer: StatusAnswer) -> tuple[bool, datetime]:
    return answer.status is CertificateStatus.REVOKED, answer.this_update


def _speaks_for(answer: StatusAnswer, certificate: Certificate) -> bool:
    """A CRL or responder may forget a certificate once it has expired: GOOD then means little,
    unless the answer was made before the expiry."""
    if answer.status is not CertificateStatus.GOOD:
        return answer.status is CertificateStatus.REVOKED
    return answer.this_update <= certificate.not_after
