"""Is a certificate revoked? Answers from our own authority, OCSP responses and CRLs.

An answer is believed only after its signature and its signer's authority are checked (RFC 6960,
3.2 and 4.2.2.2; RFC 5280, 6.3). Whether it is fresh enough is asked by the engine, which knows
for which time (EN 319 102-1, 5.2.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from signing_service.ports import CertificateStatus, StatusAnswer, StatusSource
from signing_service.validation.crl import crl_answer
from signing_service.validation.ocsp import ocsp_answer

MAX_GIVEN = 32
"""CRLs, and as many OCSP responses, looked at for one signature."""


@dataclass(frozen=True)
class GivenEvidence:
    """CRLs and OCSP responses that came with a signature, DER, not yet believed."""

    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()


class RevocationStatus:
    """Asks the sources in order, then what was given with the signature."""

    def __init__(self, sources: Sequence[StatusSource]) -> None:
        self._sources = tuple(sources)

    def of(
        self,
        certificate: Certificate,
        issuer: Certificate,
        given: GivenEvidence,
        at: datetime,
    ) -> StatusAnswer | None:
        """The best answer known at the time `at`, or None. REVOKED beats GOOD among given ones;
        a source that speaks for the issuer beats what was given."""
        for source in self._sources:
            try:
                answer = source.status(certificate, issuer)
            except Unavailable:
                continue
            if answer is not None and answer.status is not CertificateStatus.UNKNOWN:
                return answer
        answers = [
            answer
            for answer in self._from_given(certificate, issuer, given, at)
            if answer is not None and _speaks_for(answer, certificate)
        ]
        return max(answers, key=_weight, default=None)

    def _from_given(
        self, certificate: Certificate, issuer: Certificate, given: GivenEvidence, at: datetime
    ) -> list[StatusAnswer | None]:
        responses = [ocsp_answer(der, certificate, issuer, at) for der in given.ocsp[:MAX_GIVEN]]
        return responses + [
            crl_answer(der, certificate, issuer, at) for der in given.crls[:MAX_GIVEN]
        ]


def _weight(answer: StatusAnswer) -> tuple[bool, datetime]:
    return answer.status is CertificateStatus.REVOKED, answer.this_update


def _speaks_for(answer: StatusAnswer, certificate: Certificate) -> bool:
    """A CRL or responder may forget a certificate once it has expired: GOOD then means little,
    unless the answer was made before the expiry."""
    if answer.status is not CertificateStatus.GOOD:
        return answer.status is CertificateStatus.REVOKED
    return answer.this_update <= certificate.not_after
