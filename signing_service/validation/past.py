"""Past certificate validation (EN 319 102-1, 5.6.2.1) with validation time sliding (5.6.2.2).

It finds until when a path was good, as far as what is proven to have existed then can tell: the
control time slides back from now at every revocation, expiry, stale status and broken algorithm,
from the trust anchor down. Its bounds are exclusive: what existed before the bound counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kernel.asn1.certificate import Certificate
from policies.validation import ValidationPolicy
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation.certificates import RevocationFinding
from signing_service.validation.chain_constraints import (
    Expectations,
    constraint_fault,
    fresh_until,
    purpose_fault,
    weak_key_in,
)
from signing_service.validation.constraints import end_of
from signing_service.validation.indications import (
    Conclusion,
    Step,
    SubIndication,
    indeterminate,
    passed,
)
from signing_service.validation.paths import CertificatePath, PathBuilder
from signing_service.validation.poe import ProofsOfExistence
from signing_service.validation.revocation import GivenEvidence, RevocationStatus

_MOMENT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class PastCertificateValidation:
    """Whether a path was good once, and until when."""

    conclusion: Conclusion
    before: datetime | None = None
    """Exclusive bound of the control time; None unless the conclusion passed."""
    path: CertificatePath | None = None
    revocation: tuple[RevocationFinding, ...] = ()
    """The status used for each certificate, the signing certificate first."""


@dataclass(frozen=True, eq=False)
class PastCertificateValidator:
    """Validates certificates in the past. Safe to use from many threads."""

    paths: PathBuilder
    status: RevocationStatus
    policy: ValidationPolicy

    def validate(
        self,
        certificate: Certificate,
        embedded: tuple[Certificate, ...],
        given: Sequence[GivenEvidence],
        expectations: Expectations,
        proofs: ProofsOfExistence,
    ) -> PastCertificateValidation:
        """The path that was good for longest, else why there is none."""
        results = [
            self._validate_path(path, given, expectations, proofs)
            for path in self.paths.search(certificate, embedded).paths
        ]
        if not results:
            sub = SubIndication.NO_CERTIFICATE_CHAIN_FOUND
            issuer = certificate.issuer_text()
            fault = indeterminate(Step.PAST_CERTIFICATE, sub, "path.none", subject=issuer)
            return PastCertificateValidation(fault)
        return max(results, key=lambda result: result.before or datetime.min.replace(tzinfo=UTC))

    def _validate_path(
        self,
        path: CertificatePath,
        given: Sequence[GivenEvidence],
        expectations: Expectations,
        proofs: ProofsOfExistence,
    ) -> PastCertificateValidation:
        wrong = (
            purpose_fault(path, expectations)
            or constraint_fault(path, expectations)
            or next(iter(weak_key_in(path, self.policy)), None)
            or _validity_fault(path)
        )
        if wrong is not None:
            return PastCertificateValidation(wrong, path=path)
        end = path.authority.trusted_until or path.anchor.not_after
        before = min(proofs.now.at + _MOMENT, end + _SECOND)
        findings: list[RevocationFinding] = []
        for certificate, issuer in reversed(tuple(path.issued())):
            before = min(before, self._algorithm_end(certificate, before))
            answer = self._status_before(before, path, certificate, issuer, given, proofs)
            findings.insert(0, RevocationFinding(certificate, answer))
            if answer is None and self.policy.revocation.required:
                return PastCertificateValidation(
                    _no_proof(certificate, before), path=path, revocation=tuple(findings)
                )
            if answer is not None:
                is_end = certificate is path.certificates[0]
                before = min(before, self._good_until(answer, certificate, before, is_end=is_end))
            before = min(before, certificate.not_after + _SECOND)
        if not path.authority.trusts_at(path.anchor, before - _SECOND):
            sub = SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE
            fault = indeterminate(
                Step.PAST_CERTIFICATE, sub, "path.anchor-not-trusted-now",
                authority=path.authority.name, subject=path.anchor.subject_text(),
            )  # fmt: skip
            return PastCertificateValidation(fault, path=path, revocation=tuple(findings))
        return PastCertificateValidation(
            passed(Step.PAST_CERTIFICATE), before, path, tuple(findings)
        )

    def _status_before(
        self,
        before: datetime,
        path: CertificatePath,
        certificate: Certificate,
        issuer: Certificate,
        given: Sequence[GivenEvidence],
        proofs: ProofsOfExistence,
    ) -> StatusAnswer | None:
        """5.6.2.2, 2 a: made before the control time and, like the certificate, proven to have
        existed then. Records that no key vouches for are good for any time."""
        if not self.paths.is_configured(certificate) and proofs.of(certificate.der).at >= before:
            return None
        found = [
            answer
            for answer in self.status.answers(certificate, path, issuer, given, proofs.now.at)
            if answer.status is not CertificateStatus.UNKNOWN
            and (
                answer.evidence is None
                or (answer.this_update < before and _are_proven(answer, before, proofs))
            )
        ]
        return RevocationStatus.weightiest(found)

    def _good_until(
        self, answer: StatusAnswer, certificate: Certificate, before: datetime, *, is_end: bool
    ) -> datetime:
        if answer.status is CertificateStatus.REVOKED:
            return answer.revoked_at or certificate.not_before
        end = before
        if answer.evidence is not None:
            end = min(end, fresh_until(answer, self.policy.revocation, is_end=is_end))
        if answer.suite is not None:
            end = min(end, self._suite_end(answer.suite, end))
        return end

    def _algorithm_end(self, certificate: Certificate, otherwise: datetime) -> datetime:
        suite = certificate.signature_suite
        if suite is None:
            return otherwise
        return self._suite_end(suite.name, otherwise)

    def _suite_end(self, suite: str, otherwise: datetime) -> datetime:
        until = self.policy.suites_until.get(suite)
        if until is None:
            return datetime.min.replace(tzinfo=UTC)
        return min(otherwise, end_of(until))


def _are_proven(answer: StatusAnswer, before: datetime, proofs: ProofsOfExistence) -> bool:
    first = answer.evidence or b""
    return all(proofs.of(each).at < before for each in (first, *answer.further_evidence))


def _validity_fault(path: CertificatePath) -> Conclusion | None:
    """5.6.2.1, 2: there must be a time at which all of them were valid."""
    below_anchor = path.certificates[:-1] or path.certificates
    start = max(certificate.not_before for certificate in below_anchor)
    end = min(below_anchor, key=lambda certificate: certificate.not_after)
    if start <= end.not_after:
        return None
    return indeterminate(
        Step.PAST_CERTIFICATE, SubIndication.OUT_OF_BOUNDS_NO_POE, "path.never-valid",
        subject=end.subject_text(),
    )  # fmt: skip


def _no_proof(certificate: Certificate, before: datetime) -> Conclusion:
    return indeterminate(
        Step.SLIDING, SubIndication.NO_POE, "time.no-proof",
        subject=certificate.subject_text(), before=before.isoformat(timespec="seconds"),
    )  # fmt: skip
