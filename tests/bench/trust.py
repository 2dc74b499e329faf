"""Whom the verifying benchmarks trust, and the status that they remember."""

from datetime import datetime

from kernel.asn1.certificate import Certificate
from policies.validation import load_validation_policy
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation.engine import ValidationEngine
from signing_service.validation.evidence import SignatureEvidence
from tests.bench.site import Site


class RememberedStatus:
    """Answers given once by the authority's own records, and remembered."""

    def __init__(self, site: Site) -> None:
        issuing, root = site.chain
        own = site.house.own_status
        self._answers = {
            certificate.fingerprint: own.status(certificate, issuer)
            for certificate, issuer in ((site.card, issuing), (issuing, root))
        }

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        return self._answers.get(certificate.fingerprint)


def engine(site: Site) -> ValidationEngine:
    """The verdict engine with remembered status; it remembers paths by itself."""
    policy = load_validation_policy(site.house.settings.policy.signature_policy)
    return ValidationEngine(site.house.anchors, [RememberedStatus(site)], policy)


def require_passed(judge: ValidationEngine, evidence: SignatureEvidence, at: datetime) -> None:
    """What is timed must have been a full validation with a good end."""
    validation = judge.validate(evidence, at)
    assert validation.conclusion.indication.value == "TOTAL-PASSED", validation.conclusion
    found = validation.basic.certificate
    assert found is not None
    statuses = [finding.answer.status for finding in found.revocation if finding.answer]
    assert statuses == [CertificateStatus.GOOD] * 2
