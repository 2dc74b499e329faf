"""A visible seal asked for over HTTP, and its QR code followed to the page with the verdict."""

import hashlib
import io
import re
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from portseal.holder.service import Service, ServiceRefusal
from portseal.holder.wish import base64_of
from signing_service.formats.manner import Manner, Subject
from signing_service.formats.pades.whole import Placement, Seal
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.test_pades_seal import drawn

PDF = sample()
LINES = ("上海示例报关有限公司", "电子签章", "2026年")


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 20, 20, 255)).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Service:
    return service.signed_in("operator")


def test_the_code_on_the_seal_leads_to_the_verdict(
    service: RunningService, operator: Service, tmp_path: Path
) -> None:
    seal = Seal((60, 60, 360, 200), lines=LINES, picture=picture())
    manner = Manner(SignatureFormat.PADES, placement=Placement(seal=seal, reason="申报"))
    signed = operator.make(service.stage.cards["operator"], Subject.of(PDF), manner, qr_code=True)
    assert signed.indication == "TOTAL-PASSED"
    (code,) = zxingcpp.read_barcodes(drawn(tmp_path, signed.signature))
    assert code.text == f"{service.origin}/verify/signatures/{signed.id}"
    page = service.anonymous().fetch("GET", code.text.removeprefix(service.origin)).text
    assert "TOTAL-PASSED" in page
    assert signed.id in page
    card = service.stage.numbers["operator"]
    assert card in re.sub(r"<[^>]+>", " ", page)
    # The page is about the file that the reader holds: its digest stands there.
    assert hashlib.sha256(signed.signature).hexdigest() in page


def test_a_code_that_leads_nowhere_is_told_so(service: RunningService) -> None:
    with pytest.raises(ServiceRefusal) as refusal:
        service.anonymous().fetch("GET", f"/verify/signatures/{'0' * 32}")
    assert refusal.value.http_status == 404


@pytest.mark.parametrize(
    ("seal", "code"),
    [
        ({"rectangle": [0, 0, 1, 1]}, "seal.place"),
        ({"rectangle": [0, 0, 200, 100], "lines": ["x"] * 13}, "seal.text"),
        ({"rectangle": [0, 0, 200, 100], "picture": "bm8gcG5n"}, "seal.picture"),
        ({"rectangle": [0, 0, 200, 100], "page": 7}, "seal.place"),
        ({"rectangle": [0, 0, 200]}, "request.malformed"),
    ],
)
def test_a_seal_that_cannot_be_drawn_is_refused(
    service: RunningService, operator: Service, seal: dict[str, object], code: str
) -> None:
    body = {
        "document": base64_of(PDF),
        "certificate": base64_of(service.stage.cards["operator"].certificate.der),
        "format": "PAdES",
        "pdf": {"seal": seal},
    }
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/signatures/prepare", body)
    assert refusal.value.http_status < 500
    assert refusal.value.code.split(".")[0] == code.split(".")[0]
