"""The verdict engine: ETSI EN 319 102-1 v1.4.1 over format-neutral evidence.

Clause 5.3 (basic signatures), 5.4 (time-stamps), 5.5 (signatures with time) and 5.6 (long-term
and archival data). Outcomes are values, never exceptions. Two choices within the standard: the
cryptographic verification always runs, and its FAILED outranks an INDETERMINATE chain, because a
changed document is a definite answer (5.1.3); and every doubt is collected, so that one proof of
existence can answer several.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from kernel.asn1.certificate import Certificate
from policies.validation import ValidationPolicy
from signing_service.ports import StatusSource
from signing_service.trust import TrustAnchors
from signing_service.validation import blocks
from signing_service.validation.certificates import (
    CertificateValidation,
    CertificateValidator,
)
from signing_service.validation.chain_constraints import Expectations
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
from signing_service.validation.past import PastCertificateValidation, PastCertificateValidator
from signing_service.validation.paths import PathBuilder
from signing_service.validation.poe import Proof, ProofsOfExistence, sha256
from signing_service.validation.revocation import (
    GivenEvidence,
    RevocationStatus,
    StatusFetcher,
)

_SLIDABLE = frozenset(
    {
        SubIndication.REVOKED_NO_POE,
        SubIndication.REVOKED_CA_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NOT_REVOKED,
        SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE,
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
        SubIndication.TRY_LATER,
    }
)
"""What the past may answer (5.6.3.4)."""
_OF_CERTIFICATE = frozenset({Step.CERTIFICATE, Step.FRESHNESS})


class BasicValidation(NamedTuple):
    """Outcome of clause 5.3."""

    conclusion: Conclusion
    doubts: tuple[Conclusion, ...]
    """INDETERMINATE findings, the weightiest first; all healed, the signature passes."""
    steps: tuple[Conclusion, ...]
    """What each building block concluded, in order."""
    certificate: CertificateValidation | None


class TimestampValidation(NamedTuple):
    """Outcome of clause 5.4 for one timestamp."""

    evidence: TimestampEvidence
    conclusion: Conclusion
    basic: BasicValidation
    past: PastCertificateValidation | None = None
    """Of the authority's certificate, where the present could not tell (5.6.2.4)."""


class SignatureValidation(NamedTuple):
    """Outcome of clause 5.6: the verdict on one signature."""

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
    past: PastCertificateValidation | None = None
    """Of the signer's certificate, where the present could not tell (5.6.2.4)."""
    counter_signatures: tuple["SignatureValidation", ...] = ()
    """Each with a verdict of its own, which decides nothing about this signature: anybody can
    add or break one."""


class ValidationEngine:
    """Judges evidence under one policy. Safe to use from many threads."""

    def __init__(
        self,
        anchors: TrustAnchors,
        status: Sequence[StatusSource],
        policy: ValidationPolicy,
        fetcher: StatusFetcher | None = None,
    ) -> None:
        self.policy = policy
        paths = PathBuilder(anchors)
        revocation = RevocationStatus(status, paths, fetcher)
        self._certificates = CertificateValidator(paths, revocation, policy)
        self._past = PastCertificateValidator(paths, revocation, policy)
        self._signer = Expectations.of_signer(policy)
        self._tsa = Expectations.of_timestamp_authority(policy)

    def validate(
        self,
        evidence: SignatureEvidence,
        at: datetime,
        records: Sequence[TimestampEvidence] = (),
    ) -> SignatureValidation:
        """Clause 5.6.3: the verdict on a signature at the time `at` (aware).

        `records`: timestamps of evidence records over the whole signature file.
        """
        return self._validate(evidence, at, records, ())

    def _validate(
        self,
        evidence: SignatureEvidence,
        at: datetime,
        records: Sequence[TimestampEvidence],
        inherited: tuple[GivenEvidence, ...],
    ) -> SignatureValidation:
        """`inherited`: what the signature brings that a counter-signature is upon."""
        given = (_given(evidence), *inherited)
        basic = self._validate_basic(evidence, at, self._signer, given, is_timestamp=False)
        proofs = ProofsOfExistence(at)
        timestamps = self._validate_timestamps((*evidence.timestamps, *records), evidence, proofs)
        best = proofs.of(evidence.signature_value)
        is_proven = best is not proofs.now
        conclusion = self._conclude(evidence, basic, timestamps, best)
        past = None
        if conclusion.sub_indication in _SLIDABLE:
            past, answer = self._validate_past(
                evidence, basic, proofs, self._signer, given, evidence.embedded_certificates
            )
            if answer is None:
                answer = self._further_finding(evidence, timestamps, best)
                conclusion = answer or passed(Step.PAST_SIGNATURE)
        counter_signatures = tuple(
            self._validate(counter, at, (*_over(counter, evidence), *records), given)
            for counter in evidence.counter_signatures
        )
        return SignatureValidation(
            evidence, conclusion.total(), basic, timestamps, best, is_proven, at, past,
            counter_signatures,
        )  # fmt: skip

    def _validate_timestamps(
        self,
        timestamps: tuple[TimestampEvidence, ...],
        signature: SignatureEvidence,
        proofs: ProofsOfExistence,
    ) -> tuple[TimestampValidation, ...]:
        """5.6.3.4: the newest first, each with what those after it prove; in the order given."""
        if not timestamps:
            return ()
        given = _given(signature)
        order = sorted(
            range(len(timestamps)), key=lambda index: timestamps[index].generated_at, reverse=True
        )
        outcomes: dict[int, TimestampValidation] = {}
        for index in order:
            outcome = self._validate_timestamp(timestamps[index], signature, given, proofs)
            outcomes[index] = outcome
            if outcome.conclusion.passed:
                proofs.extract(timestamps[index], signature, _proof(outcome))
        return tuple(outcomes[index] for index in range(len(timestamps)))

    def _validate_past(
        self,
        evidence: SignatureEvidence,
        basic: BasicValidation,
        proofs: ProofsOfExistence,
        expectations: Expectations,
        given: tuple[GivenEvidence, ...],
        embedded: tuple[Certificate, ...],
    ) -> tuple[PastCertificateValidation | None, Conclusion | None]:
        """5.6.2.4: None as the conclusion says that nothing stands against the signature."""
        certificate = evidence.signing_certificate
        assert certificate is not None  # else the basic validation had stopped for good
        best = proofs.of(evidence.signature_value)
        for doubt in basic.doubts:
            if doubt.step not in _OF_CERTIFICATE and not doubt.is_healed_by(best.at):
                return None, doubt
        if proofs.now.at < certificate.not_before:
            return None, basic.conclusion
        past = self._past.validate(certificate, embedded, given, expectations, proofs)
        if past.before is None:
            return past, past.conclusion
        if best.at >= past.before:
            return past, basic.conclusion
        return past, None

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
        stopped = None if all(map(_is_passed, steps)) else next(s for s in steps if not s.passed)
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
        if len(doubts) > 1:
            doubts = tuple(sorted(doubts, key=lambda doubt: doubt.healed_before is not None))
        conclusion = doubts[0] if doubts else passed(Step.ACCEPTANCE)
        return BasicValidation(conclusion, doubts, tuple(steps), chain)

    def _validate_timestamp(
        self,
        timestamp: TimestampEvidence,
        signature: SignatureEvidence,
        inherited: GivenEvidence,
        proofs: ProofsOfExistence,
    ) -> TimestampValidation:
        """Clause 5.4, with the message imprint and the constraints on its content; then its
        past (5.6.2.4), where later proofs may speak for it."""
        token, at = timestamp.signature, proofs.now.at
        given = _given(token), inherited
        helpers = (*token.embedded_certificates, *signature.embedded_certificates)
        basic = self._validate_basic(
            token, at, self._tsa, given, is_timestamp=True, helpers=helpers
        )
        proofs.alias(timestamp.token, token.signature_value)
        conclusion = self._imprint_finding(timestamp, proofs) or basic.conclusion
        past = None
        if conclusion.sub_indication in _SLIDABLE and conclusion is basic.conclusion:
            past, answer = self._validate_past(token, basic, proofs, self._tsa, given, helpers)
            if answer is None:
                conclusion = passed(Step.PAST_SIGNATURE)
        if conclusion.passed:
            conclusion = passed(Step.TIMESTAMP)
        return TimestampValidation(timestamp, conclusion, basic, past)

    def _imprint_finding(
        self, timestamp: TimestampEvidence, proofs: ProofsOfExistence
    ) -> Conclusion | None:
        step, wanted, at = Step.TIMESTAMP, self.policy.timestamp_authority, proofs.now.at
        if not timestamp.imprint.intact:
            return failed(step, SubIndication.HASH_FAILURE, "timestamp.other-data")
        existed = proofs.of(timestamp.token).at
        weak = weak_digest(self.policy, timestamp.imprint.digest, min(at, existed))
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
        standing = None
        if basic.doubts:
            standing = next((d for d in basic.doubts if not d.is_healed_by(best.at)), None)
        if standing is not None and standing.healed_before is None:
            return standing
        certificate = evidence.signing_certificate
        assert certificate is not None  # else the basic validation had stopped for good
        if best.at < certificate.not_before:
            return self._further_finding(evidence, timestamps, best) or passed(Step.TIME)
        if standing is not None:
            return standing
        return self._further_finding(evidence, timestamps, best) or passed(Step.TIME)

    def _further_finding(
        self,
        evidence: SignatureEvidence,
        timestamps: tuple[TimestampValidation, ...],
        best: Proof,
    ) -> Conclusion | None:
        """5.5.4, steps 4 b, 5 and 6: times that contradict each other."""
        certificate = evidence.signing_certificate
        assert certificate is not None
        if best.at < certificate.not_before:
            return failed(
                Step.TIME,
                SubIndication.NOT_YET_VALID,
                "time.before-certificate",
                not_before=certificate.not_before.isoformat(timespec="seconds"),
                proven=best.at.isoformat(timespec="seconds"),
            )
        return _order_finding(timestamps) or self._claim_finding(evidence, best)

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


_is_passed = attrgetter("passed")


def _given(evidence: SignatureEvidence) -> GivenEvidence:
    return GivenEvidence(
        evidence.embedded_crls, evidence.embedded_ocsp, evidence.embedded_certificates
    )


def _over(counter: SignatureEvidence, signature: SignatureEvidence) -> list[TimestampEvidence]:
    """Timestamps of a signature that cover a counter-signature upon it too."""
    value = sha256(counter.signature_value)
    return [each for each in signature.timestamps if value in each.covers]


def _proof(timestamp: TimestampValidation) -> Proof:
    certificate = timestamp.evidence.signature.signing_certificate
    assert certificate is not None  # a timestamp without one does not pass
    return Proof(timestamp.evidence.generated_at, certificate.subject_text())


def _order_finding(timestamps: tuple[TimestampValidation, ...]) -> Conclusion | None:
    """5.5.4, 5: content timestamps come before signature timestamps, these before archive ones;
    tokens that did not pass prove no order."""
    order = (
        TimestampKind.CONTENT,
        TimestampKind.SIGNATURE,
        TimestampKind.ARCHIVE,
        TimestampKind.EVIDENCE_RECORD,
    )
    if not timestamps:
        return None
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
