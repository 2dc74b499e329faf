"""X.509 certificate validation (EN 319 102-1, 5.2.6) with the revocation freshness checker
(5.2.5), at any control time.

Besides a conclusion it returns every doubt that a proof of existence could answer, so that the
processes above (signatures with time) need not run it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from kernel.asn1.certificate import Certificate
from policies.validation import ValidationPolicy
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation.chain_constraints import (
    Expectations,
    anchor_fault,
    constraint_fault,
    fresh_until,
    intermediate_doubts,
    moment,
    purpose_fault,
    unproven,
    weak_key_in,
)
from signing_service.validation.constraints import Weakness, end_of, weak_suite
from signing_service.validation.indications import (
    Conclusion,
    Step,
    SubIndication,
    passed,
)
from signing_service.validation.paths import CertificatePath, PathBuilder
from signing_service.validation.revocation import ON_HOLD, GivenEvidence, RevocationStatus


class RevocationFinding(NamedTuple):
    """The status of one certificate of the path, with the answer that tells it."""

    certificate: Certificate
    answer: StatusAnswer | None


class CertificateValidation(NamedTuple):
    """Conclusion for a signing certificate, and the path and status that it rests on."""

    conclusion: Conclusion
    doubts: tuple[Conclusion, ...] = ()
    """Every finding that a proof of existence may answer; `conclusion` is the first of them."""
    path: CertificatePath | None = None
    revocation: tuple[RevocationFinding, ...] = ()


@dataclass(frozen=True, eq=False)
class CertificateValidator:
    """Validates signing certificates against the trust anchors, at a control time."""

    paths: PathBuilder
    status: RevocationStatus
    policy: ValidationPolicy

    def validate(
        self,
        certificate: Certificate,
        embedded: tuple[Certificate, ...],
        given: Sequence[GivenEvidence],
        expectations: Expectations,
        at: datetime,
    ) -> CertificateValidation:
        """The best of all paths: the first that passes, else the first."""
        search = self.paths.search(certificate, embedded)
        if search.fault is not None:
            sub = (
                SubIndication.NO_CERTIFICATE_CHAIN_FOUND
                if search.fault.reason in ("path.none", "path.search-exhausted")
                else SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE
            )
            fault = search.fault
            return CertificateValidation(unproven(sub, fault.reason, subject=fault.subject))
        first: CertificateValidation | None = None
        for path in search.paths:
            result = self._validate_path(path, given, expectations, at)
            if result.conclusion.passed:
                return result
            first = first or result
        assert first is not None
        return first

    def _validate_path(
        self,
        path: CertificatePath,
        given: Sequence[GivenEvidence],
        expectations: Expectations,
        at: datetime,
    ) -> CertificateValidation:
        window = self._window(path, expectations)
        if window is not None and window[0] <= at <= window[1]:
            return self._validate_in_window(path, given, at)
        wrong = (
            purpose_fault(path, expectations)
            or constraint_fault(path, expectations)
            or anchor_fault(path, at)
        )
        findings = self._findings(path, given, at)
        if wrong is not None:
            return CertificateValidation(wrong, path=path, revocation=findings)
        doubts = (
            *intermediate_doubts(path, at),
            *self._authority_doubts(path, findings, at),
            *self._signer_doubts(path.certificates[0], findings[:1], at),
            *self._cryptographic_doubts(path, at),
        )
        conclusion = doubts[0] if doubts else passed(Step.CERTIFICATE)
        return CertificateValidation(conclusion, doubts, path, findings)

    def _validate_in_window(
        self, path: CertificatePath, given: Sequence[GivenEvidence], at: datetime
    ) -> CertificateValidation:
        """Only the status is left to be asked; the same outcome as the long way."""
        findings = self._findings(path, given, at)
        doubts: tuple[Conclusion, ...] = tuple(self._authority_doubts(path, findings, at))
        if findings:
            status = self._status_doubt(findings[0], at, is_end=True)
            doubts = doubts if status is None else (*doubts, status)
        conclusion = doubts[0] if doubts else passed(Step.CERTIFICATE)
        return CertificateValidation(conclusion, doubts, path, findings)

    def _window(
        self, path: CertificatePath, expectations: Expectations
    ) -> tuple[datetime, datetime] | None:
        """From when until when nothing but its status can stand against the path; None: never.

        Worked out once for a path, which lives as long as the memory of paths.
        """
        known = path.windows.get(id(expectations))
        if known is None:
            known = self._work_out_window(path, expectations), expectations
            path.windows[id(expectations)] = known
        return known[0]

    def _work_out_window(
        self, path: CertificatePath, expectations: Expectations
    ) -> tuple[datetime, datetime] | None:
        if (
            purpose_fault(path, expectations)
            or constraint_fault(path, expectations)
            or weak_key_in(path, self.policy)
        ):
            return None
        below = path.certificates[:-1] or path.certificates
        authority, anchor = path.authority, path.anchor
        starts = [c.not_before for c in below]
        ends = [c.not_after for c in below]
        starts.append(authority.trusted_from or anchor.not_before)
        ends.append(authority.trusted_until or anchor.not_after)
        for certificate in below:
            suite = certificate.signature_suite
            if certificate is anchor or suite is None:
                continue
            until = self.policy.suites_until.get(suite.name)
            if until is None:
                return None
            ends.append(end_of(until) - timedelta(microseconds=1))
        return max(starts), min(ends)

    def _findings(
        self, path: CertificatePath, given: Sequence[GivenEvidence], at: datetime
    ) -> tuple[RevocationFinding, ...]:
        def is_fresh(answer: StatusAnswer) -> bool:
            return at <= fresh_until(answer, self.policy.revocation, is_end=True)

        of = self.status.of
        return tuple(
            [
                RevocationFinding(one, of(one, path, issuer, given, at, is_fresh))
                for one, issuer in path.issued()
            ]
        )

    def _authority_doubts(
        self, path: CertificatePath, findings: tuple[RevocationFinding, ...], at: datetime
    ) -> list[Conclusion]:
        doubts = []
        for finding in findings[1:]:
            doubt = self._status_doubt(finding, at, is_end=False)
            if doubt is None:
                continue
            if doubt.sub_indication is SubIndication.REVOKED_NO_POE:
                sub, reason = SubIndication.REVOKED_CA_NO_POE, "revocation.ca-revoked"
                # What it said of the certificates below may be forged: that the signature is
                # older does not help by itself (5.6.2.2).
                doubt = replace(doubt, sub_indication=sub, reason=reason, healed_before=None)
            doubts.append(doubt)
        return doubts

    def _signer_doubts(
        self, certificate: Certificate, finding: tuple[RevocationFinding, ...], at: datetime
    ) -> list[Conclusion]:
        status = self._status_doubt(finding[0], at, is_end=True) if finding else None
        doubts = [status] if status is not None else []
        if at < certificate.not_before:
            doubts.append(
                unproven(
                    SubIndication.OUT_OF_BOUNDS_NO_POE,
                    "certificate.not-yet-valid",
                    not_before=moment(certificate.not_before),
                )
            )
        elif at > certificate.not_after:
            known = status is None or status.sub_indication is SubIndication.REVOKED_NO_POE
            # Without knowing that it was not revoked, no proof of time helps (5.5.4, 4 b).
            expired = unproven(
                SubIndication.OUT_OF_BOUNDS_NOT_REVOKED
                if known
                else SubIndication.OUT_OF_BOUNDS_NO_POE,
                "certificate.expired" if known else "certificate.expired-status-unknown",
                healed_before=certificate.not_after + timedelta(seconds=1) if known else None,
                not_after=moment(certificate.not_after),
            )
            doubts = [*doubts, expired] if known else [expired]
        return doubts

    def _status_doubt(
        self, finding: RevocationFinding, at: datetime, *, is_end: bool
    ) -> Conclusion | None:
        """The revocation freshness checker and what the status says."""
        policy, answer = self.policy.revocation, finding.answer
        if answer is None:
            if not policy.required:
                return None
            return unproven(
                SubIndication.TRY_LATER,
                "revocation.unknown",
                Step.FRESHNESS,
                subject=finding.certificate.subject_text(),
            )
        if answer.status is CertificateStatus.UNKNOWN:
            return unproven(
                SubIndication.TRY_LATER,
                "revocation.not-issued",
                subject=finding.certificate.subject_text(),
            )
        if answer.status is CertificateStatus.REVOKED:
            revoked_at = answer.revoked_at or finding.certificate.not_before
            on_hold = answer.reason == ON_HOLD
            return unproven(
                SubIndication.TRY_LATER if on_hold else SubIndication.REVOKED_NO_POE,
                "revocation.on-hold" if on_hold else "revocation.revoked",
                healed_before=revoked_at,
                subject=finding.certificate.subject_text(),
                revoked_at=moment(revoked_at),
                revocation_reason=answer.reason or "unspecified",
            )
        end = fresh_until(answer, policy, is_end=is_end)
        if at > end:
            return unproven(
                SubIndication.TRY_LATER,
                "revocation.stale",
                Step.FRESHNESS,
                healed_before=end,
                subject=finding.certificate.subject_text(),
                this_update=moment(answer.this_update),
            )
        return None

    def _cryptographic_doubts(self, path: CertificatePath, at: datetime) -> list[Conclusion]:
        weaknesses: list[tuple[Weakness, Certificate]] = []
        for certificate in path.certificates:
            # The anchor's signature on itself proves nothing and is not asked for.
            suite = certificate.signature_suite
            if certificate is not path.anchor and suite is not None:
                weak = weak_suite(self.policy, suite, at)
                weaknesses += [(weak, certificate)] if weak else []
        return weak_key_in(path, self.policy) + [
            unproven(
                SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
                if weak.good_before
                else SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
                "crypto.weak-certificate",
                healed_before=weak.good_before,
                algorithm=weak.name,
                subject=certificate.subject_text(),
            )
            for weak, certificate in weaknesses
        ]
