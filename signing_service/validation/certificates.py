"""X.509 certificate validation (EN 319 102-1, 5.2.6) with the revocation freshness checker
(5.2.5), at any control time.

Besides a conclusion it returns every doubt that a proof of existence could answer, so that the
processes above (signatures with time) need not run it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from policies.validation import RevocationConstraints, ValidationPolicy
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.trust import Purpose
from signing_service.validation.constraints import Weakness, weak_key, weak_suite
from signing_service.validation.indications import (
    Conclusion,
    Step,
    SubIndication,
    indeterminate,
    passed,
)
from signing_service.validation.paths import CertificatePath, PathBuilder
from signing_service.validation.revocation import GivenEvidence, RevocationStatus

_ON_HOLD = "certificateHold"


@dataclass(frozen=True)
class Expectations:
    """What the end entity's certificate must be fit for (chain constraints)."""

    purpose: Purpose
    key_usage_any_of: tuple[str, ...]
    extended_key_usage_any_of: tuple[str, ...] = ()
    only_critical_purpose: bool = False
    """The purpose must be the only one, in a critical extension (RFC 3161, 2.3)."""
    certificate_policies: tuple[str, ...] = ()

    @classmethod
    def of_signer(cls, policy: ValidationPolicy) -> "Expectations":
        signer = policy.signer
        return cls(
            Purpose.SIGNATURE,
            signer.key_usage_any_of,
            signer.extended_key_usage_any_of,
            certificate_policies=signer.certificate_policies,
        )

    @classmethod
    def of_timestamp_authority(cls, policy: ValidationPolicy) -> "Expectations":
        tsa = policy.timestamp_authority
        return cls(
            Purpose.TIMESTAMP,
            tsa.key_usage_any_of,
            (tsa.extended_key_usage,),
            only_critical_purpose=True,
        )


@dataclass(frozen=True)
class RevocationFinding:
    """The status of one certificate of the path, with the answer that tells it."""

    certificate: Certificate
    answer: StatusAnswer | None


@dataclass(frozen=True)
class CertificateValidation:
    """Conclusion for a signing certificate, and the path and status that it rests on."""

    conclusion: Conclusion
    doubts: tuple[Conclusion, ...] = ()
    """Every finding that a proof of existence may answer; `conclusion` is the first of them."""
    path: CertificatePath | None = None
    revocation: tuple[RevocationFinding, ...] = ()


class CertificateValidator:
    """Validates signing certificates against the trust anchors, at a control time."""

    def __init__(
        self, paths: PathBuilder, status: RevocationStatus, policy: ValidationPolicy
    ) -> None:
        self._paths = paths
        self._status = status
        self._policy = policy

    def validate(
        self,
        certificate: Certificate,
        embedded: tuple[Certificate, ...],
        given: Sequence[GivenEvidence],
        expectations: Expectations,
        at: datetime,
    ) -> CertificateValidation:
        """The best of all paths: the first that passes, else the first."""
        search = self._paths.search(certificate, embedded)
        if search.fault is not None:
            sub = (
                SubIndication.NO_CERTIFICATE_CHAIN_FOUND
                if search.fault.reason in ("path.none", "path.search-exhausted")
                else SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE
            )
            fault = search.fault
            return CertificateValidation(_unproven(sub, fault.reason, subject=fault.subject))
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
        wrong = (
            purpose_fault(path, expectations)
            or constraint_fault(path, expectations)
            or _anchor_fault(path, at)
        )
        findings = self._findings(path, given, at)
        if wrong is not None:
            return CertificateValidation(wrong, path=path, revocation=findings)
        doubts = (
            *_intermediate_doubts(path, at),
            *self._authority_doubts(path, findings, at),
            *self._signer_doubts(path.certificates[0], findings[:1], at),
            *self._cryptographic_doubts(path, at),
        )
        conclusion = doubts[0] if doubts else passed(Step.CERTIFICATE)
        return CertificateValidation(conclusion, doubts, path, findings)

    def _findings(
        self, path: CertificatePath, given: Sequence[GivenEvidence], at: datetime
    ) -> tuple[RevocationFinding, ...]:
        def is_fresh(answer: StatusAnswer) -> bool:
            return at <= fresh_until(answer, self._policy.revocation, is_end=True)

        return tuple(
            RevocationFinding(
                certificate, self._status.of(certificate, path, issuer, given, at, is_fresh)
            )
            for certificate, issuer in path.issued()
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
                _unproven(
                    SubIndication.OUT_OF_BOUNDS_NO_POE,
                    "certificate.not-yet-valid",
                    not_before=_text(certificate.not_before),
                )
            )
        elif at > certificate.not_after:
            known = status is None or status.sub_indication is SubIndication.REVOKED_NO_POE
            # Without knowing that it was not revoked, no proof of time helps (5.5.4, 4 b).
            expired = _unproven(
                SubIndication.OUT_OF_BOUNDS_NOT_REVOKED
                if known
                else SubIndication.OUT_OF_BOUNDS_NO_POE,
                "certificate.expired" if known else "certificate.expired-status-unknown",
                healed_before=certificate.not_after + timedelta(seconds=1) if known else None,
                not_after=_text(certificate.not_after),
            )
            doubts = [*doubts, expired] if known else [expired]
        return doubts

    def _status_doubt(
        self, finding: RevocationFinding, at: datetime, *, is_end: bool
    ) -> Conclusion | None:
        """The revocation freshness checker and what the status says."""
        policy, answer = self._policy.revocation, finding.answer
        if answer is None:
            if not policy.required:
                return None
            return _unproven(
                SubIndication.TRY_LATER,
                "revocation.unknown",
                Step.FRESHNESS,
                subject=finding.certificate.subject_text(),
            )
        if answer.status is CertificateStatus.UNKNOWN:
            return _unproven(
                SubIndication.TRY_LATER,
                "revocation.not-issued",
                subject=finding.certificate.subject_text(),
            )
        if answer.status is CertificateStatus.REVOKED:
            revoked_at = answer.revoked_at or finding.certificate.not_before
            on_hold = answer.reason == _ON_HOLD
            return _unproven(
                SubIndication.TRY_LATER if on_hold else SubIndication.REVOKED_NO_POE,
                "revocation.on-hold" if on_hold else "revocation.revoked",
                healed_before=revoked_at,
                subject=finding.certificate.subject_text(),
                revoked_at=_text(revoked_at),
                revocation_reason=answer.reason or "unspecified",
            )
        end = fresh_until(answer, policy, is_end=is_end)
        if at > end:
            return _unproven(
                SubIndication.TRY_LATER,
                "revocation.stale",
                Step.FRESHNESS,
                healed_before=end,
                subject=finding.certificate.subject_text(),
                this_update=_text(answer.this_update),
            )
        return None

    def _cryptographic_doubts(self, path: CertificatePath, at: datetime) -> list[Conclusion]:
        weaknesses: list[tuple[Weakness, Certificate]] = []
        for certificate in path.certificates:
            # The anchor's signature on itself proves nothing and is not asked for.
            suite = certificate.signature_suite
            if certificate is not path.anchor and suite is not None:
                weak = weak_suite(self._policy, suite, at)
                weaknesses += [(weak, certificate)] if weak else []
        return weak_key_in(path, self._policy) + [
            _unproven(
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


def fresh_until(answer: StatusAnswer, policy: RevocationConstraints, *, is_end: bool) -> datetime:
    """5.2.5: until when the answer is fresh enough. `is_end`: of an end entity's certificate."""
    seconds = policy.max_age_seconds if is_end else policy.max_ca_age_seconds
    end = answer.this_update + timedelta(seconds=seconds)
    return end if answer.next_update is None else min(end, answer.next_update)


def weak_key_in(path: CertificatePath, policy: ValidationPolicy) -> list[Conclusion]:
    """Keys on the path that were never good enough."""
    found = []
    for certificate in path.certificates:
        try:
            weak = weak_key(policy, certificate.public_key)
        except Refusal:
            weak = Weakness("unsupported key", None)
        if weak is not None:
            found.append(
                _unproven(
                    SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
                    "crypto.weak-certificate",
                    algorithm=weak.name,
                    subject=certificate.subject_text(),
                )
            )
    return found


def purpose_fault(path: CertificatePath, expectations: Expectations) -> Conclusion | None:
    """Whether the authority is trusted for what the certificate is used for."""
    authority = path.authority
    if expectations.purpose not in authority.purposes:
        return _unproven(
            SubIndication.CHAIN_CONSTRAINTS_FAILURE,
            "path.authority-not-for-purpose",
            authority=authority.name,
            purpose=expectations.purpose.value,
        )
    return None


def _anchor_fault(path: CertificatePath, at: datetime) -> Conclusion | None:
    authority = path.authority
    if not authority.trusts_at(path.anchor, at):
        return _unproven(
            SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
            "path.anchor-not-trusted-now",
            authority=authority.name,
            subject=path.anchor.subject_text(),
        )
    return None


def _intermediate_doubts(path: CertificatePath, at: datetime) -> list[Conclusion]:
    """No proof of the signature's time alone answers them: what the authority said of its
    certificates must be proven as well (5.6)."""
    return [
        _unproven(
            SubIndication.OUT_OF_BOUNDS_NO_POE,
            "path.ca-out-of-bounds",
            subject=certificate.subject_text(),
            not_before=_text(certificate.not_before),
            not_after=_text(certificate.not_after),
        )
        for certificate in path.intermediates
        if not certificate.not_before <= at <= certificate.not_after
    ]


def constraint_fault(path: CertificatePath, expectations: Expectations) -> Conclusion | None:
    """Chain constraints: key usage, purpose and certificate policies."""
    certificate = path.certificates[0]
    sub = SubIndication.CHAIN_CONSTRAINTS_FAILURE
    if not certificate.key_usage & set(expectations.key_usage_any_of):
        return _unproven(
            sub,
            "certificate.wrong-key-usage",
            subject=certificate.subject_text(),
            wanted=", ".join(expectations.key_usage_any_of),
            found=", ".join(sorted(certificate.key_usage)) or "-",
        )
    wanted = set(expectations.extended_key_usage_any_of)
    purposes = certificate.extended_key_usage
    wrong = bool(wanted) and not purposes & wanted
    if expectations.only_critical_purpose and not wrong:
        wrong = purposes != wanted or "2.5.29.37" not in certificate.critical_extensions
    if wrong:
        return _unproven(
            sub,
            "certificate.wrong-purpose",
            subject=certificate.subject_text(),
            wanted=", ".join(sorted(wanted)),
            found=", ".join(sorted(purposes)) or "-",
        )
    valid = path.policies()
    for accepted in (expectations.certificate_policies, path.authority.policies):
        if accepted and valid is not None and not valid & set(accepted):
            return _unproven(
                sub,
                "certificate.wrong-policy",
                subject=certificate.subject_text(),
                wanted=", ".join(accepted),
                found=", ".join(sorted(valid)) or "-",
            )
    return None


def _unproven(
    sub: SubIndication,
    reason: str,
    step: Step = Step.CERTIFICATE,
    healed_before: datetime | None = None,
    **facts: str,
) -> Conclusion:
    return indeterminate(step, sub, reason, healed_before, **facts)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
