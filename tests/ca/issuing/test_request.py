"""PKCS#10 requests: what openssl and pyca make is read, everything doubtful is refused."""

import re
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.issuing.request import MAX_REQUEST_BYTES, read_pkcs10
from ca.issuing.subject import SubjectFields
from kernel.refusals import Refusal
from tests.ca.openssl import openssl

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "张三")])


def made(
    name: x509.Name = NAME,
    extension: x509.ExtensionType | None = None,
    attribute: tuple[x509.ObjectIdentifier, bytes] | None = None,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    if attribute is not None:
        builder = builder.add_attribute(*attribute)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def code_for(data: bytes) -> str:
    with pytest.raises(Refusal) as refusal:
        read_pkcs10(data)
    return refusal.value.code


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize(
    "key", [("EC", "ec_paramgen_curve:P-256"), ("RSA", "rsa_keygen_bits:2048"), ("ED25519", "")]
)
def test_openssl_s_requests_are_read(tmp_path: Path, key: tuple[str, str], form: str) -> None:
    kind, option = key
    options = ("-pkeyopt", option) if option else ()
    openssl("genpkey", "-algorithm", kind, *options, "-out", tmp_path / "key.pem")
    openssl(
        *("req", "-new", "-utf8", "-key", tmp_path / "key.pem", "-subj", "/C=CN/CN=张三"),
        *("-outform", form, "-out", tmp_path / "request"),
    )
    request = read_pkcs10((tmp_path / "request").read_bytes())
    assert request.subject == SubjectFields(country="CN", common_name="张三")
    spki = openssl("pkey", "-in", tmp_path / "key.pem", "-pubout")
    assert request.public_key.kind.value.upper() == kind
    assert spki.startswith("-----BEGIN PUBLIC KEY-----")


def test_an_sm2_request_is_refused_by_its_kind_of_key(tmp_path: Path) -> None:
    """No profile certifies such a key, so nothing of the request is looked at."""
    openssl("genpkey", "-algorithm", "SM2", "-out", tmp_path / "key.pem")
    openssl(
        *("req", "-new", "-key", tmp_path / "key.pem", "-subj", "/CN=SM2", "-sm3"),
        *("-sigopt", "distid:1234567812345678", "-out", tmp_path / "request"),
    )
    assert code_for((tmp_path / "request").read_bytes()) == "public-key.unsupported"


def test_a_changed_signature_or_key_is_no_proof_of_possession() -> None:
    data = bytearray(made())
    data[-1] ^= 1
    assert code_for(bytes(data)) == "pkcs10.signature"
    other = made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "李四")]))
    assert code_for(other.replace("李四".encode(), "王五".encode())) == "pkcs10.signature"


def test_what_a_profile_decides_is_not_given_on_request() -> None:
    assert code_for(made(extension=x509.BasicConstraints(True, None))) == "pkcs10.extension"
    names = x509.SubjectAlternativeName([x509.DNSName("example.cn")])
    assert code_for(made(extension=names)) == "pkcs10.extension"
    challenge = (AttributeOID.CHALLENGE_PASSWORD, b"secret")
    assert code_for(made(attribute=challenge)) == "pkcs10.attribute"
    harmless = made(extension=x509.BasicConstraints(False, None))
    assert read_pkcs10(harmless).subject.common_name == "张三"


def test_unknown_or_repeated_subject_attributes_are_refused() -> None:
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, "张三")
    assert code_for(made(x509.Name([common_name, common_name]))) == "pkcs10.subject"
    email = x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.cn")
    assert code_for(made(x509.Name([common_name, email]))) == "pkcs10.subject"


def test_foreign_kinds_of_keys_and_old_digests_are_refused(tmp_path: Path) -> None:
    foreign = dsa.generate_private_key(2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    signed = request.sign(foreign, hashes.SHA256()).public_bytes(Encoding.DER)
    assert code_for(signed) == "public-key.unsupported"
    openssl("genpkey", "-algorithm", "RSA", "-out", tmp_path / "key.pem")
    openssl(
        *("req", "-new", "-sha1", "-key", tmp_path / "key.pem", "-subj", "/CN=a"),
        *("-outform", "DER", "-out", tmp_path / "request"),
    )
    assert code_for((tmp_path / "request").read_bytes()) == "pkcs10.algorithm"


def test_other_bytes_are_malformed() -> None:
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    for data in (b"", b"\x30\x80", b"hello", made() + b"\x00", pem, pem + pem, made()[:-1]):
        assert code_for(data) == "pkcs10.malformed"
    assert code_for(b"\x30" * (MAX_REQUEST_BYTES + 1)) == "pkcs10.too-large"


SAMPLE = made()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_flipped_bits_never_pass(data: st.DataObject) -> None:
    request = bytearray(SAMPLE)
    position = data.draw(st.integers(0, len(request) - 1))
    request[position] ^= 1 << data.draw(st.integers(0, 7))
    assert re.match(r"(pkcs10|public-key)\.", code_for(bytes(request)))


def test_a_request_of_blanks_is_refused_at_once() -> None:
    head = b"-----BEGIN CERTIFICATE REQUEST-----"
    filled = head + b" \n" * ((MAX_REQUEST_BYTES - len(head)) // 2)
    started = time.process_time()
    assert [code_for(filled), code_for(filled[::-1])] == ["pkcs10.malformed"] * 2
    assert time.process_time() - started < 2  # some ms; a backtracking pattern takes minutes
