"""Signatures raised to a higher level over HTTP: our own and strangers', in every format."""

import base64
from datetime import UTC, datetime

import pytest

from portseal.demo.signing_steps import import_declaration
from portseal.holder.service import Service, ServiceRefusal
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.recognition import read_signatures
from signing_service.formats.xades import whole as xades
from signing_service.validation.evidence import SignatureFormat, SignatureLevel, TimestampKind
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample

DECLARATION = import_declaration()
LEVELS = [SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Service:
    return service.signed_in("operator")


@pytest.fixture(scope="module")
def elsewhere(service: RunningService) -> dict[str, tuple[bytes, bytes | None]]:
    """B-B signatures that were not made through the service: (document, signature beside it)."""
    card, now = service.stage.cards["operator"], datetime.now(UTC)
    key, certificate = card.key, card.certificate
    return {
        "CAdES": (DECLARATION, cades.sign(DECLARATION, key, certificate, now)),
        "XAdES": (xades.sign(DECLARATION, key, certificate, now), None),
        "PAdES": (pades.sign(sample(), key, certificate, now), None),
        "JAdES": (jades.sign(DECLARATION, key, certificate, now), None),
        "ASiC-E": (asic.sign({"d.xml": DECLARATION}, key, certificate, now), None),
        "ASiC-E-XAdES": (
            asic.sign({"d.xml": DECLARATION}, key, certificate, now, inner=SignatureFormat.XADES),
            None,
        ),
    }


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["CAdES", "XAdES", "PAdES", "JAdES", "ASiC-E", "ASiC-E-XAdES"])
def test_a_signature_is_raised(
    operator: Service,
    elsewhere: dict[str, tuple[bytes, bytes | None]],
    name: str,
    level: SignatureLevel,
) -> None:
    document, signature = elsewhere[name]
    answer = operator.extend(document, signature, level)
    assert (answer["level"], answer["indication"]) == (str(level), "TOTAL-PASSED")
    raised = base64.b64decode(answer["signature"])
    presented = (raised, None) if signature is None else (document, raised)
    (evidence,) = read_signatures(*presented)
    assert evidence.level is level
    assert operator.verify(*presented)["finding"]["indication"] == "TOTAL-PASSED"


def test_an_archive_timestamp_is_renewed(
    operator: Service, elsewhere: dict[str, tuple[bytes, bytes | None]]
) -> None:
    document, signature = elsewhere["JAdES"]
    for count in (1, 2):
        answer = operator.extend(document, signature, SignatureLevel.B_LTA)
        document = base64.b64decode(answer["signature"])
        (evidence,) = read_signatures(document, None)
        assert [each.kind for each in evidence.timestamps].count(TimestampKind.ARCHIVE) == count


def test_a_level_that_is_there_is_no_extension(
    operator: Service, elsewhere: dict[str, tuple[bytes, bytes | None]]
) -> None:
    document, signature = elsewhere["JAdES"]
    raised = base64.b64decode(
        operator.extend(document, signature, SignatureLevel.B_LT)["signature"]
    )
    with pytest.raises(ServiceRefusal) as refusal:
        operator.extend(raised, None, SignatureLevel.B_T)
    assert refusal.value.code == "level.reached"


def test_a_broken_signature_is_not_raised(
    operator: Service, elsewhere: dict[str, tuple[bytes, bytes | None]]
) -> None:
    _, signature = elsewhere["CAdES"]
    with pytest.raises(ServiceRefusal) as refusal:
        operator.extend(b"<another/>", signature, SignatureLevel.B_T)
    assert refusal.value.code == "signature.not-passed"


def test_extension_is_for_those_who_are_signed_in(
    service: RunningService, elsewhere: dict[str, tuple[bytes, bytes | None]]
) -> None:
    document, signature = elsewhere["CAdES"]
    with pytest.raises(ServiceRefusal) as refusal:
        service.anonymous().extend(document, signature, SignatureLevel.B_T)
    assert refusal.value.code == "signin.required"
