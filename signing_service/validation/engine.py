"""The verdict engine: ETSI EN 319 102-1 v1.4.1 over format-neutral evidence.

Clause 5.3 (basic signatures), 5.4 (time-stamps) and 5.5 (signatures with time). Outcomes are
values, never exceptions. Two choices within the standard: the cryptographic verification always
runs, and its FAILED outranks an INDETERMINATE chain, because a changed document is a definite
answer (5.1.3); and every doubt is collected, so that one proof of existence can answer several.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.asn1.certificate import Certificate
from policies.validation import ValidationPolicy
from signing_service.ports import StatusSource
from signing_service.trust import TrustAnchors
from signing_service.validation import blocks
from signing_service.validation.certificates import (
    CertificateValidation,
    CertificateValidator,
    Expectations,
)
from signing_service.validation.constraints import weak_digest
from signing_service.validation.evidence import (
    SignatureEvidence,
    TimestampEvidence,
    TimestampKind,
)
from signing_service.validation.indications import (
    Conclusion,
    Indication,
    Step,
    SubIndication,
    failed,
    indeterminate,
    passed,
)
from signing_service.validation.paths import PathBuilder
from signing_service.validation.poe import Proof, ProofsOfExistence
from signing_service.validation.revocation import GivenEvidence, RevocationStatus


@dataclass(frozen=True)
class BasicValidation:
    """Outcome of clause 5.3."""

    conclusion: Conclusion
    doubts: tuple[Conclusion, ...]
    """INDETERMINATE findings, the weightiest first; all healed, the signature passes."""
    steps: tuple[Conclusion, ...]
    """What each building block concluded, in order."""
    certificate: CertificateValidation | None


@dataclass(frozen=True)
class TimestampValidation:
    """Outcome of clause 5.4 for one timestamp."""

    evidence: TimestampEvidence
    conclusion: Conclusion
    basic: BasicValidation


@dataclass(frozen=True)
class SignatureValidation:
    """Outcome of clause 5.5: the verdict on one signature."""

    evidence: SignatureEvidence
    conclusion: Conclusion
    """TOTAL-PASSED, INDETERMINATE or TOTAL-FAILED."""
    basic: BasicValidation
    timestamps: tuple[TimestampValidation, ...]
    best_signature_time: Proof
    """The earliest time at which the signature is proven to have existed."""
    time_is_proven: bool
    """Whether a timestamp, and not only the present validation, proves that time."""
    validated_at: datetime


class ValidationEngine:
    """Judges evidence under one policy. Safe to use from many threads."""

    def __init__(
        self, anchors: TrustAnchors, status: Sequence[StatusSource], policy: ValidationPolicy
    ) -> None:
        self.policy = policy
        self._certificates = CertificateValidator(
            PathBuilder(anchors), RevocationStatus(status), policy
        )
        self._signer = Expectations.of_signer(policy)
        self._tsa = Expectations.of_timestamp_authority(policy)

    def validate(self, evidence: SignatureEvidence, at: datetime) -> SignatureValidation:
        """Clause 5.5: the verdict on a signature at the time `at` (aware)."""
        given = GivenEvidence(evidence.embedded_crls, evidence.embedded_ocsp)
        basic = self._validate_basic(evidence, at, self._signer, (given,), is_timestamp=False)
        timestamps = tuple(
            self._validate_timestamp(timestamp, evidence, given, at)
            for timestamp in evidence.timestamps
        )
        proofs = ProofsOfExistence()
        for timestamp in timestamps:
            if timestamp.conclusion.passed and timestamp.evidence.kind is TimestampKind.SIGNATURE:
                proofs.add(evidence.signature_value, _proof(timestamp))
        stamped = proofs.earliest(evidence.signature_value)
        best = stamped or Proof(at, "the time of validation")
        conclusion = self._conclude(evidence, basic, timestamps, best).total()
        return SignatureValidation(
            evidence, conclusion, basic, timestamps, best, stamped is not None, at
        )

    def _validate_basic(
        self,
        evidence: SignatureEvidence,
        at: datetime,
        expectations: Expectations,
        given: tuple[GivenEvidence, ...],
        *,
        is_timestamp: bool,
        helpers: tuple[Certificate, ...] = (),
    ) -> BasicValidation:
        """Clause 5.3. `helpers`: certificates of the signature that a timestamp belongs to,
        which may help to build the path to its authority."""
        steps = [blocks.check_format(evidence), blocks.identify_certificate(evidence)]
        if not is_timestamp:
            steps.append(blocks.initialise_context(evidence, self.policy))
        stopped = next((step for step in steps if not step.passed), None)
        certificate = evidence.signing_certificate
        if stopped is not None or certificate is None:
            assert stopped is not None
            return BasicValidation(stopped, (stopped,), tuple(steps), None)
        cryptographic = blocks.verify_cryptographically(evidence, certificate)
        chain = self._certificates.validate(
            certificate, (*evidence.embedded_certificates, *helpers), given, expectations, at
        )
        acceptance = blocks.accept(evidence, self.policy, at, is_timestamp=is_timestamp)
        accepted = acceptance[0] if acceptance else passed(Step.ACCEPTANCE)
        steps += [chain.conclusion, cryptographic, accepted]
        if cryptographic.indication is Indication.FAILED:
            return BasicValidation(cryptographic, (cryptographic,), tuple(steps), chain)
        found = () if cryptographic.passed else (cryptographic,)
        chain_doubts = chain.doubts or (() if chain.conclusion.passed else (chain.conclusion,))
        doubts = (*found, *chain_doubts, *acceptance)
        # What no proof of time can heal is told first: it is what stands in the way for good.
        doubts = tuple(sorted(doubts, key=lambda doubt: doubt.healed_before is not None))
        conclusion = doubts[0] if doubts else passed(Step.ACCEPTANCE)
        return BasicValidation(conclusion, doubts, tuple(steps), chain)

    def _validate_timestamp(
        self,
        timestamp: TimestampEvidence,
        signature: SignatureEvidence,
        inherited: GivenEvidence,
        at: datetime,
    ) -> TimestampValidation:
        """Clause 5.4, with the message imprint and the constraints on its content."""
        token = timestamp.signature
        given = GivenEvidence(token.embedded_crls, token.embedded_ocsp), inherited
        helpers = signature.embedded_certificates
        basic = self._validate_basic(
            token, at, self._tsa, given, is_timestamp=True, helpers=helpers
        )
        conclusion = self._imprint_finding(timestamp, at) or basic.conclusion
        if conclusion.passed:
            conclusion = passed(Step.TIMESTAMP)
        return TimestampValidation(timestamp, conclusion, basic)

    def _imprint_finding(self, timestamp: TimestampEvidence, at: datetime) -> Conclusion | None:
        step, wanted = Step.TIMESTAMP, self.policy.timestamp_authority
        if not timestamp.imprint.intact:
            return failed(step, SubIndication.HASH_FAILURE, "timestamp.other-data")
        weak = weak_digest(self.policy, timestamp.imprint.digest, at)
        if weak is not None:
            sub = SubIndication.CRYPTO_CONSTRAINTS_FAILURE
            return indeterminate(step, sub, "crypto.weak-timestamp", algorithm=weak.name)
        sub = SubIndication.SIG_CONSTRAINTS_FAILURE
        if wanted.policies and timestamp.policy not in wanted.policies:
            return indeterminate(step, sub, "timestamp.wrong-policy", found=timestamp.policy)
        if timestamp.accuracy_seconds > wanted.max_accuracy_seconds:
            accuracy = f"{timestamp.accuracy_seconds:g}"
            return indeterminate(step, sub, "timestamp.inaccurate", accuracy=accuracy)
        if timestamp.generated_at > at + self._skew:
            return indeterminate(step, sub, "timestamp.in-future")
        return None

    def _conclude(
        self,
        evidence: SignatureEvidence,
        basic: BasicValidation,
        timestamps: tuple[TimestampValidation, ...],
        best: Proof,
    ) -> Conclusion:
        """Clause 5.5.4, steps 4 to 6: compare the doubts with the best signature time."""
        if basic.conclusion.indication is Indication.FAILED:
            return basic.conclusion
        standing = next((d for d in basic.doubts if not d.is_healed_by(best.at)), None)
        if standing is not None and standing.healed_before is None:
            return standing
        certificate = evidence.signing_certificate
        assert certificate is not None  # else the basic validation had stopped for good
        if best.at < certificate.not_before:
            return failed(
                Step.TIME,
                SubIndication.NOT_YET_VALID,
                "time.before-certificate",
                not_before=certificate.not_before.isoformat(timespec="seconds"),
                proven=best.at.isoformat(timespec="seconds"),
            )
        if standing is not None:
            return standing
        return (
            _order_finding(timestamps) or self._claim_finding(evidence, best) or passed(Step.TIME)
        )

    def _claim_finding(self, evidence: SignatureEvidence, best: Proof) -> Conclusion | None:
        """A signing time claimed later than the proven one cannot be true."""
        claimed = evidence.claimed_signing_time
        if claimed is None or claimed <= best.at + self._skew:
            return None
        return indeterminate(
            Step.TIME,
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "time.claimed-after-proven",
            claimed=claimed.isoformat(timespec="seconds"),
            proven=best.at.isoformat(timespec="seconds"),
        )

    @property
    def _skew(self) -> timedelta:
        return timedelta(seconds=self.policy.signature.max_clock_skew_seconds)


def _proof(timestamp: TimestampValidation) -> Proof:
    certificate = timestamp.evidence.signature.signing_certificate
    assert certificate is not None  # a timestamp without one does not pass
    return Proof(timestamp.evidence.generated_at, certificate.subject_text())


def _order_finding(timestamps: tuple[TimestampValidation, ...]) -> Conclusion | None:
    """5.5.4, 5: content timestamps come before signature timestamps, these before archive ones;
    tokens that did not pass prove no order."""
    order = (TimestampKind.CONTENT, TimestampKind.SIGNATURE, TimestampKind.ARCHIVE)
    latest = None
    for kind in order:
        times = [
            (t.evidence.generated_at, timedelta(seconds=t.evidence.accuracy_seconds))
            for t in timestamps
            if t.conclusion.passed and t.evidence.kind is kind
        ]
        if not times:
            continue
        if latest is not None and min(at + accuracy for at, accuracy in times) < latest:
            return indeterminate(
                Step.TIME, SubIndication.TIMESTAMP_ORDER_FAILURE, "timestamp.order"
            )
        latest = max(at - accuracy for at, accuracy in times)
    return None
