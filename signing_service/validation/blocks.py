"""Building blocks of EN 319 102-1 that look at the signature itself: format checking (5.2.2),
identification of the signing certificate (5.2.3), validation context (5.2.4), cryptographic
verification (5.2.7) and signature acceptance (5.2.8)."""

from datetime import datetime, timedelta

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal, Unavailable
from policies.signature_policy import known_signature_policies
from policies.validation import ValidationPolicy
from signing_service.validation.constraints import Weakness, end_of, weak_digest, weak_suite
from signing_service.validation.evidence import SignatureEvidence
from signing_service.validation.indications import (
    Conclusion,
    Step,
    SubIndication,
    failed,
    indeterminate,
    passed,
)

_MAX_TIMESTAMPS = 32


def check_format(evidence: SignatureEvidence) -> Conclusion:
    """5.2.2: what a format's reader could not see by itself."""
    step, sub = Step.FORMAT_CHECKING, SubIndication.FORMAT_FAILURE
    if not evidence.references:
        return failed(step, sub, "format.nothing-signed")
    if not evidence.signature_value or not evidence.signed_bytes:
        return failed(step, sub, "format.no-signature-value")
    if len(evidence.timestamps) > _MAX_TIMESTAMPS:
        return failed(step, sub, "format.too-many-timestamps")
    return passed(step)


def identify_certificate(evidence: SignatureEvidence) -> Conclusion:
    """5.2.3: the certificate that the signature names, and its signed reference."""
    step, sub = Step.IDENTIFICATION, SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    if evidence.signing_certificate is None:
        return indeterminate(step, sub, "certificate.not-found")
    reference = evidence.certificate_reference
    if reference is not None and not reference.matches:
        return indeterminate(step, sub, "certificate.reference-differs")
    return passed(step)


def initialise_context(evidence: SignatureEvidence, policy: ValidationPolicy) -> Conclusion:
    """5.2.4: the policy to validate against. An explicit one must be known here, be the very
    document that the signer saw, and be judged under `policy`."""
    name, step = evidence.policy, Step.CONTEXT
    if name is None or name == policy.identifier:
        return passed(step)
    explicit = known_signature_policies().get(name)
    if explicit is None or explicit.terms.judged_under != policy.identifier:
        sub = SubIndication.SIGNATURE_POLICY_NOT_AVAILABLE
        return indeterminate(step, sub, "policy.not-available", policy=name)
    if evidence.policy_digest is None or not explicit.is_document(*evidence.policy_digest):
        sub = SubIndication.POLICY_PROCESSING_ERROR
        return indeterminate(step, sub, "policy.other-document", policy=name)
    commitments = explicit.terms.commitments
    if commitments and evidence.commitment not in commitments:
        sub = SubIndication.SIG_CONSTRAINTS_FAILURE
        return indeterminate(step, sub, "policy.no-commitment", policy=name)
    return passed(step)


def verify_cryptographically(evidence: SignatureEvidence, certificate: Certificate) -> Conclusion:
    """5.2.7: the digests, then the signature value."""
    step = Step.CRYPTOGRAPHIC
    for reference in evidence.references:
        if reference.actual is None:
            return indeterminate(
                step,
                SubIndication.SIGNED_DATA_NOT_FOUND,
                "data.not-found",
                name=reference.name,
            )
        if not reference.intact:
            return failed(step, SubIndication.HASH_FAILURE, "data.changed", name=reference.name)
    if evidence.suite is None:
        return indeterminate(
            step,
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "crypto.unknown-algorithm",
            algorithm=evidence.algorithm_name,
        )
    try:
        genuine = certificate.public_key.verify(
            evidence.suite, evidence.signature_value, evidence.signed_bytes
        )
    except Unavailable:
        # Nothing is known of the value: not its fault, and no verdict on it.
        return indeterminate(
            step,
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "crypto.library-missing",
            algorithm=evidence.suite.name,
        )
    except Refusal:
        genuine = False
    if not genuine:
        return failed(step, SubIndication.SIG_CRYPTO_FAILURE, "signature.wrong-value")
    return passed(step)


def accept(
    evidence: SignatureEvidence,
    policy: ValidationPolicy,
    at: datetime,
    *,
    is_timestamp: bool,
) -> tuple[Conclusion, ...]:
    """5.2.8: constraints on the signature's elements and its algorithms; every finding."""
    findings = [] if is_timestamp else list(_element_findings(evidence, policy, at))
    if evidence.certificate_reference is None and (
        is_timestamp or policy.signature.require_signing_certificate_reference
    ):
        findings.append(_constraint("signature.no-certificate-reference"))
    return (*findings, *_cryptographic_findings(evidence, policy, at))


def _element_findings(
    evidence: SignatureEvidence, policy: ValidationPolicy, at: datetime
) -> list[Conclusion]:
    wanted, findings = policy.signature, []
    if not evidence.covers_document:
        findings.append(_constraint("signature.not-whole-document"))
    if evidence.level not in wanted.levels:
        levels = ", ".join(wanted.levels)
        # A missing reference is told on its own, in plainer words.
        if evidence.certificate_reference is not None:
            findings.append(
                _constraint("signature.level", found=evidence.level.value, wanted=levels)
            )
    claimed = evidence.claimed_signing_time
    if claimed is None and wanted.require_signing_time:
        findings.append(_constraint("signature.no-signing-time"))
    if (
        claimed is not None
        and claimed > at
        and claimed > at + timedelta(seconds=wanted.max_clock_skew_seconds)
    ):
        findings.append(
            _constraint("time.claimed-in-future", claimed=claimed.isoformat(timespec="seconds"))
        )
    return findings


def _cryptographic_findings(
    evidence: SignatureEvidence, policy: ValidationPolicy, at: datetime
) -> list[Conclusion]:
    if _is_strong(evidence, policy, at):
        return []
    weaknesses: list[Weakness | None] = []
    if evidence.suite is not None:
        weaknesses.append(weak_suite(policy, evidence.suite, at))
    digests = {reference.digest for reference in evidence.references}
    if evidence.certificate_reference is not None:
        digests.add(evidence.certificate_reference.digest)
    weaknesses += [weak_digest(policy, digest, at) for digest in sorted(digests)]
    return [
        indeterminate(
            Step.ACCEPTANCE,
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
            if weak.good_before
            else SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "crypto.weak-signature",
            weak.good_before,
            algorithm=weak.name,
        )
        for weak in weaknesses
        if weak is not None
    ]


def _is_strong(evidence: SignatureEvidence, policy: ValidationPolicy, at: datetime) -> bool:
    """The short way to the same answer where nothing is weak."""
    suite, reference = evidence.suite, evidence.certificate_reference
    until = None if suite is None else policy.suites_until.get(suite.name)
    if until is None or at >= end_of(until):
        return False
    digests = [each.digest for each in evidence.references]
    if reference is not None:
        digests.append(reference.digest)
    for digest in digests:
        until = policy.digests_until.get(digest)
        if until is None or at >= end_of(until):
            return False
    return True


def _constraint(reason: str, **facts: str) -> Conclusion:
    sub = SubIndication.SIG_CONSTRAINTS_FAILURE
    return indeterminate(Step.ACCEPTANCE, sub, reason, None, **facts)
