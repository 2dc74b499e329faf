"""A document encrypted by OpenSSL to somebody's certificate, and a delivered key opened."""

import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from key_centre.delivery import Delivery
from tests.ca.openssl import openssl
from tests.software_keys import SoftwareKey


def sealed_to(certificate: Certificate, document: bytes) -> bytes:
    """CMS EnvelopedData, DER."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "to.pem").write_text(certificate.pem)
        (directory / "document").write_bytes(document)
        openssl(
            "cms", "-encrypt", "-binary", "-aes256", "-in", directory / "document",
            "-outform", "DER", "-out", directory / "sealed", directory / "to.pem",
        )  # fmt: skip
        return (directory / "sealed").read_bytes()


def opened_in_software(
    delivery: Delivery, transport: SoftwareKey
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """What was delivered to a transport key in software: the AES key of this one delivery, and
    the private key."""
    private = transport.private_key
    assert isinstance(private, rsa.RSAPrivateKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    once = private.decrypt(delivery.envelope.encrypted_key, oaep)
    plain = keywrap.aes_key_unwrap_with_padding(once, delivery.envelope.content)
    opened = load_der_private_key(plain[: der.read(plain).end], None)  # zeros may follow
    assert isinstance(opened, ec.EllipticCurvePrivateKey)
    return once, opened
