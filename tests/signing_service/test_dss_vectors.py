"""What EU DSS signed, kept as it came: every format at B-LTA (see tests/vectors/dss).

Judged as of the minutes in which the embedded status of the last timestamp's authority was fresh;
later somebody must be asked, as EN 319 102-1 has it, and there is nobody any more.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.asn1.certificate import Certificate
from kernel.clock import FixedClock
from policies.validation import load_validation_policy
from signing_service.formats.recognition import read_signatures
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation.evidence import SignatureLevel
from signing_service.verification import Verification
from tests.signing_service.validation.scenery import Registry

VECTORS = Path(__file__).parents[1] / "vectors" / "dss"
DOCUMENT = (VECTORS / "document.xml").read_bytes()
SIGNED_ON = datetime(2026, 11, 29, 18, 40, tzinfo=UTC)
FILES = [
    "cades.p7s",
    "xades.xml",
    "pades.pdf",
    "jades.json",
    "asic-e-cades.zip",
    "asic-e-xades.zip",
]


def verification(at: datetime) -> Verification:
    """Nobody to ask: what was embedded must do."""
    (root,) = Certificate.parse_bundle((VECTORS / "root.pem").read_bytes())
    anchors = TrustAnchors((TrustedAuthority("DSS's issuer", (root,)),))
    return Verification(anchors, (), Registry(), load_validation_policy(), FixedClock(at))


def presented(name: str) -> tuple[bytes, bytes | None]:
    signed = (VECTORS / name).read_bytes()
    return (DOCUMENT, signed) if name == "cades.p7s" else (signed, None)


@pytest.mark.parametrize("name", FILES)
def test_dss_signatures_pass_by_what_they_hold(name: str) -> None:
    report = verification(SIGNED_ON).verify(*presented(name))
    assert report.passed, report.finding
    (evidence,) = read_signatures(*presented(name))
    assert evidence.level is SignatureLevel.B_LTA


@pytest.mark.parametrize("name", FILES)
def test_a_changed_one_does_not(name: str) -> None:
    document, signature = presented(name)
    if signature is not None:
        document = document.replace(b"<", b" <", 1)
    else:
        at = 80 if name == "jades.json" else len(document) // 3
        document = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
    assert not verification(SIGNED_ON).verify(document, signature).passed
