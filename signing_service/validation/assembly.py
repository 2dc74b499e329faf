"""From the engine's outcome to the report on one signature."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from kernel.identifiers import Serial, serial_text
from signing_service.ports import CertificateStatus, Holder
from signing_service.validation.article13 import Text, answer_article_13
from signing_service.validation.certificates import CertificateValidation
from signing_service.validation.engine import SignatureValidation, TimestampValidation
from signing_service.validation.indications import Conclusion, Indication
from signing_service.validation.poe import sha256
from signing_service.validation.report import (
    CertificateSummary,
    Enterprise,
    Finding,
    ReferenceSummary,
    RevocationSummary,
    SignatureReport,
    Signer,
    SigningTime,
    TimestampSummary,
    summarise_certificate,
)
from signing_service.validation.words import words_for

FindingT = TypeVar("FindingT", Finding, Conclusion)
_WEIGHTS = {
    Indication.TOTAL_FAILED: 0,
    Indication.INDETERMINATE: 1,
    Indication.TOTAL_PASSED: 2,
}
_COMMON_NAME = "2.5.4.3"


def report_signature(
    validation: SignatureValidation,
    holder: Holder | None,
    counter_signatures: Sequence[SignatureReport] = (),
) -> SignatureReport:
    """Report one verdict. `holder`: of the signing certificate at the proven time;
    `counter_signatures`: the reports on those upon it."""
    evidence, certificate = validation.evidence, validation.basic.certificate
    path = certificate.path if certificate is not None else None
    return SignatureReport(
        finding=finding_of(validation.conclusion),
        format=evidence.format.value,
        level=evidence.level.value,
        packaging=evidence.packaging.value,
        algorithm=evidence.algorithm_name,
        signer=_signer(validation, holder),
        time=_time(validation),
        authority=path.authority.name if path is not None else None,
        path=_path(certificate),
        revocation=_revocation(certificate),
        timestamps=tuple(_timestamp(timestamp) for timestamp in validation.timestamps),
        references=tuple(
            ReferenceSummary(reference.name, reference.digest, reference.intact)
            for reference in evidence.references
        ),
        steps=tuple(finding_of(step) for step in _steps(validation)),
        article_13=answer_article_13(validation, holder),
        observations=evidence.observations,
        signature_value_sha256=sha256(evidence.signature_value).hex(),
        counter_signatures=tuple(counter_signatures),
    )


def _steps(validation: SignatureValidation) -> tuple[Conclusion, ...]:
    past = validation.past
    return validation.basic.steps + (() if past is None else (past.conclusion,))


def finding_of(conclusion: Conclusion) -> Finding:
    words = words_for(conclusion)
    return Finding(
        conclusion.indication,
        conclusion.sub_indication,
        conclusion.step.value,
        conclusion.reason,
        Text(words.why_en, words.why_zh),
        Text(words.help_en, words.help_zh),
    )


def weightiest(findings: Iterable[FindingT]) -> FindingT:
    """What decides over several signatures: a failure, else a doubt, else a pass."""
    return min(findings, key=lambda finding: _WEIGHTS[finding.indication])


def _signer(validation: SignatureValidation, holder: Holder | None) -> Signer | None:
    certificate = validation.evidence.signing_certificate
    if certificate is None:
        return None
    summary = summarise_certificate(certificate)
    if holder is None:
        name = certificate.attribute(_COMMON_NAME) or certificate.subject_text()
        return Signer(summary, name, None, None, None, (), known=False)
    enterprise = None
    if holder.enterprise_name or holder.enterprise_uscc or holder.customs_code:
        enterprise = Enterprise(holder.enterprise_name, holder.enterprise_uscc, holder.customs_code)
    return Signer(
        summary, holder.name, holder.kind, holder.card, enterprise, holder.rights, known=True
    )


def _time(validation: SignatureValidation) -> SigningTime:
    claimed, best = validation.evidence.claimed_signing_time, validation.best_signature_time
    if not validation.time_is_proven:
        return SigningTime(claimed, None, None, None)
    accuracy = next(
        (
            timestamp.evidence.accuracy_seconds
            for timestamp in validation.timestamps
            if timestamp.conclusion.passed and timestamp.evidence.generated_at == best.at
        ),
        None,
    )
    return SigningTime(claimed, best.at, best.by, accuracy)


def _path(validation: CertificateValidation | None) -> tuple[CertificateSummary, ...]:
    if validation is None or validation.path is None:
        return ()
    return tuple(summarise_certificate(one) for one in validation.path.certificates)


def _revocation(validation: CertificateValidation | None) -> tuple[RevocationSummary, ...]:
    findings = validation.revocation if validation is not None else ()
    summaries = []
    for finding in findings:
        summary, answer = summarise_certificate(finding.certificate), finding.answer
        subject, serial = summary.subject, summary.serial
        if answer is None:
            unknown = CertificateStatus.UNKNOWN.value
            summaries.append(RevocationSummary(subject, serial, unknown, None, None, None, None))
            continue
        summaries.append(
            RevocationSummary(
                subject,
                serial,
                answer.status.value,
                answer.source or None,
                answer.this_update,
                answer.revoked_at,
                answer.reason,
            )
        )
    return tuple(summaries)


def _timestamp(validation: TimestampValidation) -> TimestampSummary:
    evidence = validation.evidence
    authority = evidence.signature.signing_certificate
    return TimestampSummary(
        evidence.kind.value,
        finding_of(validation.conclusion),
        evidence.generated_at,
        evidence.accuracy_seconds,
        serial_text(Serial(evidence.serial)),
        evidence.policy,
        authority.subject_text() if authority is not None else None,
        _path(validation.basic.certificate),
        _revocation(validation.basic.certificate),
        sha256(evidence.token).hex(),
    )
