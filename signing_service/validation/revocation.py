"""Is a certificate revoked? Answers from our own authority, OCSP responses and CRLs.

An answer is believed only after its signature and its signer's authority are checked (RFC 6960,
3.2 and 4.2.2.2; RFC 5280, 6.3). Whether it is fresh enough is asked by the engine, which knows
for which time (EN 319 102-1, 5.2.5).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from signing_service.ports import CertificateStatus, StatusAnswer, StatusSource
from signing_service.validation.crl import Crl, crls_answer
from signing_service.validation.names import name_key
from signing_service.validation.ocsp import ocsp_answer
from signing_service.validation.paths import CertificatePath, PathBuilder

MAX_GIVEN = 16
"""CRLs, and as many OCSP responses, looked at for one signature."""
MAX_SIGNERS = 4
MAX_DEPTH = 3
"""How far the status of those who sign CRLs is followed."""


ON_HOLD = "certificateHold"
"""The one revocation that can be taken back (RFC 5280, 5.3.1)."""


@dataclass
class GivenEvidence:
    """CRLs and OCSP responses that came with a signature, DER, not yet believed; and
    certificates that may have signed them.

    Lives for the validation of one signature; a large CRL is read and verified once.
    """

    given_crls: Sequence[bytes] = ()
    ocsp: Sequence[bytes] = ()
    certificates: tuple[Certificate, ...] = ()
    believed: dict[tuple[int, str], bool] = field(default_factory=dict)
    """Whether the CRL (by `id`) holds under the signer's certificate (fingerprint)."""

    def __post_init__(self) -> None:
        self.given_crls = tuple(self.given_crls[:MAX_GIVEN])
        self.ocsp = tuple(self.ocsp[:MAX_GIVEN])

    @cached_property
    def crls(self) -> tuple[Crl, ...]:
        return tuple(crl for crl in map(Crl.parse, self.given_crls) if crl is not None)


class StatusFetcher(Protocol):
    """Fetches status where the certificate says that it is to be had."""

    def fetch(self, certificate: Certificate, issuer: Certificate) -> GivenEvidence | None:
        """None: nothing was to be had now."""
        ...


class RevocationStatus:
    """Asks the sources in order, then what was given, and fetches where that is not enough."""

    def __init__(
        self,
        sources: Sequence[StatusSource],
        paths: PathBuilder,
        fetcher: StatusFetcher | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._paths = paths
        self._fetcher = fetcher

    def of(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
        is_fresh: Callable[[StatusAnswer], bool] = lambda _: True,
    ) -> StatusAnswer | None:
        """The best answer known at the time `at`, or None.

        A source that speaks for the issuer has the last word, even where it says UNKNOWN: its
        authority never issued such a certificate. Among what was given, REVOKED beats GOOD,
        but for a hold that was released.
        """
        answer = self._recorded(certificate, issuer)
        if answer is not None:
            return answer
        answer = self.weightiest(self._given(certificate, path, issuer, given, at))
        if self._fetcher is None or (answer is not None and is_fresh(answer)):
            return answer
        more = self._fetched(certificate, path, issuer, given, at)
        return self.weightiest(more if answer is None else [answer, *more])

    def answers(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
    ) -> list[StatusAnswer]:
        """Every answer that can be believed at the time `at`, older ones too."""
        answer = self._recorded(certificate, issuer)
        if answer is not None:
            return [answer]
        found = self._given(certificate, path, issuer, given, at)
        if certificate.not_after >= at:
            found += self._fetched(certificate, path, issuer, given, at)
        return found

    @staticmethod
    def weightiest(answers: Iterable[StatusAnswer]) -> StatusAnswer | None:
        """REVOKED before GOOD, then the newest. A hold may be released: of that and GOOD the
        newest alone counts."""
        return max(answers, key=_weight, default=None)

    def _recorded(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        for source in self._sources:
            try:
                answer = source.status(certificate, issuer)
            except Unavailable:
                continue
            if answer is not None:
                return answer
        return None

    def _fetched(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
    ) -> list[StatusAnswer]:
        fetched = None if self._fetcher is None else self._fetcher.fetch(certificate, issuer)
        if fetched is None:
            return []
        # Whoever signed them may have sent the certificate along with the signature.
        helpers = tuple(c for evidence in given for c in evidence.certificates)
        whole = replace(fetched, certificates=(*fetched.certificates, *helpers), believed={})
        return self._given(certificate, path, issuer, (whole,), at)

    def _given(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
        under_way: tuple[str, ...] = (),
    ) -> list[StatusAnswer]:
        found: list[StatusAnswer | None] = []
        for evidence in given:
            found += [ocsp_answer(der, certificate, issuer, at) for der in evidence.ocsp]
            found += self._by_crl(certificate, path, issuer, evidence, given, at, under_way)
        return [answer for answer in found if answer is not None and _speaks(answer, certificate)]

    def _by_crl(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        evidence: GivenEvidence,
        given: Sequence[GivenEvidence],
        at: datetime,
        under_way: tuple[str, ...],
    ) -> list[StatusAnswer | None]:
        """What the CRLs say together, and what they said before the newest of them."""

        def is_believed(crl: Crl) -> bool:
            return any(
                self._signs(signer, crl, evidence)
                and (
                    signer is issuer
                    or self._may_sign(signer, crl, path, given, at, (*under_way, mark))
                )
                for signer in self._signers(crl, issuer, evidence)
            )

        if not evidence.crls:
            return []
        mark = certificate.fingerprint
        times = sorted({crl.this_update for crl in evidence.crls if crl.base is None})
        return [
            crls_answer(
                [crl for crl in evidence.crls if crl.this_update <= latest],
                certificate, at, is_believed,
            )
            for latest in (*times[:-1], max(crl.this_update for crl in evidence.crls))
        ]  # fmt: skip

    def _signers(self, crl: Crl, issuer: Certificate, evidence: GivenEvidence) -> list[Certificate]:
        """Certificates under which the CRL may have been signed, the likeliest first."""
        name = crl.issuer
        others = [c for c in evidence.certificates if name_key(c.subject_der) == name]
        found = dict.fromkeys([issuer, *self._paths.anchors.named(crl.issuer_der), *others])
        wanted = crl.key_identifier
        fitting = [
            c
            for c in found
            if wanted is None
            or c.subject_key_identifier is None
            or c.subject_key_identifier == wanted
        ]
        return fitting[:MAX_SIGNERS]

    @staticmethod
    def _signs(signer: Certificate, crl: Crl, evidence: GivenEvidence) -> bool:
        key = id(crl), signer.fingerprint
        if key not in evidence.believed:
            evidence.believed[key] = crl.is_signed_by(signer)
        return evidence.believed[key]

    def _may_sign(
        self,
        signer: Certificate,
        crl: Crl,
        path: CertificatePath,
        given: Sequence[GivenEvidence],
        at: datetime,
        under_way: tuple[str, ...],
    ) -> bool:
        """6.3.3, f: the signer's own path leads to the same authority, and holds."""
        if not signer.not_before <= crl.this_update <= signer.not_after:
            return False
        helpers = tuple(c for evidence in given for c in evidence.certificates)
        for way in self._paths.search(signer, helpers).paths:
            if way.authority is not path.authority:
                continue
            if len(way.certificates) == 1:
                return True
            if all(
                self._is_good(one, way, above, given, at, under_way) for one, above in way.issued()
            ):
                return True
        return False

    def _is_good(
        self,
        certificate: Certificate,
        path: CertificatePath,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        at: datetime,
        under_way: tuple[str, ...],
    ) -> bool:
        if certificate.fingerprint in under_way or len(under_way) > MAX_DEPTH:
            # Who is being asked about cannot vouch; its own status is judged on its own.
            return certificate.fingerprint in under_way
        answer = self._recorded(certificate, issuer) or self.weightiest(
            self._given(certificate, path, issuer, given, at, under_way)
        )
        return answer is not None and answer.status is CertificateStatus.GOOD


def _weight(answer: StatusAnswer) -> tuple[bool, datetime, bool]:
    revoked = answer.status is CertificateStatus.REVOKED
    return revoked and answer.reason != ON_HOLD, answer.this_update, revoked


def _speaks(answer: StatusAnswer, certificate: Certificate) -> bool:
    """A CRL or responder may forget a certificate once it has expired: GOOD then means little,
    unless the answer was made before the expiry."""
    if answer.status is not CertificateStatus.GOOD:
        return answer.status is CertificateStatus.REVOKED
    return answer.this_update <= certificate.not_after
