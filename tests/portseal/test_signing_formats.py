"""The two steps over HTTP: every format and level, by a card, judged by the same service."""

import base64
import hashlib
from typing import Any

import pytest

from portseal.demo.signing_steps import export_declaration, import_declaration
from portseal.holder.service import Service, ServiceRefusal
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample

PDF = sample()
LEVELS = [SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]
DECLARATION_FORMATS = [
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.JADES,
    SignatureFormat.ASIC_S,
]
INSIDE = {SignatureFormat.ASIC_S: SignatureFormat.CADES}


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Service:
    return service.signed_in("operator")


def prepare(
    service: RunningService, operator: Service, document: bytes, **more: str
) -> dict[str, Any]:
    certificate = service.stage.cards["operator"].certificate.der
    body = {
        "document": base64.b64encode(document).decode(),
        "certificate": base64.b64encode(certificate).decode(),
        **more,
    }
    return operator.call("POST", "/api/v1/signatures/prepare", body)


def complete(operator: Service, prepared: dict[str, Any], value: bytes) -> dict[str, Any]:
    body = {"id": prepared["id"], "signature_value": base64.b64encode(value).decode()}
    return operator.call("POST", "/api/v1/signatures/complete", body)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("format_", DECLARATION_FORMATS)
def test_a_card_signs_a_declaration(
    service: RunningService, operator: Service, format_: SignatureFormat, level: SignatureLevel
) -> None:
    document, card = import_declaration(), service.stage.cards["operator"]
    signed = operator.sign(card, document, format_, level)
    assert signed.indication == "TOTAL-PASSED"
    beside = document if format_ is SignatureFormat.CADES else None
    presented = (document, signed.signature) if beside else (signed.signature, None)
    (evidence,) = read_signatures(*presented)
    assert (evidence.format, evidence.level) == (INSIDE.get(format_, format_), level)
    assert operator.verify(*presented)["finding"]["indication"] == "TOTAL-PASSED"
    receipt = operator.call("GET", f"/api/v1/signatures/{signed.id}")
    assert (receipt["format"], receipt["level"]) == (str(format_), str(level))
    assert receipt["document_sha256"] == hashlib.sha256(document).hexdigest()


@pytest.mark.parametrize("level", [SignatureLevel.B_T, SignatureLevel.B_LTA])
def test_a_card_signs_a_pdf_for_its_enterprise(
    service: RunningService, operator: Service, level: SignatureLevel
) -> None:
    prepared = prepare(service, operator, PDF, format="PAdES", level=str(level))
    assert prepared["declaration"]["kind"] == "document"
    assert prepared["declaration"]["fields"][0]["value"] == hashlib.sha256(PDF).hexdigest()
    value = service.stage.cards["operator"].key.sign(base64.b64decode(prepared["to_be_signed"]))
    done = complete(operator, prepared, value)
    assert done["indication"] == "TOTAL-PASSED"
    signed = base64.b64decode(done["signature"])
    assert signed.startswith(PDF)
    (evidence,) = read_signatures(signed, None)
    assert evidence.level is level


def test_a_document_is_signed_in_other_formats_too(
    service: RunningService, operator: Service
) -> None:
    signed = operator.sign(service.stage.cards["operator"], PDF, SignatureFormat.JADES)
    assert operator.verify(signed.signature)["finding"]["indication"] == "TOTAL-PASSED"


def test_an_officer_has_no_enterprise_to_sign_documents_for(service: RunningService) -> None:
    label = next(each for each in service.stage.cards if "officer" in each or "approver" in each)
    officer, card = service.signed_in(label), service.stage.cards[label]
    with pytest.raises(ServiceRefusal) as refusal:
        officer.sign(card, PDF, SignatureFormat.CADES)
    assert refusal.value.code == "document.no-enterprise"


@pytest.mark.parametrize("format_", DECLARATION_FORMATS)
def test_no_format_goes_round_the_right(
    service: RunningService, operator: Service, format_: SignatureFormat
) -> None:
    with pytest.raises(ServiceRefusal) as refusal:
        operator.sign(service.stage.cards["operator"], export_declaration(), format_)
    assert refusal.value.code == "right.missing"


@pytest.mark.parametrize("format_", ["CAdES", "XAdES", "JAdES", "ASiC-S"])
def test_what_comes_back_is_held_against_what_was_prepared(
    service: RunningService, operator: Service, format_: str
) -> None:
    prepared = prepare(service, operator, import_declaration(), format=format_)
    other = service.stage.cards["operator"].key.sign(b"something else")
    with pytest.raises(ServiceRefusal) as refusal:
        complete(operator, prepared, other)
    assert refusal.value.code == "signature.mismatch"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"format": "CMS"}, "format.unsupported"),
        ({"format": "none"}, "request.malformed"),
        ({"format": "CAdES", "level": "not AdES"}, "level.unknown"),
        ({"format": "CAdES", "level": "B-X"}, "request.malformed"),
        ({"format": "PAdES"}, "pdf.malformed"),
    ],
)
def test_formats_and_levels_that_are_none_are_refused(
    service: RunningService, operator: Service, more: dict[str, str], code: str
) -> None:
    with pytest.raises(ServiceRefusal) as refusal:
        prepare(service, operator, import_declaration(), **more)
    assert refusal.value.code.split(".")[0] == code.split(".")[0]
    assert refusal.value.http_status < 500


def test_the_card_signs_a_pdf_whose_update_its_own_program_has_seen(
    service: RunningService, operator: Service
) -> None:
    signed = operator.sign(service.stage.cards["operator"], PDF, SignatureFormat.PADES)
    assert signed.signature.startswith(PDF)
    assert signed.indication == "TOTAL-PASSED"
