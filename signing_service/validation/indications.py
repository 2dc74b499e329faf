"""The words of ETSI EN 319 102-1 v1.4 (clause 5.1.3 and table 5), and one step's conclusion."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Indication(StrEnum):
    """Of a building block (the first three) and of a whole signature (the last two as well)."""

    PASSED = "PASSED"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "FAILED"
    TOTAL_PASSED = "TOTAL-PASSED"
    TOTAL_FAILED = "TOTAL-FAILED"


class SubIndication(StrEnum):
    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    POLICY_PROCESSING_ERROR = "POLICY_PROCESSING_ERROR"
    SIGNATURE_POLICY_NOT_AVAILABLE = "SIGNATURE_POLICY_NOT_AVAILABLE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND_NO_POE = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    OUT_OF_BOUNDS_NOT_REVOKED = "OUT_OF_BOUNDS_NOT_REVOKED"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"


class Step(StrEnum):
    """The building block or process that concluded, by its clause."""

    FORMAT_CHECKING = "5.2.2 format checking"
    IDENTIFICATION = "5.2.3 identification of the signing certificate"
    CONTEXT = "5.2.4 validation context initialization"
    FRESHNESS = "5.2.5 revocation freshness checker"
    CERTIFICATE = "5.2.6 X.509 certificate validation"
    CRYPTOGRAPHIC = "5.2.7 cryptographic verification"
    ACCEPTANCE = "5.2.8 signature acceptance validation"
    TIMESTAMP = "5.4 time-stamp validation"
    TIME = "5.5 validation of signatures with time"
    PAST_CERTIFICATE = "5.6.2.1 past certificate validation"
    SLIDING = "5.6.2.2 validation time sliding"
    PAST_SIGNATURE = "5.6.2.4 past signature validation"


@dataclass(frozen=True)
class Conclusion:
    """What one step found. `reason` selects plain words (`words.py`); `facts` fill them in."""

    step: Step
    indication: Indication
    sub_indication: SubIndication | None = None
    reason: str = "passed"
    facts: Mapping[str, str] = field(default_factory=dict)
    healed_before: datetime | None = None
    """The finding does not stand against a signature proven to exist before this time: the
    revocation, the certificate's expiry, the algorithm's end (clause 5.5.4, step 4)."""

    @property
    def passed(self) -> bool:
        return self.indication is _PASS or self.indication is _TOTAL_PASS

    def is_healed_by(self, proven_at: datetime) -> bool:
        """Whether a proof that the signature existed at `proven_at` answers this finding."""
        return self.healed_before is not None and proven_at < self.healed_before

    def total(self) -> "Conclusion":
        """The same conclusion as a whole signature's (clause 5.1.3)."""
        if self is _PASSED[self.step]:
            return _TOTAL_PASSED[self.step]
        return replace(self, indication=_TOTALS.get(self.indication, self.indication))


_PASS, _TOTAL_PASS = Indication.PASSED, Indication.TOTAL_PASSED
_TOTALS = {
    Indication.PASSED: Indication.TOTAL_PASSED,
    Indication.FAILED: Indication.TOTAL_FAILED,
}
_PASSED = {step: Conclusion(step, Indication.PASSED) for step in Step}
_TOTAL_PASSED = {step: Conclusion(step, Indication.TOTAL_PASSED) for step in Step}


def passed(step: Step) -> Conclusion:
    return _PASSED[step]


def failed(step: Step, sub: SubIndication, reason: str, **facts: str) -> Conclusion:
    return Conclusion(step, Indication.FAILED, sub, reason, facts)


def indeterminate(
    step: Step,
    sub: SubIndication,
    reason: str,
    healed_before: datetime | None = None,
    **facts: str,
) -> Conclusion:
    return Conclusion(step, Indication.INDETERMINATE, sub, reason, facts, healed_before)
