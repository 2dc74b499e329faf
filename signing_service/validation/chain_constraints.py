"""Constraints on a found path (EN 319 102-1, 5.2.6): authority, key usage, purpose, policies, keys
and validity."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.refusals import Refusal
from policies.validation import RevocationConstraints, ValidationPolicy
from signing_service.ports import StatusAnswer
from signing_service.trust import Purpose
from signing_service.validation.constraints import Weakness, weak_key
from signing_service.validation.indications import (
    Conclusion,
    Step,
    SubIndication,
    indeterminate,
)
from signing_service.validation.paths import CertificatePath


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
                unproven(
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
        return unproven(
            SubIndication.CHAIN_CONSTRAINTS_FAILURE,
            "path.authority-not-for-purpose",
            authority=authority.name,
            purpose=expectations.purpose.value,
        )
    return None


def anchor_fault(path: CertificatePath, at: datetime) -> Conclusion | None:
    authority = path.authority
    if not authority.trusts_at(path.anchor, at):
        return unproven(
            SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
            "path.anchor-not-trusted-now",
            authority=authority.name,
            subject=path.anchor.subject_text(),
        )
    return None


def intermediate_doubts(path: CertificatePath, at: datetime) -> list[Conclusion]:
    """No proof of the signature's time alone answers them: what the authority said of its
    certificates must be proven as well (5.6)."""
    return [
        unproven(
            SubIndication.OUT_OF_BOUNDS_NO_POE,
            "path.ca-out-of-bounds",
            subject=certificate.subject_text(),
            not_before=moment(certificate.not_before),
            not_after=moment(certificate.not_after),
        )
        for certificate in path.intermediates
        if not certificate.not_before <= at <= certificate.not_after
    ]


def constraint_fault(path: CertificatePath, expectations: Expectations) -> Conclusion | None:
    """Chain constraints: key usage, purpose and certificate policies."""
    certificate = path.certificates[0]
    sub = SubIndication.CHAIN_CONSTRAINTS_FAILURE
    if not certificate.key_usage & set(expectations.key_usage_any_of):
        return unproven(
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
        return unproven(
            sub,
            "certificate.wrong-purpose",
            subject=certificate.subject_text(),
            wanted=", ".join(sorted(wanted)),
            found=", ".join(sorted(purposes)) or "-",
        )
    valid = path.policies()
    for accepted in (expectations.certificate_policies, path.authority.policies):
        if accepted and valid is not None and not valid & set(accepted):
            return unproven(
                sub,
                "certificate.wrong-policy",
                subject=certificate.subject_text(),
                wanted=", ".join(accepted),
                found=", ".join(sorted(valid)) or "-",
            )
    return None


def unproven(
    sub: SubIndication,
    reason: str,
    step: Step = Step.CERTIFICATE,
    healed_before: datetime | None = None,
    **facts: str,
) -> Conclusion:
    return indeterminate(step, sub, reason, healed_before, **facts)


def moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
