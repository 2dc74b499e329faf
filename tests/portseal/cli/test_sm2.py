"""SM2 in a running service: an authority from a trusted list, its signatures, its library."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.service import Twin
from tests.signing_service.test_trusted_lists import Operator, Service
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca
from tests.sm2_authority import Sm2Authority, sm2_authority
from tests.software_keys import write_pem

DOCUMENT = "报关单 declaration".encode()


@pytest.fixture(scope="module")
def authority() -> Sm2Authority:
    return sm2_authority()


def trusting(authority: Sm2Authority, directory: Path) -> str:
    """The setting that names a list with the authority on it."""
    now, operator = datetime.now(UTC), Operator()
    signer = Ca.root("List operator", now - YEAR).card(
        "List signer", start=now - DAY, end=now + DAY
    )
    since = now - DAY
    text = operator.unsigned(Service(authority.root.certificate, (("granted", since),)))
    due = f"{START + 180 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    text = text.replace(due.encode(), f"{now + DAY:%Y-%m-%dT%H:%M:%SZ}".encode())
    signed = xades.sign(text, signer.key, signer.certificate, now)
    (directory / "list.xml").write_bytes(signed)
    write_pem(directory / "signers.pem", [signer.certificate])
    return json.dumps(
        [{"file": str(directory / "list.xml"), "signers": str(directory / "signers.pem")}]
    )


def portseal(twin: Twin, *arguments: str, **settings: str) -> Outcome:
    return run(arguments, {**twin.site.environment, **settings})


def test_a_declaration_signed_with_sm2_passes_under_a_listed_authority(
    authority: Sm2Authority, twin: Twin, tmp_path: Path
) -> None:
    signer = authority.signer
    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)
    signed = cades.add_validation_material(signed, authority.material())
    document, signature = tmp_path / "document", tmp_path / "document.p7s"
    document.write_bytes(DOCUMENT)
    signature.write_bytes(signed)

    def verified() -> dict[str, Any]:
        told = portseal(
            twin, "verify", str(document), str(signature), "--json", "--url", twin.origin
        )
        report: dict[str, Any] = json.loads(told.out)
        return report

    twin.serve(PORTSEAL_VERIFICATION__TRUSTED_LISTS=trusting(authority, tmp_path))
    passed = verified()
    document.write_bytes(DOCUMENT + b"!")
    changed = verified()

    assert passed["finding"]["indication"] == "TOTAL-PASSED", passed["finding"]
    assert passed["signatures"][0]["algorithm"] == "sm2-with-sm3"
    assert passed["signatures"][0]["authority"] is not None
    assert changed["finding"]["sub_indication"] == "HASH_FAILURE"


def test_status_tells_whether_sm2_can_be_verified(twin: Twin) -> None:
    missing = {"PORTSEAL_VERIFICATION__LIBCRYPTO": "/nowhere/libcrypto.so.3"}

    there = json.loads(portseal(twin, "status", "--json").out)
    without = portseal(twin, "status", "--json", **missing)

    assert there["sm2"].startswith("verified by OpenSSL 3")
    assert without.code == 3
    assert "[libcrypto.missing]" in json.loads(without.out)["sm2"]
