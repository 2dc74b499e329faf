"""NIST PKITS: every test of the suite, from its signed mail, with the result that NIST expects.

The mails come with the certificates and CRLs of their paths. Those with `Valid` or `Invalid` in
their names say themselves what is expected under the default inputs; the others, and the tests
with several sets of inputs, are in the table.
"""

import base64
import email
import email.policy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cryptography_vectors
import pytest

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from policies.validation import ValidationPolicy, load_validation_policy
from signing_service.formats.cades import whole as cades
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation.certificates import CertificateValidation, CertificateValidator
from signing_service.validation.chain_constraints import Expectations
from signing_service.validation.evidence import SignatureEvidence
from signing_service.validation.paths import PathBuilder
from signing_service.validation.policy_graph import PolicyInputs, process_policies
from signing_service.validation.revocation import GivenEvidence, RevocationStatus
from tests.signing_service.validation.scenery import START

SUITE = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
MAILS = sorted(path.stem.removeprefix("Signed") for path in (SUITE / "smime").glob("*.eml"))

NOT_APPLICABLE = {
    "ValidDSASignaturesTest4": "DSA is not accepted",
    "ValidDSAParameterInheritanceTest5": "DSA is not accepted",
}

P1, P2, P3, P6 = (f"2.16.840.1.101.3.2.1.48.{number}" for number in (1, 2, 3, 6))


class Case(NamedTuple):
    mail: str
    inputs: PolicyInputs
    passes: bool


def _of(*policies: str, explicit: bool = False, **more: bool) -> PolicyInputs:
    return PolicyInputs(frozenset(policies) or None, require_explicit=explicit, **more)


BY_INPUTS = [
    *(Case("AllCertificatesSamePolicyTest1", *case) for case in (
        (_of(), True), (_of(explicit=True), True), (_of(P1, explicit=True), True),
        (_of(P2, explicit=True), False), (_of(P1, P2, explicit=True), True),
    )),
    Case("AllCertificatesNoPoliciesTest2", _of(), True),
    Case("AllCertificatesNoPoliciesTest2", _of(explicit=True), False),
    Case("DifferentPoliciesTest3", _of(), True),
    Case("DifferentPoliciesTest3", _of(explicit=True), False),
    Case("DifferentPoliciesTest3", _of(P1, P2, explicit=True), False),
    *(Case(f"DifferentPoliciesTest{number}", _of(), False) for number in (4, 5, 7, 8, 9, 12)),
    Case("OverlappingPoliciesTest6", _of(), True),
    Case("OverlappingPoliciesTest6", _of(P1), True),
    Case("OverlappingPoliciesTest6", _of(P2), False),
    *(Case("AllCertificatesSamePoliciesTest10", _of(*one), True) for one in ((), (P1,), (P2,))),
    *(Case("AllCertificatesAnyPolicyTest11", _of(*one), True) for one in ((), (P1,))),
    *(Case("AllCertificatesSamePoliciesTest13", _of(one), True) for one in (P1, P2, P3)),
    Case("AnyPolicyTest14", _of(P1), True),
    Case("AnyPolicyTest14", _of(P2), False),
    *(Case(f"UserNoticeQualifierTest{number}", _of(), True) for number in (15, 16, 17, 19)),
    *(Case("UserNoticeQualifierTest18", _of(one), True) for one in (P1, P2)),
    Case("CPSPointerQualifierTest20", _of(), True),
    Case("ValidPolicyMappingTest1", _of(P1), True),
    Case("ValidPolicyMappingTest1", _of(P2), False),
    Case("ValidPolicyMappingTest1", _of(P1, inhibit_mapping=True), False),
    Case("ValidPolicyMappingTest3", _of(P1), False),
    Case("ValidPolicyMappingTest3", _of(P2), True),
    Case("ValidPolicyMappingTest5", _of(P1), True),
    Case("ValidPolicyMappingTest5", _of(P6), False),
    Case("ValidPolicyMappingTest6", _of(P1), True),
    Case("ValidPolicyMappingTest6", _of(P6), False),
    *(Case("ValidPolicyMappingTest12", _of(one), True) for one in (P1, P2)),
    Case("inhibitAnyPolicyTest3", _of(), True),
    Case("inhibitAnyPolicyTest3", _of(inhibit_any=True), False),
]  # fmt: skip


@cache
def patient_policy() -> ValidationPolicy:
    """The house's policy for lists that were made in 2010."""
    policy = load_validation_policy()
    patient = policy.revocation.model_copy(
        update={"max_age_seconds": 10**10, "max_ca_age_seconds": 10**10}
    )
    return policy.model_copy(update={"revocation": patient})


@cache
def mail(name: str) -> SignatureEvidence:
    """The signature in a mail, read by our own CAdES reader."""
    message = email.message_from_bytes(
        (SUITE / "smime" / f"Signed{name}.eml").read_bytes(), policy=email.policy.default
    )
    (part,) = [p for p in message.walk() if p.get_content_subtype() == "pkcs7-signature"]
    payload = part.get_payload()
    assert isinstance(payload, str)
    (evidence,) = cades.read(base64.b64decode(payload), b"")
    return evidence


def anchors() -> TrustAnchors:
    root = Certificate.parse((SUITE / "certs" / "TrustAnchorRootCertificate.crt").read_bytes())
    return TrustAnchors((TrustedAuthority("NIST", (root,)),))


def outcome(name: str, paths: PathBuilder) -> CertificateValidation | str:
    """What the validator says of a mail's signer, or why it was not asked."""
    try:
        evidence = mail(name)
    except Refusal as refusal:
        return refusal.code
    certificate = evidence.signing_certificate
    if certificate is None:
        return "no certificate"
    embedded = evidence.embedded_certificates
    given = GivenEvidence(evidence.embedded_crls, (), embedded)
    policy = patient_policy()
    validator = CertificateValidator(paths, RevocationStatus((), paths), policy)
    signer = replace(Expectations.of_signer(policy), key_usage_any_of=("digitalSignature",))
    return validator.validate(certificate, embedded, (given,), signer, START)


def is_accepted(name: str, inputs: PolicyInputs | None = None) -> bool:
    found = outcome(name, PathBuilder(anchors()))
    if isinstance(found, str) or not found.conclusion.passed:
        return False
    assert found.path is not None
    return process_policies(found.path.certificates[-2::-1], inputs).holds


def test_the_suite_is_whole() -> None:
    assert len(MAILS) == 224
    named = {case.mail for case in BY_INPUTS}
    assert all(m.startswith(("Valid", "Invalid")) or m in named or m in UNNAMED for m in MAILS)


UNNAMED = {"MissingCRLTest1": False}
"""What a mail's name leaves out."""
DEFAULT = [
    (name, UNNAMED.get(name, name.startswith("Valid")))
    for name in MAILS
    if name not in NOT_APPLICABLE and (name in UNNAMED or name.startswith(("Valid", "Invalid")))
]


@pytest.mark.parametrize(("name", "passes"), DEFAULT, ids=lambda value: str(value))
def test_a_path_is_judged_as_nist_expects(name: str, passes: bool) -> None:
    assert is_accepted(name) is passes


@pytest.mark.parametrize("case", BY_INPUTS, ids=lambda case: case.mail)
def test_policies_are_judged_as_nist_expects(case: Case) -> None:
    assert is_accepted(case.mail, case.inputs) is case.passes


@pytest.mark.parametrize("name", NOT_APPLICABLE)
def test_what_does_not_apply_is_refused_not_crashed(name: str) -> None:
    assert not is_accepted(name)
