"""Certificates are read whole, strictly, and say what openssl says."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.algorithms import ECDSA_P256_SHA256
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from tests.software_keys import SoftwareAuthority

AUTHORITY = SoftwareAuthority()
SIGNER = AUTHORITY.signer()


def test_says_what_openssl_says() -> None:
    certificate = SIGNER.certificate
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-serial", "-fingerprint", "-sha256"],
        input=certificate.pem.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()

    assert f"serial={certificate.serial:X}" in text
    assert certificate.fingerprint.upper() in text.replace(":", "")


def test_properties_of_a_signer() -> None:
    certificate = SIGNER.certificate

    assert certificate.attribute("2.5.4.3") == "操作员 张三"
    assert certificate.attribute("2.5.4.5") is None
    assert certificate.subject_text() == "CN=操作员 张三,O=PortSeal Test,C=CN"
    assert certificate.key_usage == {"digitalSignature", "nonRepudiation"}
    assert not certificate.is_ca
    assert certificate.signature_suite is ECDSA_P256_SHA256
    assert certificate.public_key.spki == SIGNER.key.public_key.spki
    assert certificate.not_before.tzinfo is not None
    assert certificate.critical_extensions == {"2.5.29.15", "2.5.29.19"}
    assert not certificate.critical_unknown_extensions


def test_properties_of_an_authority() -> None:
    certificate = AUTHORITY.issuing.certificate

    assert certificate.is_ca
    assert certificate.path_length == 0
    assert certificate.key_usage == {"keyCertSign", "cRLSign"}
    assert certificate.subject_der == SIGNER.certificate.issuer_der
    assert certificate.subject_key_identifier == SIGNER.certificate.authority_key_identifier


def test_extended_key_usage_is_dotted() -> None:
    tsa = AUTHORITY.timestamp_authority().certificate

    assert tsa.extended_key_usage == {"1.3.6.1.5.5.7.3.8"}


def test_issuer_is_recognised_by_name_and_key() -> None:
    other = SoftwareAuthority().issuing.certificate

    assert SIGNER.certificate.is_signed_by(AUTHORITY.issuing.certificate)
    assert not SIGNER.certificate.is_signed_by(AUTHORITY.root.certificate)
    assert not SIGNER.certificate.is_signed_by(other)


def test_pem_and_der_are_the_same_certificate() -> None:
    certificate = SIGNER.certificate

    assert Certificate.parse(certificate.pem) == certificate
    assert hash(Certificate.parse(certificate.der)) == hash(certificate)


def test_bundle_keeps_its_order() -> None:
    chain = (SIGNER.certificate, *SIGNER.chain)

    assert Certificate.parse_bundle("".join(c.pem for c in chain)) == chain


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"hello",
        "证书",
        SIGNER.certificate.der + b"\x00",
        SIGNER.certificate.der[:-1],
        SIGNER.certificate.pem * 2,
        b"\x30\x83\x01\x00\x00" + bytes(65536),
        b"-----BEGIN CERTIFICATE-----\nMII!\n-----END CERTIFICATE-----\n",
    ],
)
def test_anything_else_is_refused(data: bytes | str) -> None:
    with pytest.raises(Malformed) as refusal:
        Certificate.parse(data)

    assert refusal.value.code == "certificate.malformed"


def test_two_signature_algorithms_are_refused() -> None:
    sha256, sha384 = (bytes.fromhex(f"06082a8648ce3d04030{n}") for n in (2, 3))
    der = SIGNER.certificate.der
    assert der.count(sha256) == 2

    with pytest.raises(Malformed, match="two different"):
        Certificate.parse(der.replace(sha256, sha384, 1))


@given(position=st.integers(0, len(SIGNER.certificate.der) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_breaks_the_signature(position: int, bit: int) -> None:
    der = bytearray(SIGNER.certificate.der)
    der[position] ^= 1 << bit
    try:
        certificate = Certificate.parse(bytes(der))
    except Malformed:
        return
    assert not certificate.is_signed_by(AUTHORITY.issuing.certificate)
