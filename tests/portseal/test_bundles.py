"""One entry for four agencies: one signature of the card, and each agency verifies its part."""

import base64
import json

import pytest

from portseal.demo.signing_steps import export_declaration, import_declaration
from portseal.holder.service import Service, ServiceRefusal, SignedPart
from signing_service.formats.bundle import Part
from signing_service.validation.evidence import SignatureLevel
from tests.portseal.service import RunningService

AGENCIES = ("海关总署", "国家税务总局", "国家移民管理局", "海事局")
PARTS = [
    Part(agency, import_declaration().replace(b"</DecMessage>", b"<!--%d--></DecMessage>" % number))
    for number, agency in enumerate(AGENCIES)
]


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Service:
    return service.signed_in("operator")


@pytest.mark.parametrize("level", [SignatureLevel.B_LT, SignatureLevel.B_LTA])
def test_each_part_has_its_own_long_term_evidence(
    service: RunningService, operator: Service, level: SignatureLevel
) -> None:
    signed = operator.sign_bundle(service.stage.cards["operator"], PARTS[:2], level)
    for part, own in zip(PARTS, signed, strict=False):
        assert isinstance(part.document, bytes)
        (found,) = service.anonymous().verify(part.document, own.proof)["signatures"]
        assert (found["finding"]["indication"], found["level"]) == ("TOTAL-PASSED", str(level))


@pytest.fixture(scope="module")
def signed(service: RunningService, operator: Service) -> list[SignedPart]:
    return operator.sign_bundle(service.stage.cards["operator"], PARTS)


def test_each_agency_gets_a_verdict_on_its_own_part_alone(
    service: RunningService, signed: list[SignedPart]
) -> None:
    assert [each.recipient for each in signed] == list(AGENCIES)
    for part, own in zip(PARTS, signed, strict=True):
        assert isinstance(part.document, bytes)
        report = service.anonymous().verify(part.document, own.proof)
        assert report["finding"]["indication"] == "TOTAL-PASSED"
        (signature,) = report["signatures"]
        assert signature["signer"]["card"] == service.stage.numbers["operator"]
        others = [each for each in PARTS if each is not part]
        for other in others:
            assert isinstance(other.document, bytes)
            assert other.document not in own.proof
            assert other.recipient.encode() not in own.proof
            foreign = service.anonymous().verify(other.document, own.proof)
            assert foreign["finding"]["indication"] == "TOTAL-FAILED"


def test_the_public_page_reads_a_part(service: RunningService, signed: list[SignedPart]) -> None:
    files = {
        "document": ("declaration.xml", PARTS[2].document),
        "signature": ("proof.json", signed[2].proof),
    }
    anybody = service.anonymous()
    kept = anybody.fetch("POST", "/verify", files=files).headers["Location"]
    page = anybody.fetch("GET", kept).text
    assert "TOTAL-PASSED" in page
    assert "bundle manifest" in page


def test_every_part_is_kept_with_its_own_proof(operator: Service, signed: list[SignedPart]) -> None:
    for each in signed:
        assert operator.signature(each.id) == each.proof


def test_a_bundle_needs_every_right(service: RunningService, operator: Service) -> None:
    parts = [PARTS[0], Part("海关总署", export_declaration())]
    with pytest.raises(ServiceRefusal) as refusal:
        operator.sign_bundle(service.stage.cards["operator"], parts)
    assert refusal.value.code == "right.missing"


def test_what_was_prepared_as_a_bundle_is_completed_as_one(
    service: RunningService, operator: Service
) -> None:
    card = service.stage.cards["operator"]
    body = {
        "certificate": base64.b64encode(card.certificate.der).decode(),
        "parts": [{"recipient": "x", "document": base64.b64encode(import_declaration()).decode()}],
    }
    prepared = operator.call("POST", "/api/v1/bundles/prepare", body)
    value = card.key.sign(base64.b64decode(prepared["to_be_signed"]))
    finished = {"id": prepared["id"], "signature_value": base64.b64encode(value).decode()}
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/signatures/complete", finished)
    assert refusal.value.http_status == 409
    finished["signature_value"] = base64.b64encode(card.key.sign(b"other")).decode()
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/bundles/complete", finished)
    assert refusal.value.code == "signature.mismatch"


def test_a_proof_on_disk_is_json(signed: list[SignedPart]) -> None:
    assert set(json.loads(signed[0].proof)) == {
        "index", "manifest", "path", "recipient", "salt", "signature",
    }  # fmt: skip
