"""The envelope of a key: one form, read back strictly, and opened by OpenSSL."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from kernel.algorithms import PublicKey
from kernel.asn1.key_envelope import KeyEnvelope, require_transport_key, transport_key_identifier
from kernel.refusals import Malformed, Unprocessable

TRANSPORT = rsa.generate_private_key(65537, 3072)


def public_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> PublicKey:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey.from_spki(spki)


def sealed(private: ec.EllipticCurvePrivateKey) -> KeyEnvelope:
    """As the centre's token makes it, in software."""
    once = os.urandom(32)
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return KeyEnvelope(
        transport_key_identifier(public_key(TRANSPORT)),
        TRANSPORT.public_key().encrypt(once, oaep),
        keywrap.aes_key_wrap_with_padding(once, plain),
    )


def run(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout


def test_openssl_reads_it_and_opens_it(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    envelope = sealed(private)
    (tmp_path / "e.der").write_bytes(envelope.encode())
    shown = run("cms", "-cmsout", "-print", "-inform", "DER", "-in", tmp_path / "e.der").decode()
    assert "pkcs7-envelopedData" in shown
    assert "rsaesOaep" in shown
    assert "id-aes256-wrap-pad" in shown
    pem = TRANSPORT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "transport.pem").write_bytes(pem)
    (tmp_path / "key").write_bytes(envelope.encrypted_key)
    (tmp_path / "content").write_bytes(envelope.content)
    once = run(
        "pkeyutl", "-decrypt", "-inkey", tmp_path / "transport.pem", "-in", tmp_path / "key",
        "-pkeyopt", "rsa_padding_mode:oaep",
    )  # fmt: skip
    plain = run(
        "enc", "-d", "-id-aes256-wrap-pad", "-K", once.hex(), "-iv", "a65959a6",
        "-in", tmp_path / "content",
    )  # fmt: skip
    opened = load_der_private_key(plain, None)
    assert isinstance(opened, ec.EllipticCurvePrivateKey)
    assert opened.private_numbers() == private.private_numbers()


def test_it_is_read_back_and_nothing_else_is() -> None:
    envelope = sealed(ec.generate_private_key(ec.SECP256R1()))
    encoded = envelope.encode()
    assert KeyEnvelope.decode(encoded) == envelope
    for wrong in (b"", b"\x30\x00", encoded[:-1], encoded + b"\x00", encoded[1:], b"0" * 20_000):
        with pytest.raises(Malformed) as refusal:
            KeyEnvelope.decode(wrong)
        assert refusal.value.code == "key-envelope.malformed"


def test_another_form_of_the_same_is_refused() -> None:
    """Flipping a bit of what is fixed (types, versions, algorithms) is noticed at once."""
    envelope = sealed(ec.generate_private_key(ec.SECP256R1()))
    encoded = envelope.encode()
    values = (envelope.recipient, envelope.encrypted_key, envelope.content)
    free: set[int] = set()
    for value in values:
        start = encoded.index(value)
        free |= set(range(start, start + len(value)))
    for place in set(range(len(encoded))) - free:
        changed = bytearray(encoded)
        changed[place] ^= 1
        with pytest.raises(Malformed):
            KeyEnvelope.decode(bytes(changed))


def test_a_transport_key_is_rsa_and_strong() -> None:
    require_transport_key(public_key(TRANSPORT))
    for unsuitable in (
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(3, 3072),
    ):
        with pytest.raises(Unprocessable) as refusal:
            require_transport_key(public_key(unsuitable))
        assert refusal.value.code == "transport-key.unsuitable"
