"""Every packaging, claim and act over HTTP, made by cards and judged by the same service."""

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from policies.signature_policy import known_signature_policies
from portseal.demo.signing_steps import export_declaration, import_declaration
from portseal.holder.service import Service, ServiceRefusal, Signed
from signing_service.formats.asic import whole as asic
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.making import holds_documents
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample

CADES, XADES, PADES, JADES = (
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.PADES,
    SignatureFormat.JADES,
)
ASIC_S, ASIC_E = SignatureFormat.ASIC_S, SignatureFormat.ASIC_E
DECLARATION = import_declaration()
PDF = sample()
FRAME = b'<frame xmlns="urn:frame"></frame>'
MANNERS = [
    Manner(CADES),
    Manner(CADES, packaging=Packaging.ENVELOPING),
    Manner(XADES),
    Manner(XADES, parallel_later=True),
    Manner(XADES, packaging=Packaging.ENVELOPING),
    Manner(XADES, packaging=Packaging.DETACHED),
    Manner(JADES),
    Manner(JADES, serialisation=Serialisation.COMPACT),
    Manner(JADES, serialisation=Serialisation.GENERAL),
    Manner(JADES, packaging=Packaging.DETACHED),
    Manner(ASIC_S),
    Manner(ASIC_S, inner=XADES),
    Manner(ASIC_E),
    Manner(ASIC_E, inner=XADES),
]
JOINABLE = [each for each in MANNERS if each not in (Manner(XADES), MANNERS[4])]
"""Those that a second signer can sign beside."""


def named(manner: Manner) -> str:
    words = [manner.format, manner.packaging or "", manner.inner, manner.serialisation]
    return "-".join(filter(None, map(str, words)))


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Service:
    return service.signed_in("operator")


def first(service: RunningService, operator: Service, manner: Manner, **more: Any) -> Signed:
    document = PDF if manner.format is PADES else DECLARATION
    subject = more.pop("subject", Subject.of(document))
    return operator.make(service.stage.cards["operator"], subject, manner, **more)


def presented(signed: bytes, document: bytes = DECLARATION) -> tuple[bytes, bytes | None]:
    return (signed, None) if holds_documents(signed) else (document, signed)


def evidence(signed: bytes) -> list[SignatureEvidence]:
    return read_signatures(*presented(signed))


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_every_packaging(service: RunningService, operator: Service, manner: Manner) -> None:
    signed = first(service, operator, manner)
    assert signed.indication == "TOTAL-PASSED"
    (one,) = evidence(signed.signature)
    assert one.level is SignatureLevel.B_T
    if manner.packaging is not None:
        assert one.packaging is manner.packaging
    report = service.anonymous().verify(*presented(signed.signature))
    assert report["finding"]["indication"] == "TOTAL-PASSED"


def test_a_part_of_a_frame_is_signed_internally_detached(
    service: RunningService, operator: Service
) -> None:
    inner = DECLARATION[DECLARATION.index(b"<DecMessage") :]
    inner = inner.replace(b"<DecMessage", b'<DecMessage Id="d1"', 1)
    frame = FRAME.replace(b"></", b">" + inner.strip() + b"</")
    manner = Manner(XADES, packaging=Packaging.INTERNALLY_DETACHED, target="d1")
    signed = first(service, operator, manner, subject=Subject.of(frame))
    assert signed.indication == "TOTAL-PASSED"
    (one,) = read_signatures(signed.signature, None)
    assert one.packaging is Packaging.INTERNALLY_DETACHED


def test_several_documents_go_into_one_container(
    service: RunningService, operator: Service
) -> None:
    subject = Subject({"declaration.xml": DECLARATION, "invoice.pdf": PDF})
    signed = first(service, operator, Manner(ASIC_E), subject=subject)
    assert signed.indication == "TOTAL-PASSED"
    container = asic.Container.read(signed.signature)
    assert container.data_objects == dict(subject.documents)
    with pytest.raises(ServiceRefusal) as refusal:
        first(service, operator, Manner(CADES), subject=subject)
    assert refusal.value.code == "document.several"


def test_no_container_hides_a_declaration_without_its_right(
    service: RunningService, operator: Service
) -> None:
    subject = Subject({"a.xml": DECLARATION, "b.xml": export_declaration()})
    with pytest.raises(ServiceRefusal) as refusal:
        first(service, operator, Manner(ASIC_E), subject=subject)
    assert refusal.value.code == "right.missing"


@pytest.mark.parametrize("manner", [Manner(CADES), Manner(XADES), Manner(JADES), Manner(PADES)])
def test_commitment_roles_and_policy_are_signed(
    service: RunningService, operator: Service, manner: Manner
) -> None:
    (policy,) = known_signature_policies().values()
    claims = Claims(PROOF_OF_APPROVAL, ("报关员", "Declarant"), PolicyReference.to(policy))
    signed = first(service, operator, replace(manner, claims=claims))
    assert signed.indication == "TOTAL-PASSED"
    (one,) = evidence(signed.signature)
    assert (one.commitment, one.roles) == (PROOF_OF_APPROVAL, claims.roles)
    assert (one.policy, one.policy_digest) == (policy.terms.oid, ("sha256", policy.sha256))


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"policy": "1.2.3"}, "claims.policy"),
        ({"roles": ["\u0007"]}, "claims.text"),
        ({"roles": ["x"] * 17}, "request.malformed"),
        ({"commitment": "proof-of-everything"}, "oid.malformed"),
    ],
)
def test_claims_that_mean_nothing_are_refused(
    service: RunningService, operator: Service, claims: dict[str, Any], code: str
) -> None:
    body = {
        "document": base64.b64encode(DECLARATION).decode(),
        "certificate": base64.b64encode(service.stage.cards["operator"].certificate.der).decode(),
        "format": "CAdES",
        "claims": claims,
    }
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/signatures/prepare", body)
    assert refusal.value.code == code


# -- a second signer -------------------------------------------------------------------------------


@pytest.mark.parametrize("manner", [*JOINABLE, Manner(PADES)], ids=named)
def test_a_second_signer_signs_beside_the_first(
    service: RunningService, operator: Service, manner: Manner
) -> None:
    before = first(service, operator, manner).signature
    second = service.second_operator()
    beside = {} if holds_documents(before) else dict(Subject.of(DECLARATION).documents)
    again = service.signed_in(second).make(
        service.stage.cards[second],
        Subject(beside, before),
        replace(manner, act=Act.PARALLEL),
    )
    assert again.indication == "TOTAL-PASSED"
    found = evidence(again.signature)
    signers = {each.signing_certificate for each in found}
    assert signers == {service.stage.cards[k].certificate for k in ("operator", second)}
    assert [each.level for each in found] == [SignatureLevel.B_T] * 2
    report = service.anonymous().verify(*presented(again.signature))
    assert [each["finding"]["indication"] for each in report["signatures"]] == ["TOTAL-PASSED"] * 2


def test_nobody_signs_beside_a_signature_that_covers_all_but_itself(
    service: RunningService, operator: Service
) -> None:
    before = first(service, operator, Manner(XADES)).signature
    with pytest.raises(ServiceRefusal) as refusal:
        operator.make(
            service.stage.cards["operator"],
            Subject({}, before),
            Manner(XADES, act=Act.PARALLEL),
        )
    assert refusal.value.code == "xades.already-signed"


@pytest.mark.parametrize("act", [Act.PARALLEL, Act.COUNTER])
def test_nobody_signs_beside_or_upon_what_is_broken(
    service: RunningService, operator: Service, act: Act
) -> None:
    before = first(service, operator, Manner(CADES)).signature
    other = DECLARATION.replace(b"</DecMessage>", b" </DecMessage>")
    assert other != DECLARATION
    with pytest.raises(ServiceRefusal) as refusal:
        operator.make(
            service.stage.cards["operator"],
            Subject({"document.xml": other}, before),
            Manner(CADES, act=act),
        )
    assert refusal.value.code == "signature.broken"


# -- counter-signatures ----------------------------------------------------------------------------


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_a_counter_signature_is_judged_and_named(
    service: RunningService, operator: Service, manner: Manner
) -> None:
    before = first(service, operator, manner).signature
    second = service.second_operator()
    beside = {} if holds_documents(before) else dict(Subject.of(DECLARATION).documents)
    level = SignatureLevel.B_LTA if manner.format in (XADES, JADES) else SignatureLevel.B_LT
    again = service.signed_in(second).make(
        service.stage.cards[second],
        Subject(beside, before),
        replace(manner, act=Act.COUNTER),
        level,
    )
    assert again.indication == "TOTAL-PASSED"
    report = service.anonymous().verify(*presented(again.signature))
    (signature,) = report["signatures"]
    (counter,) = signature["counter_signatures"]
    assert counter["finding"]["indication"] == "TOTAL-PASSED"
    assert counter["level"] == str(level)
    assert signature["signer"]["card"] == service.stage.numbers["operator"]
    assert counter["signer"]["card"] == service.stage.numbers[second]


def test_a_counter_signature_in_a_pdf_is_refused(
    service: RunningService, operator: Service
) -> None:
    before = first(service, operator, Manner(PADES)).signature
    with pytest.raises(ServiceRefusal) as refusal:
        operator.make(
            service.stage.cards["operator"], Subject({}, before), Manner(PADES, act=Act.COUNTER)
        )
    assert refusal.value.code == "format.unsupported"


def test_a_counter_signature_is_kept_with_what_it_is_upon(
    service: RunningService, operator: Service
) -> None:
    before = first(service, operator, Manner(JADES)).signature
    again = operator.make(
        service.stage.cards["operator"], Subject({}, before), Manner(JADES, act=Act.COUNTER)
    )
    kept = operator.call("GET", f"/api/v1/signatures/{again.id}")
    assert base64.b64decode(kept["signature"]) == again.signature
    assert kept["document_sha256"] == hashlib.sha256(DECLARATION).hexdigest()
