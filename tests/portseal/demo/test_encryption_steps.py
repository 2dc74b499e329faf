"""The demonstration's step with the second certificate, on the running service."""

from portseal.demo.encryption_steps import CONTRACT, encrypt_to_card
from tests.ca.openssl import openssl
from tests.portseal.service import RunningService


def test_what_openssl_encrypted_is_left_with_the_certificate_and_opens_on_the_card(
    service: RunningService,
) -> None:
    stage = service.stage
    said = encrypt_to_card(stage)
    assert "the card decrypted it" in said
    assert stage.file("contract.txt").read_text() == CONTRACT
    shown = openssl(
        "x509", "-in", stage.file("operator-encryption.pem"), "-noout", "-ext", "keyUsage"
    )
    assert "Key Agreement" in shown
    sealed = stage.file("contract.p7m")
    assert CONTRACT.encode() not in sealed.read_bytes()
    told = openssl("cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", sealed)
    assert "envelopedData" in told
